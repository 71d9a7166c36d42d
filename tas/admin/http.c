/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - libmicrohttpd lives here and nowhere else in the daemon. */
#include "tas/admin/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "config/address.h"
#include "tas/admin/access.h"
#include "tas/admin/api.h"
#include "tas/admin/unix_socket.h"

#define WHO_ROOM        64 /* a token's name */
#define FILE_MAX        (256 * 1024)
#define CONNECTIONS     128u
#define CONNECTIONS_OF1 32u
#define IDLE_S          15u
#define BACKLOG         16
#define RETIRED_MAX     4

/* Nothing from elsewhere, nothing inline, no frame around us. */
#define CONTENT_POLICY                                                                             \
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "            \
	"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct listener {
	struct http *http;
	struct MHD_Daemon *daemon;
	int kind;
	char *path; /* Unix: ours to remove; NULL otherwise */
	/* With earlier certificates: they only serve the connections they have. */
	struct MHD_Daemon *retired[RETIRED_MAX];
	char *name; /* as another process knows the socket */
};

struct http {
	struct answerer *answerer;
	struct access *access;
	char *certificate, *private_key; /* PEM texts */
	struct listener *listeners;
	size_t listener_count;
};

/* One request on its way in. */
struct upload {
	struct str body;
	size_t max;
	bool too_long;
	/* Who may send much is known before it comes: */
	bool checked;
	int status; /* of a refusal */
	char who[WHO_ROOM];
};

/* ---- replies ---- */

