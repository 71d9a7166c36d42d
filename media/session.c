/* SPDX-License-Identifier: Apache-2.0 */
#include "media/session.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "media/local.h"
#include "media/plain.h"
#include "media/ports.h"
#include "media/transcoder.h"
#include "media/recorder.h"
#include "media/waiting.h"

#define CHECK_MS   1000 /* how often silence is looked for */
#define OPENING_MS 10   /* how often the files of a message are */

/* One offer and what became of it (RFC 3264). Kept after its answer because
 * an answer may come again, in a 18x and in the 2xx. */
struct exchange {
	enum media_side offerer;
	struct media_desc *offer;
	char *answer; /* the peer's text; NULL: none yet */
	bool settled; /* who offered knows our answer for good, and is not told of this one */
};

struct end {
	struct session *session;
	enum media_side side;
	bool sends;      /* the agreement lets this side's peer send */
	bool silent;     /* told */
	bool mute;       /* logged: it is sent nothing */
	uint64_t rtcp;   /* packets, when last looked */
	mono_ms rtcp_ms; /* when that had changed */
	char label[80];
	struct sdp_codec speech; /* what this side's peer speaks; no name: not agreed */
	struct waiting *waiting; /* what it hears while the other side is quiet; NULL */
	enum media_wait waits;   /* for that */
};

struct session {
	struct session_setup setup;
	struct leg legs[2];
	struct end ends[2];
	struct exchange pending; /* offer set: waits for its answer */
	struct exchange current; /* in force */
	struct timer check, opening;
	struct recording *record; /* of the call; NULL: none */
	bool record_codec;        /* it can be decoded */
	mono_ms agreed_ms;
};

static enum media_side other(enum media_side side)
{
	return side == MEDIA_A ? MEDIA_B : MEDIA_A;
}

static bool is_local(const struct session *session, enum media_side side)
{
	return session->setup.kind[side] == MEDIA_LEG_LOCAL;
}

static void tell(struct session *session, const struct media_event *event)
{
	session->setup.tell(event, session->pending.offer != NULL, session->setup.arg);
}

static void tell_sdp(struct session *session, enum media_event_type type, enum media_side side,
		     const char *sdp)
{
	const struct media_event event = { .type = type, .side = side, .sdp = sdp };

	tell(session, &event);
}

static void refuse(struct session *session, enum media_side side, int status, const char *reason)
{
	const struct media_event event = {
		.type = MEDIA_EV_REFUSED, .side = side, .status = status, .reason = reason
	};

	log_notice("media", "%s refused status=%d why=\"%s\"", session->ends[side].label, status,
		   reason);
	tell(session, &event);
}

static void on_flowing(void *arg)
{
	struct end *end = arg;
	const struct media_event event = { .type = MEDIA_EV_FLOWING, .side = end->side };

	tell(end->session, &event);
}

static void on_failed(const char *reason, void *arg)
{
	struct end *end = arg;
	const struct media_event event = { .type = MEDIA_EV_FAILED,
					   .side = end->side,
					   .reason = reason };

	tell(end->session, &event);
}

static void on_step(const char *what, void *arg)
{
	struct end *end = arg;
	const struct media_event event = { .type = MEDIA_EV_STEP,
					   .side = end->side,
					   .reason = what };

	tell(end->session, &event);
}

static void on_played(void *arg)
{
	struct end *end = arg;
	const struct media_event event = { .type = MEDIA_EV_PLAYED, .side = end->side };

	tell(end->session, &event);
}

static void on_recorded(const char *why, void *arg)
{
	struct end *end = arg;
	const struct media_event event = { .type = MEDIA_EV_RECORDED,
					   .side = end->side,
					   .reason = why };

	tell(end->session, &event);
}

/* On hold RTCP goes on (RFC 3264 section 8.4) and is all there is to hear. */
static mono_ms last_heard(struct session *session, enum media_side side, mono_ms now)
{
	struct end *end = &session->ends[side];
	struct receipt *receipt = &session->setup.receipts[side];
	uint64_t rtcp = atomic_load_explicit(&receipt->rtcp_in, memory_order_relaxed);
	mono_ms last = atomic_load_explicit(&receipt->last_in_ms, memory_order_relaxed);

	if (rtcp != end->rtcp) {
		end->rtcp = rtcp;
		end->rtcp_ms = now;
	}
	if (!end->sends && last < end->rtcp_ms)
		last = end->rtcp_ms;
	return last < session->agreed_ms ? session->agreed_ms : last;
}

