/* SPDX-License-Identifier: Apache-2.0 */
/* judge.c - what must hold whatever happens. A time is calm while the core can
 * be reached, tokens are to be had and the daemon runs. */
#include <string.h>
#include "tests/simulate/world.h"

#define WINDOW 256 /* requests in flight */
/* Of calm before a lapse: a probe each 30 s finds out, the rate grows for 20 s, and the
 * number's own back-off may have 20 s left when little time is. */
#define GRACE (90 * SECOND)
/* Besides, where requests get lost: a probe that does takes its deadline, and the next one
 * comes 30 s later. Each is lost with 0.36 at most, two of them often enough. */
#define LOST_PROBES (2 * (DEADLINE + 30 * SECOND))
/* Of calm until the core and the configuration agree: a number's back-off is at most a
 * minute, and may be drawn again after a last loss; what was said in vain is confirmed
 * after 30 s. */
#define PATIENCE (5 * MINUTE)
/* Where the core refuses up to six of ten: of a thousand numbers one is refused 14 times in a
 * row, a minute apart. */
#define REFUSED_PATIENCE (15 * MINUTE)
/* Requests of one node for one number: with little time left it is tried again after up to
 * 20 s, a few seconds often. */
#define MINUTE_MAX 20
/* Until it is known that nothing gets through: three numbers fail that did not before, of
 * five; a deadline, twice, and the next probe. */
#define DISTINCT      5
#define ANSWERS_STILL (10 * SECOND)
#define DEAD_AFTER    (25 * SECOND)
/* Then probes come after 1, 2, 4 ... 30 s or half of that. */
#define PROBES     6
#define PROBE_EACH (15 * SECOND)
#define TURNS_MAX  100 /* a second, one after the other */

static double rate_bound(void)
{
	double steady = (double)world.count / (0.4 * (double)world.weather.ttl_s);

	if (world.max_rate)
		return 1.1 * world.max_rate + 3;
	return 1.1 * (2 * steady > 500 ? 2 * steady : 500) + 40;
}

/* A number that has failed once says nothing new of the core, nor do those that failed
 * while answers still came. */
static bool is_known(struct dead *dead, struct number *number)
{
	bool first = number->dead_asked != world.deaths;

	number->dead_asked = world.deaths;
	if (first && clock_now() - world.dead_since > ANSWERS_STILL)
		dead->asked++;
	return dead->asked >= DISTINCT;
}

static void judge_dead(struct dead *dead, struct number *number)
{
	mono_ms known;

	if (is_known(dead, number) && !dead->since)
		dead->since = clock_now();
	known = clock_now() - dead->since - DEAD_AFTER;
	if (dead->since && known > 0 && ++dead->sent > PROBES + known / PROBE_EACH)
		fail("%u requests to a core that is down", dead->sent);
}

static void judge_storm(struct node *node, struct number *number)
{
	if (clock_now() - node->second >= SECOND) {
		node->second = clock_now();
		node->in_second = 0;
	}
	if (++node->in_second > world.most_in_second)
		world.most_in_second = node->in_second;
	if (node->in_second > world.tenants * rate_bound())
		fail("a storm: %u requests in a second", node->in_second);
	if (world.dead && !number->poison) /* that one has its own back-off */
		judge_dead(&node->dead[core_of(number)], number);
}

void judge_sent(struct node *node, struct number *number, enum upsert_kind kind, terms asked)
{
	world.sent++;
	if (world.is_fleet)
		fleet_judge_sent(node, number, kind, asked);
	else if (kind == UPSERT_DELETE && daemon_wish(number))
		fail("number %td is deleted though it is wanted and all is well",
		     number - world.numbers);
	number->stray = false;
	if (kind == UPSERT)
		number->abandoned = number->open = false;
	if (kind == UPSERT && number->wanted)
		number->leaving = false;
	if (kind == UPSERT && world.comings && !number->wanted && !daemon_may_linger(number))
		fail("number %td is registered where it is not wanted", number - world.numbers);
	if (kind == UPSERT_DELETE && !world.is_fleet && daemon_lingers(number))
		fail("number %td is deleted before the other core has confirmed it",
		     number - world.numbers);
	if (kind == UPSERT_DELETE)
		number->leaving = true;
	if (kind == UPSERT && node->sick)
		fail("number %td is registered by a sick one", number - world.numbers);
	judge_storm(node, number);
	if (++node->in_flight > world.tenants * WINDOW)
		fail("%u requests in flight", node->in_flight);
	if (++number->in_flight[node - world.nodes] > 1)
		fail("%u requests of %s for number %td in flight",
		     number->in_flight[node - world.nodes], node->name, number - world.numbers);
	if (clock_now() - number->minute >= MINUTE) {
		number->minute = clock_now();
		memset(number->sent, 0, sizeof(number->sent));
	}
	if (++number->sent[node - world.nodes] > MINUTE_MAX)
		fail("number %td is hammered: %u requests of %s in a minute",
		     number - world.numbers, number->sent[node - world.nodes], node->name);
}

/* A thread that finds nothing to do and does not sleep takes a whole processor. */
void judge_turn(struct node *node, mono_ms next)
{
	if (next > clock_now())
		return;
	if (clock_now() - node->turns_second >= SECOND) {
		node->turns_second = clock_now();
		node->turns_in_second = 0;
	}
	if (++node->turns_in_second > TURNS_MAX)
		fail("%s asks for its next turn at once, %u times a second", node->name, TURNS_MAX);
}

/* ---- calm and trouble ---- */

void calm_note(struct calm *calm, bool trouble)
{
	if (trouble && !calm->trouble)
		calm->began = clock_now();
	if (!trouble && calm->trouble) {
		calm->since = clock_now();
		calm->spans[calm->count++ % SPANS] = (struct span){ calm->began, clock_now() };
	}
	calm->trouble = trouble;
}

