/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tools/look/top.h"

static struct top_shot shot(long long at_ms, long long cpu_ms, long long ended)
{
	const char *wave = "\033[2J";

	return (struct top_shot){
		.at_ms = at_ms,
		.status = json_pack("{s:s, s:i, s:i, s:i, s:b, s:b, s:{s:I, s:i, s:i}, s:{s:i}, "
				    "s:{s:i, s:i}, s:i, s:i}",
				    "version", "1.2", "pid", 7, "calls", 2, "legs", 4, "sbc_ok", 1,
				    "api_up", 0, "process", "cpu_ms", (json_int_t)cpu_ms,
				    "rss_bytes", 52428800, "files", 40, "media", "ok", 1,
				    "registrations", "active", 9, "backoff", 1, "trunk_addresses",
				    2, "trunk_addresses_down", 1),
		.calls =
			json_pack("[{s:s, s:s, s:s, s:s, s:{s:f, s:i, s:i}}, {s:s, s:s, s:s, s:s}]",
				  "id", "good", "direction", "mt", "verdict", "ok", "from", wave,
				  "a", "mos", 3.4, "lost", 5, "packets_in", 95, "id", "deaf",
				  "direction", "mo", "verdict", "one-way", "from", "+47"),
		.trunks = json_pack("[{s:s, s:s, s:s}]", "trunk", "pbx", "address", "sip:b",
				    "state", "down"),
		.metrics = json_pack("[{s:s, s:I}]", "name", "breakout_calls_total", "value",
				     (json_int_t)ended),
	};
}

static void done(struct top_shot *of)
{
	json_decref((json_t *)of->status);
	json_decref((json_t *)of->calls);
	json_decref((json_t *)of->trunks);
	json_decref((json_t *)of->metrics);
}

static char *draw(unsigned rows, unsigned columns)
{
	struct top_shot before = shot(1000, 500, 10), now = shot(3000, 1000, 15);
	struct str text = { 0 };

	top_draw(&text, &before, &now, rows, columns);
	done(&before);
	done(&now);
	return str_take(&text);
}

static void rates_are_between_two_looks(void **state)
{
	char *text = draw(100, 200);

	(void)state;
	assert_non_null(strstr(text, "cpu 25.0 %  rss 50 MiB  files 40"));
	assert_non_null(strstr(text, "2 up, 4 legs; 2.5 begin and 2.5 end each second"));
	assert_non_null(strstr(text, "sbc answers, api DOES NOT ANSWER, token MISSING"));
	assert_non_null(strstr(text, "2 addresses, 1 down  pbx sip:b"));
	assert_non_null(strstr(text, "mt 1  mo 1"));
	free(text);
}

static void after_a_restart_of_the_daemon_there_is_no_negative_rate(void **state)
{
	struct top_shot before = shot(1000, 90000, 500), now = shot(2000, 10, 0);
	struct str text = { 0 };

	(void)state;
	top_draw(&text, &before, &now, 100, 200);
	assert_non_null(strstr(text.text, "cpu 0.0 %"));
	assert_non_null(strstr(text.text, "0.0 begin and 0.0 end"));
	str_done(&text);
	done(&before);
	done(&now);
}

static void the_call_nobody_hears_stands_first(void **state)
{
	char *text = draw(100, 200);

	(void)state;
	assert_non_null(strstr(text, "3.4/5.0"));
	assert_non_null(strstr(text, "    5/0\n"));
	assert_true(strstr(text, "\ndeaf ") < strstr(text, "\ngood "));
	free(text);
}

static void it_fits_and_a_peers_text_moves_no_cursor(void **state)
{
	char *text = draw(5, 30);
	size_t rows = 0;

	(void)state;
	for (const char *at = text; *at; rows++) {
		assert_true(strcspn(at, "\n") <= 30);
		at += strcspn(at, "\n") + 1;
	}
	assert_int_equal(rows, 5);
	free(text);
	text = draw(100, 200);
	assert_null(strchr(text, '\033'));
	free(text);
}

static void several_cores_have_a_line_each(void **state)
{
	struct top_shot now = shot(3000, 1000, 15);
	struct str text = { 0 };

	(void)state;
	json_object_set_new((json_t *)now.status, "tenants",
			    json_pack("[{s:s, s:b, s:b, s:b, s:i, s:{s:i}}, {s:s, s:n, s:b, s:b, "
				      "s:i, s:{s:i, s:i}}]",
				      "name", "default", "sbc_ok", 0, "api_up", 1, "token_ok", 1,
				      "margin_s", 1900, "registrations", "active", 7, "name",
				      "acme", "api_up", "token_ok", 0, "leaving", 1, "margin_s", 0,
				      "registrations", "active", 1, "backoff", 2));
	json_object_set_new(json_array_get(now.calls, 0), "tenant", json_string("acme"));
	top_draw(&text, NULL, &now, 100, 200);
	assert_non_null(strstr(text.text,
			       "tenant  default      sbc DOES NOT ANSWER, api answers, token ok; "
			       "7 of 7 active, "
			       "margin 31m40s, calls 0\n"));
	assert_non_null(
		strstr(text.text,
		       "\n        acme         sbc not asked, api not asked yet, token MISSING; "
		       "1 of 3 active, margin 0s, calls 1, leaving\n"));
	str_done(&text);
	done(&now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_between_two_looks),
		cmocka_unit_test(after_a_restart_of_the_daemon_there_is_no_negative_rate),
		cmocka_unit_test(the_call_nobody_hears_stands_first),
		cmocka_unit_test(several_cores_have_a_line_each),
		cmocka_unit_test(it_fits_and_a_peers_text_moves_no_cursor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
