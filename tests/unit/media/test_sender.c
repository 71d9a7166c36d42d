/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "media/relay.h"
#include "media/sender.h"
#include "media/stream.h"

#define MS    UINT64_C(1000000)
#define CLOCK 8000
#define TICKS 160 /* of a packet of 20 ms */

static struct sender *sender;
static uint64_t now_ns;
static struct packet {
	uint8_t bytes[RELAY_BUFFER];
	size_t length;
} out;

/* A source as a phone is one: a packet each 20 ms. */
struct phone {
	uint32_t ssrc, timestamp;
	uint16_t number;
};
static struct phone one, two;

static int set_up(void **state)
{
	(void)state;
	now_ns = 1000 * MS;
	one = (struct phone){ .ssrc = 1, .timestamp = 5000, .number = 500 };
	two = (struct phone){ .ssrc = 2, .timestamp = 0xffffff00, .number = 65000 };
	sender = sender_unref(sender);
	return sender_create(&sender);
}

static int tear_down(void **state)
{
	(void)state;
	sender = sender_unref(sender);
	return 0;
}

static bool put(uint32_t ssrc, uint16_t number, uint32_t timestamp)
{
	struct stream stream = { .ssrc = ssrc, .timestamp = timestamp, .sequence = number };

	stream_header(&stream, out.bytes, 8, timestamp);
	memset(out.bytes + STREAM_HEADER, (int)number, TICKS);
	out.length = STREAM_HEADER + TICKS;
	return sender_goes_on(sender, out.bytes, out.length, now_ns) ||
	       sender_weigh(sender, out.bytes, out.length, now_ns, CLOCK);
}

static void speak(struct phone *phone)
{
	assert_true(put(phone->ssrc, phone->number++, phone->timestamp));
	phone->timestamp += TICKS;
	now_ns += 20 * MS;
}

static uint16_t number(void)
{
	return (uint16_t)(out.bytes[2] << 8 | out.bytes[3]);
}

static uint32_t timestamp(void)
{
	return relay_word_at(out.bytes + 4);
}

static bool marked(void)
{
	return out.bytes[1] & 0x80;
}

static void an_ssrc_is_ours_and_begins_where_a_wrap_is_far(void **state)
{
	struct sender *other;

	for (unsigned i = 0; i < 1000; i++) {
		(void)set_up(state);
		assert_int_not_equal(sender->ssrc, 0);
		assert_int_not_equal(sender->ssrc, sender->spare);
		assert_in_range(sender->next, SENDER_CYCLE + SENDER_WINDOW, SENDER_CYCLE + 0x7fff);
	}
	assert_int_equal(sender_create(&other), 0);
	assert_int_not_equal(other->ssrc, sender->ssrc);
	assert_string_not_equal(other->cname, sender->cname);
	assert_int_equal(strlen(sender->cname), SENDER_CNAME);
	sender_unref(other);
}

static void it_goes_on_for_the_leg_that_takes_anothers_place(void **state)
{
	struct sender *second = sender_ref(sender);
	uint16_t last;

	(void)state;
	speak(&one);
	last = number();
	assert_null(sender_unref(sender));
	sender = second;
	speak(&two);
	assert_int_equal((uint16_t)(number() - last), 1);
	assert_null(sender_ref(NULL));
	assert_null(sender_unref(NULL));
}

static void one_source_keeps_all_but_three_offsets(void **state)
{
	uint16_t shift;
	uint32_t time_shift;

	(void)state;
	one.number = 65500; /* over its wrap, and over that of ours */
	sender->next = SENDER_CYCLE + 65400;
	one.timestamp = 0xfffffff0;
	speak(&one);
	assert_false(marked());
	shift = (uint16_t)(number() - 65500);
	time_shift = timestamp() - 0xfffffff0;
	for (unsigned i = 1; i < 400; i++) {
		speak(&one);
		assert_int_equal(number(), (uint16_t)(65500 + i + shift));
		assert_int_equal(timestamp(), 0xfffffff0 + i * TICKS + time_shift);
		assert_int_equal(relay_word_at(out.bytes + 8), sender->ssrc);
		assert_int_equal(out.bytes[1], 8);
		assert_int_equal(out.bytes[STREAM_HEADER], (uint8_t)(65500 + i));
	}
	assert_int_equal(sender->packets, 400);
	assert_int_equal(sender->octets, 400 * TICKS);
}

