/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.c - `breakoutctl regs add`, `delete`, and `import --into api`: numbers that the
 * daemon keeps itself. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/import.h"

#define ORDER_S    120 /* a fleet's database may be slow, two million lines are many */
#define DELETE_MAX 500 /* numbers of one command */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* ---- one by one ---- */

/* "loop office" or, with tenants, "loop office nordic". */
static void print_terms(const json_t *terms)
{
	const char *tenant = text_of(terms, "tenant");

	printf("%s %s", text_of(terms, "route_type"), text_of(terms, "service"));
	if (strcmp(tenant, "default") != 0)
		printf(" %s", tenant);
}

int run_add(const struct options *options)
{
	const struct number_options *number = &options->number;
	const char *service = options->pause.service;
	int status = STATUS_OK;
	json_t *terms, *answer;

	if (!options->second || !number->route_type)
		return STATUS_USAGE;
	terms = json_pack("{s:s, s:s}", "number", options->second, "route_type",
			  number->route_type);
	if (service)
		json_object_set_new(terms, "service", json_string(service));
	if (number->tenant)
		json_object_set_new(terms, "tenant", json_string(number->tenant));
	answer = ask_order(options, number->change ? "put" : "add", terms, NULL, ORDER_S, &status);
	if (!answer)
		return status;
	if (options->json) {
		print_json(answer);
	} else {
		printf("%s %s: ", text_of(answer, "change"), text_of(answer, "number"));
		print_terms(answer);
		putchar('\n');
	}
	json_decref(answer);
	return status;
}

/* Those that the configuration names as well. */
static void show_configured(const json_t *list)
{
	const json_t *its;
	size_t i;

	json_array_foreach(list, i, its)
	{
		printf("%s stays registered: %s names it\n", text_of(its, "number"),
		       text_of(its, "configured"));
	}
}

int run_delete(const struct options *options)
{
	json_t *numbers = json_array(), *answer;
	int status = STATUS_OK;
	size_t count = 0;

	for (const char *const *word = options->words + 1; *word; word++, count++)
		json_array_append_new(numbers, json_string(*word));
	if (!count || count > DELETE_MAX) {
		if (count)
			fprintf(stderr,
				"breakoutctl: at most %d numbers at once; for more: regs import "
				"FILE --into api --replace\n",
				DELETE_MAX);
		json_decref(numbers);
		return count ? STATUS_NO : STATUS_USAGE;
	}
	answer = ask_order(options, "delete", json_pack("{s:o}", "numbers", numbers), NULL, ORDER_S,
			   &status);
	if (!answer)
		return status;
	if (options->json) {
		print_json(answer);
	} else {
		printf("deleted %lld\n",
		       (long long)json_integer_value(json_object_get(answer, "deleted")));
		show_configured(json_object_get(answer, "configured"));
	}
	json_decref(answer);
	return status;
}

/* ---- many at once ---- */

static void print_sample(const json_t *sample)
{
	const json_t *before = json_object_get(sample, "before");
	const json_t *after = json_object_get(sample, "after");

	printf("             %s ", text_of(sample, "number"));
	if (json_is_object(before))
		print_terms(before);
	if (json_is_object(before) && json_is_object(after))
		fputs(" -> ", stdout);
	if (json_is_object(after))
		print_terms(after);
	putchar('\n');
}

static bool changes_nothing(const json_t *diff)
{
	size_t changes = 0;

	for (int i = IMPORT_ADDED; i < IMPORT_UNCHANGED; i++)
		changes += (size_t)json_integer_value(json_object_get(
			json_object_get(diff, import_change_name((enum import_change)i)), "count"));
	return !changes;
}

static void show_diff(const json_t *diff)
{
	for (int i = 0; i < IMPORT_KINDS; i++) {
		const char *kind = import_change_name((enum import_change)i);
		const json_t *part = json_object_get(diff, kind);
		const json_t *samples = json_object_get(part, "samples"), *sample;
		json_int_t count = json_integer_value(json_object_get(part, "count"));
		size_t k;

		printf("%-10s %lld\n", kind, (long long)count);
		json_array_foreach(samples, k, sample)
		{
			print_sample(sample);
		}
		if (json_array_size(samples) && count > (json_int_t)json_array_size(samples))
			puts("             ...");
	}
}

static json_t *send_lines(const struct options *options, const struct ask_body *body, bool dry_run,
			  int *ret_status)
{
	return ask_order(options, "import",
			 json_pack("{s:b, s:b, s:s, s:I}", "replace", options->import.replace,
				   "dry_run", dry_run, "name", options->second, "length",
				   (json_int_t)body->length),
			 body, ORDER_S, ret_status);
}

/* Shows what it changes and asks; then does it. */
static int decide(const struct options *options, const struct ask_body *body,
		  const struct import_lines *lines)
{
	int status = STATUS_OK;
	json_t *answer = send_lines(options, body, /* dry_run= */ true, &status);
	bool dry_run = options->import.dry_run;

	if (!answer)
		return status;
	if (!options->json && lines->elsewhere)
		printf("left out   %zu lines of numbers that other sources register\n",
		       lines->elsewhere);
	if (!options->json)
		show_diff(answer);
	if (changes_nothing(answer)) {
		if (!options->json)
			puts("nothing to import");
	} else if (!dry_run) {
		if (!confirmed(options, "Import this?"))
			status = STATUS_NO;
		json_decref(answer);
		answer = status == STATUS_OK ? send_lines(options, body, false, &status) : NULL;
		if (answer && !options->json)
			puts("imported");
	}
	if (answer && options->json)
		print_json(answer);
	json_decref(answer);
	return status;
}

/* All of it; the caller frees it. NULL: errno. */
static char *read_all(int fd, size_t *ret_length)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = size < 0 ? NULL : malloc((size_t)size + 2);
	size_t used = 0;
	ssize_t n = 1;

	while (text && n > 0 && used < (size_t)size) {
		n = pread(fd, text + used, (size_t)size - used, (off_t)used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (text && !used) /* of nothing the daemon would not know that it was sent */
		text[used++] = '\n';
	*ret_length = used;
	return text;
}

int run_import_numbers(const struct options *options)
{
	struct import_lines lines = { .fd = -1, .source = "api" };
	struct ask_body body;
	char *text = NULL;
	int err = import_lines_read(&lines, options->second, NULL, isatty(STDERR_FILENO)), status;

	if (!err) {
		text = read_all(lines.fd, &body.length);
		err = text ? 0 : -errno;
	}
	if (err) {
		fprintf(stderr, "breakoutctl: %s cannot be read: %s\n", options->second,
			strerror(-err));
		status = STATUS_NO;
	} else {
		body.bytes = text;
		status = decide(options, &body, &lines);
	}
	free(text);
	import_lines_done(&lines);
	return status;
}
