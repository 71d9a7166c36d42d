/* SPDX-License-Identifier: Apache-2.0 */
/* predecessor.c - the new process: takes over from the one that started it. See
 * handover.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/fd_link.h"
#include "base/log.h"
#include "tas/daemon.h"
#include "tas/handover.h"
#include "tas/sip/listening.h"

#define ANSWER_MS   10000 /* the old one answers in milliseconds; its store may take longer */
#define SOCKETS_MAX 512   /* of SIP, and of admin */

struct named_socket {
	char name[256];
	int fd; /* -1: in use */
};

struct predecessor {
	struct daemon *daemon;
	int link; /* -1: it is gone, or known by elders.c */
	/* Those before it: theirs, until we have its place. */
	struct {
		int link;
		struct restart_elder known;
	} elders[RESTART_ELDERS_MAX];
	size_t elder_count;
	int pid; /* 0: not known yet */
	struct inherited_socket *sip;
	struct named_socket *admin;
	size_t sip_count, admin_count;
	struct str *phones; /* packed */
	size_t phone_count;
	struct fd_frame frame;
};

static void lose_link(struct predecessor *predecessor)
{
	if (predecessor->link >= 0)
		close(predecessor->link);
	predecessor->link = -1;
}

bool predecessor_lives(const struct daemon *daemon)
{
	const struct predecessor *predecessor = daemon->predecessor;

	return predecessor && (predecessor->link >= 0 || predecessor->elder_count);
}

/* The old one goes on: nothing of what is here may be ended in the usual way, it has the
 * same files. */
static void cancelled(void)
{
	log_notice("main", "restart: cancelled, the old process goes on");
	_exit(EXIT_FAILURE);
}

static void drop_elder(struct predecessor *predecessor, int pid)
{
	for (size_t i = 0; i < predecessor->elder_count; i++) {
		if (predecessor->elders[i].known.pid != pid)
			continue;
		close(predecessor->elders[i].link);
		predecessor->elder_count--;
		memmove(&predecessor->elders[i], &predecessor->elders[i + 1],
			(predecessor->elder_count - i) * sizeof(predecessor->elders[0]));
		return;
	}
}

/* 1: a frame, or as fd_link_receive(). */
static int receive(struct predecessor *predecessor)
{
	mono_ms until = clock_now() + ANSWER_MS;
	int got;

	do
		got = fd_link_receive(predecessor->link, &predecessor->frame, 100);
	while (got == -EAGAIN && clock_now() < until);
	return got;
}

/* The kind of the next frame; 0: the old process is gone, and its place is free. */
static uint64_t next_frame(struct predecessor *predecessor, struct unpack *ret_from)
{
	uint64_t kind;
	int got;

	if (predecessor->link < 0)
		return 0;
	do {
		got = receive(predecessor);
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
		if (kind == HANDOVER_ELDER_GONE)
			drop_elder(predecessor, (int)unpack_number(ret_from));
	} while (kind == HANDOVER_ELDER_GONE);
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

static void keep_elder(struct predecessor *predecessor, struct unpack *from)
{
	size_t count = predecessor->elder_count;
	int fd = fd_frame_take(&predecessor->frame);

	if (fd < 0 || count == RESTART_ELDERS_MAX) {
		if (fd >= 0)
			close(fd);
		return;
	}
	predecessor->elders[count].link = fd;
	unpack_elder(from, &predecessor->elders[count].known);
	predecessor->elder_count++;
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
	while ((kind = next_frame(daemon->predecessor, &from)) == HANDOVER_SOCKET ||
	       kind == HANDOVER_ELDER)
		if (kind == HANDOVER_SOCKET)
			keep_socket(daemon->predecessor, &from);
		else
			keep_elder(daemon->predecessor, &from);
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

	if (!daemon->predecessor || daemon->predecessor->link < 0)
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
	struct str fleet = { 0 }, rest = { 0 };
	struct unpack from;
	uint64_t kind;

	if (!predecessor || predecessor->link < 0)
		return 0;
	handover_fleet(daemon->config, &fleet);
	pack_bytes(&rest, fleet.text, fleet.length);
	(void)handover_send(predecessor->link, HANDOVER_READY, &rest, -1);
	str_done(&fleet);
	str_done(&rest);
	while ((kind = next_frame(predecessor, &from)) && kind != HANDOVER_STORE_END) {
		if (kind == HANDOVER_STORE)
			keep_vigil(daemon, &from);
		else if (kind == HANDOVER_PHONE)
			keep_phone(predecessor, &from);
		fd_frame_done(&predecessor->frame);
	}
	daemon->trusts = kind == HANDOVER_STORE_END && unpack_number(&from);
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

/* Nothing is heard of them before the old one has left its place. */
static int add_elders(struct predecessor *predecessor)
{
	struct daemon *daemon = predecessor->daemon;
	int err = 0;

	for (size_t i = 0; i < predecessor->elder_count; i++) {
		int failed = elders_add(daemon, predecessor->elders[i].link,
					&predecessor->elders[i].known);

		err = err ? err : failed;
	}
	predecessor->elder_count = 0;
	return err;
}

/* What it, or one before it, has counted. */
static void hear(struct predecessor *predecessor, struct unpack *from)
{
	int pid = share_hear(predecessor->daemon, from);

	for (size_t i = 0; i < predecessor->elder_count; i++)
		if (predecessor->elders[i].known.pid == pid)
			return;
	predecessor->pid = pid;
}

int predecessor_take_place(struct daemon *daemon)
{
	struct predecessor *predecessor = daemon->predecessor;
	struct restart_elder known = { 0 };
	struct unpack from;
	uint64_t kind;
	int err = 0;

	if (!predecessor)
		return 0;
	if (predecessor->link >= 0)
		(void)handover_send(predecessor->link, HANDOVER_PREPARED, NULL, -1);
	while ((kind = next_frame(predecessor, &from)) && kind != HANDOVER_GO) {
		if (kind == HANDOVER_SHARE)
			hear(predecessor, &from);
		fd_frame_done(&predecessor->frame);
	}
	if (kind) {
		unpack_elder(&from, &known);
		err = elders_add(daemon, predecessor->link, &known);
		predecessor->link = -1;
	} else if (predecessor->pid) {
		share_end(daemon, predecessor->pid);
	}
	if (!err)
		err = add_elders(predecessor);
	elders_tell_heir(daemon);
	sip_endpoint_set_silent(daemon->endpoint, false);
	return err ? daemon_failed("restart", err) : 0;
}

void predecessor_done(struct daemon *daemon)
{
	struct predecessor *predecessor = daemon->predecessor;

	if (!predecessor)
		return;
	lose_link(predecessor);
	for (size_t i = 0; i < predecessor->elder_count; i++)
		close(predecessor->elders[i].link);
	predecessor_close_unused(daemon);
	for (size_t i = 0; i < predecessor->phone_count; i++)
		str_done(&predecessor->phones[i]);
	free(predecessor->phones);
	free(predecessor->sip);
	free(predecessor->admin);
	free(predecessor);
	daemon->predecessor = NULL;
}
