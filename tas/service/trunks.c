/* SPDX-License-Identifier: Apache-2.0 */
/* trunks.c - the configured trunks as living peers: a reload changes them where
 * they stand, so that what is known of an address and the calls that are counted
 * stay. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/secret.h"
#include "tas/service/decision.h"
#include "tas/sip/binding.h"
#include "tas/sip/digest.h"
#include "tas/sip/watch.h"

static struct trunk take_by_name(struct service_room *room, const char *name)
{
	struct trunk none = { .peer = NULL };

	for (size_t i = 0; i < room->trunk_count; i++) {
		struct trunk taken = room->trunks[i];

		if (!taken.peer || strcmp(sip_peer_name(taken.peer), name) != 0)
			continue;
		room->trunks[i] = none;
		return taken;
	}
	return none;
}

static const char *trunk_name(const void *list, size_t i)
{
	return ((const struct config_trunk *)list)[i].name;
}

int trunks_peer(const struct service_room *room, size_t trunk)
{
	return (int)roster_number(&room->trunk_numbers, trunk) + 1;
}

bool trunks_place(const struct service_room *room, int peer, size_t *ret_trunk)
{
	return peer > SERVICE_PEER_CORE && peer < DEVICE_PEER &&
	       roster_place(&room->trunk_numbers, (size_t)peer - 1, ret_trunk) &&
	       *ret_trunk < room->config->trunk_count;
}

void trunks_done(struct service_room *room)
{
	for (size_t i = 0; i < room->trunk_count; i++) {
		binding_leave(room->trunks[i].binding);
		secret_free(room->trunks[i].password);
		if (room->trunks[i].peer)
			sip_peer_retire(room->trunks[i].peer);
		sip_peer_unref(room->trunks[i].peer);
	}
	free(room->trunks);
	room->trunks = NULL;
	room->trunk_count = 0;
}

/* A secret that cannot be read leaves the last one in force. */
static int read_identity(struct sip_peer *peer, const struct config_trunk *trunk)
{
	const struct config_trunk_auth *auth = &trunk->auth;
	struct digest_identity *identity = NULL;
	char password[SECRET_ROOM];
	int err = auth->username ? secret_read(auth->password_file, password) : 0;

	if (err) {
		log_error("service",
			  "trunk=%s auth.password_file %s cannot be used (%s): put the password "
			  "on its first line and reload",
			  trunk->name, auth->password_file, strerror(-err));
		return 0;
	}
	if (auth->username) {
		err = digest_identity_create(
			&identity, &(struct digest_identity_options){ .username = auth->username,
								      .password = password,
								      .realm = auth->realm,
								      .md5 = auth->md5 });
		explicit_bzero(password, sizeof(password));
	}
	if (!err)
		sip_peer_set_identity(peer, identity);
	return err;
}

static void read_password(struct trunk *trunk, const struct config_trunk *config)
{
	char password[SECRET_ROOM];
	int err = config->ingress_auth.username
			  ? secret_read(config->ingress_auth.password_file, password)
			  : 0;

	secret_free(trunk->password);
	trunk->password = NULL;
	if (!config->ingress_auth.username)
		return;
	if (!err) {
		trunk->password = strdup(password);
		explicit_bzero(password, sizeof(password));
	}
	if (!trunk->password)
		log_error("service",
			  "trunk=%s ingress_auth.password_file %s cannot be used (%s): its calls "
			  "are refused until it holds the password on its first line and the "
			  "configuration is reloaded",
			  config->name, config->ingress_auth.password_file, strerror(-err));
}

/* Registers there, goes on doing so, or no longer does. */
static int keep_registered(struct service_room *room, struct trunk *trunk,
			   const struct config_trunk *config)
{
	const struct binding_options options = { .aor = config->aor,
						 .expires_s = config->expires_s };

	if (trunk->binding && (!config->aor || !binding_is_for(trunk->binding, &options)))
		trunk->binding = binding_leave(trunk->binding);
	if (!config->aor || trunk->binding)
		return 0;
	return binding_create(&trunk->binding, room->endpoint, trunk->peer, &options);
}

static void bring_up(struct service_room *room, struct trunk *trunk,
		     const struct config_trunk *config)
{
	int err = trunk->peer ? 0 : sip_peer_create(&trunk->peer, config->name);

	if (!room->rehearsal)
		read_password(trunk, config);

	if (!err)
		err = sip_peer_configure(trunk->peer, config);
	if (!err && !room->rehearsal)
		err = read_identity(trunk->peer, config);
	if (!err && room->endpoint)
		err = sip_watch(trunk->peer, room->endpoint);
	if (!err && room->endpoint)
		err = keep_registered(room, trunk, config);
	if (err)
		log_error("service", "trunk=%s cannot be set up: %s", config->name, strerror(-err));
}

int trunks_apply(struct service_room *room)
{
	const struct config *config = room->config;
	struct trunk *trunks = calloc(config->trunk_count + 1, sizeof(*trunks));

	if (!trunks || roster_take(&room->trunk_numbers, trunk_name, config->trunks,
				   config->trunk_count) < 0) {
		free(trunks);
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->trunk_count; i++) {
		trunks[i] = take_by_name(room, config->trunks[i].name);
		bring_up(room, &trunks[i], &config->trunks[i]);
	}
	trunks_done(room); /* those that are left */
	room->trunks = trunks;
	room->trunk_count = config->trunk_count;
	return 0;
}

struct sip_peer *trunks_find(const struct service_room *room, size_t trunk)
{
	return trunk < room->trunk_count ? room->trunks[trunk].peer : NULL;
}

void service_leave_trunks(struct service_room *room)
{
	for (size_t i = 0; i < room->trunk_count; i++)
		room->trunks[i].binding = binding_leave(room->trunks[i].binding);
}

void service_forget_trunks(struct service_room *room)
{
	for (size_t i = 0; i < room->trunk_count; i++)
		room->trunks[i].binding = binding_forget(room->trunks[i].binding);
}

void service_each_trunk(const struct service_room *room,
			void (*visit)(const char *name, unsigned calls, void *arg), void *arg)
{
	for (size_t i = 0; i < room->trunk_count; i++)
		if (sip_peer_calls(room->trunks[i].peer))
			visit(sip_peer_name(room->trunks[i].peer),
			      sip_peer_calls(room->trunks[i].peer), arg);
}

void service_forget_beside(struct service_room *room)
{
	for (size_t i = 0; i < room->trunk_count; i++)
		sip_peer_set_beside(room->trunks[i].peer, 0);
}

void service_add_beside(struct service_room *room, const char *trunk, unsigned calls)
{
	for (size_t i = 0; i < room->trunk_count; i++) {
		struct sip_peer *peer = room->trunks[i].peer;

		if (strcmp(sip_peer_name(peer), trunk) == 0)
			sip_peer_set_beside(peer, sip_peer_beside(peer) + calls);
	}
}

void service_return_to_trunks(struct service_room *room)
{
	for (size_t i = 0; i < room->trunk_count; i++) {
		const struct config_trunk *config = &room->config->trunks[i];
		int err = keep_registered(room, &room->trunks[i], config);

		if (err)
			log_error("service", "trunk=%s is not registered at: %s", config->name,
				  strerror(-err));
	}
}

void service_each_line(const struct service_room *room,
		       void (*visit)(const struct sip_line_info *info, void *arg), void *arg)
{
	for (size_t i = 0; i < room->trunk_count; i++)
		if (room->trunks[i].peer)
			sip_peer_each_line(room->trunks[i].peer, visit, arg);
}
