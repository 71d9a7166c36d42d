/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/keeper_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "registrar/store_postgres.h"

#define SOON_MS 60000 /* times after a reboot are not trusted for longer */

/* ---- writing ---- */

static void plan_flush(struct keeper *keeper, mono_ms at)
{
	if (!keeper->flush_at || (at < keeper->flush_at && !keeper->store_failed))
		keeper->flush_at = at;
}

void keeper_mark_dirty(struct keeper *keeper, struct reg *reg, uint32_t ttl_s, uint16_t stored,
		       mono_ms now, mono_ms lag)
{
	if (!keeper->store || reg->state == REG_ELSEWHERE)
		return;
	plan_flush(keeper, now + lag);
	if (reg->dirty)
		return;
	if (keeper->dirty_count == keeper->dirty_room) {
		size_t room = keeper->dirty_room ? keeper->dirty_room * 2 : 256;
		struct dirty *grown = reallocarray(keeper->dirty, room, sizeof(*grown));

		if (!grown)
			return; /* costs an upsert after the next start */
		keeper->dirty = grown;
		keeper->dirty_room = room;
	}
	keeper->dirty[keeper->dirty_count++] =
		(struct dirty){ reg_handle_of(&keeper->table, reg), ttl_s, stored };
	reg->dirty = 1;
}

bool keeper_may_write(const struct keeper *keeper, mono_ms now)
{
	return !keeper->store_failed || now >= keeper->flush_at;
}

bool keeper_certain(const struct reg *reg)
{
	return reg->expires_ms && reg->told == reg_wish(reg) && reg->state != REG_WITHDRAWING &&
	       !(reg->flags & REG_CONFLICT);
}

struct store_row keeper_row_of(const struct keeper *keeper, const struct reg *reg, uint32_t ttl_s,
			       mono_ms now)
{
	struct store_row row = { .number = reg->number,
				 .tenant = keeper_tenant_key(keeper, reg->tenant),
				 .params = reg->told ? &keeper->table.params[reg->told] : NULL,
				 .core = keeper->lanes[reg->tenant].options->core,
				 .expires = keeper->offset +
					    (keeper_certain(reg) ? reg->expires_ms : now),
				 .ttl_s = keeper_certain(reg) ? ttl_s : 0,
				 .shard = lease_shard_of(reg->number) };

	row.epoch = keeper->shards.at[row.shard].epoch;
	return row;
}

static size_t dirty_rows(struct keeper *keeper, struct store_row *rows, size_t count, mono_ms now)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct reg *reg = reg_at(&keeper->table, keeper->dirty[i].handle);

		/* One may be dropped meanwhile, or another node's. */
		if (reg->number && reg->state != REG_ELSEWHERE)
			rows[n++] = keeper_row_of(keeper, reg, keeper->dirty[i].ttl_s, now);
	}
	return n;
}

static int compare_rows(const void *a, const void *b)
{
	const struct store_row *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->tenant, y->tenant);
}

void keeper_flush_failed(struct keeper *keeper, const char *why, mono_ms now)
{
	if (!keeper->store_failed && keeper->shards.on)
		log_error("registrar",
			  "store.postgres cannot be written (%s): what is registered is "
			  "refreshed, what is new, changed or withdrawn waits",
			  why);
	else if (!keeper->store_failed)
		log_error("registrar",
			  "store %s cannot be written (%s): registrations go on, but a restart "
			  "will repeat them; check the disk",
			  keeper->options.store, why);
	keeper->store_failed = true;
	keeper->flush_at = now + FLUSH_RETRY_MS;
}

void keeper_forget_dirty(struct keeper *keeper, size_t count, mono_ms now)
{
	for (size_t i = 0; i < count; i++)
		reg_at(&keeper->table, keeper->dirty[i].handle)->dirty = 0;
	keeper->dirty_count -= count;
	if (keeper->dirty_count) /* there may be no memory for any */
		memmove(keeper->dirty, keeper->dirty + count,
			keeper->dirty_count * sizeof(*keeper->dirty));
	keeper->flush_at = keeper->dirty_count ? now : 0;
}

void keeper_flush(struct keeper *keeper, mono_ms now)
{
	struct store_row *rows;
	const char *why = "out of memory";
	size_t taken = keeper->dirty_count, count;
	int err = -ENOMEM;

	if (!taken)
		return;
	if (taken > store_batch(keeper->store))
		taken = store_batch(keeper->store);
	rows = calloc(taken, sizeof(*rows));
	if (rows) {
		count = dirty_rows(keeper, rows, taken, now);
		qsort(rows, count, sizeof(*rows), compare_rows); /* as they lie in the file */
		err = store_write(keeper->store, rows, count, STORE_NOTE, &why);
	}
	free(rows);
	if (err) {
		keeper_flush_failed(keeper, why, now);
		return;
	}
	keeper_forget_dirty(keeper, taken, now);
	if (keeper->store_failed)
		log_notice("registrar", "store %s is written again", keeper->options.store);
	keeper->store_failed = false;
}

