/* SPDX-License-Identifier: Apache-2.0 */
#include "media/ogg_opus.h"
#include <errno.h>
#include <ogg/ogg.h>
#include <opus/opus_multistream.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "media/tone.h"

/* Bits a second for a party's speech: RFC 7587 3.1.1 names 8 to 12 kbit/s for narrow
 * band; a recording may be listened to again and again. */
#define BITRATE      14000
#define COMPLEXITY   1
#define PACKET_MS    20
#define FRAMES       (TONE_RATE * PACKET_MS / 1000)
#define PACKET_MAX   1275 /* a channel; RFC 6716 3.4 */
#define PAGE_PACKETS (OGG_OPUS_PAGE_MS / PACKET_MS)
#define CLOCK        (48000 / TONE_RATE) /* of a granule position in a sample: RFC 7845 4 */
#define TAGS         "breakout"

struct ogg_opus {
	OpusMSEncoder *encoder;
	ogg_stream_state stream;
	ogg_opus_take *take;
	void *arg;
	unsigned channels, skip; /* what the coder needs to begin with, in 48 kHz samples */
	unsigned on_page;        /* packets since the last one */
	ogg_int64_t packets;     /* of audio */
	uint64_t given, taken;   /* frames */
	size_t waiting;          /* frames for the next packet: */
	int16_t samples[FRAMES * OGG_OPUS_CHANNELS_MAX];
};

/* ---- the file ---- */

static int put_packet(struct ogg_opus *file, uint8_t *bytes, size_t length, ogg_int64_t granule,
		      bool last)
{
	ogg_packet packet = {
		.packet = bytes,
		.bytes = (long)length,
		.b_o_s = file->stream.packetno == 0,
		.e_o_s = last,
		.granulepos = granule,
		.packetno = file->stream.packetno,
	};

	return ogg_stream_packetin(&file->stream, &packet) ? -ENOMEM : 0;
}

static int take_page(struct ogg_opus *file, const ogg_page *page)
{
	uint8_t bytes[65536]; /* the largest a page can be: RFC 3533 6 */
	size_t head = (size_t)page->header_len, body = (size_t)page->body_len;

	memcpy(bytes, page->header, head);
	memcpy(bytes + head, page->body, body);
	return file->take(file->arg, bytes, head + body);
}

static int flush(struct ogg_opus *file)
{
	ogg_page page;
	int err = 0;

	while (!err && ogg_stream_flush(&file->stream, &page))
		err = take_page(file, &page);
	return err;
}

/* RFC 7845 5.1 and 5.1.1.2. */
static int put_head(struct ogg_opus *file)
{
	uint8_t head[8 + 13 + OGG_OPUS_CHANNELS_MAX] = "OpusHead";
	size_t at = 8;

	head[at++] = 1; /* version */
	head[at++] = (uint8_t)file->channels;
	head[at++] = (uint8_t)file->skip;
	head[at++] = (uint8_t)(file->skip >> 8);
	head[at++] = (uint8_t)(TONE_RATE & 0xff);
	head[at++] = (uint8_t)(TONE_RATE >> 8);
	at += 2 + 2;                          /* the rest of the rate; gain: none */
	head[at++] = 1;                       /* mapping family */
	head[at++] = (uint8_t)file->channels; /* streams */
	head[at++] = 0;                       /* of them coupled */
	for (unsigned i = 0; i < file->channels; i++)
		head[at++] = (uint8_t)i;
	return put_packet(file, head, at, 0, /* last= */ false);
}

/* RFC 7845 5.2: who made it, and no comments. */
static int put_tags(struct ogg_opus *file)
{
	uint8_t tags[8 + 4 + sizeof(TAGS) - 1 + 4] = "OpusTags";

	tags[8] = sizeof(TAGS) - 1;
	memcpy(tags + 12, TAGS, sizeof(TAGS) - 1);
	return put_packet(file, tags, sizeof(tags), 0, /* last= */ false);
}

int ogg_opus_begin(struct ogg_opus *file)
{
	/* Each on a page of its own: RFC 7845 3. */
	int err = put_head(file);

	err = err ? err : flush(file);
	err = err ? err : put_tags(file);
	return err ? err : flush(file);
}

/* ---- its content ---- */

