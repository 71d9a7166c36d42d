/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's half of the room: handles, ports, and mail to and from the
 * media threads. session.h is the other half. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"
#include "media/digits.h"
#include "media/local.h"
#include "media/media_private.h"
#include "media/sounds.h"

static struct metric sessions_gauge =
	METRIC_GAUGE_SUM_INIT("breakout_media_sessions", NULL, "Media sessions that exist.");

static int fill_local(struct session_setup *setup, struct media_engine *engine,
		      const struct media_local *local, const char *const *codecs, unsigned count)
{
	setup->local = *local;
	setup->local.recording = NULL; /* setup->recording knows */
	media_sound_ref(setup->local.sound);
	setup->local_offer = calloc(1, sizeof(*setup->local_offer));
	if (!setup->local_offer)
		return -ENOMEM;
	setup->local_offer->direction = SDP_SENDRECV;
	setup->local_offer->ptime = LOCAL_FRAME_MS;
	if (local->recording) {
		int err = recording_create(&setup->recording, engine->recorder, local->recording);

		if (err)
			return err;
	}
	return local_codecs(codecs, count, setup->local_offer);
}

/* One that replaces another shows a certificate nobody has seen, even where one
 * is pinned: with the same a peer would keep the keys of the old association. */
static int take_identity(struct media_engine *engine, bool replaces,
			 struct dtls_identity **ret_identity)
{
	if (replaces)
		return dtls_identity_create(ret_identity, NULL);
	media_renew_identity(engine);
	*ret_identity = dtls_identity_ref(engine->identity);
	return 0;
}

static int fill_setup(struct session_setup *setup, struct media_engine *engine,
		      struct shared *shared, const struct media_session_options *options)
{
	int err = take_identity(engine, options->replaces, &shared->identity);

	if (err)
		return err;
	memcpy(setup->kind, options->kind, sizeof(setup->kind));
	setup->identity = shared->identity;
	setup->servers = shared->servers = servers_ref(engine->servers);
	for (unsigned side = 0; side < 2 && !err; side++)
		if (options->before[side])
			err = sdp_before_create(&setup->before[side], options->before[side],
						leg_protos(options->kind[side]));
	if (err)
		return err;
	setup->hosts = &engine->hosts;
	setup->receipts = shared->receipts;
	setup->rtp_timeout_s = engine->rtp_timeout_s;
	setup->hold_timeout_s = engine->hold_timeout_s;
	setup->opus_complexity = engine->opus_complexity;
	memcpy(setup->rules.side, options->rules, sizeof(setup->rules.side));
	setup->steps = options->steps;
	setup->tell = media_tell;
	setup->arg = shared;
	if (options->name)
		strncpy(setup->name, options->name, sizeof(setup->name) - 1);
	if (options->kind[MEDIA_A] != MEDIA_LEG_LOCAL && options->kind[MEDIA_B] != MEDIA_LEG_LOCAL)
		return 0;
	return fill_local(setup, engine, &options->local, options->codecs, options->codec_count);
}

static bool options_fine(const struct media_session_options *options)
{
	for (unsigned side = 0; side < 2; side++)
		if (options->kind[side] < MEDIA_LEG_WEBRTC || options->kind[side] > MEDIA_LEG_LOCAL)
			return false;
	return options->on_event && (options->kind[MEDIA_A] != MEDIA_LEG_LOCAL ||
				     options->kind[MEDIA_B] != MEDIA_LEG_LOCAL);
}

/* In turn; with the session whose stream goes on, as that belongs to its thread. */
static unsigned next_worker(struct media_engine *engine,
			    const struct media_session_options *options)
{
	for (unsigned side = 0; side < 2; side++)
		for (unsigned i = 0; options->streams[side].session && i < engine->worker_count;
		     i++)
			if (engine->workers[i] == options->streams[side].session->worker)
				return i;
	return engine->next_worker++ % engine->worker_count;
}

static void choose_worker(struct media_session *session, struct session_setup *setup,
			  const struct media_session_options *options)
{
	struct media_engine *engine = session->engine;
	unsigned index = next_worker(engine, options);

	session->worker = setup->worker = engine->workers[index];
	session->lite = setup->lite = engine->lites[index];
	session->hub = &engine->hubs[index];
}

