/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions back to back over loopback, with real ICE, DTLS and SRTP. The tests
 * wait for conditions on media_engine_fd(), never for time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "media/media.h"
#include "media/sound_file.h"
#include "media/sounds.h"
#include "media/tone.h"
#include "tests/fake/folder.h"
#include "tests/fake/wav.h"

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

static void on_event(struct media_session *session, const struct media_event *event, void *arg)
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

static struct party *party_create_on(struct media_engine *engine, enum media_leg_kind a,
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

static struct party *party_create(enum media_leg_kind a, enum media_leg_kind b,
				  const struct media_local *local)
{
	return party_create_on(engines[0], a, b, local);
}

static void party_destroy(struct party *party)
{
	media_session_destroy(party->session);
	test_free(party);
}

static void turn(mono_ms deadline)
{
	struct pollfd fds[2] = { { .fd = media_engine_fd(engines[0]), .events = POLLIN },
				 { .fd = media_engine_fd(engines[1]), .events = POLLIN } };

	assert_true(clock_now() < deadline);
	(void)poll(fds, 2, 20);
	media_engine_drain(engines[0]);
	media_engine_drain(engines[1]);
}

static void await_event(struct party *party, enum media_event_type type, enum media_side side,
			unsigned count)
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

static struct media_receipt receipt(const struct party *party, enum media_side side)
{
	struct media_receipt receipt;

	media_receipt(party->session, side, &receipt);
	return receipt;
}

static void await_tone(struct party *party, enum media_side side, unsigned hz)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (receipt(party, side).detected_hz != hz)
		turn(deadline);
}

/* In on side A and out on side B. What came before B was ready is not sent on,
 * and a tone is known after a few packets. */
static void await_packets(struct party *relay, uint64_t count)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (receipt(relay, MEDIA_A).packets_in < count ||
	       receipt(relay, MEDIA_B).packets_out < count)
		turn(deadline);
}

static void await_packets_in(struct party *party, enum media_side side, uint64_t more)
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
static struct party *phone(enum media_leg_kind kind, const struct media_local *local)
{
	return party_create(kind, MEDIA_LEG_LOCAL, local);
}

/* caller -> relay -> callee, complete offer/answer. */
static void connect_through(struct party *caller, struct party *relay, struct party *callee)
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

/* The phones are of engines[0]. */
static void talk_on(struct media_engine *engine, enum media_leg_kind a, enum media_leg_kind b)
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

static void talk(enum media_leg_kind a, enum media_leg_kind b)
{
	talk_on(engines[0], a, b);
}

static void webrtc_to_webrtc_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC);
}

static void webrtc_to_rtp_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP);
}

static void rtp_to_webrtc_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_RTP, MEDIA_LEG_WEBRTC);
}

static void rtp_to_rtp_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_RTP, MEDIA_LEG_RTP);
}

static void webrtc_to_srtp_without_ice_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_SDES);
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_DTLS);
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_SDES_OR_RTP);
}

static void srtp_without_ice_to_webrtc_carries_audio_both_ways(void **state)
{
	(void)state;
	talk(MEDIA_LEG_SDES, MEDIA_LEG_WEBRTC);
	talk(MEDIA_LEG_DTLS, MEDIA_LEG_RTP);
	talk(MEDIA_LEG_SDES_OR_RTP, MEDIA_LEG_SDES);
}

/* caller -> callee without a relay between. */
static void connect_directly(struct party *caller, struct party *callee)
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

static void an_echo_sends_back_the_callers_own_tone(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *callee = phone(MEDIA_LEG_WEBRTC, &echo);

	(void)state;
	connect_directly(caller, callee);
	await_tone(caller, MEDIA_B, 440);
	party_destroy(caller);
	party_destroy(callee);
}

/* Replaces each `from` by `to`; the result is static. */
static const char *edited(const char *text, const char *from, const char *to)
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
static const char *without(const char *text, const char *line)
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
static const char *line_of(const char *text, const char *beginning)
{
	static char results[8][512];
	static unsigned next;
	char *result = results[next++ % 8];
	const char *at = strstr(text, beginning);

	assert_non_null(at);
	(void)snprintf(result, sizeof(results[0]), "%.*s", (int)strcspn(at, "\r\n"), at);
	return result;
}

static const char *offer_of(struct party *caller)
{
	unsigned offers = caller->count[MEDIA_EV_OFFER][MEDIA_A] + 1;

	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, offers);
	return caller->sdp[MEDIA_EV_OFFER][MEDIA_A];
}

static void a_wrong_fingerprint_fails_and_carries_nothing(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *callee = phone(MEDIA_LEG_WEBRTC, &tone_600);
	const char *good;

	(void)state;
	assert_int_equal(media_offer(callee->session, MEDIA_A, offer_of(caller)), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	good = line_of(callee->sdp[MEDIA_EV_ANSWER][0], "a=fingerprint:");
	assert_int_equal(media_answer(caller->session, MEDIA_A,
				      edited(callee->sdp[MEDIA_EV_ANSWER][0], good,
					     "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:"
					     "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:"
					     "BB:CC:DD:EE:FF")),
			 0);
	await_event(caller, MEDIA_EV_FAILED, MEDIA_A, 1);
	assert_non_null(strstr(caller->reason, "00:11:22:33"));
	assert_non_null(strstr(caller->reason, good + strlen("a=fingerprint:")));
	assert_int_equal(receipt(caller, MEDIA_A).packets_in, 0);
	assert_int_equal(receipt(caller, MEDIA_A).packets_out, 0);
	assert_false(receipt(caller, MEDIA_A).dtls_ok);
	party_destroy(caller);
	party_destroy(callee);
}

static void a_re_offer_that_changes_nothing_disturbs_nothing(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *callee = phone(MEDIA_LEG_WEBRTC, &tone_600);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC, NULL);
	char before[8192];

	(void)state;
	connect_through(caller, relay, callee);
	await_tone(caller, MEDIA_B, 600);
	(void)snprintf(before, sizeof(before), "%s", relay->sdp[MEDIA_EV_OFFER][MEDIA_B]);
	connect_through(caller, relay, callee);
	assert_string_equal(line_of(before, "a=ice-ufrag:"),
			    line_of(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "a=ice-ufrag:"));
	assert_string_equal(line_of(before, "o="),
			    line_of(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "o="));
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "a=setup:actpass"));
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(receipt(relay, MEDIA_A).lost, 0);
	assert_int_equal(receipt(relay, MEDIA_A).dropped_auth, 0);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

/* A tone as a sound; its owner has a reference. */
static struct media_sound *sound_of(unsigned hz, unsigned ms)
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

static void play(enum media_leg_kind kind)
{
	struct media_local local = { .sound = sound_of(1500, 900), .repeat = 2, .tone_hz = 600 };
	struct party *caller = phone(kind, &tone_440);
	struct party *player = party_create(kind, MEDIA_LEG_LOCAL, &local);
	mono_ms began = clock_now();

	media_sound_unref(local.sound); /* the session has its own */
	connect_directly(caller, player);
	await_tone(caller, MEDIA_B, 1500);
	await_event(player, MEDIA_EV_PLAYED, MEDIA_B, 1);
	assert_true(clock_now() - began >= 2 * 900);
	await_tone(caller, MEDIA_B, 600); /* what stands behind the sound */
	assert_int_equal(player->count[MEDIA_EV_PLAYED][MEDIA_B], 1);
	party_destroy(caller);
	party_destroy(player);
}

static void a_sound_is_played_as_often_as_wanted_and_its_end_told(void **state)
{
	(void)state;
	play(MEDIA_LEG_RTP);
}

static void a_sound_waits_for_a_peer_that_can_hear_it(void **state)
{
	(void)state;
	play(MEDIA_LEG_WEBRTC);
}

static void a_sound_without_end_goes_on_until_the_session_ends(void **state)
{
	struct media_local local = { .sound = sound_of(1500, 40) };
	struct party *caller = phone(MEDIA_LEG_RTP, &tone_440);
	struct party *player = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &local);

	(void)state;
	media_sound_unref(local.sound);
	connect_directly(caller, player);
	await_tone(caller, MEDIA_B, 1500); /* five and more rounds */
	assert_int_equal(player->count[MEDIA_EV_PLAYED][MEDIA_B], 0);
	party_destroy(caller);
	party_destroy(player);
}

/* ---- side B is exchanged ---- */

static void turn_over(enum media_leg_kind a, enum media_leg_kind b)
{
	static const struct media_local tone_1000 = { .tone_hz = 1000, .detect = true };
	static const struct media_local tone_1900 = { .tone_hz = 1900 };
	struct party *caller = phone(a, &tone_440), *callee = phone(b, &tone_1000);
	struct party *relay = party_create(a, MEDIA_LEG_LOCAL, &tone_600);
	char told[8192];

	connect_directly(caller, relay);
	await_tone(caller, MEDIA_B, 600);
	(void)snprintf(told, sizeof(told), "%s", relay->sdp[MEDIA_EV_ANSWER][0]);
	assert_int_equal(media_turn(relay->session, b, &tone_600, &no_rules, false), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	/* Nobody answers; another one does. */
	assert_int_equal(media_turn(relay->session, b, &tone_600, &no_rules, false), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 2);
	assert_int_equal(media_offer(callee->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][1]), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_string_equal(relay->sdp[MEDIA_EV_ANSWER][0], told);
	await_tone(caller, MEDIA_B, 1000);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(media_turn(relay->session, MEDIA_LEG_LOCAL, &tone_1900, &no_rules, false),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 3);
	assert_string_equal(relay->sdp[MEDIA_EV_ANSWER][0], told);
	await_tone(caller, MEDIA_B, 1900);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static void a_webrtc_side_hears_another_one_without_being_told(void **state)
{
	(void)state;
	turn_over(MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP);
	turn_over(MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC);
}

static void a_plain_side_hears_another_one_without_being_told(void **state)
{
	(void)state;
	turn_over(MEDIA_LEG_RTP, MEDIA_LEG_RTP);
}

static void only_what_a_was_told_is_offered_to_the_new_one(void **state)
{
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_600);

	(void)state;
	assert_int_equal(media_turn(relay->session, MEDIA_LEG_RTP, &tone_600, &no_rules, false),
			 -EINVAL);
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 96 8\r\n"
				     "a=rtpmap:96 iLBC/8000\r\n"),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_turn(relay->session, MEDIA_LEG_RTP, &tone_600, &no_rules, false), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][1], "RTP/AVP 8\r\n"));
	party_destroy(relay);
}

static struct party *phone_of(enum media_leg_kind kind, const struct media_local *local,
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

/* A knows us for good: by an offer of ours or an answer, and is told no more. */
static void settle_with(struct party *caller, struct party *relay, bool we_offer)
{
	if (!we_offer) {
		connect_directly(caller, relay);
		return;
	}
	assert_int_equal(media_start(relay->session, MEDIA_A), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_A, 1);
	assert_int_equal(media_offer(caller->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(caller, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_ANSWER][0]), 0);
}

/* The caller goes on in its codec, whatever the callee has. */
static void turn_settled(enum media_leg_kind a, bool we_offer, const char *codec)
{
	static const struct media_local tone_1000 = { .tone_hz = 1000, .detect = true };
	static const struct media_local tone_1900 = { .tone_hz = 1900 };
	enum media_event_type told = we_offer ? MEDIA_EV_OFFER : MEDIA_EV_ANSWER;
	struct party *caller = phone(a, &tone_440);
	struct party *callee = phone_of(MEDIA_LEG_RTP, &tone_1000, codec);
	struct party *relay = party_create(a, MEDIA_LEG_LOCAL, &tone_600);
	char known[8192];

	settle_with(caller, relay, we_offer);
	await_tone(caller, MEDIA_B, 600);
	(void)snprintf(known, sizeof(known), "%s", relay->sdp[told][0]);
	for (unsigned turn = 1; turn <= 2; turn++) { /* nobody answers the first */
		assert_int_equal(
			media_turn(relay->session, MEDIA_LEG_RTP, &tone_600, &no_rules, true), 0);
		await_event(relay, MEDIA_EV_OFFER, MEDIA_B, turn);
	}
	assert_int_equal(media_offer(callee->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][1]), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, we_offer ? 1 : 2);
	assert_string_equal(relay->sdp[MEDIA_EV_ANSWER][0], known);
	await_tone(caller, MEDIA_B, 1000);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(media_turn(relay->session, MEDIA_LEG_LOCAL, &tone_1900, &no_rules, true),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, we_offer ? 2 : 3);
	await_tone(caller, MEDIA_B, 1900);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static void who_has_agreed_for_good_hears_whoever_comes(void **state)
{
	(void)state;
	turn_settled(MEDIA_LEG_WEBRTC, false, "PCMA");
	turn_settled(MEDIA_LEG_WEBRTC, true, "PCMA");
	turn_settled(MEDIA_LEG_RTP, true, "PCMU");
	turn_settled(MEDIA_LEG_RTP, false, "G722");
}

/* ---- messages ---- */

static void message_in(struct media_recording *recording, struct media_local *local, char *where,
		       unsigned max_ms)
{
	assert_int_equal(folder_make(), 0);
	(void)snprintf(where, 64, "%s/office", folder);
	*recording = (struct media_recording){ .folder = where,
					       .name = "m1",
					       .about = "{\"to\":\"x\"",
					       .beep = true,
					       .max_ms = max_ms };
	*local = (struct media_local){ .recording = recording };
}

static void await_file(const char *path)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (access(path, F_OK) != 0)
		turn(deadline);
}

