/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/refresh.h"

#include <errno.h>
#include <stdlib.h>
#include "registrar/plan.h"

#define SLOT_MS      100
#define SLOT_COUNT   16384 /* 27 minutes a turn; later ones wait for another turn */
#define LOOK_AHEAD   600   /* slots searched for the next one that is due */
#define TICK_MS      20    /* wake-ups cost more than requests: send in small lots */
#define DEPTH_MS     50    /* what the token bucket holds */
#define SHARE_MIN    0.05
#define SHARE_GROWS  0.01 /* a second */
#define RAMP_MS      20000
#define RAMP_FROM    0.1
#define PROBE_MS     1000
#define PROBE_MAX_MS 30000
#define FIFTH_TURN   5

/* Different numbers failing in a row, none answered meanwhile: a few that take a
 * while, or many. Fewer may be to blame themselves, or one of several servers. */
#define DOWN_AFTER    3
#define DOWN_AFTER_MS 2000
#define DOWN_AT_ONCE  20

/* Who is due waits by the time of its expiry, in slots of so long; what lies
 * further away than half a turn, back or ahead, waits at the end of it. */
#define URGENT_MS    256
#define URGENT_COUNT 32768 /* 140 minutes */
#define URGENT_WORDS (URGENT_COUNT / 64)

/* Repeated attempts: a share of what succeeds and of the rate, so that failure does
 * not double the load; and a share of the window, as each may hang. */
#define RETRY_SHARE  0.1
#define RETRY_RATE   0.02
#define RETRY_DEPTH  100.0
#define RETRY_WINDOW 4   /* of it, a fourth */
#define RETRY_SKIP   256 /* put off at one turn */
#define PROBE_SKIP   32
#define PUT_OFF_MS   2000 /* to twice that */

#define WINDOW_MIN 16
#define SLOW_MS    100 /* over three times the usual latency: the API is overloaded */

enum queue { QUEUE_NONE, QUEUE_WHEEL, QUEUE_URGENT, QUEUE_OTHER };

/* The lists are doubly linked by handles. `prev` of the first one in a list is
 * FIRST plus, on the wheel and among the urgent, the slot. */
#define FIRST 0x80000000u

struct refresh {
	struct reg_table *table; /* borrowed */
	size_t count;            /* of its records, those that are ours to keep alive */
	uint64_t random;
	uint32_t slots[SLOT_COUNT];
	int64_t slot_now; /* slots up to and with this one have been emptied */
	uint32_t urgent[URGENT_COUNT];
	uint64_t urgent_used[URGENT_WORDS];       /* a bit for each that is not empty */
	uint64_t urgent_words[URGENT_WORDS / 64]; /* a bit for each of these that is not 0 */
	size_t urgent_count;                      /* records there */
	uint32_t other_first, other_last;
	unsigned turn;
	/* Brakes: */
	double limit;     /* per second, as configured; 0: none */
	double steady;    /* per second, what the numbers need */
	double rate;      /* per second, as expected of us */
	double share;     /* of it, as the API can take */
	mono_ms ramp_end; /* until then less, after an outage */
	double tokens, retry_tokens;
	mono_ms ticked_at, slowed_at;
	double window, latency, usual; /* ms: of late, and in good times */
	mono_ms window_at;
	unsigned in_flight, retrying;
	unsigned former;  /* in flight too, at an API that is asked no more */
	mono_ms short_ms; /* with less time left than this, a retry is urgent */
	bool held, hurry;
	/* Gate: */
	bool down, probing; /* probing: the request in flight is a probe */
	mono_ms probe_at, answered_at;
	unsigned probes;
	uint64_t failed[DOWN_AFTER]; /* numbers, since the last answer */
	unsigned failed_count, failures;
};

int refresh_create(struct refresh **ret_refresh, struct reg_table *table, uint64_t seed,
		   mono_ms now)
{
	struct refresh *refresh = calloc(1, sizeof(*refresh));

	if (!refresh)
		return -ENOMEM;
	refresh->table = table;
	refresh->count = SIZE_MAX; /* not known yet */
	refresh->random = seed;
	refresh->slot_now = now / SLOT_MS;
	refresh->rate = plan_rate(0, REG_TTL_DEFAULT_S);
	refresh->share = 1.0;
	refresh->window = REFRESH_WINDOW;
	refresh->retry_tokens = RETRY_DEPTH;
	refresh->short_ms = (mono_ms)REG_TTL_DEFAULT_S * 1000 / 4;
	refresh->ticked_at = now - DEPTH_MS;
	refresh->answered_at = now - DOWN_AFTER_MS;
	*ret_refresh = refresh;
	return 0;
}

