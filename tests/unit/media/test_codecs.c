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

static const struct codecs_rules passing;
static const struct codecs_rules converting = { .transcode = true };

/* Some of its packets cannot go on as they are. */
static bool works(const struct codecs_way *way)
{
	for (unsigned i = 0; i < sizeof(codecs_map); i++)
		if (way->types[i] == CODECS_CONVERT)
			return true;
	return false;
}

#define OPUS_OFFER                                                                                 \
	"m=audio 9 RTP/AVP 111 63 8 101 110\r\na=rtpmap:111 opus/48000/2\r\n"                      \
	"a=rtpmap:63 red/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n"                         \
	"a=rtpmap:110 telephone-event/48000\r\n"

static void an_offer_goes_on_with_its_numbers_but_without_red(void **state)
{
	struct media_desc *offer = with(OPUS_OFFER), onward = { .codec_count = 0 };

	(void)state;
	assert_true(codecs_offer(offer, &passing, MEDIA_B, &onward));
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
	const struct codecs_agreement agreement = { offer, answer, &back, MEDIA_A };
	struct codecs_way there, again;

	(void)state;
	assert_true(codecs_answer(offer, answer, &passing, MEDIA_B, &back));
	assert_int_equal(back.codec_count, 2);
	assert_int_equal(back.codecs[0].type, 111);
	assert_string_equal(back.codecs[0].fmtp, "useinbandfec=1");
	assert_int_equal(back.codecs[1].type, 110); /* the clock rate decides */

	codecs_ways(&agreement, &passing, &there, &again);
	assert_int_equal(there.types[111], 96);
	assert_int_equal(there.types[110], 97);
	assert_int_equal(there.types[8], CODECS_DROP);
	assert_int_equal(there.types[63], CODECS_DROP);
	assert_int_equal(again.types[111], 111); /* by our offer */
	assert_int_equal(again.types[96], 111);  /* by its own answer */
	assert_int_equal(again.types[97], 110);
	assert_true(codecs_set_has(there.events, 110) && !codecs_set_has(there.events, 111));
	assert_false(codecs_set_has(there.events, 101)); /* that was not agreed on */
	assert_true(codecs_set_has(again.events, 110) && codecs_set_has(again.events, 97));
	assert_false(codecs_set_has(again.events, 96));
	assert_int_equal(again.types[8], 8); /* offered, not answered: still understood */
	assert_int_equal(again.types[63], CODECS_DROP);
	assert_false(works(&there));
	assert_false(works(&again));
	free(offer);
	free(answer);
}

static void an_answerers_own_number_does_not_shadow_an_offered_one(void **state)
{
	struct media_desc *offer = with("m=audio 9 RTP/AVP 96 97\r\na=rtpmap:96 opus/48000/2\r\n"
					"a=rtpmap:97 G726-32/8000\r\n");
	struct media_desc *answer = with("m=audio 9 RTP/AVP 97 96\r\na=rtpmap:97 opus/48000/2\r\n"
					 "a=rtpmap:96 G726-32/8000\r\n");
	struct media_desc back = { .codec_count = 0 };
	const struct codecs_agreement agreement = { offer, answer, &back, MEDIA_A };
	struct codecs_way there, again;

	(void)state;
	assert_true(codecs_answer(offer, answer, &passing, MEDIA_B, &back));
	codecs_ways(&agreement, &passing, &there, &again);
	assert_int_equal(there.types[96], 97);
	assert_int_equal(there.types[97], 96);
	assert_int_equal(again.types[96], 96);
	assert_int_equal(again.types[97], 97);
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
	assert_false(codecs_answer(offer, answer, &passing, MEDIA_B, &back));
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
	assert_string_equal(list, "..."); /* no half name */
	free(offer);
}

static void a_list_that_is_cut_ends_with_a_whole_name(void **state)
{
	struct media_desc *offer = with("m=audio 9 RTP/AVP 0 8 9\r\na=rtpmap:9 G722/8000\r\n");
	char list[24];

	(void)state;
	codecs_list(offer, list, sizeof(list));
	assert_string_equal(list, "PCMU/8000, ...");
	free(offer);
}