static void take_message(struct party *caller)
{
	struct party *box;
	struct media_recording recording;
	struct media_local local;
	char where[64], path[128], why[SOUND_FILE_WHY_ROOM];
	int16_t *samples;
	size_t count;

	message_in(&recording, &local, where, 1400);
	box = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &local);
	connect_directly(caller, box);
	await_tone(caller, MEDIA_B, 1000); /* the beep */
	await_event(box, MEDIA_EV_RECORDED, MEDIA_B, 1);
	assert_string_equal(box->reason, "max_length");
	assert_in_range(receipt(box, MEDIA_B).recorded_ms, 1200, 1400);
	(void)snprintf(path, sizeof(path), "%s/m1.json", where);
	await_file(path); /* the last to get its name */
	(void)snprintf(path, sizeof(path), "%s/m1.wav", where);
	assert_int_equal(sound_file_read(path, &samples, &count, why), 0);
	assert_in_range(count, 1200 * 8, 1400 * 8);
	assert_int_equal(wav_tone_of(samples, count), 440);
	free(samples);
	party_destroy(caller);
	party_destroy(box);
	assert_int_equal(folder_remove(), 0);
}

static void a_message_is_taken_after_the_beep(void **state)
{
	(void)state;
	take_message(phone(MEDIA_LEG_WEBRTC, &tone_440));
}

static void a_caller_without_g711_leaves_a_message_too(void **state)
{
	(void)state;
	take_message(phone_of(MEDIA_LEG_WEBRTC, &tone_440, "opus"));
	take_message(phone_of(MEDIA_LEG_WEBRTC, &tone_440, "G722"));
}

static void a_mailbox_that_takes_nothing_is_not_answered_for(void **state)
{
	struct party *caller = phone(MEDIA_LEG_RTP, &tone_440), *box;
	struct media_recording recording;
	struct media_local local;
	char where[64];

	(void)state;
	message_in(&recording, &local, where, 1400);
	recording.folder = "/proc/no/such/box";
	box = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &local);
	assert_int_equal(media_offer(box->session, MEDIA_A, offer_of(caller)), 0);
	await_event(box, MEDIA_EV_REFUSED, MEDIA_A, 1);
	assert_int_equal(box->status, 503);
	assert_int_equal(box->count[MEDIA_EV_ANSWER][MEDIA_A], 0);
	party_destroy(caller);
	party_destroy(box);
	assert_int_equal(folder_remove(), 0);
}

/* RFC 4733: # with the end bit, each one an event of its own. */
static void press_hash(int fd, const struct sockaddr_in *to, uint32_t timestamp)
{
	uint8_t packet[16] = { 0x80, 101, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 11, 0x8a, 0x03, 0x20 };

	for (unsigned i = 0; i < 4; i++)
		packet[4 + i] = (uint8_t)(timestamp >> (24 - 8 * i));
	packet[3] = (uint8_t)(timestamp / 1000);
	(void)sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr *)to, sizeof(*to));
}

static void a_key_ends_a_message(void **state)
{
	struct sockaddr_in us = { .sin_family = AF_INET }, to = us;
	socklen_t length = sizeof(us);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct media_recording recording;
	struct media_local local;
	struct party *box;
	char where[64], offer[256];
	mono_ms deadline = clock_now() + PATIENCE_MS;

	(void)state;
	message_in(&recording, &local, where, 60000);
	recording.beep = false;
	box = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &local);
	us.sin_addr.s_addr = to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&us, sizeof(us)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&us, &length), 0);
	(void)snprintf(offer, sizeof(offer),
		       "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio %u RTP/AVP 8 101\r\n"
		       "a=rtpmap:101 telephone-event/8000\r\n",
		       ntohs(us.sin_port));
	assert_int_equal(media_offer(box->session, MEDIA_A, offer), 0);
	await_event(box, MEDIA_EV_ANSWER, MEDIA_A, 1);
	to.sin_port = htons((uint16_t)atoi(strstr(box->sdp[MEDIA_EV_ANSWER][0], "m=audio ") + 8));
	for (uint32_t at = 1000; box->count[MEDIA_EV_RECORDED][MEDIA_B] == 0; at += 1000) {
		press_hash(fd, &to, at);
		turn(deadline);
	}
	assert_string_equal(box->reason, "key");
	close(fd);
	party_destroy(box);
	(void)folder_remove(); /* the recorder may be removing the same files */
}

static void an_ice_restart_is_answered_with_new_credentials(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
	const char *first, *offer;

	(void)state;
	connect_directly(caller, relay);
	await_tone(relay, MEDIA_B, 440);
	first = line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=ice-ufrag:");
	offer = edited(caller->sdp[MEDIA_EV_OFFER][0],
		       line_of(caller->sdp[MEDIA_EV_OFFER][0], "a=ice-ufrag:"),
		       "a=ice-ufrag:newnew");
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_string_not_equal(first, line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=ice-ufrag:"));
	/* The pair in use carries on until another is found. */
	await_tone(caller, MEDIA_B, 600);
	party_destroy(caller);
	party_destroy(relay);
}

static void a_peer_that_moves_gets_a_new_association(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440), *moved;
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
	static const struct media_local tone_1000 = { .tone_hz = 1000, .detect = true };

	(void)state;
	connect_directly(caller, relay);
	await_tone(relay, MEDIA_B, 440);
	moved = party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_1000);
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(moved)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_int_equal(media_answer(moved->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_tone(relay, MEDIA_B, 1000);
	await_tone(moved, MEDIA_B, 600);
	party_destroy(caller);
	party_destroy(moved);
	party_destroy(relay);
}

/* Each plays to the other: RTCP in the clear, multiplexed or not, and sealed. Who reports
 * later answers, and so the other one knows how long it takes there and back. */
static void who_plays_reports_and_is_answered(void **state)
{
	static const enum media_leg_kind kinds[] = { MEDIA_LEG_WEBRTC, MEDIA_LEG_DTLS,
						     MEDIA_LEG_SDES, MEDIA_LEG_RTP };
	struct party *ends[ARRAY_SIZE(kinds)][2];
	mono_ms deadline;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct party *a = ends[i][0] = phone(kinds[i], &tone_440);
		struct party *b = ends[i][1] = phone(kinds[i], &tone_600);

		assert_int_equal(media_start(a->session, MEDIA_A), 0);
		await_event(a, MEDIA_EV_OFFER, MEDIA_A, 1);
		assert_int_equal(media_offer(b->session, MEDIA_A, a->sdp[MEDIA_EV_OFFER][0]), 0);
		await_event(b, MEDIA_EV_ANSWER, MEDIA_A, 1);
		assert_int_equal(media_answer(a->session, MEDIA_A, b->sdp[MEDIA_EV_ANSWER][0]), 0);
	}
	deadline = clock_now() + PATIENCE_MS;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct party *a = ends[i][0], *b = ends[i][1];

		while (receipt(a, MEDIA_A).rtcp_in == 0 || receipt(b, MEDIA_A).rtcp_in == 0 ||
		       receipt(a, MEDIA_A).rtt_us + receipt(b, MEDIA_A).rtt_us == 0)
			turn(deadline);
		assert_true(receipt(a, MEDIA_A).reported || receipt(b, MEDIA_A).reported);
		assert_int_equal(receipt(a, MEDIA_A).dropped_auth, 0);
		party_destroy(ends[i][0]);
		party_destroy(ends[i][1]);
	}
}

/* RFC 8842 4: an association is one of fingerprints and tls-id, whichever is new. */
static void another_tls_id_alone_is_a_new_association(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440), *moved;
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
	static const struct media_local tone_1000 = { .tone_hz = 1000, .detect = true };
	const char *first, *fingerprint;

	(void)state;
	connect_directly(caller, relay);
	await_tone(relay, MEDIA_B, 440);
	first = line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=tls-id:");
	fingerprint = line_of(caller->sdp[MEDIA_EV_OFFER][0], "a=fingerprint:");
	moved = phone(MEDIA_LEG_WEBRTC, &tone_1000); /* of the same engine: the same certificate */
	assert_string_equal(fingerprint, line_of(offer_of(moved), "a=fingerprint:"));
	assert_int_equal(media_offer(relay->session, MEDIA_A, moved->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_string_not_equal(first, line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=tls-id:"));
	assert_int_equal(media_answer(moved->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_tone(relay, MEDIA_B, 1000); /* with the old keys nothing would authenticate */
	await_tone(moved, MEDIA_B, 600);
	party_destroy(caller);
	party_destroy(moved);
	party_destroy(relay);
}

static void the_same_tls_id_keeps_the_association(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
	const char *first;

	(void)state;
	connect_directly(caller, relay);
	await_tone(relay, MEDIA_B, 440);
	await_tone(caller, MEDIA_B, 600);
	first = line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=tls-id:");
	/* Its ICE begins anew (RFC 8842 4 needs that for a new association, and is none). */
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     edited(caller->sdp[MEDIA_EV_OFFER][0],
					    line_of(caller->sdp[MEDIA_EV_OFFER][0], "a=ice-ufrag:"),
					    "a=ice-ufrag:newnew")),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_string_equal(first, line_of(relay->sdp[MEDIA_EV_ANSWER][0], "a=tls-id:"));
	await_packets_in(relay, MEDIA_A, 20);
	assert_int_equal(receipt(relay, MEDIA_A).dropped_auth, 0);
	party_destroy(caller);
	party_destroy(relay);
}

/* A peer that trickles, by offers: its first one has no candidate, and it is not told ours,
 * so that only the candidate of its second one can connect the two. */
static void candidates_of_a_later_offer_are_tried(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
	const char *offer = offer_of(caller), *bare = without(offer, "a=candidate:");
	char whole[16384];

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A, bare), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(caller->session, MEDIA_A,
				      without(relay->sdp[MEDIA_EV_ANSWER][0], "a=candidate:")),
			 0);
	for (unsigned i = 0; i < 5; i++)
		turn(clock_now() + PATIENCE_MS);
	assert_false(receipt(relay, MEDIA_A).ice_ok);
	(void)snprintf(whole, sizeof(whole), "%sa=end-of-candidates\r\n", offer);
	assert_int_equal(media_offer(relay->session, MEDIA_A, whole), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	await_tone(relay, MEDIA_B, 440);
	await_tone(caller, MEDIA_B, 600);
	party_destroy(caller);
	party_destroy(relay);
}

static void hold_is_carried_to_the_other_side_and_back(void **state)
{
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 8\r\n"
				     "a=sendonly\r\n"),
			 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][1], "a=sendonly"));
	assert_int_equal(media_answer(relay->session, MEDIA_B,
				      "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30002 RTP/AVP 8\r\n"
				      "a=recvonly\r\n"),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_ANSWER][0], "a=recvonly"));
	/* As RFC 2543 put it. */
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 30000 RTP/AVP 8\r\n"),
			 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 2);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][1], "a=sendonly"));
	party_destroy(relay);
}

/* ---- waiting ---- */

static void who_waits_hears_music_while_nothing_comes(void **state)
{
	struct media_sound *music = sound_of(1500, 1000);
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *callee = phone(MEDIA_LEG_RTP, &tone_600);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP, NULL);

	(void)state;
	connect_through(caller, relay, callee);
	await_tone(caller, MEDIA_B, 600);
	assert_int_equal(media_wait(relay->session, MEDIA_A, MEDIA_WAIT_ALWAYS, music), 0);
	media_sound_unref(music);
	await_packets(relay, receipt(relay, MEDIA_A).packets_in + 50);
	assert_int_equal(receipt(caller, MEDIA_B).detected_hz, 600); /* it comes first */
	party_destroy(callee);
	await_tone(caller, MEDIA_B, 1500);
	assert_int_equal(media_wait(relay->session, MEDIA_A, MEDIA_WAIT_ALWAYS, NULL), 0);
	await_tone(caller, MEDIA_B, 425);
	assert_int_equal(media_wait(relay->session, MEDIA_A, MEDIA_WAIT_NOT, NULL), 0);
	await_tone(caller, MEDIA_B, 0);
	assert_int_equal(receipt(caller, MEDIA_A).dropped_auth, 0);
	party_destroy(caller);
	party_destroy(relay);
}

