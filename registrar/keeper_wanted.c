/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/keeper_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "registrar/gate.h"

/* ---- the wanted set ---- */

struct wanted *wanted_destroy(struct wanted *wanted)
{
	if (!wanted)
		return NULL;
	free(wanted->sip_uri);
	free(wanted->prefix_mo);
	free(wanted->prefix_mt);
	free(wanted->numbers);
	free(wanted);
	return NULL;
}

static char *sip_uri_of(const struct config *config)
{
	struct str uri = { 0 };

	str_addf(&uri, "sips:%s", config->domain);
	if (config->sip_uri_port)
		str_addf(&uri, ":%u", config->sip_uri_port);
	return str_take(&uri);
}

int wanted_create(struct wanted **ret_wanted, const struct config *config)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));

	if (!wanted)
		return -ENOMEM;
	wanted->sip_uri = sip_uri_of(config);
	wanted->prefix_mo = strdup(config->prefix_mo ? config->prefix_mo : "");
	wanted->prefix_mt = strdup(config->prefix_mt ? config->prefix_mt : "");
	wanted->numbers = calloc(config->registration_count + 1, sizeof(*wanted->numbers));
	if (!wanted->sip_uri || !wanted->prefix_mo || !wanted->prefix_mt || !wanted->numbers) {
		wanted_destroy(wanted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->registration_count; i++) {
		const struct config_registration *from = &config->registrations[i];

		wanted->numbers[i].number = e164_pack(from->number);
		wanted->numbers[i].service = from->service;
		wanted->numbers[i].route_type = from->route_type;
	}
	wanted->count = config->registration_count;
	wanted->config = registrar_config_id(config);
	consent_plan_init(&wanted->consents, config->consents);
	*ret_wanted = wanted;
	return 0;
}

/* ---- what becomes of one record ---- */

/* number NULL: not wanted any more. */
static void want_one(struct keeper *keeper, struct reg *reg, uint16_t wanted,
		     const struct wanted_number *number, mono_ms now)
{
	struct reg_input input = { .now = now, .random = NULL };
	bool changed = reg->wanted != wanted;
	uint32_t service = number ? number->service : 0;
	uint8_t consented = number && number->consented ? REG_CONSENTED : 0;

	if (!changed && reg->service == service && (reg->flags & REG_CONSENTED) == consented)
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper_count(keeper, reg, -1);
	reg->wanted = wanted;
	reg->service = service;
	reg->flags = (uint8_t)((reg->flags & ~REG_CONSENTED) | consented);
	shards_adopt(keeper, reg, now);
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	if (changed && !(reg->repeat))
		keeper_handle(keeper, reg, wanted ? REG_EV_CHANGED : REG_EV_REMOVED, &input);
}

/* Held: as if it were not wanted, for the time being. */
static void hold_one(struct keeper *keeper, struct reg *reg, mono_ms now)
{
	struct reg_input input = { .now = now };
	bool paused = pauses_hold(keeper->options.pauses, reg->number, reg->service);
	bool held = reg->flags & REG_HELD, hold = held;

	if (gate_knows(&keeper->gate))
		hold = gate_holds(&keeper->gate, reg->service);
	hold |= paused;
	if (!reg->wanted || (hold == held && paused == reg->paused))
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper_count(keeper, reg, -1);
	reg->paused = paused;
	reg->flags = (uint8_t)(hold ? reg->flags | REG_HELD : reg->flags & ~REG_HELD);
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	if (hold == held)
		return;
	keeper_handle(keeper, reg, hold ? REG_EV_REMOVED : REG_EV_CHANGED, &input);
	if (hold && reg->state == REG_WITHDRAWING && !(reg->flags & REG_IN_FLIGHT))
		refresh_file_first(keeper->refresh, reg);
}

/* ---- of all ---- */

/* Ids of the parameters by route type; 0 where no number has that type. */
static int intern_all(struct keeper *keeper, const struct wanted *wanted,
		      uint16_t ids[ROUTE_TYPE_COUNT])
{
	struct reg_params params = { wanted->sip_uri, wanted->prefix_mo, wanted->prefix_mt, 0 };
	int err = 0;

	memset(ids, 0, ROUTE_TYPE_COUNT * sizeof(ids[0]));
	for (size_t i = 0; !err && i < wanted->count; i++) {
		uint8_t type = wanted->numbers[i].route_type;

		if (type >= ROUTE_TYPE_COUNT)
			return -EINVAL;
		if (ids[type] || type == ROUTE_TYPE_NONE)
			continue;
		params.route_type = (enum route_type)type;
		pthread_mutex_lock(&keeper->lock);
		err = reg_table_params(&keeper->table, &params, &ids[type]);
		pthread_mutex_unlock(&keeper->lock);
	}
	return err;
}

