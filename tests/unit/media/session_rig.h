/* SPDX-License-Identifier: Apache-2.0 */
/* session_rig.h - sessions back to back over loopback, with real ICE, DTLS and SRTP. The
 * tests wait for conditions on media_engine_fd(), never for time.
 *
 * Who includes it defines RIG_PORTS, the first of 600 UDP ports that are its own: the tests
 * run beside each other. From RIG_PORTS + 400 on they are for engines of a test's own.
 */
#ifndef BREAKOUT_TESTS_SESSION_RIG_H
#define BREAKOUT_TESTS_SESSION_RIG_H

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
#include <unistd.h>
#include "base/log.h"
#include "media/media.h"
#include "media/sounds.h"
#include "media/tone.h"

#define PATIENCE_MS 20000

/* A party: a session and what it has been told. */
struct party {
	struct media_session *session;
	unsigned count[MEDIA_EV_COUNT][2]; /* by type and side */
	char sdp[MEDIA_EV_COUNT][2][8192];
	char reason[512];
	int status;
};

/* Two engines have two certificates: a peer that moves brings another one. */
static struct media_engine *engines[2];

static inline void on_event(struct media_session *session, const struct media_event *event,
			    void *arg)
{
	struct party *party = arg;

	assert_ptr_equal(session, party->session);
	party->count[event->type][event->side]++;
	if (event->sdp)
		(void)snprintf(party->sdp[event->type][event->side], sizeof(party->sdp[0][0]), "%s",
			       event->sdp);
	if (event->reason)
		(void)snprintf(party->reason, sizeof(party->reason), "%s", event->reason);
	party->status = event->status;
}

static const char *allowed; /* the only codec of the parties created; NULL: all */
static bool shared_ports;   /* of the parties created, */
static enum media_latching latching;
static struct {
	const char *near, *address;
} places[2]; /* and media_codecs of their sides; NULL: "" */

static inline struct party *party_create_on(struct media_engine *engine, enum media_leg_kind a,
					    enum media_leg_kind b, const struct media_local *local)
{
	struct party *party = test_calloc(1, sizeof(*party));
	struct media_session_options options = {
		.kind = { a, b }, .name = "test", .on_event = on_event, .arg = party
	};

	for (unsigned side = 0; side < 2; side++) {
		struct media_codecs *rules = &options.rules[side];

		rules->shared_port = shared_ports;
		rules->latching = latching;
		if (allowed) {
			rules->count = 1;
			(void)strncpy(rules->names[0], allowed, sizeof(rules->names[0]) - 1);
		}
		if (places[side].near)
			(void)strncpy(rules->near, places[side].near, sizeof(rules->near) - 1);
		if (places[side].address)
			(void)strncpy(rules->address, places[side].address,
				      sizeof(rules->address) - 1);
	}
	if (local)
		options.local = *local;
	assert_int_equal(media_session_create(&party->session, engine, &options), 0);
	return party;
}

static inline struct party *party_create(enum media_leg_kind a, enum media_leg_kind b,
					 const struct media_local *local)
{
	return party_create_on(engines[0], a, b, local);
}

static inline void party_destroy(struct party *party)
{
	media_session_destroy(party->session);
	test_free(party);
}

static inline void turn(mono_ms deadline)
{
	struct pollfd fds[2] = { { .fd = media_engine_fd(engines[0]), .events = POLLIN },
				 { .fd = media_engine_fd(engines[1]), .events = POLLIN } };

	assert_true(clock_now() < deadline);
	(void)poll(fds, 2, 20);
	media_engine_drain(engines[0]);
	media_engine_drain(engines[1]);
}

static inline void await_event(struct party *party, enum media_event_type type,
			       enum media_side side, unsigned count)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (party->count[type][side] < count) {
		if (party->count[MEDIA_EV_REFUSED][0] + party->count[MEDIA_EV_REFUSED][1] +
				    party->count[MEDIA_EV_FAILED][0] +
				    party->count[MEDIA_EV_FAILED][1] >
			    0 &&
		    type != MEDIA_EV_REFUSED && type != MEDIA_EV_FAILED)
			fail_msg("%d %s", party->status, party->reason);
		turn(deadline);
	}
}

static inline struct media_receipt receipt(const struct party *party, enum media_side side)
{
	struct media_receipt receipt;

	media_receipt(party->session, side, &receipt);
	return receipt;
}

static inline void await_tone(struct party *party, enum media_side side, unsigned hz)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (receipt(party, side).detected_hz != hz)
		turn(deadline);
}

/* In on side A and out on side B. What came before B was ready is not sent on,
 * and a tone is known after a few packets. */
static inline void await_packets(struct party *relay, uint64_t count)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (receipt(relay, MEDIA_A).packets_in < count ||
	       receipt(relay, MEDIA_B).packets_out < count)
		turn(deadline);
}

