/* SPDX-License-Identifier: Apache-2.0 */
/* unseal.c - a sealed recording in clear beside it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "media/recording_file.h"
#include "tools/ctl/ctl.h"

static int complain(const char *path, int err, const char *why)
{
	fprintf(stderr, "breakoutctl: %s: %s\n", path, why ? why : strerror(-err));
	return STATUS_NO;
}

int run_unseal(const struct options *options)
{
	static const char ending[] = ".sealed";
	const char *path = options->argument, *why;
	size_t length = strlen(path), tail = sizeof(ending) - 1;
	char to[4096];
	unsigned ms;
	int err;

	if (!options->key || length <= tail || length - tail >= sizeof(to) ||
	    strcmp(path + length - tail, ending) != 0)
		return STATUS_USAGE;
	snprintf(to, sizeof(to), "%.*s", (int)(length - tail), path);
	if (access(to, F_OK) == 0)
		return complain(to, -EEXIST, NULL);
	err = recording_file_unseal(path, options->key, to, &ms, &why);
	if (err == -EBADMSG)
		return complain(path, err,
				"it was changed after it was written; what came before "
				"the change was written");
	if (err && err != -ENODATA)
		return complain(path, err, why);
	printf("%s %u.%03u s%s\n", to, ms / 1000, ms % 1000,
	       err ? ", it ends early: the daemon was killed while it recorded" : "");
	return STATUS_OK;
}
