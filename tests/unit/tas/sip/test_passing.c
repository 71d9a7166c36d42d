/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tas/sip/neighbour.h"

#define DECIDE(...) passing_decide(&(struct passing_question){ __VA_ARGS__ })

static void alone_everything_is_ours(void **state)
{
	(void)state;
	for (int kind = MESSAGE_RESPONSE; kind <= MESSAGE_OTHER; kind++)
		assert_int_equal(DECIDE(.kind = (enum message_kind)kind, .known = true,
					.datagram = true, .early = true),
				 PASS_NOT);
}

static void the_heir_decides_about_everything_it_did_not_send(void **state)
{
	(void)state;
	for (int kind = MESSAGE_RESPONSE; kind <= MESSAGE_OTHER; kind++) {
		assert_int_equal(DECIDE(.kind = (enum message_kind)kind, .heir = true),
				 PASS_TO_HEIR);
		assert_int_equal(
			DECIDE(.kind = (enum message_kind)kind, .heir = true, .gives_back = true),
			PASS_TO_HEIR);
		assert_int_equal(
			DECIDE(.kind = (enum message_kind)kind, .heir = true, .by_heir = true),
			PASS_NOT);
	}
	assert_int_equal(DECIDE(.kind = MESSAGE_FIRST_INVITE, .heir = true, .by_heir = true,
				.datagram = true),
			 PASS_BACK);
}

static void what_may_be_of_an_older_one_is_given_back(void **state)
{
	(void)state;
	for (int kind = MESSAGE_RESPONSE; kind <= MESSAGE_INSIDE; kind++)
		assert_int_equal(DECIDE(.kind = (enum message_kind)kind, .heir = true,
					.by_heir = true, .gives_back = true),
				 PASS_BACK);
	assert_int_equal(
		DECIDE(.kind = MESSAGE_OTHER, .heir = true, .by_heir = true, .gives_back = true),
		PASS_NOT);
}

static void the_elder_gets_what_may_be_of_its_calls(void **state)
{
	(void)state;
	assert_int_equal(DECIDE(.kind = MESSAGE_RESPONSE, .elder = true), PASS_TO_ELDER);
	assert_int_equal(DECIDE(.kind = MESSAGE_INSIDE, .elder = true, .known = true),
			 PASS_TO_ELDER);
	assert_int_equal(DECIDE(.kind = MESSAGE_INSIDE, .elder = true), PASS_NOT);
	assert_int_equal(DECIDE(.kind = MESSAGE_OTHER, .elder = true, .known = true), PASS_NOT);
}

static void a_first_invite_goes_there_only_by_udp_and_soon(void **state)
{
	(void)state;
	assert_int_equal(DECIDE(.kind = MESSAGE_FIRST_INVITE, .elder = true, .known = true,
				.datagram = true, .early = true),
			 PASS_TO_ELDER);
	assert_int_equal(DECIDE(.kind = MESSAGE_FIRST_INVITE, .elder = true, .known = true,
				.datagram = true),
			 PASS_NOT);
	assert_int_equal(
		DECIDE(.kind = MESSAGE_FIRST_INVITE, .elder = true, .known = true, .early = true),
		PASS_NOT);
}

/* .elder is the next one to be asked. */
static void when_all_were_asked_it_is_ours(void **state)
{
	(void)state;
	for (int kind = MESSAGE_RESPONSE; kind <= MESSAGE_OTHER; kind++)
		assert_int_equal(DECIDE(.kind = (enum message_kind)kind, .elder = false,
					.known = true, .datagram = true, .early = true),
				 PASS_NOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone_everything_is_ours),
		cmocka_unit_test(the_heir_decides_about_everything_it_did_not_send),
		cmocka_unit_test(the_elder_gets_what_may_be_of_its_calls),
		cmocka_unit_test(a_first_invite_goes_there_only_by_udp_and_soon),
		cmocka_unit_test(what_may_be_of_an_older_one_is_given_back),
		cmocka_unit_test(when_all_were_asked_it_is_ours),
	};

	return cmocka_run_group_tests_name("tas/sip/passing", tests, NULL, NULL);
}
