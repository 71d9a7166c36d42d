/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/reg_faults.h"

#include <stdlib.h>
#include <string.h>

struct reg_fault {
	uint32_t handle;
	char text[];
};

/* Handles are ours: nobody chooses them. Knuth, The Art of Computer Programming, 6.4. */
static uint64_t hash_of(uint32_t handle)
{
	return handle * 2654435769u;
}

static bool has_handle(const void *item, const void *handle)
{
	return ((const struct reg_fault *)item)->handle == *(const uint32_t *)handle;
}

void reg_faults_done(struct reg_faults *faults)
{
	struct reg_fault *fault;
	size_t at = 0;

	while ((fault = hash_slots_next(&faults->slots, &at)))
		free(fault);
	hash_slots_done(&faults->slots);
}

const char *reg_faults_find(const struct reg_faults *faults, uint32_t handle)
{
	const struct reg_fault *fault =
		hash_slots_find(&faults->slots, hash_of(handle), has_handle, &handle);

	return fault ? fault->text : NULL;
}

static struct reg_fault *make(uint32_t handle, const char *text)
{
	size_t length = strnlen(text, REG_FAULT_ROOM - 1);
	struct reg_fault *fault = malloc(sizeof(*fault) + length + 1);

	if (!fault)
		return NULL;
	fault->handle = handle;
	memcpy(fault->text, text, length);
	fault->text[length] = '\0';
	return fault;
}

bool reg_faults_put(struct reg_faults *faults, uint32_t handle, const char *text)
{
	struct reg_fault *fault = text ? make(handle, text) : NULL;

	free(hash_slots_remove(&faults->slots, hash_of(handle), has_handle, &handle));
	if (fault && hash_slots_add(&faults->slots, hash_of(handle), fault)) {
		free(fault);
		fault = NULL;
	}
	if (!faults->slots.count)
		hash_slots_done(&faults->slots); /* an outage is over */
	return fault;
}
