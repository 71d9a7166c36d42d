/* SPDX-License-Identifier: Apache-2.0 */
/* records.c - `breakoutctl records`: past calls, from the files of records. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/str.h"
#include "records/cursor.h"
#include "records/row.h"
#include "tools/ctl/ctl.h"

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "breakoutctl: %s: %s\n", what, why);
	return STATUS_NO;
}

char *record_path(const struct options *options, const char *configured, int *ret_status)
{
	const char *path = options->explain.cdr ? options->explain.cdr : configured;
	json_t *status = NULL;
	char *copy;

	if (!path) {
		status = ask_or_say(options, "status", ret_status);
		if (!status)
			return NULL;
		path = json_string_value(json_object_get(status, "cdr"));
	}
	*ret_status = STATUS_NO;
	copy = *path ? strdup(path) : NULL;
	if (!copy)
		(void)complain("no call records are written",
			       "set cdr.file, or name a file with --cdr");
	json_decref(status);
	return copy;
}

/* ---- which ---- */

struct filter {
	/* As records write times, which sort as texts; "": no bound. */
	char since[CLOCK_TEXT_ROOM], until[CLOCK_TEXT_ROOM];
	wall_ms since_ms;
	const char *number, *cause; /* NULL: any */
};

/* "30m": so long ago. */
static bool take_ago(const char *text, wall_ms *ret_wall)
{
	static const struct {
		char unit;
		long long ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	char *rest;
	long long number = strtoll(text, &rest, 10);

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (rest != text && rest[0] == units[i].unit && !rest[1] && number >= 0 &&
		    number <= 1000000) {
			*ret_wall = clock_wall() - number * units[i].ms;
			return true;
		}
	return false;
}

/* 2026-11-25, 2026-11-25T22:15 or 2026-11-25T22:15:18 of this machine's time, or with Z. */
static bool take_date(const char *text, wall_ms *ret_wall)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *rest = strptime(text, formats[i], &tm);
		bool utc = rest && strcmp(rest, "Z") == 0;

		if (!rest || (*rest && !utc))
			continue;
		*ret_wall = (wall_ms)(utc ? timegm(&tm) : mktime(&tm)) * 1000;
		return true;
	}
	return false;
}

static bool take_time(const char *text, char ret_text[static CLOCK_TEXT_ROOM], wall_ms *ret_wall)
{
	if (!text)
		return true;
	if (!take_ago(text, ret_wall) && !take_date(text, ret_wall))
		return false;
	clock_wall_text(*ret_wall, ret_text);
	return true;
}

static bool same_number(const char *one, const char *other)
{
	return strcmp(one + (*one == '+'), other + (*other == '+')) == 0;
}

static bool has_number(const json_t *record, const char *number)
{
	static const char *const names[] = {
		"number", "caller", "called", "from", "asserted", "to"
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *text = json_string_value(json_object_get(record, names[i]));

		if (text && same_number(text, number))
			return true;
	}
	return false;
}

static bool passes(const struct filter *filter, const json_t *record)
{
	const char *start = json_string_value(json_object_get(record, "start"));
	const char *cause = json_string_value(json_object_get(record, "cause"));

	return start && (!*filter->since || strcmp(start, filter->since) >= 0) &&
	       (!*filter->until || strcmp(start, filter->until) < 0) &&
	       (!filter->cause || (cause && strcmp(cause, filter->cause) == 0)) &&
	       (!filter->number || has_number(record, filter->number));
}

/* ---- how they are shown ---- */

struct output {
	enum { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV } how;
	size_t count;
};

static void print_csv(const json_t *record)
{
	struct row_value values[ROW_COLUMN_COUNT];
	struct str line = { 0 };

	row_fill(values, record);
	for (size_t i = 0; i < ROW_COLUMN_COUNT; i++) {
		str_add(&line, i ? "," : "");
		if (!values[i].null && row_columns[i].kind == ROW_INTEGER)
			str_addf(&line, "%lld", values[i].number);
		else if (!values[i].null)
			row_add_csv(&line, values[i].text);
	}
	str_add(&line, "\r\n");
	fputs(line.failed ? "" : line.text, stdout);
	str_done(&line);
}

