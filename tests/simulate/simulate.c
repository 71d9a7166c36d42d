/* SPDX-License-Identifier: Apache-2.0 */
/* simulate - the keeper against thousands of made-up worlds.
 *
 *   simulate [--seeds N] [--from SEED] [FILE...]  seeds in a row, and those in files
 *   simulate --seed N [--verbose]                 one of them, told as it goes
 *   simulate --fleet ...                          the same for two or three nodes
 *   simulate --tenants ...                        the same for two tenants' cores
 *   simulate --reloads ...                        the same with tenants that come, change and
 *                                                 go
 *   simulate --fleet-reloads ...                  the same for both
 *   simulate --orders ...                         the same with numbers that come and go by
 *                                                 orders, many of which a kill -9 follows
 *   simulate [...] --twice --seeds N              whether a seed is the same run each time
 *   simulate --week [--numbers N]                 a week with an outage a day
 *
 * Exit status 1: a promise was broken; the seeds are printed. See world.h.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"
#include "tests/simulate/world.h"

#define START       (1000 * HOUR)
#define MEMORY_KEPT (512 * 1024) /* by malloc(3) itself, of what was freed */
#define CHECK_MS    (mono_ms)(world.count > 5000 ? 60 * SECOND : 10 * SECOND)

static void on_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)area, (void)arg;
	world.strangers_said += strstr(line, "registrations of tenants that are not") != NULL;
	say("%s: %s", log_level_name(level), line);
}

static void begin(uint64_t seed, size_t count, uint32_t ttl_s, mono_ms length, FILE *timeline)
{
	memset(&world, 0, sizeof(world));
	clock_fake_set(START);
	clock_fake_wall_set(WALL_START);
	world.seed = seed;
	world.random = seed * 0x2545f4914f6cdd1d;
	world.timeline = timeline;
	world.count = count;
	world.numbers = calloc(count, sizeof(*world.numbers));
	if (!world.numbers)
		abort();
	world.version = world.node_count = 1;
	world_cores(1, 1);
	world.nodes[0].boot = 1;
	world.token_valid_from = 1;
	world.calm.since = START;
	world.calms = START + length;
	fault_fair(ttl_s);
	for (size_t i = 0; i < count; i++)
		daemon_want(&world.numbers[i], 8 + ROUTE_TYPE_LOOP_MO);
	world_event(CHECK_MS, EVENT_CHECK, 0);
}

static void end(void)
{
	for (unsigned i = 0; i < world.node_count; i++)
		if (world.nodes[i].keeper)
			daemon_end(&world.nodes[i]);
	for (unsigned i = 0; i < world.node_count; i++) {
		fiber_destroy(&world.nodes[i].registrar.fiber);
		fiber_destroy(&world.nodes[i].beater.fiber);
		free(world.nodes[i].wanted);
	}
	store_done();
	link_done();
	free(world.numbers);
	free(world.kept);
	free(world.free);
	free(world.quiet);
	world_forget();
	free(world.requests);
}

static void restart(struct node *node)
{
	if (!world.is_fleet && chance() < 0.3)
		clock_fake_wall_set(clock_wall() + between(-HOUR, HOUR));
	daemon_start(node);
	trouble_ends();
}

static void handle(const struct event *event)
{
	struct node *listener = NULL;

	/* What is for a process that sleeps waits until it wakes up. */
	if (event->kind == EVENT_ANSWER)
		listener = world.requests[event->index].node;
	else if (event->kind == EVENT_TOKEN)
		listener = node_at(event->index);
	else if (event->kind == EVENT_TOLD)
		listener = wires_teller(event->index);
	if (listener && clock_now() < daemon_deaf_until(listener)) {
		world_event(daemon_deaf_until(listener) - clock_now(), event->kind, event->index);
		return;
	}
	if (listener &&
	    (!world.sleeps || event->kind != EVENT_ANSWER || core_is_awaited(event->index)))
		listener->registrar.wake = clock_now();
	switch (event->kind) {
	case EVENT_ARRIVE:
		core_arrive(event->index);
		break;
	case EVENT_ANSWER:
		core_answer(event->index);
		break;
	case EVENT_TOKEN:
		daemon_token(node_at(event->index));
		break;
	case EVENT_FAULT:
		world.is_fleet ? fleet_fault_draw() : fault_draw();
		break;
	case EVENT_END:
		world.is_fleet ? fleet_fault_end(event->index) : fault_end(event->index);
		break;
	case EVENT_RESTART:
		restart(node_at(event->index));
		break;
	case EVENT_HEALTH:
		daemon_health(node_at(event->index));
		break;
	case EVENT_CHECK:
		judge_check();
		store_checkpoint();
		world_event(CHECK_MS, EVENT_CHECK, 0);
		break;
	case EVENT_AWAY:
		fault_away(event->index);
		break;
	case EVENT_PLAN:
		if (world.is_fleet) {
			fleet_fault_configure();
			break;
		}
		reload_draw(false);
		if (clock_now() < world.calms)
			world_event(between(0, chance() < 0.3 ? 5 * SECOND : 4 * world.fault_every),
				    EVENT_PLAN, 0);
		break;
	case EVENT_DIAL:
		wires_dial(event->index);
		break;
	case EVENT_FETCH:
		wires_fetch(event->index);
		break;
	case EVENT_TOLD:
		wires_told(event->index);
		break;
	case EVENT_REVOKE:
		reload_revoke(event->index);
		break;
	case EVENT_RELOAD:
		if (world.comings)
			reload_read(node_at(event->index));
		else
			member_reload(node_at(event->index));
		break;
	case EVENT_STOP:
		member_stop(node_at(event->index));
		break;
	case EVENT_BESIDE:
		fleet_fault_beside(event->index);
		break;
	case EVENT_FORGET:
		fleet_fault_forget(node_at(event->index));
		break;
	case EVENT_LATE:
		link_late(event->index);
		break;
	}
}

