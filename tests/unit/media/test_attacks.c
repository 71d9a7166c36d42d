/* SPDX-License-Identifier: Apache-2.0 */
/* test_attacks.c - one live session, and somebody who means ill, at full numbers.
 *
 * Both parties of the session are sockets of this test, with the keys of their own: so an
 * attacker can have a party's very address, or even its keys. Whatever he does, each packet
 * of the right one arrives at the other end, no other does, and no line is logged. And what is
 * unusual but right, digits under an SSRC of their own, arrives too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <malloc.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "media/media.h"
#include "media/relay.h"
#include "media/sdes.h"
#include "media/sdp.h"

#define PATIENCE_MS 20000
#define PAYLOAD     160 /* bytes: 20 ms of G.711 */
#define BURST       100 /* bad packets that a socket has room for before a good one */

struct end {
	int fd;
	struct sockaddr_in own, relay; /* where it is, and what was told it */
	uint16_t sequence;
	struct sdes sdes;
	struct srtp_pair *srtp; /* NULL: in the clear */
};

static struct media_engine *engine;
static struct media_session *session;
static struct end ends[2];
static char texts[MEDIA_EV_COUNT][2][8192];
static unsigned counts[MEDIA_EV_COUNT];
static int status; /* of what was refused last */
static _Atomic unsigned lines;

static void on_line(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level;
	(void)area;
	(void)line;
	(void)arg;
	lines++;
}

static void on_event(struct media_session *of, const struct media_event *event, void *arg)
{
	(void)of;
	(void)arg;
	counts[event->type]++;
	status = event->status;
	if (event->sdp)
		(void)snprintf(texts[event->type][event->side], sizeof(texts[0][0]), "%s",
			       event->sdp);
}

static void turn(mono_ms deadline)
{
	struct pollfd wait = { .fd = media_engine_fd(engine), .events = POLLIN };

	assert_true((mono_ms)(clock_now_ns() / 1000000u) < deadline);
	(void)poll(&wait, 1, 5);
	media_engine_drain(engine);
}

static mono_ms deadline(void)
{
	return (mono_ms)(clock_now_ns() / 1000000u) + PATIENCE_MS;
}

static void await(enum media_event_type type)
{
	mono_ms until = deadline();

	while (counts[type] == 0)
		turn(until);
}

static struct media_receipt receipt(enum media_side side)
{
	struct media_receipt read;

	media_receipt(session, side, &read);
	return read;
}

/* ---- the parties ---- */

static int open_socket(struct sockaddr_in *ret_own)
{
	socklen_t size = sizeof(*ret_own);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*ret_own = (struct sockaddr_in){ .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)ret_own, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_own, &size), 0);
	return fd;
}

/* host: NULL: where it is. */
static const char *text_of(struct end *end, const char *host, const char *proto, const char *keys)
{
	static char text[1024];

	(void)snprintf(text, sizeof(text),
		       "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"
		       "m=audio %u %s 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
		       "a=rtpmap:101 telephone-event/8000\r\na=rtcp-mux\r\n%s",
		       host ? host : "127.0.0.1", ntohs(end->own.sin_port), proto, keys);
	return text;
}

static void learn(struct end *end, const char *text)
{
	struct media_desc *desc;
	const char *why;

	assert_int_equal(sdp_parse(text, &desc, &why), 0);
	end->relay = desc->rtp.v4;
	if (desc->crypto_count > 0) {
		enum sdes_change change;
		struct srtp_keys keys;

		assert_int_equal(sdes_agree(&end->sdes,
					    sdes_choose(&end->sdes, desc->cryptos,
							desc->crypto_count, /* is_offer= */ false),
					    /* we_offered= */ true, &change),
				 0);
		sdes_keys(&end->sdes, &keys);
		assert_int_equal(srtp_pair_create(&end->srtp, &keys), 0);
	}
	sdp_free(desc);
}

