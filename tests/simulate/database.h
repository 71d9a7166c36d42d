/* SPDX-License-Identifier: Apache-2.0 */
/* database.h - a statement on its way from a node to the fleet's database: what it says,
 * what is to be done there, and what it answers. */
#ifndef BREAKOUT_TESTS_SIMULATE_DATABASE_H
#define BREAKOUT_TESTS_SIMULATE_DATABASE_H

#include "registrar/fleet.h"
#include "tests/simulate/world.h"

struct row {
	unsigned number;
	terms told; /* 0: forget it */
	mono_ms left;
	uint32_t ttl_s;
	uint64_t core;
};

struct statement {
	void (*carry_out)(struct statement *statement);
	char name[4];
	uint64_t session, beat;
	struct lease_wish wish;
	mono_ms alone_ms;
	bool draining, again;
	bool named[LEASE_SHARDS];
	uint64_t epochs[LEASE_SHARDS];
	struct fleet_gift gifts[LEASE_SHARDS];
	/* A write: */
	int64_t token;
	uint64_t serial;
	bool ahead;
	struct row *rows; /* heap */
	size_t row_count;
	/* Answers: */
	struct lease_view *view;
	struct fleet_news *news;
	bool failed, ok;
	uint64_t value;
};

/* What fleet_sql.c's statements do, by the names of its functions: */
void database_join(struct statement *st);
void database_beat(struct statement *st);
void database_look_nodes(struct statement *st);
void database_look_shards(struct statement *st);
void database_look_fleet(struct statement *st);
void database_claim(struct statement *st);
void database_put_out(struct statement *st);
void database_free_orphans(struct statement *st);
void database_take(struct statement *st);
void database_give(struct statement *st);
void database_abandon(struct statement *st);
void database_leave_writers(struct statement *st);
void database_leave_nodes(struct statement *st);
void database_load_shards(struct statement *st);
void database_load_rows(struct statement *st);
/* And store_postgres.c's: */
void database_take_token(struct statement *st);
void database_write_rows(struct statement *st);

#endif
