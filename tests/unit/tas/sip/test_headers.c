/* SPDX-License-Identifier: Apache-2.0 */
/* test_headers.c - nothing gets in that could become another header later. */
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
#include "tas/sip/body.h"
#include "tas/sip/headers.h"

static int add_raw(struct sip_headers *headers, const char *name, const char *value, size_t length)
{
	return sip_headers_add_raw(headers, name, strlen(name), value, length);
}

static void folds_become_one_space_and_outer_blanks_go(void **state)
{
	static const char folded[] = " \t one\r\n  two\n\tthree \r\n";
	struct sip_headers headers = { 0 };

	(void)state;
	assert_int_equal(add_raw(&headers, "X-A \t", folded, sizeof(folded) - 1), 0);
	assert_string_equal(sip_headers_find(&headers, "x-a"), "one two three");
	sip_headers_done(&headers);
}

static void what_could_end_a_line_or_a_string_is_refused(void **state)
{
	static const struct {
		const char *name, *value;
		size_t length;
	} cases[] = {
		{ "X", "a\r\nVia: b", 9 }, { "X", "a\nb", 3 },        { "X", "a\rb", 3 },
		{ "X", "a\0b", 3 },        { "X", "a\x01", 2 },       { "X", "a\x7f", 2 },
		{ "X Y", "a", 1 },         { "X:Y", "a", 1 },         { "", "a", 1 },
		{ "X\r\nVia", "a", 1 },    { "X(", "a", 1 },          { "\xc3\xa6", "a", 1 },
		{ "X", "a\r\n\r\nb", 6 },  { "X", "a\r\n \r\nb", 7 },
	};
	struct sip_headers headers = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (add_raw(&headers, cases[i].name, cases[i].value, cases[i].length) != -EINVAL)
			fail_msg("case %zu was taken", i);
	assert_int_equal(headers.count, 0);
	sip_headers_done(&headers);
}

static void random_bytes_never_leave_a_control_character(void **state)
{
	struct sip_headers headers = { 0 };
	unsigned taken = 0;

	(void)state;
	srand(4475);
	for (int round = 0; round < 200000; round++) {
		char value[12];
		size_t length = (size_t)rand() % sizeof(value);

		for (size_t i = 0; i < length; i++)
			value[i] = "a b\t\r\n\r\n:\0\x7f\""[rand() % 12];
		if (add_raw(&headers, "X", value, length) == 0) {
			const char *at = headers.items[0].value;

			taken++;
			for (; *at; at++)
				assert_true((unsigned char)*at >= 0x20 || *at == '\t');
			assert_true(strlen(headers.items[0].value) <= length);
		}
		sip_headers_done(&headers);
	}
	assert_true(taken > 1000);
}

static void compact_forms_get_their_full_names(void **state)
{
	struct sip_headers headers = { 0 };

	(void)state;
	assert_int_equal(sip_headers_add(&headers, "s", "x"), 0);
	assert_int_equal(sip_headers_add(&headers, "K", "y"), 0);
	assert_int_equal(sip_headers_add(&headers, "p-asserted-identity", "z"), 0);
	assert_int_equal(sip_headers_add(&headers, "q", "unknown letter"), 0);
	assert_int_equal(sip_headers_add(&headers, "x-Own", "as written"), 0);
	assert_string_equal(headers.items[0].name, "Subject");
	assert_string_equal(headers.items[1].name, "Supported");
	assert_string_equal(headers.items[2].name, "P-Asserted-Identity");
	assert_string_equal(headers.items[3].name, "q");
	assert_string_equal(headers.items[4].name, "x-Own");
	assert_string_equal(sip_headers_find(&headers, "k"), "y");
	assert_null(sip_headers_find(&headers, "X-None"));
	sip_headers_done(&headers);
}

