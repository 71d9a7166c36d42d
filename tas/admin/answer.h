/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - inside of tas/admin: from a request line to a JSON document.
 *
 * Threads: the admin thread and those of HTTP listeners; what needs the SIP thread
 * is asked by mail.
 */
#ifndef BREAKOUT_TAS_ADMIN_ANSWER_H
#define BREAKOUT_TAS_ADMIN_ANSWER_H

#include <jansson.h>
#include <stdatomic.h>
#include "tas/admin/admin.h"

struct answerer {
	struct admin_options options; /* config and socket_path are not used */
	char *domain;
	char *cdr_file; /* NULL: none */
	mono_ms started_ms;
	_Atomic bool stopping; /* waiting for the SIP thread ends */
};

/* A new reference; NULL: no memory. `request` is one line without newline; `who` asks,
 * for orders that are remembered with a name. */
json_t *answer(struct answerer *answerer, const char *request, const char *who);

#endif
