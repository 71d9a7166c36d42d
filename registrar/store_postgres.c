/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/store_postgres.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/metrics.h"
#include "registrar/fleet.h"
#include "sql/postgres.h"

#define WRITE_MS 1500 /* the registrar waits meanwhile */
#define BATCH    2048 /* rows: some 30 ms */

struct fleet_store {
	struct store store;
	struct fleet *fleet; /* borrowed */
	struct pg *pg;
	uint64_t session; /* that the token belongs to */
	int64_t token;    /* this connection's; 0: none */
	char error[256];
};

static struct metric writes[] = {
	METRIC_COUNTER_INIT("breakout_store_writes_total", "result=\"ok\"",
			    "Batches of rows written to the fleet's database, by result."),
	METRIC_COUNTER_INIT("breakout_store_writes_total", "result=\"failed\"",
			    "Batches of rows written to the fleet's database, by result."),
	METRIC_COUNTER_INIT("breakout_store_writes_total", "result=\"fenced\"",
			    "Batches of rows written to the fleet's database, by result."),
};

static int not_now(struct fleet_store *store, const char *why, const char **ret_error)
{
	snprintf(store->error, sizeof(store->error), "%s", why);
	*ret_error = store->error;
	metric_add(&writes[1], 1);
	return -EIO;
}

/* ---- the connection ---- */

/* A statement we gave up may still be on its way through the old connection: once the
 * session has another token it changes nothing. */
static const char take_token[] =
	"INSERT INTO breakout.writer AS w VALUES($1, 1)"
	" ON CONFLICT (session) DO UPDATE SET token = w.token + 1 RETURNING token";

static int become_writer(struct fleet_store *store, uint64_t session, mono_ms deadline)
{
	char text[PG_INT_ROOM];
	const char *params[] = { text };
	struct pg_rows *rows;
	int err;

	snprintf(text, sizeof(text), "%" PRIu64, session);
	err = pg_exec(store->pg, take_token, params, 1, deadline, &rows);
	if (err)
		return err;
	store->token = pg_int(rows, 0, 0);
	store->session = session;
	pg_rows_destroy(rows);
	return 0;
}

static int make_ready(struct fleet_store *store, mono_ms deadline)
{
	uint64_t session = fleet_session(store->fleet);
	int err = 0;

	if (pg_connected(store->pg) && store->token && store->session == session)
		return 0;
	store->token = 0;
	if (!pg_connected(store->pg))
		err = pg_connect(store->pg, deadline);
	return err ? err : become_writer(store, session, deadline);
}

/* ---- writing ---- */

/* One statement, one transaction, one way there and back. It holds the shards and the
 * token for as long as it lasts, so that nobody takes either away in the middle. */
static const char write_rows[] =
	"WITH mine AS MATERIALIZED (SELECT s.shard FROM breakout.shard s JOIN"
	" unnest($1::integer[], $2::bigint[]) AS m(shard, epoch) ON s.shard = m.shard AND"
	" s.epoch = m.epoch FOR SHARE OF s),"
	" me AS MATERIALIZED (SELECT 1 FROM breakout.writer WHERE session = $3 AND token = $4"
	" FOR SHARE),"
	" fit AS MATERIALIZED (SELECT (SELECT count(*) FROM mine) = cardinality($1::integer[]) AND"
	" EXISTS (SELECT 1 FROM me) AND ($5::bigint IS NULL OR EXISTS (SELECT 1 FROM breakout.fleet"
	" WHERE version = $5 AND digest = $6::bigint)) AS ok),"
	" put AS (INSERT INTO breakout.told(shard, number, sip_uri, prefix_mo, prefix_mt,"
	" route_type, expires_ms, ttl_s, tenant, core) SELECT r.shard, r.number, r.sip_uri, "
	"r.prefix_mo,"
	" r.prefix_mt, r.route_type, r.left_ms + (extract(epoch from clock_timestamp()) *"
	" 1000)::bigint, r.ttl_s, r.tenant, r.core FROM unnest($7::integer[], $8::bigint[], "
	"$9::text[],"
	" $10::text[], $11::text[], $12::integer[], $13::bigint[], $14::bigint[], $15::text[],"
	" $19::bigint[]) AS r(shard, number, sip_uri, prefix_mo, prefix_mt, route_type, left_ms,"
	" ttl_s, tenant, core),"
	" fit WHERE fit.ok ON CONFLICT (shard, number, tenant) DO UPDATE SET sip_uri = "
	"EXCLUDED.sip_uri,"
	" prefix_mo = EXCLUDED.prefix_mo, prefix_mt = EXCLUDED.prefix_mt, route_type ="
	" EXCLUDED.route_type, expires_ms = EXCLUDED.expires_ms, ttl_s = EXCLUDED.ttl_s,"
	" core = EXCLUDED.core),"
	" forgotten AS (DELETE FROM breakout.told t USING unnest($16::integer[], $17::bigint[],"
	" $18::text[]) AS g(shard, number, tenant), fit WHERE fit.ok AND t.shard = g.shard AND"
	" t.number = g.number AND t.tenant = g.tenant)"
	" SELECT ok FROM fit";

enum column {
	SHARDS,
	EPOCHS,
	SESSION,
	TOKEN,
	VERSION,
	DIGEST,
	PUT_SHARD,
	PUT_NUMBER,
	PUT_URI,
	PUT_MO,
	PUT_MT,
	PUT_TYPE,
	PUT_LEFT,
	PUT_TTL,
	PUT_TENANT,
	GONE_SHARD,
	GONE_NUMBER,
	GONE_TENANT,
	PUT_CORE,
	COLUMN_COUNT
};

