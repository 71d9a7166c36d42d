/* SPDX-License-Identifier: Apache-2.0 */
/* wires.c - connections and tokens under the doors of api.h, as api_client.c and
 * api_token.c have them: a connection that is to replace another does so once it is there; a
 * token is fetched, fetched again ahead of its end, and fetched anew when it is refused. What
 * they are given is named by digits: a target is "TENANT.TARGET", an account
 * "TENANT.ACCOUNT", a secret's file its number, a token "SERIAL.TENANT.ACCOUNT". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "proto/api.h"
#include "tests/simulate/world.h"

#define WIRES        64 /* of either kind, in use at a time */
#define TOLD         256
#define RETRY_FIRST  SECOND
#define RETRY_MAX    (60 * SECOND)
#define TOKEN_LIFE_S 3600

struct pair {
	unsigned tenant, which;
};

struct api_client {
	bool used;
	struct node *node;
	struct pair target, next;
	bool renewing;
	uint16_t dials; /* that were begun: of an older one nothing counts */
};

struct api_token {
	bool used;
	struct node *node;
	api_token_fn *on_token;
	void *arg;
	struct pair account;
	unsigned secret, serial, failures;
	char current[32];
	mono_ms last_fetch;
	uint16_t plans;
};

/* On its way to the registrar's thread. */
struct told {
	struct node *node; /* NULL: to nobody */
	struct link *link;
	char token[32];
	unsigned serial;
	mono_ms retry;
};

static struct api_client clients[WIRES];
static struct api_token tokens[WIRES];
static struct told tellings[TOLD];

static struct pair pair_of(const char *text)
{
	char *end;
	unsigned tenant = (unsigned)strtoul(text, &end, 10);

	return (struct pair){ tenant, (unsigned)strtoul(end + 1, NULL, 10) };
}

/* ---- connections ---- */

static enum way way_to(const struct node *node, const struct pair *target)
{
	enum way way = world.ways[target->tenant * world.spots + target->which * 2];

	if (world.weather.refuse >= 1)
		return WAY_REFUSED;
	if (world.weather.lose_request >= 1 || world.weather.silent)
		return WAY_SILENT;
	return way != WAY_OPEN ? way : node->to_core;
}

static void dial(struct api_client *client, mono_ms after)
{
	client->dials++;
	world_event(after, EVENT_DIAL, (uint32_t)(client - clients) << 16 | client->dials);
}

/* What waits for a connection there waits in vain. */
static void use(struct api_client *client, const struct pair *target)
{
	struct pair before = client->target;

	client->target = *target;
	client->renewing = false;
	if (way_to(client->node, &before) == WAY_REFUSED)
		core_drop_calls(client->node, before.tenant, before.which);
	if (world.comings)
		reload_moved(client->node);
}

void wires_dial(uint32_t index)
{
	struct api_client *client = &clients[index >> 16];

	if (!client->used || !client->renewing || client->dials != (index & 0xffff))
		return;
	if (way_to(client->node, &client->next) != WAY_OPEN) {
		dial(client, between(SECOND / 2, 5 * SECOND));
		return;
	}
	say("%s is connected to %u.%u", client->node->name, client->next.tenant,
	    client->next.which);
	use(client, &client->next);
	client->node->registrar.wake = clock_now();
}

int api_client_create(struct api_client **ret_client, const struct api_client_options *options,
		      char *error, size_t error_room)
{
	struct links *links = CONTAINER_OF(ret_client, struct link, client)->links;

	(void)error, (void)error_room;
	for (size_t i = 0; i < WIRES; i++)
		if (!clients[i].used) {
			clients[i] = (struct api_client){ .used = true,
							  .dials = clients[i].dials,
							  .node = CONTAINER_OF(links, struct node,
									       links),
							  .target = pair_of(options->target) };
			*ret_client = &clients[i];
			(void)take_effect(clients[i].node);
			return 0;
		}
	abort();
}

struct api_client *api_client_destroy(struct api_client *client)
{
	if (client)
		client->used = false;
	return NULL;
}

int api_client_renew(struct api_client *client, const struct api_client_options *options,
		     bool at_once, char *error, size_t error_room)
{
	struct pair target = pair_of(options->target);

	(void)error, (void)error_room;
	if (!take_effect(client->node))
		return 0;
	if (at_once) {
		use(client, &target);
		return 0;
	}
	client->next = target;
	client->renewing = true;
	dial(client, between(10, 200));
	return 0;
}

bool api_client_renewing(const struct api_client *client)
{
	return client->renewing;
}

unsigned wires_target(const struct api_client *client, unsigned *ret_tenant)
{
	*ret_tenant = client->target.tenant;
	return client->target.which;
}

struct node *wires_node(const struct api_client *client)
{
	return client->node;
}

