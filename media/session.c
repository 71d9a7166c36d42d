/* SPDX-License-Identifier: Apache-2.0 */
#include "media/session_private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "media/ports.h"
#include "media/recorder.h"
#include "media/waiting.h"

void session_tell(struct session *session, const struct media_event *event)
{
	session->setup.tell(event, session->pending.offer != NULL, session->setup.arg);
}

void session_tell_sdp(struct session *session, enum media_event_type type, enum media_side side,
		      const char *sdp)
{
	const struct media_event event = { .type = type, .side = side, .sdp = sdp };

	session_tell(session, &event);
}

void session_refuse(struct session *session, enum media_side side, int status, const char *reason)
{
	const struct media_event event = {
		.type = MEDIA_EV_REFUSED, .side = side, .status = status, .reason = reason
	};

	log_notice("media", "%s refused status=%d why=\"%s\"", session->ends[side].label, status,
		   reason);
	session_tell(session, &event);
}

static void on_flowing(void *arg)
{
	struct end *end = arg;
	const struct media_event event = { .type = MEDIA_EV_FLOWING, .side = end->side };

	session_tell(end->session, &event);
}

static void on_failed(const char *reason, void *arg)
{
	struct end *end = arg;
	const struct media_event event = { .type = MEDIA_EV_FAILED,
					   .side = end->side,
					   .reason = reason };

	session_tell(end->session, &event);
}

static void on_step(const char *what, void *arg)
{
	struct end *end = arg;
	const struct media_event event = { .type = MEDIA_EV_STEP,
					   .side = end->side,
					   .reason = what };

	session_tell(end->session, &event);
}

static void on_played(void *arg)
{
	struct end *end = arg;
	const struct media_event event = { .type = MEDIA_EV_PLAYED, .side = end->side };

	session_tell(end->session, &event);
}

static void on_recorded(const char *why, void *arg)
{
	struct end *end = arg;
	const struct media_event event = { .type = MEDIA_EV_RECORDED,
					   .side = end->side,
					   .reason = why };

	session_tell(end->session, &event);
}

int session_start_leg(struct session *session, enum media_side side)
{
	const struct session_setup *setup = &session->setup;
	struct end *end = &session->ends[side];
	struct leg_setup leg = {
		.kind = setup->kind[side],
		.port = setup->port[side],
		.hosts = setup->hosts,
		.host = setup->host[side],
		.stays = setup->stays[side],
		.latching = setup->rules.side[side].latching,
		.near = setup->rules.side[side].near,
		.local = setup->local,
		.recording = session_is_local(session, side) ? setup->recording : NULL,
		.identity = setup->identity,
		.before = setup->before[side],
		.worker = setup->worker,
		.lite = setup->lite,
		.hub = setup->hub[side],
		.sender = setup->sender[side],
		.servers = setup->servers,
		.peer_path = &session->legs[other(side)].path,
		.receipt = &setup->receipts[side],
		.label = end->label,
		.prepared = session_on_prepared,
		.flowing = on_flowing,
		.failed = on_failed,
		.step = setup->steps ? on_step : NULL,
		.played = on_played,
		.recorded = on_recorded,
		.convert = session_on_convert,
		.arg = end,
	};

	memcpy(leg.fds, setup->fds[side], sizeof(leg.fds));
	session->setup.sender[side] = NULL; /* another peer's stream is another, */
	session->setup.before[side] = NULL; /* and so are our texts */
	end->session = session;
	end->side = side;
	(void)snprintf(end->label, sizeof(end->label), "session=%s side=%c", setup->name,
		       side == MEDIA_A ? 'A' : 'B');
	return leg_init(&session->legs[side], &leg);
}

void session_close_fds(struct session_setup *setup, enum media_side side)
{
	if (leg_has_sockets(setup->kind[side]) && !setup->hub[side])
		ports_close(setup->fds[side], setup->hosts->count);
}

int session_create(struct session **ret_session, struct session_setup *setup)
{
	struct session *session = calloc(1, sizeof(*session));
	int err_a, err_b;

	if (!session) {
		session_close_fds(setup, MEDIA_A);
		session_close_fds(setup, MEDIA_B);
		sdp_before_destroy(setup->before[MEDIA_A]);
		sdp_before_destroy(setup->before[MEDIA_B]);
		sender_unref(setup->sender[MEDIA_A]);
		sender_unref(setup->sender[MEDIA_B]);
		free(setup->local_offer);
		media_sound_unref(setup->local.sound);
		recording_close(setup->recording, /* keep= */ false, "");
		return -ENOMEM;
	}
	session->setup = *setup;
	timer_init(&session->check, session_on_check, session);
	timer_init(&session->opening, session_on_opening, session);
	err_a = session_start_leg(session, MEDIA_A); /* both: each takes its sockets */
	err_b = session_start_leg(session, MEDIA_B);
	if (err_a || err_b) {
		session_destroy(session);
		return err_a ? err_a : err_b;
	}
	*ret_session = session;
	return 0;
}

struct sender *session_sender(const struct session *session, enum media_side side)
{
	return sender_ref(session->legs[side].path.sender);
}

struct session *session_destroy(struct session *session)
{
	if (!session)
		return NULL;
	timer_cancel(&session->check);
	timer_cancel(&session->opening);
	session_drop_transcoders(session);
	for (unsigned side = 0; side < 2; side++)
		waiting_destroy(session->ends[side].waiting);
	session_end_recording(session);
	leg_done(&session->legs[MEDIA_A]);
	leg_done(&session->legs[MEDIA_B]);
	exchange_clear(&session->pending);
	exchange_clear(&session->current);
	free(session->setup.local_offer);
	media_sound_unref(session->setup.local.sound);
	free(session);
	return NULL;
}

void session_near(struct session *session, enum media_side side, const char *near)
{
	leg_near(&session->legs[side], near);
}

void session_established(struct session *session)
{
	leg_established(&session->legs[MEDIA_A]);
	leg_established(&session->legs[MEDIA_B]);
	if (!timer_active(&session->check)) /* it says so in the log */
		session_watch(session);
}
