/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_tenants.c - tenants that come, change and go while numbers are kept. */
#include "registrar/keeper_inside.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"

#define LOOK_MS   500  /* whether one that leaves has left */
#define FORGET_MS 5000 /* what it could not delete and the core has forgotten: a pass over all */
#define FLUSH_MS  100

/* That of the file is named by nothing, so that a store without tenants says the same. */
const char *keeper_tenant_key(const struct keeper *keeper, unsigned tenant)
{
	return tenant ? keeper->lanes[tenant].options->name : "";
}

int keeper_tenant_of(const struct keeper *keeper, const char *key)
{
	for (unsigned i = 0; i < keeper->lane_count; i++)
		if (!keeper->lanes[i].left && !strcmp(keeper_tenant_key(keeper, i), key))
			return (int)i;
	return -ENOENT;
}

/* ---- one that comes, or changes ---- */

/* Whose trouble it is goes without saying while there is only one. */
static void name_troubles(struct keeper *keeper)
{
	for (size_t i = 0; keeper->lane_count > 1 && i < keeper->lane_count; i++)
		keeper->lanes[i].trouble.tenant = keeper->lanes[i].options->name;
}

/* options are those at the same place. */
static int set_up(struct keeper *keeper, struct lane *lane, mono_ms now)
{
	size_t index = (size_t)(lane - keeper->lanes);
	struct refresh *refresh;
	int err = refresh_create(&refresh, &keeper->table, keeper->options.seed + index, now);

	if (err)
		return err;
	if (!keeper->options.tenants[index].name)
		keeper->options.tenants[index].name = CONFIG_TENANT_DEFAULT;
	pthread_mutex_lock(&keeper->lock);
	*lane = (struct lane){ .options = &keeper->options.tenants[index], .refresh = refresh };
	if (index == keeper->lane_count)
		keeper->lane_count++;
	pthread_mutex_unlock(&keeper->lock);
	lane->metrics = lane_metrics_of(lane->options->name);
	refresh_limit(refresh, lane->options->max_rate);
	keeper_set_token(keeper, lane, NULL);
	name_troubles(keeper);
	return 0;
}

int tenants_add(struct keeper *keeper, mono_ms now)
{
	return set_up(keeper, &keeper->lanes[keeper->lane_count], now);
}

static int put_anew(struct keeper *keeper, struct lane *lane, const struct keeper_tenant *tenant,
		    mono_ms now)
{
	struct keeper_tenant before = keeper->options.tenants[lane - keeper->lanes];
	struct refresh *old = lane->refresh; /* NULL: nobody was here ever */
	int err;

	keeper->options.tenants[lane - keeper->lanes] = *tenant;
	err = set_up(keeper, lane, now);
	if (err)
		keeper->options.tenants[lane - keeper->lanes] = before;
	else
		refresh_destroy(old);
	return err;
}

int keeper_tenant_put(struct keeper *keeper, unsigned index, const struct keeper_tenant *tenant,
		      mono_ms now)
{
	struct lane *lane = &keeper->lanes[index];
	bool needed;

	if (index >= keeper->lane_count || lane->left)
		return put_anew(keeper, lane, tenant, now);
	needed = lane->options->needs_token;
	pthread_mutex_lock(&keeper->lock);
	keeper->options.tenants[index] = *tenant;
	lane->leaving = false;
	pthread_mutex_unlock(&keeper->lock);
	name_troubles(keeper);
	lane->look_at = 0;
	refresh_limit(lane->refresh, tenant->max_rate);
	if (needed != tenant->needs_token)
		keeper_token_void(keeper, index);
	return 0;
}

void keeper_tenant_repeat(struct keeper *keeper, unsigned index, mono_ms now)
{
	keeper->lanes[index].moves++;
	refresh_move(keeper->lanes[index].refresh, now);
	for (size_t i = 0; i < keeper->table.count; i++) {
		struct reg *reg = keeper_reg(keeper, i);

		if (reg->tenant != index)
			continue;
		pthread_mutex_lock(&keeper->lock);
		keeper_count(keeper, reg, -1);
		reg_say_again(reg, now);
		keeper_count(keeper, reg, +1);
		pthread_mutex_unlock(&keeper->lock);
		keeper_file(keeper, reg);
	}
}

