/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/keeper_shards.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"
#include "registrar/keeper_inside.h"
#include "registrar/store_postgres.h"

#define PULSE_MS 500  /* how often we say that we live */
#define AGAIN_MS 2000 /* until what could not be written down is tried again, at least */

static struct metric shards_owned =
	METRIC_GAUGE_INIT("breakout_shards_owned", NULL, "Shards of numbers this node keeps.");
static struct metric shards_held = METRIC_GAUGE_INIT(
	"breakout_shards_held", NULL,
	"Of the owned shards, those whose numbers are only refreshed: no changes, no deletes.");
static struct metric alone_gauge = METRIC_GAUGE_INIT(
	"breakout_store_alone", NULL,
	"1 while registrations are refreshed without the database that the fleet shares.");

static struct shard *shard_of(struct keeper *keeper, const struct reg *reg)
{
	return &keeper->shards.at[lease_shard_of(reg->number)];
}

/* Around each change of a record. */
static void begin_change(struct keeper *keeper, const struct reg *reg)
{
	pthread_mutex_lock(&keeper->lock);
	keeper_count(keeper, reg, -1);
}

static void end_change(struct keeper *keeper, struct reg *reg)
{
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	keeper_file(keeper, reg);
}

bool shards_mine(const struct keeper *keeper, const struct reg *reg)
{
	const struct shard *shard = &keeper->shards.at[lease_shard_of(reg->number)];

	/* Who stands in has nothing to repeat. */
	return !keeper->shards.on ||
	       (shard->mine && !shard->leaving && !(shard->held && keeper->options.stands_in));
}

/* ---- holds ---- */

static bool is_held(const struct keeper *keeper, const struct shard *shard, mono_ms now)
{
	return keeper->shards.only_repeat || shard->hold_until > now;
}

/* What another core shall have is kept alive as it was told, until that has it. */
static void let_linger(struct keeper *keeper, struct reg *reg)
{
	if (reg->linger || reg->wanted || !reg->told || !moves_away(keeper, reg))
		return;
	reg->linger = 1;
	keeper->lingering++;
}

/* Where a hold is our predecessor's, what it never heard of may be told. But where it had
 * told of tenants that were not configured here, that is not known of those that have come
 * since. */
static bool may_tell_new(const struct keeper *keeper, const struct reg *reg)
{
	const struct shard *shard = &keeper->shards.at[lease_shard_of(reg->number)];

	return !keeper->shards.only_repeat && !(shard->held && shard->strangers);
}

/* What was repeated until now may have to wait for another core yet, or again. */
static void restrict_one(struct keeper *keeper, struct reg *reg, bool held, mono_ms now)
{
	if (held && !reg->told && may_tell_new(keeper, reg))
		held = false;
	begin_change(keeper, reg);
	if (reg->repeat && !held)
		let_linger(keeper, reg);
	reg_repeat(reg, held, now);
	end_change(keeper, reg);
}

static void apply_holds(struct keeper *keeper, mono_ms now)
{
	bool all = keeper->shards.adopted || keeper->shards.applied != keeper->shards.only_repeat;
	bool changed[LEASE_SHARDS], any = false;
	unsigned held = 0;
	mono_ms until = 0;

	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		struct shard *shard = &keeper->shards.at[i];
		bool hold = shard->mine && is_held(keeper, shard, now);

		/* Of two holds for different reasons one leaves what is new free. */
		changed[i] = shard->mine && (all || hold != shard->held);
		any |= changed[i];
		shard->held = hold;
		held += hold;
		if (shard->mine && shard->hold_until > until)
			until = shard->hold_until;
	}
	keeper->shards.applied = keeper->shards.only_repeat;
	keeper->shards.adopted = false;
	keeper->shards.held = held;
	keeper->shards.held_until = until;
	metric_set(&shards_held, held);
	for (size_t i = 0; any && i < keeper->table.count; i++) {
		struct reg *reg = keeper_reg(keeper, i);
		unsigned shard = lease_shard_of(reg->number);

		if (changed[shard])
			restrict_one(keeper, reg, keeper->shards.at[shard].held, now);
	}
	if (any)
		moves_settle(keeper, now);
}