static void loss_order_and_copies_stay_as_they_are(void **state)
{
	static const uint16_t numbers[] = {
		100, 102, 101, 101, 103, 110, 106, 2100, 2099, 65, 2101
	};
	static const bool passes[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1 };
	uint16_t shift = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		assert_int_equal(put(1, numbers[i], numbers[i] * TICKS), passes[i]);
		if (i == 0)
			shift = (uint16_t)(number() - 100);
		if (passes[i])
			assert_int_equal((uint16_t)(number() - numbers[i]), shift);
		assert_false(marked());
	}
}

static void what_comes_before_the_first_packet_has_a_number_too(void **state)
{
	uint16_t first;

	(void)state;
	assert_true(put(1, 10, 10 * TICKS));
	first = number();
	assert_true(put(1, 9, 9 * TICKS));
	assert_int_equal((uint16_t)(first - number()), 1);
}

static void another_source_goes_on_in_numbers_and_in_time(void **state)
{
	uint16_t last;
	uint32_t time;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		speak(&one);
	last = number();
	time = timestamp();
	now_ns += 3000 * MS;
	speak(&two);
	assert_int_equal((uint16_t)(number() - last), 1);
	assert_int_equal(timestamp() - time, 3020 * 8);
	assert_true(marked());
	assert_int_equal(relay_word_at(out.bytes + 8), sender->ssrc);
	speak(&two);
	assert_int_equal((uint16_t)(number() - last), 2);
	assert_int_equal(timestamp() - time, 3040 * 8);
	assert_false(marked());
}

static void the_next_source_does_not_begin_within_the_last_packet(void **state)
{
	uint32_t time;

	(void)state;
	speak(&one);
	speak(&one);
	time = timestamp();
	now_ns -= 19 * MS;
	speak(&two);
	assert_int_equal(timestamp() - time, TICKS);
}

static void what_comes_late_of_the_source_before_is_dropped(void **state)
{
	uint16_t last;

	(void)state;
	speak(&one);
	one.number++; /* this one is late */
	one.timestamp += TICKS;
	speak(&one);
	speak(&two);
	last = number();
	assert_false(put(1, 501, 5000 + TICKS));
	assert_false(put(1, 502, 5000 + 2 * TICKS));            /* a copy */
	assert_false(put(2, 64999, two.timestamp - 2 * TICKS)); /* before the switch */
	speak(&two);
	assert_int_equal((uint16_t)(number() - last), 1);
	assert_false(marked());
}

static void a_source_that_returns_keeps_its_time_if_that_went_on(void **state)
{
	uint16_t last;
	uint32_t time;

	(void)state;
	speak(&one);
	speak(&one);
	time = timestamp();
	for (unsigned i = 0; i < 50; i++) {
		speak(&two);
		one.timestamp += TICKS;
		one.number++; /* it has gone on, and nobody has heard it */
	}
	last = number();
	now_ns += 7 * MS; /* what the network makes of it is not its time */
	speak(&one);
	assert_int_equal((uint16_t)(number() - last), 1);
	assert_int_equal(timestamp() - time, 51 * TICKS);
	assert_true(marked());
	for (unsigned i = 0; i < 50; i++)
		speak(&two);
	time = timestamp();
	speak(&one); /* its clock has stood still meanwhile */
	assert_int_equal(timestamp() - time, TICKS);
}

static void a_source_that_returns_half_a_circle_away_goes_on_in_our_time(void **state)
{
	uint32_t time;

	(void)state;
	speak(&one);
	speak(&two);
	time = timestamp();
	one.timestamp += 0x80000000u + TICKS; /* neither before nor behind: RFC 1982 3.2 */
	speak(&one);
	assert_int_equal(timestamp() - time, TICKS);
	assert_true(marked());
}

static void a_digit_between_packets_of_speech_stays_one(void **state)
{
	uint32_t digit = 0, time;
	uint16_t last;

	(void)state;
	speak(&one);
	for (unsigned i = 0; i < 10; i++) {
		last = number();
		time = timestamp();
		assert_true(put(2, (uint16_t)(700 + i), 90000));
		assert_int_equal((uint16_t)(number() - last), 1);
		assert_int_equal(marked(), i == 0);
		if (i == 0) {
			digit = timestamp();
			assert_int_equal(digit - time, TICKS);
		}
		assert_int_equal(timestamp(), digit);
		speak(&one);
		assert_int_equal(timestamp() - digit, i * TICKS);
		assert_false(marked()); /* it has not been away */
	}
}

