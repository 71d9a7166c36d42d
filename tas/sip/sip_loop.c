/* SPDX-License-Identifier: Apache-2.0 */
/* sip_loop.c - one turn: timers of the wheel, then sofia's root.
 *
 * The root owns the epoll set and knows its own timers; the wheel is advanced
 * before each turn and bounds how long the root may sleep. A wheel timer
 * started by one of sofia's timer callbacks right before the poll is seen at
 * the next turn, so a turn never sleeps longer than TURN_MS.
 */
#include "tas/sip/sip_loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct sip_loop;
#define SU_ROOT_MAGIC_T struct sip_loop
#define SU_WAKEUP_ARG_T struct watch
struct watch;
#include <sofia-sip/su_wait.h>

#include "base/clock.h"
#include "tas/sip/idle.h"
#include "tas/sip/one_piece.h"
#include "tas/sip/sip_root.h"
#include "tas/sip/tls_guard.h"

#define TURN_MS     100
#define AGAIN_MS    10  /* until what a peer would not take is offered again */
#define MAIL_BUDGET 256 /* mails a turn: sockets get their share */

struct watch {
	struct watch *next;
	struct sip_loop *loop;
	sip_loop_fd_fn *ready;
	void *arg;
	int fd;
	int index; /* the root's */
	bool dead; /* unwatched; freed at the end of the turn */
};

struct sip_loop {
	su_root_t *root;
	struct timer_wheel *wheel;
	struct mailbox *mailbox;
	struct watch *watches;
	bool running;
	uint64_t idle_ns;
};

static int on_ready(struct sip_loop *loop, su_wait_t *wait, struct watch *watch)
{
	(void)loop;
	(void)wait;
	tls_guard_turn_event();
	if (!watch->dead)
		watch->ready(watch->fd, watch->arg);
	return 0;
}

int sip_loop_watch(struct sip_loop *loop, int fd, sip_loop_fd_fn *ready, void *arg)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	su_wait_t wait = SU_WAIT_INIT;

	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){ .loop = loop, .ready = ready, .arg = arg, .fd = fd };
	if (su_wait_create(&wait, fd, SU_WAIT_IN) < 0) {
		free(watch);
		return -EINVAL;
	}
	watch->index = su_root_register(loop->root, &wait, on_ready, watch, 0);
	if (watch->index < 0) {
		su_wait_destroy(&wait);
		free(watch);
		return -ENOMEM;
	}
	watch->next = loop->watches;
	loop->watches = watch;
	return 0;
}

void sip_loop_unwatch(struct sip_loop *loop, int fd)
{
	for (struct watch *watch = loop->watches; watch; watch = watch->next) {
		if (watch->fd != fd || watch->dead)
			continue;
		(void)su_root_deregister(loop->root, watch->index); /* it was registered */
		watch->dead = true;
		return;
	}
}

/* The root may still hold an event of this turn for a watch that went away in
 * it, so the memory stays until the turn is over. */
static void sweep_watches(struct sip_loop *loop)
{
	struct watch **link = &loop->watches;

	while (*link) {
		struct watch *watch = *link;

		if (watch->dead) {
			*link = watch->next;
			free(watch);
		} else {
			link = &watch->next;
		}
	}
}

static void on_mail(int fd, void *arg)
{
	struct sip_loop *loop = arg;

	(void)fd;
	mailbox_drain(loop->mailbox, MAIL_BUDGET);
}

int sip_loop_create(struct sip_loop **ret_loop)
{
	struct sip_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;
	tls_guard_install(); /* its clock comes before the first su timer */
	one_piece_install();
	if (su_init() < 0) {
		free(loop);
		return -ENOMEM;
	}
	loop->root = su_root_create(loop);
	err = loop->root ? 0 : -ENOMEM;
	if (!err) {
		/* No helper thread: transactions are freed here, on this thread. */
		su_root_threading(loop->root, 0);
		err = timer_wheel_create(&loop->wheel, clock_now());
	}
	if (!err)
		err = mailbox_create(&loop->mailbox, loop);
	if (!err)
		err = sip_loop_watch(loop, mailbox_fd(loop->mailbox), on_mail, loop);
	if (err) {
		sip_loop_destroy(loop);
		return err;
	}
	*ret_loop = loop;
	return 0;
}

struct sip_loop *sip_loop_destroy(struct sip_loop *loop)
{
	if (!loop)
		return NULL;
	for (struct watch *watch = loop->watches; watch; watch = watch->next)
		if (!watch->dead)
			sip_loop_unwatch(loop, watch->fd);
	sweep_watches(loop);
	mailbox_destroy(loop->mailbox, NULL);
	timer_wheel_destroy(loop->wheel);
	if (loop->root)
		su_root_destroy(loop->root);
	su_deinit();
	free(loop);
	return NULL;
}

/* Fires what is due. True: something is left to be sent. */
static bool advance(struct sip_loop *loop)
{
	tls_guard_turn_event();
	timer_wheel_advance(loop->wheel, clock_now(), 0);
	return tls_guard_turn_ends();
}

void sip_loop_step(struct sip_loop *loop, unsigned at_most_ms)
{
	mono_ms next, now, sleep_ms = at_most_ms;

	tls_guard_turn_begins();
	if (advance(loop) && sleep_ms > AGAIN_MS)
		sleep_ms = AGAIN_MS;
	now = clock_now();
	next = timer_wheel_next(loop->wheel);
	if (next >= 0 && next - now < sleep_ms)
		sleep_ms = next > now ? next - now : 0;
	tls_guard_turn_begins();
	idle_count(&loop->idle_ns);
	su_root_step(loop->root, (su_duration_t)sleep_ms);
	idle_count(NULL);
	(void)advance(loop); /* what is left is tried again by the next step */
	sweep_watches(loop);
}

void sip_loop_run(struct sip_loop *loop)
{
	loop->running = true;
	while (loop->running)
		sip_loop_step(loop, TURN_MS);
}

void sip_loop_stop(struct sip_loop *loop)
{
	loop->running = false;
}

uint64_t sip_loop_idle_ns(const struct sip_loop *loop)
{
	return loop->idle_ns;
}

struct timer_wheel *sip_loop_wheel(struct sip_loop *loop)
{
	return loop->wheel;
}

struct mailbox *sip_loop_mailbox(struct sip_loop *loop)
{
	return loop->mailbox;
}

struct su_root_s *sip_loop_root(struct sip_loop *loop)
{
	return loop->root;
}
