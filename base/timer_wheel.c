/* SPDX-License-Identifier: Apache-2.0 */
/* timer_wheel.c - hierarchical wheel (Varghese, Lauck 1987), slots chosen by xor.
 *
 * A timer sits on the level of the highest 6-bit digit in which its tick
 * differs from the wheel's, in the slot of that digit. So every timer of a
 * level is due after those of the levels below, nothing wraps around, and the
 * next event is one bit scan away however far time jumps. When the wheel
 * reaches a slot of a higher level its timers move down; each moves at most
 * once a level.
 */
#include "base/timer_wheel.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define TICK_MS    10
#define DIGIT_BITS 6
#define SLOTS      (1u << DIGIT_BITS)
#define LEVELS     7 /* 2^42 ticks: 1394 years, so every time fits */
#define TICK_MAX   ((UINT64_C(1) << (DIGIT_BITS * LEVELS)) - 1)

/* A list is a ring through its head: head.next is the first timer and
 * head.link points at the last one's `next`. A timer can so be appended, and
 * taken out without knowing its list, each in constant time. */
struct timer_wheel {
	uint64_t tick;             /* everything up to and including it has left the levels */
	uint64_t occupied[LEVELS]; /* bit per slot; may be stale after a cancel */
	struct timer slots[LEVELS][SLOTS];
	struct timer overdue; /* started in the past: fired by the next advance */
	struct timer firing;  /* due, waiting for their turn */
};

static void list_init(struct timer *head)
{
	head->next = head;
	head->link = &head->next;
}

static bool list_empty(const struct timer *head)
{
	return head->next == head;
}

static void list_append(struct timer *head, struct timer *timer)
{
	timer->next = head;
	timer->link = head->link;
	*head->link = timer;
	head->link = &timer->next;
}

static void list_unlink(struct timer *timer)
{
	*timer->link = timer->next;
	timer->next->link = timer->link;
	timer->next = NULL;
	timer->link = NULL;
}

/* Moves everything from one list to the end of another. */
static void list_splice(struct timer *to, struct timer *from)
{
	if (list_empty(from))
		return;
	*to->link = from->next;
	from->next->link = to->link;
	*from->link = to;
	to->link = from->link;
	list_init(from);
}

static uint64_t tick_at(mono_ms now)
{
	uint64_t tick = now > 0 ? (uint64_t)now / TICK_MS : 0;

	return tick < TICK_MAX ? tick : TICK_MAX;
}

/* Rounded up, so that no timer fires early. */
static uint64_t tick_due(mono_ms due_ms)
{
	uint64_t tick = due_ms > 0 ? ((uint64_t)due_ms + TICK_MS - 1) / TICK_MS : 0;

	return tick < TICK_MAX ? tick : TICK_MAX;
}

static unsigned digit(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (DIGIT_BITS * level)) & (SLOTS - 1);
}

