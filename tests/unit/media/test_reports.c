/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "media/relay.h"
#include "media/reports.h"

#define CNAME "0123456789abcdef"

/* Towards the reader we are 20, towards the author 40. The author's stream is 1. */
static struct reports_stream own, other;
static struct reports_way way;
static struct sender_told told;
static uint8_t packet[RELAY_BUFFER];
static size_t length;

static int set_up(void **state)
{
	(void)state;
	own = (struct reports_stream){ .in_ssrc = 1,
				       .in_timestamp = 1000,
				       .in_clock = 8000,
				       .out_ssrc = 20,
				       .out_timestamp = 90000,
				       .out_clock = 48000,
				       .packets = 50,
				       .octets = 3000 };
	other = (struct reports_stream){ .in_ssrc = 3,
					 .in_clock = 1,
					 .out_ssrc = 40,
					 .out_clock = 1,
					 .newest = SENDER_CYCLE + 5100,
					 .oldest = SENDER_CYCLE + 5000,
					 .shift = 65000 };
	way = (struct reports_way){ .ssrc = 20,
				    .cname = CNAME,
				    .own = &own,
				    .other_ssrc = 40,
				    .other = &other,
				    .told = &told };
	memset(&told, 0, sizeof(told));
	length = 0;
	memset(packet, 0xee, sizeof(packet));
	return 0;
}

static void add(uint8_t count, uint8_t type, const uint32_t *words, uint8_t word_count)
{
	uint8_t *part = packet + length;

	part[0] = 0x80 | count;
	part[1] = type;
	part[2] = 0;
	part[3] = word_count;
	for (unsigned i = 0; i < word_count; i++)
		sender_put_word(part + 4 + (size_t)i * 4, words[i]);
	length += 4 + (size_t)word_count * 4;
}

static uint32_t word(unsigned i)
{
	return relay_word_at(packet + (size_t)i * 4);
}

static void rewrite(void)
{
	assert_true(relay_rtcp_is_sound(packet, length));
	length = reports_rewrite(packet, length, &way);
	assert_true(length == 0 || relay_rtcp_is_sound(packet, length));
}

/* SR of stream 1 with one block about 40, which has 5050 as the newest number. */
static void add_sr(void)
{
	const uint32_t words[] = { 1,    0xaabbccdd, 0x12345678,
				   1160, 7,          700,
				   40,   0x1a000003, (5050 + 65000) & 0xffff,
				   80,   0x11223344, 0x50 };

	add(1, 200, words, ARRAY_SIZE(words));
}

static void a_report_reads_as_if_about_the_stream_that_is_known(void **state)
{
	(void)state;
	add_sr();
	rewrite();
	assert_int_equal(length, 52);
	assert_int_equal(word(0), 0x81c8000c);
	assert_int_equal(word(1), 20);
	assert_int_equal(word(2), 0xaabbccdd);
	assert_int_equal(word(3), 0x12345678);
	assert_int_equal(word(4), 90000 + 160 * 6);
	assert_int_equal(word(5), 50);
	assert_int_equal(word(6), 3000);
	assert_int_equal(word(7), 3);
	assert_int_equal(word(8), 0x1a000003);
	assert_int_equal(word(9), 5050);
	assert_int_equal(word(10), 80);
	assert_int_equal(word(11), 0x11223344); /* LSR and DLSR: the round trip's */
	assert_int_equal(word(12), 0x50);
}

static void numbers_count_the_cycles_of_their_own_stream(void **state)
{
	(void)state;
	other.oldest = SENDER_CYCLE + 65000;
	other.newest =
		3 * SENDER_CYCLE + 10; /* ours is two cycles behind it and just before a wrap */
	other.shift = 65500 - other.newest;
	add_sr();
	sender_put_word(packet + 36, 65480);
	rewrite();
	assert_int_equal(word(9), 2 * SENDER_CYCLE + 10 - 20);
}