/* What a side that never sends says of itself, on its way to the caller and back. */
static void re_offered(struct party *caller, struct party *relay, const char *direction)
{
	unsigned offers = relay->count[MEDIA_EV_OFFER][MEDIA_A] + 1;
	unsigned answers = caller->count[MEDIA_EV_ANSWER][MEDIA_A] + 1;
	char sdp[200];

	(void)snprintf(sdp, sizeof(sdp),
		       "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 8\r\na=%s\r\n", direction);
	assert_int_equal(media_offer(relay->session, MEDIA_B, sdp), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_A, offers);
	assert_int_equal(media_offer(caller->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(caller, MEDIA_EV_ANSWER, MEDIA_A, answers);
	offers = relay->count[MEDIA_EV_ANSWER][MEDIA_B] + 1;
	assert_int_equal(media_answer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_B, offers);
}

static void music_on_hold_is_heard_on_hold_only(void **state)
{
	struct media_sound *music = sound_of(1500, 1000);
	struct party *caller = phone(MEDIA_LEG_RTP, &tone_440);
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);
	uint64_t heard;

	(void)state;
	assert_int_equal(media_wait(relay->session, MEDIA_A, MEDIA_WAIT_ON_HOLD, music), 0);
	media_sound_unref(music);
	re_offered(caller, relay, "sendrecv");
	await_packets(relay, 50);
	assert_int_equal(receipt(caller, MEDIA_A).packets_in, 0);
	re_offered(caller, relay, "sendonly");
	await_tone(caller, MEDIA_B, 1500);
	re_offered(caller, relay, "inactive"); /* nothing may be sent: nothing is */
	await_tone(caller, MEDIA_B, 0);
	heard = receipt(caller, MEDIA_A).packets_in;
	re_offered(caller, relay, "sendrecv");
	await_packets(relay, receipt(relay, MEDIA_B).packets_out + 50);
	assert_int_equal(receipt(caller, MEDIA_A).packets_in, heard);
	party_destroy(caller);
	party_destroy(relay);
}

/* ---- transcoding ---- */

static struct party *converter(enum media_leg_kind a, enum media_leg_kind b, enum media_dtmf dtmf)
{
	struct party *party = test_calloc(1, sizeof(*party));
	const struct media_session_options options = {
		.kind = { a, b },
		.name = "relay",
		.rules = { [MEDIA_B] = { .convert = true, .dtmf = dtmf } },
		.on_event = on_event,
		.arg = party,
	};

	assert_int_equal(media_session_create(&party->session, engines[0], &options), 0);
	return party;
}

/* The caller's offer through the relay to the callee, and its answer back. */
static void agree(struct party *caller, struct party *relay, struct party *callee, unsigned time)
{
	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, time);
	assert_int_equal(media_offer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, time);
	assert_int_equal(media_offer(callee->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][1]), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, time);
	assert_int_equal(media_answer(relay->session, MEDIA_B, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, time);
	assert_int_equal(media_answer(caller->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
}

static void two_sides_without_a_common_codec_hear_each_other(void **state)
{
	static const struct {
		const char *caller, *callee;
	} pairs[] = {
		{ "opus", "PCMA" }, { "PCMU", "opus" }, { "G722", "PCMU" }, { "opus", "G722" }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct party *caller = phone_of(MEDIA_LEG_WEBRTC, &tone_440, pairs[i].caller);
		struct party *callee = phone_of(MEDIA_LEG_RTP, &tone_600, pairs[i].callee);
		struct party *relay = converter(MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP, MEDIA_DTMF_AUTO);

		agree(caller, relay, callee, 1);
		await_tone(caller, MEDIA_B, 600);
		await_tone(callee, MEDIA_B, 440);
		assert_string_equal(receipt(relay, MEDIA_A).codec, pairs[i].caller);
		assert_string_equal(receipt(relay, MEDIA_B).codec, pairs[i].callee);
		party_destroy(caller);
		party_destroy(callee);
		party_destroy(relay);
	}
}

static void without_leave_to_convert_it_is_refused(void **state)
{
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 96\r\n"
				     "a=rtpmap:96 opus/48000/2\r\n"),
			 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B,
				      "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30002 RTP/AVP 8\r\n"),
			 0);
	await_event(relay, MEDIA_EV_REFUSED, MEDIA_B, 1);
	assert_int_equal(relay->status, 488);
	party_destroy(relay);
}

/* A plain peer of the test's own, on two ports of loopback. */
static int plain_peer(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void the_transcoder_leaves_when_a_reoffer_finds_a_common_codec(void **state)
{
	struct party *caller = phone_of(MEDIA_LEG_RTP, &tone_440, "PCMA");
	struct party *relay = converter(MEDIA_LEG_RTP, MEDIA_LEG_RTP, MEDIA_DTMF_AUTO);
	uint8_t packet[1500];
	char answer[300];
	uint16_t port;
	int fd = plain_peer(&port);
	ssize_t length;

	(void)state;
	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, 1);
	for (unsigned time = 1; time <= 2; time++) { /* with Opus first, then with PCMA */
		assert_int_equal(
			media_offer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
		await_event(relay, MEDIA_EV_OFFER, MEDIA_B, time);
		(void)snprintf(answer, sizeof(answer),
			       "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio %u RTP/AVP %s\r\n"
			       "a=rtpmap:111 opus/48000/2\r\n",
			       port, time == 1 ? "111" : "8");
		assert_int_equal(media_answer(relay->session, MEDIA_B, answer), 0);
		await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, time);
		if (time == 1)
			assert_int_equal(media_answer(caller->session, MEDIA_A,
						      relay->sdp[MEDIA_EV_ANSWER][0]),
					 0);
		do {
			length = recv(fd, packet, sizeof(packet), 0);
			assert_true(length > 12);
		} while ((packet[1] & 0x7f) != (time == 1 ? 111 : 8));
		assert_true(time == 1 ? length < 100 : length == 172);
	}
	close(fd);
	party_destroy(caller);
	party_destroy(relay);
}

static void a_digit_given_to_a_session_reaches_the_peer_as_events(void **state)
{
	struct party *caller = phone_of(MEDIA_LEG_RTP, &tone_440, "PCMA");
	struct party *relay = converter(MEDIA_LEG_RTP, MEDIA_LEG_RTP, MEDIA_DTMF_RFC4733);
	uint8_t packet[1500];
	char answer[300];
	uint16_t port;
	int fd = plain_peer(&port);

	(void)state;
	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, 1);
	assert_int_equal(media_offer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	(void)snprintf(answer, sizeof(answer),
		       "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio %u RTP/AVP 8 101\r\n"
		       "a=rtpmap:101 telephone-event/8000\r\n",
		       port);
	assert_int_equal(media_answer(relay->session, MEDIA_B, answer), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(caller->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
	assert_int_equal(media_digit(relay->session, MEDIA_B, '#', 100), 0);
	assert_int_equal(media_digit(relay->session, MEDIA_B, '!', 100), -EINVAL);
	do
		assert_true(recv(fd, packet, sizeof(packet), 0) > 12);
	while ((packet[1] & 0x7f) != 101);
	assert_int_equal(packet[12], 11);
	close(fd);
	party_destroy(caller);
	party_destroy(relay);
}

static void payload_numbers_are_mapped_when_the_answers_differ(void **state)
{
	struct party *caller = phone(MEDIA_LEG_RTP, &tone_440);
	struct party *callee = phone(MEDIA_LEG_RTP, &tone_600);
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);
	const char *offer, *answer;

	(void)state;
	/* The callee believes that PCMA is 120 and that the events are 96. */
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(caller)), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	offer = edited(relay->sdp[MEDIA_EV_OFFER][1], "RTP/AVP 8 0 9 111 101 110",
		       "RTP/AVP 120 0 9 111 96 110");
	offer = edited(edited(offer, "a=rtpmap:8 ", "a=rtpmap:120 "), ":101 ", ":96 ");
	assert_int_equal(media_offer(callee->session, MEDIA_A, offer), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	answer = callee->sdp[MEDIA_EV_ANSWER][0];
	assert_non_null(strstr(answer, "RTP/AVP 120 0 9 96 110 111"));
	assert_int_equal(media_answer(relay->session, MEDIA_B, answer), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_ANSWER][0], "RTP/AVP 8 0 9 101 110 111"));
	assert_non_null(
		strstr(relay->sdp[MEDIA_EV_ANSWER][0], "a=rtpmap:101 telephone-event/8000"));
	assert_int_equal(media_answer(caller->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static void an_answer_may_come_twice_and_change(void **state)
{
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);
	const char *early = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30002 RTP/AVP 8\r\n";
	const char *late = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30004 RTP/AVP 0\r\n";
	char first[8192];

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 8 0\r\n"),
			 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B, early), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	(void)snprintf(first, sizeof(first), "%s", relay->sdp[MEDIA_EV_ANSWER][0]);
	assert_int_equal(media_answer(relay->session, MEDIA_B, early), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_string_equal(first, relay->sdp[MEDIA_EV_ANSWER][0]);
	assert_int_equal(media_answer(relay->session, MEDIA_B, late), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 3);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_ANSWER][0], "RTP/AVP 0\r\n"));
	assert_string_equal(receipt(relay, MEDIA_B).remote, "127.0.0.1:30004");
	party_destroy(relay);
}

static void a_bad_second_answer_leaves_the_first_in_force(void **state)
{
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);
	const char *sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 8\r\n";

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A, sdp), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B, sdp), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B, "v=0\r\n"), 0);
	await_event(relay, MEDIA_EV_REFUSED, MEDIA_B, 1);
	assert_int_equal(media_offer(relay->session, MEDIA_B, sdp), 0); /* a new exchange */
	party_destroy(relay);
}

/* Another engine in the place of one; returns that one. */
static struct media_engine *exchange(unsigned index, const struct media_engine_options *options)
{
	struct media_engine *before = engines[index], *engine;

	if (media_engine_create(&engine, options))
		return NULL;
	engines[index] = engine;
	return before;
}

static void put_back(unsigned index, struct media_engine *before)
{
	media_engine_destroy(engines[index]);
	engines[index] = before;
}

static void ipv6_carries_audio_too(void **state)
{
	const struct media_engine_options full = {
		.address = "::1", .port_min = 22500, .port_max = 22599, .threads = 1
	};
	const struct media_engine_options lite = { .address = "::1",
						   .port_min = 22600,
						   .port_max = 22619,
						   .threads = 1,
						   .ice_lite = true };
	struct media_engine *before[2];

	(void)state;
	before[0] = exchange(0, &full);
	if (!before[0])
		skip(); /* a host without IPv6 */
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP);
	talk(MEDIA_LEG_SDES, MEDIA_LEG_DTLS);
	before[1] = exchange(1, &lite);
	assert_non_null(before[1]);
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC);
	put_back(1, before[1]);
	put_back(0, before[0]);
}

/* What an engine on 127.0.0.2 offers by which it is told as 203.0.113.7. */
static void assert_advertised(enum media_leg_kind kind)
{
	struct party *party = party_create_on(engines[1], kind, MEDIA_LEG_LOCAL, &tone_440);
	const char *sdp = offer_of(party);
	unsigned port = 0;
	char wanted[64];

	assert_null(strstr(sdp, "127.0.0.2"));
	assert_non_null(strstr(sdp, "c=IN IP4 203.0.113.7\r\n"));
	assert_int_equal(sscanf(line_of(sdp, "m=audio "), "m=audio %u", &port), 1);
	(void)snprintf(wanted, sizeof(wanted), " 203.0.113.7 %u typ host", port);
	if (kind == MEDIA_LEG_WEBRTC)
		assert_non_null(strstr(line_of(sdp, "a=candidate:"), wanted));
	else
		assert_null(strstr(sdp, "a=candidate:"));
	party_destroy(party);
}

static void an_advertised_address_stands_wherever_ours_would(void **state)
{
	struct media_engine_options options = { .address = "127.0.0.2",
						.advertised = "203.0.113.7",
						.port_min = 22620,
						.port_max = 22639,
						.threads = 1 };
	struct media_engine *before = exchange(1, &options);

	(void)state;
	assert_non_null(before);
	for (enum media_leg_kind kind = MEDIA_LEG_WEBRTC; kind < MEDIA_LEG_LOCAL; kind++)
		assert_advertised(kind);
	put_back(1, before);
	options.ice_lite = true;
	before = exchange(1, &options);
	assert_non_null(before);
	assert_advertised(MEDIA_LEG_WEBRTC);
	put_back(1, before);
	options.advertised = "2001:db8::1";
	assert_null(exchange(1, &options));
	options.advertised = "media.example";
	assert_null(exchange(1, &options));
}

