/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "media/relay.h"
#include "media/rtcp.h"

/* SR of one block, SDES, RR of one block. */
static const uint8_t compound[] = {
	0x81, 200, 0, 12, 0,    0,    0,    1,    0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
	0,    0,   0, 9,  0,    0,    0,    2,    0,    0,    0,    3, /* block: */
	0,    0,   0, 7,  0x40, 0xff, 0xff, 0xfe, 0,    0,    0,    9,    0,    0,    0,    160,
	1,    2,   3, 4,  0,    1,    0,    0, /* SDES */
	0x81, 202, 0, 1,  0,    0,    0,    1, /* RR */
	0x81, 201, 0, 7,  0,    0,    0,    2,    0,    0,    0,    8,    0x80, 0,    0,    5,
	0,    0,   0, 10, 0,    0,    0,    80,   0,    0,    0,    0,    0,    0,    0,    0,
};

static void reports_of_a_compound_are_read_in_order(void **state)
{
	struct rtcp_report report;
	size_t at = 0;

	(void)state;
	assert_true(relay_rtcp_is_sound(compound, sizeof(compound)));
	assert_true(rtcp_next_report(compound, sizeof(compound), &at, &report));
	assert_true(report.sender);
	assert_int_equal(report.ntp, 0x33445566);
	assert_int_equal(report.count, 1);
	assert_int_equal(report.blocks[0].ssrc, 7);
	assert_int_equal(report.blocks[0].fraction, 64);
	assert_int_equal(report.blocks[0].lost, -2);
	assert_int_equal(report.blocks[0].jitter, 160);
	assert_int_equal(report.blocks[0].last_sr, 0x01020304);
	assert_int_equal(report.blocks[0].delay, 65536);
	assert_true(rtcp_next_report(compound, sizeof(compound), &at, &report));
	assert_false(report.sender);
	assert_int_equal(report.blocks[0].lost, 5);
	assert_int_equal(report.blocks[0].last_sr, 0);
	assert_false(rtcp_next_report(compound, sizeof(compound), &at, &report));
}

static void a_count_beyond_the_length_is_passed_over(void **state)
{
	uint8_t packet[sizeof(compound)];
	struct rtcp_report report;
	size_t at = 0;

	(void)state;
	memcpy(packet, compound, sizeof(packet));
	packet[0] = 0x82;
	assert_true(rtcp_next_report(packet, sizeof(packet), &at, &report));
	assert_false(report.sender);
	assert_false(rtcp_next_report(packet, sizeof(packet), &at, &report));
}

static void a_sender_report_cut_short_is_none(void **state)
{
	static const uint8_t packet[] = { 0x80, 200, 0, 1, 0, 0, 0, 1 };
	struct rtcp_report report;
	size_t at = 0;

	(void)state;
	assert_true(relay_rtcp_is_sound(packet, sizeof(packet)));
	assert_false(rtcp_next_report(packet, sizeof(packet), &at, &report));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_of_a_compound_are_read_in_order),
		cmocka_unit_test(a_count_beyond_the_length_is_passed_over),
		cmocka_unit_test(a_sender_report_cut_short_is_none),
	};

	return cmocka_run_group_tests_name("media/rtcp", tests, NULL, NULL);
}