/* First we told, of a stream that is recorded here; then somebody else hears it. */
static void another_who_counts_goes_on_where_the_last_one_was(void **state)
{
	(void)state;
	reports_tell(&told, 3, SENDER_CYCLE + 5060, 9);
	add_sr();
	rewrite();
	assert_int_equal(word(8), 0x1a00000c);          /* 9 + 3 */
	assert_int_equal(word(9), SENDER_CYCLE + 5060); /* it is not that far yet */
	length = 0;
	add_sr();
	sender_put_word(packet + 32, 0x1a000005);
	sender_put_word(packet + 36, (5080 + 65000) & 0xffff);
	rewrite();
	assert_int_equal(word(8), 0x1a00000e); /* 9 + 5 */
	assert_int_equal(word(9), SENDER_CYCLE + 5080);
	assert_int_equal(told.blocks, 2);
	assert_int_equal(told.senders, 2);
	other.out_ssrc = 41; /* a transfer: its count begins at 0 */
	length = 0;
	add_sr();
	sender_put_word(packet + 32, 0x1a000001);
	rewrite();
	assert_int_equal(word(8), 0x1a00000f);
	reports_tell(&told, 4, 7, 2); /* another stream */
	assert_int_equal(told.number, 7);
	assert_int_equal(told.lost, 2);
}

static void where_speech_is_made_the_newest_that_came_stands_for_what_arrived(void **state)
{
	(void)state;
	other.made = true;
	other.in_clock = 48000;
	other.out_clock = 8000;
	add_sr();
	rewrite();
	assert_int_equal(word(9), 5100);
	assert_int_equal(word(10), 480);
}

static void what_is_lost_of_others_is_not_told_to_this_one(void **state)
{
	(void)state;
	other.lost_of_others = 10;
	add_sr();
	rewrite();
	assert_int_equal(word(8), 0x1afffff9); /* 3 - 10 */
	(void)set_up(state);
	other.lost_of_others = -0x800000; /* more than 24 bits can say */
	add_sr();
	rewrite();
	assert_int_equal(word(8), 0x1a7fffff);
}

static void a_report_about_the_source_before_is_left_out(void **state)
{
	(void)state;
	other.oldest = SENDER_CYCLE + 5051;
	add_sr();
	rewrite();
	assert_int_equal(length, 28);
	assert_int_equal(word(0), 0x80c80006);
	(void)set_up(state);
	way.other = NULL; /* what it hears is music of ours */
	add_sr();
	rewrite();
	assert_int_equal(length, 28);
	(void)set_up(state);
	way.other_ssrc = 41; /* about nothing of ours */
	add_sr();
	rewrite();
	assert_int_equal(length, 28);
}

static void of_a_sender_that_is_not_heard_there_only_what_it_receives_is_told(void **state)
{
	(void)state;
	way.own = NULL;
	add_sr();
	rewrite();
	assert_int_equal(length, 32);
	assert_int_equal(word(0), 0x81c90007);
	assert_int_equal(word(1), 20);
	assert_int_equal(word(2), 3);
	(void)set_up(state);
	own.in_ssrc = 9; /* a stream that has just ended, or begins */
	add_sr();
	rewrite();
	assert_int_equal(word(0), 0x81c90007);
}

static void its_name_is_ours_and_its_farewell_is_not(void **state)
{
	const uint32_t rr[] = { 1 }, name[] = { 1, 0x01026162, 0 }, bye[] = { 1 };

	(void)state;
	add(0, 201, rr, 1);
	add(1, 202, name, 3);
	add(1, 203, bye, 1);
	rewrite();
	assert_int_equal(length, 8 + 28);
	assert_int_equal(word(1), 20);
	assert_int_equal(word(2), 0x81ca0006);
	assert_int_equal(word(3), 20);
	assert_int_equal(packet[16], 1);
	assert_int_equal(packet[17], 16);
	assert_memory_equal(packet + 18, CNAME "\0\0", 18);
	(void)set_up(state);
	add(1, 203, bye, 1);
	rewrite();
	assert_int_equal(length, 0);
	(void)set_up(state);
	add(1, 202, name, 3); /* by itself it is no compound */
	rewrite();
	assert_int_equal(length, 0);
}