static void what_a_side_may_use_is_listed_and_looked_for(void **state)
{
	static const struct media_codecs two = { .names = { "G729", "pcma" }, .count = 2 };
	static const struct media_codecs one = { .names = { "G729" }, .count = 1 };
	static const struct media_codecs all = { .count = 0 };
	struct media_desc *offer = with("m=audio 9 RTP/AVP 0 8 101\r\n"
					"a=rtpmap:101 telephone-event/8000\r\n");
	struct media_desc *events = with("m=audio 9 RTP/AVP 101\r\n"
					 "a=rtpmap:101 telephone-event/8000\r\n");
	char list[32];

	(void)state;
	codecs_list_allowed(&two, list, sizeof(list));
	assert_string_equal(list, "G729, pcma");
	codecs_list_allowed(&all, list, sizeof(list));
	assert_string_equal(list, "any");
	assert_true(codecs_allow(&two, offer));
	assert_true(codecs_allow(&all, offer));
	assert_false(codecs_allow(&one, offer));
	assert_true(codecs_allow(&one, events));
	free(offer);
	free(events);
}

#define OPUS_ONLY                                                                                  \
	"m=audio 9 RTP/AVP 111 110\r\na=rtpmap:111 opus/48000/2\r\n"                               \
	"a=rtpmap:110 telephone-event/48000\r\n"
#define G711_ONLY                                                                                  \
	"m=audio 9 RTP/AVP 8 0 13 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:30\r\n"

static void an_offer_names_what_can_be_converted_behind_what_passes(void **state)
{
	struct media_desc *offer = with(OPUS_ONLY), onward = { .codec_count = 0 };
	char list[200];

	(void)state;
	assert_true(codecs_offer(offer, &converting, MEDIA_B, &onward));
	codecs_list(&onward, list, sizeof(list));
	assert_string_equal(list, "opus/48000, telephone-event/48000, PCMA/8000, PCMU/8000, "
				  "G722/8000, telephone-event/8000");
	assert_int_equal(onward.codecs[2].type, 8);
	assert_int_equal(onward.codecs[5].type, 101);
	free(offer);
}

static void a_sides_list_orders_and_restricts_what_it_is_offered(void **state)
{
	struct codecs_rules rules = { .transcode = true };
	struct media_desc *offer = with(OPUS_OFFER), onward = { .codec_count = 0 };
	char list[200];

	(void)state;
	rules.side[MEDIA_B] = (struct media_codecs){ .names = { "G722", "PCMA" }, .count = 2 };
	assert_true(codecs_offer(offer, &rules, MEDIA_B, &onward));
	codecs_list(&onward, list, sizeof(list));
	assert_string_equal(list, "PCMA/8000, telephone-event/8000, telephone-event/48000, "
				  "G722/8000");
	rules.transcode = false;
	rules.side[MEDIA_B] = (struct media_codecs){ .names = { "G729" }, .count = 1 };
	assert_false(codecs_offer(offer, &rules, MEDIA_B, &onward));
	free(offer);
}

static void without_a_common_codec_each_way_is_converted(void **state)
{
	struct media_desc *offer = with(OPUS_ONLY), *answer = with(G711_ONLY);
	struct media_desc back = { .codec_count = 0 };
	const struct codecs_agreement agreement = { offer, answer, &back, MEDIA_A };
	struct codecs_way there, again;

	(void)state;
	assert_true(codecs_answer(offer, answer, &converting, MEDIA_B, &back));
	assert_int_equal(back.codec_count, 2);
	assert_int_equal(back.codecs[0].type, 111);
	assert_int_equal(back.codecs[1].type, 110);
	codecs_ways(&agreement, &converting, &there, &again);
	assert_int_equal(there.types[111], CODECS_CONVERT);
	assert_int_equal(there.types[110], CODECS_CONVERT);
	assert_string_equal(there.to.name, "PCMA");
	assert_int_equal(there.frame_ms, 30);
	assert_int_equal(there.pcm_rate, 8000);
	assert_int_equal(there.event_type, 101);
	for (uint8_t type = 0; type < 128; type++)
		assert_int_equal(again.types[type] == CODECS_CONVERT,
				 type == 8 || type == 0 || type == 13 || type == 101);
	assert_string_equal(again.to.name, "opus");
	assert_int_equal(again.event_rate, 48000);
	free(offer);
	free(answer);
}

