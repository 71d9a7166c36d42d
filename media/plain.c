/* SPDX-License-Identifier: Apache-2.0 */
#include "media/plain.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "media/packets.h"
#include "media/ports.h"

#define CANDIDATE_SILENT_MS 200 /* then another address may apply */
#define CANDIDATE_GAP       25  /* packets: half a second */
#define CANDIDATE_PACKETS   5   /* that go on, at least: of the longest there are 8 */
#define DIGITS_GAP          25  /* packets: they may share the numbers of the speech */
#define RTP_HEADER          12  /* bytes, RFC 3550 5.1 */

/* Packets that a stream may have lost, or be late by. Source: RFC 3550 A.1. */
#define MAX_DROPOUT  3000
#define MAX_MISORDER 100

/* Its own sockets on one of our addresses. */
struct door {
	struct watch rtp, rtcp;
	struct plain *plain;
};

struct plain {
	struct relay_leg *leg; /* beside the seats, which are looked at first */
	struct hub_seat seats[2];
	struct hub *hub; /* NULL: the sockets are its own */
	unsigned host;   /* it sends from there */
	struct worker *worker;
	struct plain_latch latch;
	bool sealed;          /* only SRTP is taken and sent */
	bool expected, heard; /* plain_expect(); from the address in force */
	mono_ms answer_by;    /* expected: else it is sent nothing */
	void (*datagram)(const uint8_t *datagram, size_t length, void *arg); /* NULL: no DTLS */
	void *datagram_arg;
	unsigned door_count;
	struct door doors[];
};

void plain_latch_set(struct plain_latch *latch, const union net_address *rtp,
		     const union net_address *rtcp, bool mux, mono_ms now)
{
	const struct plain_latch before = *latch;

	latch->mux = mux;
	latch->named_rtcp = *rtcp;
	if (net_equal(rtp, &latch->named))
		return; /* a re-offer that moves nothing keeps what is locked */
	memset(latch, 0, sizeof(*latch));
	latch->learns = before.learns;
	latch->near = before.near;
	latch->named = *rtp;
	latch->named_rtcp = *rtcp;
	latch->mux = mux;
	latch->open_until = now + PLAIN_WINDOW_MS;
}

void plain_latch_answered(struct plain_latch *latch, mono_ms now)
{
	if (latch->lock == PLAIN_OPEN)
		latch->open_until = now + PLAIN_WINDOW_MS;
}

static bool may_learn(const struct plain_latch *latch, const union net_address *from, mono_ms now)
{
	if (latch->learns == MEDIA_LATCHING_OFF || latch->lock != PLAIN_OPEN ||
	    now > latch->open_until || latch->named.any.sa_family == AF_UNSPEC)
		return false;
	if (net_same_host(from, &latch->named))
		return true;
	return net_is_private(&latch->named) &&
	       (latch->learns == MEDIA_LATCHING_ANY || net_same_host(from, &latch->near));
}

static struct plain_place place_of(const uint8_t *packet)
{
	return (struct plain_place){ .ssrc = relay_word_at(packet + 8),
				     .sequence = (uint16_t)(packet[2] << 8 | packet[3]) };
}

/* Of one sender, without more of a gap than a moment on a radio network makes, late by no
 * more and any number of times: what a sprayer without an eye on the line cannot go on with. */
static bool goes_on(struct plain_latch *latch, const union net_address *from, const uint8_t *packet)
{
	struct plain_place here = place_of(packet);
	struct plain_stream *stream = &latch->speech;
	int16_t ahead = (int16_t)(here.sequence - stream->applicant.sequence);
	bool same = net_equal(from, &latch->candidate) && here.ssrc == stream->applicant.ssrc &&
		    ahead >= -CANDIDATE_GAP && ahead <= CANDIDATE_GAP;

	latch->candidate = *from;
	stream->sequential = same ? stream->sequential + (ahead > 0) : 0;
	if (!same || ahead > 0)
		stream->applicant = here;
	return same;
}

/* While another one applies. Whoever is where the peer's SIP comes from goes before others;
 * else of two neither is believed. */
static bool stands_back(struct plain_latch *latch, const union net_address *from, mono_ms now)
{
	bool here = net_same_host(from, &latch->near);
	bool there = net_same_host(&latch->candidate, &latch->near);

	if (latch->candidate.any.sa_family == AF_UNSPEC || net_equal(from, &latch->candidate) ||
	    now - latch->candidate_last >= CANDIDATE_SILENT_MS || (here && !there))
		return false;
	if (here == there)
		latch->candidate_first = now;
	return true;
}

