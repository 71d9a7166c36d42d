/* SPDX-License-Identifier: Apache-2.0 */
/* test_diversion.c - the same diversions in both spellings, after RFC 7544. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above before it */
#include <cmocka.h>

#include "tas/sip/diversion.h"

#define TARGET "sip:+4700@pbx;transport=tcp"

static void fill(struct sip_headers *headers, const char *name, const char *const *values)
{
	for (; *values; values++)
		assert_int_equal(sip_headers_add(headers, name, *values), 0);
}

/* One line a diversion, oldest first: "user reason times hidden". */
static void assert_read(const struct sip_headers *headers, const char *wanted)
{
	struct diversions diversions = { 0 };
	struct str text = { 0 };
	char *got;

	assert_int_equal(diversions_read(&diversions, headers), 0);
	for (size_t i = 0; i < diversions.count; i++)
		str_addf(&text, "%s %s %u%s\n", diversions.items[i].by.user,
			 diversion_reason_name(diversions.items[i].reason),
			 diversions.items[i].times, diversions.items[i].hidden ? " hidden" : "");
	got = str_take(&text);
	assert_string_equal(got, wanted);
	free(got);
	diversions_done(&diversions);
}

static void assert_values(const struct sip_headers *headers, const char *const *wanted)
{
	size_t count = 0;

	for (; wanted[count]; count++) {
		assert_true(count < headers->count);
		assert_string_equal(headers->items[count].value, wanted[count]);
	}
	assert_int_equal(headers->count, count);
}

static void diversion_headers_are_read_oldest_first(void **state)
{
	static const char *const values[] = {
		"<sip:c@h>;reason=unconditional;privacy=off;counter=1",
		"\"B, b\" <sip:b@h>;reason=\"user-busy\";privacy=full, <tel:+47a>;reason=odd",
		NULL,
	};
	struct sip_headers headers = { 0 };

	(void)state;
	fill(&headers, "diversion", values);
	assert_read(&headers, "+47a unknown 1\nb user-busy 1 hidden\nc unconditional 1\n");
	sip_headers_done(&headers);
}

static void history_is_read_where_a_cause_says_diversion(void **state)
{
	static const char *const values[] = {
		"<sip:a@h?Privacy=history>;index=1",
		"<sip:b@h;cause=302?privacy=none>;index=1.1;mp=1, <sip:c@h;cause=486>;index=1.1.1",
		"<sip:d@h>;index=1.1.1.1;rc=1.1.1",    /* sent on, not diverted */
		"<sip:e@h;cause=380>;index=1.1.1.1.1", /* a service number */
		"<sip:f@h?Reason=SIP%3Bcause%3D408>;index=1.1.1.1.1.1",
		NULL,
	};
	struct sip_headers headers = { 0 };

	(void)state;
	fill(&headers, "History-Info", values);
	assert_read(&headers, "a unconditional 1 hidden\nb user-busy 1\ne no-answer 1\n");
	sip_headers_done(&headers);
}

static void the_index_names_who_diverted(void **state)
{
	static const char *const values[] = {
		"<sip:a@h>;index=1",
		"<sip:b@h>;index=1.1",                  /* tried, failed */
		"<sip:c@h;cause=408>;index=1.2",        /* a's doing, not b's */
		"<sip:d@h;cause=487>;index=1.3;mp=1.2", /* c's */
		NULL,
	};
	struct sip_headers headers = { 0 };

	(void)state;
	fill(&headers, "History-Info", values);
	assert_read(&headers, "a no-answer 1\nc deflection 1\n");
	sip_headers_done(&headers);
}

static void history_without_diversion_leaves_the_word_to_diversion(void **state)
{
	static const char *const history[] = { "<sip:a@h>;index=1, <sip:b@h>;index=1.1", NULL };
	static const char *const diversion[] = { "<sip:z@h>;reason=away", NULL };
	struct sip_headers headers = { 0 };

	(void)state;
	fill(&headers, "History-Info", history);
	fill(&headers, "Diversion", diversion);
	assert_read(&headers, "z away 1\n");
	sip_headers_done(&headers);
}

/* After the examples of RFC 7544: each spelling becomes the other. */
static void the_two_spellings_turn_into_each_other(void **state)
{
	static const char *const diversion[] = {
		"<sip:u3@h>;reason=unconditional;counter=1;privacy=off",
		"<sip:u2@h>;reason=user-busy;counter=1;privacy=full",
		"<sip:u1@h>;reason=no-answer;counter=1;privacy=off",
		NULL,
	};
	static const char *const history[] = {
		"<sip:u1@h>;index=1",
		"<sip:u2@h;cause=408?Privacy=history>;index=1.1;mp=1",
		"<sip:u3@h;cause=486>;index=1.1.1;mp=1.1",
		"<sip:+4700@pbx;cause=302>;index=1.1.1.1;mp=1.1.1",
		NULL,
	};
	struct sip_headers from = { 0 }, there = { 0 }, back = { 0 };
	struct diversions diversions = { 0 };

	(void)state;
	fill(&from, "Diversion", diversion);
	assert_int_equal(diversions_read(&diversions, &from), 0);
	assert_int_equal(diversions_add_history(&diversions, TARGET, &there), 0);
	diversions_done(&diversions);
	assert_values(&there, history);
	assert_int_equal(diversions_read(&diversions, &there), 0);
	assert_int_equal(diversions_add_diversion(&diversions, &back), 0);
	diversions_done(&diversions);
	assert_values(&back, diversion);
	sip_headers_done(&from);
	sip_headers_done(&there);
	sip_headers_done(&back);
}