static void a_full_agent_is_on_all_addresses(void **state)
{
	static const struct media_address others[] = { { "::1", "2001:db8::7" } };
	const struct media_engine_options v6 = {
		.address = "::1", .port_min = 22500, .port_max = 22599, .threads = 1
	};
	const struct media_engine_options both = { .address = "127.0.0.2",
						   .advertised = "203.0.113.7",
						   .others = others,
						   .other_count = 1,
						   .port_min = 22620,
						   .port_max = 22639,
						   .threads = 1 };
	struct media_engine *before[2] = { exchange(0, &v6), NULL };
	struct party *relay, *caller;
	const char *offer;

	(void)state;
	if (!before[0])
		skip(); /* a host without IPv6 */
	before[1] = exchange(1, &both);
	assert_non_null(before[1]);
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC); /* by IPv6 alone */
	relay = party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_440);
	offer = offer_of(relay);
	assert_non_null(strstr(offer, "c=IN IP4 203.0.113.7\r\n"));
	assert_non_null(strstr(offer, " 203.0.113.7 "));
	assert_non_null(strstr(offer, " 2001:db8::7 "));
	assert_null(strstr(offer, "127.0.0.2"));
	party_destroy(relay);

	caller = phone(MEDIA_LEG_WEBRTC, &tone_440); /* who is answered in its family */
	relay = party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_440);
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(caller)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A], "c=IN IP6 2001:db8::7\r\n"));
	party_destroy(relay);
	party_destroy(caller);

	put_back(1, before[1]);
	put_back(0, before[0]);
}

/* engines[1] is on an address of each family, the IPv6 one first; NULL: this machine has
 * none. */
static struct media_engine *exchange_for_both(bool ice_lite)
{
	static const struct media_address others[] = { { "127.0.0.2", NULL } };
	const struct media_engine_options both = { .address = "::1",
						   .others = others,
						   .other_count = 1,
						   .port_min = 22680,
						   .port_max = 22719,
						   .threads = 1,
						   .ice_lite = ice_lite };

	return exchange(1, &both);
}

/* The caller is at ::1, the callee at 127.0.0.1; what is known of the callee before its
 * answer is where its signalling is. */
static void talk_across_families(enum media_leg_kind kind, bool shared)
{
	struct party *caller, *callee = phone(kind, &tone_600), *relay;

	places[MEDIA_A].near = "::1";
	caller = party_create_on(engines[1], kind, MEDIA_LEG_LOCAL, &tone_440);
	places[MEDIA_A].near = NULL;
	places[MEDIA_B].near = "127.0.0.1";
	shared_ports = shared;
	relay = party_create_on(engines[1], kind, kind, NULL);
	shared_ports = false;
	places[MEDIA_B].near = NULL;
	connect_through(caller, relay, callee);
	assert_non_null(strstr(caller->sdp[MEDIA_EV_OFFER][MEDIA_A], "c=IN IP6 ::1\r\n"));
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "c=IN IP4 127.0.0.2\r\n"));
	assert_non_null(strstr(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A], "c=IN IP6 ::1\r\n"));
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(receipt(callee, MEDIA_A).dropped_source, 0);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static void without_ice_each_side_is_served_in_its_family(void **state)
{
	struct media_engine *before = exchange_for_both(false);

	(void)state;
	if (!before)
		skip(); /* a host without IPv6 */
	for (enum media_leg_kind kind = MEDIA_LEG_RTP; kind < MEDIA_LEG_LOCAL; kind++)
		talk_across_families(kind, /* shared= */ false);
	talk_across_families(MEDIA_LEG_RTP, /* shared= */ true);
	talk_across_families(MEDIA_LEG_SDES, /* shared= */ true);
	talk_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_WEBRTC); /* the phones are IPv4 */
	put_back(1, before);
}

/* Who is at ::1 and moves to 127.0.0.1, as by a transfer within a PBX (RFC 3264 8.3.1). */
static void a_peer_without_ice_moves_to_the_other_family(void **state)
{
	struct media_engine *before = exchange_for_both(false);
	struct party *first, *second, *relay;
	const char *answer;

	(void)state;
	if (!before)
		skip();
	places[MEDIA_A].near = "::1";
	first = party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	places[MEDIA_A].near = NULL;
	second = phone(MEDIA_LEG_RTP, &tone_600);
	relay = party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(first)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(first->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_tone(first, MEDIA_B, 440);
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(second)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	answer = relay->sdp[MEDIA_EV_ANSWER][0];
	assert_non_null(strstr(answer, "c=IN IP4 127.0.0.2\r\n"));
	assert_int_equal(media_answer(second->session, MEDIA_A, answer), 0);
	await_tone(second, MEDIA_B, 440);
	assert_int_equal(receipt(second, MEDIA_A).dropped_source, 0);
	party_destroy(first);
	party_destroy(second);
	party_destroy(relay);
	put_back(1, before);
}

/* We have offered ::1; who answers with 127.0.0.1 hears us from 127.0.0.2. */
static void an_answer_of_the_other_family_is_sent_to_from_that(void **state)
{
	struct media_engine *before = exchange_for_both(false);
	struct party *callee, *us;
	const char *offer;

	(void)state;
	if (!before)
		skip();
	latching = MEDIA_LATCHING_ANY; /* our offer has named nobody */
	callee = phone(MEDIA_LEG_RTP, &tone_600);
	latching = MEDIA_LATCHING_SIGNALLED;
	places[MEDIA_A].near = "::1";
	us = party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	places[MEDIA_A].near = NULL;
	offer = edited(offer_of(us), "c=IN IP6 ::1", "c=IN IP4 127.0.0.3"); /* nobody's */
	assert_int_equal(media_offer(callee->session, MEDIA_A, offer), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(us->session, MEDIA_A, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(strncmp(receipt(callee, MEDIA_A).remote, "127.0.0.2:", 10), 0);
	party_destroy(callee);
	party_destroy(us);
	put_back(1, before);
}

static void the_address_that_is_named_for_a_side_is_offered(void **state)
{
	struct media_engine *before = exchange_for_both(false);
	struct media_codecs named = { .address = "127.0.0.2" }, there = { .near = "::1" };
	struct media_codecs unknown = { .near = "pbx.example.com" };
	struct party *party;

	(void)state;
	if (!before)
		skip();
	places[MEDIA_A].near = "::1";
	places[MEDIA_A].address = "127.0.0.2";
	party = party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	places[MEDIA_A].near = places[MEDIA_A].address = NULL;
	assert_non_null(strstr(offer_of(party), "c=IN IP4 127.0.0.2\r\n"));
	assert_int_not_equal(media_engine_address(engines[1], &named),
			     media_engine_address(engines[1], &there));
	assert_int_equal(media_engine_address(engines[1], &unknown), 0); /* the first */
	party_destroy(party);
	put_back(1, before);
}

static void a_lite_agent_is_on_all_addresses(void **state)
{
	const struct media_engine_options v6 = {
		.address = "::1", .port_min = 22500, .port_max = 22599, .threads = 1
	};
	struct media_engine *before[2] = { NULL, exchange_for_both(true) };
	struct party *party;
	const char *offer;

	(void)state;
	if (!before[1])
		skip();
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC); /* by IPv4 */
	before[0] = exchange(0, &v6);
	assert_non_null(before[0]);
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC);
	put_back(0, before[0]);
	places[MEDIA_A].near = "127.0.0.1";
	party = party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_440);
	places[MEDIA_A].near = NULL;
	offer = offer_of(party);
	assert_non_null(strstr(offer, "c=IN IP4 127.0.0.2\r\n")); /* who reads no candidates */
	assert_non_null(strstr(offer, "a=ice-lite\r\n"));
	assert_non_null(strstr(offer, "a=candidate:1 1 UDP 2130706431 ::1 "));
	assert_non_null(strstr(offer, "a=candidate:2 1 UDP 2130706175 127.0.0.2 "));
	party_destroy(party);
	put_back(1, before[1]);
}

/* Nobody is at 127.0.0.9: the phones learn the address from what we send, a peer-
 * reflexive one with ICE, the source of RTP without. */
static void who_cannot_reach_the_advertised_address_is_reached_by_us(void **state)
{
	const struct media_engine_options options = { .address = "127.0.0.2",
						      .advertised = "127.0.0.9",
						      .port_min = 22640,
						      .port_max = 22659,
						      .threads = 1 };
	struct media_engine *before = exchange(1, &options);

	(void)state;
	assert_non_null(before);
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC);
	latching = MEDIA_LATCHING_ANY;
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP);
	latching = MEDIA_LATCHING_SIGNALLED;
	put_back(1, before);
}

/* It would come back to us through the NAT. */
static void a_peer_that_names_our_advertised_address_and_port_is_refused(void **state)
{
	const struct media_engine_options options = { .address = "127.0.0.2",
						      .advertised = "127.0.0.9",
						      .port_min = 22660,
						      .port_max = 22679,
						      .threads = 1 };
	struct media_engine *before = exchange(1, &options);
	struct party *relay;

	(void)state;
	assert_non_null(before);
	relay = party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	assert_int_equal(media_answer(relay->session, MEDIA_A, offer_of(relay)), 0);
	await_event(relay, MEDIA_EV_REFUSED, MEDIA_A, 1);
	assert_non_null(strstr(relay->reason, "127.0.0.9 is our own"));
	party_destroy(relay);
	put_back(1, before);
}

static void calls_out_of_order_are_refused_at_once(void **state)
{
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);
	struct party *local = phone(MEDIA_LEG_RTP, &tone_440);
	const char *sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 8\r\n";

	(void)state;
	assert_int_equal(media_answer(relay->session, MEDIA_B, sdp), -EINVAL);
	assert_int_equal(media_start(relay->session, MEDIA_A), -EINVAL);
	assert_int_equal(media_offer(local->session, MEDIA_B, sdp), -EINVAL);
	assert_int_equal(media_offer(relay->session, MEDIA_A, sdp), 0);
	assert_int_equal(media_offer(relay->session, MEDIA_A, sdp), -EINVAL);
	assert_int_equal(media_offer(relay->session, MEDIA_B, sdp), -EINVAL);
	assert_int_equal(media_answer(relay->session, MEDIA_A, sdp), -EINVAL);
	media_rollback(relay->session);
	assert_int_equal(media_offer(relay->session, MEDIA_B, sdp), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_A, 1);
	party_destroy(relay);
	party_destroy(local);
}

static void a_rolled_back_offer_leaves_the_agreement_in_force(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *callee = phone(MEDIA_LEG_RTP, &tone_600);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP, NULL);

	(void)state;
	connect_through(caller, relay, callee);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(media_offer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 2);
	media_rollback(relay->session);
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

/* The offer is refused for A with 488 and a sentence that has `part` in it. */
static void refused(enum media_leg_kind kind, const char *sdp, const char *part)
{
	struct party *relay = party_create(kind, MEDIA_LEG_LOCAL, &tone_440);

	assert_int_equal(media_offer(relay->session, MEDIA_A, sdp), 0);
	await_event(relay, MEDIA_EV_REFUSED, MEDIA_A, 1);
	assert_int_equal(relay->status, 488);
	if (!strstr(relay->reason, part))
		fail_msg("\"%s\" is not in \"%s\"", part, relay->reason);
	/* The session is as it was: a good offer is answered. */
	assert_int_equal(media_start(relay->session, MEDIA_A), 0);
	party_destroy(relay);
}

#define KEY "inline:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0"

static void an_offer_without_usable_keys_is_refused_where_they_are_required(void **state)
{
	(void)state;
	refused(MEDIA_LEG_SDES, "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n",
		"no a=crypto");
	refused(MEDIA_LEG_SDES,
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 UDP/TLS/RTP/SAVP 8\r\n"
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 " KEY "\r\n",
		"keys in the SDP (RTP/SAVP)");
	refused(MEDIA_LEG_SDES,
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/SAVP 8\r\n"
		"a=crypto:1 F8_128_HMAC_SHA1_80 " KEY "\r\n",
		"no a=crypto that can be served");
	refused(MEDIA_LEG_SDES_OR_RTP, "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/SAVP 8\r\n",
		"no a=crypto");
	refused(MEDIA_LEG_SDES,
		"v=0\r\nc=IN IP4 224.0.0.1\r\nm=audio 4000 RTP/SAVP 8\r\n"
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 " KEY "\r\n",
		"multicast");
	refused(MEDIA_LEG_DTLS, "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n",
		"requires DTLS-SRTP (UDP/TLS/RTP/SAVP)");
	refused(MEDIA_LEG_DTLS,
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 UDP/TLS/RTP/SAVP 8\r\na=rtcp-mux\r\n",
		"no a=fingerprint");
}

/* One session with a local side; the test is its peer and writes by hand. */
static const char *answered(struct party *player, const char *offer)
{
	unsigned answers = player->count[MEDIA_EV_ANSWER][MEDIA_A] + 1;

	assert_int_equal(media_offer(player->session, MEDIA_A, offer), 0);
	await_event(player, MEDIA_EV_ANSWER, MEDIA_A, answers);
	return player->sdp[MEDIA_EV_ANSWER][MEDIA_A];
}

#define SDES_OFFER(proto, keys)                                                                    \
	"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"                \
	"m=audio 4000 " proto " 8\r\n" keys

