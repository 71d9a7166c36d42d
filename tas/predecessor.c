/* SPDX-License-Identifier: Apache-2.0 */
/* predecessor.c - the new process: takes over from the one that started it, and knows
 * of it until its last call has ended. See handover.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/fd_link.h"
#include "base/log.h"
#include "tas/daemon.h"
#include "tas/handover.h"
#include "tas/sip/listening.h"
#include "tas/sip/neighbour.h"

#define ANSWER_MS   10000 /* the old one answers in milliseconds; its store may take longer */
#define SOCKETS_MAX 512   /* of SIP, and of admin */
#define FRAMES      64    /* a turn */

struct named_socket {
	char name[256];
	int fd; /* -1: in use */
};

struct predecessor {
	struct daemon *daemon;
	int link; /* -1: it is gone */
	struct inherited_socket *sip;
	struct named_socket *admin;
	size_t sip_count, admin_count;
	struct str *phones; /* packed */
	size_t phone_count;
	struct neighbour *neighbour; /* NULL: not yet, or it is gone */
	bool watched, said_gone;
	struct fd_frame frame;
};

static void lose_link(struct predecessor *predecessor)
{
	struct daemon *daemon = predecessor->daemon;

	predecessor->neighbour = neighbour_destroy(predecessor->neighbour);
	if (predecessor->watched)
		sip_loop_unwatch(daemon->loop, predecessor->link);
	predecessor->watched = false;
	if (predecessor->link >= 0)
		close(predecessor->link);
	predecessor->link = -1;
	daemon->restart.elder_pid = 0;
}

bool predecessor_lives(const struct daemon *daemon)
{
	return daemon->predecessor && daemon->predecessor->link >= 0;
}

/* The old one goes on: nothing of what is here may be ended in the usual way, it has the
 * same files. */
static void cancelled(void)
{
	log_notice("main", "restart: cancelled, the old process goes on");
	_exit(EXIT_FAILURE);
}

/* The kind of the next frame; 0: the old process is gone, and its place is free. */
static uint64_t next_frame(struct predecessor *predecessor, struct unpack *ret_from)
{
	mono_ms until = clock_now() + ANSWER_MS;
	uint64_t kind;
	int got;

	if (predecessor->link < 0)
		return 0;
	do
		got = fd_link_receive(predecessor->link, &predecessor->frame, 100);
	while (got == -EAGAIN && clock_now() < until);
	if (got == -EAGAIN) {
		log_error("main", "restart: the old process does not answer");
		cancelled();
	}
	if (got <= 0) {
		log_error("main", "restart: the old process has died: starting without it");
		lose_link(predecessor);
		return 0;
	}
	*ret_from = unpack_begin(&predecessor->frame);
	kind = unpack_number(ret_from);
	if (kind == HANDOVER_CANCEL)
		cancelled();
	return kind;
}

/* ---- sockets ---- */

static void keep_socket(struct predecessor *predecessor, struct unpack *from)
{
	int fd = fd_frame_take(&predecessor->frame);
	char name[256];

	unpack_text(from, name, sizeof(name));
	if (fd < 0 || from->failed) {
		if (fd >= 0)
			close(fd);
	} else if (strcmp(name, "sip") == 0 && predecessor->sip_count < SOCKETS_MAX) {
		struct inherited_socket *socket = &predecessor->sip[predecessor->sip_count++];

		socket->fd = fd;
		socket->transport = (int)unpack_number(from);
		socket->asked_port = (uint16_t)unpack_number(from);
	} else if (predecessor->admin_count < SOCKETS_MAX) {
		struct named_socket *socket = &predecessor->admin[predecessor->admin_count++];

		strcpy(socket->name, name);
		socket->fd = fd;
	} else {
		close(fd);
	}
}

static int create(struct daemon *daemon, int take_link)
{
	struct predecessor *predecessor = calloc(1, sizeof(*predecessor));

	if (predecessor) {
		predecessor->daemon = daemon;
		predecessor->link = take_link;
		predecessor->sip = calloc(SOCKETS_MAX, sizeof(*predecessor->sip));
		predecessor->admin = calloc(SOCKETS_MAX, sizeof(*predecessor->admin));
	}
	daemon->predecessor = predecessor;
	return predecessor && predecessor->sip && predecessor->admin ? 0 : -ENOMEM;
}