static void a_counter_becomes_entries_without_a_name_and_back(void **state)
{
	static const char *const diversion[] = { "<sip:a@h>;reason=deflection;counter=3;limit=5",
						 NULL };
	static const char *const history[] = {
		"<sip:a@h>;index=1",
		"<sip:unknown@unknown.invalid;cause=404>;index=1.1;mp=1",
		"<sip:unknown@unknown.invalid;cause=404>;index=1.1.1;mp=1.1",
		"<sip:+4700@pbx;cause=480>;index=1.1.1.1;mp=1.1.1",
		NULL,
	};
	struct sip_headers from = { 0 }, there = { 0 }, again = { 0 };
	struct diversions diversions = { 0 };

	(void)state;
	fill(&from, "Diversion", diversion);
	assert_int_equal(diversions_read(&diversions, &from), 0);
	assert_int_equal(diversions_add_history(&diversions, TARGET, &there), 0);
	assert_values(&there, history);
	assert_read(&there, "a deflection 3\n");
	assert_int_equal(diversions_add_diversion(&diversions, &again), 0);
	assert_string_equal(again.items[0].value,
			    "<sip:a@h>;reason=deflection;counter=3;privacy=off;limit=5");
	diversions_done(&diversions);
	sip_headers_done(&from);
	sip_headers_done(&there);
	sip_headers_done(&again);
}

static void every_reason_survives_as_far_as_history_can_say_it(void **state)
{
	(void)state;
	for (int i = 0; i < DIVERSION_REASON_COUNT; i++) {
		struct sip_headers from = { 0 }, there = { 0 };
		struct diversions diversions = { 0 };
		char value[64], wanted[64];
		enum diversion_reason reason = (enum diversion_reason)i;
		bool sayable = diversion_reason_cause(reason) != 404;

		snprintf(value, sizeof(value), "<sip:a@h>;reason=%s",
			 diversion_reason_name(reason));
		snprintf(wanted, sizeof(wanted), "a %s 1\n",
			 sayable ? diversion_reason_name(reason) : "unknown");
		assert_int_equal(sip_headers_add(&from, "Diversion", value), 0);
		assert_int_equal(diversions_read(&diversions, &from), 0);
		assert_int_equal(diversions_add_history(&diversions, TARGET, &there), 0);
		assert_read(&there, wanted);
		diversions_done(&diversions);
		sip_headers_done(&from);
		sip_headers_done(&there);
	}
}

static void a_flood_is_cut(void **state)
{
	struct sip_headers from = { 0 }, there = { 0 };
	struct diversions diversions = { 0 };

	(void)state;
	for (int i = 0; i < 200; i++)
		assert_int_equal(
			sip_headers_add(&from, "Diversion", "<sip:a@h>;counter=4000000000"), 0);
	assert_int_equal(diversions_read(&diversions, &from), 0);
	assert_int_equal(diversions.count, DIVERSIONS_MAX);
	assert_int_equal(diversions.items[0].times, DIVERSIONS_MAX);
	assert_int_equal(diversions_add_history(&diversions, TARGET, &there), 0);
	assert_int_equal(there.count, DIVERSIONS_MAX + 1);
	diversions_done(&diversions);
	sip_headers_done(&there);
	sip_headers_done(&from);
	for (int i = 0; i < 200; i++)
		assert_int_equal(
			sip_headers_add(&from, "History-Info", "<sip:a@h;cause=302>;index=1;mp=1"),
			0);
	assert_int_equal(diversions_read(&diversions, &from), 0);
	assert_true(diversions.count <= DIVERSIONS_MAX);
	diversions_done(&diversions);
	sip_headers_done(&from);
}

static void what_cannot_be_read_is_left_out(void **state)
{
	static const char *const values[] = { "nonsense",
					      "<sip:a@h",
					      "<sip:%00@h>;reason=away",
					      "<sip:b@h>;counter=x;reason=;privacy=\"",
					      ",,",
					      "<sip:c@h>;counter=0",
					      NULL };
	struct sip_headers headers = { 0 };

	(void)state;
	fill(&headers, "Diversion", values);
	fill(&headers, "History-Info", values);
	assert_read(&headers, "c unknown 1\n");
	sip_headers_done(&headers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(diversion_headers_are_read_oldest_first),
		cmocka_unit_test(history_is_read_where_a_cause_says_diversion),
		cmocka_unit_test(the_index_names_who_diverted),
		cmocka_unit_test(history_without_diversion_leaves_the_word_to_diversion),
		cmocka_unit_test(the_two_spellings_turn_into_each_other),
		cmocka_unit_test(a_counter_becomes_entries_without_a_name_and_back),
		cmocka_unit_test(every_reason_survives_as_far_as_history_can_say_it),
		cmocka_unit_test(a_flood_is_cut),
		cmocka_unit_test(what_cannot_be_read_is_left_out),
	};

	return cmocka_run_group_tests_name("tas/sip/diversion", tests, NULL, NULL);
}
