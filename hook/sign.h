/* SPDX-License-Identifier: Apache-2.0 */
/* sign.h - inside of hook: a signature by which a server knows our requests.
 *
 * "t=<seconds>,v1=<hex>": v1 is the HMAC-SHA256 (RFC 2104) of "<seconds>.<body>"
 * under the shared secret. The time is signed too, so that a request that was
 * overheard cannot be sent again later.
 */
#ifndef BREAKOUT_HOOK_SIGN_H
#define BREAKOUT_HOOK_SIGN_H

#include <stdint.h>
#include "base/macros.h"

#define SIGN_ROOM 96 /* "t=" 20 digits ",v1=" 64 digits NUL */

/* 0 or -ENOMEM. */
int sign_body(const char *secret, int64_t seconds, const char *body,
	      char ret_signature[static SIGN_ROOM]) MUST_CHECK;

#endif
