/* SPDX-License-Identifier: Apache-2.0 */
/* srtp.h - protecting and unprotecting the packets of one leg (libsrtp2).
 *
 * Threads: srtp_start() any, once per process and again for free; a pair
 * belongs to the media thread of its session.
 */
#ifndef BREAKOUT_MEDIA_SRTP_H
#define BREAKOUT_MEDIA_SRTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

/* Most wanted first: equal in cost, so the stronger integrity goes first (RFC
 * 7714, RFC 5764 4.1.2). The last, whose RTP has a tag of 32 bits (RTCP's has 80), is
 * for SDES alone. */
enum srtp_suite {
	SRTP_SUITE_AEAD_AES_128_GCM,
	SRTP_SUITE_AEAD_AES_256_GCM,
	SRTP_SUITE_AES128_CM_SHA1_80,
	SRTP_SUITE_AES128_CM_SHA1_32,
	SRTP_SUITE_COUNT
};
const char *srtp_suite_name(enum srtp_suite suite);
size_t srtp_suite_key_length(enum srtp_suite suite);  /* bytes */
size_t srtp_suite_salt_length(enum srtp_suite suite); /* bytes */

#define SRTP_KEY_ROOM     64 /* master key and salt of any suite */
#define SRTP_TRAILER_ROOM 32 /* what protecting may add to a packet */
#define SRTP_MKI_MAX      16 /* bytes of a peer's MKI, RFC 3711 3.1; ours has none */

struct srtp_keys {
	enum srtp_suite suite;
	uint8_t inbound[SRTP_KEY_ROOM], outbound[SRTP_KEY_ROOM]; /* key, then salt */
	uint8_t mki_length, mki[SRTP_MKI_MAX];                   /* inbound; 0: none */
};

/* Starts the library with OpenSSL's ciphers. 0 or -EIO (ret_why names what
 * failed its known-answer test). */
int srtp_start(const char **ret_why) MUST_CHECK;

/* SSRCs one direction may use over the life of its keys. Each costs a key
 * schedule and a replay window; forgetting one would allow replay inbound and
 * reuse of a key stream outbound, so past the limit new ones are refused. */
#define SRTP_STREAMS_MAX 16

struct srtp_pair; /* opaque: both directions of one leg */

int srtp_pair_create(struct srtp_pair **ret_pair, const struct srtp_keys *keys) MUST_CHECK;
struct srtp_pair *srtp_pair_destroy(struct srtp_pair *pair);
/* The peer alone has a new key. What we send goes on, roll-over counter and all: the
 * same key from the start again would use its key stream twice. 0, or as above, and
 * then nothing has changed. */
int srtp_pair_renew_inbound(struct srtp_pair *pair, const struct srtp_keys *keys) MUST_CHECK;

/* It is used soon: as relay_look(), steps 0 and 1. NULL is fine. */
void srtp_pair_look(const struct srtp_pair *pair, unsigned step);

/* In place; *length is the packet's and becomes the result's. The buffer has
 * SRTP_TRAILER_ROOM to spare when protecting. 0, or -EBADMSG (authentication
 * or replay), -ENOBUFS (too many SSRCs), -EINVAL (not a packet). */
int srtp_pair_unprotect(struct srtp_pair *pair, uint8_t *packet, size_t *length) MUST_CHECK;
int srtp_pair_unprotect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t *length) MUST_CHECK;
int srtp_pair_protect(struct srtp_pair *pair, uint8_t *packet, size_t *length) MUST_CHECK;
int srtp_pair_protect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t *length) MUST_CHECK;

#endif
