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
	for (size_t i = 0; i < CONFIG_TENANTS; i++) {
		free(wanted->prefixes[i].mo);
		free(wanted->prefixes[i].mt);
	}
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

static bool copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

static bool copy_prefixes(struct wanted *wanted, const struct config *config)
{
	for (size_t i = 0; i < config_tenants(config); i++) {
		struct wanted_prefixes *prefixes = &wanted->prefixes[i];

		if (!copy(&prefixes->mo, config_tenant_prefix(config, i, DIRECTION_MO)) ||
		    !copy(&prefixes->mt, config_tenant_prefix(config, i, DIRECTION_MT)))
			return false;
	}
	return true;
}

bool wanted_copy_prefixes(struct wanted *to, const struct wanted *from)
{
	for (size_t i = 0; i < CONFIG_TENANTS; i++)
		if (!copy(&to->prefixes[i].mo, from->prefixes[i].mo) ||
		    !copy(&to->prefixes[i].mt, from->prefixes[i].mt))
			return false;
	return true;
}

/* Prefixes are by tenant, too. */
void wanted_map(struct wanted *wanted, const uint8_t tenants[CONFIG_TENANTS])
{
	struct wanted_prefixes before[CONFIG_TENANTS];

	memcpy(before, wanted->prefixes, sizeof(before));
	memset(wanted->prefixes, 0, sizeof(wanted->prefixes));
	for (size_t i = 0; i < CONFIG_TENANTS; i++) {
		if (!before[i].mo && !before[i].mt)
			continue; /* nor need it be mapped */
		if (tenants[i] != WANTED_NOWHERE) {
			wanted->prefixes[tenants[i]] = before[i];
			continue;
		}
		free(before[i].mo);
		free(before[i].mt);
	}
	for (size_t i = 0; i < wanted->count; i++)
		wanted->numbers[i].tenant = tenants[wanted->numbers[i].tenant];
	wanted->consents.tenant = tenants[wanted->consents.tenant];
}

int wanted_create(struct wanted **ret_wanted, const struct config *config,
		  const uint8_t tenants[CONFIG_TENANTS])
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));

	if (!wanted)
		return -ENOMEM;
	wanted->sip_uri = sip_uri_of(config);
	wanted->numbers = calloc(config->registration_count + 1, sizeof(*wanted->numbers));
	if (!wanted->sip_uri || !wanted->numbers || !copy_prefixes(wanted, config)) {
		wanted_destroy(wanted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->registration_count; i++) {
		const struct config_registration *from = &config->registrations[i];

		wanted->numbers[i].number = from->number;
		wanted->numbers[i].service = from->service;
		wanted->numbers[i].route_type = from->route_type;
		wanted->numbers[i].tenant = from->tenant;
	}
	wanted->count = config->registration_count;
	wanted->config = registrar_config_id(config);
	consent_plan_init(&wanted->consents, config->consents);
	if (tenants)
		wanted_map(wanted, tenants);
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
	unsigned source = number ? number->source : reg->source;

	if (!changed && reg->service == service && reg->source == source)
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper_count(keeper, reg, -1);
	reg->wanted = wanted;
	reg->service = service;
	reg->source = source & 3u;
	shards_adopt(keeper, reg, now);
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	if (changed && !reg->repeat && !reg->linger)
		keeper_handle(keeper, reg, wanted ? REG_EV_CHANGED : REG_EV_REMOVED, &input);
	else
		keeper_file(keeper,
			    reg); /* it may wait for its turn, and have nothing to say now */
}

static bool gate_would_hold(const struct keeper *keeper, const struct reg *reg)
{
	return gate_knows(&keeper->gate) ? gate_holds(&keeper->gate, reg->service)
					 : (reg->flags & REG_HELD) != 0;
}

