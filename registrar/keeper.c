/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/keeper_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"
#include "registrar/gate.h"

#define FLUSH_COUNT   32768 /* rows that wait at most */
#define PAUSE_LOOK_MS 60000

static struct metric registrations[REG_STATE_COUNT] = {
#define REGISTRATIONS(state)                                                                       \
	METRIC_GAUGE_INIT("breakout_registrations", "state=\"" state "\"",                         \
			  "Registrations by state.")
	[REG_NEW] = REGISTRATIONS("new"),
	[REG_PENDING] = REGISTRATIONS("pending"),
	[REG_ACTIVE] = REGISTRATIONS("active"),
	[REG_BACKOFF] = REGISTRATIONS("backoff"),
	[REG_REFUSED] = REGISTRATIONS("refused"),
	[REG_WITHDRAWING] = REGISTRATIONS("withdrawing"),
	[REG_WITHHELD] = REGISTRATIONS("withheld"),
	[REG_ELSEWHERE] = REGISTRATIONS("elsewhere"),
};

/* ---- records: state, queue and counts move together ---- */

void keeper_count(struct keeper *keeper, const struct reg *reg, int by)
{
	if (reg_gone(reg))
		return;
	keeper->by_state[reg->state] += (size_t)(ssize_t)by;
	if (reg->paused && reg->wanted) {
		keeper->paused += (size_t)(ssize_t)by;
	} else if (reg->flags & REG_HELD && reg->wanted) {
		keeper->held += (size_t)(ssize_t)by;
		if (reg->state != REG_WITHHELD && reg->state != REG_ELSEWHERE)
			keeper->held_told += (size_t)(ssize_t)by;
	}
	metric_add(&registrations[reg->state], by);
}

void keeper_file(struct keeper *keeper, struct reg *reg)
{
	if (reg->flags & REG_IN_FLIGHT)
		return;
	if (reg_gone(reg) || reg->state == REG_WITHHELD || !shards_mine(keeper, reg))
		refresh_unfile(keeper->refresh, reg);
	else
		refresh_file(keeper->refresh, reg);
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
			  reg_state_name(reg->state));
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	keeper_file(keeper, reg);
	if (before != reg->state && log_enabled(LOG_LEVEL_DEBUG))
		trouble_log_change(reg, before, input->now);
}

/* ---- the token ---- */

void keeper_set_token(struct keeper *keeper, char *take_token)
{
	if (keeper->token)
		explicit_bzero(keeper->token, strlen(keeper->token));
	free(keeper->token);
	keeper->token = take_token;
	pthread_mutex_lock(&keeper->lock);
	keeper->token_ok = take_token || !keeper->options.needs_token;
	pthread_mutex_unlock(&keeper->lock);
	refresh_hold(keeper->refresh, !keeper->token_ok);
}

void keeper_token(struct keeper *keeper, const char *token, unsigned expires_in_s,
		  const char *error, unsigned retry_ms, mono_ms now)
{
	char *copy;

	if (!token) {
		trouble_token_missing(&keeper->trouble, error, retry_ms, keeper->token);
		return;
	}
	copy = strdup(token);
	if (!copy)
		return; /* the old one, if any, serves on; else invalidation fetches anew */
	trouble_token_came(&keeper->trouble);
	keeper->token_serial++;
	keeper->token_expires = now + (mono_ms)expires_in_s * 1000;
	keeper_set_token(keeper, copy);
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
	if (keeper->token && now >= keeper->token_expires)
		keeper_set_token(keeper, NULL);
	if (shards_turn(keeper, now) && (!keeper->stopping || keeper->withdrawing))
		keeper_send_due(keeper, now);
	if (keeper->flush_at && (now >= keeper->flush_at || keeper->dirty_count >= FLUSH_COUNT) &&
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

	if (keeper->flush_at && keeper->flush_at < next)
		next = keeper->flush_at;
	if (keeper->options.pauses && keeper->pause_at < next)
		next = keeper->pause_at;
	if (!silent && (!keeper->stopping || keeper->withdrawing)) {
		turn = refresh_next(keeper->refresh, now);
		if (turn < next)
			next = turn;
	}
	return next;
}

bool keeper_idle(const struct keeper *keeper)
{
	return !refresh_in_flight(keeper->refresh) && shards_idle(keeper) &&
	       (!keeper->withdrawing || !keeper->by_state[REG_WITHDRAWING]);
}

void keeper_deafen(struct keeper *keeper)
{
	keeper->deaf = true;
}

/* ---- create ---- */

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
	err = refresh_create(&keeper->refresh, &keeper->table, options->seed, now);
	if (!err) {
		refresh_limit(keeper->refresh, options->max_rate);
		keeper_set_token(keeper, NULL);
		err = keeper_load(keeper, wanted, now);
	}
	keeper->options.boot = NULL; /* borrowed until here */
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
	if (keeper->refresh)
		keeper_set_token(keeper, NULL);
	for (size_t i = 0; i < keeper->table.count; i++)
		keeper_count(keeper, reg_at(&keeper->table, keeper->table.sorted[i]), -1);
	store_close(keeper->store);
	refresh_destroy(keeper->refresh);
	reg_table_done(&keeper->table);
	free(keeper->dirty);
	free((char *)keeper->options.store);
	pthread_mutex_destroy(&keeper->lock);
	free(keeper);
	return NULL;
}