static uint64_t min_frames(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What can be heard of so many packets. */
static uint64_t heard(const struct ogg_opus *file)
{
	uint64_t frames = (uint64_t)file->packets * FRAMES, skip = file->skip / CLOCK;

	return min_frames(frames > skip ? frames - skip : 0, file->given);
}

static int put_audio(struct ogg_opus *file, bool last)
{
	uint8_t bytes[PACKET_MAX * OGG_OPUS_CHANNELS_MAX];
	int length =
		opus_multistream_encode(file->encoder, file->samples, FRAMES, bytes, sizeof(bytes));
	ogg_int64_t granule;

	if (length < 0)
		return -EIO;
	file->waiting = 0;
	file->packets++;
	/* The last says how much of it is meant: RFC 7845 4.4. */
	granule = last ? (ogg_int64_t)(file->skip + file->given * CLOCK)
		       : file->packets * FRAMES * CLOCK;
	return put_packet(file, bytes, (size_t)length, granule, last);
}

static int end_page(struct ogg_opus *file)
{
	int err = flush(file);

	file->on_page = 0;
	if (!err)
		file->taken = heard(file);
	return err;
}

int ogg_opus_write(struct ogg_opus *file, const int16_t *samples, size_t frames)
{
	int err = 0;

	while (frames > 0 && !err) {
		size_t count = min_frames(frames, FRAMES - file->waiting);

		memcpy(file->samples + file->waiting * file->channels, samples,
		       count * file->channels * sizeof(*samples));
		file->waiting += count;
		file->given += count;
		samples += count * file->channels;
		frames -= count;
		if (file->waiting < FRAMES)
			break;
		err = put_audio(file, /* last= */ false);
		if (!err && ++file->on_page == PAGE_PACKETS)
			err = end_page(file);
	}
	return err;
}

/* Whether with one packet more all that was given is heard. */
static bool one_is_enough(const struct ogg_opus *file)
{
	uint64_t frames = (uint64_t)(file->packets + 1) * FRAMES;

	return frames >= file->skip / CLOCK + file->given;
}

int ogg_opus_end(struct ogg_opus *file)
{
	bool last = false;
	int err = 0;

	while (!err && !last) {
		memset(file->samples + file->waiting * file->channels, 0,
		       (FRAMES - file->waiting) * file->channels * sizeof(*file->samples));
		last = one_is_enough(file);
		err = put_audio(file, last);
	}
	return err ? err : end_page(file);
}

uint64_t ogg_opus_taken(const struct ogg_opus *file)
{
	return file->taken;
}

int ogg_opus_create(struct ogg_opus **ret_file, unsigned channels, ogg_opus_take *take, void *arg)
{
	static const unsigned char mapping[OGG_OPUS_CHANNELS_MAX] = { 0, 1 };
	struct ogg_opus *file = calloc(1, sizeof(*file));
	opus_int32 lookahead = 0;
	int serial = 0, error;

	if (!file)
		return -ENOMEM;
	file->take = take;
	file->arg = arg;
	file->channels = channels;
	file->encoder = opus_multistream_encoder_create(TONE_RATE, (int)channels, (int)channels,
							/* coupled */ 0, mapping,
							OPUS_APPLICATION_VOIP, &error);
	/* Of its own, so that files can be chained: RFC 3533 4. */
	if (getentropy(&serial, sizeof(serial)) || !file->encoder ||
	    ogg_stream_init(&file->stream, serial)) {
		ogg_opus_destroy(file);
		return -ENOMEM;
	}
	/* None of these values can be refused: they are all in libopus' ranges. */
	(void)opus_multistream_encoder_ctl(file->encoder,
					   OPUS_SET_BITRATE((opus_int32)(BITRATE * channels)));
	(void)opus_multistream_encoder_ctl(file->encoder, OPUS_SET_COMPLEXITY(COMPLEXITY));
	(void)opus_multistream_encoder_ctl(file->encoder, OPUS_GET_LOOKAHEAD(&lookahead));
	file->skip = (unsigned)lookahead * CLOCK;
	*ret_file = file;
	return 0;
}

struct ogg_opus *ogg_opus_destroy(struct ogg_opus *file)
{
	if (!file)
		return NULL;
	if (file->encoder)
		opus_multistream_encoder_destroy(file->encoder);
	ogg_stream_clear(&file->stream);
	free(file);
	return NULL;
}

/* ---- one that is there ---- */

struct measure {
	uint64_t granule;
	unsigned skip;
	off_t size;
};

static void look_at(struct measure *measure, ogg_page *page)
{
	ogg_int64_t granule = ogg_page_granulepos(page);

	if (ogg_page_bos(page) && page->body_len >= 12 && !memcmp(page->body, "OpusHead", 8))
		measure->skip = page->body[10] | (unsigned)page->body[11] << 8;
	if (granule > 0)
		measure->granule = (uint64_t)granule;
}

/* A page of libogg's, when it has one whole; false: what follows is no page. */
static bool next_page(ogg_sync_state *sync, struct measure *measure)
{
	ogg_page page;
	long length = ogg_sync_pageseek(sync, &page);

	if (length <= 0)
		return length == 0;
	measure->size += length;
	look_at(measure, &page);
	return true;
}

uint64_t ogg_opus_measure(int fd, off_t *ret_size)
{
	struct measure measure = { 0 };
	ogg_sync_state sync;
	off_t at = 0;
	bool ours = true;

	ogg_sync_init(&sync);
	while (ours) {
		off_t before = measure.size;
		char *room = ogg_sync_buffer(&sync, 65536);
		ssize_t n = room ? pread(fd, room, 65536, at) : -1;

		if (n <= 0)
			break;
		at += n;
		ogg_sync_wrote(&sync, n);
		do {
			before = measure.size;
			ours = next_page(&sync, &measure);
		} while (measure.size > before);
	}
	ogg_sync_clear(&sync);
	*ret_size = measure.size;
	return measure.granule > measure.skip ? (measure.granule - measure.skip) / CLOCK : 0;
}
