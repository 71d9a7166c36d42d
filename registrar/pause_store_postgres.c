/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/pause_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "registrar/order_share.h"

#define ORDER_MS 5000     /* whoever gave the order waits meanwhile */
#define OLD_MS   86400000 /* over for so long, by our clock: nobody's clock is that wrong */

/* The table is fleet_sql.c's. */
static const char put[] =
	"INSERT INTO breakout.pause(scope, what, who, why, since_ms, until_ms, serial)"
	" VALUES($1, $2, $3, $4, $5, $6, nextval('breakout.pause_serial'))"
	" ON CONFLICT (scope, what) DO UPDATE SET who = EXCLUDED.who, why = EXCLUDED.why,"
	" since_ms = EXCLUDED.since_ms, until_ms = EXCLUDED.until_ms, serial = EXCLUDED.serial";
static const char drop[] = "DELETE FROM breakout.pause WHERE scope = $1 AND what = $2";
static const char drop_old[] = "DELETE FROM breakout.pause WHERE until_ms > 0 AND until_ms < $1";

struct pause_share {
	struct pause_store store;
	struct order_share orders;
};

/* One statement, told to the other nodes at once. */
static int carry_out(struct order_share *orders, const char *statement, const char *const *params,
		     size_t count)
{
	mono_ms deadline = clock_now() + ORDER_MS;
	int err = pg_connect(orders->pg, deadline);

	if (!err)
		err = pg_exec(orders->pg, statement, params, count, deadline, NULL);
	if (err)
		err = order_share_failed(orders, "written");
	else
		order_share_follow_up(orders, drop_old, clock_wall() - OLD_MS, deadline);
	pg_drop(orders->pg);
	return err;
}

static int share_put(struct pause_store *base, const struct reg_pause *pause)
{
	struct pause_share *share = CONTAINER_OF(base, struct pause_share, store);
	char scope[PG_INT_ROOM], since[PG_INT_ROOM], until[PG_INT_ROOM];
	const char *params[] = { pg_number(scope, (int)pause->scope),
				 pause->what,
				 pause->who,
				 pause->why,
				 pg_number(since, pause->since),
				 pg_number(until, pause->until) };

	return carry_out(&share->orders, put, params, ARRAY_SIZE(params));
}

static int share_drop(struct pause_store *base, enum pause_scope scope, const char *what)
{
	struct pause_share *share = CONTAINER_OF(base, struct pause_share, store);
	char text[PG_INT_ROOM];
	const char *params[] = { pg_number(text, (int)scope), what };

	return carry_out(&share->orders, drop, params, ARRAY_SIZE(params));
}

static struct pause_store *share_close(struct pause_store *base)
{
	struct pause_share *share = CONTAINER_OF(base, struct pause_share, store);

	order_share_done(&share->orders);
	free(share);
	return NULL;
}

static const struct pause_store_ops share_ops = {
	.close = share_close, .put = share_put, .drop = share_drop, .shared = true
};

int pause_store_share(struct pause_store **ret_store, const struct config_postgres *config)
{
	struct pause_share *share = calloc(1, sizeof(*share));
	int err;

	if (!share)
		return -ENOMEM;
	share->store.ops = &share_ops;
	err = order_share_init(&share->orders, "pauses", config);
	if (err)
		free(share);
	else
		*ret_store = &share->store;
	return err;
}

/* ---- looking ---- */

/* Each order takes a serial of its own: as many rows with the same last one are the
 * same rows. */
int pauses_look(struct pg *pg, mono_ms deadline, struct pause_mark *ret_mark)
{
	struct pg_rows *rows;
	int err = pg_exec(pg, "SELECT count(*), coalesce(max(serial), 0) FROM breakout.pause", NULL,
			  0, deadline, &rows);

	if (err)
		return err;
	*ret_mark = (struct pause_mark){ true, pg_int(rows, 0, 0), pg_int(rows, 0, 1) };
	pg_rows_destroy(rows);
	return 0;
}

static void read_row(const struct pg_rows *rows, size_t row, struct reg_pause *pause)
{
	pause->scope = (enum pause_scope)pg_int(rows, row, 0);
	snprintf(pause->what, sizeof(pause->what), "%s", pg_text(rows, row, 1));
	snprintf(pause->who, sizeof(pause->who), "%s", pg_text(rows, row, 2));
	snprintf(pause->why, sizeof(pause->why), "%s", pg_text(rows, row, 3));
	pause->since = pg_int(rows, row, 4);
	pause->until = pg_int(rows, row, 5);
}

int pauses_read(struct pg *pg, mono_ms deadline, struct reg_pause **ret_list, size_t *ret_count)
{
	struct reg_pause *list;
	struct pg_rows *rows;
	size_t count;
	int err = pg_exec(pg,
			  "SELECT scope, what, who, why, since_ms, until_ms FROM breakout.pause"
			  " ORDER BY scope, what",
			  NULL, 0, deadline, &rows);

	if (err)
		return err;
	count = pg_row_count(rows);
	list = calloc(count + 1, sizeof(*list));
	for (size_t i = 0; list && i < count; i++)
		read_row(rows, i, &list[i]);
	pg_rows_destroy(rows);
	if (!list)
		return -ENOMEM;
	*ret_list = list;
	*ret_count = count;
	return 0;
}
