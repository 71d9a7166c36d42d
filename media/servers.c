/* SPDX-License-Identifier: Apache-2.0 */
#include "media/servers.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "base/thread.h"
#include "config/address.h"
#include "media/credentials.h"
#include "media/media.h"
#include "media/server_check.h"

#define SERVERS_MAX (1 + CONFIG_TURN_MAX)
#define ROUND_MS    60000 /* between two questions to servers that serve us */
#define HURRY_MS    10000 /* and to one that does not */
#define PAUSE_MS    1000  /* however often calls suspect them */
#define SECRET_S    86400 /* how long a password made of a secret is good: longer than a call */

enum state { UNASKED, SERVES, SILENT, REFUSES, NAMELESS, STATES };

#define STATE_GAUGE(state)                                                                         \
	METRIC_GAUGE_INIT(                                                                         \
		"breakout_ice_servers", "state=\"" state "\"",                                     \
		"STUN and TURN servers of the configuration, by what became of the last "          \
		"question to them.")
#define FAILURES(why)                                                                              \
	METRIC_COUNTER_INIT("breakout_ice_server_failures_total", "why=\"" why "\"",               \
			    "Questions to STUN and TURN servers that brought nothing.")

static struct metric gauges[STATES] = {
	[UNASKED] = STATE_GAUGE("unasked"),   [SERVES] = STATE_GAUGE("serves"),
	[SILENT] = STATE_GAUGE("silent"),     [REFUSES] = STATE_GAUGE("refuses"),
	[NAMELESS] = STATE_GAUGE("nameless"),
};
static struct metric failures[STATES] = {
	[SILENT] = FAILURES("silent"),
	[REFUSES] = FAILURES("refuses"),
	[NAMELESS] = FAILURES("nameless"),
};

/* What of it changes stands behind the mutex. */
struct server {
	char label[HOST_ROOM + 24]; /* for the log: "turn udp:turn.example:3478" */
	char host[HOST_ROOM];
	uint16_t port;
	bool turn, tcp;
	char *username, *password, *secret; /* password or secret; NULL of a STUN server */
	union net_address address;          /* AF_UNSPEC: its name is not resolved */
	enum state state;
};

struct ice_servers {
	atomic_uint references;
	bool relay_only;
	unsigned gather_ms;
	union net_address from;
	int wake_fd; /* written to: ask now, or stop */
	pthread_mutex_t mutex;
	atomic_bool stop;
	unsigned count;
	struct server list[SERVERS_MAX];
};

/* ---- life ---- */

static void server_done(struct server *server)
{
	free(server->username);
	secret_free(server->password);
	secret_free(server->secret);
}

struct ice_servers *servers_ref(struct ice_servers *servers)
{
	if (servers)
		atomic_fetch_add_explicit(&servers->references, 1, memory_order_relaxed);
	return servers;
}

struct ice_servers *servers_unref(struct ice_servers *servers)
{
	if (!servers ||
	    atomic_fetch_sub_explicit(&servers->references, 1, memory_order_acq_rel) > 1)
		return NULL;
	for (unsigned i = 0; i < servers->count; i++)
		server_done(&servers->list[i]);
	if (servers->wake_fd >= 0)
		close(servers->wake_fd);
	(void)pthread_mutex_destroy(&servers->mutex);
	free(servers);
	return NULL;
}

static int add_server(struct ice_servers *servers, const char *address, bool turn, bool tcp)
{
	struct server *server = &servers->list[servers->count++];

	if (host_port_parse(address, strlen(address), server->host, &server->port))
		return -EINVAL;
	server->turn = turn;
	server->tcp = tcp;
	(void)snprintf(server->label, sizeof(server->label), "%s %s:%s", turn ? "turn" : "stun",
		       tcp ? "tcp" : "udp", address);
	/* A literal can be used before it was asked. */
	if (net_parse(server->host, server->port, &server->address))
		server->address.any.sa_family = AF_UNSPEC;
	return 0;
}

/* The first line of a file, as long as TURN can send. */
static int read_password(const char *path, const char *key, const char *at, char **ret_password,
			 struct str *ret_findings)
{
	char secret[SECRET_ROOM];
	int err = secret_read(path, secret);

	if (!err && strlen(secret) >= SERVERS_PASSWORD_ROOM) {
		explicit_bzero(secret, sizeof(secret));
		err = -E2BIG;
	}
	if (err) {
		str_addf(ret_findings, "%s: error: `media.turn.%s`: %s: %s\n", at, key, path,
			 err == -ENODATA ? "its first line is empty"
			 : err == -E2BIG ? "its first line is too long"
					 : strerror(-err));
		return ret_findings->failed ? -ENOMEM : -EINVAL;
	}
	*ret_password = strdup(secret);
	explicit_bzero(secret, sizeof(secret));
	return *ret_password ? 0 : -ENOMEM;
}

