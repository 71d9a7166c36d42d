/* SPDX-License-Identifier: Apache-2.0 */
#include "media/voice_path.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MS  2000 /* the least level within decides whether it is too much */
#define SLACK_MS   30   /* beyond one packet: our timers step by 10 ms, packets by 20 */
#define CONCEAL_MS 60   /* made up from what was said; then faint noise */
#define DRY_MS     100  /* then what comes waits again before it is heard */
#define QUIET      8    /* amplitude of the noise unless the sender says: -72 dBFS */

struct voice_path {
	uint8_t kinds[128];
	unsigned rate;
	struct voice_decoder *decoders[VOICE_KINDS];
	struct voice_decoder *last; /* borrowed: of the packet before; NULL: none */
	struct jitter jitter;
	int16_t samples[3 * VOICE_FRAME_MAX]; /* decoded, not yet taken */
	size_t held, packet;                  /* packet: samples that one has, by the last */
	bool waiting;                         /* for enough to begin */
	mono_ms first_ms, last_ms;
	unsigned wait_ms;
	unsigned dry_ms, owed_ms; /* made up for since there was nothing */
	unsigned window_ms, least_ms;
	bool comfort; /* the sender has said that it is silent */
	int noise;
	uint32_t random;
	uint64_t concealed, shortened;
};

int voice_path_create(struct voice_path **ret_path, const uint8_t *kinds, unsigned rate)
{
	struct voice_path *path = calloc(1, sizeof(*path));

	if (!path)
		return -ENOMEM;
	memcpy(path->kinds, kinds, sizeof(path->kinds));
	path->rate = rate;
	path->waiting = true;
	path->wait_ms = VOICE_PATH_START_MS;
	path->packet = rate / 50;
	path->noise = QUIET;
	path->random = 1;
	path->least_ms = UINT32_MAX;
	for (unsigned i = 0; i < sizeof(path->kinds); i++) {
		enum voice_kind kind = (enum voice_kind)path->kinds[i];

		if (voice_kind_speaks(kind) && !path->decoders[kind] &&
		    voice_decoder_create(&path->decoders[kind], kind, rate)) {
			voice_path_destroy(path);
			return -ENOMEM;
		}
	}
	*ret_path = path;
	return 0;
}

struct voice_path *voice_path_destroy(struct voice_path *path)
{
	if (!path)
		return NULL;
	for (unsigned i = 0; i < VOICE_KINDS; i++)
		voice_decoder_destroy(path->decoders[i]);
	free(path);
	return NULL;
}

static unsigned ms_of(const struct voice_path *path, size_t samples)
{
	return (unsigned)(samples * 1000 / path->rate);
}

static unsigned level_ms(const struct voice_path *path)
{
	return ms_of(path, path->held + path->jitter.count * path->packet);
}

static void wait_again(struct voice_path *path, mono_ms now)
{
	path->waiting = true;
	path->first_ms = now;
	path->window_ms = 0;
	path->least_ms = UINT32_MAX;
}

void voice_path_put(struct voice_path *path, const struct jitter_piece *piece, mono_ms now)
{
	enum jitter_put put = jitter_put(&path->jitter, piece);

	if (put == JITTER_REFUSED)
		return;
	path->last_ms = now;
	if (put == JITTER_NEW || (path->waiting && path->jitter.count == 1))
		wait_again(path, now);
}

/* White, uniform: xorshift (Marsaglia 2003). */
static int16_t noise_next(struct voice_path *path)
{
	uint32_t x = path->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	path->random = x;
	return (int16_t)((int)(x >> 16) % (2 * path->noise + 1) - path->noise);
}

static void add_noise(struct voice_path *path, size_t count)
{
	for (size_t i = 0; i < count; i++)
		path->samples[path->held++] = noise_next(path);
}

/* RFC 3389 3.1: the first byte is the level, in -dBov. */
static void hear_comfort(struct voice_path *path, const struct jitter_packet *packet)
{
	static const double step = 0.8912509; /* 1 dB */
	double amplitude = 32767 * 1.7320508; /* of uniform noise of that power */
	unsigned level = packet->length > 0 ? packet->payload[0] & 0x7f : 127;

	/* Louder than -30 dBov is no noise that anybody means as comfort. */
	for (unsigned i = 0; i < (level < 30 ? 30 : level); i++)
		amplitude *= step;
	path->noise = (int)amplitude;
	path->comfort = true;
}

static void hear(struct voice_path *path, const struct jitter_packet *packet)
{
	enum voice_kind kind = (enum voice_kind)path->kinds[packet->type & 0x7f];
	size_t count;

	if (kind == VOICE_NOISE)
		hear_comfort(path, packet);
	if (!voice_kind_speaks(kind))
		return;
	path->comfort = false;
	path->last = path->decoders[kind];
	count = voice_decode(path->last, packet->payload, packet->length,
			     path->samples + path->held);
	if (count > 0)
		path->packet = count;
	path->held += count;
}

