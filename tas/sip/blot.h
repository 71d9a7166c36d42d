/* SPDX-License-Identifier: Apache-2.0 */
/* blot.h - what must not be kept of a message: stars in its place.
 *
 * The proof of a password (Digest), keys of SRTP (RFC 4568), the password of ICE.
 *
 * Threads: any.
 */
#ifndef BREAKOUT_TAS_SIP_BLOT_H
#define BREAKOUT_TAS_SIP_BLOT_H

#include <stddef.h>

/* In place; the length stays. */
void blot_secrets(char *text, size_t length);

#endif