static int add_turn(struct ice_servers *servers, const struct config_media *media,
		    const struct config_turn *turn, struct str *ret_findings)
{
	int err = add_server(servers, turn->address, /* turn= */ true, turn->transport == TURN_TCP);
	struct server *server = &servers->list[servers->count - 1];

	if (err)
		return err;
	server->username = strdup(turn->username ? turn->username : "breakout");
	if (!server->username)
		return -ENOMEM;
	if (turn->secret_file)
		return read_password(turn->secret_file, "secret_file", media->turn_at,
				     &server->secret, ret_findings);
	return read_password(turn->password_file, "password_file", media->turn_at,
			     &server->password, ret_findings);
}

int media_servers_create(struct ice_servers **ret_servers, const struct config *config,
			 struct str *ret_findings)
{
	const struct config_media *media = &config->media;
	struct ice_servers *servers;
	int err = 0;

	*ret_servers = NULL;
	if (!media->stun && !media->turn_count)
		return 0;
	servers = calloc(1, sizeof(*servers));
	if (!servers)
		return -ENOMEM;
	atomic_init(&servers->references, 1);
	(void)pthread_mutex_init(&servers->mutex, NULL); /* does not fail on Linux */
	servers->relay_only = media->ice_policy == ICE_POLICY_RELAY;
	servers->gather_ms = media->gather_ms;
	servers->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (servers->wake_fd < 0)
		err = -errno;
	if (!err && media->stun)
		err = add_server(servers, media->stun, /* turn= */ false, /* tcp= */ false);
	for (size_t i = 0; !err && i < media->turn_count; i++)
		err = add_turn(servers, media, &media->turn[i], ret_findings);
	if (err) {
		servers_unref(servers);
		return err;
	}
	*ret_servers = servers;
	return 0;
}

struct ice_servers *media_servers_unref(struct ice_servers *servers)
{
	return servers_unref(servers);
}

/* ---- the thread that asks ---- */

/* A failure is told when it begins, when it becomes another, and when it ends. */
static void note(struct ice_servers *servers, struct server *server, enum state state,
		 const char *why)
{
	enum state before;

	(void)pthread_mutex_lock(&servers->mutex);
	before = server->state;
	server->state = state;
	(void)pthread_mutex_unlock(&servers->mutex);
	if (state != SERVES)
		metric_add(&failures[state], 1);
	if (before == state)
		return;
	metric_add(&gauges[before], -1);
	metric_add(&gauges[state], 1);
	if (state == SERVES)
		log_info("media", "ice server %s serves us", server->label);
	else
		log_error("media", "ice server %s %s: %s; calls go on without it", server->label,
			  state == REFUSES  ? "refuses us"
			  : state == SILENT ? "does not answer"
					    : "has no address",
			  why);
}

/* The first address of our family. A literal stays as it is. */
static bool resolve(struct ice_servers *servers, struct server *server,
		    char why[static SERVER_WHY_ROOM])
{
	const struct addrinfo hints = { .ai_family = servers->from.any.sa_family,
					.ai_socktype = SOCK_DGRAM };
	struct addrinfo *found = NULL;
	union net_address address;
	int err;

	if (!net_parse(server->host, server->port, &address))
		return true;
	err = getaddrinfo(server->host, NULL, &hints, &found);
	if (err || !found) {
		(void)snprintf(why, SERVER_WHY_ROOM, "%s", gai_strerror(err));
		return false;
	}
	memset(&address, 0, sizeof(address));
	memcpy(&address, found->ai_addr, found->ai_addrlen);
	net_set_port(&address, server->port);
	freeaddrinfo(found);
	(void)pthread_mutex_lock(&servers->mutex);
	server->address = address;
	(void)pthread_mutex_unlock(&servers->mutex);
	return true;
}

static void fill_turn(const struct server *server, struct servers_turn *turn)
{
	turn->address = server->address;
	turn->tcp = server->tcp;
	if (!server->secret) {
		(void)snprintf(turn->username, sizeof(turn->username), "%s", server->username);
		(void)snprintf(turn->password, sizeof(turn->password), "%s", server->password);
		return;
	}
	(void)snprintf(turn->username, sizeof(turn->username), "%lld:%s",
		       (long long)(clock_wall() / 1000 + SECRET_S), server->username);
	credentials_of_secret(server->secret, turn->username, turn->password);
}

