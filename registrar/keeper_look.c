/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/keeper_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/metrics.h"
#include "registrar/plan.h"

#define GAUGE_MS 10000 /* a pass over all records: not for every answer */

static struct metric first_expiry = METRIC_GAUGE_INIT(
	"breakout_registration_first_expiry_seconds", NULL,
	"Time until the first registration lapses unless refreshed; negative: lapsed already.");

static struct metric margin_gauge = METRIC_GAUGE_INIT(
	"breakout_registration_margin_seconds", NULL,
	"How long the core may be away from now on until the first registration lapses.");

/* ---- gauges ---- */

static mono_ms earliest_expiry(const struct keeper *keeper)
{
	mono_ms earliest = 0;

	for (size_t i = 0; i < keeper->table.count; i++) {
		const struct reg *reg = reg_at(&keeper->table, keeper->table.sorted[i]);

		if (reg_wish(reg) && reg->expires_ms && (!earliest || reg->expires_ms < earliest))
			earliest = reg->expires_ms;
	}
	return earliest;
}

/* How long the core may be away from now on. */
static mono_ms margin_of(const struct keeper *keeper, mono_ms now)
{
	struct refresh_load load;
	struct plan_left left;

	refresh_load(keeper->refresh, now, &load);
	plan_left_init(&left, keeper->ttl_s ? keeper->ttl_s : REG_TTL_DEFAULT_S);
	for (size_t i = 0; i < keeper->table.count; i++) {
		const struct reg *reg = reg_at(&keeper->table, keeper->table.sorted[i]);

		if (reg_wish(reg) && reg->expires_ms && reg->state != REG_REFUSED)
			plan_left_add(&left, reg->expires_ms - now, 1);
	}
	return plan_margin(&left, load.rate);
}

void keeper_set_gauges(struct keeper *keeper, mono_ms now)
{
	mono_ms earliest = earliest_expiry(keeper), margin = margin_of(keeper, now);

	pthread_mutex_lock(&keeper->lock);
	keeper->margin = margin;
	pthread_mutex_unlock(&keeper->lock);
	metric_set(&margin_gauge, margin / 1000);

	metric_set(&first_expiry, earliest ? (earliest - now) / 1000 : 0);
	keeper->gauge_at = now + GAUGE_MS;
}

/* ---- questions ---- */

static void describe_hold(const struct keeper *keeper, const struct reg *reg, struct reg_info *info)
{
	struct reg_pause pause;

	info->paused = !pauses_find(keeper->options.pauses, reg->number, reg->service, &pause);
	if (reg->error)
		return;
	if (info->paused)
		snprintf(info->last_error, sizeof(info->last_error), "paused by %.32s: %.51s",
			 pause.who, pause.why);
	else
		snprintf(info->last_error, sizeof(info->last_error), "held: %s",
			 gate_why(&keeper->gate, reg->service));
}

static void describe(const struct keeper *keeper, const struct reg *reg, struct reg_info *info)
{
	uint16_t params = reg->wanted ? reg->wanted : reg->told;

	memset(info, 0, sizeof(*info));
	e164_unpack(reg->number, info->number);
	info->route_type = keeper->table.params[params].route_type;
	info->state = (enum reg_state)reg->state;
	info->service = reg->service;
	info->consented = reg->wanted && reg->flags & REG_CONSENTED;
	info->expires_ms = reg->expires_ms;
	info->next_ms = reg->due_ms;
	info->failures = reg->failures;
	if (reg->error)
		snprintf(info->last_error, sizeof(info->last_error), "%s", reg->error);
	info->held = reg->wanted && reg->flags & REG_HELD;
	if (info->held)
		describe_hold(keeper, reg, info);
	pauses_service_name(keeper->options.pauses, reg->service, info->service_name,
			    sizeof(info->service_name));
}

int keeper_lookup(struct keeper *keeper, uint64_t number, struct reg_info *ret_info)
{
	const struct reg *reg;
	int err = -ENOENT;

	pthread_mutex_lock(&keeper->lock);
	reg = reg_table_find(&keeper->table, number);
	if (reg && !reg_gone(reg)) {
		describe(keeper, reg, ret_info);
		err = 0;
	}
	pthread_mutex_unlock(&keeper->lock);
	return err;
}

size_t keeper_list(struct keeper *keeper, uint64_t after, size_t max,
		   void (*visit)(const struct reg_info *info, void *arg), void *arg)
{
	struct reg_info info;
	size_t visited = 0;

	/* The lock is given back for each visit: `visit` may write to a socket. */
	while (visited < max) {
		const struct reg *reg = NULL;

		pthread_mutex_lock(&keeper->lock);
		for (size_t i = reg_table_after(&keeper->table, after); i < keeper->table.count;
		     i++) {
			reg = reg_at(&keeper->table, keeper->table.sorted[i]);
			after = reg->number;
			if (!reg_gone(reg))
				break;
			reg = NULL;
		}
		if (reg)
			describe(keeper, reg, &info);
		pthread_mutex_unlock(&keeper->lock);
		if (!reg)
			break;
		visit(&info, arg);
		visited++;
	}
	return visited;
}

size_t keeper_attempts(struct keeper *keeper, uint64_t number, struct reg_attempt *ret_attempts,
		       size_t room)
{
	size_t found;

	pthread_mutex_lock(&keeper->lock);
	found = history_find(&keeper->history, number, ret_attempts, room);
	pthread_mutex_unlock(&keeper->lock);
	return found;
}

bool keeper_store_ok(const struct keeper *keeper)
{
	return !keeper->store_failed;
}

void keeper_summary(struct keeper *keeper, struct registrar_summary *ret_summary)
{
	memset(ret_summary, 0, sizeof(*ret_summary));
	pthread_mutex_lock(&keeper->lock);
	memcpy(ret_summary->by_state, keeper->by_state, sizeof(keeper->by_state));
	ret_summary->first_expiry_ms = earliest_expiry(keeper);
	ret_summary->margin_ms = keeper->margin;
	ret_summary->api_up = keeper->api_up;
	ret_summary->token_ok = keeper->token_ok;
	ret_summary->store_ok = !keeper->store_failed;
	ret_summary->held = keeper->held;
	ret_summary->paused = keeper->paused;
	ret_summary->pauses = pauses_count(keeper->options.pauses);
	ret_summary->held_since_ms = keeper->gate.began;
	ret_summary->native_ms = keeper->gate.native_ms;
	if (keeper->held)
		snprintf(ret_summary->held_why, sizeof(ret_summary->held_why), "%s",
			 keeper->gate.verdict.sick ? keeper->gate.verdict.why
						   : keeper->gate.verdict.services_why);
	pthread_mutex_unlock(&keeper->lock);
}
