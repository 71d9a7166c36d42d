/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/leg_info.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const size_t texts[] = {
	offsetof(struct leg_info, request_user),  offsetof(struct leg_info, request_uri),
	offsetof(struct leg_info, from_uri),      offsetof(struct leg_info, from_user),
	offsetof(struct leg_info, from_display),  offsetof(struct leg_info, to_uri),
	offsetof(struct leg_info, to_user),       offsetof(struct leg_info, to_display),
	offsetof(struct leg_info, asserted_user), offsetof(struct leg_info, call_id),
	offsetof(struct leg_info, session_id),    offsetof(struct leg_info, source),
	offsetof(struct leg_info, replaces),
};

static const char **text_of(const struct leg_info *info, size_t i)
{
	return (const char **)(uintptr_t)((const char *)info + texts[i]);
}

static size_t room_for(const struct leg_info *info)
{
	size_t room = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		room += *text_of(info, i) ? strlen(*text_of(info, i)) + 1 : 0;
	return room;
}

static void move_to(struct leg_info *info, char *at)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char **text = text_of(info, i), *from;

		if (!*text)
			continue;
		from = *text;
		*text = at;
		at = stpcpy(at, from) + 1;
	}
}

char *leg_info_pack(struct leg_info *info)
{
	char *piece = malloc(room_for(info) + 1);

	if (piece)
		move_to(info, piece);
	return piece;
}

struct leg_info *leg_info_copy(const struct leg_info *info)
{
	static const struct sip_headers none;
	struct leg_info *copy = malloc(sizeof(*copy) + room_for(info));

	if (!copy)
		return NULL;
	*copy = *info;
	copy->headers = &none;
	copy->sdp = NULL;
	move_to(copy, (char *)(copy + 1));
	return copy;
}
