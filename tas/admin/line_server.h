/* SPDX-License-Identifier: Apache-2.0 */
/* line_server.h - inside of tas/admin: breakoutctl's socket and its thread: one client at a
 * time, none for long.
 *
 * Threads: one of its own, on which `reply` is called; the rest is its creator's.
 */
#ifndef BREAKOUT_TAS_ADMIN_LINE_SERVER_H
#define BREAKOUT_TAS_ADMIN_LINE_SERVER_H

#include "base/macros.h"
#include "tas/admin/answer.h"

struct line_server; /* opaque */

/* A new reference to what is answered; NULL: nothing is. As answer_with(). */
typedef json_t *line_answer_fn(const char *line, const struct answer_body *body, const char *who,
			       void *arg);

/* take_fd: a socket that listens at that path already, its own then, also on failure; -1: it
 * makes one. 0, -ENOMEM, -EAGAIN (no thread) or as unix_socket_listen() says. */
int line_server_create(struct line_server **ret_server, const char *path, int take_fd,
		       line_answer_fn *reply, void *arg) MUST_CHECK;
const char *line_server_path(const struct line_server *server);
int line_server_fd(const struct line_server *server); /* borrowed */
/* Removes the path. NULL is fine. */
struct line_server *line_server_destroy(struct line_server *server);
/* The path stays: others listen there. A socket that listens on, the caller's; who asks
 * meanwhile waits in its queue. -errno: there is none. */
int line_server_end(struct line_server *take_server);

#endif
