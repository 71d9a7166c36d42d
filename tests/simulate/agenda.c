/* SPDX-License-Identifier: Apache-2.0 */
/* agenda.c - what is to happen, in order. Nearly all of it comes within half a minute: that
 * waits on a wheel with a slot for each millisecond, what lies further ahead in a heap. */
#include <stdlib.h>
#include <string.h>
#include "tests/simulate/world.h"

#define SLOTS 32768 /* 33 s: three deadlines */
#define WORDS (SLOTS / 64)

struct entry {
	struct event event;
	uint32_t next; /* of its slot, or of those that are free; 0: none */
};

/* Of a moment, what came into the heap has waited for longer than what is on the wheel. */
static struct agenda {
	struct event *heap;
	size_t heap_count, heap_room;
	uint64_t order;
	struct entry *entries; /* [0] is not used */
	uint32_t used, room, free;
	uint32_t first[SLOTS], last[SLOTS];
	uint64_t taken[WORDS];      /* a bit for each slot that is not empty */
	uint64_t words[WORDS / 64]; /* a bit for each word that is not 0 */
	size_t near;                /* entries on the wheel */
	mono_ms near_at;            /* the first of them, if there is one */
} agenda;

/* ---- the heap ---- */

static bool earlier(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct event *a, struct event *b)
{
	struct event kept = *a;

	*a = *b;
	*b = kept;
}

static void heap_put(const struct event *event)
{
	struct event *heap = agenda.heap;
	size_t i = agenda.heap_count++;

	if (agenda.heap_count > agenda.heap_room) {
		agenda.heap_room = agenda.heap_room ? agenda.heap_room * 2 : 256;
		heap = agenda.heap = reallocarray(heap, agenda.heap_room, sizeof(*heap));
		if (!heap)
			abort();
	}
	heap[i] = *event;
	for (; i && earlier(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&heap[i], &heap[(i - 1) / 2]);
}

static struct event heap_take(void)
{
	struct event *heap = agenda.heap, first = heap[0];
	size_t i = 0, child;

	heap[0] = heap[--agenda.heap_count];
	while ((child = 2 * i + 1) < agenda.heap_count) {
		if (child + 1 < agenda.heap_count && earlier(&heap[child + 1], &heap[child]))
			child++;
		if (!earlier(&heap[child], &heap[i]))
			break;
		swap(&heap[child], &heap[i]);
		i = child;
	}
	return first;
}

/* ---- the wheel ---- */

static uint32_t new_entry(void)
{
	uint32_t index = agenda.free;

	if (index) {
		agenda.free = agenda.entries[index].next;
		return index;
	}
	if (agenda.used + 1 >= agenda.room) {
		agenda.room = agenda.room ? agenda.room * 2 : 256;
		agenda.entries = reallocarray(agenda.entries, agenda.room, sizeof(*agenda.entries));
		if (!agenda.entries)
			abort();
	}
	return ++agenda.used;
}

static void wheel_put(const struct event *event)
{
	uint32_t index = new_entry(), slot = (uint32_t)((uint64_t)event->at % SLOTS);

	agenda.entries[index] = (struct entry){ *event, 0 };
	if (agenda.first[slot])
		agenda.entries[agenda.last[slot]].next = index;
	else
		agenda.first[slot] = index;
	agenda.last[slot] = index;
	agenda.taken[slot / 64] |= (uint64_t)1 << (slot % 64);
	agenda.words[slot / 4096] |= (uint64_t)1 << (slot / 64 % 64);
	if (!agenda.near++ || event->at < agenda.near_at)
		agenda.near_at = event->at;
}

/* The first slot from this one on that is not empty; there is one, before or behind it. */
static uint32_t next_slot(uint32_t slot)
{
	uint64_t rest = agenda.taken[slot / 64] >> (slot % 64);
	uint32_t word = (slot / 64 + 1) % WORDS;

	if (rest)
		return slot + (uint32_t)__builtin_ctzll(rest);
	rest = agenda.words[word / 64] >> (word % 64);
	while (!rest) {
		word = (word / 64 + 1) * 64 % WORDS;
		rest = agenda.words[word / 64];
	}
	word += (uint32_t)__builtin_ctzll(rest);
	return word * 64 + (uint32_t)__builtin_ctzll(agenda.taken[word]);
}

static struct event wheel_take(void)
{
	uint32_t slot = (uint32_t)((uint64_t)agenda.near_at % SLOTS), index = agenda.first[slot];
	struct entry *entry = &agenda.entries[index];

	agenda.near--;
	agenda.first[slot] = entry->next;
	entry->next = agenda.free;
	agenda.free = index;
	if (agenda.first[slot])
		return entry->event;
	agenda.taken[slot / 64] &= ~((uint64_t)1 << (slot % 64));
	if (!agenda.taken[slot / 64])
		agenda.words[slot / 4096] &= ~((uint64_t)1 << (slot / 64 % 64));
	if (agenda.near)
		agenda.near_at += (next_slot(slot) + SLOTS - slot) % SLOTS;
	return entry->event;
}

/* ---- both ---- */

void world_event(mono_ms after, enum event_kind kind, uint32_t index)
{
	struct event event = { clock_now() + after, agenda.order++, kind, index };

	if (after >= 0 && after < SLOTS)
		wheel_put(&event);
	else
		heap_put(&event);
}

static bool heap_is_first(void)
{
	return agenda.heap_count && (!agenda.near || agenda.heap[0].at <= agenda.near_at);
}

mono_ms world_due(void)
{
	if (heap_is_first())
		return agenda.heap[0].at;
	return agenda.near ? agenda.near_at : INT64_MAX;
}

struct event world_next(void)
{
	return heap_is_first() ? heap_take() : wheel_take();
}

void world_forget(void)
{
	free(agenda.heap);
	free(agenda.entries);
	memset(&agenda, 0, sizeof(agenda));
}
