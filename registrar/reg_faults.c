/* SPDX-License-Identifier: Apache-2.0 */
/* reg_faults.c - open addressing, linear probing, at most half full. */
#include "registrar/reg_faults.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 64

void reg_faults_done(struct reg_faults *faults)
{
	for (size_t i = 0; i < faults->room; i++)
		free(faults->places[i].text);
	free(faults->places);
	*faults = (struct reg_faults){ .places = NULL };
}

/* Handles are ours: nobody chooses them. Knuth, The Art of Computer Programming, 6.4. */
static size_t home_of(uint32_t handle, size_t room)
{
	return (size_t)(handle * 2654435769u) & (room - 1);
}

/* Where the handle is, or would be; there is room. */
static size_t place_of(const struct reg_faults *faults, uint32_t handle)
{
	size_t at = home_of(handle, faults->room);

	while (faults->places[at].handle && faults->places[at].handle != handle)
		at = (at + 1) & (faults->room - 1);
	return at;
}

const char *reg_faults_find(const struct reg_faults *faults, uint32_t handle)
{
	return faults->count ? faults->places[place_of(faults, handle)].text : NULL;
}

static bool resize(struct reg_faults *faults, size_t room)
{
	struct reg_faults grown = { .room = room, .count = faults->count };

	grown.places = calloc(room, sizeof(*grown.places));
	if (!grown.places)
		return false;
	for (size_t i = 0; i < faults->room; i++)
		if (faults->places[i].handle)
			grown.places[place_of(&grown, faults->places[i].handle)] =
				faults->places[i];
	free(faults->places);
	*faults = grown;
	return true;
}

/* Those behind it that it kept from their homes move up. */
static void close_gap(struct reg_faults *faults, size_t gap)
{
	size_t mask = faults->room - 1;

	for (size_t at = (gap + 1) & mask; faults->places[at].handle; at = (at + 1) & mask) {
		size_t home = home_of(faults->places[at].handle, faults->room);

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		faults->places[gap] = faults->places[at];
		gap = at;
	}
	faults->places[gap] = (struct reg_fault){ .handle = 0 };
}

static void take_away(struct reg_faults *faults, uint32_t handle)
{
	size_t at = faults->count ? place_of(faults, handle) : 0;

	if (!faults->count || !faults->places[at].handle)
		return;
	free(faults->places[at].text);
	close_gap(faults, at);
	if (!--faults->count)
		reg_faults_done(faults);
}

bool reg_faults_put(struct reg_faults *faults, uint32_t handle, const char *text)
{
	char *copy = text ? strndup(text, REG_FAULT_ROOM - 1) : NULL;
	size_t at;

	if (!copy || (2 * faults->count >= faults->room &&
		      !resize(faults, faults->room ? 2 * faults->room : ROOM_MIN))) {
		free(copy);
		take_away(faults, handle);
		return false;
	}
	at = place_of(faults, handle);
	faults->count += !faults->places[at].handle;
	free(faults->places[at].text);
	faults->places[at] = (struct reg_fault){ handle, copy };
	return true;
}
