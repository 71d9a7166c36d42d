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
#include "tas/sip/digest.h"
#include "tas/sip/watch.h"

static struct sip_peer *take_by_name(struct service_room *room, const char *name)
{
	for (size_t i = 0; i < room->peer_count; i++) {
		struct sip_peer *peer = room->peers[i];

		if (!peer || strcmp(sip_peer_name(peer), name) != 0)
			continue;
		room->peers[i] = NULL;
		return peer;
	}
	return NULL;
}

static void drop_peer(struct sip_peer *peer)
{
	if (peer)
		sip_peer_retire(peer);
	sip_peer_unref(peer);
}

void trunks_done(struct service_room *room)
{
	for (size_t i = 0; i < room->peer_count; i++)
		drop_peer(room->peers[i]);
	free(room->peers);
	room->peers = NULL;
	room->peer_count = 0;
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

/* NULL without memory: the trunk is not dialled then. */
static struct sip_peer *bring_up(struct service_room *room, const struct config_trunk *trunk)
{
	struct sip_peer *peer = take_by_name(room, trunk->name);
	int err = peer ? 0 : sip_peer_create(&peer, trunk->name);

	if (!err)
		err = sip_peer_configure(peer, trunk);
	if (!err)
		err = read_identity(peer, trunk);
	if (!err && room->endpoint)
		err = sip_watch(peer, room->endpoint);
	if (err)
		log_error("service", "trunk=%s cannot be set up: %s", trunk->name, strerror(-err));
	return peer;
}

int trunks_apply(struct service_room *room)
{
	const struct config *config = room->config;
	struct sip_peer **peers = calloc(config->trunk_count + 1, sizeof(struct sip_peer *));

	if (!peers)
		return -ENOMEM;
	for (size_t i = 0; i < config->trunk_count; i++)
		peers[i] = bring_up(room, &config->trunks[i]);
	trunks_done(room); /* those that are left */
	room->peers = peers;
	room->peer_count = config->trunk_count;
	return 0;
}

struct sip_peer *trunks_find(const struct service_room *room, size_t trunk)
{
	return trunk < room->peer_count ? room->peers[trunk] : NULL;
}

void service_each_line(const struct service_room *room,
		       void (*visit)(const struct sip_line_info *info, void *arg), void *arg)
{
	for (size_t i = 0; i < room->peer_count; i++)
		if (room->peers[i])
			sip_peer_each_line(room->peers[i], visit, arg);
}
