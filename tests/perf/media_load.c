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
#define BATCH     16 /* packets of a system call */
#define GROUP_MAX 64 /* legs of a socket */
#define LEGS_NET  0x7f010000u
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

/* Bound to every address, so that it speaks for each of its legs. */
static void open_socket(struct load *load, struct load_group *group)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = group };
	union net_address address = { .v4 = { .sin_family = AF_INET } };
	socklen_t size = sizeof(address);
	int on = 1, bytes = 1 << 20;

	group->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	must(group->fd >= 0 && bind(group->fd, &address.any, net_size(&address)) == 0 &&
		     setsockopt(group->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0 &&
		     setsockopt(group->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0 &&
		     getsockname(group->fd, &address.any, &size) == 0 &&
		     epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, group->fd, &event) == 0,
	     "the phones' socket");
	group->port = net_port(&address);
}

unsigned load_index(const union net_address *address)
{
	return ntohl(address->v4.sin_addr.s_addr) & 0xffff;
}

static void open_leg(struct load_leg *leg, unsigned index, struct load_group *group,
		     const struct load_side *side)
{
	leg->group = group;
	leg->address.v4 = (struct sockaddr_in){ .sin_family = AF_INET,
						.sin_port = htons(group->port),
						.sin_addr.s_addr = htonl(LEGS_NET | index) };
	group->legs[group->count++] = leg;
	leg->ssrc = 0x10000000 + index;
	leg->secure = side->secure;
	leg->voice = side->voice;
	must(!leg->secure || sdes_make(&leg->sdes) == 0, "keys");
}

/* Every group is of one millisecond out of PERIOD_MS: a leg's slice is its number's rest. */
static void open_groups(struct load *load)
{
	unsigned in_slice = (load->calls * 2 + PERIOD_MS - 1) / PERIOD_MS;

	load->of_slice = (in_slice + GROUP_MAX - 1) / GROUP_MAX;
	load->groups = calloc(load->of_slice * PERIOD_MS, sizeof(load->groups[0]));
	must(load->groups != NULL, "load");
	for (unsigned i = 0; i < load->of_slice * PERIOD_MS; i++) {
		load->groups[i].legs = calloc(GROUP_MAX, sizeof(struct load_leg *));
		must(load->groups[i].legs != NULL, "load");
		open_socket(load, &load->groups[i]);
	}
}

