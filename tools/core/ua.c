/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/ua.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/log.h"
#include "tools/core/record.h"

enum { ENDED_KEPT = 256 };

struct ua {
	struct ua_options options;
	struct str_map *parties; /* name -> struct ua_party, owned */
	struct ua_call *calls;
};

int ua_create(struct ua **ret_ua, const struct ua_options *options)
{
	struct ua *ua = calloc(1, sizeof(*ua));

	if (!ua)
		return -ENOMEM;
	ua->options = *options;
	int err = str_map_create(&ua->parties);
	if (err) {
		free(ua);
		return err;
	}
	*ret_ua = ua;
	return 0;
}

/* 60 Hz apart in the band of a telephone: far more than a detector needs to
 * tell two apart. After 45 parties the tones come round again. */
static unsigned tone_of(unsigned index)
{
	return 500 + 60 * (index % 45);
}

struct ua_party *ua_party_add(struct ua *ua, const char *name)
{
	struct ua_party *party = str_map_find(ua->parties, name);
	if (party)
		return party;
	party = calloc(1, sizeof(*party));
	if (!party)
		return NULL;
	record_copy(party->name, sizeof(party->name), name);
	party->tone_hz = tone_of((*ua->options.tones_used)++);
	party->manner = (struct ua_manner){ .status = 200, .ring_ms = 300 };
	if (str_map_put(ua->parties, name, party)) {
		free(party);
		return NULL;
	}
	return party;
}

static struct ua_party *party_of(struct ua *ua, const char *number)
{
	if (ua->options.only_party && !str_map_find(ua->parties, number))
		number = ua->options.only_party;
	return ua_party_add(ua, number);
}

static void add_party_json(const char *name, void *value, void *arg)
{
	const struct ua_party *party = value;

	(void)name; /* the party's own is fit for JSON */
	(void)json_array_append_new(
		arg, json_pack("{s:s, s:i, s:i, s:i, s:b, s:i, s:s}", "name", party->name,
			       "tone_hz", (int)party->tone_hz, "status", party->manner.status,
			       "ring_ms", (int)party->manner.ring_ms, "early", party->manner.early,
			       "called", (int)party->called, "stopped", party->stopped));
}

json_t *ua_parties_json(const struct ua *ua)
{
	json_t *list = json_array();

	str_map_each(ua->parties, add_party_json, list);
	return list;
}

struct ua_call *ua_calls(const struct ua *ua)
{
	return ua->calls;
}

struct ua_call *ua_call_ref(struct ua_call *call)
{
	call->refs++;
	return call;
}

struct ua_call *ua_call_unref(struct ua_call *call)
{
	if (!call || --call->refs)
		return NULL;
	timer_cancel(&call->timer);
	media_session_destroy(call->session);
	sip_headers_done(&call->headers);
	free(call->answer_sdp);
	free(call->request_uri);
	free(call->to_uri);
	free(call);
	return NULL;
}

size_t ua_live_count(const struct ua *ua)
{
	size_t count = 0;

	for (const struct ua_call *call = ua->calls; call; call = call->next)
		count += !call->ended;
	return count;
}

/* Ended calls stay for those who ask what became of them, up to a number. */
static void prune(struct ua *ua)
{
	struct ua_call **link = &ua->calls;
	unsigned ended = 0;

	while (*link) {
		struct ua_call *call = *link;
		if (call->ended && ++ended > ENDED_KEPT) {
			*link = call->next;
			ua_call_unref(call);
		} else {
			link = &call->next;
		}
	}
}

void ua_call_listen(struct ua_call *call)
{
	struct media_receipt local;

	if (!call->session)
		return;
	media_receipt(call->session, MEDIA_A, &call->receipt);
	media_receipt(call->session, MEDIA_B, &local);
	call->heard_hz = local.detected_hz;
}

/* The leg is let go by whoever calls this. */
static void call_ended(struct ua_call *call, int status, const char *reason)
{
	ua_call_listen(call);
	timer_cancel(&call->timer);
	call->session = media_session_destroy(call->session);
	call->ended = true;
	call->ended_ms = clock_now();
	if (!call->status)
		call->status = status;
	record_copy(call->reason, sizeof(call->reason), reason);
	log_debug("ua", "party=%s ended status=%d reason=\"%s\"", call->party->name, status,
		  reason);
}

static void refuse(struct ua_call *call, int status, const char *reason)
{
	call->leg = leg_release(call->leg, &(struct leg_farewell){ .status = status });
	call_ended(call, status, reason);
}

