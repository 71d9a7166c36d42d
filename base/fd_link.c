/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd_link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 32768 /* bytes of a piece, and one more value */

int fd_link_pair(int ret_fds[static 2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0
		       ? -errno
		       : 0;
}

int fd_link_send(int link, const void *bytes, size_t length, const int *fds, size_t count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(FD_LINK_FDS_MAX * sizeof(int))] = { 0 };
	struct iovec piece = { .iov_base = (void *)bytes, .iov_len = length };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	if (count > FD_LINK_FDS_MAX || length > FD_LINK_ROOM)
		return -EMSGSIZE;
	if (count) {
		struct cmsghdr *header;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	while (sendmsg(link, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static void take_fds(struct fd_frame *frame, struct msghdr *message)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		frame->fd_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(frame->fds, CMSG_DATA(header), frame->fd_count * sizeof(int));
	}
}

int fd_link_receive(int link, struct fd_frame *ret_frame, int wait_ms)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(FD_LINK_FDS_MAX * sizeof(int))];
	struct iovec piece = { .iov_base = ret_frame->bytes, .iov_len = FD_LINK_ROOM };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct pollfd ready = { .fd = link, .events = POLLIN };
	ssize_t n;

	ret_frame->length = ret_frame->fd_count = 0;
	if (wait_ms && poll(&ready, 1, wait_ms) <= 0)
		return -EAGAIN; /* EINTR too: who waits looks at his clock */
	n = recvmsg(link, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return errno == ECONNRESET ? 0 : errno == EINTR ? -EAGAIN : -errno;
	take_fds(ret_frame, &message);
	ret_frame->length = (size_t)n;
	return n > 0;
}

int fd_frame_take(struct fd_frame *frame)
{
	int fd;

	if (!frame->fd_count)
		return -1;
	fd = frame->fds[0];
	frame->fd_count--;
	memmove(frame->fds, frame->fds + 1, frame->fd_count * sizeof(int));
	return fd;
}

void fd_frame_done(struct fd_frame *frame)
{
	while (frame->fd_count)
		close(fd_frame_take(frame));
}

void pack_number(struct str *frame, uint64_t number)
{
	str_add_n(frame, (const char *)&number, sizeof(number));
}

void pack_bytes(struct str *frame, const void *bytes, size_t length)
{
	pack_number(frame, length);
	if (length)
		str_add_n(frame, bytes, length);
}

void pack_text(struct str *frame, const char *text)
{
	pack_bytes(frame, text ? text : "", text ? strlen(text) : 0);
}

static void send_piece(struct packing *packing)
{
	if (!packing->err)
		packing->err = packing->piece.failed ? -ENOMEM
						     : packing->send(&packing->piece, packing->arg);
	packing->piece.length = 0;
}

void packing_next(struct packing *packing)
{
	if (packing->piece.failed || packing->piece.length >= PIECE)
		send_piece(packing);
}

int packing_end(struct packing *packing)
{
	if (packing->piece.failed || packing->piece.length)
		send_piece(packing);
	str_done(&packing->piece);
	return packing->err;
}

struct unpack unpack_begin(const struct fd_frame *frame)
{
	return (struct unpack){ .at = frame->bytes, .end = frame->bytes + frame->length };
}

static const char *take(struct unpack *from, size_t length)
{
	const char *at = from->at;

	from->failed = from->failed || length > (size_t)(from->end - from->at);
	if (from->failed)
		return NULL;
	from->at += length;
	return at;
}

uint64_t unpack_number(struct unpack *from)
{
	uint64_t number = 0;
	const char *at = take(from, sizeof(number));

	if (at)
		memcpy(&number, at, sizeof(number));
	return number;
}

const void *unpack_bytes(struct unpack *from, size_t *ret_length)
{
	size_t length = (size_t)unpack_number(from);
	const char *at = take(from, length);

	*ret_length = at ? length : 0;
	return at;
}

void unpack_text(struct unpack *from, char *ret_text, size_t room)
{
	size_t length;
	const char *at = unpack_bytes(from, &length);

	from->failed = from->failed || length >= room;
	*ret_text = '\0';
	if (from->failed)
		return;
	memcpy(ret_text, at, length);
	ret_text[length] = '\0';
}

void unpack_into(struct unpack *from, void *ret_bytes, size_t length)
{
	size_t there;
	const void *at = unpack_bytes(from, &there);

	from->failed = from->failed || there != length;
	if (from->failed)
		memset(ret_bytes, 0, length);
	else
		memcpy(ret_bytes, at, length);
}