static void check_silence(struct session *session, enum media_side side, mono_ms now)
{
	struct end *end = &session->ends[side];
	const struct media_event event = { .type = MEDIA_EV_SILENT, .side = side };
	unsigned timeout_s =
		end->sends ? session->setup.rtp_timeout_s : session->setup.hold_timeout_s;

	if (timeout_s == 0 || is_local(session, side) ||
	    now - last_heard(session, side, now) < (mono_ms)timeout_s * 1000) {
		end->silent = false;
		return;
	}
	if (end->silent)
		return;
	end->silent = true;
	tell(session, &event);
}

/* What the peer of a side calls its codecs; a local side calls them as the other one
 * does. */
static const struct media_desc *numbers_of(const struct session *session, enum media_side side)
{
	const struct media_desc *remote = session->legs[side].remote;

	return remote ? remote : session->legs[other(side)].remote;
}

static void agree_tape(struct session *session)
{
	bool decoded = true;

	for (enum media_side side = MEDIA_A; session->record && side <= MEDIA_B; side++) {
		const struct media_desc *desc = numbers_of(session, side);

		if (!desc || !tape_agree(recording_tape(session->record), side, desc))
			decoded = false;
	}
	if (session->record && !decoded)
		log_notice("media", "session=%s is not recorded: codec %s is not decoded here",
			   session->setup.name, session->setup.receipts[MEDIA_A].texts.codec);
	session->record_codec = decoded;
}

static void thread_tape(struct session *session)
{
	for (enum media_side side = MEDIA_A; side <= MEDIA_B; side++) {
		session->legs[side].path.side = side;
		session->legs[side].path.tape =
			session->record ? recording_tape(session->record) : NULL;
	}
}

static void show_recording(struct session *session)
{
	static const enum media_record_state shown[] = {
		[RECORDING_OPENING] = MEDIA_RECORD_OPENING,
		[RECORDING_OPEN] = MEDIA_RECORD_OPEN,
		[RECORDING_FAILED] = MEDIA_RECORD_FAILED,
		[RECORDING_BROKEN] = MEDIA_RECORD_BROKEN,
	};
	struct receipt *receipt = &session->setup.receipts[MEDIA_A];
	enum media_record_state state;

	if (!session->record)
		return;
	state = shown[recording_state(session->record)];
	if (!session->record_codec && !tape_heard(recording_tape(session->record)))
		state = MEDIA_RECORD_CODEC;
	atomic_store_explicit(&receipt->record, (unsigned)state, memory_order_relaxed);
	atomic_store_explicit(&receipt->record_dropped,
			      tape_dropped(recording_tape(session->record)), memory_order_relaxed);
}

static void end_recording(struct session *session)
{
	if (session->record)
		session->record = recording_close(
			session->record, tape_heard(recording_tape(session->record)), "hangup");
	thread_tape(session);
}

static void check_answers(struct session *session, enum media_side side)
{
	struct end *end = &session->ends[side];
	struct leg *leg = &session->legs[side];
	bool mute = leg_is_mute(leg);

	if (mute && !end->mute)
		log_notice("media",
			   "%s is sent nothing until it sends: no packet came from %s within %d s "
			   "of the answer",
			   end->label, leg->path.receipt->texts.remote, PLAIN_ANSWER_MS / 1000);
	end->mute = mute;
}

static void on_check(struct timer *timer, void *arg)
{
	struct session *session = arg;
	mono_ms now = clock_now();

	check_answers(session, MEDIA_A);
	check_answers(session, MEDIA_B);

	check_silence(session, MEDIA_A, now);
	check_silence(session, MEDIA_B, now);
	show_recording(session);
	timer_start(worker_wheel(session->setup.worker), timer, now + CHECK_MS);
}

static void exchange_clear(struct exchange *exchange)
{
	sdp_free(exchange->offer);
	if (exchange->answer) /* keys may be in it */
		explicit_bzero(exchange->answer, strlen(exchange->answer));
	free(exchange->answer);
	memset(exchange, 0, sizeof(*exchange));
}

static void on_convert(void *arg);
static void on_prepared(void *arg);

