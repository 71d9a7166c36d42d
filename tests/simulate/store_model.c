/* SPDX-License-Identifier: Apache-2.0 */
/* store_model.c - a disk that can be full, and lose its last seconds with the
 * power, as SQLite's WAL does with synchronous=NORMAL. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "registrar/store.h"
#include "tests/simulate/world.h"

/* What was written since the last checkpoint, as it was before. */
static struct saved {
	struct number *of;
	terms stored;
	uint32_t ttl_s;
	uint64_t core;
	wall_ms until;
} * saved;
static size_t saved_count, saved_room;
static bool checkpoint; /* there has been one */

/* Equal parameters have one address, as the door says. */
static const struct reg_params *params_of(terms stored)
{
	static struct known {
		terms of;
		struct reg_params params;
		char uri[32];
	} known[2048];
	struct known *one = &known[stored % 2048];

	if (one->of != stored) {
		one->of = stored;
		snprintf(one->uri, sizeof(one->uri), "sips:v%u.example", stored / 8);
		one->params = (struct reg_params){ one->uri, (char *)"00", (char *)"",
						   (enum route_type)(stored % 8) };
	}
	return &one->params;
}

static int visit_number(const struct number *number, store_visit_fn *visit, void *arg)
{
	struct store_row row = { .number = phone_of(number),
				 .tenant = core_of(number)
						   ? tenant_name(core_of(number) / world.spots)
						   : "",
				 .params = params_of(number->stored),
				 .core = number->stored_core,
				 .expires = number->stored_until,
				 .ttl_s = number->stored_ttl_s };

	return visit(&row, arg);
}

int store_open(struct store **ret_store, const char *path, store_visit_fn *visit, void *arg)
{
	(void)path;
	for (size_t i = 0; i < phones() * world.tenants; i++) {
		const struct number *number =
			row_of(FIRST_NUMBER + i / world.tenants, (unsigned)(i % world.tenants));
		int err = number->stored ? visit_number(number, visit, arg) : 0;

		if (err)
			return err;
	}
	*ret_store = calloc(1, sizeof(**ret_store));
	return *ret_store ? 0 : -ENOMEM;
}

static unsigned anchor_boot;
static wall_ms anchor;

bool store_anchor(struct store *store, const char *boot, wall_ms *offset)
{
	unsigned number = (unsigned)strtoul(boot, NULL, 10);

	(void)store;
	if (anchor_boot == number) {
		*offset = anchor;
		return true;
	}
	anchor_boot = number;
	anchor = *offset;
	return false;
}

struct store *store_close(struct store *store)
{
	if (store && store->ops)
		return store->ops->close(store);
	free(store);
	return NULL;
}

size_t store_batch(const struct store *store)
{
	return store->ops ? store->ops->batch : SIZE_MAX;
}

static void save(struct number *number)
{
	if (!checkpoint)
		return;
	if (saved_count == saved_room) {
		saved_room = saved_room ? saved_room * 2 : 256;
		saved = reallocarray(saved, saved_room, sizeof(*saved));
		if (!saved)
			abort();
	}
	saved[saved_count++] = (struct saved){ number, number->stored, number->stored_ttl_s,
					       number->stored_core, number->stored_until };
}

int store_write(struct store *store, const struct store_row *rows, size_t count,
		enum store_purpose purpose, const char **ret_error)
{
	if (store->ops) /* a fleet's */
		return store->ops->write(store, rows, count, purpose, ret_error);
	if (!take_effect(&world.nodes[0]))
		return 0; /* dead: nobody learns of it */
	if (world.weather.disk_full) {
		*ret_error = "disk full";
		return -EIO;
	}
	for (size_t i = 0; i < count; i++) {
		struct number *number = row_of(rows[i].number, daemon_tenant(rows[i].tenant));
		const struct reg_params *params = rows[i].params;

		save(number);
		number->stored = 0;
		if (params)
			number->stored =
				(terms)strtoul(params->sip_uri + strlen("sips:v"), NULL, 10) * 8 +
				(terms)params->route_type;
		number->stored_until = rows[i].expires;
		number->stored_core = rows[i].core;
		number->stored_ttl_s = rows[i].ttl_s;
	}
	return 0;
}

void store_checkpoint(void)
{
	saved_count = 0;
	checkpoint = true;
}

void store_lose_power(void)
{
	while (saved_count) {
		const struct saved *was = &saved[--saved_count];

		was->of->stored = was->stored;
		was->of->stored_ttl_s = was->ttl_s;
		was->of->stored_core = was->core;
		was->of->stored_until = was->until;
	}
}

void store_done(void)
{
	free(saved);
	saved = NULL;
	saved_count = saved_room = 0;
	checkpoint = false;
	anchor_boot = 0;
}
