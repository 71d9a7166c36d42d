/* SPDX-License-Identifier: Apache-2.0 */
/* idle.h - how long a thread has waited for something to do.
 *
 * libsofia-sip-ua waits in epoll_wait(2) and works in the same call of su_root_step(),
 * so that only who stands between the two sees them apart. This program's
 * epoll_wait() does, for a thread that asks for it, and is the kernel's for all
 * others.
 *
 * A loop that never waits is saturated, whoever else wants the core; one that waits
 * is not, however little of the core it gets. CPU time would say neither.
 *
 * Threads: any; each has its own figure.
 */
#ifndef BREAKOUT_TAS_SIP_IDLE_H
#define BREAKOUT_TAS_SIP_IDLE_H

#include <stdint.h>

/* The calling thread's waits add to *idle_ns from now on; NULL: no more. The caller
 * keeps it alive meanwhile. */
void idle_count(uint64_t *idle_ns);

#endif
