/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_desc.c - a description in memory: how long it lives, and copies of it. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "media/sdp.h"

enum sdp_direction sdp_direction_reverse(enum sdp_direction direction)
{
	return (enum sdp_direction)((direction & 1) << 1 | (direction & 2) >> 1);
}

struct media_desc *sdp_free(struct media_desc *desc)
{
	if (!desc || desc->others-- > 0)
		return NULL;
	explicit_bzero(desc, offsetof(struct media_desc, codecs)); /* in codecs is no secret */
	free(desc);
	return NULL;
}

struct media_desc *sdp_ref(struct media_desc *desc)
{
	desc->others++;
	return desc;
}

static size_t trimmed_size(const struct media_desc *desc)
{
	return offsetof(struct media_desc, codecs) + desc->codec_count * sizeof(desc->codecs[0]);
}

struct media_desc *sdp_trim(struct media_desc *take_desc)
{
	struct media_desc *trimmed = realloc(take_desc, trimmed_size(take_desc));

	return trimmed ? trimmed : take_desc; /* still whole: no smaller block was to be had */
}

struct media_desc *sdp_copy(const struct media_desc *desc)
{
	struct media_desc *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	memcpy(copy, desc, trimmed_size(desc));
	copy->others = 0;
	return copy;
}

void sdp_copy_codecs(struct media_desc *to, const struct media_desc *from)
{
	memcpy(to->codecs, from->codecs, from->codec_count * sizeof(from->codecs[0]));
	to->codec_count = from->codec_count;
}
