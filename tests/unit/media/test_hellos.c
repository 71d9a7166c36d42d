/* SPDX-License-Identifier: Apache-2.0 */
/* test_hellos.c - a PBX with DTLS-SRTP and no ICE, and somebody who says hello too: from
 * elsewhere, from the PBX's very address, in its place, in its role.
 *
 * The PBX is a socket of this test. It hears a tone of ours once there are keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "base/metrics.h"
#include "media/dtls.h"
#include "media/media.h"
#include "media/relay.h"
#include "media/sdp.h"

#define PATIENCE_MS 20000
#define CALLS       100
#define HELLO_ROOM  512

struct pbx {
	int fd;
	struct sockaddr_in own, ours; /* ours: where it sends */
	struct dtls *dtls;
	struct srtp_pair *srtp; /* NULL: no keys yet */
	unsigned ready, failed, heard, unclear, dtls_in;
	uint16_t sequence;
	bool silent; /* its datagrams of DTLS are lost */
};

static struct media_engine *engine;
static struct media_session *session;
static struct pbx pbx;
static struct dtls_identity *identities[2]; /* the PBX's, and somebody else's */
static struct timer_wheel *wheel;
static char texts[MEDIA_EV_COUNT][8192];
static char reason[1024];
static unsigned counts[MEDIA_EV_COUNT];

static void on_event(struct media_session *of, const struct media_event *event, void *arg)
{
	(void)of;
	(void)arg;
	counts[event->type]++;
	if (event->sdp && event->side == MEDIA_A)
		(void)snprintf(texts[event->type], sizeof(texts[0]), "%s", event->sdp);
	if (event->reason)
		(void)snprintf(reason, sizeof(reason), "%s", event->reason);
}

static mono_ms real_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (mono_ms)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct media_receipt receipt(void)
{
	struct media_receipt read;

	media_receipt(session, MEDIA_A, &read);
	return read;
}

/* ---- the PBX ---- */

static int open_socket(const char *host, struct sockaddr_in *ret_own)
{
	socklen_t size = sizeof(*ret_own);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*ret_own = (struct sockaddr_in){ .sin_family = AF_INET };
	assert_int_equal(inet_pton(AF_INET, host, &ret_own->sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)ret_own, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_own, &size), 0);
	return fd;
}

static void send_to_us(int fd, const uint8_t *bytes, size_t length)
{
	(void)sendto(fd, bytes, length, 0, (const struct sockaddr *)&pbx.ours, sizeof(pbx.ours));
}

static void on_send(const uint8_t *datagram, size_t length, void *arg)
{
	(void)arg;
	if (!pbx.silent)
		send_to_us(pbx.fd, datagram, length);
}

static void on_ready(const struct srtp_keys *keys, void *arg)
{
	(void)arg;
	pbx.ready++;
	assert_null(pbx.srtp);
	assert_int_equal(srtp_pair_create(&pbx.srtp, keys), 0);
}

static void on_failed(const char *why, void *arg)
{
	(void)why;
	(void)arg;
	pbx.failed++;
}

/* `identity` shakes hands; NULL: the PBX that its SDP promises. */
static void make_dtls(bool client, struct dtls_identity *identity)
{
	struct media_desc *ours;
	const char *why;
	struct dtls_setup setup = { .identity = identity ? identity : identities[0],
				    .wheel = wheel,
				    .client = client,
				    .handlers = { on_send, on_ready, on_failed, NULL } };

	assert_int_equal(sdp_parse(texts[MEDIA_EV_ANSWER], &ours, &why), 0);
	pbx.ours = ours->rtp.v4;
	setup.fingerprints = ours->fingerprints;
	setup.fingerprint_count = ours->fingerprint_count;
	assert_int_equal(dtls_create(&pbx.dtls, &setup), 0);
	sdp_free(ours);
}

