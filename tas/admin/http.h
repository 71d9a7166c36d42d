/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - inside of tas/admin: the HTTP listeners.
 *
 * Threads: one a listener, of libmicrohttpd's; a request that needs the SIP
 * thread waits for it there, for at most two seconds.
 */
#ifndef BREAKOUT_TAS_ADMIN_HTTP_H
#define BREAKOUT_TAS_ADMIN_HTTP_H

#include "base/macros.h"
#include "config/config.h"
#include "tas/admin/answer.h"

struct http; /* opaque */

/* answerer: borrowed, outlives it. 0, -ENOMEM, or what a listener did not allow
 * (-EADDRINUSE, -EACCES, -EINVAL for certificate or address; the log says which). */
int http_create(struct http **ret_http, struct answerer *answerer,
		const struct config_http *config) MUST_CHECK;
struct http *http_destroy(struct http *http);

/* Tokens and rate; listeners stay. 0 or -ENOMEM. */
int http_reconfigure(struct http *http, const struct config_http *config) MUST_CHECK;

/* Reads certificate and key of https again. If they are others than before, connections
 * from now on get the new ones; those that are there go on with the old.
 * 0, or why the old ones stay, which the log says too. Threads: that of create. */
int http_renew(struct http *http, const struct config_http *config) MUST_CHECK;

/* As admin_each_socket(); and the end of listening, without the sockets' end: then
 * http_destroy(). */
void http_each_socket(const struct http *http, void (*visit)(const char *name, int fd, void *arg),
		      void *arg);
void http_hand_over(struct http *http);

#endif
