/* SPDX-License-Identifier: Apache-2.0 */
/* tls_self_call.h - calls ourselves over TLS as the core would: an OPTIONS, and what
 * our certificate is worth to a stranger.
 *
 * A client of its own: it shares nothing with the endpoint but the mark that lets its
 * request be known. Threads: any; it waits, so not the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_TLS_SELF_CALL_H
#define BREAKOUT_TAS_SIP_TLS_SELF_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

struct tls_self_call {
	const char *host; /* a name is looked up now */
	uint16_t port;
	const char *name;    /* what the certificate must be valid for */
	const char *ca_file; /* PEM: whom the core trusts; NULL: the system's */
	const char *mark;    /* sip_endpoint_mark() */
	unsigned timeout_ms; /* for all of it */
	bool tls_only;       /* clients need a certificate we have not: no request is sent */
};

/* 0: it was answered below 500, by us, with a certificate that holds for `name`. Else
 * -EPROTO, or -ENOMEM, with what is wrong in `why`, without a full stop. */
int tls_self_call(const struct tls_self_call *call, char *why, size_t room) MUST_CHECK;

#endif
