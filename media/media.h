/* SPDX-License-Identifier: Apache-2.0 */
/* media.h - the door to the media room.
 *
 * A session joins two sides and carries RTP between them. It knows addresses,
 * keys and codecs; it does not know what a call, a dialog or a number is.
 * Each side is a WebRTC-style peer (ICE, DTLS-SRTP, rtcp-mux), an RTP or SRTP
 * peer without ICE, or local: ourselves, playing and listening.
 *
 * SDP goes in as text and comes out as text, by offer/answer (RFC 3264):
 *   media_offer(A)   peer A offered   -> MEDIA_EV_OFFER for B, or, when B is
 *                                        local, MEDIA_EV_ANSWER for A
 *   media_answer(B)  peer B answered  -> MEDIA_EV_ANSWER for A (not when A is local)
 *   media_start(A)   B is local       -> MEDIA_EV_OFFER for A
 * An answer may come several times (18x, then 2xx); the same text again only
 * repeats the event. media_rollback() drops an offer that was refused; the
 * state agreed before stays in force.
 *
 * Threads: every function here is for one thread, the one that drains
 * media_engine_fd() (the SIP thread); events are delivered there. Packets,
 * ICE and DTLS run on the media thread that owns the session.
 */
#ifndef BREAKOUT_MEDIA_MEDIA_H
#define BREAKOUT_MEDIA_MEDIA_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/macros.h"
#include "base/processors.h"
#include "config/config.h"

struct media_engine;  /* opaque: threads, ports, certificate */
struct media_session; /* opaque */
struct media_sound;   /* opaque: a file in memory, never changed, counted references */
struct media_sounds;  /* opaque: all that one configuration names */
struct dtls_identity; /* opaque: the certificate DTLS shows; counted references */
struct ice_servers;   /* opaque: STUN and TURN servers; counted references */

enum media_side { MEDIA_A = 0, MEDIA_B = 1 };

enum media_leg_kind {
	MEDIA_LEG_WEBRTC,      /* UDP/TLS/RTP/SAVPF; ICE, DTLS-SRTP, rtcp-mux */
	MEDIA_LEG_RTP,         /* RTP/AVP */
	MEDIA_LEG_DTLS,        /* UDP/TLS/RTP/SAVP, no ICE; rtcp-mux */
	MEDIA_LEG_SDES,        /* RTP/SAVP, keys in the SDP (RFC 4568) */
	MEDIA_LEG_SDES_OR_RTP, /* RTP/AVP with keys in the SDP, used if the peer has some too */
	MEDIA_LEG_LOCAL        /* plays `local` towards the other side */
};

/* What is kept as a WAV file (8000 Hz, 16 bit; sealed with a public key) and a JSON
 * file beside it. Of a local side it is a message of the peer's, in mono. It begins after the sound
 * and the beep, and ends with MEDIA_EV_RECORDED or with the session. The offer is answered only
 * once the files could be made; else it is refused with 503. */
struct media_recording {
	const char *folder; /* made if need be */
	const char *name;   /* of the file, without its ending; not longer than 200 bytes */
	const char *about;  /* the JSON file up to what only the end knows: "{\"to\":\"...\"" */
	bool beep;
	unsigned max_ms, silence_ms; /* it ends after; silence 0: never by it */
	const char *public_key;      /* PEM file: only who has its private key can hear it; NULL */
	bool opus;                   /* instead of WAV */
};
/* How its file is called behind the name: ".wav", ".opus.sealed" ... A literal. */
static inline const char *media_recording_ending(bool opus, bool sealed)
{
	return opus ? sealed ? ".opus.sealed" : ".opus" : sealed ? ".wav.sealed" : ".wav";
}
#define MEDIA_RECORDING_SHORTEST_MS 1000 /* less, or nothing heard, is no message */

