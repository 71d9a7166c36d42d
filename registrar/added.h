/* SPDX-License-Identifier: Apache-2.0 */
/* added.h - numbers that are added, changed and deleted while we run, by an operator or a
 * program of theirs. This process keeps them itself, or the fleet's database does.
 *
 *   order   compared with what is there -> durable -> in memory, and the registrar is told
 *   look    (a fleet's) what other nodes were ordered -> in memory, and the registrar is told
 *
 * The registrar is told numbers, not what shall become of them: it asks when it comes to them,
 * so the latest word counts, whatever the order of its mail. A number that the configuration
 * names is the configuration's; one of a consent is ours while it is here.
 *
 * Threads: any, where nothing else is said; an order waits for the disk or the database.
 */
#ifndef BREAKOUT_REGISTRAR_ADDED_H
#define BREAKOUT_REGISTRAR_ADDED_H

#include "registrar/keeper.h"

struct added; /* opaque */
struct pg;

struct added_options {
	const char *path;                       /* the file; NULL: nothing can be added */
	const struct config_postgres *postgres; /* a fleet's database instead; borrowed for the
						 * call; NULL: none */
	/* These may be another matter from now on: take_numbers is freed by who hears it. Called
	 * under a lock: it asks nothing. */
	void (*changed)(uint64_t *take_numbers, size_t count, void *arg);
	void *arg;
};

/* 0 or -ENOMEM. */
int added_create(struct added **ret_added, const struct added_options *options) MUST_CHECK;
struct added *added_destroy(struct added *added);
/* Reads the file, once, after store_open(). 0, -ENOMEM or -EIO (logged). */
int added_load(struct added *added) MUST_CHECK;

/* No order is taken, or they are again. Returns when none is under way: the caller's thread
 * may wait. */
void added_rest(struct added *added, bool rests);

/* As registrar_order() etc. */
int added_order(struct added *added, const struct reg_order *order,
		struct reg_outcome *ret_outcome) MUST_CHECK;
int added_find(struct added *added, uint64_t number, struct reg_added *ret_added) MUST_CHECK;
int added_check(struct added *added, const struct config *config,
		struct str *ret_errors) MUST_CHECK;
bool added_has(struct added *added, uint64_t number);
void added_summary(struct added *added, struct registrar_added *ret_summary);

/* The fleet's thread: all that other nodes were ordered. 0, or as pg_exec(), or -ENOMEM. */
int added_look(struct added *added, struct pg *pg, mono_ms deadline) MUST_CHECK;

/* ---- the registrar's thread ---- */

/* The configuration in force, by which numbers are registered; kept by reference. NULL, or one that
 * wants none: they are not. tenants: as of wanted_create(). */
void added_configure(struct added *added, const struct config *config,
		     const uint8_t tenants[CONFIG_TENANTS]);
/* Puts them among what the configuration and consents want. 0 or -ENOMEM. */
int added_join(struct added *added, struct wanted *all) MUST_CHECK;
/* How a number that is here is wanted: ROUTE_TYPE_NONE where the configuration does not have
 * what it names. False: it is not here. */
bool added_wanted(struct added *added, uint64_t number, struct wanted_number *ret_wanted);

#endif
