/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tools/look/look.h"

#define STATUS                                                                                     \
	"{'version': '1.2', 'pid': 7, 'uptime_s': 190, 'config': 'c0', 'calls': 3, 'cdr': '/c',"   \
	" 'sbc_ok': true, 'draining': false, 'api_up': true, 'token_ok': true, 'store_ok': true,"  \
	" 'first_expiry_s': 3000, 'margin_s': 1800, 'withheld': 0,"                                \
	" 'process': {'files': 40, 'files_max': 1000, 'rss_bytes': 52428800},"                     \
	" 'health': {'gate': 'withdraw', 'checks':"                                                \
	"  [{'check': 'sip', 'does': 'withdraw', 'state': 'well', 'why': ''}]},"                   \
	" 'registrations': {'active': 9, 'backoff': 0, 'refused': 0}}"
#define UP "{'trunk': 'pbx', 'address': 'sip:a', 'state': 'up'}"
#define DOWN                                                                                       \
	"{'trunk': 'pbx', 'address': 'sip:b', 'state': 'down', 'since_s': 75, 'last_status': 503}"
#define CERTIFICATE                                                                                \
	"[{'key': 'sip.certificate', 'same': true, 'live': {'days_left': 90, 'for_domain': "       \
	"true}}]"
#define METRICS                                                                                    \
	"[{'name': 'breakout_media_ports', 'labels': 'state=\\\"free\\\"', 'value': 90},"          \
	" {'name': 'breakout_media_ports', 'labels': 'state=\\\"used\\\"', 'value': 10}]"
#define HEARD "{'id': 'c1', 'verdict': 'ok'}"
#define DEAF  "{'id': 'c2', 'verdict': 'one-way'}"

static json_t *documents[6];
static struct look look;
static json_t *findings;
static enum look_level worst;

