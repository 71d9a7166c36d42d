/* SPDX-License-Identifier: Apache-2.0 */
/* caller.h - inside of tas/service: who calls, and who of our peers is believed
 * about it (RFC 3323, RFC 3325).
 */
#ifndef BREAKOUT_TAS_SERVICE_CALLER_H
#define BREAKOUT_TAS_SERVICE_CALLER_H

#include "config/config.h"
#include "tas/sip/address.h"
#include "tas/sip/leg.h"

#define NAME_ASSERTED     "P-Asserted-Identity"
#define NAME_PREFERRED    "P-Preferred-Identity"
#define NAME_REMOTE_PARTY "Remote-Party-ID"

/* The words of Privacy headers: RFC 3323 section 4.2, RFC 3325 section 9.3,
 * RFC 7044 section 10.1. */
struct privacy {
	bool id, user, header, session, history, none, critical;
	bool other; /* a word we do not know */
};
struct privacy privacy_read(const struct sip_headers *headers);
/* Whether who calls is to be hidden. */
bool privacy_hides(const struct privacy *privacy);

struct caller {
	char *number;  /* as we write numbers, or a text in its place; "" unknown */
	char *display; /* "" none */
	bool asserted; /* somebody of our trust domain says so */
	bool hidden;   /* from everybody outside the trust domain */
};
/* What a leg says of its caller, as far as `identity` is believed. 0 or -ENOMEM.
 * Ended with caller_done(). */
int caller_read(struct caller *ret_caller, const struct leg_info *info,
		const struct config_identity *identity) MUST_CHECK;
void caller_done(struct caller *caller);

/* RFC 3323 section 4.1.1.3 */
bool caller_is_anonymous(const char *uri, const char *user);

/* Each address of all headers of a name; stops where `visit` returns not 0, and
 * returns that. What cannot be read is left out. */
int caller_each_address(const struct sip_headers *headers, const char *name,
			int (*visit)(const struct sip_address *address, void *arg),
			void *arg) MUST_CHECK;

#endif
