/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "media/credentials.h"

#ifndef MADE
#define MADE 1000000
#endif
#define ALPHABET 64 /* ice-char, RFC 8839 5.4: 6 bits each */

/* Chi-squared of 63 degrees of freedom: beyond this once in a billion runs. */
#define CHI_SQUARED_MAX 150.0
#define OF_PAIRS_MAX    4680.0 /* the same of 4095 */

/* Of what follows what. */
static double of_pairs(unsigned (*pairs)[256])
{
	const double expected = (double)MADE * (CREDENTIALS_PASSWORD - 1) / (ALPHABET * ALPHABET);
	double chi_squared = 0;

	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			double off = pairs[a][b] - expected;

			if (pairs[a][b] > 0)
				chi_squared += off * off / expected;
		}
	}
	return chi_squared;
}

static void at_every_place_all_characters_are_as_likely(void **state)
{
	static unsigned seen[CREDENTIALS_PASSWORD][256], pairs[256][256];
	const double expected = (double)MADE / ALPHABET;
	struct credentials made;

	(void)state;
	for (unsigned i = 0; i < MADE; i++) {
		const uint8_t *text = (const uint8_t *)made.password;

		assert_int_equal(credentials_make(&made), 0);
		assert_int_equal(strlen(made.password), CREDENTIALS_PASSWORD);
		for (unsigned place = 0; place < CREDENTIALS_PASSWORD; place++)
			seen[place][text[place]]++;
		for (unsigned place = 1; place < CREDENTIALS_PASSWORD; place++)
			pairs[text[place - 1]][text[place]]++;
	}
	assert_true(of_pairs(pairs) < OF_PAIRS_MAX);
	for (unsigned place = 0; place < CREDENTIALS_PASSWORD; place++) {
		double chi_squared = 0;
		unsigned kinds = 0;

		for (unsigned c = 0; c < 256; c++) {
			double off = seen[place][c] - expected;

			if (seen[place][c] == 0)
				continue;
			kinds++;
			chi_squared += off * off / expected;
		}
		assert_int_equal(kinds, ALPHABET);
		assert_true(chi_squared < CHI_SQUARED_MAX);
	}
}

/* RFC 8445 5.3: 24 bits and 128. */
static void they_are_long_enough(void **state)
{
	(void)state;
	assert_true(CREDENTIALS_UFRAG * 6 >= 24);
	assert_true(CREDENTIALS_PASSWORD * 6 >= 128);
}

/* The server makes the same of the name and the secret. */
static void a_password_made_of_a_secret(void **state)
{
	char password[CREDENTIALS_OF_SECRET + 1];

	(void)state;
	credentials_of_secret("sesame", "1086400:breakout", password);
	assert_string_equal(password, "+uNQEgjF35NkgueZA4A9ozZd4UY=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_every_place_all_characters_are_as_likely),
		cmocka_unit_test(they_are_long_enough),
		cmocka_unit_test(a_password_made_of_a_secret),
	};

	return cmocka_run_group_tests_name("media/credentials", tests, NULL, NULL);
}
