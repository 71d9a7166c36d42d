/* SPDX-License-Identifier: Apache-2.0 */
/* simulate - the keeper against thousands of made-up worlds.
 *
 *   simulate [--seeds N] [--from SEED] [FILE...]  seeds in a row, and those in files
 *   simulate --seed N [--verbose]                 one of them, told as it goes
 *   simulate --week [--numbers N]                 a week with an outage a day
 *
 * Exit status 1: a promise was broken; the seeds are printed. See world.h.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"
#include "tests/simulate/world.h"

#define START    (1000 * HOUR)
#define WALL     1800000000000
#define CHECK_MS (mono_ms)(world.count > 5000 ? 60 * SECOND : 10 * SECOND)

static void on_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)area, (void)arg;
	say("%s: %s", log_level_name(level), line);
}

static void begin(uint64_t seed, size_t count, uint32_t ttl_s, mono_ms length, FILE *timeline)
{
	memset(&world, 0, sizeof(world));
	clock_fake_set(START);
	clock_fake_wall_set(WALL);
	world.seed = seed;
	world.random = seed * 0x2545f4914f6cdd1d;
	world.timeline = timeline;
	world.count = count;
	world.numbers = calloc(count, sizeof(*world.numbers));
	world.spans = calloc(1024, sizeof(*world.spans));
	if (!world.numbers || !world.spans)
		abort();
	world.version = world.boot = 1;
	world.kill_after = -1;
	world.token_valid_from = 1;
	world.calm_since = START;
	world.calms = START + length;
	fault_fair(ttl_s);
	for (size_t i = 0; i < count; i++)
		daemon_want(&world.numbers[i], 8 + ROUTE_TYPE_LOOP_MO);
	world_event(CHECK_MS, EVENT_CHECK, 0);
	daemon_start();
}

static void end(void)
{
	if (world.keeper) {
		keeper_deafen(world.keeper);
		world.frozen = true;
		core_drop_daemon();
		keeper_destroy(world.keeper);
	}
	store_done();
	free(world.numbers);
	free(world.spans);
	free(world.events);
	free(world.requests);
}

static void restart(void)
{
	if (chance() < 0.3)
		clock_fake_wall_set(clock_wall() + between(-HOUR, HOUR));
	daemon_start();
	trouble_ends();
}

static void handle(const struct event *event)
{
	/* What is for a process that sleeps waits until it wakes up. */
	if ((event->kind == EVENT_ANSWER || event->kind == EVENT_TOKEN) &&
	    clock_now() < world.suspended_until) {
		world_event(world.suspended_until - clock_now(), event->kind, event->index);
		return;
	}
	switch (event->kind) {
	case EVENT_ARRIVE:
		core_arrive(event->index);
		break;
	case EVENT_ANSWER:
		core_answer(event->index);
		break;
	case EVENT_TOKEN:
		daemon_token();
		break;
	case EVENT_FAULT:
		fault_draw();
		break;
	case EVENT_END:
		fault_end(event->index);
		break;
	case EVENT_RESTART:
		restart();
		break;
	case EVENT_HEALTH:
		daemon_health();
		break;
	case EVENT_CHECK:
		judge_check();
		store_checkpoint();
		world_event(CHECK_MS, EVENT_CHECK, 0);
		break;
	}
}

/* The daemon's turn. Returns when it wants the next one. */
static mono_ms run_daemon(void)
{
	mono_ms next;

	if (!world.keeper)
		return INT64_MAX;
	if (clock_now() < world.suspended_until)
		return world.suspended_until;
	keeper_run(world.keeper, clock_now());
	if (world.frozen) {
		daemon_kill(fault_down_time());
		return INT64_MAX;
	}
	next = keeper_next(world.keeper, clock_now());
	return next > clock_now() ? next : clock_now() + 1;
}

static void run(void)
{
	mono_ms next;

	while (clock_now() < world.ends && !world.failure[0]) {
		next = run_daemon();
		if (world.events[0].at < next)
			next = world.events[0].at;
		clock_fake_advance(next - clock_now());
		while (world.events[0].at <= clock_now()) {
			struct event event = world_next();

			handle(&event);
		}
	}
}

/* Memory is AddressSanitizer's to judge (make check-asan). */
static void judge_gauge(const struct metric *metric, void *arg)
{
	(void)arg;
	if (!strcmp(metric->name, "breakout_registrations") && metric_get(metric))
		fail("%s{%s} is left at %lld", metric->name, metric->labels,
		     (long long)metric_get(metric));
}