static void offer(bool sealed, const char *host)
{
	struct sdes_crypto crypto[SDES_LINES_MAX];
	struct str keys = { 0 };
	uint8_t count = 0;

	if (sealed) {
		assert_int_equal(sdes_make(&ends[MEDIA_A].sdes), 0);
		count = sdes_offer(&ends[MEDIA_A].sdes, crypto);
	}
	for (uint8_t i = 0; i < count; i++)
		sdes_write(&keys, &crypto[i]);
	assert_int_equal(media_offer(session, MEDIA_A,
				     text_of(&ends[MEDIA_A], host, sealed ? "RTP/SAVP" : "RTP/AVP",
					     sealed ? keys.text : "")),
			 0);
	str_done(&keys);
}

/* A call from A, with SRTP or without, to B without. */
static void begin(bool sealed, const char *host)
{
	const struct media_session_options options = {
		.kind = { sealed ? MEDIA_LEG_SDES : MEDIA_LEG_RTP, MEDIA_LEG_RTP },
		.name = "attacked",
		.on_event = on_event
	};

	memset(counts, 0, sizeof(counts));
	memset(ends, 0, sizeof(ends));
	for (unsigned i = 0; i < 2; i++)
		ends[i].fd = open_socket(&ends[i].own);
	assert_int_equal(media_session_create(&session, engine, &options), 0);
	offer(sealed, host);
	await(MEDIA_EV_OFFER);
	learn(&ends[MEDIA_B], texts[MEDIA_EV_OFFER][MEDIA_B]);
	assert_int_equal(
		media_answer(session, MEDIA_B, text_of(&ends[MEDIA_B], NULL, "RTP/AVP", "")), 0);
	await(MEDIA_EV_ANSWER);
	learn(&ends[MEDIA_A], texts[MEDIA_EV_ANSWER][MEDIA_A]);
	lines = 0;
}

static void finish(void)
{
	assert_int_equal(lines, 0);
	assert_int_equal(counts[MEDIA_EV_FAILED] + counts[MEDIA_EV_SILENT], 0);
	media_session_destroy(session);
	for (unsigned i = 0; i < 2; i++) {
		close(ends[i].fd);
		srtp_pair_destroy(ends[i].srtp);
	}
}

/* ---- packets ---- */

static size_t make(uint8_t *packet, uint16_t sequence, uint32_t ssrc, uint32_t number)
{
	uint32_t word = htonl(ssrc);

	memset(packet, 0x2a, RELAY_BUFFER);
	packet[0] = 0x80;
	packet[1] = 8;
	packet[2] = (uint8_t)(sequence >> 8);
	packet[3] = (uint8_t)sequence;
	memset(packet + 4, 0, 4);
	memcpy(packet + 8, &word, sizeof(word));
	memcpy(packet + 12, &number, sizeof(number));
	return 12 + PAYLOAD;
}

static void send_from(int fd, const struct end *towards, const uint8_t *packet, size_t length)
{
	assert_int_equal(sendto(fd, packet, length, 0, (const struct sockaddr *)&towards->relay,
				sizeof(towards->relay)),
			 (ssize_t)length);
}

/* Returns its length as it was sent, which is in `ret_packet`. */
static size_t say(struct end *end, uint32_t ssrc, uint32_t number,
		  uint8_t ret_packet[static RELAY_BUFFER])
{
	size_t length = make(ret_packet, end->sequence++, ssrc, number);

	if (end->srtp)
		assert_int_equal(srtp_pair_protect(end->srtp, ret_packet, &length), 0);
	send_from(end->fd, end, ret_packet, length);
	return length;
}

/* The number in the next packet that comes to it. */
static uint32_t hear(struct end *end)
{
	struct pollfd wait = { .fd = end->fd, .events = POLLIN };
	uint8_t packet[RELAY_BUFFER];
	uint32_t number;
	size_t length;
	ssize_t n;

	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	n = recv(end->fd, packet, sizeof(packet), 0);
	length = n > 0 ? (size_t)n : 0;
	if (end->srtp)
		assert_int_equal(srtp_pair_unprotect(end->srtp, packet, &length), 0);
	assert_int_equal(length, 12 + PAYLOAD);
	memcpy(&number, packet + 12, sizeof(number));
	return number;
}

