/* SPDX-License-Identifier: Apache-2.0 */
/* sender.h - the one RTP stream that a peer is sent, whatever feeds it.
 *
 * Sources come and go: who sends at the other end, their next SSRC, a transcoder, music,
 * digits between speech. Each has an SSRC, numbers and time of its own; what leaves has
 * ours. Within one source only an offset lies between the two, so that a gap, a wrong
 * order or a copy stays what it is. Where another source begins, or the same one begins
 * anew, numbers go on without a gap, time by what has passed, and the marker is set. What
 * comes of the source before after that is dropped: its numbers have been given away.
 *
 * A number never stands for two different packets as far as the source keeps to that; of
 * what does not, libsrtp2 refuses the second, and that is all that keeps a key stream from
 * being used twice (RFC 3711 section 9.1): srtp.h.
 *
 * It outlives a leg whose place another takes in the same dialog, with keys of its own.
 * Nothing allocates after creation or locks. Threads: the media thread of the leg.
 */
#ifndef BREAKOUT_MEDIA_SENDER_H
#define BREAKOUT_MEDIA_SENDER_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/macros.h"

#define SENDER_CYCLE  0x10000u /* extended numbers begin here: none is below 0 */
#define SENDER_WINDOW 128      /* numbers; what comes later than that is no late packet */
#define SENDER_LEAP   3000     /* numbers, RFC 3550 A.1; more has to be explained by time */
#define SENDER_CNAME  16       /* characters: 96 random bits, RFC 7022 4.2 */

/* What feeds it, or did before. */
struct sender_source {
	uint32_t ssrc;
	uint32_t newest;    /* of its extended numbers */
	uint32_t oldest;    /* earlier ones are not taken */
	uint32_t shift;     /* from them to ours */
	uint32_t timestamp; /* the newest, and */
	uint32_t time_shift;
	uint64_t at_ns; /* when it came first */
	uint64_t came[SENDER_WINDOW / 64];
	uint32_t odd; /* the number behind one that fitted nothing; no number: none */
	/* What was lost of others, by the peer's reports: to be taken from what it says. Of
	 * one that does not feed it now: what it will be, less sender.lost. */
	int32_t lost_of_others;
	bool known;
};

/* What the peer was told of its own stream, by whomever: one receiver's count, as all of it
 * has our SSRC. */
struct sender_told {
	bool known;
	uint32_t ssrc;   /* of that stream */
	uint32_t number; /* extended: the newest that was told */
	int32_t lost;
	uint32_t far;     /* the stream whose receiver told last, and */
	int32_t far_lost; /* what that had counted */
	unsigned senders; /* reports of the far side that went there as a sender's, */
	unsigned blocks;  /* and blocks */
};

struct sender {
	uint32_t ssrc;
	uint32_t next; /* extended number */
	uint32_t packets, octets;
	uint32_t packet_ticks; /* of the last packet that was as long as the one before */
	int32_t lost;          /* by the peer's last report */
	struct sender_source now;
	/* Seldom looked at. */
	struct sender_source before;
	struct sender_told told;
	uint32_t spare;  /* for a collision; 0: it was used */
	unsigned others; /* references besides the first: sender_ref() */
	char cname[SENDER_CNAME + 1];
};

int sender_create(struct sender **ret_sender) MUST_CHECK; /* 0, -ENOMEM, -EIO (no randomness) */
/* Of another leg to the same peer, on the same thread: what that sends goes on from there. */
struct sender *sender_ref(struct sender *sender);   /* NULL fine */
struct sender *sender_unref(struct sender *sender); /* NULL fine; returns NULL */

/* Our timestamp of this moment; clock: Hz. */
uint32_t sender_time(const struct sender *sender, uint64_t now_ns, uint32_t clock);

/* The peer will say that this SSRC is its own: ours is another from here on, if nothing
 * has been sent. */
void sender_avoid(struct sender *sender, uint32_t ssrc);
/* A packet of the peer's that has our SSRC. True: another has chosen the same (RFC 3550
 * section 8.2), and ours is another from here on; false: it is one of ours that comes
 * back, or there has been a collision before. */
