/* SPDX-License-Identifier: Apache-2.0 */
/* sbc.h - the core's session border controller: which leg follows which.
 *
 * Phones call on the access side (leg 1), the TAS on the peering side (leg 3).
 * A registration of the caller or the callee decides the plan:
 *
 *   LOOP, LOOP_MO, LOOP_MT  leg 2 to the TAS with the prefix inserted after the
 *                           plus; leg 4 only after leg 3 came with the
 *                           Session-ID of leg 2
 *   FORK                    leg 2 to the callee and leg 3 to the TAS at once
 *   FALLBACK                leg 2 to the callee; busy, away or silent: leg 3
 *   INGRESS                 leg 3 from the TAS without leg 2, then leg 4
 *   none                    leg 1 to leg 4
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TOOLS_CORE_SBC_H
#define BREAKOUT_TOOLS_CORE_SBC_H

#include <jansson.h>
#include <stdbool.h>
#include "base/macros.h"
#include "base/timer_wheel.h"
#include "tas/sip/leg.h"
#include "tools/core/book.h"
#include "tools/core/record.h"

struct sbc; /* opaque */

struct sbc_options {
	struct book *book; /* all borrowed */
	struct timer_wheel *wheel;
	struct sip_endpoint *access;  /* towards the phones */
	struct sip_endpoint *peering; /* towards the TAS */
	char phones[128];             /* host:port where phones are called */
	char domain[64];              /* host in asserted identities */
	unsigned no_answer_ms;        /* FALLBACK: the callee rings this long */
	bool native_when_tas_fails; /* LOOP: leg 2 unreachable or 5xx goes on as if unregistered */
};

int sbc_create(struct sbc **ret_sbc, const struct sbc_options *options) MUST_CHECK;
/* Ends every call. The legs' endpoints must still be there. */
struct sbc *sbc_destroy(struct sbc *sbc);

/* Both take the leg. */
void sbc_access_invite(struct sbc *sbc, struct leg *take_leg);
void sbc_peering_invite(struct sbc *sbc, struct leg *take_leg);

/* Borrowed; NULL if none. By Call-ID of leg 1; or the INGRESS call to `called`
 * that began at `since_ms` or later. */
struct record *sbc_find_leg1(struct sbc *sbc, const char *call_id);
struct record *sbc_find_ingress(struct sbc *sbc, const char *called, mono_ms since_ms);

size_t sbc_call_count(const struct sbc *sbc);
uint64_t sbc_refused_count(const struct sbc *sbc); /* leg 3 without a right to be */
/* The last 100 calls, latest last. */
json_t *sbc_calls_json(const struct sbc *sbc);

#endif
