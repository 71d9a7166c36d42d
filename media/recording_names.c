/* SPDX-License-Identifier: Apache-2.0 */
#include "media/recording_names.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *recording_name(char room[RECORDING_NAME_ROOM], const char *name, const char *ending,
			   bool part)
{
	(void)snprintf(room, RECORDING_NAME_ROOM, "%s%s%s", name, ending, part ? ".part" : "");
	return room;
}

/* The folder and the one above it, as far as they are missing. */
int recording_make_folder(const char *folder)
{
	const char *slash = strrchr(folder, '/');
	char *parent = slash && slash > folder ? strndup(folder, (size_t)(slash - folder)) : NULL;
	int fd;

	if (parent)
		(void)mkdir(parent, 0750); /* if it is not there then, opening says so */
	free(parent);
	(void)mkdir(folder, 0750);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_part(int directory, const char *name, const char *ending, int flags)
{
	char room[RECORDING_NAME_ROOM];
	int fd = openat(directory, recording_name(room, name, ending, /* part= */ true),
			flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

int recording_make_part(int directory, const char *name, const char *ending)
{
	return open_part(directory, name, ending, O_CREAT | O_EXCL);
}

int recording_open_part(int directory, const char *name, const char *ending)
{
	return open_part(directory, name, ending, 0);
}

void recording_remove_part(int directory, const char *name, const char *ending)
{
	char room[RECORDING_NAME_ROOM];

	/* May not be there. */
	(void)unlinkat(directory, recording_name(room, name, ending, /* part= */ true), 0);
}

bool recording_is_whole(int directory, const char *name, const char *ending)
{
	char room[RECORDING_NAME_ROOM];

	return faccessat(directory, recording_name(room, name, ending, /* part= */ false), F_OK,
			 0) == 0;
}

static int give_name(int directory, const char *name, const char *ending)
{
	char part[RECORDING_NAME_ROOM], whole[RECORDING_NAME_ROOM];

	return renameat(directory, recording_name(part, name, ending, /* part= */ true), directory,
			recording_name(whole, name, ending, /* part= */ false))
		       ? -errno
		       : 0;
}

/* The sound first: who finds the JSON file finds both. */
int recording_give_names(int directory, const char *name, const char *sound_ending)
{
	int err = sound_ending ? give_name(directory, name, sound_ending) : 0;

	if (!err)
		err = give_name(directory, name, ".json");
	if (!err && fsync(directory) < 0)
		err = -errno;
	return err;
}