/* Written with ' for ", so that it can be read here. */
static json_t *parse(size_t slot, const char *text)
{
	char copy[2048];

	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	for (char *at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	json_decref(documents[slot]);
	documents[slot] = json_loads(copy, 0, NULL);
	assert_non_null(documents[slot]);
	return documents[slot];
}

static int set_up(void **state)
{
	(void)state;
	look = (struct look){
		.program = "1.2",
		.status = parse(0, STATUS),
		.trunks = parse(1, "[" UP "]"),
		.certificates = parse(2, CERTIFICATE),
		.calls = parse(3, "[" HEARD "]"),
		.metrics = parse(4, METRICS),
		.settings = parse(5, "[{'name': 'limits.calls', 'value': '100'}]"),
		.config = { .path = "/x.yaml" },
		.past = { .known = true, .minutes = 10, .answered = 20 },
		.host = { .clock_known = true,
			  .clock_synced = true,
			  .memory_total_kib = 1000000,
			  .memory_available_kib = 500000,
			  .disks = { { "cdr.file", "/c", 50 } } },
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(findings);
	findings = NULL;
	for (size_t i = 0; i < 6; i++) {
		json_decref(documents[i]);
		documents[i] = NULL;
	}
	return 0;
}

static void diagnose(void)
{
	json_decref(findings);
	findings = look_diagnose(&look, &worst);
	assert_non_null(findings);
}

static const char *of(const char *subsystem, const char *member)
{
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *finding = json_array_get(findings, i);
		const char *name = json_string_value(json_object_get(finding, "subsystem"));

		if (strcmp(name, subsystem) == 0)
			return json_string_value(json_object_get(finding, member));
	}
	return "none";
}

static void says(const char *subsystem, const char *level, const char *reason)
{
	diagnose();
	assert_string_equal(of(subsystem, "level"), level);
	if (!strstr(of(subsystem, "reason"), reason))
		assert_string_equal(of(subsystem, "reason"), reason);
	assert_int_equal(*of(subsystem, "next") != '\0', strcmp(level, "OK") != 0);
}

static void a_healthy_system_is_ok_in_every_line(void **state)
{
	(void)state;
	diagnose();
	for (size_t i = 0; i < json_array_size(findings); i++)
		assert_string_equal(
			json_string_value(json_object_get(json_array_get(findings, i), "level")),
			"OK");
	assert_int_equal(json_array_size(findings), 18);
	assert_int_equal(worst, LOOK_OK);
	says("daemon", "OK", "version 1.2, pid 7, up 3m10s");
	says("registrations", "OK", "9 of 9 active, first expiry in 50m00s; the core may be away");
}

static void one_address_down_is_a_warning_the_last_one_is_critical(void **state)
{
	(void)state;
	look.trunks = parse(1, "[" UP "," DOWN "]");
	says("trunks", "WARNING", "pbx: sip:b is down for 1m15s (503)");
	assert_int_equal(worst, LOOK_WARNING);
	look.trunks = parse(1, "[" DOWN "]");
	says("trunks", "CRITICAL", "no way to this trunk is left");
	assert_string_equal(of("trunks", "next"), "breakoutctl trunks");
	assert_int_equal(worst, LOOK_CRITICAL);
}

static void registrations_that_do_not_hold_are_told_before_they_lapse(void **state)
{
	json_t *states = json_object_get(documents[0], "registrations");

	(void)state;
	json_object_set_new(states, "backoff", json_integer(2));
	says("registrations", "WARNING", "2 of 11 failed and are tried again");
	json_object_set_new(documents[0], "first_expiry_s", json_integer(300));
	says("registrations", "CRITICAL", "lapses within ten minutes");
	json_object_set_new(documents[0], "api_up", json_false());
	says("core api", "CRITICAL", "registrations hold for 5m00s");
	json_object_set_new(documents[0], "withheld", json_integer(9));
	json_object_set_new(documents[0], "withheld_why", json_string("no certificate"));
	says("gate", "CRITICAL", "9 registrations are withheld, calls go past us: no certificate");
}

static void numbers_that_wait_for_what_they_name_are_told(void **state)
{
	(void)state;
	json_object_set_new(documents[0], "sources", json_pack("{s:i}", "api_stranded", 0));
	says("registrations", "OK", "9 of 9 active");
	json_object_set_new(json_object_get(documents[0], "sources"), "api_stranded",
			    json_integer(3));
	says("registrations", "WARNING",
	     "3 that were added by the API are not registered: their service or tenant is not "
	     "configured, the log names it");
	assert_string_equal(of("registrations", "next"), "breakoutctl status");
}

static void numbers_that_begin_like_a_prefix_are_told_by_source(void **state)
{
	(void)state;
	json_object_set_new(documents[0], "prefix_like",
			    json_pack("{s:i, s:i, s:i}", "config", 0, "api", 0, "consent", 0));
	says("registrations", "OK", "9 of 9 active");
	json_object_set_new(documents[0], "prefix_like",
			    json_pack("{s:i, s:i, s:i}", "config", 4, "api", 1, "consent", 2));
	says("registrations", "WARNING",
	     "7 begin like a prefix (config 4, api 1, consent 2): calls to them without one go "
	     "wrong; agree with the core on prefixes that begin with 0");
	assert_string_equal(of("registrations", "next"), "breakoutctl config prefixes");
}

static void registrations_of_tenants_that_have_gone_are_told(void **state)
{
	(void)state;
	json_object_set_new(documents[0], "left_behind", json_integer(3));
	says("registrations", "WARNING",
	     "3 of tenants that are not configured are left to lapse; a start with the tenant put "
	     "back withdraws them");
}

static void registrations_that_have_lapsed_are_told_and_since_when(void **state)
{
	json_t *states = json_object_get(documents[0], "registrations");

	(void)state;
	json_object_set_new(states, "backoff", json_integer(2));
	json_object_set_new(documents[0], "first_expiry_s", json_integer(-75));
	json_object_set_new(documents[0], "lapsed", json_integer(4));
	json_object_set_new(documents[0], "api_up", json_false());
	says("registrations", "CRITICAL",
	     "4 of 11 have lapsed, the first 1m15s ago: their calls go past us");
	says("core api", "CRITICAL", "does not answer: the first registration lapsed 1m15s ago");
	json_object_set_new(documents[0], "lapsed", json_integer(0));
	json_object_set_new(documents[0], "first_expiry_s", json_integer(0));
	says("core api", "CRITICAL", "does not answer: nothing is registered");
	json_object_set_new(documents[0], "api_up", json_true());
	json_object_set_new(documents[0], "first_expiry_s", json_integer(3000));
	json_object_set_new(documents[0], "margin_s", json_integer(-20));
	json_object_set_new(states, "backoff", json_integer(0));
	says("registrations", "OK", "first expiry in 50m00s; the core may not be away at all");
}

static void a_pause_is_no_outage_but_is_told(void **state)
{
	json_t *states = json_object_get(documents[0], "registrations");

	(void)state;
	json_object_set_new(documents[0], "paused", json_integer(9));
	json_object_set_new(states, "active", json_integer(0));
	json_object_set_new(states, "withheld", json_integer(9));
	says("registrations", "WARNING", "9 of 9 are paused: their calls go past us");
	says("gate", "OK", "open");
	json_object_set_new(documents[0], "paused", json_integer(8));
	says("registrations", "CRITICAL", "none of 9 is active");
}

static void the_worst_of_several_reasons_stands_alone(void **state)
{
	(void)state;
	look.certificates =
		parse(2, "[{'key': 'a', 'same': false, 'live': {'days_left': 20, 'for_domain': "
			 "true}}, {'key': 'b', 'same': true, 'live': {'days_left': -1, "
			 "'for_domain': true}}]");
	says("certificates", "CRITICAL", "b has expired");
	assert_null(strstr(of("certificates", "reason"), "a expires"));
	look.certificates = parse(
		2, "[{'key': 'a', 'same': false, 'live': {'days_left': 20, 'for_domain': true}}]");
	says("certificates", "WARNING", "a expires in 20 days; a on disk is not the one in force");
}

static void calls_nobody_hears_are_told_and_which_one_to_look_at(void **state)
{
	(void)state;
	look.calls = parse(3, "[" HEARD "," DEAF "]");
	says("calls", "WARNING", "1 of 2 up are one-way or without media");
	assert_string_equal(of("calls", "next"), "breakoutctl trace c2");
	look.calls = parse(3, "[" DEAF "," DEAF "," DEAF "," HEARD "]");
	says("calls", "CRITICAL", "3 of 4 up");
	look.calls = parse(3, "[]");
	look.past.deaf = 2;
	strcpy(look.past.id, "c9");
	says("calls", "WARNING", "2 of 20 answered ones that ended in the last 10 minutes");
	assert_string_equal(of("calls", "next"), "breakoutctl trace c9");
}

static void what_runs_out_is_told(void **state)
{
	(void)state;
	look.metrics = parse(4, "[{'name': 'breakout_media_ports', 'labels': 'state=\\\"free\\\"',"
				" 'value': 1}, {'name': 'breakout_media_ports', 'labels': '',"
				" 'value': 99}, {'name': 'breakout_cdr_lost_total', 'value': 4}]");
	says("media ports", "CRITICAL", "1 of 100 are left");
	says("records", "CRITICAL", "4 were lost since the start");
	json_object_set_new(documents[0], "load",
			    json_pack("{s:s, s:i}", "level", "shedding", "admitted_percent", 60));
	says("load", "CRITICAL", "overload is shedding: 60 % of new calls are admitted");
	json_object_set_new(documents[0], "calls", json_integer(100));
	says("load", "CRITICAL", "100 of 100 calls (limits.calls): new ones get 503");
	json_object_set_new(json_object_get(documents[0], "process"), "files", json_integer(850));
	says("open files", "WARNING", "850 of 1000 are open");
	look.host.memory_available_kib = 20000;
	says("memory", "CRITICAL", "breakoutd uses 50");
	look.host.disks[0].free_percent = 5;
	says("disks", "WARNING", "5 % free where cdr.file is (/c)");
	look.host.clock_synced = false;
	says("clock", "WARNING", "nobody synchronises it");
}

static void ice_servers_that_give_nothing_are_told(void **state)
{
	(void)state;
	look.metrics = parse(4, "[{'name': 'breakout_ice_servers', 'labels': "
				"'state=\\\"serves\\\"', 'value': 1}, {'name': "
				"'breakout_ice_servers', 'labels': 'state=\\\"refuses\\\"', "
				"'value': 2}]");
	look.settings = parse(5, "[{'name': 'media.ice_policy', 'value': 'relay'}]");
	says("ice servers", "WARNING", "2 of 3 STUN and TURN servers refuse us");
	assert_string_equal(of("ice servers", "next"),
			    "journalctl -u breakout | grep 'ice server'");
	look.metrics = parse(4, "[{'name': 'breakout_ice_servers', 'labels': "
				"'state=\\\"silent\\\"', 'value': 1}]");
	says("ice servers", "CRITICAL", "1 of 1 STUN and TURN servers do not answer");
	look.settings = parse(5, "[]");
	says("ice servers", "WARNING", "1 of 1");
	look.metrics = parse(4, "[{'name': 'breakout_ice_servers', 'labels': "
				"'state=\\\"serves\\\"', 'value': 2}]");
	says("ice servers", "OK", "2 of 2 serve us");
}

static void a_configuration_that_would_be_refused_or_waits_is_told(void **state)
{
	(void)state;
	look.config.changes = 2;
	look.config.change = "limits.calls";
	says("configuration", "WARNING",
	     "differs from what is in force: limits.calls ... (keys: 2)");
	assert_string_equal(of("configuration", "next"), "breakoutctl reload");
	look.config = (struct look_config){ .path = "/x.yaml",
					    .errors = 1,
					    .error = "/x.yaml:3:1: error: no such key" };
	says("configuration", "WARNING", "a reload would refuse it: /x.yaml:3:1: error");
	assert_string_equal(of("configuration", "next"), "breakoutctl check /x.yaml");
}

static void without_a_daemon_it_says_what_it_can(void **state)
{
	(void)state;
	look = (struct look){ .program = "1.2",
			      .unreachable = "does not run",
			      .unreachable_do = "systemctl status breakout",
			      .config = look.config,
			      .host = look.host };
	says("daemon", "CRITICAL", "does not run");
	assert_string_equal(of("daemon", "next"), "systemctl status breakout");
	says("configuration", "OK", "/x.yaml has no mistakes");
	assert_string_equal(of("registrations", "level"), "none");
	assert_int_equal(json_array_size(findings), 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void each_tenants_core_is_judged_alone(void **state)
{
	json_t *status = documents[0];

	(void)state;
	documents[0] = NULL;
	json_object_set(
		status, "tenants",
		parse(0,
		      "[{'name': 'default', 'api_up': true, 'token_ok': true, 'first_expiry_s':"
		      " 3000, 'registrations': {'active': 5}}, {'name': 'acme', 'api_up': false,"
		      " 'token_ok': true, 'first_expiry_s': 2000, 'registrations': {'active': 5}},"
		      " {'name': 'idle', 'api_up': false, 'token_ok': true, 'first_expiry_s': 0,"
		      " 'registrations': {'active': 0}}]"));
	json_decref(documents[0]);
	documents[0] = status;
	says("core api", "WARNING",
	     "tenant acme: the core's API does not answer, registrations hold");
	assert_null(strstr(of("core api", "reason"), "idle"));
	assert_null(strstr(of("core api", "reason"), "default"));
	assert_non_null(strstr(of("core api", "next"), "tenant=acme "));
}

static void a_silent_sbc_is_named_by_its_tenant(void **state)
{
	json_t *status = documents[0];

	(void)state;
	documents[0] = NULL;
	json_object_set(status, "tenants",
			parse(0, "[{'name': 'default', 'sbc_ok': true, 'registrations': {}}, "
				 "{'name': 'acme', 'sbc_ok': false, 'registrations': {}}, "
				 "{'name': 'idle', 'sbc_ok': null, 'registrations': {}}]"));
	json_decref(documents[0]);
	documents[0] = status;
	says("core sbc", "CRITICAL", "the SBC of tenant acme does not answer OPTIONS");
	assert_null(strstr(of("core sbc", "reason"), "idle"));
}

static void an_sbc_that_tenants_share_is_named_once(void **state)
{
	json_t *status = documents[0];

	(void)state;
	documents[0] = NULL;
	json_object_set_new(status, "sbc_ok", json_false());
	json_object_set(status, "tenants",
			parse(0, "[{'name': 'default', 'sbc': 'sips:a', 'sbc_ok': false}, "
				 "{'name': 'acme', 'sbc': 'sips:a', 'sbc_ok': false}, "
				 "{'name': 'mine', 'sbc': 'sips:b', 'sbc_ok': false}, "
				 "{'name': 'yours', 'sbc': 'sips:b', 'sbc_ok': false}]"));
	json_decref(documents[0]);
	documents[0] = status;
	says("core sbc", "CRITICAL", "the core's SBC does not answer OPTIONS");
	assert_null(strstr(of("core sbc", "reason"), "acme"));
	assert_non_null(strstr(of("core sbc", "reason"), "mine"));
	assert_null(strstr(of("core sbc", "reason"), "yours"));
}

static void a_core_that_was_not_asked_yet_is_no_trouble(void **state)
{
	json_t *status = documents[0];

	(void)state;
	json_object_set_new(status, "api_up", json_null());
	says("core api", "OK", "nothing was asked since the start");
	documents[0] = NULL;
	json_object_set(
		status, "tenants",
		parse(0,
		      "[{'name': 'default', 'api_up': null, 'token_ok': true, 'first_expiry_s': 0,"
		      " 'registrations': {'new': 5}}, {'name': 'acme', 'api_up': true, 'leaving':"
		      " true, 'token_ok': true, 'first_expiry_s': 9, 'registrations': {'active':"
		      " 5}}]"));
	json_decref(documents[0]);
	documents[0] = status;
	says("core api", "OK", "tenant acme is not configured any more");
}

#define FLEET(standing, database, held, held_s, current, other)                                    \
	"{'version': '1.2', 'fleet': {'node': 'tas1', 'standing': '" standing                      \
	"', 'database': " database ", 'shards': 128, 'held': " held ", 'held_s': " held_s          \
	", 'version': 7, 'in_force': 8, 'nodes': [{'name': 'tas1', 'alive': true, "                \
	"'current': " current "}" other "]}}"
#define TAS2        ", {'name': 'tas2', 'alive': true, 'current': true, 'seen_ms': 400}"
#define SILENT_TAS2 ", {'name': 'tas2', 'alive': false, 'seen_ms': 754000}"

static void a_node_that_does_not_come_back_can_be_forgotten(void **state)
{
	(void)state;
	look.status = parse(0, FLEET("good", "true", "0", "0", "true", TAS2));
	says("fleet", "OK", "node tas1, lease good, 128 of 256 shards, 2 nodes live");
	look.status = parse(0, FLEET("good", "true", "64", "7800", "true", SILENT_TAS2));
	says("fleet", "WARNING",
	     "node tas2 is silent for 12m34s and may be alive without the database: for 2h10m at "
	     "most the numbers of 64 shards are only refreshed");
	assert_string_equal(of("fleet", "next"), "breakoutctl fleet forget tas2");
	look.status = parse(0, FLEET("good", "true", "0", "0", "true", SILENT_TAS2));
	says("fleet", "WARNING", "node tas2 is silent for 12m34s: start it, or forget it");
}

static void a_fleet_without_its_database_is_told_what_goes_on(void **state)
{
	(void)state;
	look.status = parse(0, FLEET("alone", "false", "128", "0", "true", TAS2));
	says("fleet", "WARNING",
	     "for store.alone the numbers of 128 shards are refreshed, none is added");
	look.status = parse(0, FLEET("over", "false", "128", "0", "true", TAS2));
	says("fleet", "CRITICAL", "nothing of 128 shards is refreshed any more");
	look.status = parse(0, "{'version': '1.2', 'fleet': {'node': 'tas1', 'standing': 'none',"
			       " 'database': false, 'shards': 0, 'nodes': []}}");
	says("fleet", "CRITICAL", "this node keeps no numbers");
	assert_string_equal(of("fleet", "next"), "journalctl -u breakout | grep store.postgres");
}

static void a_configuration_that_is_not_the_fleets_is_said(void **state)
{
	(void)state;
	look.status = parse(0, FLEET("good", "true", "128", "0", "false", TAS2));
	says("fleet", "WARNING", "version 7, of the fleet another one, 8, is in force");
	look.status = parse(0, STATUS);
	diagnose();
	assert_string_equal(of("fleet", "level"), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_healthy_system_is_ok_in_every_line),
		TEST(each_tenants_core_is_judged_alone),
		TEST(a_silent_sbc_is_named_by_its_tenant),
		TEST(an_sbc_that_tenants_share_is_named_once),
		TEST(a_core_that_was_not_asked_yet_is_no_trouble),
		TEST(one_address_down_is_a_warning_the_last_one_is_critical),
		TEST(registrations_that_do_not_hold_are_told_before_they_lapse),
		TEST(numbers_that_wait_for_what_they_name_are_told),
		TEST(numbers_that_begin_like_a_prefix_are_told_by_source),
		TEST(registrations_of_tenants_that_have_gone_are_told),
		TEST(registrations_that_have_lapsed_are_told_and_since_when),
		TEST(a_pause_is_no_outage_but_is_told),
		TEST(the_worst_of_several_reasons_stands_alone),
		TEST(calls_nobody_hears_are_told_and_which_one_to_look_at),
		TEST(a_node_that_does_not_come_back_can_be_forgotten),
		TEST(a_fleet_without_its_database_is_told_what_goes_on),
		TEST(a_configuration_that_is_not_the_fleets_is_said),
		TEST(what_runs_out_is_told),
		TEST(ice_servers_that_give_nothing_are_told),
		TEST(a_configuration_that_would_be_refused_or_waits_is_told),
		TEST(without_a_daemon_it_says_what_it_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
