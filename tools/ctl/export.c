/* SPDX-License-Identifier: Apache-2.0 */
/* export.c - `breakoutctl regs export`: registrations as CSV lines. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tools/ctl/ctl.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* How many there are, for the bar; 0: not known. */
static size_t count_regs(const struct options *options)
{
	int status = STATUS_OK;
	json_t *answer = ask_or_say(options, "status", &status), *count;
	const char *state;
	size_t total = 0;

	json_object_foreach(json_object_get(answer, "registrations"), state, count) total +=
		(size_t)json_integer_value(count);
	json_decref(answer);
	return total;
}

void show_progress(const char *what, size_t done, size_t total, bool end)
{
	static const char bar[] = "########################################";
	size_t length = total && done < total ? done * (sizeof(bar) - 1) / total : sizeof(bar) - 1;

	fprintf(stderr, "\r[%-40.*s] %zu of %zu %s%s", (int)length, bar, done, total, what,
		end ? "\n" : "");
}

void show_read(FILE *from, off_t size, bool end)
{
	off_t at = ftello(from);

	show_progress("read", at > 0 ? (size_t)at : 0, (size_t)size, end);
}

int each_page(const struct options *options, const char *bar, page_fn *visit, void *arg)
{
	size_t total = bar ? count_regs(options) : 0, done = 0;
	char request[64] = "regs";
	int status = STATUS_OK;
	bool more = true;

	while (more) {
		json_t *answer = ask_or_say(options, request, &status);
		json_t *page = json_object_get(answer, "registrations");
		size_t count = json_array_size(page);

		if (!answer)
			return status;
		visit(page, done, arg);
		snprintf(request, sizeof(request), "regs %s",
			 count ? text_of(json_array_get(page, count - 1), "number") : "");
		more = count && json_is_true(json_object_get(answer, "more"));
		done += count;
		json_decref(answer);
		if (bar)
			show_progress(bar, done, total, !more);
	}
	return status;
}

/* ---- export ---- */

struct printing {
	const struct options *options;
	size_t count;
};

static void print_page(const json_t *page, size_t before, void *arg)
{
	struct printing *printing = arg;
	const json_t *reg;
	size_t i;

	(void)before;
	json_array_foreach(page, i, reg)
	{
		if (!of_source(printing->options, reg))
			continue;
		if (printing->options->json) {
			fputs(printing->count ? ",\n" : "[\n", stdout);
			json_dumpf(reg, stdout, JSON_COMPACT);
		} else {
			printf("%s,%s,%s,%s,%lld,%s,%s\n", text_of(reg, "number"),
			       text_of(reg, "route_type"), text_of(reg, "service"),
			       text_of(reg, "state"),
			       (long long)json_integer_value(json_object_get(reg, "expires_s")),
			       text_of(reg, "tenant"), text_of(reg, "source"));
		}
		printing->count++;
	}
}

int run_export(const struct options *options)
{
	struct printing printing = { .options = options };
	bool bar = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
	int status;

	if (!options->json)
		puts(EXPORT_HEADER ",tenant,source");
	status = each_page(options, bar ? "exported" : NULL, print_page, &printing);
	if (status != STATUS_OK)
		return status;
	if (options->json)
		puts(printing.count ? "\n]" : "[]");
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "breakoutctl: the export is not whole: %s\n", strerror(errno));
		return STATUS_NO;
	}
	return status;
}
