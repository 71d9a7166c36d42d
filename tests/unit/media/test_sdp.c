/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "media/sdp.h"

static char text[65536];

/* A captured-like description from tests/data/sdp. */
static const char *sample(const char *name)
{
	char path[256];
	int fd;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "tests/data/sdp/%s.sdp", name);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static struct media_desc *parsed(const char *sdp)
{
	struct media_desc *desc = NULL;
	const char *why = "";
	int err = sdp_parse(sdp, &desc, &why);

	if (err)
		fail_msg("%s", why);
	return desc;
}

static void refused(const char *sdp, const char *part_of_reason)
{
	struct media_desc *desc = (void *)1;
	const char *why = NULL;

	assert_int_equal(sdp_parse(sdp, &desc, &why), -EINVAL);
	assert_ptr_equal(desc, (void *)1);
	assert_non_null(strstr(why, part_of_reason));
}

#define START "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"

static void a_browsers_offer_is_read_whole(void **state)
{
	struct media_desc *desc = parsed(sample("offer_browser"));

	(void)state;
	assert_int_equal(desc->proto, SDP_PROTO_DTLS_SAVPF);
	assert_int_equal(desc->codec_count, 8);
	assert_string_equal(desc->codecs[0].name, "opus");
	assert_int_equal(desc->codecs[0].channels, 2);
	assert_string_equal(desc->codecs[0].fmtp, "minptime=10;useinbandfec=1");
	assert_int_equal(desc->codecs[6].rate, 48000);
	assert_true(desc->rtcp_mux);
	assert_true(desc->bundle);
	assert_string_equal(desc->sections[0].mid, "0");
	assert_int_equal(desc->setup, SDP_ACTPASS);
	assert_int_equal(desc->candidate_count, 2); /* the mDNS and TCP ones are passed over */
	assert_int_equal(desc->fingerprint_count, 1);
	assert_string_equal(desc->ufrag, "k7Qe");
	free(desc);
}

/* What a call keeps is a third of what parsing takes. */
static void a_trimmed_description_says_the_same(void **state)
{
	struct media_desc *whole = parsed(sample("offer_browser"));
	struct media_desc *kept = sdp_trim(sdp_copy(whole)), *shared = sdp_ref(kept);
	struct media_desc *again;
	char *texts[3];

	(void)state;
	texts[0] = sdp_write(whole, "- 1", NULL, 1);
	texts[1] = sdp_write(kept, "- 1", NULL, 1);
	assert_null(sdp_free(kept));
	again = sdp_copy(shared); /* of a reference that is left */
	texts[2] = sdp_write(again, "- 1", NULL, 1);
	assert_string_equal(texts[0], texts[1]);
	assert_string_equal(texts[0], texts[2]);
	sdp_copy_codecs(again, shared);
	assert_int_equal(again->codec_count, 8);
	sdp_free(shared);
	sdp_free(again);
	sdp_free(whole);
	for (unsigned i = 0; i < 3; i++)
		free(texts[i]);
}

static void session_level_security_and_upper_case_hash_are_read(void **state)
{
	struct media_desc *desc = parsed(sample("offer_softphone_ice_dtls"));

	(void)state;
	assert_string_equal(desc->ufrag, "b3xLw9A");
	assert_int_equal(desc->fingerprint_count, 1);
	assert_string_equal(desc->fingerprints[0].hash, "sha-256");
	assert_int_equal(desc->fingerprints[0].bytes[0], 0x4c);
	assert_int_equal(desc->setup, SDP_ACTPASS);
	assert_int_equal(desc->ptime, 20);
	assert_false(desc->bundle);
	free(desc);
}

static void a_media_proxys_answer_is_read(void **state)
{
	struct media_desc *desc = parsed(sample("answer_proxy"));

	(void)state;
	assert_int_equal(desc->setup, SDP_ACTIVE);
	assert_int_equal(desc->candidate_count, 1);
	assert_int_equal(net_port(&desc->rtcp), desc->port);
	free(desc);
}

static void static_payload_types_need_no_rtpmap(void **state)
{
	struct media_desc *desc = parsed(START "m=audio 4000 RTP/AVP 8 0 97\r\n");

	(void)state;
	assert_int_equal(desc->codec_count, 2); /* 97 is never named */
	assert_string_equal(desc->codecs[0].name, "PCMA");
	assert_int_equal(net_port(&desc->rtp), 4000);
	assert_int_equal(net_port(&desc->rtcp), 4001);
	free(desc);
}

