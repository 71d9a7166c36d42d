/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - a media thread: one epoll set, one mailbox, one timer wheel, slots for
 * packets; and a GMainContext, which turns only while agents of libnice live in it.
 *
 * Threads: create, destroy and post from outside; the rest on the worker.
 */
#ifndef BREAKOUT_MEDIA_WORKER_H
#define BREAKOUT_MEDIA_WORKER_H

#include "base/macros.h"
#include "base/mailbox.h"
#include "base/timer_wheel.h"
#include "media/dtls.h"

struct worker;        /* opaque */
struct packets;       /* packets.h */
struct _GMainContext; /* GLib's */

#define WORKER_ANYWHERE (-1)

/* Starts the thread, which stays on this processor. 0, -ENOMEM or an error of
 * pthread_create(3), epoll; -EINVAL: this process may not run on that processor. */
int worker_create(struct worker **ret_worker, unsigned index, int processor) MUST_CHECK;
/* Delivers the mail posted before, then joins. NULL is fine; returns NULL. */
struct worker *worker_destroy(struct worker *worker);

/* Any thread. The receiver given to mail->deliver is the worker. */
void worker_post(struct worker *worker, struct mail *take_mail);

struct timer_wheel *worker_wheel(struct worker *worker);
struct dtls_queue *worker_dtls_queue(struct worker *worker); /* run a few steps a turn */
struct packets *worker_packets(struct worker *worker);
mono_ms worker_now(const struct worker *worker);  /* when this turn began */
mono_ms worker_beat(const struct worker *worker); /* the same, from any thread; a second apart */
struct _GMainContext *worker_context(struct worker *worker);
/* An agent came (1) or went (-1). */
void worker_agents(struct worker *worker, int by);

/* A socket in the epoll set; lives inside its owner, who must not go away
 * while `readable` runs. */
struct watch {
	int fd;
	void (*readable)(struct watch *watch);
};
int worker_watch(struct worker *worker, struct watch *watch) MUST_CHECK;
void worker_unwatch(struct worker *worker, struct watch *watch);

#endif
