/* SPDX-License-Identifier: Apache-2.0 */
/* headers.h - SIP headers as text pairs, and which of them may cross a B2BUA.
 *
 * Values are unfolded and free of CR, LF and NUL, whatever the peer sent; what
 * cannot be made so is dropped (no header can be smuggled in another's value).
 */
#ifndef BREAKOUT_TAS_SIP_HEADERS_H
#define BREAKOUT_TAS_SIP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/macros.h"

struct sip_body; /* body.h */

struct sip_header {
	const char *name; /* full form, as RFC 3261 spells it where known; lives as long as value */
	char *value;
};

/* Zero-initialise; owns its texts. Order is kept; names may repeat. */
struct sip_headers {
	struct sip_header *items;
	size_t count, room;
	/* What of the headers that belong to us is still end to end; NULL: nothing. */
	char *features;        /* what the user agent can, of its Contact (RFC 3840): ";a;+b=c" */
	char *redirect;        /* of a 3xx response: all of its Contacts */
	struct sip_body *body; /* around the SDP, if it is more than that */
};

int sip_headers_add(struct sip_headers *headers, const char *name, const char *value) MUST_CHECK;
/* As above for text that is not NUL-ended, straight from a message: folds are
 * undone. -EINVAL: not a header that could be sent on. */
int sip_headers_add_raw(struct sip_headers *headers, const char *name, size_t name_length,
			const char *value, size_t value_length) MUST_CHECK;
const char *sip_headers_find(const struct sip_headers *headers, const char *name); /* first */
int sip_headers_set(struct sip_headers *headers, const char *name, const char *value) MUST_CHECK;
void sip_headers_remove(struct sip_headers *headers, const char *name);
void sip_headers_done(struct sip_headers *headers);

/* The full form in its usual spelling; `name` itself if it is not known. */
const char *sip_header_full_name(const char *name);

/* Belongs to one transaction or dialog (Via, From, CSeq, Contact, Content-*, ...):
 * never among leg_info.headers, and not to be sent on a leg. `name` in any form. */
bool sip_header_is_own(const char *name);

/* Whether an option tag (Supported, Require) asks nothing of a B2BUA: what it is
 * about crosses as it is. */
bool sip_option_is_transparent(const char *tag);

/* Towards the core (leg 2 to leg 3): everything but what belongs to one hop or
 * one dialog (Via, Contact, Route, CSeq, Allow, Session-Expires, ...). Of
 * Supported and Require the tags cross that are transparent. */
int sip_headers_copy_transparent(struct sip_headers *to, const struct sip_headers *from) MUST_CHECK;
/* All there is. */
int sip_headers_copy_all(struct sip_headers *to, const struct sip_headers *from) MUST_CHECK;
/* Towards a trunk: only the names given. */
int sip_headers_copy_allowed(struct sip_headers *to, const struct sip_headers *from,
			     const char *const *names, size_t name_count) MUST_CHECK;

#endif
