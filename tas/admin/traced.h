/* SPDX-License-Identifier: Apache-2.0 */
/* traced.h - inside of tas/admin: what was said in calls, and numbers whose calls are
 * kept in full, as JSON.
 *
 * An order says {"number": N} or, to end them, {"all": true}; to begin one also "for_s"
 * (seconds; missing: an hour) and "calls" (it ends after so many; missing: any).
 *
 * Threads: the admin thread and those of HTTP listeners, except where said; an order
 * waits for the disk.
 */
#ifndef BREAKOUT_TAS_ADMIN_TRACED_H
#define BREAKOUT_TAS_ADMIN_TRACED_H

#include "tas/admin/admin.h"
#include "tas/admin/text.h"

/* New references; NULL: no memory. */

/* SIP thread: of what the ring has. */
json_t *traced_recent(const struct admin_options *options, const char *call);
/* What the disk has, if that is more than `recent`, which it takes. */
json_t *traced_fullest(struct traced *traced, const char *call, json_t *take_recent);

json_t *traced_list(struct traced *traced);
json_t *traced_begin(struct traced *traced, const char *order, const char *who);
json_t *traced_end(struct traced *traced, const char *order, const char *who);

#endif