/* Of two sessions on two threads only one stream can. */
static void let_streams_go_on(const struct media_session *session, struct request *create,
			      const struct media_session_options *options)
{
	for (unsigned side = 0; side < 2; side++) {
		const struct media_stream *stream = &options->streams[side];

		if (!stream->session || stream->session->worker != session->worker)
			continue;
		create->goes_on[side] = media_shared_ref(stream->session->shared);
		create->goes_on_side[side] = stream->side;
	}
}

/* Sends the session to its thread; what can fail has been done before. */
static void launch(struct media_session *session, struct request *create)
{
	struct media_engine *engine = session->engine;

	session->shared->inbox = engine->inbox;
	session->shared->ticket = session->ticket;
	atomic_store_explicit(&session->shared->references, 2, memory_order_relaxed);
	worker_post(session->worker, &create->mail);
	metric_add(&sessions_gauge, 1);
}

int media_session_create(struct media_session **ret_session, struct media_engine *engine,
			 const struct media_session_options *options)
{
	struct media_session *session;
	struct request *create = NULL;
	int err = -ENOMEM;

	if (!options_fine(options))
		return -EINVAL;
	session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->engine = engine;
	session->on_event = options->on_event;
	session->arg = options->arg;
	memcpy(session->kind, options->kind, sizeof(session->kind));
	session->shared = calloc(1, sizeof(*session->shared));
	session->farewell = media_request_create(session->shared, media_on_destroy, MEDIA_A);
	create = media_request_create(session->shared, media_on_create, MEDIA_A);
	if (create)
		create->setup = calloc(1, sizeof(*create->setup));
	if (!session->shared || !session->farewell || !create || !create->setup)
		goto fail;
	choose_worker(session, create->setup, options);
	let_streams_go_on(session, create, options);
	err = fill_setup(create->setup, engine, session->shared, options);
	if (!err)
		err = media_take_ports(session, create->setup, options->replaces);
	if (!err)
		err = ticket_issue(engine->tickets, session, &session->ticket);
	if (err)
		goto give_back;
	launch(session, create);
	*ret_session = session;
	return 0;

give_back:
	media_give_back(engine, session->shared, create->setup);
	media_drop_local(create->setup);
	sdp_before_destroy(create->setup->before[MEDIA_A]);
	sdp_before_destroy(create->setup->before[MEDIA_B]);
fail:
	if (create)
		media_request_free(create);
	if (session->farewell)
		media_request_free(session->farewell);
	media_shared_free(session->shared);
	free(session);
	return err;
}

struct media_session *media_session_destroy(struct media_session *session)
{
	if (!session)
		return NULL;
	ticket_revoke(session->engine->tickets, session->ticket);
	worker_post(session->worker, &session->farewell->mail);
	media_shared_unref(session->shared);
	free(session);
	metric_add(&sessions_gauge, -1);
	return NULL;
}

static int post(struct media_session *session, mail_fn *deliver, enum media_side side,
		const char *sdp)
{
	struct request *request = media_request_create(session->shared, deliver, side);

	if (request && sdp)
		request->sdp = strdup(sdp);
	if (!request || (sdp && !request->sdp)) {
		free(request);
		return -ENOMEM;
	}
	worker_post(session->worker, &request->mail);
	return 0;
}

static enum media_side other(enum media_side side)
{
	return side == MEDIA_A ? MEDIA_B : MEDIA_A;
}

static int open_offer(struct media_session *session, mail_fn *deliver, enum media_side side,
		      enum media_side offerer, const char *sdp)
{
	int err;

	if (session->state == EXCHANGE_OFFERED)
		return -EINVAL;
	err = post(session, deliver, side, sdp);
	if (err)
		return err;
	session->before = session->state;
	session->offerer_before = session->offerer;
	session->state = EXCHANGE_OFFERED;
	session->offerer = offerer;
	return 0;
}

int media_offer(struct media_session *session, enum media_side from, const char *sdp)
{
	if (session->kind[from] == MEDIA_LEG_LOCAL)
		return -EINVAL;
	return open_offer(session, media_on_offer, from, from, sdp);
}

int media_start(struct media_session *session, enum media_side to)
{
	if (session->kind[other(to)] != MEDIA_LEG_LOCAL)
		return -EINVAL;
	return open_offer(session, media_on_start, to, other(to), NULL);
}

int media_answer(struct media_session *session, enum media_side from, const char *sdp)
{
	int err;

	if (session->state == EXCHANGE_NONE || session->offerer == from ||
	    session->kind[from] == MEDIA_LEG_LOCAL)
		return -EINVAL;
	err = post(session, media_on_answer, from, sdp);
	if (!err)
		session->state = EXCHANGE_ANSWERED;
	return err;
}

