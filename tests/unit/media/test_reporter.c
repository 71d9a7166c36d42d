/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "media/local.h"
#include "media/relay.h"
#include "media/reporter.h"
#include "media/reports.h"

#define WALL       1700000000500 /* half a second */
#define NTP        (1700000000u + 2208988800u)
#define THEIR_SSRC 3
#define PACKETS    4096

/* `leg` has a peer that is looked at; the other one is what the test makes of it. */
static struct relay_leg leg, other;
static struct receipt receipts[2];
static struct reporter reporter;
static struct timer_wheel *wheel;
/* What the peer was sent. */
static uint8_t sent[PACKETS][256];
static size_t lengths[PACKETS];
static mono_ms times[PACKETS];
static unsigned count;

static void take_rtp(struct relay_leg *to, uint8_t *packet, size_t length)
{
	(void)to;
	(void)packet;
	(void)length;
}

static void take_rtcp(struct relay_leg *to, uint8_t *packet, size_t length)
{
	assert_ptr_equal(to, &leg);
	assert_true(relay_rtcp_is_sound(packet, length));
	assert_true(count < PACKETS && length <= sizeof(sent[0]));
	memcpy(sent[count], packet, length);
	lengths[count] = length;
	times[count++] = clock_now();
}

static const struct relay_ops ops = { take_rtp, take_rtcp };
static const struct relay_ops nobody = { take_rtp, take_rtp };

static void begin(bool wanted)
{
	reporter_start(&reporter, wheel, &leg, wanted);
}

static int set_up(void **state)
{
	(void)state;
	clock_fake_set(1000000);
	clock_fake_wall_set(WALL);
	memset(receipts, 0, sizeof(receipts));
	memset(&reporter, 0, sizeof(reporter));
	relay_leg_init(&leg, &other, &receipts[0]);
	relay_leg_init(&other, &leg, &receipts[1]);
	for (unsigned type = 0; type < 128; type++)
		leg.types[type] = other.types[type] = (uint8_t)type;
	leg.ops = &ops;
	other.ops = &nobody;
	quality_agree(&leg.quality, &receipts[0], 8000, /* sends= */ true);
	count = 0;
	if (timer_wheel_create(&wheel, clock_now()) || sender_create(&leg.sender) ||
	    sender_create(&other.sender))
		return -1;
	/* Another stream of numbers would be another order of intervals. */
	leg.sender->ssrc = 0x1234567;
	leg.sender->next = SENDER_CYCLE + 200;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	reporter_done(&reporter);
	leg.sender = sender_unref(leg.sender);
	other.sender = sender_unref(other.sender);
	wheel = timer_wheel_destroy(wheel);
	clock_real();
	return 0;
}

/* RTP of 160 bytes in G.711 from the peer of a leg. */
static void send_rtp(struct relay_leg *from, uint32_t ssrc, uint16_t number, uint32_t timestamp)
{
	uint8_t packet[RELAY_BUFFER] = { 0x80, 8, (uint8_t)(number >> 8), (uint8_t)number };

	sender_put_word(packet + 4, timestamp);
	sender_put_word(packet + 8, ssrc);
	relay_rtp(from, packet, 172);
}

/* A local side plays, as media/local.c has it: packets of its own every 20 ms. */
static uint16_t played;

static void pass(unsigned ms, bool plays, bool talks)
{
	for (unsigned done = 0; done < ms; done += 20) {
		clock_fake_advance(20);
		played++;
		if (plays)
			send_rtp(&other, 77, played, played * 160u);
		if (talks)
			send_rtp(&leg, THEIR_SSRC, played, played * 160u);
		(void)timer_wheel_advance(wheel, clock_now(), 0);
	}
}

/* Something that is not NULL: only who asks the leg itself looks into it. */
static void make_local(void)
{
	static char local;

	other.local = (struct local *)&local;
}

static uint32_t word(unsigned index, unsigned i)
{
	return relay_word_at(sent[index] + (size_t)i * 4);
}

