/* SPDX-License-Identifier: Apache-2.0 */
/* http_peer.h - an HTTP server on a thread: answers each request with the text
 * it was given, or not at all, and writes down what it was asked. */
#ifndef BREAKOUT_TESTS_HOOK_HTTP_PEER_H
#define BREAKOUT_TESTS_HOOK_HTTP_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER_CONNECTIONS 8

struct http_peer {
	int fd, quit[2];
	char url[64];
	pthread_t thread;
	const char *answer; /* NULL: silence; before requests come */
	size_t answer_length;
	atomic_uint requests, connections;
	char last[4096]; /* the last request; read after its answer came */
	int open[PEER_CONNECTIONS];
};

static inline void peer_request(struct http_peer *peer, int fd, int *ret_fd)
{
	size_t used = 0;
	ssize_t n;

	/* Head and body together are small, but need not come in one piece. */
	do {
		n = recv(fd, peer->last + used, sizeof(peer->last) - 1 - used, 0);
		if (n <= 0) {
			close(fd);
			*ret_fd = -1;
			return;
		}
		used += (size_t)n;
		peer->last[used] = '\0';
	} while (!strstr(peer->last, "\r\n\r\n") || peer->last[used - 1] != '}');
	atomic_fetch_add(&peer->requests, 1);
	if (!peer->answer)
		return;
	for (size_t sent = 0; sent < peer->answer_length; sent += (size_t)n) {
		n = send(fd, peer->answer + sent, peer->answer_length - sent, MSG_NOSIGNAL);
		if (n <= 0)
			return; /* it had enough */
	}
}

static inline void peer_accept(struct http_peer *peer)
{
	int fd = accept(peer->fd, NULL, NULL);

	atomic_fetch_add(&peer->connections, 1);
	for (int i = 0; i < PEER_CONNECTIONS; i++) {
		if (peer->open[i] < 0) {
			peer->open[i] = fd;
			return;
		}
	}
	close(fd);
}

static inline void *peer_run(void *arg)
{
	struct http_peer *peer = arg;

	for (;;) {
		struct pollfd fds[PEER_CONNECTIONS + 2];

		for (int i = 0; i < PEER_CONNECTIONS; i++)
			fds[i] = (struct pollfd){ .fd = peer->open[i], .events = POLLIN };
		fds[PEER_CONNECTIONS] = (struct pollfd){ .fd = peer->fd, .events = POLLIN };
		fds[PEER_CONNECTIONS + 1] =
			(struct pollfd){ .fd = peer->quit[0], .events = POLLIN };
		if (poll(fds, PEER_CONNECTIONS + 2, -1) < 0)
			continue;
		if (fds[PEER_CONNECTIONS + 1].revents)
			return NULL;
		for (int i = 0; i < PEER_CONNECTIONS; i++)
			if (fds[i].revents)
				peer_request(peer, peer->open[i], &peer->open[i]);
		if (fds[PEER_CONNECTIONS].revents)
			peer_accept(peer);
	}
}

static inline void peer_start(struct http_peer *peer, const char *answer)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);

	memset(peer, 0, sizeof(*peer));
	memset(peer->open, -1, sizeof(peer->open));
	peer->answer = answer;
	peer->answer_length = answer ? strlen(answer) : 0;
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(peer->fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(peer->fd, 16), 0);
	assert_int_equal(getsockname(peer->fd, (struct sockaddr *)&address, &length), 0);
	snprintf(peer->url, sizeof(peer->url), "http://127.0.0.1:%u/calls",
		 ntohs(address.sin_port));
	assert_int_equal(pipe(peer->quit), 0);
	assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

static inline void peer_stop(struct http_peer *peer)
{
	assert_int_equal(write(peer->quit[1], "q", 1), 1);
	pthread_join(peer->thread, NULL);
	for (int i = 0; i < PEER_CONNECTIONS; i++)
		if (peer->open[i] >= 0)
			close(peer->open[i]);
	close(peer->fd);
	close(peer->quit[0]);
	close(peer->quit[1]);
}

#define HTTP_OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

#endif
