/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

#define RENEW_SAY_MS 10000 /* a connection takes no longer */

/* ---- a connection and a token ---- */

static struct api_client_options client_options(const struct link *link)
{
	const struct config_api *api = &link->core->api;

	return (struct api_client_options){
		.target = api->target,
		.ca_pem = link->core->roots,
		.server_name = api->server_name,
		.plaintext = api->plaintext,
		.keepalive_ms = api->keepalive_s * 1000,
		.keepalive_timeout_ms = api->keepalive_timeout_s * 1000,
		.beside = link->links->list[0].client,
	};
}

static int create_client(struct link *link)
{
	struct api_client_options options = client_options(link);
	char error[512];
	int err = api_client_create(&link->client, &options, error, sizeof(error));

	if (err == -EINVAL)
		log_error("registrar", "tenant=%s no connection to the core's API is possible: %s",
			  link->name, error);
	return err;
}

static struct api_token_options token_options(const struct link *link)
{
	const struct config_api *api = &link->core->api;

	return (struct api_token_options){
		.url = api->token_url,
		.client_id = api->client_id,
		.client_secret_file = api->client_secret_file,
		.scope = api->scope,
		.ca_pem = link->core->roots,
		.raw_basic = api->raw_basic,
		.timeout_ms = api->deadline_ms,
		.serial = link->serial,
	};
}

static int say_token(const struct link *link, int err)
{
	if (err == -EINVAL)
		log_error(
			"registrar",
			"tenant=%s no tokens can be fetched: token_url must be an https:// address "
			"(http:// only on this machine), with client_id and client_secret_file "
			"beside it",
			link->name);
	return err;
}

static int create_token(struct link *link)
{
	struct api_token_options options = token_options(link);

	if (!options.url)
		return 0;
	return say_token(link,
			 api_token_create(&link->token, &options, link->links->on_token, link));
}

struct keeper_tenant link_as_tenant(const struct link *link)
{
	const struct config_api *api = &link->core->api;

	return (struct keeper_tenant){ .name = link->name,
				       .client = link->client,
				       .core = link->serves,
				       .deadline_ms = api->deadline_ms,
				       .max_rate = api->max_rate,
				       .needs_token = api->token_url != NULL };
}

struct consent_source link_as_source(const struct link *link)
{
	return (struct consent_source){ .client = link->client,
					.deadline_ms = link->core->api.deadline_ms,
					.needs_token = link->core->api.token_url != NULL };
}

/* ---- create and destroy ---- */

static void clear(struct link *link)
{
	free(link->name);
	*link = (struct link){ .links = link->links, .serial = link->serial + 1 };
}

static int open_link(struct links *links, struct link *link, const struct core *core)
{
	int err;

	link->links = links;
	link->core = core;
	link->serves = core_identity(core);
	link->name = strdup(core->name);
	err = link->name ? create_client(link) : -ENOMEM;
	if (err)
		clear(link);
	else if (link == &links->list[links->count])
		links->count++;
	return err;
}

int links_create(struct links *links, struct registrar_cores *take_cores)
{
	int err = 0;

	links->cores = take_cores;
	for (size_t i = 0; !err && i < take_cores->count; i++)
		err = open_link(links, &links->list[i], &take_cores->list[i]);
	return err;
}

int links_fetch(struct links *links)
{
	int err = 0;

	for (size_t i = 0; !err && i < links->count; i++)
		err = create_token(&links->list[i]);
	return err;
}

void links_end_tokens(struct links *links)
{
	for (size_t i = 0; i < links->count; i++)
		links->list[i].token = api_token_destroy(links->list[i].token);
}

void links_disconnect(struct links *links)
{
	for (size_t i = links->count; i-- > 0;)
		links->list[i].client = api_client_destroy(links->list[i].client);
}

void links_done(struct links *links)
{
	for (size_t i = 0; i < links->count; i++)
		clear(&links->list[i]);
	links->cores = registrar_cores_destroy(links->cores);
}

/* ---- other cores ---- */

static struct link *find(struct links *links, const char *name)
{
	for (size_t i = 0; i < links->count; i++)
		if (links->list[i].name && !strcmp(links->list[i].name, name))
			return &links->list[i];
	return NULL;
}

static struct link *free_place(struct links *links, const struct keeper *keeper)
{
	for (size_t i = 0; i < CONFIG_TENANTS; i++)
		if (!links->list[i].name && keeper_tenant_left(keeper, (unsigned)i))
			return &links->list[i];
	return NULL;
}

static void put(const struct link *link, struct keeper *keeper, mono_ms now)
{
	struct keeper_tenant tenant = link_as_tenant(link);

	/* It is there: that takes no memory. */
	(void)!keeper_tenant_put(keeper, (unsigned)(link - link->links->list), &tenant, now);
}

/* A core that is new. */
static void add(struct links *links, const struct core *core, struct keeper *keeper, mono_ms now)
{
	struct link *link = free_place(links, keeper);
	struct keeper_tenant tenant;
	int err;

	if (!link) {
		log_error("registrar",
			  "tenant=%s has no place yet: tenants that were removed have "
			  "registrations left; reload again once `breakoutctl status` shows "
			  "them no more",
			  core->name);
		return;
	}
	err = open_link(links, link, core);
	if (!err) {
		tenant = link_as_tenant(link);
		err = keeper_tenant_put(keeper, (unsigned)(link - links->list), &tenant, now);
		if (err) {
			api_client_destroy(link->client);
			clear(link);
		}
	}
	if (!err)
		err = create_token(link);
	if (err) {
		log_error("registrar", "tenant=%s its numbers are not registered: %s", core->name,
			  strerror(-err));
		return;
	}
	log_info("registrar", "tenant=%s is new: its numbers are registered at %s", link->name,
		 core->api.target);
}

