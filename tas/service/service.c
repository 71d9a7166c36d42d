/* SPDX-License-Identifier: Apache-2.0 */
/* service.c - the room: who calls us, and the way from a leg to a plan. */
#include "tas/service/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "tas/service/change.h"
#include "tas/service/decision.h"
#include "tas/service/numbering.h"
#include "tas/service/order.h"
#include "tas/service/uri.h"

/* A trunk answers a challenge in a round trip. */
#define NONCE_S 32

/* ---- who is it ---- */

static bool literal_address(const struct uri_view *view, struct config_cidr *ret_address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ret_address->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret_address->address;
	char host[INET6_ADDRSTRLEN];

	memset(ret_address, 0, sizeof(*ret_address));
	if (view->host_length >= sizeof(host))
		return false;
	memcpy(host, view->host, view->host_length);
	host[view->host_length] = '\0';
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		ret_address->prefix_length = 32;
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		ret_address->prefix_length = 128;
		return true;
	}
	return false;
}

static int add_host(struct service_room *room, const char *uri, size_t trunk)
{
	struct trunk_host host = { .trunk = trunk }, *hosts;
	struct uri_view view;

	if (!uri_split(uri, &view) || !literal_address(&view, &host.address))
		return 0; /* a name: the operator lists its addresses as trusted */
	hosts = realloc(room->hosts, (room->host_count + 1) * sizeof(*hosts));
	if (!hosts)
		return -ENOMEM;
	room->hosts = hosts;
	hosts[room->host_count++] = host;
	return 0;
}

static int collect_hosts(struct service_room *room)
{
	const struct config *config = room->config;

	free(room->hosts);
	room->hosts = NULL;
	room->host_count = 0;
	for (size_t t = 0; t < config->trunk_count; t++) {
		for (size_t u = 0; u < config->trunks[t].uri_count; u++) {
			int err = add_host(room, config->trunks[t].uris[u], t);

			if (err)
				return err;
		}
	}
	return 0;
}

static bool certified(const struct config_sbc *sbc, const struct sip_source *source)
{
	if (!sbc->client_ca)
		return true;
	if (!source->certificate_names)
		return false;
	if (!sbc->client_name)
		return true;
	for (const char *const *name = source->certificate_names; *name; name++)
		if (str_equal_nocase(*name, sbc->client_name))
			return true;
	return false;
}

static bool is_sbc(const char *uri, const struct config_cidr *trusted, size_t trusted_count,
		   const struct sip_source *source)
{
	struct uri_view view;

	/* A source address alone proves nothing on UDP: sips means TLS inwards too. */
	if (uri_split(uri, &view) && view.scheme_length == 4 &&
	    source->transport != SIP_TRANSPORT_TLS)
		return false;
	return config_cidrs_contain(trusted, trusted_count,
				    (const struct sockaddr *)&source->address);
}

static bool is_core(const struct config *config, const struct sip_source *source)
{
	const struct config_sbc *sbc = &config->core.sbc;
	bool found = is_sbc(sbc->uri, sbc->trusted, sbc->trusted_count, source);

	for (size_t i = 0; !found && i < config->tenant_count; i++) {
		const struct config_tenant_sbc *own = &config->tenants[i].sbc;

		found = own->uri && is_sbc(own->uri, own->trusted, own->trusted_count, source);
	}
	return found && certified(sbc, source);
}

int service_identify(struct service_room *room, const struct sip_source *source)
{
	const struct config *config = room->config;
	const struct sockaddr *address = (const struct sockaddr *)&source->address;

	if (is_core(config, source))
		return SERVICE_PEER_CORE;
	for (size_t t = 0; t < config->trunk_count; t++)
		if (config_cidrs_contain(config->trunks[t].trusted, config->trunks[t].trusted_count,
					 address))
			return trunks_peer(room, t);
	for (size_t i = 0; i < room->host_count; i++)
		if (config_cidr_contains(&room->hosts[i].address, address))
			return trunks_peer(room, room->hosts[i].trunk);
	return -1;
}

/* ---- the room ---- */

/* A key that cannot be read must not stop calls: this process then sees its
 * own loops, and Max-Forwards ends the others. */
