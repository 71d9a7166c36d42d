/* SPDX-License-Identifier: Apache-2.0 */
#include "media/worker.h"
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/thread.h"
#include "media/packets.h"

#define EVENTS_A_TURN 64 /* sockets served before timers and mail get their turn */
#define ROUNDS_A_TURN 4  /* packets that came meanwhile are cheaper than a turn through GLib */
#define MAILS_A_TURN  32 /* a burst of set-ups must not delay packets for long */

/* After the last agent has gone its sources may still have something to end. */
#define AFTERMATH_MS 5000
#define WAIT_MAX_MS  1000

/* At the end of the thread agents have so long to leave. */
#define FAREWELL_MS 1000

/* Our GSource, which GLib allocates: its own head first. */
struct worker_source {
	GSource source;
	struct worker *worker;
};

struct worker {
	GMainContext *context;
	struct worker_source *source;
	gpointer epoll_tag;
	struct mailbox *mailbox;
	struct watch mail; /* of the mailbox */
	bool has_mail;
	struct timer_wheel *wheel;
	struct dtls_queue handshakes;
	struct packets *packets;
	mono_ms now;
	_Atomic mono_ms beat; /* `now`, for others */
	int epoll_fd;
	unsigned agents;
	mono_ms agents_until; /* GLib turns until then, agents or not */
	pthread_t thread;
	bool started, stop;
};

struct stop_mail {
	struct mail mail;
};

/* To the next timer, in ms. */
static int wait_ms(const struct worker *worker)
{
	mono_ms next = timer_wheel_next(worker->wheel), now;

	if (worker->handshakes.first)
		return 0;
	if (next < 0)
		return WAIT_MAX_MS;
	now = clock_now();
	if (next <= now)
		return 0;
	return next - now < WAIT_MAX_MS ? (int)(next - now) : WAIT_MAX_MS;
}

static void on_mail(struct watch *watch)
{
	CONTAINER_OF(watch, struct worker, mail)->has_mail = true;
}

static void note_beat(struct worker *worker, mono_ms now)
{
	atomic_store_explicit(&worker->beat, now, memory_order_relaxed);
}

/* Returns how many were served. No watch goes away while the batch is walked:
 * sessions end by mail only. */
static int serve_sockets(struct worker *worker, int timeout_ms)
{
	struct epoll_event events[EVENTS_A_TURN];
	int count = epoll_wait(worker->epoll_fd, events, EVENTS_A_TURN, timeout_ms);

	worker->now = clock_now();
	note_beat(worker, worker->now);
	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;

		watch->readable(watch);
	}
	packets_flush(worker->packets);
	return count;
}

/* Sockets first: a packet that waits is audio that is late. */
static void turn(struct worker *worker, int timeout_ms, int rounds)
{
	int served = serve_sockets(worker, timeout_ms);

	for (int round = 1; round < rounds && served > 0 && !worker->has_mail; round++)
		served = serve_sockets(worker, 0);
	(void)dtls_queue_turn(&worker->handshakes, worker->now);
	(void)timer_wheel_advance(worker->wheel, clock_now(), 0);
	if (worker->has_mail) {
		worker->has_mail = false; /* the set tells again while there is more */
		(void)mailbox_drain(worker->mailbox, MAILS_A_TURN);
	}
}

static gboolean on_prepare(GSource *source, gint *timeout_ms)
{
	*timeout_ms = wait_ms(((struct worker_source *)source)->worker);
	return *timeout_ms == 0;
}

static gboolean on_check(GSource *source)
{
	struct worker *worker = ((struct worker_source *)source)->worker;

	return g_source_query_unix_fd(source, worker->epoll_tag) != 0 || wait_ms(worker) == 0;
}

