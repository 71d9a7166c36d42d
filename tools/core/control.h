/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - the simulator's Unix socket: one JSON request a line, one JSON
 * answer a line. docs/simulator.md lists the requests.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TOOLS_CORE_CONTROL_H
#define BREAKOUT_TOOLS_CORE_CONTROL_H

#include "base/macros.h"
#include "tas/sip/sip_loop.h"
#include "tools/core/book.h"
#include "tools/core/sbc.h"
#include "tools/core/trial.h"
#include "tools/core/ua.h"

struct control; /* opaque */

struct control_options {
	const char *socket_path;
	struct sip_loop *loop; /* all borrowed */
	struct book *book;
	struct sbc *sbc;
	struct trials *trials;
	struct ua *phones, *pbx;
	struct sip_endpoint *endpoints[4]; /* for `status`: their legs */
};
int control_create(struct control **ret_control, const struct control_options *options) MUST_CHECK;
struct control *control_destroy(struct control *control);

/* Carries out the requests of a file, one a line; those that are answered
 * later (call, wait-registered) are refused. -EINVAL with a sentence in error. */
int control_run_file(struct control *control, const char *path, char *error,
		     size_t error_room) MUST_CHECK;

#endif
