/* SPDX-License-Identifier: Apache-2.0 */
#include "media/tape.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "media/codecs.h"
#include "media/relay.h"
#include "media/stream.h"
#include "media/tone.h"
#include "media/voice.h"

#define RING_BYTES 65536 /* about 3 s of both sides; a power of two */
#define PER_MS     (TONE_RATE / 1000)
#define LATE       (TAPE_LATE_MS * PER_MS)
#define WINDOW     (2 * LATE) /* frames that may still change */
#define OFF_MAX                                                                                    \
	(500 * PER_MS) /* from the time of arrival; more is a jump of the sender's clock           \
			*/
#define FRAME_MAX (VOICE_FRAME_MAX / 2) /* samples of one payload at 8000 Hz */
#define PACKET_MS 20                    /* of one that was left out */
#define OPUS_STEP 6                     /* its clock runs at 48000 Hz (RFC 7587 4.1) */

/* In the ring before its payload. */
struct piece {
	mono_ms at_ms;
	uint32_t ssrc, timestamp;
	uint16_t length;
	uint8_t side, kind; /* enum voice_kind */
};

struct channel {
	bool placed;
	uint32_t ssrc, timestamp; /* of the packet that stands at: */
	int64_t at;               /* frame, since the beginning */
	enum voice_kind kind;     /* that is decoded by: */
	struct voice_decoder *decoder;
};

struct tape {
	mono_ms began_ms;
	/* Between the threads. */
	atomic_uint head, tail; /* bytes taken out and put in */
	_Atomic uint64_t dropped;
	atomic_bool heard;
	uint8_t ring[RING_BYTES];
	/* The media thread's. */
	uint8_t kinds[2][128];
	/* The recorder's thread's. */
	struct channel channels[TAPE_CHANNELS];
	int64_t done, end; /* frames given out; behind the last that was heard */
	int16_t window[WINDOW][TAPE_CHANNELS];
};

int tape_create(struct tape **ret_tape, mono_ms now)
{
	struct tape *tape = calloc(1, sizeof(*tape));

	if (!tape)
		return -ENOMEM;
	tape->began_ms = now;
	*ret_tape = tape;
	return 0;
}

struct tape *tape_destroy(struct tape *tape)
{
	if (!tape)
		return NULL;
	for (unsigned i = 0; i < TAPE_CHANNELS; i++)
		voice_decoder_destroy(tape->channels[i].decoder);
	free(tape);
	return NULL;
}

bool tape_agree(struct tape *tape, enum media_side from, const struct media_desc *desc)
{
	const struct sdp_codec *speech = codecs_first_speech(desc);
	uint8_t *kinds = tape->kinds[from];

	memset(kinds, VOICE_NONE, sizeof(tape->kinds[0]));
	for (unsigned i = 0; i < desc->codec_count; i++) {
		enum voice_kind kind = voice_kind_of(&desc->codecs[i]);

		if (voice_kind_speaks(kind))
			kinds[desc->codecs[i].type & 0x7f] = (uint8_t)kind;
	}
	return speech && kinds[speech->type & 0x7f] != VOICE_NONE;
}

static void put(struct tape *tape, unsigned at, const void *bytes, size_t length)
{
	size_t from = at % RING_BYTES, first = RING_BYTES - from;

	if (first > length)
		first = length;
	memcpy(tape->ring + from, bytes, first);
	memcpy(tape->ring, (const uint8_t *)bytes + first, length - first);
}

static void get(const struct tape *tape, unsigned at, void *bytes, size_t length)
{
	size_t from = at % RING_BYTES, first = RING_BYTES - from;

	if (first > length)
		first = length;
	memcpy(bytes, tape->ring + from, first);
	memcpy((uint8_t *)bytes + first, tape->ring, length - first);
}

void tape_hear(struct tape *tape, enum media_side from, const uint8_t *packet, size_t length,
	       mono_ms now)
{
	unsigned head = atomic_load_explicit(&tape->head, memory_order_acquire);
	unsigned tail = atomic_load_explicit(&tape->tail, memory_order_relaxed);
	size_t count;
	const uint8_t *payload = stream_payload(packet, length, &count);
	const struct piece piece = { .at_ms = now,
				     .ssrc = relay_word_at(packet + 8),
				     .timestamp = relay_word_at(packet + 4),
				     .length = (uint16_t)count,
				     .side = (uint8_t)from,
				     .kind = tape->kinds[from][packet[1] & 0x7f] };

	if (piece.kind == VOICE_NONE || count == 0)
		return;
	if (count > VOICE_PAYLOAD_MAX || sizeof(piece) + count > RING_BYTES - (tail - head)) {
		receipt_add(&tape->dropped, PACKET_MS * PER_MS);
		return;
	}
	put(tape, tail, &piece, sizeof(piece));
	put(tape, tail + (unsigned)sizeof(piece), payload, count);
	atomic_store_explicit(&tape->tail, tail + (unsigned)(sizeof(piece) + count),
			      memory_order_release);
}

