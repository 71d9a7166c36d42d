/* SPDX-License-Identifier: Apache-2.0 */
/* challenge.h - inside of tas/sip: the challenges of a 401 or 407, answered. */
#ifndef BREAKOUT_TAS_SIP_CHALLENGE_H
#define BREAKOUT_TAS_SIP_CHALLENGE_H

#include <sofia-sip/sip.h>
#include "tas/sip/digest.h"

/* As digest_answer(), for the response `sip`. */
int challenge_answer(const struct digest_identity *identity, struct digest_session *session,
		     const char *method, const char *uri, const sip_t *sip,
		     struct digest_answer *ret_answer) MUST_CHECK;

#endif
