/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/history.h"

#include <stdio.h>

void history_add(struct history *history, uint64_t number, const struct reg_attempt *attempt,
		 const char *text)
{
	struct history_entry *entry = &history->entries[history->written++ % HISTORY_ROOM];

	entry->number = number;
	entry->attempt = *attempt;
	snprintf(entry->attempt.text, sizeof(entry->attempt.text), "%s", text);
}

size_t history_find(const struct history *history, uint64_t number,
		    struct reg_attempt *ret_attempts, size_t room)
{
	unsigned long long kept = history->written < HISTORY_ROOM ? history->written : HISTORY_ROOM;
	size_t found = 0;

	for (unsigned long long i = 1; i <= kept && found < room; i++) {
		const struct history_entry *entry =
			&history->entries[(history->written - i) % HISTORY_ROOM];

		if (entry->number == number)
			ret_attempts[found++] = entry->attempt;
	}
	return found;
}