static void the_answer_names_the_tag_it_takes_and_no_other_line(void **state)
{
	struct party *player = party_create(MEDIA_LEG_SDES, MEDIA_LEG_LOCAL, &tone_440);
	const char *answer = answered(
		player, SDES_OFFER("RTP/SAVPF", "a=crypto:4 AES_256_CM_HMAC_SHA1_80 " KEY "\r\n"
						"a=crypto:9 AES_CM_128_HMAC_SHA1_32 " KEY "\r\n"
						"a=crypto:7 AES_CM_128_HMAC_SHA1_80 " KEY "\r\n"));
	char first[8192];

	(void)state;
	assert_non_null(strstr(answer, "RTP/SAVPF 8"));
	assert_non_null(strstr(answer, "a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:"));
	assert_null(strstr(strstr(answer, "a=crypto:") + 1, "a=crypto:"));
	assert_null(strstr(answer, KEY));
	assert_string_equal(receipt(player, MEDIA_A).profile, "AES128_CM_SHA1_80");
	(void)snprintf(first, sizeof(first), "%s", answer);

	/* The same keys again: nothing changes, not even the text. */
	answer = answered(
		player, SDES_OFFER("RTP/SAVPF", "a=crypto:7 AES_CM_128_HMAC_SHA1_80 " KEY "\r\n"));
	assert_string_equal(answer, first);
	/* Another key of the peer's: one of ours too. */
	answer =
		answered(player, SDES_OFFER("RTP/SAVPF",
					    "a=crypto:7 AES_CM_128_HMAC_SHA1_80 "
					    "inline:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM1\r\n"));
	assert_string_not_equal(strstr(answer, "a=crypto:"), strstr(first, "a=crypto:"));
	party_destroy(player);
}

static void keys_are_used_where_they_may_be_if_the_peer_has_some(void **state)
{
	struct party *player = party_create(MEDIA_LEG_SDES_OR_RTP, MEDIA_LEG_LOCAL, &tone_440);
	const char *answer =
		answered(player, SDES_OFFER("RTP/AVP", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 " KEY
						       "|2^31|1:1\r\n"));

	(void)state;
	assert_non_null(strstr(answer, "RTP/AVP 8"));
	assert_non_null(strstr(answer, "a=crypto:1 AES_CM_128_HMAC_SHA1_80"));
	answer = answered(player, SDES_OFFER("RTP/AVP", ""));
	assert_null(strstr(answer, "a=crypto"));
	answer = answered(player,
			  SDES_OFFER("RTP/AVP", "a=crypto:1 F8_128_HMAC_SHA1_80 " KEY "\r\n"));
	assert_null(strstr(answer, "a=crypto"));
	party_destroy(player);
}

static void an_answer_with_keys_that_were_not_offered_is_refused(void **state)
{
	struct party *caller = phone(MEDIA_LEG_SDES, &tone_440);

	(void)state;
	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, 1);
	assert_non_null(strstr(caller->sdp[MEDIA_EV_OFFER][0], "RTP/SAVP 8"));
	assert_non_null(strstr(caller->sdp[MEDIA_EV_OFFER][0], "a=crypto:1 AEAD_AES_128_GCM"));
	assert_non_null(strstr(caller->sdp[MEDIA_EV_OFFER][0], "a=rtcp-mux"));
	assert_int_equal(media_answer(caller->session, MEDIA_A,
				      SDES_OFFER("RTP/SAVP",
						 "a=crypto:1 AES_CM_128_HMAC_SHA1_80 " KEY "\r\n")),
			 0);
	await_event(caller, MEDIA_EV_REFUSED, MEDIA_A, 1);
	assert_non_null(strstr(caller->reason, "answers none that was offered"));
	party_destroy(caller);
}

static void offers_of_the_wrong_kind_are_refused_with_a_sentence(void **state)
{
	struct party *web = phone(MEDIA_LEG_WEBRTC, &tone_440);
	const char *offer = offer_of(web);

	(void)state;
	refused(MEDIA_LEG_WEBRTC, "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n",
		"requires ICE and DTLS-SRTP");
	refused(MEDIA_LEG_RTP, offer, "speaks plain RTP/AVP");
	refused(MEDIA_LEG_WEBRTC,
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/SAVP 8\r\na=rtcp-mux\r\n"
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
		"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0\r\n",
		"SDES");
	refused(MEDIA_LEG_WEBRTC, without(offer, "a=fingerprint"), "no a=fingerprint");
	refused(MEDIA_LEG_WEBRTC, edited(offer, "sha-256", "sha-1"), "no valid a=fingerprint");
	refused(MEDIA_LEG_WEBRTC, without(offer, "a=ice-pwd"), "a=ice-ufrag and a=ice-pwd");
	refused(MEDIA_LEG_WEBRTC, without(offer, "a=rtcp-mux"), "a=rtcp-mux");
	refused(MEDIA_LEG_WEBRTC, edited(offer, "actpass", "holdconn"), "holdconn");
	refused(MEDIA_LEG_RTP, "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 0 RTP/AVP 8\r\n", "port 0");
	refused(MEDIA_LEG_RTP, "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 18\r\n",
		"offers G729/8000; the other has PCMA/8000, PCMU/8000, G722/8000, "
		"opus/48000, telephone-event/8000, telephone-event/48000");
	refused(MEDIA_LEG_RTP, "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 101\r\n",
		"no audio codec");
	refused(MEDIA_LEG_RTP, "garbage", "v=0");
	party_destroy(web);
}

static void hostile_addresses_are_refused(void **state)
{
	static const char *const hosts[] = { "224.0.0.1", "255.255.255.255",   "239.1.2.3",
					     "240.0.0.1", "media.example.com", "1.2.3",
					     "" };
	char sdp[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		(void)snprintf(sdp, sizeof(sdp), "v=0\r\nc=IN IP4 %s\r\nm=audio 4000 RTP/AVP 8\r\n",
			       hosts[i]);
		refused(MEDIA_LEG_RTP, sdp, "media address");
	}
	refused(MEDIA_LEG_RTP, "v=0\r\nc=IN IP6 ::1\r\nm=audio 4000 RTP/AVP 8\r\n", "family");
	refused(MEDIA_LEG_RTP,
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n"
		"a=rtcp:4001 IN IP4 224.0.0.1\r\n",
		"multicast");
}

/* An address of this machine that is not loopback; false: it has none. */
static bool find_address(char ret_host[INET_ADDRSTRLEN])
{
	struct ifaddrs *list, *at;
	bool found = false;

	assert_int_equal(getifaddrs(&list), 0);
	for (at = list; at && !found; at = at->ifa_next) {
		const struct sockaddr_in *address = (const struct sockaddr_in *)at->ifa_addr;

		found = address && address->sin_family == AF_INET &&
			!(at->ifa_flags & IFF_LOOPBACK) && (at->ifa_flags & IFF_UP) &&
			inet_ntop(AF_INET, &address->sin_addr, ret_host, INET_ADDRSTRLEN);
	}
	freeifaddrs(list);
	return found;
}

/* Of others' services on this machine nobody is told by us (coturn's class of 2021). */
static void loopback_is_refused_where_we_are_not_on_it(void **state)
{
	static const char *const loopbacks[] = { "127.0.0.1", "127.255.3.4" };
	char host[INET_ADDRSTRLEN], sdp[256];
	const struct media_engine_options options = {
		.address = host, .port_min = 22720, .port_max = 22739, .threads = 1
	};
	struct media_engine *before;

	(void)state;
	if (!find_address(host))
		skip();
	before = exchange(0, &options);
	assert_non_null(before);
	for (unsigned i = 0; i < sizeof(loopbacks) / sizeof(loopbacks[0]); i++) {
		(void)snprintf(sdp, sizeof(sdp), "v=0\r\nc=IN IP4 %s\r\nm=audio 4000 RTP/AVP 8\r\n",
			       loopbacks[i]);
		refused(MEDIA_LEG_RTP, sdp, "is loopback");
	}
	put_back(0, before);
}

static void an_offer_that_points_at_ourselves_is_refused(void **state)
{
	struct party *relay = phone(MEDIA_LEG_RTP, &tone_440);
	const char *own = offer_of(relay);

	(void)state;
	media_rollback(relay->session);
	assert_int_equal(media_offer(relay->session, MEDIA_A, own), 0);
	await_event(relay, MEDIA_EV_REFUSED, MEDIA_A, 1);
	assert_non_null(strstr(relay->reason, "our own"));
	party_destroy(relay);
}

static void an_answer_without_a_common_codec_names_both_lists(void **state)
{
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 8\r\n"),
			 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B,
				      "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30002 RTP/AVP 0\r\n"),
			 0);
	await_event(relay, MEDIA_EV_REFUSED, MEDIA_B, 1);
	assert_int_equal(relay->status, 488);
	assert_non_null(
		strstr(relay->reason, "one side offers PCMA/8000; the other has PCMU/8000"));
	/* A better one may follow, as from another branch of a fork. */
	memset(relay->count, 0, sizeof(relay->count));
	assert_int_equal(media_answer(relay->session, MEDIA_B,
				      "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30002 RTP/AVP 8\r\n"),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	party_destroy(relay);
}

/* Whatever they are: what the rules of a side leave out is named too. */
static void an_offer_of_what_may_not_be_used_names_both_lists(void **state)
{
	struct party *relay;

	(void)state;
	allowed = "G722";
	relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);
	allowed = NULL;
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 8 3\r\n"),
			 0);
	await_event(relay, MEDIA_EV_REFUSED, MEDIA_A, 1);
	assert_int_equal(relay->status, 488);
	assert_non_null(
		strstr(relay->reason, "one side offers PCMA/8000, GSM/8000; the other has G722"));
	party_destroy(relay);
}

static void video_is_answered_with_port_zero(void **state)
{
	struct party *callee = phone(MEDIA_LEG_RTP, &tone_440);

	(void)state;
	assert_int_equal(media_offer(callee->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=video 4002 RTP/AVP 96\r\n"
				     "a=rtpmap:96 VP8/90000\r\nm=audio 4000 RTP/AVP 8\r\n"),
			 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_non_null(
		strstr(callee->sdp[MEDIA_EV_ANSWER][0], "m=video 0 RTP/AVP 96\r\nm=audio "));
	party_destroy(callee);
}

static void no_event_follows_destroy(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct party *web = phone(MEDIA_LEG_WEBRTC, &tone_440);

		assert_int_equal(media_start(web->session, MEDIA_A), 0);
		party_destroy(web); /* on_event would touch freed memory */
	}
	for (unsigned i = 0; i < 10; i++)
		turn(clock_now() + PATIENCE_MS);
}

static void a_full_port_range_says_so_and_recovers_nothing_half_taken(void **state)
{
	const struct media_engine_options options = {
		.address = "127.0.0.1", .port_min = 23000, .port_max = 23002, .threads = 1
	};
	struct media_session_options wanted = { .kind = { MEDIA_LEG_RTP, MEDIA_LEG_RTP },
						.on_event = on_event };
	struct media_engine *small;
	struct media_session *session = NULL;

	(void)state;
	assert_int_equal(media_engine_create(&small, &options), 0);
	assert_int_equal(media_session_create(&session, small, &wanted), -ENOSPC);
	assert_null(session);
	wanted.kind[MEDIA_A] = wanted.kind[MEDIA_B] = MEDIA_LEG_LOCAL;
	assert_int_equal(media_session_create(&session, small, &wanted), -EINVAL);
	media_engine_destroy(small);
}

static void the_last_ports_are_for_calls_in_progress(void **state)
{
	const struct media_engine_options options = {
		.address = "127.0.0.1", .port_min = 22800, .port_max = 22899, .threads = 1
	};
	struct media_session_options wanted = { .kind = { MEDIA_LEG_RTP, MEDIA_LEG_RTP },
						.on_event = on_event };
	struct media_session *sessions[25] = { NULL };
	struct media_engine *small;
	unsigned count = 0;

	(void)state;
	assert_int_equal(media_engine_create(&small, &options), 0);
	while (count < 25 && media_session_create(&sessions[count], small, &wanted) == 0)
		count++;
	assert_int_equal(count, 24); /* 96 ports; four more would leave none */
	assert_int_equal(media_engine_ports_percent(small), 96);
	wanted.replaces = true;
	assert_int_equal(media_session_create(&sessions[count], small, &wanted), 0);
	assert_int_equal(media_engine_ports_percent(small), 100);
	for (unsigned i = 0; i <= count; i++)
		media_session_destroy(sessions[i]);
	media_engine_destroy(small);
}

static struct media_engine *lite_engine(void)
{
	const struct media_engine_options options = { .address = "127.0.0.1",
						      .port_min = 23020,
						      .port_max = 23039,
						      .threads = 1,
						      .ice_lite = true };
	struct media_engine *engine;

	assert_int_equal(media_engine_create(&engine, &options), 0);
	return engine;
}

