/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/listening.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sofia-sip/su_wait.h>

#include "tas/sip/sofia_calls.h"

static struct {
	struct listening *listening; /* NULL: nobody listens just now */
	int transport;
	uint16_t asked_port;
} opening;

static struct {
	int fd; /* not yet accepted; -1 */
	int given;
	const struct sockaddr_storage *peer;
	struct tport_s *tport;
	bool active;
} giving = { .fd = -1, .given = -1 };

void listening_enter(struct listening *listening, int transport, uint16_t asked_port)
{
	opening.listening = listening;
	opening.transport = transport;
	opening.asked_port = asked_port;
}

void listening_leave(void)
{
	opening.listening = NULL;
}

void listening_done(struct listening *listening)
{
	free(listening->sockets);
	*listening = (struct listening){ .sockets = NULL };
}

/* ---- sockets that are there already ---- */

static uint16_t port_of(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6
		       ? ntohs(((const struct sockaddr_in6 *)address)->sin6_port)
		       : ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET6)
		return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
			      &((const struct sockaddr_in6 *)b)->sin6_addr,
			      sizeof(struct in6_addr)) == 0;
	return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
	       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
}

static bool read_address(int fd, struct sockaddr_storage *ret_address)
{
	socklen_t length = sizeof(*ret_address);

	memset(ret_address, 0, sizeof(*ret_address));
	return getsockname(fd, (struct sockaddr *)ret_address, &length) == 0;
}

static struct inherited_socket *find_inherited(const struct sockaddr_storage *wanted)
{
	for (size_t i = 0; i < opening.listening->inherited_count; i++) {
		struct inherited_socket *candidate = &opening.listening->inherited[i];
		struct sockaddr_storage bound;
		uint16_t port = port_of(wanted);

		if (candidate->fd < 0 || candidate->transport != opening.transport ||
		    candidate->asked_port != opening.asked_port ||
		    !read_address(candidate->fd, &bound) || !same_host(&bound, wanted))
			continue;
		if (!port || port == port_of(&bound))
			return candidate;
	}
	return NULL;
}

int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
	struct inherited_socket *match = NULL;
	struct sockaddr_storage wanted = { 0 };

	if (FROM_SOFIA() && opening.listening && length <= sizeof(wanted)) {
		memcpy(&wanted, address.__sockaddr__, length);
		match = find_inherited(&wanted);
	}
	if (!match)
		return REAL(bind)(fd, address, length);
	if (dup3(match->fd, fd, O_CLOEXEC) < 0)
		return -1;
	close(match->fd);
	match->fd = -1;
	return 0;
}

/* ---- the sockets, as sofia watches them ---- */

static void note(su_root_t *root, const su_wait_t *wait, su_wakeup_f wakeup, void *tport, int index)
{
	struct listening *listening = opening.listening;
	struct listening_socket *more =
		reallocarray(listening->sockets, listening->count + 1, sizeof(*more));

	if (!more)
		return; /* it is served, but cannot be handed over */
	listening->sockets = more;
	more += listening->count++;
	*more = (struct listening_socket){ .fd = wait->fd,
					   .transport = opening.transport,
					   .asked_port = opening.asked_port,
					   .root = root,
					   .index = index,
					   .events = wait->events,
					   .tport = tport };
	*(su_wakeup_f *)(void *)&more->wakeup = wakeup;
	(void)read_address(wait->fd, &more->address);
	if (listening->silent)
		(void)su_root_eventmask(root, index, wait->fd, 0);
}

int su_root_register(su_root_t *root, su_wait_t *wait, su_wakeup_f wakeup, su_wakeup_arg_t *arg,
		     int priority)
{
	const su_wait_t watched = *wait;
	int index = REAL(su_root_register)(root, wait, wakeup, arg, priority);

	if (!FROM_SOFIA() || index < 0)
		return index;
	if (giving.active && watched.fd == giving.given)
		giving.tport = (struct tport_s *)arg;
	else if (opening.listening)
		note(root, &watched, wakeup, arg, index);
	return index;
}

void listening_set_silent(struct listening *listening, bool silent)
{
	listening->silent = silent;
	for (size_t i = 0; i < listening->count; i++) {
		const struct listening_socket *at = &listening->sockets[i];

		(void)su_root_eventmask(at->root, at->index, at->fd, silent ? 0 : at->events);
	}
}

const struct listening_socket *listening_find(const struct listening *listening, int transport,
					      const struct sockaddr_storage *address)
{
	const struct listening_socket *first = NULL;

	for (size_t i = 0; i < listening->count; i++) {
		const struct listening_socket *at = &listening->sockets[i];

		if (at->transport != transport)
			continue;
		if (same_host(&at->address, address) && port_of(&at->address) == port_of(address))
			return at;
		if (!first)
			first = at;
	}
	return first;
}

/* ---- connections that were accepted elsewhere ---- */

int accept(int fd, __SOCKADDR_ARG address, socklen_t *restrict length)
{
	int given = giving.fd;

	if (!FROM_SOFIA() || given < 0)
		return REAL(accept)(fd, address, length);
	giving.fd = -1;
	*length = giving.peer->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						     : sizeof(struct sockaddr_in);
	memcpy(address.__sockaddr__, giving.peer, *length);
	return given;
}

/* A socket of this machine's own has no TCP to be set, and needs none. */
int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	if (FROM_SOFIA() && giving.active && fd == giving.given && level != SOL_SOCKET)
		return 0;
	return REAL(setsockopt)(fd, level, option, value, length);
}

bool listening_is_giving(void)
{
	return giving.active;
}

struct tport_s *listening_give(const struct listening_socket *socket, int take_fd,
			       const struct sockaddr_storage *peer)
{
	su_wait_t wait = { .fd = socket->fd, .events = SU_WAIT_ACCEPT, .revents = SU_WAIT_ACCEPT };
	struct tport_s *tport;

	giving.fd = giving.given = take_fd;
	giving.peer = peer;
	giving.tport = NULL;
	giving.active = true;
	(void)socket->wakeup(NULL, &wait, socket->tport);
	giving.active = false;
	if (giving.fd >= 0)
		close(giving.fd);
	giving.fd = giving.given = -1;
	tport = giving.tport;
	giving.tport = NULL;
	return tport;
}
