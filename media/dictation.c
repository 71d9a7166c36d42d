/* SPDX-License-Identifier: Apache-2.0 */
#include "media/dictation.h"
#include <string.h>
#include "media/tone.h"

#define FLOOR_POWER 3600.0           /* mean square of -55 dBFS: below is a quiet line */
#define GAP_MAX     (TONE_RATE * 10) /* samples; more is a jump of the sender's clock */
#define LATE_MAX    (TONE_RATE * 2)  /* a packet so late came out of order, or twice */
#define SILENT_STEP 160

void dictation_begin(struct dictation *dictation, mono_ms now)
{
	dictation->running = true;
	dictation->began_ms = dictation->loud_ms = now;
}

static bool is_loud(const int16_t *samples, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (double)samples[i] * samples[i];
	return sum > FLOOR_POWER * (double)count;
}

static void put(struct dictation *dictation, const int16_t *samples, size_t count)
{
	uint64_t left = (uint64_t)dictation->max_ms * (TONE_RATE / 1000) - dictation->samples;

	if (count > left)
		count = (size_t)left;
	recording_write(dictation->recording, samples, count);
	dictation->samples += count;
}

static void put_silence(struct dictation *dictation, size_t count)
{
	static const int16_t silence[SILENT_STEP];

	while (count > 0) {
		size_t step = count < SILENT_STEP ? count : SILENT_STEP;

		put(dictation, silence, step);
		count -= step;
	}
}

/* False: this time has been heard already. */
static bool place(struct dictation *dictation, const struct dictation_piece *piece)
{
	int32_t gap = (int32_t)(piece->timestamp - dictation->next_at);

	if (!dictation->placed || piece->ssrc != dictation->ssrc || gap > GAP_MAX ||
	    gap < -LATE_MAX) {
		dictation->placed = true;
		dictation->ssrc = piece->ssrc;
		gap = 0;
	}
	if (gap < 0)
		return false;
	put_silence(dictation, (size_t)gap);
	dictation->next_at = piece->timestamp + (uint32_t)piece->count;
	return true;
}

void dictation_hear(struct dictation *dictation, const struct dictation_piece *piece, mono_ms now)
{
	if (!dictation->running || piece->count == 0 || !place(dictation, piece))
		return;
	put(dictation, piece->samples, piece->count);
	if (!is_loud(piece->samples, piece->count))
		return;
	dictation->heard = true;
	dictation->loud_ms = now;
}

const char *dictation_over(const struct dictation *dictation, mono_ms now)
{
	if (!dictation->running)
		return NULL;
	if (recording_state(dictation->recording) != RECORDING_OPEN)
		return "disk";
	if (now - dictation->began_ms >= (mono_ms)dictation->max_ms)
		return "max_length";
	if (dictation->silence_ms && now - dictation->loud_ms >= (mono_ms)dictation->silence_ms)
		return "silence";
	return NULL;
}

unsigned dictation_ms(const struct dictation *dictation)
{
	return dictation->heard ? (unsigned)(dictation->samples / (TONE_RATE / 1000)) : 0;
}
