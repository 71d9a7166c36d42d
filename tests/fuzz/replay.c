/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - feeds the files of a folder to a fuzz target, without libFuzzer.
 *
 * Each input is also given cut short and with bytes changed, always the same
 * way, so that a plain build already tries a few thousand broken ones.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX    (1u << 20)
#define VARIANTS     64
#define CHANGED_EACH 4

static unsigned long inputs;

static void feed(const uint8_t *bytes, size_t size)
{
	(void)LLVMFuzzerTestOneInput(bytes, size); /* always 0; a mistake aborts */
	inputs++;
}

/* xorshift32 (Marsaglia 2003): the same sequence on every machine. */
static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void feed_variants(const uint8_t *bytes, size_t size)
{
	uint8_t *changed = malloc(size);
	uint32_t seed = 2463534242u;

	feed(bytes, size);
	for (size_t i = 0; changed && size && i < VARIANTS; i++) {
		memcpy(changed, bytes, size);
		for (size_t k = 0; k < CHANGED_EACH; k++)
			changed[next_random(&seed) % size] = (uint8_t)next_random(&seed);
		feed(changed, size);
		feed(bytes, next_random(&seed) % size);
	}
	free(changed);
}

static int replay_file(const char *path, uint8_t *room)
{
	FILE *file = fopen(path, "re");
	size_t size;

	if (!file) {
		perror(path);
		return -1;
	}
	size = fread(room, 1, INPUT_MAX, file);
	(void)fclose(file); /* only read from */
	feed_variants(room, size);
	return 0;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay_folder(const char *folder, uint8_t *room)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, visible, alphasort);
	int failed = 0;

	if (count <= 0) {
		fprintf(stderr, "%s: no inputs\n", folder);
		return -1;
	}
	for (int i = 0; i < count; i++) {
		char path[4096];

		(void)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		failed |= replay_file(path, room);
		free(entries[i]);
	}
	free(entries);
	return failed;
}

int main(int argc, char **argv)
{
	uint8_t *room = malloc(INPUT_MAX);
	int failed = !room;

	for (int i = 1; i < argc && room; i++)
		failed |= replay_folder(argv[i], room);
	free(room);
	printf("%lu inputs\n", inputs);
	return failed || !inputs;
}
