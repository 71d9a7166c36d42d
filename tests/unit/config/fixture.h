/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - a folder for configuration files, and what loading them finds. */
#ifndef BREAKOUT_TESTS_CONFIG_FIXTURE_H
#define BREAKOUT_TESTS_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/check.h"
#include "config/config.h"
#include "tests/fake/folder.h"

/* One line each, so that a test's own lines begin at a known number. */
#define DOMAIN "domain: tas.example.com\n"
#define SIP    "sip: { certificate: cert.pem, private_key: key.pem }\n"
#define CORE                                                                                       \
	"core: { api: { target: api.example.net:443 }, "                                           \
	"sbc: { uri: sips:sbc.example.net, trusted: [192.0.2.0/24] } }\n"
#define MEDIA "media: { address: 198.51.100.10 }\n"
#define BASE  DOMAIN SIP CORE MEDIA

static inline int folder_setup(void **state)
{
	(void)state;
	check_local_ports_path = "/nonexistent";
	return folder_make();
}

static inline int folder_teardown(void **state)
{
	(void)state;
	return folder_remove();
}

static inline void put_bytes(const char *name, const void *bytes, size_t length)
{
	char path[160];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/conf.d", folder);
	if (str_starts(name, "conf.d/"))
		(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static inline void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

/* Loads breakout.yaml of the folder; the findings come without the folder. */
static inline int load(bool check_files, struct config **ret_config, char *ret_findings,
		       size_t room)
{
	struct str errors = { 0 };
	char path[160];
	size_t length = strlen(folder) + 1, used = 0;
	int err;

	(void)snprintf(path, sizeof(path), "%s/breakout.yaml", folder);
	*ret_config = NULL;
	err = config_load(path, check_files, ret_config, &errors);
	for (const char *at = errors.text ? errors.text : ""; *at && used + 1 < room;) {
		if (!strncmp(at, folder, length - 1) && at[length - 1] == '/')
			at += length;
		else
			ret_findings[used++] = *at++;
	}
	ret_findings[used] = '\0';
	str_done(&errors);
	assert_true(err ? !*ret_config : !!*ret_config);
	return err;
}

static inline void expect_as(bool check_files, const char *yaml, const char *findings)
{
	static char found[200000];
	struct config *config;
	int err;

	if (yaml)
		put("breakout.yaml", yaml);
	err = load(check_files, &config, found, sizeof(found));
	assert_string_equal(found, findings);
	assert_int_equal(err, strstr(findings, ": error: ") ? -EINVAL : 0);
	config_destroy(config);
}

/* Exactly these findings, no more and no fewer. NULL: the file is there. */
static inline void expect(const char *yaml, const char *findings)
{
	expect_as(false, yaml, findings);
}

/* No finding at all; the caller destroys the config. */
static inline struct config *expect_config(const char *yaml)
{
	static char found[20000];
	struct config *config;

	if (yaml)
		put("breakout.yaml", yaml);
	(void)load(false, &config, found, sizeof(found));
	assert_string_equal(found, "");
	assert_non_null(config);
	return config;
}

#define ERROR(line, column, text)   "breakout.yaml:" #line ":" #column ": error: " text "\n"
#define WARNING(line, column, text) "breakout.yaml:" #line ":" #column ": warning: " text "\n"

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

#endif
