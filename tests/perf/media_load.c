/* SPDX-License-Identifier: Apache-2.0 */
#include "media_load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/str.h"
#include "codec_cost.h"
#include "media/relay.h"
#include "media/sdp.h"

#define PERIOD_MS 20
#define BATCH     8
#define HEADER    12
#define QUIET_MS  100

void must(bool fine, const char *what)
{
	if (fine)
		return;
	(void)fprintf(stderr, "bench_media: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct codec_speech speeches[VOICE_KINDS];

static void open_leg(struct load *load, struct load_leg *leg, unsigned index,
		     const struct load_side *side)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = leg };
	union net_address address;
	socklen_t size = sizeof(address);

	must(net_parse("127.0.0.1", 0, &address) == 0, "address");
	leg->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	must(leg->fd >= 0 && bind(leg->fd, &address.any, net_size(&address)) == 0 &&
		     getsockname(leg->fd, &address.any, &size) == 0 &&
		     epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, leg->fd, &event) == 0,
	     "a phone's socket");
	leg->port = net_port(&address);
	leg->ssrc = 0x10000000 + index;
	leg->secure = side->secure;
	leg->voice = side->voice;
	must(!leg->secure || sdes_make(&leg->sdes) == 0, "keys");
}

void load_open(struct load *load, unsigned calls, const struct load_side sides[static 2])
{
	memset(load, 0, sizeof(*load));
	load->calls = calls;
	load->legs = calloc(calls * 2, sizeof(load->legs[0]));
	load->delays = calloc(LOAD_LATENESS_US + 1, sizeof(load->delays[0]));
	load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	must(load->legs && load->delays && load->epoll_fd >= 0, "load");
	for (unsigned i = 0; i < calls * 2; i++)
		open_leg(load, &load->legs[i], i, &sides[i % 2]);
	for (unsigned i = 0; i < 2; i++)
		if (sides[i].voice != VOICE_NONE && speeches[sides[i].voice].lengths[0] == 0)
			codec_speech_make(&speeches[sides[i].voice], sides[i].voice,
					  voice_rate(VOICE_OPUS, VOICE_PCMA));
}

void load_close(struct load *load)
{
	for (unsigned i = 0; i < load->calls * 2; i++) {
		srtp_pair_destroy(load->legs[i].srtp);
		sdes_wipe(&load->legs[i].sdes);
		close(load->legs[i].fd);
	}
	close(load->epoll_fd);
	free(load->legs);
	free(load->delays);
}

/* Side A offers GCM alone, side B answers with another cipher: rtpengine hands through
 * untouched what both sides encrypt alike. */
static const struct sdes_crypto *choose(struct load_leg *leg, const char *sdp, bool is_offer,
					struct media_desc **ret_desc)
{
	const char *why = "";

	if (sdp_parse(sdp, ret_desc, &why))
		(void)fprintf(stderr, "%s\n%s\n", why, sdp);
	must(*ret_desc != NULL, "the relay's SDP is not understood");
	for (unsigned i = 0; is_offer && i < (*ret_desc)->crypto_count; i++)
		if ((*ret_desc)->cryptos[i].suite == SRTP_SUITE_AES128_CM_SHA1_80)
			return &(*ret_desc)->cryptos[i];
	return sdes_choose(&leg->sdes, (*ret_desc)->cryptos, (*ret_desc)->crypto_count, is_offer);
}

static void agree(struct load_leg *leg, const char *sdp, bool we_offered)
{
	struct media_desc *desc = NULL;
	const struct sdes_crypto *theirs = choose(leg, sdp, !we_offered, &desc);
	enum sdes_change change;
	struct srtp_keys keys;

	if (leg->secure) {
		must(theirs && sdes_agree(&leg->sdes, theirs, we_offered, &change) == 0,
		     "no keys in the relay's SDP");
		sdes_keys(&leg->sdes, &keys);
		must(srtp_pair_create(&leg->srtp, &keys) == 0, "srtp");
	}
	sdp_free(desc);
}

uint8_t load_type(enum voice_kind voice)
{
	return voice == VOICE_OPUS ? 96 : 8;
}

char *load_describe(struct load_leg *leg, const char *offer)
{
	struct sdes_crypto lines[SDES_LINES_MAX];
	struct str text = { 0 };
	char *whole;

	str_addf(&text,
		 "v=0\r\no=- %u 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
		 "m=audio %u %s %u\r\n%s\r\n",
		 leg->ssrc, leg->port, leg->secure ? "RTP/SAVP" : "RTP/AVP", load_type(leg->voice),
		 leg->voice == VOICE_OPUS ? "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1"
					  : "a=rtpmap:8 PCMA/8000");
	if (leg->secure && offer)
		agree(leg, offer, /* we_offered= */ false);
	if (leg->secure && offer) {
		sdes_write(&text, &leg->sdes.ours);
	} else if (leg->secure) { /* one line: all subjects use the same cipher here */
		must(sdes_offer(&leg->sdes, lines) > 0, "keys");
		sdes_write(&text, &lines[0]);
	}
	whole = str_take(&text);
	must(whole != NULL, "memory");
	return whole;
}

void load_aim_at(struct load_leg *leg, uint16_t port)
{
	union net_address to;

	must(net_parse("127.0.0.1", port, &to) == 0 &&
		     connect(leg->fd, &to.any, net_size(&to)) == 0,
	     "connect");
}

