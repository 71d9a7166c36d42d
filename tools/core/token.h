/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - the token endpoint: POST /oauth2/token over HTTPS (RFC 6749 4.4).
 *
 * Client credentials in HTTP Basic, form-encoded inside (RFC 6749 2.3.1).
 * Threads: one of its own; create and destroy from one thread.
 */
#ifndef BREAKOUT_TOOLS_CORE_TOKEN_H
#define BREAKOUT_TOOLS_CORE_TOKEN_H

#include <stdint.h>
#include "base/macros.h"
#include "tools/core/book.h"

struct token_server; /* opaque */

struct token_server_options {
	const char *address;
	uint16_t port;                         /* 0: any free one */
	const char *certificate, *private_key; /* PEM paths */
	const char *client_id, *client_secret;
	unsigned life_s;   /* of a token */
	struct book *book; /* borrowed */
};
/* 0, -EADDRINUSE, -EINVAL (address or certificate), -ENOMEM. */
int token_server_create(struct token_server **ret_server,
			const struct token_server_options *options) MUST_CHECK;
struct token_server *token_server_destroy(struct token_server *server);
uint16_t token_server_port(const struct token_server *server);

#endif
