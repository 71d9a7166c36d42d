/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c - what answers on breakoutctl's socket, and the HTTP side, if there is one. */
#include "tas/admin/admin.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "tas/admin/answer.h"
#include "tas/admin/http.h"
#include "tas/admin/line_server.h"

struct admin {
	struct answerer answerer;
	struct http *http; /* NULL: none */
	struct line_server *server;
};

static json_t *answer_line(const char *line, const struct answer_body *body, const char *who,
			   void *arg)
{
	struct admin *admin = arg;

	return answer_with(&admin->answerer, line, body, who);
}

static int fill(struct admin *admin, const struct admin_options *options)
{
	admin->answerer.options = *options;
	admin->answerer.options.config = NULL;
	admin->answerer.options.socket_path = NULL;
	admin->answerer.started_ms = clock_now();
	pthread_mutex_init(&admin->answerer.lock, NULL);
	answerer_use(&admin->answerer, options->config);
	admin->answerer.domain = strdup(options->config->domain);
	admin->answerer.cdr_file = str_dup_or_null(options->config->cdr_file);
	if (options->config->cdr_file && !admin->answerer.cdr_file)
		return -ENOMEM;
	return admin->answerer.domain ? 0 : -ENOMEM;
}

/* Calls matter more than who looks on: a listener that cannot be had is logged. */
static int start_http(struct admin *admin, const struct config *config)
{
	int err = 0;

	if (config->http.listen_count && !admin->answerer.options.only_socket)
		err = http_create(&admin->http, &admin->answerer, &config->http);
	return err == -ENOMEM ? err : 0;
}

void admin_reconfigure(struct admin *admin, const struct config *config)
{
	if (admin)
		answerer_use(&admin->answerer, config);
	if (admin && admin->http && http_reconfigure(admin->http, &config->http) < 0)
		log_error("admin", "no memory for the new tokens, the old ones count");
}

int admin_renew_certificate(struct admin *admin, const struct config *config)
{
	return admin && admin->http ? http_renew(admin->http, &config->http) : 0;
}

static int inherit(const struct admin_options *options, const char *path)
{
	struct str name = { 0 };
	int fd = -1;

	str_addf(&name, "unix:%s", path);
	if (options->inherit && !name.failed)
		fd = options->inherit(name.text, options->arg);
	str_done(&name);
	return fd;
}

int admin_create(struct admin **ret_admin, const struct admin_options *options)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int err;

	if (!admin)
		return -ENOMEM;
	err = fill(admin, options);
	if (!err)
		err = line_server_create(&admin->server, options->socket_path,
					 inherit(options, options->socket_path), answer_line,
					 admin);
	if (!err)
		err = start_http(admin, options->config);
	if (err) {
		admin_destroy(admin);
		return err;
	}
	*ret_admin = admin;
	return 0;
}

static void end(struct admin *admin)
{
	admin->http = http_destroy(admin->http);
	free(admin->answerer.domain);
	free(admin->answerer.cdr_file);
	answerer_use(&admin->answerer, NULL);
	pthread_mutex_destroy(&admin->answerer.lock);
	free(admin);
}

struct admin *admin_destroy(struct admin *admin)
{
	if (!admin)
		return NULL;
	admin->answerer.stopping = true;
	admin->server = line_server_destroy(admin->server);
	end(admin);
	return NULL;
}

void admin_each_socket(const struct admin *admin,
		       void (*visit)(const char *name, int fd, void *arg), void *arg)
{
	struct str name = { 0 };

	if (!admin)
		return;
	str_addf(&name, "unix:%s", line_server_path(admin->server));
	if (!name.failed)
		visit(name.text, line_server_fd(admin->server), arg);
	str_done(&name);
	if (admin->http)
		http_each_socket(admin->http, visit, arg);
}

struct admin *admin_hand_over(struct admin *admin)
{
	if (!admin)
		return NULL;
	admin->answerer.stopping = true;
	close(line_server_end(admin->server));
	if (admin->http)
		http_hand_over(admin->http);
	end(admin);
	return NULL;
}
