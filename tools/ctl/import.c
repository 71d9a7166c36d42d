/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - `breakoutctl regs import`: another content for the configuration's file of
 * numbers, looked at before it counts, and all or nothing. */
#include "tools/ctl/import.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "tools/ctl/ctl.h"

#define GIVEN_MAX 64 /* keys over the configuration's */

struct import {
	const struct options *options;
	const char *file;       /* to import */
	json_t *settings;       /* what the daemon says of its configuration */
	const char *path;       /* of it: borrowed from there */
	char *given[GIVEN_MAX]; /* own; what the environment and the command line say over it */
	size_t given_count;
	char *into; /* own; the configured file */
	struct import_lines lines;
	struct config *config; /* as it will be */
	struct import_diff diff;
	bool bar;
};

static int PRINTF_LIKE(1, 2) complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("breakoutctl: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return STATUS_NO;
}

/* ---- the configuration ---- */

/* A value that is hidden, or where there is no more room, is left to the file. */
static void take_given(struct import *import)
{
	const json_t *list = json_object_get(import->settings, "settings"), *setting;
	size_t i;

	json_array_foreach(list, i, setting)
	{
		const char *origin = json_string_value(json_object_get(setting, "origin"));
		const char *value = json_string_value(json_object_get(setting, "value"));
		char *text = NULL;

		if (!origin || !value || !strcmp(value, "***") ||
		    import->given_count == GIVEN_MAX ||
		    (!str_starts(origin, "environment") && !str_starts(origin, "command line")))
			continue;
		if (asprintf(&text, "%s=%s", json_string_value(json_object_get(setting, "name")),
			     value) >= 0)
			import->given[import->given_count++] = text;
	}
}

static int ask_settings(struct import *import)
{
	int status = STATUS_OK;

	import->settings = ask_or_say(import->options, "config", &status);
	if (!import->settings)
		return status;
	import->path = json_string_value(json_object_get(import->settings, "file"));
	if (!import->path || access(import->path, R_OK) < 0)
		return complain("the daemon's configuration %s cannot be read: %s",
				import->path ? import->path : "", strerror(errno));
	take_given(import);
	return STATUS_OK;
}

/* NULL: it is at fault, as ret_findings says, or -ENOMEM. */
static struct config *load_with(const struct import *import, const struct config_swap *swap,
				struct str *ret_findings, int *ret_err)
{
	const struct config_sources sources = { .path = import->path,
						.given = (const char *const *)import->given,
						.given_count = import->given_count,
						.swap = swap };
	struct config *config = NULL;

	*ret_err = config_load_from(&sources, &config, ret_findings);
	return config;
}

/* Those in the file that is imported. */
static void show_warnings(const struct str *findings, const char *name)
{
	const size_t length = strlen(name);
	const char *line = findings->text ? findings->text : "", *end;

	for (; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		if (!strncmp(line, name, length) && line[length] == ':')
			printf("%.*s\n", (int)(end - line), line);
	}
}

/* As it would be with another file of numbers in the place of `path` (NULL: of all);
 * NULL after saying what is wrong with it. */
static struct config *load(const struct import *import, const char *path, const char *from,
			   const char *name)
{
	const struct config_swap swap = { .path = path, .from = from, .name = name };
	struct str findings = { 0 };
	int err;
	struct config *config = load_with(import, &swap, &findings, &err);

	if (err && findings.text)
		fputs(findings.text, stdout);
	else if (path)
		show_warnings(&findings, name);
	if (err)
		complain(err == -ENOMEM ? "out of memory"
					: "nothing is imported: mend what is said above");
	str_done(&findings);
	return config;
}

/* ---- which file ---- */

static char *choose(const struct import *import, const struct config *config)
{
	const char *wanted = import->options->import.into;
	size_t count = config->registration_file_count;

	for (size_t i = 0; i < count; i++) {
		const char *file = config->registration_files[i];

		if (wanted ? !strcmp(wanted, file) : count == 1)
			return strdup(file);
	}
	if (!count)
		complain("%s names no file of numbers: make an empty one, add `- { file: "
			 "numbers.csv }` to registrations, and reload; or have the daemon keep the "
			 "numbers: --into api",
			 import->path);
	else
		complain("the configuration has these files of numbers: say --into which one");
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "  %s\n", config->registration_files[i]);
	return NULL;
}

