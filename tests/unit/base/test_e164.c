/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/e164.h"

static void plus_and_3_to_15_digits_is_a_number(void **state)
{
	(void)state;
	assert_true(e164_valid("+479"));
	assert_true(e164_valid("+4799000001"));
	assert_true(e164_valid("+123456789012345"));
}

static void anything_else_is_not_a_number(void **state)
{
	static const char *const wrong[] = { "",      "+",     "+47",      "4799000001",
					     "+0479", "+47 9", "+47-99",   "+1234567890123456",
					     "++479", "+47a",  "+479\xd9", " +4799000001" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_false(e164_valid(wrong[i]));
		assert_int_equal(e164_pack(wrong[i]), 0);
	}
	assert_false(e164_valid(NULL));
}

static void a_number_begins_with_digits_and_goes_on(void **state)
{
	(void)state;
	assert_true(e164_begins(2290000001, "22"));
	assert_true(e164_begins(2290000001, "2"));
	assert_true(e164_begins(2290000001, "229000000"));
	assert_false(e164_begins(2290000001, "2290000001")); /* nothing is left of it */
	assert_false(e164_begins(2290000001, "22900000012"));
	assert_false(e164_begins(2190000001, "22"));
	assert_false(e164_begins(2390000001, "22"));
	assert_false(e164_begins(4722000001, "22"));
	assert_false(e164_begins(4799000001, "04"));
	assert_false(e164_begins(4799000001, ""));
	assert_true(e164_begins(999999999999999, "99999999"));
}

static void packing_and_unpacking_gives_the_number_back(void **state)
{
	static const char *const numbers[] = { "+479", "+4799000001", "+999999999999999" };
	char text[E164_ROOM];

	(void)state;
	assert_int_equal(e164_pack("+4799000001"), 4799000001);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		e164_unpack(e164_pack(numbers[i]), text);
		assert_string_equal(text, numbers[i]);
	}
	assert_true(e164_packed(e164_pack(numbers[0])));
	assert_false(e164_packed(0) || e164_packed(12) || e164_packed(1000000000000000) ||
		     e164_packed((uint64_t)-4799000001) || e164_packed(UINT64_MAX));
	e164_unpack(UINT64_MAX, text); /* never packed: stays within its room */
}

static void masking_hides_the_middle(void **state)
{
	static const struct {
		const char *number, *masked;
	} cases[] = {
		{ "+4799000012", "+4799***12" },
		{ "+479900001", "+4799***01" },
		{ "+47990000", "+4***00" },
		{ "112", "112" },
		{ "1234", "1234" },
		{ "12345", "12***45" },
		{ "+0047112334455", "+0***55" },
		{ "alice@example", "al***le" },
		{ "", "" },
		{ "ab", "***" },
		{ "anon", "an***on" },
		{ "+112", "+1***12" },
		{ NULL, "" },
	};
	char masked[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		e164_mask(cases[i].number, masked, sizeof(masked));
		assert_string_equal(masked, cases[i].masked);
	}
}

static void masking_a_name_leaves_what_is_no_number(void **state)
{
	char masked[64];

	(void)state;
	e164_mask_name("+4799000012", masked, sizeof(masked));
	assert_string_equal(masked, "+4799***12");
	e164_mask_name("4799000012", masked, sizeof(masked));
	assert_string_equal(masked, "47***12");
	e164_mask_name("office-2", masked, sizeof(masked));
	assert_string_equal(masked, "office-2");
}

static void masking_stays_within_a_small_room(void **state)
{
	char masked[4] = "xxx";

	(void)state;
	e164_mask("+4799000012", masked, sizeof(masked));
	assert_string_equal(masked, "+47");
	masked[0] = 'x';
	e164_mask("+4799000012", masked, 0);
	assert_int_equal(masked[0], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plus_and_3_to_15_digits_is_a_number),
		cmocka_unit_test(anything_else_is_not_a_number),
		cmocka_unit_test(a_number_begins_with_digits_and_goes_on),
		cmocka_unit_test(packing_and_unpacking_gives_the_number_back),
		cmocka_unit_test(masking_hides_the_middle),
		cmocka_unit_test(masking_a_name_leaves_what_is_no_number),
		cmocka_unit_test(masking_stays_within_a_small_room),
	};
	return cmocka_run_group_tests_name("e164", tests, NULL, NULL);
}
