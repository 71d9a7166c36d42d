/* SPDX-License-Identifier: Apache-2.0 */
/* What a relayed packet and a call with media cost: calls between simulated
 * phones through one media thread, over loopback, paced as speech is (50
 * packets a second and direction). The phones run on another thread; only the
 * relay's thread is measured (its CPU time from the kernel's scheduler). Beside a
 * call's set-up stand two bare handshakes, beside transcoding the codecs alone. And what a
 * stranger's STUN costs. */
#include <arpa/inet.h>
#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bare_dtls.h"
#include "base/log.h"
#include "codec_cost.h"
#include "media/media.h"

#define MEASURE_MS  3000
#define PATIENCE_MS 30000
#define BARE_COUNT  200
#define OPUS_CALLS  60 /* with phones that code too: more are too much for a slow processor */

struct party {
	struct media_session *session;
	struct party *caller, *relay, *callee; /* of the call */
};

struct call {
	struct party caller, relay, callee;
};

/* What is measured: legs, and the codec of each phone. */
struct way {
	const char *name;
	enum media_leg_kind a, b;
	const char *codecs[2]; /* NULL: the usual ones */
};

/* What a stranger sends: RFC 8489 5. */
struct stranger {
	const char *name;
	uint16_t type;
	bool integrity;     /* of 20 made-up bytes; else there is none */
	uint16_t user_room; /* the length that USERNAME says it has; 0: the right one */
};

static unsigned call_count = 200;
static char told[8192]; /* the last answer of the relay */
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
	else if (event->type == MEDIA_EV_ANSWER) {
		(void)snprintf(told, sizeof(told), "%s", event->sdp);
		must(media_answer(self->caller->session, MEDIA_A, event->sdp), "answer");
	}
}

static void make(struct call *call, struct party *party, struct media_engine *engine,
		 enum media_leg_kind a, enum media_leg_kind b, const char *const *codec)
{
	const struct media_session_options options = { .kind = { a, b },
						       .local.tone_hz = 425,
						       .codecs = *codec ? codec : NULL,
						       .codec_count = *codec ? 1 : 0,
						       .rules = { { .convert = true },
								  { .convert = true } },
						       .name = "bench",
						       .on_event = on_event,
						       .arg = party };

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