/* What other sources register, once it is known which file is meant. NULL after saying
 * why there is nothing. */
static struct config *load_others(struct import *import)
{
	struct import_lines none = { .source = "config" };
	struct config *others = NULL;
	int err = import_lines_create(&none);

	if (err)
		complain("%s", strerror(-err));
	else
		others = load(import, NULL, none.path, none.path);
	import->into = others ? choose(import, others) : NULL;
	if (others && (!import->into || others->registration_file_count > 1))
		others = config_destroy(others);
	if (import->into && !others)
		others = load(import, import->into, none.path, none.path);
	import_lines_done(&none);
	return others;
}

static int read_new(struct import *import)
{
	struct config *others = load_others(import);
	int err;

	if (!others)
		return STATUS_NO;
	err = import_lines_read(&import->lines, import->file, others, import->bar);
	config_destroy(others);
	if (err)
		return complain("%s cannot be read: %s", import->file, strerror(-err));
	import->config = load(import, import->into, import->lines.path, import->file);
	return import->config ? STATUS_OK : STATUS_NO;
}

/* ---- what it changes ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void take_page(const json_t *page, size_t before, void *arg)
{
	struct import *import = arg;
	const json_t *reg;
	size_t i;

	(void)before;
	json_array_foreach(page, i, reg)
	{
		const struct import_running running = {
			.number = text_of(reg, "number"),
			.route_type = text_of(reg, "route_type"),
			.service = text_of(reg, "service"),
			.tenant = text_of(reg, "tenant"),
			.foreign = strcmp(text_of(reg, "source"), "config") != 0,
			.leaving = !strcmp(text_of(reg, "state"), "withdrawing"),
		};

		import_diff_take(&import->diff, &running);
	}
}

/* What is on disk runs: then nobody has to be asked for a million numbers. */
static bool compare_disk(struct import *import)
{
	const char *version = text_of(import->settings, "config");
	struct str findings = { 0 };
	int err;
	struct config *disk = load_with(import, NULL, &findings, &err);
	bool same = disk && !strcmp(disk->version, version);

	for (size_t i = 0; same && i < disk->registration_count; i++) {
		const struct config_registration *reg = &disk->registrations[i];
		char number[E164_ROOM];
		const struct import_running running = {
			.number = number,
			.route_type = route_type_name((enum route_type)reg->route_type),
			.service = disk->services[reg->service].name,
			.tenant = config_tenant_name(disk, reg->tenant),
		};

		e164_unpack(reg->number, number);
		import_diff_take(&import->diff, &running);
	}
	str_done(&findings); /* what is wrong on disk is no matter here */
	config_destroy(disk);
	return same;
}

static int compare(struct import *import)
{
	int status = STATUS_OK;

	import->diff.config = import->config;
	if (!compare_disk(import))
		status = each_page(import->options, import->bar ? "compared" : NULL, take_page,
				   import);
	if (status == STATUS_OK)
		import_diff_end(&import->diff);
	return status;
}

static void show_diff(const struct import *import)
{
	const struct import_diff *diff = &import->diff;

	printf("%s, to become %s\n", import->file, import->into);
	if (import->lines.elsewhere)
		printf("left out   %zu lines of numbers that other sources register\n",
		       import->lines.elsewhere);
	for (int i = 0; i < IMPORT_KINDS; i++) {
		printf("%-10s %zu\n", import_change_name((enum import_change)i), diff->count[i]);
		for (size_t k = 0; k < IMPORT_SAMPLES; k++)
			if (*diff->samples[i][k])
				printf("             %s\n", diff->samples[i][k]);
		if (*diff->samples[i][0] && diff->count[i] > IMPORT_SAMPLES)
			printf("             ...\n");
	}
}

