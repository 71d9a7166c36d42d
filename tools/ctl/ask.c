/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/str.h"
#include "tools/ctl/ctl.h"

#define WAIT_S 10 /* the daemon answers within two seconds, or says why not */

/* flags: of the socket. */
static int dial(const char *path, int flags, unsigned wait_s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval wait = { .tv_sec = wait_s };
	size_t length = strlen(path);
	int fd, err;

	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

bool ask_reaches(const char *socket_path)
{
	int fd = dial(socket_path, SOCK_NONBLOCK, WAIT_S); /* -EAGAIN: its queue is full */

	if (fd >= 0)
		close(fd);
	return fd != -ENOENT && fd != -ECONNREFUSED;
}

static int send_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

static int exchange(int fd, const char *request, const struct ask_body *body, struct str *answer)
{
	char part[65536];
	ssize_t n;
	int err = send_all(fd, request, strlen(request));

	if (!err)
		err = send_all(fd, "\n", 1);
	if (!err && body)
		err = send_all(fd, body->bytes, body->length);
	if (err)
		return err;
	while ((n = read(fd, part, sizeof(part))) > 0)
		str_add_n(answer, part, (size_t)n);
	return n < 0 ? -errno : 0;
}

static int ask_with(const char *socket_path, const char *request, const struct ask_body *body,
		    unsigned wait_s, json_t **ret_answer)
{
	struct str answer = { 0 };
	int fd = dial(socket_path, 0, wait_s);
	int err;

	if (fd < 0)
		return fd;
	err = exchange(fd, request, body, &answer);
	close(fd);
	if (!err) {
		*ret_answer = json_loadb(answer.text ? answer.text : "", answer.length, 0, NULL);
		err = *ret_answer ? 0 : -EPROTO;
	}
	str_done(&answer);
	return err;
}

int ask_within(const char *socket_path, const char *request, unsigned wait_s, json_t **ret_answer)
{
	return ask_with(socket_path, request, NULL, wait_s, ret_answer);
}

int ask(const char *socket_path, const char *request, json_t **ret_answer)
{
	return ask_within(socket_path, request, WAIT_S, ret_answer);
}

json_t *ask_or_say(const struct options *options, const char *request, int *ret_status)
{
	return ask_body_or_say(options, request, NULL, WAIT_S, ret_status);
}

json_t *ask_order(const struct options *options, const char *order, json_t *take_terms,
		  const struct ask_body *body, unsigned wait_s, int *ret_status)
{
	char *text = json_dumps(take_terms, JSON_COMPACT), *request = NULL;
	json_t *answer = NULL;

	json_decref(take_terms);
	if (text && asprintf(&request, "%s %s", order, text) >= 0)
		answer = ask_body_or_say(options, request, body, wait_s ? wait_s : WAIT_S,
					 ret_status);
	else
		*ret_status = STATUS_NO;
	free(request);
	free(text);
	return answer;
}

static void say_findings(const json_t *findings)
{
	const json_t *line;
	size_t i;

	json_array_foreach(findings, i, line)
	{
		fprintf(stderr, "%s\n", json_string_value(line));
	}
}

json_t *ask_body_or_say(const struct options *options, const char *request,
			const struct ask_body *body, unsigned wait_s, int *ret_status)
{
	json_t *answer = NULL;
	int err = ask_with(options->socket_path, request, body, wait_s, &answer);
	const char *error;

	if (err) {
		fprintf(stderr, "breakoutctl: %s: %s%s\n", options->socket_path,
			err == -EPROTO ? "no answer" : strerror(-err),
			err == -ENOENT || err == -ECONNREFUSED
				? ": is breakoutd running? is -s its admin.socket?"
				: "");
		*ret_status = STATUS_UNREACHABLE;
		return NULL;
	}
	error = json_string_value(json_object_get(answer, "error"));
	/* A registration has a field of that name too: its last error. */
	if (!error || json_object_get(answer, "number"))
		return answer;
	say_findings(json_object_get(answer, "findings"));
	fprintf(stderr, "breakoutctl: %s\n", error);
	json_decref(answer);
	*ret_status = STATUS_NO;
	return NULL;
}
