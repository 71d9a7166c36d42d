/* SPDX-License-Identifier: Apache-2.0 */
/* fd_link.h - frames between two processes of one machine, with open files in them.
 *
 * A pair of Unix sockets that keeps what is sent apart (SOCK_SEQPACKET, unix(7)); a
 * frame arrives whole or not at all, in order, and may carry descriptors. Beside it,
 * how values are put into a frame and taken out again: lengths and numbers as eight
 * bytes of this machine, which both processes run on.
 *
 * Threads: the caller's.
 */
#ifndef BREAKOUT_BASE_FD_LINK_H
#define BREAKOUT_BASE_FD_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/macros.h"
#include "base/str.h"

#define FD_LINK_ROOM    98304 /* bytes of a frame: a SIP message and what is known of it */
#define FD_LINK_FDS_MAX 4     /* descriptors of a frame */

/* Two ends that are closed in a program that is started; -errno. */
int fd_link_pair(int ret_fds[static 2]) MUST_CHECK;

/* Descriptors are copied, the caller's stay his. 0, -EAGAIN (the other side does not
 * read: only if the end does not block), -EPIPE (it is gone) or another -errno. */
int fd_link_send(int link, const void *bytes, size_t length, const int *fds, size_t count);

struct fd_frame {
	char bytes[FD_LINK_ROOM];
	size_t length;
	int fds[FD_LINK_FDS_MAX]; /* the receiver's to close; closed in programs it starts */
	size_t fd_count;
};
/* 1: a frame; 0: the other side is gone; -EAGAIN: none within `wait_ms` (0: look only),
 * or another -errno. */
int fd_link_receive(int link, struct fd_frame *ret_frame, int wait_ms) MUST_CHECK;
/* Takes a descriptor out; -1: there is none (left). */
int fd_frame_take(struct fd_frame *frame);
void fd_frame_done(struct fd_frame *frame); /* closes those that nobody took */

/* ---- what is in a frame ---- */

void pack_number(struct str *frame, uint64_t number);
void pack_bytes(struct str *frame, const void *bytes, size_t length);
void pack_text(struct str *frame, const char *text); /* NULL as "" */

/* Values of which there may be more than a frame holds, in as many pieces as it takes: each
 * is packed into `piece`, then packing_next() sees whether it is full. Zero-initialise. */
struct packing {
	int (*send)(const struct str *packed, void *arg);
	void *arg;
	struct str piece;
	int err; /* the first; nothing is sent from there on */
};
void packing_next(struct packing *packing);
/* Sends the rest and frees. 0, -ENOMEM or what `send` returned. */
int packing_end(struct packing *packing) MUST_CHECK;

struct unpack {
	const char *at, *end;
	bool failed; /* something was missing: what was taken then is 0 or "" */
};
struct unpack unpack_begin(const struct fd_frame *frame);
uint64_t unpack_number(struct unpack *from);
/* Into the frame; NULL and 0 if it failed. */
const void *unpack_bytes(struct unpack *from, size_t *ret_length);
/* Into `room` bytes, NUL-ended; what is longer fails. */
void unpack_text(struct unpack *from, char *ret_text, size_t room);
/* Exactly as many bytes. */
void unpack_into(struct unpack *from, void *ret_bytes, size_t length);

#endif
