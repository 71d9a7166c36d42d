/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "base/metrics.h"
#include "tests/fake/call_rig.h"

static void cdr_tells_numbers_times_and_packets(void **state)
{
	struct rig *rig = *state;
	struct leg *b;
	char cdr[4096];

	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	fake_media_reply(fake_media_last(), "offer-for-b");
	b = fake_leg_last();
	clock_fake_advance(250);
	fake_leg_event(b, LEG_EV_PROVISIONAL, 180, NULL);
	clock_fake_advance(1000);
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(fake_media_last(), "answer-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	clock_fake_advance(60000);
	fake_leg_end(rig->a, LEG_END_BYE, 200);

	assert_non_null(strstr(rig->start_line, " to=+4712***78 "));
	rig_read_cdr(rig, cdr, sizeof(cdr));
	assert_int_equal(strncmp(cdr, "{\"schema\":1,\"id\":\"", 18), 0);
	assert_non_null(strstr(cdr, "\"ring\":\"2023-11-14T22:13:20.373Z\","
				    "\"answer\":\"2023-11-14T22:13:21.373Z\","
				    "\"end\":\"2023-11-14T22:14:21.373Z\""));
	assert_non_null(strstr(cdr, "\"call_id_b\":\"call-2\""));
	assert_non_null(strstr(cdr, "\"source_b\":\"192.0.2.1:5061\",\"transport_b\":\"tls\""));
	assert_non_null(strstr(cdr, "\"start\":\"2023-11-14T22:13:20.123Z\""));
	assert_non_null(strstr(cdr, "\"from\":\"+4799000001\""));
	assert_non_null(
		strstr(cdr, "\"cause\":\"normal\",\"q850\":16,\"status\":200,\"ended_by\":\"a\""));
	assert_non_null(strstr(
		cdr, "\"pdd_ms\":250,\"ring_ms\":1000,\"talk_ms\":60000,\"duration_ms\":61250"));
	assert_non_null(
		strstr(cdr, "\"media\":\"anchored\",\"a\":{\"codec\":\"PCMA\",\"packets_in\":111"));
	assert_non_null(strstr(cdr, "\"b\":{\"codec\":\"PCMA\",\"packets_in\":222"));
}

static void a_bypassed_call_says_why(void **state)
{
	struct rig *rig = *state;
	char cdr[4096];

	rig_start(rig, "offer-a", RIG_PLAN(rig_passed()));
	fake_leg_event(fake_leg_last(), LEG_EV_ANSWERED, 200, "answer-b");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_end(rig->a, LEG_END_BYE, 200);

	rig_read_cdr(rig, cdr, sizeof(cdr));
	assert_non_null(strstr(cdr, "\"media\":\"passed\",\"bypass\":\"untouched\",\"a\":"));
}

static void sum_overload(const struct metric *metric, void *arg)
{
	if (!strcmp(metric->name, "breakout_calls_bypassed_total") &&
	    !strcmp(metric->labels, "why=\"overload\""))
		*(int64_t *)arg += metric_get(metric);
}

static void a_bypassed_call_counts_once_however_many_addresses_it_takes(void **state)
{
	struct rig *rig = *state;
	struct call_step first = rig_passed(), second = rig_passed();
	int64_t before = 0, after = 0;

	first.bypass = second.bypass = CALL_BYPASS_OVERLOAD;
	second.other_address = true;
	metrics_each(sum_overload, &before);
	rig_start(rig, "offer-a", RIG_PLAN(first, second));
	fake_leg_end(fake_leg_last(), LEG_END_TIMEOUT, 408);
	fake_leg_event(fake_leg_last(), LEG_EV_ANSWERED, 200, "answer-b");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	metrics_each(sum_overload, &after);
	assert_int_equal(after - before, 1);
}

static void a_loop_without_a_media_port_says_so(void **state)
{
	struct rig *rig = *state;
	char cdr[4096];

	fake_media_create_fails(-ENOSPC);
	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	fake_media_create_fails(0);
	fake_leg_event(fake_leg_last(), LEG_EV_ANSWERED, 200, "answer-b");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_end(rig->a, LEG_END_BYE, 200);

	rig_read_cdr(rig, cdr, sizeof(cdr));
	assert_non_null(strstr(cdr, "\"bypass\":\"no media\""));
}

static void what_never_came_is_null(void **state)
{
	struct rig *rig = *state;
	char cdr[4096];

	rig_start(rig, "offer-a", RIG_PLAN(rig_reject(603)));
	rig_read_cdr(rig, cdr, sizeof(cdr));
	assert_non_null(strstr(cdr, "\"ring\":null,\"answer\":null,\"end\":\"2023"));
	assert_null(strstr(cdr, "_b\":\"call")); /* nor is anything said of a B */
	assert_null(strstr(cdr, "source_b"));
}

static void hostile_texts_stay_inside_their_json_strings(void **state)
{
	struct rig *rig = *state;
	char cdr[4096];

	rig->a = fake_leg_incoming("+1\",\"cause\":\"x\n", "\\\"", "offer");
	assert_int_equal(call_start(rig->room, rig->a, RIG_PLAN(rig_reject(603))), 0);
	rig_read_cdr(rig, cdr, sizeof(cdr));
	assert_non_null(strstr(cdr, "\"to\":\"+1\\\",\\\"cause\\\":\\\"x\\u000a\""));
	assert_non_null(strstr(cdr, "\"from\":\"\\\\\\\"\""));
}

static void log_masks_the_numbers(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_reject(603)));
	assert_null(strstr(rig->end_line, "99000001"));
	assert_non_null(strstr(rig->end_line, "pdd_ms=-1 ring_ms=-1 talk_ms=0"));
}

static void sum_rejected(const struct metric *metric, void *arg)
{
	if (!strcmp(metric->name, "breakout_calls_total") && metric->labels &&
	    !strcmp(metric->labels, "result=\"rejected\""))
		*(int64_t *)arg += metric_get(metric);
}

static void every_end_is_counted_by_cause(void **state)
{
	struct rig *rig = *state;
	int64_t before = 0, after = 0;

	metrics_each(sum_rejected, &before);
	rig_start(rig, "offer-a", RIG_PLAN(rig_reject(603)));
	metrics_each(sum_rejected, &after);
	assert_int_equal(after, before + 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(cdr_tells_numbers_times_and_packets),
		T(a_bypassed_call_says_why),
		T(a_bypassed_call_counts_once_however_many_addresses_it_takes),
		T(a_loop_without_a_media_port_says_so),
		T(what_never_came_is_null),
		T(hostile_texts_stay_inside_their_json_strings),
		T(log_masks_the_numbers),
		T(every_end_is_counted_by_cause),
	};

	return cmocka_run_group_tests_name("tas/call/record", tests, NULL, NULL);
}