struct media_local {
	bool echo;        /* send back what comes in */
	unsigned tone_hz; /* play this tone; 0: silence (comfort-free PCM zeros) */
	bool detect;      /* measure the strongest tone that arrives */
	/* Played first, from when the peer can hear it; then MEDIA_EV_PLAYED.
	 * NULL: none. The session has a reference of its own. */
	struct media_sound *sound;
	unsigned repeat; /* times; 0: without end */
	/* Then this is taken; NULL: nothing. Copied. */
	const struct media_recording *recording;
};

/* How digits reach a side and come from it. */
enum media_dtmf {
	MEDIA_DTMF_AUTO,    /* telephone-event if agreed, else tones in its speech */
	MEDIA_DTMF_RFC4733, /* the same, and offered telephone-event in any case */
	MEDIA_DTMF_INFO,    /* by signalling: MEDIA_EV_DIGIT and media_digit() */
	MEDIA_DTMF_INBAND   /* tones in its speech, both ways */
};

/* From where a side without ICE may send, besides the addresses of its SDP (plain.h). */
enum media_latching {
	MEDIA_LATCHING_SIGNALLED, /* that host; if it is private, the one its SIP comes from */
	MEDIA_LATCHING_OFF,       /* from nowhere else */
	MEDIA_LATCHING_ANY        /* that host; if it is private, from any */
};

#define MEDIA_CODECS_MAX   12
#define MEDIA_ADDRESS_ROOM 46 /* bytes of a literal address, IPv6 included, with NUL */

/* What a side may use. */
struct media_codecs {
	char names[MEDIA_CODECS_MAX][20]; /* "PCMA", "opus": most wanted first */
	unsigned count;                   /* 0: all, as the other side orders them */
	enum media_dtmf dtmf;
	/* What this side and the other do not share is converted; else passed on or
	 * refused. */
	bool convert;
	/* Without ICE: its peer sends from the addresses its SDP names, so that a pair of
	 * ports of the media thread serves all such sides (hub.h). */
	bool shared_port;
	enum media_latching latching;
	/* Of several addresses of ours, the one that is in our c= and that a side without ICE
	 * sends from: this one, ""; else that on the way to the media address of its peer, or
	 * as long as no SDP has told that, to `near`, where the peer's signalling is; "". The
	 * latter is also for `latching`; media_near() tells it where it is known only later. */
	char address[MEDIA_ADDRESS_ROOM], near[MEDIA_ADDRESS_ROOM];
};

enum media_event_type {
	MEDIA_EV_OFFER,   /* text for the peer of `side` */
	MEDIA_EV_ANSWER,  /* text for the peer of `side` */
	MEDIA_EV_REFUSED, /* the SDP last given for `side` cannot be served: status, reason */
	MEDIA_EV_FLOWING, /* first authenticated RTP from the peer of `side` */
	MEDIA_EV_FAILED,  /* ICE, DTLS or fingerprint failed on `side`: reason says which and how */
	MEDIA_EV_SILENT,  /* nothing from `side` for rtp_timeout_s, on hold for hold_timeout_s */
	MEDIA_EV_PLAYED,  /* the local side has played its sound to the end */
	MEDIA_EV_RECORDED, /* the message is over: reason is silence, max_length, key or disk */
	MEDIA_EV_DIGIT,    /* from the peer of `side`, for one who takes them by signalling */
	MEDIA_EV_STEP      /* of ICE, DTLS or SRTP on `side`, for who wants to know: reason */
};
#define MEDIA_EV_COUNT (MEDIA_EV_STEP + 1)

struct media_event {
	enum media_event_type type;
	enum media_side side;
	const char *sdp;    /* OFFER, ANSWER */
	int status;         /* REFUSED: a SIP status, 488 unless our fault (500, 503) */
	const char *reason; /* REFUSED, FAILED, STEP: one sentence; RECORDED: one word */
	char digit;         /* DIGIT: '0' to '9', '*', '#', 'A' to 'D' */
	unsigned digit_ms;  /* DIGIT: how long it was pressed */
};

