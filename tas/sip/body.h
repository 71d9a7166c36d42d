/* SPDX-License-Identifier: Apache-2.0 */
/* body.h - the session description inside a message body. */
#ifndef BREAKOUT_TAS_SIP_BODY_H
#define BREAKOUT_TAS_SIP_BODY_H

#include <stddef.h>
#include "base/macros.h"

/* Finds the application/sdp in a body: the whole of it, or the first such part
 * of a multipart (RFC 5621, RFC 2046 section 5.1).
 *
 * content_type: the header's value; NULL: none.
 * ret_sdp:      heap copy for the caller, or NULL if there is none.
 * Returns 0, -ENOMEM, -ENOTSUP (a type this product cannot read: 415) or
 * -EINVAL (NUL inside, or a multipart without end).
 */
int body_find_sdp(const char *content_type, const char *body, size_t length,
		  char **ret_sdp) MUST_CHECK;

#endif