static int start_leg(struct session *session, enum media_side side)
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
		.recording = is_local(session, side) ? setup->recording : NULL,
		.identity = setup->identity,
		.origin = setup->origin[side],
		.worker = setup->worker,
		.lite = setup->lite,
		.hub = setup->hub[side],
		.sender = setup->sender[side],
		.servers = setup->servers,
		.peer_path = &session->legs[other(side)].path,
		.receipt = &setup->receipts[side],
		.label = end->label,
		.prepared = on_prepared,
		.flowing = on_flowing,
		.failed = on_failed,
		.step = setup->steps ? on_step : NULL,
		.played = on_played,
		.recorded = on_recorded,
		.convert = on_convert,
		.arg = end,
	};

	memcpy(leg.fds, setup->fds[side], sizeof(leg.fds));
	session->setup.sender[side] = NULL; /* another peer's stream is another */
	end->session = session;
	end->side = side;
	(void)snprintf(end->label, sizeof(end->label), "session=%s side=%c", setup->name,
		       side == MEDIA_A ? 'A' : 'B');
	return leg_init(&session->legs[side], &leg);
}

static timer_fn on_opening;

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
		sender_unref(setup->sender[MEDIA_A]);
		sender_unref(setup->sender[MEDIA_B]);
		free(setup->local_offer);
		media_sound_unref(setup->local.sound);
		recording_close(setup->recording, /* keep= */ false, "");
		return -ENOMEM;
	}
	session->setup = *setup;
	timer_init(&session->check, on_check, session);
	timer_init(&session->opening, on_opening, session);
	err_a = start_leg(session, MEDIA_A); /* both: each takes its sockets */
	err_b = start_leg(session, MEDIA_B);
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

static void drop_transcoders(struct session *session)
{
	for (unsigned side = 0; side < 2; side++)
		session->legs[side].path.transcoder =
			transcoder_destroy(session->legs[side].path.transcoder);
}

struct session *session_destroy(struct session *session)
{
	if (!session)
		return NULL;
	timer_cancel(&session->check);
	timer_cancel(&session->opening);
	drop_transcoders(session);
	for (unsigned side = 0; side < 2; side++)
		waiting_destroy(session->ends[side].waiting);
	end_recording(session);
	leg_done(&session->legs[MEDIA_A]);
	leg_done(&session->legs[MEDIA_B]);
	exchange_clear(&session->pending);
	exchange_clear(&session->current);
	free(session->setup.local_offer);
	media_sound_unref(session->setup.local.sound);
	free(session);
	return NULL;
}

/* The description of one peer as it goes to the other: what both share of
 * timing and direction. The transport part is the leg's. */
static void carry_over(const struct media_desc *from, struct media_desc *to)
{
	to->direction = from->direction;
	to->ptime = from->ptime;
	to->maxptime = from->maxptime;
	to->extensions = from->extensions;
	to->extensions.numbers[EXTENSION_MID] = 0; /* each side has its own */
}

/* Writes our description and tells it; answers also when it is refused. */
static void tell_description(struct session *session, enum media_event_type type,
			     enum media_side side, const struct media_desc *ours)
{
	const char *text = leg_write(&session->legs[side], ours);

	if (text)
		tell_sdp(session, type, side, text);
	else
		refuse(session, side, 500, "out of memory while writing SDP");
}

/* Both transports stand before the offer goes on: one that fails at the answer
 * would end a call that could have passed us by. True: they do. False: on_prepared()
 * goes on with it, or it is refused. */
static bool prepare_legs(struct session *session)
{
	enum media_side from = session->pending.offerer;
	int err_a = leg_prepare(&session->legs[MEDIA_A]); /* both ask at the same time */
	int err_b = leg_prepare(&session->legs[MEDIA_B]);
	int err = err_a && err_a != -EINPROGRESS ? err_a : err_b;

	if (!err_a && !err_b)
		return true;
	if (err == -EINPROGRESS || !err)
		return false;
	refuse(session, is_local(session, from) ? other(from) : from, 503,
	       err == -ENOLINK ? "no TURN server gave a relay, and media.ice_policy allows nothing "
				 "else"
			       : "no ICE transport could be made");
	exchange_clear(&session->pending);
	return false;
}

/* A local side speaks what is agreed by itself. */
static struct codecs_rules rules_of(const struct session *session)
{
	struct codecs_rules rules = session->setup.rules;

