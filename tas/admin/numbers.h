/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.h - inside of tas/admin: orders to add, change and delete registrations, as JSON.
 *
 * - add {"number": N, "route_type": T, "service": S, "tenant": T}: one that was not added
 *   before; service and tenant may be missing, as in the configuration
 * - put, with the same: adds or changes it
 * - delete {"numbers": [...]}: all of them or none
 * - import {"replace": bool, "dry_run": bool, "name": what findings call it} and lines of CSV as
 *   the configuration's files have them: all or nothing; "replace" deletes all others
 *
 * What cannot be done is {"error": sentence, "status": of HTTP}, of an import with "findings",
 * a line each.
 *
 * Threads: the admin thread and those of HTTP listeners; an order waits for the disk.
 */
#ifndef BREAKOUT_TAS_ADMIN_NUMBERS_H
#define BREAKOUT_TAS_ADMIN_NUMBERS_H

#include "registrar/registrar.h"
#include "tas/admin/text.h"

struct number_order {
	struct registrar *registrar;
	const struct config *config; /* in force */
	const char *document;
	const char *body; /* of an import; NULL: none */
	size_t length;
	const char *who;
};

/* New references; NULL: no memory. */
json_t *number_add(const struct number_order *order);
json_t *number_put(const struct number_order *order);
json_t *number_delete(const struct number_order *order);
json_t *number_import(const struct number_order *order);

/* What is known of a number beside its registration: {"added": {...}}, where it was added while
 * we run; "configured": its place, where it is configured. config may be NULL. */
json_t *number_origin(struct registrar *registrar, const struct config *config, const char *number);

#endif
