/* SPDX-License-Identifier: Apache-2.0 */
#include "media/digits.h"
#include <string.h>

#define DURATION_MAX 0xffffu
#define END          0x80 /* the E bit */
#define VOLUME       10   /* -10 dBm0 */
#define END_PACKETS  3    /* RFC 4733 2.5.1.4 */

static const char digits[] = "0123456789*#ABCD"; /* RFC 4733 3.2 */

char digit_of(uint8_t event)
{
	return event < sizeof(digits) - 1 ? digits[event] : '\0';
}

bool digit_event(char digit, uint8_t *ret_event)
{
	const char *found;

	if (digit >= 'a' && digit <= 'd')
		digit = (char)(digit - 'a' + 'A');
	found = digit ? strchr(digits, digit) : NULL;
	if (!found)
		return false;
	*ret_event = (uint8_t)(found - digits);
	return true;
}

static void write_duration(uint8_t *payload, uint32_t duration)
{
	payload[2] = (uint8_t)(duration >> 8);
	payload[3] = (uint8_t)duration;
}

/* Splits a length into whole segments, whose timestamps move on, and the rest. */
static uint32_t split(uint64_t length, uint32_t *ret_offset)
{
	uint64_t segments = length > 0 ? (length - 1) / DURATION_MAX : 0;

	*ret_offset = (uint32_t)(segments * DURATION_MAX);
	return (uint32_t)(length - segments * DURATION_MAX);
}

bool digit_map_payload(struct digit_map *map, uint32_t from_rate, uint32_t to_rate,
		       uint32_t timestamp, bool marker, uint8_t payload[static DIGIT_PAYLOAD],
		       uint32_t *ret_offset)
{
	uint32_t duration = (uint32_t)payload[2] << 8 | payload[3];
	bool goes_on = map->known && payload[0] == map->event &&
		       (timestamp == map->at || (!map->ended && !marker));

	if (!goes_on) {
		map->known = true;
		map->event = payload[0];
		map->at = timestamp;
	}
	map->ended = (payload[1] & END) != 0;
	duration = split(((uint64_t)(timestamp - map->at) + duration) * to_rate / from_rate,
			 ret_offset);
	write_duration(payload, duration);
	return !goes_on;
}

unsigned digit_length_ms(const uint8_t payload[static DIGIT_PAYLOAD], uint32_t offset,
			 uint32_t rate)
{
	return (unsigned)(((uint64_t)offset + (uint32_t)(payload[2] << 8 | payload[3])) * 1000 /
			  rate);
}

bool digit_queue_add(struct digit_queue *queue, uint8_t event, uint32_t ms)
{
	if (queue->count == DIGITS_PENDING || !digit_of(event))
		return false;
	if (ms < DIGIT_LEAST_MS)
		ms = DIGIT_LEAST_MS;
	queue->waiting[queue->count++] = (struct digit){ event, ms };
	return true;
}

void digit_queue_close(struct digit_queue *queue, uint32_t ms)
{
	struct digit *last = queue->count > 0 ? &queue->waiting[queue->count - 1] : NULL;

	if (last && last->ms == DIGIT_OPEN)
		last->ms = ms < DIGIT_LEAST_MS ? DIGIT_LEAST_MS : ms;
}

bool digit_queue_busy(const struct digit_queue *queue)
{
	return queue->count > 0;
}

static void drop_first(struct digit_queue *queue)
{
	queue->count--;
	memmove(queue->waiting, queue->waiting + 1, queue->count * sizeof(queue->waiting[0]));
	queue->running = queue->gap = false;
}

static void begin(struct digit_queue *queue)
{
	queue->running = true;
	queue->gap = false;
	queue->done_ms = 0;
	queue->ends = 0;
}

/* True: the gap goes on, or has just ended. */
static bool step_gap(struct digit_queue *queue)
{
	if (!queue->gap)
		return false;
	queue->done_ms += DIGIT_STEP_MS;
	if (queue->done_ms >= DIGIT_GAP_MS)
		drop_first(queue);
	return true;
}

void digit_queue_step(struct digit_queue *queue, uint32_t rate, struct digit_step *ret_step)
{
	const struct digit *digit = &queue->waiting[0];
	uint32_t duration;

	memset(ret_step, 0, sizeof(*ret_step));
	if (queue->count == 0 || step_gap(queue))
		return;
	if (!queue->running) {
		begin(queue);
		ret_step->begins = true;
	}
	/* All three end packets say the same (2.5.1.4), at once but for their numbers. */
	if (queue->ends == 0)
		queue->done_ms += DIGIT_STEP_MS;
	if (queue->done_ms >= digit->ms)
		queue->ends++;
	ret_step->packet = true;
	ret_step->payload[0] = digit->event;
	ret_step->payload[1] = (uint8_t)((queue->ends > 0 ? END : 0) | VOLUME);
	duration = split((uint64_t)queue->done_ms * rate / 1000, &ret_step->offset);
	write_duration(ret_step->payload, duration);
	if (queue->ends == END_PACKETS) {
		queue->gap = true;
		queue->done_ms = 0;
	}
}

/* ITU-T Q.23. */
static void tune(struct digit_queue *queue, unsigned rate)
{
	static const unsigned low[] = { 697, 770, 852, 941 };
	static const unsigned high[] = { 1209, 1336, 1477, 1633 };
	static const char keys[] = "123A456B789C*0#D";
	size_t at = (size_t)(strchr(keys, digits[queue->waiting[0].event]) - keys);

	tone_source_init_at(&queue->tones[0], low[at / 4], rate);
	tone_source_init_at(&queue->tones[1], high[at % 4], rate);
}

/* One millisecond. */
static void play_ms(struct digit_queue *queue, unsigned rate, int16_t *ret_samples)
{
	unsigned count = rate / 1000;

	if (queue->count > 0 && !queue->running) {
		begin(queue);
		tune(queue, rate);
	}
	for (unsigned i = 0; i < count; i++)
		ret_samples[i] = queue->running && !queue->gap
					 ? (int16_t)(tone_source_next(&queue->tones[0]) +
						     tone_source_next(&queue->tones[1]))
					 : 0;
	if (!queue->running)
		return;
	queue->done_ms++;
	if (!queue->gap && queue->done_ms >= queue->waiting[0].ms) {
		queue->gap = true;
		queue->done_ms = 0;
	} else if (queue->gap && queue->done_ms >= DIGIT_GAP_MS) {
		drop_first(queue);
	}
}

void digit_queue_play(struct digit_queue *queue, unsigned rate, int16_t *ret_samples, size_t count)
{
	for (size_t at = 0; at + rate / 1000 <= count; at += rate / 1000)
		play_ms(queue, rate, ret_samples + at);
}