static void numbers_that_begin_anew_go_on(void **state)
{
	uint16_t last;
	uint32_t time;

	(void)state;
	speak(&one);
	speak(&one);
	one.number = 40000; /* forth more than time allows for: one is waited for */
	last = number();
	time = timestamp();
	assert_false(put(1, one.number++, one.timestamp));
	one.timestamp += TICKS;
	now_ns += 20 * MS;
	speak(&one);
	assert_int_equal((uint16_t)(number() - last), 1);
	assert_int_equal(timestamp() - time, 2 * TICKS);
	assert_true(marked());
	last = number();
	one.number = 100; /* back, out of all order */
	assert_false(put(1, one.number++, one.timestamp));
	speak(&one);
	assert_int_equal((uint16_t)(number() - last), 1);
	speak(&one);
	last = number();
	one.number = 101; /* a few, with new time: no copy */
	speak(&one);
	assert_int_equal((uint16_t)(number() - last), 1);
	last = number();
	one.number--; /* it does not count at all */
	speak(&one);
	assert_int_equal((uint16_t)(number() - last), 1);
}

static void a_long_silence_of_the_network_stays_loss(void **state)
{
	uint16_t last;

	(void)state;
	speak(&one);
	last = number();
	now_ns += 4000 * 20 * MS;
	one.number += 4000;
	one.timestamp += 4000 * TICKS;
	speak(&one);
	assert_int_equal((uint16_t)(number() - last), 4001);
	assert_false(marked());
}

static void a_stray_packet_changes_nothing(void **state)
{
	uint16_t last;

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		speak(&one);
	last = number();
	assert_false(put(1, 501, 5160)); /* three hundred packets late */
	assert_false(put(1, 20000, 1));
	speak(&one);
	assert_int_equal((uint16_t)(number() - last), 1);
}

static void new_keys_do_not_begin_just_before_a_wrap(void **state)
{
	(void)state;
	speak(&one);
	sender_new_keys(sender);
	assert_int_equal((uint16_t)sender->next, (uint16_t)(number() + 1));
	sender->now.shift += 65530 - sender->next;
	sender->next = 65530;
	sender_new_keys(sender);
	assert_false(put(1, 500, 5000)); /* a copy, under other keys */
	speak(&one);
	assert_int_equal(number(), 0);
	speak(&one);
	assert_int_equal(number(), 1);
}

static void new_keys_just_after_a_wrap_are_not_for_what_came_before_it(void **state)
{
	uint32_t left;

	(void)state;
	speak(&one);
	left = SENDER_CYCLE - 1 - sender->next % SENDER_CYCLE;
	sender->now.shift += left;
	sender->next += left;
	one.number++; /* 65535 comes late */
	speak(&one);
	assert_int_equal(number(), 0);
	sender_new_keys(sender);
	assert_false(put(1, (uint16_t)(one.number - 2), one.timestamp - 2 * TICKS));
	speak(&one);
	assert_int_equal(number(), 1);
}

static void another_one_with_our_ssrc_makes_us_choose_again_but_an_echo_does_not(void **state)
{
	uint32_t before = sender->ssrc;

	(void)state;
	speak(&one);
	assert_false(sender_collides(sender, number()));
	assert_int_equal(sender->ssrc, before);
	assert_true(sender_collides(sender, (uint16_t)(number() + 10)));
	assert_int_not_equal(sender->ssrc, before);
	assert_int_equal(sender->packets, 0);
	assert_false(sender_collides(sender, (uint16_t)(number() + 10)));
	speak(&one);
	assert_int_equal(relay_word_at(out.bytes + 8), sender->ssrc);

	(void)set_up(state);
	before = sender->ssrc;
	sender_avoid(sender, before + 1);
	assert_int_equal(sender->ssrc, before);
	sender_avoid(sender, before);
	assert_int_not_equal(sender->ssrc, before);
}

/* ---- sources that do as they like ---- */

#define SENT_MAX 65536

static struct {
	bool sealed;
	uint32_t content;
} sent[SENT_MAX]; /* by extended number */

static uint32_t any(uint32_t below)
{
	return (uint32_t)rand() % below;
}

/* Copies, late ones, gaps, leaps, beginnings. Of what keeps its numbers a packet is what its
 * source, its beginning and its number make it. */
static uint32_t misbehave(struct phone *phone, uint32_t *epoch, uint16_t *ret_number)
{
	*ret_number = phone->number;
	now_ns += any(40) * MS;
	switch (any(40)) {
	case 0:
		phone->number = (uint16_t)(phone->number + any(100));
		break;
	case 1: /* a new beginning */
		phone->number = (uint16_t)rand();
		phone->timestamp = (uint32_t)rand();
		phone->ssrc = any(2) ? phone->ssrc : (uint32_t)rand();
		(*epoch)++;
		break;
	case 2: /* a small step back, with new time */
		phone->number = (uint16_t)(phone->number - any(60));
		phone->timestamp += 20 * TICKS;
		(*epoch)++;
		break;
	case 3:
	case 4: /* late, or a copy */
		*ret_number = (uint16_t)(phone->number - any(150));
		return phone->timestamp - (uint16_t)(phone->number - *ret_number) * TICKS;
	default:
		phone->number++;
		phone->timestamp += TICKS;
		break;
	}
	*ret_number = phone->number;
	return phone->timestamp;
}