	for (unsigned i = 0; i < call_count; i++) {
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
	for (unsigned i = 0; i < call_count; i++) {
		for (enum media_side side = MEDIA_A; side <= MEDIA_B; side++) {
			struct media_receipt receipt;

			media_receipt(calls[i].relay.session, side, &receipt);
			packets += receipt.packets_out;
			*ret_lost += receipt.lost;
		}
	}
	return packets;
}

static void place(struct call *call, const struct way *way)
{
	const char *const none = NULL;

	make(call, &call->caller, phone_engine, way->a, MEDIA_LEG_LOCAL, &way->codecs[0]);
	make(call, &call->relay, relay_engine, way->a, way->b, &none);
	make(call, &call->callee, phone_engine, way->b, MEDIA_LEG_LOCAL, &way->codecs[1]);
	must(media_start(call->caller.session, MEDIA_A), "start");
}

static void end(struct call *calls)
{
	for (unsigned i = 0; i < call_count; i++) {
		media_session_destroy(calls[i].caller.session);
		media_session_destroy(calls[i].relay.session);
		media_session_destroy(calls[i].callee.session);
	}
	run_for(200);
	free(calls);
}

/* What a packet cost; ret_set_up: what a call's set-up did, without the packets that
 * flowed meanwhile. In ns. */
static double measure(const struct way *way, double *ret_set_up)
{
	struct call *calls = calloc(call_count, sizeof(*calls));
	uint64_t set_up_cpu = cpu_ns(relay_thread), cpu, early, packets, lost;
	size_t heap = mallinfo2().uordblks;
	double ns;

	must(calls ? 0 : -1, "memory");
	for (unsigned i = 0; i < call_count; i++)
		place(&calls[i], way);
	await_flow(calls);
	set_up_cpu = cpu_ns(relay_thread) - set_up_cpu;
	early = relayed(calls, &lost);
	run_for(500);

	packets = relayed(calls, &lost);
	cpu = cpu_ns(relay_thread);
	run_for(MEASURE_MS);
	cpu = cpu_ns(relay_thread) - cpu;
	packets = relayed(calls, &lost) - packets;
	heap = mallinfo2().uordblks - heap;
	ns = (double)cpu / (double)packets;
	*ret_set_up = ((double)set_up_cpu - (double)early * ns) / call_count;
	(void)printf("relay %-18s %5.2f us CPU per packet, %.2f ms to set up, "
		     "%4zu KiB heap a call with its two phones (%u calls, lost %llu)\n",
		     way->name, ns / 1000, *ret_set_up / 1e6, heap / call_count / 1024, call_count,
		     (unsigned long long)lost);
	(void)fflush(stdout);
	end(calls);
	return ns;
}

/* How many calls with DTLS on both legs a second of one processor sets up. */
static void compare_set_up(double set_up_ns)
{
	double bare = bare_dtls_ns(BARE_COUNT);

	must(bare > 0 ? 0 : -1, "bare handshakes");
	(void)printf("set-up of a call with two DTLS legs: %.0f a CPU second; two bare handshakes: "
		     "%.0f; %.2f of their cost\n",
		     1e9 / set_up_ns, 1e9 / bare, set_up_ns / bare);
	(void)fflush(stdout);
}

/* Both directions have as many packets. What a packet costs that is only passed on is no
 * part of transcoding. */
static void compare_codecs(double ns, double passed_ns)
{
	struct codec_speech speech;
	double codecs;

	codec_speech_make(&speech, VOICE_OPUS, voice_rate(VOICE_OPUS, VOICE_PCMA));
	codecs = codec_cost_ns(&speech, VOICE_OPUS, VOICE_PCMA, voice_rate(VOICE_OPUS, VOICE_PCMA));
	codec_speech_make(&speech, VOICE_PCMA, voice_rate(VOICE_PCMA, VOICE_OPUS));
	codecs +=
		codec_cost_ns(&speech, VOICE_PCMA, VOICE_OPUS, voice_rate(VOICE_PCMA, VOICE_OPUS));
	codecs /= 2;
	(void)printf("transcoding Opus and PCMA: %.1f us CPU per packet; %.1f less what passing it "
		     "on costs; its codecs alone %.1f; %.2f of their cost\n",
		     ns / 1000, (ns - passed_ns) / 1000, codecs / 1000, (ns - passed_ns) / codecs);
	(void)fflush(stdout);
}

static size_t add_attribute(uint8_t *packet, size_t at, uint16_t type, const void *value,
			    uint16_t length, uint16_t says)
{
	const uint16_t head[] = { htons(type), htons(says) };

	memcpy(packet + at, head, sizeof(head));
	memcpy(packet + at + sizeof(head), value, length);
	return at + sizeof(head) + (length + 3u) / 4 * 4;
}

/* A check as a peer would send it, with our user name. */
static size_t make_check(const struct stranger *stranger, uint8_t packet[static 512])
{
	const uint32_t cookie = htonl(0x2112a442);
	const char *ufrag = strstr(told, "a=ice-ufrag:") + strlen("a=ice-ufrag:");
	char user[300];
	uint16_t length, kind = htons(stranger->type);
	size_t at = 20;

	(void)snprintf(user, sizeof(user), "%.*s:peer", (int)strcspn(ufrag, "\r\n"), ufrag);
	length = (uint16_t)strlen(user);
	memset(packet, 0, 512);
	memcpy(packet, &kind, sizeof(kind));
	memcpy(packet + 4, &cookie, sizeof(cookie));
	at = add_attribute(packet, at, /* USERNAME */ 6, user, length,
			   stranger->user_room > 0 ? stranger->user_room : length);
	if (stranger->integrity)
		at = add_attribute(packet, at, /* MESSAGE-INTEGRITY */ 8, told, 20, 20);
	length = htons((uint16_t)(at - 20));
	memcpy(packet + 2, &length, sizeof(length));
	return at;
}

/* ns of the relay's thread a packet, at 1 MB a second; nobody answers one. */
static double flood(const struct stranger *stranger, size_t *ret_length)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned sent = 0, due, each;
	uint8_t packet[512], answer[512];
	uint64_t idle, cpu;
	mono_ms began;