/* Whether A's offer has been answered and nothing of A's is open. */
static bool may_turn(const struct media_session *session, bool settled)
{
	if (session->kind[MEDIA_A] == MEDIA_LEG_LOCAL)
		return false;
	if (session->state == EXCHANGE_ANSWERED)
		return settled || session->offerer == MEDIA_A;
	return session->state == EXCHANGE_OFFERED && session->before == EXCHANGE_ANSWERED &&
	       session->offerer == MEDIA_A && session->offerer_before == MEDIA_A;
}

static int fill_turn(struct request *request, struct media_session *session,
		     enum media_leg_kind kind, const struct media_local *local,
		     const struct media_codecs *rules)
{
	struct media_engine *engine = session->engine;
	struct session_setup *setup = request->setup;
	int err = 0;

	setup->hosts = &engine->hosts;
	setup->lite = session->lite;
	setup->rules.side[MEDIA_B] = *rules;
	setup->kind[MEDIA_B] = kind;
	if (kind == MEDIA_LEG_LOCAL)
		err = fill_local(setup, engine, local, NULL, 0);
	if (!err)
		err = media_take_port(session, setup, MEDIA_B, &request->port);
	if (err)
		media_drop_local(setup);
	return err;
}

int media_turn(struct media_session *session, enum media_leg_kind kind,
	       const struct media_local *local, const struct media_codecs *rules, bool settled)
{
	struct request *request;
	int err = -ENOMEM;

	if (!may_turn(session, settled))
		return -EINVAL;
	request = media_request_create(session->shared, media_on_turn, MEDIA_A);
	if (request)
		request->setup = calloc(1, sizeof(*request->setup));
	if (request && request->setup)
		err = fill_turn(request, session, kind, local, rules);
	if (err) {
		if (request)
			media_request_free(request);
		return err;
	}
	request->setup->settled = settled;
	worker_post(session->worker, &request->mail);
	session->kind[MEDIA_B] = kind;
	session->state = EXCHANGE_OFFERED;
	session->before = EXCHANGE_ANSWERED;
	session->offerer = session->offerer_before = MEDIA_A;
	return 0;
}

int media_record(struct media_session *session, const struct media_recording *recording)
{
	struct request *request = media_request_create(session->shared, media_on_record, MEDIA_A);
	int err = -ENOMEM;

	if (request)
		err = recording_create_call(&request->recording, session->engine->recorder,
					    recording);
	if (err) {
		free(request);
		return err;
	}
	worker_post(session->worker, &request->mail);
	return 0;
}

int media_near(struct media_session *session, enum media_side side, const char *near)
{
	return post(session, media_on_near, side, near);
}

void media_established(struct media_session *session)
{
	if (post(session, media_on_established, MEDIA_A, NULL))
		log_error("media", "a peer that does not answer is sent to for the whole call: "
				   "out of memory");
}

void media_rollback(struct media_session *session)
{
	if (session->state != EXCHANGE_OFFERED)
		return;
	if (post(session, media_on_rollback, MEDIA_A, NULL))
		log_error("media", "rollback lost: out of memory");
	session->state = session->before;
	session->offerer = session->offerer_before;
}

int media_digit(struct media_session *session, enum media_side to, char digit, unsigned ms)
{
	struct request *request;
	uint8_t event;

	if (!digit_event(digit, &event))
		return -EINVAL;
	request = media_request_create(session->shared, media_on_digit, to);
	if (!request)
		return -ENOMEM;
	request->digit = digit;
	request->digit_ms = ms;
	worker_post(session->worker, &request->mail);
	return 0;
}

int media_wait(struct media_session *session, enum media_side to, enum media_wait when,
	       struct media_sound *sound)
{
	struct media_engine *engine = session->engine;
	struct request *request;

	if (when != MEDIA_WAIT_NOT && !sound && !engine->ringback &&
	    sound_ringback(&engine->ringback))
		return -ENOMEM;
	request = media_request_create(session->shared, media_on_wait, to);
	if (!request)
		return -ENOMEM;
	request->when = when;
	if (when != MEDIA_WAIT_NOT)
		request->sound = media_sound_ref(sound ? sound : engine->ringback);
	worker_post(session->worker, &request->mail);
	return 0;
}

void media_receipt(const struct media_session *session, enum media_side side,
		   struct media_receipt *ret_receipt)
{
	receipt_read(&session->shared->receipts[side], ret_receipt);
}
