/* SPDX-License-Identifier: Apache-2.0 */
/* media_ports.c - where packets of a side come in: a port of its own, or one for many. */
#include <unistd.h>
#include "media/media_private.h"

static int start_hub(struct media_engine *engine, struct worker *worker, struct hub **ret_hub)
{
	union net_address address = engine->hosts.own[0];
	uint16_t port;
	int fds[2], err = ports_take_pair(engine->ports, &address, &port, fds);

	if (err)
		return err;
	net_set_port(&address, port);
	return hub_create(ret_hub, worker, &address, fds);
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
	setup->address[side] = *hub_address(*session->hub);
	return 0;
}

/* Behind a port for all there is none to take. */
int media_take_port(struct media_session *session, struct session_setup *setup,
		    enum media_side side, uint16_t *ret_port)
{
	struct media_engine *engine = session->engine;
	bool webrtc = setup->kind[side] == MEDIA_LEG_WEBRTC;
	int err = 0;

	setup->address[side] = engine->hosts.own[0];
	if (webrtc && setup->lite)
		setup->address[side] = *lite_address(setup->lite);
	else if (webrtc)
		err = ports_take(engine->ports, engine->hosts.own, engine->hosts.count, ret_port);
	else if (leg_has_sockets(setup->kind[side]) && setup->rules.side[side].shared_port)
		err = take_seat(session, setup, side);
	else if (leg_has_sockets(setup->kind[side]))
		err = ports_take_pair(engine->ports, &engine->hosts.own[0], ret_port,
				      setup->fds[side]);
	if (*ret_port)
		net_set_port(&setup->address[side], *ret_port);
	return err;
}

int media_take_ports(struct media_session *session, struct session_setup *setup)
{
	struct shared *shared = session->shared;
	int err = 0;

	for (unsigned side = 0; side < 2 && !err; side++) {
		shared->pair[side] = leg_has_sockets(setup->kind[side]);
		err = media_take_port(session, setup, (enum media_side)side, &shared->ports[side]);
	}
	return err;
}

void media_give_back(struct media_engine *engine, struct shared *shared,
		     struct session_setup *setup)
{
	for (unsigned side = 0; side < 2; side++) {
		if (shared->ports[side] == 0 || !shared->pair[side])
			continue;
		close(setup->fds[side][0]);
		close(setup->fds[side][1]);
	}
	media_give_ports(engine, shared->ports, shared->pair);
}
