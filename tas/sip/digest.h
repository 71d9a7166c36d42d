/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h - digest authentication (RFC 7616 as RFC 8760 has it for SIP), both
 * ways: answering a challenge, and challenging.
 *
 * Header values in, header values out; it knows no message, transaction or
 * configuration. Values between quotes are hashed and repeated byte for byte as
 * they came.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_DIGEST_H
#define BREAKOUT_TAS_SIP_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"
#include "tas/sip/digest_hash.h"

/* What a response is computed from; method to cnonce: RFC 7616 section 3.4.1. */
struct digest_input {
	enum digest_algorithm algorithm;
	const char *username, *realm, *password;
	const char *method, *uri;
	const char *nonce;
	const char *nc, *cnonce; /* NULL: without qop, RFC 2069's way */
};
int digest_response(const struct digest_input *input,
		    char ret_hex[static DIGEST_HEX_ROOM]) MUST_CHECK;

/* ---- answering: we are the client ---- */

/* Who we are to one peer. Shared by its calls and registrations, so that a
 * running one keeps what it began with; the last unref wipes it. */
struct digest_identity; /* opaque */

struct digest_identity_options {
	const char *username, *password;
	const char *realm; /* the only one that is answered; NULL: any */
	bool md5;          /* may be answered where nothing better is offered */
};
int digest_identity_create(struct digest_identity **ret_identity,
			   const struct digest_identity_options *options) MUST_CHECK;
struct digest_identity *digest_identity_ref(struct digest_identity *identity);   /* NULL is fine */
struct digest_identity *digest_identity_unref(struct digest_identity *identity); /* NULL */

/* One client and one server for as long as they talk: counts the uses of a
 * nonce. Zero-initialise. */
struct digest_session {
	uint64_t nonce; /* hashed */
	uint32_t uses;
	bool answered; /* some challenge was */
};

struct digest_answer {
	char *text;      /* "Digest username=..."; the caller frees it */
	const char *why; /* on failure: one sentence, static */
};
/* Answers the strongest challenge that may be answered. A challenge after an
 * answered one is answered only if it says that just the nonce is stale.
 * Returns 0, -EACCES (ret_answer->why), -ENOMEM or -EIO. */
int digest_answer(const struct digest_identity *identity, struct digest_session *session,
		  const char *method, const char *uri, const char *const *challenges, size_t count,
		  struct digest_answer *ret_answer) MUST_CHECK;

/* ---- challenging: we are the server ---- */

/* Makes nonces and knows them again without remembering whom it gave them to;
 * each is good for one answer. */
struct digest_guard; /* opaque */

int digest_guard_create(struct digest_guard **ret_guard, unsigned nonce_s) MUST_CHECK;
struct digest_guard *digest_guard_destroy(struct digest_guard *guard);

struct digest_challenge {
	const char *realm;
	bool md5;           /* offered too, after the better ones */
	const char *source; /* who asks, "192.0.2.1": a nonce is good for no other */
	bool stale;         /* the password was right, the nonce too old */
};
/* Values for WWW-Authenticate or Proxy-Authenticate, the best first (RFC 8760
 * section 2.3). The caller frees each. Returns how many; 0: no memory. */
size_t digest_challenge(struct digest_guard *guard, const struct digest_challenge *challenge,
			char *ret_values[static DIGEST_ALGORITHM_COUNT]);

/* Whom an Authorization value speaks for, to find the password of. -EINVAL: not
 * a digest answer for this realm. */
int digest_username(const char *authorization, const char *realm, char *ret_username,
		    size_t room) MUST_CHECK;

enum digest_verdict {
	DIGEST_ACCEPTED,
	DIGEST_STALE,  /* right, but not with a nonce that is good: challenge again, stale */
	DIGEST_REFUSED /* wrong or unreadable: challenge again, or 403 */
};
struct digest_check {
	const char *authorization; /* the header's value */
	const char *realm;
	bool md5;
	const char *source;   /* as digest_challenge() was told */
	const char *method;   /* of the request */
	const char *password; /* of digest_username(); NULL: there is nobody of that name */
};
/* The URI is the one the answer names: a proxy on the way may have rewritten the
 * request's (RFC 3261 section 22.4). What is captured cannot be used again,
 * since its nonce is spent. */
enum digest_verdict digest_verify(struct digest_guard *guard, const struct digest_check *check);

#endif