/* Held: as if it were not wanted, for the time being. */
static void hold_one(struct keeper *keeper, struct reg *reg, mono_ms now)
{
	struct reg_input input = { .now = now };
	bool paused = pauses_hold(keeper->options.pauses, reg->number, reg->service);
	bool held = reg->flags & REG_HELD, hold = gate_would_hold(keeper, reg) || paused;

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
	if (hold && reg->state == REG_WITHDRAWING)
		keeper_file_first(keeper, reg);
	if (hold)
		moves_arrived(keeper, reg, now);
}

/* ---- of all ---- */

/* Ids of the parameters by tenant and route type; 0 where no number has both. */
typedef uint16_t params_ids[CONFIG_TENANTS][ROUTE_TYPE_COUNT];

static uint16_t id_of(params_ids ids, const struct wanted_number *number)
{
	return number->tenant == WANTED_NOWHERE ? 0 : ids[number->tenant][number->route_type];
}

static int intern(struct keeper *keeper, const struct wanted *wanted,
		  const struct wanted_number *number, uint16_t *ret_id)
{
	const struct wanted_prefixes *prefixes = &wanted->prefixes[number->tenant];
	struct reg_params params = { wanted->sip_uri, prefixes->mo ? prefixes->mo : (char *)"",
				     prefixes->mt ? prefixes->mt : (char *)"",
				     (enum route_type)number->route_type };
	int err;

	pthread_mutex_lock(&keeper->lock);
	err = reg_table_params(&keeper->table, &params, ret_id);
	pthread_mutex_unlock(&keeper->lock);
	return err;
}

static int intern_all(struct keeper *keeper, const struct wanted *wanted, params_ids ids)
{
	int err = 0;

	memset(ids, 0, sizeof(params_ids));
	for (size_t i = 0; !err && i < wanted->count; i++) {
		const struct wanted_number *number = &wanted->numbers[i];

		if (number->route_type >= ROUTE_TYPE_COUNT ||
		    (number->tenant != WANTED_NOWHERE && number->tenant >= keeper->lane_count))
			return -EINVAL;
		if (number->route_type != ROUTE_TYPE_NONE && number->tenant != WANTED_NOWHERE &&
		    !ids[number->tenant][number->route_type])
			err = intern(keeper, wanted, number,
				     &ids[number->tenant][number->route_type]);
	}
	return err;
}

int keeper_merge(struct keeper *keeper, const uint64_t *keys, size_t count)
{
	int err;

	pthread_mutex_lock(&keeper->lock);
	err = reg_table_merge(&keeper->table, keys, count);
	pthread_mutex_unlock(&keeper->lock);
	return err;
}

/* Records and parameters for all of `wanted`. */
static int prepare(struct keeper *keeper, const struct wanted *wanted, params_ids ids, mono_ms now)
{
	uint64_t *keys = calloc(wanted->count + 1, sizeof(*keys));
	size_t count = 0;
	int err;

	if (!keys)
		return -ENOMEM;
	keeper_flush(keeper, now); /* records that are gone leave the table below */
	for (size_t i = 0; i < wanted->count; i++)
		if (wanted->numbers[i].tenant != WANTED_NOWHERE)
			keys[count++] =
				reg_key(wanted->numbers[i].number, wanted->numbers[i].tenant);
	err = intern_all(keeper, wanted, ids);
	if (!err)
		err = keeper_merge(keeper, keys, count);
	free(keys);
	return err;
}

/* One of the records of a number that is wanted, there or at another tenant's core; or
 * (number NULL, or of ROUTE_TYPE_NONE) is not. */
static void want_there(struct keeper *keeper, struct reg *reg, const struct wanted_number *number,
		       params_ids ids, mono_ms now)
{
	bool wanted = number && number->route_type != ROUTE_TYPE_NONE;
	bool here = wanted && number->tenant == reg->tenant;

	if (!here)
		moves_linger(keeper, reg,
			     wanted && moves_must_wait(keeper, reg, number->tenant, now), now);
	want_one(keeper, reg, here ? id_of(ids, number) : 0, here ? number : NULL, now);
	if (here)
		moves_linger(keeper, reg, false, now);
	hold_one(keeper, reg, now);
}

