/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* A third of the weight of a thread at 0, and preempted when one of those wakes. */
#define PATIENT_NICE 5

struct start {
	void *(*run)(void *arg);
	void *arg;
	enum thread_rank rank;
	char name[16];
};

static void *begin(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	(void)pthread_setname_np(pthread_self(), start.name); /* only a label */
	/* Linux keeps the nice value by thread. Without it all runs as well, only in
	 * another order. */
	if (start.rank == THREAD_PATIENT)
		(void)setpriority(PRIO_PROCESS, 0, PATIENT_NICE);
	return start.run(start.arg);
}

int thread_start(pthread_t *ret_thread, const char *name, enum thread_rank rank,
		 void *(*run)(void *arg), void *arg)
{
	struct start *start = malloc(sizeof(*start));
	sigset_t all, before;
	int err;

	if (!start)
		return -ENOMEM;
	*start = (struct start){ .run = run, .arg = arg, .rank = rank };
	(void)snprintf(start->name, sizeof(start->name), "%s", name);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(ret_thread, NULL, begin, start);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		free(start);
	return err ? -EAGAIN : 0;
}

int thread_pin(pthread_t thread, unsigned processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set); /* beyond the last it does nothing */
	return -pthread_setaffinity_np(thread, sizeof(set), &set);
}