static bool hears_nothing(int fd)
{
	uint8_t byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0;
}

/* What is there already; each is the right one's, number 1. */
static unsigned heard_right(struct end *end)
{
	struct pollfd wait = { .fd = end->fd, .events = POLLIN };
	unsigned right = 0;

	for (; poll(&wait, 1, 0) == 1; right++)
		assert_int_equal(hear(end), 1);
	return right;
}

/* A packet of A's crosses: what was sent before it has been read. */
static void crosses(uint32_t number)
{
	uint8_t packet[RELAY_BUFFER];

	(void)say(&ends[MEDIA_A], 77, number, packet);
	assert_int_equal(hear(&ends[MEDIA_B]), number);
}

/* ---- the attacks ---- */

/* RTP and RTCP of the stream that is there, from the very address; FreeSWITCH up to 1.10.6
 * hung up after a hundred (CVE-2021-41105). */
static void a_hundred_thousand_forged_packets_cost_no_audio(void **state)
{
	enum { FORGED = 100000 };
	uint8_t packet[RELAY_BUFFER];
	uint64_t began;
	double seconds;

	(void)state;
	begin(/* sealed= */ true, NULL);
	crosses(0);
	began = clock_now_ns();
	for (uint32_t n = 1; n <= FORGED; n++) {
		size_t length = make(packet, (uint16_t)(ends[MEDIA_A].sequence + n % 64), 77, n);

		packet[1] = n % 4 == 0 ? 200 : 8;
		send_from(ends[MEDIA_A].fd, &ends[MEDIA_A], packet, length + 16);
		if (n % BURST == 0)
			crosses(n / BURST);
	}
	seconds = (double)(clock_now_ns() - began) / 1e9;
	print_message("%.0f forged packets a second, none of %u lost\n", FORGED / seconds,
		      FORGED / BURST);
	assert_int_equal(receipt(MEDIA_A).dropped_auth, FORGED);
	assert_int_equal(receipt(MEDIA_A).packets_in, 1 + FORGED / BURST);
	assert_int_equal(receipt(MEDIA_A).lost, 0);
	assert_true(hears_nothing(ends[MEDIA_B].fd));
	finish();
}

static void ten_thousand_replayed_packets_reach_nobody(void **state)
{
	enum { RECORDED = 10000 };
	static struct {
		uint8_t bytes[RELAY_BUFFER];
		size_t length;
	} tape[RECORDED];

	(void)state;
	begin(/* sealed= */ true, NULL);
	for (uint32_t n = 0; n < RECORDED; n++) {
		tape[n].length = say(&ends[MEDIA_A], 77, n, tape[n].bytes);
		assert_int_equal(hear(&ends[MEDIA_B]), n);
	}
	for (uint32_t n = 0; n < RECORDED; n++) {
		send_from(ends[MEDIA_A].fd, &ends[MEDIA_A], tape[n].bytes, tape[n].length);
		if (n % BURST == 0)
			crosses(RECORDED + n);
	}
	crosses(2 * RECORDED);
	assert_int_equal(receipt(MEDIA_A).dropped_auth, RECORDED);
	assert_true(hears_nothing(ends[MEDIA_B].fd));
	finish();
}

static size_t heap(void)
{
	return mallinfo2().uordblks;
}

