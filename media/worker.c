/* SPDX-License-Identifier: Apache-2.0 */
#include "media/worker.h"
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_A_TURN 64 /* sockets served before timers and mail get their turn */
#define ROUNDS_A_TURN 4  /* packets that came meanwhile are cheaper than a turn through GLib */
#define MAILS_A_TURN  32 /* a burst of set-ups must not delay packets for long */

/* Our GSource, which GLib allocates: its own head first. */
struct worker_source {
	GSource source;
	struct worker *worker;
};

struct worker {
	GMainContext *context;
	struct worker_source *source;
	gpointer mailbox_tag, epoll_tag;
	struct mailbox *mailbox;
	struct timer_wheel *wheel;
	struct dtls_queue handshakes;
	int epoll_fd;
	pthread_t thread;
	bool started, stop;
};

struct stop_mail {
	struct mail mail;
};

static gboolean on_prepare(GSource *source, gint *timeout_ms)
{
	struct worker *worker = ((struct worker_source *)source)->worker;
	mono_ms next = timer_wheel_next(worker->wheel);
	mono_ms now;

	*timeout_ms = worker->handshakes.first ? 0 : -1;
	if (worker->handshakes.first)
		return TRUE;
	if (next < 0)
		return FALSE;
	now = clock_now();
	*timeout_ms = next > now ? (gint)(next - now < 1000 ? next - now : 1000) : 0;
	return next <= now;
}

static gboolean on_check(GSource *source)
{
	struct worker *worker = ((struct worker_source *)source)->worker;
	mono_ms next = timer_wheel_next(worker->wheel);

	return g_source_query_unix_fd(source, worker->mailbox_tag) != 0 ||
	       g_source_query_unix_fd(source, worker->epoll_tag) != 0 ||
	       (next >= 0 && next <= clock_now());
}

/* Returns how many were served. No watch goes away while the batch is walked:
 * sessions end by mail only. */
static int serve_sockets(struct worker *worker)
{
	struct epoll_event events[EVENTS_A_TURN];
	int count = epoll_wait(worker->epoll_fd, events, EVENTS_A_TURN, 0);

	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;

		watch->readable(watch);
	}
	return count;
}

static gboolean on_dispatch(GSource *source, GSourceFunc callback, gpointer arg)
{
	struct worker *worker = ((struct worker_source *)source)->worker;

	(void)callback;
	(void)arg;
	if (g_source_query_unix_fd(source, worker->epoll_tag) != 0)
		for (int round = 0; round < ROUNDS_A_TURN && serve_sockets(worker) > 0; round++)
			;
	(void)dtls_queue_run(&worker->handshakes, DTLS_STEPS_A_TURN);
	(void)timer_wheel_advance(worker->wheel, clock_now(), 0);
	if (g_source_query_unix_fd(source, worker->mailbox_tag) != 0)
		(void)mailbox_drain(worker->mailbox, MAILS_A_TURN);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { on_prepare, on_check, on_dispatch, NULL, NULL, NULL };

static void *run(void *arg)
{
	struct worker *worker = arg;

	g_main_context_push_thread_default(worker->context);
	while (!worker->stop)
		(void)g_main_context_iteration(worker->context, TRUE);
	g_main_context_pop_thread_default(worker->context);
	return NULL;
}

/* Signals belong to the main thread: block all before the thread starts. */
static int start_thread(struct worker *worker, unsigned index)
{
	sigset_t all, before;
	char name[16];
	int err;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&worker->thread, NULL, run, worker);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	worker->started = true;
	(void)snprintf(name, sizeof(name), "media-%u", index);
	(void)pthread_setname_np(worker->thread, name); /* only a label */
	return 0;
}

static void attach_source(struct worker *worker)
{
	worker->source =
		(struct worker_source *)g_source_new(&source_funcs, sizeof(struct worker_source));
	worker->source->worker = worker;
	worker->mailbox_tag =
		g_source_add_unix_fd(&worker->source->source, mailbox_fd(worker->mailbox), G_IO_IN);
	worker->epoll_tag =
		g_source_add_unix_fd(&worker->source->source, worker->epoll_fd, G_IO_IN);
	(void)g_source_attach(&worker->source->source, worker->context);
}

int worker_create(struct worker **ret_worker, unsigned index)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int err;

	if (!worker)
		return -ENOMEM;
	worker->context = g_main_context_new();
	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	err = worker->epoll_fd < 0 ? -errno : mailbox_create(&worker->mailbox, worker);
	if (!err)
		err = timer_wheel_create(&worker->wheel, clock_now());
	if (!err) {
		attach_source(worker);
		err = start_thread(worker, index);
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
