/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int secret_read(const char *path, char ret_secret[static SECRET_ROOM])
{
	FILE *file = fopen(path, "re");
	const char *line;
	int err = 0;

	if (!file)
		return -errno;
	setvbuf(file, NULL, _IONBF, 0); /* no copy left behind in a buffer */
	line = fgets(ret_secret, SECRET_ROOM, file);
	(void)fclose(file); /* only read from */
	if (line && strlen(line) == SECRET_ROOM - 1)
		err = -E2BIG;
	else if (line)
		ret_secret[strcspn(ret_secret, "\r\n")] = '\0';
	if (!line || (!err && !ret_secret[0]))
		err = -ENODATA;
	if (err)
		explicit_bzero(ret_secret, SECRET_ROOM);
	return err;
}

void secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}