/* Engine thread. May call any media_ function, media_session_destroy() too. */
typedef void media_event_fn(struct media_session *session, const struct media_event *event,
			    void *arg);

/* Reads every sound the configuration names, from disk. What `before` has of
 * the same state of a file is shared (NULL: nothing). ret_findings: one
 * "file:line:column: error: ..." a line. 0, -EINVAL (findings), -ENOMEM.
 * Threads: any. */
int media_sounds_create(struct media_sounds **ret_sounds, const struct config *config,
			const struct media_sounds *before, struct str *ret_findings) MUST_CHECK;
struct media_sounds *media_sounds_destroy(struct media_sounds *sounds);
/* A reference of the caller's own; NULL if either is. */
struct media_sound *media_sounds_ref(const struct media_sounds *sounds,
				     const struct config_sound *named);
struct media_sound *media_sound_ref(struct media_sound *sound);   /* NULL fine */
struct media_sound *media_sound_unref(struct media_sound *sound); /* NULL fine; returns NULL */
unsigned media_sound_ms(const struct media_sound *sound);         /* how long it is */

/* The certificate that media.certificate and private_key name; NULL: none is
 * configured. Findings as above. Reads from disk. 0, -EINVAL (findings), -ENOMEM,
 * -EIO. Threads: any. */
int media_identity_create(struct dtls_identity **ret_identity, const struct config *config,
			  struct str *ret_findings) MUST_CHECK;
struct dtls_identity *media_identity_unref(struct dtls_identity *identity); /* NULL fine */

/* What media.stun and media.turn name; NULL: none. Findings as above. Reads passwords
 * from disk, asks nobody. 0, -EINVAL (findings), -ENOMEM, an error of eventfd(2).
 * Threads: any. */
int media_servers_create(struct ice_servers **ret_servers, const struct config *config,
			 struct str *ret_findings) MUST_CHECK;
struct ice_servers *media_servers_unref(struct ice_servers *servers); /* NULL fine */

struct media_address {
	const char *address;    /* literal address to bind and to put into SDP */
	const char *advertised; /* in SDP instead, of the same family; NULL: `address` */
};

struct media_engine_options {
	const char *address, *advertised; /* see above */
	/* ICE has candidates on these too; a side without it is on the one that its peer is
	 * reached from. */
	const struct media_address *others;
	unsigned other_count;
	uint16_t port_min, port_max; /* inclusive */
	unsigned threads;            /* at least 1 */
	struct processors cpus;      /* each thread stays on one, in turn; none: anywhere */
	bool ice_lite;               /* peers reach `address` directly: one port a thread for all */
	unsigned rtp_timeout_s;      /* 0: never */
	unsigned opus_complexity;    /* of what we encode, 0 to 10 */
	unsigned hold_timeout_s;     /* neither RTP nor RTCP from a side on hold; 0: never */
	/* It takes a reference. NULL: one is made, and renewed daily. */
	struct dtls_identity *identity;
	struct ice_servers *servers; /* of full agents; it takes a reference; NULL: none */
};

/* 0, -EINVAL (no address, advertised of another family, range empty, a processor that this
 * process may not use), -ENOMEM, -EIO (logged: an address that is not ours, crypto that
 * fails its self-test). Starts its threads. */
int media_engine_create(struct media_engine **ret_engine,
			const struct media_engine_options *options) MUST_CHECK;
/* Of sessions created from here on; NULL: one of the engine's own. */
void media_engine_use_identity(struct media_engine *engine, struct dtls_identity *identity);
/* The same; from here on it looks after these and no more after those before. NULL: none. */
void media_engine_use_servers(struct media_engine *engine, struct ice_servers *servers);
/* How much of media.ports cannot be had now, for the load (tas/load). */
unsigned media_engine_ports_percent(const struct media_engine *engine);
/* At which address of ours such a peer is offered media: the same number, the same address. */
unsigned media_engine_address(const struct media_engine *engine, const struct media_codecs *rules);
/* When the slowest of its threads was last seen at work; they turn at least once a
 * second. Any thread, while the engine lives. */