/* Forged ones cost nothing; of a peer that has the keys no more pass than are kept. */
static void of_65536_sources_few_pass_and_nothing_grows(void **state)
{
	enum { SOURCES = 65536 };
	uint8_t packet[RELAY_BUFFER];
	unsigned others = 0;
	size_t before;

	(void)state;
	begin(/* sealed= */ true, NULL);
	crosses(0);
	before = heap();
	for (uint32_t n = 1; n <= SOURCES; n++) {
		size_t length = make(packet, 1, 1000 + n, n);

		send_from(ends[MEDIA_A].fd, &ends[MEDIA_A], packet, length + 16);
		if (n % BURST == 0)
			crosses(n);
	}
	crosses(0);
	assert_int_equal(receipt(MEDIA_A).dropped_auth, SOURCES);
	assert_true(heap() < before + 4096);

	/* Its own pair is as bounded as ours: a new one for each few. */
	for (uint32_t n = 1; n <= SOURCES; n++) {
		struct srtp_keys keys;
		size_t length = make(packet, 1, 100000 + n, SOURCES + n);
		static struct srtp_pair *thief;

		if (n % SRTP_STREAMS_MAX == 1) {
			sdes_keys(&ends[MEDIA_A].sdes, &keys);
			srtp_pair_destroy(thief);
			assert_int_equal(srtp_pair_create(&thief, &keys), 0);
		}
		assert_int_equal(srtp_pair_protect(thief, packet, &length), 0);
		send_from(ends[MEDIA_A].fd, &ends[MEDIA_A], packet, length);
		if (n == SOURCES)
			srtp_pair_destroy(thief);
		if (n % BURST != 0 && n != SOURCES)
			continue;
		(void)say(&ends[MEDIA_A], 77, 0, packet);
		while (hear(&ends[MEDIA_B]) != 0)
			others++;
	}
	print_message("%u of %u sources with the right keys passed\n", others, SOURCES);
	assert_int_equal(others, SRTP_STREAMS_MAX - 1); /* and the first one */
	assert_true(heap() < before + (size_t)SRTP_STREAMS_MAX * 4096);
	assert_true(hears_nothing(ends[MEDIA_B].fd));
	finish();
}

/* Each shorter than what it says it is, and all lengths that are too short for any:
 * Asterisk's AST-2017-008 read four bytes of nothing. */
static void short_and_lying_rtcp_is_dropped_and_counted(void **state)
{
	uint8_t packet[64];
	unsigned sent = 0;

	(void)state;
	begin(/* sealed= */ false, NULL);
	crosses(0);
	for (unsigned type = 192; type <= 223; type++) {
		for (size_t length = 0; length <= 12; length++) {
			for (unsigned words = 2; words < 256; words += 11) {
				memset(packet, 0, sizeof(packet));
				packet[0] = 0x81;
				packet[1] = (uint8_t)type;
				packet[3] = (uint8_t)(length < 12 ? words - 2 : words + 1);
				if (length == 8 && packet[3] == 1)
					continue; /* that one is whole */
				send_from(ends[MEDIA_A].fd, &ends[MEDIA_A], packet, length);
				if (++sent % BURST == 0)
					crosses(sent);
			}
		}
	}
	crosses(0);
	assert_int_equal(receipt(MEDIA_A).dropped_other, sent);
	assert_int_equal(receipt(MEDIA_A).rtcp_in, 0);
	finish();
}

/* RTP bleed (CVE-2025-53399): the attacker is there from the first moment, the right one
 * comes after 0.2 s; 8 s with 50 packets a second of each. `host` in the SDP: NULL, or one
 * that nobody can send from, so that the right one has to be learned. */
