/* SPDX-License-Identifier: Apache-2.0 */
/* spool.h - a file of records in a folder of its own, for the tests of this room. */
#ifndef BREAKOUT_TESTS_RECORDS_SPOOL_H
#define BREAKOUT_TESTS_RECORDS_SPOOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "tests/fake/folder.h"

static char spool[96];
static unsigned spool_errors, spool_notices; /* lines of the log */

static inline void spool_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)area;
	(void)line;
	(void)arg;
	spool_errors += level == LOG_LEVEL_ERROR;
	spool_notices += level == LOG_LEVEL_NOTICE;
}

static inline int spool_setup(void **state)
{
	(void)state;
	assert_int_equal(folder_make(), 0);
	snprintf(spool, sizeof(spool), "%s/cdr.jsonl", folder);
	spool_errors = spool_notices = 0;
	log_set_sink(spool_log, NULL);
	clock_fake_wall_set(1800000000000);
	return 0;
}

static inline int spool_teardown(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	clock_real();
	return folder_remove();
}

/* Appends to NAME, "" the spool itself, and sets its last change: seconds. */
static inline void spool_add(const char *suffix, const char *text, time_t changed)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", spool, suffix);
	file = fopen(path, "a");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(
		utimensat(AT_FDCWD, path,
			  (struct timespec[2]){ { .tv_sec = changed }, { .tv_sec = changed } }, 0),
		0);
}

static inline void spool_rename(const char *suffix)
{
	char path[160];

	snprintf(path, sizeof(path), "%s%s", spool, suffix);
	assert_int_equal(rename(spool, path), 0);
}

/* "2027-01-15T08:00:0N" of record N. */
static inline const char *spool_record(unsigned n)
{
	static char text[256];

	snprintf(text, sizeof(text),
		 "{\"schema\":1,\"id\":\"%016x\",\"start\":\"2027-01-15T08:00:%02u.000Z\","
		 "\"number\":\"+4799000001\",\"caller\":\"+47123456%02u\",\"talk_ms\":%u,"
		 "\"answer\":null,\"a\":{\"codec\":\"PCMA\"}}\n",
		 n, n % 60, n % 100, n * 1000);
	return text;
}

#define SPOOL_TEST(f) cmocka_unit_test_setup_teardown(f, spool_setup, spool_teardown)

#endif
