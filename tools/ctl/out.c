/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tools/ctl/ctl.h"
#include "tools/look/harmless.h"

static struct harmless state;

static bool write_all(struct str *text)
{
	bool whole = !text->failed;

	for (size_t at = 0; whole && at < text->length;) {
		ssize_t written = write(STDOUT_FILENO, text->text + at, text->length - at);

		if (written < 0 && errno != EINTR)
			whole = false;
		else if (written > 0)
			at += (size_t)written;
	}
	str_done(text);
	return whole;
}

static ssize_t put(void *cookie, const char *bytes, size_t length)
{
	struct str text = { 0 };

	(void)cookie;
	harmless_add(&state, &text, bytes, length);
	return write_all(&text) ? (ssize_t)length : -1;
}

static int end(void *cookie)
{
	struct str text = { 0 };

	(void)cookie;
	harmless_end(&state, &text);
	return write_all(&text) ? 0 : -1;
}

int out_guard(void)
{
	FILE *guarded =
		fopencookie(NULL, "w", (cookie_io_functions_t){ .write = put, .close = end });

	if (!guarded)
		return -ENOMEM;
	(void)setvbuf(guarded, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, 0);
	stdout = guarded; /* a variable, in glibc */
	return 0;
}

int out_end(int status)
{
	if (fclose(stdout) == 0)
		return status;
	fprintf(stderr, "breakoutctl: not all could be written: %s\n", strerror(errno));
	return STATUS_NO;
}