static gboolean on_dispatch(GSource *source, GSourceFunc callback, gpointer arg)
{
	(void)callback;
	(void)arg;
	turn(((struct worker_source *)source)->worker, 0, ROUNDS_A_TURN);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { on_prepare, on_check, on_dispatch, NULL, NULL, NULL };

static bool needs_glib(const struct worker *worker)
{
	return worker->agents > 0 || worker->now < worker->agents_until;
}

/* Those that give relays back wait for the servers' answers. */
static void end_agents(struct worker *worker)
{
	mono_ms until = clock_now() + FAREWELL_MS;

	while (worker->agents > 0 && clock_now() < until)
		(void)g_main_context_iteration(worker->context, TRUE);
}

static void *run(void *arg)
{
	struct worker *worker = arg;

	g_main_context_push_thread_default(worker->context);
	while (!worker->stop) {
		if (needs_glib(worker)) {
			(void)g_main_context_iteration(worker->context, TRUE);
			note_beat(worker, clock_now()); /* it may wake without a turn */
		} else {
			turn(worker, wait_ms(worker), 1); /* the next wait looks as well */
		}
	}
	end_agents(worker);
	g_main_context_pop_thread_default(worker->context);
	return NULL;
}

static int start_thread(struct worker *worker, unsigned index, int processor)
{
	char name[16];
	int err;

	(void)snprintf(name, sizeof(name), "media-%u", index);
	err = thread_start(&worker->thread, name, THREAD_PROMPT, run, worker);
	worker->started = !err;
	if (err || processor == WORKER_ANYWHERE)
		return err;
	return thread_pin(worker->thread, (unsigned)processor);
}

static void attach_source(struct worker *worker)
{
	worker->source =
		(struct worker_source *)g_source_new(&source_funcs, sizeof(struct worker_source));
	worker->source->worker = worker;
	worker->epoll_tag =
		g_source_add_unix_fd(&worker->source->source, worker->epoll_fd, G_IO_IN);
	(void)g_source_attach(&worker->source->source, worker->context);
}

int worker_create(struct worker **ret_worker, unsigned index, int processor)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int err;

	if (!worker)
		return -ENOMEM;
	worker->context = g_main_context_new();
	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	atomic_init(&worker->beat, clock_now());
	err = worker->epoll_fd < 0 ? -errno : mailbox_create(&worker->mailbox, worker);
	if (!err)
		err = packets_create(&worker->packets);
	if (!err) {
		worker->mail =
			(struct watch){ .fd = mailbox_fd(worker->mailbox), .readable = on_mail };
		err = worker_watch(worker, &worker->mail);
	}
	if (!err)
		err = timer_wheel_create(&worker->wheel, clock_now());
	if (!err) {
		attach_source(worker);
		err = start_thread(worker, index, processor);
	}
	if (err) {
		worker_destroy(worker);
		return err;
	}
	*ret_worker = worker;
	return 0;
}

static void on_stop(struct mail *mail, void *receiver)
{
	struct worker *worker = receiver;

	worker->stop = true;
	free(mail);
}

struct worker *worker_destroy(struct worker *worker)
{
	if (!worker)
		return NULL;
	if (worker->started) {
		struct stop_mail *stop = calloc(1, sizeof(*stop));

		if (!stop)
			abort(); /* a thread that cannot be stopped cannot be freed either */
		stop->mail.deliver = on_stop;
		worker_post(worker, &stop->mail);
		(void)pthread_join(worker->thread, NULL); /* only a bad handle fails */
	}
	if (worker->source) {
		g_source_destroy(&worker->source->source);
		g_source_unref(&worker->source->source);
	}
	g_main_context_unref(worker->context);
	timer_wheel_destroy(worker->wheel);
	packets_destroy(worker->packets);
	mailbox_destroy(worker->mailbox, NULL);
	if (worker->epoll_fd >= 0)
		close(worker->epoll_fd);
	free(worker);
	return NULL;
}

void worker_post(struct worker *worker, struct mail *take_mail)
{
	mailbox_post(worker->mailbox, take_mail);
}

struct timer_wheel *worker_wheel(struct worker *worker)
{
	return worker->wheel;
}

struct dtls_queue *worker_dtls_queue(struct worker *worker)
{
	return &worker->handshakes;
}

struct packets *worker_packets(struct worker *worker)
{
	return worker->packets;
}

mono_ms worker_beat(const struct worker *worker)
{
	return atomic_load_explicit(&worker->beat, memory_order_relaxed);
}

mono_ms worker_now(const struct worker *worker)
{
	return worker->now;
}

void worker_agents(struct worker *worker, int by)
{
	worker->agents += (unsigned)by;
	if (worker->agents == 0)
		worker->agents_until = clock_now() + AFTERMATH_MS;
}

struct _GMainContext *worker_context(struct worker *worker)
{
	return worker->context;
}

int worker_watch(struct worker *worker, struct watch *watch)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };

	return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) ? -errno : 0;
}

void worker_unwatch(struct worker *worker, struct watch *watch)
{
	(void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
}
