/* SPDX-License-Identifier: Apache-2.0 */
#include "media/recording_folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "media/recording_file.h"
#include "media/recording_names.h"

#define DAY_MS (24 * 3600 * (wall_ms)1000)

/* What a sound file can be. */
static const struct form {
	bool opus, sealed;
} forms[] = { { false, false }, { false, true }, { true, false }, { true, true } };

/* ---- what a dead process left ---- */

/* The form of the sound file that is there in part; NULL: none. */
static const struct form *open_sound(struct recording_file *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		file->ending = media_recording_ending(forms[i].opus, forms[i].sealed);
		file->sound = recording_open_part(file->directory, file->name, file->ending);
		if (file->sound >= 0)
			return &forms[i];
	}
	return NULL;
}

static bool is_any_whole(int directory, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (recording_is_whole(directory, name,
				       media_recording_ending(forms[i].opus, forms[i].sealed)))
			return true;
	return false;
}

static void recover_one(int directory, const char *name)
{
	struct recording_file file = { .directory = directory, .name = name };
	const struct form *form;
	int err = 0;

	file.json = recording_open_part(directory, name, ".json");
	form = open_sound(&file);
	if (file.json < 0 || flock(file.json, LOCK_EX | LOCK_NB) < 0)
		; /* somebody is at it */
	else if (form)
		err = recording_file_recover(&file, form->opus, form->sealed);
	else if (is_any_whole(directory, name))
		err = recording_give_names(directory, name, NULL);
	else
		recording_remove_part(directory, name, ".json");
	if (err)
		log_error("media", "recording=%s%s.part cannot be completed: %s", name, file.ending,
			  strerror(-err));
	file.directory = -1; /* goes on */
	recording_file_done(&file);
}

/* Calls `visit` with each name that has a file of this ending. */
static void each_name(int directory, const char *ending,
		      void (*visit)(int directory, const char *name, void *arg), void *arg)
{
	DIR *entries = directory < 0 ? NULL : fdopendir(dup(directory));
	const struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		size_t length = strlen(entry->d_name), tail = strlen(ending);
		char name[NAME_MAX + 1];

		if (length <= tail || strcmp(entry->d_name + length - tail, ending) != 0)
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)(length - tail), entry->d_name);
		visit(directory, name, arg);
	}
	if (entries)
		closedir(entries);
}

static void visit_part(int directory, const char *name, void *arg)
{
	(void)arg;
	recover_one(directory, name);
}

void recording_files_recover(const char *folder)
{
	int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	each_name(directory, ".json.part", visit_part, NULL);
	if (directory >= 0) /* a folder that is not there has nothing to recover */
		close(directory);
}

/* ---- what is too old ---- */

static void remove_whole(int directory, const char *name, const char *ending)
{
	char room[RECORDING_NAME_ROOM];

	if (unlinkat(directory, recording_name(room, name, ending, /* part= */ false), 0) < 0 &&
	    errno != ENOENT)
		log_error("media", "recording=%s%s is too old, but cannot be removed: %s", name,
			  ending, strerror(errno));
}

/* The JSON file last: what is left of an interrupted removal is found again. */
static void visit_whole(int directory, const char *name, void *arg)
{
	const wall_ms *oldest = arg;
	char room[RECORDING_NAME_ROOM];
	struct stat st;

	recording_name(room, name, ".json", /* part= */ false);
	if (fstatat(directory, room, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    (wall_ms)st.st_mtime * 1000 >= *oldest)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		remove_whole(directory, name,
			     media_recording_ending(forms[i].opus, forms[i].sealed));
	remove_whole(directory, name, ".json");
	log_info("media", "recording=%s removed: too old", name);
}

void recording_files_expire(const char *folder, unsigned days, wall_ms now)
{
	int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	wall_ms oldest = now - days * DAY_MS;

	each_name(directory, ".json", visit_whole, &oldest);
	if (directory >= 0)
		close(directory);
}
