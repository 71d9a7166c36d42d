/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/elders.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"

#define ANSWER_MS  1000
#define ANSWER_MAX (64u << 20) /* bytes: the calls of a daemon that is full */

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* All that is said, until the other side ends it. */
static void read_all(int fd, struct str *to)
{
	mono_ms until = clock_now() + ANSWER_MS, left;
	char bytes[65536];

	while ((left = until - clock_now()) > 0 && to->length < ANSWER_MAX) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&pfd, 1, (int)left) <= 0)
			continue;
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n == 0)
			return;
		if (n > 0)
			str_add_n(to, bytes, (size_t)n);
		else if (errno != EAGAIN && errno != EINTR)
			break;
	}
	to->failed = true; /* half an answer is none */
}

/* A new reference; NULL: no answer. */
static json_t *ask(const json_t *elder, const char *request)
{
	const char *path = json_string_value(json_object_get(elder, "socket"));
	int fd = path ? connect_to(path) : -1;
	struct str line = { 0 }, text = { 0 };
	json_t *answer = NULL;

	if (fd < 0)
		return NULL;
	str_addf(&line, "%s\n", request);
	if (!line.failed &&
	    send(fd, line.text, line.length, MSG_NOSIGNAL) == (ssize_t)line.length) {
		read_all(fd, &text);
		if (!text.failed && text.text)
			answer = json_loads(text.text, 0, NULL);
	}
	close(fd);
	str_done(&line);
	str_done(&text);
	return answer;
}

void elders_add_calls(json_t *answer, const json_t *elders)
{
	json_t *calls = json_object_get(answer, "calls"), *call;
	const json_t *elder;
	size_t i, k;

	json_array_foreach(elders, i, elder)
	{
		json_t *theirs = ask(elder, "calls");

		json_array_foreach(json_object_get(theirs, "calls"), k, call)
		{
			json_object_set(call, "pid", json_object_get(elder, "pid"));
			json_array_append(calls, call);
		}
		json_decref(theirs);
	}
}

json_t *elders_instead(json_t *take_answer, const json_t *elders, const char *request)
{
	const json_t *elder;
	size_t i;

	json_array_foreach(elders, i, elder)
	{
		json_t *theirs;

		if (!json_object_get(take_answer, "error"))
			break;
		theirs = ask(elder, request);
		if (theirs && !json_object_get(theirs, "error")) {
			json_decref(take_answer);
			return theirs;
		}
		json_decref(theirs);
	}
	return take_answer;
}
