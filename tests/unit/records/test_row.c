/* SPDX-License-Identifier: Apache-2.0 */
/* test_row.c - a record as a row, and as cells of CSV. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "records/row.h"

static void assert_cell(const char *text, const char *wanted)
{
	struct str csv = { 0 };

	row_add_csv(&csv, text);
	assert_string_equal(csv.text, wanted);
	str_done(&csv);
}

static void a_cell_is_quoted_where_it_must_be(void **state)
{
	(void)state;
	assert_cell("", "");
	assert_cell("normal", "normal");
	assert_cell("a,b", "\"a,b\"");
	assert_cell("say \"hi\"", "\"say \"\"hi\"\"\"");
	assert_cell("\"", "\"\"\"\"");
	assert_cell("two\r\nlines", "\"two\r\nlines\"");
}

static void no_cell_is_a_formula(void **state)
{
	(void)state;
	assert_cell("=1+1", "'=1+1");
	assert_cell("=HYPERLINK(\"http://x\",\"y\")",
		    "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
	assert_cell("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0");
	assert_cell("+", "'+");
	assert_cell("-1", "'-1");
	assert_cell("@SUM(A1)", "'@SUM(A1)");
	assert_cell("\t=1", "'\t=1");
	assert_cell("  =1", "'  =1");
	assert_cell("\xef\xbc\x9d"
		    "1",
		    "'\xef\xbc\x9d"
		    "1");
	assert_cell("a=1", "a=1");
}

static void a_number_keeps_its_plus(void **state)
{
	(void)state;
	assert_cell("+4799000001", "+4799000001");
	assert_cell("+4799000001=1", "'+4799000001=1");
	assert_cell("+47 99 00", "'+47 99 00");
	assert_cell("112", "112");
}

static void what_is_no_record_is_no_row(void **state)
{
	struct row row = { 0 };

	(void)state;
	assert_int_equal(row_parse(&row, "{\"id\":"), -EINVAL);
	row_done(&row);
	row = (struct row){ 0 };
	assert_int_equal(row_parse(&row, "{\"start\":\"2027\"}"), -EINVAL);
	row_done(&row);
}

static void a_record_is_a_row(void **state)
{
	struct row row = { 0 };

	(void)state;
	assert_int_equal(row_parse(&row, "{\"id\":\"0123456789abcdef\",\"start\":\"2027\"}"), 0);
	assert_string_equal(row.values[0].text, "0123456789abcdef");
	assert_string_equal(row.values[ROW_STARTED].text, "2027");
	assert_true(row.values[ROW_STARTED + 1].null);
	row_done(&row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cell_is_quoted_where_it_must_be),
		cmocka_unit_test(no_cell_is_a_formula),
		cmocka_unit_test(a_number_keeps_its_plus),
		cmocka_unit_test(what_is_no_record_is_no_row),
		cmocka_unit_test(a_record_is_a_row),
	};
	return cmocka_run_group_tests_name("row", tests, NULL, NULL);
}