/* One for each letter, the first, the last and those that begin alike. */
static void a_known_name_is_found_in_any_case(void **state)
{
	static const struct {
		const char *said, *full;
		bool own;
	} cases[] = {
		{ "accept", "Accept", false },
		{ "ACCEPT-CONTACT", "Accept-Contact", false },
		{ "accept-encoding", "Accept-Encoding", false },
		{ "call-id", "Call-ID", true },
		{ "call-info", "Call-Info", false },
		{ "content-type", "Content-Type", true },
		{ "CSEQ", "CSeq", true },
		{ "identity", "Identity", false },
		{ "max-forwards", "Max-Forwards", true },
		{ "min-se", "Min-SE", false },
		{ "p-asserted-identity", "P-Asserted-Identity", false },
		{ "path", "Path", false },
		{ "privacy", "Privacy", false },
		{ "record-route", "Record-Route", true },
		{ "refer-to", "Refer-To", false },
		{ "session-id", "Session-ID", false },
		{ "SIP-ETAG", "SIP-ETag", false },
		{ "to", "To", true },
		{ "user-to-user", "User-to-User", false },
		{ "via", "Via", true },
		{ "www-authenticate", "WWW-Authenticate", false },
		{ "X-Via", "X-Via", false },
		{ "accep", "accep", false },
		{ "viaa", "viaa", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_string_equal(sip_header_full_name(cases[i].said), cases[i].full);
		assert_int_equal(sip_header_is_own(cases[i].said), cases[i].own);
	}
}

static void set_replaces_all_and_remove_takes_all(void **state)
{
	struct sip_headers headers = { 0 };

	(void)state;
	assert_int_equal(sip_headers_add(&headers, "X-1", "1"), 0);
	assert_int_equal(sip_headers_add(&headers, "X-2", "2"), 0);
	assert_int_equal(sip_headers_add(&headers, "x-1", "3"), 0);
	assert_int_equal(sip_headers_set(&headers, "X-1", "bad\n"),
			 0); /* an end of line is trimmed */
	assert_string_equal(sip_headers_find(&headers, "X-1"), "bad");
	assert_int_equal(sip_headers_set(&headers, "X-1", "a\nb"), -EINVAL);
	assert_string_equal(sip_headers_find(&headers, "X-1"), "bad"); /* untouched */
	assert_int_equal(headers.count, 2);
	sip_headers_remove(&headers, "X-1");
	assert_int_equal(headers.count, 1);
	assert_string_equal(headers.items[0].name, "X-2");
	sip_headers_done(&headers);
	sip_headers_done(&headers);
}

static void towards_the_core_all_cross_but_those_of_a_hop_or_dialog(void **state)
{
	static const char *const cross[] = {
		"Session-ID",   "P-Asserted-Identity", "Privacy",  "Diversion",
		"History-Info", "X-Unknown",           "Reason",   "Priority",
		"User-Agent",   "Accept-Language",     "X-Unknown"
	};
	static const char *const stay[] = { "Via",
					    "v",
					    "CONTACT",
					    "Route",
					    "CSeq",
					    "Supported",
					    "k",
					    "Require",
					    "Allow",
					    "Content-Type",
					    "c",
					    "l",
					    "Max-Forwards",
					    "Session-Expires",
					    "x",
					    "Authorization",
					    "Security-Verify" };
	struct sip_headers from = { 0 }, to = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(stay); i++)
		assert_int_equal(sip_headers_add(&from, stay[i], "no"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cross); i++)
		assert_int_equal(sip_headers_add(&from, cross[i], "yes"), 0);
	assert_int_equal(sip_headers_copy_transparent(&to, &from), 0);
	assert_int_equal(to.count, ARRAY_SIZE(cross));
	for (size_t i = 0; i < to.count; i++) {
		assert_string_equal(to.items[i].name, cross[i]);
		assert_string_equal(to.items[i].value, "yes");
	}
	sip_headers_done(&from);
	sip_headers_done(&to);
}