static void add_row(struct str columns[COLUMN_COUNT], const struct store_row *row, mono_ms now)
{
	if (!row->params) {
		pg_array_int(&columns[GONE_SHARD], row->shard);
		pg_array_int(&columns[GONE_NUMBER], (int64_t)row->number);
		pg_array_text(&columns[GONE_TENANT], row->tenant);
		return;
	}
	pg_array_int(&columns[PUT_SHARD], row->shard);
	pg_array_int(&columns[PUT_NUMBER], (int64_t)row->number);
	pg_array_text(&columns[PUT_URI], row->params->sip_uri);
	pg_array_text(&columns[PUT_MO], row->params->prefix_mo);
	pg_array_text(&columns[PUT_MT], row->params->prefix_mt);
	pg_array_int(&columns[PUT_TYPE], (int)row->params->route_type);
	pg_array_int(&columns[PUT_LEFT], row->expires - now);
	pg_array_int(&columns[PUT_TTL], row->ttl_s);
	pg_array_text(&columns[PUT_TENANT], row->tenant);
	pg_array_int(&columns[PUT_CORE], (int64_t)row->core);
}

/* Each shard once, with the epoch its rows name. */
static void add_shards(struct str columns[COLUMN_COUNT], const struct store_row *rows, size_t count)
{
	bool named[LEASE_SHARDS] = { false };

	for (size_t i = 0; i < count; i++) {
		if (named[rows[i].shard])
			continue;
		named[rows[i].shard] = true;
		pg_array_int(&columns[SHARDS], rows[i].shard);
		pg_array_int(&columns[EPOCHS], (int64_t)rows[i].epoch);
	}
}

static void add_all(struct fleet_store *store, struct str columns[COLUMN_COUNT],
		    const struct store_row *rows, size_t count)
{
	mono_ms now = clock_now();

	add_shards(columns, rows, count);
	for (size_t i = 0; i < count; i++)
		add_row(columns, &rows[i], now);
	for (int i = 0; i < COLUMN_COUNT; i++)
		if (i < SESSION || i > DIGEST)
			pg_array_end(&columns[i]);
	str_addf(&columns[SESSION], "%" PRIu64, store->session);
	str_addf(&columns[TOKEN], "%" PRId64, store->token);
}

static int ask(struct fleet_store *store, struct str columns[COLUMN_COUNT], mono_ms deadline,
	       bool *ret_ok)
{
	const char *params[COLUMN_COUNT];
	struct pg_rows *answer;
	int err;

	for (int i = 0; i < COLUMN_COUNT; i++) {
		if (columns[i].failed)
			return -ENOMEM;
		params[i] = columns[i].text; /* version and digest: NULL for any */
	}
	err = pg_exec(store->pg, write_rows, params, COLUMN_COUNT, deadline, &answer);
	if (err)
		return err;
	*ret_ok = pg_bool(answer, 0, 0);
	pg_rows_destroy(answer);
	return 0;
}

static struct fleet_store *store_of(struct store *store)
{
	return CONTAINER_OF(store, struct fleet_store, store);
}

static int fleet_write(struct store *base, const struct store_row *rows, size_t count,
		       enum store_purpose purpose, const char **ret_error)
{
	struct fleet_store *store = store_of(base);
	struct str columns[COLUMN_COUNT] = { 0 };
	mono_ms deadline = clock_now() + WRITE_MS;
	struct lease_wish wish;
	bool ok = false;
	int err;

	if (!count)
		return 0;
	if (!fleet_reaches_store(store->fleet) || !fleet_session(store->fleet))
		return not_now(store, "it cannot be reached", ret_error);
	err = make_ready(store, deadline);
	if (!err) {
		add_all(store, columns, rows, count);
		if (purpose == STORE_AHEAD) {
			fleet_wished(store->fleet, &wish);
			str_addf(&columns[VERSION], "%" PRId64, wish.version);
			str_addf(&columns[DIGEST], "%" PRId64, (int64_t)wish.digest);
		}
		err = ask(store, columns, deadline, &ok);
	}
	for (int i = 0; i < COLUMN_COUNT; i++)
		str_done(&columns[i]);
	if (err == -EIO)
		fleet_doubt(store->fleet);
	if (err)
		return not_now(store, err == -ENOMEM ? "out of memory" : pg_error(store->pg),
			       ret_error);
	metric_add(&writes[ok ? 0 : 2], 1);
	if (ok)
		return 0;
	/* Or a request for a token that was given up came late, and ours is not the last. */
	store->token = 0;
	*ret_error = "others have its shards, or a newer configuration, by now";
	return -EPERM;
}

/* ---- create and close ---- */

static struct store *fleet_store_close(struct store *base)
{
	struct fleet_store *store = store_of(base);

	pg_destroy(store->pg);
	free(store);
	return NULL;
}

static const struct store_ops fleet_store_ops = { .close = fleet_store_close,
						  .write = fleet_write,
						  .batch = BATCH };

int store_postgres_create(struct store **ret_store, const struct config_postgres *config,
			  struct fleet *fleet)
{
	struct fleet_store *store = calloc(1, sizeof(*store));
	int err;

	if (!store)
		return -ENOMEM;
	store->store.ops = &fleet_store_ops;
	store->fleet = fleet;
	err = pg_create(&store->pg, config->conninfo, config->password_file);
	if (err) {
		free(store);
		return err;
	}
	*ret_store = &store->store;
	return 0;
}
