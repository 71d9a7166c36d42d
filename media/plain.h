/* SPDX-License-Identifier: Apache-2.0 */
/* plain.h - a leg without ICE, RTP or SRTP: two sockets on each of our addresses, or seats in
 * a hub, and whom they believe.
 *
 * Media goes to the address that the peer's SDP names, and only what comes
 * from there is taken. A peer behind NAT sends from elsewhere; its address is
 * learned when it has been the only sender for PLAIN_PROBATION_MS, of one stream
 * whose sequence numbers go on, without a packet from the named address, within PLAIN_WINDOW_MS of
 * the agreement or the call's answer, and it is on the named host; or, if that is a private
 * address, on the one its SIP comes from (MEDIA_LATCHING_ANY: on any; MEDIA_LATCHING_OFF: none is
 * learned). Until then nothing of it is relayed and nothing is sent to it, so that neither spraying
 * nor injecting before the legitimate party pays (the "RTP bleed" class, CVE-2025-53399). The named
 * address overrules a learned one.
 *
 * From the address in force one stream is taken (RFC 3550 A.1): another SSRC, or numbers far from
 * where it is, count once PLAIN_SEQUENTIAL packets in a row have gone on from each other with none
 * of the stream between them or shortly before. So who can forge the address, but not see the
 * stream, is not heard while it goes on. Digits may come under another SSRC beside the stream, as
 * some gateways send them: those that are telephone-events by the agreed number, from the third of
 * their SSRC on.
 *
 * With SRTP a packet proves who sent it. Within the window one that does so from
 * another address is believed at once; afterwards, or from a stranger, it is dropped
 * before anything is decrypted. A DTLS handshake is held with the named address only.
 *
 * An address that nobody answers from may be a victim's, put into the SDP to have it
 * flooded (RFC 8826 9.1.2): once the call stands, nothing more is sent there after
 * PLAIN_ANSWER_MS without a packet that is taken, RTP, RTCP or DTLS, until one comes.
 *
 * Threads: the media thread that owns the session.
 */
#ifndef BREAKOUT_MEDIA_PLAIN_H
#define BREAKOUT_MEDIA_PLAIN_H

#include "media/hub.h"
#include "media/media.h"
#include "media/net.h"
#include "media/relay.h"
#include "media/worker.h"

#define PLAIN_PROBATION_MS 500
#define PLAIN_WINDOW_MS    10000
/* One more than MIN_SEQUENTIAL of RFC 3550 A.1: a late packet of the old stream at the change. */
#define PLAIN_SEQUENTIAL 3
/* And so long after its last: two packets of 20 ms, as one may be lost. */
#define PLAIN_SILENT_MS 40
/* RTCP of one that only listens comes first after 1.25 to 3.75 s (RFC 3550 6.3.1). */
#define PLAIN_ANSWER_MS 5000

enum plain_lock { PLAIN_OPEN, PLAIN_LEARNED, PLAIN_NAMED };

/* Where a stream is. */
struct plain_place {
	uint32_t ssrc;
	uint16_t sequence;
};

/* One stream that is taken. */
struct plain_stream {
	struct plain_place newest;
	bool known;                   /* there is one */
	mono_ms heard_at;             /* its last packet */
	struct plain_place applicant; /* what may take its place */
	unsigned sequential;          /* packets of the applicant in a row */
};

/* Whom the leg believes; separate from the sockets for its tests. */
struct plain_latch {
	enum media_latching learns;
	enum plain_lock lock;
	union net_address near;              /* where its SIP comes from; AF_UNSPEC: not known */
	union net_address named, named_rtcp; /* by SDP; AF_UNSPEC: none */
	union net_address source;            /* LEARNED, NAMED: RTP from and to here */
	union net_address candidate;
	/* The source's; until there is one the applicant is the candidate's, and `sequential`
	 * counts those that went on. */
	struct plain_stream speech;
	struct plain_stream digits; /* beside it, if they have an SSRC of their own */
	mono_ms candidate_first, candidate_last, open_until;
	bool mux;
};
void plain_latch_set(struct plain_latch *latch, const union net_address *rtp,
		     const union net_address *rtcp, bool mux, mono_ms now);
/* The call is answered, perhaps long after an SDP in a 183: only now some begin to send. */
void plain_latch_answered(struct plain_latch *latch, mono_ms now);
/* packet: with a whole RTP header. */
bool plain_latch_rtp(struct plain_latch *latch, const union net_address *from,
		     const uint8_t *packet, mono_ms now);
/* Whether one that plain_latch_rtp() takes is of a stream in force. event: it is of a type that
 * was agreed for digits. */
bool plain_latch_stream(struct plain_latch *latch, const uint8_t *packet, bool event, mono_ms now);
/* With SRTP: whether a packet may prove itself, and that it has. */
bool plain_latch_admits(const struct plain_latch *latch, const union net_address *from,
			mono_ms now);
void plain_latch_proven(struct plain_latch *latch, const union net_address *from);
bool plain_latch_rtcp(const struct plain_latch *latch, const union net_address *from);
/* Where to send; false: nowhere (hold by 0.0.0.0). */
bool plain_latch_to(const struct plain_latch *latch, bool rtcp, union net_address *ret_to);

struct plain; /* opaque */

/* Behind the ports of `hub`, borrowed; or, if it is NULL, with two bound sockets for each of
 * `count` addresses of ours, which are taken, also on failure. 0, -ENOMEM or epoll's. */
int plain_create(struct plain **ret_plain, struct worker *worker, struct relay_leg *leg,
		 struct hub *hub, int (*take_fds)[2], unsigned count) MUST_CHECK;
struct plain *plain_destroy(struct plain *plain);

/* Whether sources are learned, and at which address its SIP is: with or without a port; a
 * name, or "": not known. */
void plain_set_latching(struct plain *plain, enum media_latching learns);
void plain_set_near(struct plain *plain, const char *host);

/* From which of our addresses it sends; at first 0. It takes packets on each. */
void plain_set_host(struct plain *plain, unsigned host);

/* The peer's addresses by SDP. Clear packets flow from here on, sealed ones once
 * leg->srtp is there and plain_seal() has been called.
 * dialog: the session id of our o= line. 0, or hub_sit()'s error, and then nothing has
 * changed. */
int plain_set_remote(struct plain *plain, const struct media_desc *remote, bool sealed,
		     uint64_t dialog) MUST_CHECK;
void plain_seal(struct plain *plain);

/* From now on, and again from each new address, the peer has PLAIN_ANSWER_MS to send. */
void plain_expect(struct plain *plain);
bool plain_is_mute(const struct plain *plain); /* it did not, and is sent nothing */
bool plain_reaches(const struct plain *plain); /* its RTCP has somewhere to go */

/* DTLS without ICE: datagrams of the named address go to the handler; false: there
 * is no address to send to. */
void plain_set_dtls(struct plain *plain,
		    void (*datagram)(const uint8_t *datagram, size_t length, void *arg), void *arg);
bool plain_send(struct plain *plain, const uint8_t *datagram, size_t length);

#endif
