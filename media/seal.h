/* SPDX-License-Identifier: Apache-2.0 */
/* seal.h - files that only the owner of a private key can read.
 *
 * A file has a key of its own, which stands in it encrypted for an RSA public key
 * (OAEP, SHA-256). What follows are chunks of AES-256-GCM, each whole in itself: a
 * file that ends early can be read up to its last whole chunk, and says so.
 *
 *   "BRKSEAL1", length of the wrapped key (2 bytes), wrapped key
 *   chunks: length (4 bytes, the top bit set in the last), ciphertext, tag (16 bytes)
 *
 * Numbers are big endian. A chunk's nonce is its number, from 0, in 12 bytes; its
 * length is authenticated with it.
 *
 * Threads: an object belongs to one thread.
 */
#ifndef BREAKOUT_MEDIA_SEAL_H
#define BREAKOUT_MEDIA_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/macros.h"

#define SEAL_HEADER_MAX (8 + 2 + 1024) /* keys of up to 8192 bits */
#define SEAL_CHUNK_MAX  65536          /* bytes of plain text */
#define SEAL_OVERHEAD   (4 + 16)

struct seal;   /* opaque */
struct unseal; /* opaque */

/* public_key: path of a PEM file. ret_why: a literal, for other errors than -ENOMEM:
 * -errno (no such file ...), -EINVAL (no RSA public key of 2048 bits or more). */
int seal_create(struct seal **ret_seal, const char *public_key, const char **ret_why) MUST_CHECK;
struct seal *seal_destroy(struct seal *seal);
/* Returns the length of what a file begins with. */
size_t seal_header(const struct seal *seal, uint8_t ret_bytes[static SEAL_HEADER_MAX]);
/* length: at most SEAL_CHUNK_MAX; ret_bytes has room for SEAL_OVERHEAD more. 0 or -EIO. */
int seal_chunk(struct seal *seal, const uint8_t *plain, size_t length, bool last,
	       uint8_t *ret_bytes) MUST_CHECK;

/* Borrows the file. -EINVAL: it is no sealed one, or not for this key. */
int unseal_create(struct unseal **ret_unseal, FILE *file, const char *private_key,
		  const char **ret_why) MUST_CHECK;
struct unseal *unseal_destroy(struct unseal *unseal);
/* The next chunk. -ENODATA: the file ends before its last one; -EBADMSG: it was
 * changed. ret_plain has room for SEAL_CHUNK_MAX. */
int unseal_next(struct unseal *unseal, uint8_t *ret_plain, size_t *ret_length,
		bool *ret_last) MUST_CHECK;

/* Bytes of plain text in a file's whole chunks, and how many of those hold any, without
 * a key. */
uint64_t seal_measure(int fd, size_t *ret_chunks);

#endif