static void a_hello_that_is_faster_than_its_answer_waits_for_it(void **state)
{
	struct party *callee = phone(MEDIA_LEG_WEBRTC, &tone_600), *caller;
	struct media_engine *before = engines[1];
	mono_ms deadline = clock_now() + PATIENCE_MS;

	(void)state;
	engines[1] = lite_engine();
	caller = party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_440);
	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, 1);
	assert_int_equal(media_offer(callee->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	while (!receipt(callee, MEDIA_A).ice_ok || !receipt(caller, MEDIA_A).ice_ok)
		turn(deadline);
	turn(deadline); /* the callee has said hello meanwhile */
	assert_int_equal(media_answer(caller->session, MEDIA_A, callee->sdp[MEDIA_EV_ANSWER][0]),
			 0);
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(receipt(caller, MEDIA_A).dropped_other, 0);
	party_destroy(caller);
	party_destroy(callee);
	media_engine_destroy(engines[1]);
	engines[1] = before;
}

/* Binds every port of the range that nobody has. Returns how many. */
static unsigned occupy(uint16_t port_min, uint16_t port_max, int *fds)
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

static void an_offer_is_not_sent_on_before_both_sides_have_their_transport(void **state)
{
	const struct media_engine_options options = {
		.address = "127.0.0.1", .port_min = 23010, .port_max = 23013, .threads = 1
	};
	struct party *caller = phone(MEDIA_LEG_WEBRTC, NULL), *relay;
	mono_ms deadline = clock_now() + PATIENCE_MS;
	struct media_engine *small;
	int fds[4];
	unsigned occupied;

	(void)state;
	assert_int_equal(media_start(caller->session, MEDIA_A), 0);
	await_event(caller, MEDIA_EV_OFFER, MEDIA_A, 1);
	assert_int_equal(media_engine_create(&small, &options), 0);
	relay = party_create_on(small, MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP, NULL);
	occupied = occupy(options.port_min, options.port_max, fds);
	assert_int_equal(media_offer(relay->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	while (relay->count[MEDIA_EV_REFUSED][MEDIA_A] == 0) {
		struct pollfd news = { .fd = media_engine_fd(small), .events = POLLIN };

		assert_int_equal(relay->count[MEDIA_EV_OFFER][MEDIA_B], 0);
		assert_true(clock_now() < deadline);
		(void)poll(&news, 1, 20);
		media_engine_drain(small);
	}
	assert_int_equal(relay->status, 503);
	party_destroy(relay);
	media_engine_destroy(small);
	party_destroy(caller);
	while (occupied > 0)
		close(fds[--occupied]);
}

static void an_engine_needs_an_address_of_ours_and_a_range(void **state)
{
	struct media_engine_options options = {
		.address = "192.0.2.1", .port_min = 23000, .port_max = 23010, .threads = 1
	};
	struct media_engine *none = NULL;

	(void)state;
	assert_int_equal(media_engine_create(&none, &options), -EIO);
	options.address = "localhost";
	assert_int_equal(media_engine_create(&none, &options), -EINVAL);
	options.address = "127.0.0.1";
	options.port_max = 22000;
	assert_int_equal(media_engine_create(&none, &options), -EINVAL);
	options.threads = 0;
	assert_int_equal(media_engine_create(&none, &options), -EINVAL);
	assert_null(none);
}

static void a_peer_that_never_sends_is_reported_silent(void **state)
{
	struct party *relay =
		party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 8\r\n"),
			 0);
	await_event(relay, MEDIA_EV_SILENT, MEDIA_A, 1);
	assert_int_equal(relay->count[MEDIA_EV_SILENT][MEDIA_B], 0);
	party_destroy(relay);
}

static void a_side_on_hold_that_is_gone_is_reported_silent(void **state)
{
	struct party *relay =
		party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\n"
				     "m=audio 30000 RTP/AVP 8\r\na=inactive\r\n"),
			 0);
	await_event(relay, MEDIA_EV_SILENT, MEDIA_A, 1);
	party_destroy(relay);
}

static void junk_on_a_plain_port_is_counted_and_not_relayed(void **state)
{
	struct party *callee = phone(MEDIA_LEG_RTP, &tone_440);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in peer = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in to = peer;
	socklen_t size = sizeof(peer);
	mono_ms deadline = clock_now() + PATIENCE_MS;
	char sdp[256];
	uint8_t junk[1600];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&peer, sizeof(peer)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&peer, &size), 0);
	(void)snprintf(sdp, sizeof(sdp), "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio %u RTP/AVP 8\r\n",
		       ntohs(peer.sin_port));
	assert_int_equal(media_offer(callee->session, MEDIA_A, sdp), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	to.sin_port =
		htons((uint16_t)atoi(strstr(callee->sdp[MEDIA_EV_ANSWER][0], "m=audio ") + 8));
	srand(5);
	for (unsigned first = 0; first < 256; first++) {
		for (size_t i = 0; i < sizeof(junk); i++)
			junk[i] = (uint8_t)rand();
		junk[0] = (uint8_t)first;
		(void)sendto(fd, junk, first == 128 ? sizeof(junk) : first % 40, 0,
			     (struct sockaddr *)&to, sizeof(to));
	}
	while (receipt(callee, MEDIA_A).dropped_other < 200)
		turn(deadline);
	close(fd);
	party_destroy(callee);
}

/* The port that a text of ours names. */
static struct sockaddr_in port_of(const char *sdp)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	at.sin_port = htons((uint16_t)atoi(strstr(sdp, "m=audio ") + 8));
	return at;
}

static void spray(int fd, const struct sockaddr_in *to, uint16_t sequence)
{
	uint8_t packet[172] = { 0x80, 8, (uint8_t)(sequence >> 8), (uint8_t)sequence };

	packet[11] = 66;
	memset(packet + 12, 0x2a, 160);
	(void)sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr *)to, sizeof(*to));
}

/* A side behind a lite port, in an engine of its own. */
static struct party *lite_side(struct media_engine **ret_before)
{
	*ret_before = engines[1];
	engines[1] = lite_engine();
	return party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_600);
}

static void end_lite_side(struct party *party, struct media_engine *before)
{
	party_destroy(party);
	media_engine_destroy(engines[1]);
	engines[1] = before;
}

static void a_lite_side_that_nobody_checks_says_so_and_what_to_mend(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct media_engine *before;
	struct party *relay = lite_side(&before);

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(caller)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1); /* of which the caller hears nothing */
	clock_fake_set(clock_now());
	for (unsigned s = 0; relay->count[MEDIA_EV_FAILED][MEDIA_A] == 0 && s < 300; s++) {
		clock_fake_advance(1000);
		turn(clock_now() + PATIENCE_MS);
	}
	clock_real();
	assert_non_null(strstr(relay->reason, "no check with our password came within 30 s"));
	assert_non_null(strstr(relay->reason, " candidates, first 127.0.0.1:"));
	assert_non_null(strstr(relay->reason, "or set `media.ice: full`"));
	party_destroy(caller);
	end_lite_side(relay, before);
}

/* The address of a peer that has gone; its socket is closed on its own thread. */
static int take_address(const char *remote)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons((uint16_t)atoi(strchr(remote, ':') + 1));
	while (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		turn(deadline);
	return fd;
}

/* What needs no key: a check without a password, a ClientHello, RTP that does not
 * authenticate. The last has been read when this returns. */
static void forge(int fd, const struct sockaddr_in *to, struct party *relay)
{
	static const uint8_t check[28] = {
		0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, [20] = 0x80, 0x28, 0, 4, 1, 2, 3, 4
	};
	static const uint8_t hello[115] = { 22, 0xfe, 0xff, [12] = 102, 1, [24] = 90, 0xfe, 0xfd };
	uint64_t before = receipt(relay, MEDIA_A).dropped_auth;
	const struct sockaddr *address = (const struct sockaddr *)to;

	assert_int_equal(sendto(fd, check, sizeof(check), 0, address, sizeof(*to)), sizeof(check));
	assert_int_equal(sendto(fd, hello, sizeof(hello), 0, address, sizeof(*to)), sizeof(hello));
	spray(fd, to, 1);
	while (receipt(relay, MEDIA_A).dropped_auth == before)
		turn(clock_now() + PATIENCE_MS);
}

/* RFC 7675 5.1. It has gone without a word, and somebody has its address. */
static void a_peer_of_a_lite_side_that_is_only_forged_is_sent_nothing(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct media_engine *before;
	struct party *relay = lite_side(&before);
	uint64_t sent[100] = { 0 };
	struct sockaddr_in to;
	unsigned seconds = 0;
	int fd;

	(void)state;
	connect_directly(caller, relay);
	await_tone(caller, MEDIA_B, 600);
	to = port_of(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A]);
	party_destroy(caller);
	fd = take_address(receipt(relay, MEDIA_A).remote);
	clock_fake_set(clock_now());
	for (; relay->count[MEDIA_EV_FAILED][MEDIA_A] == 0 && seconds < 100; seconds++) {
		clock_fake_advance(1000);
		forge(fd, &to, relay);
		turn(clock_now() + PATIENCE_MS);
		sent[seconds] = receipt(relay, MEDIA_A).packets_out;
	}
	clock_real();
	assert_in_range(seconds, 60, 75);
	assert_true(sent[25] > sent[15]);              /* our sound goes on, */
	assert_int_equal(sent[40], sent[seconds - 1]); /* and ends with the consent: 30 s, and 5
							* between two looks */
	assert_non_null(strstr(relay->reason, "ICE consent ended: 127.0.0.1:"));
	assert_false(receipt(relay, MEDIA_A).ice_ok);
	assert_non_null(strstr(relay->reason, "has sent neither a check with our password nor a "
					      "packet that authenticates for more than 60 s"));
	assert_non_null(strstr(relay->reason, "set `media.ice: full`"));
	close(fd);
	end_lite_side(relay, before);
}

/* A ClientHello of somebody else, as it resets rtpengine 10.5 (CVE-2023-51275). */
static void greet(struct party *relay, int fd, const struct sockaddr_in *to, mono_ms deadline)
{
	static const uint8_t hello[115] = { 22, 0xfe, 0xff, [12] = 102, 1, [24] = 90, 0xfe, 0xfd };
	uint64_t before = receipt(relay, MEDIA_B).dropped_source;
	uint64_t heard = receipt(relay, MEDIA_B).packets_in;
	uint64_t unproven = receipt(relay, MEDIA_B).dropped_auth; /* before the peer was known */

	for (unsigned i = 0; i < 100; i++)
		(void)sendto(fd, hello, sizeof(hello), 0, (const struct sockaddr *)to, sizeof(*to));
	while (receipt(relay, MEDIA_B).dropped_source < before + 100 ||
	       receipt(relay, MEDIA_B).packets_in < heard + 5)
		turn(deadline);
	assert_int_equal(receipt(relay, MEDIA_B).dropped_auth, unproven);
}

static uint64_t dropped(struct party *party, enum media_side side)
{
	struct media_receipt of = receipt(party, side);

	return of.dropped_source + of.dropped_other + of.dropped_auth;
}

/* RTP bleed (CVE-2025-53399) and injection: a sprayer is there before the parties
 * and all the time; no byte comes to it, and none of it goes anywhere. */
static void sprayed_at(enum media_leg_kind kind)
{
	struct party *caller = phone(kind, &tone_440), *callee = phone(kind, &tone_600);
	struct party *relay = party_create(kind, kind, NULL);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in towards[2];
	mono_ms deadline = clock_now() + PATIENCE_MS;
	uint8_t byte;
	uint16_t sent = 0;

	connect_through(caller, relay, callee);
	towards[0] = port_of(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A]);
	towards[1] = port_of(relay->sdp[MEDIA_EV_OFFER][MEDIA_B]);
	await_packets(relay, 1);
	for (uint64_t good = 1; good < 60; good++) {
		for (unsigned i = 0; i < 8; i++, sent++)
			spray(fd, &towards[i % 2], sent);
		while (receipt(relay, MEDIA_A).packets_in < good)
			turn(deadline);
	}
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	/* Nearly all: the first ones may find a side that does not know its peer yet, or a
	 * full socket. */
	while (dropped(relay, MEDIA_A) + dropped(relay, MEDIA_B) < sent * 9u / 10u)
		turn(deadline);
	if (kind == MEDIA_LEG_DTLS)
		greet(relay, fd, &towards[1], deadline);
	assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) < 0);
	close(fd);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static void a_sprayer_hears_nothing_and_is_not_heard(void **state)
{
	(void)state;
	sprayed_at(MEDIA_LEG_RTP);
	sprayed_at(MEDIA_LEG_SDES);
	sprayed_at(MEDIA_LEG_DTLS);
}

static struct party *shared_relay(enum media_leg_kind kind)
{
	struct party *relay;

	shared_ports = true;
	relay = party_create_on(engines[1], kind, kind, NULL);
	shared_ports = false;
	return relay;
}

