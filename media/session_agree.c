/* SPDX-License-Identifier: Apache-2.0 */
/* Offer and answer (RFC 3264): what one peer said is judged, put in force and told the other. */
#include "media/session_private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "media/local.h"
#include "media/recorder.h"

#define OPENING_MS 10 /* how often the files of a message are looked for */

void exchange_clear(struct exchange *exchange)
{
	sdp_free(exchange->offer);
	if (exchange->answer) /* keys may be in it */
		explicit_bzero(exchange->answer, strlen(exchange->answer));
	free(exchange->answer);
	memset(exchange, 0, sizeof(*exchange));
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
		session_tell_sdp(session, type, side, text);
	else
		session_refuse(session, side, 500, "out of memory while writing SDP");
}

/* Both transports stand before the offer goes on: one that fails at the answer
 * would end a call that could have passed us by. True: they do. False: session_on_prepared()
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
	session_refuse(session, session_is_local(session, from) ? other(from) : from, 503,
		       err == -ENOLINK
			       ? "no TURN server gave a relay, and media.ice_policy allows nothing "
				 "else"
			       : "no ICE transport could be made");
	exchange_clear(&session->pending);
	return false;
}

/* has: what there is instead of what was offered. */
static void refuse_offered(struct session *session, enum media_side side,
			   const struct media_desc *offer, const char *has)
{
	char offered[CODECS_LIST_ROOM], reason[LEG_REASON_ROOM];

	codecs_list(offer, offered, sizeof(offered));
	(void)snprintf(reason, sizeof(reason),
		       "no common codec: one side offers %s; the other has %s", offered, has);
	session_refuse(session, side, 488, reason);
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
	const struct codecs_rules rules = session_rules(session);

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
		session_refuse(session, other(to), 503, "out of memory");
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
		session_refuse(session, from, 500, "out of memory while reading SDP");
		return NULL;
	}
	if (err) {
		session_refuse(session, from, 488, why);
		return NULL;
	}
	if (is_offer && is_suspended(session, from, remote))
		return sdp_trim(remote);
	if (!leg_judge(&session->legs[from], remote, is_offer, reason)) {
		sdp_free(remote);
		session_refuse(session, from, 488, reason);
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
	if (session_is_local(session, side) || remote->port == 0)
		return 0;
	return leg_apply(&session->legs[side], sdp_ref(remote), we_offered);
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
		session_refuse(session, answerer, 500, "a media transport could not be set up");
		return false;
	}
	session_open_paths(session, exchange, answer, back);
	if (!again) {
		exchange_clear(&session->current);
		session->current = *exchange;
		memset(exchange, 0, sizeof(*exchange));
	}
	if (session->current.settled) {
		session_tell_sdp(session, MEDIA_EV_ANSWER, offerer, session->legs[offerer].written);
	} else if (!session_is_local(session, offerer)) {
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
		session_refuse(session, other(exchange->offerer), 500, "out of memory");
	else if (!session_answer_back(session, exchange, answer, back))
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
		session_refuse(session, exchange->offerer, 500, "out of memory");
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
	enum media_side local = session_is_local(session, MEDIA_A) ? MEDIA_A : MEDIA_B;
	enum recording_state state = local_recording_state(session->legs[local].path.local);

	if (state == RECORDING_OPENING) {
		timer_start(worker_wheel(session->setup.worker), &session->opening,
			    clock_now() + OPENING_MS);
	} else if (state == RECORDING_FAILED) {
		session_refuse(session, other(local), 503, "no message can be kept");
		exchange_clear(&session->pending);
	} else if (session->pending.offerer == local) {
		forward_offer(session, session->pending.offer, other(local));
	} else {
		answer_locally(session);
	}
}

/* A rollback may have come meanwhile. */
void session_on_opening(struct timer *timer, void *arg)
{
	struct session *session = arg;

	(void)timer;
	if (session->pending.offer)
		serve_locally(session);
}

void session_serve_offer(struct session *session)
{
	enum media_side to = other(session->pending.offerer);

	if (session_is_local(session, MEDIA_A) || session_is_local(session, MEDIA_B))
		serve_locally(session);
	else
		forward_offer(session, session->pending.offer, to);
}

/* Agents gather once, and the offer that made them waits for it. */
void session_on_prepared(void *arg)
{
	struct end *end = arg;

	if (end->session->pending.offer)
		session_serve_offer(end->session);
}

void session_offer(struct session *session, enum media_side from, const char *sdp)
{
	struct media_desc *offer = take_sdp(session, from, sdp, /* is_offer= */ true);

	if (!offer)
		return;
	exchange_clear(&session->pending);
	session->pending.offerer = from;
	session->pending.offer = offer;
	session_serve_offer(session);
}

void session_answer(struct session *session, enum media_side from, const char *sdp)
{
	struct exchange *exchange = session->pending.offer ? &session->pending : &session->current;
	struct media_desc *answer;

	if (!exchange->offer || exchange->offerer == from) {
		session_refuse(session, from, 500, "an answer came without an offer");
		return;
	}
	if (exchange->answer && strcmp(exchange->answer, sdp) == 0) {
		if (!session_is_local(session, exchange->offerer))
			session_tell_sdp(session, MEDIA_EV_ANSWER, exchange->offerer,
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
		session_refuse(session, to, 500, "out of memory");
		return;
	}
	exchange_clear(&session->pending);
	session->pending.offerer = other(to);
	session->pending.offer = offer;
	serve_locally(session);
}

void session_rollback(struct session *session)
{
	exchange_clear(&session->pending);
}
