/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/metrics.h"

static struct metric calls = METRIC_COUNTER_INIT("breakout_calls_total", NULL, "calls");
static struct metric active = METRIC_GAUGE_INIT("breakout_active", "leg=\"a\"", "active");
static struct metric untouched = METRIC_GAUGE_INIT("breakout_untouched", NULL, "never moved");
static struct metric shared[8];

static void count_named(const struct metric *metric, void *arg)
{
	assert_ptr_not_equal(metric, &untouched);
	*(int *)arg += metric == &calls || metric == &active;
}

static void a_metric_is_listed_once_from_its_first_move_on(void **state)
{
	int seen = 0;

	(void)state;
	metrics_each(count_named, &seen);
	assert_int_equal(seen, 0);
	metric_add(&calls, 1);
	metric_add(&calls, 2);
	metric_set(&active, 7);
	metric_add(&active, -3);
	metrics_each(count_named, &seen);
	assert_int_equal(seen, 2);
	assert_int_equal(metric_get(&calls), 3);
	assert_int_equal(metric_get(&active), 4);
}

static void *move_all(void *arg)
{
	for (int i = 0; i < 20000; i++)
		metric_add(&shared[i % (int)ARRAY_SIZE(shared)], 1);
	return arg;
}

static void count_shared(const struct metric *metric, void *arg)
{
	*(int *)arg += metric >= shared && metric < shared + ARRAY_SIZE(shared);
}

static void threads_lose_no_counts_and_no_metrics(void **state)
{
	pthread_t threads[4];
	int64_t sum = 0;
	int seen = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, move_all, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		sum += metric_get(&shared[i]);
	assert_int_equal(sum, 80000);
	metrics_each(count_shared, &seen);
	assert_int_equal(seen, ARRAY_SIZE(shared));
}

static void the_text_has_one_head_a_name_and_its_label_sets_below(void **state)
{
	static struct metric up = METRIC_GAUGE_INIT("breakout_lines", "state=\"up\"", "lines");
	static struct metric down = METRIC_GAUGE_INIT("breakout_lines", "state=\"down\"", "lines");
	struct str text = { 0 };
	const char *head;

	(void)state;
	metric_set(&up, 2);
	metric_add(&calls, 0);
	metric_set(&down, -1);
	metrics_text(&text);
	head = strstr(text.text, "# HELP breakout_lines lines\n# TYPE breakout_lines gauge\n");
	assert_non_null(head);
	assert_null(strstr(head + 1, "# HELP breakout_lines"));
	head = strchr(strchr(head, '\n') + 1, '\n') + 1;
	assert_true(str_starts(head, "breakout_lines{state=\"down\"} -1\n"
				     "breakout_lines{state=\"up\"} 2\n"));
	assert_non_null(strstr(text.text, "# TYPE breakout_calls_total counter\n"
					  "breakout_calls_total 3\n"));
	str_done(&text);
}

static void what_is_hidden_is_not_told_until_it_is_set_again(void **state)
{
	static struct metric here = METRIC_GAUGE_INIT("breakout_guests", "who=\"a\"", "guests");
	static struct metric gone = METRIC_GAUGE_INIT("breakout_guests", "who=\"b\"", "guests");
	struct str text = { 0 };

	(void)state;
	metric_set(&here, 1);
	metric_set(&gone, 1);
	metric_hide(&gone);
	metrics_text(&text);
	assert_non_null(strstr(text.text, "breakout_guests{who=\"a\"} 1\n"));
	assert_null(strstr(text.text, "who=\"b\""));
	str_done(&text);
	metric_set(&gone, 2);
	metrics_text(&text);
	assert_non_null(strstr(text.text, "breakout_guests{who=\"b\"} 2\n"));
	str_done(&text);
}

static void a_family_has_a_metric_for_each_of_a_few_values(void **state)
{
	static struct metric_family family = { .name = "breakout_rooms",
					       .help = "rooms",
					       .before = "floor=\"1\",",
					       .label = "house",
					       .kind = METRIC_GAUGE };
	struct metric *red = metric_of(&family, "red");
	struct str text = { 0 };
	char name[16];

	(void)state;
	assert_ptr_equal(metric_of(&family, "red"), red);
	assert_ptr_not_equal(metric_of(&family, "blue"), red);
	metric_set(red, 4);
	metric_set(metric_of(&family, "blue"), 5);
	metrics_text(&text);
	assert_non_null(strstr(text.text, "breakout_rooms{floor=\"1\",house=\"red\"} 4\n"));
	assert_non_null(strstr(text.text, "breakout_rooms{floor=\"1\",house=\"blue\"} 5\n"));
	str_done(&text);
	metric_hide_all(&family);
	metric_set(red, 6);
	metrics_text(&text);
	assert_non_null(strstr(text.text, "house=\"red\"} 6\n"));
	assert_null(strstr(text.text, "house=\"blue\""));
	str_done(&text);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		red = metric_of(&family, name);
	}
	assert_null(red); /* they are no few any more */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_metric_is_listed_once_from_its_first_move_on),
		cmocka_unit_test(the_text_has_one_head_a_name_and_its_label_sets_below),
		cmocka_unit_test(what_is_hidden_is_not_told_until_it_is_set_again),
		cmocka_unit_test(a_family_has_a_metric_for_each_of_a_few_values),
		cmocka_unit_test(threads_lose_no_counts_and_no_metrics),
	};
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