/* What the database has not heard did not happen: whoever takes over repeats what
 * the rows say, and so do we. */
static void revert(struct keeper *keeper, struct reg *reg, uint16_t stored, mono_ms now)
{
	if (!stored || !reg->told || reg->told == stored)
		return;
	pthread_mutex_lock(&keeper->lock);
	reg->told = stored;
	reg->flags |= REG_UNSURE;
	if (!(reg->flags & REG_IN_FLIGHT))
		reg_set_due(reg, now);
	pthread_mutex_unlock(&keeper->lock);
	keeper_file(keeper, reg);
}

static void revert_all(struct keeper *keeper, mono_ms now)
{
	for (size_t i = 0; i < keeper->dirty_count; i++) {
		struct reg *reg = reg_at(&keeper->table, keeper->dirty[i].handle);

		if (reg->number && reg->dirty && shards_mine(keeper, reg))
			revert(keeper, reg, keeper->dirty[i].stored, now);
	}
}

/* ---- standing ---- */

static void say_standing(const struct keeper *keeper, enum lease_standing before)
{
	const struct shards *shards = &keeper->shards;

	switch (shards->standing) {
	case LEASE_ALONE:
		log_error("registrar",
			  "the fleet's database cannot be reached: %zu numbers are refreshed as "
			  "before for %lld min, nothing is added, changed or withdrawn",
			  shards->numbers, (long long)(shards->own.alone_ms / 60000));
		break;
	case LEASE_OVER:
		log_error("registrar",
			  "the fleet's database was out of reach for %lld min: %zu numbers are not "
			  "refreshed any more until it is back",
			  (long long)(shards->own.alone_ms / 60000), shards->numbers);
		break;
	case LEASE_GOOD:
		if (before == LEASE_ALONE || before == LEASE_OVER)
			log_notice("registrar", "the fleet's database is back: %u shards are ours",
				   shards->owned);
		break;
	case LEASE_NONE:
	case LEASE_DOUBTFUL:
		break;
	}
}

/* Who cannot be reached can be given nothing: what was on its way out is ours. */
static void take_back_leaving(struct keeper *keeper)
{
	bool any = false;

	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		any |= keeper->shards.at[i].leaving;
		keeper->shards.at[i].leaving = false;
	}
	for (size_t i = 0; any && i < keeper->table.count; i++)
		keeper_file(keeper, keeper_reg(keeper, i));
}

static void stand(struct keeper *keeper, mono_ms now)
{
	struct shards *shards = &keeper->shards;
	enum lease_standing before = shards->standing;

	shards->standing = lease_standing(&shards->own, now);
	if (before != shards->standing) {
		say_standing(keeper, before);
		metric_set(&alone_gauge, shards->standing == LEASE_ALONE);
		if (shards->standing == LEASE_ALONE) {
			take_back_leaving(keeper);
			revert_all(keeper, now);
		}
	}
	shards->only_repeat = shards->standing != LEASE_GOOD || shards->renamed ||
			      !lease_wish_equal(&shards->wish, &shards->in_force);
	if (shards->standing == LEASE_GOOD || shards->standing == LEASE_ALONE)
		apply_holds(keeper, now);
}

/* ---- letting go ---- */

void shards_count(struct keeper *keeper)
{
	struct shards *shards = &keeper->shards;
	unsigned owned = 0;

	shards->numbers = 0;
	for (size_t i = 0; i < keeper->lane_count; i++)
		keeper->lanes[i].numbers = 0;
	for (size_t i = 0; i < keeper->table.count; i++) {
		const struct reg *reg = keeper_reg(keeper, i);
		bool ours = !shards->on || shard_of(keeper, reg)->mine;

		shards->numbers += ours;
		keeper_lane(keeper, reg)->numbers += ours;
	}
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		owned += shards->at[i].mine;
	shards->owned = owned;
	if (shards->on)
		metric_set(&shards_owned, owned);
	for (size_t i = 0; i < keeper->lane_count; i++)
		refresh_expect(keeper->lanes[i].refresh, keeper->lanes[i].numbers,
			       keeper->lanes[i].ttl_s);
}

