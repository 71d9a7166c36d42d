/* SPDX-License-Identifier: Apache-2.0 */
/* test_session_id.c - Session-ID in messages of our own (RFC 7989). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the above before it */
#include <cmocka.h>

#include "tas/sip/session_id.h"

#define A   "ab30317f1a784dc48ff824d0d3715d86"
#define B   "47755a9de7794ba387653f2099600ef2"
#define NIL "00000000000000000000000000000000"

static void expect(const struct session_id *id, const char *wanted)
{
	char text[SESSION_ID_TEXT];

	assert_true(session_id_text(id, text));
	assert_string_equal(text, wanted);
}

static void two_ends_are_told_by_their_pair(void **state)
{
	struct session_id to_b = { .paired = false }, to_a = { .paired = false };

	(void)state;
	session_id_sent(&to_b, A ";remote=" NIL); /* A's INVITE, passed on */
	session_id_heard(&to_a, A ";remote=" NIL);
	expect(&to_b, A ";remote=" NIL);
	session_id_heard(&to_b, B ";remote=" A);
	session_id_sent(&to_a, B ";remote=" A);
	expect(&to_b, A ";remote=" B);
	expect(&to_a, B ";remote=" A);
}

static void a_peer_of_rfc_7329_has_one_for_the_call(void **state)
{
	struct session_id id = { .paired = false };

	(void)state;
	session_id_heard(&id, A);
	expect(&id, A);
	session_id_sent(&id, B);
	expect(&id, B);
}

static void who_is_not_known_is_not_made_up(void **state)
{
	struct session_id id = { .paired = false };
	char text[SESSION_ID_TEXT];

	(void)state;
	assert_false(session_id_text(&id, text));
	session_id_heard(&id, A ";remote=" NIL);
	assert_false(session_id_text(&id, text)); /* who is behind us has said nothing */
	session_id_heard(&id, A " ; Remote=" B);
	expect(&id, B ";remote=" A); /* but the peer knows */
}

static void what_is_no_session_id_changes_nothing(void **state)
{
	static const char *const bad[] = { "",
					   "abc",
					   A "0",
					   "x" A,
					   "0",
					   NIL,
					   ";remote=" A,
					   "g"
					   "b30317f1a784dc48ff824d0d3715d86" };
	struct session_id id = { .paired = false };

	(void)state;
	session_id_heard(&id, A);
	session_id_heard(&id, NULL);
	session_id_sent(&id, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		session_id_heard(&id, bad[i]);
		session_id_sent(&id, bad[i]);
	}
	expect(&id, A);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_ends_are_told_by_their_pair),
		cmocka_unit_test(a_peer_of_rfc_7329_has_one_for_the_call),
		cmocka_unit_test(who_is_not_known_is_not_made_up),
		cmocka_unit_test(what_is_no_session_id_changes_nothing),
	};

	return cmocka_run_group_tests_name("tas/sip/session_id", tests, NULL, NULL);
}