/* ---- reading ---- */

struct loaded {
	struct keeper *keeper;
	const struct reg_params *last_params; /* and their id: runs of rows share them */
	uint16_t last_id;
	struct keeper_row *rows;
	size_t count, room;
	size_t strangers; /* rows of tenants that are not configured */
	uint32_t strangers_ttl_s;
};

void keeper_leave_behind(struct keeper *keeper, size_t count, uint32_t ttl_s, mono_ms now)
{
	mono_ms by = now + (mono_ms)(ttl_s ? ttl_s : REG_TTL_DEFAULT_S) * 1000;

	pthread_mutex_lock(&keeper->lock);
	keeper->left_behind = count;
	if (count && by > keeper->left_behind_by)
		keeper->left_behind_by = by;
	pthread_mutex_unlock(&keeper->lock);
}

static int loaded_reserve(struct loaded *loaded)
{
	size_t room = loaded->room ? loaded->room * 2 : 1024;
	struct keeper_row *rows;

	if (loaded->count < loaded->room)
		return 0;
	rows = reallocarray(loaded->rows, room, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	loaded->rows = rows;
	loaded->room = room;
	return 0;
}

static int on_row(const struct store_row *row, void *arg)
{
	struct loaded *loaded = arg;
	int err, tenant = keeper_tenant_of(loaded->keeper, row->tenant);

	if (loaded->keeper->options.loaded)
		atomic_fetch_add_explicit(loaded->keeper->options.loaded, 1, memory_order_relaxed);
	if (!e164_packed(row->number) || row->params->route_type >= ROUTE_TYPE_COUNT)
		return 0; /* nothing we wrote; the configuration says what is wanted */
	if (tenant < 0) {
		loaded->strangers++;
		if (row->ttl_s > loaded->strangers_ttl_s)
			loaded->strangers_ttl_s = row->ttl_s;
		return 0;
	}
	/* A file opened anew after damage starts again: keep to number order. */
	if (loaded->count && loaded->rows[loaded->count - 1].number > row->number)
		return 0;
	err = loaded_reserve(loaded);
	if (!err && row->params != loaded->last_params)
		err = reg_table_params(&loaded->keeper->table, row->params, &loaded->last_id);
	if (err)
		return err;
	loaded->last_params = row->params;
	loaded->rows[loaded->count++] = (struct keeper_row){ .number = row->number,
							     .core = row->core,
							     .expires = row->expires,
							     .ttl_s = row->ttl_s,
							     .told = loaded->last_id,
							     .tenant = (uint8_t)tenant };
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct keeper_row *x = a, *y = b;
	uint64_t left = reg_key(x->number, x->tenant), right = reg_key(y->number, y->tenant);

	return left < right ? -1 : left > right;
}

/* Of one number they come in the order of the tenants' names: put into that of keys, each
 * once. */
static void sort_rows(struct loaded *loaded)
{
	size_t kept = 0;

	if (loaded->keeper->lane_count > 1 && loaded->count)
		qsort(loaded->rows, loaded->count, sizeof(*loaded->rows), compare_keys);
	for (size_t i = 0; i < loaded->count; i++)
		if (!kept || compare_keys(&loaded->rows[kept - 1], &loaded->rows[i]))
			loaded->rows[kept++] = loaded->rows[i];
	loaded->count = kept;
}

/* The table is empty before: afterwards it has the rows' order. */
static int merge_rows(struct keeper *keeper, struct loaded *loaded)
{
	uint64_t *keys = calloc(loaded->count + 1, sizeof(*keys));
	int err;

	if (!keys)
		return -ENOMEM;
	sort_rows(loaded);
	for (size_t i = 0; i < loaded->count; i++)
		keys[i] = reg_key(loaded->rows[i].number, loaded->rows[i].tenant);
	err = keeper_merge(keeper, keys, loaded->count);
	free(keys);
	for (size_t i = 0; !err && i < loaded->count; i++)
		loaded->rows[i].handle = keeper->table.sorted[i];
	return err;
}

static int compare_expiries(const void *a, const void *b)
{
	const struct keeper_row *x = a, *y = b;

	return x->expires < y->expires ? -1 : x->expires > y->expires;
}

/* Another core was told, or this one by another name, as far as is known. */
static bool is_of_other_core(struct keeper *keeper, const struct keeper_row *row,
			     const struct reg *reg)
{
	uint64_t core = keeper_lane(keeper, reg)->options->core;

	return row->core && core && row->core != core;
}

/* A row's time is believed only if it lies within the TTL from the present. After
 * a reboot it goes by a wall clock that may have been set meanwhile: such a row
 * says that there was a registration, not for how long, and is refreshed soon. */
void keeper_take_row(struct keeper *keeper, const struct keeper_row *row, bool trusted, mono_ms now)
{
	struct reg *reg = reg_at(&keeper->table, row->handle);
	mono_ms ttl_ms = (mono_ms)(row->ttl_s < REG_TTL_MAX_S ? row->ttl_s : REG_TTL_MAX_S) * 1000;
	mono_ms left = row->expires - keeper->offset - now, soon;

	if (is_of_other_core(keeper, row, reg))
		left = 0;
	pthread_mutex_lock(&keeper->lock);
	keeper_count(keeper, reg, -1);
	reg->told = row->told;
	reg->wanted = row->told; /* until keeper_want() says otherwise */
	reg->state = REG_NEW;
	reg_set_due(reg, now);
	if (left > 0 && left <= ttl_ms) {
		reg->state = REG_ACTIVE;
		reg_set_expiry(reg, now + left);
		reg_set_due(reg, reg_refresh_due(reg->expires_ms - ttl_ms, row->ttl_s,
						 &keeper->options.seed));
	}
	soon = now + (mono_ms)((double)SOON_MS * reg_random(&keeper->options.seed));
	if (left > 0 && !trusted && (!keeper->shards.on || soon < reg->due_ms))
		reg_set_due(reg, soon);
	/* What the last process sent may be on its way yet, or else have been a refresh that
	 * the row does not tell of. */
	reg->flags |= row->ttl_s ? REG_LAGGING : REG_UNSURE;
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	if (row->ttl_s)
		keeper_lane(keeper, reg)->ttl_s = row->ttl_s;
}

/* After the wanted set is known. What is due later is filed by its time. The others go in
 * order of expiry, and before what the core knows nothing of: that waits already, so that the
 * last comes first here. */
static void file_rows(struct keeper *keeper, struct loaded *loaded, mono_ms now)
{
	size_t others = 0;

	for (size_t i = 0; keeper->options.stands_in && i < loaded->count; i++)
		order_add(keeper, &loaded->rows[i]);
	if (keeper->options.stands_in) {
		order_file(keeper, now);
		return;
	}
	for (size_t i = 0; i < loaded->count; i++) {
		struct reg *reg = reg_at(&keeper->table, loaded->rows[i].handle);

		if (reg->due_ms > now)
			keeper_file(keeper, reg);
		else
			loaded->rows[others++] = loaded->rows[i];
	}
	if (others)
		qsort(loaded->rows, others, sizeof(*loaded->rows), compare_expiries);
	for (size_t i = others; i-- > 0;)
		keeper_file_first(keeper, reg_at(&keeper->table, loaded->rows[i].handle));
}

/* True: the store's times go by the clock that runs since. */
static bool set_offset(struct keeper *keeper, mono_ms now)
{
	if (keeper->shards.on) /* its rows come by the fleet, in our time */
		return false;
	keeper->offset = clock_wall() - now;
	return keeper->store && keeper->options.boot &&
	       store_anchor(keeper->store, keeper->options.boot, &keeper->offset);
}

int keeper_load(struct keeper *keeper, const struct wanted *wanted, mono_ms now)
{
	struct loaded loaded = { .keeper = keeper };
	struct wanted *all = NULL;
	bool same_boot;
	int err = 0;

	if (keeper->shards.on)
		err = store_postgres_create(&keeper->store, keeper->options.postgres,
					    keeper->options.fleet);
	else if (keeper->options.store)
		err = store_open(&keeper->store, keeper->options.store, on_row, &loaded);
	if (!err && keeper->options.complete)
		err = keeper->options.complete(wanted, &all, keeper->options.arg);
	if (!err && keeper->options.pauses)
		err = pauses_load(keeper->options.pauses);
	if (!err)
		err = merge_rows(keeper, &loaded);
	if (loaded.strangers)
		log_notice(
			"registrar",
			"store %s has %zu registrations of tenants that are not configured: they "
			"are left to lapse; a start with the tenant put back withdraws them",
			keeper->options.store, loaded.strangers);
	keeper_leave_behind(keeper, loaded.strangers, loaded.strangers_ttl_s, now);
	if (!err) {
		same_boot = set_offset(keeper, now);
		for (size_t i = 0; i < loaded.count; i++)
			keeper_take_row(keeper, &loaded.rows[i], same_boot, now);
		err = keeper_want(keeper, all ? all : wanted, now);
	}
	wanted_destroy(all);
	if (!err)
		file_rows(keeper, &loaded, now);
	free(loaded.rows);
	return err;
}
