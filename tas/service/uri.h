/* SPDX-License-Identifier: Apache-2.0 */
/* uri.h - the little of RFC 3261 section 19.1 that plans need: taking a SIP
 * URI apart at its user, and putting another user in.
 */
#ifndef BREAKOUT_TAS_SERVICE_URI_H
#define BREAKOUT_TAS_SERVICE_URI_H

#include <stdbool.h>
#include <stddef.h>
#include "base/macros.h"

/* Pieces of a text that the caller keeps. */
struct uri_view {
	const char *scheme; /* "sip" or "sips" */
	size_t scheme_length;
	const char *rest; /* host, port, parameters */
	const char *host; /* without brackets */
	size_t host_length;
};
/* False: no sip or sips URI. */
bool uri_split(const char *uri, struct uri_view *ret_view);

/* "scheme:user@rest", with `user` escaped; "" user: "scheme:rest". scheme NULL:
 * as in view. Heap text, NULL: no memory. */
char *uri_with_user(const struct uri_view *view, const char *scheme, const char *user);

#endif