static void lock(struct plain_latch *latch, enum plain_lock how, const union net_address *source)
{
	latch->lock = how;
	latch->source = *source;
	latch->speech.known = latch->digits.known = false; /* whatever it sends first */
	latch->speech.sequential = latch->digits.sequential = 0;
}

bool plain_latch_rtp(struct plain_latch *latch, const union net_address *from,
		     const uint8_t *packet, mono_ms now)
{
	if (latch->lock != PLAIN_OPEN && net_equal(from, &latch->source))
		return true;
	if (net_equal(from, &latch->named)) {
		lock(latch, PLAIN_NAMED, from);
		return true;
	}
	if (!may_learn(latch, from, now))
		return false;
	if (stands_back(latch, from, now))
		return false;
	if (!goes_on(latch, from, packet))
		latch->candidate_first = now;
	latch->candidate_last = now;
	if (now - latch->candidate_first < PLAIN_PROBATION_MS ||
	    latch->speech.sequential < CANDIDATE_PACKETS)
		return false;
	lock(latch, PLAIN_LEARNED, from);
	return true;
}

/* Its numbers go on from where the stream in force is: RFC 3550 A.1. */
static bool goes_with(const struct plain_stream *stream, struct plain_place here)
{
	uint16_t ahead = (uint16_t)(here.sequence - stream->newest.sequence);

	return stream->known && here.ssrc == stream->newest.ssrc &&
	       (ahead < MAX_DROPOUT || ahead > UINT16_MAX - MAX_MISORDER);
}

static bool keep_stream(struct plain_stream *stream, struct plain_place here, mono_ms now)
{
	if ((int16_t)(here.sequence - stream->newest.sequence) > 0 || !stream->known)
		stream->newest = here;
	stream->known = true;
	stream->heard_at = now;
	stream->sequential = 0;
	return true;
}

/* most: so far ahead the next packet of one in a row may be. A burst between two packets of
 * the stream in force is no end of it. */
static bool takes(struct plain_stream *stream, struct plain_place here, uint16_t most, mono_ms now)
{
	uint16_t ahead = (uint16_t)(here.sequence - stream->applicant.sequence);

	if (goes_with(stream, here))
		return keep_stream(stream, here, now);
	if (stream->sequential > 0 && here.ssrc == stream->applicant.ssrc && ahead > 0 &&
	    ahead <= most)
		stream->sequential++;
	else
		stream->sequential = 1;
	stream->applicant = here;
	if (stream->sequential < PLAIN_SEQUENTIAL ||
	    (stream->known && now - stream->heard_at < PLAIN_SILENT_MS))
		return false;
	stream->known = false; /* in the place of the one that has ended */
	return keep_stream(stream, here, now);
}

bool plain_latch_stream(struct plain_latch *latch, const uint8_t *packet, bool event, mono_ms now)
{
	struct plain_stream *speech = &latch->speech, *digits = &latch->digits;
	struct plain_place here = place_of(packet);

	if (event && !(speech->known && here.ssrc == speech->newest.ssrc)) {
		if (!speech->known && !digits->known)
			return keep_stream(digits, here, now);
		return takes(digits, here, DIGITS_GAP, now);
	}
	if (!speech->known)
		return keep_stream(speech, here, now);
	return takes(speech, here, /* most= */ 1, now);
}

bool plain_latch_admits(const struct plain_latch *latch, const union net_address *from, mono_ms now)
{
	if (net_equal(from, &latch->named))
		return true;
	return latch->lock == PLAIN_OPEN
		       ? latch->learns != MEDIA_LATCHING_OFF && now <= latch->open_until
		       : net_equal(from, &latch->source);
}

void plain_latch_proven(struct plain_latch *latch, const union net_address *from)
{
	if (!net_equal(from, &latch->source) || latch->lock == PLAIN_OPEN)
		lock(latch, net_equal(from, &latch->named) ? PLAIN_NAMED : PLAIN_LEARNED, from);
}

bool plain_latch_rtcp(const struct plain_latch *latch, const union net_address *from)
{
	return net_equal(from, &latch->named_rtcp) ||
	       (latch->lock != PLAIN_OPEN && net_same_host(from, &latch->source));
}

