/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "tas/call/best.h"

static struct ending refused(int status)
{
	return (struct ending){ .cause = cause_from_status(status),
				.by = "b",
				.status = status,
				.trouble = status >= 500 && status < 600 };
}

static const struct ending no_answer = { .cause = CAUSE_NO_ANSWER, .by = "us" };
static const struct ending down = { .cause = CAUSE_NEXT_HOP_DOWN, .by = "us", .trouble = true };
static const struct ending redirected = { .cause = CAUSE_REJECTED, .by = "b" };

/* In both orders. */
static void assert_better(const struct ending *better, const struct ending *worse)
{
	struct best best = { 0 };

	best_note(&best, NULL, worse);
	best_note(&best, NULL, better);
	assert_int_equal(best.ending.cause, better->cause);
	assert_int_equal(best.ending.status, better->status);
	best_done(&best);
	best = (struct best){ 0 };
	best_note(&best, NULL, better);
	best_note(&best, NULL, worse);
	assert_int_equal(best.ending.cause, better->cause);
	assert_int_equal(best.ending.status, better->status);
	best_done(&best);
}

static void what_is_worth_more_is_kept_in_any_order(void **state)
{
	const struct ending order[] = { refused(600), refused(486), no_answer,
					refused(404), redirected,   down };

	(void)state;
	for (size_t better = 0; better < ARRAY_SIZE(order); better++)
		for (size_t worse = better + 1; worse < ARRAY_SIZE(order); worse++)
			assert_better(&order[better], &order[worse]);
}

static void first_of_equals_is_kept(void **state)
{
	struct best best = { 0 };
	struct ending one = refused(403), two = refused(404);
	const struct call_step step = { .label = NULL };

	(void)state;
	best_note(&best, &step, &one);
	best_note(&best, NULL, &two);
	assert_int_equal(best.ending.status, 403);
	assert_ptr_equal(best.step, &step);
	best_done(&best);
}

static void trouble_of_all_is_trouble_and_of_one_is_not(void **state)
{
	struct best best = { 0 };
	struct ending bad = refused(503), busy = refused(486);

	(void)state;
	best_note(&best, NULL, &down);
	assert_true(best.ending.trouble);
	best_note(&best, NULL, &bad);
	assert_true(best.ending.trouble);
	best_note(&best, NULL, &busy);
	assert_false(best.ending.trouble);
	best_note(&best, NULL, &down);
	assert_false(best.ending.trouble);
	best_done(&best);
}

static void texts_are_its_own(void **state)
{
	struct best best = { 0 };
	struct sip_headers headers = { 0 };
	char phrase[] = "Busy", warning[] = "why";
	struct ending busy = refused(486);

	(void)state;
	assert_int_equal(sip_headers_add(&headers, "Reason", "Q.850;cause=17"), 0);
	busy.phrase = phrase;
	busy.warning = warning;
	busy.headers = &headers;
	best_note(&best, NULL, &no_answer);
	best_note(&best, NULL, &busy);
	memset(phrase, 'x', strlen(phrase));
	memset(warning, 'x', strlen(warning));
	sip_headers_done(&headers);
	assert_string_equal(best.ending.phrase, "Busy");
	assert_string_equal(best.ending.warning, "why");
	assert_string_equal(sip_headers_find(best.ending.headers, "Reason"), "Q.850;cause=17");
	busy = refused(603);
	best_note(&best, NULL, &busy);
	assert_null(best.ending.phrase);
	assert_null(best.ending.headers);
	best_done(&best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_worth_more_is_kept_in_any_order),
		cmocka_unit_test(first_of_equals_is_kept),
		cmocka_unit_test(trouble_of_all_is_trouble_and_of_one_is_not),
		cmocka_unit_test(texts_are_its_own),
	};

	return cmocka_run_group_tests_name("tas/call/best", tests, NULL, NULL);
}