mono_ms calm_for(const struct calm *calm)
{
	return calm->trouble ? 0 : clock_now() - calm->since;
}

void trouble_begins(void)
{
	calm_note(&world.calm, ++world.troubles > 0);
}

void trouble_ends(void)
{
	calm_note(&world.calm, --world.troubles > 0);
}

/* The longest time of calm within the two. */
mono_ms calm_longest(const struct calm *calm, mono_ms from, mono_ms to)
{
	size_t kept = calm->count < SPANS ? calm->count : SPANS;
	mono_ms end = calm->trouble && calm->began < to ? calm->began : to;
	mono_ms longest = 0;

	for (size_t i = 0; i < kept; i++) { /* backwards */
		const struct span *span = &calm->spans[(calm->count - 1 - i) % SPANS];

		if (span->to > end)
			end = span->from < end ? span->from : end;
		else {
			mono_ms start = span->to > from ? span->to : from;

			if (end - start > longest)
				longest = end - start;
			end = span->from;
		}
		if (end <= from)
			return longest;
	}
	return end - from > longest ? end - from : longest;
}

/* ---- what the core holds ---- */

/* Of who can do something for it. */
static const struct calm *calm_of(const struct number *number)
{
	if (world.is_fleet)
		return &world.all_well;
	return world.comings ? &world.cores[core_of(number)] : &world.calm;
}

/* Those of the second tenant also for as long as its core was away. */
static mono_ms excused_until(const struct number *number)
{
	mono_ms until = number->excused_until;

	return core_of(number) && world.second_excused > until ? world.second_excused : until;
}

static mono_ms lost_probes(mono_ms ttl)
{
	return world.is_fleet && calm_for(&world.lossless) < ttl / 2 ? LOST_PROBES : 0;
}

/* A shorter TTL than before, which whoever was told of it did not live to write down. */
static bool is_untold(const struct number *number)
{
	return number->untold || (world.is_fleet && number->stored_ttl_s > number->held_ttl_s);
}

/* It was to be refreshed when half of its time was left, at the latest. */
void judge_lapse(struct number *number)
{
	mono_ms at = number->held_until, ttl = (mono_ms)number->held_ttl_s * SECOND;
	mono_ms from = at - ttl / 2, calm;

	number->held = 0;
	if (world.comings && number->wanted && (number->confirmed || number->perhaps))
		reload_leave_open(number);
	number->confirmed = false;
	if (number->abandoned || (!daemon_wish(number) && !daemon_lingers(number)))
		return;
	world.lapses++;
	say("number %td lapsed", number - world.numbers);
	calm = world.is_fleet ? fleet_judge_calm(number, from, at)
			      : calm_longest(calm_of(number), from, at);
	if (excused_until(number) > at || world.unsure_until > at || number->wanted_since > from ||
	    is_untold(number) || calm < GRACE + lost_probes(ttl)) {
		world.excused++;
		return;
	}
	fail("number %td lapsed though there was a calm of %lld s", number - world.numbers,
	     (long long)(calm / SECOND));
}

/* From when on what is held should be what is wanted. */
static mono_ms calm_since(const struct number *number)
{
	const struct calm *calm = calm_of(number);
	mono_ms since = calm->trouble ? INT64_MAX : calm->since;
	mono_ms is_free = world.is_fleet ? fleet_judge_free(number) : INT64_MAX;

	return is_free < since ? is_free : since;
}

static void judge_number(struct number *number)
{
	mono_ms now = clock_now(), since = calm_since(number);

	if (number->held && number->held_until <= now)
		judge_lapse(number);
	if (number->held == daemon_wish(number) || daemon_may_linger(number) || number->abandoned ||
	    (world.is_fleet && fleet_judge_left(number))) {
		number->wrong_since = 0;
		return;
	}
	if (!number->wrong_since)
		number->wrong_since = now;
	since = number->wrong_since > since ? number->wrong_since : since;
	if (since == INT64_MAX || number->poison || excused_until(number) > now ||
	    world.unsure_until > now ||
	    now - since < (world.weather.refuse > 0 ? REFUSED_PATIENCE : PATIENCE))
		return;
	fail("number %td is wanted as %u, held as %u for %lld s", number - world.numbers,
	     daemon_wish(number), number->held, (long long)((now - since) / SECOND));
}

/* While what is held is what is wanted, nothing can be wrong until it lapses. */
static mono_ms quiet_until(const struct number *number)
{
	if (number->held != daemon_wish(number))
		return 0;
	return number->held ? number->held_until : INT64_MAX;
}

void judge_touched(const struct number *number)
{
	if (world.quiet)
		world.quiet[number - world.numbers] = 0;
}

static void judge_numbers(void)
{
	mono_ms now = clock_now();

	for (size_t i = 0; i < world.count; i++) {
		if (world.quiet && world.quiet[i] > now)
			continue;
		judge_number(&world.numbers[i]);
		if (world.quiet)
			world.quiet[i] = quiet_until(&world.numbers[i]);
	}
}

static void judge_counts(const struct node *node)
{
	struct registrar_summary summary;
	size_t total = 0;

	if (!node->keeper || node->frozen)
		return;
	keeper_summary(node->keeper, &summary);
	for (int i = 0; i < REG_STATE_COUNT; i++)
		total += summary.by_state[i];
	if (total > world.count)
		fail("%zu registrations are counted, of %zu numbers", total, world.count);
}

void judge_check(void)
{
	world.checks++;
	if (world.comings)
		reload_judge();
	judge_numbers();
	if (world.is_fleet)
		fleet_judge_check();
	for (unsigned i = 0; i < world.node_count; i++)
		judge_counts(&world.nodes[i]);
}