bool sender_collides(struct sender *sender, uint16_t number);

/* SRTP gets other keys: a receiver that misses the first packets before a wrap of the
 * numbers would guess its roll-over counter wrong (RFC 3711 section 3.3.1) and understand
 * nothing any more, so just before one they leap over it. */
void sender_new_keys(struct sender *sender);

/* The sources' packets, one after the other, found sound by relay_rtp_is_sound(): the
 * header becomes ours. First this, which serves nearly all; false: sender_weigh(). */
static inline bool sender_goes_on(struct sender *sender, uint8_t *packet, size_t length,
				  uint64_t now_ns);
/* clock: Hz, of what the packet is. False: it is to be dropped. */
bool sender_weigh(struct sender *sender, uint8_t *packet, size_t length, uint64_t now_ns,
		  uint32_t clock);

/* ---- the packet path ---- */

static inline void sender_put_word(uint8_t *bytes, uint32_t word)
{
	word = htonl(word);
	memcpy(bytes, &word, sizeof(word));
}

static inline uint32_t sender_word(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return ntohl(word);
}

/* RFC 3550 6.4.1: neither header nor padding. */
static inline uint32_t sender_payload(const uint8_t *packet, size_t length)
{
	size_t header = 12 + (packet[0] & 0x0fu) * 4;

	if (packet[0] & 0x10)
		header += 4 + (size_t)(packet[header + 2] << 8 | packet[header + 3]) * 4;
	return (uint32_t)(length - header - (packet[0] & 0x20 ? packet[length - 1] : 0));
}

static inline void sender_mark(struct sender_source *source, uint32_t number)
{
	source->came[number / 64 % (SENDER_WINDOW / 64)] |= UINT64_C(1) << number % 64;
}

/* The header of the packet that has this extended number. */
static inline void sender_write(struct sender *sender, uint8_t *packet, size_t length,
				uint32_t number)
{
	uint32_t ours = number + sender->now.shift;

	packet[2] = (uint8_t)(ours >> 8);
	packet[3] = (uint8_t)ours;
	sender_put_word(packet + 4, sender_word(packet + 4) + sender->now.time_shift);
	sender_put_word(packet + 8, sender->ssrc);
	sender->packets++;
	sender->octets += sender_payload(packet, length);
}

/* The source has sent a number that is so much newer than its newest. */
static inline void sender_advance(struct sender *sender, uint8_t *packet, size_t length,
				  uint16_t ahead, uint64_t now_ns)
{
	struct sender_source *source = &sender->now;
	uint32_t timestamp = sender_word(packet + 4);
	int32_t step = (int32_t)(timestamp - source->timestamp);

	for (unsigned n = 1; n < ahead && n <= SENDER_WINDOW; n++) {
		uint32_t lost = source->newest + ahead - n;

		source->came[lost / 64 % (SENDER_WINDOW / 64)] &= ~(UINT64_C(1) << lost % 64);
	}
	source->newest += ahead;
	sender_mark(source, source->newest);
	if (step > 0 || step < -INT32_C(0x200000)) { /* else a digit's, or a clock set back */
		if (ahead == 1)
			sender->packet_ticks = (uint32_t)step;
		source->timestamp = timestamp;
		source->at_ns = now_ns;
	}
	sender->next = source->newest + source->shift + 1;
	sender_write(sender, packet, length, source->newest);
}

static inline bool sender_goes_on(struct sender *sender, uint8_t *packet, size_t length,
				  uint64_t now_ns)
{
	struct sender_source *source = &sender->now;
	uint16_t number = (uint16_t)(packet[2] << 8 | packet[3]);
	uint16_t ahead = (uint16_t)(number - (uint16_t)source->newest);

	if (!source->known || sender_word(packet + 8) != source->ssrc || ahead == 0 ||
	    ahead > SENDER_LEAP)
		return false;
	sender_advance(sender, packet, length, ahead, now_ns);
	return true;
}

#endif
