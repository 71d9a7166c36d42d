/* SPDX-License-Identifier: Apache-2.0 */
#include "media/codecs.h"
#include <stdio.h>
#include <string.h>
#include "base/str.h"

static bool same_codec(const struct sdp_codec *a, const struct sdp_codec *b)
{
	return a->rate == b->rate && a->channels == b->channels &&
	       str_equal_nocase(a->name, b->name);
}

/* The entry of `desc` that means `codec`: the one with the same number if the
 * codec is listed more than once. */
static const struct sdp_codec *find_codec(const struct media_desc *desc,
					  const struct sdp_codec *codec)
{
	const struct sdp_codec *found = NULL;

	for (unsigned i = 0; i < desc->codec_count; i++) {
		if (!same_codec(&desc->codecs[i], codec))
			continue;
		if (desc->codecs[i].type == codec->type)
			return &desc->codecs[i];
		if (!found)
			found = &desc->codecs[i];
	}
	return found;
}

bool codecs_is_speech(const struct sdp_codec *codec)
{
	return !str_equal_nocase(codec->name, "telephone-event") &&
	       !str_equal_nocase(codec->name, "CN");
}

const struct sdp_codec *codecs_first_speech(const struct media_desc *desc)
{
	for (unsigned i = 0; i < desc->codec_count; i++)
		if (codecs_is_speech(&desc->codecs[i]))
			return &desc->codecs[i];
	return NULL;
}

void codecs_offer(const struct media_desc *offer, struct media_desc *ret_onward)
{
	ret_onward->codec_count = 0;
	for (unsigned i = 0; i < offer->codec_count; i++)
		if (!str_equal_nocase(offer->codecs[i].name, "red"))
			ret_onward->codecs[ret_onward->codec_count++] = offer->codecs[i];
}

static bool has_type(const struct media_desc *desc, uint8_t type)
{
	for (unsigned i = 0; i < desc->codec_count; i++)
		if (desc->codecs[i].type == type)
			return true;
	return false;
}

bool codecs_answer(const struct media_desc *offer, const struct media_desc *answer,
		   struct media_desc *ret_back)
{
	ret_back->codec_count = 0;
	for (unsigned i = 0; i < answer->codec_count; i++) {
		const struct sdp_codec *theirs = &answer->codecs[i];
		const struct sdp_codec *offered = find_codec(offer, theirs);
		struct sdp_codec *back = &ret_back->codecs[ret_back->codec_count];

		if (!offered || str_equal_nocase(theirs->name, "red") ||
		    has_type(ret_back, offered->type))
			continue;
		*back = *theirs; /* name as written, parameters of who answered */
		back->type = offered->type;
		ret_back->codec_count++;
	}
	return codecs_first_speech(ret_back) != NULL;
}

bool codecs_common(const struct media_desc *offer, const struct media_desc *ours,
		   struct media_desc *ret_common)
{
	ret_common->codec_count = 0;
	for (unsigned i = 0; i < offer->codec_count; i++)
		if (find_codec(ours, &offer->codecs[i]))
			ret_common->codecs[ret_common->codec_count++] = offer->codecs[i];
	return codecs_first_speech(ret_common) != NULL;
}

void codecs_map_types(const struct media_desc *offer, const struct media_desc *answer,
		      codecs_map from_offerer, codecs_map from_answerer)
{
	memset(from_offerer, CODECS_DROP, sizeof(codecs_map));
	memset(from_answerer, CODECS_DROP, sizeof(codecs_map));

	for (unsigned i = 0; i < answer->codec_count; i++) {
		const struct sdp_codec *theirs = &answer->codecs[i];
		const struct sdp_codec *offered = find_codec(offer, theirs);

		if (!offered || from_offerer[offered->type] != CODECS_DROP)
			continue;
		from_offerer[offered->type] = theirs->type;
		from_answerer[offered->type] = offered->type;
		if (!has_type(offer, theirs->type))
			from_answerer[theirs->type] = offered->type;
	}
	for (unsigned i = 0; i < offer->codec_count; i++) {
		const struct sdp_codec *offered = &offer->codecs[i];

		if (from_answerer[offered->type] == CODECS_DROP &&
		    !str_equal_nocase(offered->name, "red"))
			from_answerer[offered->type] = offered->type;
	}
}

void codecs_list(const struct media_desc *desc, char *ret_text, size_t room)
{
	size_t used = 0;

	(void)snprintf(ret_text, room, "none");
	for (unsigned i = 0; i < desc->codec_count && used < room; i++) {
		int n = snprintf(ret_text + used, room - used, "%s%s/%u", i ? ", " : "",
				 desc->codecs[i].name, desc->codecs[i].rate);

		used += n > 0 ? (size_t)n : room;
	}
}
