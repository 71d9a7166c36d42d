/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tas/vitals/vital.h"

#define NOW 100000

static const struct config_health_check rules = {
	.does = HEALTH_DOES_WITHDRAW, .every_ms = 1000, .sick_after_ms = 3000, .well_after_ms = 5000
};

static bool hear(struct vital *vital, bool ok, mono_ms at)
{
	return vital_heard(vital, &rules, ok, ok ? "" : "it is broken", NOW + at);
}

static void it_is_sick_once_every_look_has_failed_for_so_long(void **state)
{
	struct vital vital = { 0 };

	(void)state;
	assert_false(hear(&vital, true, 0));
	for (int i = 1; i < 4; i++)
		assert_false(hear(&vital, false, i * 1000));
	assert_true(vital.failing);
	assert_false(vital.sick);
	assert_true(hear(&vital, false, 4000));
	assert_true(vital.sick);
	assert_int_equal(vital.since, NOW + 1000); /* the first sign of it */
	assert_string_equal(vital.why, "it is broken");
	assert_false(hear(&vital, false, 5000)); /* said once */
}

static void one_look_that_passes_begins_the_count_anew(void **state)
{
	struct vital vital = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_false(hear(&vital, i % 3 == 0, i * 1000));
	assert_false(vital.sick);
}

static void it_is_well_once_every_look_has_passed_for_so_long(void **state)
{
	struct vital vital = { 0 };

	(void)state;
	hear(&vital, false, 0);
	assert_true(hear(&vital, false, 3000));
	assert_false(hear(&vital, true, 4000));
	assert_false(hear(&vital, true, 8000));
	assert_false(hear(&vital, false, 8500)); /* not yet */
	assert_false(hear(&vital, true, 9000));
	assert_false(hear(&vital, true, 13000));
	assert_true(vital.sick);
	assert_true(hear(&vital, true, 14000));
	assert_false(vital.sick);
	assert_int_equal(vital.since, NOW);
	hear(&vital, false, 20000);
	assert_int_equal(vital.since, NOW + 20000);
}

static void without_patience_one_look_is_enough(void **state)
{
	const struct config_health_check hasty = { .does = HEALTH_DOES_WITHDRAW };
	struct vital vital = { 0 };

	(void)state;
	assert_true(vital_heard(&vital, &hasty, false, "x", NOW));
	assert_true(vital_heard(&vital, &hasty, true, "", NOW));
}

static void what_only_reports_or_was_never_well_does_not_count(void **state)
{
	struct config_health_check other = rules;
	struct vital vital = { .sick = true };

	(void)state;
	assert_true(vital_counts(&vital, &rules));
	other.does = HEALTH_DOES_REPORT;
	assert_false(vital_counts(&vital, &other));
	other.does = HEALTH_DOES_PROVEN;
	assert_false(vital_counts(&vital, &other));
	vital.proven = true;
	assert_true(vital_counts(&vital, &other));
	vital.sick = false;
	assert_false(vital_counts(&vital, &other));
}

static void looks_come_as_often_as_configured(void **state)
{
	struct config_health_check off = rules;
	struct vital vital = { 0 };

	(void)state;
	assert_true(vital_is_due(&vital, &rules, NOW));
	assert_false(vital_is_due(&vital, &rules, NOW + 999));
	assert_true(vital_is_due(&vital, &rules, NOW + 1000));
	off.does = HEALTH_DOES_NOTHING;
	assert_false(vital_is_due(&vital, &off, NOW + 9000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_sick_once_every_look_has_failed_for_so_long),
		cmocka_unit_test(one_look_that_passes_begins_the_count_anew),
		cmocka_unit_test(it_is_well_once_every_look_has_passed_for_so_long),
		cmocka_unit_test(without_patience_one_look_is_enough),
		cmocka_unit_test(what_only_reports_or_was_never_well_does_not_count),
		cmocka_unit_test(looks_come_as_often_as_configured),
	};

	return cmocka_run_group_tests_name("tas/vitals/vital", tests, NULL, NULL);
}