mono_ms media_engine_beat(const struct media_engine *engine);
/* All sessions must be destroyed before. Joins the threads. */
struct media_engine *media_engine_destroy(struct media_engine *engine);
/* Completes, in the background, the messages that a process that died left in a
 * folder. 0 or -ENOMEM. */
int media_recover(struct media_engine *engine, const char *folder) MUST_CHECK;
/* Removes, every hour, what was recorded into this folder more than so many days ago
 * (at least 1). 0 or -ENOMEM. */
int media_keep(struct media_engine *engine, const char *folder, unsigned days) MUST_CHECK;
int media_engine_fd(const struct media_engine *engine); /* readable: call media_engine_drain() */
void media_engine_drain(struct media_engine *engine);   /* delivers events */

struct media_session_options {
	enum media_leg_kind kind[2];
	struct media_local local; /* for the side whose kind is MEDIA_LEG_LOCAL */
	const char *name;         /* for logs: the call's id; copied */
	/* Codecs to offer from a local side, most wanted first: "PCMA", "PCMU",
	 * "telephone-event". Copied; 0: PCMA, PCMU, telephone-event. */
	const char *const *codecs;
	unsigned codec_count;
	struct media_codecs rules[2];
	/* The session takes the place of another in the same dialogs. `before`: the SDP
	 * that the peer of a side has of us, whose o= line goes on (RFC 3264 section
	 * 8); NULL: none. A certificate of its own makes the peer begin a new DTLS
	 * association instead of keeping the old one's keys (RFC 8842 section 4). */
	const char *before[2];
	bool replaces;
	/* What the peer of a side is sent goes on in the stream of that side of another
	 * session, borrowed for the call: SSRC, numbers, time. NULL: a new stream. */
	struct media_stream {
		const struct media_session *session;
		enum media_side side;
	} streams[2];
	bool steps; /* MEDIA_EV_STEP is wanted */
	media_event_fn *on_event;
	void *arg;
};

/* ret_session is set on success only. 0, -EINVAL, -ENOMEM, -ENOSPC (ports). */
int media_session_create(struct media_session **ret_session, struct media_engine *engine,
			 const struct media_session_options *options) MUST_CHECK;
/* NULL is fine; no event comes after it. Always returns NULL. */
struct media_session *media_session_destroy(struct media_session *session);

/* From now on both sides are recorded, side A left, side B right, until the session
 * ends; of `recording` beep and times mean nothing. It never holds a packet up: what
 * the disk is too slow for is left out and counted. The receipts of side A say what
 * became of it. 0 or -ENOMEM. */
int media_record(struct media_session *session, const struct media_recording *recording) MUST_CHECK;

/* 0, -EINVAL (out of order for offer/answer: programming or peer's mistake;
 * nothing changes), -ENOMEM. Refusals of the content come as MEDIA_EV_REFUSED. */
int media_offer(struct media_session *session, enum media_side from, const char *sdp) MUST_CHECK;
int media_answer(struct media_session *session, enum media_side from, const char *sdp) MUST_CHECK;
int media_start(struct media_session *session, enum media_side to) MUST_CHECK;
void media_rollback(struct media_session *session);
/* Both peers have answered for good. From now on one without ICE that sends no packet, RTP
 * or RTCP, for PLAIN_ANSWER_MS is sent nothing until it does: its SDP may name somebody
 * who has not asked for any of this. Before, early media may well be one-way. */
void media_established(struct media_session *session);
/* Where the peer's signalling turned out to be, "address" or "address:port", "[v6]:port":
 * media_codecs.near of this side; before its SDP. 0 or -ENOMEM. */
int media_near(struct media_session *session, enum media_side side, const char *near) MUST_CHECK;
/* A digit for the peer of `to`, in the way agreed with it: telephone-event, or a tone
 * where speech is converted anyway. 0, -EINVAL (no digit), -ENOMEM. */
