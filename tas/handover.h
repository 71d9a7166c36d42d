/* SPDX-License-Identifier: Apache-2.0 */
/* handover.h - one process takes the place of another while calls go on.
 *
 * The old one starts the new one and they speak over a pair of sockets (base/fd_link.h).
 * Each step can be refused by the new one, or come too late, up to GO; then the old one
 * goes on as if nothing had happened. docs/decisions/0009 has the steps and the reasons.
 *
 *     new  HELLO      protocol, process number, version
 *     old  ELDER      the link to one that was before it, and what GO says of it; each
 *     old  ELDER_GONE that one, by its number, has ended meanwhile
 *     old  SOCKET     one that listens, with its name; each
 *     old  SOCKETS_END
 *     new  READY      it has read its configuration and could serve, and is that node of a
 *                     fleet; or REFUSED, with why
 *     old  STORE      path, and the vigil's descriptor: it writes and says nothing more
 *     old  PHONE      where one device is; each
 *     old  STORE_END  whether all that the core was told stands there
 *     new  PREPARED   it has read the store
 *     old  SHARE      what it, and each one before it, has counted: whose it is, of what, how
 *                     many; each
 *     old  GO         the sockets are the new one's from now on; its number, as CALLS, and
 *                     where it listens for the operator
 *     new  HEIR       its number, to those that were before the old one: links with them
 *                     are its own from GO on, or from the old one's death
 *     both NEIGHBOUR_ frames: neighbour.h
 *     old  CALLS      how many go on there, for how long at most, and how many each trunk
 *                     has of them; each second
 *     old  SHARE      of what it has counted, what has changed; each second, and at its end
 *     new  END        they shall end now
 *     old  NOTICE     of a message that was left and nobody was told of; each
 *     old  GONE       it ends, and nothing is left in it
 *
 * CANCEL, of the old one, ends it all before GO. A side that is gone without it has died.
 *
 * Threads: the SIP thread's.
 */
#ifndef BREAKOUT_TAS_HANDOVER_H
#define BREAKOUT_TAS_HANDOVER_H

#include <stdbool.h>
#include "base/macros.h"
#include "base/str.h"

#define HANDOVER_PROTOCOL 2
#define HANDOVER_LINK     3     /* the descriptor in the new process */
#define HANDOVER_START_MS 30000 /* from its start until it is PREPARED */

enum handover_frame {
	HANDOVER_HELLO = 1,
	HANDOVER_ELDER,
	HANDOVER_ELDER_GONE,
	HANDOVER_SOCKET,
	HANDOVER_SOCKETS_END,
	HANDOVER_REFUSED,
	HANDOVER_READY,
	HANDOVER_STORE,
	HANDOVER_PHONE,
	HANDOVER_STORE_END,
	HANDOVER_PREPARED,
	HANDOVER_GO,
	HANDOVER_HEIR,
	HANDOVER_CANCEL,
	HANDOVER_CALLS,
	HANDOVER_END,
	HANDOVER_NOTICE,
	HANDOVER_GONE,
	HANDOVER_SHARE
};

struct config;
struct daemon;
struct restart_elder;
struct unpack;

/* A frame of a kind, what follows in it (NULL: nothing), and a descriptor (-1: none).
 * Waits for a moment for a side that is slow. 0 or -errno. */
int handover_send(int link, enum handover_frame kind, const struct str *rest, int fd);

/* What makes a node of a fleet (store.postgres) that node; nothing of another daemon. */
void handover_fleet(const struct config *config, struct str *to);

/* What others know of one that has calls yet: its place in a frame. */
void pack_elder(struct str *frame, const struct restart_elder *elder);
void unpack_elder(struct unpack *from, struct restart_elder *ret_elder);

/* ---- in the old process: successor.c ---- */

/* For admin_options.restart: begins. NULL: it does; else why not. */
const char *successor_start(void *daemon);
/* One that was before us has ended: one that begins has its link already. */
void successor_forget_elder(struct daemon *daemon, int pid);
/* Whether it may end: nothing is passed on any more, and that was said. Ask again. */
bool successor_lets_go(struct daemon *daemon);
/* What it is in the middle of is cancelled; one that has our place hears that we end. */
void successor_done(struct daemon *daemon);

/* ---- in the new process: predecessor.c ---- */

/* Over a link from the command line. 0, or an error that is logged. */
int predecessor_greet(struct daemon *daemon, int take_link) MUST_CHECK;
void predecessor_refuse(struct daemon *daemon, const char *why);
/* One was there, or before it, and has not gone or died: until predecessor_take_place(). */
bool predecessor_lives(const struct daemon *daemon);
/* Its part of the store: daemon->vigil is set if it goes on with the same. Then, once the
 * rooms are there, the phones; and its place. */
int predecessor_take_store(struct daemon *daemon) MUST_CHECK;
void predecessor_take_phones(struct daemon *daemon);
int predecessor_take_place(struct daemon *daemon) MUST_CHECK;
struct inherited_socket *predecessor_sockets(struct daemon *daemon, size_t *ret_count);
int predecessor_admin_socket(const char *name, void *daemon);
void predecessor_close_unused(struct daemon *daemon);
void predecessor_done(struct daemon *daemon);

/* ---- what is counted for all of them: share.c ---- */

/* To one that takes our place: metrics, calls of numbers and of targets. all: even what has
 * not changed. 0 or -errno: then it is all that it has to hear next. */
int share_tell(const struct daemon *daemon, int link, bool all) MUST_CHECK;
/* The metrics that `process`, which lives, has told us. 0 or -errno. */
int share_pass_on(int process, int link) MUST_CHECK;
/* Of all those, and of ourselves. 0 or -errno. */
int share_hand_over(const struct daemon *daemon, int link) MUST_CHECK;
/* It does not take our place, or has died in it: nobody has to hear of us. */
void share_tell_nobody(const struct daemon *daemon);
int share_hear(struct daemon *daemon, struct unpack *from); /* whose it is */
/* It is gone: what it has counted stays, what it had in progress does not count. */
void share_end(struct daemon *daemon, int process);
void share_leave(struct daemon *daemon, int process); /* it is another's to hear */

/* ---- those that have calls yet: elders.c ---- */

/* One, the youngest first. 0 or -errno. */
int elders_add(struct daemon *daemon, int take_link, const struct restart_elder *known) MUST_CHECK;
bool elders_live(const struct daemon *daemon);
size_t elders_calls(const struct daemon *daemon);
void elders_end_calls(struct daemon *daemon);
void elders_tell_heir(struct daemon *daemon); /* that we are theirs */
/* To a process that takes our place: their links; what they have counted; then nothing is heard of
 * them here; then they are that process's. 0 or -errno. */
int elders_send(const struct daemon *daemon, int link) MUST_CHECK;
int elders_pass_on(const struct daemon *daemon, int link) MUST_CHECK;
void elders_set_silent(struct daemon *daemon, bool silent);
void elders_leave(struct daemon *daemon);
void elders_done(struct daemon *daemon);

#endif
