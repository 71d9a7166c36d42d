/* SPDX-License-Identifier: Apache-2.0 */
/* bench_upsert - what one UpsertRegistration costs the client: CPU time over
 * loopback TLS with a token of 87 characters, 64 requests in flight, against a
 * server on the same C core in a process of its own. Prints one line. On one
 * connection without a RATE it stands beside what the bare C core takes for the same
 * bytes, measured before and after.
 *
 *   bench_upsert [COUNT [CONNECTIONS [RATE]]]
 *
 * With a RATE, requests a second, they are sent as the registrar paces them: what is due
 * of each 100 ms in one lot. 715 is the steady load of a million registrations.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bare_grpc.h"
#include "proto/api.h"
#include "tests/unit/proto/grpc_peer.h"
#include "wgtwo/sipbreakout/v1/sipbreakout.pb-c.h"

#define WARM_UP   2000
#define IN_FLIGHT 64
#define LOT_MS    100 /* as long as a slot of the registrar's timing wheel */
#define CLIENTS   8
#define SERVICE   (&wgtwo__sipbreakout__v1__sip_breakout_service__descriptor)

struct load {
	struct api_client *clients[CLIENTS];
	unsigned count, turn;
	unsigned long to_send, done, failed;
};

static const char token[] = "0123456789012345678901234567890123456789012."
			    "0123456789012345678901234567890123456789012";

static char *read_file(const char *folder, const char *name)
{
	char path[256], *text = calloc(1, 65536);
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (!file || !fread(text, 1, 65535, file)) {
		perror(path);
		exit(1);
	}
	fclose(file);
	return text;
}

/* Serves until its stdin ends; says its port on stdout. */
static int serve(const char *folder)
{
	Wgtwo__Sipbreakout__V1__UpsertRegistrationResponse response;
	char *key = read_file(folder, "key.pem"), *cert = read_file(folder, "cert.pem");
	Google__Protobuf__Duration ttl;
	struct peer *peer;
	uint8_t bytes[64];
	char end;

	wgtwo__sipbreakout__v1__upsert_registration_response__init(&response);
	google__protobuf__duration__init(&ttl);
	ttl.seconds = 3600;
	response.status_code = WGTWO__SIPBREAKOUT__V1__STATUS_CODE__STATUS_CODE_OK;
	response.time_to_live = &ttl;
	peer = peer_start(key, cert, bytes, protobuf_c_message_pack(&response.base, bytes));
	printf("%d\n", peer->port);
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	peer_stop(peer);
	free(key);
	free(cert);
	return 0;
}

static void send_one(struct load *load);

static void on_done(enum api_status status, const char *details, const ProtobufCMessage *response,
		    void *arg)
{
	struct load *load = arg;

	(void)details, (void)response;
	load->done++;
	load->failed += status != API_OK;
	send_one(load);
}

/* A request with what it points to. */
struct upsert {
	Wgtwo__Sipbreakout__V1__UpsertRegistrationRequest request;
	Wgtwo__Sipbreakout__V1__Registration registration;
	Wgtwo__Common__V1__E164 number;
	char text[20];
};

static void upsert_fill(struct upsert *upsert, unsigned long index)
{
	snprintf(upsert->text, sizeof(upsert->text), "+4799%06lu", index % 1000000);
	wgtwo__common__v1__e164__init(&upsert->number);
	upsert->number.e164 = upsert->text;
	wgtwo__sipbreakout__v1__registration__init(&upsert->registration);
	upsert->registration.phone_number = &upsert->number;
	upsert->registration.sip_uri = (char *)"sips:tas.example.com";
	upsert->registration.mobile_originating_prefix = (char *)"00";
	upsert->registration.mobile_terminating_prefix = (char *)"01";
	upsert->registration.route_type = WGTWO__SIPBREAKOUT__V1__ROUTE_TYPE__ROUTE_TYPE_LOOP;
	wgtwo__sipbreakout__v1__upsert_registration_request__init(&upsert->request);
	upsert->request.registration = &upsert->registration;
}

static void send_upsert(struct load *load, unsigned long index)
{
	struct api_call_options options = { .token = token };
	struct upsert upsert;

	upsert_fill(&upsert, index);
	if (api_unary(load->clients[load->turn++ % load->count], SERVICE, "UpsertRegistration",
		      &upsert.request.base, &options, on_done, load))
		abort();
}

static void send_one(struct load *load)
{
	if (load->to_send)
		send_upsert(load, load->to_send--);
}

static void run(struct load *load, unsigned long count)
{
	load->to_send = count;
	load->done = load->failed = 0;
	for (int i = 0; i < IN_FLIGHT; i++)
		send_one(load);
	for (unsigned i = 0; load->done < count; i++) /* alone it may wait, among others not */
		api_client_poll(load->clients[i % load->count],
				load->count == 1 ? clock_now() + 1000 : clock_now());
}

