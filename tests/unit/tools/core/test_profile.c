/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/profile.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WEDNESDAY_NOON = 1764158400 }; /* 26 November 2025 12:00 UTC */

static const char sample[] =
	"# A remark.\n"
	"domain: tas.example.com\n"
	"holidays: [12-25]\n"
	"prefixes: { mobile_terminating: \"01\" }\n"
	"trunks:\n"
	"  - name: pbx\n"
	"    uris: [\"sip:pbx1.example.com;transport=tcp\", "
	"\"sip:pbx2.example.com;transport=tcp\"]\n"
	"    trusted: [10.1.0.0/24]\n"
	"\n"
	"services:\n"
	"  s:\n"
	"    # Another.\n"
	"    - when: { time: \"Mon-Fri 08:00-17:00\", caller: { file: no.csv } }\n"
	"      do: { voicemail: { box: b } }\n"
	"media: { address: 192.0.2.1 }\n";

/* What becomes of the sample. The caller frees it. */
static char *made(bool closed, int *ret_err)
{
	char folder[] = "/tmp/breakout-profile-XXXXXX", path[64];
	struct profile profile = { .samples = folder,
				   .name = "s.yaml",
				   .folder = "/run/x",
				   .pbx = "sip:alive",
				   .dead_pbx = "sip:dead",
				   .closed = closed,
				   .now = WEDNESDAY_NOON };
	struct str text = { 0 };

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/s.yaml", folder);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(sample, file) >= 0);
	assert_int_equal(fclose(file), 0);
	*ret_err = profile_add(&text, &profile);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	return str_take(&text);
}

static void of_a_sample_remains_what_says_where_calls_go(void **state)
{
	int err;
	char *text = made(false, &err);

	(void)state;
	assert_int_equal(err, 0);
	assert_ptr_equal(strstr(text, "prefixes: { mobile_terminating: \"01\" }\ntrunks:\n"), text);
	assert_non_null(strstr(text, "    uris: [\"sip:dead\", \"sip:alive\"]\nservices:\n  s:\n"));
	assert_null(strstr(text, "domain"));
	assert_null(strstr(text, "holidays"));
	assert_null(strstr(text, "trusted"));
	assert_null(strstr(text, "media"));
	assert_null(strchr(text, '#'));
	free(text);
}

static void lists_are_read_and_messages_written_where_they_are_told(void **state)
{
	int err;
	char *text = made(false, &err);

	(void)state;
	assert_non_null(strstr(text, "caller: { file: \"/tmp/breakout-profile-"));
	assert_non_null(strstr(text, "/no.csv\" } }\n"));
	assert_non_null(strstr(text, "do: { voicemail: { dir: \"/run/x/mail\", box: b } }\n"));
	free(text);
}

static void hours_are_around_now_or_over(void **state)
{
	int err;
	char *open = made(false, &err), *closed = made(true, &err);

	(void)state;
	assert_non_null(strstr(open, "{ time: \"Wed 11:00-Wed 14:00 UTC\", caller"));
	assert_non_null(strstr(closed, "{ time: \"Wed 16:00-Wed 19:00 UTC\", caller"));
	free(open);
	free(closed);
}

static void a_sample_that_is_not_there_is_an_error(void **state)
{
	struct profile profile = { .samples = "/nowhere", .name = "s.yaml" };
	struct str text = { 0 };

	(void)state;
	assert_int_equal(profile_add(&text, &profile), -ENOENT);
	str_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_sample_remains_what_says_where_calls_go),
		cmocka_unit_test(lists_are_read_and_messages_written_where_they_are_told),
		cmocka_unit_test(hours_are_around_now_or_over),
		cmocka_unit_test(a_sample_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
