/* SPDX-License-Identifier: Apache-2.0 */
/* server_check.h - asks a STUN or TURN server whether it serves us (RFC 8489, 8656).
 *
 * Threads: one that may wait: a question takes up to SERVER_CHECK_MS a step.
 */
#ifndef BREAKOUT_MEDIA_SERVER_CHECK_H
#define BREAKOUT_MEDIA_SERVER_CHECK_H

#include <stdbool.h>
#include "media/net.h"

#define SERVER_CHECK_MS 3000 /* and it is silent */
#define SERVER_WHY_ROOM 120

enum server_answer {
	SERVER_SERVES,
	SERVER_SILENT,  /* nothing came, or the connection failed */
	SERVER_REFUSES, /* it said why */
	SERVER_STOPPED  /* stop_fd is readable: nothing is known */
};

struct server_question {
	union net_address address, from; /* from: of ours, any port */
	bool turn, tcp;
	const char *username, *password; /* turn */
	int stop_fd;                     /* -1: none */
};

/* ret_why: for who has to mend it, unless it serves. */
enum server_answer server_check(const struct server_question *question,
				char ret_why[static SERVER_WHY_ROOM]);

#endif
