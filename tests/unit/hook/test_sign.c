/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "hook/sign.h"

/* printf '1700000000.{"version":1}' | openssl dgst -sha256 -hmac s3cret */
static void the_signature_is_what_openssl_says(void **state)
{
	char signature[SIGN_ROOM];

	(void)state;
	assert_int_equal(sign_body("s3cret", 1700000000, "{\"version\":1}", signature), 0);
	assert_string_equal(signature, "t=1700000000,v1=a88b61052c4236878628e418fb04bb60"
				       "48d23e65d5ad3c5daf2866200cb2994f");
}

static void secret_time_and_body_all_count(void **state)
{
	char one[SIGN_ROOM], other[SIGN_ROOM];

	(void)state;
	assert_int_equal(sign_body("a", 1, "x", one), 0);
	assert_int_equal(sign_body("b", 1, "x", other), 0);
	assert_string_not_equal(one, other);
	assert_int_equal(sign_body("a", 1, "y", other), 0);
	assert_string_not_equal(one, other);
	assert_int_equal(sign_body("a", 2, "x", other), 0);
	assert_string_not_equal(strchr(one, ','), strchr(other, ','));
	assert_int_equal(sign_body("a", INT64_MIN, "x", other), 0); /* fits */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_signature_is_what_openssl_says),
		cmocka_unit_test(secret_time_and_body_all_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