/* ---- one that goes ---- */

static mono_ms a_ttl_from(const struct lane *lane, mono_ms now)
{
	return now + (mono_ms)(lane->ttl_s ? lane->ttl_s : REG_TTL_DEFAULT_S) * 1000;
}

void tenants_registers(struct lane *lane, mono_ms now)
{
	if (lane->leaving)
		lane->leave_by = a_ttl_from(lane, now + lane->options->deadline_ms);
}

void keeper_tenant_leave(struct keeper *keeper, unsigned index, mono_ms now)
{
	struct lane *lane = &keeper->lanes[index];

	if (lane->leaving || lane->left)
		return;
	pthread_mutex_lock(&keeper->lock);
	lane->leaving = true;
	pthread_mutex_unlock(&keeper->lock);
	lane->leave_by = a_ttl_from(lane, now);
	lane->look_at = now;
	lane->pass_at = now + FORGET_MS;
}

bool keeper_tenant_left(const struct keeper *keeper, unsigned index)
{
	return index >= keeper->lane_count || keeper->lanes[index].left;
}

static size_t count_of(const struct lane *lane)
{
	size_t count = 0;

	for (int i = 0; i < REG_STATE_COUNT; i++)
		count += lane->by_state[i];
	return count;
}

/* The core has it no more, and nobody could be told to delete it. */
static void forget(struct keeper *keeper, struct reg *reg, mono_ms now)
{
	struct reg_input input = { .now = now, .asked = reg->told };
	bool over = keeper_has_lapsed(reg, now) ||
		    (!reg->expires_ms && now >= keeper_lane(keeper, reg)->leave_by);

	if (reg_gone(reg) || reg->state != REG_WITHDRAWING || reg->flags & REG_IN_FLIGHT || !over)
		return;
	keeper_handle(keeper, reg, REG_EV_EXPIRED, &input);
	keeper_mark_dirty(keeper, reg, 0, input.asked, now, FLUSH_MS);
}

/* Whether there are records that the store has yet to hear of. Those that are gone may be
 * among them. */
static bool pass_over(struct keeper *keeper, const struct lane *lane, mono_ms now)
{
	size_t index = (size_t)(lane - keeper->lanes);
	bool dirty = false;

	for (size_t i = 0; i < keeper->table.count; i++) {
		struct reg *reg = keeper_reg(keeper, i);

		if (reg->tenant != index)
			continue;
		forget(keeper, reg, now);
		dirty |= reg->dirty;
	}
	return dirty;
}

static void look_after(struct keeper *keeper, struct lane *lane, mono_ms now)
{
	size_t left = count_of(lane);
	bool dirty = true;

	lane->look_at = now + LOOK_MS;
	if (!left || now >= lane->pass_at) {
		lane->pass_at = now + FORGET_MS;
		dirty = pass_over(keeper, lane, now);
	}
	if (dirty || left || refresh_in_flight(lane->refresh))
		return;
	lane->look_at = 0;
	keeper_set_token(keeper, lane, NULL);
	lane_metrics_hide(lane->metrics);
	pthread_mutex_lock(&keeper->lock);
	lane->left = true;
	lane->first_expiry = 0;
	pthread_mutex_unlock(&keeper->lock);
	log_info("registrar", "tenant=%s has gone: nothing of it is registered any more",
		 lane->options->name);
}

void tenants_run(struct keeper *keeper, mono_ms now)
{
	for (size_t i = 0; i < keeper->lane_count; i++)
		if (keeper->lanes[i].look_at && now >= keeper->lanes[i].look_at)
			look_after(keeper, &keeper->lanes[i], now);
}

mono_ms tenants_next(const struct keeper *keeper)
{
	mono_ms next = INT64_MAX;

	for (size_t i = 0; i < keeper->lane_count; i++)
		if (keeper->lanes[i].look_at && keeper->lanes[i].look_at < next)
			next = keeper->lanes[i].look_at;
	return next;
}