static json_t *diff_json(const struct import *import, bool applied)
{
	json_t *json = json_pack("{s:s, s:s, s:b}", "file", import->file, "into", import->into,
				 "applied", applied);

	for (int i = 0; i < IMPORT_KINDS; i++) {
		json_t *samples = json_array();

		for (size_t k = 0; k < IMPORT_SAMPLES; k++)
			if (*import->diff.samples[i][k])
				json_array_append_new(samples,
						      json_string(import->diff.samples[i][k]));
		json_object_set_new(json, import_change_name((enum import_change)i),
				    json_pack("{s:I, s:o}", "count",
					      (json_int_t)import->diff.count[i], "samples",
					      samples));
	}
	return json;
}

/* ---- doing it ---- */

static int refused(const struct import *import, struct import_target *target, const json_t *report)
{
	const json_t *findings = json_object_get(report, "findings"), *line;
	int err = import_restore(target);
	size_t i;

	json_array_foreach(findings, i, line)
	{
		fprintf(stderr, "%s\n", json_string_value(line));
	}
	if (err)
		return complain("the daemon refuses the reload, and %s cannot be put back (%s): it "
				"was what is %s.bak now",
				target->path, strerror(-err), target->path);
	return complain("the daemon refuses the reload: %s is as it was", import->into);
}

static int reload_with(const struct import *import, struct import_target *target)
{
	int status = STATUS_OK;
	json_t *report = reload_and_wait(import->options, &status);

	if (!report)
		return complain("%s is in place and counts from the next reload or start on; "
				"what it was is %s.bak",
				target->path, target->path);
	if (json_is_true(json_object_get(report, "refused")))
		status = refused(import, target, report);
	json_decref(report);
	return status;
}

static int apply(const struct import *import)
{
	struct import_target target;
	int err = import_replace(&target, import->into, import->path, &import->lines), status;

	if (err == -EEXIST)
		status = complain("%s.import is there: another import is under way, or one was cut "
				  "short; then remove it",
				  target.path);
	else if (err)
		status = complain("%s cannot be written: %s; nothing has changed", import->into,
				  strerror(-err));
	else
		status = reload_with(import, &target);
	import_target_done(&target);
	return status;
}

static bool in_fleet(const struct import *import)
{
	const json_t *list = json_object_get(import->settings, "settings"), *setting;
	size_t i;

	json_array_foreach(list, i, setting)
	{
		if (!strcmp(json_string_value(json_object_get(setting, "name")), "store.postgres"))
			return json_is_string(json_object_get(setting, "value"));
	}
	return false;
}

static int decide(const struct import *import, bool *ret_applied)
{
	const struct options *options = import->options;
	int status;

	if (!options->json)
		show_diff(import);
	if (import_diff_empty(&import->diff)) {
		if (!options->json)
			puts("nothing to import");
		return STATUS_OK;
	}
	if (in_fleet(import))
		fputs("breakoutctl: of a fleet: put the file on every node and raise "
		      "store.version, "
		      "or nothing changes at the core\n",
		      stderr);
	if (options->import.dry_run)
		return STATUS_OK;
	if (!confirmed(options, "Import this?"))
		return STATUS_NO;
	status = apply(import);
	*ret_applied = status == STATUS_OK;
	if (*ret_applied && !options->json)
		printf("imported: what it was is %s.bak\n", import->into);
	return status;
}

static void import_done(struct import *import)
{
	for (size_t i = 0; i < import->given_count; i++)
		free(import->given[i]);
	json_decref(import->settings);
	import_lines_done(&import->lines);
	config_destroy(import->config);
	free(import->into);
}

int run_import(const struct options *options)
{
	struct import import = { .options = options,
				 .file = options->second,
				 .lines = { .fd = -1, .source = "config" },
				 .bar = isatty(STDERR_FILENO) };
	bool applied = false;
	json_t *json;
	int status;

	if (!import.file)
		return STATUS_USAGE;
	if (options->import.into && !strcmp(options->import.into, "api"))
		return run_import_numbers(options);
	if (options->import.replace)
		return complain("--replace goes with --into api: a file is replaced anyway");
	status = ask_settings(&import);
	if (status == STATUS_OK)
		status = read_new(&import);
	if (status == STATUS_OK)
		status = compare(&import);
	if (status == STATUS_OK) {
		status = decide(&import, &applied);
		json = options->json ? diff_json(&import, applied) : NULL;
		if (json)
			print_json(json);
		json_decref(json);
	}
	import_done(&import);
	return status;
}