static const char *text_of_pbx(const char *setup, const char *print)
{
	static char text[1024];
	char own[SDP_FINGERPRINT_ROOM];

	sdp_fingerprint_format(dtls_identity_fingerprint(identities[0]), own);
	(void)snprintf(text, sizeof(text),
		       "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
		       "m=audio %u UDP/TLS/RTP/SAVP 8\r\na=rtpmap:8 PCMA/8000\r\na=rtcp-mux\r\n"
		       "a=setup:%s\r\n%s%s\r\n",
		       ntohs(pbx.own.sin_port), setup,
		       print ? print : "a=fingerprint:", print ? "" : own);
	return text;
}

static void hear(const uint8_t *bytes, size_t length)
{
	uint8_t packet[RELAY_BUFFER];

	if (wire_of(bytes[0]) == WIRE_DTLS) {
		pbx.dtls_in++;
		dtls_receive(pbx.dtls, bytes, length);
		return;
	}
	memcpy(packet, bytes, length);
	if (length < 12 || wire_is_rtcp(packet))
		return;
	if (pbx.srtp && srtp_pair_unprotect(pbx.srtp, packet, &length) == 0)
		pbx.heard++;
	else
		pbx.unclear++;
}

/* What has come to the PBX, and what the engine tells; waits for it a moment. */
static void turn(void)
{
	struct pollfd wait[2] = { { .fd = media_engine_fd(engine), .events = POLLIN },
				  { .fd = pbx.fd, .events = POLLIN } };
	uint8_t bytes[2048];
	ssize_t n;

	(void)poll(wait, 2, 5);
	media_engine_drain(engine);
	while (pbx.dtls && (n = recv(pbx.fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		hear(bytes, (size_t)n);
	(void)timer_wheel_advance(wheel, clock_now(), 0);
}

static void await(const unsigned *count, unsigned least)
{
	mono_ms until = real_now() + PATIENCE_MS;

	while (*count < least) {
		if (real_now() >= until)
			fail_msg("%u of %u; refused %u, failed %u: %s", *count, least,
				 counts[MEDIA_EV_REFUSED], counts[MEDIA_EV_FAILED], reason);
		turn();
	}
}

/* A packet of the PBX's, sealed, comes in. */
static void is_heard(void)
{
	uint64_t before = receipt().packets_in;
	mono_ms until = real_now() + PATIENCE_MS;
	uint8_t packet[RELAY_BUFFER] = { 0x80, 8 };
	size_t length = 172;

	pbx.sequence++;
	packet[2] = (uint8_t)(pbx.sequence >> 8);
	packet[3] = (uint8_t)pbx.sequence;
	packet[11] = 77;
	assert_int_equal(srtp_pair_protect(pbx.srtp, packet, &length), 0);
	send_to_us(pbx.fd, packet, length);
	while (receipt().packets_in == before) {
		assert_true(real_now() < until);
		turn();
	}
}

static void open_session(void)
{
	const struct media_session_options options = { .kind = { MEDIA_LEG_DTLS, MEDIA_LEG_LOCAL },
						       .local = { .tone_hz = 440 },
						       .name = "greeted",
						       .on_event = on_event };

	memset(counts, 0, sizeof(counts));
	memset(&pbx, 0, sizeof(pbx));
	reason[0] = '\0';
	pbx.fd = open_socket("127.0.0.1", &pbx.own);
	assert_int_equal(media_session_create(&session, engine, &options), 0);
}

/* The PBX offers. `setup`: its role. */
static void answer_to(const char *setup, struct dtls_identity *identity)
{
	open_session();
	assert_int_equal(media_offer(session, MEDIA_A, text_of_pbx(setup, NULL)), 0);
	await(&counts[MEDIA_EV_ANSWER], 1);
	make_dtls(strcmp(setup, "active") == 0, identity);
}

static void close_session(void)
{
	session = media_session_destroy(session);
	pbx.dtls = dtls_destroy(pbx.dtls);
	pbx.srtp = srtp_pair_destroy(pbx.srtp);
	close(pbx.fd);
}

/* ---- somebody else ---- */

static uint8_t hello[HELLO_ROOM];
static size_t hello_length;

static void keep_hello(const uint8_t *datagram, size_t length, void *arg)
{
	(void)arg;
	if (hello_length == 0 && length <= sizeof(hello)) {
		memcpy(hello, datagram, length);
		hello_length = length;
	}
}

/* One that a server would answer: of OpenSSL, with all that is wanted. */
static void make_hello(void)
{
	const struct dtls_setup setup = { .identity = identities[1],
					  .wheel = wheel,
					  .client = true,
					  .fingerprints = dtls_identity_fingerprint(identities[0]),
					  .fingerprint_count = 1,
					  .handlers = { keep_hello, on_ready, on_failed, NULL } };
	struct dtls *dtls;

	assert_int_equal(dtls_create(&dtls, &setup), 0);
	dtls_start(dtls);
	dtls_destroy(dtls);
	assert_true(hello_length > 0);
}

/* As it was published, with lengths that lie (CVE-2023-51275); the good one; and one that
 * has nothing but SHA-1 to sign with. */
static void say_hellos(int fd, unsigned rounds)
{
	static const uint8_t lie[115] = { 22, 0xfe, 0xff, [12] = 102, 1, [24] = 90, 0xfe, 0xfd };
	uint8_t old[HELLO_ROOM];

	memcpy(old, hello, hello_length);
	for (size_t i = 0; i + 4 < hello_length; i++) /* ecdsa_secp256r1_sha256 */
		if (old[i] == 4 && old[i + 1] == 3)
			old[i] = 2;
	for (unsigned round = 0; round < rounds; round++) {
		send_to_us(fd, lie, sizeof(lie));
		send_to_us(fd, hello, hello_length);
		send_to_us(fd, old, hello_length);
	}
}

static void find_associations(const struct metric *metric, void *arg)
{
	if (strcmp(metric->name, "breakout_media_dtls_handshakes") == 0)
		*(int64_t *)arg = metric_get(metric);
}

/* SSL objects that there are: of the engine, and of this test. */
static int64_t associations(void)
{
	int64_t count = 0;

	metrics_each(find_associations, &count);
	return count;
}

static bool hears_nothing(int fd)
{
	uint8_t byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0;
}

/* ---- the attacks ---- */

/* Of each call: before the handshake may begin, while it goes on, and after it; from another
 * host and another port of the PBX's. */
static void greeted_call(const char *setup, const int strangers[2])
{
	uint64_t sent = 0;
	mono_ms until = real_now() + PATIENCE_MS;

	answer_to(setup, NULL);
	for (unsigned step = 0; step < 3; step++) {
		for (unsigned i = 0; i < 2; i++, sent += 3 * 4)
			say_hellos(strangers[i], 4);
		if (step == 0) {
			/* One for the PBX, whose address its SDP has; the last call's goes. */
			while (receipt().dropped_source < sent || associations() > 1) {
				assert_true(real_now() < until);
				turn();
			}
			dtls_start(pbx.dtls);
		} else if (step == 1) {
			await(&pbx.heard, 1);
		}
	}
	is_heard();
	while (receipt().dropped_source < sent) {
		assert_true(real_now() < until);
		turn();
	}
	assert_int_equal(receipt().dropped_source, sent);
	assert_int_equal(pbx.ready, 1);
	assert_int_equal(pbx.unclear, 0);
	assert_int_equal(counts[MEDIA_EV_FAILED], 0);
	close_session();
}

static void hellos_from_elsewhere_are_not_read(void **state)
{
	struct sockaddr_in at;
	int strangers[2] = { open_socket("127.0.0.1", &at), open_socket("127.0.0.66", &at) };

	(void)state;
	for (unsigned call = 0; call < CALLS; call++)
		greeted_call(call % 2 ? "active" : "passive", strangers);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(hears_nothing(strangers[i]));
		close(strangers[i]);
	}
}

/* A stranger who sends what could be SRTP is not learned before anybody has proven
 * himself by the fingerprint. */
static void nobody_is_learned_before_the_fingerprint_has_matched(void **state)
{
	struct sockaddr_in at;
	int stranger = open_socket("127.0.0.1", &at);
	uint8_t packet[172] = { 0x80, 8 };

	(void)state;
	answer_to("active", NULL);
	for (unsigned i = 0; i < 200; i++) {
		packet[3] = (uint8_t)i;
		send_to_us(stranger, packet, sizeof(packet));
	}
	dtls_start(pbx.dtls);
	await(&pbx.heard, 5);
	is_heard();
	assert_int_equal(receipt().packets_in, 1);
	assert_true(hears_nothing(stranger));
	close(stranger);
	close_session();
}

/* From the very address of the PBX: who can forge that. */
static void after_the_handshake_hellos_leave_the_keys_in_force(void **state)
{
	static const char *const setups[] = { "active", "passive" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		unsigned before, dtls_in;

		answer_to(setups[i], NULL);
		dtls_start(pbx.dtls);
		await(&pbx.heard, 5);
		dtls_in = pbx.dtls_in;
		for (unsigned round = 0; round < 100; round++) {
			say_hellos(pbx.fd, 3);
			is_heard();
		}
		before = pbx.heard;
		await(&pbx.heard, before + 5);
		assert_int_equal(pbx.dtls_in, dtls_in); /* not a byte back */
		assert_int_equal(pbx.unclear, 0);
		assert_int_equal(counts[MEDIA_EV_FAILED], 0);
		assert_int_equal(receipt().dropped_auth, 0);
		close_session();
	}
}

/* We are the client, and so is whoever forges the PBX's address: the handshake goes on with
 * who is the server. */
static void a_hello_to_a_client_ends_no_handshake(void **state)
{
	(void)state;
	answer_to("passive", NULL);
	say_hellos(pbx.fd, 10);
	dtls_start(pbx.dtls);
	say_hellos(pbx.fd, 10);
	await(&pbx.heard, 5);
	is_heard();
	assert_int_equal(counts[MEDIA_EV_FAILED], 0);
	close_session();
}

/* We are the server, and in the middle of it another client says hello. */
static void another_hello_in_the_middle_ends_no_handshake(void **state)
{
	(void)state;
	answer_to("active", NULL);
	dtls_start(pbx.dtls);
	pbx.silent = true; /* its second flight is lost for now */
	await(&pbx.dtls_in, 1);
	say_hellos(pbx.fd, 10);
	pbx.silent = false;
	await(&pbx.heard, 5);
	is_heard();
	assert_int_equal(counts[MEDIA_EV_FAILED], 0);
	close_session();
}

static void another_certificate_is_never_heard(void **state)
{
	static const char *const setups[] = { "active", "passive" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		answer_to(setups[i], identities[1]);
		dtls_start(pbx.dtls);
		await(&counts[MEDIA_EV_FAILED], 1);
		assert_non_null(strstr(reason, "fingerprint differs"));
		assert_int_equal(receipt().packets_out, 0);
		assert_int_equal(receipt().packets_in, 0);
		assert_int_equal(pbx.heard + pbx.unclear, 0);
		close_session();
	}
}

/* Both are clients: there are no keys, and the call is told so in ten seconds. */
static void two_of_one_role_are_never_heard(void **state)
{
	static const struct {
		const char *setup;
		bool client;
	} clashes[] = { { "passive", true }, { "active", false } };

	(void)state;
	clock_fake_set(clock_now());
	for (unsigned i = 0; i < ARRAY_SIZE(clashes); i++) {
		answer_to(clashes[i].setup, NULL);
		pbx.dtls = dtls_destroy(pbx.dtls);
		make_dtls(clashes[i].client, NULL);
		dtls_start(pbx.dtls);
		for (unsigned ms = 0; ms <= DTLS_HANDSHAKE_MS + 1000; ms += 100) {
			clock_fake_advance(100);
			turn();
		}
		await(&counts[MEDIA_EV_FAILED], 1);
		assert_true(!clashes[i].client || strstr(reason, "ClientHello"));
		assert_int_equal(receipt().packets_out, 0);
		assert_int_equal(pbx.ready, 0);
		assert_int_equal(pbx.heard + pbx.unclear, 0);
		close_session();
	}
}

/* In force: the PBX as the server. It cannot be the client now of the same association
 * (RFC 8842 section 4); what was agreed stays. */
static void a_role_that_changes_in_one_association_is_refused(void **state)
{
	static const char *const setups[] = { "passive", "active" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		answer_to(setups[i], NULL);
		dtls_start(pbx.dtls);
		await(&pbx.heard, 1);
		assert_int_equal(media_offer(session, MEDIA_A, text_of_pbx(setups[!i], NULL)), 0);
		await(&counts[MEDIA_EV_REFUSED], 1);
		assert_non_null(strstr(reason, "a=setup"));
		media_rollback(session);
		is_heard();
		await(&pbx.heard, pbx.heard + 5);
		assert_int_equal(media_offer(session, MEDIA_A, text_of_pbx("actpass", NULL)), 0);
		await(&counts[MEDIA_EV_ANSWER], 2);
		assert_non_null(strstr(texts[MEDIA_EV_ANSWER],
				       i == 0 ? "a=setup:active" : "a=setup:passive"));
		is_heard();
		assert_int_equal(pbx.ready, 1);
		assert_int_equal(counts[MEDIA_EV_FAILED], 0);
		close_session();
	}
}

static void who_promises_no_certificate_is_refused(void **state)
{
	static const char *const prints[] = {
		"a=x:none",
		"a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB",
		"a=fingerprint:md5 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B",
		"a=fingerprint:sha-256 4A:AD",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(prints); i++) {
		open_session();
		assert_int_equal(media_offer(session, MEDIA_A, text_of_pbx("active", prints[i])),
				 0);
		await(&counts[MEDIA_EV_REFUSED], 1);
		assert_non_null(strstr(reason, "a=fingerprint"));
		assert_int_equal(receipt().packets_out, 0);
		close_session();
	}
}

static int start(void **state)
{
	const struct media_engine_options options = {
		.address = "127.0.0.1", .port_min = 23200, .port_max = 23599, .threads = 1
	};

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	if (timer_wheel_create(&wheel, clock_now()) || dtls_identity_create(&identities[0], NULL) ||
	    dtls_identity_create(&identities[1], NULL))
		return -1;
	make_hello();
	return media_engine_create(&engine, &options);
}

static int stop(void **state)
{
	(void)state;
	media_engine_destroy(engine);
	dtls_identity_unref(identities[0]);
	dtls_identity_unref(identities[1]);
	wheel = timer_wheel_destroy(wheel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hellos_from_elsewhere_are_not_read),
		cmocka_unit_test(nobody_is_learned_before_the_fingerprint_has_matched),
		cmocka_unit_test(after_the_handshake_hellos_leave_the_keys_in_force),
		cmocka_unit_test(a_hello_to_a_client_ends_no_handshake),
		cmocka_unit_test(another_hello_in_the_middle_ends_no_handshake),
		cmocka_unit_test(another_certificate_is_never_heard),
		cmocka_unit_test(a_role_that_changes_in_one_association_is_refused),
		cmocka_unit_test(who_promises_no_certificate_is_refused),
		/* Last: time goes ahead for good. */
		cmocka_unit_test(two_of_one_role_are_never_heard),
	};

	return cmocka_run_group_tests_name("media/hellos", tests, start, stop);
}
