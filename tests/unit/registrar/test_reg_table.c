/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "registrar/reg_table.h"

/* Of the default tenant. */
#define KEY(number) ((number)*CONFIG_TENANTS)

static void want_all(struct reg_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		reg_at(table, table->sorted[i])->wanted = 1;
}

static void merged_numbers_are_found_and_others_not(void **state)
{
	static const uint64_t first[] = { KEY(10), KEY(20), KEY(30) };
	static const uint64_t second[] = { KEY(5), KEY(20), KEY(25), KEY(40) };
	static const uint64_t all[] = { 5, 10, 20, 25, 30, 40 };
	struct reg_table table = { 0 };
	struct reg *twenty;

	(void)state;
	assert_null(reg_table_find(&table, reg_key(10, 0)));
	assert_int_equal(reg_table_merge(&table, first, 3), 0);
	want_all(&table);
	twenty = reg_table_find(&table, reg_key(20, 0));
	assert_int_equal(reg_table_merge(&table, second, 4), 0);
	want_all(&table);
	assert_int_equal(table.count, 6);
	for (size_t i = 0; i < 6; i++) {
		const struct reg *reg = reg_table_find(&table, reg_key(all[i], 0));

		assert_int_equal(reg->number, all[i]);
		assert_ptr_equal(reg_at(&table, reg_handle_of(&table, reg)), reg);
		assert_int_equal(reg_at(&table, table.sorted[i])->number, all[i]);
	}
	assert_ptr_equal(reg_table_find(&table, reg_key(20, 0)), twenty); /* records do not move */
	assert_null(reg_table_find(&table, reg_key(4, 0)));
	assert_null(reg_table_find(&table, reg_key(21, 0)));
	assert_null(reg_table_find(&table, reg_key(41, 0)));
	reg_table_done(&table);
}

static void the_number_after_another_is_the_next_greater(void **state)
{
	static const uint64_t keys[] = { KEY(10), KEY(20), KEY(30) };
	struct reg_table table = { 0 };

	(void)state;
	assert_int_equal(reg_table_merge(&table, keys, 3), 0);
	assert_int_equal(reg_table_after(&table, KEY(0)), 0);
	assert_int_equal(reg_table_after(&table, KEY(10)), 1);
	assert_int_equal(reg_table_after(&table, KEY(15)), 1);
	assert_int_equal(reg_table_after(&table, KEY(30)), 3);
	reg_table_done(&table);
}

