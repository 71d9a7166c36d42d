/* SPDX-License-Identifier: Apache-2.0 */
/* hook.c - who may ask whom: connections, queues, servers that do not answer. */
#include "hook/hook.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/breaker.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "hook/poster.h"

/* One URL. It lives as long as the room: a configuration names few. */
struct server {
	struct breaker breaker;
	unsigned busy; /* connections in use */
	unsigned waiting_count;
	struct hook_ask *waiting, **waiting_end; /* for a connection, oldest first */
	char host[128]; /* for log lines: the rest of a URL may be secret */
};

struct hook_ask {
	struct hook_ask *next; /* waiting */
	struct hook_room *room;
	struct server *server;
	hook_reply_fn *on_reply;
	void *arg;
	struct ticket ticket;
	struct job *job; /* own while waiting; else NULL */
	unsigned connections;
	mono_ms since_ms, due_ms;
};

struct hook_room {
	struct poster *poster;
	struct mailbox *replies;
	struct ticket_table *asks;
	struct str_map *servers; /* URL -> struct server, own */
};

static const char *const result_names[HOOK_RESULT_COUNT] = {
	[HOOK_ANSWERED] = "answered",   [HOOK_STATUS] = "http_status",
	[HOOK_TIMEOUT] = "timeout",     [HOOK_UNREACHABLE] = "unreachable",
	[HOOK_UNTRUSTED] = "untrusted", [HOOK_TOO_LARGE] = "too_large",
	[HOOK_FULL] = "queue_full",     [HOOK_SUSPENDED] = "suspended",
	[HOOK_CANCELLED] = "cancelled",
};

const char *hook_result_name(enum hook_result result)
{
	return result_names[result];
}

/* ---- metrics ---- */

static char labels[HOOK_RESULT_COUNT][40];
static struct metric results[HOOK_RESULT_COUNT];
static struct metric answer_count =
	METRIC_COUNTER_INIT("breakout_webhook_answers_total", NULL,
			    "Webhook requests that got an HTTP answer; divides the next one");
static struct metric answer_ms =
	METRIC_COUNTER_INIT("breakout_webhook_answer_milliseconds_total", NULL,
			    "What they took together, from asking to the whole answer");

static void name_results(void)
{
	for (int i = 0; i < HOOK_RESULT_COUNT; i++) {
		snprintf(labels[i], sizeof(labels[i]), "result=\"%s\"", result_names[i]);
		results[i].name = "breakout_webhook_requests_total";
		results[i].labels = labels[i];
		results[i].help = "Webhook requests, by what came of them";
		results[i].kind = METRIC_COUNTER;
	}
}

static void count(enum hook_result result)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, name_results);
	metric_add(&results[result], 1);
}

/* ---- servers ---- */

static void put_host(const char *url, char *ret_host, size_t room)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	snprintf(ret_host, room, "%.*s", (int)strcspn(host, "/?#"), host);
}

static struct server *find_server(struct hook_room *room, const char *url)
{
	struct server *server = str_map_find(room->servers, url);

	if (server)
		return server;
	server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->waiting_end = &server->waiting;
	put_host(url, server->host, sizeof(server->host));
	if (str_map_put(room->servers, url, server) < 0) {
		free(server);
		return NULL;
	}
	return server;
}

static void tell_breaker(struct server *server, enum hook_result result)
{
	if (result == HOOK_ANSWERED || result == HOOK_STATUS || result == HOOK_TOO_LARGE) {
		if (breaker_worked(&server->breaker))
			log_notice("hook", "webhook host=%s answers again", server->host);
	} else if (result != HOOK_CANCELLED && breaker_failed(&server->breaker, clock_now())) {
		log_error("hook",
			  "webhook host=%s did not answer %d times within %d s (%s): calls go on "
			  "without asking it, a probe a second: check that server",
			  server->host, BREAKER_FAILURES, BREAKER_WINDOW_MS / 1000,
			  hook_result_name(result));
	}
}

/* ---- asks ---- */

static void append_waiting(struct hook_ask *ask)
{
	struct server *server = ask->server;

	*server->waiting_end = ask;
	server->waiting_end = &ask->next;
	server->waiting_count++;
}

static void remove_waiting(struct hook_ask *ask)
{
	struct server *server = ask->server;
	struct hook_ask **at = &server->waiting;

	while (*at != ask)
		at = &(*at)->next;
	*at = ask->next;
	if (server->waiting_end == &ask->next)
		server->waiting_end = at;
	ask->next = NULL;
	server->waiting_count--;
}

static void start(struct hook_ask *ask)
{
	struct job *job = ask->job;

	ask->job = NULL;
	ask->server->busy++;
	poster_post(ask->room->poster, job);
}

/* An ask is over that had a connection; the next may have it. */
static void hand_on(struct server *server)
{
	struct hook_ask *next = server->waiting;

	server->busy--;
	if (!next || server->busy >= next->connections)
		return;
	remove_waiting(next);
	start(next);
}

static void ask_free(struct hook_ask *ask)
{
	ticket_revoke(ask->room->asks, ask->ticket);
	job_free(ask->job);
	free(ask);
}

