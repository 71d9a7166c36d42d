/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/secret.h"
#include "tests/fake/folder.h"

static char path[64];

static int setup(void **state)
{
	(void)state;
	if (folder_make() < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/secret", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return folder_remove();
}

static void put(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void the_first_line_is_the_secret(void **state)
{
	static const char *const files[] = { "s3cret", "s3cret\n", "s3cret\r\n", "s3cret\nmore\n" };
	char secret[SECRET_ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		put(files[i]);
		assert_int_equal(secret_read(path, secret), 0);
		assert_string_equal(secret, "s3cret");
	}
}

static void what_is_no_secret_leaves_nothing_in_memory(void **state)
{
	char secret[SECRET_ROOM] = "before", text[SECRET_ROOM + 10];
	static const char nothing[SECRET_ROOM];

	(void)state;
	put("");
	assert_int_equal(secret_read(path, secret), -ENODATA);
	put("\nsecond line\n");
	assert_int_equal(secret_read(path, secret), -ENODATA);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	put(text);
	assert_int_equal(secret_read(path, secret), -E2BIG);
	assert_memory_equal(secret, nothing, sizeof(secret));
	assert_int_equal(secret_read("/nonexistent/secret", secret), -ENOENT);
}

static void the_longest_secret_fits(void **state)
{
	char secret[SECRET_ROOM], text[SECRET_ROOM];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[SECRET_ROOM - 2] = '\0';
	put(text);
	assert_int_equal(secret_read(path, secret), 0);
	assert_string_equal(secret, text);
	secret_free(strdup(secret));
	secret_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_is_the_secret),
		cmocka_unit_test(what_is_no_secret_leaves_nothing_in_memory),
		cmocka_unit_test(the_longest_secret_fits),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
