/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h - inside of tas/service: what a peer may learn of who calls.
 *
 * The core is of our trust domain (RFC 3324). A trunk is if `identity.trust`
 * says so; to all others a hidden caller is nobody, in every header we send.
 */
#ifndef BREAKOUT_TAS_SERVICE_IDENTITY_H
#define BREAKOUT_TAS_SERVICE_IDENTITY_H

#include "tas/service/caller.h"
#include "tas/service/decision.h"

/* Whether the privacy the caller insists on ("critical") can be given to it. */
bool identity_can_hide(const struct leg_info *info, const struct config_identity *identity);

/* From and headers of a step towards a trunk. */
void identity_tell_trunk(struct decision *decision, struct call_step *step,
			 const struct config_trunk *trunk);
/* And of one towards the core, of a call that came from a trunk. */
void identity_tell_core(struct decision *decision, struct call_step *step,
			const struct config_trunk *trunk);

/* Which headers of the other side's responses a trunk, or the core from a
 * trunk, is told. */
void identity_allow_responses(struct call_step *step, const struct config_trunk *trunk,
			      bool from_trunk);

#endif