/* All four sides of two calls have one port; each hears its own. */
static void shared_by(enum media_leg_kind kind)
{
	struct party *callers[2], *callees[2], *relays[2];

	for (unsigned i = 0; i < 2; i++) {
		callers[i] = phone(kind, i ? &tone_440 : &tone_600);
		callees[i] = phone(kind, i ? &tone_600 : &tone_440);
		relays[i] = shared_relay(kind);
		connect_through(callers[i], relays[i], callees[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		await_tone(callers[i], MEDIA_B, i ? 600 : 440);
		await_tone(callees[i], MEDIA_B, i ? 440 : 600);
		assert_int_equal(port_of(relays[i]->sdp[MEDIA_EV_OFFER][MEDIA_B]).sin_port,
				 port_of(relays[0]->sdp[MEDIA_EV_ANSWER][MEDIA_A]).sin_port);
	}
	for (unsigned i = 0; i < 2; i++) {
		party_destroy(callers[i]);
		party_destroy(callees[i]);
		party_destroy(relays[i]);
	}
}

/* An even port that is free, and so is the one above it. Not among those of daemons that
 * other tests start: the kernel gives it, from a range of its own. */
static uint16_t free_pair(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int fds[2];

	for (;;) {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		uint16_t port;
		unsigned count;

		assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
		port = ntohs(address.sin_port) & (uint16_t)~1;
		close(fd);
		count = occupy(port, port + 1, fds);
		for (unsigned i = 0; i < count; i++)
			close(fds[i]);
		if (count == 2)
			return port;
		address.sin_port = 0;
	}
}

/* Its one media thread has one pair of ports. */
static struct media_engine *use_one_thread(void)
{
	struct media_engine_options options = { .address = "127.0.0.1",
						.port_min = free_pair(),
						.threads = 1 };
	struct media_engine *before = engines[1];

	options.port_max = options.port_min + 1;
	assert_int_equal(media_engine_create(&engines[1], &options), 0);
	return before;
}

static void calls_share_a_port_and_are_told_apart_by_address(void **state)
{
	struct media_engine *before = use_one_thread();

	(void)state;
	shared_by(MEDIA_LEG_RTP);
	shared_by(MEDIA_LEG_SDES);
	shared_by(MEDIA_LEG_DTLS);
	media_engine_destroy(engines[1]);
	engines[1] = before;
}

/* It would have that call's packets; the call goes on. */
static void nobody_takes_the_address_of_another_call_on_a_shared_port(void **state)
{
	struct media_engine *others = use_one_thread();
	struct party *caller = phone(MEDIA_LEG_RTP, &tone_440);
	struct party *callee = phone(MEDIA_LEG_RTP, &tone_600);
	struct party *relay = shared_relay(MEDIA_LEG_RTP), *thief = shared_relay(MEDIA_LEG_RTP);
	uint64_t before;

	(void)state;
	connect_through(caller, relay, callee);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(media_offer(thief->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(thief, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_int_equal(media_answer(thief->session, MEDIA_B, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(thief, MEDIA_EV_REFUSED, MEDIA_B, 1);
	before = receipt(relay, MEDIA_A).packets_in;
	await_packets(relay, before + 10);
	assert_int_equal(receipt(thief, MEDIA_A).packets_in, 0);
	party_destroy(thief);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
	media_engine_destroy(engines[1]);
	engines[1] = others;
}

/* As phones offer it that leave encryption to the other side. */
static void of_two_audio_sections_the_one_of_our_kind_is_taken(void **state)
{
	static const char offer[] =
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/SAVP 8\r\n"
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 " KEY "\r\nm=audio 4002 RTP/AVP 8\r\n";
	struct party *rtp = phone(MEDIA_LEG_RTP, &tone_440);
	struct party *sdes = phone(MEDIA_LEG_SDES_OR_RTP, &tone_440);
	const char *answer = answered(rtp, offer);

	(void)state;
	assert_non_null(strstr(answer, "m=audio 0 RTP/SAVP 8\r\nm=audio 2"));
	assert_null(strstr(answer, "a=crypto"));
	answer = answered(sdes, offer);
	assert_non_null(strstr(answer, "a=crypto:1 AES_CM"));
	assert_non_null(strstr(answer, "m=audio 0 RTP/AVP 8\r\n"));
	party_destroy(rtp);
	party_destroy(sdes);
}

/* What each offer of one dialog gets for an answer. NULL ends a list. */
static const struct {
	const char *offer;
	const char *has[4], *has_not[3];
	unsigned version; /* of our o= line */
} dialog[] = {
#define OFFER_OF(lines) "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n" lines
#define AUDIO           "m=audio 4000 RTP/AVP 8\r\n"
	{ OFFER_OF(AUDIO), { "m=audio 2", "RTP/AVP 8\r\n", "a=sendrecv" }, { "a=rtcp-mux" }, 0 },
	{ OFFER_OF(AUDIO), { "a=sendrecv" }, { NULL }, 0 }, /* the same again */
	{ OFFER_OF(AUDIO "a=sendonly\r\n"), { "a=recvonly" }, { NULL }, 1 },
	{ OFFER_OF(AUDIO "a=inactive\r\n"), { "a=inactive" }, { NULL }, 2 },
	{ OFFER_OF("c=IN IP4 0.0.0.0\r\n" AUDIO), { "a=recvonly" }, { NULL }, 3 },
	{ OFFER_OF("a=recvonly\r\n" AUDIO), { "a=sendonly" }, { NULL }, 4 },
	{ OFFER_OF(AUDIO), { "a=sendrecv" }, { NULL }, 5 },
	/* Another codec, another port, another of our codecs. */
	{ OFFER_OF("m=audio 4010 RTP/AVP 0\r\n"), { "RTP/AVP 0\r\n" }, { "PCMA" }, 6 },
	/* Numbers of the offerer's. */
	{ OFFER_OF("m=audio 4010 RTP/AVP 99\r\na=rtpmap:99 PCMA/8000\r\n"),
	  { "RTP/AVP 99\r\n", "a=rtpmap:99 PCMA/8000" },
	  { NULL },
	  7 },
	/* What is added is refused at its place, and what had a place keeps it. */
	{ OFFER_OF(AUDIO "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=mid:v\r\n"
			 "m=audio 4004 RTP/AVP 8\r\nm=application 4006 UDP/BFCP *\r\n"),
	  { "m=audio 2",
	    "m=video 0 RTP/AVP 96\r\nm=audio 0 RTP/AVP 8\r\nm=application 0 UDP/BFCP *" },
	  { "VP8", "a=mid" },
	  8 },
	/* The first audio is gone: the second is the one. */
	{ OFFER_OF("m=audio 0 RTP/AVP 8\r\nm=video 0 RTP/AVP 96\r\n"
		   "m=audio 4004 RTP/AVP 8\r\nm=application 0 UDP/BFCP *\r\n"),
	  { "m=audio 0 RTP/AVP 8\r\nm=video 0 RTP/AVP 96\r\nm=audio 2" },
	  { NULL },
	  9 },
	/* What hangs on the hop is not carried over or promised. */
	{ OFFER_OF("m=audio 4000 RTP/AVPF 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
		   "a=rtcp-fb:* nack\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
		   "a=rtcp:5001 IN IP4 127.0.0.1\r\na=rtcp-mux\r\na=mid:x\r\n"),
	  { "RTP/AVPF 8 101\r\na=mid:x", "a=rtcp-mux", "telephone-event/8000" },
	  { "rtcp-fb", "extmap", "a=rtcp:" },
	  10 },
	/* Taken away, and back. */
	{ OFFER_OF("m=audio 0 RTP/AVP 8\r\n"),
	  { "m=audio 0 RTP/AVP", "a=inactive" },
	  { NULL },
	  11 },
	{ OFFER_OF(AUDIO), { "m=audio 2", "a=sendrecv" }, { NULL }, 12 },
};

/* A phone's socket; `ret_port` is its port. */
static int open_phone(uint16_t *ret_port)
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

/* What came within the time. */
static unsigned packets_within(int fd, mono_ms ms)
{
	mono_ms end = clock_now() + ms;
	unsigned count = 0;
	uint8_t packet[300];

	while (clock_now() < end) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };

		if (poll(&wait, 1, (int)(end - clock_now())) > 0)
			count += recv(fd, packet, sizeof(packet), 0) > 0;
	}
	return count;
}

struct heard {
	uint32_t ssrc, timestamp;
	uint16_t number;
};

/* So many more packets of the one stream, of which `last` was the newest (ssrc 0: none was). */
static void hear_stream(int fd, unsigned count, struct heard *last)
{
	uint8_t packet[300];

	for (; count > 0; count--) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		struct heard now;

		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		assert_true(recv(fd, packet, sizeof(packet), 0) > 12);
		now.number = (uint16_t)(packet[2] << 8 | packet[3]);
		memcpy(&now.timestamp, packet + 4, 4);
		memcpy(&now.ssrc, packet + 8, 4);
		now.timestamp = ntohl(now.timestamp);
		if (last->ssrc != 0) {
			assert_int_equal(now.ssrc, last->ssrc);
			assert_int_equal((uint16_t)(now.number - last->number), 1);
			assert_true((int32_t)(now.timestamp - last->timestamp) >= 0);
		}
		*last = now;
	}
}

/* As a transfer has it: another port of ours, and for a moment both send. */
static void who_stays_hears_one_stream_through_two_sessions(void **state)
{
	struct media_session_options options = { .kind = { MEDIA_LEG_RTP, MEDIA_LEG_LOCAL },
						 .local = tone_600,
						 .name = "test",
						 .replaces = true,
						 .on_event = on_event };
	struct party *first = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	struct party *second = test_calloc(1, sizeof(*second));
	struct heard last = { .ssrc = 0 };
	char offer[200];
	uint16_t own;
	int fd = open_phone(&own);

	(void)state;
	(void)snprintf(offer, sizeof(offer),
		       "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n"
		       "m=audio %u RTP/AVP 8\r\n",
		       own);
	(void)answered(first, offer);
	hear_stream(fd, 10, &last);
	options.before[MEDIA_A] = first->sdp[MEDIA_EV_ANSWER][MEDIA_A];
	options.streams[MEDIA_A] = (struct media_stream){ first->session, MEDIA_A };
	options.arg = second;
	assert_int_equal(media_session_create(&second->session, engines[0], &options), 0);
	(void)answered(second, offer);
	hear_stream(fd, 20, &last);
	party_destroy(first);
	hear_stream(fd, 20, &last);
	party_destroy(second);
	close(fd);
}

static void who_never_sends_is_not_sent_to_for_long(void **state)
{
	struct party *player = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint8_t packet[172] = { 0x80, 8, 0, 1 };
	unsigned port = 0;
	uint16_t own;
	char offer[200];
	int fd = open_phone(&own);

	(void)state;
	(void)snprintf(offer, sizeof(offer),
		       "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n"
		       "m=audio %u RTP/AVP 8\r\n",
		       own);
	assert_int_equal(sscanf(strstr(answered(player, offer), "m=audio "), "m=audio %u", &port),
			 1);
	/* Early media may be one-way for as long as it takes. */
	assert_true(packets_within(fd, 300) > 0);
	media_established(player->session);
	assert_true(packets_within(fd, 4500) > 100);
	(void)packets_within(fd, 700); /* the 5 s are over */
	assert_int_equal(packets_within(fd, 300), 0);
	to.sin_port = htons((uint16_t)port);
	assert_int_equal(sendto(fd, packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)),
			 sizeof(packet));
	assert_true(packets_within(fd, 300) > 0);
	close(fd);
	party_destroy(player);
}

static void header_extensions_cross_if_both_sides_take_them(void **state)
{
#define LEVEL "urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);

	(void)state;
	assert_int_equal(
		media_offer(relay->session, MEDIA_A,
			    OFFER_OF(AUDIO "a=extmap:3 " LEVEL
					   "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n")),
		0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][1], "a=extmap:3 " LEVEL));
	assert_null(strstr(relay->sdp[MEDIA_EV_OFFER][1], "a=extmap:4"));
	/* One that answers with a number of its own. */
	assert_int_equal(media_answer(relay->session, MEDIA_B, OFFER_OF(AUDIO "a=extmap:7 " LEVEL)),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_ANSWER][0], "a=extmap:3 " LEVEL));
	/* And one that does not take it any more. */
	assert_int_equal(media_offer(relay->session, MEDIA_A, OFFER_OF(AUDIO "a=extmap:3 " LEVEL)),
			 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 2);
	assert_int_equal(media_answer(relay->session, MEDIA_B, OFFER_OF(AUDIO)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_null(strstr(relay->sdp[MEDIA_EV_ANSWER][0], "a=extmap"));
	party_destroy(relay);
}

/* RFC 8843 15: each section of a BUNDLE group has it, and each side by its own number. */
static void the_mid_is_told_each_webrtc_side_by_itself(void **state)
{
#define MID "urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *callee = phone(MEDIA_LEG_WEBRTC, &tone_600);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC, NULL);
	struct media_session_options options = { .kind = { MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL },
						 .name = "test",
						 .replaces = true,
						 .on_event = on_event };
	const char *offer = edited(offer_of(caller), "a=extmap:14 " MID, "a=extmap:3 " MID);
	struct party *party;

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "a=extmap:14 " MID));
	assert_null(strstr(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "a=extmap:3 "));
	assert_int_equal(media_offer(callee->session, MEDIA_A, relay->sdp[MEDIA_EV_OFFER][MEDIA_B]),
			 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A], "a=extmap:3 " MID));
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
	relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_440);
	offer = without(offer, "a=extmap"); /* one that does not know it */
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_null(strstr(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A], "a=extmap"));
	assert_int_equal(media_start(relay->session, MEDIA_A), 0); /* nor does it learn it later */
	await_event(relay, MEDIA_EV_OFFER, MEDIA_A, 1);
	assert_null(strstr(relay->sdp[MEDIA_EV_OFFER][MEDIA_A], "a=extmap"));
	party_destroy(relay);
	options.before[MEDIA_A] =
		"v=0\r\no=- 7 1 IN IP4 127.0.0.1\r\na=extmap:1 x\r\na=extmap:5 " MID;
	party = test_calloc(1, sizeof(*party)); /* another session in the same dialog */
	options.arg = party;
	assert_int_equal(media_session_create(&party->session, engines[0], &options), 0);
	assert_non_null(strstr(offer_of(party), "a=extmap:5 " MID));
	party_destroy(party);
