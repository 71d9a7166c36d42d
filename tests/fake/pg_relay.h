/* SPDX-License-Identifier: Apache-2.0 */
/* pg_relay.h - a way to a PostgreSQL server that breaks at the statement a test names:
 * before the server has it, after it was carried out, or it is held back and arrives
 * later, when nobody waits for it any more.
 *
 * A statement ends with a Sync or is a Query:
 * https://www.postgresql.org/docs/15/protocol-flow.html
 *
 * Threads: its own moves the bytes; the functions here are the test's.
 */
#ifndef BREAKOUT_TESTS_FAKE_PG_RELAY_H
#define BREAKOUT_TESTS_FAKE_PG_RELAY_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum relay_cut {
	RELAY_WHOLE,
	RELAY_BEFORE, /* the statement is lost, the connection ends */
	RELAY_AFTER,  /* its answer is */
	RELAY_HELD    /* the connection ends; the statement arrives with relay_release() */
};

struct relay_stream {
	bool started; /* the first message of a client has no type */
	uint8_t header[5];
	size_t have, left;
};

static struct relay {
	char server[108]; /* the socket's path */
	int listener, client, behind, wake[2];
	pthread_t thread;
	pthread_mutex_t lock;
	enum relay_cut cut;
	unsigned countdown, statements; /* cut at the one that makes it 0; of this connection */
	bool ending, release;
	struct relay_stream up, down;
	uint8_t held[65536];
	size_t held_length;
	int held_fd;   /* to the server; -1: none */
	bool awaiting; /* RELAY_AFTER: until the server has done it */
} relay = {
	.listener = -1, .client = -1, .behind = -1, .held_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER
};

static inline int relay_socket(const char *path, bool listens)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	err = listens ? bind(fd, (struct sockaddr *)&address, sizeof(address))
		      : connect(fd, (struct sockaddr *)&address, sizeof(address));
	if (!err && listens)
		err = listen(fd, 4);
	if (err) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline void relay_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void relay_send(int fd, const uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		bytes += sent;
		length -= (size_t)sent;
	}
}

/* How many of the bytes there are up to the end of a message of one of these types; 0:
 * there is none. */
static inline size_t relay_find(struct relay_stream *stream, const uint8_t *bytes, size_t length,
				const char *types)
{
	for (size_t i = 0; i < length;) {
		size_t head = stream->started ? 5 : 4, take;
		uint32_t size;

		if (stream->have < head) {
			stream->header[stream->have++] = bytes[i++];
			if (stream->have < head)
				continue;
			memcpy(&size, stream->header + head - 4, 4);
			stream->left = __builtin_bswap32(size) - 4;
		}
		take = stream->left < length - i ? stream->left : length - i;
		stream->left -= take;
		i += take;
		if (stream->left)
			continue;
		stream->have = 0;
		if (stream->started && strchr(types, stream->header[0]))
			return i;
		stream->started = true;
	}
	return 0;
}

static inline void relay_end_connection(void)
{
	relay_close(&relay.client);
	relay_close(&relay.behind);
	relay.awaiting = false;
}

/* From the client. */
static inline void relay_up(const uint8_t *bytes, size_t length)
{
	while (length) {
		size_t end = relay_find(&relay.up, bytes, length, "QS");

		if (end && relay.cut != RELAY_WHOLE && --relay.countdown == 0) {
			relay.statements++;
			if (relay.cut == RELAY_AFTER) {
				relay_send(relay.behind, bytes, end);
				relay.awaiting = true;
				return;
			}
			if (relay.cut == RELAY_HELD) {
				if (end > sizeof(relay.held))
					abort();
				memcpy(relay.held, bytes, end);
				relay.held_length = end;
				relay.held_fd = relay.behind;
				relay.behind = -1;
			}
			relay.cut = RELAY_WHOLE;
			relay_end_connection();
			return;
		}
		relay.statements += end != 0;
		relay_send(relay.behind, bytes, end ? end : length);
		bytes += end ? end : length;
		length -= end ? end : length;
	}
}

static inline void relay_down(const uint8_t *bytes, size_t length)
{
	if (!relay.awaiting) {
		relay_send(relay.client, bytes, length);
		return;
	}
	if (relay_find(&relay.down, bytes, length, "Z")) {
		relay.cut = RELAY_WHOLE;
		relay_end_connection();
	}
}

