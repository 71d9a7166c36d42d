/* SPDX-License-Identifier: Apache-2.0 */
/* grants.h - who consents to the product, and the queues of events that tell of it.
 *
 * As the core's durable queues: each reader by its own name, an event comes again until
 * it is acknowledged.
 * Threads: any; one lock inside.
 */
#ifndef BREAKOUT_TOOLS_CORE_GRANTS_H
#define BREAKOUT_TOOLS_CORE_GRANTS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/clock.h"
#include "base/e164.h"
#include "base/macros.h"

struct grants; /* opaque */

enum { GRANT_QUEUE_ROOM = 160, GRANT_ID_ROOM = 24 };
#define GRANT_AGAIN_MS 30000 /* until an event without an acknowledgement comes again */

int grants_create(struct grants **ret_grants) MUST_CHECK;
struct grants *grants_destroy(struct grants *grants);

enum grant_kind { GRANT_ADDED, GRANT_UPDATED, GRANT_REVOKED };

/* 0, -EINVAL (no number), -ENOENT (it does not consent) or -ENOMEM. */
int grants_change(struct grants *grants, const char *number, enum grant_kind kind) MUST_CHECK;

struct grant_event {
	enum grant_kind kind;
	char number[E164_ROOM];
	char subscription[GRANT_ID_ROOM]; /* a pseudonym of the number */
	wall_ms at;
	char ack[GRANT_QUEUE_ROOM + 24];
	bool again;
};
/* The next one for a queue, which comes into being; false: there is none to send now. */
bool grants_next(struct grants *grants, const char *queue, unsigned max_in_flight,
		 struct grant_event *ret_event);
bool grants_ack(struct grants *grants, const char *ack); /* false: there is no such event */
/* Its stream has ended: what was sent and not acknowledged comes again at once. */
void grants_cut(struct grants *grants, const char *queue);

/* Subscriptions that consent, from the `from`-th on; returns where to go on, 0: nowhere. */
size_t grants_page(struct grants *grants, size_t from, char (*ret_ids)[GRANT_ID_ROOM], size_t room,
		   size_t *ret_count);

struct grants_counts {
	size_t given, events;
	size_t waiting; /* without an acknowledgement, in all queues */
};
void grants_counts(struct grants *grants, struct grants_counts *ret_counts);
/* Numbers that consent. `visit` must not come back here. */
void grants_each(struct grants *grants, void (*visit)(const char *number, void *arg), void *arg);

#endif
