/* SPDX-License-Identifier: Apache-2.0 */
/* match.h - inside of tas/service: whether a rule is for this call.
 *
 * The conditions of a rule are asked in the order of one table, the cheap ones
 * first, and the first that does not hold refuses the rule. The same code
 * decides and explains: who explains gives the decision a trace.
 *
 * Threads: the SIP thread; the decision is the caller's.
 */
#ifndef BREAKOUT_TAS_SERVICE_MATCH_H
#define BREAKOUT_TAS_SERVICE_MATCH_H

#include "tas/service/decision.h"

/* The first rule of the service from index `from` on that matches, or NULL. Every rule looked at is
 * noted in decision->tried. */
const struct config_rule *match_rules(struct decision *decision,
				      const struct config_service *service, size_t from);

/* The word of decision->tried[i]: the condition that failed, or "taken". */
const char *match_word(uint8_t tried);

#endif
