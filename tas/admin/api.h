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
#define API_FLAGS         2

struct api_request {
	const char *method;   /* "GET" */
	const char *path;     /* decoded, without the query */
	const char *argument; /* of the query where the route has one ("after"); NULL: none */
	const char *body;     /* NULL: none */
	size_t body_length;
	const char *flags[API_FLAGS]; /* as api_flags() names them in the query; NULL: not there */
	const char *who;              /* asks */
};

struct api_reply {
	int status;
	const char *type; /* of the content, static */
	struct str text;  /* owned, when `file` is NULL */
	const void *file; /* a part of the page, static */
	size_t file_length;
	char allow[32]; /* 405: the methods there are; "" otherwise */
};

/* Which route; NULL sets ret_reply (404 or 405). */
const struct api_route *api_find(const struct api_request *request, struct api_reply *ret_reply);

enum http_role api_role(const struct api_route *route);
/* For the log: "DELETE", and "/v1/registrations/" with * for the part that differs. */
const char *api_method(const struct api_route *route);
const char *api_path(const struct api_route *route);
bool api_changes(const struct api_route *route);      /* something: not a GET */
const char *api_query(const struct api_route *route); /* its parameter's name; NULL: none */
/* Names of parameters that are true or false, up to API_FLAGS, NULL behind them. */
const char *const *api_flags(const struct api_route *route);
#define API_BODY_MAX                                                                               \
	16384 /* a call record as a question is the longest, but for lines of numbers */
size_t api_body_max(const struct api_route *route);

/* Carries it out. ret_reply is ended with api_reply_done(). */
void api_answer(struct answerer *answerer, const struct api_route *route,
		const struct api_request *request, struct api_reply *ret_reply);
/* {"error": "sentence"} with a status. */
void api_refuse(struct api_reply *ret_reply, int status, const char *sentence);
void api_reply_done(struct api_reply *reply);

#endif
