/* SPDX-License-Identifier: Apache-2.0 */
/* What is heard when the sides speak differently, or when nothing comes. */
#define RIG_PORTS 22200

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/unit/media/session_rig.h"

static void who_waits_hears_music_while_nothing_comes(void **state)
{
	struct media_sound *music = sound_of(1500, 1000);
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *callee = phone(MEDIA_LEG_RTP, &tone_600);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP, NULL);

	(void)state;
	connect_through(caller, relay, callee);
	await_tone(caller, MEDIA_B, 600);
	assert_int_equal(media_wait(relay->session, MEDIA_A, MEDIA_WAIT_ALWAYS, music), 0);
	media_sound_unref(music);
	await_packets(relay, receipt(relay, MEDIA_A).packets_in + 50);
	assert_int_equal(receipt(caller, MEDIA_B).detected_hz, 600); /* it comes first */
	party_destroy(callee);
	await_tone(caller, MEDIA_B, 1500);
	assert_int_equal(media_wait(relay->session, MEDIA_A, MEDIA_WAIT_ALWAYS, NULL), 0);
	await_tone(caller, MEDIA_B, 425);
	assert_int_equal(media_wait(relay->session, MEDIA_A, MEDIA_WAIT_NOT, NULL), 0);
	await_tone(caller, MEDIA_B, 0);
	assert_int_equal(receipt(caller, MEDIA_A).dropped_auth, 0);
	party_destroy(caller);
	party_destroy(relay);
}

/* What a side that never sends says of itself, on its way to the caller and back. */
static void re_offered(struct party *caller, struct party *relay, const char *direction)
{
	unsigned offers = relay->count[MEDIA_EV_OFFER][MEDIA_A] + 1;
	unsigned answers = caller->count[MEDIA_EV_ANSWER][MEDIA_A] + 1;
	char sdp[200];

	(void)snprintf(sdp, sizeof(sdp),
		       "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 8\r\na=%s\r\n", direction);
	assert_int_equal(media_offer(relay->session, MEDIA_B, sdp), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_A, offers);
	assert_int_equal(media_offer(caller->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(caller, MEDIA_EV_ANSWER, MEDIA_A, answers);
	offers = relay->count[MEDIA_EV_ANSWER][MEDIA_B] + 1;
	assert_int_equal(media_answer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_B, offers);
}

static void music_on_hold_is_heard_on_hold_only(void **state)
{
	struct media_sound *music = sound_of(1500, 1000);
	struct party *caller = phone(MEDIA_LEG_RTP, &tone_440);
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);
	uint64_t heard;

	(void)state;
	assert_int_equal(media_wait(relay->session, MEDIA_A, MEDIA_WAIT_ON_HOLD, music), 0);
	media_sound_unref(music);
	re_offered(caller, relay, "sendrecv");
	await_packets(relay, 50);
	assert_int_equal(receipt(caller, MEDIA_A).packets_in, 0);
	re_offered(caller, relay, "sendonly");
	await_tone(caller, MEDIA_B, 1500);
	re_offered(caller, relay, "inactive"); /* nothing may be sent: nothing is */
	await_tone(caller, MEDIA_B, 0);
	heard = receipt(caller, MEDIA_A).packets_in;
	re_offered(caller, relay, "sendrecv");
	await_packets(relay, receipt(relay, MEDIA_B).packets_out + 50);
	assert_int_equal(receipt(caller, MEDIA_A).packets_in, heard);
	party_destroy(caller);
	party_destroy(relay);
}

static struct party *converter(enum media_leg_kind a, enum media_leg_kind b, enum media_dtmf dtmf)
{
	struct party *party = test_calloc(1, sizeof(*party));
	const struct media_session_options options = {
		.kind = { a, b },
		.name = "relay",
		.rules = { [MEDIA_B] = { .convert = true, .dtmf = dtmf } },
		.on_event = on_event,
		.arg = party,
	};

	assert_int_equal(media_session_create(&party->session, engines[0], &options), 0);
	return party;
}

static void two_sides_without_a_common_codec_hear_each_other(void **state)
{
	static const struct {
		const char *caller, *callee;
	} pairs[] = {
		{ "opus", "PCMA" }, { "PCMU", "opus" }, { "G722", "PCMU" }, { "opus", "G722" }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct party *caller = phone_of(MEDIA_LEG_WEBRTC, &tone_440, pairs[i].caller);
		struct party *callee = phone_of(MEDIA_LEG_RTP, &tone_600, pairs[i].callee);
		struct party *relay = converter(MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP, MEDIA_DTMF_AUTO);

		connect_through(caller, relay, callee);
		await_tone(caller, MEDIA_B, 600);
		await_tone(callee, MEDIA_B, 440);
		assert_string_equal(receipt(relay, MEDIA_A).codec, pairs[i].caller);
		assert_string_equal(receipt(relay, MEDIA_B).codec, pairs[i].callee);
		party_destroy(caller);
		party_destroy(callee);
		party_destroy(relay);
	}
}

static void without_leave_to_convert_it_is_refused(void **state)
{
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 96\r\n"
				     "a=rtpmap:96 opus/48000/2\r\n"),
			 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B,
				      "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30002 RTP/AVP 8\r\n"),
			 0);
	await_event(relay, MEDIA_EV_REFUSED, MEDIA_B, 1);
	assert_int_equal(relay->status, 488);
	party_destroy(relay);
}