static void only_the_codec_that_is_not_common_is_converted(void **state)
{
	struct media_desc *offer = with(OPUS_ONLY), back = { .codec_count = 0 };
	struct media_desc *answer =
		with("m=audio 9 RTP/AVP 8 111 110\r\na=rtpmap:111 opus/48000/2\r\n"
		     "a=rtpmap:110 telephone-event/48000\r\n");
	const struct codecs_agreement agreement = { offer, answer, &back, MEDIA_A };
	struct codecs_way there, again;

	(void)state;
	assert_true(codecs_answer(offer, answer, &converting, MEDIA_B, &back));
	codecs_ways(&agreement, &converting, &there, &again);
	assert_false(works(&there));
	assert_int_equal(again.types[111], 111);
	assert_int_equal(again.types[110], 110);
	assert_int_equal(again.types[8], CODECS_CONVERT);
	free(offer);
	free(answer);
}

static void digits_change_their_clock_while_speech_passes(void **state)
{
	struct media_desc *offer = with("m=audio 9 RTP/AVP 8 110\r\n"
					"a=rtpmap:110 telephone-event/48000\r\n");
	struct media_desc *answer = with(G711_ONLY), back = { .codec_count = 0 };
	const struct codecs_agreement agreement = { offer, answer, &back, MEDIA_A };
	struct codecs_way there, again;

	(void)state;
	assert_true(codecs_answer(offer, answer, &converting, MEDIA_B, &back));
	codecs_ways(&agreement, &converting, &there, &again);
	assert_int_equal(there.types[8], 8);
	assert_int_equal(there.types[110], CODECS_CONVERT);
	assert_false(there.converts);
	assert_int_equal(there.event_rates[110], 48000);
	assert_int_equal(again.types[101], CODECS_CONVERT);
	assert_true(codecs_set_has(there.events, 110) && codecs_set_has(again.events, 101));
	free(offer);
	free(answer);
}

static void digits_become_tones_where_the_other_side_has_no_events(void **state)
{
	struct media_desc *offer = with(G711_ONLY), *answer = with("m=audio 9 RTP/AVP 8\r\n");
	struct media_desc back = { .codec_count = 0 };
	const struct codecs_agreement agreement = { offer, answer, &back, MEDIA_A };
	struct codecs_way there, again;

	(void)state;
	assert_true(codecs_answer(offer, answer, &converting, MEDIA_B, &back));
	assert_int_equal(back.codec_count, 2); /* the offerer may go on sending events */
	codecs_ways(&agreement, &converting, &there, &again);
	assert_int_equal(there.types[8], 8); /* until a digit comes */
	assert_true(there.lazy);
	assert_int_equal(there.digits, CODECS_DIGITS_TONES);
	free(offer);
	free(answer);
}

static void what_was_told_for_good_is_converted_where_it_is_not_spoken(void **state)
{
	static const struct codecs_rules rules = { .transcode = true };
	struct media_desc *offer = with(G711_ONLY), *answer = with("m=audio 9 RTP/AVP 0\r\n");
	struct media_desc back = { .codec_count = 0 };
	const struct codecs_agreement agreement = { offer, answer, &back, MEDIA_A };
	struct codecs_way there, again;

	(void)state;
	assert_true(codecs_answer(offer, answer, &rules, MEDIA_B, &back));
	codecs_keep(offer, &back);
	codecs_ways(&agreement, &rules, &there, &again);
	assert_int_equal(there.types[0], 0);
	assert_int_equal(there.types[8], CODECS_CONVERT);
	assert_int_equal(again.types[0], 0); /* what comes is in the codec both have */
	free(offer);
	free(answer);
}

