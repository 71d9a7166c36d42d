/* SPDX-License-Identifier: Apache-2.0 */
/* ICE and DTLS with a peer that begins anew, moves, or is not who its SDP says. */
#define RIG_PORTS 27000

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "tests/unit/media/session_rig.h"

static void a_wrong_fingerprint_fails_and_carries_nothing(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *callee = phone(MEDIA_LEG_WEBRTC, &tone_600);
	const char *good;

	(void)state;
	assert_int_equal(media_offer(callee->session, MEDIA_A, offer_of(caller)), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	good = line_of(callee->sdp[MEDIA_EV_ANSWER][0], "a=fingerprint:");
	assert_int_equal(media_answer(caller->session, MEDIA_A,
				      edited(callee->sdp[MEDIA_EV_ANSWER][0], good,
					     "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:"
					     "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:"
					     "BB:CC:DD:EE:FF")),
			 0);
	await_event(caller, MEDIA_EV_FAILED, MEDIA_A, 1);
	assert_non_null(strstr(caller->reason, "00:11:22:33"));
	assert_non_null(strstr(caller->reason, good + strlen("a=fingerprint:")));
	assert_int_equal(receipt(caller, MEDIA_A).packets_in, 0);
	assert_int_equal(receipt(caller, MEDIA_A).packets_out, 0);
	assert_false(receipt(caller, MEDIA_A).dtls_ok);
	party_destroy(caller);
	party_destroy(callee);
}

static void a_hello_that_is_faster_than_its_answer_waits_for_it(void **state)
{
	struct party *callee = phone(MEDIA_LEG_WEBRTC, &tone_600), *caller;
	struct media_engine *before = engines[1];
	mono_ms deadline = clock_now() + PATIENCE_MS;

	(void)state;
	engines[1] = lite_engine();
	caller = party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_440);
	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, 1);
	assert_int_equal(media_offer(callee->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	while (!receipt(callee, MEDIA_A).ice_ok || !receipt(caller, MEDIA_A).ice_ok)
		turn(deadline);
	turn(deadline); /* the callee has said hello meanwhile */
	assert_int_equal(media_answer(caller->session, MEDIA_A, callee->sdp[MEDIA_EV_ANSWER][0]),
			 0);
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(receipt(caller, MEDIA_A).dropped_other, 0);
	party_destroy(caller);
	party_destroy(callee);
	media_engine_destroy(engines[1]);
	engines[1] = before;
}

static void a_re_offer_that_changes_nothing_disturbs_nothing(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *callee = phone(MEDIA_LEG_WEBRTC, &tone_600);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC, NULL);
	char before[8192];

	(void)state;
	connect_through(caller, relay, callee);
	await_tone(caller, MEDIA_B, 600);
	(void)snprintf(before, sizeof(before), "%s", relay->sdp[MEDIA_EV_OFFER][MEDIA_B]);
	connect_through(caller, relay, callee);
	assert_string_equal(line_of(before, "a=ice-ufrag:"),
			    line_of(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "a=ice-ufrag:"));
	assert_string_equal(line_of(before, "o="),
			    line_of(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "o="));
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "a=setup:actpass"));
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(receipt(relay, MEDIA_A).lost, 0);
	assert_int_equal(receipt(relay, MEDIA_A).dropped_auth, 0);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static void an_ice_restart_is_answered_with_new_credentials(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
	const char *first, *offer;

	(void)state;
	connect_directly(caller, relay);
	await_tone(relay, MEDIA_B, 440);
	first = line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=ice-ufrag:");
	offer = edited(caller->sdp[MEDIA_EV_OFFER][0],
		       line_of(caller->sdp[MEDIA_EV_OFFER][0], "a=ice-ufrag:"),
		       "a=ice-ufrag:newnew");
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_string_not_equal(first, line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=ice-ufrag:"));
	/* The pair in use carries on until another is found. */
	await_tone(caller, MEDIA_B, 600);
	party_destroy(caller);
	party_destroy(relay);
}

static void a_peer_that_moves_gets_a_new_association(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440), *moved;
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
	static const struct media_local tone_1000 = { .tone_hz = 1000, .detect = true };

	(void)state;
	connect_directly(caller, relay);
	await_tone(relay, MEDIA_B, 440);
	moved = party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_1000);
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(moved)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_int_equal(media_answer(moved->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_tone(relay, MEDIA_B, 1000);
	await_tone(moved, MEDIA_B, 600);
	party_destroy(caller);
	party_destroy(moved);
	party_destroy(relay);
}

/* RFC 8842 4: an association is one of fingerprints and tls-id, whichever is new. */
static void another_tls_id_alone_is_a_new_association(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440), *moved;
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
	static const struct media_local tone_1000 = { .tone_hz = 1000, .detect = true };
	const char *first, *fingerprint;

	(void)state;
	connect_directly(caller, relay);
	await_tone(relay, MEDIA_B, 440);
	first = line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=tls-id:");
	fingerprint = line_of(caller->sdp[MEDIA_EV_OFFER][0], "a=fingerprint:");
	moved = phone(MEDIA_LEG_WEBRTC, &tone_1000); /* of the same engine: the same certificate */
	assert_string_equal(fingerprint, line_of(offer_of(moved), "a=fingerprint:"));
	assert_int_equal(media_offer(relay->session, MEDIA_A, moved->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_string_not_equal(first, line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=tls-id:"));
	assert_int_equal(media_answer(moved->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_tone(relay, MEDIA_B, 1000); /* with the old keys nothing would authenticate */
	await_tone(moved, MEDIA_B, 600);
	party_destroy(caller);
	party_destroy(moved);
	party_destroy(relay);
}

static void the_same_tls_id_keeps_the_association(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
	const char *first;

	(void)state;
	connect_directly(caller, relay);
	await_tone(relay, MEDIA_B, 440);
	await_tone(caller, MEDIA_B, 600);
	first = line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=tls-id:");
	/* Its ICE begins anew (RFC 8842 4 needs that for a new association, and is none). */
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     edited(caller->sdp[MEDIA_EV_OFFER][0],
					    line_of(caller->sdp[MEDIA_EV_OFFER][0], "a=ice-ufrag:"),
					    "a=ice-ufrag:newnew")),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_string_equal(first, line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=tls-id:"));
	await_packets_in(relay, MEDIA_A, 20);
	assert_int_equal(receipt(relay, MEDIA_A).dropped_auth, 0);
	party_destroy(caller);
	party_destroy(relay);
}

/* A peer that trickles, by offers: its first one has no candidate, and it is not told ours,
 * so that only the candidate of its second one can connect the two. */
static void candidates_of_a_later_offer_are_tried(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
	const char *offer = offer_of(caller), *bare = without(offer, "a=candidate:");
	char whole[16384];

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A, bare), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(caller->session, MEDIA_A,
				      without(relay->sdp[MEDIA_EV_ANSWER][0], "a=candidate:")),
			 0);
	for (unsigned i = 0; i < 5; i++)
		turn(clock_now() + PATIENCE_MS);
	assert_false(receipt(relay, MEDIA_A).ice_ok);
	(void)snprintf(whole, sizeof(whole), "%sa=end-of-candidates\r\n", offer);
	assert_int_equal(media_offer(relay->session, MEDIA_A, whole), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	await_tone(relay, MEDIA_B, 440);
	await_tone(caller, MEDIA_B, 600);
	party_destroy(caller);
	party_destroy(relay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_fingerprint_fails_and_carries_nothing),
		cmocka_unit_test(a_re_offer_that_changes_nothing_disturbs_nothing),
		cmocka_unit_test(an_ice_restart_is_answered_with_new_credentials),
		cmocka_unit_test(a_peer_that_moves_gets_a_new_association),
		cmocka_unit_test(another_tls_id_alone_is_a_new_association),
		cmocka_unit_test(the_same_tls_id_keeps_the_association),
		cmocka_unit_test(candidates_of_a_later_offer_are_tried),
		cmocka_unit_test(a_hello_that_is_faster_than_its_answer_waits_for_it),
	};

	return cmocka_run_group_tests_name("media/session_associations", tests, start_engines,
					   stop_engines);
}
