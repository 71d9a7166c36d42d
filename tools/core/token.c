/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/token.h"

#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "config/address.h"
#include "tools/core/pki.h"

enum { BODY_MAX = 4096 };

struct token_server {
	struct MHD_Daemon *daemon;
	char *certificate, *private_key, *client_id, *client_secret;
	unsigned life_s;
	struct book *book;
	uint16_t port;
};

struct request {
	char body[BODY_MAX + 1];
	size_t length;
	bool too_long;
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* application/x-www-form-urlencoded, in place. */
static void form_decode(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (*text == '%' && hex_digit(text[1]) >= 0 && hex_digit(text[2]) >= 0) {
			*out++ = (char)(hex_digit(text[1]) * 16 + hex_digit(text[2]));
			text += 2;
		} else {
			*out++ = *text == '+' ? ' ' : *text;
		}
	}
	*out = '\0';
}

/* The decoded value of a form field, "" if absent. */
static void form_field(const char *body, const char *name, char *ret_value, size_t room)
{
	size_t name_length = strlen(name);

	*ret_value = '\0';
	for (const char *field = body; field; field = strchr(field, '&')) {
		field += *field == '&';
		if (strncmp(field, name, name_length) != 0 || field[name_length] != '=')
			continue;
		const char *value = field + name_length + 1;
		(void)snprintf(ret_value, room, "%.*s", (int)strcspn(value, "&"), value);
		form_decode(ret_value);
		return;
	}
}

static bool client_known(struct MHD_Connection *connection, const struct token_server *server)
{
	char *secret = NULL;
	char *id = MHD_basic_auth_get_username_password(connection, &secret);
	bool known = false;

	if (id && secret) {
		form_decode(id);
		form_decode(secret);
		known = strcmp(id, server->client_id) == 0 &&
			strcmp(secret, server->client_secret) == 0;
	}
	MHD_free(id);
	MHD_free(secret);
	return known;
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, json_t *take_body)
{
	char *text = json_dumps(take_body, JSON_COMPACT);

	json_decref(take_body);
	if (!text)
		return MHD_NO;
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", "application/json;charset=UTF-8");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	if (status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, "WWW-Authenticate", "Basic realm=\"core\"");
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, struct token_server *server,
			      unsigned status, const char *code, const char *description)
{
	book_count(server->book, offsetof(struct book_counts, tokens_refused));
	log_notice("token", "refused status=%u error=%s", status, code);
	return reply(connection, status,
		     json_pack("{s:s, s:s}", "error", code, "error_description", description));
}

static enum MHD_Result grant(struct MHD_Connection *connection, struct token_server *server,
			     const struct request *request)
{
	char grant_type[64], scope[256], token[BOOK_TOKEN_ROOM];
	enum fault_kind fault = book_fault_take_token(server->book);

	if (fault == FAULT_TOKEN_DOWN)
		return refuse(connection, server, MHD_HTTP_SERVICE_UNAVAILABLE,
			      "temporarily_unavailable", "fault switch token_down");
	if (fault == FAULT_TOKEN_REFUSED || !client_known(connection, server))
		return refuse(connection, server, MHD_HTTP_UNAUTHORIZED, "invalid_client",
			      "client id and secret, form-encoded, in HTTP Basic");
	form_field(request->body, "grant_type", grant_type, sizeof(grant_type));
	form_field(request->body, "scope", scope, sizeof(scope));
	if (strcmp(grant_type, "client_credentials") != 0)
		return refuse(connection, server, MHD_HTTP_BAD_REQUEST, "unsupported_grant_type",
			      "only client_credentials");
	if (!strstr(scope, "call.routing:write"))
		return refuse(connection, server, MHD_HTTP_BAD_REQUEST, "invalid_scope",
			      "the scope call.routing:write must be asked for");
	if (book_token_issue(server->book, server->life_s, token))
		return MHD_NO;
	log_info("token", "issued life_s=%u scope=%s", server->life_s, scope);
	return reply(connection, MHD_HTTP_OK,
		     json_pack("{s:s, s:i, s:s, s:s}", "access_token", token, "expires_in",
			       (int)server->life_s, "scope", scope, "token_type", "bearer"));
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	struct token_server *server = cls;
	struct request *request = *state;

	(void)version;
	if (!request) {
		request = *state = calloc(1, sizeof(*request));
		return request ? MHD_YES : MHD_NO;
	}
	if (*upload_size) {
		size_t room = BODY_MAX - request->length;
		request->too_long |= *upload_size > room;
		size_t part = *upload_size < room ? *upload_size : room;
		memcpy(request->body + request->length, upload, part);
		request->length += part;
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(url, "/oauth2/token") != 0)
		return refuse(connection, server, MHD_HTTP_NOT_FOUND, "not_found",
			      "the endpoint is /oauth2/token");
	if (strcmp(method, "POST") != 0)
		return refuse(connection, server, MHD_HTTP_METHOD_NOT_ALLOWED, "invalid_request",
			      "POST it");
	if (request->too_long)
		return refuse(connection, server, MHD_HTTP_CONTENT_TOO_LARGE, "invalid_request",
			      "the form is too long");
	return grant(connection, server, request);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	(void)cls;
	(void)connection;
	(void)code;
	free(*state);
	*state = NULL;
}

int token_server_create(struct token_server **ret_server,
			const struct token_server_options *options)
{
	struct sockaddr_storage address;
	struct token_server *server = calloc(1, sizeof(*server));
	int err = -ENOMEM;

	if (!server)
		return err;
	server->book = options->book;
	server->life_s = options->life_s;
	server->client_id = str_dup_or_null(options->client_id);
	server->client_secret = str_dup_or_null(options->client_secret);
	if (!server->client_id || !server->client_secret)
		goto fail;
	err = -EINVAL;
	server->certificate = pki_read_file(options->certificate);
	server->private_key = pki_read_file(options->private_key);
	if (!server->certificate || !server->private_key ||
	    host_address(options->address, options->port, &address))
		goto fail;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS;
	if (address.ss_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	server->daemon = MHD_start_daemon(
		flags, options->port, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR,
		(struct sockaddr *)&address, MHD_OPTION_HTTPS_MEM_CERT, server->certificate,
		MHD_OPTION_HTTPS_MEM_KEY, server->private_key, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, NULL, MHD_OPTION_CONNECTION_TIMEOUT, 60u, MHD_OPTION_END);
	if (!server->daemon) {
		err = errno == EADDRINUSE ? -EADDRINUSE : -EINVAL;
		goto fail;
	}
	server->port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	*ret_server = server;
	return 0;
fail:
	token_server_destroy(server);
	return err;
}

struct token_server *token_server_destroy(struct token_server *server)
{
	if (!server)
		return NULL;
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	free(server->certificate);
	free(server->private_key);
	free(server->client_id);
	free(server->client_secret);
	free(server);
	return NULL;
}

uint16_t token_server_port(const struct token_server *server)
{
	return server->port;
}
