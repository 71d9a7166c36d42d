/* SPDX-License-Identifier: Apache-2.0 */
/* The sounds of a configuration. A reload makes a new set and takes over what
 * did not change on disk; calls keep theirs by reference. */
#include "media/sounds.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "media/sound_file.h"
#include "media/tone.h"

/* Which file it was read from, and which state of it. */
struct origin {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct media_sound {
	atomic_uint references; /* a set's, a plan's, a session's */
	struct origin origin;
	size_t count;
	int16_t *samples;
};

struct media_sounds {
	size_t count;
	struct {
		struct media_sound *sound; /* NULL: not read */
	} items[];                         /* by config_sound.index */
};

int sound_create(struct media_sound **ret_sound, int16_t *take_samples, size_t count)
{
	struct media_sound *sound = calloc(1, sizeof(*sound));

	if (!sound) {
		free(take_samples);
		return -ENOMEM;
	}
	atomic_init(&sound->references, 1);
	sound->samples = take_samples;
	sound->count = count;
	*ret_sound = sound;
	return 0;
}

int sound_ringback(struct media_sound **ret_sound)
{
	const size_t on = TONE_RATE, all = 5 * (size_t)TONE_RATE;
	int16_t *samples = calloc(all, sizeof(*samples));
	struct tone_source tone;

	if (!samples)
		return -ENOMEM;
	tone_source_init(&tone, 425);
	for (size_t i = 0; i < on; i++)
		samples[i] = tone_source_next(&tone);
	return sound_create(ret_sound, samples, all);
}

struct media_sound *media_sound_ref(struct media_sound *sound)
{
	if (sound)
		(void)atomic_fetch_add_explicit(&sound->references, 1, memory_order_relaxed);
	return sound;
}

struct media_sound *media_sound_unref(struct media_sound *sound)
{
	if (sound && atomic_fetch_sub_explicit(&sound->references, 1, memory_order_acq_rel) == 1) {
		free(sound->samples);
		free(sound);
	}
	return NULL;
}

const int16_t *sound_samples(const struct media_sound *sound, size_t *ret_count)
{
	*ret_count = sound->count;
	return sound->samples;
}

unsigned media_sound_ms(const struct media_sound *sound)
{
	return (unsigned)(sound->count / (TONE_RATE / 1000));
}

static struct origin origin_of(const char *path)
{
	struct origin origin = { 0 };
	struct stat st;

	if (stat(path, &st) == 0) {
		origin.device = st.st_dev;
		origin.inode = st.st_ino;
		origin.size = st.st_size;
		origin.changed = st.st_mtim;
	}
	return origin; /* zero: like no file that was ever read */
}

static bool same_origin(const struct origin *a, const struct origin *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static struct media_sound *unchanged(const struct media_sounds *before, const struct origin *origin)
{
	for (size_t i = 0; before && origin->inode && i < before->count; i++)
		if (same_origin(&before->items[i].sound->origin, origin))
			return before->items[i].sound;
	return NULL;
}

static int load(struct media_sound **ret_sound, const struct config_sound *named,
		const struct media_sounds *before, struct str *findings)
{
	struct origin origin = origin_of(named->path);
	struct media_sound *known = unchanged(before, &origin);
	char why[SOUND_FILE_WHY_ROOM];
	int16_t *samples;
	size_t count;
	int err;

	if (known) {
		*ret_sound = media_sound_ref(known);
		return 0;
	}
	err = sound_file_read(named->path, &samples, &count, why);
	if (err == -EINVAL)
		str_addf(findings,
			 "%s: error: %s %s. Name a WAV file of speech or tones, up to %d minutes\n",
			 named->at, named->path, why, SOUND_FILE_MAX_S / 60);
	else if (err && err != -ENOMEM)
		str_addf(findings, "%s: error: cannot read %s: %s. Check path and permissions\n",
			 named->at, named->path, strerror(-err));
	if (!err)
		err = sound_create(ret_sound, samples, count);
	if (!err)
		(*ret_sound)->origin = origin;
	return err;
}

/* One finding each; no memory ends it at once. */
static int load_all(struct media_sounds *sounds, const struct config *config,
		    const struct media_sounds *before, struct str *findings)
{
	size_t total = 0;
	int result = 0;

	for (const struct config_sound *named = config->sounds; named; named = named->next) {
		int err = load(&sounds->items[named->index].sound, named, before, findings);

		if (err == -ENOMEM)
			return err;
		if (err) {
			result = -EINVAL;
			continue;
		}
		total += sounds->items[named->index].sound->count;
		if (total <= (size_t)SOUNDS_MAX_S * TONE_RATE)
			continue;
		str_addf(findings,
			 "%s: error: with %s all files to be played are longer than %d minutes "
			 "together. Shorten or share them\n",
			 named->at, named->path, SOUNDS_MAX_S / 60);
		return -EINVAL;
	}
	return result;
}

int media_sounds_create(struct media_sounds **ret_sounds, const struct config *config,
			const struct media_sounds *before, struct str *ret_findings)
{
	struct media_sounds *sounds;
	int err;

	sounds = calloc(1, sizeof(*sounds) + config->sound_count * sizeof(sounds->items[0]));
	if (!sounds)
		return -ENOMEM;
	sounds->count = config->sound_count;
	err = load_all(sounds, config, before, ret_findings);
	if (!err && ret_findings->failed)
		err = -ENOMEM;
	if (err) {
		media_sounds_destroy(sounds);
		return err;
	}
	*ret_sounds = sounds;
	return 0;
}

struct media_sounds *media_sounds_destroy(struct media_sounds *sounds)
{
	for (size_t i = 0; sounds && i < sounds->count; i++)
		media_sound_unref(sounds->items[i].sound);
	free(sounds);
	return NULL;
}

struct media_sound *media_sounds_ref(const struct media_sounds *sounds,
				     const struct config_sound *named)
{
	return sounds && named ? media_sound_ref(sounds->items[named->index].sound) : NULL;
}
