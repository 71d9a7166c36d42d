/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.h - what ICE proves itself by (RFC 8445 5.3), from OpenSSL's generator.
 *
 * libnice 0.1.21 draws them from GLib's Mersenne twister, whose state its output
 * reveals. Threads: any.
 */
#ifndef BREAKOUT_MEDIA_CREDENTIALS_H
#define BREAKOUT_MEDIA_CREDENTIALS_H

#include "base/macros.h"

/* 8 characters are 48 bits, 32 are 192: above RFC 8445 5.3's 24 and 128. */
#define CREDENTIALS_UFRAG    8
#define CREDENTIALS_PASSWORD 32

struct credentials {
	char ufrag[CREDENTIALS_UFRAG + 1], password[CREDENTIALS_PASSWORD + 1];
};

int credentials_make(struct credentials *ret_credentials) MUST_CHECK; /* 0 or -EIO */
/* The password of a TURN user of this name for a server that has this secret, as
 * coturn's use-auth-secret makes it: base64(HMAC-SHA1(secret, name)). */
#define CREDENTIALS_OF_SECRET 28
void credentials_of_secret(const char *secret, const char *username,
			   char ret_password[static CREDENTIALS_OF_SECRET + 1]);

void credentials_forget(struct credentials *credentials);

#endif