static void feedback_is_dropped_and_what_an_application_says_goes_on(void **state)
{
	const uint32_t nack[] = { 1, 40, 0x00050000 }, app[] = { 1, 0x61626364, 5 };

	(void)state;
	add_sr();
	add(1, 205, nack, 3);
	add(1, 206, nack, 2);
	add(3, 204, app, 3);
	rewrite();
	assert_int_equal(length, 52 + 16);
	assert_int_equal(word(13), 0x83cc0003);
	assert_int_equal(word(14), 20);
	assert_int_equal(word(16), 5);
}

static void extended_reports_name_the_stream_that_is_known(void **state)
{
	const uint32_t blocks[] = {
		1,          0x04000002, 0xaabbccdd, 0x12345678, /* reference time */
		0x01000002, 40,         0x00010005,             /* lost numbers */
		0x05000003, 40,         0x11223344, 0x50,       /* delay */
		0x07000008, 40,         1,          2,          3, 4, 5, 6, 7
	};
	const uint32_t lie[] = { 1, 0x040000ff, 1, 2 };

	(void)state;
	add(0, 207, blocks, ARRAY_SIZE(blocks));
	rewrite();
	assert_int_equal(length, 8 + 12 + 16 + 36);
	assert_int_equal(word(1), 20);
	assert_int_equal(word(2), 0x04000002);
	assert_int_equal(word(6), 3);
	assert_int_equal(word(7), 0x11223344);
	assert_int_equal(word(10), 3);
	assert_int_equal(word(17), 7);
	length = 0;
	add(0, 207, lie, ARRAY_SIZE(lie));
	rewrite();
	assert_int_equal(length, 0);
}

static void what_is_short_or_padded_is_read_no_further(void **state)
{
	const uint32_t rr[] = { 1 }, app[] = { 1, 0x61626364, 0, 0x00000004 };

	(void)state;
	add(31, 201, rr, 1); /* says 31 blocks, has none */
	add(0, 203, NULL, 0);
	add(31, 200, rr, 1);
	rewrite();
	assert_int_equal(length, 8);
	assert_int_equal(word(0), 0x80c90001);
	add(0, 204, app, 4);
	packet[8] |= 0x20; /* behind it comes our name */
	rewrite();
	assert_int_equal(length, 8 + 16);
	assert_int_equal(word(2), 0x80cc0003);
	packet[8] |= 0x20;
	packet[length - 1] = 5;
	rewrite();
	assert_int_equal(length, 8);
}

static void a_name_for_which_there_is_no_room_is_left_out(void **state)
{
	const uint32_t rr[] = { 1 }, name[] = { 1, 0x01026162, 0 }, app[250] = { 1 };

	(void)state;
	add(0, 201, rr, 1);
	add(0, 204, app, 250);
	add(0, 204, app, 110);
	add(1, 202, name, 3);
	assert_in_range(length, RELAY_PACKET_MAX - 40, RELAY_PACKET_MAX);
	rewrite();
	assert_int_equal(length, 8 + 4 + 1000 + 4 + 440 + 28);
	(void)set_up(state);
	add(0, 201, rr, 1);
	add(0, 204, app, 250);
	add(0, 204, app, 116);
	add(1, 202, name, 3);
	rewrite();
	assert_int_equal(length, 8 + 4 + 1000 + 4 + 464);
}

#define T(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_report_reads_as_if_about_the_stream_that_is_known),
		T(numbers_count_the_cycles_of_their_own_stream),
		T(another_who_counts_goes_on_where_the_last_one_was),
		T(where_speech_is_made_the_newest_that_came_stands_for_what_arrived),
		T(what_is_lost_of_others_is_not_told_to_this_one),
		T(a_report_about_the_source_before_is_left_out),
		T(of_a_sender_that_is_not_heard_there_only_what_it_receives_is_told),
		T(its_name_is_ours_and_its_farewell_is_not),
		T(feedback_is_dropped_and_what_an_application_says_goes_on),
		T(extended_reports_name_the_stream_that_is_known),
		T(what_is_short_or_padded_is_read_no_further),
		T(a_name_for_which_there_is_no_room_is_left_out),
	};

	return cmocka_run_group_tests_name("media/reports", tests, NULL, NULL);
}