	rules.transcode = (rules.side[MEDIA_A].convert || rules.side[MEDIA_B].convert ||
			   session->setup.settled) &&
			  !is_local(session, MEDIA_A) && !is_local(session, MEDIA_B);
	return rules;
}

/* has: what there is instead of what was offered. */
static void refuse_offered(struct session *session, enum media_side side,
			   const struct media_desc *offer, const char *has)
{
	char offered[CODECS_LIST_ROOM], reason[LEG_REASON_ROOM];

	codecs_list(offer, offered, sizeof(offered));
	(void)snprintf(reason, sizeof(reason),
		       "no common codec: one side offers %s; the other has %s", offered, has);
	refuse(session, side, 488, reason);
}

static void refuse_codecs(struct session *session, enum media_side side,
			  const struct media_desc *offer, const struct media_desc *answer)
{
	char answered[CODECS_LIST_ROOM];

	codecs_list(answer, answered, sizeof(answered));
	refuse_offered(session, side, offer, answered);
}

static void refuse_by_rules(struct session *session, enum media_side side,
			    const struct media_desc *said, const struct media_codecs *rules)
{
	char allowed[CODECS_LIST_ROOM];

	codecs_list_allowed(rules, allowed, sizeof(allowed));
	refuse_offered(session, side, said, allowed);
}

/* ours: all but codecs and transport. */
static void offer_codecs(struct session *session, const struct media_desc *offer,
			 enum media_side to, struct media_desc *ours)
{
	const struct codecs_rules rules = rules_of(session);

	if (!codecs_offer(offer, &rules, to, ours)) {
		refuse_by_rules(session, other(to), offer, &rules.side[to]);
		exchange_clear(&session->pending);
		return;
	}
	leg_describe(&session->legs[to], NULL, ours);
	tell_description(session, MEDIA_EV_OFFER, to, ours);
}

static void forward_offer(struct session *session, const struct media_desc *offer,
			  enum media_side to)
{
	struct media_desc *ours;

	if (!prepare_legs(session))
		return;
	ours = calloc(1, sizeof(*ours));
	if (!ours) {
		refuse(session, other(to), 503, "out of memory");
		exchange_clear(&session->pending);
	} else {
		carry_over(offer, ours);
		offer_codecs(session, offer, to, ours);
	}
	free(ours);
}

/* Hold as RFC 2543 did it: c=0.0.0.0 means "send me nothing". On an ICE leg the
 * address only says that candidates decide. */
static void read_old_hold(const struct session *session, enum media_side side,
			  struct media_desc *remote)
{
	if (leg_has_sockets(session->setup.kind[side]) && net_is_unspecified(&remote->rtp))
		remote->direction = (enum sdp_direction)(remote->direction & SDP_SENDONLY);
}

/* A stream that its peer takes away, and may bring back (RFC 3264 8.2), is hold for
 * the other side. Its section says no more than its place: codecs are as before. */
static bool is_suspended(const struct session *session, enum media_side side,
			 struct media_desc *offer)
{
	const struct media_desc *before = session->legs[side].remote;

	if (offer->port != 0 || offer->proto == SDP_PROTO_OTHER || !before)
		return false;
	sdp_copy_codecs(offer, before);
	offer->direction = SDP_INACTIVE;
	return true;
}

/* Parses and judges what the peer of `from` said; NULL: it was refused. It is not
 * changed any more. */
static struct media_desc *take_sdp(struct session *session, enum media_side from, const char *sdp,
				   bool is_offer)
{
	struct media_desc *remote = NULL;
	const struct media_codecs *rules = &session->setup.rules.side[from];
	char reason[LEG_REASON_ROOM];
	const char *why;
	int err = sdp_parse_for(sdp, leg_protos(session->setup.kind[from]), &remote, &why);

	if (err == -ENOMEM) {
		refuse(session, from, 500, "out of memory while reading SDP");
		return NULL;
	}
	if (err) {
		refuse(session, from, 488, why);
		return NULL;
	}
	if (is_offer && is_suspended(session, from, remote))
		return sdp_trim(remote);
	if (!leg_judge(&session->legs[from], remote, is_offer, reason)) {
		sdp_free(remote);
		refuse(session, from, 488, reason);
		return NULL;
	}
	if (!codecs_allow(rules, remote)) {
		refuse_by_rules(session, from, remote, rules);
		sdp_free(remote);
		return NULL;
	}
	codecs_restrict(rules, remote);
	read_old_hold(session, from, remote);
	return sdp_trim(remote);
}

