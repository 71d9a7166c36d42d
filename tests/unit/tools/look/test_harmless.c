/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "tools/look/harmless.h"

/* In pieces of every length: the outcome is the same. */
static void becomes(const char *text, const char *wanted)
{
	size_t length = strlen(text);

	for (size_t piece = 1; piece <= length; piece++) {
		struct harmless harmless = { 0 };
		struct str out = { 0 };

		for (size_t at = 0; at < length; at += piece)
			harmless_add(&harmless, &out, text + at,
				     length - at < piece ? length - at : piece);
		harmless_end(&harmless, &out);
		assert_string_equal(out.text, wanted);
		str_done(&out);
	}
}

static void text_stays_as_it_is(void **state)
{
	(void)state;
	becomes("+4790000001\tM\xc3\xbcller \xe2\x82\xac \xc2\xa7 3\nnext\r\n",
		"+4790000001\tM\xc3\xbcller \xe2\x82\xac \xc2\xa7 3\nnext\r\n");
}

static void what_a_terminal_obeys_is_spelt_out(void **state)
{
	(void)state;
	becomes("\x1b[2Jgone", "\\x1b[2Jgone");
	becomes("a\x08\x7f"
		"b\a",
		"a\\x08\\x7fb\\x07");
	becomes("\xc2\x9b"
		"31m",
		"\\xc2\\x9b31m"); /* CSI as one C1 character */
}

static void a_return_alone_is_none(void **state)
{
	(void)state;
	becomes("OK\rCRITICAL\n", "OK\\x0dCRITICAL\n");
	becomes("\r\r\n\r", "\\x0d\r\n\\x0d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stays_as_it_is),
		cmocka_unit_test(what_a_terminal_obeys_is_spelt_out),
		cmocka_unit_test(a_return_alone_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
