/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that sees libsndfile and the resampler of speexdsp. */
#include "media/sound_file.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sndfile.h>
#include <speex/speex_resampler.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "media/tone.h"

#define CHANNELS_MAX 8
#define RATE_MIN     4000
#define RATE_MAX     192000
#define FRAMES       4096 /* read at a time */
#define QUALITY      8    /* of 0 to 10: no alias is heard, and loading stays quick */

struct reading {
	SNDFILE *file;
	SF_INFO info;
	SpeexResamplerState *resampler; /* NULL: the rate is ours */
	float frames[FRAMES * CHANNELS_MAX];
	float mono[FRAMES], telephone[FRAMES * (TONE_RATE / RATE_MIN) + 1];
	int16_t *samples;
	size_t count, room;
};

/* Always -EINVAL. */
static int PRINTF_LIKE(2, 3) unfit(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, SOUND_FILE_WHY_ROOM, format, args);
	va_end(args);
	return -EINVAL;
}

/* Not a pipe: opening one for reading would wait for its writer. */
static int open_regular(const char *path, int *ret_fd, char *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return unfit(why, "is not a file");
	}
	*ret_fd = fd;
	return 0;
}

static int judge(const SF_INFO *info, char *why)
{
	if (info->channels < 1 || info->channels > CHANNELS_MAX)
		return unfit(why, "has %d channels", info->channels);
	if (info->samplerate < RATE_MIN || info->samplerate > RATE_MAX)
		return unfit(why, "has %d samples a second", info->samplerate);
	if (info->frames / info->samplerate >= SOUND_FILE_MAX_S)
		return unfit(why, "is longer than %d minutes", SOUND_FILE_MAX_S / 60);
	return 0;
}

static int start(struct reading *reading, const char *path, char *why)
{
	int fd = -1, err = open_regular(path, &fd, why);

	if (err)
		return err;
	reading->file = sf_open_fd(fd, SFM_READ, &reading->info, /* close_desc= */ SF_TRUE);
	if (!reading->file) { /* has closed the descriptor too */
		const char *sentence = sf_strerror(NULL);

		return unfit(why, "is no audio: %.*s", (int)strcspn(sentence, ".\n"), sentence);
	}
	err = judge(&reading->info, why);
	if (err || reading->info.samplerate == TONE_RATE)
		return err;
	reading->resampler = speex_resampler_init(1, (spx_uint32_t)reading->info.samplerate,
						  TONE_RATE, QUALITY, NULL);
	if (!reading->resampler)
		return -ENOMEM;
	return speex_resampler_skip_zeros(reading->resampler) ? -EIO : 0;
}

static void finish(struct reading *reading)
{
	if (reading->file)
		(void)sf_close(reading->file); /* only read from */
	if (reading->resampler)
		speex_resampler_destroy(reading->resampler);
	free(reading->samples);
	free(reading);
}

static void mix(const float *frames, size_t count, int channels, float *mono)
{
	for (size_t i = 0; i < count; i++) {
		float sum = 0;

		for (int c = 0; c < channels; c++)
			sum += frames[i * (size_t)channels + (size_t)c];
		mono[i] = sum / (float)channels;
	}
}

static int append(struct reading *reading, const float *samples, size_t count)
{
	if (reading->count + count > reading->room) {
		size_t room = (reading->count + count) * 2;
		int16_t *more = realloc(reading->samples, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		reading->samples = more;
		reading->room = room;
	}
	for (size_t i = 0; i < count; i++) {
		float clipped = fmaxf(-1, fminf(1, samples[i])); /* NaN becomes -1 */

		reading->samples[reading->count++] = (int16_t)lrintf(clipped * INT16_MAX);
	}
	return 0;
}

static int take(struct reading *reading, const float *mono, size_t count)
{
	size_t done = 0;
	int err = 0;

	if (!reading->resampler)
		return append(reading, mono, count);
	while (!err && done < count) {
		spx_uint32_t in = (spx_uint32_t)(count - done);
		spx_uint32_t out = ARRAY_SIZE(reading->telephone);

		err = speex_resampler_process_float(reading->resampler, 0, mono + done, &in,
						    reading->telephone, &out)
			      ? -EIO
			      : append(reading, reading->telephone, out);
		done += in;
	}
	return err;
}

/* What is still inside the resampler comes out behind silence. */
static int flush(struct reading *reading)
{
	size_t left = reading->resampler
			      ? (size_t)speex_resampler_get_input_latency(reading->resampler)
			      : 0;
	int err = 0;

	memset(reading->mono, 0, sizeof(reading->mono));
	for (; !err && left > 0; left -= left < FRAMES ? left : FRAMES)
		err = take(reading, reading->mono, left < FRAMES ? left : FRAMES);
	return err;
}

static int read_all(struct reading *reading, char *why)
{
	size_t most = (size_t)SOUND_FILE_MAX_S * TONE_RATE; /* the header may lie */
	sf_count_t got;
	int err = 0;

	while (!err && reading->count <= most &&
	       (got = sf_readf_float(reading->file, reading->frames, FRAMES)) > 0) {
		mix(reading->frames, (size_t)got, reading->info.channels, reading->mono);
		err = take(reading, reading->mono, (size_t)got);
	}
	if (!err)
		err = flush(reading);
	if (!err && reading->count > most)
		return unfit(why, "is longer than %d minutes", SOUND_FILE_MAX_S / 60);
	return err;
}

/* Without the room that growing left over. */
static int hand_over(struct reading *reading, int16_t **ret_samples, size_t *ret_count, char *why)
{
	int16_t *fitted;

	if (reading->count == 0)
		return unfit(why, "is empty");
	fitted = realloc(reading->samples, reading->count * sizeof(*fitted));
	*ret_samples = fitted ? fitted : reading->samples;
	*ret_count = reading->count;
	reading->samples = NULL;
	return 0;
}

int sound_file_read(const char *path, int16_t **ret_samples, size_t *ret_count,
		    char ret_why[static SOUND_FILE_WHY_ROOM])
{
	struct reading *reading = calloc(1, sizeof(*reading));
	int err;

	if (!reading)
		return -ENOMEM;
	err = start(reading, path, ret_why);
	if (!err)
		err = read_all(reading, ret_why);
	if (!err)
		err = hand_over(reading, ret_samples, ret_count, ret_why);
	finish(reading);
	return err;
}