/* ---- tokens ---- */

/* Never sooner than a second after the last. */
static void plan_fetch(struct api_token *token, mono_ms after)
{
	mono_ms earliest = token->last_fetch ? token->last_fetch + RETRY_FIRST - clock_now() : 0;

	token->plans++;
	world_event(after > earliest ? after : earliest, EVENT_FETCH,
		    (uint32_t)(token - tokens) << 16 | token->plans);
}

static void take_options(struct api_token *token, const struct api_token_options *options)
{
	token->account = pair_of(options->client_id);
	token->secret = (unsigned)strtoul(options->client_secret_file, NULL, 10);
	token->serial = options->serial;
}

int api_token_create(struct api_token **ret_token, const struct api_token_options *options,
		     api_token_fn *on_token, void *arg)
{
	struct link *link = arg;

	for (size_t i = 0; i < WIRES; i++) {
		struct api_token *token = &tokens[i];

		if (token->used)
			continue;
		*token = (struct api_token){ .used = true,
					     .plans = token->plans,
					     .node = CONTAINER_OF(link->links, struct node, links),
					     .on_token = on_token,
					     .arg = arg };
		take_options(token, options);
		plan_fetch(token, between(50, 500));
		*ret_token = token;
		return 0;
	}
	abort();
}

struct api_token *api_token_destroy(struct api_token *token)
{
	if (token)
		token->used = false;
	return NULL;
}

int api_token_change(struct api_token *token, const struct api_token_options *options, bool anew)
{
	if (!take_effect(token->node))
		return 0;
	take_options(token, options);
	if (!anew)
		return 0;
	token->current[0] = '\0';
	token->failures = 0;
	plan_fetch(token, between(50, 500));
	return 0;
}

void api_token_quit(struct api_token *token)
{
	token->plans++;
}

void api_token_invalidate(struct api_token *token, const char *refused)
{
	if (!strcmp(token->current, refused))
		plan_fetch(token, between(50, 500));
}

void wires_fetch(uint32_t index)
{
	struct api_token *token = &tokens[index >> 16];
	const struct account *account;
	mono_ms wait = RETRY_MAX;

	if (!token->used || token->plans != (index & 0xffff) || token->node->frozen)
		return;
	account = &world.accounts[token->account.tenant * 2 + token->account.which];
	token->last_fetch = clock_now();
	if (!world.weather.tokens_down && token->secret >= account->secret_from) {
		snprintf(token->current, sizeof(token->current), "%u.%u.%u", ++world.token_latest,
			 token->account.tenant, token->account.which);
		token->failures = 0;
		plan_fetch(token, between(TOKEN_LIFE_S * 700, TOKEN_LIFE_S * 800));
		token->on_token(token->current, TOKEN_LIFE_S, NULL, 0, token->serial, token->arg);
		return;
	}
	if (token->failures < 6)
		wait = RETRY_FIRST << token->failures;
	token->failures++;
	wait = between(wait / 2, wait);
	plan_fetch(token, wait);
	token->on_token(NULL, 0, "no answer", (unsigned)wait, token->serial, token->arg);
}

/* As the registrar's: what is told is taken in by its thread, a moment later. */
static void on_token(const char *token, unsigned expires_in_s, const char *error, unsigned retry_ms,
		     unsigned serial, void *arg)
{
	static uint32_t next;
	struct told *told = &tellings[next % TOLD];
	struct link *link = arg;

	(void)expires_in_s, (void)error;
	*told = (struct told){ .node = CONTAINER_OF(link->links, struct node, links),
			       .link = link,
			       .serial = serial,
			       .retry = retry_ms };
	snprintf(told->token, sizeof(told->token), "%s", token ? token : "");
	world_event(between(0, 20), EVENT_TOLD, next++ % TOLD);
}

api_token_fn *const wires_on_token = on_token;

struct node *wires_teller(uint32_t index)
{
	return tellings[index].node;
}

void wires_told(uint32_t index)
{
	const struct told *told = &tellings[index];
	const struct link *link = told->link;
	unsigned tenant;

	if (!told->node || !told->node->keeper || told->node->frozen ||
	    told->serial != link->serial)
		return;
	tenant = (unsigned)(link - link->links->list);
	say("%s token %s for %s", told->node->name, told->token, link->name ? link->name : "-");
	if (told->token[0])
		keeper_token(told->node->keeper, tenant, told->token, TOKEN_LIFE_S, NULL, 0,
			     clock_now());
	else
		keeper_token(told->node->keeper, tenant, NULL, 0, "no answer",
			     (unsigned)told->retry, clock_now());
}

void wires_forget(const struct node *node)
{
	for (size_t i = 0; i < TOLD; i++)
		if (tellings[i].node == node)
			tellings[i].node = NULL;
}
