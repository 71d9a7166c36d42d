/* SPDX-License-Identifier: Apache-2.0 */
/* sdp.h - SDP text to struct media_desc and back (RFC 8866, one audio stream).
 *
 * It reads what a relay needs of the first audio section and remembers the
 * others only as far as an answer must repeat them with port 0 (RFC 3264 6).
 * Everything has a fixed upper size, so a hostile text costs one bounded
 * allocation. No state, no threads.
 */
#ifndef BREAKOUT_MEDIA_SDP_H
#define BREAKOUT_MEDIA_SDP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/macros.h"
#include "media/extensions.h"
#include "media/net.h"
#include "media/sdes.h"

#define SDP_TEXT_MAX         16384 /* bytes; Chromium's largest audio+video offers stay below 8 KiB */
#define SDP_CODECS_MAX       24
#define SDP_CANDIDATES_MAX   24
#define SDP_FINGERPRINTS_MAX 4
#define SDP_SECTIONS_MAX     8
#define SDP_CREDENTIAL_ROOM  257 /* ice-ufrag and ice-pwd: at most 256 (RFC 8839 5.4) */

enum sdp_proto {
	SDP_PROTO_OTHER,
	SDP_PROTO_RTP_AVP,
	SDP_PROTO_RTP_AVPF,
	SDP_PROTO_RTP_SAVP, /* SDES, or DTLS before RFC 5764 */
	SDP_PROTO_RTP_SAVPF,
	SDP_PROTO_DTLS_SAVP, /* UDP/TLS/RTP/SAVP, RFC 5764 8 */
	SDP_PROTO_DTLS_SAVPF
};

/* Bits: 1 its author sends, 2 its author receives. */
enum sdp_direction { SDP_INACTIVE = 0, SDP_SENDONLY = 1, SDP_RECVONLY = 2, SDP_SENDRECV = 3 };
/* The same agreement in the words of the other party (RFC 3264 6.1). */
enum sdp_direction sdp_direction_reverse(enum sdp_direction direction);

enum sdp_setup { SDP_SETUP_NONE, SDP_ACTPASS, SDP_ACTIVE, SDP_PASSIVE, SDP_HOLDCONN };

struct sdp_codec {
	uint8_t type; /* RTP payload type, 0..127 */
	uint8_t channels;
	uint32_t rate; /* Hz of the RTP clock */
	char name[20];
	char fmtp[200]; /* "" none */
};

enum sdp_candidate_type { SDP_HOST, SDP_SRFLX, SDP_PRFLX, SDP_RELAY };

struct sdp_candidate { /* UDP, component 1 */
	union net_address address;
	uint32_t priority;
	enum sdp_candidate_type type;
	char foundation[33];
};

struct sdp_fingerprint {
	char hash[8]; /* "sha-256", lower case */
	uint8_t length;
	uint8_t bytes[64];
};

/* An m= section of the text, in order. */
struct sdp_section {
	char media[16], proto[32], format[16]; /* first format */
	char mid[33];                          /* "" none */
};

/* The last array is the largest by far: what is kept for a call's time ends with the
 * codecs that are there (sdp_trim()). */
struct media_desc {
	unsigned others; /* references besides the first: sdp_ref() */
	struct sdp_section sections[SDP_SECTIONS_MAX];
	uint8_t section_count, audio; /* which one is ours */
	bool bundle;                  /* a=group:BUNDLE names our section's mid */

	enum sdp_proto proto;
	uint16_t port;               /* 0: refused */
	union net_address rtp, rtcp; /* c= and m=, a=rtcp or port + 1; AF_UNSPEC: none */
	enum sdp_direction direction;
	uint16_t ptime, maxptime; /* ms; 0: not said */
	struct extensions extensions;
	uint32_t ssrc;     /* of its stream, the first that is named; 0: none is */
	const char *cname; /* of that, to be written: borrowed; NULL: it is not */
	bool rtcp_mux;
	bool rtcp_silent[2]; /* b=RS:0; b=RR:0 (RFC 3556): with both it wants no RTCP */
	bool sdes;           /* there was an a=crypto, of use or not */
	struct sdes_crypto cryptos[SDES_LINES_MAX];
	uint8_t crypto_count;

	char ufrag[SDP_CREDENTIAL_ROOM], password[SDP_CREDENTIAL_ROOM]; /* "" none */
	bool ice_lite;
	struct sdp_candidate candidates[SDP_CANDIDATES_MAX];
	uint8_t candidate_count;

	struct sdp_fingerprint fingerprints[SDP_FINGERPRINTS_MAX]; /* of hashes we can check */
	uint8_t fingerprint_count;
	bool fingerprint_unknown; /* another was there, of a hash we do not check */
	enum sdp_setup setup;
	char tls_id[SDP_CREDENTIAL_ROOM]; /* of the association, RFC 8842 4; "" none */

	uint8_t codec_count;
	struct sdp_codec codecs[SDP_CODECS_MAX];
};

/* A set of protocols; 0: any. */
#define SDP_PROTO_BIT(proto) (1u << (proto))

/* Our section is the first audio that is not refused; of several, as who leaves
 * encryption to us offers them, the first of a protocol that is `wanted`.
 * ret_why: a static sentence for -EINVAL.
 * Returns 0, -EINVAL or -ENOMEM; the caller ends ret_desc with sdp_free(). */
int sdp_parse_for(const char *text, unsigned wanted, struct media_desc **ret_desc,
		  const char **ret_why) MUST_CHECK;
/* Of any protocol. */
int sdp_parse(const char *text, struct media_desc **ret_desc, const char **ret_why) MUST_CHECK;

/* Another reference, which sdp_free() ends: whoever shares a description changes it no
 * more. */
struct media_desc *sdp_ref(struct media_desc *desc);
/* For a description that may hold keys: the last one wipes before it frees. NULL is
 * fine; returns NULL. */
struct media_desc *sdp_free(struct media_desc *desc);

/* Gives back the room of codecs that are not there; none is added from here on, and it is
 * copied by sdp_copy() alone. It may move. */
struct media_desc *sdp_trim(struct media_desc *take_desc) MUST_CHECK;
/* With the room for all codecs. NULL: no memory. */
struct media_desc *sdp_copy(const struct media_desc *desc) MUST_CHECK;
void sdp_copy_codecs(struct media_desc *to, const struct media_desc *from);

/* The text of our description; the caller frees it. owner, address: of its o= line, "- 4711"
 * and "IN IP4 192.0.2.1"; no address: that of the description. NULL: no memory. */
char *sdp_write(const struct media_desc *desc, const char *owner, const char *address,
		uint64_t version) MUST_CHECK;

/* "sha-256 AB:CD:..." */
#define SDP_FINGERPRINT_ROOM (8 + 1 + 64 * 3)
void sdp_fingerprint_format(const struct sdp_fingerprint *fingerprint,
			    char ret_text[static SDP_FINGERPRINT_ROOM]);

#endif
