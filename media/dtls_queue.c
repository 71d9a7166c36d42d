/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_queue.c - datagrams that wait for a step of their handshake, and whose turn it is. */
#include <stdlib.h>
#include <string.h>
#include "media/dtls_private.h"

/* A handshake takes two or three steps. Who takes many more waits behind who began
 * later: junk must not keep the others out. */
#define STEPS_IN_PLACE 8

/* Of a thread's turn. A tenth of a packet's period; a whole one. */
#define TURN_MIN_MS 2
#define TURN_MAX_MS 20

/* By place: who began first is done first. With a turn for each the last steps of all
 * would come at the same time, which in a crowd is too late for each of them. */
void dtls_queue_add(struct dtls_queue *queue, struct dtls *dtls)
{
	struct dtls **link = &queue->first;

	if (dtls->queued)
		return;
	if (queue->last && queue->last->place < dtls->place)
		link = &queue->last->next;
	while (*link && (*link)->place < dtls->place)
		link = &(*link)->next;
	dtls->queued = true;
	dtls->next = *link;
	*link = dtls;
	if (!dtls->next)
		queue->last = dtls;
}

static void queue_remove(struct dtls_queue *queue, struct dtls *dtls)
{
	struct dtls **link = &queue->first, *before = NULL;

	if (!dtls->queued)
		return;
	for (; *link != dtls; link = &(*link)->next)
		before = *link;
	*link = dtls->next;
	if (queue->last == dtls)
		queue->last = before;
	dtls->queued = false;
}

/* What a peer repeats while we have no time for it: a record with another number. */
static bool is_kept(const struct dtls *dtls, const uint8_t *datagram, size_t length)
{
	for (const struct dtls_waiting *kept = dtls->first; kept; kept = kept->next)
		if (kept->length == length && length > DTLS_RECORD_HEADER &&
		    memcmp(kept->bytes + DTLS_RECORD_HEADER, datagram + DTLS_RECORD_HEADER,
			   length - DTLS_RECORD_HEADER) == 0)
			return true;
	return false;
}

void dtls_keep(struct dtls *dtls, const uint8_t *datagram, size_t length)
{
	struct dtls_waiting *kept;

	if (dtls->waiting_count == DTLS_WAITING_MAX || length > DTLS_DATAGRAM_MAX ||
	    is_kept(dtls, datagram, length))
		return;
	kept = malloc(sizeof(*kept) + length);
	if (!kept)
		return;
	kept->next = NULL;
	kept->length = length;
	memcpy(kept->bytes, datagram, length);
	*dtls->last = kept;
	dtls->last = &kept->next;
	dtls->waiting_count++;
}

struct dtls_waiting *dtls_next_waiting(struct dtls *dtls)
{
	struct dtls_waiting *kept = dtls->first;

	if (!kept)
		return NULL;
	dtls->first = kept->next;
	if (!dtls->first)
		dtls->last = &dtls->first;
	dtls->waiting_count--;
	return kept;
}

void dtls_drop_waiting(struct dtls *dtls)
{
	struct dtls_waiting *kept;

	if (dtls->queue)
		queue_remove(dtls->queue, dtls);
	while ((kept = dtls_next_waiting(dtls)))
		free(kept);
}

void dtls_take_place(struct dtls *dtls)
{
	dtls->place = ++dtls->queue->last_place;
	dtls->steps = 0;
}

bool dtls_queue_run(struct dtls_queue *queue, unsigned steps)
{
	for (; queue->first && steps > 0; steps--) {
		struct dtls *dtls = queue->first;

		queue_remove(queue, dtls);
		if (++dtls->steps > STEPS_IN_PLACE)
			dtls_take_place(dtls);
		(void)dtls_take_waiting(dtls); /* it was queued with one */
		if (dtls->first)
			dtls_queue_add(queue, dtls);
	}
	return queue->first != NULL;
}

bool dtls_queue_turn(struct dtls_queue *queue, mono_ms now)
{
	mono_ms due = queue->left_at > 0 ? (now - queue->left_at) / 2 : 0;
	uint64_t until_ns;
	bool more;

	if (due < TURN_MIN_MS)
		due = TURN_MIN_MS;
	if (due > TURN_MAX_MS)
		due = TURN_MAX_MS;
	until_ns = clock_now_ns() + (uint64_t)due * 1000000u;
	do
		more = dtls_queue_run(queue, 1);
	while (more && clock_now_ns() < until_ns);
	queue->left_at = more ? now : 0;
	return more;
}
