/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/keeper_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "registrar/gate.h"

#define FLUSH_COUNT   32768 /* rows that wait at most */
#define PAUSE_LOOK_MS 60000

/* ---- records: state, queue and counts move together ---- */

void keeper_count(struct keeper *keeper, const struct reg *reg, int by)
{
	if (reg_gone(reg))
		return;
	lane_count(keeper_lane(keeper, reg), (enum reg_state)reg->state, by);
	if (reg->wanted && reg->source < REG_SOURCE_COUNT)
		source_count(keeper, reg, by);
	if (reg->paused && reg->wanted) {
		keeper->paused += (size_t)(ssize_t)by;
	} else if (reg->flags & REG_HELD && reg->wanted) {
		keeper->held += (size_t)(ssize_t)by;
		if (reg->state != REG_WITHHELD && reg->state != REG_ELSEWHERE)
			keeper->held_told += (size_t)(ssize_t)by;
	}
}

/* There is something to say of it, some time. */
static bool may_be_due(const struct keeper *keeper, const struct reg *reg)
{
	return !reg_gone(reg) && reg->state != REG_WITHHELD && shards_mine(keeper, reg);
}

void keeper_file(struct keeper *keeper, struct reg *reg)
{
	struct refresh *refresh = keeper_lane(keeper, reg)->refresh;

	if (reg->flags & REG_IN_FLIGHT)
		return;
	if (may_be_due(keeper, reg))
		refresh_file(refresh, reg);
	else
		refresh_unfile(refresh, reg);
}

void keeper_file_first(struct keeper *keeper, struct reg *reg)
{
	if (!(reg->flags & REG_IN_FLIGHT) && may_be_due(keeper, reg))
		refresh_file_first(keeper_lane(keeper, reg)->refresh, reg);
}

/* An event the state table has no cell for is a mistake of ours: said, and the
 * record stays as it was. */
void keeper_handle(struct keeper *keeper, struct reg *reg, enum reg_event event,
		   const struct reg_input *input)
{
	uint8_t before = reg->state;

	pthread_mutex_lock(&keeper->lock);
	keeper_count(keeper, reg, -1);
	if (reg_handle(reg, event, input))
		log_error("registrar", "event %d cannot happen in state %s", (int)event,
			  reg_state_name((enum reg_state)reg->state));
	if (reg->linger && !reg->told) { /* the core has taken it from us */
		reg->linger = 0;
		keeper->lingering--;
	}
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	keeper_file(keeper, reg);
	if (before != reg->state && log_enabled(LOG_LEVEL_DEBUG))
		trouble_log_change(reg, before, reg_table_fault(&keeper->table, reg), input->now);
}

/* ---- the token ---- */

void keeper_set_token(struct keeper *keeper, struct lane *lane, char *take_token)
{
	if (lane->token)
		explicit_bzero(lane->token, strlen(lane->token));
	free(lane->token);
	lane->token = take_token;
	pthread_mutex_lock(&keeper->lock);
	lane->token_ok = take_token || !lane->options->needs_token;
	pthread_mutex_unlock(&keeper->lock);
	refresh_hold(lane->refresh, !lane->token_ok);
}

const char *keeper_token_of(const struct keeper *keeper, unsigned tenant)
{
	return keeper->lanes[tenant].token;
}

void keeper_token_void(struct keeper *keeper, unsigned tenant)
{
	struct lane *lane = &keeper->lanes[tenant];

	lane->token_serial++; /* what its requests are told is of no concern */
	keeper_set_token(keeper, lane, NULL);
}

void keeper_token(struct keeper *keeper, unsigned tenant, const char *token, unsigned expires_in_s,
		  const char *error, unsigned retry_ms, mono_ms now)
{
	struct lane *lane = &keeper->lanes[tenant];
	char *copy;

	if (!token) {
		trouble_token_missing(&lane->trouble, error, retry_ms, lane->token);
		return;
	}
	copy = strdup(token);
	if (!copy)
		return; /* the old one, if any, serves on; else invalidation fetches anew */
	trouble_token_came(&lane->trouble);
	lane->token_serial++;
	lane->token_expires = now + (mono_ms)expires_in_s * 1000;
	keeper_set_token(keeper, lane, copy);
}

static void expire_tokens(struct keeper *keeper, mono_ms now)
{
	for (size_t i = 0; i < keeper->lane_count; i++)
		if (keeper->lanes[i].token && now >= keeper->lanes[i].token_expires)
			keeper_set_token(keeper, &keeper->lanes[i], NULL);
}

/* ---- time passes ---- */

/* Ends are times of the wall clock, which may be set meanwhile: it is looked at again
 * and again. */
static void end_pauses(struct keeper *keeper, mono_ms now)
{
	wall_ms next;

	if (pauses_expire(keeper->options.pauses, clock_wall()))
		keeper_pause(keeper, now);
	next = pauses_next(keeper->options.pauses);
	keeper->pause_at = now + PAUSE_LOOK_MS;
	if (next && next < clock_wall() + PAUSE_LOOK_MS)
		keeper->pause_at = now + next - clock_wall();
}

