/* SPDX-License-Identifier: Apache-2.0 */
/* make bench-media: what a relayed packet costs us, rtpengine in user space, and the
 * floor (batched UDP and the cipher, nothing else): the same paced load in one run, each
 * relay alone on processor 0, the load on processor 1. They take turns for some rounds;
 * a row is the median of those that lost next to nothing. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "media_subject.h"

#define WARM_MS      600
#define CALL_PACKETS 100 /* relayed packets a second of a call */
#define CALLS_MAX    1500
#define ROUNDS_MAX   9
#define LOSS_MAX     0.001 /* of a run that counts */

static unsigned calls, rounds;
static mono_ms measure_ms;

static const char *const names[] = { [SUBJECT_FLOOR] = "floor",
				     [SUBJECT_BREAKOUT] = "breakout",
				     [SUBJECT_SHARED] = "one port",
				     [SUBJECT_RTPENGINE] = "rtpengine" };

struct result {
	double ns, lost; /* CPU time of a packet; share of the packets */
	size_t memory;   /* bytes a call */
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

/* False: the subject is not installed. */
static bool measure(enum subject_kind kind, unsigned count, bool secure_a, bool secure_b,
		    struct result *ret)
{
	struct subject subject;
	struct load load;
	uint64_t cpu;
	bool there;

	load_open(&load, count, secure_a, secure_b);
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
		*ret = (struct result){ .ns = (double)cpu / (double)load.received,
					.lost = 1 - (double)load.received / (double)load.sent,
					.memory = ret->memory,
					.p50 = load_delay(&load, 0.5),
					.p99 = load_delay(&load, 0.99),
					.p999 = load_delay(&load, 0.999),
					.late_us = load.late_us };
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

static void print_row(const char *what, const char *name, unsigned count,
		      const struct result *result, unsigned clean, double ours)
{
	(void)printf("| %-9s | %-9s | %5u | %6.2f | %5.2f | %6.0f | %u/%u | %5.2f %% | %5zu | "
		     "%5u / %6u / %6u | %6u |\n",
		     what, name, count, result->ns / 1000, result->ns / ours,
		     1e9 / result->ns / CALL_PACKETS, clean, rounds, result->lost * 100,
		     result->memory / 1024, result->p50, result->p99, result->p999,
		     result->late_us);
	(void)fflush(stdout);
}

/* The relays take turns, so that what disturbs the machine disturbs them alike.
 * Returns what a packet cost us. */
static double compare(const char *what, unsigned count, bool secure_a, bool secure_b)
{
	struct result results[SUBJECT_COUNT][ROUNDS_MAX] = { 0 };
	const struct result *middle[SUBJECT_COUNT];
	unsigned clean[SUBJECT_COUNT];
	bool there[SUBJECT_COUNT] = { false };

	for (unsigned round = 0; round < rounds; round++)
		for (unsigned kind = 0; kind < SUBJECT_COUNT; kind++)
			there[kind] = measure((enum subject_kind)kind, count, secure_a, secure_b,
					      &results[kind][round]);
	for (unsigned kind = 0; kind < SUBJECT_COUNT; kind++)
		middle[kind] = median(results[kind], &clean[kind]);
	for (unsigned kind = 0; kind < SUBJECT_COUNT; kind++)
		if (there[kind])
			print_row(what, names[kind], count, middle[kind], clean[kind],
				  middle[SUBJECT_BREAKOUT]->ns);
		else
			(void)printf("| %s: %s is not installed |\n", what, names[kind]);
	return middle[SUBJECT_BREAKOUT]->ns;
}

/* How many calls make us busy, at this cost of a packet: delay and loss begin to
 * differ there. No more than the load generator can do. */
static unsigned busy_calls(double ns)
{
	unsigned count = (unsigned)(0.7 * 1e9 / ns / CALL_PACKETS);

	count = count < calls * 3 ? count : calls * 3;
	return count < CALLS_MAX ? count : CALLS_MAX;
}

static unsigned argument(int argc, char **argv, int index, unsigned otherwise)
{
	return argc > index ? (unsigned)strtoul(argv[index], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	const char *why = "";
	double ns;

	calls = argument(argc, argv, 1, 400);
	measure_ms = (mono_ms)argument(argc, argv, 2, 5) * 1000;
	rounds = argument(argc, argv, 3, 3);
	errno = EINVAL;
	must(calls > 0 && calls <= CALLS_MAX && measure_ms > 0 && rounds > 0 &&
		     rounds <= ROUNDS_MAX,
	     "usage: bench_media [CALLS [SECONDS [ROUNDS]]]");
	allow_files();
	must(srtp_start(&why) == 0, why);
	pin_load();
	(void)printf(
		"| way       | relay     | calls | us     | ratio | calls/core | clean | lost | "
		"KiB/call | delay us p50 / p99 / p99.9 | load late us |\n"
		"|---|---|---|---|---|---|---|---|---|---|---|\n");
	(void)compare("RTP-RTP", calls, false, false);
	ns = compare("SRTP-RTP", calls, true, false);
	(void)compare("SRTP-SRTP", calls, true, true);
	(void)compare("busy", busy_calls(ns), true, false);
	return 0;
}
