/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tas/service/uri.h"

static void assert_with_user(const char *uri, const char *scheme, const char *user,
			     const char *wanted)
{
	struct uri_view view;
	char *text;

	assert_true(uri_split(uri, &view));
	text = uri_with_user(&view, scheme, user);
	assert_string_equal(text, wanted);
	free(text);
}

static void user_is_replaced_and_all_else_kept(void **state)
{
	(void)state;
	assert_with_user("sips:sbc.example.net", NULL, "+4712", "sips:+4712@sbc.example.net");
	assert_with_user("sip:old@h:5060;transport=tcp", NULL, "+4712",
			 "sip:+4712@h:5060;transport=tcp");
	assert_with_user("SIP:[2001:db8::1]:5061", "sips", "1", "sips:1@[2001:db8::1]:5061");
	assert_with_user("sip:u@h", NULL, "", "sip:h");
}

static void hostile_users_are_escaped(void **state)
{
	(void)state;
	assert_with_user("sip:h", NULL, "a@b>\r\nX: 1\"", "sip:a%40b%3E%0D%0AX%3A%201%22@h");
	assert_with_user("sip:h", NULL, "#31#4712;x=1", "sip:%2331%234712;x=1@h");
	assert_with_user("sip:h", NULL, "\xc3\xa5", "sip:%C3%A5@h");
}

static void host_is_found(void **state)
{
	static const struct {
		const char *uri, *host;
	} rows[] = { { "sip:h", "h" },
		     { "sip:u@h:1", "h" },
		     { "sips:u@192.0.2.1;lr", "192.0.2.1" },
		     { "sip:[2001:db8::1]:5061", "2001:db8::1" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct uri_view view;

		assert_true(uri_split(rows[i].uri, &view));
		assert_int_equal(view.host_length, strlen(rows[i].host));
		assert_memory_equal(view.host, rows[i].host, view.host_length);
	}
}

static void other_schemes_and_rubbish_are_refused(void **state)
{
	static const char *const uris[] = { "",         "sip",  "tel:+47",   "urn:service:sos",
					    "http://h", "sip:", "sip:user@", "sip:[]" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(uris); i++) {
		struct uri_view view;

		assert_false(uri_split(uris[i], &view));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user_is_replaced_and_all_else_kept),
		cmocka_unit_test(hostile_users_are_escaped),
		cmocka_unit_test(host_is_found),
		cmocka_unit_test(other_schemes_and_rubbish_are_refused),
	};

	return cmocka_run_group_tests_name("tas/service/uri", tests, NULL, NULL);
}