static size_t strangers(const struct keeper *keeper)
{
	size_t count = 0;

	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (keeper->shards.at[i].mine)
			count += keeper->shards.at[i].strangers;
	return count;
}

static void disown(struct keeper *keeper, const bool which[LEASE_SHARDS])
{
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (which[i])
			keeper->shards.at[i] =
				(struct shard){ .in_flight = keeper->shards.at[i].in_flight };
	for (size_t i = 0; i < keeper->table.count; i++) {
		struct reg *reg = keeper_reg(keeper, i);

		if (!which[lease_shard_of(reg->number)])
			continue;
		begin_change(keeper, reg);
		keeper->lingering -= reg->linger;
		reg_disown(reg);
		end_change(keeper, reg);
	}
	pthread_mutex_lock(&keeper->lock);
	keeper->left_behind = strangers(keeper);
	pthread_mutex_unlock(&keeper->lock);
	shards_count(keeper);
}

static void disown_all(struct keeper *keeper)
{
	bool all[LEASE_SHARDS];

	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		all[i] = true;
	disown(keeper, all);
}

/* Nothing more goes out for them; what is out is waited for. */
static void begin_leaving(struct keeper *keeper, const bool *which)
{
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (keeper->shards.at[i].mine && (!which || which[i]))
			keeper->shards.at[i].leaving = true;
	for (size_t i = 0; i < keeper->table.count; i++) {
		struct reg *reg = keeper_reg(keeper, i);

		if (shard_of(keeper, reg)->leaving)
			keeper_file(keeper, reg);
	}
}

static void give(struct keeper *keeper, unsigned shard, const struct shard *was, mono_ms now)
{
	struct fleet_gift gift = { .epoch = was->epoch, .clean = was->open_until <= now };

	if (was->hold_until > now)
		gift.hold_ms = was->hold_until - now;
	fleet_gave(keeper->options.fleet, shard, &gift);
}

/* Those of which nothing is out and all is written change hands. While the database is
 * away nobody could take them: until it is back they are ours, unless we end. */
static void go_on_leaving(struct keeper *keeper, mono_ms now)
{
	struct shard before[LEASE_SHARDS];
	bool ready[LEASE_SHARDS], any = false;

	if (!keeper->shards.leaving_all && !fleet_reaches_store(keeper->options.fleet))
		return;
	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		const struct shard *shard = &keeper->shards.at[i];

		ready[i] = shard->leaving && !shard->in_flight;
		any |= ready[i];
	}
	if (!any)
		return;
	if (keeper->dirty_count && (!keeper->store_failed || now >= keeper->flush_at))
		keeper_flush(keeper, now);
	if (keeper->dirty_count)
		return; /* next turn */
	memcpy(before, keeper->shards.at, sizeof(before));
	disown(keeper, ready);
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (ready[i])
			give(keeper, i, &before[i], now);
}

uint64_t keeper_lead_epoch(const struct keeper *keeper)
{
	const struct shard *shard = &keeper->shards.at[0];

	return keeper->shards.standing == LEASE_GOOD && shard->mine && !shard->leaving
		       ? shard->epoch
		       : 0;
}

void keeper_leave(struct keeper *keeper, mono_ms now)
{
	(void)now;
	keeper->shards.leaving_all = true;
	begin_leaving(keeper, NULL);
}

bool shards_idle(const struct keeper *keeper)
{
	return !keeper->shards.on || !keeper->shards.owned;
}

bool shards_closed(const struct keeper *keeper, mono_ms now)
{
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (keeper->shards.at[i].open_until > now)
			return false;
	return true;
}

/* ---- what nobody here can withdraw ---- */

