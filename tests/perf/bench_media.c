/* SPDX-License-Identifier: Apache-2.0 */
/* make bench-media: what a relayed packet costs us, rtpengine in user space, and the
 * floor (batched UDP and the cipher, nothing else): the same paced load in one run, each
 * relay alone on processor 0, the load on processor 1. They take turns for some rounds;
 * a row is the median of those that lost next to nothing. Then calls are added until
 * packets are lost. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "media_subject.h"

#define WARM_MS      600
#define CALL_PACKETS 100  /* relayed packets a second of a call */
#define CALLS_MAX    4500 /* of the four ports each that there are */
#define ROUNDS_MAX   9
#define LOSS_MAX     0.001 /* of a run that counts */
#define LATE_MAX_US  20000 /* behind by a packet's time: the load is not paced any more */
#define DELAY_MAX_US 20000 /* of 99 %: beyond it a queue grows that loses nothing yet */
#define LIMIT_FROM   0.7   /* of what the cost of a packet allows: the search begins here */
#define LIMIT_STEP   1.07
#define LIMIT_LEAST  50
#define TRANSCODED   8 /* of so many calls one, where codecs are at work */

static unsigned calls, rounds;
static mono_ms measure_ms;

static const char *const names[] = {
	[SUBJECT_DIRECT] = "none",         [SUBJECT_FLOOR] = "floor",
	[SUBJECT_BREAKOUT] = "breakout",   [SUBJECT_SHARED] = "one port",
	[SUBJECT_RTPENGINE] = "rtpengine",
};

struct way {
	const char *name;
	struct load_side sides[2];
	bool transcodes; /* on so many calls fewer, and who speaks to whom has no delay */
};

struct result {
	double ns, lost, busy; /* CPU time of a packet; shares of the packets, of the processor */
	size_t memory;         /* bytes a call */
	unsigned p50, p99, p999, late_us;
};

static bool is_clean(const struct result *result)
{
	return result->lost <= LOSS_MAX;
}

static void pin_load(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	must(sched_setaffinity(0, sizeof(set), &set) == 0, "two processors are needed");
}

static void allow_files(void)
{
	struct rlimit limit;

	must(getrlimit(RLIMIT_NOFILE, &limit) == 0, "limit of files");
	limit.rlim_cur = limit.rlim_max;
	must(setrlimit(RLIMIT_NOFILE, &limit) == 0, "limit of files");
}

static void read_load(const struct load *load, uint64_t cpu, struct result *ret)
{
	ret->ns = (double)cpu / (double)load->received;
	ret->lost = 1 - (double)load->received / (double)load->sent;
	ret->busy = (double)cpu / (double)measure_ms / 1e6;
	ret->p50 = load_delay(load, 0.5);
	ret->p99 = load_delay(load, 0.99);
	ret->p999 = load_delay(load, 0.999);
	ret->late_us = load->late_us;
}

/* False: the subject is not installed. */
static bool measure(enum subject_kind kind, unsigned count, const struct way *way,
		    struct result *ret)
{
	struct subject subject;
	struct load load;
	uint64_t cpu;
	bool there;

	load_open(&load, count, way->sides);
	there = subject_start(&subject, kind, &load, 0);
	if (there) {
		load_run(&load, 10); /* the floor has no set-up: its first packets are lost */
		ret->memory = subject_memory(&subject);
		subject_connect(&subject, &load);
		load_run(&load, WARM_MS);
		ret->memory = (subject_memory(&subject) - ret->memory) / count;
		load_forget(&load);
		cpu = subject_cpu_ns(&subject);
		load_run(&load, measure_ms);
		cpu = subject_cpu_ns(&subject) - cpu;
		if (load.received == 0 || load.damaged > 0)
			(void)fprintf(stderr, "%s: %lu sent, %lu arrived, %lu damaged\n",
				      names[kind], load.sent, load.received, load.damaged);
		must(load.received > 0 && load.damaged == 0, "not a measurement");
		read_load(&load, cpu, ret);
		subject_stop(&subject);
	}
	load_close(&load);
	return there;
}

/* Runs that lost packets come last: their cost is shared by too few. */
static int by_cost(const void *one, const void *other)
{
	const struct result *a = one, *b = other;

	if (is_clean(a) != is_clean(b))
		return is_clean(a) ? -1 : 1;
	return (a->ns > b->ns) - (a->ns < b->ns);
}

/* The median of the clean runs, or of all if none is; they are sorted by then. */
static const struct result *median(struct result *results, unsigned *ret_clean)
{
	unsigned clean = 0;

	qsort(results, rounds, sizeof(results[0]), by_cost);
	while (clean < rounds && is_clean(&results[clean]))
		clean++;
	*ret_clean = clean;
	return &results[((clean > 0 ? clean : rounds) - 1) / 2];
}

/* What the relay added to a delay that is there without one. */
static unsigned added(unsigned with, unsigned without)
{
	return with > without ? with - without : 0;
}

static void print_row(const struct way *way, const char *name, unsigned count,
		      const struct result *result, unsigned clean, double ours,
		      const struct result *direct)
{
	(void)printf("| %-9s | %-9s | %5u | %6.2f | %5.2f | %u/%u | %5.2f %% | %5zu | ", way->name,
		     name, count, result->ns / 1000, result->ns / ours, clean, rounds,
		     result->lost * 100, result->memory / 1024);
	if (way->transcodes)
		(void)printf("    - /      - /      - | %6u |\n", result->late_us);
	else
		(void)printf("%5u / %6u / %6u | %6u |\n", added(result->p50, direct->p50),
			     added(result->p99, direct->p99), added(result->p999, direct->p999),
			     result->late_us);
	(void)fflush(stdout);
}

