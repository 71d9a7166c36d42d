/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/refresh.h"

#include <errno.h>
#include <stdlib.h>

#define SLOT_MS      100
#define SLOT_COUNT   16384 /* 27 minutes a turn; later ones wait for another turn */
#define LOOK_AHEAD   600   /* slots searched for the next one that is due */
#define TICK_MS      20    /* wake-ups cost more than requests: send in small lots */
#define DEPTH_MS     50    /* what the token bucket holds */
#define RATE_MIN     500.0 /* requests per second, however few numbers */
#define SHARE_MIN    0.05
#define PROBE_MS     1000
#define PROBE_MAX_MS 30000
#define DOWN_AFTER   3 /* different numbers failing in a row; one alone may be to blame */
#define FIFTH_TURN   5

enum queue { QUEUE_NONE, QUEUE_WHEEL, QUEUE_REFRESH, QUEUE_OTHER, QUEUE_COUNT };

/* The lists are doubly linked by handles. `prev` of the first one in a list is
 * FIRST plus, on the wheel, the slot. */
#define FIRST 0x80000000u

struct fifo {
	uint32_t first, last;
};

struct refresh {
	struct reg_table *table; /* borrowed */
	uint64_t random;
	uint32_t slots[SLOT_COUNT];
	int64_t slot_now; /* slots up to and with this one have been emptied */
	struct fifo fifos[QUEUE_COUNT];
	unsigned turn;
	/* Brakes: */
	double rate;  /* per second, as expected of us */
	double share; /* of it, as the API can take */
	double tokens;
	mono_ms ticked_at, slowed_at;
	unsigned in_flight;
	bool held, hurry;
	/* Gate: */
	bool down, probing; /* probing: the request in flight is a probe */
	mono_ms probe_at;
	unsigned probes;
	uint64_t failed[DOWN_AFTER]; /* numbers, since the last answer */
	unsigned failed_count;
};

int refresh_create(struct refresh **ret_refresh, struct reg_table *table, uint64_t seed,
		   mono_ms now)
{
	struct refresh *refresh = calloc(1, sizeof(*refresh));

	if (!refresh)
		return -ENOMEM;
	refresh->table = table;
	refresh->random = seed;
	refresh->slot_now = now / SLOT_MS;
	refresh->rate = RATE_MIN;
	refresh->share = 1.0;
	refresh->ticked_at = now - DEPTH_MS;
	*ret_refresh = refresh;
	return 0;
}

struct refresh *refresh_destroy(struct refresh *refresh)
{
	free(refresh);
	return NULL;
}

/* ---- lists ---- */

static uint32_t *slot_of(struct refresh *refresh, const struct reg *reg)
{
	return &refresh->slots[reg->prev & ~FIRST];
}

void refresh_unfile(struct refresh *refresh, struct reg *reg)
{
	struct fifo *fifo = &refresh->fifos[reg->queue];
	bool first = reg->prev & FIRST;

	if (reg->queue == QUEUE_NONE)
		return;
	if (!first)
		reg_at(refresh->table, reg->prev)->next = reg->next;
	else if (reg->queue == QUEUE_WHEEL)
		*slot_of(refresh, reg) = reg->next;
	else
		fifo->first = reg->next;
	if (reg->next)
		reg_at(refresh->table, reg->next)->prev = reg->prev;
	else if (reg->queue != QUEUE_WHEEL)
		fifo->last = first ? 0 : reg->prev;
	reg->queue = QUEUE_NONE;
}

static void put_first(struct refresh *refresh, struct reg *reg, uint32_t *head, uint32_t mark,
		      enum queue queue)
{
	reg->next = *head;
	reg->prev = mark;
	if (reg->next)
		reg_at(refresh->table, reg->next)->prev = reg->handle;
	*head = reg->handle;
	reg->queue = queue & 3u;
}

static void put_last(struct refresh *refresh, struct reg *reg, enum queue queue)
{
	struct fifo *fifo = &refresh->fifos[queue];

	reg->next = 0;
	reg->prev = fifo->last ? fifo->last : FIRST;
	if (fifo->last)
		reg_at(refresh->table, fifo->last)->next = reg->handle;
	else
		fifo->first = reg->handle;
	fifo->last = reg->handle;
	reg->queue = queue & 3u;
}

