/* SPDX-License-Identifier: Apache-2.0 */
/* access.h - inside of tas/admin: who may ask what over HTTP, and how often.
 *
 * Over a network a bearer token says who asks (RFC 6750 section 2.1). Who can
 * open the Unix socket may do everything, as with breakoutctl's. A browser on the
 * operator's machine must not be led here by a foreign page: where no token is
 * asked for, or the listener is on loopback, the Host must be this machine's name
 * (DNS rebinding), and a foreign Origin may change nothing anywhere.
 *
 * Threads: any; a lock of its own.
 */
#ifndef BREAKOUT_TAS_ADMIN_ACCESS_H
#define BREAKOUT_TAS_ADMIN_ACCESS_H

#include <stdbool.h>
#include "base/clock.h"
#include "base/macros.h"
#include "config/config.h"

struct access; /* opaque */

#define ACCESS_TOKEN_MIN 16 /* characters; a shorter one can be guessed */

struct access_request {
	int listener;              /* kind of struct config_http_listen */
	const char *host;          /* header; NULL: none */
	const char *origin;        /* header; NULL: none */
	const char *authorization; /* header; NULL: none */
	const char *peer;          /* address without port; "" for a Unix socket */
	enum http_role needed;
	bool changes; /* something: not a GET */
};

/* 0 or -ENOMEM. A token that cannot be read is logged and nobody's. */
int access_create(struct access **ret_access, const struct config_http *http) MUST_CHECK;
struct access *access_destroy(struct access *access);

/* Tokens and rate of another configuration; their files are read by the next
 * request, on its thread. 0 or -ENOMEM (nothing has changed). */
int access_reconfigure(struct access *access, const struct config_http *http) MUST_CHECK;

/* 0, or the HTTP status of the refusal: 400 (Host), 401, 403, 429. ret_who: the
 * token's name, "" for none; valid for the request only by copy. */
int access_check(struct access *access, const struct access_request *request, char *ret_who,
		 size_t room) MUST_CHECK;

#endif