/* The server closes the connection once it has done what it was sent. */
static inline void relay_let_go(void)
{
	uint8_t bytes[4096];

	relay_send(relay.held_fd, relay.held, relay.held_length);
	shutdown(relay.held_fd, SHUT_WR);
	while (read(relay.held_fd, bytes, sizeof(bytes)) > 0)
		;
	relay_close(&relay.held_fd);
	relay.release = false;
}

static inline void relay_accept(void)
{
	relay_end_connection();
	relay.client = accept4(relay.listener, NULL, NULL, SOCK_CLOEXEC);
	relay.behind = relay_socket(relay.server, false);
	relay.up = (struct relay_stream){ 0 };
	relay.down = (struct relay_stream){ .started = true };
	relay.statements = 0;
	if (relay.behind < 0)
		relay_end_connection();
}

static inline void relay_move(int from, void (*on)(const uint8_t *, size_t))
{
	uint8_t bytes[16384];
	ssize_t length = read(from, bytes, sizeof(bytes));

	if (length > 0)
		on(bytes, (size_t)length);
	else
		relay_end_connection();
}

static inline void *relay_thread(void *arg)
{
	bool ending = false;

	(void)arg;
	while (!ending) {
		struct pollfd fds[] = { { relay.wake[0], POLLIN, 0 },
					{ relay.listener, POLLIN, 0 },
					{ relay.client, POLLIN, 0 },
					{ relay.behind, POLLIN, 0 } };
		char drained[16];

		if (poll(fds, 4, -1) < 0)
			continue;
		pthread_mutex_lock(&relay.lock);
		if (fds[0].revents)
			(void)!read(relay.wake[0], drained, sizeof(drained));
		if (relay.release && relay.held_fd >= 0)
			relay_let_go();
		if (fds[3].revents && relay.behind >= 0)
			relay_move(relay.behind, relay_down);
		if (fds[2].revents && relay.client >= 0)
			relay_move(relay.client, relay_up);
		if (fds[1].revents)
			relay_accept();
		ending = relay.ending;
		pthread_mutex_unlock(&relay.lock);
	}
	relay_end_connection();
	return NULL;
}

static inline void relay_wake(void)
{
	(void)!write(relay.wake[1], "", 1);
}

/* ---- for tests ---- */

/* Before `server`, a folder with a server's socket, in `here`, another folder. 0 or -1. */
static inline int relay_start(const char *server, const char *here)
{
	char path[108];

	snprintf(relay.server, sizeof(relay.server), "%s/.s.PGSQL.5432", server);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", here);
	relay.listener = relay_socket(path, true);
	relay.ending = false;
	relay.cut = RELAY_WHOLE;
	if (relay.listener < 0 || pipe(relay.wake))
		return -1;
	return pthread_create(&relay.thread, NULL, relay_thread, NULL) ? -1 : 0;
}

static inline void relay_stop(void)
{
	pthread_mutex_lock(&relay.lock);
	relay.ending = true;
	pthread_mutex_unlock(&relay.lock);
	relay_wake();
	pthread_join(relay.thread, NULL);
	relay_close(&relay.listener);
	relay_close(&relay.held_fd);
	relay_close(&relay.wake[0]);
	relay_close(&relay.wake[1]);
}

/* At the n-th statement from now on, counted from 1; once. */
static inline void relay_cut_at(unsigned n, enum relay_cut cut)
{
	pthread_mutex_lock(&relay.lock);
	relay.cut = n ? cut : RELAY_WHOLE;
	relay.countdown = n;
	pthread_mutex_unlock(&relay.lock);
}

/* Whether the cut is still to come; then it is called off. */
static inline bool relay_call_off(void)
{
	bool pending;

	pthread_mutex_lock(&relay.lock);
	pending = relay.cut != RELAY_WHOLE;
	relay.cut = RELAY_WHOLE;
	pthread_mutex_unlock(&relay.lock);
	return pending;
}

/* What was held back arrives; returns when the server is done with it. */
static inline void relay_release(void)
{
	bool there = true;

	pthread_mutex_lock(&relay.lock);
	relay.release = relay.held_fd >= 0;
	if (!relay.release)
		abort();
	pthread_mutex_unlock(&relay.lock);
	relay_wake();
	while (there) {
		usleep(1000);
		pthread_mutex_lock(&relay.lock);
		there = relay.release;
		pthread_mutex_unlock(&relay.lock);
	}
}

#endif
