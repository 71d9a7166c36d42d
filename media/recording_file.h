/* SPDX-License-Identifier: Apache-2.0 */
/* recording_file.h - a recording on disk: a WAV file of 8000 Hz and 16 bit or an Opus
 * file (ogg_opus.h), plain or sealed (seal.h), and a JSON file beside it.
 *
 * While it grows it is called NAME.wav.part (NAME.opus.sealed.part ...), with
 * NAME.json.part beside it; both get their final names when they are complete and on
 * disk, the JSON file last. Threads: an object belongs to one thread, which may wait
 * for the disk.
 */
#ifndef BREAKOUT_MEDIA_RECORDING_FILE_H
#define BREAKOUT_MEDIA_RECORDING_FILE_H

#include <sys/types.h>
#include "media/media.h"
#include "media/ogg_opus.h"
#include "media/seal.h"

struct recording_file {
	int directory, json, sound; /* -1: not open */
	const char *name;           /* borrowed */
	const char *ending;         /* .wav ...; a literal */
	unsigned channels;
	struct seal *seal;     /* NULL: it can be read by who may read the file */
	struct ogg_opus *opus; /* NULL: WAV */
	bool broken;           /* an Opus file of which a page was not taken: no more follow */
	off_t size;            /* of what is whole, if it is sealed or Opus */
	uint64_t frames;       /* on disk, or in the page to come */
};

void recording_file_init(struct recording_file *file);
/* Makes the files. Borrows options->name. 0 or -errno; ret_why: what is wrong with
 * the key, else NULL. Ended by recording_file_done() in both cases. */
int recording_file_make(struct recording_file *file, const struct media_recording *options,
			unsigned channels, const char **ret_why) MUST_CHECK;
void recording_file_done(struct recording_file *file);

/* At its end; what the disk took of it is counted also on failure. */
int recording_file_write(struct recording_file *file, const int16_t *samples,
			 size_t frames) MUST_CHECK;
/* Gives the final names. `why` as the JSON file says it. */
int recording_file_complete(struct recording_file *file, uint64_t dropped_ms,
			    const char *why) MUST_CHECK;
void recording_file_throw_away(struct recording_file *file);
unsigned recording_file_ms(const struct recording_file *file);

/* Of a process that has died; the files that are there in part are open. Completes what is
 * long enough to be heard, and says so; the rest is thrown away. 0 or -errno. */
int recording_file_recover(struct recording_file *file, bool opus, bool sealed) MUST_CHECK;
/* What is in a sealed file, WAV or Opus, into a new file. 0; -ENODATA: it ends early, all
 * before that was written; else -errno, and ret_why says more if it is not NULL. */
int recording_file_unseal(const char *path, const char *private_key, const char *to,
			  unsigned *ret_ms, const char **ret_why) MUST_CHECK;

#endif
