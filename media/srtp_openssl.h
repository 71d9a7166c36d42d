/* SPDX-License-Identifier: Apache-2.0 */
/* srtp_openssl.h - libsrtp2 with OpenSSL's ciphers. For srtp.c. */
#ifndef BREAKOUT_MEDIA_SRTP_OPENSSL_H
#define BREAKOUT_MEDIA_SRTP_OPENSSL_H

#include "base/macros.h"

/* After srtp_init(), before any session. Replaces libsrtp's AES-ICM, AES-GCM
 * and HMAC-SHA1 for the process; libsrtp tests each against its own vectors
 * and ours. NULL, or the name of what failed. */
const char *srtp_openssl_install(void) MUST_CHECK;

#endif
