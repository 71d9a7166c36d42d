/* SPDX-License-Identifier: Apache-2.0 */
/* listening.h - the sockets libsofia listens on, held from outside: given to it already
 * bound, taken over by another process, silent for a while, and connections given to it
 * as if it had accepted them.
 *
 * As tls_guard.h: functions of the executable's that libsofia calls (bind(), accept(),
 * setsockopt(), su_root_register()). Each acts only between listening_enter() and
 * listening_leave(), or while a connection is given.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_LISTENING_H
#define BREAKOUT_TAS_SIP_LISTENING_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/macros.h"

struct tport_s; /* sofia's transport */

/* A socket that another process bound, as it called it. */
struct inherited_socket {
	int fd; /* -1: somebody has it */
	int transport;
	uint16_t asked_port; /* 0: any free one was */
};

struct listening_socket {
	int fd;
	int transport;
	uint16_t asked_port;
	struct sockaddr_storage address;
	/* sofia's: */
	void *root;
	int index, events;
	int (*wakeup)(void *magic, void *wait, void *tport);
	struct tport_s *tport;
};

struct listening {
	struct listening_socket *sockets;
	size_t count;
	struct inherited_socket *inherited; /* borrowed */
	size_t inherited_count;
	bool silent; /* those to come */
};

/* sofia's sockets between these two belong to `listening`. An inherited one of the same
 * transport and address is used instead of a new one. */
void listening_enter(struct listening *listening, int transport, uint16_t asked_port);
void listening_leave(void);
void listening_done(struct listening *listening); /* of the list; sofia closes them */

/* Whether connections and datagrams are taken; they wait in the kernel meanwhile. */
void listening_set_silent(struct listening *listening, bool silent);

/* The socket of that transport with that address; else the first of the transport; NULL:
 * none. */
const struct listening_socket *listening_find(const struct listening *listening, int transport,
					      const struct sockaddr_storage *address);

/* Gives sofia a connection, with whom it is to take for its peer. NULL: it would not have
 * it; it is closed in any case. Borrowed. */
struct tport_s *listening_give(const struct listening_socket *socket, int take_fd,
			       const struct sockaddr_storage *peer);
bool listening_is_giving(void); /* inside of listening_give() */

#endif
