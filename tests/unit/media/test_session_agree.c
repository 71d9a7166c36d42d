/* SPDX-License-Identifier: Apache-2.0 */
/* Offer and answer through a session: what goes on to the other side, and what comes back. */
#define RIG_PORTS 21600

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tests/unit/media/session_rig.h"

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

static void an_offer_is_not_sent_on_before_both_sides_have_their_transport(void **state)
{
	const struct media_engine_options options = { .address = "127.0.0.1",
						      .port_min = RIG_PORTS + 510,
						      .port_max = RIG_PORTS + 513,
						      .threads = 1 };
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

/* RFC 3264 8: as a transfer has it of a call whose media went past us. The peer of B is offered
 * media by another, ourselves, and its dialog is the same. */
static void texts_go_on_from_what_the_peer_has_of_another(void **state)
{
	struct media_session_options options = { .kind = { MEDIA_LEG_RTP, MEDIA_LEG_RTP },
						 .name = "test",
						 .replaces = true,
						 .on_event = on_event };
	struct party *party = test_calloc(1, sizeof(*party));
	const char *offer = party->sdp[MEDIA_EV_OFFER][MEDIA_B];

	(void)state;
	options.arg = party;
	options.before[MEDIA_B] = "v=0\r\no=alice 4711 3 IN IP4 phone.example\r\ns=-\r\n"
				  "c=IN IP4 192.0.2.7\r\nt=0 0\r\n"
				  "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n" AUDIO
				  "m=application 4006 UDP/BFCP *\r\n";
	assert_int_equal(media_session_create(&party->session, engines[0], &options), 0);
	assert_int_equal(media_offer(party->session, MEDIA_A, OFFER_OF(AUDIO)), 0);
	await_event(party, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_string_equal(line_of(offer, "o="), "o=alice 4711 4 IN IP4 phone.example");
	assert_string_equal(line_of(offer, "c="), "c=IN IP4 127.0.0.1");
	assert_non_null(strstr(offer, "m=video 0 RTP/AVP 96\r\nm=audio 2"));
	assert_non_null(strstr(offer, "m=application 0 UDP/BFCP *\r\n"));
	media_rollback(party->session); /* another text is another version */
	assert_int_equal(media_offer(party->session, MEDIA_A, OFFER_OF(AUDIO "a=sendonly\r\n")), 0);
	await_event(party, MEDIA_EV_OFFER, MEDIA_B, 2);
	assert_string_equal(line_of(offer, "o="), "o=alice 4711 5 IN IP4 phone.example");
	party_destroy(party);
}

/* What each offer of one dialog gets for an answer. NULL ends a list. */
static const struct {
	const char *offer;
	const char *has[4], *has_not[3];
	unsigned version; /* of our o= line */
} dialog[] = {
#define OFFER_OF(lines) "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n" lines
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hold_is_carried_to_the_other_side_and_back),
		cmocka_unit_test(an_answer_may_come_twice_and_change),
		cmocka_unit_test(a_bad_second_answer_leaves_the_first_in_force),
		cmocka_unit_test(a_rolled_back_offer_leaves_the_agreement_in_force),
		cmocka_unit_test(an_answer_without_a_common_codec_names_both_lists),
		cmocka_unit_test(an_offer_of_what_may_not_be_used_names_both_lists),
		cmocka_unit_test(an_offer_is_not_sent_on_before_both_sides_have_their_transport),
		cmocka_unit_test(header_extensions_cross_if_both_sides_take_them),
		cmocka_unit_test(the_mid_is_told_each_webrtc_side_by_itself),
		cmocka_unit_test(the_stream_of_a_webrtc_side_is_named_and_stays),
		cmocka_unit_test(a_stream_that_is_taken_away_is_hold_for_the_other_side),
		cmocka_unit_test(texts_go_on_from_what_the_peer_has_of_another),
		cmocka_unit_test(every_legal_change_of_a_dialog_is_answered),
	};

	return cmocka_run_group_tests_name("media/session_agree", tests, start_engines,
					   stop_engines);
}
