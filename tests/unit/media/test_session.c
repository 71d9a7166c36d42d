/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions back to back over loopback, with real ICE, DTLS and SRTP. */
#define RIG_PORTS 21000

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/unit/media/session_rig.h"

static void rtp_to_rtp_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_RTP, MEDIA_LEG_RTP);
}

static void webrtc_to_srtp_without_ice_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_SDES);
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_DTLS);
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_SDES_OR_RTP);
}

static void srtp_without_ice_to_webrtc_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_SDES, MEDIA_LEG_WEBRTC);
	talk(MEDIA_LEG_DTLS, MEDIA_LEG_RTP);
	talk(MEDIA_LEG_SDES_OR_RTP, MEDIA_LEG_SDES);
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

/* Each plays to the other: RTCP in the clear, multiplexed or not, and sealed. Who reports
 * later answers, and so the other one knows how long it takes there and back. */
static void who_plays_reports_and_is_answered(void **state)
{
	static const enum media_leg_kind kinds[] = { MEDIA_LEG_WEBRTC, MEDIA_LEG_DTLS,
						     MEDIA_LEG_SDES, MEDIA_LEG_RTP };
	struct party *ends[ARRAY_SIZE(kinds)][2];
	mono_ms deadline;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct party *a = ends[i][0] = phone(kinds[i], &tone_440);
		struct party *b = ends[i][1] = phone(kinds[i], &tone_600);

		assert_int_equal(media_start(a->session, MEDIA_A), 0);
		await_event(a, MEDIA_EV_OFFER, MEDIA_A, 1);
		assert_int_equal(media_offer(b->session, MEDIA_A, a->sdp[MEDIA_EV_OFFER][0]), 0);
		await_event(b, MEDIA_EV_ANSWER, MEDIA_A, 1);
		assert_int_equal(media_answer(a->session, MEDIA_A, b->sdp[MEDIA_EV_ANSWER][0]), 0);
	}
	deadline = clock_now() + PATIENCE_MS;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct party *a = ends[i][0], *b = ends[i][1];

		while (receipt(a, MEDIA_A).rtcp_in == 0 || receipt(b, MEDIA_A).rtcp_in == 0 ||
		       receipt(a, MEDIA_A).rtt_us + receipt(b, MEDIA_A).rtt_us == 0)
			turn(deadline);
		assert_true(receipt(a, MEDIA_A).reported || receipt(b, MEDIA_A).reported);
		assert_int_equal(receipt(a, MEDIA_A).dropped_auth, 0);
		party_destroy(ends[i][0]);
		party_destroy(ends[i][1]);
	}
}

static void calls_out_of_order_are_refused_at_once(void **state)
{
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);
	struct party *local = phone(MEDIA_LEG_RTP, &tone_440);
	const char *sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 8\r\n";

	(void)state;
	assert_int_equal(media_answer(relay->session, MEDIA_B, sdp), -EINVAL);
	assert_int_equal(media_start(relay->session, MEDIA_A), -EINVAL);
	assert_int_equal(media_offer(local->session, MEDIA_B, sdp), -EINVAL);
	assert_int_equal(media_offer(relay->session, MEDIA_A, sdp), 0);
	assert_int_equal(media_offer(relay->session, MEDIA_A, sdp), -EINVAL);
	assert_int_equal(media_offer(relay->session, MEDIA_B, sdp), -EINVAL);
	assert_int_equal(media_answer(relay->session, MEDIA_A, sdp), -EINVAL);
	media_rollback(relay->session);
	assert_int_equal(media_offer(relay->session, MEDIA_B, sdp), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_A, 1);
	party_destroy(relay);
	party_destroy(local);
}

static void no_event_follows_destroy(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct party *web = phone(MEDIA_LEG_WEBRTC, &tone_440);

		assert_int_equal(media_start(web->session, MEDIA_A), 0);
		party_destroy(web); /* on_event would touch freed memory */
	}
	for (unsigned i = 0; i < 10; i++)
		turn(clock_now() + PATIENCE_MS);
}

static void a_full_port_range_says_so_and_recovers_nothing_half_taken(void **state)
{
	const struct media_engine_options options = { .address = "127.0.0.1",
						      .port_min = RIG_PORTS + 500,
						      .port_max = RIG_PORTS + 502,
						      .threads = 1 };
	struct media_session_options wanted = { .kind = { MEDIA_LEG_RTP, MEDIA_LEG_RTP },
						.on_event = on_event };
	struct media_engine *small;
	struct media_session *session = NULL;

	(void)state;
	assert_int_equal(media_engine_create(&small, &options), 0);
	assert_int_equal(media_session_create(&session, small, &wanted), -ENOSPC);
	assert_null(session);
	wanted.kind[MEDIA_A] = wanted.kind[MEDIA_B] = MEDIA_LEG_LOCAL;
	assert_int_equal(media_session_create(&session, small, &wanted), -EINVAL);
	media_engine_destroy(small);
}

