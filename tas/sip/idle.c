/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/idle.h"

#include <sys/epoll.h>
#include <time.h>

static _Thread_local uint64_t *counted;

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void idle_count(uint64_t *idle_ns)
{
	counted = idle_ns;
}

/* The C library's is this one without a signal mask: epoll_wait(2). */
int epoll_wait(int fd, struct epoll_event *events, int room, int timeout_ms)
{
	uint64_t begin = counted ? now_ns() : 0;
	int ready = epoll_pwait(fd, events, room, timeout_ms, NULL);

	if (counted)
		*counted += now_ns() - begin;
	return ready;
}