bool plain_latch_to(const struct plain_latch *latch, bool rtcp, union net_address *ret_to)
{
	if (latch->lock == PLAIN_LEARNED) {
		*ret_to = latch->source;
		if (rtcp && !latch->mux)
			net_set_port(ret_to, (uint16_t)(net_port(ret_to) + 1));
	} else {
		*ret_to = rtcp ? latch->named_rtcp : latch->named;
	}
	return ret_to->any.sa_family != AF_UNSPEC && net_port(ret_to) != 0 &&
	       !net_is_unspecified(ret_to);
}

static void show_source(struct plain *plain)
{
	union net_address to;
	char text[NET_TEXT_ROOM] = "";

	if (plain_latch_to(&plain->latch, /* rtcp= */ false, &to))
		net_format(&to, text);
	memcpy(plain->leg->receipt->texts.remote, text, sizeof(text));
	receipt_publish(plain->leg->receipt);
}

/* A packet was taken: somebody is there. */
static void hear(struct plain *plain)
{
	plain->heard = true;
}

static void prove(struct plain *plain, const union net_address *from)
{
	bool moved = !net_equal(from, &plain->latch.source);

	plain_latch_proven(&plain->latch, from);
	if (moved)
		show_source(plain);
}

static void hear_datagram(struct plain *plain, const uint8_t *datagram, size_t length)
{
	hear(plain);
	plain->datagram(datagram, length, plain->datagram_arg);
}

static void receive_dtls(struct plain *plain, const union net_address *from, const uint8_t *packet,
			 size_t length)
{
	/* A hello from anybody else is not even read (CVE-2023-51275 and its like). */
	if (!plain->datagram)
		receipt_add(&plain->leg->receipt->dropped_other, 1);
	else if (!net_equal(from, &plain->latch.named))
		receipt_add(&plain->leg->receipt->dropped_source, 1);
	else
		hear_datagram(plain, packet, length);
}

static void receive_sealed(struct plain *plain, bool rtcp_socket, const union net_address *from,
			   uint8_t *packet, size_t length)
{
	struct relay_leg *leg = plain->leg;
	bool rtcp = wire_is_rtcp(packet), apart = rtcp && !plain->latch.mux;

	if (rtcp_socket != apart ||
	    (apart ? !plain_latch_rtcp(&plain->latch, from)
		   : !plain_latch_admits(&plain->latch, from, worker_now(plain->worker))))
		receipt_add(&leg->receipt->dropped_source, 1);
	else if (relay_srtp(leg, packet, length)) {
		hear(plain);
		if (!apart)
			prove(plain, from);
	}
}

static void receive(struct plain *plain, bool rtcp_socket, const union net_address *from,
		    uint8_t *packet, size_t length)
{
	struct relay_leg *leg = plain->leg;
	bool rtcp;

	if (length > 0 && length <= RELAY_PACKET_MAX && wire_of(packet[0]) == WIRE_DTLS) {
		receive_dtls(plain, from, packet, length);
		return;
	}
	if (length < 2 || length > RELAY_PACKET_MAX || wire_of(packet[0]) != WIRE_RTP) {
		receipt_add(&leg->receipt->dropped_other, 1);
		return;
	}
	if (plain->sealed) {
		receive_sealed(plain, rtcp_socket, from, packet, length);
		return;
	}
	rtcp = rtcp_socket || (plain->latch.mux && wire_is_rtcp(packet));
	if (rtcp) {
		if (plain_latch_rtcp(&plain->latch, from)) {
			hear(plain);
			relay_rtcp(leg, packet, length);
		} else {
			receipt_add(&leg->receipt->dropped_source, 1);
		}
		return;
	}
	if (length < RTP_HEADER) {
		receipt_add(&leg->receipt->dropped_other, 1);
		return;
	}
	if (!plain_latch_rtp(&plain->latch, from, packet, worker_now(plain->worker))) {
		receipt_add(&leg->receipt->dropped_source, 1);
		return;
	}
	if (!plain_latch_stream(&plain->latch, packet, relay_is_event(leg, packet),
				worker_now(plain->worker))) {
		receipt_add(&leg->receipt->dropped_other, 1);
		return;
	}
	hear(plain);
	if (leg->first_pending)
		show_source(plain);
	relay_rtp(leg, packet, length);
}

