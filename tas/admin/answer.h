/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - inside of tas/admin: from a request line to a JSON document.
 *
 * Threads: the admin thread and those of HTTP listeners; what needs the SIP thread
 * is asked by mail.
 */
#ifndef BREAKOUT_TAS_ADMIN_ANSWER_H
#define BREAKOUT_TAS_ADMIN_ANSWER_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include "tas/admin/admin.h"

struct answerer {
	struct admin_options options; /* config and socket_path are not used */
	char *domain;
	char *cdr_file; /* NULL: none */
	mono_ms started_ms;
	_Atomic bool stopping; /* waiting for the SIP thread ends */
	pthread_mutex_t lock;  /* of: */
	struct config *config; /* in force; own reference */
};

/* Another one is in force; NULL: none any more. */
void answerer_use(struct answerer *answerer, const struct config *config);

/* A new reference; NULL: no memory. `request` is one line without newline; `who` asks,
 * for orders that are remembered with a name. */
json_t *answer(struct answerer *answerer, const char *request, const char *who);

/* The same of a request that may have a body; NULL: none. */
struct answer_body {
	const char *bytes;
	size_t length;
};
json_t *answer_with(struct answerer *answerer, const char *request, const struct answer_body *body,
		    const char *who);
/* The bytes that follow the line of a request; 0: none. */
size_t answer_body_length(const char *request);
#define ANSWER_BODY_MAX ((size_t)128 << 20) /* two million lines, as many as there may be */

#endif
