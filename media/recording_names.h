/* SPDX-License-Identifier: Apache-2.0 */
/* recording_names.h - what the files of a recording are called: NAME.wav (.opus,
 * .wav.sealed ...) and NAME.json, with ".part" at the end as long as it is not complete.
 * A name is short: config and call see to it. `directory` is open on their folder.
 *
 * Threads: any; each may wait for the disk.
 */
#ifndef BREAKOUT_MEDIA_RECORDING_NAMES_H
#define BREAKOUT_MEDIA_RECORDING_NAMES_H

#include <limits.h>
#include <stdbool.h>
#include "base/macros.h"

#define RECORDING_NAME_ROOM (NAME_MAX + sizeof(".opus.sealed.part"))
const char *recording_name(char room[RECORDING_NAME_ROOM], const char *name, const char *ending,
			   bool part); /* room */

/* Makes what is missing of it and opens it. A descriptor, or -errno. */
int recording_make_folder(const char *folder) MUST_CHECK;
/* A new one, or one that is there. A descriptor, or -errno. */
int recording_make_part(int directory, const char *name, const char *ending) MUST_CHECK;
int recording_open_part(int directory, const char *name, const char *ending) MUST_CHECK;
void recording_remove_part(int directory, const char *name, const char *ending);
bool recording_is_whole(int directory, const char *name, const char *ending);
/* It is complete: both files get their final names, durably. sound_ending NULL: the sound
 * has its own. 0 or -errno. */
int recording_give_names(int directory, const char *name, const char *sound_ending) MUST_CHECK;

#endif
