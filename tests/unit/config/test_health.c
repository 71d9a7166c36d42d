/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

static void the_defaults_withdraw_what_is_certain_and_report_the_rest(void **state)
{
	struct config *config = expect_config(BASE);
	const struct config_health *health = &config->health;

	(void)state;
	assert_int_equal(health->gate, HEALTH_GATE_WITHDRAW);
	assert_int_equal(health->self_call.does, HEALTH_DOES_PROVEN);
	assert_int_equal(health->self_call.every_ms, 5000);
	assert_int_equal(health->self_call.sick_after_ms, 15000);
	assert_int_equal(health->self_call.well_after_ms, 60000);
	assert_int_equal(health->self_call_timeout_ms, 3000);
	assert_null(health->self_call_to);
	assert_int_equal(health->sip.does, HEALTH_DOES_WITHDRAW);
	assert_int_equal(health->media.does, HEALTH_DOES_WITHDRAW);
	assert_int_equal(health->dns.does, HEALTH_DOES_REPORT);
	assert_int_equal(health->store.does, HEALTH_DOES_REPORT);
	assert_int_equal(health->trunks.does, HEALTH_DOES_REPORT);
	assert_int_equal(health->watchdog_after_ms, 30000);
	assert_int_equal(health->watchdog_unseen_after_ms, 600000);
	assert_true(health->watchdog_kills);
	config_destroy(config);
}

static void each_check_can_be_set(void **state)
{
	struct config *config = expect_config(
		BASE "health:\n  gate: report\n  rate: 50\n"
		     "  self_call: { do: withdraw, every: 100ms, sick_after: 300ms, "
		     "to: \"tas.example.com:5061\" }\n"
		     "  dns: { addresses: [ 192.0.2.7, \"2001:db8::7\" ] }\n"
		     "  trunks: { do: off, well_after: 0s }\n"
		     "  watchdog: { after: 1s, kill_hung: false, unseen_after: 0s }\n");
	const struct config_health *health = &config->health;

	(void)state;
	assert_int_equal(health->gate, HEALTH_GATE_REPORT);
	assert_string_equal(health_gate_name(health->gate), "report");
	assert_int_equal(health->rate, 50);
	assert_int_equal(health->self_call.does, HEALTH_DOES_WITHDRAW);
	assert_int_equal(health->self_call.every_ms, 100);
	assert_int_equal(health->self_call.sick_after_ms, 300);
	assert_string_equal(health->self_call_to, "tas.example.com:5061");
	assert_int_equal(health->dns_address_count, 2);
	assert_int_equal(health->trunks.does, HEALTH_DOES_NOTHING);
	assert_int_equal(health->trunks.well_after_ms, 0);
	assert_int_equal(health->watchdog_after_ms, 1000);
	assert_int_equal(health->watchdog_unseen_after_ms, 0);
	assert_false(health->watchdog_kills);
	config_destroy(config);
}

static void a_wrong_word_is_named(void **state)
{
	(void)state;
	expect(BASE "health: { gate: on }\n",
	       ERROR(5, 17, "`health.gate`: `on` is not known here. Known: off, report, withdraw"));
	expect(BASE "health: { sip: { do: page } }\n",
	       ERROR(5, 22,
		     "`health.sip.do`: `page` is not known here. Known: off, report, "
		     "proven, withdraw"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_withdraw_what_is_certain_and_report_the_rest),
		cmocka_unit_test(each_check_can_be_set),
		cmocka_unit_test(a_wrong_word_is_named),
	};

	return cmocka_run_group_tests_name("config/health", tests, NULL, NULL);
}