static void bare_line_feeds_are_tolerated(void **state)
{
	struct media_desc *desc = parsed("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\n"
					 "c=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 8\n");

	(void)state;
	assert_int_equal(desc->codec_count, 1);
	free(desc);
}

static void the_first_living_audio_section_is_ours(void **state)
{
	struct media_desc *desc =
		parsed(START "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
			     "a=mid:v\r\nm=audio 0 RTP/AVP 0\r\n"
			     "m=audio 4000 RTP/AVP 8\r\na=mid:a\r\n");
	char *written;

	(void)state;
	assert_int_equal(desc->section_count, 3);
	assert_int_equal(desc->audio, 2);
	assert_string_equal(desc->codecs[0].name, "PCMA");
	written = sdp_write(desc, "- 7", NULL, 9);
	assert_non_null(strstr(written, "m=video 0 RTP/AVP 96\r\nm=audio 0 RTP/AVP 0\r\n"
					"m=audio 4000 RTP/AVP 8\r\n"));
	assert_non_null(strstr(written, "o=- 7 9 IN IP4 192.0.2.1\r\n"));
	free(written);
	free(desc);
}

static void explicit_rtcp_port_and_address_are_read(void **state)
{
	struct media_desc *desc =
		parsed(START "m=audio 4000 RTP/AVP 8\r\na=rtcp:4100 IN IP4 192.0.2.9\r\n");
	char host[NET_TEXT_ROOM];

	(void)state;
	net_format(&desc->rtcp, host);
	assert_string_equal(host, "192.0.2.9:4100");
	free(desc);
}

