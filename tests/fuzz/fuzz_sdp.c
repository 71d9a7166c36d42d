/* SPDX-License-Identifier: Apache-2.0 */
/* Two peers' SDP, an offer and behind a NUL its answer, through what a session makes of them.
 * Whatever they say, what we write from it is good SDP again, names no number twice and lets
 * through what both sides know. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "media/codecs.h"
#include "media/sdes.h"
#include "media/sdp_before.h"
#include "tests/fuzz/fuzz.h"

static void must(bool good)
{
	if (!good)
		abort();
}

/* NULL: it is refused. */
static struct media_desc *read_text(const char *text)
{
	struct media_desc *desc;
	const char *why;
	char list[100];

	if (sdp_parse(text, &desc, &why))
		return NULL;
	codecs_list(desc, list, sizeof(list));
	return desc;
}

static bool is_ours_to_write(const struct media_desc *desc)
{
	return desc->proto != SDP_PROTO_OTHER && desc->codec_count > 0;
}

/* No line is smuggled in or lost. */
static void write_and_read(const struct media_desc *desc)
{
	struct media_desc *again = NULL;
	const char *why;
	char *written = sdp_write(desc, "- 1", NULL, 1);

	must(written);
	must(!sdp_parse(written, &again, &why));
	must(again->section_count == desc->section_count);
	must(again->codec_count == desc->codec_count);
	for (unsigned i = 0; i < desc->codec_count; i++)
		must(codecs_equal(&again->codecs[i], &desc->codecs[i]));
	sdp_free(again);
	free(written);
}

/* The o= line of a peer goes on in a text of ours: no line is smuggled in by it. */
static void go_on(const char *text)
{
	struct sdp_before *before;

	must(!sdp_before_create(&before, text, /* protos= */ 0));
	must(memchr(before->owner, '\0', sizeof(before->owner)));
	must(memchr(before->address, '\0', sizeof(before->address)));
	must(!strpbrk(before->owner, "\r\n") && !strpbrk(before->address, "\r\n"));
	must(before->section_count == 0 || before->audio < before->section_count);
	sdp_before_destroy(before);
}

static bool has_number(const struct media_desc *desc, uint8_t type)
{
	for (unsigned i = 0; i < desc->codec_count; i++)
		if (desc->codecs[i].type == type)
			return true;
	return false;
}

/* A packet gets a number that the side it goes to knows, or none. */
static void judge_way(const struct codecs_way *way, const struct media_desc *to)
{
	for (unsigned i = 0; i < ARRAY_SIZE(way->types); i++)
		must(way->types[i] == CODECS_DROP ||
		     (way->types[i] == CODECS_CONVERT && way->converts) ||
		     has_number(to, way->types[i]));
}

/* A's offer, on to B in our words, and what B answered, back to A. */
static void negotiate(const struct media_desc *offer, const struct media_desc *answer,
		      const struct codecs_rules *rules)
{
	struct media_desc *onward = sdp_copy(offer), *back = sdp_copy(offer);
	struct codecs_way there, other_way;
	struct extensions_map map;

	must(onward && back);
	if (codecs_offer(offer, rules, MEDIA_B, onward) && is_ours_to_write(onward))
		write_and_read(onward);
	if (answer && codecs_answer(offer, answer, rules, MEDIA_B, back)) {
		codecs_ways(&(struct codecs_agreement){ offer, answer, back, MEDIA_A }, rules,
			    &there, &other_way);
		judge_way(&there, answer);
		judge_way(&other_way, offer);
		extensions_restrict(&back->extensions, &answer->extensions);
		extensions_agree(&map, &offer->extensions, &answer->extensions);
		if (is_ours_to_write(back))
			write_and_read(back);
	}
	sdp_free(onward);
	sdp_free(back);
}

/* Keys: what the offer wants of us, and what the answer takes of ours. */
static void exchange_keys(const struct media_desc *offer, const struct media_desc *answer)
{
	struct sdes sdes = { .made = false };
	const struct sdes_crypto *taken;
	enum sdes_change change;
	struct srtp_keys keys;

	must(!sdes_make(&sdes));
	taken = sdes_choose(&sdes, offer->cryptos, offer->crypto_count, /* is_offer= */ true);
	if (taken)
		must(!sdes_agree(&sdes, taken, /* we_offered= */ false, &change));
	if (answer) {
		taken = sdes_choose(&sdes, answer->cryptos, answer->crypto_count, false);
		if (taken)
			must(!sdes_agree(&sdes, taken, /* we_offered= */ true, &change));
	}
	if (sdes.agreed)
		sdes_keys(&sdes, &keys);
	sdes_wipe(&sdes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct codecs_rules rules[] = {
		{ .transcode = false },
		{ .transcode = true,
		  .side = { { .dtmf = MEDIA_DTMF_RFC4733, .convert = true },
			    { .names = { "PCMA", "opus", "AMR-WB" },
			      .count = 3,
			      .dtmf = MEDIA_DTMF_INBAND,
			      .convert = true } } },
	};
	struct media_desc *offer, *answer = NULL;
	char *text = malloc(size + 2);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = text[size + 1] = '\0';
	go_on(text);
	offer = read_text(text);
	if (offer && strlen(text) < size)
		answer = read_text(text + strlen(text) + 1);
	if (offer) {
		if (is_ours_to_write(offer))
			write_and_read(offer);
		for (unsigned i = 0; i < ARRAY_SIZE(rules); i++)
			negotiate(offer, answer, &rules[i]);
		exchange_keys(offer, answer);
	}
	sdp_free(offer);
	sdp_free(answer);
	free(text);
	return 0;
}