static mono_ms run_nodes(void)
{
	mono_ms next = INT64_MAX;

	for (unsigned i = 0; i < world.node_count; i++) {
		mono_ms turn = daemon_run(&world.nodes[i]);

		next = turn < next ? turn : next;
	}
	return next;
}

static void run(void)
{
	mono_ms next;

	while (clock_now() < world.ends && !world.failure[0]) {
		next = run_nodes();
		if (world_due() < next)
			next = world_due();
		clock_fake_advance(next - clock_now());
		while (world_due() <= clock_now()) {
			struct event event = world_next();

			handle(&event);
		}
	}
}

/* AddressSanitizer (make check-asan) says where it is from, and counts it itself. */
static size_t memory_used(void)
{
	return mallinfo2().uordblks;
}

static void judge_gauge(const struct metric *metric, void *arg)
{
	(void)arg;
	if (!strcmp(metric->name, "breakout_registrations") && metric_get(metric))
		fail("%s{%s} is left at %lld", metric->name, metric->labels,
		     (long long)metric_get(metric));
}

/* One node with a disk. */
static void run_alone(uint64_t seed, FILE *timeline)
{
	static const uint32_t ttls[] = { 600, 600, 1200, 3600 };
	uint64_t draw = seed;
	size_t count = (size_t)(1 + 120 * reg_random(&draw));
	uint32_t ttl_s = ttls[(size_t)(4 * reg_random(&draw))];

	if (reg_random(&draw) < 0.02)
		count = 1500;
	begin(seed, count, ttl_s, 8 * ttl_s * SECOND, timeline);
	daemon_start(&world.nodes[0]);
	world.fault_every = (mono_ms)((0.1 + reg_random(&draw)) * ttl_s * SECOND);
	world.ends = world.calms + 4 * HOUR; /* of calm, for all to come right */
	world_event(between(0, world.fault_every), EVENT_FAULT, 0);
	/* Those of seeds.txt are left as they were. */
	if (seed % 10 == 0 || seed % 10 == 7 || seed % 10 == 8)
		world_event(between(0, 4 * world.fault_every), EVENT_HEALTH, 0);
	run();
	end();
}

/* One node with a disk, which is given orders more often than anything else happens. */
static void run_orders(uint64_t seed, FILE *timeline)
{
	uint64_t draw = seed;
	size_t count = (size_t)(1 + 60 * reg_random(&draw));
	uint32_t ttl_s = reg_random(&draw) < 0.7 ? 600 : 1200;

	begin(seed, count, ttl_s, 6 * ttl_s * SECOND, timeline);
	world.orders = true;
	daemon_start(&world.nodes[0]);
	world.fault_every = (mono_ms)((0.02 + 0.2 * reg_random(&draw)) * ttl_s * SECOND);
	world.ends = world.calms + 4 * HOUR;
	world_event(between(0, world.fault_every), EVENT_FAULT, 0);
	run();
	end();
}

/* One node with a disk, and two cores. */
static void run_tenants(uint64_t seed, FILE *timeline)
{
	uint64_t draw = seed;
	size_t count = (size_t)(1 + 60 * reg_random(&draw));
	uint32_t ttl_s = reg_random(&draw) < 0.7 ? 600 : 1200;

	begin(seed, 2 * count, ttl_s, 8 * ttl_s * SECOND, timeline);
	world_cores(2, 1);
	for (size_t i = 0; i < world.count; i++) /* each at one of them */
		if (i / count != i % count % 2)
			daemon_want(&world.numbers[i], 0);
	daemon_start(&world.nodes[0]);
	world.fault_every = (mono_ms)((0.1 + reg_random(&draw)) * ttl_s * SECOND);
	world.ends = world.calms + 4 * ttl_s * SECOND + 3 * HOUR;
	world_event(between(0, world.fault_every), EVENT_FAULT, 0);
	world_event(between(0, 2 * ttl_s * SECOND), EVENT_AWAY, 0);
	if (seed % 4 == 0)
		world_event(between(0, 4 * world.fault_every), EVENT_HEALTH, 0);
	run();
	end();
}

