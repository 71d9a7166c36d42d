/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/consent_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void consent_plan_init(struct consent_plan *plan, const struct config_consents *config)
{
	memset(plan, 0, sizeof(*plan));
	if (!config)
		return;
	plan->wanted = true;
	plan->route_type = (uint8_t)config->route_type;
	plan->tenant = (uint8_t)config->tenant;
	plan->service = config->service;
	plan->max_in_flight = config->max_in_flight;
	plan->list_every_s = config->list_every_s;
	plan->withdraw_at_most = config->withdraw_at_most;
	plan->keep_days = config->keep_days;
	snprintf(plan->queue, sizeof(plan->queue), "%s", config->queue);
}

bool consent_set_has(const struct consent_set *set, uint64_t number)
{
	return number_set_has(&set->numbers, number);
}

struct wanted_number consent_wanted(const struct consent_plan *plan, uint64_t number)
{
	return (struct wanted_number){ .number = number,
				       .service = plan->service,
				       .route_type = plan->route_type,
				       .tenant = plan->tenant,
				       .source = REG_SOURCE_CONSENT };
}

/* Numbers in order, from two sources that are. */
struct joining {
	const struct wanted *configured;
	struct consent_joined joined;
	size_t next, room;
};

static int join_one(struct joining *joining, const struct wanted_number *number)
{
	struct wanted *all = joining->joined.all;

	if (all->count == joining->room) {
		size_t room = joining->room * 2 + 64;
		struct wanted_number *grown = reallocarray(all->numbers, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		all->numbers = grown;
		joining->room = room;
	}
	all->numbers[all->count++] = *number;
	return 0;
}

/* Those of the configuration below `before`. */
static int join_configured(struct joining *joining, uint64_t before)
{
	const struct wanted *from = joining->configured;
	int err = 0;

	while (!err && joining->next < from->count && from->numbers[joining->next].number < before)
		err = join_one(joining, &from->numbers[joining->next++]);
	return err;
}

static int join_given(uint64_t number, void *arg)
{
	struct joining *joining = arg;
	const struct wanted *from = joining->configured;
	struct wanted_number wanted = consent_wanted(&from->consents, number);
	int err = join_configured(joining, number);

	joining->joined.given++;
	if (!err && joining->next < from->count && from->numbers[joining->next].number == number) {
		joining->joined.both++;
		return 0;
	}
	return err ? err : join_one(joining, &wanted);
}

/* Without its numbers; NULL: no memory. */
static struct wanted *copy_texts(const struct wanted *from)
{
	struct wanted *to = calloc(1, sizeof(*to));

	if (!to)
		return NULL;
	to->config = from->config;
	to->sip_uri = strdup(from->sip_uri);
	return to->sip_uri && wanted_copy_prefixes(to, from) ? to : wanted_destroy(to);
}

int consent_join(const struct wanted *configured, struct consent_store *store,
		 struct consent_joined *ret_joined)
{
	struct joining joining = { .configured = configured };
	int err = 0;

	joining.joined.all = copy_texts(configured);
	if (!joining.joined.all)
		return -ENOMEM;
	if (configured->consents.wanted)
		err = consent_store_each(store, join_given, &joining);
	if (!err)
		err = join_configured(&joining, UINT64_MAX);
	if (err)
		wanted_destroy(joining.joined.all);
	else
		*ret_joined = joining.joined;
	return err;
}

int consent_set_keep(struct consent_set *set, const struct wanted *configured)
{
	struct consent_set kept = { .texts = copy_texts(configured) };
	int err = kept.texts ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < configured->count; i++)
		err = number_set_add(&kept.numbers, configured->numbers[i].number);
	if (err) {
		consent_set_done(&kept);
		return err;
	}
	consent_set_done(set);
	*set = kept;
	return 0;
}

void consent_set_done(struct consent_set *set)
{
	number_set_done(&set->numbers);
	wanted_destroy(set->texts);
	set->texts = NULL;
}