static void bled(const char *host, bool ret_hears_right[static 1])
{
	struct sockaddr_in own;
	int thief = open_socket(&own);
	uint8_t packet[RELAY_BUFFER];
	unsigned right = 0;

	clock_fake_set(clock_now());
	begin(/* sealed= */ false, host);
	for (unsigned ms = 0; ms < 8000; ms += 20, clock_fake_advance(20)) {
		uint64_t before[2] = { receipt(MEDIA_A).dropped_source,
				       receipt(MEDIA_A).packets_in };
		mono_ms until = deadline();
		unsigned sent = 1;

		send_from(thief, &ends[MEDIA_A], packet,
			  make(packet, (uint16_t)(ms / 20), 66, 666));
		if (ms >= 200) {
			(void)say(&ends[MEDIA_A], 77, 1, packet);
			sent++;
		}
		while (receipt(MEDIA_A).dropped_source - before[0] + receipt(MEDIA_A).packets_in -
			       before[1] <
		       sent)
			turn(until);
		(void)say(&ends[MEDIA_B], 88, 2, packet); /* it bleeds, if to anybody */
		right += heard_right(&ends[MEDIA_B]);
	}
	print_message("%s: the right one was heard %u times, the thief 0\n",
		      host ? host : "an address that is right", right);
	assert_true(hears_nothing(thief));
	*ret_hears_right = right > 0;
	assert_int_equal(receipt(MEDIA_A).packets_in, right);
	close(thief);
	finish();
	clock_real();
}

static void a_thief_who_is_there_first_hears_nothing_and_is_not_heard(void **state)
{
	bool heard;

	(void)state;
	bled(NULL, &heard);
	assert_true(heard);
	bled("10.255.255.254", &heard);
}

/* A packet of a digit under that SSRC, whose payload type is `type`. */
static void press(int fd, struct end *end, uint8_t type, uint32_t ssrc, uint16_t sequence,
		  unsigned duration)
{
	uint8_t packet[RELAY_BUFFER];
	size_t length = 16;

	(void)make(packet, sequence, ssrc, 0);
	packet[1] = type;
	packet[7] = 99; /* its time */
	memcpy(packet + 12, (uint8_t[]){ 5, 10, (uint8_t)(duration >> 8), (uint8_t)duration }, 4);
	if (end->srtp && fd == end->fd)
		assert_int_equal(srtp_pair_protect(end->srtp, packet, &length), 0);
	send_from(fd, end, packet, length);
}

/* Up to speech with that number B hears one stream, ours: so many packets of one digit. */
static unsigned digits_until(uint32_t number)
{
	struct pollfd wait = { .fd = ends[MEDIA_B].fd, .events = POLLIN };
	uint8_t first[12], packet[RELAY_BUFFER];
	uint32_t said = 0, digit_at = 0;
	unsigned digits = 0;

	for (uint16_t i = 0; said != number; i++) {
		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		bool digit = recv(wait.fd, packet, sizeof(packet), 0) == 16;

		if (i == 0)
			memcpy(first, packet, sizeof(first));
		assert_memory_equal(packet + 8, first + 8, 4);
		assert_int_equal((uint16_t)(packet[2] << 8 | packet[3]),
				 (uint16_t)((first[2] << 8 | first[3]) + i));
		if (!digit) {
			memcpy(&said, packet + 12, sizeof(said));
			continue;
		}
		assert_int_equal(packet[1] & 0x7f, 101);
		if (digits++ == 0)
			digit_at = relay_word_at(packet + 4);
		assert_int_equal(relay_word_at(packet + 4), digit_at);
	}
	return digits;
}

/* Gateways do so while the speech goes on. Somebody elsewhere does the same, and one that can
 * forge the very address does it with what was not agreed for digits. */
static unsigned pressed_beside_the_speech(bool sealed)
{
	enum { PACKETS = 40 };
	struct sockaddr_in own;
	int thief = open_socket(&own);
	uint8_t packet[RELAY_BUFFER];
	unsigned digits;

	begin(sealed, NULL);
	for (uint16_t i = 0; i < PACKETS; i++) {
		mono_ms until = deadline();
		uint64_t sent = 4u * (i + 1), dropped = 0;

		(void)say(&ends[MEDIA_A], 77, 1, packet);
		press(ends[MEDIA_A].fd, &ends[MEDIA_A], 101, 78, i, 160u * i);
		press(thief, &ends[MEDIA_A], 101, 79, i, 160u * i);
		press(ends[MEDIA_A].fd, &ends[MEDIA_A], 100, 80, i, 160u * i);
		while (receipt(MEDIA_A).packets_in + dropped < sent) {
			struct media_receipt now = receipt(MEDIA_A);

			/* Under SRTP the last of them is authentic, and then of no use. */
			dropped = now.dropped_source + (sealed ? 0 : now.dropped_other);
			turn(until);
		}
	}
	(void)say(&ends[MEDIA_A], 77, 2, packet);
	digits = digits_until(2);
	assert_int_equal(receipt(MEDIA_A).dropped_source, PACKETS);
	assert_int_equal(receipt(MEDIA_A).lost, 0);
	close(thief);
	finish();
	return digits;
}