static const char *text_of(const json_t *record, const char *name, const char *instead)
{
	const char *text = json_string_value(json_object_get(record, name));

	return text && *text ? text : instead;
}

/* Records of older programs have no `caller` and `called`. */
static void print_line(const json_t *record)
{
	long long talk = json_integer_value(json_object_get(record, "talk_ms"));

	printf("%-24s %-16s %-7s %-16s %-16s %8.1f %-15s %-3s %s\n", text_of(record, "start", "-"),
	       text_of(record, "id", "-"), text_of(record, "direction", "-"),
	       text_of(record, "caller", text_of(record, "from", "-")),
	       text_of(record, "called", text_of(record, "to", "-")), (double)talk / 1000,
	       text_of(record, "cause", "-"), text_of(record, "ended_by", "-"),
	       text_of(record, "service", "-"));
}

static void print_head(const struct output *output)
{
	switch (output->how) {
	case OUTPUT_TABLE:
		printf("%-24s %-16s %-7s %-16s %-16s %8s %-15s %-3s %s\n", "START", "ID", "DIR",
		       "CALLER", "CALLED", "TALK S", "CAUSE", "BY", "SERVICE");
		break;
	case OUTPUT_CSV:
		for (size_t i = 0; i < ROW_COLUMN_COUNT; i++)
			printf("%s%s", i ? "," : "", row_columns[i].name);
		fputs("\r\n", stdout);
		break;
	case OUTPUT_JSON:
		putchar('[');
		break;
	}
}

static void print_record(struct output *output, const json_t *record)
{
	switch (output->how) {
	case OUTPUT_TABLE:
		print_line(record);
		break;
	case OUTPUT_CSV:
		print_csv(record);
		break;
	case OUTPUT_JSON:
		fputs(output->count ? ",\n" : "\n", stdout);
		json_dumpf(record, stdout, JSON_COMPACT);
		break;
	}
	output->count++;
}

/* ---- the files ---- */

static int read_file(const char *path, const struct filter *filter, struct output *output)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	if (!file)
		return complain(path, strerror(errno));
	while (getline(&line, &room, file) > 0) {
		json_t *record = json_loads(line, 0, NULL);

		if (passes(filter, record)) /* what is no record passes nothing */
			print_record(output, record);
		json_decref(record);
	}
	free(line);
	(void)fclose(file); /* only read from */
	return STATUS_OK;
}

static int read_files(const char *spool, const struct filter *filter, struct output *output)
{
	struct cursor_file *files;
	size_t count;
	int err = cursor_files(spool, &files, &count), status = STATUS_OK;

	if (err)
		return complain(spool, strerror(-err));
	print_head(output);
	for (size_t i = 0; i < count && !status; i++) /* a file ends after its last record */
		if (files[i].changed_ns / 1000000 >= filter->since_ms)
			status = read_file(files[i].path, filter, output);
	if (output->how == OUTPUT_JSON)
		puts(output->count ? "\n]" : "]");
	cursor_files_free(files, count);
	return status;
}

int run_records(const struct options *options)
{
	const struct record_options *wanted = &options->records;
	struct filter filter = { .number = wanted->number, .cause = wanted->cause };
	struct output output = { .how = options->json ? OUTPUT_JSON
					: wanted->csv ? OUTPUT_CSV
						      : OUTPUT_TABLE };
	wall_ms until;
	int status = STATUS_OK;
	char *path;

	if (!take_time(wanted->since, filter.since, &filter.since_ms) ||
	    !take_time(wanted->until, filter.until, &until) || (wanted->csv && options->json))
		return STATUS_USAGE;
	path = record_path(options, NULL, &status);
	if (path)
		status = read_files(path, &filter, &output);
	free(path);
	return status;
}
