/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/pause_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/log.h"
#include "sql/postgres.h"

#define ORDER_MS 5000     /* whoever gave the order waits meanwhile */
#define OLD_MS   86400000 /* over for so long, by our clock: nobody's clock is that wrong */
#define INT_ROOM 24

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
	struct pg *pg; /* connected for as long as an order takes: they are rare */
};

static const char *number(char to[static INT_ROOM], int64_t value)
{
	snprintf(to, INT_ROOM, "%" PRId64, value);
	return to;
}

/* One statement, told to the other nodes at once. */
static int carry_out(struct pause_share *share, const char *statement, const char *const *params,
		     size_t count)
{
	mono_ms deadline = clock_now() + ORDER_MS;
	char old[INT_ROOM];
	const char *old_params[] = { number(old, clock_wall() - OLD_MS) };
	int err = pg_connect(share->pg, deadline);

	if (!err)
		err = pg_exec(share->pg, statement, params, count, deadline, NULL);
	/* Neither may fail the order, which is written. */
	if (!err && !pg_exec(share->pg, drop_old, old_params, 1, deadline, NULL))
		(void)!pg_exec(share->pg, "NOTIFY breakout", NULL, 0, deadline, NULL);
	if (err)
		log_error("registrar",
			  "pauses cannot be written in the fleet's database (store.postgres): %s",
			  pg_error(share->pg));
	pg_drop(share->pg);
	return err ? -EIO : 0;
}

static int share_put(struct pause_store *base, const struct reg_pause *pause)
{
	struct pause_share *share = CONTAINER_OF(base, struct pause_share, store);
	char scope[INT_ROOM], since[INT_ROOM], until[INT_ROOM];
	const char *params[] = { number(scope, (int)pause->scope),
				 pause->what,
				 pause->who,
				 pause->why,
				 number(since, pause->since),
				 number(until, pause->until) };

	return carry_out(share, put, params, ARRAY_SIZE(params));
}

static int share_drop(struct pause_store *base, enum pause_scope scope, const char *what)
{
	struct pause_share *share = CONTAINER_OF(base, struct pause_share, store);
	char text[INT_ROOM];
	const char *params[] = { number(text, (int)scope), what };

	return carry_out(share, drop, params, ARRAY_SIZE(params));
}

static struct pause_store *share_close(struct pause_store *base)
{
	struct pause_share *share = CONTAINER_OF(base, struct pause_share, store);

	pg_destroy(share->pg);
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
	err = pg_create(&share->pg, config->conninfo, config->password_file);
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
