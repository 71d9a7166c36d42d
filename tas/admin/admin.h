/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h - the door to tas/admin: the operator's Unix socket.
 *
 * One request line in ("status", "regs [AFTER]", "calls", "refresh [NUMBER]",
 * "drain", "metrics"), one JSON document out, then the connection closes.
 * Reads other rooms, changes nothing but through their doors.
 *
 * Threads: one of its own; it asks the SIP thread by mail and waits for the
 * answer for at most two seconds.
 */
#ifndef BREAKOUT_TAS_ADMIN_ADMIN_H
#define BREAKOUT_TAS_ADMIN_ADMIN_H

#include "base/macros.h"
#include "config/config.h"
#include "registrar/registrar.h"
#include "tas/call/call.h"
#include "tas/sip/sip_loop.h"

struct admin; /* opaque */

struct admin_options {
	const char *socket_path;
	const struct config *config;
	struct registrar *registrar;
	struct call_room *calls;
	struct sip_endpoint *endpoint;
	struct sip_loop *loop;
	void (*drain)(void *arg); /* called on the SIP thread */
	void *arg;
};
/* 0, -EADDRINUSE (another daemon answers there), -EACCES, -ENOMEM. */
int admin_create(struct admin **ret_admin, const struct admin_options *options) MUST_CHECK;
struct admin *admin_destroy(struct admin *admin);

#endif