static void of_option_tags_the_transparent_ones_cross(void **state)
{
	struct sip_headers from = { 0 }, to = { 0 };

	(void)state;
	assert_int_equal(sip_headers_add(&from, "k", "100rel,histinfo , timer,\tUUI"), 0);
	assert_int_equal(sip_headers_add(&from, "Supported", "replaces"), 0);
	assert_int_equal(sip_headers_add(&from, "Require", ",resource-priority,,"), 0);
	assert_int_equal(sip_headers_add(&from, "Supported",
					 "histinfo-but-longer-than-any-option-tag-there-is"),
			 0);
	assert_int_equal(sip_headers_copy_transparent(&to, &from), 0);
	assert_int_equal(to.count, 2);
	assert_string_equal(to.items[0].value, "histinfo, UUI");
	assert_string_equal(to.items[1].value, "resource-priority");
	sip_headers_done(&from);
	sip_headers_done(&to);
}

static void what_is_end_to_end_of_contact_and_body_goes_along_to_the_core_only(void **state)
{
	struct sip_headers from = { 0 }, to = { 0 }, trunk = { 0 };

	(void)state;
	from.features = strdup(";+sip.instance=\"x\"");
	from.redirect = strdup("<sip:a@b>");
	assert_int_equal(sip_body_create(&from.body, "text/x", "hello", 5), 0);
	from.body->fields[BODY_DISPOSITION] = strdup("render");
	assert_int_equal(sip_headers_copy_transparent(&to, &from), 0);
	assert_string_equal(to.features, from.features);
	assert_string_equal(to.redirect, from.redirect);
	assert_string_equal(to.body->fields[BODY_DISPOSITION], "render");
	assert_string_equal(to.body->text, "hello");
	assert_int_equal(sip_headers_copy_allowed(&trunk, &from, NULL, 0), 0);
	assert_null(trunk.features);
	assert_null(trunk.redirect);
	assert_null(trunk.body);
	sip_headers_done(&from);
	sip_headers_done(&to);
}

static void towards_a_trunk_only_the_named_cross(void **state)
{
	static const char *const names[] = { "subject", "X-Wanted", "Via" };
	struct sip_headers from = { 0 }, to = { 0 };

	(void)state;
	assert_int_equal(sip_headers_add(&from, "P-Asserted-Identity", "<sip:a@b>"), 0);
	assert_int_equal(sip_headers_add(&from, "s", "hello"), 0);
	assert_int_equal(sip_headers_add(&from, "x-wanted", "1"), 0);
	assert_int_equal(sip_headers_add(&from, "Via", "never"), 0);
	assert_int_equal(sip_headers_copy_allowed(&to, &from, names, ARRAY_SIZE(names)), 0);
	assert_int_equal(to.count, 2);
	assert_string_equal(to.items[0].name, "Subject");
	assert_string_equal(to.items[1].value, "1");
	sip_headers_done(&from);
	sip_headers_done(&to);
}

static void a_flood_of_headers_is_cut(void **state)
{
	struct sip_headers headers = { 0 };
	int err = 0;

	(void)state;
	for (int i = 0; i < 10000 && !err; i++)
		err = sip_headers_add(&headers, "X", "y");
	assert_int_equal(err, -ENOMEM);
	assert_true(headers.count <= 256);
	sip_headers_done(&headers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folds_become_one_space_and_outer_blanks_go),
		cmocka_unit_test(what_could_end_a_line_or_a_string_is_refused),
		cmocka_unit_test(random_bytes_never_leave_a_control_character),
		cmocka_unit_test(compact_forms_get_their_full_names),
		cmocka_unit_test(a_known_name_is_found_in_any_case),
		cmocka_unit_test(set_replaces_all_and_remove_takes_all),
		cmocka_unit_test(towards_the_core_all_cross_but_those_of_a_hop_or_dialog),
		cmocka_unit_test(of_option_tags_the_transparent_ones_cross),
		cmocka_unit_test(
			what_is_end_to_end_of_contact_and_body_goes_along_to_the_core_only),
		cmocka_unit_test(towards_a_trunk_only_the_named_cross),
		cmocka_unit_test(a_flood_of_headers_is_cut),
	};

	return cmocka_run_group_tests_name("tas/sip/headers", tests, NULL, NULL);
}
