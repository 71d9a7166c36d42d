/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/added_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include "registrar/order_share.h"

#define WRITE_MS  30000 /* for the rows of a large order; whoever gave it waits meanwhile */
#define PAGE_ROWS "10000"

/* The tables are fleet_sql.c's. One statement, one transaction: the row of added_head is held
 * until it is over, so that serials are seen in their order. */
static const char write_all[] =
	"WITH turn AS (UPDATE breakout.added_head SET serial = serial + 1"
	" WHERE serial = $1::bigint RETURNING serial),"
	" put AS (INSERT INTO breakout.added AS a SELECT u.number, u.route_type, u.service,"
	" u.tenant, $2::text, $3::bigint, u.given, turn.serial FROM unnest($4::bigint[],"
	" $5::integer[], $6::text[], $7::text[], $8::integer[])"
	" AS u(number, route_type, service, tenant, given), turn"
	" ON CONFLICT (number) DO UPDATE SET route_type = EXCLUDED.route_type,"
	" service = EXCLUDED.service, tenant = EXCLUDED.tenant, who = EXCLUDED.who,"
	" since_ms = EXCLUDED.since_ms, given = EXCLUDED.given, serial = EXCLUDED.serial),"
	" noted AS (INSERT INTO breakout.added_record SELECT $3::bigint, '+' || u.number, u.what,"
	" u.route_type, u.service, u.tenant, $2::text FROM unnest($4::bigint[], $9::text[],"
	" $10::text[], $6::text[], $7::text[])"
	" AS u(number, what, route_type, service, tenant), turn)"
	" SELECT EXISTS (SELECT 1 FROM turn)";
static const char drop_old[] =
	"WITH old AS (DELETE FROM breakout.added WHERE given = 0 AND since_ms < $1::bigint)"
	" DELETE FROM breakout.added_record WHERE written_ms < $1::bigint";

enum column {
	SERIAL,
	WHO,
	AT,
	NUMBERS,
	TYPES,
	SERVICES,
	TENANTS,
	GIVEN,
	WHATS,
	TYPE_NAMES,
	COLUMN_COUNT
};

struct added_share {
	struct added_store store;
	struct order_share orders;
};

static struct added_store *share_close(struct added_store *base)
{
	struct added_share *share = CONTAINER_OF(base, struct added_share, store);

	order_share_done(&share->orders);
	free(share);
	return NULL;
}

static int share_connect(struct added_store *base, mono_ms deadline, struct pg **ret_pg)
{
	struct order_share *orders = &CONTAINER_OF(base, struct added_share, store)->orders;

	if (!pg_connected(orders->pg) && pg_connect(orders->pg, deadline))
		return order_share_failed(orders, "looked up");
	*ret_pg = orders->pg;
	return 0;
}

static void share_leave(struct added_store *base)
{
	pg_drop(CONTAINER_OF(base, struct added_share, store)->orders.pg);
}

/* ---- writing ---- */

static void add_step(const struct added_batch *batch, const struct added_step *step,
		     struct str columns[COLUMN_COUNT])
{
	const struct added_terms *terms = &batch->set->terms[step->number.terms];

	pg_array_int(&columns[NUMBERS], (int64_t)step->number.number);
	pg_array_int(&columns[TYPES], terms->route_type);
	pg_array_text(&columns[SERVICES], terms->service);
	pg_array_text(&columns[TENANTS], terms->tenant);
	pg_array_int(&columns[GIVEN], step->change != REG_CHANGE_REMOVED);
	pg_array_text(&columns[WHATS], reg_change_name(step->change));
	pg_array_text(&columns[TYPE_NAMES], route_type_name((enum route_type)terms->route_type));
}