/* A refresh is what would lapse; everything else can bear to wait. */
static enum queue queue_of(const struct reg *reg)
{
	return reg->expires_ms && reg->wanted && reg->wanted == reg->told ? QUEUE_REFRESH
									  : QUEUE_OTHER;
}

void refresh_file(struct refresh *refresh, struct reg *reg)
{
	/* Rounded up: never early. */
	int64_t slot = (reg->due_ms + SLOT_MS - 1) / SLOT_MS;
	uint32_t index = (uint32_t)(slot % SLOT_COUNT);

	refresh_unfile(refresh, reg);
	if (slot <= refresh->slot_now)
		put_last(refresh, reg, queue_of(reg));
	else
		put_first(refresh, reg, &refresh->slots[index], FIRST | index, QUEUE_WHEEL);
}

void refresh_file_first(struct refresh *refresh, struct reg *reg)
{
	struct fifo *fifo = &refresh->fifos[queue_of(reg)];

	refresh_unfile(refresh, reg);
	put_first(refresh, reg, &fifo->first, FIRST, queue_of(reg));
	if (!reg->next)
		fifo->last = reg->handle;
}

static void empty_slot(struct refresh *refresh, int64_t slot)
{
	uint32_t handle = refresh->slots[slot % SLOT_COUNT];

	while (handle) {
		struct reg *reg = reg_at(refresh->table, handle);

		handle = reg->next;
		if (reg->due_ms <= slot * SLOT_MS) { /* else: another turn of the wheel */
			refresh_unfile(refresh, reg);
			put_last(refresh, reg, queue_of(reg));
		}
	}
}

static void turn_wheel(struct refresh *refresh, mono_ms now)
{
	int64_t to = now / SLOT_MS;

	/* After a long sleep one whole turn sees every slot; the records in them
	 * are compared with the present, not with the slot's own time. */
	if (to - refresh->slot_now > SLOT_COUNT)
		refresh->slot_now = to - SLOT_COUNT;
	while (refresh->slot_now < to)
		empty_slot(refresh, ++refresh->slot_now);
}

/* ---- brakes ---- */

void refresh_expect(struct refresh *refresh, size_t count, uint32_t ttl_s)
{
	double steady = (double)count / (0.4 * (double)(ttl_s ? ttl_s : REG_TTL_DEFAULT_S));

	refresh->rate = 2.0 * steady > RATE_MIN ? 2.0 * steady : RATE_MIN;
}

static void tick(struct refresh *refresh, mono_ms now)
{
	double passed_s = (double)(now - refresh->ticked_at) / 1000.0, rate, depth;

	if (now - refresh->ticked_at < TICK_MS)
		return;
	refresh->ticked_at = now;
	if (refresh->share < 1.0) { /* 5 % more every 10 s */
		refresh->share *= 1.0 + 0.005 * passed_s;
		if (refresh->share > 1.0)
			refresh->share = 1.0;
	}
	rate = refresh->rate * refresh->share;
	depth = rate * DEPTH_MS / 1000.0;
	if (depth < 1.0)
		depth = 1.0;
	refresh->tokens += rate * passed_s;
	if (refresh->tokens > depth)
		refresh->tokens = depth;
}

static bool braked(const struct refresh *refresh)
{
	if (refresh->held || refresh->in_flight >= REFRESH_WINDOW)
		return true;
	if (refresh->down)
		return refresh->in_flight > 0;
	return false;
}

static struct reg *first_due(struct refresh *refresh)
{
	uint32_t urgent = refresh->fifos[QUEUE_REFRESH].first;
	uint32_t other = refresh->fifos[QUEUE_OTHER].first;
	uint32_t handle = urgent;

	if (other && (!urgent || (!refresh->down && ++refresh->turn % FIFTH_TURN == 0)))
		handle = other;
	return handle ? reg_at(refresh->table, handle) : NULL;
}

struct reg *refresh_take(struct refresh *refresh, mono_ms now)
{
	struct reg *reg;

