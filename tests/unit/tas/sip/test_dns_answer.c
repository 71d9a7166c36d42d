/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include <errno.h>

#include "tas/sip/dns_answer.h"

/* An answer to a question for "a.b"; its name is at offset 12. */
#define HEAD(records) "\x12\x34\x81\x80\0\1\0" records "\0\0\0\0\1a\1b\0\0\x21\0\1"
#define BYTES(text)   (const unsigned char *)(text), sizeof(text) - 1

static struct dns_answer answer;

static void addresses_are_read_with_the_least_ttl_of_the_way(void **state)
{
	static const char bytes[] = HEAD("\3")
		/* a.b CNAME c.b 7; c.b A 192.0.2.1 60; c.b A 192.0.2.2 60 */
		"\xc0\x0c\0\5\0\1\0\0\0\7\0\4\1c\xc0\x0e"
		"\xc0\x1f\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
		"\xc0\x1f\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\2";

	(void)state;
	assert_int_equal(dns_answer_read(BYTES(bytes), DNS_A, &answer), 0);
	assert_int_equal(answer.count, 2);
	assert_string_equal(answer.records[1].text, "192.0.2.2");
	assert_int_equal(answer.ttl_s, 7);
	assert_int_equal(dns_answer_read(BYTES(bytes), DNS_AAAA, &answer), 0);
	assert_int_equal(answer.count, 0);
}

static void srv_and_naptr_records_are_read(void **state)
{
	static const char srv[] =
		HEAD("\1") "\xc0\x0c\0\x21\0\1\0\0\1\0\0\x0a\0\1\0\2\x13\xc4\1x\xc0\x0e";
	static const char naptr[] =
		HEAD("\2") "\xc0\x0c\0\x23\0\1\0\0\1\0\0\x13\0\1\0\2\1s\7SIP+D2T\0"
			   "\1t\xc0\x0e"
			   "\xc0\x0c\0\x23\0\1\0\0\1\0\0\x10\0\1\0\2\1u\7E2U+sip\0\0";

	(void)state;
	assert_int_equal(dns_answer_read(BYTES(srv), DNS_SRV, &answer), 0);
	assert_int_equal(answer.records[0].priority, 1);
	assert_int_equal(answer.records[0].weight, 2);
	assert_int_equal(answer.records[0].port, 5060);
	assert_string_equal(answer.records[0].text, "x.b");
	assert_int_equal(answer.ttl_s, 256);
	assert_int_equal(dns_answer_read(BYTES(naptr), DNS_NAPTR, &answer), 0);
	assert_int_equal(answer.count, 2);
	assert_string_equal(answer.records[0].service, "SIP+D2T");
	assert_string_equal(answer.records[0].text, "t.b");
	assert_string_equal(answer.records[1].service, ""); /* ENUM: not for us */
}

static void what_is_cut_or_goes_in_circles_is_refused(void **state)
{
	static const char whole[] =
		HEAD("\1") "\xc0\x0c\0\x21\0\1\0\0\1\0\0\x0a\0\1\0\2\x13\xc4\1x\xc0\x0e";
	static const char circle[] = HEAD("\1") "\xc0\x18\0\1\0\1\0\0\0\1\0\4\1\2\3\4";
	static const char strange[] =
		HEAD("\1") "\xc0\x0c\0\x21\0\1\0\0\1\0\0\x0a\0\1\0\2\x13\xc4\1;\0\0";

	(void)state;
	for (size_t length = 0; length < sizeof(whole) - 1; length++)
		assert_int_equal(
			dns_answer_read((const unsigned char *)whole, length, DNS_SRV, &answer),
			-EBADMSG);
	assert_int_equal(dns_answer_read(BYTES(circle), DNS_A, &answer), -EBADMSG);
	/* It would end up in a URI. */
	assert_int_equal(dns_answer_read(BYTES(strange), DNS_SRV, &answer), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_with_the_least_ttl_of_the_way),
		cmocka_unit_test(srv_and_naptr_records_are_read),
		cmocka_unit_test(what_is_cut_or_goes_in_circles_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
