/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c - breakoutctl's socket and its thread: one client at a time, none for
 * long; and the HTTP side, if there is one. */
#include "tas/admin/admin.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "tas/admin/answer.h"
#include "tas/admin/http.h"
#include "tas/admin/unix_socket.h"

#define REQUEST_MAX 16384 /* a call record as a question is the longest */
#define BACKLOG     16
#define CLIENT_MS   2000 /* a client that says or takes nothing for so long is left */

struct admin {
	struct answerer answerer;
	struct http *http; /* NULL: none */
	char *path;        /* ours to remove once listen_fd is there */
	int listen_fd, stop_fd;
	pthread_t thread;
	bool running;
	bool handed_over; /* the socket is another process's */
};

/* Waits for the client, or for the end of the room. */
static bool ready(const struct admin *admin, int fd, short events)
{
	struct pollfd fds[] = { { .fd = fd, .events = events },
				{ .fd = admin->stop_fd, .events = POLLIN } };

	return poll(fds, 2, CLIENT_MS) > 0 && fds[0].revents && !fds[1].revents;
}

/* ret_body: where bytes follow the line, the first of them. */
static bool read_request(const struct admin *admin, int fd, char *line, size_t room,
			 struct answer_body *ret_first)
{
	size_t used = 0;

	while (used < room - 1 && ready(admin, fd, POLLIN)) {
		ssize_t n = read(fd, line + used, room - 1 - used);
		char *end;

		if (n <= 0)
			return false;
		used += (size_t)n;
		line[used] = '\0';
		end = strchr(line, '\n');
		if (!end)
			continue;
		*ret_first = (struct answer_body){ end + 1, used - (size_t)(end + 1 - line) };
		line[strcspn(line, "\r\n")] = '\0';
		return true;
	}
	return false;
}

/* `length` bytes, of which the first have come. NULL: they have not, or no memory. */
static char *read_body(const struct admin *admin, int fd, const struct answer_body *first,
		       size_t length)
{
	char *body = malloc(length + 1);
	size_t used = first->length < length ? first->length : length;
	ssize_t n = 1;

	if (!body)
		return NULL;
	memcpy(body, first->bytes, used);
	while (used < length && n > 0 && ready(admin, fd, POLLIN)) {
		n = read(fd, body + used, length - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (used < length) {
		free(body);
		return NULL;
	}
	body[length] = '\0';
	return body;
}

static void write_all(const struct admin *admin, int fd, const char *text, size_t length)
{
	size_t done = 0;

	while (done < length && ready(admin, fd, POLLOUT)) {
		ssize_t n = send(fd, text + done, length - done, MSG_NOSIGNAL);

		if (n < 0)
			return;
		done += (size_t)n;
	}
}

/* Whose process asks: the kernel says so, unix(7). */
static void name_peer(int fd, char *ret_name, size_t room)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	struct passwd entry, *found = NULL;
	char text[1024];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
		snprintf(ret_name, room, "socket");
		return;
	}
	if (getpwuid_r(peer.uid, &entry, text, sizeof(text), &found) || !found)
		snprintf(ret_name, room, "uid %u", (unsigned)peer.uid);
	else
		snprintf(ret_name, room, "%s", found->pw_name);
}

static void serve(struct admin *admin, int fd)
{
	char line[REQUEST_MAX] = "", who[64];
	struct answer_body first, body = { NULL, 0 };
	char *text, *bytes = NULL;
	json_t *document;

	if (!read_request(admin, fd, line, sizeof(line), &first))
		return;
	name_peer(fd, who, sizeof(who));
	body.length = answer_body_length(line);
	if (body.length && body.length <= ANSWER_BODY_MAX) {
		bytes = read_body(admin, fd, &first, body.length);
		if (!bytes)
			return;
		body.bytes = bytes;
	}
	document = answer_with(&admin->answerer, line, &body, who);
	free(bytes);
	text = document ? json_dumps(document, JSON_COMPACT) : NULL;
	if (text) {
		write_all(admin, fd, text, strlen(text));
		write_all(admin, fd, "\n", 1);
	}
	free(text);
	json_decref(document);
}

static void *run(void *arg)
{
	struct admin *admin = arg;
	struct pollfd fds[] = { { .fd = admin->listen_fd, .events = POLLIN },
				{ .fd = admin->stop_fd, .events = POLLIN } };

	for (;;) {
		int fd;

		(void)poll(fds, 2, -1); /* EINTR: look again */
		if (fds[1].revents)
			return NULL;
		fd = accept4(admin->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			/* Out of descriptors: what is queued stays queued for a moment. */
			if (errno == EMFILE || errno == ENFILE)
				(void)poll(&fds[1], 1, 100);
			continue;
		}
		serve(admin, fd);
		close(fd);
	}
}

static int fill(struct admin *admin, const struct admin_options *options)
{
	admin->answerer.options = *options;
	admin->answerer.options.config = NULL;
	admin->answerer.options.socket_path = NULL;
	admin->answerer.started_ms = clock_now();
	pthread_mutex_init(&admin->answerer.lock, NULL);
	answerer_use(&admin->answerer, options->config);
	admin->path = strdup(options->socket_path);
	admin->answerer.domain = strdup(options->config->domain);
	admin->answerer.cdr_file = str_dup_or_null(options->config->cdr_file);
	if (options->config->cdr_file && !admin->answerer.cdr_file)
		return -ENOMEM;
	return admin->path && admin->answerer.domain ? 0 : -ENOMEM;
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
	admin->listen_fd = admin->stop_fd = -1;
	err = fill(admin, options);
	if (err)
		goto fail;
	admin->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (admin->stop_fd < 0) {
		err = -errno;
		goto fail;
	}
	admin->listen_fd = inherit(options, admin->path);
	if (admin->listen_fd < 0)
		err = unix_socket_listen(admin->path, BACKLOG, &admin->listen_fd);
	if (err)
		goto fail;
	err = start_http(admin, options->config);
	if (err)
		goto fail;
	err = thread_start(&admin->thread, "admin", THREAD_PROMPT, run, admin);
	if (err)
		goto fail;
	admin->running = true;
	*ret_admin = admin;
	return 0;
fail:
	admin_destroy(admin);
	return err;
}

struct admin *admin_destroy(struct admin *admin)
{
	if (!admin)
		return NULL;
	admin->answerer.stopping = true;
	if (admin->running) {
		eventfd_write(admin->stop_fd, 1);
		pthread_join(admin->thread, NULL);
	}
	admin->http = http_destroy(admin->http);
	if (admin->listen_fd >= 0) {
		if (!admin->handed_over)
			unlink(admin->path);
		close(admin->listen_fd);
	}
	if (admin->stop_fd >= 0)
		close(admin->stop_fd);
	free(admin->path);
	free(admin->answerer.domain);
	free(admin->answerer.cdr_file);
	answerer_use(&admin->answerer, NULL);
	pthread_mutex_destroy(&admin->answerer.lock);
	free(admin);
	return NULL;
}

void admin_each_socket(const struct admin *admin,
		       void (*visit)(const char *name, int fd, void *arg), void *arg)
{
	struct str name = { 0 };

	if (!admin)
		return;
	str_addf(&name, "unix:%s", admin->path);
	if (!name.failed)
		visit(name.text, admin->listen_fd, arg);
	str_done(&name);
	if (admin->http)
		http_each_socket(admin->http, visit, arg);
}

struct admin *admin_hand_over(struct admin *admin)
{
	if (!admin)
		return NULL;
	admin->handed_over = true;
	if (admin->http)
		http_hand_over(admin->http);
	return admin_destroy(admin);
}
