/* SPDX-License-Identifier: Apache-2.0 */
/* digest_hash.h - the hashes under digest.h, and what makes nonces ours.
 *
 * Threads: any.
 */
#ifndef BREAKOUT_TAS_SIP_DIGEST_HASH_H
#define BREAKOUT_TAS_SIP_DIGEST_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include "base/macros.h"

/* The weakest first. RFC 8760 section 2.2; the "-sess" forms are not spoken. */
enum digest_algorithm { DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512_256 };
#define DIGEST_ALGORITHM_COUNT 3

#define DIGEST_HEX_ROOM 65 /* 32 bytes in hex, and the NUL */
#define DIGEST_KEY_SIZE 32

const char *digest_algorithm_name(enum digest_algorithm algorithm); /* "SHA-256" */
/* NULL names MD5, RFC 7616 section 3.3. -ENOTSUP: not one of ours. */
int digest_algorithm_parse(const char *name, enum digest_algorithm *ret_algorithm) MUST_CHECK;

/* The hash of all parts with a colon between each, in lower-case hex. -EIO: this
 * OpenSSL does not offer the algorithm, as one under FIPS rules with MD5. */
int digest_hash(enum digest_algorithm algorithm, const char *const *parts, size_t count,
		char ret_hex[static DIGEST_HEX_ROOM]) MUST_CHECK;

/* HMAC-SHA-256, in hex. -EIO. */
int digest_mac(const unsigned char key[static DIGEST_KEY_SIZE], const char *text,
	       char ret_hex[static DIGEST_HEX_ROOM]) MUST_CHECK;

/* In a time that does not tell where they differ. */
bool digest_equal(const char *a, const char *b);

#endif