static uint32_t extended(uint16_t ours)
{
	return sender->next - 1 - (uint16_t)((uint16_t)(sender->next - 1) - ours);
}

static void no_number_is_sealed_twice_whatever_sources_do(void **state)
{
	static const struct srtp_keys keys = { .suite = SRTP_SUITE_AEAD_AES_128_GCM };
	struct srtp_pair *pair, *peer;
	uint32_t epochs[2] = { 0 }, refused = 0, opened = 0;
	const char *why;

	(void)state;
	srand(7);
	assert_int_equal(srtp_start(&why), 0);
	assert_int_equal(srtp_pair_create(&pair, &keys), 0);
	assert_int_equal(srtp_pair_create(&peer, &keys), 0);
	memset(sent, 0, sizeof(sent));
	sender->next = SENDER_CYCLE + 1000; /* all of them have a place in `sent` */
	for (unsigned n = 0; n < 50000 && sender->next < SENT_MAX + SENDER_CYCLE - 4000; n++) {
		unsigned which = any(50) < 5;
		struct phone *phone = which ? &two : &one;
		uint16_t theirs;
		uint32_t time = misbehave(phone, &epochs[which], &theirs), ours;
		int err;

		if (!put(phone->ssrc, theirs, time))
			continue;
		ours = extended(number()) - SENDER_CYCLE;
		assert_true(ours < SENT_MAX);
		err = srtp_pair_protect(pair, out.bytes, &out.length);
		assert_false(!err && sent[ours].sealed);
		refused += err != 0;
		if (err)
			continue;
		sent[ours].sealed = true;
		opened += srtp_pair_unprotect(peer, out.bytes, &out.length) == 0;
		assert_int_equal(out.length, STREAM_HEADER + TICKS);
		assert_int_equal(out.bytes[STREAM_HEADER], (uint8_t)theirs);
	}
	assert_true(opened > 10000);
	assert_true(refused < opened / 20);
	srtp_pair_destroy(pair);
	srtp_pair_destroy(peer);
}

static void roll_over_goes_on_through_wraps_and_sources(void **state)
{
	static const struct srtp_keys keys = { .suite = SRTP_SUITE_AES128_CM_SHA1_80 };
	struct srtp_pair *pair, *peer;
	const char *why;

	(void)state;
	assert_int_equal(srtp_start(&why), 0);
	assert_int_equal(srtp_pair_create(&pair, &keys), 0);
	assert_int_equal(srtp_pair_create(&peer, &keys), 0);
	for (unsigned n = 0; n < 200000; n++) {
		if (n % 1000 == 0) { /* each at random, as a sender begins */
			one.ssrc = n + 10;
			one.number = (uint16_t)rand();
			one.timestamp = (uint32_t)rand();
		}
		speak(&one);
		assert_int_equal(srtp_pair_protect(pair, out.bytes, &out.length), 0);
		assert_int_equal(srtp_pair_unprotect(peer, out.bytes, &out.length), 0);
	}
	srtp_pair_destroy(pair);
	srtp_pair_destroy(peer);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_ssrc_is_ours_and_begins_where_a_wrap_is_far),
		T(it_goes_on_for_the_leg_that_takes_anothers_place),
		T(one_source_keeps_all_but_three_offsets),
		T(loss_order_and_copies_stay_as_they_are),
		T(what_comes_before_the_first_packet_has_a_number_too),
		T(another_source_goes_on_in_numbers_and_in_time),
		T(the_next_source_does_not_begin_within_the_last_packet),
		T(what_comes_late_of_the_source_before_is_dropped),
		T(a_source_that_returns_keeps_its_time_if_that_went_on),
		T(a_source_that_returns_half_a_circle_away_goes_on_in_our_time),
		T(a_digit_between_packets_of_speech_stays_one),
		T(numbers_that_begin_anew_go_on),
		T(a_long_silence_of_the_network_stays_loss),
		T(a_stray_packet_changes_nothing),
		T(new_keys_do_not_begin_just_before_a_wrap),
		T(new_keys_just_after_a_wrap_are_not_for_what_came_before_it),
		T(another_one_with_our_ssrc_makes_us_choose_again_but_an_echo_does_not),
		T(no_number_is_sealed_twice_whatever_sources_do),
		T(roll_over_goes_on_through_wraps_and_sources),
	};

	return cmocka_run_group_tests_name("media/sender", tests, NULL, NULL);
}
