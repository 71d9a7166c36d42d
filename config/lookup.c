/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.c - a configured number, and where it stands. */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"

static int compare_number(const void *key, const void *item)
{
	uint64_t number = *(const uint64_t *)key;
	uint64_t other = ((const struct config_registration *)item)->number;

	return number < other ? -1 : number > other;
}

const struct config_registration *config_find_number(const struct config *config,
						     const char *number)
{
	uint64_t packed = e164_pack(number);

	if (!packed || !config->registration_count)
		return NULL;
	return bsearch(&packed, config->registrations, config->registration_count,
		       sizeof(*config->registrations), compare_number);
}

void config_place(const struct config *config, const struct config_registration *registration,
		  char *ret_place, size_t room)
{
	if (registration->file && registration->file <= config->source_count)
		snprintf(ret_place, room, "%s:%u", config->sources[registration->file - 1],
			 registration->line);
	else
		snprintf(ret_place, room, "line %u", registration->line);
}
