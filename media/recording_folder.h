/* SPDX-License-Identifier: Apache-2.0 */
/* recording_folder.h - the recordings in a folder: what a dead process left is completed,
 * what is too old goes.
 *
 * Threads: any; each may wait for the disk.
 */
#ifndef BREAKOUT_MEDIA_RECORDING_FOLDER_H
#define BREAKOUT_MEDIA_RECORDING_FOLDER_H

#include "base/clock.h"

/* Completes in a folder what no living process works on. */
void recording_files_recover(const char *folder);
/* Removes recordings that are complete since more than so many days. */
void recording_files_expire(const char *folder, unsigned days, wall_ms now);

#endif
