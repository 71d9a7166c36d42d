/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - inside of tas/admin: from an HTTP method and path to a document.
 *
 * The paths are those of tas/admin/page/openapi.json, which a test compares.
 *
 * Threads: any; what needs the SIP thread is asked by mail.
 */
#ifndef BREAKOUT_TAS_ADMIN_API_H
#define BREAKOUT_TAS_ADMIN_API_H

#include <stdbool.h>
#include "base/str.h"
#include "config/config.h"
#include "tas/admin/answer.h"

struct api_route; /* opaque, constant */

#define API_ARGUMENT_ROOM 256

struct api_request {
	const char *method;   /* "GET" */
	const char *path;     /* decoded, without the query */
	const char *argument; /* of the query where the route has one ("after"); NULL: none */
	const char *body;     /* NULL: none */
	const char *who;      /* asks */
};

struct api_reply {
	int status;
	const char *type; /* of the content, static */
	struct str text;  /* owned, when `file` is NULL */
	const void *file; /* a part of the page, static */
	size_t file_length;
	const char *allow; /* 405: the method there is; NULL otherwise */
};

/* Which route; NULL sets ret_reply (404 or 405). */
const struct api_route *api_find(const struct api_request *request, struct api_reply *ret_reply);

enum http_role api_role(const struct api_route *route);
bool api_changes(const struct api_route *route);      /* something: not a GET */
const char *api_query(const struct api_route *route); /* its parameter's name; NULL: none */

/* Carries it out. ret_reply is ended with api_reply_done(). */
void api_answer(struct answerer *answerer, const struct api_route *route,
		const struct api_request *request, struct api_reply *ret_reply);
/* {"error": "sentence"} with a status. */
void api_refuse(struct api_reply *ret_reply, int status, const char *sentence);
void api_reply_done(struct api_reply *reply);

#endif