static void what_we_play_has_sender_reports_of_ours(void **state)
{
	struct sender *sender = leg.sender;
	uint32_t since;

	(void)state;
	make_local();
	begin(true);
	while (count == 0)
		pass(20, true, false);
	assert_int_equal(lengths[0], 28 + 28);
	assert_int_equal(word(0, 0), 0x80c80006);
	assert_int_equal(word(0, 1), sender->ssrc);
	assert_int_equal(word(0, 2), NTP + (500 + (uint32_t)times[0] - 1000000) / 1000);
	since = (uint32_t)(clock_now() - (mono_ms)(sender->now.at_ns / 1000000));
	assert_int_equal(word(0, 4), sender->now.timestamp + sender->now.time_shift + since * 8);
	assert_int_equal(word(0, 5), sender->packets);
	assert_int_equal(word(0, 6), sender->octets);
	assert_int_equal(word(0, 6), word(0, 5) * 160);
	assert_int_equal(word(0, 7), 0x81ca0006); /* SDES, our CNAME */
	assert_int_equal(word(0, 8), sender->ssrc);
	assert_int_equal(sent[0][36], 1);
	assert_int_equal(sent[0][37], SENDER_CNAME);
	assert_memory_equal(sent[0] + 38, sender->cname, SENDER_CNAME);
}

/* RFC 3550 6.3.1: between 0.5 and 1.5 of 5 s, at first of 2.5 s, by 1.218; and on average 5 s. */
static void intervals_are_those_of_the_rfc(void **state)
{
	mono_ms shortest = 100000, longest = 0;

	(void)state;
	make_local();
	begin(true);
	for (unsigned i = 0; i < 5000; i++)
		pass(1000, false, false);
	assert_in_range(times[0] - 1000000, 1020, 3120);
	assert_in_range(count, 5000 * 9 / 50, 5000 * 11 / 50); /* a mean of 5 s */
	for (unsigned i = 1; i < count; i++) {
		mono_ms step = times[i] - times[i - 1];

		shortest = step < shortest ? step : shortest;
		longest = step > longest ? step : longest;
	}
	assert_in_range(shortest, 2050, 2600);
	assert_in_range(longest, 5900, 6200);
}

static void what_comes_here_has_blocks_with_loss_jitter_and_the_last_report(void **state)
{
	uint8_t sr[28] = { 0x80, 200, 0, 6 };
	uint64_t expected;

	(void)state;
	make_local();
	begin(true);
	pass(100, true, true);
	sender_put_word(sr + 4, THEIR_SSRC);
	sender_put_word(sr + 8, 0x1111aabb);
	sender_put_word(sr + 12, 0xccdd2222);
	relay_rtcp(&leg, sr, sizeof(sr));
	pass(200, true, true);
	played = (uint16_t)(played + 4); /* lost */
	while (count == 0)
		pass(20, true, true);
	expected = leg.quality.highest - leg.quality.first + 1;
	assert_int_equal(lengths[0], 28 + 24 + 28);
	assert_int_equal(word(0, 0), 0x81c8000c);
	assert_int_equal(word(0, 7), THEIR_SSRC);
	assert_int_equal(word(0, 8), (uint32_t)(4 * 256 / expected) << 24 | 4);
	assert_int_equal(word(0, 9), leg.quality.highest - SENDER_CYCLE);
	assert_int_equal(word(0, 10), leg.quality.jitter_x16 >> 4);
	assert_int_equal(word(0, 11), 0xaabbccdd);
	assert_int_equal(word(0, 12), (uint32_t)(times[0] - 1000100) * 65536 / 1000);
	while (count == 1)
		pass(20, true, true);
	assert_int_equal(word(1, 8), 4); /* none since */
}

