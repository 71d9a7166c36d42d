/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/import.h"

#include <stdio.h>
#include <string.h>

const char *import_change_name(enum import_change change)
{
	static const char *const names[] = { [IMPORT_ADDED] = "added",
					     [IMPORT_CHANGED] = "changed",
					     [IMPORT_REMOVED] = "removed",
					     [IMPORT_UNCHANGED] = "unchanged" };

	return (unsigned)change < ARRAY_SIZE(names) ? names[change] : "?";
}

/* Counts it; NULL: there are samples enough. Else the place for one. */
static char *note(struct import_diff *diff, enum import_change change)
{
	size_t n = diff->count[change]++;

	return n < IMPORT_SAMPLES ? diff->samples[change][n] : NULL;
}

/* "loop office" or, with tenants, "loop office nordic". */
#define TERMS_ROOM 96
static void terms_of(const struct import_diff *diff, const char *type, const char *service,
		     const char *tenant, char ret_text[static TERMS_ROOM])
{
	bool tenants = config_tenants(diff->config) > 1;

	snprintf(ret_text, TERMS_ROOM, "%s %.40s%s%.32s", type, service, tenants ? " " : "",
		 tenants ? tenant : "");
}

static void wanted_terms(const struct import_diff *diff, const struct config_registration *its,
			 char ret_text[static TERMS_ROOM])
{
	terms_of(diff, route_type_name((enum route_type)its->route_type),
		 diff->config->services[its->service].name,
		 config_tenant_name(diff->config, its->tenant), ret_text);
}

static void running_terms(const struct import_diff *diff, const struct import_running *running,
			  char ret_text[static TERMS_ROOM])
{
	terms_of(diff, running->route_type, running->service, running->tenant, ret_text);
}

static void add(struct import_diff *diff, const struct config_registration *its)
{
	char *sample = note(diff, IMPORT_ADDED), terms[TERMS_ROOM], number[E164_ROOM];

	if (!sample)
		return;
	wanted_terms(diff, its, terms);
	e164_unpack(its->number, number);
	snprintf(sample, sizeof(diff->samples[0][0]), "%s %s", number, terms);
}

static void remove_one(struct import_diff *diff, const struct import_running *running)
{
	char *sample = note(diff, IMPORT_REMOVED), terms[TERMS_ROOM];

	if (!sample)
		return;
	running_terms(diff, running, terms);
	snprintf(sample, sizeof(diff->samples[0][0]), "%s %s", running->number, terms);
}

static bool same(const struct import_diff *diff, const struct config_registration *its,
		 const struct import_running *running)
{
	return !strcmp(route_type_name((enum route_type)its->route_type), running->route_type) &&
	       !strcmp(diff->config->services[its->service].name, running->service) &&
	       !strcmp(config_tenant_name(diff->config, its->tenant), running->tenant);
}

static void compare(struct import_diff *diff, const struct config_registration *its,
		    const struct import_running *running)
{
	char before[TERMS_ROOM], after[TERMS_ROOM], *sample;

	if (same(diff, its, running)) {
		diff->count[IMPORT_UNCHANGED]++;
		return;
	}
	sample = note(diff, IMPORT_CHANGED);
	if (!sample)
		return;
	running_terms(diff, running, before);
	wanted_terms(diff, its, after);
	snprintf(sample, sizeof(diff->samples[0][0]), "%s %s -> %s", running->number, before,
		 after);
}

/* The next one, if its number is below `before`. */
static const struct config_registration *next_below(struct import_diff *diff, uint64_t before)
{
	const struct config *config = diff->config;

	if (diff->next == config->registration_count ||
	    config->registrations[diff->next].number >= before)
		return NULL;
	return &config->registrations[diff->next++];
}

void import_diff_take(struct import_diff *diff, const struct import_running *running)
{
	uint64_t number = e164_pack(running->number);
	const struct config_registration *its;

	while ((its = next_below(diff, number)))
		add(diff, its);
	its = next_below(diff, number + 1);
	if (its && running->foreign)
		add(diff, its);
	else if (its)
		compare(diff, its, running);
	else if (!running->foreign && !running->leaving)
		remove_one(diff, running);
}

void import_diff_end(struct import_diff *diff)
{
	const struct config_registration *its;

	while ((its = next_below(diff, UINT64_MAX)))
		add(diff, its);
}

bool import_diff_empty(const struct import_diff *diff)
{
	return !diff->count[IMPORT_ADDED] && !diff->count[IMPORT_CHANGED] &&
	       !diff->count[IMPORT_REMOVED];
}
