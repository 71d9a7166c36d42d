/* SPDX-License-Identifier: Apache-2.0 */
/* digits.h - DTMF digits: as telephone-event payloads (RFC 4733), as tones, and
 * the queue of those that are still to be sent. No threads of its own.
 */
#ifndef BREAKOUT_MEDIA_DIGITS_H
#define BREAKOUT_MEDIA_DIGITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "media/tone.h"

#define DIGIT_PAYLOAD  4          /* bytes, RFC 4733 2.3 */
#define DIGITS_PENDING 32         /* that wait at most */
#define DIGIT_STEP_MS  20         /* between packets of one digit */
#define DIGIT_LEAST_MS 80         /* shorter ones are not heard everywhere: ITU-T Q.24 wants 40 */
#define DIGIT_GAP_MS   60         /* silence between two: ITU-T Q.24 */
#define DIGIT_OPEN     UINT32_MAX /* ms of a digit whose end is still to come */

char digit_of(uint8_t event);                     /* '0' to '9', '*', '#', 'A' to 'D'; 0: other */
bool digit_event(char digit, uint8_t *ret_event); /* false: not a digit */

/* A packet's payload from one clock rate to another. */
struct digit_map {
	bool known, ended;
	uint8_t event;
	uint32_t at; /* timestamp where the digit began */
};
/* One that came: payload is rewritten. ret_offset: how far its timestamp is from the
 * digit's, in the new clock: a digit that is longer than 16 bits of duration
 * goes on in segments (RFC 4733 2.5.1.3). True: a digit begins. */
bool digit_map_payload(struct digit_map *map, uint32_t from_rate, uint32_t to_rate,
		       uint32_t timestamp, bool marker, uint8_t payload[static DIGIT_PAYLOAD],
		       uint32_t *ret_offset);

unsigned digit_length_ms(const uint8_t payload[static DIGIT_PAYLOAD], uint32_t offset,
			 uint32_t rate);

struct digit {
	uint8_t event;
	uint32_t ms; /* or DIGIT_OPEN */
};

struct digit_queue {
	struct digit waiting[DIGITS_PENDING];
	unsigned count;
	bool running;     /* waiting[0] is being sent */
	uint32_t done_ms; /* of it, or of the gap after it */
	unsigned ends;    /* end packets sent */
	bool gap;
	struct tone_source tones[2];
};

/* False: no room, or no digit. */
bool digit_queue_add(struct digit_queue *queue, uint8_t event, uint32_t ms);
/* The last one added with DIGIT_OPEN is over; it was so long. */
void digit_queue_close(struct digit_queue *queue, uint32_t ms);
bool digit_queue_busy(const struct digit_queue *queue);

struct digit_step {
	bool begins;     /* the packet is a digit's first: the timestamp is taken here */
	bool packet;     /* something is to be sent */
	uint32_t offset; /* as above */
	uint8_t payload[DIGIT_PAYLOAD];
};
/* DIGIT_STEP_MS have passed. */
void digit_queue_step(struct digit_queue *queue, uint32_t rate, struct digit_step *ret_step);

/* The same as tones: `count` samples, silence in the gaps. */
void digit_queue_play(struct digit_queue *queue, unsigned rate, int16_t *ret_samples, size_t count);

#endif