static void a_number_has_a_record_for_each_tenant(void **state)
{
	const uint64_t keys[] = { reg_key(10, 0), reg_key(10, 3), reg_key(10, 15), reg_key(11, 1) };
	struct reg_table table = { 0 };

	(void)state;
	assert_int_equal(reg_table_merge(&table, keys, 4), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(reg_key_of(reg_at(&table, table.sorted[i])), keys[i]);
	assert_int_equal(reg_table_find(&table, reg_key(10, 3))->number, 10);
	assert_int_equal(reg_table_find(&table, reg_key(10, 3))->tenant, 3);
	assert_int_equal(reg_table_find(&table, reg_key(10, 15))->tenant, 15);
	assert_null(reg_table_find(&table, reg_key(10, 1)));
	assert_int_equal(reg_table_from(&table, 0), 0);
	assert_int_equal(reg_table_from(&table, 10), 0);
	assert_int_equal(reg_table_from(&table, 11), 3);
	assert_int_equal(reg_table_from(&table, 12), 4);
	reg_table_done(&table);
}

static void records_that_are_gone_leave_and_their_places_are_used_again(void **state)
{
	struct reg_table table = { 0 };
	uint64_t numbers[3000];

	(void)state;
	for (int round = 0; round < 10; round++) {
		for (size_t i = 0; i < 3000; i++)
			numbers[i] = KEY((uint64_t)round * 10000 + i + 1);
		/* Those of the last round are wanted no more, hence gone. */
		for (size_t i = 0; i < table.count; i++) {
			struct reg *reg = reg_at(&table, table.sorted[i]);

			reg->wanted = 0;
			reg_table_set_fault(&table, reg, "goes with its record");
		}
		assert_int_equal(reg_table_merge(&table, numbers, 3000), 0);
		want_all(&table);
		assert_int_equal(table.count, 3000);
		assert_int_equal(table.faults.slots.count, 0);
	}
	assert_true(table.used <= 6000);
	reg_table_done(&table);
}

static void the_text_of_a_failure_is_a_copy_of_at_most_95_bytes(void **state)
{
	static const uint64_t keys[] = { KEY(1), KEY(2) };
	struct reg_table table = { 0 };
	struct reg *one, *two;
	char text[200];

	(void)state;
	assert_int_equal(reg_table_merge(&table, keys, 2), 0);
	one = reg_table_find(&table, reg_key(1, 0));
	two = reg_table_find(&table, reg_key(2, 0));
	assert_null(reg_table_fault(&table, one));
	memset(text, 'x', sizeof(text));
	text[199] = '\0';
	reg_table_set_fault(&table, one, text);
	reg_table_set_fault(&table, two, "refused");
	assert_int_equal(strlen(reg_table_fault(&table, one)), 95);
	assert_string_equal(reg_table_fault(&table, two), "refused");
	reg_table_set_fault(&table, one, "");
	assert_null(reg_table_fault(&table, one));
	assert_string_equal(reg_table_fault(&table, two), "refused");
	reg_table_done(&table);
}

static void more_records_than_there_are_places_for_are_refused(void **state)
{
	static const uint64_t keys[] = { KEY(1) };
	struct reg_table table = { 0 };

	(void)state;
	assert_int_equal(reg_table_merge(&table, keys, 1), 0);
	assert_int_equal(reg_table_merge(&table, NULL, REG_TABLE_MAX), -ENOMEM);
	assert_int_equal(table.count, 1);
	reg_table_done(&table);
}

static void a_record_told_something_or_in_flight_stays(void **state)
{
	static const uint64_t keys[] = { KEY(1), KEY(2), KEY(3) };
	struct reg_table table = { 0 };

	(void)state;
	assert_int_equal(reg_table_merge(&table, keys, 3), 0);
	reg_table_find(&table, reg_key(1, 0))->told = 1;
	reg_table_find(&table, reg_key(2, 0))->flags = REG_IN_FLIGHT;
	assert_int_equal(reg_table_merge(&table, NULL, 0), 0);
	assert_int_equal(table.count, 2);
	assert_null(reg_table_find(&table, reg_key(3, 0)));
	reg_table_done(&table);
}

static void equal_parameters_share_an_id(void **state)
{
	char uri[] = "sips:a", other[] = "sips:b", mo[] = "00", none[] = "";
	struct reg_params params = { uri, mo, none, ROUTE_TYPE_LOOP };
	struct reg_table table = { 0 };
	uint16_t id, again;

	(void)state;
	assert_int_equal(reg_table_params(&table, &params, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(reg_table_params(&table, &params, &again), 0);
	assert_int_equal(again, id);
	params.sip_uri = other;
	assert_int_equal(reg_table_params(&table, &params, &again), 0);
	assert_int_equal(again, 2);
	params.sip_uri = uri;
	params.prefix_mt = mo;
	assert_int_equal(reg_table_params(&table, &params, &again), 0);
	assert_int_equal(again, 3);
	params.route_type = ROUTE_TYPE_FORK;
	assert_int_equal(reg_table_params(&table, &params, &again), 0);
	assert_int_equal(again, 4);
	uri[5] = 'x'; /* they are copies */
	assert_string_equal(table.params[1].sip_uri, "sips:a");
	reg_table_done(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merged_numbers_are_found_and_others_not),
		cmocka_unit_test(the_number_after_another_is_the_next_greater),
		cmocka_unit_test(a_number_has_a_record_for_each_tenant),
		cmocka_unit_test(records_that_are_gone_leave_and_their_places_are_used_again),
		cmocka_unit_test(the_text_of_a_failure_is_a_copy_of_at_most_95_bytes),
		cmocka_unit_test(more_records_than_there_are_places_for_are_refused),
		cmocka_unit_test(a_record_told_something_or_in_flight_stays),
		cmocka_unit_test(equal_parameters_share_an_id),
	};

	return cmocka_run_group_tests_name("registrar/reg_table", tests, NULL, NULL);
}
