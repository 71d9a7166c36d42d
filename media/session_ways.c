/* SPDX-License-Identifier: Apache-2.0 */
/* What passes between the legs once they agree: as it is, converted, or what is heard
 * instead while nothing comes. */
#include "media/session_private.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "media/local.h"
#include "media/transcoder.h"
#include "media/waiting.h"

struct codecs_rules session_rules(const struct session *session)
{
	struct codecs_rules rules = session->setup.rules;

	rules.transcode = (rules.side[MEDIA_A].convert || rules.side[MEDIA_B].convert ||
			   session->setup.settled) &&
			  !session_is_local(session, MEDIA_A) &&
			  !session_is_local(session, MEDIA_B);
	return rules;
}

bool session_answer_back(const struct session *session, const struct exchange *exchange,
			 const struct media_desc *answer, struct media_desc *ret_back)
{
	const struct codecs_rules rules = session_rules(session);

	if (!codecs_answer(exchange->offer, answer, &rules, other(exchange->offerer), ret_back))
		return false;
	if (exchange->settled && rules.transcode)
		codecs_keep(exchange->offer, ret_back);
	return true;
}

/* The ways of the agreement in force. */
static int agreed_ways(const struct session *session, struct codecs_way ret_ways[2])
{
	const struct codecs_rules rules = session_rules(session);
	const struct exchange *current = &session->current;
	struct codecs_agreement agreement = { .offer = current->offer,
					      .offerer = current->offerer };
	struct media_desc *answer = NULL, *back = calloc(1, sizeof(*back));
	const char *why;
	int err = back ? 0 : -ENOMEM;

	if (!err)
		err = sdp_parse(current->answer, &answer, &why);
	if (!err && session_answer_back(session, current, answer, back)) {
		agreement.answer = answer;
		agreement.back = back;
		codecs_ways(&agreement, &rules, &ret_ways[current->offerer],
			    &ret_ways[other(current->offerer)]);
	}
	sdp_free(answer);
	free(back);
	return err;
}

static void on_digit(char digit, unsigned ms, void *arg)
{
	struct end *end = arg;
	const struct media_event event = {
		.type = MEDIA_EV_DIGIT, .side = end->side, .digit = digit, .digit_ms = ms
	};

	session_tell(end->session, &event);
}

static int make_transcoder(struct session *session, enum media_side from)
{
	struct codecs_way ways[2] = { 0 };
	const struct transcoder_setup setup = {
		.from = &session->legs[from].path,
		.wheel = worker_wheel(session->setup.worker),
		.way = &ways[from],
		.complexity = session->setup.opus_complexity,
		.on_digit = on_digit,
		.arg = &session->ends[from],
	};
	int err = agreed_ways(session, ways);

	if (!err)
		err = transcoder_create(&session->legs[from].path.transcoder, &setup);
	if (!err && ways[from].converts && !ways[from].lazy)
		log_info("media", "%s transcoded to=%s", session->ends[from].label,
			 ways[from].to.name);
	return err;
}

void session_on_convert(void *arg)
{
	struct end *end = arg;
	struct session *session = end->session;
	struct relay_leg *path = &session->legs[end->side].path;

	if (!session->current.answer || !make_transcoder(session, end->side))
		return;
	log_error("media", "%s no transcoder: out of memory", end->label);
	for (unsigned i = 0; i < sizeof(path->types); i++) /* it is not asked for again */
		if (path->types[i] == CODECS_CONVERT)
			path->types[i] = CODECS_DROP;
}

/* A transcoder that does what the new agreement asks stays as it is; another is made
 * when the first packet wants it: of several codecs agreed most are never sent. */
static void open_way(struct session *session, enum media_side from, const struct codecs_way *way)
{
	struct relay_leg *path = &session->legs[from].path;

	memcpy(path->events, way->events, sizeof(path->events));
	if (path->transcoder && transcoder_serves(path->transcoder, way))
		return;
	path->transcoder = transcoder_destroy(path->transcoder);
	memcpy(path->types, way->types, sizeof(path->types));
}