void ua_call_hangup(struct ua_call *call)
{
	if (call->ended)
		return;
	call->leg = leg_release(
		call->leg,
		&(struct leg_farewell){ .status = 603,
					.reason = "Q.850;cause=16;text=\"Normal call clearing\"" });
	call_ended(call, call->answered_ms ? 200 : 487, "hung up here");
}

static void give_answer(struct ua_call *call)
{
	if (leg_answer(call->leg, call->answer_sdp, NULL)) {
		refuse(call, 500, "the answer could not be sent");
		return;
	}
	call->answered_ms = clock_now();
	call->status = 200;
}

static void on_ring_over(struct timer *timer, void *arg)
{
	struct ua_call *call = arg;

	(void)timer;
	if (call->answer_sdp)
		give_answer(call);
	else
		call->answer_due = true;
}

static void ring(struct ua_call *call)
{
	const struct ua_manner *manner = &call->party->manner;

	if ((manner->reliable ? leg_provisional_reliably : leg_provisional)(call->leg, 180, NULL,
									    NULL, NULL))
		return;
	call->ringing_ms = clock_now();
	if (manner->status == 200)
		timer_start(call->ua->options.wheel, &call->timer, clock_now() + manner->ring_ms);
}

/* What a phone shows of a call that was taken away from it. */
static void note_stopped(struct ua_call *call, const struct leg_event *event)
{
	const char *reason = sip_headers_find(event->headers, "Reason");

	if (call->incoming && !call->answered_ms)
		record_copy(call->party->stopped, sizeof(call->party->stopped),
			    reason ? reason : event->reason);
}

static void on_leg(struct leg *leg, const struct leg_event *event, void *arg);

static void send_invite(struct ua_call *call, const char *sdp)
{
	char from_uri[160];
	struct leg_invite invite = {
		.request_uri = call->request_uri,
		.from_uri = from_uri,
		.to_uri = call->to_uri,
		.headers = &call->headers,
		.rel100 = call->reliable ? LEG_100REL_SUPPORTED : LEG_100REL_NONE,
		.sdp = sdp,
	};

	if (call->anonymous) /* RFC 3323 4.1.1.3 */
		(void)snprintf(from_uri, sizeof(from_uri), "sip:anonymous@anonymous.invalid");
	else
		(void)snprintf(from_uri, sizeof(from_uri), "%s", call->from_uri);
	int err = leg_invite(&call->leg, call->ua->options.endpoint, &invite, on_leg, call);
	if (err) {
		call_ended(call, 500, "the INVITE could not be sent");
		return;
	}
	record_copy(call->call_id, sizeof(call->call_id), leg_info(call->leg)->call_id);
}

static void on_local_offer(struct ua_call *call, const char *sdp)
{
	if (call->answered_ms) {
		char *text = strdup(sdp);
		char *direction = text ? strstr(text, "a=sendrecv") : NULL;
		if (call->hold && direction)
			memcpy(direction, "a=sendonly", 10);
		if (!text || leg_offer(call->leg, text, false)) {
			media_rollback(call->session);
			call->reoffer_status = 491;
		}
		free(text);
	} else if (call->incoming) { /* the INVITE had no offer: the 200 carries ours */
		call->answer_sdp = strdup(sdp);
		if (call->answer_due)
			give_answer(call);
	} else if (!call->leg) {
		send_invite(call, sdp);
	}
}

static void on_local_answer(struct ua_call *call, const char *sdp)
{
	if (call->answered_ms && call->peer_offers) {
		call->peer_offers = false;
		(void)!leg_offer_accept(call->leg, sdp); /* else the peer has left */
		return;
	}
	if (!call->incoming) { /* the 200 carried the offer: the ACK answers */
		(void)leg_ack(call->leg, sdp);
		return;
	}
	free(call->answer_sdp);
	call->answer_sdp = strdup(sdp);
	if (call->party->manner.early && !call->early_ms &&
	    !(call->party->manner.reliable ? leg_provisional_reliably
					   : leg_provisional)(call->leg, 183, NULL, sdp, NULL))
		call->early_ms = clock_now();
	if (!call->ringing_ms)
		ring(call);
	if (call->answer_due)
		give_answer(call);
}

