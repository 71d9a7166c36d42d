/* SPDX-License-Identifier: Apache-2.0 */
/* What of a text, ours or another's, binds those that follow it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/macros.h"
#include "media/sdp_before.h"

#define AUDIO "m=audio 4000 RTP/AVP 8\r\n"

static struct sdp_before *before_of(const char *text)
{
	struct sdp_before *before = NULL;

	assert_int_equal(sdp_before_create(&before, text, SDP_PROTO_BIT(SDP_PROTO_RTP_AVP)), 0);
	return before;
}

static void the_origin_goes_on_with_the_next_version(void **state)
{
	static const struct {
		const char *line, *owner, *address;
		unsigned long long version;
	} cases[] = {
		{ "o=- 4711 1 IN IP4 192.0.2.1", "- 4711", "IN IP4 192.0.2.1", 2 },
		{ "o=alice 9 0 IN IP6 2001:db8::1", "alice 9", "IN IP6 2001:db8::1", 1 },
		/* Numbers that leave 64 bits: a name may, a version may not. */
		{ "o=- 99999999999999999999999 7 IN IP4 pbx.example", "- 99999999999999999999999",
		  "IN IP4 pbx.example", 8 },
		{ "o=- 1 18446744073709551614 IN IP4 h", "- 1", "IN IP4 h", UINT64_MAX },
		{ "o=- 1 18446744073709551615 IN IP4 h", "", "", 0 },
		{ "o=- 1 99999999999999999999999 IN IP4 h", "", "", 0 },
		{ "o=- 1 -2 IN IP4 h", "", "", 0 },
		{ "o=- 1 2", "", "", 0 },
		{ "o=- 1 ", "", "", 0 },
		{ "o=- 1", "", "", 0 },
		{ "o=-", "", "", 0 },
		{ "o=", "", "", 0 },
		{ "s=none", "", "", 0 },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sdp_before *before;

		(void)snprintf(text, sizeof(text), "v=0\r\n%s\r\nc=IN IP4 127.0.0.1\r\n" AUDIO,
			       cases[i].line);
		before = before_of(text);
		assert_string_equal(before->owner, cases[i].owner);
		assert_string_equal(before->address, cases[i].address);
		assert_true(before->version == cases[i].version);
		sdp_before_destroy(before);
		*strchr(text + 5, '\r') = '\0'; /* the text ends in this line */
		sdp_before_destroy(before_of(text));
	}
}

static void an_origin_too_long_to_keep_is_not_gone_on_with(void **state)
{
	char name[200], text[600];
	struct sdp_before *before;

	(void)state;
	for (unsigned length = 120; length < 135; length++) {
		memset(name, 'x', length);
		name[length] = '\0';
		(void)snprintf(text, sizeof(text), "v=0\r\no=%s 1 1 IN IP4 h\r\n" AUDIO, name);
		before = before_of(text);
		assert_int_equal(strlen(before->owner), length + 2 < 128 ? length + 2 : 0);
		sdp_before_destroy(before);
		(void)snprintf(text, sizeof(text), "v=0\r\no=- 1 1 IN IP4 %s\r\n" AUDIO, name);
		before = before_of(text);
		assert_int_equal(strlen(before->address), length + 7 < 128 ? length + 7 : 0);
		sdp_before_destroy(before);
	}
}

static void sections_are_known_and_which_one_is_the_audio(void **state)
{
	struct sdp_before *before;

	(void)state;
	before = before_of("v=0\r\no=- 1 1 IN IP4 h\r\na=group:BUNDLE v a\r\n"
			   "m=video 4002 RTP/AVP 96\r\na=mid:v\r\n"
			   "m=audio 0 RTP/SAVP 8\r\n" AUDIO "a=mid:a\r\n"
			   "a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:mid\r\n");
	assert_int_equal(before->section_count, 3);
	assert_int_equal(before->audio, 2);
	assert_true(before->bundle);
	assert_int_equal(before->mid_number, 5);
	assert_string_equal(before->sections[0].media, "video");
	assert_string_equal(before->sections[2].mid, "a");
	sdp_before_destroy(before);
}

/* A fax, for one. Its o= line is one all the same. */
static void a_text_without_audio_has_no_sections_to_keep(void **state)
{
	struct sdp_before *before =
		before_of("v=0\r\no=- 1 1 IN IP4 h\r\nm=image 4000 udptl t38\r\n");

	(void)state;
	assert_int_equal(before->section_count, 0);
	assert_string_equal(before->owner, "- 1");
	sdp_before_destroy(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_origin_goes_on_with_the_next_version),
		cmocka_unit_test(an_origin_too_long_to_keep_is_not_gone_on_with),
		cmocka_unit_test(sections_are_known_and_which_one_is_the_audio),
		cmocka_unit_test(a_text_without_audio_has_no_sections_to_keep),
	};

	return cmocka_run_group_tests_name("media/sdp_before", tests, NULL, NULL);
}