struct refresh *refresh_destroy(struct refresh *refresh)
{
	free(refresh);
	return NULL;
}

/* ---- lists ---- */

static uint32_t *head_of(struct refresh *refresh, enum queue queue, uint32_t slot)
{
	if (queue == QUEUE_OTHER)
		return &refresh->other_first;
	return queue == QUEUE_WHEEL ? &refresh->slots[slot] : &refresh->urgent[slot];
}

static void set_bit(uint64_t *word, uint32_t bit, uint64_t on)
{
	if (on)
		*word |= (uint64_t)1 << bit;
	else
		*word &= ~((uint64_t)1 << bit);
}

/* After its slot may have become empty, or not empty any more. */
static void note_urgent(struct refresh *refresh, uint32_t slot)
{
	uint64_t *used = &refresh->urgent_used[slot / 64];
	uint64_t *words = &refresh->urgent_words[slot / 64 / 64];

	set_bit(used, slot % 64, refresh->urgent[slot]);
	set_bit(words, slot / 64 % 64, *used);
}

void refresh_unfile(struct refresh *refresh, struct reg *reg)
{
	bool first = reg->prev & FIRST;
	uint32_t slot = reg->prev & ~FIRST;

	if (reg->queue == QUEUE_NONE)
		return;
	if (first)
		*head_of(refresh, (enum queue)reg->queue, slot) = reg->next;
	else
		reg_at(refresh->table, reg->prev)->next = reg->next;
	if (reg->next)
		reg_at(refresh->table, reg->next)->prev = reg->prev;
	else if (reg->queue == QUEUE_OTHER)
		refresh->other_last = first ? 0 : reg->prev;
	if (first && reg->queue == QUEUE_URGENT)
		note_urgent(refresh, slot);
	refresh->urgent_count -= reg->queue == QUEUE_URGENT;
	reg->queue = QUEUE_NONE;
}

static void put_first(struct refresh *refresh, struct reg *reg, enum queue queue, uint32_t slot)
{
	uint32_t *head = head_of(refresh, queue, slot);

	reg->next = *head;
	reg->prev = FIRST | slot;
	if (reg->next)
		reg_at(refresh->table, reg->next)->prev = reg_handle_of(refresh->table, reg);
	else if (queue == QUEUE_OTHER)
		refresh->other_last = reg_handle_of(refresh->table, reg);
	*head = reg_handle_of(refresh->table, reg);
	reg->queue = queue & 3u;
	if (queue == QUEUE_URGENT)
		note_urgent(refresh, slot);
}

static void put_last(struct refresh *refresh, struct reg *reg)
{
	reg->next = 0;
	reg->prev = refresh->other_last ? refresh->other_last : FIRST;
	if (refresh->other_last)
		reg_at(refresh->table, refresh->other_last)->next =
			reg_handle_of(refresh->table, reg);
	else
		refresh->other_first = reg_handle_of(refresh->table, reg);
	refresh->other_last = reg_handle_of(refresh->table, reg);
	reg->queue = QUEUE_OTHER & 3u;
}

/* Where the ring of urgent ones begins at present: a multiple of 64. */
static int64_t ring_start(const struct refresh *refresh)
{
	return (refresh->slot_now * SLOT_MS / URGENT_MS - URGENT_COUNT / 2) & ~(int64_t)63;
}

static void put_urgent(struct refresh *refresh, struct reg *reg)
{
	int64_t start = ring_start(refresh), slot = reg->expires_ms / URGENT_MS;

	if (slot < start)
		slot = start;
	if (slot >= start + URGENT_COUNT)
		slot = start + URGENT_COUNT - 1;
	refresh->urgent_count++;
	put_first(refresh, reg, QUEUE_URGENT, (uint32_t)((uint64_t)slot % URGENT_COUNT));
}

static uint32_t end_bit(uint64_t word, bool last)
{
	return (uint32_t)(last ? 63 - __builtin_clzll(word) : __builtin_ctzll(word));
}