static void the_last_ports_are_for_calls_in_progress(void **state)
{
	const struct media_engine_options options = { .address = "127.0.0.1",
						      .port_min = RIG_PORTS + 400,
						      .port_max = RIG_PORTS + 499,
						      .threads = 1 };
	struct media_session_options wanted = { .kind = { MEDIA_LEG_RTP, MEDIA_LEG_RTP },
						.on_event = on_event };
	struct media_session *sessions[25] = { NULL };
	struct media_engine *small;
	unsigned count = 0;

	(void)state;
	assert_int_equal(media_engine_create(&small, &options), 0);
	while (count < 25 && media_session_create(&sessions[count], small, &wanted) == 0)
		count++;
	assert_int_equal(count, 24); /* 96 ports; four more would leave none */
	assert_int_equal(media_engine_ports_percent(small), 96);
	wanted.replaces = true;
	assert_int_equal(media_session_create(&sessions[count], small, &wanted), 0);
	assert_int_equal(media_engine_ports_percent(small), 100);
	for (unsigned i = 0; i <= count; i++)
		media_session_destroy(sessions[i]);
	media_engine_destroy(small);
}

static void an_engine_needs_an_address_of_ours_and_a_range(void **state)
{
	struct media_engine_options options = { .address = "192.0.2.1",
						.port_min = RIG_PORTS + 500,
						.port_max = RIG_PORTS + 510,
						.threads = 1 };
	struct media_engine *none = NULL;

	(void)state;
	assert_int_equal(media_engine_create(&none, &options), -EIO);
	options.address = "localhost";
	assert_int_equal(media_engine_create(&none, &options), -EINVAL);
	options.address = "127.0.0.1";
	options.port_max = RIG_PORTS;
	assert_int_equal(media_engine_create(&none, &options), -EINVAL);
	options.threads = 0;
	assert_int_equal(media_engine_create(&none, &options), -EINVAL);
	assert_null(none);
}

struct heard {
	uint32_t ssrc, timestamp;
	uint16_t number;
};

/* So many more packets of the one stream, of which `last` was the newest (ssrc 0: none was). */
static void hear_stream(int fd, unsigned count, struct heard *last)
{
	uint8_t packet[300];

	for (; count > 0; count--) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		struct heard now;

		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		assert_true(recv(fd, packet, sizeof(packet), 0) > 12);
		now.number = (uint16_t)(packet[2] << 8 | packet[3]);
		memcpy(&now.timestamp, packet + 4, 4);
		memcpy(&now.ssrc, packet + 8, 4);
		now.timestamp = ntohl(now.timestamp);
		if (last->ssrc != 0) {
			assert_int_equal(now.ssrc, last->ssrc);
			assert_int_equal((uint16_t)(now.number - last->number), 1);
			assert_true((int32_t)(now.timestamp - last->timestamp) >= 0);
		}
		*last = now;
	}
}

/* As a transfer has it: another port of ours, and for a moment both send. */
static void who_stays_hears_one_stream_through_two_sessions(void **state)
{
	struct media_session_options options = { .kind = { MEDIA_LEG_RTP, MEDIA_LEG_LOCAL },
						 .local = tone_600,
						 .name = "test",
						 .replaces = true,
						 .on_event = on_event };
	struct party *first = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	struct party *second = test_calloc(1, sizeof(*second));
	struct heard last = { .ssrc = 0 };
	char offer[200];
	uint16_t own;
	int fd = open_phone(&own);

	(void)state;
	(void)snprintf(offer, sizeof(offer),
		       "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n"
		       "m=audio %u RTP/AVP 8\r\n",
		       own);
	(void)answered(first, offer);
	hear_stream(fd, 10, &last);
	options.before[MEDIA_A] = first->sdp[MEDIA_EV_ANSWER][MEDIA_A];
	options.streams[MEDIA_A] = (struct media_stream){ first->session, MEDIA_A };
	options.arg = second;
	assert_int_equal(media_session_create(&second->session, engines[0], &options), 0);
	(void)answered(second, offer);
	hear_stream(fd, 20, &last);
	party_destroy(first);
	hear_stream(fd, 20, &last);
	party_destroy(second);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rtp_to_rtp_carries_audio_both_ways),
		cmocka_unit_test(webrtc_to_srtp_without_ice_carries_audio_both_ways),
		cmocka_unit_test(srtp_without_ice_to_webrtc_carries_audio_both_ways),
		cmocka_unit_test(webrtc_to_webrtc_carries_audio_both_ways),
		cmocka_unit_test(webrtc_to_rtp_carries_audio_both_ways),
		cmocka_unit_test(rtp_to_webrtc_carries_audio_both_ways),
		cmocka_unit_test(an_echo_sends_back_the_callers_own_tone),
		cmocka_unit_test(who_plays_reports_and_is_answered),
		cmocka_unit_test(calls_out_of_order_are_refused_at_once),
		cmocka_unit_test(no_event_follows_destroy),
		cmocka_unit_test(a_full_port_range_says_so_and_recovers_nothing_half_taken),
		cmocka_unit_test(the_last_ports_are_for_calls_in_progress),
		cmocka_unit_test(an_engine_needs_an_address_of_ours_and_a_range),
		cmocka_unit_test(who_stays_hears_one_stream_through_two_sessions),
	};

	return cmocka_run_group_tests_name("media/session", tests, start_engines, stop_engines);
}
