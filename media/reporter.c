/* SPDX-License-Identifier: Apache-2.0 */
#include "media/reporter.h"
#include "media/plain.h"
#include "media/reports.h"

/* RFC 3550 6.2 and 6.3.1. We are two, and 5 % of the bandwidth of any speech would let us
 * report more often than the least interval does: that one counts. */
#define INTERVAL_MS  5000
#define COMPENSATION 1.21828 /* e - 3/2: for what reconsideration makes longer */

/* RFC 3550 6.4 to 6.6, in bytes. */
#define SENDER_REPORT   28
#define RECEIVER_REPORT 8
#define BLOCK           24
#define FAREWELL        8

#define NTP_EPOCH   2208988800u /* 1970-01-01 in seconds since 1900 */
#define NS_PER_S    1000000000u
#define USUAL_CLOCK 8000

static timer_fn on_timer;

static uint64_t packets_come(const struct relay_leg *leg)
{
	return atomic_load_explicit(&leg->receipt->packets_in, memory_order_relaxed);
}

/* From half to one and a half of the interval: RFC 3550 6.3.1. The generator is Marsaglia's
 * xorshift, whose state is never 0. */
static mono_ms draw_interval(struct reporter *reporter)
{
	double least = reporter->first ? INTERVAL_MS / 2 : INTERVAL_MS, share;

	reporter->random ^= reporter->random << 13;
	reporter->random ^= reporter->random >> 7;
	reporter->random ^= reporter->random << 17;
	share = (double)(reporter->random >> 11) / (double)(UINT64_C(1) << 53);
	return (mono_ms)(least * (0.5 + share) / COMPENSATION);
}

void reporter_start(struct reporter *reporter, struct timer_wheel *wheel, struct relay_leg *leg,
		    bool wanted)
{
	const struct sender *sender = leg->sender;

	if (!wanted) {
		if (reporter->leg)
			timer_cancel(&reporter->timer);
		reporter->leg = NULL;
	}
	if (!wanted || reporter->leg)
		return;
	*reporter = (struct reporter){
		.leg = leg,
		.wheel = wheel,
		.random = (uint64_t)sender->ssrc << 32 | sender->next,
		.last_ms = clock_now(),
		.first = true,
		.packets = { sender->packets, sender->packets },
		.senders = { sender->told.senders, sender->told.senders },
		.blocks = { sender->told.blocks, sender->told.blocks },
		.came = packets_come(leg),
		.lost = quality_lost(&leg->quality),
	};
	timer_init(&reporter->timer, on_timer, reporter);
	timer_start(wheel, &reporter->timer, reporter->last_ms + draw_interval(reporter));
}

/* ---- what there is to say ---- */

/* What the peer is sent does not come from the far side's peer, whose reports go with it. */
static bool is_ours(const struct relay_leg *leg)
{
	const struct sender *sender = leg->sender;

	return leg->peer->local ||
	       (sender->now.known && sender->now.ssrc != leg->peer->quality.ssrc);
}

/* Since the last report or the one before: RFC 3550 6.4. Converted speech may have the far
 * side's reports. */
static bool is_sender(const struct reporter *reporter)
{
	const struct relay_leg *leg = reporter->leg;

	return leg->sender->packets != reporter->packets[1] &&
	       (leg->peer->local || leg->sender->told.senders == reporter->senders[1]);
}

static bool has_heard(const struct reporter *reporter, uint64_t came)
{
	const struct relay_leg *leg = reporter->leg;

	return leg->quality.started && came != reporter->came &&
	       (leg->peer->local || leg->sender->told.blocks == reporter->blocks[1]);
}

static void write_head(uint8_t *part, uint8_t count, uint8_t type, size_t size, uint32_t ssrc)
{
	part[0] = (uint8_t)(0x80 | count);
	part[1] = type;
	part[2] = (uint8_t)((size / 4 - 1) >> 8);
	part[3] = (uint8_t)(size / 4 - 1);
	sender_put_word(part + 4, ssrc);
}

/* NTP time, and ours of the same moment: RFC 3550 6.4.1. */
static void write_sender(uint8_t *part, struct relay_leg *leg, uint64_t now_ns)
{
	const struct sender *sender = leg->sender;
	uint32_t clock = leg->quality.rate ? leg->quality.rate : USUAL_CLOCK;
	wall_ms wall = clock_wall();
	uint32_t seconds = (uint32_t)(wall / 1000) + NTP_EPOCH;
	uint32_t fraction = (uint32_t)(((uint64_t)(wall % 1000) << 32) / 1000);

	sender_put_word(part + 8, seconds);
	sender_put_word(part + 12, fraction);
	sender_put_word(part + 16, sender_time(sender, now_ns, clock));
	sender_put_word(part + 20, sender->packets);
	sender_put_word(part + 24, sender->octets);
	quality_reported(&leg->quality, seconds << 16 | fraction >> 16, now_ns);
}

