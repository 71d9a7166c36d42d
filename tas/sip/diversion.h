/* SPDX-License-Identifier: Apache-2.0 */
/* diversion.h - who sent the call elsewhere before it came to us, read from and
 * written as Diversion (RFC 5806) or History-Info (RFC 7044), whose ways of
 * saying it RFC 7544 maps onto each other.
 */
#ifndef BREAKOUT_TAS_SIP_DIVERSION_H
#define BREAKOUT_TAS_SIP_DIVERSION_H

#include "base/macros.h"
#include "tas/sip/address.h"
#include "tas/sip/headers.h"

/* RFC 5806 section 4. */
enum diversion_reason {
	DIVERSION_UNKNOWN,
	DIVERSION_UNCONDITIONAL,
	DIVERSION_USER_BUSY,
	DIVERSION_NO_ANSWER,
	DIVERSION_DEFLECTION,
	DIVERSION_UNAVAILABLE,
	DIVERSION_TIME_OF_DAY,
	DIVERSION_DO_NOT_DISTURB,
	DIVERSION_FOLLOW_ME,
	DIVERSION_OUT_OF_SERVICE,
	DIVERSION_AWAY,
	DIVERSION_REASON_COUNT
};
const char *diversion_reason_name(enum diversion_reason reason); /* "user-busy" */
/* The cause parameter of RFC 4458 section 2, as RFC 7544 pairs them. */
int diversion_reason_cause(enum diversion_reason reason);

struct diversion {
	struct sip_address by; /* who the call was for; its params are not used */
	enum diversion_reason reason;
	unsigned times; /* it stands for so many diversions, at least 1 */
	unsigned limit; /* and no more than these may come; 0: not said */
	bool hidden;    /* must not be shown outside the trust domain */
};

#define DIVERSIONS_MAX 16 /* entries, and diversions of one */

/* Oldest first. Zero-initialise; owns its texts. */
struct diversions {
	struct diversion items[DIVERSIONS_MAX];
	size_t count;
};
void diversions_done(struct diversions *diversions);

/* What the headers say: History-Info if that knows of a diversion, else
 * Diversion. What cannot be read is left out. 0 or -ENOMEM. */
int diversions_read(struct diversions *diversions, const struct sip_headers *headers) MUST_CHECK;

/* Adds one header a diversion, the newest first (RFC 5806 section 6). */
int diversions_add_diversion(const struct diversions *diversions,
			     struct sip_headers *headers) MUST_CHECK;
/* Adds one header an entry, the oldest first, and last `target`, the URI the
 * call now goes to, as RFC 7544 wants it. None for no diversion. */
int diversions_add_history(const struct diversions *diversions, const char *target,
			   struct sip_headers *headers) MUST_CHECK;

#endif