static void digits_of_another_ssrc_arrive_in_our_one_stream(void **state)
{
	(void)state;
	assert_int_equal(pressed_beside_the_speech(/* sealed= */ false), 38);
	assert_int_equal(pressed_beside_the_speech(/* sealed= */ true), 40);
}

static void hostile_addresses_get_no_packet(void **state)
{
	static const char *const addresses[] = {
		"IN IP4 224.0.0.1",
		"IN IP4 239.255.255.255",
		"IN IP4 224.2.1.1/127/3",
		"IN IP4 240.0.0.1",
		"IN IP4 255.255.255.255",
		"IN IP4 127.0.0.1%lo",
		"IN IP4 0177.0.0.1",
		"IN IP4 0x7f000001",
		"IN IP4 2130706433",
		"IN IP4 127.1",
		"IN IP4 1.2.3.4.5",
		"IN IP4 media.example.com",
		"IN IP4 256.1.1.1",
		"IN IP4 -1.2.3.4",
		"IN IP4 localhost",
		"IN IP4 ::1",
		"IN IP4 ",
		"IN IP6 ::ffff:224.0.0.1",
		"IN IP6 ff02::1",
		"IN IP6 ::1",
		"IN IP5 127.0.0.1",
		"ATM NSAP 47",
	};
	const struct media_session_options options = { .kind = { MEDIA_LEG_RTP, MEDIA_LEG_LOCAL },
						       .local.tone_hz = 440,
						       .name = "hostile",
						       .on_event = on_event };
	char text[256];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
		memset(counts, 0, sizeof(counts));
		assert_int_equal(media_session_create(&session, engine, &options), 0);
		(void)snprintf(text, sizeof(text),
			       "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=%s\r\nt=0 0\r\n"
			       "m=audio 4000 RTP/AVP 8\r\n",
			       addresses[i]);
		assert_int_equal(media_offer(session, MEDIA_A, text), 0);
		while (counts[MEDIA_EV_REFUSED] == 0) {
			if (counts[MEDIA_EV_ANSWER] > 0)
				fail_msg("c=%s was taken", addresses[i]);
			turn(deadline());
		}
		assert_int_equal(status, 488);
		assert_int_equal(receipt(MEDIA_A).packets_out, 0);
		media_session_destroy(session);
	}
}

static int start(void **state)
{
	const struct media_engine_options options = {
		.address = "127.0.0.1", .port_min = 22800, .port_max = 22999, .threads = 1
	};

	(void)state;
	log_set_sink(on_line, NULL);
	log_set_level(LOG_LEVEL_INFO);
	return media_engine_create(&engine, &options);
}

static int stop(void **state)
{
	(void)state;
	media_engine_destroy(engine);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_thousand_forged_packets_cost_no_audio),
		cmocka_unit_test(ten_thousand_replayed_packets_reach_nobody),
		cmocka_unit_test(of_65536_sources_few_pass_and_nothing_grows),
		cmocka_unit_test(short_and_lying_rtcp_is_dropped_and_counted),
		cmocka_unit_test(a_thief_who_is_there_first_hears_nothing_and_is_not_heard),
		cmocka_unit_test(digits_of_another_ssrc_arrive_in_our_one_stream),
		cmocka_unit_test(hostile_addresses_get_no_packet),
	};

	return cmocka_run_group_tests_name("media/attacks", tests, start, stop);
}