/* The relays take turns, so that what disturbs the machine disturbs them alike.
 * Leaves what a packet cost each of them, 0 for who is not installed. */
static void compare(const struct way *way, double ret_ns[static SUBJECT_COUNT])
{
	const struct way clear = { .name = "none" }; /* no relay to change keys or codecs */
	unsigned count = way->transcodes ? (calls + TRANSCODED - 1) / TRANSCODED : calls;
	struct result results[SUBJECT_COUNT][ROUNDS_MAX] = { 0 };
	const struct result *middle[SUBJECT_COUNT];
	unsigned clean[SUBJECT_COUNT];
	bool there[SUBJECT_COUNT] = { false };

	for (unsigned round = 0; round < rounds; round++)
		for (unsigned kind = 0; kind < SUBJECT_COUNT; kind++)
			there[kind] = measure((enum subject_kind)kind, count,
					      kind == SUBJECT_DIRECT ? &clear : way,
					      &results[kind][round]);
	for (unsigned kind = 0; kind < SUBJECT_COUNT; kind++) {
		middle[kind] = median(results[kind], &clean[kind]);
		ret_ns[kind] = there[kind] ? middle[kind]->ns : 0;
	}
	for (unsigned kind = SUBJECT_FLOOR; kind < SUBJECT_COUNT; kind++)
		if (there[kind])
			print_row(way, names[kind], count, middle[kind], clean[kind],
				  middle[SUBJECT_BREAKOUT]->ns, middle[SUBJECT_DIRECT]);
		else
			(void)printf("| %s: %s is not installed |\n", way->name, names[kind]);
}

/* Why the load was too much; NULL: it was not. */
static const char *trouble(const struct result *result)
{
	if (!is_clean(result))
		return "packets were lost";
	if (result->late_us > LATE_MAX_US)
		return "the load was late";
	return result->p99 > DELAY_MAX_US ? "packets waited" : NULL;
}

/* Whether so many calls lose no packets, keep them waiting for less than the next and leave
 * the load in time; ret: the latter of two tries, as what disturbs the machine seldom comes
 * twice. */
static bool holds(enum subject_kind kind, unsigned count, const struct way *way, struct result *ret)
{
	for (unsigned tries = 0; tries < 2; tries++) {
		must(measure(kind, count, way, ret), "the relay does not start again");
		if (!trouble(ret))
			return true;
	}
	return false;
}

/* More and more calls until it does not hold; what is printed are the last before. */
static void find_limit(enum subject_kind kind, const struct way *way, double ns)
{
	unsigned count = (unsigned)(LIMIT_FROM * 1e9 / ns / CALL_PACKETS), best_count = 0;
	struct result result = { 0 }, best = { 0 };
	const char *why;

	count = count < CALLS_MAX ? count : CALLS_MAX;
	while (count > LIMIT_LEAST && !holds(kind, count, way, &result))
		count /= 2;
	for (; count <= CALLS_MAX; count = (unsigned)(count * LIMIT_STEP)) {
		if (best_count > 0 && !holds(kind, count, way, &result))
			break;
		best = result;
		best_count = count;
	}
	why = trouble(&result);
	(void)printf("| %-9s | %5u | %3.0f %% | %5u / %6u / %6u | %4u: %s (%.2f %% lost, "
		     "p99 %u us, load late by %u us) |\n",
		     names[kind], best_count, best.busy * 100, best.p50, best.p99, best.p999, count,
		     why ? why : "nobody looked", result.lost * 100, result.p99, result.late_us);
	(void)fflush(stdout);
}

static void find_limits(const struct way *way, const double ns[static SUBJECT_COUNT])
{
	(void)printf("\ncalls observed on one processor, %s, with at most %.1f %% lost:\n"
		     "| relay     | calls | busy  | delay us p50 / p99 / p99.9 | ended by |\n"
		     "|---|---|---|---|---|\n",
		     way->name, LOSS_MAX * 100);
	for (unsigned kind = SUBJECT_BREAKOUT; kind < SUBJECT_COUNT; kind++)
		if (ns[kind] > 0)
			find_limit((enum subject_kind)kind, way, ns[kind]);
}

static unsigned argument(int argc, char **argv, int index, unsigned otherwise)
{
	return argc > index ? (unsigned)strtoul(argv[index], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	static const struct load_side rtp = { .secure = false }, srtp = { .secure = true },
				      pcma = { .voice = VOICE_PCMA },
				      opus = { .secure = true, .voice = VOICE_OPUS };
	const struct way ways[] = {
		{ "Opus-PCMA", { opus, pcma }, .transcodes = true }, /* SRTP-RTP */
		{ "RTP-RTP", { rtp, rtp }, false },
		{ "SRTP-SRTP", { srtp, srtp }, false },
		{ "SRTP-RTP", { srtp, rtp }, false },
	};
	double ns[SUBJECT_COUNT];
	const char *why = "";

	calls = argument(argc, argv, 1, 400);
	measure_ms = (mono_ms)argument(argc, argv, 2, 2) * 1000;
	rounds = argument(argc, argv, 3, 2);
	errno = EINVAL;
	must(calls > 0 && calls <= CALLS_MAX && measure_ms > 0 && rounds > 0 &&
		     rounds <= ROUNDS_MAX,
	     "usage: bench_media [CALLS [SECONDS [ROUNDS]]]");
	allow_files();
	must(srtp_start(&why) == 0, why);
	pin_load();
	(void)printf("| way       | relay     | calls | us     | ratio | clean | lost | "
		     "KiB/call | added us p50 / p99 / p99.9 | load late us |\n"
		     "|---|---|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		compare(&ways[i], ns);
	find_limits(&ways[sizeof(ways) / sizeof(ways[0]) - 1], ns);
	return 0;
}