void load_open(struct load *load, unsigned calls, const struct load_side sides[static 2])
{
	memset(load, 0, sizeof(*load));
	load->calls = calls;
	load->legs = calloc(calls * 2, sizeof(load->legs[0]));
	load->delays = calloc(LOAD_LATENESS_US + 1, sizeof(load->delays[0]));
	load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	must(load->legs && load->delays && load->epoll_fd >= 0, "load");
	open_groups(load);
	for (unsigned i = 0; i < calls * 2; i++)
		open_leg(&load->legs[i], i,
			 &load->groups[i % PERIOD_MS * load->of_slice + i / PERIOD_MS / GROUP_MAX],
			 &sides[i % 2]);
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
	}
	for (unsigned i = 0; i < load->of_slice * PERIOD_MS; i++) {
		close(load->groups[i].fd);
		free(load->groups[i].legs);
	}
	close(load->epoll_fd);
	free(load->groups);
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
	char host[NET_TEXT_ROOM];
	struct str text = { 0 };
	char *whole;

	net_host(&leg->address, host);
	str_addf(&text,
		 "v=0\r\no=- %u 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"
		 "m=audio %u %s %u\r\n%s\r\n",
		 leg->ssrc, host, leg->group->port, leg->secure ? "RTP/SAVP" : "RTP/AVP",
		 load_type(leg->voice),
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

void load_aim_at(struct load_leg *leg, const union net_address *to)
{
	leg->to = *to;
}

void load_aim(struct load_leg *leg, const char *sdp, bool we_offered)
{
	struct media_desc *desc = NULL;
	union net_address to;

	(void)choose(leg, sdp, !we_offered, &desc);
	must(net_parse("127.0.0.1", desc->port, &to) == 0, "address");
	load_aim_at(leg, &to);
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

/* Returns the packet's length. */
static size_t make_packet(struct load_leg *leg, uint8_t *packet)
{
	uint32_t step = leg->voice == VOICE_OPUS ? 960 : 160;
	uint32_t fields[2] = { htonl(leg->sent * step), htonl(leg->ssrc) };
	size_t length = HEADER;

	packet[0] = 0x80;
	packet[1] = load_type(leg->voice);
	packet[2] = (uint8_t)(leg->sent >> 8);
	packet[3] = (uint8_t)leg->sent;
	memcpy(packet + 4, fields, sizeof(fields));
	length += leg->voice == VOICE_NONE ? fill_marked(leg, packet + HEADER)
					   : fill_speech(leg, packet + HEADER);
	leg->sent++;
	must(!leg->srtp || srtp_pair_protect(leg->srtp, packet, &length) == 0, "protect");
	return length;
}

/* Room for the address of this machine that a packet is from or to. */
struct local {
	_Alignas(struct cmsghdr) uint8_t room[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

/* Some packets and where they are from and to. */
struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	struct local locals[BATCH];
	uint8_t packets[BATCH][RELAY_BUFFER];
};

static void prepare(struct batch *batch, unsigned i, size_t length)
{
	batch->parts[i] = (struct iovec){ batch->packets[i], length };
	batch->messages[i].msg_hdr = (struct msghdr){ .msg_iov = &batch->parts[i],
						      .msg_iovlen = 1,
						      .msg_control = batch->locals[i].room,
						      .msg_controllen = sizeof(struct local) };
}

static void address_one(struct batch *batch, unsigned i, struct load_leg *leg)
{
	struct in_pktinfo from = { .ipi_spec_dst = leg->address.v4.sin_addr };
	struct msghdr *header = &batch->messages[i].msg_hdr;
	struct cmsghdr *control = CMSG_FIRSTHDR(header);

	header->msg_name = &leg->to;
	header->msg_namelen = sizeof(leg->to.v4);
	*control = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(from)),
				     .cmsg_level = IPPROTO_IP,
				     .cmsg_type = IP_PKTINFO };
	memcpy(CMSG_DATA(control), &from, sizeof(from));
}

static void send_some(struct load *load, const struct load_group *group, unsigned from,
		      unsigned count)
{
	static struct batch batch;
	int sent;

	for (unsigned i = 0; i < count; i++) {
		struct load_leg *leg = group->legs[from + i];

		prepare(&batch, i, make_packet(leg, batch.packets[i]));
		address_one(&batch, i, leg);
	}
	sent = sendmmsg(group->fd, batch.messages, count, 0);
	load->sent += sent > 0 ? (uint64_t)sent : 0;
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

/* Whose the packet is: the leg of the address it was sent to. */
static struct load_leg *addressee(struct load *load, struct msghdr *header)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);
	union net_address to = { .v4 = { .sin_family = AF_INET } };
	struct in_pktinfo info;

	must(control && control->cmsg_type == IP_PKTINFO, "to whom a packet was sent");
	memcpy(&info, CMSG_DATA(control), sizeof(info));
	to.v4.sin_addr = info.ipi_addr;
	must(load_index(&to) < load->calls * 2, "a packet for no phone");
	return &load->legs[load_index(&to)];
}

static void receive_group(struct load *load, const struct load_group *group)
{
	static struct batch batch;
	int count;

	do {
		for (unsigned i = 0; i < BATCH; i++)
			prepare(&batch, i, sizeof(batch.packets[i]));
		count = recvmmsg(group->fd, batch.messages, BATCH, 0, NULL);
		for (int i = 0; i < count; i++)
			take(load, addressee(load, &batch.messages[i].msg_hdr), batch.packets[i],
			     batch.messages[i].msg_len);
	} while (count == BATCH);
}

/* Returns how many sockets had something. */
static int receive(struct load *load, int wait_ms)
{
	struct epoll_event events[64];
	int count = epoll_wait(load->epoll_fd, events, 64, wait_ms);

	for (int i = 0; i < count; i++)
		receive_group(load, events[i].data.ptr);
	return count;
}

/* The slice of this millisecond sends in small groups, with reading in between:
 * the delay of a packet must not be that of the generator's own queue. */
static void send_slice(struct load *load, unsigned slice)
{
	for (unsigned i = 0; i < load->of_slice; i++) {
		const struct load_group *group = &load->groups[slice * load->of_slice + i];

		for (unsigned from = 0; from < group->count; from += BATCH) {
			unsigned left = group->count - from;

			send_some(load, group, from, left < BATCH ? left : BATCH);
			(void)receive(load, 0);
		}
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
