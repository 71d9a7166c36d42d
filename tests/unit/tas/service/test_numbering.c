/* SPDX-License-Identifier: Apache-2.0 */
/* test_numbering.c - one number in every trunk's spelling, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tas/service/numbering.h"

#define TEXT(text) ((char *)(text))

static struct config_identity e164,
	no_plus = { .number_format = NUMBER_E164_NO_PLUS },
	norway = { .number_format = NUMBER_NATIONAL, .country_code = TEXT("47") },
	sweden = { .number_format = NUMBER_NATIONAL,
		   .country_code = TEXT("46"),
		   .national_prefix = TEXT("0") },
	usa = { .number_format = NUMBER_INTERNATIONAL, .international_prefix = TEXT("011") };

static void numbers_leave_as_the_trunk_writes_them(void **state)
{
	static const struct {
		const struct config_identity *identity;
		const char *number, *said;
	} cases[] = {
		{ &e164, "+4799000001", "+4799000001" },
		{ &no_plus, "+4799000001", "4799000001" },
		{ &norway, "+4799000001", "99000001" },
		{ &norway, "+46812345678", "0046812345678" },
		{ &sweden, "+46812345678", "0812345678" },
		{ &sweden, "+4799000001", "004799000001" },
		{ &usa, "+4799000001", "0114799000001" },
		{ &norway, "1881", "1881" },
		{ &norway, "*21*+4799000001#", "*21*+4799000001#" },
		{ &no_plus, "ada", "ada" },
		{ &usa, "", "" },
		{ &no_plus, "+0123456", "+0123456" },
	};
	char said[NUMBER_ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		number_for_peer(cases[i].identity, cases[i].number, said);
		assert_string_equal(said, cases[i].said);
	}
}

static void numbers_of_a_trunk_become_ours(void **state)
{
	static const struct {
		const struct config_identity *identity;
		const char *said, *number;
	} cases[] = {
		{ &e164, "+4799000001", "+4799000001" },
		{ &e164, "+47 (990) 00-001;npdi;cpc=ordinary", "+4799000001" },
		{ &e164, "004799000001", "004799000001" }, /* not its format: nobody guesses */
		{ &no_plus, "4799000001", "+4799000001" },
		{ &no_plus, "004799000001", "+4799000001" },
		{ &no_plus, "+4799000001", "+4799000001" },
		{ &norway, "99000001", "+4799000001" },
		{ &norway, "0046812345678", "+46812345678" },
		{ &norway, "1881", "1881" },
		{ &norway, "116117", "116117" },
		{ &sweden, "0812345678", "+46812345678" },
		{ &sweden, "812345678", "812345678" }, /* no prefix: a local number */
		{ &sweden, "004799000001", "+4799000001" },
		{ &usa, "0114799000001", "+4799000001" },
		{ &usa, "4799000001", "4799000001" },
		{ &norway, "*21*99000001#", "*21*99000001#" },
		{ &norway, "ada;x=1", "ada" },
		{ &norway, "", "" },
		{ &norway, "99000001990000019900", "99000001990000019900" }, /* too long */
		{ &norway, "00000000000", "00000000000" },
	};
	char number[NUMBER_ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		number_from_peer(cases[i].identity, cases[i].said, number);
		assert_string_equal(number, cases[i].number);
	}
}

static void every_format_is_read_as_it_is_written(void **state)
{
	const struct config_identity *identities[] = { &e164, &no_plus, &norway, &sweden, &usa };

	(void)state;
	srand(164);
	for (int round = 0; round < 20000; round++) {
		const struct config_identity *identity = identities[round % 5];
		char number[NUMBER_ROOM], said[NUMBER_ROOM], back[NUMBER_ROOM];

		snprintf(number, sizeof(number), "+%s%d%06d", round % 3 ? "47" : "46",
			 1 + rand() % 9, rand() % 1000000);
		number_for_peer(identity, number, said);
		number_from_peer(identity, said, back);
		assert_string_equal(back, number);
	}
}

static void text_of_any_length_and_bytes_fits(void **state)
{
	char text[3 * NUMBER_ROOM], number[NUMBER_ROOM];

	(void)state;
	srand(4);
	for (int round = 0; round < 20000; round++) {
		size_t length = (size_t)rand() % (sizeof(text) - 1);

		for (size_t i = 0; i < length; i++)
			text[i] = (char)(rand() % 3 ? '0' + rand() % 10 : 1 + rand() % 255);
		text[length] = '\0';
		number_from_peer(&norway, text, number);
		assert_true(strlen(number) < sizeof(number));
		number_for_peer(&sweden, text, number);
		assert_true(strlen(number) < sizeof(number));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_leave_as_the_trunk_writes_them),
		cmocka_unit_test(numbers_of_a_trunk_become_ours),
		cmocka_unit_test(every_format_is_read_as_it_is_written),
		cmocka_unit_test(text_of_any_length_and_bytes_fits),
	};

	return cmocka_run_group_tests_name("tas/service/numbering", tests, NULL, NULL);
}