int predecessor_greet(struct daemon *daemon, int take_link)
{
	struct str rest = { 0 };
	struct unpack from;
	uint64_t kind;
	int err = create(daemon, take_link);

	if (err)
		return daemon_failed("restart", err);
	pack_number(&rest, HANDOVER_PROTOCOL);
	pack_number(&rest, (uint64_t)getpid());
	pack_text(&rest, BREAKOUT_VERSION);
	(void)handover_send(take_link, HANDOVER_HELLO, &rest, -1);
	str_done(&rest);
	while ((kind = next_frame(daemon->predecessor, &from)) == HANDOVER_SOCKET)
		keep_socket(daemon->predecessor, &from);
	return kind == HANDOVER_SOCKETS_END || !kind ? 0 : daemon_failed("restart", -EPROTO);
}

int predecessor_admin_socket(const char *name, void *arg)
{
	struct daemon *daemon = arg;
	struct predecessor *predecessor = daemon->predecessor;

	for (size_t i = 0; predecessor && i < predecessor->admin_count; i++) {
		struct named_socket *socket = &predecessor->admin[i];
		int fd = socket->fd;

		if (strcmp(socket->name, name) || fd < 0)
			continue;
		socket->fd = -1;
		return fd;
	}
	return -1;
}

void predecessor_close_unused(struct daemon *daemon)
{
	struct predecessor *predecessor = daemon->predecessor;

	for (size_t i = 0; predecessor && i < predecessor->sip_count; i++)
		if (predecessor->sip[i].fd >= 0)
			close(predecessor->sip[i].fd);
	for (size_t i = 0; predecessor && i < predecessor->admin_count; i++)
		if (predecessor->admin[i].fd >= 0)
			close(predecessor->admin[i].fd);
	if (predecessor)
		predecessor->sip_count = predecessor->admin_count = 0;
}

struct inherited_socket *predecessor_sockets(struct daemon *daemon, size_t *ret_count)
{
	*ret_count = daemon->predecessor ? daemon->predecessor->sip_count : 0;
	return daemon->predecessor ? daemon->predecessor->sip : NULL;
}

void predecessor_refuse(struct daemon *daemon, const char *why)
{
	struct str rest = { 0 };

	if (!predecessor_lives(daemon))
		return;
	pack_bytes(&rest, why, strnlen(why, sizeof(daemon->restart.why) - 1)); /* what it keeps */
	(void)handover_send(daemon->predecessor->link, HANDOVER_REFUSED, &rest, -1);
	str_done(&rest);
}

/* ---- the store, the phones, the place ---- */

static void keep_phone(struct predecessor *predecessor, const struct unpack *from)
{
	struct str *more =
		reallocarray(predecessor->phones, predecessor->phone_count + 1, sizeof(*more));

	if (!more)
		return; /* it registers again */
	predecessor->phones = more;
	more += predecessor->phone_count++;
	*more = (struct str){ 0 };
	str_add_n(more, from->at, (size_t)(from->end - from->at));
}

static void keep_vigil(struct daemon *daemon, struct unpack *from)
{
	int fd = fd_frame_take(&daemon->predecessor->frame);
	const char *ours = daemon->config->store_sqlite;
	char theirs[4096];

	unpack_text(from, theirs, sizeof(theirs));
	if (fd >= 0 && (!ours || strcmp(ours, theirs))) {
		close(fd); /* another store from now on */
		fd = -1;
	}
	daemon->vigil = vigil_adopt(fd);
}

int predecessor_take_store(struct daemon *daemon)
{
	struct predecessor *predecessor = daemon->predecessor;
	struct unpack from;
	uint64_t kind;

	if (!predecessor_lives(daemon))
		return 0;
	(void)handover_send(predecessor->link, HANDOVER_READY, NULL, -1);
	while ((kind = next_frame(predecessor, &from)) && kind != HANDOVER_STORE_END) {
		if (kind == HANDOVER_STORE)
			keep_vigil(daemon, &from);
		else if (kind == HANDOVER_PHONE)
			keep_phone(predecessor, &from);
		fd_frame_done(&predecessor->frame);
	}
	return 0;
}

