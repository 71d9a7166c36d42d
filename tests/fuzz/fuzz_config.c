/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c - config_load() on any bytes: an answer, and no crash or leak.
 *
 * An input is up to three files, parted by a line "%%": breakout.yaml,
 * numbers.csv and conf.d/more.yaml.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "tests/fuzz/fuzz.h"

static const char separator[] = "\n%%\n";
static const char *const names[] = { "breakout.yaml", "numbers.csv", "conf.d/more.yaml" };
static char folder[] = "/tmp/breakout-fuzz-XXXXXX";

static void remove_folder(void)
{
	char path[sizeof(folder) + 32];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path); /* may not have been written */
	}
	(void)snprintf(path, sizeof(path), "%s/conf.d", folder);
	(void)rmdir(path);
	(void)rmdir(folder);
}

static void make_folder(void)
{
	char path[sizeof(folder) + 32];

	if (!mkdtemp(folder))
		abort();
	(void)snprintf(path, sizeof(path), "%s/conf.d", folder);
	if (mkdir(path, 0700) || atexit(remove_folder))
		abort();
}

static void put(const char *name, const uint8_t *bytes, size_t size)
{
	char path[sizeof(folder) + 32];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	(void)unlink(path); /* may not have been written */
	if (!bytes)
		return;
	file = fopen(path, "we");
	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
		abort();
}

static void put_all(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const uint8_t *end = bytes ? memmem(bytes, size, separator, 4) : NULL;
		size_t length = end ? (size_t)(end - bytes) + 1 : size;

		put(names[i], bytes, bytes ? length : 0);
		size = end ? size - length - 3 : 0;
		bytes = end ? end + 4 : NULL;
	}
}

/* NOLINTNEXTLINE: the name is libFuzzer's */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static bool made;
	char path[sizeof(folder) + 32];
	struct config *config = NULL;
	struct str errors = { 0 };
	int err;

	if (!made)
		make_folder();
	made = true;
	put_all(bytes, size);
	(void)snprintf(path, sizeof(path), "%s/breakout.yaml", folder);
	err = config_load(path, false, &config, &errors);
	/* Refused means told why; accepted means usable. */
	if (err ? config || !errors.length : !config || !config->domain || !config->services)
		abort();
	for (size_t i = 0; config && i < config->registration_count; i++) {
		char number[E164_ROOM];

		e164_unpack(config->registrations[i].number, number);
		if (config_find_number(config, number) != &config->registrations[i])
			abort();
	}
	config_destroy(config);
	str_done(&errors);
	return 0;
}
