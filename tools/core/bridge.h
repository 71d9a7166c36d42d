/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.h - the core's own two-sided call: one leg in, candidates out, the
 * first that answers is joined to the first leg.
 *
 * Signalling only: SDP passes untouched. It is written independently of the
 * product's own B2BUA on purpose: it is the other side.
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TOOLS_CORE_BRIDGE_H
#define BREAKOUT_TOOLS_CORE_BRIDGE_H

#include <stdbool.h>
#include "base/macros.h"
#include "tas/sip/leg.h"
#include "tools/core/record.h"

struct bridge; /* opaque */

struct bridge_handlers {
	/* No candidate is left and none answered. true: another was dialled and
	 * the caller waits on; false: the caller gets `status`. */
	bool (*failed)(struct bridge *bridge, int status, void *arg);
	/* Last call; the bridge is gone after it. */
	void (*ended)(struct bridge *bridge, void *arg);
	void *arg;
};

/* Takes the incoming leg, also on failure. Leg numbers: 1 to 4, as in the
 * record, which the bridge keeps a reference of. */
int bridge_create(struct bridge **ret_bridge, struct record *record, unsigned leg_number,
		  struct leg *take_leg, const struct bridge_handlers *handlers) MUST_CHECK;

struct bridge_target {
	unsigned leg_number;
	const char *right; /* who is there: "callee", "tas" */
	struct sip_endpoint *endpoint;
	const char *request_uri, *next_hop; /* next_hop NULL: request_uri */
	const struct sip_headers *headers;
};
/* Calls one more candidate; all at once ring at the same time. */
int bridge_dial(struct bridge *bridge, const struct bridge_target *target) MUST_CHECK;

/* Gives one candidate up, e.g. because it did not answer: as if it had failed
 * with `status`. `reason` is a Reason header value. */
void bridge_give_up(struct bridge *bridge, unsigned leg_number, int status, const char *reason);
bool bridge_answered(const struct bridge *bridge);

/* Ends everything: refuses or hangs up the incoming leg, CANCEL or BYE for the
 * others. handlers.ended is called. */
void bridge_end(struct bridge *bridge, int status, const char *reason);

#endif
