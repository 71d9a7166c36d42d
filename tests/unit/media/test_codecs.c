/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "media/codecs.h"

static struct media_desc *with(const char *lines)
{
	struct media_desc *desc;
	const char *why;
	char sdp[2048];

	(void)snprintf(sdp, sizeof(sdp), "v=0\r\nc=IN IP4 192.0.2.1\r\n%s", lines);
	assert_int_equal(sdp_parse(sdp, &desc, &why), 0);
	return desc;
}

#define OPUS_OFFER                                                                                 \
	"m=audio 9 RTP/AVP 111 63 8 101 110\r\na=rtpmap:111 opus/48000/2\r\n"                      \
	"a=rtpmap:63 red/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n"                         \
	"a=rtpmap:110 telephone-event/48000\r\n"

static void an_offer_goes_on_with_its_numbers_but_without_red(void **state)
{
	struct media_desc *offer = with(OPUS_OFFER), onward = { .codec_count = 0 };

	(void)state;
	codecs_offer(offer, &onward);
	assert_int_equal(onward.codec_count, 4);
	assert_int_equal(onward.codecs[0].type, 111);
	assert_int_equal(onward.codecs[1].type, 8);
	free(offer);
}

static void an_answer_comes_back_in_the_offers_numbers(void **state)
{
	struct media_desc *offer = with(OPUS_OFFER), back = { .codec_count = 0 };
	struct media_desc *answer = with("m=audio 9 RTP/AVP 96 97\r\na=rtpmap:96 OPUS/48000/2\r\n"
					 "a=fmtp:96 useinbandfec=1\r\n"
					 "a=rtpmap:97 telephone-event/48000\r\n");
	codecs_map to_answerer, to_offerer;

	(void)state;
	assert_true(codecs_answer(offer, answer, &back));
	assert_int_equal(back.codec_count, 2);
	assert_int_equal(back.codecs[0].type, 111);
	assert_string_equal(back.codecs[0].fmtp, "useinbandfec=1");
	assert_int_equal(back.codecs[1].type, 110); /* the clock rate decides */

	codecs_map_types(offer, answer, to_answerer, to_offerer);
	assert_int_equal(to_answerer[111], 96);
	assert_int_equal(to_answerer[110], 97);
	assert_int_equal(to_answerer[8], CODECS_DROP);
	assert_int_equal(to_answerer[63], CODECS_DROP);
	assert_int_equal(to_offerer[111], 111); /* by our offer */
	assert_int_equal(to_offerer[96], 111);  /* by its own answer */
	assert_int_equal(to_offerer[97], 110);
	assert_int_equal(to_offerer[8], 8); /* offered, not answered: still understood */
	assert_int_equal(to_offerer[63], CODECS_DROP);
	free(offer);
	free(answer);
}

static void an_answerers_own_number_does_not_shadow_an_offered_one(void **state)
{
	struct media_desc *offer = with("m=audio 9 RTP/AVP 96 97\r\na=rtpmap:96 opus/48000/2\r\n"
					"a=rtpmap:97 G726-32/8000\r\n");
	struct media_desc *answer = with("m=audio 9 RTP/AVP 97 96\r\na=rtpmap:97 opus/48000/2\r\n"
					 "a=rtpmap:96 G726-32/8000\r\n");
	codecs_map to_answerer, to_offerer;

	(void)state;
	codecs_map_types(offer, answer, to_answerer, to_offerer);
	assert_int_equal(to_answerer[96], 97);
	assert_int_equal(to_answerer[97], 96);
	assert_int_equal(to_offerer[96], 96);
	assert_int_equal(to_offerer[97], 97);
	free(offer);
	free(answer);
}

static void telephone_events_alone_are_no_common_codec(void **state)
{
	struct media_desc *offer = with(OPUS_OFFER), back = { .codec_count = 0 };
	struct media_desc *answer =
		with("m=audio 9 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n");
	char list[64];

	(void)state;
	assert_false(codecs_answer(offer, answer, &back));
	assert_false(codecs_common(offer, answer, &back));
	codecs_list(answer, list, sizeof(list));
	assert_string_equal(list, "PCMU/8000, telephone-event/8000");
	free(offer);
	free(answer);
}

static void a_long_list_is_cut_not_overrun(void **state)
{
	struct media_desc *offer = with(OPUS_OFFER);
	char list[12] = "";

	(void)state;
	codecs_list(offer, list, sizeof(list));
	assert_int_equal(strlen(list), sizeof(list) - 1);
	free(offer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_offer_goes_on_with_its_numbers_but_without_red),
		cmocka_unit_test(an_answer_comes_back_in_the_offers_numbers),
		cmocka_unit_test(an_answerers_own_number_does_not_shadow_an_offered_one),
		cmocka_unit_test(telephone_events_alone_are_no_common_codec),
		cmocka_unit_test(a_long_list_is_cut_not_overrun),
	};

	return cmocka_run_group_tests_name("media/codecs", tests, NULL, NULL);
}
