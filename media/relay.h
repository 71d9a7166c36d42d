/* SPDX-License-Identifier: Apache-2.0 */
/* relay.h - the packet path: from one leg to the other.
 *
 * Nothing here allocates, locks or logs; what cannot be carried is counted and
 * dropped. How a leg sends is chosen when its SDP is agreed (leg->ops).
 *
 * Threads: the media thread that owns the session.
 */
#ifndef BREAKOUT_MEDIA_RELAY_H
#define BREAKOUT_MEDIA_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "media/codecs.h"
#include "media/extensions.h"
#include "media/media.h"
#include "media/mid.h"
#include "media/quality.h"
#include "media/receipt.h"
#include "media/sender.h"
#include "media/srtp.h"
#include "media/tape.h"

#define RELAY_PACKET_MAX 1500 /* bytes a peer may send; longer is dropped */
#define RELAY_BUFFER     (RELAY_PACKET_MAX + SRTP_TRAILER_ROOM)

/* First-byte classes on a shared port. Source: RFC 7983 7. */
enum wire { WIRE_STUN, WIRE_DTLS, WIRE_RTP, WIRE_OTHER };
enum wire wire_of(uint8_t first_byte);
/* Of a packet of class WIRE_RTP with at least 2 bytes: RFC 5761 4. */
bool wire_is_rtcp(const uint8_t *packet);

uint32_t relay_word_at(const uint8_t *bytes); /* 4 bytes, network order */

bool relay_rtp_is_sound(const uint8_t *packet, size_t length);  /* RFC 3550 A.1 */
bool relay_rtcp_is_sound(const uint8_t *packet, size_t length); /* RFC 3550 A.2 */

struct relay_leg;
struct transcoder;

/* `packet` is clear RTP or RTCP in a buffer of RELAY_BUFFER; it may be changed. RTP comes
 * from relay_send_rtp() alone. */
struct relay_ops {
	void (*send_rtp)(struct relay_leg *leg, uint8_t *packet, size_t length);
	void (*send_rtcp)(struct relay_leg *leg, uint8_t *packet, size_t length);
};
extern const struct relay_ops relay_ops_closed; /* counts and drops */
extern const struct relay_ops relay_ops_srtp;   /* WebRTC, once keys are there */

/* What the packet path needs of a leg. */
struct relay_leg {
	const struct relay_ops *ops; /* never NULL: starts as relay_ops_closed */
	struct relay_leg *peer;      /* borrowed; same session, same thread */
	struct receipt *receipt;     /* borrowed */
	struct srtp_pair *srtp;      /* WebRTC: NULL without keys */
	struct ice *ice;             /* WebRTC, as a full agent */
	struct lite_leg *lite;       /* WebRTC, as a lite one */
	struct plain *plain;         /* plain RTP */
	struct local *local;         /* local */
	struct sender *sender;       /* of what its peer gets; NULL: packets pass as they are */
	bool first_pending;          /* tell on_first about the next authenticated packet */
	struct quality quality;      /* of what arrives from its peer */
	struct tape *tape;           /* the call is recorded: borrowed; NULL: it is not */
	enum media_side side;        /* for the tape */
	codecs_map types;            /* inbound payload type -> the peer's */
	codecs_set events;           /* inbound payload types of telephone-event */
	struct extensions_map extensions; /* of what passes */
	struct mid mid;                   /* WebRTC: in what is sent to its peer */
	struct transcoder *transcoder;    /* of what says CODECS_CONVERT; NULL: nothing does */
	void (*on_first)(struct relay_leg *leg);
	/* Hz of what its peer calls so; NULL: 8000. */
	uint32_t (*clock)(const struct relay_leg *leg, uint8_t type);
	/* The first packet that says CODECS_CONVERT, if `transcoder` is not there. */
	void (*on_convert)(struct relay_leg *leg);
};

static inline bool relay_is_event(const struct relay_leg *leg, const uint8_t *packet)
{
	return codecs_set_has(leg->events, packet[1] & 0x7f);
}

void relay_leg_init(struct relay_leg *leg, struct relay_leg *peer, struct receipt *receipt);

/* A packet of this leg's peer is coming: what it will need is brought into the cache, in
 * steps of which each reads what the one before has brought. */
#define RELAY_STEPS 3
void relay_look(const struct relay_leg *leg, unsigned step);

/* A clear packet from this leg's peer. */
void relay_rtp(struct relay_leg *from, uint8_t *packet, size_t length);
void relay_rtcp(struct relay_leg *from, uint8_t *packet, size_t length);
/* An encrypted one, RTP or RTCP by its second byte. True: it was authentic. */
bool relay_srtp(struct relay_leg *from, uint8_t *packet, size_t length);

/* To the peer of this leg, in the stream that is ours: a sound packet of any source. */
void relay_send_rtp(struct relay_leg *to, uint8_t *packet, size_t length, uint64_t now_ns);

/* To the peer of a WebRTC leg, as it is. */
bool relay_send(struct relay_leg *leg, const uint8_t *packet, size_t length);

void relay_count_out(struct relay_leg *leg, size_t length, bool sent);

#endif