/* Of 256, since the last report: RFC 3550 A.3. */
static uint32_t lost_share(const struct reporter *reporter, uint64_t came, uint64_t lost)
{
	uint64_t more = lost > reporter->lost ? lost - reporter->lost : 0;

	return (uint32_t)(more * 256 / (more + came - reporter->came));
}

static void write_block(const struct reporter *reporter, uint8_t *block, uint64_t came,
			uint64_t now_ns)
{
	struct quality *quality = &reporter->leg->quality;
	const struct quality_passed *last_sr = &quality->last_sr;
	struct sender_told *told = &reporter->leg->sender->told;
	uint32_t share = lost_share(reporter, came, quality_lost(quality));
	uint64_t kept_ns = now_ns - last_sr->at_ns;
	bool answers = last_sr->at_ns != 0;

	reports_tell(told, quality->ssrc, quality->highest - SENDER_CYCLE,
		     quality_lost_untold(quality));
	quality_told(quality);
	sender_put_word(block, quality->ssrc);
	sender_put_word(block + 4, share << 24 | reports_lost(told));
	sender_put_word(block + 8, told->number);
	sender_put_word(block + 12, quality->jitter_x16 >> 4);
	sender_put_word(block + 16, answers ? last_sr->ntp : 0);
	sender_put_word(block + 20,
			answers ? (uint32_t)(kept_ns / 1000 * 65536 / (NS_PER_S / 1000)) : 0);
}

/* A report and our name. Returns its length. */
static size_t compose(const struct reporter *reporter, uint8_t *packet, bool sends, bool heard,
		      uint64_t came)
{
	struct relay_leg *leg = reporter->leg;
	const struct sender *sender = leg->sender;
	size_t length = sends ? SENDER_REPORT : RECEIVER_REPORT;
	uint64_t now_ns = clock_now_ns();

	if (sends)
		write_sender(packet, leg, now_ns);
	if (heard) {
		write_block(reporter, packet + length, came, now_ns);
		length += BLOCK;
	}
	write_head(packet, heard, sends ? REPORT_SR : REPORT_RR, length, sender->ssrc);
	return reports_describe(packet, length, sender->ssrc, sender->cname);
}

static void report(struct reporter *reporter, bool sends, bool heard, uint64_t came)
{
	uint8_t packet[RELAY_BUFFER];
	size_t length = compose(reporter, packet, sends, heard, came);

	reporter->leg->ops->send_rtcp(reporter->leg, packet, length);
}

static bool reaches_peer(const struct relay_leg *leg)
{
	return leg->ops != &relay_ops_closed && (!leg->plain || plain_reaches(leg->plain));
}

/* It is time. What is relayed has reports without us. */
static void weigh(struct reporter *reporter)
{
	const struct relay_leg *leg = reporter->leg;
	uint64_t came = packets_come(leg);
	bool ours = is_ours(leg) && reaches_peer(leg);
	bool sends = ours && is_sender(reporter), heard = ours && has_heard(reporter, came);

	reporter->spoke = sends || heard || (ours && leg->peer->local);
	if (reporter->spoke)
		report(reporter, sends, heard, came);
	reporter->came = came;
	reporter->lost = quality_lost(&leg->quality);
	reporter->packets[1] = reporter->packets[0];
	reporter->packets[0] = leg->sender->packets;
	reporter->senders[1] = reporter->senders[0];
	reporter->senders[0] = leg->sender->told.senders;
	reporter->blocks[1] = reporter->blocks[0];
	reporter->blocks[0] = leg->sender->told.blocks;
}

/* With timer reconsideration: RFC 3550 6.3.6. */
static void on_timer(struct timer *timer, void *arg)
{
	struct reporter *reporter = arg;
	mono_ms now = clock_now(), due = reporter->last_ms + draw_interval(reporter);

	if (due <= now) {
		weigh(reporter);
		reporter->first = false;
		reporter->last_ms = now;
		due = now + draw_interval(reporter);
	}
	timer_start(reporter->wheel, timer, due);
}

/* RFC 3550 6.6; of two it needs no delay (6.3.7). */
static void say_bye(struct reporter *reporter)
{
	struct relay_leg *leg = reporter->leg;
	uint8_t packet[RELAY_BUFFER];
	size_t length = compose(reporter, packet, is_sender(reporter), /* heard= */ false, 0);

	write_head(packet + length, 1, REPORT_BYE, FAREWELL, leg->sender->ssrc);
	leg->ops->send_rtcp(leg, packet, length + FAREWELL);
}

void reporter_done(struct reporter *reporter)
{
	if (!reporter->leg)
		return;
	timer_cancel(&reporter->timer);
	if (reporter->spoke && reporter->leg->sender->others == 0 && reaches_peer(reporter->leg))
		say_bye(reporter);
	reporter->leg = NULL;
}