/* The answer to a report of ours tells the round trip, and what is lost. */
static void their_answer_tells_the_round_trip(void **state)
{
	uint8_t rr[32] = { 0x81, 201, 0, 7 };

	(void)state;
	make_local();
	begin(true);
	while (count == 0)
		pass(20, true, false);
	sender_put_word(rr + 4, THEIR_SSRC);
	sender_put_word(rr + 8, leg.sender->ssrc);
	sender_put_word(rr + 12, 0x0c000005);
	sender_put_word(rr + 24, word(0, 2) << 16 | word(0, 3) >> 16);
	sender_put_word(rr + 28, 65536 / 10);
	clock_fake_advance(100 + 42);
	relay_rtcp(&leg, rr, sizeof(rr));
	assert_in_range(receipts[0].rtt_us, 42000, 42020);
	assert_true(receipts[0].reported);
	assert_int_equal(receipts[0].reported_lost, 5);
	assert_int_equal(leg.sender->lost, 5); /* not to be told to who feeds it next */
}

static void who_only_records_sends_receiver_reports(void **state)
{
	(void)state;
	make_local();
	begin(true);
	while (count == 0)
		pass(20, false, true);
	assert_int_equal(lengths[0], 8 + 24 + 28);
	assert_int_equal(word(0, 0), 0x81c90007);
	assert_int_equal(word(0, 1), leg.sender->ssrc);
	assert_int_equal(word(0, 2), THEIR_SSRC);
	count = 0;
	while (count == 0) /* nothing either way: it is alive */
		pass(20, false, false);
	assert_int_equal(word(0, 0), 0x80c90001);
	assert_int_equal(lengths[0], 8 + 28);
}

static void a_sender_that_falls_silent_is_one_for_two_more_reports(void **state)
{
	(void)state;
	make_local();
	begin(true);
	while (count == 0)
		pass(20, true, false);
	while (count < 4)
		pass(20, false, false);
	assert_int_equal(sent[0][1], REPORT_SR);
	assert_int_equal(sent[1][1], REPORT_SR);
	assert_int_equal(sent[2][1], REPORT_RR);
	assert_int_equal(sent[3][1], REPORT_RR);
}

/* A relayed stream has the far side's reports, or none. */
static void what_is_relayed_has_none_of_ours(void **state)
{
	(void)state;
	begin(true);
	pass(60000, true, true);
	assert_int_equal(count, 0);
}

/* SR of the far side's stream 77 with a block about what it is sent. */
static void report_from_far(uint8_t lost)
{
	uint8_t sr[52] = { 0x81, 200, 0, 12 };

	sender_put_word(sr + 4, 77);
	sender_put_word(sr + 16, played * 160u);
	sender_put_word(sr + 28, other.sender->ssrc);
	sender_put_word(sr + 32, lost);
	sender_put_word(sr + 36, (uint16_t)(other.sender->next - 1));
	relay_rtcp(&other, sr, sizeof(sr));
}

static void an_announcement_and_then_a_call_are_one_count(void **state)
{
	uint32_t packets, number;

	(void)state;
	make_local();
	begin(true);
	pass(100, true, true);
	played = (uint16_t)(played + 3);
	while (count == 0)
		pass(20, true, true);
	packets = word(0, 5);
	number = word(0, 9);
	assert_int_equal(word(0, 8) & 0xffffff, 3);
	other.local = NULL; /* somebody has answered */
	other.quality.started = false;
	pass(5000, true, true);
	assert_int_equal(count, 1);
	report_from_far(2);
	assert_int_equal(count, 2);
	assert_int_equal(word(1, 1), word(0, 1));
	assert_true(word(1, 5) > packets);
	assert_int_equal(word(1, 5), leg.sender->packets);
	assert_int_equal(word(1, 8) & 0xffffff, 3 + 2);
	assert_true(word(1, 9) > number);
	pass(20000, true, true);
	assert_int_equal(count, 2);
	make_local(); /* it has gone, and there is more to say */
	played = (uint16_t)(played + 1);
	while (count == 2)
		pass(20, true, true);
	assert_int_equal(word(2, 8) & 0xffffff, 3 + 2 + 1);
	assert_int_equal(word(2, 5), leg.sender->packets);
}

