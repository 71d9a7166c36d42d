/* SPDX-License-Identifier: Apache-2.0 */
/* tls_describe.h - what a file of certificates holds, in words for people.
 *
 * Threads: any; reading is from disk.
 */
#ifndef BREAKOUT_TAS_SIP_TLS_DESCRIBE_H
#define BREAKOUT_TAS_SIP_TLS_DESCRIBE_H

#include <stdbool.h>
#include "base/clock.h"
#include "base/macros.h"

#define TLS_FINGERPRINT_ROOM 65

struct tls_certificate {
	char *subject; /* of the first one, as RFC 2253 writes it */
	char *names;   /* its subjectAltName: "tas.example.com, 192.0.2.7"; "" none */
	char *issuers; /* who signed it, and who signed that: "CN=R3, CN=Root" */
	wall_ms not_before, not_after;
	unsigned count; /* of certificates in the file */
	/* SHA-256 of all of them in hexadecimal: two files with the same hold the same. */
	char fingerprint[TLS_FINGERPRINT_ROOM];
	bool for_domain; /* the domain that was asked for; true without one */
};

/* all: the end is that of whichever ends first, as for a file of CAs; else the first
 * certificate's. domain: NULL, none is asked for.
 * Returns 0, -ENOMEM, -EINVAL (no PEM certificate in it) or -errno. */
int tls_describe(const char *path, const char *domain, bool all,
		 struct tls_certificate *ret_certificate) MUST_CHECK;
void tls_certificate_done(struct tls_certificate *certificate); /* zeroed is fine */

#endif