	*ret_length = make_check(stranger, packet);
	each = (unsigned)(1000 / *ret_length); /* a millisecond */
	to.sin_port = htons((uint16_t)atoi(strstr(told, "m=audio ") + strlen("m=audio ")));
	idle = cpu_ns(relay_thread);
	run_for(1000);
	idle = cpu_ns(relay_thread) - idle;
	began = clock_now();
	cpu = cpu_ns(relay_thread);
	while (clock_now() - began < 1000) {
		due = (unsigned)(clock_now() - began + 1) * each;
		for (; sent < due; sent++) {
			packet[12] = (uint8_t)sent; /* of the transaction's number */
			packet[13] = (uint8_t)(sent >> 8);
			must(sendto(fd, packet, *ret_length, 0, (struct sockaddr *)&to,
				    sizeof(to)) < 0,
			     "sendto");
		}
		turn(1);
	}
	run_for(100);
	cpu = cpu_ns(relay_thread) - cpu;
	must(recv(fd, answer, sizeof(answer), MSG_DONTWAIT) >= 0, "a stranger was answered");
	close(fd);
	return cpu > idle ? (double)(cpu - idle) / sent : 0;
}

static void measure_strangers(const char *ice)
{
	static const struct stranger strangers[] = {
		{ .name = "no integrity", .type = 0x0001 },
		{ .name = "wrong integrity", .type = 0x0001, .integrity = true },
		{ .name = "lying lengths", .type = 0x0001, .integrity = true, .user_room = 0xfff0 },
		{ .name = "spoofed response", .type = 0x0101, .integrity = true },
	};
	const struct way way = { .a = MEDIA_LEG_WEBRTC, .b = MEDIA_LEG_RTP };
	unsigned before = call_count;
	struct call *call = calloc(1, sizeof(*call));

	must(call ? 0 : -1, "memory");
	call_count = 1;
	place(call, &way);
	await_flow(call);
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
		size_t length;
		double ns = flood(&strangers[i], &length);

		(void)printf("STUN of a stranger, %s ICE, %-16s %5.2f us CPU per packet of %zu "
			     "bytes, at 1 MB/s, no answer\n",
			     ice, strangers[i].name, ns / 1000, length);
		(void)fflush(stdout);
	}
	end(call);
	call_count = before;
}

static void start(const struct media_engine_options *options)
{
	must(media_engine_create(&relay_engine, options), "engine");
	relay_thread = newest_thread();
}

static void measure_full(const struct media_engine_options *options)
{
	static const struct way ways[] = {
		{ .name = "RTP to RTP", .a = MEDIA_LEG_RTP, .b = MEDIA_LEG_RTP },
		{ .name = "full ICE to RTP", .a = MEDIA_LEG_WEBRTC, .b = MEDIA_LEG_RTP },
		{ .name = "full ICE to ICE", .a = MEDIA_LEG_WEBRTC, .b = MEDIA_LEG_WEBRTC },
	};
	double set_up;

	start(options);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		(void)measure(&ways[i], &set_up);
	measure_strangers("full");
	relay_engine = media_engine_destroy(relay_engine);
}

static void measure_lite(const struct media_engine_options *options)
{
	static const struct way to_rtp = { .name = "lite ICE to RTP",
					   .a = MEDIA_LEG_WEBRTC,
					   .b = MEDIA_LEG_RTP },
				to_ice = { .name = "lite ICE to ICE",
					   .a = MEDIA_LEG_WEBRTC,
					   .b = MEDIA_LEG_WEBRTC },
				opus = { .name = "lite Opus to PCMA",
					 .a = MEDIA_LEG_WEBRTC,
					 .b = MEDIA_LEG_RTP,
					 .codecs = { "opus", "PCMA" } };
	unsigned asked = call_count;
	double set_up, passed;

	start(options);
	passed = measure(&to_rtp, &set_up);
	(void)measure(&to_ice, &set_up);
	compare_set_up(set_up);
	if (call_count > OPUS_CALLS)
		call_count = OPUS_CALLS;
	compare_codecs(measure(&opus, &set_up), passed);
	call_count = asked;
	measure_strangers("lite");
	relay_engine = media_engine_destroy(relay_engine);
}

int main(int argc, char **argv)
{
	struct media_engine_options options = { .address = "127.0.0.1",
						.threads = 1,
						.opus_complexity = CODEC_COST_COMPLEXITY };

	if (argc > 1)
		call_count = (unsigned)strtoul(argv[1], NULL, 10);
	must(call_count > 0 && call_count <= 1000 ? 0 : -1, "usage: bench_relay [CALLS]");
	log_set_level(LOG_LEVEL_ERROR);
	options.port_min = 10000;
	options.port_max = 19999;
	must(media_engine_create(&phone_engine, &options), "engine");
	options.port_min = 20000;
	options.port_max = 29999;
	measure_full(&options);
	options.ice_lite = true;
	measure_lite(&options);
	media_engine_destroy(phone_engine);
	return 0;
}