int keeper_want(struct keeper *keeper, const struct wanted *wanted, mono_ms now)
{
	params_ids ids;
	size_t next = 0;
	int err;

	keeper->gate.config = wanted->config;
	keeper_take_prefixes(keeper, wanted);
	keeper->gauge_at = now;
	err = prepare(keeper, wanted, ids, now);
	if (err)
		return err;
	for (size_t i = 0; i < keeper->table.count; i++) {
		struct reg *reg = keeper_reg(keeper, i);
		const struct wanted_number *number;

		while (next < wanted->count && wanted->numbers[next].number < reg->number)
			next++;
		number = &wanted->numbers[next];
		want_there(keeper, reg,
			   next < wanted->count && number->number == reg->number ? number : NULL,
			   ids, now);
	}
	moves_settle(keeper, now);
	shards_want(keeper, now);
	shards_count(keeper);
	return 0;
}

/* Of those of a rank that the gate holds, or (hold false) does not. */
static void judge_one(struct keeper *keeper, struct reg *reg, unsigned rank, bool hold, mono_ms now)
{
	if (reg->wanted && gate_would_hold(keeper, reg) == hold &&
	    rank == gate_rank(&keeper->gate, reg->service,
			      keeper->table.params[reg->wanted].route_type))
		hold_one(keeper, reg, now);
}

/* What is held is put before all that waits: the last ranks come first here. What comes back
 * waits behind that, in order. */
static void judge_all(struct keeper *keeper, mono_ms now)
{
	for (unsigned rank = GATE_RANKS; rank-- > 0;)
		for (size_t i = keeper->table.count; i-- > 0;)
			judge_one(keeper, keeper_reg(keeper, i), rank, true, now);
	for (unsigned rank = 0; rank < GATE_RANKS; rank++)
		for (size_t i = 0; i < keeper->table.count; i++)
			judge_one(keeper, keeper_reg(keeper, i), rank, false, now);
}

void keeper_judge(struct keeper *keeper, const struct registrar_verdict *verdict, mono_ms now)
{
	bool changed;

	pthread_mutex_lock(&keeper->lock);
	changed = gate_judge(&keeper->gate, verdict);
	pthread_mutex_unlock(&keeper->lock);
	if (!changed || keeper->stopping)
		return;
	for (size_t i = 0; i < keeper->lane_count; i++)
		refresh_limit(keeper->lanes[i].refresh,
			      verdict->sick && verdict->rate ? verdict->rate
							     : keeper->lanes[i].options->max_rate);
	judge_all(keeper, now);
}

int keeper_want_some(struct keeper *keeper, const struct wanted *some, mono_ms now)
{
	params_ids ids;
	int err = prepare(keeper, some, ids, now);

	for (size_t i = 0; !err && i < some->count; i++) {
		const struct wanted_number *number = &some->numbers[i];

		for (size_t k = reg_table_from(&keeper->table, number->number);
		     k < keeper->table.count && keeper_reg(keeper, k)->number == number->number;
		     k++)
			want_there(keeper, keeper_reg(keeper, k), number, ids, now);
	}
	moves_settle(keeper, now);
	shards_count(keeper);
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
	for (size_t i = reg_table_from(&keeper->table, number); i < keeper->table.count; i++) {
		struct reg *reg = keeper_reg(keeper, i);

		if (number && reg->number != number)
			break;
		if (!reg->wanted)
			continue;
		pthread_mutex_lock(&keeper->lock);
		reg_hasten(reg, now);
		pthread_mutex_unlock(&keeper->lock);
		keeper_file(keeper, reg);
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
	for (size_t i = 0; i < keeper->lane_count; i++)
		refresh_hurry(keeper->lanes[i].refresh);
	for (size_t i = 0; i < keeper->table.count; i++) {
		struct reg *reg = keeper_reg(keeper, i);

		moves_linger(keeper, reg, false, now);
		want_one(keeper, reg, 0, NULL, now);
	}
}