#undef MID
}

/* RFC 5576: what is sent to a side, whatever is said about it later. */
static void the_stream_of_a_webrtc_side_is_named_and_stays(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct party *callee = phone(MEDIA_LEG_WEBRTC, &tone_600);
	struct party *relay = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC, NULL);
	struct media_session_options options = { .kind = { MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC },
						 .name = "test",
						 .replaces = true,
						 .on_event = on_event };
	struct party *heir;
	char told[2][512];
	unsigned ssrc;

	(void)state;
	connect_through(caller, relay, callee);
	strcpy(told[0], line_of(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A], "a=ssrc:"));
	strcpy(told[1], line_of(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "a=ssrc:"));
	assert_int_equal(sscanf(told[0], "a=ssrc:%u cname:", &ssrc), 1);
	assert_string_not_equal(told[0], told[1]);
	connect_through(caller, relay, callee);
	assert_string_equal(line_of(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A], "a=ssrc:"), told[0]);
	assert_string_equal(line_of(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "a=ssrc:"), told[1]);
	options.streams[MEDIA_B] = (struct media_stream){ relay->session, MEDIA_A };
	options.arg = heir = test_calloc(1, sizeof(*heir)); /* the peer of A stays, as its B */
	assert_int_equal(media_session_create(&heir->session, engines[0], &options), 0);
	party_destroy(relay);
	assert_int_equal(media_offer(heir->session, MEDIA_A, offer_of(callee)), 0);
	await_event(heir, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_string_equal(line_of(heir->sdp[MEDIA_EV_OFFER][MEDIA_B], "a=ssrc:"), told[0]);
	party_destroy(heir);
	party_destroy(caller);
	party_destroy(callee);
	relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_SDES, NULL);
	assert_int_equal(media_offer(relay->session, MEDIA_A, OFFER_OF(AUDIO)), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_null(strstr(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "a=ssrc"));
	party_destroy(relay);
}

static void a_stream_that_is_taken_away_is_hold_for_the_other_side(void **state)
{
	struct party *relay = party_create(MEDIA_LEG_RTP, MEDIA_LEG_RTP, NULL);

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A, OFFER_OF(AUDIO)), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_int_equal(media_answer(relay->session, MEDIA_B, OFFER_OF(AUDIO)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_offer(relay->session, MEDIA_A, OFFER_OF("m=audio 0 RTP/AVP 8\r\n")),
			 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 2);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][1], "m=audio 2"));
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][1], "a=inactive"));
	assert_int_equal(media_answer(relay->session, MEDIA_B, OFFER_OF(AUDIO "a=inactive\r\n")),
			 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_ANSWER][0], "m=audio 0 RTP/AVP 8"));
	assert_int_equal(media_offer(relay->session, MEDIA_A, OFFER_OF(AUDIO)), 0);
	await_event(relay, MEDIA_EV_OFFER, MEDIA_B, 3);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][1], "a=sendrecv"));
	party_destroy(relay);
}

static void every_legal_change_of_a_dialog_is_answered(void **state)
{
	struct party *player = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	unsigned long long id = 0, first_id = 0;
	unsigned first = 0, version;

	(void)state;
	for (unsigned i = 0; i < sizeof(dialog) / sizeof(dialog[0]); i++) {
		const char *answer = answered(player, dialog[i].offer);

		for (unsigned k = 0; k < 4 && dialog[i].has[k]; k++)
			if (!strstr(answer, dialog[i].has[k]))
				fail_msg("%u: no %s in\n%s", i, dialog[i].has[k], answer);
		for (unsigned k = 0; k < 3 && dialog[i].has_not[k]; k++)
			if (strstr(answer, dialog[i].has_not[k]))
				fail_msg("%u: %s in\n%s", i, dialog[i].has_not[k], answer);
		assert_int_equal(sscanf(strstr(answer, "o="), "o=- %llu %u ", &id, &version), 2);
		if (i == 0) {
			first = version;
			first_id = id;
		}
		assert_true(id == first_id);
		assert_int_equal(version - first, dialog[i].version);
	}
	party_destroy(player);
}

static int start_engines(void **state)
{
	struct media_engine_options options = {
		.address = "127.0.0.1", .port_min = 21000, .port_max = 21999, .threads = 2
	};
	int err;

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	err = media_engine_create(&engines[0], &options);
	if (err)
		return err;
	options.port_min = 22200;
	options.port_max = 22299;
	options.rtp_timeout_s = options.hold_timeout_s = 1;
	options.threads = 1;
	return media_engine_create(&engines[1], &options);
}

static int stop_engines(void **state)
{
	(void)state;
	media_engine_destroy(engines[0]);
	media_engine_destroy(engines[1]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rtp_to_rtp_carries_audio_both_ways),
		cmocka_unit_test(webrtc_to_srtp_without_ice_carries_audio_both_ways),
		cmocka_unit_test(srtp_without_ice_to_webrtc_carries_audio_both_ways),
		cmocka_unit_test(an_offer_without_usable_keys_is_refused_where_they_are_required),
		cmocka_unit_test(the_answer_names_the_tag_it_takes_and_no_other_line),
		cmocka_unit_test(keys_are_used_where_they_may_be_if_the_peer_has_some),
		cmocka_unit_test(an_answer_with_keys_that_were_not_offered_is_refused),
		cmocka_unit_test(webrtc_to_webrtc_carries_audio_both_ways),
		cmocka_unit_test(webrtc_to_rtp_carries_audio_both_ways),
		cmocka_unit_test(rtp_to_webrtc_carries_audio_both_ways),
		cmocka_unit_test(an_echo_sends_back_the_callers_own_tone),
		cmocka_unit_test(a_wrong_fingerprint_fails_and_carries_nothing),
		cmocka_unit_test(who_plays_reports_and_is_answered),
		cmocka_unit_test(a_re_offer_that_changes_nothing_disturbs_nothing),
		cmocka_unit_test(a_sound_is_played_as_often_as_wanted_and_its_end_told),
		cmocka_unit_test(a_sound_waits_for_a_peer_that_can_hear_it),
		cmocka_unit_test(a_sound_without_end_goes_on_until_the_session_ends),
		cmocka_unit_test(a_webrtc_side_hears_another_one_without_being_told),
		cmocka_unit_test(a_plain_side_hears_another_one_without_being_told),
		cmocka_unit_test(only_what_a_was_told_is_offered_to_the_new_one),
		cmocka_unit_test(who_has_agreed_for_good_hears_whoever_comes),
		cmocka_unit_test(a_message_is_taken_after_the_beep),
		cmocka_unit_test(a_caller_without_g711_leaves_a_message_too),
		cmocka_unit_test(a_mailbox_that_takes_nothing_is_not_answered_for),
		cmocka_unit_test(a_key_ends_a_message),
		cmocka_unit_test(an_ice_restart_is_answered_with_new_credentials),
		cmocka_unit_test(a_peer_that_moves_gets_a_new_association),
		cmocka_unit_test(another_tls_id_alone_is_a_new_association),
		cmocka_unit_test(the_same_tls_id_keeps_the_association),
		cmocka_unit_test(candidates_of_a_later_offer_are_tried),
		cmocka_unit_test(hold_is_carried_to_the_other_side_and_back),
		cmocka_unit_test(who_waits_hears_music_while_nothing_comes),
		cmocka_unit_test(music_on_hold_is_heard_on_hold_only),
		cmocka_unit_test(two_sides_without_a_common_codec_hear_each_other),
		cmocka_unit_test(without_leave_to_convert_it_is_refused),
		cmocka_unit_test(the_transcoder_leaves_when_a_reoffer_finds_a_common_codec),
		cmocka_unit_test(a_digit_given_to_a_session_reaches_the_peer_as_events),
		cmocka_unit_test(payload_numbers_are_mapped_when_the_answers_differ),
		cmocka_unit_test(an_answer_may_come_twice_and_change),
		cmocka_unit_test(a_bad_second_answer_leaves_the_first_in_force),
		cmocka_unit_test(ipv6_carries_audio_too),
		cmocka_unit_test(without_ice_each_side_is_served_in_its_family),
		cmocka_unit_test(a_peer_without_ice_moves_to_the_other_family),
		cmocka_unit_test(an_answer_of_the_other_family_is_sent_to_from_that),
		cmocka_unit_test(the_address_that_is_named_for_a_side_is_offered),
		cmocka_unit_test(a_lite_agent_is_on_all_addresses),
		cmocka_unit_test(an_advertised_address_stands_wherever_ours_would),
		cmocka_unit_test(a_full_agent_is_on_all_addresses),
		cmocka_unit_test(who_cannot_reach_the_advertised_address_is_reached_by_us),
		cmocka_unit_test(a_peer_that_names_our_advertised_address_and_port_is_refused),
		cmocka_unit_test(calls_out_of_order_are_refused_at_once),
		cmocka_unit_test(a_rolled_back_offer_leaves_the_agreement_in_force),
		cmocka_unit_test(offers_of_the_wrong_kind_are_refused_with_a_sentence),
		cmocka_unit_test(hostile_addresses_are_refused),
		cmocka_unit_test(loopback_is_refused_where_we_are_not_on_it),
		cmocka_unit_test(an_offer_that_points_at_ourselves_is_refused),
		cmocka_unit_test(an_answer_without_a_common_codec_names_both_lists),
		cmocka_unit_test(an_offer_of_what_may_not_be_used_names_both_lists),
		cmocka_unit_test(video_is_answered_with_port_zero),
		cmocka_unit_test(no_event_follows_destroy),
		cmocka_unit_test(a_full_port_range_says_so_and_recovers_nothing_half_taken),
		cmocka_unit_test(the_last_ports_are_for_calls_in_progress),
		cmocka_unit_test(a_hello_that_is_faster_than_its_answer_waits_for_it),
		cmocka_unit_test(a_lite_side_that_nobody_checks_says_so_and_what_to_mend),
		cmocka_unit_test(a_peer_of_a_lite_side_that_is_only_forged_is_sent_nothing),
		cmocka_unit_test(an_offer_is_not_sent_on_before_both_sides_have_their_transport),
		cmocka_unit_test(an_engine_needs_an_address_of_ours_and_a_range),
		cmocka_unit_test(a_peer_that_never_sends_is_reported_silent),
		cmocka_unit_test(a_side_on_hold_that_is_gone_is_reported_silent),
		cmocka_unit_test(junk_on_a_plain_port_is_counted_and_not_relayed),
		cmocka_unit_test(a_sprayer_hears_nothing_and_is_not_heard),
		cmocka_unit_test(calls_share_a_port_and_are_told_apart_by_address),
		cmocka_unit_test(nobody_takes_the_address_of_another_call_on_a_shared_port),
		cmocka_unit_test(of_two_audio_sections_the_one_of_our_kind_is_taken),
		cmocka_unit_test(who_never_sends_is_not_sent_to_for_long),
		cmocka_unit_test(header_extensions_cross_if_both_sides_take_them),
		cmocka_unit_test(the_mid_is_told_each_webrtc_side_by_itself),
		cmocka_unit_test(the_stream_of_a_webrtc_side_is_named_and_stays),
		cmocka_unit_test(who_stays_hears_one_stream_through_two_sessions),
		cmocka_unit_test(a_stream_that_is_taken_away_is_hold_for_the_other_side),
		cmocka_unit_test(every_legal_change_of_a_dialog_is_answered),
	};

	return cmocka_run_group_tests_name("media/session", tests, start_engines, stop_engines);
}
