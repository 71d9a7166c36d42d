/* SPDX-License-Identifier: Apache-2.0 */
/* media_ports.c - where packets of a side come in: a port of its own, or one for many; and
 * which of our addresses is told first. */
#include <errno.h>
#include "media/media_private.h"

static int start_hub(struct media_engine *engine, struct worker *worker, struct hub **ret_hub)
{
	const struct net_hosts *hosts = &engine->hosts;
	union net_address address = hosts->own[0];
	int fds[NET_HOSTS_MAX][2], err;
	uint16_t port;

	err = ports_take_pair(engine->ports, hosts->own, hosts->count, &port, fds);
	if (err)
		return err;
	net_set_port(&address, port);
	return hub_create(ret_hub, worker, &address, fds, hosts->count);
}

static int take_seat(struct media_session *session, struct session_setup *setup,
		     enum media_side side)
{
	int err = 0;

	if (!*session->hub)
		err = start_hub(session->engine, session->worker, session->hub);
	if (err)
		return err;
	setup->hub[side] = *session->hub;
	setup->port[side] = net_port(hub_address(*session->hub));
	return 0;
}

/* True: it was named. */
static bool choose_host(const struct net_hosts *hosts, const struct media_codecs *rules,
			unsigned *ret_host)
{
	union net_address address;
	unsigned host = hosts->count;
	bool named = rules->address[0] && net_parse(rules->address, 0, &address) == 0;

	if (named)
		host = net_hosts_find(hosts, &address);
	else if (rules->near[0] && net_parse(rules->near, 0, &address) == 0)
		host = net_hosts_towards(hosts, &address);
	*ret_host = host < hosts->count ? host : 0;
	return named && host < hosts->count;
}

unsigned media_engine_address(const struct media_engine *engine, const struct media_codecs *rules)
{
	unsigned host;

	(void)choose_host(&engine->hosts, rules, &host);
	return host;
}

unsigned media_engine_ports_percent(const struct media_engine *engine)
{
	return ports_used_percent(engine->ports);
}

static unsigned own_ports(const struct session_setup *setup, enum media_side side)
{
	if (setup->kind[side] == MEDIA_LEG_WEBRTC)
		return setup->lite ? 0 : 1;
	return leg_has_sockets(setup->kind[side]) && !setup->rules.side[side].shared_port ? 2 : 0;
}

int media_take_port(struct media_session *session, struct session_setup *setup,
		    enum media_side side, uint16_t *ret_port)
{
	struct media_engine *engine = session->engine;
	const struct net_hosts *hosts = &engine->hosts;
	bool webrtc = setup->kind[side] == MEDIA_LEG_WEBRTC;
	int err = 0;

	setup->stays[side] = choose_host(hosts, &setup->rules.side[side], &setup->host[side]);
	if (webrtc && setup->lite)
		setup->port[side] = net_port(lite_address(setup->lite));
	else if (webrtc)
		err = ports_take(engine->ports, hosts->own, hosts->count, ret_port);
	else if (leg_has_sockets(setup->kind[side]) && setup->rules.side[side].shared_port)
		err = take_seat(session, setup, side);
	else if (leg_has_sockets(setup->kind[side]))
		err = ports_take_pair(engine->ports, hosts->own, hosts->count, ret_port,
				      setup->fds[side]);
	if (*ret_port)
		setup->port[side] = *ret_port;
	return err;
}

int media_take_ports(struct media_session *session, struct session_setup *setup, bool in_progress)
{
	struct shared *shared = session->shared;
	unsigned wanted = own_ports(setup, MEDIA_A) + own_ports(setup, MEDIA_B);
	int err = 0;

	if (wanted > 0 && !in_progress && !ports_spare(session->engine->ports, wanted))
		return -ENOSPC;
	for (unsigned side = 0; side < 2 && !err; side++) {
		shared->pair[side] = leg_has_sockets(setup->kind[side]);
		err = media_take_port(session, setup, (enum media_side)side, &shared->ports[side]);
	}
	return err;
}

void media_give_back(struct media_engine *engine, struct shared *shared,
		     struct session_setup *setup)
{
	for (unsigned side = 0; side < 2; side++)
		if (shared->ports[side] != 0 && shared->pair[side])
			ports_close(setup->fds[side], engine->hosts.count);
	media_give_ports(engine, shared->ports, shared->pair);
}
