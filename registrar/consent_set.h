/* SPDX-License-Identifier: Apache-2.0 */
/* consent_set.h - the numbers of the configuration beside those of consents.
 *
 * The configuration wins: its numbers are no matter of consents. Threads: the
 * registrar's (before it starts: its creator's).
 */
#ifndef BREAKOUT_REGISTRAR_CONSENT_SET_H
#define BREAKOUT_REGISTRAR_CONSENT_SET_H

#include "registrar/consent_store.h"
#include "registrar/keeper.h"
#include "registrar/number_set.h"

/* The configuration's own; zero-initialise. */
struct consent_set {
	struct number_set numbers;
	struct wanted *texts; /* own: what goes with every number, and no numbers */
};
/* Takes another configuration. 0, or -ENOMEM and it stays as it is. */
int consent_set_keep(struct consent_set *set, const struct wanted *configured) MUST_CHECK;
bool consent_set_has(const struct consent_set *set, uint64_t number);
void consent_set_done(struct consent_set *set);

/* How a number with a consent is wanted. */
struct wanted_number consent_wanted(const struct consent_plan *plan, uint64_t number);

struct consent_joined {
	struct wanted *all; /* the caller's */
	size_t given;       /* consents */
	size_t both;        /* of them, of numbers that are configured */
};
/* Those of `configured` and, if its plan wants them, of the store (else not looked
 * at). 0, -ENOMEM or -EIO. */
int consent_join(const struct wanted *configured, struct consent_store *store,
		 struct consent_joined *ret_joined) MUST_CHECK;

#endif
