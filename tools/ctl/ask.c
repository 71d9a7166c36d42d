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

static int dial(const char *path, unsigned wait_s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval wait = { .tv_sec = wait_s };
	size_t length = strlen(path);
	int fd, err;

	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
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

static int exchange(int fd, const char *request, struct str *answer)
{
	char part[65536];
	ssize_t n;

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 ||
	    send(fd, "\n", 1, MSG_NOSIGNAL) < 0)
		return -errno;
	while ((n = read(fd, part, sizeof(part))) > 0)
		str_add_n(answer, part, (size_t)n);
	return n < 0 ? -errno : 0;
}

int ask_within(const char *socket_path, const char *request, unsigned wait_s, json_t **ret_answer)
{
	struct str answer = { 0 };
	int fd = dial(socket_path, wait_s);
	int err;

	if (fd < 0)
		return fd;
	err = exchange(fd, request, &answer);
	close(fd);
	if (!err) {
		*ret_answer = json_loadb(answer.text ? answer.text : "", answer.length, 0, NULL);
		err = *ret_answer ? 0 : -EPROTO;
	}
	str_done(&answer);
	return err;
}

int ask(const char *socket_path, const char *request, json_t **ret_answer)
{
	return ask_within(socket_path, request, WAIT_S, ret_answer);
}

json_t *ask_or_say(const struct options *options, const char *request, int *ret_status)
{
	json_t *answer = NULL;
	int err = ask(options->socket_path, request, &answer);
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
	fprintf(stderr, "breakoutctl: %s\n", error);
	json_decref(answer);
	*ret_status = STATUS_NO;
	return NULL;
}
