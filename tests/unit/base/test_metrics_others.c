/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/macros.h"
#include "base/metrics_others.h"

static struct metric ended = METRIC_COUNTER_INIT("breakout_ended_total", "how=\"well\"", "ended");
static struct metric active = METRIC_GAUGE_SUM_INIT("breakout_active", NULL, "active");
static struct metric level = METRIC_GAUGE_INIT("breakout_level", NULL, "level");

#define OLD   4711
#define OLDER 4710

/* A piece as another process tells it. */
static void pack(struct str *to, const char *name, const char *labels, bool counter, int64_t value)
{
	pack_text(to, name);
	pack_text(to, labels);
	pack_text(to, "of others");
	pack_number(to, counter);
	pack_number(to, (uint64_t)value);
}

static int take(int process, struct str *piece)
{
	struct unpack from = { .at = piece->text, .end = piece->text + piece->length };
	int err = metrics_take(process, &from);

	str_done(piece);
	return err;
}

static void other_has(int process, const char *name, const char *labels, bool counter,
		      int64_t value)
{
	struct str piece = { 0 };

	pack(&piece, name, labels, counter, value);
	assert_int_equal(take(process, &piece), 0);
}

static void assert_told(const char *line)
{
	struct str text = { 0 };
	const char *at;

	metrics_text(&text);
	at = strstr(text.text, line);
	if (!at)
		fail_msg("no %s in\n%s", line, text.text);
	assert_null(strstr(at + 1, line));
	str_done(&text);
}

static int teardown(void **state)
{
	(void)state;
	metrics_other_left(OLD);
	metrics_other_left(OLDER);
	metric_set(&active, 0);
	return 0;
}

static void what_is_shown_is_the_sum_of_all(void **state)
{
	(void)state;
	metric_add(&ended, 1);
	metric_set(&active, 2);
	other_has(OLD, "breakout_ended_total", "how=\"well\"", true, 10);
	other_has(OLD, "breakout_active", "", false, 5);
	other_has(OLDER, "breakout_active", "", false, 1);
	assert_told("# TYPE breakout_active gauge\nbreakout_active 8\n");
	assert_told("breakout_ended_total{how=\"well\"} 11\n");
	assert_int_equal(metric_sum(&active), 8);
	assert_int_equal(metric_get(&active), 2);
	other_has(OLD, "breakout_active", "", false, 3); /* instead of 5 */
	assert_told("breakout_active 6\n");
}

static void what_only_others_have_is_shown_in_its_family(void **state)
{
	(void)state;
	other_has(OLD, "breakout_ended_total", "how=\"badly\"", true, 4);
	other_has(OLD, "breakout_strange_total", "", true, 9);
	assert_told(
		"# TYPE breakout_ended_total counter\n"
		"breakout_ended_total{how=\"badly\"} 4\nbreakout_ended_total{how=\"well\"} 1\n");
	assert_told("# HELP breakout_strange_total of others\n"
		    "# TYPE breakout_strange_total counter\nbreakout_strange_total 9\n");
}

static void counters_of_one_that_has_ended_stay_and_gauges_go(void **state)
{
	static struct metric carried = METRIC_COUNTER_INIT("breakout_carried_total", NULL, "c");

	(void)state;
	metric_add(&carried, 1);
	other_has(OLD, "breakout_carried_total", "", true, 10);
	other_has(OLD, "breakout_active", "", false, 5);
	metrics_other_ended(OLD);
	metrics_other_ended(OLD); /* once is enough */
	assert_told("breakout_carried_total 11\n");
	assert_told("breakout_active 0\n");
	metric_add(&carried, 1);
	assert_told("breakout_carried_total 12\n");
}

static void one_that_tells_somebody_else_leaves_nothing(void **state)
{
	(void)state;
	other_has(OLD, "breakout_left_total", "", true, 10);
	metrics_other_left(OLD);
	assert_told("breakout_left_total 0\n");
}

/* ---- what is told ---- */

static struct str told;
static unsigned pieces;

static int keep(const struct str *packed, void *arg)
{
	str_add_n(&told, packed->text, packed->length);
	pieces++;
	return *(int *)arg;
}