static void on_rtp_packet(const union net_address *from, uint8_t *packet, size_t length, void *arg)
{
	receive(arg, /* rtcp_socket= */ false, from, packet, length);
}

static void on_rtcp_packet(const union net_address *from, uint8_t *packet, size_t length, void *arg)
{
	receive(arg, /* rtcp_socket= */ true, from, packet, length);
}

/* The way out goes by the address that the other side's latch has. */
static void look(unsigned step, const void *arg)
{
	const struct plain *plain = arg;
	const struct relay_leg *peer = plain->leg->peer;

	relay_look(plain->leg, step);
	if (step == 0)
		look_ahead(&plain->hub, sizeof(*plain) - offsetof(struct plain, hub));
	else if (step == RELAY_STEPS - 1 && peer->plain)
		look_ahead(&peer->plain->hub, sizeof(*plain) - offsetof(struct plain, hub));
}

static void on_rtp(struct watch *watch)
{
	struct plain *plain = CONTAINER_OF(watch, struct door, rtp)->plain;

	(void)packets_receive(worker_packets(plain->worker), watch->fd, 1, on_rtp_packet, plain);
}

static void on_rtcp(struct watch *watch)
{
	struct plain *plain = CONTAINER_OF(watch, struct door, rtcp)->plain;

	(void)packets_receive(worker_packets(plain->worker), watch->fd, 1, on_rtcp_packet, plain);
}

void plain_expect(struct plain *plain)
{
	if (plain->expected)
		return;
	plain->expected = true;
	plain->answer_by = clock_now() + PLAIN_ANSWER_MS;
	plain_latch_answered(&plain->latch, clock_now());
}

bool plain_is_mute(const struct plain *plain)
{
	return plain->expected && !plain->heard && clock_now() > plain->answer_by;
}

bool plain_reaches(const struct plain *plain)
{
	union net_address to;

	return !plain_is_mute(plain) && plain_latch_to(&plain->latch, /* rtcp= */ true, &to);
}

static bool send_to(const struct plain *plain, bool rtcp, const uint8_t *packet, size_t length)
{
	enum hub_port port = rtcp && !plain->latch.mux ? HUB_RTCP : HUB_RTP;
	const struct door *door;
	union net_address to;
	int fd;

	if (plain_is_mute(plain) || !plain_latch_to(&plain->latch, rtcp, &to))
		return false;
	if (plain->hub)
		return hub_send(plain->hub, plain->host, port, &to, packet, length);
	door = &plain->doors[plain->host];
	fd = port == HUB_RTCP ? door->rtcp.fd : door->rtp.fd;
	return sendto(fd, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL, &to.any, net_size(&to)) ==
	       (ssize_t)length;
}

static void plain_send_rtp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	relay_count_out(leg, length, send_to(leg->plain, /* rtcp= */ false, packet, length));
}

static void plain_send_rtcp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	bool sent = send_to(leg->plain, /* rtcp= */ true, packet, length);

	receipt_add(sent ? &leg->receipt->rtcp_out : &leg->receipt->dropped_other, 1);
}

static const struct relay_ops relay_ops_plain = { plain_send_rtp, plain_send_rtcp };

static void sealed_send_rtp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	size_t sealed = length;
	bool sent = srtp_pair_protect(leg->srtp, packet, &sealed) == 0 &&
		    send_to(leg->plain, /* rtcp= */ false, packet, sealed);

	relay_count_out(leg, length, sent);
}

static void sealed_send_rtcp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	size_t sealed = length;

	if (srtp_pair_protect_rtcp(leg->srtp, packet, &sealed) == 0)
		plain_send_rtcp(leg, packet, sealed);
	else
		receipt_add(&leg->receipt->dropped_other, 1);
}

static const struct relay_ops relay_ops_sealed = { sealed_send_rtp, sealed_send_rtcp };

static int watch_own(struct plain *plain, int (*fds)[2])
{
	int err = 0;

	for (unsigned i = 0; i < plain->door_count && !err; i++) {
		struct door *door = &plain->doors[i];

		door->plain = plain;
		door->rtp = (struct watch){ .fd = fds[i][0], .readable = on_rtp };
		door->rtcp = (struct watch){ .fd = fds[i][1], .readable = on_rtcp };
		err = worker_watch(plain->worker, &door->rtp);
		if (!err)
			err = worker_watch(plain->worker, &door->rtcp);
	}
	return err;
}