/* Music while the far side's stream rests: that still says what it receives. */
static void what_plays_instead_of_the_far_side_is_reported_by_us(void **state)
{
	struct sender *sender = leg.sender;
	uint8_t music[RELAY_BUFFER] = { 0x80, 8 };

	(void)state;
	begin(true);
	pass(2000, true, true);
	for (unsigned i = 0; i < 1000; i++) {
		music[3] = (uint8_t)i;
		music[2] = (uint8_t)(i >> 8);
		sender_put_word(music + 4, i * 160);
		sender_put_word(music + 8, 99);
		relay_send_rtp(&leg, music, 172, clock_now_ns());
		pass(20, false, true);
		if (i % 200 == 0)
			report_from_far(0);
	}
	assert_true(count > 5);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(word(i, 1), sender->ssrc);
		if (sent[i][1] == REPORT_SR) /* ours; blocks are theirs */
			assert_int_equal(word(i, 0), 0x80c80006);
		else
			assert_int_equal(word(i, 0), 0x81c90007);
	}
}

static void who_wants_none_gets_none(void **state)
{
	(void)state;
	make_local();
	begin(false);
	pass(20000, true, true);
	assert_int_equal(count, 0);
	begin(true);
	while (count == 0)
		pass(20, true, true);
	begin(false);
	pass(20000, true, true);
	reporter_done(&reporter);
	assert_int_equal(count, 1);
}

/* RTCP is wanted from a re-offer on: what was lost before is no loss of the interval. */
static void who_wants_reports_late_hears_of_what_is_lost_from_then_on(void **state)
{
	(void)state;
	make_local();
	pass(1000, true, true);
	played = (uint16_t)(played + 20);
	pass(1000, true, true);
	begin(true);
	while (count == 0)
		pass(20, true, true);
	assert_int_equal(word(0, 8), 20); /* of all, and no share of the interval */
	begin(false);
	count = 0;
	begin(true);
	while (count == 0)
		pass(20, true, false);
	assert_int_equal(word(0, 0), 0x80c80006); /* nothing has come: no block */
}

static void nothing_goes_where_the_way_is_closed(void **state)
{
	(void)state;
	make_local();
	begin(true);
	leg.ops = &relay_ops_closed;
	pass(20000, true, true);
	reporter_done(&reporter);
	assert_int_equal(count, 0);
}

static void the_end_of_our_stream_is_said(void **state)
{
	(void)state;
	make_local();
	begin(true);
	while (count == 0)
		pass(20, true, true);
	reporter_done(&reporter);
	assert_int_equal(count, 2);
	assert_int_equal(lengths[1], 28 + 28 + 8);
	assert_int_equal(word(1, 0), 0x80c80006);
	assert_int_equal(word(1, 14), 0x81cb0001);
	assert_int_equal(word(1, 15), leg.sender->ssrc);
	reporter_done(&reporter);
	assert_int_equal(count, 2);
}

/* Another leg of the same dialog goes on with it. */
static void a_stream_that_goes_on_has_no_end(void **state)
{
	(void)state;
	make_local();
	begin(true);
	while (count == 0)
		pass(20, true, true);
	(void)sender_ref(leg.sender);
	reporter_done(&reporter);
	(void)sender_unref(leg.sender);
	assert_int_equal(count, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_we_play_has_sender_reports_of_ours),
		T(intervals_are_those_of_the_rfc),
		T(what_comes_here_has_blocks_with_loss_jitter_and_the_last_report),
		T(their_answer_tells_the_round_trip),
		T(who_only_records_sends_receiver_reports),
		T(a_sender_that_falls_silent_is_one_for_two_more_reports),
		T(what_is_relayed_has_none_of_ours),
		T(an_announcement_and_then_a_call_are_one_count),
		T(what_plays_instead_of_the_far_side_is_reported_by_us),
		T(who_wants_none_gets_none),
		T(who_wants_reports_late_hears_of_what_is_lost_from_then_on),
		T(nothing_goes_where_the_way_is_closed),
		T(the_end_of_our_stream_is_said),
		T(a_stream_that_goes_on_has_no_end),
	};

	return cmocka_run_group_tests_name("media/reporter", tests, NULL, NULL);
}