static void change_way(struct link *link, bool at_once, mono_ms now)
{
	struct api_client_options options = client_options(link);
	char error[512] = "out of memory";

	if (api_client_renew(link->client, &options, at_once, error, sizeof(error))) {
		log_error("registrar", "tenant=%s the connection to the core stays as it was: %s",
			  link->name, error);
		return;
	}
	link->renewing_since = now;
	link->said = false;
}

/* What the one core or account was told another does not know. */
static void has_moved(struct link *link, struct keeper *keeper, mono_ms now)
{
	log_info("registrar", "tenant=%s the core is asked at %s from now on", link->name,
		 link->core->api.target);
	link->moved = false;
	link->anew = true;
	link->serves = core_identity(link->core);
	put(link, keeper, now);
	keeper_tenant_repeat(keeper, (unsigned)(link - link->links->list), now);
}

static int change_fetching(struct link *link, bool anew)
{
	struct api_token_options options = token_options(link);

	if (options.url && link->token && !link->quit)
		return say_token(link, api_token_change(link->token, &options, anew));
	if (!options.url && link->token) {
		api_token_quit(link->token); /* a fetch may be under way: nobody waits for it */
		link->quit = true;
		return 0;
	}
	link->token = api_token_destroy(link->token);
	link->quit = false;
	return create_token(link);
}

/* anew: what it is fetched with is another. */
static void change_token(struct link *link, bool anew)
{
	int err;

	link->serial += anew;
	err = change_fetching(link, anew);
	if (err)
		log_error("registrar", "tenant=%s no token can be fetched with its credentials: %s",
			  link->name, strerror(-err));
	else if (anew && link->core->api.token_url)
		log_info("registrar", "tenant=%s other credentials: a token is fetched with them",
			 link->name);
}

static void has_renewed(struct link *link, struct keeper *keeper, mono_ms now)
{
	link->renewing_since = 0;
	if (link->moved && link->core)
		has_moved(link, keeper, now);
	else
		log_info("registrar", "tenant=%s the connection to the core has been renewed",
			 link->name);
}

static void follow(struct link *link, struct keeper *keeper, mono_ms now)
{
	if (!link->renewing_since)
		return;
	if (!api_client_renewing(link->client)) {
		has_renewed(link, keeper, now);
	} else if (!link->said && now - link->renewing_since >= RENEW_SAY_MS) {
		link->said = true;
		log_error("registrar",
			  "tenant=%s the core cannot be reached as it is configured now: the "
			  "connection of before is used while it lasts; check target, ca_file and "
			  "server_name",
			  link->name);
	}
}

/* For the same account what serves does so until there is something better. A token must
 * not be seen by whom it is not meant for. */
static void change(struct link *link, const struct core *core, struct keeper *keeper, mono_ms now)
{
	unsigned index = (unsigned)(link - link->links->list);
	const struct core *before = link->core;
	bool account = before && core_same_account(before, core);
	bool rights = account && core_same_rights(before, core);
	bool way = before && core_same_way(before, core) && (account || !link->renewing_since);
	bool slower = before && before->api.deadline_ms != core->api.deadline_ms;

	link->moved |= !account || !core_same_target(before, core);
	link->core = core;
	put(link, keeper, now);
	if (!way)
		change_way(link, !account, now);
	else if (link->moved && !link->renewing_since)
		has_moved(link, keeper, now);
	if (!rights || !way || slower)
		change_token(link, !rights);
	if (!account)
		keeper_token_void(keeper, index);
	follow(link, keeper, now); /* what the old one has counts no more for what is wanted now */
}

static void let_go(struct link *link, struct keeper *keeper, mono_ms now)
{
	if (!link->core)
		return;
	log_info("registrar",
		 "tenant=%s is not configured any more: what is registered there is deleted with "
		 "its credentials, and numbers that have moved once they are registered elsewhere",
		 link->name);
	link->core = NULL;
	keeper_tenant_leave(keeper, (unsigned)(link - link->links->list), now);
}

static bool is_among(const struct registrar_cores *cores, const char *name)
{
	for (size_t i = 0; i < cores->count; i++)
		if (!strcmp(cores->list[i].name, name))
			return true;
	return false;
}

void links_take(struct links *links, struct registrar_cores *take_cores, struct keeper *keeper,
		mono_ms now)
{
	for (size_t i = 0; i < links->count; i++) {
		if (links->list[i].name && !is_among(take_cores, links->list[i].name))
			let_go(&links->list[i], keeper, now);
	}
	for (size_t i = 0; i < take_cores->count; i++) {
		struct link *link = find(links, take_cores->list[i].name);

		if (link)
			change(link, &take_cores->list[i], keeper, now);
		else
			add(links, &take_cores->list[i], keeper, now);
	}
	registrar_cores_destroy(links->cores);
	links->cores = take_cores;
}

void links_map(const struct links *links, uint8_t ret_tenants[CONFIG_TENANTS])
{
	memset(ret_tenants, WANTED_NOWHERE, CONFIG_TENANTS);
	for (size_t i = 0; i < links->cores->count; i++)
		for (size_t k = 0; k < links->count; k++)
			if (links->list[k].core == &links->cores->list[i])
				ret_tenants[i] = (uint8_t)k;
}

/* ---- time passes ---- */

void links_run(struct links *links, struct keeper *keeper, mono_ms now)
{
	for (size_t i = 0; i < links->count; i++) {
		struct link *link = &links->list[i];

		if (!link->name)
			continue;
		follow(link, keeper, now);
		if (link->core || !keeper_tenant_left(keeper, (unsigned)i))
			continue;
		api_token_destroy(link->token);
		api_client_destroy(link->client);
		clear(link);
	}
}
