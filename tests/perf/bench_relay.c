/* SPDX-License-Identifier: Apache-2.0 */
/* What a relayed packet and a call with media cost: calls between simulated
 * phones through one media thread, over loopback, paced as speech is (50
 * packets a second and direction). The phones run on another thread; only the
 * relay's thread is measured (its CPU time from the kernel's scheduler). */
#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "media/media.h"

#define CALLS       200
#define MEASURE_MS  3000
#define PATIENCE_MS 30000

struct party {
	struct media_session *session;
	struct party *caller, *relay, *callee; /* of the call */
};

struct call {
	struct party caller, relay, callee;
};

static struct media_engine *relay_engine, *phone_engine;
static int relay_thread;

static void must(int err, const char *what)
{
	if (!err)
		return;
	(void)fprintf(stderr, "bench_relay: %s: error %d\n", what, err);
	exit(1);
}

static void on_event(struct media_session *session, const struct media_event *event, void *arg)
{
	struct party *self = arg;

	(void)session;
	if (event->type == MEDIA_EV_REFUSED || event->type == MEDIA_EV_FAILED) {
		(void)fprintf(stderr, "bench_relay: %s\n", event->reason);
		exit(1);
	}
	if (event->type == MEDIA_EV_OFFER && self == self->caller)
		must(media_offer(self->relay->session, MEDIA_A, event->sdp), "offer");
	else if (event->type == MEDIA_EV_OFFER)
		must(media_offer(self->callee->session, MEDIA_A, event->sdp), "offer");
	else if (event->type == MEDIA_EV_ANSWER && self == self->callee)
		must(media_answer(self->relay->session, MEDIA_B, event->sdp), "answer");
	else if (event->type == MEDIA_EV_ANSWER)
		must(media_answer(self->caller->session, MEDIA_A, event->sdp), "answer");
}

static void make(struct call *call, struct party *party, struct media_engine *engine,
		 enum media_leg_kind a, enum media_leg_kind b)
{
	const struct media_session_options options = {
		.kind = { a, b }, .name = "bench", .on_event = on_event, .arg = party
	};

	party->caller = &call->caller;
	party->relay = &call->relay;
	party->callee = &call->callee;
	must(media_session_create(&party->session, engine, &options), "session");
}

static void turn(int timeout_ms)
{
	struct pollfd fds[2] = { { .fd = media_engine_fd(relay_engine), .events = POLLIN },
				 { .fd = media_engine_fd(phone_engine), .events = POLLIN } };

	(void)poll(fds, 2, timeout_ms);
	media_engine_drain(relay_engine);
	media_engine_drain(phone_engine);
}

static void run_for(mono_ms ms)
{
	mono_ms until = clock_now() + ms;

	while (clock_now() < until)
		turn((int)(until - clock_now()));
}

static bool flows(const struct call *call)
{
	struct media_receipt a, b;

	media_receipt(call->relay.session, MEDIA_A, &a);
	media_receipt(call->relay.session, MEDIA_B, &b);
	return a.packets_out > 0 && b.packets_out > 0;
}

static void await_flow(const struct call *calls)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	for (unsigned i = 0; i < CALLS; i++) {
		while (!flows(&calls[i])) {
			must(clock_now() < deadline ? 0 : -1, "no media within 30 s");
			turn(10);
		}
	}
}

/* The newest thread of ours: the media thread of the engine made last. */
static int newest_thread(void)
{
	DIR *folder = opendir("/proc/self/task");
	struct dirent *entry;
	int newest = 0;

	must(folder ? 0 : -1, "/proc/self/task");
	while ((entry = readdir(folder)) != NULL)
		if (atoi(entry->d_name) > newest)
			newest = atoi(entry->d_name);
	(void)closedir(folder);
	return newest;
}

static uint64_t cpu_ns(int thread)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", thread);
	file = fopen(path, "re");
	must(file && fscanf(file, "%llu", &ns) == 1 ? 0 : -1, path);
	(void)fclose(file);
	return ns;
}

static uint64_t relayed(const struct call *calls, uint64_t *ret_lost)
{
	uint64_t packets = 0;

	*ret_lost = 0;
	for (unsigned i = 0; i < CALLS; i++) {
		for (enum media_side side = MEDIA_A; side <= MEDIA_B; side++) {
			struct media_receipt receipt;

			media_receipt(calls[i].relay.session, side, &receipt);
			packets += receipt.packets_out;
			*ret_lost += receipt.lost;
		}
	}
	return packets;
}

static void measure(const char *name, enum media_leg_kind a, enum media_leg_kind b)
{
	struct call *calls = calloc(CALLS, sizeof(*calls));
	uint64_t set_up_cpu = cpu_ns(relay_thread), cpu, packets, lost;
	size_t heap = mallinfo2().uordblks;

	must(calls ? 0 : -1, "memory");
	for (unsigned i = 0; i < CALLS; i++) {
		make(&calls[i], &calls[i].caller, phone_engine, a, MEDIA_LEG_LOCAL);
		make(&calls[i], &calls[i].relay, relay_engine, a, b);
		make(&calls[i], &calls[i].callee, phone_engine, b, MEDIA_LEG_LOCAL);
		must(media_start(calls[i].caller.session, MEDIA_A), "start");
	}
	await_flow(calls);
	set_up_cpu = cpu_ns(relay_thread) - set_up_cpu;
	run_for(500);

	packets = relayed(calls, &lost);
	cpu = cpu_ns(relay_thread);
	run_for(MEASURE_MS);
	cpu = cpu_ns(relay_thread) - cpu;
	packets = relayed(calls, &lost) - packets;
	heap = mallinfo2().uordblks - heap;
	(void)printf("relay %-18s %5.2f us CPU per packet, %.2f ms to set up, "
		     "%4zu KiB heap a call with its two phones (%u calls, lost %llu)\n",
		     name, (double)cpu / (double)packets / 1000, (double)set_up_cpu / CALLS / 1e6,
		     heap / CALLS / 1024, CALLS, (unsigned long long)lost);
	(void)fflush(stdout);

	for (unsigned i = 0; i < CALLS; i++) {
		media_session_destroy(calls[i].caller.session);
		media_session_destroy(calls[i].relay.session);
		media_session_destroy(calls[i].callee.session);
	}
	run_for(200);
	free(calls);
}

static void measure_all(const struct media_engine_options *options)
{
	const char *ice = options->ice_lite ? "lite" : "full";
	char name[64];

	must(media_engine_create(&relay_engine, options), "engine");
	relay_thread = newest_thread();
	if (!options->ice_lite)
		measure("RTP to RTP", MEDIA_LEG_RTP, MEDIA_LEG_RTP);
	(void)snprintf(name, sizeof(name), "%s ICE to RTP", ice);
	measure(name, MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP);
	(void)snprintf(name, sizeof(name), "%s ICE to ICE", ice);
	measure(name, MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC);
	relay_engine = media_engine_destroy(relay_engine);
}

int main(void)
{
	struct media_engine_options options = { .address = "127.0.0.1", .threads = 1 };

	log_set_level(LOG_LEVEL_ERROR);
	options.port_min = 10000;
	options.port_max = 19999;
	must(media_engine_create(&phone_engine, &options), "engine");
	options.port_min = 20000;
	options.port_max = 29999;
	measure_all(&options);
	options.ice_lite = true;
	measure_all(&options);
	media_engine_destroy(phone_engine);
	return 0;
}