static int read_hop_key(struct service_room *room)
{
	const char *path = room->config->core.sbc.hop_key_file;
	int err = hop_key_read(path, &room->hop_key);

	if (!err || !path)
		return err;
	log_error("service",
		  "core.sbc.hop_key_file %s %s: calls that pass two nodes are not seen as a loop. "
		  "Write the same 32 random bytes in hex there on every node",
		  path, err == -EINVAL ? "is shorter than 16 bytes" : "cannot be read");
	return hop_key_read(NULL, &room->hop_key);
}

static int read_secrets(struct service_room *room)
{
	int err = read_hop_key(room);

	return err ? err : webhook_secrets_read(room);
}

struct shared_count *service_target_calls(struct service_room *room)
{
	return order_book_calls(room->orders);
}

static void on_target(const char *target, enum call_target_news news, void *arg)
{
	struct service_room *room = arg;

	order_book_news(room->orders, target, news);
}

int service_create(struct service_room **ret_room, const struct service_options *options)
{
	struct service_room *room = calloc(1, sizeof(*room));

	if (!room)
		return -ENOMEM;
	room->config = options->config;
	room->is_registered = options->is_registered;
	room->is_consented = options->is_consented;
	room->find_added = options->find_added;
	room->load = options->load;
	room->load_room = options->load_room;
	room->arg = options->arg;
	room->calls = options->calls;
	room->sounds = options->sounds;
	room->hooks = options->hooks;
	room->wheel = options->wheel;
	room->devices = options->devices;
	room->endpoint = options->endpoint;
	room->rehearsal = options->rehearsal;
	if (collect_hosts(room) < 0 || digest_guard_create(&room->guard, NONCE_S) < 0 ||
	    core_apply(room) < 0 || trunks_apply(room) < 0 ||
	    (!options->rehearsal && read_secrets(room) < 0) ||
	    order_book_create(&room->orders) < 0) {
		service_destroy(room);
		return -ENOMEM;
	}
	if (change_turns_apply(room) < 0) {
		service_destroy(room);
		return -ENOMEM;
	}
	if (room->calls)
		call_room_on_target(room->calls, on_target, room);
	*ret_room = room;
	return 0;
}

int service_trunk_peer(const struct service_room *room, size_t trunk)
{
	return trunks_peer(room, trunk);
}

const struct config *service_config(const struct service_room *room)
{
	return room->config;
}

struct service_room *service_destroy(struct service_room *room)
{
	if (!room)
		return NULL;
	notices_done(room);
	trunks_done(room);
	roster_done(&room->trunk_numbers);
	core_done(room);
	digest_guard_destroy(room->guard);
	order_book_destroy(room->orders);
	free(room->hosts);
	free(room->turns);
	webhook_secrets_done(room);
	free(room);
	return NULL;
}

void service_reconfigure(struct service_room *room, const struct config *config,
			 const struct media_sounds *sounds)
{
	room->config = config;
	room->sounds = sounds;
	if (collect_hosts(room) < 0)
		log_error("service", "no memory for the trunks' addresses: calls from some trunks "
				     "are refused until the next reload");
	if (core_apply(room) < 0)
		log_error("service", "no memory for the core's addresses: they stay as they were "
				     "until the next reload");
	if (trunks_apply(room) < 0)
		log_error("service", "no memory for the trunks: they stay as they were until the "
				     "next reload");
	if (change_turns_apply(room) < 0)
		log_error("service", "no memory for the turns of callers: rules that are new show "
				     "their first number until the next reload");
	if (config->core.sbc.hop_key_file && read_hop_key(room) < 0)
		log_error("service", "no random numbers for a hop key: the last one stays");
	if (webhook_secrets_read(room) < 0)
		log_error("service", "no memory for the webhooks' secrets: those that have one are "
				     "not asked until the next reload");
}

/* ---- what to do ---- */

/* A number that was withdrawn from the configuration may still be known to the
 * core; its calls keep their direction and loop. */
bool service_is_registered(const char *number, void *arg)
{
	const struct service_room *room = arg;

	return config_find_number(room->config, number) ||
	       (room->is_registered && room->is_registered(number, room->arg));
}

