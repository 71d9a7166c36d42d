/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/line_server.h"

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
#include "base/thread.h"
#include "tas/admin/unix_socket.h"

#define REQUEST_MAX 16384 /* a call record as a question is the longest */
#define BACKLOG     16
#define CLIENT_MS   2000 /* a client that says or takes nothing for so long is left */

struct line_server {
	char *path;
	int listen_fd, stop_fd;
	line_answer_fn *reply;
	void *arg;
	pthread_t thread;
	bool running;
};

/* Waits for the client, or for the end of the server. */
static bool ready(const struct line_server *server, int fd, short events)
{
	struct pollfd fds[] = { { .fd = fd, .events = events },
				{ .fd = server->stop_fd, .events = POLLIN } };

	return poll(fds, 2, CLIENT_MS) > 0 && fds[0].revents && !fds[1].revents;
}

/* ret_body: where bytes follow the line, the first of them. */
static bool read_request(const struct line_server *server, int fd, char *line, size_t room,
			 struct answer_body *ret_first)
{
	size_t used = 0;

	while (used < room - 1 && ready(server, fd, POLLIN)) {
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
static char *read_body(const struct line_server *server, int fd, const struct answer_body *first,
		       size_t length)
{
	char *body = malloc(length + 1);
	size_t used = first->length < length ? first->length : length;
	ssize_t n = 1;

	if (!body)
		return NULL;
	memcpy(body, first->bytes, used);
	while (used < length && n > 0 && ready(server, fd, POLLIN)) {
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

static void write_all(const struct line_server *server, int fd, const char *text, size_t length)
{
	size_t done = 0;

	while (done < length && ready(server, fd, POLLOUT)) {
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

static void serve(struct line_server *server, int fd)
{
	char line[REQUEST_MAX] = "", who[64];
	struct answer_body first, body = { NULL, 0 };
	char *text, *bytes = NULL;
	json_t *document;

	if (!read_request(server, fd, line, sizeof(line), &first))
		return;
	name_peer(fd, who, sizeof(who));
	body.length = answer_body_length(line);
	if (body.length && body.length <= ANSWER_BODY_MAX) {
		bytes = read_body(server, fd, &first, body.length);
		if (!bytes)
			return;
		body.bytes = bytes;
	}
	document = server->reply(line, &body, who, server->arg);
	free(bytes);
	text = document ? json_dumps(document, JSON_COMPACT) : NULL;
	if (text) {
		write_all(server, fd, text, strlen(text));
		write_all(server, fd, "\n", 1);
	}
	free(text);
	json_decref(document);
}

static void *run(void *arg)
{
	struct line_server *server = arg;
	struct pollfd fds[] = { { .fd = server->listen_fd, .events = POLLIN },
				{ .fd = server->stop_fd, .events = POLLIN } };

	for (;;) {
		int fd;

		(void)poll(fds, 2, -1); /* EINTR: look again */
		if (fds[1].revents)
			return NULL;
		fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			/* Out of descriptors: what is queued stays queued for a moment. */
			if (errno == EMFILE || errno == ENFILE)
				(void)poll(&fds[1], 1, 100);
			continue;
		}
		serve(server, fd);
		close(fd);
	}
}

int line_server_create(struct line_server **ret_server, const char *path, int take_fd,
		       line_answer_fn *reply, void *arg)
{
	struct line_server *server = calloc(1, sizeof(*server));
	int err = 0;

	if (!server) {
		if (take_fd >= 0)
			close(take_fd);
		return -ENOMEM;
	}
	*server = (struct line_server){
		.path = strdup(path), .listen_fd = take_fd, .reply = reply, .arg = arg
	};
	server->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (!server->path)
		err = -ENOMEM;
	else if (server->stop_fd < 0)
		err = -errno;
	else if (take_fd < 0)
		err = unix_socket_listen(path, BACKLOG, &server->listen_fd);
	if (!err)
		err = thread_start(&server->thread, "admin", THREAD_PROMPT, run, server);
	if (err) {
		line_server_destroy(server);
		return err;
	}
	server->running = true;
	*ret_server = server;
	return 0;
}

const char *line_server_path(const struct line_server *server)
{
	return server->path;
}

int line_server_fd(const struct line_server *server)
{
	return server->listen_fd;
}

static void stop(struct line_server *server)
{
	if (server->running) {
		eventfd_write(server->stop_fd, 1);
		pthread_join(server->thread, NULL);
	}
	if (server->stop_fd >= 0)
		close(server->stop_fd);
}

struct line_server *line_server_destroy(struct line_server *server)
{
	if (!server)
		return NULL;
	stop(server);
	if (server->listen_fd >= 0) {
		unlink(server->path);
		close(server->listen_fd);
	}
	free(server->path);
	free(server);
	return NULL;
}

int line_server_end(struct line_server *take_server)
{
	int fd = take_server->listen_fd;

	stop(take_server);
	free(take_server->path);
	free(take_server);
	return fd;
}