static void on_media(struct media_session *session, const struct media_event *event, void *arg)
{
	struct ua_call *call = arg;

	(void)session;
	if (event->side != MEDIA_A)
		return;
	switch (event->type) {
	case MEDIA_EV_OFFER:
		on_local_offer(call, event->sdp);
		break;
	case MEDIA_EV_ANSWER:
		on_local_answer(call, event->sdp);
		break;
	case MEDIA_EV_REFUSED:
		record_copy(call->media_failure, sizeof(call->media_failure), event->reason);
		if (call->peer_offers && call->answered_ms) {
			call->peer_offers = false;
			(void)!leg_offer_refuse(call->leg, event->status, NULL);
		} else {
			refuse(call, event->status, event->reason);
		}
		break;
	case MEDIA_EV_FAILED:
		record_copy(call->media_failure, sizeof(call->media_failure), event->reason);
		break;
	case MEDIA_EV_FLOWING:
	case MEDIA_EV_SILENT:
	case MEDIA_EV_PLAYED:
	case MEDIA_EV_RECORDED:
	case MEDIA_EV_DIGIT:
	case MEDIA_EV_STEP:
		break;
	}
}

static void hear_answer(struct ua_call *call, const char *sdp)
{
	if (sdp && !call->offerless && media_answer(call->session, MEDIA_A, sdp))
		(void)snprintf(call->media_failure, sizeof(call->media_failure),
			       "an answer that was not asked for");
}

static void on_answered(struct ua_call *call, const struct leg_event *event)
{
	call->answered_ms = clock_now();
	call->status = event->status;
	if (!call->offerless) {
		(void)leg_ack(call->leg, NULL); /* the next 200 brings another ACK */
		hear_answer(call, event->sdp);
		return;
	}
	if (!event->sdp || media_offer(call->session, MEDIA_A, event->sdp)) {
		(void)leg_ack(call->leg, NULL);
		ua_call_hangup(call);
	}
}

static void on_reinvite(struct ua_call *call, const char *sdp)
{
	if (!sdp || media_offer(call->session, MEDIA_A, sdp))
		(void)!leg_offer_refuse(call->leg, 488, NULL);
	else
		call->peer_offers = true;
}

static void on_reinvite_answered(struct ua_call *call, const struct leg_event *event)
{
	call->reoffer_status = event->status;
	if (event->status >= 300 || !event->sdp)
		media_rollback(call->session);
	else if (media_answer(call->session, MEDIA_A, event->sdp))
		call->reoffer_status = 488;
}

static void on_leg(struct leg *leg, const struct leg_event *event, void *arg)
{
	struct ua_call *call = arg;

	(void)leg;
	switch (event->type) {
	case LEG_EV_PROVISIONAL:
		if (event->status == 180 && !call->ringing_ms)
			call->ringing_ms = clock_now();
		if (event->sdp && !call->early_ms)
			call->early_ms = clock_now();
		hear_answer(call, event->sdp);
		break;
	case LEG_EV_ANSWERED:
		on_answered(call, event);
		break;
	case LEG_EV_PRACKED:
	case LEG_EV_CONFIRMED:
		hear_answer(call, event->sdp);
		break;
	case LEG_EV_OFFER:
		on_reinvite(call, event->sdp);
		break;
	case LEG_EV_OFFER_ANSWERED:
		on_reinvite_answered(call, event);
		break;
	case LEG_EV_REFER:
		(void)leg_refer_answer(call->leg, 603);
		break;
	case LEG_EV_INFO:
		(void)leg_inform_answer(call->leg, 200);
		break;
	case LEG_EV_INFO_ANSWERED:
		break;
	case LEG_EV_ENDED:
		note_stopped(call, event);
		call->leg = leg_release(call->leg, NULL);
		call_ended(call, event->status, event->reason);
		break;
	}
}

static int open_session(struct ua_call *call)
{
	struct media_session_options options = {
		.kind = { call->ua->options.kind, MEDIA_LEG_LOCAL },
		.local = { .tone_hz = call->party->tone_hz, .detect = true },
		.name = call->party->name,
		.on_event = on_media,
		.arg = call,
	};
	const char *codec = call->party->manner.codec;

	for (unsigned side = 0; side < ARRAY_SIZE(options.rules) && *codec; side++) {
		options.rules[side].count = 1;
		record_copy(options.rules[side].names[0], sizeof(options.rules[0].names[0]), codec);
	}
	return media_session_create(&call->session, call->ua->options.media, &options);
}