static void what_is_of_two_rates_is_converted_at_one_that_both_have(void **state)
{
	static const struct codecs_rules rules = { .transcode = true };
	struct media_desc *offer = with(OPUS_ONLY), *answer = with("m=audio 9 RTP/AVP 9 8\r\n");
	struct media_desc back = { .codec_count = 0 };
	const struct codecs_agreement agreement = { offer, answer, &back, MEDIA_A };
	struct codecs_way there, again;

	(void)state;
	assert_true(codecs_answer(offer, answer, &rules, MEDIA_B, &back));
	codecs_ways(&agreement, &rules, &there, &again);
	assert_int_equal(there.pcm_rate, 16000); /* Opus into G.722 */
	assert_int_equal(again.pcm_rate, 8000);  /* G.722 or PCMA into Opus */
	free(offer);
	free(answer);
}

static void a_side_that_takes_digits_by_signalling_is_offered_no_events(void **state)
{
	struct codecs_rules rules = { .transcode = true };
	struct media_desc *offer = with(G711_ONLY), *answer = with("m=audio 9 RTP/AVP 8\r\n");
	struct media_desc back = { .codec_count = 0 }, onward = { .codec_count = 0 };
	const struct codecs_agreement agreement = { offer, answer, &back, MEDIA_A };
	struct codecs_way there, again;
	char list[100];

	(void)state;
	rules.side[MEDIA_B].dtmf = MEDIA_DTMF_INFO;
	assert_true(codecs_offer(offer, &rules, MEDIA_B, &onward));
	codecs_list(&onward, list, sizeof(list));
	assert_null(strstr(list, "event"));
	assert_true(codecs_answer(offer, answer, &rules, MEDIA_B, &back));
	codecs_ways(&agreement, &rules, &there, &again);
	assert_int_equal(there.digits, CODECS_DIGITS_TELL);
	assert_int_equal(again.digits, CODECS_DIGITS_EVENTS);
	assert_int_equal(again.event_type, 101);
	free(offer);
	free(answer);
}

/* It offers none, as its digits are tones or come by INFO: the other side may get them as
 * events all the same. */
static void who_says_digits_in_another_way_has_events_offered_for_it(void **state)
{
	struct media_desc *offer = with("m=audio 9 RTP/AVP 8\r\n");
	static const enum media_dtmf ways[] = { MEDIA_DTMF_INBAND, MEDIA_DTMF_INFO };
	struct media_desc onward;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct codecs_rules rules = converting;
		struct media_desc *answer, back = { .codec_count = 0 };
		struct codecs_agreement agreement = { .offer = offer, .offerer = MEDIA_A };
		struct codecs_way there, again;

		rules.side[MEDIA_A].dtmf = ways[i];
		onward.codec_count = 0;
		assert_true(codecs_offer(offer, &rules, MEDIA_B, &onward));
		assert_string_equal(onward.codecs[onward.codec_count - 1].name, "telephone-event");
		answer = with("m=audio 9 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n");
		assert_true(codecs_answer(offer, answer, &rules, MEDIA_B, &back));
		agreement.answer = answer;
		agreement.back = &back;
		codecs_ways(&agreement, &rules, &there, &again);
		assert_int_equal(there.digits, CODECS_DIGITS_EVENTS);
		assert_int_equal(there.hear_tones, ways[i] == MEDIA_DTMF_INBAND);
		free(answer);
	}
	onward.codec_count = 0; /* of others none are */
	assert_true(codecs_offer(offer, &converting, MEDIA_B, &onward));
	for (unsigned i = 0; i < onward.codec_count; i++)
		assert_string_not_equal(onward.codecs[i].name, "telephone-event");
	free(offer);
}

static void tones_are_ready_for_a_side_that_is_said_to_want_digits(void **state)
{
	struct codecs_rules rules = { .transcode = true };
	struct media_desc *offer = with("m=audio 9 RTP/AVP 8\r\n");
	struct media_desc *answer = with("m=audio 9 RTP/AVP 8\r\n"), back = { .codec_count = 0 };
	const struct codecs_agreement agreement = { offer, answer, &back, MEDIA_A };
	struct codecs_way there, again;

	(void)state;
	rules.side[MEDIA_B].dtmf = MEDIA_DTMF_RFC4733;
	assert_true(codecs_answer(offer, answer, &rules, MEDIA_B, &back));
	codecs_ways(&agreement, &rules, &there, &again);
	assert_int_equal(there.digits, CODECS_DIGITS_TONES);
	assert_true(there.lazy);
	assert_false(works(&there));
	assert_false(again.converts);
	free(offer);
	free(answer);
}

