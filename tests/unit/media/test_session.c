/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions back to back over loopback, with real ICE, DTLS and SRTP. The tests
 * wait for conditions on media_engine_fd(), never for time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "media/media.h"

#define PATIENCE_MS 20000
#define EVENTS_MAX  32

/* A party: a session and what it has been told. */
struct party {
	struct media_session *session;
	unsigned count[MEDIA_EV_SILENT + 1][2]; /* by type and side */
	char sdp[MEDIA_EV_SILENT + 1][2][8192];
	char reason[512];
	int status;
};

static struct media_engine *engine;

static void on_event(struct media_session *session, const struct media_event *event, void *arg)
{
	struct party *party = arg;

	assert_ptr_equal(session, party->session);
	party->count[event->type][event->side]++;
	if (event->sdp)
		(void)snprintf(party->sdp[event->type][event->side], sizeof(party->sdp[0][0]), "%s",
			       event->sdp);
	if (event->reason)
		(void)snprintf(party->reason, sizeof(party->reason), "%s", event->reason);
	party->status = event->status;
}

static struct party *party_create(enum media_leg_kind a, enum media_leg_kind b,
				  const struct media_local *local)
{
	struct party *party = test_calloc(1, sizeof(*party));
	struct media_session_options options = {
		.kind = { a, b }, .name = "test", .on_event = on_event, .arg = party
	};

	if (local)
		options.local = *local;
	assert_int_equal(media_session_create(&party->session, engine, &options), 0);
	return party;
}

static void party_destroy(struct party *party)
{
	media_session_destroy(party->session);
	test_free(party);
}

static void turn(mono_ms deadline)
{
	struct pollfd fd = { .fd = media_engine_fd(engine), .events = POLLIN };

	assert_true(clock_now() < deadline);
	(void)poll(&fd, 1, 20);
	media_engine_drain(engine);
}

static void await_event(struct party *party, enum media_event_type type, enum media_side side,
			unsigned count)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (party->count[type][side] < count) {
		if (party->count[MEDIA_EV_REFUSED][0] + party->count[MEDIA_EV_REFUSED][1] +
				    party->count[MEDIA_EV_FAILED][0] +
				    party->count[MEDIA_EV_FAILED][1] >
			    0 &&
		    type != MEDIA_EV_REFUSED && type != MEDIA_EV_FAILED)
			fail_msg("%d %s", party->status, party->reason);
		turn(deadline);
	}
}

static struct media_receipt receipt(const struct party *party, enum media_side side)
{
	struct media_receipt receipt;

	media_receipt(party->session, side, &receipt);
	return receipt;
}

static void await_tone(struct party *party, enum media_side side, unsigned hz)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (receipt(party, side).detected_hz != hz)
		turn(deadline);
}

static const struct media_local tone_440 = { .tone_hz = 440, .detect = true };
static const struct media_local tone_600 = { .tone_hz = 600, .detect = true };
static const struct media_local echo = { .echo = true };

/* A phone is a session whose side B is local. */
static struct party *phone(enum media_leg_kind kind, const struct media_local *local)
{
	return party_create(kind, MEDIA_LEG_LOCAL, local);
}

/* caller -> relay -> callee, complete offer/answer. */
static void connect_through(struct party *caller, struct party *relay, struct party *callee)
{
	unsigned offers = caller->count[MEDIA_EV_OFFER][MEDIA_A] + 1;
	unsigned onward = relay->count[MEDIA_EV_OFFER][MEDIA_B] + 1;
	unsigned answers = callee->count[MEDIA_EV_ANSWER][MEDIA_A] + 1;
	unsigned back = relay->count[MEDIA_EV_ANSWER][MEDIA_A] + 1;

	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, offers);
	assert_int_equal(media_offer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, onward);
	assert_int_equal(media_offer(callee->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][1]), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, answers);
	assert_int_equal(media_answer(relay->session, MEDIA_B, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, back);
	assert_int_equal(media_answer(caller->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
}

static void talk(enum media_leg_kind a, enum media_leg_kind b)
{
	struct party *caller = phone(a, &tone_440), *callee = phone(b, &tone_600);
	struct party *relay = party_create(a, b, NULL);

	connect_through(caller, relay, callee);
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	await_event(relay, MEDIA_EV_FLOWING, MEDIA_A, 1);
	await_event(relay, MEDIA_EV_FLOWING, MEDIA_B, 1);
	assert_string_equal(receipt(relay, MEDIA_A).codec, "PCMA");
	assert_string_equal(receipt(relay, MEDIA_A).profile,
			    a == MEDIA_LEG_WEBRTC ? "AEAD_AES_128_GCM" : "");
	assert_int_equal(receipt(relay, MEDIA_B).dtls_ok, b == MEDIA_LEG_WEBRTC);
	assert_true(receipt(relay, MEDIA_A).packets_in >= 10);
	assert_true(receipt(relay, MEDIA_B).packets_out >= 10);
	assert_int_equal(receipt(relay, MEDIA_A).dropped_auth, 0);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static void webrtc_to_webrtc_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC);
}

static void webrtc_to_rtp_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP);
}

static void rtp_to_webrtc_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_RTP, MEDIA_LEG_WEBRTC);
}

static void rtp_to_rtp_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_RTP, MEDIA_LEG_RTP);
}

/* caller -> callee without a relay between. */
static void connect_directly(struct party *caller, struct party *callee)
{
	unsigned offers = caller->count[MEDIA_EV_OFFER][MEDIA_A] + 1;
	unsigned answers = callee->count[MEDIA_EV_ANSWER][MEDIA_A] + 1;

	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, offers);
	assert_int_equal(media_offer(callee->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, answers);
	assert_int_equal(media_answer(caller->session, MEDIA_A, callee->sdp[MEDIA_EV_ANSWER][0]),
			 0);
}

static void an_echo_sends_back_the_callers_own_tone(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *callee = phone(MEDIA_LEG_WEBRTC, &echo);

	(void)state;
	connect_directly(caller, callee);
	await_tone(caller, MEDIA_B, 440);
	party_destroy(caller);
	party_destroy(callee);
}

static int start_engine(void **state)
{
	const struct media_engine_options options = {
		.address = "127.0.0.1", .port_min = 21000, .port_max = 21999, .threads = 2
	};

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	return media_engine_create(&engine, &options);
}

static int stop_engine(void **state)
{
	(void)state;
	engine = media_engine_destroy(engine);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rtp_to_rtp_carries_audio_both_ways),
		cmocka_unit_test(webrtc_to_webrtc_carries_audio_both_ways),
		cmocka_unit_test(webrtc_to_rtp_carries_audio_both_ways),
		cmocka_unit_test(rtp_to_webrtc_carries_audio_both_ways),
		cmocka_unit_test(an_echo_sends_back_the_callers_own_tone),
	};

	return cmocka_run_group_tests_name("media/session", tests, start_engine, stop_engine);
}
