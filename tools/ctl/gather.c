/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "config/config.h"
#include "tools/look/entry.h"

#define TAIL_BYTES (1L << 20)

/* ---- the configuration ---- */

/* Only what the file says can be compared with the file. */
static bool is_of_file(const json_t *setting)
{
	const char *origin = entry_text(setting, "origin");

	return !str_starts(origin, "environment") && !str_starts(origin, "command line");
}

static const json_t *find_setting(const json_t *settings, const char *name)
{
	for (size_t i = 0; i < json_array_size(settings); i++) {
		const json_t *setting = json_array_get(settings, i);

		if (strcmp(entry_text(setting, "name"), name) == 0)
			return setting;
	}
	return NULL;
}

static void note_change(struct look_config *config, const char *name, char **ret_text)
{
	if (config->changes++ == 0)
		config->change = *ret_text = strdup(name);
}

static void compare(struct look_config *config, const struct config *disk, const json_t *settings,
		    const char *version, char **ret_text)
{
	bool foreign = false; /* some of it came from elsewhere, so the versions differ */
	size_t count;
	const struct config_setting *list = config_settings(disk, &count);

	for (size_t i = 0; i < count; i++) {
		const json_t *now = find_setting(settings, list[i].name);
		const char *value = json_string_value(json_object_get(now, "value"));

		if (now && !is_of_file(now))
			foreign = true;
		else if (!now || strcmp(value ? value : "", list[i].value ? list[i].value : ""))
			note_change(config, list[i].name, ret_text);
	}
	for (size_t i = 0; i < json_array_size(settings); i++)
		config->waiting += json_object_get(json_array_get(settings, i), "in_force") != NULL;
	if (!config->changes && !foreign && strcmp(version, disk->version) != 0)
		note_change(config, "a list (registrations, rules or a file they name)", ret_text);
}

/* Warnings make no reload fail. */
static void take_errors(struct look_config *config, const char *findings, char **ret_text)
{
	while (findings && *findings) {
		size_t length = strcspn(findings, "\n");
		char *line = strndup(findings, length);

		if (line && strstr(line, ": error: ") && config->errors++ == 0)
			config->error = *ret_text = line;
		else
			free(line);
		findings += length + (findings[length] == '\n');
	}
}

void gather_config(struct look_config *config, const json_t *settings, const char *version,
		   char **ret_text)
{
	struct config *disk = NULL;
	struct str findings = { 0 };
	int err;

	*ret_text = NULL;
	if (access(config->path, R_OK) < 0) {
		config->unreadable = strerror(errno);
		return;
	}
	/* What the file names may be readable to the daemon only. */
	err = config_load(config->path, geteuid() == 0, &disk, &findings);
	if (err)
		take_errors(config, findings.text, ret_text);
	else if (settings)
		compare(config, disk, settings, version, ret_text);
	str_done(&findings);
	config_destroy(disk);
}

/* ---- calls that ended ---- */

static void take_record(struct look_past *past, const json_t *record, const char *since)
{
	const char *verdict = entry_text(record, "verdict");

	if (!*entry_text(record, "answer") || strcmp(entry_text(record, "end"), since) < 0)
		return;
	past->answered++;
	if (strcmp(verdict, "one-way") != 0 && strcmp(verdict, "no media") != 0)
		return;
	past->deaf++;
	(void)snprintf(past->id, sizeof(past->id), "%s", entry_text(record, "id"));
}

void gather_past(struct look_past *past, const char *path)
{
	FILE *file = fopen(path, "re");
	char since[CLOCK_TEXT_ROOM], *line = NULL;
	size_t room = 0;

	if (!file)
		return;
	past->known = true;
	clock_wall_text(clock_wall() - (wall_ms)past->minutes * 60000, since);
	(void)fseek(file, -TAIL_BYTES, SEEK_END); /* a shorter one is read from its start */
	while (getline(&line, &room, file) > 0) {
		json_t *record = json_loads(line, 0, NULL);

		take_record(past, record, since); /* what is no record has no answer */
		json_decref(record);
	}
	free(line);
	(void)fclose(file); /* only read from */
}

/* ---- the machine ---- */

static void take_memory(struct look_host *host)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		(void)sscanf(line, "MemTotal: %lld", &host->memory_total_kib);
		(void)sscanf(line, "MemAvailable: %lld", &host->memory_available_kib);
	}
	(void)fclose(file); /* only read from */
}

static bool free_percent(const char *path, int *ret_percent)
{
	struct statvfs disk;
	char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
	bool known;

	if (slash)
		slash[slash == folder] = '\0';
	known = slash && statvfs(folder, &disk) == 0 && disk.f_blocks;
	if (known)
		*ret_percent = (int)(disk.f_bavail * 100 / disk.f_blocks);
	free(folder);
	return known;
}

static void take_disks(struct look_host *host, const json_t *settings)
{
	static const char *const keys[] = { "store.sqlite", "cdr.file", "records.sqlite" };
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && count < LOOK_DISKS_MAX; i++) {
		const char *path = entry_text(find_setting(settings, keys[i]), "value");
		struct look_disk *disk = &host->disks[count];

		if (!*path || !free_percent(path, &disk->free_percent))
			continue;
		disk->key = keys[i];
		disk->path = path;
		count++;
	}
}

void gather_host(struct look_host *host, const json_t *settings)
{
	struct timex clock = { .modes = 0 };
	int state = adjtimex(&clock);

	host->clock_known = state >= 0;
	host->clock_synced = state >= 0 && state != TIME_ERROR;
	take_memory(host);
	take_disks(host, settings);
}