static bool run_seed(uint64_t seed, FILE *timeline)
{
	static const uint32_t ttls[] = { 600, 600, 1200, 3600 };
	uint64_t draw = seed;
	size_t count = (size_t)(1 + 120 * reg_random(&draw));
	uint32_t ttl_s = ttls[(size_t)(4 * reg_random(&draw))];

	if (reg_random(&draw) < 0.02)
		count = 1500;
	begin(seed, count, ttl_s, 8 * ttl_s * SECOND, timeline);
	world.fault_every = (mono_ms)((0.1 + reg_random(&draw)) * ttl_s * SECOND);
	world.ends = world.calms + 4 * HOUR; /* of calm, for all to come right */
	world_event(between(0, world.fault_every), EVENT_FAULT, 0);
	/* Those of seeds.txt are left as they were. */
	if (seed % 10 == 0 || seed % 10 == 7 || seed % 10 == 8)
		world_event(between(0, 4 * world.fault_every), EVENT_HEALTH, 0);
	run();
	end();
	metrics_each(judge_gauge, NULL);
	if (world.failure[0])
		printf("seed %llu: %s (simulate --seed %llu --verbose)\n", (unsigned long long)seed,
		       world.failure, (unsigned long long)seed);
	return !world.failure[0];
}

struct tally {
	unsigned long runs, broken;
	unsigned long long sent, lapses;
};

static void count_seed(struct tally *tally, uint64_t seed)
{
	tally->runs++;
	tally->broken += !run_seed(seed, NULL);
	tally->sent += world.sent;
	tally->lapses += world.lapses;
}

/* Seeds that broke a promise once, one a line; # begins a remark. */
static bool run_file(struct tally *tally, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[256], *end;

	if (!file) {
		perror(path);
		return false;
	}
	while (fgets(line, sizeof(line), file)) {
		unsigned long long seed = strtoull(line, &end, 10);

		if (end != line)
			count_seed(tally, seed);
	}
	fclose(file);
	return true;
}

/* A core that is away for 25 minutes each day. */
static int run_week(size_t count)
{
	begin(1, count, 3600, 0, NULL);
	world.ends = START + 7 * 24 * HOUR;
	for (int day = 0; day < 7 && !world.failure[0]; day++) {
		mono_ms until = world.ends;

		world.ends = START + (day * 24 + 12) * HOUR;
		run();
		trouble_begins();
		world.weather.refuse = 1;
		world.ends += 25 * MINUTE;
		run();
		fault_fair(3600);
		trouble_ends();
		world.ends = until;
	}
	run();
	printf("a week of %zu registrations, 25 minutes without the core each day: %llu requests, "
	       "at most %u in a second, %llu lapses%s%s\n",
	       count, world.sent, world.most_in_second, world.lapses, world.failure[0] ? "; " : "",
	       world.failure);
	end();
	return world.failure[0] || world.lapses ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_seeds(uint64_t from, unsigned long seeds, char **files)
{
	struct tally tally = { 0 };

	for (; *files; files++)
		if (!run_file(&tally, *files))
			return EXIT_FAILURE;
	for (unsigned long i = 0; i < seeds; i++)
		count_seed(&tally, from + i);
	printf("%lu runs, %lu broken, %llu requests, %llu lapses that could not be helped\n",
	       tally.runs, tally.broken, tally.sent, tally.lapses);
	return tally.broken ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seeds", required_argument, NULL, 'n' },
						 { "from", required_argument, NULL, 'f' },
						 { "seed", required_argument, NULL, 's' },
						 { "numbers", required_argument, NULL, 'c' },
						 { "week", no_argument, NULL, 'w' },
						 { "verbose", no_argument, NULL, 'v' },
						 { NULL, 0, NULL, 0 } };
	unsigned long seeds = 0, count = 100000;
	unsigned long long from = 1, seed = 0;
	bool verbose = false, week = false;
	int option;

	while ((option = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		switch (option) {
		case 'n':
			seeds = strtoul(optarg, NULL, 10);
			break;
		case 'f':
			from = strtoull(optarg, NULL, 10);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 10);
			break;
		case 'c':
			count = strtoul(optarg, NULL, 10);
			break;
		case 'w':
			week = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return 2;
		}
	}
	log_set_sink(on_log, NULL);
	if (week)
		return run_week(count);
	if (seed)
		return run_seed(seed, verbose ? stdout : NULL) ? EXIT_SUCCESS : EXIT_FAILURE;
	return run_seeds(from, seeds, argv + optind);
}
