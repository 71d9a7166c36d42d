/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/api.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/metrics.h"
#include "page_files.h"

#define JSON_TYPE "application/json"
#define TEXT_TYPE "text/plain; charset=utf-8"

typedef void carry_out_fn(struct answerer *answerer, const struct api_route *route,
			  const struct api_request *request, struct api_reply *reply);

struct api_route {
	const char *method;
	const char *path; /* `*` is one part of it: the argument */
	enum http_role role;
	carry_out_fn *carry_out;
	const char *request; /* for answer() */
	const char *query;
	const char *flags[API_FLAGS + 1];
	bool lines; /* its body is a file of numbers */
	const struct page_file *file;
};

void api_refuse(struct api_reply *ret_reply, int status, const char *sentence)
{
	*ret_reply = (struct api_reply){ .status = status, .type = JSON_TYPE };
	str_add(&ret_reply->text, "{\"error\":");
	str_add_json(&ret_reply->text, sentence);
	str_add(&ret_reply->text, "}\n");
}

/* ---- what routes do ---- */

/* An argument or a body in one line, as answer() wants it. */
static char *request_line(const struct api_route *route, const struct api_request *request)
{
	const char *star = strchr(route->path, '*');
	struct str line = { 0 };

	str_add(&line, route->request);
	if (star) {
		const char *argument = request->path + (star - route->path);

		str_add(&line, " ");
		str_add_n(&line, argument, strcspn(argument, "/"));
	} else if (request->argument) {
		str_addf(&line, " %s", request->argument);
	} else if (request->body) {
		json_t *body = json_loads(request->body, JSON_REJECT_DUPLICATES, NULL);
		char *compact = body ? json_dumps(body, JSON_COMPACT) : NULL;

		str_addf(&line, " %s", compact ? compact : "{");
		free(compact);
		json_decref(body);
	}
	return str_take(&line);
}

/* A registration has an `error` too: its last one. */
static bool is_error(const json_t *document)
{
	return json_object_get(document, "error") && !json_object_get(document, "number");
}

static int status_of(const json_t *document, const struct api_route *route)
{
	int given = (int)json_integer_value(json_object_get(document, "status"));

	if (!is_error(document))
		return 200;
	if (given)
		return given;
	if (json_is_true(json_object_get(document, "busy")))
		return 503;
	return strchr(route->path, '*') ? 404 : 400;
}

static void put_json(struct api_reply *reply, int status, json_t *document)
{
	char *text;

	if (is_error(document))
		json_object_del(document, "status"); /* it is that of the reply */
	text = json_dumps(document, JSON_COMPACT);
	*reply = (struct api_reply){ .status = status, .type = JSON_TYPE };
	str_add(&reply->text, text ? text : "{\"error\":\"no memory\"}");
	str_add(&reply->text, "\n");
	if (!text)
		reply->status = 503;
	free(text);
}

/* It goes into a request line. */
static bool is_word(const char *argument)
{
	return *argument && !argument[strcspn(argument, " \r\n\t")];
}

static void ask(struct answerer *answerer, const struct api_route *route,
		const struct api_request *request, struct api_reply *reply)
{
	bool sound = !request->argument || is_word(request->argument);
	char *line = sound ? request_line(route, request) : NULL;
	json_t *document = line ? answer(answerer, line, request->who) : NULL;

	if (!sound)
		api_refuse(reply, 400, "the parameter is no number");
	else if (document)
		put_json(reply, status_of(document, route), document);
	else
		api_refuse(reply, 503, "no memory");
	json_decref(document);
	free(line);
}

/* An order about the number in the path. */
static void order_number(struct answerer *answerer, const struct api_route *route,
			 const struct api_request *request, json_t *take_order,
			 struct api_reply *reply)
{
	char *text = json_dumps(take_order, JSON_COMPACT), *line = NULL;
	json_t *document = NULL;

	json_decref(take_order);
	if (text && asprintf(&line, "%s %s", route->request, text) >= 0)
		document = answer(answerer, line, request->who);
	if (document)
		put_json(reply, status_of(document, route), document);
	else
		api_refuse(reply, 503, "no memory");
	json_decref(document);
	free(line);
	free(text);
}

static const char *number_in(const struct api_route *route, const struct api_request *request)
{
	return request->path + (strchr(route->path, '*') - route->path);
}

static void put_number(struct answerer *answerer, const struct api_route *route,
		       const struct api_request *request, struct api_reply *reply)
{
	const char *number = number_in(route, request), *its;
	json_t *order =
		json_loads(request->body ? request->body : "", JSON_REJECT_DUPLICATES, NULL);

	its = json_string_value(json_object_get(order, "number"));
	if (!json_is_object(order) || (its && strcmp(its, number) != 0)) {
		json_decref(order);
		api_refuse(reply, 400,
			   "the body is a JSON object: route_type, service, tenant; its number, if "
			   "there is one, is that of the path");
		return;
	}
	json_object_set_new(order, "number", json_string(number));
	order_number(answerer, route, request, order, reply);
}