static void on_answered_job(struct mail *mail, void *receiver)
{
	struct job *job = CONTAINER_OF(mail, struct job, mail);
	struct hook_room *room = receiver;
	struct hook_ask *ask = ticket_find(room->asks, job->ticket), over;
	struct hook_reply reply = { .result = job->result,
				    .status = job->status,
				    .body = job->answer.text ? job->answer.text : "",
				    .length = job->answer.length,
				    .detail = job->detail };

	if (!ask) { /* cancelled while the answer was on its way */
		job_free(job);
		return;
	}
	reply.took_ms = (unsigned)(clock_now() - ask->since_ms);
	count(job->result);
	if (job->result == HOOK_ANSWERED || job->result == HOOK_STATUS) {
		metric_add(&answer_count, 1);
		metric_add(&answer_ms, reply.took_ms);
	}
	tell_breaker(ask->server, job->result);
	hand_on(ask->server);
	over = *ask;
	ask_free(ask);
	over.on_reply(&reply, over.arg);
	job_free(job);
}

struct hook_ask *hook_cancel(struct hook_ask *ask)
{
	enum hook_result result;

	if (!ask)
		return NULL;
	result = clock_now() >= ask->due_ms ? HOOK_TIMEOUT : HOOK_CANCELLED;
	count(result);
	if (ask->job) { /* the server had no part in it */
		remove_waiting(ask);
	} else {
		tell_breaker(ask->server, result);
		poster_cancel(ask->room->poster, ask->ticket);
		hand_on(ask->server);
	}
	ask_free(ask);
	return NULL;
}

static struct job *job_new(const struct hook_request *request, mono_ms due_ms)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->due_ms = due_ms;
	job->url = strdup(request->url);
	job->ca_file = str_dup_or_null(request->ca_file);
	job->body = strdup(request->body);
	if (!job->url || !job->body || (request->ca_file && !job->ca_file) ||
	    (request->secret &&
	     sign_body(request->secret, clock_wall() / 1000, request->body, job->signature) < 0))
		return job_free(job);
	return job;
}

static int ask_new(struct hook_ask **ret_ask, struct hook_room *room,
		   const struct hook_request *request)
{
	struct hook_ask *ask = calloc(1, sizeof(*ask));
	int err;

	if (!ask)
		return -ENOMEM;
	ask->room = room;
	ask->connections = request->connections;
	ask->since_ms = clock_now();
	ask->due_ms = ask->since_ms + request->deadline_ms;
	ask->job = job_new(request, ask->due_ms);
	err = ask->job ? ticket_issue(room->asks, ask, &ask->ticket) : -ENOMEM;
	if (err) {
		job_free(ask->job);
		free(ask);
		return err;
	}
	ask->job->ticket = ask->ticket;
	*ret_ask = ask;
	return 0;
}

static int admit(struct server *server, const struct hook_request *request)
{
	if (server->busy >= request->connections && server->waiting_count >= request->queue) {
		count(HOOK_FULL);
		return -EBUSY;
	}
	if (!breaker_passes(&server->breaker, clock_now())) {
		count(HOOK_SUSPENDED);
		return -EAGAIN;
	}
	return 0;
}

int hook_post(struct hook_ask **ret_ask, struct hook_room *room, const struct hook_request *request,
	      hook_reply_fn *on_reply, void *arg)
{
	struct server *server = find_server(room, request->url);
	struct hook_ask *ask;
	int err = server ? admit(server, request) : -ENOMEM;

	if (!err)
		err = ask_new(&ask, room, request);
	if (err)
		return err;
	ask->server = server;
	ask->on_reply = on_reply;
	ask->arg = arg;
	if (server->busy < request->connections)
		start(ask);
	else
		append_waiting(ask);
	*ret_ask = ask;
	return 0;
}

/* ---- the room ---- */

int hook_room_create(struct hook_room **ret_room)
{
	struct hook_room *room = calloc(1, sizeof(*room));
	int err;

	if (!room)
		return -ENOMEM;
	err = mailbox_create(&room->replies, room);
	if (!err)
		err = ticket_table_create(&room->asks);
	if (!err)
		err = str_map_create(&room->servers);
	if (!err)
		err = poster_create(&room->poster, room->replies, on_answered_job);
	if (err) {
		hook_room_destroy(room);
		return err;
	}
	*ret_room = room;
	return 0;
}

static void free_server(const char *url, void *value, void *arg)
{
	(void)url;
	(void)arg;
	free(value);
}

static void dispose(struct mail *mail)
{
	job_free(CONTAINER_OF(mail, struct job, mail));
}

struct hook_room *hook_room_destroy(struct hook_room *room)
{
	if (!room)
		return NULL;
	poster_destroy(room->poster);
	assert(!room->asks || ticket_count(room->asks) == 0);
	mailbox_destroy(room->replies, dispose);
	ticket_table_destroy(room->asks);
	if (room->servers)
		str_map_each(room->servers, free_server, NULL);
	str_map_destroy(room->servers);
	free(room);
	return NULL;
}

int hook_room_fd(const struct hook_room *room)
{
	return mailbox_fd(room->replies);
}

void hook_room_drain(struct hook_room *room)
{
	mailbox_drain(room->replies, 0);
}