int keeper_merge(struct keeper *keeper, const uint64_t *numbers, size_t number_count)
{
	int err;

	pthread_mutex_lock(&keeper->lock);
	err = reg_table_merge(&keeper->table, numbers, number_count);
	pthread_mutex_unlock(&keeper->lock);
	return err;
}

/* Records and parameters for all of `wanted`. */
static int prepare(struct keeper *keeper, const struct wanted *wanted,
		   uint16_t ids[ROUTE_TYPE_COUNT], mono_ms now)
{
	uint64_t *numbers = calloc(wanted->count + 1, sizeof(*numbers));
	int err;

	if (!numbers)
		return -ENOMEM;
	keeper_flush(keeper, now); /* records that are gone leave the table below */
	for (size_t i = 0; i < wanted->count; i++)
		numbers[i] = wanted->numbers[i].number;
	err = intern_all(keeper, wanted, ids);
	if (!err)
		err = keeper_merge(keeper, numbers, wanted->count);
	free(numbers);
	return err;
}

int keeper_want(struct keeper *keeper, const struct wanted *wanted, mono_ms now)
{
	uint16_t ids[ROUTE_TYPE_COUNT];
	size_t next = 0;
	int err;

	keeper->gate.config = wanted->config;
	err = prepare(keeper, wanted, ids, now);

	if (err)
		return err;
	for (size_t i = 0; i < keeper->table.count; i++) {
		struct reg *reg = reg_at(&keeper->table, keeper->table.sorted[i]);
		const struct wanted_number *number = &wanted->numbers[next];

		if (next < wanted->count && number->number == reg->number) {
			want_one(keeper, reg, ids[number->route_type], number, now);
			next++;
		} else {
			want_one(keeper, reg, 0, NULL, now);
		}
		hold_one(keeper, reg, now);
	}
	shards_count(keeper);
	return 0;
}

/* Each is put before those that wait: the last ranks come first here. */
void keeper_judge(struct keeper *keeper, const struct registrar_verdict *verdict, mono_ms now)
{
	bool changed;

	pthread_mutex_lock(&keeper->lock);
	changed = gate_judge(&keeper->gate, verdict);
	pthread_mutex_unlock(&keeper->lock);
	if (!changed || keeper->stopping)
		return;
	refresh_limit(keeper->refresh,
		      verdict->sick && verdict->rate ? verdict->rate : keeper->options.max_rate);
	for (unsigned rank = GATE_RANKS; rank-- > 0;)
		for (size_t i = keeper->table.count; i-- > 0;) {
			struct reg *reg = reg_at(&keeper->table, keeper->table.sorted[i]);

			if (reg->wanted &&
			    rank == gate_rank(&keeper->gate, reg->service,
					      keeper->table.params[reg->wanted].route_type))
				hold_one(keeper, reg, now);
		}
}

int keeper_want_some(struct keeper *keeper, const struct wanted *some, mono_ms now)
{
	uint16_t ids[ROUTE_TYPE_COUNT];
	int err = prepare(keeper, some, ids, now);

	for (size_t i = 0; !err && i < some->count; i++) {
		const struct wanted_number *number = &some->numbers[i];
		uint16_t id = ids[number->route_type];

		struct reg *reg = reg_table_find(&keeper->table, number->number);

		want_one(keeper, reg, id, id ? number : NULL, now);
		hold_one(keeper, reg, now);
	}
	refresh_expect(keeper->refresh, keeper->table.count, keeper->ttl_s);
	return err;
}

void keeper_pause(struct keeper *keeper, mono_ms now)
{
	keeper->pause_at = now; /* a new one may end sooner than the others */
	for (size_t i = keeper->table.count; !keeper->stopping && i-- > 0;)
		hold_one(keeper, reg_at(&keeper->table, keeper->table.sorted[i]), now);
}

void keeper_refresh(struct keeper *keeper, uint64_t number, mono_ms now)
{
	struct reg_input input = { .now = now };
	struct reg *reg = number ? reg_table_find(&keeper->table, number) : NULL;

	if (reg && reg->wanted)
		keeper_handle(keeper, reg, REG_EV_CHANGED, &input);
	for (size_t i = 0; !number && i < keeper->table.count; i++) {
		reg = reg_at(&keeper->table, keeper->table.sorted[i]);
		if (reg->wanted)
			keeper_handle(keeper, reg, REG_EV_CHANGED, &input);
	}
}

void keeper_stop(struct keeper *keeper, bool withdraw, mono_ms now)
{
	keeper->stopping = true;
	if (keeper->shards.on) { /* the others go on with them */
		keeper_leave(keeper, now);
		return;
	}
	keeper->withdrawing = withdraw;
	if (!withdraw)
		return;
	refresh_hurry(keeper->refresh);
	for (size_t i = 0; i < keeper->table.count; i++)
		want_one(keeper, reg_at(&keeper->table, keeper->table.sorted[i]), 0, NULL, now);
}