int media_digit(struct media_session *session, enum media_side to, char digit,
		unsigned ms) MUST_CHECK;

/* When the peer of a side hears something of ours in place of silence. */
enum media_wait {
	MEDIA_WAIT_NOT,
	MEDIA_WAIT_ALWAYS, /* whenever nothing comes from the other side */
	MEDIA_WAIT_ON_HOLD /* and only while the other side has it on hold (a=sendonly) */
};
/* From now on: `sound` again and again (NULL: a ring-back tone), in the codec agreed. Half a
 * second after packets came from the other side they are heard instead. An agreement by
 * which the peer may be sent nothing (a=inactive) is kept. The session has a reference of
 * its own. 0 or -ENOMEM. */
int media_wait(struct media_session *session, enum media_side to, enum media_wait when,
	       struct media_sound *sound) MUST_CHECK;

/* Side B becomes another peer, or local with this to say, and what A was answered
 * stays in force: what B was is over, an offer it has not answered too. MEDIA_EV_OFFER
 * comes for the new B, of the codecs that A was told; if it is local,
 * MEDIA_EV_ANSWER for A, the same text again. `rules` are the new B's. `settled`: A has agreed
 * with us for good and learns of no B: what A may send is converted where B does not speak
 * it, MEDIA_EV_ANSWER says that B is heard and has the text A knows, and the offer that A
 * answered may have been ours. 0, -EINVAL (A has made no offer that was answered), -ENOMEM,
 * -ENOSPC. */
int media_turn(struct media_session *session, enum media_leg_kind kind,
	       const struct media_local *local, const struct media_codecs *rules,
	       bool settled) MUST_CHECK;

enum media_record_state {
	MEDIA_RECORD_NONE,
	MEDIA_RECORD_OPENING,
	MEDIA_RECORD_OPEN,
	MEDIA_RECORD_FAILED, /* no file could be made */
	MEDIA_RECORD_BROKEN, /* the disk takes no more */
	MEDIA_RECORD_CODEC   /* the codec agreed on is not decoded here */
};

struct media_receipt {
	uint64_t packets_in, packets_out; /* RTP, of this side's peer */
	uint64_t bytes_in, bytes_out;     /* RTP payload and header, decrypted */
	uint64_t rtcp_in, rtcp_out;
	uint64_t dropped_auth;   /* SRTP authentication or replay */
	uint64_t dropped_source; /* from an address not ICE-validated or latched */
	uint64_t dropped_other;
	uint64_t lost; /* by sequence numbers, RFC 3550 A.3 */
	uint64_t duplicates, reordered;
	unsigned jitter_us; /* between arrivals, RFC 3550 A.8 */
	unsigned gap_ms;    /* the longest without a packet between two, hold apart */
	unsigned rtt_us;    /* between us and the peer, from RTCP that passed; 0: not known */
	double mos;         /* of what arrived, estimated: quality_mos(); 0: nothing did */
	/* What the peer says it receives: over the whole way from the other end. */
	bool reported;
	int32_t reported_lost;     /* packets */
	unsigned reported_percent; /* lost between its last two reports */
	unsigned reported_jitter_us;
	mono_ms first_in_ms, last_in_ms; /* 0: never */
	char codec[16];                  /* "PCMA" */
	char profile[32];                /* "AEAD_AES_128_GCM", "" on plain RTP */
	char remote[64];                 /* address:port media goes to, "" unknown */
	enum media_leg_kind kind;
	bool agreed, sends; /* an answer is in force; it lets this side's peer send */
	bool ice_ok, dtls_ok;
	unsigned detected_hz; /* local side with detect: strongest tone, 0 none */
	unsigned recorded_ms; /* local side: of the message so far; 0: nothing heard */
	enum media_record_state record;
	uint64_t record_dropped; /* samples the disk was too slow for */
};
/* A snapshot of counters that the media thread keeps moving; lock-free. */
void media_receipt(const struct media_session *session, enum media_side side,
		   struct media_receipt *ret_receipt);

#endif