/* -1: it is not among what was told. */
static int64_t told_of(const char *name)
{
	struct unpack from = { .at = told.text, .end = told.text + told.length };
	char text[512];
	int64_t value = -1;

	while (told.text && from.at < from.end && !from.failed) {
		bool found;

		unpack_text(&from, text, sizeof(text));
		found = strcmp(text, name) == 0;
		unpack_text(&from, text, sizeof(text));
		unpack_text(&from, text, sizeof(text));
		(void)unpack_number(&from);
		if (found)
			value = (int64_t)unpack_number(&from);
		else
			(void)unpack_number(&from);
	}
	assert_false(from.failed);
	return value;
}

static void tell(bool all)
{
	int err = 0;

	str_done(&told);
	pieces = 0;
	assert_int_equal(metrics_tell(all, keep, &err), 0);
}

static void told_is_ours_with_what_ended_ones_left(void **state)
{
	static struct metric sent = METRIC_COUNTER_INIT("breakout_sent_total", NULL, "sent");

	(void)state;
	metric_add(&sent, 2);
	metric_set(&active, 3);
	metric_set(&level, 7);
	other_has(OLDER, "breakout_sent_total", "", true, 20);
	other_has(OLDER, "breakout_theirs_total", "", true, 30);
	metrics_other_ended(OLDER);
	other_has(OLD, "breakout_sent_total", "", true, 500); /* tells it itself */
	other_has(OLD, "breakout_active", "", false, 500);
	tell(true);
	assert_int_equal(told_of("breakout_sent_total"), 22);
	assert_int_equal(told_of("breakout_theirs_total"), 30);
	assert_int_equal(told_of("breakout_active"), 3);
	assert_int_equal(told_of("breakout_level"), -1);
	tell(false);
	assert_int_equal(pieces, 0);
	metric_add(&sent, 1);
	tell(false);
	assert_int_equal(told_of("breakout_sent_total"), 23);
	assert_int_equal(told_of("breakout_active"), -1);
	str_done(&told);
}

static void what_a_living_one_told_is_passed_on(void **state)
{
	int err = 0;

	(void)state;
	metric_set(&active, 3);
	other_has(OLD, "breakout_active", "", false, 5);
	assert_int_equal(metrics_tell_of(OLD, keep, &err), 0);
	assert_int_equal(told_of("breakout_active"), 5);
	str_done(&told);
	assert_int_equal(metrics_tell_of(OLDER, keep, &err), 0);
	assert_null(told.text);
}

static void many_are_told_in_pieces_that_fit_into_a_frame(void **state)
{
	char name[64];
	int err = -EPIPE;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "breakout_many_%d_total", i);
		other_has(OLDER, name, "", true, i);
	}
	metrics_other_ended(OLDER);
	tell(true);
	assert_true(pieces > 2);
	assert_true(told.length / pieces < FD_LINK_ROOM / 2);
	assert_int_equal(told_of("breakout_many_1999_total"), 1999);
	assert_int_equal(metrics_tell(true, keep, &err), -EPIPE);
	str_done(&told);
}

static void half_a_piece_and_one_process_too_many_are_refused(void **state)
{
	struct str piece = { 0 };

	(void)state;
	pack(&piece, "breakout_active", "", false, 5);
	piece.length -= 1;
	assert_int_equal(take(OLD, &piece), -EPROTO);
	for (int i = 1; i < METRICS_OTHERS_MAX; i++)
		other_has(i, "breakout_active", "", false, 1);
	pack(&piece, "breakout_active", "", false, 5);
	assert_int_equal(take(OLDER, &piece), -ENOSPC);
	for (int i = 1; i < METRICS_OTHERS_MAX; i++)
		metrics_other_left(i);
	other_has(OLDER, "breakout_active", "", false, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_is_shown_is_the_sum_of_all, teardown),
		cmocka_unit_test_teardown(what_only_others_have_is_shown_in_its_family, teardown),
		cmocka_unit_test_teardown(counters_of_one_that_has_ended_stay_and_gauges_go,
					  teardown),
		cmocka_unit_test_teardown(one_that_tells_somebody_else_leaves_nothing, teardown),
		cmocka_unit_test_teardown(told_is_ours_with_what_ended_ones_left, teardown),
		cmocka_unit_test_teardown(what_a_living_one_told_is_passed_on, teardown),
		cmocka_unit_test_teardown(many_are_told_in_pieces_that_fit_into_a_frame, teardown),
		cmocka_unit_test_teardown(half_a_piece_and_one_process_too_many_are_refused,
					  teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
