/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - writes the pages about the configuration that are made from its tables. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config/reference.h"

static const struct {
	const char *name;
	void (*make)(struct str *out);
} pages[] = { { "markdown", reference_markdown }, { "man", reference_man } };

int main(int argc, char **argv)
{
	struct str text = { 0 };

	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(pages); i++)
		if (!strcmp(argv[1], pages[i].name))
			pages[i].make(&text);
	if (!text.text || text.failed || fputs(text.text, stdout) == EOF) {
		fputs("usage: reference markdown|man >PAGE\n", stderr);
		return EXIT_FAILURE;
	}
	str_done(&text);
	return EXIT_SUCCESS;
}