/* The one with the least time left, or (last) the most; 0: none. The ring may begin in the
 * middle of a word of words: of that one the upper part comes first, the lower one last. */
static uint32_t find_urgent(const struct refresh *refresh, bool last)
{
	uint32_t count = ARRAY_SIZE(refresh->urgent_words);
	uint32_t start = (uint32_t)((uint64_t)ring_start(refresh) % URGENT_COUNT / 64);
	uint64_t upper = ~(uint64_t)0 << (start % 64);

	for (uint32_t i = 0; refresh->urgent_count && i <= count; i++) {
		uint32_t step = last ? count - i : i, at = (start / 64 + step) % count, slot;
		uint64_t words = refresh->urgent_words[at];

		if (step == 0)
			words &= upper;
		else if (step == count)
			words &= ~upper;
		if (!words)
			continue;
		slot = at * 64 + end_bit(words, last);
		return refresh->urgent[slot * 64 + end_bit(refresh->urgent_used[slot], last)];
	}
	return 0;
}

/* Refreshes, and what the core is to be told anew; everything else can bear to wait. */
static bool would_lapse(const struct reg *reg)
{
	return reg->expires_ms && reg_wish(reg);
}

static void put_due(struct refresh *refresh, struct reg *reg)
{
	if (would_lapse(reg))
		put_urgent(refresh, reg);
	else
		put_last(refresh, reg);
}

void refresh_file(struct refresh *refresh, struct reg *reg)
{
	/* Rounded up: never early. */
	int64_t slot = (reg->due_ms + SLOT_MS - 1) / SLOT_MS;

	refresh_unfile(refresh, reg);
	if (slot <= refresh->slot_now)
		put_due(refresh, reg);
	else
		put_first(refresh, reg, QUEUE_WHEEL, (uint32_t)((uint64_t)slot % SLOT_COUNT));
}

void refresh_file_first(struct refresh *refresh, struct reg *reg)
{
	refresh_unfile(refresh, reg);
	if (would_lapse(reg))
		put_urgent(refresh, reg);
	else
		put_first(refresh, reg, QUEUE_OTHER, 0);
}