/* One node with a disk, whose tenants come and go. */
static void run_reloads(uint64_t seed, FILE *timeline)
{
	uint64_t draw = seed;
	size_t count = (size_t)(1 + 40 * reg_random(&draw));
	uint32_t ttl_s = reg_random(&draw) < 0.7 ? 600 : 1200;

	begin(seed, CORES * count, ttl_s, 8 * ttl_s * SECOND, timeline);
	for (size_t i = 0; i < world.count; i++)
		world.numbers[i] = (struct number){ 0 };
	reload_begin();
	daemon_start(&world.nodes[0]);
	world.fault_every = (mono_ms)((0.05 + 0.5 * reg_random(&draw)) * ttl_s * SECOND);
	world.ends = world.calms + 4 * ttl_s * SECOND + 4 * HOUR;
	world_event(between(0, world.fault_every), EVENT_FAULT, 0);
	world_event(between(0, ttl_s * SECOND), EVENT_PLAN, 0);
	world_event(between(0, 2 * ttl_s * SECOND), EVENT_AWAY, 0);
	if (seed % 4 == 0)
		world_event(between(0, 4 * world.fault_every), EVENT_HEALTH, 0);
	run();
	reload_judge_end();
	end();
}

static void start_fleet(void)
{
	static const char *const names[NODES] = { "A", "B", "C" };

	world.kept = calloc(world.count, sizeof(*world.kept));
	world.free = calloc(world.count, sizeof(*world.free));
	if (!world.kept || !world.free)
		abort();
	database_begin();
	fleet_fault_begin();
	world.store_version = 1;
	for (unsigned i = 0; i < world.node_count; i++) {
		struct node *node = &world.nodes[i];

		strcpy(node->name, names[i]);
		node->boot = 1;
		node->well.since = START;
		node->wanted = calloc(world.count, sizeof(*node->wanted));
		if (!node->wanted)
			abort();
		member_reload(node);
	}
	for (unsigned i = 0; i < world.node_count; i++)
		daemon_start(&world.nodes[i]);
}

/* Two or three nodes; draws what they are. */
static void make_fleet(uint64_t *draw, uint32_t ttl_s)
{
	double shift;

	world.is_fleet = true;
	world.node_count = reg_random(draw) < 0.5 ? 2 : 3;
	if (reg_random(draw) < 0.3)
		world.max_rate = 2 + (unsigned)(10 * reg_random(draw));
	world.lease_ms = 4000 + (mono_ms)(16000 * reg_random(draw));
	shift = reg_random(draw); /* short ones pass within a fault more often */
	world.alone_ms = (mono_ms)((0.1 + 2.0 * shift * shift) * ttl_s) * SECOND;
	world.fault_every = (mono_ms)((0.02 + 0.3 * reg_random(draw)) * ttl_s * SECOND);
	world.ends = world.calms + 2 * ttl_s * SECOND + HOUR / 3;
}

/* With a database. */
static void run_fleet(uint64_t seed, FILE *timeline)
{
	uint64_t draw = seed;
	size_t count = (size_t)(1 + 60 * reg_random(&draw));
	uint32_t ttl_s = reg_random(&draw) < 0.7 ? 600 : 1200;

	begin(seed, count, ttl_s, 4 * ttl_s * SECOND, timeline);
	make_fleet(&draw, ttl_s);
	start_fleet();
	world_event(MINUTE + between(0, world.fault_every), EVENT_FAULT, 0);
	run();
	end();
}

/* The same, and tenants come and go. */
static void run_fleet_reloads(uint64_t seed, FILE *timeline)
{
	uint64_t draw = seed;
	size_t count = (size_t)(1 + 30 * reg_random(&draw));
	uint32_t ttl_s = reg_random(&draw) < 0.7 ? 600 : 1200;

	begin(seed, TENANTS * count, ttl_s, 5 * ttl_s * SECOND, timeline);
	for (size_t i = 0; i < world.count; i++)
		world.numbers[i] = (struct number){ 0 };
	make_fleet(&draw, ttl_s);
	fleet_reload_begin();
	start_fleet();
	world_event(MINUTE + between(0, world.fault_every), EVENT_FAULT, 0);
	world_event(MINUTE + between(0, ttl_s * SECOND), EVENT_PLAN, 0);
	world_event(between(0, 2 * ttl_s * SECOND), EVENT_AWAY, 0);
	run();
	fleet_reload_judge_end();
	end();
}

