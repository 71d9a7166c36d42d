/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_forget.c - an operator knows that a node is dead: nobody waits for it any more. */
#include "registrar/fleet_sql.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"

#define ORDER_MS 5000 /* whoever gave the order waits meanwhile */

#define RELEASE_DEAD FLEET_RELEASE("dead.node")

/* Only of a node that was put out. One statement: what becomes of the node and of the
 * holds because of it cannot part. What it wrote would be fenced off as before: the
 * epochs of its shards have changed since. */
static const char forget[] =
	"WITH dead AS (DELETE FROM breakout.node WHERE node = $1 AND session IS NULL"
	" RETURNING node),"
	" lifted AS (UPDATE breakout.shard s SET " RELEASE_DEAD " FROM dead"
	" WHERE dead.node = ANY(" FLEET_HOLDERS ") RETURNING s.hold_ms)"
	" SELECT EXISTS (SELECT 1 FROM dead), (SELECT count(*) FROM lifted WHERE hold_ms = 0),"
	" (SELECT (extract(epoch from clock_timestamp() - seen) * 1000)::bigint"
	" FROM breakout.node WHERE node = $1)";

static int read_answer(const struct pg_rows *rows, struct fleet_forgotten_node *ret_node)
{
	ret_node->shards = (size_t)pg_int(rows, 0, 1);
	ret_node->seen_ms = pg_int(rows, 0, 2);
	if (pg_bool(rows, 0, 0))
		return 0;
	return *pg_text(rows, 0, 2) ? -EBUSY : -ENOENT;
}

static int order(struct pg *pg, const char *node, struct fleet_forgotten_node *ret_node)
{
	mono_ms deadline = clock_now() + ORDER_MS;
	struct pg_rows *rows;
	int err = pg_connect(pg, deadline);

	if (!err)
		err = pg_exec(pg, forget, &node, 1, deadline, &rows);
	if (err) {
		log_error("registrar", "the fleet's database (store.postgres): %s", pg_error(pg));
		return -EIO;
	}
	err = read_answer(rows, ret_node);
	pg_rows_destroy(rows);
	if (!err) /* unheard, the others see it with their next look */
		(void)!pg_exec(pg, "NOTIFY breakout", NULL, 0, deadline, NULL);
	return err;
}

int fleet_forget_node(const struct config_postgres *config, const char *node, const char *who,
		      struct fleet_forgotten_node *ret_node)
{
	struct pg *pg;
	int err = pg_create(&pg, config->conninfo, config->password_file);

	if (err)
		return err;
	err = order(pg, node, ret_node);
	pg_destroy(pg);
	if (!err)
		log_notice("registrar",
			   "node %s is forgotten by=\"%s\": it is dead, by their word; the numbers "
			   "of %zu shards may be changed and withdrawn again",
			   node, who, ret_node->shards);
	return err;
}
