/* SPDX-License-Identifier: Apache-2.0 */
#include "media/recording_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "media/recording_names.h"
#include "media/tone.h"

#define HEADER_BYTES    44
#define SAMPLE_BYTES    2
#define FRAMES_MAX      4096 /* in one chunk of a sealed file */
#define SEALED_CHANNELS 2    /* what is sealed are calls */

_Static_assert(FRAMES_MAX * 2 * SAMPLE_BYTES <= SEAL_CHUNK_MAX, "a chunk holds two channels");

static void put_number(uint8_t *to, uint32_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

/* RIFF WAVE, format 1 (PCM), little endian. Source: Multimedia Programming
 * Interface and Data Specifications 1.0, IBM and Microsoft, 1991. */
static void wav_header(uint8_t header[HEADER_BYTES], uint64_t frames, unsigned channels)
{
	unsigned block = channels * SAMPLE_BYTES;
	uint32_t size = (uint32_t)(frames * block);

	memcpy(header, "RIFF....WAVEfmt ", 16);
	put_number(header + 4, HEADER_BYTES - 8 + size, 4);
	put_number(header + 16, 16, 4); /* bytes of the format that follows */
	put_number(header + 20, 1, 2);  /* PCM */
	put_number(header + 22, channels, 2);
	put_number(header + 24, TONE_RATE, 4);
	put_number(header + 28, TONE_RATE * block, 4);
	put_number(header + 32, block, 2);
	put_number(header + 34, SAMPLE_BYTES * 8, 2);
	memcpy(header + 36, "data", 4);
	put_number(header + 40, size, 4);
}

/* ret_done: how much of it the file has, also on failure. */
static int write_some(int fd, const void *bytes, size_t length, off_t at, size_t *ret_done)
{
	for (*ret_done = 0; *ret_done < length;) {
		ssize_t n = pwrite(fd, (const char *)bytes + *ret_done, length - *ret_done,
				   at + (off_t)*ret_done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			*ret_done += (size_t)n;
	}
	return 0;
}

static int write_at(int fd, const void *bytes, size_t length, off_t at)
{
	size_t done;

	return write_some(fd, bytes, length, at, &done);
}

static int write_header(const struct recording_file *file)
{
	uint8_t header[HEADER_BYTES];

	wav_header(header, file->frames, file->channels);
	return write_at(file->sound, header, sizeof(header), 0);
}

unsigned recording_file_ms(const struct recording_file *file)
{
	return (unsigned)(file->frames / (TONE_RATE / 1000));
}

/* The members of the JSON file that only the end knows. */
static int end_json(int json, unsigned length_ms, uint64_t dropped_ms, const char *why)
{
	char text[128];
	struct stat st;
	int length = snprintf(text, sizeof(text),
			      ",\"length_ms\":%u,\"dropped_ms\":%llu,\"ended\":\"%s\"}\n",
			      length_ms, (unsigned long long)dropped_ms, why);
	int err;

	if (fstat(json, &st) < 0)
		return -errno;
	err = write_at(json, text, (size_t)length, st.st_size);
	return !err && fsync(json) < 0 ? -errno : err;
}

static int end_wav(const struct recording_file *file)
{
	off_t size = HEADER_BYTES + (off_t)(file->frames * file->channels * SAMPLE_BYTES);
	int err = write_header(file);

	if (!err && ftruncate(file->sound, size) < 0)
		err = -errno;
	return !err && fsync(file->sound) < 0 ? -errno : err;
}

static int write_chunk(struct recording_file *file, const void *plain, size_t length, bool last)
{
	uint8_t sealed[SEAL_CHUNK_MAX + SEAL_OVERHEAD];
	int err = seal_chunk(file->seal, plain, length, last, sealed);

	if (!err)
		err = write_at(file->sound, sealed, length + SEAL_OVERHEAD, file->size);
	if (!err)
		file->size += (off_t)length + SEAL_OVERHEAD;
	return err;
}

static int begin_sealed(struct recording_file *file)
{
	uint8_t header[SEAL_HEADER_MAX];
	size_t length = seal_header(file->seal, header);

	file->size = (off_t)length;
	return write_at(file->sound, header, length, 0);
}

/* Of a chunk or a page that the disk took in part nothing stays. */
static int cut_to_size(const struct recording_file *file)
{
	if (ftruncate(file->sound, file->size) < 0 || fsync(file->sound) < 0)
		return -errno;
	return 0;
}

/* Pages of an Opus file; sealed, each is a chunk. */
static int take_pages(void *arg, const uint8_t *pages, size_t length)
{
	struct recording_file *file = arg;
	int err;

	if (file->seal)
		return write_chunk(file, pages, length, /* last= */ false);
	err = write_at(file->sound, pages, length, file->size);
	if (!err)
		file->size += (off_t)length;
	return err;
}

static int write_opus(struct recording_file *file, const int16_t *samples, size_t frames)
{
	int err = file->broken ? -EIO : ogg_opus_write(file->opus, samples, frames);

	file->frames += frames;
	if (err) {
		file->broken = true;
		file->frames = ogg_opus_taken(file->opus);
	}
	return err;
}

static int begin(struct recording_file *file)
{
	int err = file->seal ? begin_sealed(file) : 0;

	if (file->opus)
		return err ? err : ogg_opus_begin(file->opus);
	return file->seal ? err : write_header(file);
}

static int end(struct recording_file *file)
{
	int err = 0;

	if (!file->seal && !file->opus)
		return end_wav(file);
	if (file->opus && !file->broken)
		err = ogg_opus_end(file->opus);
	if (!err && file->seal)
		err = write_chunk(file, "", 0, /* last= */ true);
	return err ? err : cut_to_size(file);
}

void recording_file_init(struct recording_file *file)
{
	*file = (struct recording_file){ .directory = -1, .json = -1, .sound = -1 };
}

/* The JSON file is there before the other and locked: so recovery finds both,
 * and leaves alone what somebody still writes. */
int recording_file_make(struct recording_file *file, const struct media_recording *options,
			unsigned channels, const char **ret_why)
{
	int err;

	*ret_why = NULL;
	file->name = options->name;
	file->ending = media_recording_ending(options->opus, options->public_key);
	file->channels = channels;
	err = options->opus ? ogg_opus_create(&file->opus, channels, take_pages, file) : 0;
	if (!err && options->public_key)
		err = seal_create(&file->seal, options->public_key, ret_why);
	if (err)
		return err;
	file->directory = err = recording_make_folder(options->folder);
	if (err >= 0)
		file->json = err = recording_make_part(file->directory, file->name, ".json");
	if (err >= 0)
		err = flock(file->json, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (err >= 0)
		err = write_at(file->json, options->about, strlen(options->about), 0);
	if (err >= 0)
		file->sound = err = recording_make_part(file->directory, file->name, file->ending);
	return err < 0 ? err : begin(file);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void recording_file_done(struct recording_file *file)
{
	close_fd(&file->sound);
	close_fd(&file->json);
	close_fd(&file->directory);
	file->seal = seal_destroy(file->seal);
	file->opus = ogg_opus_destroy(file->opus);
}

void recording_file_throw_away(struct recording_file *file)
{
	if (file->sound >= 0)
		recording_remove_part(file->directory, file->name, file->ending);
	if (file->json >= 0)
		recording_remove_part(file->directory, file->name, ".json");
}

static int write_sealed(struct recording_file *file, const int16_t *samples, size_t frames)
{
	int err = 0;

	while (frames > 0 && !err) {
		size_t count = frames < FRAMES_MAX ? frames : FRAMES_MAX;

		err = write_chunk(file, samples, count * file->channels * SAMPLE_BYTES,
				  /* last= */ false);
		if (!err)
			file->frames += count;
		samples += count * file->channels;
		frames -= count;
	}
	return err;
}

int recording_file_write(struct recording_file *file, const int16_t *samples, size_t frames)
{
	size_t block = file->channels * SAMPLE_BYTES, done;
	int err;

	if (file->opus)
		return write_opus(file, samples, frames);
	if (file->seal)
		return write_sealed(file, samples, frames);
	err = write_some(file->sound, samples, frames * block,
			 HEADER_BYTES + (off_t)(file->frames * block), &done);
	file->frames += done / block;
	return err ? err : write_header(file);
}

int recording_file_complete(struct recording_file *file, uint64_t dropped_ms, const char *why)
{
	int err = end(file);

	if (!err)
		err = end_json(file->json, recording_file_ms(file), dropped_ms, why);
	return err ? err : recording_give_names(file->directory, file->name, file->ending);
}

/* Whether this begins an Ogg file, and no samples of a WAV file: one that holds these
 * bytes begins with a click such as no line gives. */
static bool begins_ogg(const uint8_t *bytes, size_t length)
{
	return length >= 4 && memcmp(bytes, "OggS", 4) == 0;
}

static int unseal_sound(struct unseal *unseal, struct recording_file *to)
{
	static const size_t block = SEALED_CHANNELS * SAMPLE_BYTES;
	int16_t samples[SEAL_CHUNK_MAX / SAMPLE_BYTES];
	uint8_t *bytes = (uint8_t *)samples;
	bool last = false, ogg = false;
	size_t length;
	int err = 0;

	while (!err && !last) {
		err = unseal_next(unseal, bytes, &length, &last);
		if (err)
			break;
		ogg = ogg || (to->size == 0 && to->frames == 0 && begins_ogg(bytes, length));
		err = ogg ? take_pages(to, bytes, length)
			  : recording_file_write(to, samples, length / block);
	}
	if (ogg)
		to->frames = ogg_opus_measure(to->sound, &to->size);
	return err;
}

int recording_file_unseal(const char *path, const char *private_key, const char *to,
			  unsigned *ret_ms, const char **ret_why)
{
	struct recording_file out;
	struct unseal *unseal = NULL;
	FILE *in = fopen(path, "re");
	int err;

	*ret_why = NULL;
	if (!in)
		return -errno;
	recording_file_init(&out);
	out.channels = SEALED_CHANNELS;
	err = unseal_create(&unseal, in, private_key, ret_why);
	if (!err) {
		out.sound = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		err = out.sound < 0 ? -errno : unseal_sound(unseal, &out);
	}
	*ret_ms = recording_file_ms(&out);
	unseal_destroy(unseal);
	recording_file_done(&out);
	fclose(in);
	return err;
}

/* ---- what a dead process left ---- */

/* Whether the JSON text has been ended already. */
static bool json_ended(int json)
{
	struct stat st;
	char last = '\0';

	return fstat(json, &st) == 0 && st.st_size > 0 &&
	       pread(json, &last, 1, st.st_size - 1) == 1 && last == '\n';
}

static void measure_wav(struct recording_file *file)
{
	uint8_t channels = 0;
	off_t size = lseek(file->sound, 0, SEEK_END);
	uint64_t bytes = size > HEADER_BYTES ? (uint64_t)(size - HEADER_BYTES) : 0;

	file->channels = pread(file->sound, &channels, 1, 22) == 1 && channels ? channels : 1;
	file->frames = bytes / (file->channels * SAMPLE_BYTES);
}

static void measure_sealed(struct recording_file *file, bool opus)
{
	size_t chunks;
	uint64_t bytes = seal_measure(file->sound, &chunks);

	file->channels = SEALED_CHANNELS;
	if (!opus)
		file->frames = bytes / (SEALED_CHANNELS * SAMPLE_BYTES);
	else if (chunks > OGG_OPUS_HEAD_PAGES) /* the others hold a second each */
		file->frames =
			(chunks - OGG_OPUS_HEAD_PAGES) * (OGG_OPUS_PAGE_MS * TONE_RATE / 1000);
}

/* Makes the sound file whole, as far as it goes, and says how far. */
static int mend_sound(struct recording_file *file, bool opus, bool sealed)
{
	if (sealed) {
		measure_sealed(file, opus);
		return 0; /* unseal bears a broken end */
	}
	if (!opus) {
		measure_wav(file);
		return end_wav(file);
	}
	file->frames = ogg_opus_measure(file->sound, &file->size);
	return cut_to_size(file);
}

int recording_file_recover(struct recording_file *file, bool opus, bool sealed)
{
	int err = mend_sound(file, opus, sealed);

	if (recording_file_ms(file) < MEDIA_RECORDING_SHORTEST_MS) {
		recording_file_throw_away(file);
		return 0;
	}
	if (!err && !json_ended(file->json))
		err = end_json(file->json, recording_file_ms(file), 0, "interrupted");
	if (!err)
		err = recording_give_names(file->directory, file->name, file->ending);
	if (!err)
		log_notice("media", "recording=%s%s length_ms=%u recovered", file->name,
			   file->ending, recording_file_ms(file));
	return err;
}