/* Back to front: what was filed first comes first. */
static void empty_slot(struct refresh *refresh, int64_t slot)
{
	uint32_t handle = 0;

	for (uint32_t at = refresh->slots[slot % SLOT_COUNT]; at;
	     at = reg_at(refresh->table, at)->next)
		handle = at;
	while (handle) {
		struct reg *reg = reg_at(refresh->table, handle);

		handle = reg->prev & FIRST ? 0 : reg->prev;
		if (reg->due_ms <= slot * SLOT_MS) { /* else: another turn of the wheel */
			refresh_unfile(refresh, reg);
			put_due(refresh, reg);
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
	uint32_t ttl = ttl_s ? ttl_s : REG_TTL_DEFAULT_S;

	refresh->count = count;
	refresh->steady = plan_steady(count, ttl);
	refresh->rate = plan_rate(count, ttl);
	refresh->short_ms = (mono_ms)ttl * 1000 / 4;
}

void refresh_limit(struct refresh *refresh, unsigned rate)
{
	refresh->limit = rate;
}

static double rate_now(const struct refresh *refresh, mono_ms now)
{
	double rate = (refresh->limit > 0 ? refresh->limit : refresh->rate) * refresh->share;
	double left = (double)(refresh->ramp_end - now) / RAMP_MS;

	return left > 0 ? rate * (1.0 - (1.0 - RAMP_FROM) * left) : rate;
}

static double at_most(double value, double limit)
{
	return value < limit ? value : limit;
}

static double at_least(double value, double limit)
{
	return value > limit ? value : limit;
}

static void tick(struct refresh *refresh, mono_ms now)
{
	double passed_s = (double)(now - refresh->ticked_at) / 1000.0, rate, depth;

	if (now - refresh->ticked_at < TICK_MS)
		return;
	refresh->ticked_at = now;
	refresh->share = at_most(refresh->share + SHARE_GROWS * passed_s, 1.0);
	rate = rate_now(refresh, now);
	depth = at_least(rate * DEPTH_MS / 1000.0, 1.0);
	refresh->tokens = at_most(refresh->tokens + rate * passed_s, depth);
	refresh->retry_tokens =
		at_most(refresh->retry_tokens + RETRY_RATE * rate * passed_s, RETRY_DEPTH);
}

static bool braked(const struct refresh *refresh)
{
	if (refresh->held || refresh->in_flight >= (unsigned)refresh->window)
		return true;
	if (refresh->down)
		return refresh->in_flight > 0;
	return false;
}

static struct reg *first_due(struct refresh *refresh)
{
	uint32_t urgent = find_urgent(refresh, false), other = refresh->other_first,
		 handle = urgent;

	if (other && (!urgent || ++refresh->turn % FIFTH_TURN == 0))
		handle = other;
	return handle ? reg_at(refresh->table, handle) : NULL;
}

static bool is_retry(const struct reg *reg)
{
	return reg->failures && !(reg->flags & REG_REFUSING);
}

/* A repeated attempt has to fit into its budget; one that is about to lapse into
 * its part of the window only. */
static bool may_go(const struct refresh *refresh, const struct reg *reg, mono_ms now)
{
	bool urgent = would_lapse(reg) && reg->expires_ms - now < refresh->short_ms;

	if (refresh->hurry || !is_retry(reg))
		return true;
	if (refresh->retrying >= (unsigned)refresh->window / RETRY_WINDOW)
		return false;
	return urgent || refresh->retry_tokens >= 1.0;
}

static void put_off(struct refresh *refresh, struct reg *reg, mono_ms now)
{
	reg_set_due(reg, now + PUT_OFF_MS + (mono_ms)(PUT_OFF_MS * reg_random(&refresh->random)));
	refresh_file(refresh, reg);
}

/* A number that fails on its own would say nothing about the API. Those that became
 * due last are the least likely to have been tried yet; if all have been, any. */
static struct reg *pick_probe(struct refresh *refresh, mono_ms now)
{
	struct reg *any = NULL;

	for (int i = 1; i <= PROBE_SKIP; i++) {
		uint32_t urgent = find_urgent(refresh, true);
		uint32_t handle = urgent ? urgent : refresh->other_first;
		struct reg *reg = handle ? reg_at(refresh->table, handle) : NULL;

		if (!reg || !is_retry(reg))
			return reg ? reg : any;
		put_off(refresh, reg, now);
		if (reg_random(&refresh->random) * i < 1.0)
			any = reg;
	}
	return any;
}

static struct reg *first_that_may_go(struct refresh *refresh, mono_ms now)
{
	for (int i = 0; i < RETRY_SKIP; i++) {
		struct reg *reg = first_due(refresh);

		if (!reg || may_go(refresh, reg, now))
			return reg;
		put_off(refresh, reg, now);
	}
	return NULL;
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
	reg = refresh->down ? pick_probe(refresh, now) : first_that_may_go(refresh, now);
	if (!reg)
		return NULL;
	refresh_unfile(refresh, reg);
	if (refresh->tokens >= 1.0)
		refresh->tokens -= 1.0;
	refresh->in_flight++;
	refresh->probing = refresh->down;
	if (is_retry(reg)) {
		reg->retry = 1;
		refresh->retrying++;
		if (refresh->retry_tokens >= 1.0)
			refresh->retry_tokens -= 1.0;
	}
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

void refresh_move(struct refresh *refresh, mono_ms now)
{
	refresh->former += refresh->in_flight;
	refresh->in_flight = refresh->retrying = 0;
	refresh->share = 1.0;
	refresh->slowed_at = 0;
	refresh->window = REFRESH_WINDOW;
	refresh->latency = refresh->usual = 0;
	refresh->probing = false;
	refresh->probes = 0;
	refresh->probe_at = now;
	refresh->failed_count = refresh->failures = 0;
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

/* One number can be a trouble of its own: it counts until it is known for that. */
static bool failed_enough(struct refresh *refresh, const struct reg *reg, mono_ms now)
{
	size_t count =
		refresh->count < refresh->table->count ? refresh->count : refresh->table->count;
	size_t enough = count < DOWN_AFTER ? count : DOWN_AFTER;
	bool known = false;

	if (is_retry(reg))
		return false;
	refresh->failures++;
	for (unsigned i = 0; i < refresh->failed_count; i++)
		known |= refresh->failed[i] == reg->number;
	if (!known && refresh->failed_count < DOWN_AFTER)
		refresh->failed[refresh->failed_count++] = reg->number;
	return refresh->failed_count >= enough &&
	       (refresh->failures >= DOWN_AT_ONCE || now - refresh->answered_at >= DOWN_AFTER_MS);
}

static enum refresh_news on_failed(struct refresh *refresh, const struct reg *reg, mono_ms now)
{
	if (refresh->down) {
		if (refresh->probing) /* not one that was sent before all went down */
			plan_probe(refresh, now);
		refresh->probing = false;
		return REFRESH_NO_NEWS;
	}
	if (!failed_enough(refresh, reg, now))
		return REFRESH_NO_NEWS;
	refresh->down = true;
	refresh->probes = 0;
	plan_probe(refresh, now);
	return REFRESH_WENT_DOWN;
}

/* The window follows the latency: an API that takes three times as long as usual
 * has more on its hands than it can do, and gets less from us, down to twice what
 * the numbers need (Little's law). A median, as some answers always take long. */
static void fit_window(struct refresh *refresh, mono_ms took, mono_ms now)
{
	double least = 2.0 * refresh->steady * refresh->latency / 1000.0;

	if (refresh->latency <= 0)
		refresh->latency = refresh->usual = (double)took + 1.0;
	refresh->latency *= (double)took > refresh->latency ? 1.05 : 1.0 / 1.05;
	if (refresh->latency < 1.0)
		refresh->latency = 1.0;
	/* The usual one is the best seen, forgotten within some thousand answers. */
	if (refresh->latency < refresh->usual)
		refresh->usual = refresh->latency;
	refresh->usual += (refresh->latency - refresh->usual) * 0.0005;
	if (now - refresh->window_at < 1000)
		return;
	refresh->window_at = now;
	refresh->window *= refresh->latency > 3 * refresh->usual + SLOW_MS ? 0.8 : 1.1;
	refresh->window = at_least(refresh->window, at_least(least, WINDOW_MIN));
	refresh->window = at_most(refresh->window, REFRESH_WINDOW);
}

static enum refresh_news on_answer(struct refresh *refresh, mono_ms now)
{
	bool back = refresh->down;

	refresh->down = refresh->probing = false;
	refresh->failed_count = refresh->failures = 0;
	refresh->answered_at = now;
	if (!back)
		return REFRESH_NO_NEWS;
	refresh->ramp_end = now + RAMP_MS; /* what is just back is not run down again */
	return REFRESH_CAME_UP;
}

/* All of a window may come back so: one step down a second. */
static void slow_down(struct refresh *refresh, mono_ms now)
{
	if (refresh->slowed_at && now - refresh->slowed_at < 1000)
		return;
	refresh->slowed_at = now;
	refresh->share = at_least(refresh->share * 0.7, SHARE_MIN);
}

static void answered_retry(struct refresh *refresh, struct reg *reg)
{
	if (reg->retry)
		refresh->retrying--;
	reg->retry = 0;
}

enum refresh_news refresh_answered(struct refresh *refresh, struct reg *reg,
				   enum refresh_answer answer, mono_ms now)
{
	if (answer == REFRESH_FORMER) {
		refresh->former--;
		reg->retry = 0;
		return REFRESH_NO_NEWS;
	}
	refresh->in_flight--;
	answered_retry(refresh, reg);
	switch (answer) {
	case REFRESH_ANSWERED:
		refresh->retry_tokens = at_most(refresh->retry_tokens + RETRY_SHARE, RETRY_DEPTH);
		if (!refresh->down) /* a probe waits until there is a connection */
			fit_window(refresh, now - reg->due_ms, now);
		return on_answer(refresh, now);
	case REFRESH_FAILED:
		return on_failed(refresh, reg, now);
	case REFRESH_EXHAUSTED:
		slow_down(refresh, now);
		return on_answer(refresh, now);
	case REFRESH_VOID:
	case REFRESH_FORMER:
		break;
	}
	return REFRESH_NO_NEWS;
}

void refresh_load(const struct refresh *refresh, mono_ms now, struct refresh_load *ret_load)
{
	ret_load->rate = rate_now(refresh, now);
	ret_load->window = (unsigned)refresh->window;
	ret_load->in_flight = refresh->in_flight;
	ret_load->down = refresh->down;
}

bool refresh_down(const struct refresh *refresh)
{
	return refresh->down;
}

unsigned refresh_in_flight(const struct refresh *refresh)
{
	return refresh->in_flight + refresh->former;
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
	bool waiting = refresh->other_first || refresh->urgent_count;
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
