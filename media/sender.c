/* SPDX-License-Identifier: Apache-2.0 */
#include "media/sender.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define NO_NUMBER   0x10000u /* more than a sequence number can be */
#define FAR_TICKS   0x200000 /* timestamps; further from the newest none belongs to it */
#define LEAST_MS    5        /* of speech in a packet, if a leap is to be loss */
#define KEPT_MS     200      /* so far from the clock a source's own time may be that returns */
#define KEYS_MARGIN 512      /* packets that a receiver may miss until it has its keys */
#define LOOP        3000     /* numbers; what was sent within may come back to us */
#define NS_PER_MS   1000000u

static uint16_t number_of(const uint8_t *packet)
{
	return (uint16_t)(packet[2] << 8 | packet[3]);
}

static int draw_cname(char cname[SENDER_CNAME + 1])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t bytes[SENDER_CNAME];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO;
	for (unsigned i = 0; i < SENDER_CNAME; i++)
		cname[i] = digits[bytes[i] % 64];
	cname[SENDER_CNAME] = '\0';
	return 0;
}

static int draw(struct sender *sender)
{
	uint32_t drawn[4];

	if (getrandom(drawn, sizeof(drawn), 0) != (ssize_t)sizeof(drawn) ||
	    draw_cname(sender->cname))
		return -EIO;
	sender->ssrc = drawn[0] ? drawn[0] : 1;
	sender->spare = drawn[1] == sender->ssrc ? ~drawn[1] : drawn[1];
	/* In the lower half: sender_new_keys() says why. What came before the first packet
	 * may still come, below it. */
	sender->next = SENDER_CYCLE + SENDER_WINDOW + drawn[2] % 0x7000;
	sender->now.timestamp = drawn[3];
	return 0;
}

int sender_create(struct sender **ret_sender)
{
	struct sender *sender = calloc(1, sizeof(*sender));
	int err = sender ? draw(sender) : -ENOMEM;

	if (err)
		free(sender);
	else
		*ret_sender = sender;
	return err;
}

struct sender *sender_ref(struct sender *sender)
{
	if (sender)
		sender->others++;
	return sender;
}

struct sender *sender_unref(struct sender *sender)
{
	if (sender && sender->others-- == 0)
		free(sender);
	return NULL;
}

static void change_ssrc(struct sender *sender)
{
	sender->ssrc = sender->spare;
	sender->spare = 0;
	sender->packets = sender->octets = 0;
}

void sender_avoid(struct sender *sender, uint32_t ssrc)
{
	if (ssrc != 0 && ssrc == sender->ssrc && sender->spare && sender->packets == 0)
		change_ssrc(sender);
}

bool sender_collides(struct sender *sender, uint16_t number)
{
	uint16_t behind = (uint16_t)((uint16_t)sender->next - number - 1);

	if (!sender->spare || (sender->packets > 0 && behind < LOOP))
		return false;
	change_ssrc(sender);
	return true;
}

void sender_new_keys(struct sender *sender)
{
	uint32_t past = sender->next % SENDER_CYCLE, left = SENDER_CYCLE - past;

	if (left <= KEYS_MARGIN) {
		sender->next += left;
		sender->now.shift += left;
	} else if (past >= SENDER_WINDOW) {
		return;
	}
	sender->now.oldest = sender->now.newest + 1; /* none from before the wrap */
}

/* Modulo 2^32: what peers report may be anything. */
static void add_lost(struct sender_source *source, uint32_t lost)
{
	source->lost_of_others = (int32_t)((uint32_t)source->lost_of_others + lost);
}

/* ---- what a packet is to its source ---- */

enum judgement {
	NEWER,
	LATE,  /* its number is free */
	COPY,  /* of one that has been sent */
	STALE, /* from before the source began */
	ODD,   /* it fits nothing; if the next one follows it, the source has begun anew */
	ANEW   /* it has */
};

static enum judgement doubt(struct sender_source *source, uint16_t number)
{
	if (number == source->odd)
		return ANEW;
	source->odd = (uint16_t)(number + 1);
	return ODD;
}

/* A copy has a time that was seen before. One that says otherwise counts again from where
 * it was, or does not count at all. */
static enum judgement judge_behind(struct sender_source *source, uint16_t behind,
				   uint32_t timestamp)
{
	uint32_t number = source->newest - behind;
	bool seen = source->came[number / 64 % (SENDER_WINDOW / 64)] >> number % 64 & 1;
	bool gone = (int32_t)(number - source->oldest) < 0;
	int32_t age = (int32_t)(source->timestamp - timestamp);
	bool contradicts = age < 0 || age > FAR_TICKS;

	if (seen && contradicts)
		return ANEW;
	if (gone)
		return contradicts ? doubt(source, (uint16_t)number) : STALE;
	return seen ? COPY : LATE;
}

/* A leap is loss if the time since allows for so many packets. */
static bool is_loss(const struct sender_source *source, uint16_t ahead, uint64_t now_ns)
{
	return ahead <= SENDER_LEAP ||
	       now_ns - source->at_ns >= (uint64_t)ahead * LEAST_MS * NS_PER_MS;
}

static enum judgement judge(struct sender_source *source, const uint8_t *packet, uint64_t now_ns)
{
	uint16_t number = number_of(packet);
	uint16_t ahead = (uint16_t)(number - (uint16_t)source->newest);

	if (ahead > 0 && ahead < 0x8000)
		return is_loss(source, ahead, now_ns) ? NEWER : doubt(source, number);
	if ((uint16_t)-ahead < SENDER_WINDOW)
		return judge_behind(source, (uint16_t)-ahead, sender_word(packet + 4));
	return doubt(source, number);
}

/* ---- another source ---- */

