/* SPDX-License-Identifier: Apache-2.0 */
/* recorder.h - messages and calls on their way to disk.
 *
 * The media thread puts samples into a ring, or packets onto a tape, and never
 * waits; the recorder's thread takes them out and writes a file. What a process that
 * died left behind is completed by recorder_recover().
 */
#ifndef BREAKOUT_MEDIA_RECORDER_H
#define BREAKOUT_MEDIA_RECORDER_H

#include <stdint.h>
#include "media/media.h"
#include "media/tape.h"

struct recorder;  /* opaque: the thread */
struct recording; /* opaque: one message */

enum recording_state {
	RECORDING_OPENING,
	RECORDING_OPEN,
	RECORDING_FAILED, /* no file could be made */
	RECORDING_BROKEN  /* the disk takes no more; what it took is kept */
};

/* 0, -ENOMEM or an error of pthread_create(3). */
int recorder_create(struct recorder **ret_recorder) MUST_CHECK;
/* Completes what was closed; every recording must have been. NULL is fine. */
struct recorder *recorder_destroy(struct recorder *recorder);

/* Any thread, for a folder nobody else has begun to recover: completes the
 * messages in it that no living process works on. 0 or -ENOMEM. */
int recorder_recover(struct recorder *recorder, const char *folder) MUST_CHECK;
/* Recordings of this folder, and of no other, are removed after so many days (at
 * least 1); looked at every hour. 0 or -ENOMEM. */
int recorder_keep(struct recorder *recorder, const char *folder, unsigned days) MUST_CHECK;

/* Any thread; the files are made in the background. Copies the texts. 0 or -ENOMEM. */
int recording_create(struct recording **ret_recording, struct recorder *recorder,
		     const struct media_recording *options) MUST_CHECK;
/* The same for both directions of a call, which go onto its tape. */
int recording_create_call(struct recording **ret_recording, struct recorder *recorder,
			  const struct media_recording *options) MUST_CHECK;
struct tape *recording_tape(const struct recording *recording); /* borrowed; NULL: a message */
enum recording_state recording_state(const struct recording *recording); /* any thread */
/* As given to recording_create(). */
const struct media_recording *recording_options(const struct recording *recording);

/* One thread: into the ring, without waiting. What finds no room is counted
 * and left out. */
void recording_write(struct recording *recording, const int16_t *samples, size_t count);

/* The last call, from the thread that writes. keep false: there is no message
 * after all. `why` is a literal for the JSON file. NULL is fine; returns NULL. */
struct recording *recording_close(struct recording *take_recording, bool keep, const char *why);

#endif