int timer_wheel_create(struct timer_wheel **ret_wheel, mono_ms now)
{
	struct timer_wheel *wheel = calloc(1, sizeof(*wheel));

	if (!wheel)
		return -ENOMEM;
	wheel->tick = tick_at(now);
	for (unsigned level = 0; level < LEVELS; level++)
		for (unsigned slot = 0; slot < SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
	list_init(&wheel->overdue);
	list_init(&wheel->firing);
	*ret_wheel = wheel;
	return 0;
}

static void list_unlink_all(struct timer *head)
{
	for (struct timer *timer = head->next; timer != head;) {
		struct timer *next = timer->next;

		timer->next = NULL;
		timer->link = NULL;
		timer = next;
	}
	list_init(head);
}

struct timer_wheel *timer_wheel_destroy(struct timer_wheel *wheel)
{
	if (!wheel)
		return NULL;
	for (unsigned level = 0; level < LEVELS; level++)
		for (unsigned slot = 0; slot < SLOTS; slot++)
			list_unlink_all(&wheel->slots[level][slot]);
	list_unlink_all(&wheel->overdue);
	list_unlink_all(&wheel->firing);
	free(wheel);
	return NULL;
}

void timer_init(struct timer *timer, timer_fn *fire, void *arg)
{
	*timer = (struct timer){ .fire = fire, .arg = arg };
}

bool timer_active(const struct timer *timer)
{
	return timer->link != NULL;
}

/* Links an idle timer that is due after wheel->tick. */
static void place(struct timer_wheel *wheel, struct timer *timer, uint64_t due)
{
	unsigned level = (63u - (unsigned)__builtin_clzll(due ^ wheel->tick)) / DIGIT_BITS;
	unsigned slot = digit(due, level);

	list_append(&wheel->slots[level][slot], timer);
	wheel->occupied[level] |= UINT64_C(1) << slot;
}

void timer_start(struct timer_wheel *wheel, struct timer *timer, mono_ms due_ms)
{
	uint64_t due = tick_due(due_ms);

	timer_cancel(timer);
	timer->due_ms = due_ms;
	if (due <= wheel->tick)
		list_append(&wheel->overdue, timer);
	else
		place(wheel, timer, due);
}

void timer_cancel(struct timer *timer)
{
	if (timer->link)
		list_unlink(timer);
}

/* The first slot with a timer in it, and the tick at which it begins. */
static bool find_next(const struct timer_wheel *wheel, unsigned *ret_level, unsigned *ret_slot,
		      uint64_t *ret_tick)
{
	for (unsigned level = 0; level < LEVELS; level++) {
		/* Slots up to the wheel's own digit hold nothing on this level. */
		uint64_t later = UINT64_MAX << digit(wheel->tick, level) << 1;
		uint64_t bits = wheel->occupied[level] & later;

		for (; bits; bits &= bits - 1) {
			unsigned slot = (unsigned)__builtin_ctzll(bits);
			unsigned shift = DIGIT_BITS * level;

			if (list_empty(&wheel->slots[level][slot]))
				continue;
			*ret_level = level;
			*ret_slot = slot;
			*ret_tick = wheel->tick >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS) |
				    (uint64_t)slot << shift;
			return true;
		}
	}
	return false;
}

/* Moves the wheel to its next event if that is due; false if none is. */
static bool step(struct timer_wheel *wheel, uint64_t target)
{
	unsigned level, slot;
	uint64_t tick;
	struct timer moving;

	if (!find_next(wheel, &level, &slot, &tick) || tick > target)
		return false;
	wheel->tick = tick;
	wheel->occupied[level] &= ~(UINT64_C(1) << slot);
	list_init(&moving);
	list_splice(&moving, &wheel->slots[level][slot]);
	while (!list_empty(&moving)) {
		struct timer *timer = moving.next;
		uint64_t due = tick_due(timer->due_ms);

		list_unlink(timer);
		if (due <= tick)
			list_append(&wheel->firing, timer);
		else
			place(wheel, timer, due);
	}
	return true;
}

unsigned timer_wheel_advance(struct timer_wheel *wheel, mono_ms now, unsigned budget)
{
	uint64_t target = tick_at(now);
	unsigned fired = 0;

	/* What callbacks start in the past waits for the next call: no endless turn. */
	list_splice(&wheel->firing, &wheel->overdue);
	do {
		while (!list_empty(&wheel->firing)) {
			struct timer *timer = wheel->firing.next;

			if (budget && fired == budget)
				return fired;
			list_unlink(timer);
			fired++;
			timer->fire(timer, timer->arg);
			/* `timer` may be gone: touch nothing of it after this line */
		}
	} while (step(wheel, target));
	if (target > wheel->tick)
		wheel->tick = target;
	return fired;
}

mono_ms timer_wheel_next(const struct timer_wheel *wheel)
{
	unsigned level, slot;
	uint64_t tick;

	if (!list_empty(&wheel->firing) || !list_empty(&wheel->overdue))
		return (mono_ms)(wheel->tick * TICK_MS);
	if (!find_next(wheel, &level, &slot, &tick))
		return -1;
	return (mono_ms)(tick * TICK_MS);
}