static uint32_t ticks_since(uint64_t then_ns, uint64_t now_ns, uint32_t clock)
{
	return (uint32_t)((now_ns - then_ns) / 1000u * clock / 1000000u);
}

uint32_t sender_time(const struct sender *sender, uint64_t now_ns, uint32_t clock)
{
	const struct sender_source *last = &sender->now;

	if (!last->known)
		return last->timestamp;
	return last->timestamp + last->time_shift + ticks_since(last->at_ns, now_ns, clock);
}

/* Our timestamp for what begins now: later than the newest by the time since, and not
 * within the sound that the last packet carries. */
static uint32_t time_now(const struct sender *sender, uint64_t now_ns, uint32_t clock)
{
	const struct sender_source *last = &sender->now;
	uint32_t least = sender->packet_ticks, since;

	if (!last->known)
		return last->timestamp; /* at random */
	since = ticks_since(last->at_ns, now_ns, clock);
	if (least == 0 || least > clock / 5)
		least = clock / 50;
	return last->timestamp + last->time_shift + (since > least ? since : least);
}

/* With the packet that has this extended number of its source; ours is `time`. */
static void begin(struct sender *sender, uint32_t number, uint32_t timestamp, uint32_t time,
		  uint64_t now_ns)
{
	struct sender_source *source = &sender->now;

	source->newest = number;
	source->oldest = source->known ? number : number - (SENDER_WINDOW - 1);
	source->shift = sender->next - number;
	source->timestamp = timestamp;
	source->time_shift = time - timestamp;
	source->at_ns = now_ns;
	memset(source->came, 0, sizeof(source->came));
	sender_mark(source, number);
	source->odd = NO_NUMBER;
	source->known = true;
	sender->next++;
}

static bool start(struct sender *sender, uint8_t *packet, size_t length, uint64_t now_ns,
		  uint32_t clock)
{
	uint32_t time = time_now(sender, now_ns, clock);
	uint32_t ssrc = sender_word(packet + 8);

	if (sender->now.known) {
		packet[1] |= 0x80;
		if (ssrc != sender->now.ssrc) {
			sender->before = sender->now;
			add_lost(&sender->before, 0 - (uint32_t)sender->lost);
			sender->now.lost_of_others = sender->lost;
		}
	}
	sender->now.ssrc = ssrc;
	begin(sender, SENDER_CYCLE + number_of(packet), sender_word(packet + 4), time, now_ns);
	sender_write(sender, packet, length, sender->now.newest);
	return true;
}

/* The time of a source that was heard before has gone on, as a rule, and no talk spurt begins
 * if it was hardly away; and all packets of one digit have the same (RFC 4733 2.3), also if
 * speech comes between them. */
static bool resume(struct sender *sender, uint8_t *packet, size_t length, uint64_t now_ns,
		   uint32_t clock)
{
	uint32_t time = time_now(sender, now_ns, clock), timestamp = sender_word(packet + 4);
	struct sender_source last = sender->now, *source = &sender->now;
	uint32_t kept = clock * KEPT_MS / 1000, own;
	uint16_t ahead;

	*source = sender->before;
	add_lost(source, (uint32_t)sender->lost);
	sender->before = last;
	add_lost(&sender->before, 0 - (uint32_t)sender->lost);
	own = timestamp + source->time_shift;
	ahead = (uint16_t)(number_of(packet) - (uint16_t)source->newest);
	if (timestamp == source->timestamp) {
		uint64_t at_ns = source->at_ns;

		begin(sender, source->newest + ahead, timestamp, own, at_ns);
	} else {
		if (own - time + kept <= 2 * kept && /* on either side */
		    (int32_t)(own - last.timestamp - last.time_shift) >= 0)
			time = own;
		if (time != own || timestamp - source->timestamp > kept)
			packet[1] |= 0x80;
		begin(sender, source->newest + ahead, timestamp, time, now_ns);
	}
	sender_write(sender, packet, length, source->newest);
	return true;
}

/* It was heard before another one. */
static bool weigh_earlier(struct sender *sender, uint8_t *packet, size_t length, uint64_t now_ns,
			  uint32_t clock)
{
	switch (judge(&sender->before, packet, now_ns)) {
	case NEWER:
		return resume(sender, packet, length, now_ns, clock);
	case ANEW:
		return start(sender, packet, length, now_ns, clock);
	case LATE:
	case COPY:
	case STALE:
	case ODD:
		break;
	}
	return false;
}

static bool weigh_own(struct sender *sender, uint8_t *packet, size_t length, uint64_t now_ns,
		      uint32_t clock)
{
	struct sender_source *source = &sender->now;
	uint16_t ahead = (uint16_t)(number_of(packet) - (uint16_t)source->newest);
	uint32_t number = source->newest - (uint16_t)-ahead;

	switch (judge(source, packet, now_ns)) {
	case NEWER:
		sender_advance(sender, packet, length, ahead, now_ns);
		return true;
	case LATE:
		sender_mark(source, number);
		sender_write(sender, packet, length, number);
		return true;
	case COPY:
		sender_write(sender, packet, length, number);
		return true;
	case ANEW:
		return start(sender, packet, length, now_ns, clock);
	case STALE:
	case ODD:
		break;
	}
	return false;
}

bool sender_weigh(struct sender *sender, uint8_t *packet, size_t length, uint64_t now_ns,
		  uint32_t clock)
{
	uint32_t ssrc = sender_word(packet + 8);

	if (sender->now.known && ssrc == sender->now.ssrc)
		return weigh_own(sender, packet, length, now_ns, clock);
	if (sender->before.known && ssrc == sender->before.ssrc)
		return weigh_earlier(sender, packet, length, now_ns, clock);
	return start(sender, packet, length, now_ns, clock);
}