static void add_headers(struct MHD_Response *response, const struct api_reply *reply)
{
	const char *const headers[][2] = {
		{ MHD_HTTP_HEADER_CONTENT_TYPE, reply->type },
		{ MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
		{ MHD_HTTP_HEADER_CONTENT_SECURITY_POLICY, CONTENT_POLICY },
		{ "X-Content-Type-Options", "nosniff" },
		{ "Referrer-Policy", "no-referrer" },
		{ MHD_HTTP_HEADER_ALLOW, *reply->allow ? reply->allow : NULL },
		{ MHD_HTTP_HEADER_WWW_AUTHENTICATE, reply->status == 401 ? "Bearer" : NULL },
		{ MHD_HTTP_HEADER_RETRY_AFTER, reply->status == 429 ? "1" : NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		if (headers[i][1])
			(void)MHD_add_response_header(response, headers[i][0], headers[i][1]);
}

/* Takes the reply's text. */
static enum MHD_Result send_reply(struct MHD_Connection *connection, struct api_reply *take_reply)
{
	size_t length = take_reply->file ? take_reply->file_length : take_reply->text.length;
	char *text = take_reply->file ? NULL : str_take(&take_reply->text);
	struct MHD_Response *response;
	enum MHD_Result result;

	if (take_reply->file)
		response = MHD_create_response_from_buffer(length, (void *)take_reply->file,
							   MHD_RESPMEM_PERSISTENT);
	else
		response = MHD_create_response_from_buffer(text ? length : 0, text,
							   MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	add_headers(response, take_reply);
	result = MHD_queue_response(connection, (unsigned)take_reply->status, response);
	MHD_destroy_response(response);
	return result;
}

static void refusal(struct api_reply *ret_reply, int status)
{
	const char *sentence = "may not do this";

	if (status == 400)
		sentence = "this listener is for this machine: ask it as localhost";
	else if (status == 401)
		sentence = "a bearer token is needed";
	else if (status == 429)
		sentence = "too many requests";
	api_refuse(ret_reply, status, sentence);
}

/* ---- requests ---- */

static void peer_of(struct MHD_Connection *connection, char ret_peer[static INET6_ADDRSTRLEN])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;

	*ret_peer = '\0';
	if (address && address->sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, ret_peer,
				INET6_ADDRSTRLEN);
	else if (address && address->sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr,
				ret_peer, INET6_ADDRSTRLEN);
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* 0 or the status of a refusal. */
static int let_in(struct listener *listener, struct MHD_Connection *connection,
		  const struct api_route *route, char who[static WHO_ROOM])
{
	char peer[INET6_ADDRSTRLEN];
	const struct access_request request = {
		.listener = listener->kind,
		.host = header_of(connection, MHD_HTTP_HEADER_HOST),
		.origin = header_of(connection, MHD_HTTP_HEADER_ORIGIN),
		.authorization = header_of(connection, MHD_HTTP_HEADER_AUTHORIZATION),
		.peer = peer,
		.needed = route ? api_role(route) : HTTP_ROLE_NONE,
		.changes = route && api_changes(route),
	};
	int status;

	peer_of(connection, peer);
	status = access_check(listener->http->access, &request, who, WHO_ROOM);
	if (status == 401 || status == 403)
		log_notice("admin", "http refused status=%d peer=%s token=%s", status,
			   *peer ? peer : "socket", *who ? who : "-");
	else if (!status && request.changes)
		log_info("admin", "http %s %s by=%s peer=%s", api_method(route), api_path(route),
			 *who ? who : "socket", *peer ? peer : "-");
	return status;
}

static void serve(struct listener *listener, struct MHD_Connection *connection,
		  struct api_request request, const struct upload *upload,
		  struct api_reply *ret_reply)
{
	const struct api_route *route = api_find(&request, ret_reply);
	const char *const *flags = route ? api_flags(route) : NULL;
	char who[WHO_ROOM] = "";
	int status;

	memcpy(who, upload->who, sizeof(who));
	status = upload->checked ? upload->status : let_in(listener, connection, route, who);
	if (status) {
		api_reply_done(ret_reply);
		refusal(ret_reply, status);
		return;
	}
	if (!route)
		return;
	if (upload->too_long) {
		api_refuse(ret_reply, 413, "the body is too long");
		return;
	}
	if (api_query(route))
		request.argument = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND,
							       api_query(route));
	for (size_t i = 0; flags[i]; i++)
		request.flags[i] =
			MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, flags[i]);
	request.who = *who ? who : "http";
	api_answer(listener->http->answerer, route, &request, ret_reply);
}

static void take_part(struct upload *upload, const char *part, size_t length)
{
	upload->too_long = upload->too_long || upload->body.length + length > upload->max;
	if (!upload->too_long)
		str_add_n(&upload->body, part, length);
}

static struct upload *begin_upload(struct listener *listener, struct MHD_Connection *connection,
				   const struct api_request *request)
{
	struct upload *upload = calloc(1, sizeof(*upload));
	struct api_reply reply = { 0 };
	const struct api_route *route;

	if (!upload)
		return NULL;
	route = api_find(request, &reply);
	api_reply_done(&reply);
	upload->max = route ? api_body_max(route) : API_BODY_MAX;
	if (upload->max > API_BODY_MAX) {
		upload->checked = true;
		upload->status = let_in(listener, connection, route, upload->who);
		if (upload->status)
			upload->max = 0;
	}
	return upload;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *part,
				  size_t *part_length, void **state)
{
	struct upload *upload = *state;
	struct api_request request = { .method = method, .path = url };
	struct api_reply reply = { 0 };

	(void)version;
	if (!upload) {
		*state = begin_upload(cls, connection, &request);
		return *state ? MHD_YES : MHD_NO;
	}
	if (*part_length) {
		take_part(upload, part, *part_length);
		*part_length = 0;
		return MHD_YES;
	}
	request.body = upload->body.text;
	request.body_length = upload->body.length;
	serve(cls, connection, request, upload, &reply);
	return send_reply(connection, &reply);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct upload *upload = *state;

	(void)cls;
	(void)connection;
	(void)code;
	if (upload)
		str_done(&upload->body);
	free(upload);
	*state = NULL;
}

/* ---- listeners ---- */

static int read_pem(const char *path, char **ret_text)
{
	FILE *file = fopen(path, "re");
	char *text = file ? calloc(1, FILE_MAX + 1) : NULL;
	int err = file ? (text ? 0 : -ENOMEM) : -errno;

	if (!err && fread(text, 1, FILE_MAX + 1, file) > FILE_MAX)
		err = -EFBIG;
	if (file)
		fclose(file);
	if (err) {
		log_error("admin", "http: %s cannot be read: %s", path, strerror(-err));
		free(text);
		return err;
	}
	*ret_text = text;
	return 0;
}

#define COMMON_OPTIONS                                                                             \
	MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, \
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_OF1,                               \
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S

/* So that a listener can be handed over while it runs: MHD_quiesce_daemon(). */
#define COMMON_FLAGS (MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ITC)

/* The socket as a daemon before us had it; -1: there is none. */
static int inherit(const struct listener *listener)
{
	const struct admin_options *options = &listener->http->answerer->options;

	return options->inherit ? options->inherit(listener->name, options->arg) : -1;
}

static int open_unix(struct listener *listener, const char *path)
{
	int fd = inherit(listener), err = 0;

	if (fd < 0)
		err = unix_socket_listen(path, BACKLOG, &fd);
	if (err)
		return err;
	listener->path = strdup(path);
	if (listener->path)
		listener->daemon = MHD_start_daemon(COMMON_FLAGS, 0, NULL, NULL, on_request,
						    listener, MHD_OPTION_LISTEN_SOCKET, fd,
						    COMMON_OPTIONS, MHD_OPTION_END);
	if (listener->daemon)
		return 0;
	close(fd);
	return -ENOMEM;
}

/* On an address, or on a socket that listens already. NULL: errno says why, or is 0. */
static struct MHD_Daemon *start_network(struct listener *listener, const struct sockaddr *address,
					int socket)
{
	const struct http *http = listener->http;
	bool tls = listener->kind == HTTP_LISTEN_TLS;
	unsigned flags = COMMON_FLAGS;
	struct MHD_OptionItem tls_options[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, http->certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, http->private_key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0,
		  (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
		{ MHD_OPTION_END, 0, NULL }
	};
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
	struct MHD_OptionItem where[] = {
		address ? (struct MHD_OptionItem){ MHD_OPTION_SOCK_ADDR, 0, (void *)address }
			: (struct MHD_OptionItem){ MHD_OPTION_LISTEN_SOCKET, socket, NULL },
		{ MHD_OPTION_END, 0, NULL }
	};

	if (address && address->sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	return MHD_start_daemon(flags | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL, on_request,
				listener, MHD_OPTION_ARRAY, where, COMMON_OPTIONS, MHD_OPTION_ARRAY,
				tls ? tls_options : none, MHD_OPTION_END);
}

static int open_network(struct listener *listener, const struct config_http_listen *config)
{
	struct sockaddr_storage address;
	int fd;

	if (host_address(config->host, config->port, &address))
		return -EINVAL;
	fd = inherit(listener);
	listener->daemon =
		start_network(listener, fd < 0 ? (const struct sockaddr *)&address : NULL, fd);
	if (listener->daemon)
		return 0;
	if (fd >= 0)
		close(fd);
	return errno ? -errno : -EINVAL;
}

static void say_where(const struct listener *listener, const struct config_http_listen *config)
{
	static const char *const names[] = { [HTTP_LISTEN_UNIX] = "unix",
					     [HTTP_LISTEN_PLAIN] = "http",
					     [HTTP_LISTEN_TLS] = "https" };

	if (listener->path)
		log_info("admin", "http listen=unix:%s", listener->path);
	else
		log_info("admin", "http listen=%s://%s port=%u", names[config->kind], config->host,
			 MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
}

static char *name_of(const struct config_http_listen *config)
{
	struct str name = { 0 };

	if (config->kind == HTTP_LISTEN_UNIX)
		str_addf(&name, "unix:%s", config->host);
	else
		str_addf(&name, "http:%s:%u", config->host, config->port);
	return str_take(&name);
}

static int open_listener(struct http *http, struct listener *listener,
			 const struct config_http_listen *config)
{
	int err;

	listener->http = http;
	listener->kind = config->kind;
	listener->name = name_of(config);
	if (!listener->name)
		return -ENOMEM;
	err = config->kind == HTTP_LISTEN_UNIX ? open_unix(listener, config->host)
					       : open_network(listener, config);
	if (err)
		log_error("admin", "http cannot listen on %s%s%.0u: %s",
			  config->kind == HTTP_LISTEN_UNIX ? "unix:" : "", config->host,
			  config->port, strerror(-err));
	else
		say_where(listener, config);
	return err;
}

static int open_all(struct http *http, const struct config_http *config)
{
	int err = 0;

	http->listeners = calloc(config->listen_count + 1, sizeof(*http->listeners));
	if (!http->listeners)
		return -ENOMEM;
	for (size_t i = 0; !err && i < config->listen_count; i++)
		err = open_listener(http, &http->listeners[http->listener_count++],
				    &config->listen[i]);
	return err;
}

int http_create(struct http **ret_http, struct answerer *answerer, const struct config_http *config)
{
	struct http *http = calloc(1, sizeof(*http));
	int err;

	if (!http)
		return -ENOMEM;
	http->answerer = answerer;
	err = access_create(&http->access, config);
	if (!err && config->certificate)
		err = read_pem(config->certificate, &http->certificate);
	if (!err && config->private_key)
		err = read_pem(config->private_key, &http->private_key);
	if (!err)
		err = open_all(http, config);
	if (err)
		(void)http_destroy(http);
	else
		*ret_http = http;
	return err;
}

static void close_listener(struct listener *listener)
{
	for (size_t i = 0; i < RETIRED_MAX; i++)
		if (listener->retired[i])
			MHD_stop_daemon(listener->retired[i]);
	if (listener->daemon)
		MHD_stop_daemon(listener->daemon);
}

static void burn(char *private_key)
{
	if (private_key)
		explicit_bzero(private_key, strlen(private_key));
	free(private_key);
}

struct http *http_destroy(struct http *http)
{
	if (!http)
		return NULL;
	for (size_t i = 0; i < http->listener_count; i++) {
		close_listener(&http->listeners[i]);
		if (http->listeners[i].path)
			unlink(http->listeners[i].path);
		free(http->listeners[i].path);
		free(http->listeners[i].name);
	}
	free(http->listeners);
	access_destroy(http->access);
	free(http->certificate);
	burn(http->private_key);
	free(http);
	return NULL;
}

int http_reconfigure(struct http *http, const struct config_http *config)
{
	return access_reconfigure(http->access, config);
}

/* ---- renewal ---- */

static bool is_idle(struct MHD_Daemon *daemon)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return !info || !info->num_connections;
}

/* The oldest one goes if there are too many: its connections are closed. */
static void retire(struct listener *listener, struct MHD_Daemon *daemon)
{
	struct MHD_Daemon *left = daemon;

	for (size_t i = 0; i < RETIRED_MAX && left; i++) {
		struct MHD_Daemon *before = listener->retired[i];

		listener->retired[i] = left;
		left = before;
		if (left && is_idle(left)) {
			MHD_stop_daemon(left);
			left = NULL;
		}
	}
	if (left)
		MHD_stop_daemon(left);
}

/* Another one accepts on the same socket before this one stops to: no connection is
 * refused. */
static int renew_listener(struct listener *listener)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_LISTEN_FD);
	int fd = info ? fcntl(info->listen_fd, F_DUPFD_CLOEXEC, 0) : -1;
	struct MHD_Daemon *fresh = fd >= 0 ? start_network(listener, NULL, fd) : NULL;

	if (!fresh) {
		int err = errno ? -errno : -EINVAL;

		if (fd >= 0)
			close(fd);
		return err;
	}
	fd = MHD_quiesce_daemon(listener->daemon);
	if (fd >= 0)
		close(fd);
	retire(listener, listener->daemon);
	listener->daemon = fresh;
	return 0;
}

static int renew_all(struct http *http)
{
	int err = 0;

	for (size_t i = 0; !err && i < http->listener_count; i++)
		if (http->listeners[i].kind == HTTP_LISTEN_TLS)
			err = renew_listener(&http->listeners[i]);
	return err;
}

static void exchange(char **a, char **b)
{
	char *old = *a;

	*a = *b;
	*b = old;
}

int http_renew(struct http *http, const struct config_http *config)
{
	char *certificate = NULL, *private_key = NULL;
	int err = 0;

	if (!http->certificate || !http->private_key || !config->certificate ||
	    !config->private_key)
		return 0; /* whether https is spoken is a matter of a start */
	err = read_pem(config->certificate, &certificate);
	if (!err)
		err = read_pem(config->private_key, &private_key);
	if (!err && (strcmp(certificate, http->certificate) != 0 ||
		     strcmp(private_key, http->private_key) != 0)) {
		exchange(&http->certificate, &certificate);
		exchange(&http->private_key, &private_key);
		err = renew_all(http);
		if (err) {
			exchange(&http->certificate, &certificate);
			exchange(&http->private_key, &private_key);
			log_error(
				"admin",
				"https: %s and %s cannot be used (%s): the old certificate stays. "
				"Is the key that of the certificate?",
				config->certificate, config->private_key, strerror(-err));
		}
	}
	free(certificate);
	burn(private_key);
	return err;
}

void http_each_socket(const struct http *http, void (*visit)(const char *name, int fd, void *arg),
		      void *arg)
{
	for (size_t i = 0; i < http->listener_count; i++) {
		const union MHD_DaemonInfo *info =
			http->listeners[i].daemon ? MHD_get_daemon_info(http->listeners[i].daemon,
									MHD_DAEMON_INFO_LISTEN_FD)
						  : NULL;

		if (info)
			visit(http->listeners[i].name, info->listen_fd, arg);
	}
}

void http_hand_over(struct http *http)
{
	for (size_t i = 0; i < http->listener_count; i++) {
		struct listener *listener = &http->listeners[i];
		int fd = listener->daemon ? MHD_quiesce_daemon(listener->daemon) : -1;

		if (fd >= 0)
			close(fd);
		free(listener->path);
		listener->path = NULL; /* not ours to remove any more */
	}
}