static void amr_passes_only_where_its_payload_is_laid_out_the_same(void **state)
{
	struct media_desc *octets = with("m=audio 9 RTP/AVP 97\r\na=rtpmap:97 AMR-WB/16000\r\n"
					 "a=fmtp:97 octet-align=1; mode-set=0,1,2\r\n");
	struct media_desc *packed = with("m=audio 9 RTP/AVP 97\r\na=rtpmap:97 AMR-WB/16000\r\n"
					 "a=fmtp:97 mode-set=0,1,2\r\n");
	struct media_desc *other = with("m=audio 9 RTP/AVP 97\r\na=rtpmap:97 AMR-WB/16000\r\n"
					"a=fmtp:97 mode-set=8;octet-align=1\r\n");
	struct media_desc *free_mode = with("m=audio 9 RTP/AVP 98\r\na=rtpmap:98 amr-wb/16000/1\r\n"
					    "a=fmtp:98 octet-align=1\r\n");
	struct media_desc back = { .codec_count = 0 };

	(void)state;
	assert_false(codecs_answer(octets, packed, &passing, MEDIA_B, &back));
	assert_false(codecs_answer(octets, other, &converting, MEDIA_B, &back));
	assert_true(codecs_answer(octets, free_mode, &passing, MEDIA_B, &back));
	assert_int_equal(back.codecs[0].type, 97);
	free(octets);
	free(packed);
	free(other);
	free(free_mode);
}

static void numbers_are_read_from_parameters(void **state)
{
	(void)state;
	assert_int_equal(codecs_fmtp_number("minptime=10;useinbandfec=1", "useinbandfec", 0), 1);
	assert_int_equal(codecs_fmtp_number("a=1; maxaveragebitrate=20000", "maxaveragebitrate", 0),
			 20000);
	assert_int_equal(codecs_fmtp_number("xusedtx=1", "usedtx", 7), 7);
	assert_int_equal(codecs_fmtp_number("usedtx=", "usedtx", 7), 7);
	assert_int_equal(codecs_fmtp_number("usedtx=99999999999", "usedtx", 7), 7);
	assert_int_equal(codecs_fmtp_number("", "usedtx", 7), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_offer_goes_on_with_its_numbers_but_without_red),
		cmocka_unit_test(an_answer_comes_back_in_the_offers_numbers),
		cmocka_unit_test(an_answerers_own_number_does_not_shadow_an_offered_one),
		cmocka_unit_test(telephone_events_alone_are_no_common_codec),
		cmocka_unit_test(an_offer_names_what_can_be_converted_behind_what_passes),
		cmocka_unit_test(a_sides_list_orders_and_restricts_what_it_is_offered),
		cmocka_unit_test(without_a_common_codec_each_way_is_converted),
		cmocka_unit_test(only_the_codec_that_is_not_common_is_converted),
		cmocka_unit_test(digits_change_their_clock_while_speech_passes),
		cmocka_unit_test(digits_become_tones_where_the_other_side_has_no_events),
		cmocka_unit_test(what_was_told_for_good_is_converted_where_it_is_not_spoken),
		cmocka_unit_test(what_is_of_two_rates_is_converted_at_one_that_both_have),
		cmocka_unit_test(a_side_that_takes_digits_by_signalling_is_offered_no_events),
		cmocka_unit_test(who_says_digits_in_another_way_has_events_offered_for_it),
		cmocka_unit_test(tones_are_ready_for_a_side_that_is_said_to_want_digits),
		cmocka_unit_test(amr_passes_only_where_its_payload_is_laid_out_the_same),
		cmocka_unit_test(numbers_are_read_from_parameters),
		cmocka_unit_test(a_long_list_is_cut_not_overrun),
		cmocka_unit_test(a_list_that_is_cut_ends_with_a_whole_name),
		cmocka_unit_test(what_a_side_may_use_is_listed_and_looked_for),
	};

	return cmocka_run_group_tests_name("media/codecs", tests, NULL, NULL);
}
