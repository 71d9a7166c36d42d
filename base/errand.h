/* SPDX-License-Identifier: Apache-2.0 */
/* errand.h - something long, done on a thread of its own while the sender goes
 * on, and told by mail when it is done.
 *
 * Threads: create and destroy on the thread that owns the mailbox; run() on the
 * errand's own, done() where the mail is delivered.
 */
#ifndef BREAKOUT_BASE_ERRAND_H
#define BREAKOUT_BASE_ERRAND_H

#include "base/macros.h"
#include "base/mailbox.h"

struct errand; /* opaque */

struct errand_work {
	void (*run)(void *arg);
	void (*done)(void *arg); /* what run() left in arg is its to read */
	void *arg;               /* touched by nobody else in between */
};
/* 0, -ENOMEM or -EAGAIN (no thread). */
int errand_create(struct errand **ret_errand, struct mailbox *mailbox,
		  const struct errand_work *work) MUST_CHECK;
/* Waits for run() to end. From done(), or when no mail will be delivered any
 * more. */
struct errand *errand_destroy(struct errand *errand);

#endif