static void delete_number(struct answerer *answerer, const struct api_route *route,
			  const struct api_request *request, struct api_reply *reply)
{
	order_number(answerer, route, request,
		     json_pack("{s:[s]}", "numbers", number_in(route, request)), reply);
}

/* False: it is neither true nor false. */
static bool read_flag(const char *text, bool *ret_flag)
{
	*ret_flag = text && (!*text || !strcmp(text, "true") || !strcmp(text, "1"));
	return *ret_flag || !text || !strcmp(text, "false") || !strcmp(text, "0");
}

static void import_lines(struct answerer *answerer, const struct api_route *route,
			 const struct api_request *request, struct api_reply *reply)
{
	const struct answer_body body = { request->body, request->body_length };
	bool replace, dry_run;
	json_t *document;
	char line[96];

	if (!read_flag(request->flags[0], &replace) || !read_flag(request->flags[1], &dry_run)) {
		api_refuse(reply, 400, "replace and dry_run are true or false");
		return;
	}
	snprintf(line, sizeof(line), "%s {\"replace\":%s,\"dry_run\":%s}", route->request,
		 replace ? "true" : "false", dry_run ? "true" : "false");
	document = answer_with(answerer, line, &body, request->who);
	if (document)
		put_json(reply, status_of(document, route), document);
	else
		api_refuse(reply, 503, "no memory");
	json_decref(document);
}

static void put_metrics(struct answerer *answerer, const struct api_route *route,
			const struct api_request *request, struct api_reply *reply)
{
	(void)answerer;
	(void)route;
	(void)request;
	*reply = (struct api_reply){ .status = 200, .type = "text/plain; version=0.0.4" };
	metrics_text(&reply->text);
}

static void put_file(struct answerer *answerer, const struct api_route *route,
		     const struct api_request *request, struct api_reply *reply)
{
	(void)answerer;
	(void)request;
	*reply = (struct api_reply){ .status = 200,
				     .type = route->file->type,
				     .file = route->file->bytes,
				     .file_length = route->file->length };
}

/* Alive: the thread that takes the calls answers. */
static void put_livez(struct answerer *answerer, const struct api_route *route,
		      const struct api_request *request, struct api_reply *reply)
{
	json_t *status = answer(answerer, "status", request->who);
	bool alive = status && !is_error(status);

	(void)route;
	*reply = (struct api_reply){ .status = alive ? 200 : 503, .type = TEXT_TYPE };
	str_add(&reply->text, alive ? "ok\n" : "the SIP thread does not answer\n");
	json_decref(status);
}

/* Why not, or NULL: borrowed from the status. */
static const char *sickness(const json_t *status)
{
	const json_t *health = json_object_get(status, "health");

	if (!json_is_true(json_object_get(health, "sick")))
		return NULL;
	return json_string_value(json_object_get(health, "why"));
}

/* Ready: a new call would be served. */
static void put_readyz(struct answerer *answerer, const struct api_route *route,
		       const struct api_request *request, struct api_reply *reply)
{
	json_t *status = answer(answerer, "status", request->who);
	const char *why = NULL;

	(void)route;
	if (!status || is_error(status))
		why = "the SIP thread does not answer";
	else if (json_is_true(json_object_get(status, "draining")))
		why = "draining";
	else if (json_is_false(json_object_get(status, "sbc_ok")))
		why = "the core's SBC does not answer";
	else
		why = sickness(status);
	*reply = (struct api_reply){ .status = why ? 503 : 200, .type = TEXT_TYPE };
	str_addf(&reply->text, "%s\n", why ? why : "ok");
	json_decref(status);
}

#define ROUTE(verb, where, who, how) .method = verb, .path = where, .role = who, .carry_out = how
#define ASK(verb, where, who, what)  ROUTE(verb, where, who, ask), .request = what
#define FILE_AT(where, which)        ROUTE("GET", where, HTTP_ROLE_NONE, put_file), .file = &which

