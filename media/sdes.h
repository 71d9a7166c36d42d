/* SPDX-License-Identifier: Apache-2.0 */
/* sdes.h - keys for SRTP in the SDP itself, a=crypto (RFC 4568).
 *
 * Such keys are as secret as the SIP that carries them; whether that is enough
 * is decided above. They are wiped when they go and never written to a log.
 *
 * Threads: none of its own; a negotiation belongs to its leg's.
 */
#ifndef BREAKOUT_MEDIA_SDES_H
#define BREAKOUT_MEDIA_SDES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/macros.h"
#include "base/str.h"
#include "media/srtp.h"

#define SDES_LINES_MAX 8         /* usable ones of a description; four suites are known */
#define SDES_TAG_MAX   999999999 /* RFC 4568 9.1: 1 to 9 digits */

struct sdes_crypto {
	uint32_t tag;
	enum srtp_suite suite;
	uint8_t mki_length; /* bytes of MKI in each packet of its author; 0: none */
	uint8_t mki[SRTP_MKI_MAX];
	uint8_t key[SRTP_KEY_ROOM]; /* master key, then salt */
};

/* The value of a=crypto. False: malformed, a suite or a parameter we do not
 * serve, or one that would leave something in the clear. */
bool sdes_parse(const char *value, struct sdes_crypto *ret_crypto);
/* Adds the whole line. */
void sdes_write(struct str *out, const struct sdes_crypto *crypto);

/* One leg's keys, ours and the peer's. Zeroed: none yet. */
struct sdes {
	bool made, agreed;
	struct sdes_crypto own[SRTP_SUITE_COUNT]; /* by suite; tag: as we offer it */
	struct sdes_crypto ours, theirs;          /* in force, or about to be */
};

/* Our keys, unless they are there. 0 or -EIO (no random numbers). */
int sdes_make(struct sdes *sdes) MUST_CHECK;
void sdes_wipe(struct sdes *sdes);

/* What we offer, most wanted first; returns how many. The keys of a re-offer are
 * those of before, so that an answer that changes nothing changes no key. */
uint8_t sdes_offer(const struct sdes *sdes, struct sdes_crypto ret_lines[static SDES_LINES_MAX]);

/* The line of an offer that we take (RFC 4568 5.1.2: its order is its author's
 * wish; a short tag is taken only for want of another), or of an answer: the
 * one that answers ours. NULL: none. */
const struct sdes_crypto *sdes_choose(const struct sdes *sdes, const struct sdes_crypto *lines,
				      unsigned count, bool is_offer);

enum sdes_change { SDES_KEPT, SDES_INBOUND, SDES_BOTH };
/* Puts a chosen line in force. A peer that brings a new key into a re-offer gets
 * a new one of ours too. ret_change: which keys differ from those before. 0 or -EIO. */
int sdes_agree(struct sdes *sdes, const struct sdes_crypto *theirs, bool we_offered,
	       enum sdes_change *ret_change) MUST_CHECK;
void sdes_keys(const struct sdes *sdes, struct srtp_keys *ret_keys); /* the caller wipes them */

#endif
