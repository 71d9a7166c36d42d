/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/tools/look/entries.h"
#include "tools/look/sdp_change.h"

#define PLAIN                                                                                      \
	"v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\n"                  \
	"m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 "                    \
	"telephone-event/8000\r\na=ptime:20\r\n"
#define WEBRTC                                                                                     \
	"v=0\r\no=- 2 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 AA:BB\r\n"       \
	"m=audio 30000 UDP/TLS/RTP/SAVPF 8 101\r\nc=IN IP4 192.0.2.1\r\na=rtpmap:8 PCMA/8000\r\n"  \
	"a=rtpmap:101 telephone-event/8000\r\na=ice-ufrag:x\r\na=setup:actpass\r\na=rtcp-mux\r\n"  \
	"a=candidate:1 1 udp 1 192.0.2.1 30000 typ host\r\na=ptime:20\r\n"                         \
	"m=video 0 RTP/AVP 96\r\na=sendonly\r\na=crypto:1 OTHER inline:x\r\n"

static void expect(const char *received, const char *sent, const char *wanted)
{
	json_t *entries = json_array();
	struct str text = { 0 };

	add_message(entries, 1, false, "a", "INVITE sip:x SIP/2.0", "INVITE", received);
	add_message(entries, 2, true, "b", "INVITE sip:x SIP/2.0", "INVITE", sent);
	assert_false(sdp_change(entries, 0, &text));
	assert_true(sdp_change(entries, 1, &text));
	assert_string_equal(text.text, wanted);
	str_done(&text);
	json_decref(entries);
}

static void what_we_made_of_an_sdp_is_said_in_words(void **state)
{
	(void)state;
	expect(PLAIN, WEBRTC,
	       "SDP: RTP/AVP -> UDP/TLS/RTP/SAVPF; media at 10.0.0.5:4000 -> 192.0.2.1:30000; "
	       "codecs PCMA PCMU telephone-event -> PCMA telephone-event; ICE none -> full, 1 "
	       "candidates; DTLS none -> actpass; rtcp-mux none -> yes; sections 1 -> 2");
	expect("v=0\r\nc=IN IP4 10.0.0.5\r\nm=audio 4000 RTP/SAVP 9\r\n"
	       "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret\r\na=sendonly\r\n",
	       "v=0\r\nc=IN IP4 10.0.0.5\r\nm=audio 4000 RTP/AVP 9\r\na=ptime:30\r\n",
	       "SDP: RTP/SAVP -> RTP/AVP; SDES AES_CM_128_HMAC_SHA1_80 -> none; direction sendonly "
	       "-> sendrecv; ptime none -> 30");
}

static void what_went_on_as_it_came_is_said_to_have(void **state)
{
	(void)state;
	expect(PLAIN, PLAIN, "SDP: as it came");
	expect("v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\nm=audio 1 RTP/AVP 0\r\n",
	       "v=0\r\no=- 9 2 IN IP4 1.1.1.1\r\nm=audio 1 RTP/AVP 0\r\n",
	       "SDP: only names and versions differ");
}

static void a_message_of_which_nothing_was_made_is_left_alone(void **state)
{
	json_t *entries = json_array();
	struct str text = { 0 };

	(void)state;
	add_note(entries, 0, "v=0");
	add_message(entries, 1, false, "a", "INVITE sip:x SIP/2.0", "INVITE", PLAIN);
	add_message(entries, 2, true, "a", "SIP/2.0 200 OK", "INVITE", WEBRTC); /* ours alone */
	add_message(entries, 3, true, "b", "OPTIONS sip:x SIP/2.0", "OPTIONS", "");
	for (size_t i = 0; i <= json_array_size(entries); i++)
		assert_false(sdp_change(entries, i, &text));
	assert_null(text.text);
	json_decref(entries);
}

static void nonsense_of_peers_does_no_harm(void **state)
{
	static const char *const texts[] = {
		"v=0", "v=0\nm=audio", "v=0\nm=audio 99999999999999999999 X 1 2 3\n",
		"v=0\nm=audio 1 RTP/AVP \nc=IN IP4\nc=IN IP4 \na=crypto:\na=crypto:1\na=setup:\n",
		"v=0\r\nm=audio 1 RTP/AVP 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
		"0 0 "
		"0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
		"0\r\n"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *entries = json_array();
		struct str text = { 0 };

		add_message(entries, 1, false, "a", "INVITE sip:x SIP/2.0", "INVITE", texts[i]);
		add_message(entries, 2, true, "b", "INVITE sip:x SIP/2.0", "INVITE", PLAIN);
		assert_true(sdp_change(entries, 1, &text));
		assert_true(strlen(text.text) < 1024);
		str_done(&text);
		json_decref(entries);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_we_made_of_an_sdp_is_said_in_words),
		cmocka_unit_test(what_went_on_as_it_came_is_said_to_have),
		cmocka_unit_test(a_message_of_which_nothing_was_made_is_left_alone),
		cmocka_unit_test(nonsense_of_peers_does_no_harm),
	};

	return cmocka_run_group_tests_name("tools/look/sdp_change", tests, NULL, NULL);
}