/* The frame a packet begins at. */
static int64_t place(struct tape *tape, const struct piece *piece)
{
	struct channel *channel = &tape->channels[piece->side];
	int64_t came = (piece->at_ms - tape->began_ms) * PER_MS;
	int64_t at = channel->at + (int32_t)(piece->timestamp - channel->timestamp) /
					   (piece->kind == VOICE_OPUS ? OPUS_STEP : 1);

	if (!channel->placed || channel->ssrc != piece->ssrc || at > came + OFF_MAX ||
	    at < came - OFF_MAX)
		at = came;
	channel->placed = true;
	channel->ssrc = piece->ssrc;
	channel->timestamp = piece->timestamp;
	channel->at = at;
	return at;
}

/* Returns how many samples; without memory for a decoder none. */
static size_t decode(struct channel *channel, const struct piece *piece, const uint8_t *payload,
		     int16_t ret_samples[static VOICE_FRAME_MAX])
{
	enum voice_kind kind = (enum voice_kind)piece->kind;

	if (!channel->decoder || channel->kind != kind) {
		channel->decoder = voice_decoder_destroy(channel->decoder);
		channel->kind = kind;
		if (voice_decoder_create(&channel->decoder, kind, TONE_RATE) < 0)
			return 0;
	}
	return voice_decode(channel->decoder, payload, piece->length, ret_samples);
}

static void lay_out(struct tape *tape, const struct piece *piece, const uint8_t *payload,
		    int64_t at)
{
	int16_t samples[VOICE_FRAME_MAX];
	size_t count = decode(&tape->channels[piece->side], piece, payload, samples);

	for (size_t i = 0; i < count && i < FRAME_MAX; i++, at++)
		if (at >= tape->done)
			tape->window[at % WINDOW][piece->side] = samples[i];
	if (at > tape->end)
		tape->end = at;
	atomic_store_explicit(&tape->heard, true, memory_order_relaxed);
}

/* What has come is laid out, up to a packet that lies beyond the window. Returns the
 * frame it needs given out first, or 0. */
static int64_t take_in(struct tape *tape)
{
	uint8_t payload[VOICE_PAYLOAD_MAX];
	struct piece piece;

	for (;;) {
		unsigned head = atomic_load_explicit(&tape->head, memory_order_relaxed);
		unsigned tail = atomic_load_explicit(&tape->tail, memory_order_acquire);
		struct channel before;
		int64_t at;

		if (head == tail)
			return 0;
		get(tape, head, &piece, sizeof(piece));
		before = tape->channels[piece.side];
		at = place(tape, &piece);
		if (at + FRAME_MAX > tape->done + WINDOW) {
			tape->channels[piece.side] = before;
			return at + FRAME_MAX - WINDOW;
		}
		get(tape, head + (unsigned)sizeof(piece), payload, piece.length);
		lay_out(tape, &piece, payload, at);
		atomic_store_explicit(&tape->head, head + (unsigned)(sizeof(piece) + piece.length),
				      memory_order_release);
	}
}

size_t tape_play(struct tape *tape, int16_t (*ret_frames)[TAPE_CHANNELS], size_t room, mono_ms now,
		 bool all)
{
	int64_t until = take_in(tape);
	size_t count = 0;

	if (until == 0)
		until = all ? tape->end : (now - tape->began_ms) * PER_MS - LATE;
	for (; count < room && tape->done < until; count++, tape->done++) {
		int16_t *frame = tape->window[tape->done % WINDOW];

		memcpy(ret_frames[count], frame, sizeof(ret_frames[0]));
		memset(frame, 0, sizeof(ret_frames[0]));
	}
	return count;
}

uint64_t tape_dropped(const struct tape *tape)
{
	return atomic_load_explicit(&tape->dropped, memory_order_relaxed);
}

bool tape_heard(const struct tape *tape)
{
	return atomic_load_explicit(&tape->heard, memory_order_relaxed);
}
