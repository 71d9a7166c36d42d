/* SPDX-License-Identifier: Apache-2.0 */
/* test_address.c - what is read from a header can be written and read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above before it */
#include <cmocka.h>

#include <errno.h>

#include "base/macros.h"
#include "tas/sip/address.h"
#include "tas/sip/headers.h"

static int parse(struct sip_address *address, const char *text)
{
	return sip_address_parse(address, text, strlen(text));
}

static void addresses_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *display, *uri, *user, *host, *params;
	} cases[] = {
		{ "<sip:a@b>", "", "sip:a@b", "a", "b", "" },
		{ "sip:a@b;tag=1", "", "sip:a@b", "a", "b", ";tag=1" },
		{ "Ada Lovelace <sips:+47@b:5061;x>;y=\"1;2\"", "Ada Lovelace", "sips:+47@b:5061;x",
		  "+47", "b:5061", ";y=\"1;2\"" },
		{ " \"A \\\"Q\\\" <B>\"<sip:a@b> ; c", "A \"Q\" <B>", "sip:a@b", "a", "b", "; c" },
		{ "<tel:+47-99;phone-context=x>", "", "tel:+47-99;phone-context=x", "+47-99", "",
		  "" },
		{ "<sip:%2B47%20a:secret@[2001:db8::1]:5060>", "",
		  "sip:%2B47%20a:secret@[2001:db8::1]:5060", "+47 a", "[2001:db8::1]:5060", "" },
		{ "<sip:b?Privacy=id>", "", "sip:b?Privacy=id", "", "b", "" },
		{ "<urn:service:sos>", "", "urn:service:sos", "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sip_address address;

		assert_int_equal(parse(&address, cases[i].text), 0);
		assert_string_equal(address.display, cases[i].display);
		assert_string_equal(address.uri, cases[i].uri);
		assert_string_equal(address.user, cases[i].user);
		assert_string_equal(address.host, cases[i].host);
		assert_string_equal(address.params, cases[i].params);
		sip_address_done(&address);
	}
}

static void what_could_become_something_else_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"<>",
		"a",
		"<sip:>",
		"<sip:a@>",
		"<sip:a@b",
		"sip:a b@c",
		"<sip:a%0d%0aVia:x@b>",
		"<sip:a%00@b>",
		"<sip:a%zz@b>",
		"<sip:a%4@b>",
		"<sip:a\"@b>",
		"\"A <sip:a@b>",
		"\"A\" B <sip:a@b>",
		"A, B <sip:a@b>",
		"<sip:a@b> x",
		"<sip:a@b>;x=\"",
		"<sip:a@b>;<sip:c@d>",
		"<sip:a@b>;x=1,y",
		"<sip:a\r\n@b>",
		"<sip8a@h?x:y>",
		"<1sip:a@b>",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sip_address address;

		if (parse(&address, cases[i]) != -EINVAL)
			fail_msg("taken: %s", cases[i]);
	}
}

static void lists_are_split_at_their_own_commas(void **state)
{
	const char *list = " , \"a,b\" <sip:x,y@h>;p=\"q,r\" ,, <sip:z@h>,";
	size_t length;
	const char *item;

	(void)state;
	item = sip_address_next(&list, &length);
	assert_int_equal(length, strlen("\"a,b\" <sip:x,y@h>;p=\"q,r\""));
	assert_memory_equal(item, "\"a,b\" <sip:x,y@h>;p=\"q,r\"", length);
	item = sip_address_next(&list, &length);
	assert_memory_equal(item, "<sip:z@h>", length);
	assert_null(sip_address_next(&list, &length));
}

static void parameters_are_found_by_their_whole_name(void **state)
{
	static const char params[] = "; reason = user-busy;x;counter=2;text=\"a;counter=9\\\"\"";
	char value[16];

	(void)state;
	assert_true(sip_address_param(params, "Reason", value, sizeof(value)));
	assert_string_equal(value, "user-busy");
	assert_true(sip_address_param(params, "x", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(sip_address_param(params, "counter", value, sizeof(value)));
	assert_string_equal(value, "2");
	assert_true(sip_address_param(params, "text", value, sizeof(value)));
	assert_string_equal(value, "a;counter=9\"");
	assert_false(sip_address_param(params, "count", value, sizeof(value)));
	assert_false(sip_address_param(params, "reason", value, 9)); /* no room */
	assert_false(sip_address_param("", "x", value, sizeof(value)));
	assert_string_equal(sip_address_uri_params("sip:a;b@c;cause=302?x=y"), ";cause=302?x=y");
	assert_string_equal(sip_address_uri_params("sip:c"), "");
}

/* Writes, reads again, and wants the same; false: was not taken. */
static bool survives(const char *text, size_t length)
{
	struct sip_address first, second;
	struct sip_headers headers = { 0 };
	struct str out = { 0 };
	char *written;

	if (sip_address_parse(&first, text, length) < 0)
		return false;
	sip_address_write(&out, &first);
	written = str_take(&out);
	assert_non_null(written);
	assert_int_equal(sip_headers_add(&headers, "X", written), 0);
	assert_int_equal(parse(&second, headers.items[0].value), 0);
	assert_string_equal(first.display, second.display);
	assert_string_equal(first.uri, second.uri);
	assert_string_equal(first.user, second.user);
	assert_string_equal(first.host, second.host);
	sip_headers_done(&headers);
	sip_address_done(&first);
	sip_address_done(&second);
	free(written);
	return true;
}

static void what_is_written_reads_the_same(void **state)
{
	static const char *const pieces[] = { "sip:",  "a",    "@",    "b",    "<",    ">",
					      "\"",    "\\",   ";",    "x=1",  ",",    " ",
					      "\t",    "%0d",  "%0a",  "%00",  "%41",  "\r\n",
					      "tel:+", "4799", "?",    "Via:", "\n",   "sips:c",
					      ";tag",  "=",    "\x7f", "\xc3", "[::]", ":50",
					      "'",     "*" };
	unsigned taken = 0;

	(void)state;
	srand(3325);
	for (int round = 0; round < 200000; round++) {
		char text[128];
		size_t used = 0;

		for (int n = rand() % 12; n >= 0; n--) {
			const char *piece = pieces[rand() % (int)ARRAY_SIZE(pieces)];

			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", piece);
		}
		if (rand() % 50 == 0)
			text[rand() % (int)(used + 1)] = '\0'; /* a NUL inside */
		taken += survives(text, used);
		used = (size_t)snprintf(text, sizeof(text), "\"%c%c%c\" <sip:%c%c@b>", rand() % 256,
					rand() % 256, rand() % 256, rand() % 256, rand() % 256);
		taken += survives(text, used);
	}
	assert_true(taken > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_taken_apart),
		cmocka_unit_test(what_could_become_something_else_is_refused),
		cmocka_unit_test(lists_are_split_at_their_own_commas),
		cmocka_unit_test(parameters_are_found_by_their_whole_name),
		cmocka_unit_test(what_is_written_reads_the_same),
	};

	return cmocka_run_group_tests_name("tas/sip/address", tests, NULL, NULL);
}
