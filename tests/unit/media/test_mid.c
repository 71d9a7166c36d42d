/* SPDX-License-Identifier: Apache-2.0 */
/* test_mid.c - packets before and after: RFC 8285's bytes, written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "media/extensions.h"
#include "media/mid.h"
#include "media/relay.h"

static struct mid mid;
static uint8_t packet[RELAY_BUFFER];

static int set_up(void **state)
{
	(void)state;
	memset(&mid, 0, sizeof(mid));
	mid_agree(&mid, 4, "0");
	return 0;
}

static size_t make(const void *bytes, size_t length)
{
	memset(packet, 0xee, sizeof(packet));
	memcpy(packet, bytes, length);
	return length;
}

#define BARE "\x80\x08\0\1\0\0\0\2\0\0\0\3"

static size_t add_to_bare(void)
{
	return mid_add(&mid, packet, make(BARE "pay", 15));
}

static void a_packet_without_an_extension_gets_one(void **state)
{
	(void)state;
	assert_int_equal(add_to_bare(), 23);
	assert_memory_equal(packet,
			    "\x90\x08\0\1\0\0\0\2\0\0\0\3\xbe\xde\0\1\x40"
			    "0\0\0pay",
			    23);
	assert_true(relay_rtp_is_sound(packet, 23));
}

static void it_stands_behind_what_is_there(void **state)
{
	static const char before[] = "\x91\x08\0\1\0\0\0\2\0\0\0\3CSRC\xbe\xde\0\1\x10\x55\0\0pay";
	static const char after[] = "\x91\x08\0\1\0\0\0\2\0\0\0\3CSRC\xbe\xde\0\3\x10\x55\0\0"
				    "\x43"
				    "main\0\0\0pay";

	(void)state;
	mid_agree(&mid, 4, "main");
	assert_int_equal(mid_add(&mid, packet, make(before, sizeof(before) - 1)),
			 sizeof(after) - 1);
	assert_memory_equal(packet, after, sizeof(after) - 1);
	assert_true(relay_rtp_is_sound(packet, sizeof(after) - 1));
}

static void one_of_the_other_form_stays_as_it_is(void **state)
{
	static const char before[] = "\x90\x08\0\1\0\0\0\2\0\0\0\3\x10\0\0\1\1\1\x55\0pay";

	(void)state;
	assert_int_equal(mid_add(&mid, packet, make(before, sizeof(before) - 1)),
			 sizeof(before) - 1);
	assert_memory_equal(packet, before, sizeof(before) - 1);
}

static void the_first_second_of_each_stream_has_it_and_one_in_fifty_after(void **state)
{
	unsigned with = 0;

	(void)state;
	for (unsigned i = 0; i < MID_PACKETS; i++)
		assert_int_equal(add_to_bare(), 23);
	for (unsigned i = 0; i < 10 * MID_PACKETS; i++)
		with += add_to_bare() == 23;
	assert_int_equal(with, 10);
	(void)make(BARE "pay", 15);
	packet[11] = 4; /* another source */
	assert_int_equal(mid_add(&mid, packet, 15), 23);
}

static void without_an_agreement_nothing_changes(void **state)
{
	(void)state;
	mid_agree(&mid, 0, "0");
	assert_int_equal(add_to_bare(), 15);
	mid_agree(&mid, 4, "");
	assert_int_equal(add_to_bare(), 15);
	mid_agree(&mid, 4, "seventeen letters");
	assert_int_equal(add_to_bare(), 15);
	mid_agree(&mid, 4, "sixteen letters.");
	assert_int_equal(add_to_bare(), 15 + MID_ROOM);
	assert_true(relay_rtp_is_sound(packet, 15 + MID_ROOM));
}

static void the_same_agreement_again_does_not_begin_anew(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MID_PACKETS; i++)
		(void)add_to_bare();
	mid_agree(&mid, 4, "0");
	assert_int_equal(add_to_bare(), 15);
	mid_agree(&mid, 5, "0");
	assert_int_equal(add_to_bare(), 23);
	assert_int_equal(packet[16], 0x50);
}

static void a_packet_that_would_be_too_long_goes_without(void **state)
{
	(void)state;
	(void)make(BARE, 12);
	assert_int_equal(mid_add(&mid, packet, RELAY_PACKET_MAX - MID_ROOM + 1),
			 RELAY_PACKET_MAX - MID_ROOM + 1);
	assert_int_equal(packet[0], 0x80);
	assert_true(mid_add(&mid, packet, RELAY_PACKET_MAX - MID_ROOM) <= RELAY_PACKET_MAX);
	assert_int_equal(packet[0], 0x90);
}

static void it_is_agreed_with_each_side_by_itself(void **state)
{
	struct extensions theirs = { 0 }, others = { 0 };
	struct extensions_map map;

	(void)state;
	extensions_read(&theirs, "4 urn:ietf:params:rtp-hdrext:sdes:mid");
	extensions_read(&others, "9 urn:ietf:params:rtp-hdrext:sdes:mid");
	assert_int_equal(theirs.numbers[EXTENSION_MID], 4);
	extensions_agree(&map, &theirs, &others);
	assert_int_equal(map.out[4], 0); /* it does not cross */
	extensions_restrict(&theirs, &(struct extensions){ 0 });
	assert_int_equal(theirs.numbers[EXTENSION_MID], 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_packet_without_an_extension_gets_one, set_up),
		cmocka_unit_test_setup(it_stands_behind_what_is_there, set_up),
		cmocka_unit_test_setup(one_of_the_other_form_stays_as_it_is, set_up),
		cmocka_unit_test_setup(
			the_first_second_of_each_stream_has_it_and_one_in_fifty_after, set_up),
		cmocka_unit_test_setup(without_an_agreement_nothing_changes, set_up),
		cmocka_unit_test_setup(the_same_agreement_again_does_not_begin_anew, set_up),
		cmocka_unit_test_setup(a_packet_that_would_be_too_long_goes_without, set_up),
		cmocka_unit_test_setup(it_is_agreed_with_each_side_by_itself, set_up),
	};

	return cmocka_run_group_tests_name("media/mid", tests, NULL, NULL);
}