	turn_wheel(refresh, now);
	tick(refresh, now);
	if (braked(refresh) || (refresh->down && now < refresh->probe_at))
		return NULL;
	if (!refresh->hurry && !refresh->down && refresh->tokens < 1.0)
		return NULL;
	reg = first_due(refresh);
	if (!reg)
		return NULL;
	refresh_unfile(refresh, reg);
	if (refresh->tokens >= 1.0)
		refresh->tokens -= 1.0;
	refresh->in_flight++;
	refresh->probing = refresh->down;
	return reg;
}

void refresh_hold(struct refresh *refresh, bool hold)
{
	refresh->held = hold;
}

void refresh_hurry(struct refresh *refresh)
{
	refresh->hurry = true;
}

/* ---- gate ---- */

static void plan_probe(struct refresh *refresh, mono_ms now)
{
	unsigned doublings = refresh->probes < 5 ? refresh->probes : 5;
	mono_ms wait = (mono_ms)PROBE_MS << doublings;

	if (wait > PROBE_MAX_MS)
		wait = PROBE_MAX_MS;
	refresh->probe_at =
		now + (mono_ms)((double)wait * (0.5 + 0.5 * reg_random(&refresh->random)));
	refresh->probes++;
}

/* One number can be a trouble of its own; three are the API's. */
static bool failed_enough(struct refresh *refresh, uint64_t number)
{
	size_t enough = refresh->table->count < DOWN_AFTER ? refresh->table->count : DOWN_AFTER;

	for (unsigned i = 0; i < refresh->failed_count; i++)
		if (refresh->failed[i] == number)
			return false;
	refresh->failed[refresh->failed_count++] = number;
	return refresh->failed_count >= enough;
}

static enum refresh_news on_failed(struct refresh *refresh, uint64_t number, mono_ms now)
{
	if (refresh->down) {
		if (refresh->probing) /* not one that was sent before all went down */
			plan_probe(refresh, now);
		refresh->probing = false;
		return REFRESH_NO_NEWS;
	}
	if (!failed_enough(refresh, number))
		return REFRESH_NO_NEWS;
	refresh->down = true;
	refresh->probes = 0;
	plan_probe(refresh, now);
	return REFRESH_WENT_DOWN;
}

static enum refresh_news on_answer(struct refresh *refresh)
{
	bool back = refresh->down;

	refresh->down = refresh->probing = false;
	refresh->failed_count = 0;
	return back ? REFRESH_CAME_UP : REFRESH_NO_NEWS;
}

enum refresh_news refresh_answered(struct refresh *refresh, uint64_t number,
				   enum refresh_answer answer, mono_ms now)
{
	refresh->in_flight--;
	switch (answer) {
	case REFRESH_ANSWERED:
		return on_answer(refresh);
	case REFRESH_FAILED:
		return on_failed(refresh, number, now);
	case REFRESH_EXHAUSTED:
		/* All of a window may come back so: one step down a second. */
		if (now - refresh->slowed_at >= 1000 || !refresh->slowed_at) {
			refresh->slowed_at = now;
			refresh->share *= 0.7;
			if (refresh->share < SHARE_MIN)
				refresh->share = SHARE_MIN;
		}
		return on_answer(refresh);
	case REFRESH_VOID:
		break;
	}
	return REFRESH_NO_NEWS;
}

bool refresh_down(const struct refresh *refresh)
{
	return refresh->down;
}

unsigned refresh_in_flight(const struct refresh *refresh)
{
	return refresh->in_flight;
}

/* ---- waiting ---- */

static mono_ms next_slot(const struct refresh *refresh)
{
	int64_t slot = refresh->slot_now;

	for (unsigned i = 1; i <= LOOK_AHEAD; i++)
		if (refresh->slots[(slot + i) % SLOT_COUNT])
			return (slot + i) * SLOT_MS;
	return (slot + LOOK_AHEAD) * SLOT_MS;
}

mono_ms refresh_next(const struct refresh *refresh, mono_ms now)
{
	bool waiting = refresh->fifos[QUEUE_REFRESH].first || refresh->fifos[QUEUE_OTHER].first;
	mono_ms next = next_slot(refresh), turn;

	if (waiting && !braked(refresh)) {
		if (refresh->down)
			turn = refresh->probe_at;
		else if (refresh->tokens >= 1.0 || refresh->hurry)
			turn = now;
		else
			turn = refresh->ticked_at + TICK_MS;
		if (turn < next)
			next = turn;
	}
	return next > now ? next : now;
}