/* Of shards that are ours from now on. */
static void look_for_strangers(struct keeper *keeper, const struct fleet_news *news, mono_ms now)
{
	size_t count = 0;
	uint32_t ttl_s = 0;

	for (size_t i = 0; i < news->row_count; i++) {
		const struct store_row *row = &news->rows[i];

		if (keeper_tenant_of(keeper, row->tenant) >= 0)
			continue;
		keeper->shards.at[lease_shard_of(row->number)].strangers++;
		count++;
		if (row->ttl_s > ttl_s)
			ttl_s = row->ttl_s;
	}
	keeper_leave_behind(keeper, strangers(keeper), ttl_s, now);
	if (count)
		log_notice("registrar",
			   "the shards taken over have %zu registrations of tenants that are not "
			   "configured: they are left to lapse; a start with the tenant put back "
			   "withdraws them",
			   count);
}

/* ---- taking over ---- */

/* A row and the record it is of. */
struct own_row {
	uint64_t key;
	const struct store_row *row;
};

/* In the order of records; those of tenants that nobody has configured are left out. */
struct own_rows {
	struct own_row *list; /* own */
	size_t count;
};

static int compare_own(const void *a, const void *b)
{
	const struct own_row *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static int own_rows(struct keeper *keeper, const struct fleet_news *news, struct own_rows *ret_rows)
{
	struct own_rows rows = { .list = calloc(news->row_count + 1, sizeof(*rows.list)) };
	uint64_t *keys = calloc(news->row_count + 1, sizeof(*keys));
	int err = rows.list && keys ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < news->row_count; i++) {
		const struct store_row *row = &news->rows[i];
		int tenant = keeper_tenant_of(keeper, row->tenant);

		if (tenant >= 0)
			rows.list[rows.count++] =
				(struct own_row){ reg_key(row->number, (unsigned)tenant), row };
	}
	if (!err && rows.count)
		qsort(rows.list, rows.count, sizeof(*rows.list), compare_own);
	for (size_t i = 0; !err && i < rows.count; i++)
		keys[i] = rows.list[i].key;
	if (!err)
		err = keeper_merge(keeper, keys, rows.count);
	free(keys);
	if (err)
		free(rows.list);
	else
		*ret_rows = rows;
	return err;
}

static int told_of(struct keeper *keeper, const struct store_row *row, uint16_t *ret_told)
{
	int err;

	pthread_mutex_lock(&keeper->lock);
	err = reg_table_params(&keeper->table, row->params, ret_told);
	pthread_mutex_unlock(&keeper->lock);
	return err;
}

/* One number of a shard that is ours from now on; `row` is what the core was told of
 * it, NULL: nothing. */
static void own_one(struct keeper *keeper, struct reg *reg, const struct store_row *row, bool clean,
		    mono_ms now)
{
	uint16_t wanted = reg->wanted;
	struct keeper_row taken = { .number = reg->number,
				    .handle = reg_handle_of(&keeper->table, reg) };

	if (!row || told_of(keeper, row, &taken.told)) {
		begin_change(keeper, reg);
		reg_own(reg, now);
		end_change(keeper, reg);
		return;
	}
	taken.core = row->core;
	taken.expires = row->expires;
	taken.ttl_s = row->ttl_s;
	keeper_take_row(keeper, &taken, clean, now);
	begin_change(keeper, reg);
	reg->wanted = wanted;
	reg->repeat = 1; /* what is wanted now comes when it is free to be said */
	let_linger(keeper, reg);
	if (!clean) /* what its last owner sent may be on its way yet */
		reg->flags |= REG_UNSURE;
	end_change(keeper, reg);
	restrict_one(keeper, reg, shard_of(keeper, reg)->held, now);
	if (keeper->options.stands_in)
		order_add(keeper, &taken);
}