/* RFC 3556: of all sections, and of ours, which counts. */
static void who_wants_no_rtcp_is_read(void **state)
{
	static const struct {
		const char *all, *ours;
		bool senders, receivers;
	} texts[] = {
		{ "", "", false, false },
		{ "", "b=AS:80\r\nb=RS:0\r\nb=RR:0\r\n", true, true },
		{ "b=RS:0\r\nb=RR:0\r\n", "", true, true },
		{ "b=RS:0\r\nb=RR:0\r\n", "b=RS:600\r\nb=RR:2000\r\n", false, false },
		{ "", "b=RS:0\r\nb=RR:2000\r\n", true, false },
		{ "", "b=RS:x\r\nb=RR:\r\n", false, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		struct media_desc *desc;
		char whole[256];

		(void)snprintf(whole, sizeof(whole),
			       "v=0\r\nc=IN IP4 192.0.2.1\r\n%sm=audio 9 RTP/AVP 8\r\n%s"
			       "m=video 11 RTP/AVP 96\r\nb=RS:0\r\nb=RR:0\r\n",
			       texts[i].all, texts[i].ours);
		desc = parsed(whole);
		assert_int_equal(desc->rtcp_silent[0], texts[i].senders);
		assert_int_equal(desc->rtcp_silent[1], texts[i].receivers);
		sdp_free(desc);
	}
}

static void an_unknown_fingerprint_hash_is_noted_and_not_used(void **state)
{
	struct media_desc *desc = parsed(
		START "m=audio 4000 UDP/TLS/RTP/SAVPF 8\r\n"
		      "a=fingerprint:sha-1 AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:"
		      "CD:EF:01\r\na=fingerprint:sha-256 AB:CD\r\n");

	(void)state;
	assert_int_equal(desc->fingerprint_count, 0);
	assert_true(desc->fingerprint_unknown);
	free(desc);
}

static void what_is_written_is_read_back_the_same(void **state)
{
	struct media_desc *desc = parsed(sample("offer_browser")), *again;
	char *written = sdp_write(desc, "- 1", NULL, 1);

	(void)state;
	again = parsed(written);
	assert_int_equal(again->codec_count, desc->codec_count);
	assert_memory_equal(again->codecs, desc->codecs, sizeof(desc->codecs));
	assert_memory_equal(again->candidates, desc->candidates, sizeof(desc->candidates));
	assert_memory_equal(again->fingerprints, desc->fingerprints, sizeof(desc->fingerprints));
	assert_string_equal(again->password, desc->password);
	assert_int_equal(again->setup, desc->setup);
	assert_true(again->bundle);
	free(written);
	free(again);
	free(desc);
}

static void no_text_of_the_peer_can_add_a_line_to_ours(void **state)
{
	struct media_desc *desc =
		parsed(START "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PC:MA/8000\r\n"
			     "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\tx\ra=evil:1\r\n"
			     "a=mid:bad mid\r\na=ice-ufrag:ab cd\r\n");
	char *written = sdp_write(desc, "- 1", NULL, 1);

	(void)state;
	assert_string_equal(desc->codecs[0].name, "PCMA"); /* the static name stays */
	assert_string_equal(desc->codecs[1].fmtp, "");
	assert_string_equal(desc->ufrag, "");
	assert_null(strstr(written, "evil"));
	free(written);
	free(desc);
}

static void sizes_are_limited(void **state)
{
	struct media_desc *desc;
	struct str many = { .text = NULL };
	char *built;

	(void)state;
	str_add(&many, START "m=audio 4000 UDP/TLS/RTP/SAVPF");
	for (int i = 0; i < 128; i++)
		str_addf(&many, " %d", i);
	str_add(&many, "\r\n");
	for (int i = 0; i < 128; i++)
		str_addf(&many, "a=rtpmap:%d x/8000\r\n", i);
	for (int i = 0; i < 100; i++)
		str_addf(&many, "a=candidate:%d 1 udp 1 192.0.2.1 %d typ host\r\n", i, i + 1);
	built = str_take(&many);
	desc = parsed(built);
	assert_int_equal(desc->codec_count, SDP_CODECS_MAX);
	assert_int_equal(desc->candidate_count, SDP_CANDIDATES_MAX);
	free(desc);
	free(built);

	for (int i = 0; i < 2000; i++)
		str_add(&many, i ? "a=x-filler:y\r\n" : START);
	built = str_take(&many);
	refused(built, "16 KiB");
	free(built);
	refused(START
		"m=a 1 b 0\r\nm=a 1 b 0\r\nm=a 1 b 0\r\nm=a 1 b 0\r\nm=a 1 b 0\r\nm=a 1 b 0\r\n"
		"m=a 1 b 0\r\nm=a 1 b 0\r\nm=a 1 b 0\r\n",
		"more than 8");
}

static void broken_texts_are_refused_with_a_reason(void **state)
{
	(void)state;
	refused("", "v=0");
	refused("hello", "v=0");
	refused("v=0\r\nnonsense\r\n", "type=value");
	refused(START, "no audio");
	refused(START "m=video 5000 RTP/AVP 96\r\n", "no audio");
	refused(START "m=audio 70000 RTP/AVP 8\r\n", "type=value");
	refused(START "m=audio 4000\r\n", "type=value");
	refused(START "m=audio -1 RTP/AVP 8\r\n", "type=value");
}

static void a_host_name_is_no_address(void **state)
{
	struct media_desc *desc =
		parsed(START "m=audio 4000 RTP/AVP 8\r\nc=IN IP4 media.example.com\r\n");

	(void)state;
	assert_int_equal(desc->rtp.any.sa_family, AF_UNSPEC);
	free(desc);
}

static void directions_reverse(void **state)
{
	(void)state;
	assert_int_equal(sdp_direction_reverse(SDP_SENDONLY), SDP_RECVONLY);
	assert_int_equal(sdp_direction_reverse(SDP_RECVONLY), SDP_SENDONLY);
	assert_int_equal(sdp_direction_reverse(SDP_SENDRECV), SDP_SENDRECV);
	assert_int_equal(sdp_direction_reverse(SDP_INACTIVE), SDP_INACTIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_browsers_offer_is_read_whole),
		cmocka_unit_test(session_level_security_and_upper_case_hash_are_read),
		cmocka_unit_test(a_media_proxys_answer_is_read),
		cmocka_unit_test(static_payload_types_need_no_rtpmap),
		cmocka_unit_test(bare_line_feeds_are_tolerated),
		cmocka_unit_test(the_first_living_audio_section_is_ours),
		cmocka_unit_test(explicit_rtcp_port_and_address_are_read),
		cmocka_unit_test(who_wants_no_rtcp_is_read),
		cmocka_unit_test(an_unknown_fingerprint_hash_is_noted_and_not_used),
		cmocka_unit_test(what_is_written_is_read_back_the_same),
		cmocka_unit_test(no_text_of_the_peer_can_add_a_line_to_ours),
		cmocka_unit_test(sizes_are_limited),
		cmocka_unit_test(broken_texts_are_refused_with_a_reason),
		cmocka_unit_test(a_trimmed_description_says_the_same),
		cmocka_unit_test(a_host_name_is_no_address),
		cmocka_unit_test(directions_reverse),
	};

	return cmocka_run_group_tests_name("media/sdp", tests, NULL, NULL);
}
