/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h - a thread of ours: with a name, without signals, and behind the calls if
 * it may be.
 */
#ifndef BREAKOUT_BASE_THREAD_H
#define BREAKOUT_BASE_THREAD_H

#include "base/macros.h"

#include <pthread.h>

enum thread_rank {
	THREAD_PROMPT, /* somebody waits for what it does */
	/* Files and tables: a call that needs the processor goes first. It runs at a
	 * higher nice value, so it gets its share, but later. */
	THREAD_PATIENT,
};

/* Starts run(arg) on a thread of its own; ended by pthread_join() of *ret_thread.
 * Signals are the main thread's: all are blocked in the new one.
 *
 * name: what top -H and gdb show; at most 15 characters, copied.
 * Returns 0, -ENOMEM or -EAGAIN (no thread). */
int thread_start(pthread_t *ret_thread, const char *name, enum thread_rank rank,
		 void *(*run)(void *arg), void *arg) MUST_CHECK;

/* It runs on this processor only. 0 or -EINVAL (this process may not use it). */
int thread_pin(pthread_t thread, unsigned processor) MUST_CHECK;

#endif
