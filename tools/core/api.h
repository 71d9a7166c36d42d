/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - the core's gRPC service wgtwo.sipbreakout.v1.SipBreakoutService, and beside it
 * those of consents, as far as a product needs them.
 *
 * Bearer token first, then the fault switches, then the request itself; what
 * it accepts goes into the book.
 * Threads: one of its own, always inside the completion queue; create and
 * destroy from one thread.
 */
#ifndef BREAKOUT_TOOLS_CORE_API_H
#define BREAKOUT_TOOLS_CORE_API_H

#include <stdbool.h>
#include <stdint.h>
#include "base/macros.h"
#include "tools/core/book.h"

struct api_server; /* opaque */

struct api_server_options {
	const char *address;
	uint16_t port;                         /* 0: any free one */
	const char *certificate, *private_key; /* PEM paths: chain and key */
	unsigned ttl_s;                        /* time_to_live of each answer */
	bool token_required;                   /* false: the sandbox, where no token is needed */
	struct book *book;                     /* borrowed */
};
/* 0, -EADDRINUSE, -EINVAL (certificate), -ENOMEM. */
int api_server_create(struct api_server **ret_server,
		      const struct api_server_options *options) MUST_CHECK;
struct api_server *api_server_destroy(struct api_server *server);
uint16_t api_server_port(const struct api_server *server);

/* Whether the core would take this registration; "" or what is wrong with it. */
const char *api_registration_problem(const struct book_registration *registration);

#endif