static inline void await_packets_in(struct party *party, enum media_side side, uint64_t more)
{
	uint64_t before = receipt(party, side).packets_in;
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (receipt(party, side).packets_in < before + more)
		turn(deadline);
}

static const struct media_local tone_440 = { .tone_hz = 440, .detect = true };
static const struct media_local tone_600 = { .tone_hz = 600, .detect = true };
static const struct media_codecs no_rules = { .count = 0 };
static const struct media_local echo = { .echo = true };

/* A phone is a session whose side B is local. */
static inline struct party *phone(enum media_leg_kind kind, const struct media_local *local)
{
	return party_create(kind, MEDIA_LEG_LOCAL, local);
}

static inline struct party *phone_of(enum media_leg_kind kind, const struct media_local *local,
				     const char *codec)
{
	struct party *party = test_calloc(1, sizeof(*party));
	const char *codecs[] = { codec, "telephone-event" };
	const struct media_session_options options = {
		.kind = { kind, MEDIA_LEG_LOCAL },
		.local = *local,
		.name = "phone",
		.codecs = codecs,
		.codec_count = 2,
		.on_event = on_event,
		.arg = party,
	};

	assert_int_equal(media_session_create(&party->session, engines[0], &options), 0);
	return party;
}

/* caller -> relay -> callee, complete offer/answer. */
static inline void connect_through(struct party *caller, struct party *relay, struct party *callee)
{
	unsigned offers = caller->count[MEDIA_EV_OFFER][MEDIA_A] + 1;
	unsigned onward = relay->count[MEDIA_EV_OFFER][MEDIA_B] + 1;
	unsigned answers = callee->count[MEDIA_EV_ANSWER][MEDIA_A] + 1;
	unsigned back = relay->count[MEDIA_EV_ANSWER][MEDIA_A] + 1;

	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, offers);
	assert_int_equal(media_offer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, onward);
	assert_int_equal(media_offer(callee->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][1]), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, answers);
	assert_int_equal(media_answer(relay->session, MEDIA_B, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, back);
	assert_int_equal(media_answer(caller->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
}

/* caller -> callee without a relay between. */
static inline void connect_directly(struct party *caller, struct party *callee)
{
	unsigned offers = caller->count[MEDIA_EV_OFFER][MEDIA_A] + 1;
	unsigned answers = callee->count[MEDIA_EV_ANSWER][MEDIA_A] + 1;

	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, offers);
	assert_int_equal(media_offer(callee->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, answers);
	assert_int_equal(media_answer(caller->session, MEDIA_A, callee->sdp[MEDIA_EV_ANSWER][0]),
			 0);
}

/* The phones are of engines[0]. */
static inline void talk_on(struct media_engine *engine, enum media_leg_kind a,
			   enum media_leg_kind b)
{
	struct party *caller = phone(a, &tone_440), *callee = phone(b, &tone_600);
	struct party *relay = party_create_on(engine, a, b, NULL);

	connect_through(caller, relay, callee);
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	await_event(relay, MEDIA_EV_FLOWING, MEDIA_A, 1);
	await_event(relay, MEDIA_EV_FLOWING, MEDIA_B, 1);
	assert_string_equal(receipt(relay, MEDIA_A).codec, "PCMA");
	assert_string_equal(receipt(relay, MEDIA_A).profile,
			    a == MEDIA_LEG_RTP ? "" : "AEAD_AES_128_GCM");
	assert_int_equal(receipt(relay, MEDIA_B).dtls_ok,
			 b == MEDIA_LEG_WEBRTC || b == MEDIA_LEG_DTLS);
	await_packets(relay, 10);
	assert_int_equal(receipt(relay, MEDIA_A).dropped_auth, 0);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static inline void talk(enum media_leg_kind a, enum media_leg_kind b)
{
	talk_on(engines[0], a, b);
}

static inline const char *offer_of(struct party *caller)
{
	unsigned offers = caller->count[MEDIA_EV_OFFER][MEDIA_A] + 1;

	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, offers);
	return caller->sdp[MEDIA_EV_OFFER][MEDIA_A];
}

/* One session with a local side; the test is its peer and writes by hand. */
static inline const char *answered(struct party *player, const char *offer)
{
	unsigned answers = player->count[MEDIA_EV_ANSWER][MEDIA_A] + 1;

	assert_int_equal(media_offer(player->session, MEDIA_A, offer), 0);
	await_event(player, MEDIA_EV_ANSWER, MEDIA_A, answers);
	return player->sdp[MEDIA_EV_ANSWER][MEDIA_A];
}

/* Replaces each `from` by `to`; the result is static. */
static inline const char *edited(const char *text, const char *from, const char *to)
{
	static char results[4][16384];
	static unsigned next;
	char *result = results[next++ % 4], *out = result;

	while (*text != '\0') {
		if (strncmp(text, from, strlen(from)) == 0) {
			out += sprintf(out, "%s", to);
			text += strlen(from);
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
	return result;
}

/* The text without the lines that begin with `line`. */
static inline const char *without(const char *text, const char *line)
{
	static char results[4][16384];
	static unsigned next;
	char *result = results[next++ % 4], *out = result;

	while (*text != '\0') {
		size_t length = strcspn(text, "\n") + 1;

		if (strncmp(text, line, strlen(line)) != 0)
			out += sprintf(out, "%.*s", (int)length, text);
		text += length;
	}
	*out = '\0';
	return result;
}

/* The line of `text` that begins so, up to its end; static. */
static inline const char *line_of(const char *text, const char *beginning)
{
	static char results[8][512];
	static unsigned next;
	char *result = results[next++ % 8];
	const char *at = strstr(text, beginning);

	assert_non_null(at);
	(void)snprintf(result, sizeof(results[0]), "%.*s", (int)strcspn(at, "\r\n"), at);
	return result;
}

#define OFFER_OF(lines) "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n" lines
#define AUDIO           "m=audio 4000 RTP/AVP 8\r\n"

#define KEY "inline:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0"

/* A tone as a sound; its owner has a reference. */
static inline struct media_sound *sound_of(unsigned hz, unsigned ms)
{
	size_t count = (size_t)ms * 8;
	int16_t *samples = malloc(count * sizeof(*samples));
	struct tone_source source;
	struct media_sound *sound;

	assert_non_null(samples);
	tone_source_init(&source, hz);
	for (size_t i = 0; i < count; i++)
		samples[i] = tone_source_next(&source);
	assert_int_equal(sound_create(&sound, samples, count), 0);
	return sound;
}

/* The port that a text of ours names. */
static inline struct sockaddr_in port_of(const char *sdp)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	at.sin_port = htons((uint16_t)atoi(strstr(sdp, "m=audio ") + 8));
	return at;
}

/* A phone's socket; `ret_port` is its port. */
static inline int open_phone(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

/* Binds every port of the range that nobody has. Returns how many. */
static inline unsigned occupy(uint16_t port_min, uint16_t port_max, int *fds)
{
	unsigned count = 0;

	for (uint16_t port = port_min; port <= port_max; port++) {
		const struct sockaddr_in address = { .sin_family = AF_INET,
						     .sin_addr = { htonl(INADDR_LOOPBACK) },
						     .sin_port = htons(port) };

		fds[count] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_true(fds[count] >= 0);
		if (bind(fds[count], (const struct sockaddr *)&address, sizeof(address)) == 0)
			count++;
		else
			close(fds[count]);
	}
	return count;
}

/* Another engine in the place of one; returns that one. */
static inline struct media_engine *exchange(unsigned index,
					    const struct media_engine_options *options)
{
	struct media_engine *before = engines[index], *engine;

	if (media_engine_create(&engine, options))
		return NULL;
	engines[index] = engine;
	return before;
}

static inline void put_back(unsigned index, struct media_engine *before)
{
	media_engine_destroy(engines[index]);
	engines[index] = before;
}

static inline struct media_engine *lite_engine(void)
{
	const struct media_engine_options options = { .address = "127.0.0.1",
						      .port_min = RIG_PORTS + 560,
						      .port_max = RIG_PORTS + 579,
						      .threads = 1,
						      .ice_lite = true };
	struct media_engine *engine;

	assert_int_equal(media_engine_create(&engine, &options), 0);
	return engine;
}

/* A side behind a lite port, in an engine of its own. */
static inline struct party *lite_side(struct media_engine **ret_before)
{
	*ret_before = engines[1];
	engines[1] = lite_engine();
	return party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
}

static inline void end_lite_side(struct party *party, struct media_engine *before)
{
	party_destroy(party);
	media_engine_destroy(engines[1]);
	engines[1] = before;
}

static inline int start_engines(void **state)
{
	struct media_engine_options options = { .address = "127.0.0.1",
						.port_min = RIG_PORTS,
						.port_max = RIG_PORTS + 299,
						.threads = 2 };
	int err;

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	err = media_engine_create(&engines[0], &options);
	if (err)
		return err;
	options.port_min = RIG_PORTS + 300;
	options.port_max = RIG_PORTS + 399;
	options.rtp_timeout_s = options.hold_timeout_s = 1;
	options.threads = 1;
	return media_engine_create(&engines[1], &options);
}

static inline int stop_engines(void **state)
{
	(void)state;
	media_engine_destroy(engines[0]);
	media_engine_destroy(engines[1]);
	return 0;
}

#endif