static const struct sort {
	const char *option, *what;
	void (*run)(uint64_t seed, FILE *timeline);
} alone = { "", "", run_alone }, fleet = { "--fleet ", " of a fleet", run_fleet },
  tenants = { "--tenants ", " of two tenants", run_tenants },
  reloads = { "--reloads ", " of tenants that come and go", run_reloads },
  fleet_reloads = { "--fleet-reloads ", " of a fleet whose tenants come and go",
		    run_fleet_reloads },
  orders = { "--orders ", " with orders", run_orders };

static bool run_seed(uint64_t seed, const struct sort *sort, FILE *timeline)
{
	sort->run(seed, timeline);
	metrics_each(judge_gauge, NULL);
	if (world.failure[0])
		printf("seed %llu: %s (simulate %s--seed %llu --verbose)\n",
		       (unsigned long long)seed, world.failure, sort->option,
		       (unsigned long long)seed);
	return !world.failure[0];
}

/* Word for word the same. */
static bool run_twice(uint64_t seed, const struct sort *sort)
{
	char *texts[2];
	size_t lengths[2];
	bool same;

	for (int i = 0; i < 2; i++) {
		FILE *timeline = open_memstream(&texts[i], &lengths[i]);

		if (!timeline)
			abort();
		(void)run_seed(seed, sort, timeline);
		fclose(timeline);
	}
	same = lengths[0] == lengths[1] && !memcmp(texts[0], texts[1], lengths[0]);
	printf("seed %llu: %zu bytes of a story, %s\n", (unsigned long long)seed, lengths[0],
	       same ? "twice the same" : "told in two ways");
	free(texts[0]);
	free(texts[1]);
	return same && lengths[0];
}

struct tally {
	const struct sort *sort;
	unsigned long runs, broken;
	unsigned long long sent, lapses;
};

static void count_seed(struct tally *tally, uint64_t seed)
{
	tally->runs++;
	tally->broken += !run_seed(seed, tally->sort, NULL);
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
	world.sleeps = true; /* elsewhere each event is a chance to turn */
	world.quiet = calloc(count, sizeof(*world.quiet));
	if (!world.quiet)
		abort();
	daemon_start(&world.nodes[0]);
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

static int run_seeds(const struct sort *sort, uint64_t from, unsigned long seeds, char **files)
{
	struct tally tally = { .sort = sort };
	size_t before = memory_used(), after;

	for (; *files; files++)
		if (!run_file(&tally, *files))
			return EXIT_FAILURE;
	for (unsigned long i = 0; i < seeds; i++)
		count_seed(&tally, from + i);
	after = memory_used();
	if (after > before + MEMORY_KEPT) {
		printf("%zu bytes are not freed\n", after - before);
		tally.broken++;
	}
	printf("%lu runs%s, %lu broken, %llu requests, %llu lapses that could not be helped\n",
	       tally.runs, sort->what, tally.broken, tally.sent, tally.lapses);
	return tally.broken ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seeds", required_argument, NULL, 'n' },
						 { "from", required_argument, NULL, 'f' },
						 { "seed", required_argument, NULL, 's' },
						 { "numbers", required_argument, NULL, 'c' },
						 { "fleet", no_argument, NULL, 'l' },
						 { "tenants", no_argument, NULL, 't' },
						 { "reloads", no_argument, NULL, 'r' },
						 { "fleet-reloads", no_argument, NULL, 'x' },
						 { "orders", no_argument, NULL, 'o' },
						 { "week", no_argument, NULL, 'w' },
						 { "twice", no_argument, NULL, '2' },
						 { "verbose", no_argument, NULL, 'v' },
						 { NULL, 0, NULL, 0 } };
	unsigned long seeds = 0, count = 100000;
	unsigned long long from = 1, seed = 0;
	bool verbose = false, week = false, twice = false, same = true;
	const struct sort *sort = &alone;
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
		case 'l':
			sort = &fleet;
			break;
		case 't':
			sort = &tenants;
			break;
		case 'r':
			sort = &reloads;
			break;
		case 'x':
			sort = &fleet_reloads;
			break;
		case 'o':
			sort = &orders;
			break;
		case '2':
			twice = true;
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
	if (twice) {
		for (unsigned long i = 0; i < seeds; i++)
			same &= run_twice(from + i, sort);
		return same ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (seed)
		return run_seed(seed, sort, verbose ? stdout : NULL) ? EXIT_SUCCESS : EXIT_FAILURE;
	return run_seeds(sort, from, seeds, argv + optind);
}