/* A number without parameters ("+47...;npdi"). */
static void plain_number(const char *user, char *ret_number, size_t room)
{
	snprintf(ret_number, room, "%.*s", (int)strcspn(user, ";"), user);
}

void decision_look_at_numbers(struct decision *decision)
{
	const struct leg_info *info = decision->info;

	plain_number(info->asserted_user[0] ? info->asserted_user : info->from_user,
		     decision->caller, sizeof(decision->caller));
	if (str_equal_nocase(decision->caller, "anonymous")) /* RFC 3323 4.1.1.3 */
		decision->caller[0] = '\0';
	decision->anonymous =
		!decision->caller[0] || decision_wants_privacy(decision->info->headers);
	plain_number(decision->class.called, decision->called, sizeof(decision->called));
}

static void decide_core(struct decision *decision)
{
	const struct leg_info *info = decision->info;
	const struct config *config = decision->config;
	const char *caller = info->asserted_user[0] ? info->asserted_user : info->from_user;

	classify(config, info->request_user, caller, service_is_registered, (void *)decision->room,
		 &decision->class);
	decision_find_tenant(decision);
	decision_look_at_numbers(decision);
	decision_note(decision, "a call from the core%s%s, direction %s by %s",
		      config->tenant_count ? " of " : "",
		      config->tenant_count ? config_tenant_name(config, decision->class.tenant)
					   : "",
		      call_direction_name(decision->class.direction),
		      decision->class.prefix_found ? "its prefix" : "who is registered");
	route_core(decision);
}

/* How a device writes numbers. */
static const struct config_identity as_dialled;

/* A call that does not come from the core can only go to it. */
static void decide_ingress(struct decision *decision, size_t index,
			   const struct config_identity *identity,
			   void (*ingress)(struct decision *decision, size_t index))
{
	const struct leg_info *info = decision->info;
	char called[NUMBER_ROOM];

	number_from_peer(identity, info->request_user, called);
	classify(NULL, called, "", service_is_registered, (void *)decision->room, &decision->class);
	decision_find_tenant(decision);
	decision_look_at_numbers(decision);
	decision_note(decision, "a call from %s", decision_sender(decision));
	if (info->max_forwards < 2)
		decision_reject(decision, 483, NULL, CAUSE_LOOP);
	else if (decision->full)
		decision_reject(decision, 503, "Trunk Has Its Limit Of Calls", CAUSE_OVERLOAD);
	else
		ingress(decision, index);
}

static struct call_plan *decide(struct decision *decision)
{
	const struct leg_info *info = decision->info;
	size_t index;

	decision->plan = calloc(1, sizeof(*decision->plan));
	if (!decision->plan)
		return NULL;
	decision->plan->direction = DIRECTION_UNKNOWN;
	if (info->peer == SERVICE_PEER_CORE)
		decide_core(decision);
	else if (trunks_place(decision->room, info->peer, &index))
		decide_ingress(decision, index, &decision->config->trunks[index].identity,
			       ingress_trunk);
	else if (decision_device(decision, &index))
		decide_ingress(decision, index, &as_dialled, ingress_device);
	else /* a trunk that a reload took away while its call was on the way */
		decision_reject(decision, 403, NULL, CAUSE_REJECTED);
	return decision_finish(decision);
}

struct call_plan *decide_now(struct service_room *room, const struct leg_info *info, bool full)
{
	return decide(&(struct decision){ .room = room,
					  .config = room->config,
					  .info = info,
					  .full = full,
					  .now = clock_wall(),
					  .load = room->load ? room->load(room->arg) : 0 });
}

struct call_plan *service_decide(struct service_room *room, const struct leg_info *info)
{
	return decide_now(room, info, false);
}

struct call_plan *service_rehearse(struct service_room *room, const struct leg_info *info,
				   const struct service_rehearsal *rehearsal)
{
	return decide(&(struct decision){ .room = room,
					  .config = room->config,
					  .info = info,
					  .now = rehearsal->now,
					  .load = rehearsal->load,
					  .trace = rehearsal->trace,
					  .trace_arg = rehearsal->arg,
					  .rehearsal = true });
}
