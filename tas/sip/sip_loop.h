/* SPDX-License-Identifier: Apache-2.0 */
/* sip_loop.h - the SIP thread's event loop: sofia's su_root, one timer wheel,
 * one mailbox, and file descriptors of other rooms.
 *
 * Its timers and sofia's own run on CLOCK_BOOTTIME, not on the wall clock
 * (tls_guard.h installs the hook and proves it).
 */
#ifndef BREAKOUT_TAS_SIP_SIP_LOOP_H
#define BREAKOUT_TAS_SIP_SIP_LOOP_H

#include "base/macros.h"
#include "base/mailbox.h"
#include "base/timer_wheel.h"

struct sip_loop; /* opaque */

int sip_loop_create(struct sip_loop **ret_loop) MUST_CHECK;
struct sip_loop *sip_loop_destroy(struct sip_loop *loop);

void sip_loop_run(struct sip_loop *loop);                       /* until sip_loop_stop() */
void sip_loop_step(struct sip_loop *loop, unsigned at_most_ms); /* tests */
void sip_loop_stop(struct sip_loop *loop); /* SIP thread; other threads post a mail */

/* Nanoseconds it has waited for something to do, since create. */
uint64_t sip_loop_idle_ns(const struct sip_loop *loop);

struct timer_wheel *sip_loop_wheel(struct sip_loop *loop);
/* Receives mail on the SIP thread; `receiver` of mail_fn is the loop. */
struct mailbox *sip_loop_mailbox(struct sip_loop *loop);

/* Calls `ready` on the SIP thread whenever `fd` is readable. */
typedef void sip_loop_fd_fn(int fd, void *arg);
int sip_loop_watch(struct sip_loop *loop, int fd, sip_loop_fd_fn *ready, void *arg) MUST_CHECK;
void sip_loop_unwatch(struct sip_loop *loop, int fd);

#endif