void predecessor_take_phones(struct daemon *daemon)
{
	struct predecessor *predecessor = daemon->predecessor;

	for (size_t i = 0; predecessor && i < predecessor->phone_count; i++) {
		struct str *packed = &predecessor->phones[i];
		struct unpack from = { .at = packed->text, .end = packed->text + packed->length };

		if (packed->text)
			device_unpack(daemon->devices, &from);
		str_done(packed);
	}
	if (predecessor) {
		free(predecessor->phones);
		predecessor->phones = NULL;
		predecessor->phone_count = 0;
	}
}

static void on_calls(struct daemon *daemon, struct unpack *from)
{
	daemon->restart.elder_calls = (size_t)unpack_number(from);
	daemon->restart.elder_for_s = (unsigned)unpack_number(from);
	daemon_calls_changed(daemon);
}

static void on_end(struct predecessor *predecessor)
{
	struct daemon *daemon = predecessor->daemon;

	if (predecessor->said_gone)
		log_info("main", "restart: the old process has ended, with its last call");
	else
		log_error("main", "restart: the old process has died, and with it calls=%zu",
			  daemon->restart.elder_calls);
	lose_link(predecessor);
	daemon_calls_changed(daemon);
}

static void on_link(int fd, void *arg)
{
	struct predecessor *predecessor = arg;

	for (unsigned i = 0; i < FRAMES; i++) {
		int got = fd_link_receive(fd, &predecessor->frame, 0);
		struct unpack from = unpack_begin(&predecessor->frame);

		if (got == -EAGAIN)
			return;
		if (got <= 0) {
			on_end(predecessor);
			return;
		}
		switch (unpack_number(&from)) {
		case HANDOVER_CALLS:
			on_calls(predecessor->daemon, &from);
			break;
		case HANDOVER_GONE:
			predecessor->said_gone = true;
			break;
		default:
			if (neighbour_take(predecessor->neighbour, &predecessor->frame) < 0)
				log_debug("main", "restart: a frame of an unknown kind");
		}
		fd_frame_done(&predecessor->frame);
	}
}

static int follow(struct predecessor *predecessor, pid_t pid)
{
	struct daemon *daemon = predecessor->daemon;
	int err = neighbour_create(&predecessor->neighbour, daemon->endpoint, NEIGHBOUR_ELDER,
				   predecessor->link);

	if (!err)
		err = sip_loop_watch(daemon->loop, predecessor->link, on_link, predecessor);
	if (err)
		return daemon_failed("restart", err);
	predecessor->watched = true;
	daemon->restart.elder_pid = (int)pid;
	return 0;
}

int predecessor_take_place(struct daemon *daemon)
{
	struct predecessor *predecessor = daemon->predecessor;
	struct unpack from;
	uint64_t kind;
	int err = 0;

	if (!predecessor)
		return 0;
	if (predecessor->link >= 0)
		(void)handover_send(predecessor->link, HANDOVER_PREPARED, NULL, -1);
	while ((kind = next_frame(predecessor, &from)) && kind != HANDOVER_GO)
		fd_frame_done(&predecessor->frame);
	if (kind)
		err = follow(predecessor, (pid_t)unpack_number(&from));
	if (kind && !err)
		on_calls(daemon, &from);
	sip_endpoint_set_silent(daemon->endpoint, false);
	return err;
}

void predecessor_end_calls(struct daemon *daemon)
{
	if (predecessor_lives(daemon))
		(void)handover_send(daemon->predecessor->link, HANDOVER_END, NULL, -1);
}

void predecessor_done(struct daemon *daemon)
{
	struct predecessor *predecessor = daemon->predecessor;

	if (!predecessor)
		return;
	lose_link(predecessor);
	predecessor_close_unused(daemon);
	for (size_t i = 0; i < predecessor->phone_count; i++)
		str_done(&predecessor->phones[i]);
	free(predecessor->phones);
	free(predecessor->sip);
	free(predecessor->admin);
	free(predecessor);
	daemon->predecessor = NULL;
}
