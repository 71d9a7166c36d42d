/* SPDX-License-Identifier: Apache-2.0 */
/* trouble.h - what the registrar says about things that go wrong: a line when
 * it starts, one when it ends, and what to look at. Registrar thread only.
 */
#ifndef BREAKOUT_REGISTRAR_TROUBLE_H
#define BREAKOUT_REGISTRAR_TROUBLE_H

#include "base/log.h"
#include "registrar/refresh.h"
#include "registrar/upsert.h"

/* Zero-initialise. */
struct trouble {
	const char *tenant; /* borrowed; NULL: there is only one */
	mono_ms down_since;
	unsigned long long down_failures; /* requests, while the API was down */
	bool token_missing, token_refused;
	size_t lapsed;                    /* the most at a look; 0: none */
	mono_ms lapsed_for;               /* the first of them */
	struct log_limit refused, failed; /* per number lines */
};

/* The API as a whole. */
void trouble_gate(struct trouble *trouble, enum refresh_news news, bool down,
		  const struct upsert_answer *answer, mono_ms now);

/* So many registrations have lapsed, as of a look; the first of them `since` ago. */
void trouble_lapsed(struct trouble *trouble, size_t count, mono_ms since);

/* One number, after its state has changed. */
void trouble_reg(struct trouble *trouble, struct reg *reg, bool was_refused,
		 const struct upsert_answer *answer, bool down, mono_ms now);

/* The token: the authorization server gives none; the core takes none. */
void trouble_token_missing(struct trouble *trouble, const char *error, unsigned retry_ms,
			   bool have_another);
void trouble_token_came(struct trouble *trouble);
void trouble_token_refused(struct trouble *trouble, const char *why);
void trouble_token_accepted(struct trouble *trouble);

void trouble_log_change(const struct reg *reg, uint8_t before, const char *fault,
			mono_ms now); /* debug */

#endif
