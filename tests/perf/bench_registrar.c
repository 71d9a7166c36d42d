/* SPDX-License-Identifier: Apache-2.0 */
/* bench_registrar - what a million registrations cost, without the network: the
 * registrar's own code and its store on a virtual clock, with a core that answers
 * after 30 ms. Prints a table. What a request costs on the wire: bench_upsert.
 *
 *   bench_registrar [NUMBERS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/log.h"
#include "registrar/keeper.h"
#include "registrar/upsert.h"

#define FIRST      4790000000u
#define LATENCY_MS 30
#define TTL_S      3600
#define MINUTE     ((mono_ms)60000)
#define BOX        1024

static struct core {
	struct {
		struct upsert_call *call;
		uint32_t index;
		mono_ms at;
	} box[BOX]; /* on their way, in order */
	unsigned first, count;
	bool down;
	mono_ms *expires;
	unsigned long sent, lapses;
	unsigned ages[101]; /* refreshes by percent of the TTL that was over */
	mono_ms oldest_due; /* the last refresh of one that was past half of its TTL */
} core;

int upsert_send(struct upsert_call *call, struct api_client *client, uint64_t number,
		const struct reg_params *params, const struct api_call_options *options)
{
	unsigned at = (core.first + core.count++) % BOX;

	(void)client, (void)params, (void)options;
	core.box[at].call = call;
	core.box[at].index = (uint32_t)(number - FIRST);
	core.box[at].at = clock_now();
	core.sent++;
	return 0;
}

static void note_age(mono_ms *expires)
{
	mono_ms age = clock_now() - (*expires - (mono_ms)TTL_S * 1000);
	mono_ms percent = age / (TTL_S * 10);

	if (!*expires)
		return;
	core.lapses += percent >= 100;
	core.ages[percent < 100 ? percent : 100]++;
	if (percent > 50)
		core.oldest_due = clock_now();
}

static void answer_one(void)
{
	struct upsert_answer answer = { .verdict = UPSERT_OK, .ttl_s = TTL_S };
	struct upsert_call *call = core.box[core.first].call;
	mono_ms *expires = &core.expires[core.box[core.first].index];

	core.first = (core.first + 1) % BOX;
	core.count--;
	if (core.down) {
		answer = (struct upsert_answer){ .verdict = UPSERT_FAILED };
		strcpy(answer.text, "UNAVAILABLE: Connection refused");
	} else {
		note_age(expires);
		*expires = clock_now() + (mono_ms)TTL_S * 1000;
	}
	call->done(call, &answer);
}

static void pass(struct keeper *keeper, mono_ms ms)
{
	mono_ms end = clock_now() + ms, next;

	while (clock_now() < end) {
		while (core.count && core.box[core.first].at + LATENCY_MS <= clock_now())
			answer_one();
		keeper_run(keeper, clock_now());
		next = keeper_next(keeper, clock_now());
		if (core.count && core.box[core.first].at + LATENCY_MS < next)
			next = core.box[core.first].at + LATENCY_MS;
		if (next <= clock_now())
			next = clock_now() + 1;
		clock_fake_advance((next < end ? next : end) - clock_now());
	}
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double resident_mb(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long pages = 0;

	if (!file || fscanf(file, "%*d %ld", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static struct wanted *want(size_t count)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));

	wanted->sip_uri = strdup("sips:tas.example.com");
	wanted->prefixes[0].mo = strdup("00");
	wanted->prefixes[0].mt = strdup("01");
	wanted->numbers = calloc(count, sizeof(*wanted->numbers));
	wanted->count = count;
	for (size_t i = 0; i < count; i++) {
		wanted->numbers[i].number = FIRST + i;
		wanted->numbers[i].route_type = ROUTE_TYPE_LOOP;
	}
	return wanted;
}

static struct keeper *start(const char *store, const struct wanted *wanted)
{
	struct keeper_options options = { .store = store, .boot = "bench", .seed = 7 };
	struct keeper *keeper;

	if (keeper_create(&keeper, &options, wanted, clock_now()))
		exit(1);
	return keeper;
}

/* Its last answers are unheard, as at the end of a process. */
static void end(struct keeper *keeper)
{
	keeper_deafen(keeper);
	while (core.count)
		answer_one();
	keeper_destroy(keeper);
}

static unsigned age_at(double share)
{
	unsigned long total = 0, seen = 0;

	for (unsigned i = 0; i <= 100; i++)
		total += core.ages[i];
	for (unsigned i = 0; i <= 100; i++) {
		seen += core.ages[i];
		if ((double)seen >= share * (double)total)
			return i;
	}
	return 100;
}

static void print_ages(const char *when)
{
	printf("age at refresh, %-24s p50 %u %%, p99 %u %%, p99.99 %u %% of the TTL; lapses %lu\n",
	       when, age_at(0.5), age_at(0.99), age_at(0.9999), core.lapses);
	memset(core.ages, 0, sizeof(core.ages));
}

static void measure_start(const char *store, size_t count, struct wanted *wanted)
{
	double before = resident_mb(), cpu = cpu_s();
	struct keeper *keeper = start(NULL, wanted);

	printf("memory                  %.1f MB for %zu, %.0f bytes each\n", resident_mb() - before,
	       count, (resident_mb() - before) * 1e6 / (double)count);
	printf("start without a store   %.2f s CPU\n", cpu_s() - cpu);
	end(keeper);
	keeper = start(store, wanted);
	pass(keeper, 30 * MINUTE); /* all are told, and written down */
	end(keeper);
	cpu = cpu_s();
	keeper = start(store, wanted);
	printf("start from the store    %.2f s CPU\n", cpu_s() - cpu);
	end(keeper);
}

static void measure_life(const char *store, struct wanted *wanted)
{
	struct keeper *keeper = start(store, wanted);
	unsigned long sent;
	mono_ms back;
	double cpu;

	pass(keeper, 60 * MINUTE);
	memset(core.ages, 0, sizeof(core.ages));
	core.lapses = 0;
	cpu = cpu_s();
	sent = core.sent;
	pass(keeper, 60 * MINUTE);
	cpu = cpu_s() - cpu;
	sent = core.sent - sent;
	printf("steady, network apart   %.0f requests/s, %.1f us CPU each, %.2f %% of a core\n",
	       (double)sent / 3600, cpu * 1e6 / (double)sent, cpu / 36);
	print_ages("steady");
	core.down = true;
	sent = core.sent;
	pass(keeper, 30 * MINUTE);
	printf("30 minutes of outage    %lu requests\n", core.sent - sent);
	core.down = false;
	back = clock_now();
	pass(keeper, 40 * MINUTE);
	printf("caught up after         %.0f s\n", (double)(core.oldest_due - back) / 1000);
	print_ages("outage and catching up");
	end(keeper);
}

int main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	char folder[] = "/tmp/breakout-bench-XXXXXX", store[64], name[80];
	struct wanted *wanted = want(count);

	core.expires = calloc(count, sizeof(*core.expires));
	if (!mkdtemp(folder))
		return 1;
	snprintf(store, sizeof(store), "%s/db", folder);
	clock_fake_set(100 * MINUTE);
	log_set_level(LOG_LEVEL_ERROR);
	measure_start(store, count, wanted);
	measure_life(store, wanted);
	wanted_destroy(wanted);
	free(core.expires);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", store,
			 (const char *[]){ "", "-wal", "-shm" }[i]);
		(void)unlink(name); /* some are gone already */
	}
	return rmdir(folder) ? 1 : 0;
}