/* With one reference, the list's. */
static int call_create(struct ua_call **ret_call, struct ua *ua, const char *name)
{
	struct ua_party *party = party_of(ua, name);
	struct ua_call *call = calloc(1, sizeof(*call));

	if (!party || !call) {
		free(call);
		return -ENOMEM;
	}
	call->ua = ua;
	call->party = party;
	call->refs = 1;
	call->started_ms = clock_now();
	timer_init(&call->timer, on_ring_over, call);
	int err = open_session(call);
	if (err) {
		ua_call_unref(call);
		return err;
	}
	call->next = ua->calls;
	ua->calls = call;
	prune(ua);
	*ret_call = call;
	return 0;
}

static int prepare_invite(struct ua_call *call, const char *from, const struct ua_dial *dial)
{
	const char *host = call->ua->options.domain;
	char text[192];
	int err = 0;

	(void)snprintf(text, sizeof(text), "sip:%s@%s", dial->to, host);
	call->to_uri = strdup(text);
	call->request_uri = strdup(dial->request_uri);
	(void)snprintf(call->from_uri, sizeof(call->from_uri), "sip:%s@%s", from, host);
	record_copy(call->other, sizeof(call->other), dial->to);
	call->anonymous = dial->anonymous;
	call->offerless = dial->offerless;
	call->reliable = dial->reliable;
	if (!call->to_uri || !call->request_uri)
		return -ENOMEM;
	for (size_t i = 0; dial->headers && i < dial->headers->count && !err; i++)
		err = sip_headers_add(&call->headers, dial->headers->items[i].name,
				      dial->headers->items[i].value);
	if (dial->anonymous && !err) {
		(void)snprintf(text, sizeof(text), "<%s>", call->from_uri);
		err = sip_headers_set(&call->headers, "P-Preferred-Identity", text);
		if (!err)
			err = sip_headers_set(&call->headers, "Privacy", "id");
	}
	return err;
}

int ua_dial(struct ua *ua, const char *from, const struct ua_dial *dial, struct ua_call **ret_call)
{
	struct ua_call *call;
	int err = call_create(&call, ua, from);

	if (err)
		return err;
	err = prepare_invite(call, from, dial);
	if (!err && !call->offerless)
		err = media_start(call->session, MEDIA_A);
	if (err) {
		call_ended(call, 500, "the call could not be prepared");
		return err;
	}
	if (call->offerless)
		send_invite(call, NULL);
	*ret_call = ua_call_ref(call);
	return 0;
}

void ua_invite(struct ua *ua, struct leg *take_leg)
{
	const struct leg_info *info = leg_info(take_leg);
	struct ua_call *call;

	if (call_create(&call, ua, info->request_user)) {
		leg_release(take_leg, &(struct leg_farewell){ .status = 503 });
		return;
	}
	call->leg = take_leg;
	call->incoming = true;
	call->party->called++;
	leg_set_handler(take_leg, on_leg, call);
	record_copy(call->other, sizeof(call->other),
		    *info->asserted_user ? info->asserted_user : info->from_user);
	record_copy(call->call_id, sizeof(call->call_id), info->call_id);
	record_copy(call->session_id, sizeof(call->session_id), info->session_id);
	record_copy(call->from_uri, sizeof(call->from_uri), info->from_uri);
	int status = call->party->manner.status;
	if (status >= 300) {
		refuse(call, status, "as configured");
		return;
	}
	/* ICE begins when the answer is sent (RFC 8445 6.1): with none to come, checks and
	 * a ClientHello would only reach the caller before those of whoever answers. */
	if (status == 0 && info->sdp && !call->party->manner.early) {
		ring(call);
		return;
	}
	int err = info->sdp ? media_offer(call->session, MEDIA_A, info->sdp)
			    : media_start(call->session, MEDIA_A);
	if (err)
		refuse(call, 500, "the offer could not be taken");
	else if (!info->sdp || !call->party->manner.early)
		ring(call);
}

int ua_call_reoffer(struct ua_call *call, bool hold)
{
	if (call->ended || !call->answered_ms)
		return -EINVAL;
	call->hold = hold;
	call->reoffer_status = 0;
	return media_start(call->session, MEDIA_A);
}

static void free_party(const char *name, void *value, void *arg)
{
	(void)name;
	(void)arg;
	free(value);
}

struct ua *ua_destroy(struct ua *ua)
{
	if (!ua)
		return NULL;
	while (ua->calls) {
		struct ua_call *call = ua->calls;
		ua_call_hangup(call);
		ua->calls = call->next;
		ua_call_unref(call);
	}
	str_map_each(ua->parties, free_party, NULL);
	str_map_destroy(ua->parties);
	free(ua);
	return NULL;
}
