/* SPDX-License-Identifier: Apache-2.0 */
/* leg.h - one side of a session: its transport, from SDP to packets.
 *
 * A leg is WebRTC (ice, dtls, srtp), one without ICE (plain; with dtls or sdes: srtp),
 * or local. It judges and applies
 * the peer's description and fills in the transport part of ours. Which offer
 * belongs to which answer is session_agree.c's.
 *
 * Threads: the media thread of the session.
 */
#ifndef BREAKOUT_MEDIA_LEG_H
#define BREAKOUT_MEDIA_LEG_H

#include "media/dtls.h"
#include "media/net_hosts.h"
#include "media/relay.h"
#include "media/reporter.h"
#include "media/sdp_before.h"
#include "media/worker.h"

/* Bytes of a sentence for REFUSED or FAILED; two lists of codecs fit. */
#define LEG_REASON_ROOM 768

/* ICE finds a pair within this or the leg has failed: 7 transmissions of RFC
 * 8445 14.3 with room for a peer that is late. */
#define LEG_ICE_MS 30000

struct leg;

/* Kinds without ICE have a pair of sockets of their own. */
bool leg_has_sockets(enum media_leg_kind kind);

struct leg_setup {
	enum media_leg_kind kind;
	uint16_t port;                 /* taken, on each of ours; with sockets: the even one */
	const struct net_hosts *hosts; /* ours, borrowed */
	unsigned host;                 /* the one to begin with */
	bool stays;                    /* there, for a peer of its family */
	enum media_latching latching;
	const char *near;          /* as media_codecs has it; borrowed for the time of the call */
	int fds[NET_HOSTS_MAX][2]; /* with sockets: the bound pairs */
	struct media_local local;
	struct recording *recording;    /* of a local side: taken; NULL: none */
	struct dtls_identity *identity; /* borrowed, outlives the leg */
	struct sdp_before *before;      /* taken: our texts go on from there; NULL: new ones */
	struct worker *worker;
	struct lite *lite;           /* WebRTC: the port to be behind; NULL: a full agent */
	struct hub *hub;             /* without ICE: the ports to be behind; NULL: `fds` */
	struct sender *sender;       /* taken: the stream that goes on; NULL: a new one */
	struct ice_servers *servers; /* of a full agent, borrowed; NULL: none */
	struct relay_leg *peer_path;
	struct receipt *receipt;
	const char *label;           /* for logs: "call side=A"; borrowed */
	void (*prepared)(void *arg); /* what leg_prepare() waited for is there */
	void (*flowing)(void *arg);
	void (*failed)(const char *reason, void *arg);
	void (*step)(const char *what, void *arg);    /* one sentence; NULL: nobody listens */
	void (*played)(void *arg);                    /* local */
	void (*recorded)(const char *why, void *arg); /* local */
	void (*convert)(void *arg);                   /* path.transcoder is wanted */
	void *arg;
};

struct leg {
	struct relay_leg path; /* first: the packet path hands it back */
	struct leg_setup setup;
	struct dtls *dtls;
	uint8_t *early; /* a datagram for the first association; NULL: none */
	size_t early_length;
	char tls_id[33]; /* of our end of it, RFC 8842 4 */
	struct reporter reporter;
	struct timer ice_deadline;
	mono_ms ice_began, dtls_began;
	struct media_desc *remote; /* as last applied; NULL before */
	/* Of setup.hosts: in our c=, and where a side without ICE sends from. */
	unsigned host;
	bool flowing;
	struct sdes sdes; /* its keys */
	bool by_sdes;     /* they are agreed */
	/* Of the text last written: the version moves when the text does
	 * (RFC 3264 8). */
	uint64_t session_id, version;
	char *written;
};

/* Takes setup->fds, recording, before and sender, also on failure. 0, -ENOMEM, -EIO. */
int leg_init(struct leg *leg, const struct leg_setup *setup) MUST_CHECK;
void leg_done(struct leg *leg);

/* Makes what our description needs (an ICE agent, keys). 0, -EINPROGRESS (servers are
 * asked; prepared() follows), -ENOLINK (only relays may be told, and there is none),
 * -EIO or an error of ice_create(). */
int leg_prepare(struct leg *leg) MUST_CHECK;

/* SDP_PROTO_BITs of what a peer of this kind may ask for. */
unsigned leg_protos(enum media_leg_kind kind);

/* Whether the peer's description can be served on this leg; if not, a sentence
 * is written to ret_reason. Drops candidates that must not be tried. */
bool leg_judge(struct leg *leg, struct media_desc *remote, bool is_offer,
	       char ret_reason[static LEG_REASON_ROOM]);

/* Puts the judged description in force; we_offered: it is an answer. Takes
 * `remote` also on failure. 0, -ENOMEM, -EIO. */
int leg_apply(struct leg *leg, struct media_desc *take_remote, bool we_offered) MUST_CHECK;

/* As media_near(). */
void leg_near(struct leg *leg, const char *near);

/* From now on a peer without ICE has to send something: media_established(). */
void leg_established(struct leg *leg);
/* It has not, and is sent nothing. */
bool leg_is_mute(const struct leg *leg);

/* Adds sections, protocol, address and security of this leg to a description
 * that has codecs and direction. `offer`: the one being answered, or NULL. */
void leg_describe(const struct leg *leg, const struct media_desc *offer, struct media_desc *ours);

/* The text for the peer with the right o= line. Borrowed; NULL: no memory. */
const char *leg_write(struct leg *leg, const struct media_desc *ours);

/* Shown in the receipt. */
void leg_show_codec(struct leg *leg, const char *codec);

#endif
