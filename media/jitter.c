/* SPDX-License-Identifier: Apache-2.0 */
#include "media/jitter.h"
#include <string.h>

#define MAX_DROPOUT 3000 /* sequence numbers, RFC 3550 A.1 */

static struct jitter_packet *slot_of(struct jitter *jitter, uint16_t sequence)
{
	return &jitter->slots[sequence % JITTER_SLOTS];
}

static void begin(struct jitter *jitter, const struct jitter_piece *piece)
{
	for (unsigned i = 0; i < JITTER_SLOTS; i++)
		jitter->slots[i].used = false;
	jitter->started = true;
	jitter->ssrc = piece->ssrc;
	jitter->next = piece->sequence;
	jitter->count = 0;
}

static void keep(struct jitter *jitter, const struct jitter_piece *piece)
{
	struct jitter_packet *slot = slot_of(jitter, piece->sequence);

	slot->used = true;
	slot->timestamp = piece->timestamp;
	slot->type = piece->type;
	slot->length = (uint16_t)piece->length;
	memcpy(slot->payload, piece->payload, piece->length);
	jitter->count++;
}

enum jitter_put jitter_put(struct jitter *jitter, const struct jitter_piece *piece)
{
	int ahead = (int16_t)(uint16_t)(piece->sequence - jitter->next);
	enum jitter_put result = JITTER_TAKEN;

	if (piece->length > JITTER_PAYLOAD)
		return JITTER_REFUSED;
	if (!jitter->started || piece->ssrc != jitter->ssrc || ahead > MAX_DROPOUT ||
	    ahead < -MAX_DROPOUT) {
		begin(jitter, piece);
		ahead = 0;
		result = JITTER_NEW;
	}
	if (ahead < 0 || (ahead < JITTER_SLOTS && slot_of(jitter, piece->sequence)->used))
		return JITTER_REFUSED;
	for (; ahead >= JITTER_SLOTS; ahead--) /* the oldest make room */
		(void)jitter_take(jitter);
	keep(jitter, piece);
	return result;
}

const struct jitter_packet *jitter_peek(const struct jitter *jitter)
{
	const struct jitter_packet *slot = &jitter->slots[jitter->next % JITTER_SLOTS];

	return slot->used ? slot : NULL;
}

const struct jitter_packet *jitter_take(struct jitter *jitter)
{
	struct jitter_packet *slot = slot_of(jitter, jitter->next);

	if (!slot->used) {
		jitter->next++;
		return NULL;
	}
	slot->used = false;
	jitter->next++;
	jitter->count--;
	return slot;
}