static void the_transcoder_leaves_when_a_reoffer_finds_a_common_codec(void **state)
{
	struct party *caller = phone_of(MEDIA_LEG_RTP, &tone_440, "PCMA");
	struct party *relay = converter(MEDIA_LEG_RTP, MEDIA_LEG_RTP, MEDIA_DTMF_AUTO);
	uint8_t packet[1500];
	char answer[300];
	uint16_t port;
	int fd = open_phone(&port);
	ssize_t length;

	(void)state;
	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, 1);
	for (unsigned time = 1; time <= 2; time++) { /* with Opus first, then with PCMA */
		assert_int_equal(
			media_offer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
		await_event(relay, MEDIA_EV_OFFER, MEDIA_B, time);
		(void)snprintf(answer, sizeof(answer),
			       "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio %u RTP/AVP %s\r\n"
			       "a=rtpmap:111 opus/48000/2\r\n",
			       port, time == 1 ? "111" : "8");
		assert_int_equal(media_answer(relay->session, MEDIA_B, answer), 0);
		await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, time);
		if (time == 1)
			assert_int_equal(media_answer(caller->session, MEDIA_A,
						      relay->sdp[MEDIA_EV_ANSWER][0]),
					 0);
		do {
			length = recv(fd, packet, sizeof(packet), 0);
			assert_true(length > 12);
		} while ((packet[1] & 0x7f) != (time == 1 ? 111 : 8));
		assert_true(time == 1 ? length < 100 : length == 172);
	}
	close(fd);
	party_destroy(caller);
	party_destroy(relay);
}

static void a_digit_given_to_a_session_reaches_the_peer_as_events(void **state)
{
	struct party *caller = phone_of(MEDIA_LEG_RTP, &tone_440, "PCMA");
	struct party *relay = converter(MEDIA_LEG_RTP, MEDIA_LEG_RTP, MEDIA_DTMF_RFC4733);
	uint8_t packet[1500];
	char answer[300];
	uint16_t port;
	int fd = open_phone(&port);

	(void)state;
	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, 1);
	assert_int_equal(media_offer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	(void)snprintf(answer, sizeof(answer),
		       "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio %u RTP/AVP 8 101\r\n"
		       "a=rtpmap:101 telephone-event/8000\r\n",
		       port);
	assert_int_equal(media_answer(relay->session, MEDIA_B, answer), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(caller->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
	assert_int_equal(media_digit(relay->session, MEDIA_B, '#', 100), 0);
	assert_int_equal(media_digit(relay->session, MEDIA_B, '!', 100), -EINVAL);
	do
		assert_true(recv(fd, packet, sizeof(packet), 0) > 12);
	while ((packet[1] & 0x7f) != 101);
	assert_int_equal(packet[12], 11);
	close(fd);
	party_destroy(caller);
	party_destroy(relay);
}

static void payload_numbers_are_mapped_when_the_answers_differ(void **state)
{
	struct party *caller = phone(MEDIA_LEG_RTP, &tone_440);
	struct party *callee = phone(MEDIA_LEG_RTP, &tone_600);
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);
	const char *offer, *answer;

	(void)state;
	/* The callee believes that PCMA is 120 and that the events are 96. */
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(caller)), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	offer = edited(relay->sdp[MEDIA_EV_OFFER][1], "RTP/AVP 8 0 9 111 101 110",
		       "RTP/AVP 120 0 9 111 96 110");
	offer = edited(edited(offer, "a=rtpmap:8 ", "a=rtpmap:120 "), ":101 ", ":96 ");
	assert_int_equal(media_offer(callee->session, MEDIA_A, offer), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	answer = callee->sdp[MEDIA_EV_ANSWER][0];
	assert_non_null(strstr(answer, "RTP/AVP 120 0 9 96 110 111"));
	assert_int_equal(media_answer(relay->session, MEDIA_B, answer), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_ANSWER][0], "RTP/AVP 8 0 9 101 110 111"));
	assert_non_null(
		strstr(relay->sdp[MEDIA_EV_ANSWER][0], "a=rtpmap:101 telephone-event/8000"));
	assert_int_equal(media_answer(caller->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_hears_music_while_nothing_comes),
		cmocka_unit_test(music_on_hold_is_heard_on_hold_only),
		cmocka_unit_test(two_sides_without_a_common_codec_hear_each_other),
		cmocka_unit_test(without_leave_to_convert_it_is_refused),
		cmocka_unit_test(the_transcoder_leaves_when_a_reoffer_finds_a_common_codec),
		cmocka_unit_test(a_digit_given_to_a_session_reaches_the_peer_as_events),
		cmocka_unit_test(payload_numbers_are_mapped_when_the_answers_differ),
	};

	return cmocka_run_group_tests_name("media/session_ways", tests, start_engines,
					   stop_engines);
}