static void close_own(struct plain *plain)
{
	for (unsigned i = 0; i < plain->door_count; i++) {
		close(plain->doors[i].rtp.fd); /* leaves the epoll set with it */
		close(plain->doors[i].rtcp.fd);
	}
}

static void take_seats(struct plain *plain)
{
	plain->seats[HUB_RTP] = (struct hub_seat){
		.port = HUB_RTP, .take = on_rtp_packet, .look = look, .arg = plain
	};
	plain->seats[HUB_RTCP] = (struct hub_seat){
		.port = HUB_RTCP, .take = on_rtcp_packet, .look = look, .arg = plain
	};
}

int plain_create(struct plain **ret_plain, struct worker *worker, struct relay_leg *leg,
		 struct hub *hub, int (*take_fds)[2], unsigned count)
{
	unsigned doors = hub ? 0 : count;
	struct plain *plain = calloc(1, sizeof(*plain) + doors * sizeof(plain->doors[0]));
	int err = plain ? 0 : -ENOMEM;

	if (plain) {
		plain->worker = worker;
		plain->leg = leg;
		plain->hub = hub;
		plain->door_count = doors;
		take_seats(plain);
		err = watch_own(plain, take_fds);
	}
	if (err) {
		ports_close(take_fds, doors);
		free(plain);
		return err;
	}
	*ret_plain = plain;
	return 0;
}

struct plain *plain_destroy(struct plain *plain)
{
	if (!plain)
		return NULL;
	hub_leave(&plain->seats[HUB_RTP]);
	hub_leave(&plain->seats[HUB_RTCP]);
	close_own(plain);
	free(plain);
	return NULL;
}

void plain_set_latching(struct plain *plain, enum media_latching learns)
{
	plain->latch.learns = learns;
}

void plain_set_near(struct plain *plain, const char *host)
{
	char text[NET_TEXT_ROOM];
	const char *colon = strchr(host, ':');
	size_t length = strlen(host);

	if (*host == '[') /* "[v6]:port" */
		length = strcspn(++host, "]");
	else if (colon && colon == strrchr(host, ':')) /* "v4:port" */
		length = (size_t)(colon - host);
	(void)snprintf(text, sizeof(text), "%.*s", (int)length, host);
	if (net_parse(text, 0, &plain->latch.near))
		plain->latch.near.any.sa_family = AF_UNSPEC;
}

void plain_set_host(struct plain *plain, unsigned host)
{
	plain->host = host;
}

/* RTCP of a peer that another one's RTCP comes from too is not heard; it is no reason to
 * have no call. */
static int sit(struct plain *plain, const struct media_desc *remote, uint64_t dialog)
{
	struct hub_seat *rtp = &plain->seats[HUB_RTP], *rtcp = &plain->seats[HUB_RTCP];
	int err;

	rtp->dialog = rtcp->dialog = dialog;
	err = hub_sit(plain->hub, rtp, &remote->rtp);
	if (!err && (remote->rtcp_mux || hub_sit(plain->hub, rtcp, &remote->rtcp)))
		hub_leave(rtcp);
	return err;
}

int plain_set_remote(struct plain *plain, const struct media_desc *remote, bool sealed,
		     uint64_t dialog)
{
	const union net_address before = plain->latch.named;
	int err = plain->hub ? sit(plain, remote, dialog) : 0;

	if (err)
		return err;
	plain_latch_set(&plain->latch, &remote->rtp, &remote->rtcp, remote->rtcp_mux, clock_now());
	if (!net_equal(&remote->rtp, &before)) {
		plain->heard = false;
		plain->answer_by = clock_now() + PLAIN_ANSWER_MS;
	}
	plain->sealed = sealed;
	if (!sealed)
		plain->leg->ops = &relay_ops_plain;
	show_source(plain);
	return 0;
}

void plain_seal(struct plain *plain)
{
	plain->leg->ops = &relay_ops_sealed;
}

void plain_set_dtls(struct plain *plain,
		    void (*datagram)(const uint8_t *datagram, size_t length, void *arg), void *arg)
{
	plain->datagram = datagram;
	plain->datagram_arg = arg;
}

bool plain_send(struct plain *plain, const uint8_t *datagram, size_t length)
{
	return send_to(plain, /* rtcp= */ false, datagram, length);
}
