/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions that are refused, each with a sentence, and what of them is taken. */
#define RIG_PORTS 27600

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "tests/unit/media/session_rig.h"

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
	const struct media_engine_options options = { .address = host,
						      .port_min = RIG_PORTS + 420,
						      .port_max = RIG_PORTS + 439,
						      .threads = 1 };
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

/* It would come back to us through the NAT. */
static void a_peer_that_names_our_advertised_address_and_port_is_refused(void **state)
{
	const struct media_engine_options options = { .address = "127.0.0.2",
						      .advertised = "127.0.0.9",
						      .port_min = RIG_PORTS + 400,
						      .port_max = RIG_PORTS + 419,
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_offer_without_usable_keys_is_refused_where_they_are_required),
		cmocka_unit_test(the_answer_names_the_tag_it_takes_and_no_other_line),
		cmocka_unit_test(keys_are_used_where_they_may_be_if_the_peer_has_some),
		cmocka_unit_test(an_answer_with_keys_that_were_not_offered_is_refused),
		cmocka_unit_test(a_peer_that_names_our_advertised_address_and_port_is_refused),
		cmocka_unit_test(offers_of_the_wrong_kind_are_refused_with_a_sentence),
		cmocka_unit_test(hostile_addresses_are_refused),
		cmocka_unit_test(loopback_is_refused_where_we_are_not_on_it),
		cmocka_unit_test(an_offer_that_points_at_ourselves_is_refused),
		cmocka_unit_test(video_is_answered_with_port_zero),
		cmocka_unit_test(of_two_audio_sections_the_one_of_our_kind_is_taken),
	};

	return cmocka_run_group_tests_name("media/leg_judge", tests, start_engines, stop_engines);
}
