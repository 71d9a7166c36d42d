/* SPDX-License-Identifier: Apache-2.0 */
/* Side B is exchanged, and side A is told nothing. */
#define RIG_PORTS 24000

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "tests/unit/media/session_rig.h"

static void turn_over(enum media_leg_kind a, enum media_leg_kind b)
{
	static const struct media_local tone_1000 = { .tone_hz = 1000, .detect = true };
	static const struct media_local tone_1900 = { .tone_hz = 1900 };
	struct party *caller = phone(a, &tone_440), *callee = phone(b, &tone_1000);
	struct party *relay = party_create(a, MEDIA_LEG_LOCAL, &tone_600);
	char told[8192];

	connect_directly(caller, relay);
	await_tone(caller, MEDIA_B, 600);
	(void)snprintf(told, sizeof(told), "%s", relay->sdp[MEDIA_EV_ANSWER][0]);
	assert_int_equal(media_turn(relay->session, b, &tone_600, &no_rules, false), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	/* Nobody answers; another one does. */
	assert_int_equal(media_turn(relay->session, b, &tone_600, &no_rules, false), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 2);
	assert_int_equal(media_offer(callee->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][1]), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_string_equal(relay->sdp[MEDIA_EV_ANSWER][0], told);
	await_tone(caller, MEDIA_B, 1000);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(media_turn(relay->session, MEDIA_LEG_LOCAL, &tone_1900, &no_rules, false),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 3);
	assert_string_equal(relay->sdp[MEDIA_EV_ANSWER][0], told);
	await_tone(caller, MEDIA_B, 1900);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static void a_webrtc_side_hears_another_one_without_being_told(void **state)
{
	(void)state;
	turn_over(MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP);
	turn_over(MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC);
}

static void a_plain_side_hears_another_one_without_being_told(void **state)
{
	(void)state;
	turn_over(MEDIA_LEG_RTP, MEDIA_LEG_RTP);
}

static void only_what_a_was_told_is_offered_to_the_new_one(void **state)
{
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_600);

	(void)state;
	assert_int_equal(media_turn(relay->session, MEDIA_LEG_RTP, &tone_600, &no_rules, false),
			 -EINVAL);
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 96 8\r\n"
				     "a=rtpmap:96 iLBC/8000\r\n"),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_turn(relay->session, MEDIA_LEG_RTP, &tone_600, &no_rules, false), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][1], "RTP/AVP 8\r\n"));
	party_destroy(relay);
}

/* A knows us for good: by an offer of ours or an answer, and is told no more. */
static void settle_with(struct party *caller, struct party *relay, bool we_offer)
{
	if (!we_offer) {
		connect_directly(caller, relay);
		return;
	}
	assert_int_equal(media_start(relay->session, MEDIA_A), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_A, 1);
	assert_int_equal(media_offer(caller->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(caller, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_ANSWER][0]), 0);
}

/* The caller goes on in its codec, whatever the callee has. */
static void turn_settled(enum media_leg_kind a, bool we_offer, const char *codec)
{
	static const struct media_local tone_1000 = { .tone_hz = 1000, .detect = true };
	static const struct media_local tone_1900 = { .tone_hz = 1900 };
	enum media_event_type told = we_offer ? MEDIA_EV_OFFER : MEDIA_EV_ANSWER;
	struct party *caller = phone(a, &tone_440);
	struct party *callee = phone_of(MEDIA_LEG_RTP, &tone_1000, codec);
	struct party *relay = party_create(a, MEDIA_LEG_LOCAL, &tone_600);
	char known[8192];

	settle_with(caller, relay, we_offer);
	await_tone(caller, MEDIA_B, 600);
	(void)snprintf(known, sizeof(known), "%s", relay->sdp[told][0]);
	for (unsigned turn = 1; turn <= 2; turn++) { /* nobody answers the first */
		assert_int_equal(
			media_turn(relay->session, MEDIA_LEG_RTP, &tone_600, &no_rules, true), 0);
		await_event(relay, MEDIA_EV_OFFER, MEDIA_B, turn);
	}
	assert_int_equal(media_offer(callee->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][1]), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, we_offer ? 1 : 2);
	assert_string_equal(relay->sdp[MEDIA_EV_ANSWER][0], known);
	await_tone(caller, MEDIA_B, 1000);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(media_turn(relay->session, MEDIA_LEG_LOCAL, &tone_1900, &no_rules, true),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, we_offer ? 2 : 3);
	await_tone(caller, MEDIA_B, 1900);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static void who_has_agreed_for_good_hears_whoever_comes(void **state)
{
	(void)state;
	turn_settled(MEDIA_LEG_WEBRTC, false, "PCMA");
	turn_settled(MEDIA_LEG_WEBRTC, true, "PCMA");
	turn_settled(MEDIA_LEG_RTP, true, "PCMU");
	turn_settled(MEDIA_LEG_RTP, false, "G722");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_webrtc_side_hears_another_one_without_being_told),
		cmocka_unit_test(a_plain_side_hears_another_one_without_being_told),
		cmocka_unit_test(only_what_a_was_told_is_offered_to_the_new_one),
		cmocka_unit_test(who_has_agreed_for_good_hears_whoever_comes),
	};

	return cmocka_run_group_tests_name("media/session_turn", tests, start_engines,
					   stop_engines);
}