static void look_at(struct ice_servers *servers, struct server *server)
{
	static const enum state states[] = {
		[SERVER_SERVES] = SERVES, [SERVER_SILENT] = SILENT, [SERVER_REFUSES] = REFUSES
	};
	struct servers_turn turn = { .tcp = server->tcp };
	char why[SERVER_WHY_ROOM];
	enum server_answer answer;

	/* Where it had an address before, that one is asked. */
	if (!resolve(servers, server, why) && server->address.any.sa_family == AF_UNSPEC) {
		note(servers, server, NAMELESS, why);
		return;
	}
	if (server->turn)
		fill_turn(server, &turn);
	answer = server_check(&(struct server_question){ .address = server->address,
							 .from = servers->from,
							 .turn = server->turn,
							 .tcp = server->tcp,
							 .username = turn.username,
							 .password = turn.password,
							 .stop_fd = -1 },
			      why);
	explicit_bzero(&turn, sizeof(turn));
	note(servers, server, states[answer], why);
}

/* All serve us: nothing to hurry for. Its own thread alone changes states. */
static bool all_serve(const struct ice_servers *servers)
{
	for (unsigned i = 0; i < servers->count; i++)
		if (servers->list[i].state != SERVES)
			return false;
	return true;
}

static void *run(void *arg)
{
	struct ice_servers *servers = arg;
	struct pollfd wake = { .fd = servers->wake_fd, .events = POLLIN };
	eventfd_t count;

	while (!atomic_load(&servers->stop)) {
		mono_ms begin = clock_now();

		for (unsigned i = 0; i < servers->count && !atomic_load(&servers->stop); i++)
			look_at(servers, &servers->list[i]);
		(void)poll(&wake, 1, all_serve(servers) ? ROUND_MS : HURRY_MS);
		if (clock_now() - begin < PAUSE_MS)
			(void)poll(NULL, 0, PAUSE_MS);
		(void)eventfd_read(servers->wake_fd, &count);
	}
	for (unsigned i = 0; i < servers->count; i++)
		metric_add(&gauges[servers->list[i].state], -1);
	servers_unref(servers);
	return NULL;
}

static bool same_server(const struct server *a, const struct server *b)
{
	return a->turn == b->turn && a->tcp == b->tcp && a->port == b->port &&
	       strcmp(a->host, b->host) == 0;
}

/* Its address, so that calls after a reload need not wait for DNS. */
static void inherit(struct ice_servers *servers, struct ice_servers *before)
{
	(void)pthread_mutex_lock(&before->mutex);
	for (unsigned i = 0; i < servers->count; i++)
		for (unsigned k = 0; k < before->count; k++)
			if (same_server(&servers->list[i], &before->list[k]))
				servers->list[i].address = before->list[k].address;
	(void)pthread_mutex_unlock(&before->mutex);
}

int servers_start(struct ice_servers *servers, const union net_address *from,
		  struct ice_servers *before)
{
	pthread_t thread;
	int err;

	servers->from = *from;
	if (before)
		inherit(servers, before);
	metric_add(&gauges[UNASKED], servers->count);
	err = thread_start(&thread, "ice-servers", THREAD_PROMPT, run, servers_ref(servers));
	if (err) {
		metric_add(&gauges[UNASKED], -(int64_t)servers->count);
		servers_unref(servers);
		return err;
	}
	/* Nobody waits for it: a name server that is silent would hold up the end. */
	(void)pthread_detach(thread);
	return 0;
}

void servers_stop(struct ice_servers *servers)
{
	atomic_store(&servers->stop, true);
	(void)eventfd_write(servers->wake_fd, 1); /* full: it is awake */
}

/* ---- calls ---- */

void servers_now(struct ice_servers *servers, struct servers_now *ret_now)
{
	memset(ret_now, 0, sizeof(*ret_now));
	if (!servers)
		return;
	ret_now->relay_only = servers->relay_only;
	ret_now->gather_ms = servers->gather_ms;
	(void)pthread_mutex_lock(&servers->mutex);
	for (unsigned i = 0; i < servers->count; i++) {
		const struct server *server = &servers->list[i];

		if (server->state > SERVES || server->address.any.sa_family == AF_UNSPEC)
			continue;
		if (server->turn)
			fill_turn(server, &ret_now->turn[ret_now->turn_count++]);
		else
			ret_now->stun = server->address;
	}
	(void)pthread_mutex_unlock(&servers->mutex);
}

void servers_suspect(struct ice_servers *servers)
{
	(void)eventfd_write(servers->wake_fd, 1);
}