/* Puts a peer's description in force; a local side has none, and a stream that is
 * suspended keeps what it had. */
static int apply(struct session *session, enum media_side side, struct media_desc *remote,
		 bool we_offered)
{
	if (is_local(session, side) || remote->port == 0)
		return 0;
	return leg_apply(&session->legs[side], sdp_ref(remote), we_offered);
}

static void on_digit(char digit, unsigned ms, void *arg)
{
	struct end *end = arg;
	const struct media_event event = {
		.type = MEDIA_EV_DIGIT, .side = end->side, .digit = digit, .digit_ms = ms
	};

	tell(end->session, &event);
}

/* The answer in the offerer's numbers. False: nothing in common. */
static bool answer_back(const struct session *session, const struct exchange *exchange,
			const struct media_desc *answer, struct media_desc *ret_back)
{
	const struct codecs_rules rules = rules_of(session);

	if (!codecs_answer(exchange->offer, answer, &rules, other(exchange->offerer), ret_back))
		return false;
	if (exchange->settled && rules.transcode)
		codecs_keep(exchange->offer, ret_back);
	return true;
}

/* The ways of the agreement in force. */
static int agreed_ways(const struct session *session, struct codecs_way ret_ways[2])
{
	const struct codecs_rules rules = rules_of(session);
	const struct exchange *current = &session->current;
	struct codecs_agreement agreement = { .offer = current->offer,
					      .offerer = current->offerer };
	struct media_desc *answer = NULL, *back = calloc(1, sizeof(*back));
	const char *why;
	int err = back ? 0 : -ENOMEM;

	if (!err)
		err = sdp_parse(current->answer, &answer, &why);
	if (!err && answer_back(session, current, answer, back)) {
		agreement.answer = answer;
		agreement.back = back;
		codecs_ways(&agreement, &rules, &ret_ways[current->offerer],
			    &ret_ways[other(current->offerer)]);
	}
	sdp_free(answer);
	free(back);
	return err;
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

static void on_convert(void *arg)
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
	const struct codecs_rules rules = rules_of(session);
	struct codecs_way from_offerer, from_answerer;

	codecs_ways(agreement, &rules, &from_offerer, &from_answerer);
	open_way(session, agreement->offerer, &from_offerer);
	open_way(session, other(agreement->offerer), &from_answerer);
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

/* Both descriptions are in force: open the way between the legs. `back` is the
 * answer in the offerer's payload numbers. */
static void open_paths(struct session *session, const struct exchange *exchange,
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
		if (is_local(session, side))
			local_agree(legs[side].path.local, side == offerer ? back : answer,
				    session->ends[side].sends);

	agree_waiting(session, MEDIA_A);
	agree_waiting(session, MEDIA_B);
	agree_tape(session);
	session->agreed_ms = clock_now();
	if (session->setup.rtp_timeout_s > 0 || session->setup.hold_timeout_s > 0)
		timer_start(worker_wheel(session->setup.worker), &session->check,
			    session->agreed_ms + CHECK_MS);
}

/* The answer is good: it goes into force, and onward to who offered. */
static bool settle(struct session *session, struct exchange *exchange, struct media_desc *answer,
		   struct media_desc *back)
{
	enum media_side offerer = exchange->offerer, answerer = other(offerer);
	bool again = exchange == &session->current;
	bool known = again || exchange->settled;
	int err = known ? 0 : apply(session, offerer, exchange->offer, /* we_offered= */ false);

	if (!err)
		err = apply(session, answerer, answer, /* we_offered= */ true);
	if (err) {
		refuse(session, answerer, 500, "a media transport could not be set up");
		return false;
	}
	open_paths(session, exchange, answer, back);
	if (!again) {
		exchange_clear(&session->current);
		session->current = *exchange;
		memset(exchange, 0, sizeof(*exchange));
	}
	if (session->current.settled) {
		tell_sdp(session, MEDIA_EV_ANSWER, offerer, session->legs[offerer].written);
	} else if (!is_local(session, offerer)) {
		carry_over(answer, back);
		back->extensions = session->current.offer->extensions; /* its numbers */
		extensions_restrict(&back->extensions, &answer->extensions);
		leg_describe(&session->legs[offerer], session->current.offer, back);
		tell_description(session, MEDIA_EV_ANSWER, offerer, back);
	}
	return true;
}

static bool take_answer(struct session *session, struct exchange *exchange,
			struct media_desc *answer)
{
	struct media_desc *back = calloc(1, sizeof(*back));
	bool settled = false;

	if (!back)
		refuse(session, other(exchange->offerer), 500, "out of memory");
	else if (!answer_back(session, exchange, answer, back))
		refuse_codecs(session, other(exchange->offerer), exchange->offer, answer);
	else
		settled = settle(session, exchange, answer, back);
	free(back);
	return settled;
}

/* The other side is ourselves: answer at once. */
static void answer_locally(struct session *session)
{
	struct exchange *exchange = &session->pending;
	struct media_desc *answer;

	if (!prepare_legs(session))
		return;
	answer = calloc(1, sizeof(*answer));
	if (!answer) {
		refuse(session, exchange->offerer, 500, "out of memory");
	} else if (!codecs_common(exchange->offer, session->setup.local_offer, answer)) {
		refuse_codecs(session, exchange->offerer, exchange->offer,
			      session->setup.local_offer);
	} else {
		answer->direction = sdp_direction_reverse(exchange->offer->direction);
		answer->ptime = LOCAL_FRAME_MS;
		(void)take_answer(session, exchange, answer); /* told if refused */
	}
	free(answer);
	exchange_clear(&session->pending); /* empty if it has become the current one */
}

/* Answers, or offers what we offer, once the message that is to be taken has its
 * files: a caller is not let into a mailbox that takes nothing. */
static void serve_locally(struct session *session)
{
	enum media_side local = is_local(session, MEDIA_A) ? MEDIA_A : MEDIA_B;
	enum recording_state state = local_recording_state(session->legs[local].path.local);

	if (state == RECORDING_OPENING) {
		timer_start(worker_wheel(session->setup.worker), &session->opening,
			    clock_now() + OPENING_MS);
	} else if (state == RECORDING_FAILED) {
		refuse(session, other(local), 503, "no message can be kept");
		exchange_clear(&session->pending);
	} else if (session->pending.offerer == local) {
		forward_offer(session, session->pending.offer, other(local));
	} else {
		answer_locally(session);
	}
}

/* A rollback may have come meanwhile. */
static void on_opening(struct timer *timer, void *arg)
{
	struct session *session = arg;

	(void)timer;
	if (session->pending.offer)
		serve_locally(session);
}

static void serve_offer(struct session *session)
{
	enum media_side to = other(session->pending.offerer);

	if (is_local(session, MEDIA_A) || is_local(session, MEDIA_B))
		serve_locally(session);
	else
		forward_offer(session, session->pending.offer, to);
}

/* Agents gather once, and the offer that made them waits for it. */
static void on_prepared(void *arg)
{
	struct end *end = arg;

	if (end->session->pending.offer)
		serve_offer(end->session);
}

void session_offer(struct session *session, enum media_side from, const char *sdp)
{
	struct media_desc *offer = take_sdp(session, from, sdp, /* is_offer= */ true);

	if (!offer)
		return;
	exchange_clear(&session->pending);
	session->pending.offerer = from;
	session->pending.offer = offer;
	serve_offer(session);
}

void session_answer(struct session *session, enum media_side from, const char *sdp)
{
	struct exchange *exchange = session->pending.offer ? &session->pending : &session->current;
	struct media_desc *answer;

	if (!exchange->offer || exchange->offerer == from) {
		refuse(session, from, 500, "an answer came without an offer");
		return;
	}
	if (exchange->answer && strcmp(exchange->answer, sdp) == 0) {
		if (!is_local(session, exchange->offerer))
			tell_sdp(session, MEDIA_EV_ANSWER, exchange->offerer,
				 session->legs[exchange->offerer].written);
		return;
	}
	answer = take_sdp(session, from, sdp, /* is_offer= */ false);
	if (answer && take_answer(session, exchange, answer)) {
		free(session->current.answer);
		/* Without memory a repetition is only taken for a new answer. */
		session->current.answer = strdup(sdp);
	}
	sdp_free(answer);
}

void session_start(struct session *session, enum media_side to)
{
	struct media_desc *offer = sdp_copy(session->setup.local_offer);

	if (!offer) {
		refuse(session, to, 500, "out of memory");
		return;
	}
	exchange_clear(&session->pending);
	session->pending.offerer = other(to);
	session->pending.offer = offer;
	serve_locally(session);
}

void session_record(struct session *session, struct recording *take_recording)
{
	end_recording(session);
	session->record = take_recording;
	thread_tape(session);
	agree_tape(session);
	show_recording(session);
	if (!timer_active(&session->check))
		timer_start(worker_wheel(session->setup.worker), &session->check,
			    clock_now() + CHECK_MS);
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

void session_near(struct session *session, enum media_side side, const char *near)
{
	leg_near(&session->legs[side], near);
}

void session_established(struct session *session)
{
	leg_established(&session->legs[MEDIA_A]);
	leg_established(&session->legs[MEDIA_B]);
	if (!timer_active(&session->check)) /* it says so in the log */
		timer_start(worker_wheel(session->setup.worker), &session->check,
			    clock_now() + CHECK_MS);
}

void session_rollback(struct session *session)
{
	exchange_clear(&session->pending);
}

/* A's offer, of the codecs and extensions it was told. NULL: there is none, or no memory. */
static struct media_desc *agreed_offer(const struct session *session)
{
	const struct exchange *current = &session->current;
	struct media_desc *answer = NULL, *told = NULL, *offer = NULL;
	const struct codecs_rules rules = rules_of(session);
	const char *why;
	bool known = false;

	if (!current->offer || current->offerer != MEDIA_A)
		return NULL;
	if (current->settled)
		return sdp_copy(current->offer);
	told = calloc(1, sizeof(*told));
	if (told && current->answer)
		known = sdp_parse(current->answer, &answer, &why) == 0 &&
			codecs_answer(current->offer, answer, &rules, MEDIA_B, told);
	else if (told && session->setup.local_offer)
		known = codecs_common(current->offer, session->setup.local_offer, told);
	if (known)
		offer = sdp_copy(current->offer);
	if (offer) {
		const struct extensions none = { 0 };

		sdp_copy_codecs(offer, told);
		extensions_restrict(&offer->extensions, answer ? &answer->extensions : &none);
	}
	free(told);
	sdp_free(answer);
	return offer;
}

/* What A may use for good, as if it had offered that. NULL: as above. */
static struct media_desc *settled_offer(const struct session *session)
{
	const struct media_desc *answered = session->legs[MEDIA_A].remote;

	if (session->current.offer && session->current.offerer != MEDIA_A && answered)
		return sdp_copy(answered);
	return agreed_offer(session);
}

/* What was of side B goes, with its reference and description. */
static int replace_b(struct session *session, const struct session_setup *b)
{
	struct session_setup *setup = &session->setup;
	int err;

	drop_transcoders(session);
	leg_done(&session->legs[MEDIA_B]);
	media_sound_unref(setup->local.sound);
	setup->kind[MEDIA_B] = b->kind[MEDIA_B];
	setup->port[MEDIA_B] = b->port[MEDIA_B];
	setup->host[MEDIA_B] = b->host[MEDIA_B];
	setup->stays[MEDIA_B] = b->stays[MEDIA_B];
	setup->origin[MEDIA_B] = b->origin[MEDIA_B];
	memcpy(setup->fds[MEDIA_B], b->fds[MEDIA_B], sizeof(setup->fds[MEDIA_B]));
	setup->hub[MEDIA_B] = b->hub[MEDIA_B];
	setup->rules.side[MEDIA_B] = b->rules.side[MEDIA_B];
	setup->settled = b->settled;
	setup->local = b->local;
	setup->recording = b->recording;
	if (b->local_offer) { /* else the last stays: it may be what A was answered by */
		free(setup->local_offer);
		setup->local_offer = b->local_offer;
	}
	session->ends[MEDIA_B].silent = false;
	err = start_leg(session, MEDIA_B);
	thread_tape(session);
	return err;
}

void session_turn(struct session *session, const struct session_setup *b)
{
	struct media_desc *offer = b->settled ? settled_offer(session) : agreed_offer(session);
	int err = replace_b(session, b);

	timer_cancel(&session->opening);
	exchange_clear(&session->pending);
	if (err || !offer) {
		free(offer);
		refuse(session, MEDIA_A, 500, "the other side cannot be exchanged");
		return;
	}
	session->pending.offerer = MEDIA_A;
	session->pending.offer = offer;
	session->pending.settled = b->settled;
	serve_offer(session);
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
