/* SPDX-License-Identifier: Apache-2.0 */
/* make bench-media: what a relayed packet costs us, rtpengine in user space, and the
 * floor (batched UDP and the cipher, nothing else): the same paced load in one run, each
 * relay alone on processor 0, the load on processor 1. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "media_subject.h"

#define WARM_MS      600
#define CALL_PACKETS 100 /* relayed packets a second of a call */

static unsigned calls = 400;
static mono_ms measure_ms = 5000;

static const char *const names[] = { [SUBJECT_FLOOR] = "floor",
				     [SUBJECT_BREAKOUT] = "breakout",
				     [SUBJECT_RTPENGINE] = "rtpengine" };

struct result {
	double ns, lost; /* CPU time of a packet; share of the packets */
	size_t memory;   /* bytes a call */
	unsigned p50, p99, p999;
};

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
					.p999 = load_delay(&load, 0.999) };
		subject_stop(&subject);
	}
	load_close(&load);
	return there;
}

static void print_row(const char *what, const char *name, unsigned count,
		      const struct result *result, double ours)
{
	(void)printf("| %-9s | %-9s | %5u | %6.2f | %5.2f | %6.0f | %5.2f %% | %5zu | %4u / %5u / "
		     "%6u |\n",
		     what, name, count, result->ns / 1000, result->ns / ours,
		     1e9 / result->ns / CALL_PACKETS, result->lost * 100, result->memory / 1024,
		     result->p50, result->p99, result->p999);
	(void)fflush(stdout);
}

static void compare(const char *what, bool secure_a, bool secure_b)
{
	struct result results[3] = { 0 };
	bool there[3];

	for (unsigned kind = 0; kind < 3; kind++)
		there[kind] =
			measure((enum subject_kind)kind, calls, secure_a, secure_b, &results[kind]);
	for (unsigned kind = 0; kind < 3; kind++)
		if (there[kind])
			print_row(what, names[kind], calls, &results[kind],
				  results[SUBJECT_BREAKOUT].ns);
		else
			(void)printf("| %s: %s is not installed |\n", what, names[kind]);
}

/* Delay where it begins to hurt: at 70 % of a processor, as the cost just measured
 * says, but no more than the load generator can do. */
static void delay_when_busy(bool secure_a, bool secure_b)
{
	struct result result;
	unsigned count;

	(void)measure(SUBJECT_BREAKOUT, calls, secure_a, secure_b, &result);
	count = (unsigned)(0.7 * 1e9 / result.ns / CALL_PACKETS);
	if (count > calls * 3)
		count = calls * 3;
	(void)measure(SUBJECT_BREAKOUT, count, secure_a, secure_b, &result);
	print_row("SRTP-RTP", "busy", count, &result, result.ns);
}

int main(int argc, char **argv)
{
	const char *why = "";

	if (argc > 1)
		calls = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		measure_ms = (mono_ms)strtoul(argv[2], NULL, 10) * 1000;
	must(calls > 0 && calls <= 1500 && measure_ms > 0, "usage: bench_media [CALLS [SECONDS]]");
	allow_files();
	must(srtp_start(&why) == 0, why);
	pin_load();
	(void)printf(
		"| way       | relay     | calls | us     | ratio | calls/core | lost | "
		"KiB/call | delay us p50 / p99 / p99.9 |\n|---|---|---|---|---|---|---|---|---|\n");
	compare("RTP-RTP", false, false);
	compare("SRTP-RTP", true, false);
	compare("SRTP-SRTP", true, true);
	delay_when_busy(true, false);
	return 0;
}
