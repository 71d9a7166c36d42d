/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/added_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"

void added_set_done(struct added_set *set)
{
	for (size_t i = 0; i < set->terms_count; i++) {
		free(set->terms[i].service);
		free(set->terms[i].tenant);
	}
	for (size_t i = 0; i < set->who_count; i++)
		free(set->whos[i]);
	free(set->terms);
	free(set->whos);
	free(set->list);
	*set = (struct added_set){ .list = NULL };
}

static int add_terms(struct added_set *set, const struct added_terms *terms)
{
	struct added_terms *grown, own = { .route_type = terms->route_type };

	grown = reallocarray(set->terms, set->terms_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	set->terms = grown;
	own.service = strdup(terms->service);
	own.tenant = strdup(terms->tenant);
	if (!own.service || !own.tenant) {
		free(own.service);
		free(own.tenant);
		return -ENOMEM;
	}
	set->terms[set->terms_count++] = own;
	return 0;
}

int added_set_terms(struct added_set *set, enum route_type route_type, const char *service,
		    const char *tenant, uint16_t *ret_terms)
{
	const struct added_terms terms = { (char *)service, (char *)tenant, (uint8_t)route_type };
	int err;

	/* Neighbours are alike: the latest are looked at first. */
	for (size_t i = set->terms_count; i-- > 0;) {
		if (set->terms[i].route_type != route_type ||
		    strcmp(set->terms[i].service, service) || strcmp(set->terms[i].tenant, tenant))
			continue;
		*ret_terms = (uint16_t)i;
		return 0;
	}
	if (set->terms_count == UINT16_MAX)
		return -ENOSPC;
	err = add_terms(set, &terms);
	if (!err)
		*ret_terms = (uint16_t)(set->terms_count - 1);
	return err;
}

int added_set_who(struct added_set *set, const char *who, uint16_t *ret_who)
{
	char **grown;

	for (size_t i = set->who_count; i-- > 0;) {
		if (strcmp(set->whos[i], who))
			continue;
		*ret_who = (uint16_t)i;
		return 0;
	}
	if (set->who_count == UINT16_MAX)
		return -ENOSPC;
	grown = reallocarray(set->whos, set->who_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	set->whos = grown;
	set->whos[set->who_count] = strdup(who);
	if (!set->whos[set->who_count])
		return -ENOMEM;
	*ret_who = (uint16_t)set->who_count++;
	return 0;
}

static int compare(const void *key, const void *item)
{
	uint64_t number = *(const uint64_t *)key,
		 other = ((const struct added_number *)item)->number;

	return number < other ? -1 : number > other;
}

const struct added_number *added_set_find(const struct added_set *set, uint64_t number)
{
	return set->count ? bsearch(&number, set->list, set->count, sizeof(*set->list), compare)
			  : NULL;
}

void added_set_describe(const struct added_set *set, const struct added_number *number,
			struct reg_added *ret_added)
{
	const struct added_terms *terms = &set->terms[number->terms];

	memset(ret_added, 0, sizeof(*ret_added));
	e164_unpack(number->number, ret_added->number);
	ret_added->route_type = (enum route_type)terms->route_type;
	snprintf(ret_added->service, sizeof(ret_added->service), "%s", terms->service);
	snprintf(ret_added->tenant, sizeof(ret_added->tenant), "%s", terms->tenant);
	snprintf(ret_added->who, sizeof(ret_added->who), "%s", set->whos[number->who]);
	ret_added->since = (wall_ms)number->since_s * 1000;
}

int added_set_apply(struct added_set *set, const struct added_step *steps, size_t count)
{
	struct added_number *list = calloc(set->count + count + 1, sizeof(*list));
	size_t kept = 0, next = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct added_number *number = &steps[i].number;

		while (next < set->count && set->list[next].number < number->number)
			list[kept++] = set->list[next++];
		if (next < set->count && set->list[next].number == number->number)
			next++;
		if (steps[i].change != REG_CHANGE_REMOVED)
			list[kept++] = *number;
	}
	if (next < set->count)
		memcpy(&list[kept], &set->list[next], (set->count - next) * sizeof(*list));
	kept += set->count - next;
	free(set->list);
	set->list = list;
	set->count = kept;
	return 0;
}