static void open_ways(struct session *session, const struct codecs_agreement *agreement)
{
	const struct codecs_rules rules = session_rules(session);
	struct codecs_way from_offerer, from_answerer;

	codecs_ways(agreement, &rules, &from_offerer, &from_answerer);
	open_way(session, agreement->offerer, &from_offerer);
	open_way(session, other(agreement->offerer), &from_answerer);
}

void session_drop_transcoders(struct session *session)
{
	for (unsigned side = 0; side < 2; side++)
		session->legs[side].path.transcoder =
			transcoder_destroy(session->legs[side].path.transcoder);
}

/* What the peer of this side speaks, and whether it may. */
static void show_speech(struct session *session, enum media_side side,
			const struct sdp_codec *speech)
{
	struct leg *leg = &session->legs[side];

	quality_agree(&leg->path.quality, leg->path.receipt, speech->rate,
		      session->ends[side].sends);
	leg_show_codec(leg, speech->name);
	session->ends[side].speech = *speech;
}

/* Whoever may be sent nothing hears nothing, also no music. */
static void agree_waiting(struct session *session, enum media_side side)
{
	const struct end *end = &session->ends[side];
	bool hears = session->ends[other(side)].sends;

	if (end->waiting && end->speech.name[0])
		waiting_agree(end->waiting, &end->speech,
			      hears && (end->waits == MEDIA_WAIT_ALWAYS || !end->sends));
}

void session_open_paths(struct session *session, const struct exchange *exchange,
			const struct media_desc *answer, const struct media_desc *back)
{
	enum media_side offerer = exchange->offerer, answerer = other(offerer);
	const struct codecs_agreement agreement = { exchange->offer, answer, back, offerer };
	struct leg *legs = session->legs;

	open_ways(session, &agreement);
	extensions_agree(&legs[offerer].path.extensions, &exchange->offer->extensions,
			 &answer->extensions);
	extensions_agree(&legs[answerer].path.extensions, &answer->extensions,
			 &exchange->offer->extensions);
	session->ends[offerer].sends =
		(exchange->offer->direction & SDP_SENDONLY) && (answer->direction & SDP_RECVONLY);
	session->ends[answerer].sends =
		(exchange->offer->direction & SDP_RECVONLY) && (answer->direction & SDP_SENDONLY);
	show_speech(session, offerer, codecs_first_speech(back));
	show_speech(session, answerer, codecs_first_speech(answer));
	for (enum media_side side = MEDIA_A; side <= MEDIA_B; side++)
		if (session_is_local(session, side))
			local_agree(legs[side].path.local, side == offerer ? back : answer,
				    session->ends[side].sends);

	agree_waiting(session, MEDIA_A);
	agree_waiting(session, MEDIA_B);
	session_agree_tape(session);
	session->agreed_ms = clock_now();
	if (session->setup.rtp_timeout_s > 0 || session->setup.hold_timeout_s > 0)
		session_watch(session);
}

void session_wait(struct session *session, enum media_side to, enum media_wait when,
		  struct media_sound *take_sound)
{
	struct end *end = &session->ends[to];

	end->waiting = waiting_destroy(end->waiting);
	end->waits = when;
	if (!take_sound)
		return;
	if (waiting_create(&end->waiting, worker_wheel(session->setup.worker),
			   &session->legs[to].path, &session->legs[other(to)].path, take_sound))
		log_error("media", "%s hears nothing while it waits: out of memory", end->label);
	agree_waiting(session, to);
}

void session_digit(struct session *session, enum media_side to, char digit, unsigned ms)
{
	enum media_side from = other(to);
	struct relay_leg *path = &session->legs[from].path;
	int err = session->current.answer ? 0 : -ENOENT;

	if (!err && !path->transcoder)
		err = make_transcoder(session, from);
	if (!err)
		err = transcoder_digit(path->transcoder, digit, ms);
	if (err)
		log_notice("media", "%s digit not sent err=%d", session->ends[to].label, err);
}