void load_aim(struct load_leg *leg, const char *sdp, bool we_offered)
{
	struct media_desc *desc = NULL;

	(void)choose(leg, sdp, !we_offered, &desc);
	load_aim_at(leg, desc->port);
	sdp_free(desc);
	if (we_offered)
		agree(leg, sdp, we_offered);
}

/* When it was sent, and whose it is. Returns the bytes of the payload. */
static size_t fill_marked(const struct load_leg *leg, uint8_t *payload)
{
	uint64_t now = now_ns();

	memcpy(payload, &now, sizeof(now));
	memset(payload + sizeof(now), (int)(leg->ssrc & 0xff), LOAD_PACKET - HEADER - sizeof(now));
	return LOAD_PACKET - HEADER;
}

static size_t fill_speech(const struct load_leg *leg, uint8_t *payload)
{
	const struct codec_speech *speech = &speeches[leg->voice];
	unsigned at = leg->sent % CODEC_COST_KEPT;

	memcpy(payload, speech->payloads[at], speech->lengths[at]);
	return speech->lengths[at];
}

static void send_one(struct load *load, struct load_leg *leg)
{
	uint32_t step = leg->voice == VOICE_OPUS ? 960 : 160;
	uint8_t packet[RELAY_BUFFER] = { 0x80, load_type(leg->voice) };
	uint32_t fields[2] = { htonl(leg->sent * step), htonl(leg->ssrc) };
	size_t length = HEADER;

	packet[2] = (uint8_t)(leg->sent >> 8);
	packet[3] = (uint8_t)leg->sent;
	memcpy(packet + 4, fields, sizeof(fields));
	length += leg->voice == VOICE_NONE ? fill_marked(leg, packet + HEADER)
					   : fill_speech(leg, packet + HEADER);
	leg->sent++;
	must(!leg->srtp || srtp_pair_protect(leg->srtp, packet, &length) == 0, "protect");
	load->sent += send(leg->fd, packet, length, 0) == (ssize_t)length;
}

/* As the other leg of the call sent it. */
static bool is_whole(const struct load_leg *leg, const uint8_t *packet, size_t length)
{
	uint8_t fill = (uint8_t)((leg->ssrc ^ 1) & 0xff);

	if (leg->voice != VOICE_NONE)
		return length > HEADER && (packet[1] & 0x7f) == load_type(leg->voice);
	return length == LOAD_PACKET && packet[LOAD_PACKET - 1] == fill;
}

static void take(struct load *load, const struct load_leg *leg, uint8_t *packet, size_t length)
{
	uint64_t sent_ns, us;

	if (length < HEADER || wire_is_rtcp(packet))
		return;
	if ((leg->srtp && srtp_pair_unprotect(leg->srtp, packet, &length)) ||
	    !is_whole(leg, packet, length)) {
		load->damaged++;
		return;
	}
	load->received++;
	if (leg->voice != VOICE_NONE)
		return;
	memcpy(&sent_ns, packet + HEADER, sizeof(sent_ns));
	us = (now_ns() - sent_ns) / 1000;
	load->delays[us < LOAD_LATENESS_US ? us : LOAD_LATENESS_US]++;
}

/* Returns how many sockets had something. */
static int receive(struct load *load, int wait_ms)
{
	struct epoll_event events[64];
	int count = epoll_wait(load->epoll_fd, events, 64, wait_ms);

	for (int i = 0; i < count; i++) {
		struct load_leg *leg = events[i].data.ptr;
		uint8_t packet[RELAY_BUFFER];
		ssize_t length;

		while ((length = recv(leg->fd, packet, sizeof(packet), 0)) > 0)
			take(load, leg, packet, (size_t)length);
	}
	return count;
}

/* The slice of this millisecond sends in small groups, with reading in between:
 * the delay of a packet must not be that of the generator's own queue. */
static void send_slice(struct load *load, unsigned slice)
{
	unsigned since = 0;

	for (unsigned i = slice; i < load->calls * 2; i += PERIOD_MS) {
		send_one(load, &load->legs[i]);
		if (++since % BATCH == 0)
			(void)receive(load, 0);
	}
}

void load_run(struct load *load, mono_ms ms)
{
	uint64_t began = now_ns();

	for (mono_ms tick = 0; tick < ms; tick++) {
		uint64_t due = began + (uint64_t)tick * 1000000u;
		unsigned late_us;

		while (now_ns() < due)
			(void)receive(load, 0);
		late_us = (unsigned)((now_ns() - due) / 1000);
		load->late_us = late_us > load->late_us ? late_us : load->late_us;
		send_slice(load, (unsigned)(tick % PERIOD_MS));
	}
	while (load->legs[0].voice == VOICE_NONE && receive(load, QUIET_MS) > 0)
		; /* what is still on its way; a transcoder would go on making up for silence */
}

void load_forget(struct load *load)
{
	load->sent = load->received = load->damaged = 0;
	load->late_us = 0;
	memset(load->delays, 0, (LOAD_LATENESS_US + 1) * sizeof(load->delays[0]));
}

unsigned load_delay(const struct load *load, double share)
{
	uint64_t below = 0;
	unsigned us = 0;

	while (us < LOAD_LATENESS_US &&
	       (double)(below += load->delays[us]) < share * (double)load->received)
		us++;
	return us;
}