static void take(struct keeper *keeper, const struct fleet_news *news, const struct own_rows *rows,
		 mono_ms now)
{
	bool taken[LEASE_SHARDS] = { false }, clean[LEASE_SHARDS] = { false };
	size_t next = 0;

	for (size_t i = 0; i < news->taken_count; i++) {
		const struct taken_shard *from = &news->taken[i];
		struct shard *shard = &keeper->shards.at[from->shard];

		*shard = (struct shard){ .epoch = from->epoch, .mine = true };
		if (from->hold_ms > 0)
			shard->hold_until = now + from->hold_ms;
		if (!from->clean)
			shard->open_until = now + REG_CONFIRM_MS;
		shard->held = is_held(keeper, shard, now);
		taken[from->shard] = true;
		clean[from->shard] = from->clean;
	}
	for (size_t i = 0; i < keeper->table.count; i++) {
		struct reg *reg = keeper_reg(keeper, i);
		unsigned shard = lease_shard_of(reg->number);
		const struct store_row *row = NULL;

		if (next < rows->count && rows->list[next].key == reg_key_of(reg))
			row = rows->list[next++].row;
		if (taken[shard])
			own_one(keeper, reg, row, clean[shard], now);
	}
	moves_settle(keeper, now); /* what is where it is wanted, by its row, needs no other */
	if (keeper->options.stands_in)
		order_file(keeper, now);
	shards_count(keeper);
	look_for_strangers(keeper, news, now);
	if (keeper->shards.leaving_all)
		begin_leaving(keeper, NULL);
}

static void take_over(struct keeper *keeper, const struct fleet_news *news, mono_ms now)
{
	struct own_rows rows;

	keeper_flush(keeper, now); /* records that are gone leave the table below */
	if (own_rows(keeper, news, &rows)) {
		log_error("registrar", "out of memory: %zu shards are not taken over",
			  news->taken_count);
		return;
	}
	take(keeper, news, &rows, now);
	free(rows.list);
}

/* ---- news ---- */

static void renewed(struct keeper *keeper, const struct fleet_news *news, mono_ms now)
{
	struct shards *shards = &keeper->shards;

	lease_renewed(&shards->own, news->asked);
	shards->in_force = news->in_force;
	if (keeper->options.stands_in) /* wants nothing, whatever the others want */
		shards->wish = news->in_force;
	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		if (!news->lifted[i])
			continue;
		shards->at[i].hold_until = 0;
		shards->at[i].open_until = now + REG_CONFIRM_MS; /* who repeated has ended */
	}
	stand(keeper, now);
	if (keeper->store_failed) /* it may be written again */
		keeper->flush_at = now;
	begin_leaving(keeper, news->give);
}

void keeper_news(struct keeper *keeper, const struct fleet_news *news, mono_ms now)
{
	struct shards *shards = &keeper->shards;

	switch (news->kind) {
	case FLEET_JOINED:
		lease_joined(&shards->own, shards->lease_ms, shards->alone_ms, news->asked);
		break;
	case FLEET_RENEWED:
		renewed(keeper, news, now);
		break;
	case FLEET_TAKEN:
		take_over(keeper, news, now);
		break;
	case FLEET_UNREACHABLE:
		lease_unreachable(&shards->own, news->asked);
		break;
	case FLEET_PUT_OUT:
		shards->own.member = false;
		shards->out = true;
		keeper_forget_dirty(keeper, keeper->dirty_count, now);
		disown_all(keeper);
		break;
	}
	stand(keeper, now);
}

void keeper_wish(struct keeper *keeper, const struct lease_wish *wish, mono_ms now)
{
	struct shards *shards = &keeper->shards;

	if (!shards->on)
		return;
	/* It may be in force already, and what is wanted yet is what an older one said. */
	shards->renamed |= shards->named && !lease_wish_equal(&shards->wish, wish);
	shards->named = true;
	shards->wish = *wish;
	stand(keeper, now);
}

void shards_want(struct keeper *keeper, mono_ms now)
{
	if (!keeper->shards.renamed)
		return;
	keeper->shards.renamed = false;
	stand(keeper, now);
}

void keeper_fleet(const struct keeper *keeper, struct registrar_fleet *ret_fleet)
{
	mono_ms until = keeper->shards.held_until, now = clock_now();

	ret_fleet->standing = lease_standing_name(keeper->shards.standing);
	ret_fleet->shards = keeper->shards.owned;
	ret_fleet->held = keeper->shards.held;
	ret_fleet->held_ms = until > now ? until - now : 0;
}

/* ---- requests ---- */

