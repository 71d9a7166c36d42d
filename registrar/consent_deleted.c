/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/consent_deleted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 2048 /* as many as a store writes at a time */

void consent_deleted_done(struct consent_deleted *deleted)
{
	free(deleted->list);
	*deleted = (struct consent_deleted){ 0 };
}

int consent_deleted_add(struct consent_deleted *deleted, struct consent_store *store,
			uint64_t number)
{
	if (!consent_store_took_back(store, number))
		return 0;
	if (deleted->count == deleted->room) {
		size_t room = deleted->room * 2 + 64;
		struct consent_deletion *grown = reallocarray(deleted->list, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		deleted->list = grown;
		deleted->room = room;
	}
	deleted->list[deleted->count++] = (struct consent_deletion){ number, clock_wall() };
	if (!deleted->due)
		deleted->due = clock_now();
	return 0;
}

int consent_deleted_write(struct consent_deleted *deleted, struct consent_store *store,
			  mono_ms retry_ms)
{
	size_t count = deleted->count < BATCH ? deleted->count : BATCH;

	if (count && consent_store_note_deleted(store, deleted->list, count)) {
		deleted->due = clock_now() + retry_ms;
		return -EIO;
	}
	deleted->count -= count;
	memmove(deleted->list, deleted->list + count, deleted->count * sizeof(*deleted->list));
	deleted->due = deleted->count ? clock_now() : 0;
	return 0;
}