/* The packet after a lost one, if it may hold a copy of it. */
static const struct jitter_packet *copy_of_lost(const struct voice_path *path)
{
	const struct jitter_packet *next = jitter_peek(&path->jitter);
	enum voice_kind kind = next ? (enum voice_kind)path->kinds[next->type & 0x7f] : VOICE_NONE;

	return voice_kind_speaks(kind) && path->decoders[kind] == path->last ? next : NULL;
}

static void conceal(struct voice_path *path, const struct jitter_packet *next, size_t count)
{
	path->concealed += count;
	voice_conceal(path->last, next ? next->payload : NULL, next ? next->length : 0,
		      path->samples + path->held, count);
	path->held += count;
}

/* What is lost has been made up for already if it was waited for. */
static void hear_nothing(struct voice_path *path)
{
	unsigned packet_ms = ms_of(path, path->packet);

	if (path->owed_ms >= packet_ms) {
		path->owed_ms -= packet_ms;
		return;
	}
	if (!path->last || path->comfort)
		return;
	conceal(path, copy_of_lost(path), path->packet);
}

static void refill(struct voice_path *path, size_t wanted)
{
	while (path->held < wanted && path->jitter.count > 0) {
		const struct jitter_packet *packet = jitter_take(&path->jitter);

		if (packet)
			hear(path, packet);
		else
			hear_nothing(path);
	}
}

/* Leaves out one packet's length: what follows fades in over what it replaces. */
static void shorten(struct voice_path *path)
{
	size_t length = path->packet;

	refill(path, 2 * length);
	if (path->held < 2 * length)
		return;
	for (size_t i = 0; i < length; i++) {
		int before = path->samples[i] * (int)(length - i);
		int after = path->samples[i + length] * (int)i;

		path->samples[i] = (int16_t)((before + after) / (int)length);
	}
	path->held -= length;
	memmove(path->samples + length, path->samples + 2 * length,
		(path->held - length) * sizeof(path->samples[0]));
	path->shortened += length;
}

/* A level that never fell to nothing within the window is more than it needs. */
static void watch_level(struct voice_path *path, unsigned frame_ms)
{
	unsigned level = level_ms(path);

	if (level < path->least_ms)
		path->least_ms = level;
	path->window_ms += frame_ms;
	if (level > VOICE_PATH_LEVEL_MAX)
		shorten(path);
	if (path->window_ms < WINDOW_MS)
		return;
	if (path->least_ms > SLACK_MS + ms_of(path, path->packet))
		shorten(path);
	if (path->wait_ms > VOICE_PATH_START_MS)
		path->wait_ms -= 10;
	path->window_ms = 0;
	path->least_ms = UINT32_MAX;
}

/* There is not enough: from what was said, then noise. */
static void make_up(struct voice_path *path, size_t count, mono_ms now)
{
	unsigned ms = ms_of(path, count);

	if (path->last && !path->comfort && path->dry_ms < CONCEAL_MS)
		conceal(path, NULL, count);
	else
		add_noise(path, count);
	if (path->dry_ms <= DRY_MS && path->dry_ms + ms > DRY_MS)
		wait_again(path, now);
	path->dry_ms += ms;
	path->owed_ms += ms;
}

static bool is_ready(struct voice_path *path, mono_ms now)
{
	if (!path->waiting)
		return true;
	if (path->jitter.count == 0 || now - path->first_ms < (mono_ms)path->wait_ms)
		return false;
	path->waiting = false;
	path->owed_ms = 0;
	return true;
}

static void note_arrival(struct voice_path *path)
{
	if (path->dry_ms > 0 && path->dry_ms <= DRY_MS && path->wait_ms < VOICE_PATH_WAIT_MAX)
		path->wait_ms += 20; /* it was late, not silent */
	path->dry_ms = 0;
	path->owed_ms = 0;
	if (!path->comfort)
		path->noise = QUIET;
}

bool voice_path_take(struct voice_path *path, mono_ms now, int16_t *ret_samples, size_t count)
{
	bool ready = is_ready(path, now);

	if (!path->jitter.started ||
	    (now - path->last_ms > VOICE_PATH_PAUSE_MS && !path->comfort)) {
		path->held = 0;
		return false;
	}
	if (ready) {
		watch_level(path, ms_of(path, count));
		refill(path, count);
	}
	if (path->held >= count)
		note_arrival(path);
	else
		make_up(path, count - path->held, now);
	memcpy(ret_samples, path->samples, count * sizeof(*ret_samples));
	path->held -= count;
	memmove(path->samples, path->samples + count, path->held * sizeof(path->samples[0]));
	return true;
}

void voice_path_read(const struct voice_path *path, struct voice_path_figures *ret_figures)
{
	ret_figures->level_ms = level_ms(path);
	ret_figures->wait_ms = path->wait_ms;
	ret_figures->concealed = path->concealed;
	ret_figures->shortened = path->shortened;
}