void shards_adopt(struct keeper *keeper, struct reg *reg, mono_ms now)
{
	const struct shard *shard = &keeper->shards.at[lease_shard_of(reg->number)];

	/* Of one that leaves it waits: it may be taken back. */
	if (keeper->shards.on && !shard->mine && !reg->told)
		reg_disown(reg);
	else if (keeper->shards.on && !may_tell_new(keeper, reg)) {
		keeper->shards.adopted = true;
		reg_repeat(reg, true, now);
	}
}

void shards_sent(struct keeper *keeper, const struct reg *reg)
{
	if (keeper->shards.on)
		shard_of(keeper, reg)->in_flight++;
}

void shards_answered(struct keeper *keeper, struct reg *reg, uint16_t before, bool heard,
		     mono_ms now)
{
	struct shards *shards = &keeper->shards;

	if (!shards->on)
		return;
	shard_of(keeper, reg)->in_flight--;
	if (!heard)
		shard_of(keeper, reg)->open_until = now + REG_CONFIRM_MS;
	shards_heard(keeper, reg, now);
	if (shards->standing == LEASE_ALONE && shards_mine(keeper, reg))
		revert(keeper, reg, before, now);
}

static bool any_in_flight(const struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->lane_count; i++)
		if (refresh_in_flight(keeper->lanes[i].refresh))
			return true;
	return false;
}

bool shards_turn(struct keeper *keeper, mono_ms now)
{
	struct shards *shards = &keeper->shards;

	if (!shards->on)
		return true;
	fleet_pulse(keeper->options.fleet, now);
	shards_judge_reach(keeper, now);
	stand(keeper, now);
	go_on_leaving(keeper, now);
	if (shards->out && !any_in_flight(keeper)) {
		shards->out = false;
		fleet_forgotten(keeper->options.fleet);
	}
	return shards->standing == LEASE_GOOD || shards->standing == LEASE_ALONE;
}

mono_ms shards_next(const struct keeper *keeper, mono_ms now)
{
	mono_ms next = lease_changes(&keeper->shards.own, now);

	return next < now + PULSE_MS ? next : now + PULSE_MS;
}

/* Their last word was not new, or is written. */
static bool write_new(struct keeper *keeper, struct reg **due, size_t count, bool *is_new,
		      mono_ms now)
{
	struct store_row rows[REFRESH_WINDOW];
	const char *why = "";
	size_t n = 0;
	int err;

	for (size_t i = 0; i < count; i++) {
		struct reg *reg = due[i];

		is_new[i] = !keeper_certain(reg) && !(reg->repeat);
		if (!is_new[i])
			continue;
		rows[n] = keeper_row_of(keeper, reg, 0, now);
		if (!reg->told)
			rows[n].params = &keeper->table.params[reg->wanted];
		n++;
	}
	if (!n)
		return true;
	if (keeper->store_failed && now < keeper->flush_at)
		return false;
	err = store_write(keeper->store, rows, n, STORE_AHEAD, &why);
	if (err)
		keeper_flush_failed(keeper, why, now);
	return !err;
}

size_t shards_write_ahead(struct keeper *keeper, struct reg **due, size_t count, mono_ms now)
{
	bool is_new[REFRESH_WINDOW];
	bool written = write_new(keeper, due, count, is_new, now);
	mono_ms then = clock_now(); /* writing may have taken its time */
	bool good = then == now || lease_standing(&keeper->shards.own, then) == LEASE_GOOD ||
		    keeper->shards.standing == LEASE_ALONE;
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		struct reg *reg = due[i];

		if (written && is_new[i] && !reg->told) {
			pthread_mutex_lock(&keeper->lock);
			reg->told = reg->wanted;
			pthread_mutex_unlock(&keeper->lock);
		}
		if (good && (written || !is_new[i])) {
			due[left++] = reg;
			continue;
		}
		keeper_put_back(
			keeper, reg,
			is_new[i] ? then + AGAIN_MS +
					    (mono_ms)(AGAIN_MS * reg_random(&keeper->options.seed))
				  : then,
			then);
	}
	return left;
}