static const struct api_route routes[] = {
	{ FILE_AT("/", page_index_html) },
	{ FILE_AT("/page.js", page_page_js) },
	{ FILE_AT("/ladder.js", page_ladder_js) },
	{ FILE_AT("/page.css", page_page_css) },
	{ FILE_AT("/openapi.json", page_openapi_json) },
	{ ROUTE("GET", "/livez", HTTP_ROLE_NONE, put_livez) },
	{ ROUTE("GET", "/readyz", HTTP_ROLE_NONE, put_readyz) },
	{ ROUTE("GET", "/metrics", HTTP_ROLE_READ, put_metrics) },
	{ ASK("GET", "/v1/status", HTTP_ROLE_READ, "status") },
	{ ASK("GET", "/v1/calls", HTTP_ROLE_READ, "calls") },
	{ ASK("GET", "/v1/calls/*/trace", HTTP_ROLE_READ, "trace") },
	{ ASK("GET", "/v1/traced", HTTP_ROLE_READ, "traced") },
	{ ASK("POST", "/v1/trace", HTTP_ROLE_OPERATE, "trace_on") },
	{ ASK("POST", "/v1/untrace", HTTP_ROLE_OPERATE, "trace_off") },
	{ ASK("GET", "/v1/trunks", HTTP_ROLE_READ, "trunks") },
	{ ASK("GET", "/v1/devices", HTTP_ROLE_READ, "devices") },
	{ ASK("GET", "/v1/registrations", HTTP_ROLE_READ, "regs"), .query = "after" },
	{ ASK("POST", "/v1/registrations", HTTP_ROLE_OPERATE, "add") },
	{ ROUTE("POST", "/v1/registrations/import", HTTP_ROLE_OPERATE, import_lines),
	  .request = "import", .flags = { "replace", "dry_run" }, .lines = true },
	{ ASK("GET", "/v1/registrations/*", HTTP_ROLE_READ, "reg") },
	{ ROUTE("PUT", "/v1/registrations/*", HTTP_ROLE_OPERATE, put_number), .request = "put" },
	{ ROUTE("DELETE", "/v1/registrations/*", HTTP_ROLE_OPERATE, delete_number),
	  .request = "delete" },
	{ ASK("POST", "/v1/registrations/*/refresh", HTTP_ROLE_OPERATE, "refresh") },
	{ ASK("GET", "/v1/pauses", HTTP_ROLE_READ, "pauses") },
	{ ASK("POST", "/v1/pause", HTTP_ROLE_OPERATE, "pause") },
	{ ASK("POST", "/v1/resume", HTTP_ROLE_OPERATE, "resume") },
	{ ASK("POST", "/v1/forget", HTTP_ROLE_ADMIN, "forget") },
	{ ASK("POST", "/v1/explain", HTTP_ROLE_READ, "explain") },
	{ ASK("GET", "/v1/certificates", HTTP_ROLE_READ, "cert") },
	{ ASK("GET", "/v1/config", HTTP_ROLE_OPERATE, "config"), .query = "below" },
	{ ASK("POST", "/v1/reload", HTTP_ROLE_ADMIN, "reload") },
	{ ASK("GET", "/v1/reloads/*", HTTP_ROLE_OPERATE, "reload") },
	{ ASK("POST", "/v1/drain", HTTP_ROLE_ADMIN, "drain") },
	{ ASK("POST", "/v1/undrain", HTTP_ROLE_ADMIN, "undrain") },
	{ ASK("POST", "/v1/restart", HTTP_ROLE_ADMIN, "restart") },
};

/* ---- finding one ---- */

static bool path_matches(const char *pattern, const char *path)
{
	const char *star = strchr(pattern, '*');
	size_t before = star ? (size_t)(star - pattern) : 0, part;

	if (!star)
		return !strcmp(pattern, path);
	if (strncmp(pattern, path, before) != 0)
		return false;
	part = strcspn(path + before, "/");
	/* One line and one word: it goes into a request line. */
	if (part == 0 || part != strcspn(path + before, "/ \r\n\t"))
		return false;
	return !strcmp(star + 1, path + before + part);
}

const struct api_route *api_find(const struct api_request *request, struct api_reply *ret_reply)
{
	const char *method = strcmp(request->method, "HEAD") ? request->method : "GET";
	char allow[sizeof(ret_reply->allow)] = "";

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (!path_matches(routes[i].path, request->path))
			continue;
		if (!strcmp(routes[i].method, method))
			return &routes[i];
		snprintf(allow + strlen(allow), sizeof(allow) - strlen(allow), "%s%s",
			 *allow ? ", " : "", routes[i].method);
	}
	if (*allow)
		api_refuse(ret_reply, 405, "another method is meant: see Allow");
	else
		api_refuse(ret_reply, 404, "no such path: /openapi.json lists them");
	memcpy(ret_reply->allow, allow, sizeof(allow));
	return NULL;
}

enum http_role api_role(const struct api_route *route)
{
	return route->role;
}

const char *api_method(const struct api_route *route)
{
	return route->method;
}

const char *api_path(const struct api_route *route)
{
	return route->path;
}

bool api_changes(const struct api_route *route)
{
	return strcmp(route->method, "GET") != 0;
}

const char *api_query(const struct api_route *route)
{
	return route->query;
}

const char *const *api_flags(const struct api_route *route)
{
	return route->flags;
}

size_t api_body_max(const struct api_route *route)
{
	return route->lines ? ANSWER_BODY_MAX : API_BODY_MAX;
}

void api_answer(struct answerer *answerer, const struct api_route *route,
		const struct api_request *request, struct api_reply *ret_reply)
{
	route->carry_out(answerer, route, request, ret_reply);
}

void api_reply_done(struct api_reply *reply)
{
	str_done(&reply->text);
}