static int ask(struct order_share *orders, const struct str columns[COLUMN_COUNT])
{
	const char *params[COLUMN_COUNT];
	struct pg_rows *answer;
	bool done;

	for (int i = 0; i < COLUMN_COUNT; i++) {
		if (columns[i].failed)
			return -ENOMEM;
		params[i] = columns[i].text;
	}
	if (pg_exec(orders->pg, write_all, params, COLUMN_COUNT, clock_now() + WRITE_MS, &answer))
		return order_share_failed(orders, "written");
	done = pg_bool(answer, 0, 0);
	pg_rows_destroy(answer);
	return done ? 0 : -EAGAIN;
}

static int share_write(struct added_store *base, const struct added_batch *batch)
{
	struct order_share *orders = &CONTAINER_OF(base, struct added_share, store)->orders;
	struct str columns[COLUMN_COUNT] = { 0 };
	int err;

	str_addf(&columns[SERIAL], "%" PRId64, batch->serial);
	str_add(&columns[WHO], batch->who);
	str_addf(&columns[AT], "%" PRId64, batch->at);
	for (size_t i = 0; i < batch->count; i++)
		add_step(batch, &batch->steps[i], columns);
	for (int i = NUMBERS; i < COLUMN_COUNT; i++)
		pg_array_end(&columns[i]);
	err = ask(orders, columns);
	for (int i = 0; i < COLUMN_COUNT; i++)
		str_done(&columns[i]);
	if (!err)
		order_share_follow_up(orders, drop_old, batch->at - ADDED_KEEP_MS,
				      clock_now() + WRITE_MS);
	return err;
}

static const struct added_store_ops share_ops = {
	.close = share_close, .write = share_write, .connect = share_connect, .leave = share_leave
};

int added_store_share(struct added_store **ret_store, const struct config_postgres *config)
{
	struct added_share *share = calloc(1, sizeof(*share));
	int err;

	if (!share)
		return -ENOMEM;
	share->store.ops = &share_ops;
	err = order_share_init(&share->orders, "numbers that are added", config);
	if (err)
		free(share);
	else
		*ret_store = &share->store;
	return err;
}

/* ---- looking ---- */

static const char select_page[] =
	"SELECT h.serial, a.number, a.route_type, a.service, a.tenant, a.who, a.since_ms, a.given,"
	" a.serial FROM breakout.added_head h LEFT JOIN LATERAL (SELECT * FROM breakout.added"
	" WHERE (serial, number) > ($1::bigint, $2::bigint) ORDER BY serial, number"
	" LIMIT " PAGE_ROWS ") a ON true ORDER BY a.serial, a.number";

int added_page_read(struct pg *pg, mono_ms deadline, const struct added_cursor *after,
		    struct added_page *ret_page)
{
	char serial[PG_INT_ROOM], number[PG_INT_ROOM];
	const char *params[] = { pg_number(serial, after->serial),
				 pg_number(number, after->number) };
	struct pg_rows *rows;
	int err = pg_exec(pg, select_page, params, 2, deadline, &rows);

	if (err)
		return err;
	*ret_page = (struct added_page){ .rows = rows, .head = after->serial };
	if (pg_row_count(rows))
		ret_page->head = pg_int(rows, 0, 0);
	if (pg_row_count(rows) && pg_int(rows, 0, 1))
		ret_page->count = pg_row_count(rows);
	return 0;
}

bool added_page_row(const struct added_page *page, size_t i, struct added_row *ret_row,
		    struct added_cursor *ret_cursor)
{
	const struct pg_rows *rows = page->rows;

	*ret_row = (struct added_row){ .number = (uint64_t)pg_int(rows, i, 1),
				       .route_type = (enum route_type)pg_int(rows, i, 2),
				       .service = pg_text(rows, i, 3),
				       .tenant = pg_text(rows, i, 4),
				       .who = pg_text(rows, i, 5),
				       .since = pg_int(rows, i, 6) };
	*ret_cursor = (struct added_cursor){ pg_int(rows, i, 8), pg_int(rows, i, 1) };
	return pg_int(rows, i, 7) != 0;
}

void added_page_done(struct added_page *page)
{
	pg_rows_destroy(page->rows);
	page->rows = NULL;
}