void keeper_run(struct keeper *keeper, mono_ms now)
{
	if (keeper->options.pauses && now >= keeper->pause_at)
		end_pauses(keeper, now);
	expire_tokens(keeper, now);
	tenants_run(keeper, now);
	if (shards_turn(keeper, now) && (!keeper->stopping || keeper->withdrawing))
		keeper_send_due(keeper, now);
	if (keeper->dirty_count &&
	    (now >= keeper->flush_at || keeper->dirty_count >= FLUSH_COUNT) &&
	    keeper_may_write(keeper, now))
		keeper_flush(keeper, now);
	if (now >= keeper->gauge_at)
		keeper_set_gauges(keeper, now);
	if (keeper->held || keeper->gate.began) {
		pthread_mutex_lock(&keeper->lock);
		gate_note(&keeper->gate, keeper->held, keeper->held_told, now);
		pthread_mutex_unlock(&keeper->lock);
	}
}

mono_ms keeper_next(const struct keeper *keeper, mono_ms now)
{
	mono_ms next = keeper->gauge_at, turn;
	enum lease_standing standing = keeper->shards.standing;
	bool silent = keeper->shards.on && standing != LEASE_GOOD && standing != LEASE_ALONE;

	if (keeper->shards.on && shards_next(keeper, now) < next)
		next = shards_next(keeper, now);

	if (keeper->dirty_count && keeper->flush_at < next)
		next = keeper->flush_at;
	if (keeper->options.pauses && keeper->pause_at < next)
		next = keeper->pause_at;
	turn = tenants_next(keeper);
	if (turn < next)
		next = turn;
	for (size_t i = 0; i < keeper->lane_count; i++) {
		if (silent || (keeper->stopping && !keeper->withdrawing))
			break;
		turn = refresh_next(keeper->lanes[i].refresh, now);
		if (turn < next)
			next = turn;
	}
	return next;
}

void keeper_rest(struct keeper *keeper, bool rests)
{
	keeper->stopping = keeper->resting = rests;
}

void keeper_flush_all(struct keeper *keeper, mono_ms now)
{
	while (keeper->store && keeper->dirty_count && !keeper->store_failed)
		keeper_flush(keeper, now);
}

bool keeper_settled(const struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->lane_count; i++)
		if (refresh_in_flight(keeper->lanes[i].refresh))
			return false;
	return !keeper->dirty_count && !keeper->store_failed && shards_closed(keeper, clock_now());
}

bool keeper_idle(const struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->lane_count; i++)
		if (refresh_in_flight(keeper->lanes[i].refresh) ||
		    (keeper->withdrawing && keeper->lanes[i].by_state[REG_WITHDRAWING]))
			return false;
	return keeper->resting || shards_idle(keeper);
}

void keeper_deafen(struct keeper *keeper)
{
	keeper->deaf = true;
}

/* ---- create ---- */

static int create_lanes(struct keeper *keeper, mono_ms now)
{
	size_t count = keeper->options.tenant_count ? keeper->options.tenant_count : 1;
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		err = tenants_add(keeper, now);
	return err;
}

int keeper_create(struct keeper **ret_keeper, const struct keeper_options *options,
		  const struct wanted *wanted, mono_ms now)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int err;

	if (!keeper)
		return -ENOMEM;
	pthread_mutex_init(&keeper->lock, NULL);
	keeper->options = *options;
	keeper->gauge_at = now;
	keeper->gate.peers_serve = options->peers_serve;
	keeper->gate.arg = options->arg;
	keeper->shards.on = options->fleet != NULL;
	if (options->fleet) {
		keeper->shards.lease_ms = options->postgres->lease_ms;
		keeper->shards.alone_ms = (mono_ms)options->postgres->alone_s * 1000;
	}
	if (options->store) {
		keeper->options.store = strdup(options->store);
		if (!keeper->options.store) {
			keeper_destroy(keeper);
			return -ENOMEM;
		}
	}
	err = create_lanes(keeper, now);
	if (!err)
		err = keeper_load(keeper, wanted, now);
	keeper->options.boot = NULL; /* borrowed until here */
	keeper->options.loaded = NULL;
	keeper->options.postgres = NULL;
	if (err) {
		keeper_destroy(keeper);
		return err;
	}
	*ret_keeper = keeper;
	return 0;
}

struct keeper *keeper_destroy(struct keeper *keeper)
{
	if (!keeper)
		return NULL;
	if (keeper->store)
		keeper_flush(keeper, clock_now());
	for (size_t i = 0; i < keeper->lane_count; i++)
		keeper_set_token(keeper, &keeper->lanes[i], NULL);
	for (size_t i = 0; i < keeper->table.count; i++)
		keeper_count(keeper, keeper_reg(keeper, i), -1);
	store_close(keeper->store);
	for (size_t i = 0; i < keeper->lane_count; i++)
		refresh_destroy(keeper->lanes[i].refresh);
	reg_table_done(&keeper->table);
	free(keeper->dirty);
	free(keeper->left);
	free((char *)keeper->options.store);
	pthread_mutex_destroy(&keeper->lock);
	free(keeper);
	return NULL;
}