static void run_paced(struct load *load, unsigned long count, unsigned long rate)
{
	mono_ms begin = clock_now();
	unsigned long sent = 0, due;

	load->done = load->failed = load->to_send = 0;
	for (mono_ms next = begin; load->done < count;) {
		mono_ms now = clock_now();

		if (now >= next) {
			due = (unsigned long)(now - begin) * rate / 1000 + 1;
			for (; sent < due && sent < count; sent++)
				send_upsert(load, sent);
			next += LOT_MS;
		}
		for (unsigned i = 0; i < load->count; i++)
			api_client_poll(load->clients[i], load->count == 1 ? next : clock_now());
	}
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* A keep-alive of its own gives each client a connection of its own: the library
 * shares those that are equal. */
static int connect_all(struct load *load, const char *folder, int port)
{
	struct api_client_options options = { .server_name = "localhost" };
	char target[32], ca[256], error[256];

	snprintf(target, sizeof(target), "127.0.0.1:%d", port);
	snprintf(ca, sizeof(ca), "%s/cert.pem", folder);
	options.target = target;
	options.ca_file = ca;
	for (unsigned i = 0; i < load->count; i++) {
		options.keepalive_ms = 60000 + i;
		if (api_client_create(&load->clients[i], &options, error, sizeof(error))) {
			fprintf(stderr, "%s\n", error);
			return -1;
		}
	}
	return 0;
}

/* With half as many calls: it is asked twice. */
static double bare_us(const char *folder, int port, unsigned long count)
{
	char target[32], bearer[128], *ca = read_file(folder, "cert.pem");
	struct bare_grpc_load load = {
		.target = target,
		.ca_pem = ca,
		.server_name = "localhost",
		.path = "/wgtwo.sipbreakout.v1.SipBreakoutService/UpsertRegistration",
		.token = bearer,
		.in_flight = IN_FLIGHT,
		.warm_up = WARM_UP,
		.count = count / 2,
	};
	struct upsert upsert;
	uint8_t bytes[256];
	double us;

	snprintf(target, sizeof(target), "127.0.0.1:%d", port);
	snprintf(bearer, sizeof(bearer), "Bearer %s", token);
	upsert_fill(&upsert, 1);
	load.message = bytes;
	load.length = protobuf_c_message_pack(&upsert.request.base, bytes);
	us = bare_grpc_s(&load) * 1e6;
	free(ca);
	return us;
}

static int measure(const char *folder, int port, unsigned long count, unsigned connections,
		   unsigned long rate)
{
	struct load load = { .count = connections };
	bool compared = connections == 1 && !rate;
	double bare = compared ? bare_us(folder, port, count) : 0, cpu, wall;

	if (connect_all(&load, folder, port))
		return 1;
	run(&load, WARM_UP);
	cpu = cpu_s();
	wall = (double)clock_now_ns();
	if (rate)
		run_paced(&load, count, rate);
	else
		run(&load, count);
	cpu = (cpu_s() - cpu) * 1e6 / (double)count;
	wall = ((double)clock_now_ns() - wall) / 1e9;
	for (unsigned i = 0; i < connections; i++)
		api_client_destroy(load.clients[i]);
	printf("upsert, %u connection%s: %.1f us client CPU each, %.0f/s", connections,
	       connections == 1 ? "" : "s", cpu, (double)count / wall);
	if (compared) {
		bare = (bare + bare_us(folder, port, count)) / 2;
		printf("; the bare C core %.1f us; %.2f of its cost", bare, cpu / bare);
	}
	printf("\n");
	return load.failed || (compared && bare <= 0) ? 1 : 0;
}

static int make_certificate(const char *folder)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
		 "-nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost "
		 "-keyout key.pem -out cert.pem 2>openssl.txt",
		 folder);
	return system(command); /* a fixed command in a folder of our own */
}

static int remove_folder(const char *folder)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

/* The server is another program run of this file: nothing forks once the gRPC
 * core has started. */
static int start_server(char *self, char *folder, pid_t *ret_child, int *ret_stdin)
{
	char *arguments[] = { self, (char *)"--server", folder, NULL };
	int in[2], out[2], port = 0;
	char program[4096];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	FILE *file;

	if (length < 0 || pipe(in) || pipe(out))
		return 0;
	program[length] = '\0'; /* spelt out: /proc/self/exe would be valgrind's own */
	*ret_child = fork();
	if (!*ret_child) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		execv(program, arguments);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	*ret_stdin = in[1];
	file = fdopen(out[0], "r");
	if (!file || fscanf(file, "%d", &port) != 1)
		port = 0;
	return port;
}

int main(int argc, char **argv)
{
	char folder[] = "/tmp/breakout-bench-XXXXXX";
	unsigned long count = 100000, connections = 1, rate = 0;
	int to_server = -1, port, status = 1;
	pid_t child = -1;

	if (argc == 3 && !strcmp(argv[1], "--server"))
		return serve(argv[2]);
	if (argc > 1)
		count = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		connections = strtoul(argv[2], NULL, 10);
	if (argc > 3)
		rate = strtoul(argv[3], NULL, 10);
	if (connections < 1 || connections > CLIENTS)
		return 2;
	if (!mkdtemp(folder))
		return 1;
	if (!make_certificate(folder)) {
		port = start_server(argv[0], folder, &child, &to_server);
		if (port)
			status = measure(folder, port, count, (unsigned)connections, rate);
		close(to_server);
		waitpid(child, NULL, 0);
	}
	return remove_folder(folder) || status;
}
