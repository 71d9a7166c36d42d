/* SPDX-License-Identifier: Apache-2.0 */
/* successor.c - the old process: starts the new one, hands over, and ends with its last
 * call. See handover.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/fd_link.h"
#include "base/log.h"
#include "tas/daemon.h"
#include "tas/handover.h"
#include "tas/notify.h"
#include "tas/sip/listening.h"
#include "tas/sip/neighbour.h"

#define TICK_MS       20     /* while the new one starts */
#define TELL_MS       1000   /* how often it hears of our calls */
#define REST_MS       1000   /* for requests to the core that are out */
#define QUIET_MS      30000  /* what we wait for a quiet moment of each connection at the end */
#define PARTED_MS     1000   /* for what was on its way when we said the end */
#define PARTED_MAX_MS 3000   /* for peers to end their side too */
#define OWED_MAX_MS   180000 /* for calls that ring: timer C of RFC 3261 section 16.6 */
#define FRAMES        64     /* a turn */

struct successor {
	struct daemon *daemon;
	int link;
	pid_t starter; /* to be reaped; 0: done */
	pid_t pid;     /* 0: not known yet */
	enum { STARTING, RESTING, TAKING, SERVING } phase;
	mono_ms give_up_at, quiet_by, parted_at;
	struct timer timer;
	struct neighbour *neighbour; /* NULL before SERVING, or it has died */
	bool stops;                  /* it ends itself: nothing is passed on any more */
	bool tell_all;               /* it may have missed what we have counted */
	struct fd_frame frame;
};

static void reap(struct successor *successor)
{
	if (successor->starter && waitpid(successor->starter, NULL, WNOHANG) != 0)
		successor->starter = 0;
}

static void forget(struct successor *successor)
{
	struct daemon *daemon = successor->daemon;

	timer_cancel(&successor->timer);
	(void)neighbour_destroy(successor->neighbour);
	sip_loop_unwatch(daemon->loop, successor->link);
	close(successor->link);
	reap(successor);
	free(successor);
	daemon->successor = NULL;
}

/* ---- it does not come to it ---- */

static void take_back(struct daemon *daemon)
{
	if (registrar_wake(daemon->registrar) < 0)
		log_error("main", "restart: the registrar cannot go on: stop and start the daemon");
	if (!daemon->records)
		daemon_start_records(daemon);
}

static void fail(struct successor *successor, const char *why)
{
	struct daemon *daemon = successor->daemon;
	struct admin_restart *report = &daemon->restart;

	report->state = RESTART_FAILED;
	(void)snprintf(report->why, sizeof(report->why), "%s", why);
	log_error("main", "restart: refused, this process goes on: %s", report->why);
	(void)handover_send(successor->link, HANDOVER_CANCEL, NULL, -1);
	if (successor->pid)
		(void)kill(successor->pid, SIGKILL);
	share_tell_nobody(daemon);
	if (successor->phase != STARTING)
		take_back(daemon);
	forget(successor);
}

/* ---- what is handed over ---- */

static void send_sip_socket(const struct listening_socket *socket, void *arg)
{
	struct successor *successor = arg;
	struct str rest = { 0 };

	pack_text(&rest, "sip");
	pack_number(&rest, (uint64_t)socket->transport);
	pack_number(&rest, socket->asked_port);
	(void)handover_send(successor->link, HANDOVER_SOCKET, &rest, socket->fd);
	str_done(&rest);
}

static void send_admin_socket(const char *name, int fd, void *arg)
{
	struct successor *successor = arg;
	struct str rest = { 0 };

	pack_text(&rest, name);
	(void)handover_send(successor->link, HANDOVER_SOCKET, &rest, fd);
	str_done(&rest);
}

static void on_hello(struct successor *successor, struct unpack *from)
{
	struct daemon *daemon = successor->daemon;
	unsigned protocol = (unsigned)unpack_number(from);
	char version[64], why[200];

	successor->pid = (pid_t)unpack_number(from);
	unpack_text(from, version, sizeof(version));
	if (from->failed || protocol != HANDOVER_PROTOCOL) {
		(void)snprintf(why, sizeof(why),
			       "the program on disk hands over in another way (%u, this one %u): "
			       "drain this daemon and start it anew",
			       protocol, HANDOVER_PROTOCOL);
		fail(successor, why);
		return;
	}
	log_info("main", "restart: pid=%d version=%s starts", (int)successor->pid, version);
	if (elders_send(daemon, successor->link) < 0) {
		fail(successor, "the new program does not listen");
		return;
	}
	sip_endpoint_each_socket(daemon->endpoint, send_sip_socket, successor);
	admin_each_socket(daemon->admin, send_admin_socket, successor);
	if (handover_send(successor->link, HANDOVER_SOCKETS_END, NULL, -1) < 0)
		fail(successor, "the new program does not listen");
}

static void send_phone(const struct str *packed, const char *hop, void *arg)
{
	struct successor *successor = arg;

	(void)hop;
	(void)handover_send(successor->link, HANDOVER_PHONE, packed, -1);
}

static void show_phone(const struct str *packed, const char *hop, void *arg)
{
	struct successor *successor = arg;

	(void)packed;
	neighbour_show(successor->neighbour, hop);
}

/* The registrar rests: from here on the store is the new one's. */
static void send_store(struct successor *successor)
{
	struct daemon *daemon = successor->daemon;
	struct str rest = { 0 }, end = { 0 };
	int err;

	successor->phase = TAKING;
	daemon->records = records_destroy(daemon->records);
	pack_text(&rest, daemon->vigil ? daemon->first->store_sqlite : "");
	err = handover_send(successor->link, HANDOVER_STORE, &rest,
			    daemon->vigil ? vigil_descriptor(daemon->vigil) : -1);
	str_done(&rest);
	if (!err)
		device_pack_each(daemon->devices, send_phone, successor);
	pack_number(&end, registrar_rests_settled(daemon->registrar));
	if (!err)
		err = handover_send(successor->link, HANDOVER_STORE_END, &end, -1);
	str_done(&end);
	if (err)
		fail(successor, "the new program does not listen");
}

/* Of a fleet: nobody may miss us, and nobody goes by two names. */
static bool same_fleet(const struct daemon *daemon, struct unpack *from)
{
	struct str ours = { 0 };
	size_t length;
	const char *theirs = unpack_bytes(from, &length);
	bool same;

	handover_fleet(daemon->first, &ours);
	same = !ours.failed && length == ours.length &&
	       (!length || !memcmp(theirs, ours.text, length));
	str_done(&ours);
	return same;
}

static void on_ready(struct successor *successor, struct unpack *from)
{
	if (successor->phase != STARTING)
		return;
	if (!same_fleet(successor->daemon, from)) {
		fail(successor, "store.postgres, store.node or store.lease has changed: drain this "
				"daemon and start it anew");
		return;
	}
	successor->phase = RESTING;
	registrar_rest(successor->daemon->registrar, REST_MS);
}

static void leave_place(struct daemon *daemon, const char *socket)
{
	elders_leave(daemon);
	daemon->left = true;
	daemon->stopping = STOP_DRAINING;
	daemon->admin = admin_hand_over(daemon->admin);
	daemon_start_side_admin(daemon, socket);
	vitals_freeze(daemon->vitals, true);
	call_room_drain(daemon->calls, true);
	service_forget_trunks(daemon->service);
	if (daemon->watchdog_ms > 0)
		timer_cancel(&daemon->watchdog_timer);
	daemon_drain_calls(daemon);
}

/* Whom to follow: before that one says that it is ready. */
static void tell_manager(pid_t pid)
{
	char state[32];

	(void)snprintf(state, sizeof(state), "MAINPID=%d", (int)pid);
	notify_manager(state);
}

static void set_silent(struct daemon *daemon, bool silent)
{
	sip_endpoint_set_silent(daemon->endpoint, silent);
	elders_set_silent(daemon, silent);
}

static void know_oneself(const struct daemon *daemon, struct restart_elder *ret_known)
{
	const char *path = daemon->first->admin_socket;
	int length;

	*ret_known = (struct restart_elder){ .pid = (int)getpid(),
					     .calls = call_room_count(daemon->calls),
					     .for_s = daemon->config->drain_s };
	length = snprintf(ret_known->socket, sizeof(ret_known->socket), "%s.%d", path ? path : "",
			  (int)getpid());
	if (!path || length >= (int)sizeof(ret_known->socket))
		ret_known->socket[0] = '\0';
}

/* Nothing can fail any more; calls wait in the kernel until the new one looks. */
static void on_prepared(struct successor *successor)
{
	struct daemon *daemon = successor->daemon;
	struct restart_elder known;
	struct str rest = { 0 };
	int err;

	if (successor->phase != TAKING)
		return;
	if (neighbour_create(&successor->neighbour, daemon->endpoint, NEIGHBOUR_HEIR,
			     successor->link) < 0) {
		fail(successor, "not enough memory");
		return;
	}
	set_silent(daemon, true);
	tell_manager(successor->pid);
	err = share_hand_over(daemon, successor->link);
	know_oneself(daemon, &known);
	pack_elder(&rest, &known);
	if (!err)
		err = handover_send(successor->link, HANDOVER_GO, &rest, -1);
	str_done(&rest);
	if (err) {
		set_silent(daemon, false);
		tell_manager(getpid());
		fail(successor, "the new program has ended");
		return;
	}
	device_pack_each(daemon->devices, show_phone, successor);
	successor->phase = SERVING;
	timer_start(sip_loop_wheel(daemon->loop), &successor->timer, clock_now()); /* tells */
	log_info("main", "restart: pid=%d takes over, calls=%zu end here within_s=%u",
		 (int)successor->pid, call_room_count(daemon->calls), daemon->config->drain_s);
	leave_place(daemon, known.socket);
}

/* ---- from there on ---- */

static void pack_trunk(const char *name, unsigned calls, void *arg)
{
	pack_text(arg, name);
	pack_number(arg, calls);
}

static void tell_calls(struct successor *successor)
{
	struct daemon *daemon = successor->daemon;
	mono_ms left = daemon->drain_until - clock_now();
	struct str rest = { 0 };

	pack_number(&rest, call_room_count(daemon->calls));
	pack_number(&rest, left > 0 ? (uint64_t)left / 1000 : 0);
	service_each_trunk(daemon->service, pack_trunk, &rest);
	pack_text(&rest, "");
	pack_number(&rest, sip_endpoint_leg_count(daemon->endpoint));
	(void)handover_send(successor->link, HANDOVER_CALLS, &rest, -1);
	str_done(&rest);
	successor->tell_all = share_tell(daemon, successor->link, successor->tell_all) < 0;
}

/* Who connects hears that nobody is there instead of waiting. */
static void shut_socket(const struct listening_socket *socket, void *arg)
{
	(void)arg;
	(void)shutdown(socket->fd, SHUT_RDWR);
}

static void on_death(struct successor *successor)
{
	if (successor->phase != SERVING) {
		fail(successor, "the new program ended before it could serve: its last lines in "
				"the log say why");
		return;
	}
	log_error("main", "restart: pid=%d has died, and this process only ends its calls=%zu",
		  (int)successor->pid, call_room_count(successor->daemon->calls));
	share_tell_nobody(successor->daemon);
	sip_endpoint_each_socket(successor->daemon->endpoint, shut_socket, NULL);
	forget(successor);
}

/* Our heir has an heir itself. */
static void on_heir(struct successor *successor, struct unpack *from)
{
	pid_t pid = (pid_t)unpack_number(from);

	if (successor->phase != SERVING || from->failed || pid == successor->pid)
		return;
	log_info("main", "restart: pid=%d has the place of pid=%d", (int)pid, (int)successor->pid);
	successor->pid = pid;
	neighbour_renew(successor->neighbour);
	successor->tell_all = true;
	tell_calls(successor);
}

static void on_refused(struct successor *successor, struct unpack *from)
{
	char why[sizeof(successor->daemon->restart.why)];

	unpack_text(from, why, sizeof(why));
	fail(successor, from->failed ? "the new program could not start" : why);
}

/* False: `successor` is gone. */
static bool on_frame(struct successor *successor)
{
	struct daemon *daemon = successor->daemon;
	struct unpack from = unpack_begin(&successor->frame);

	switch (unpack_number(&from)) {
	case HANDOVER_HELLO:
		on_hello(successor, &from);
		break;
	case HANDOVER_REFUSED:
		on_refused(successor, &from);
		break;
	case HANDOVER_READY:
		on_ready(successor, &from);
		break;
	case HANDOVER_PREPARED:
		on_prepared(successor);
		break;
	case HANDOVER_HEIR:
		on_heir(successor, &from);
		break;
	case HANDOVER_END:
		successor->stops = true;
		daemon_end_calls(daemon);
		break;
	default:
		if (successor->neighbour &&
		    neighbour_take(successor->neighbour, &successor->frame) < 0)
			log_debug("main", "restart: a frame of an unknown kind");
	}
	return daemon->successor != NULL;
}

static void on_link(int fd, void *arg)
{
	struct successor *successor = arg;

	for (unsigned i = 0; i < FRAMES; i++) {
		int got = fd_link_receive(fd, &successor->frame, 0);

		if (got == -EAGAIN)
			return;
		if (got <= 0) {
			on_death(successor);
			return;
		}
		if (!on_frame(successor))
			return;
		fd_frame_done(&successor->frame);
	}
}

/* One that hangs is not waited for, as our calls would wait too: it hears it once it reads. */
static bool listens(const struct successor *successor)
{
	struct pollfd room = { .fd = successor->link, .events = POLLOUT };

	return poll(&room, 1, 0) > 0;
}

static void on_tick(struct timer *timer, void *arg)
{
	struct successor *successor = arg;
	struct daemon *daemon = successor->daemon;
	mono_ms now = clock_now();

	reap(successor);
	if (successor->phase == RESTING && registrar_rests(daemon->registrar))
		send_store(successor);
	else if (successor->phase == SERVING && listens(successor))
		tell_calls(successor);
	else if (successor->phase != SERVING && now >= successor->give_up_at)
		fail(successor, "the new program is not ready within 30 seconds");
	if (daemon->successor)
		timer_start(sip_loop_wheel(daemon->loop), timer,
			    now + (successor->phase == SERVING ? TELL_MS : TICK_MS));
}

/* ---- its start ---- */

static int spawn(const struct daemon *daemon, int link, pid_t *ret_pid)
{
	char take_over[32];
	char **arguments = calloc(daemon->argument_count + 3, sizeof(*arguments));
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int err;

	if (!arguments)
		return -ENOMEM;
	(void)snprintf(take_over, sizeof(take_over), "--take-over=%d", HANDOVER_LINK);
	arguments[0] = daemon->name;
	arguments[1] = take_over;
	for (size_t i = 0; i < daemon->argument_count; i++)
		arguments[i + 2] = daemon->arguments[i];
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	err = posix_spawn_file_actions_adddup2(&actions, link, HANDOVER_LINK);
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(&actions, HANDOVER_LINK + 1);
	if (!err)
		err = posix_spawn(ret_pid, daemon->program, &actions, &attributes, arguments,
				  environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free(arguments);
	return -err;
}

/* Of the oldest. Borrowed until it is asked again. */
static const char *too_many(const struct restart_elder *elder)
{
	static char why[256];

	(void)snprintf(why, sizeof(why),
		       "%d processes before this one still have calls; the oldest, pid %d, has "
		       "%zu and ends within %u s: try again then, or end its calls now with `kill "
		       "%d`, given twice",
		       RESTART_ELDERS_MAX, elder->pid, elder->calls, elder->for_s, elder->pid);
	return why;
}

static const char *why_not(const struct daemon *daemon)
{
	if (daemon->successor)
		return "a restart is under way";
	if (daemon->stopping != STOP_NOT)
		return "this daemon drains: `breakoutctl undrain` takes that back";
	if (daemon->restart.elder_count == RESTART_ELDERS_MAX)
		return too_many(&daemon->restart.elders[RESTART_ELDERS_MAX - 1]);
	if (getpid() == 1)
		return "this process is the container's first and its end would be the "
		       "container's: start another container and drain this one";
	if (!daemon->program[0])
		return "the path of this program is not known: /proc is not mounted";
	return NULL;
}

static int start(struct successor *successor)
{
	struct daemon *daemon = successor->daemon;
	int fds[2], err = fd_link_pair(fds);

	if (err)
		return err;
	successor->link = fds[0];
	err = sip_loop_watch(daemon->loop, successor->link, on_link, successor);
	if (!err) {
		err = spawn(daemon, fds[1], &successor->starter);
		if (err)
			sip_loop_unwatch(daemon->loop, successor->link);
	}
	close(fds[1]);
	if (err)
		close(fds[0]);
	return err;
}

const char *successor_start(void *arg)
{
	struct daemon *daemon = arg;
	const char *refusal = why_not(daemon);
	struct successor *successor = refusal ? NULL : calloc(1, sizeof(*successor));
	int err;

	if (refusal)
		return refusal;
	if (!successor)
		return "not enough memory";
	successor->daemon = daemon;
	err = start(successor);
	if (err) {
		log_error("main", "restart: %s cannot be started: %s", daemon->program,
			  strerror(-err));
		free(successor);
		return "the program cannot be started: the log says why";
	}
	successor->give_up_at = clock_now() + HANDOVER_START_MS;
	timer_init(&successor->timer, on_tick, successor);
	timer_start(sip_loop_wheel(daemon->loop), &successor->timer, clock_now() + TICK_MS);
	daemon->successor = successor;
	daemon->restart.state = RESTART_GOES_ON;
	daemon->restart.why[0] = '\0';
	log_info("main", "restart: %s is started", daemon->program);
	return NULL;
}

void successor_forget_elder(struct daemon *daemon, int pid)
{
	struct str rest = { 0 };

	if (!daemon->successor || daemon->successor->phase == SERVING)
		return;
	pack_number(&rest, (uint64_t)pid);
	(void)handover_send(daemon->successor->link, HANDOVER_ELDER_GONE, &rest, -1);
	str_done(&rest);
}

bool successor_lets_go(struct daemon *daemon)
{
	struct successor *successor = daemon->successor;
	mono_ms now = clock_now(), parted;

	if (!successor || !successor->neighbour || successor->stops)
		return true;
	if (!successor->quiet_by)
		successor->quiet_by = now + QUIET_MS;
	if (!successor->parted_at) {
		if (!neighbours_part(daemon->endpoint, now >= successor->quiet_by, now))
			return false;
		successor->parted_at = now;
	}
	parted = now - successor->parted_at;
	if (parted < PARTED_MS)
		return false;
	if (neighbours_owe_answers(daemon->endpoint))
		return parted >= OWED_MAX_MS;
	return parted >= PARTED_MAX_MS || neighbours_have_ended(daemon->endpoint);
}

static int send_notice(const struct str *packed, void *arg)
{
	struct successor *successor = arg;

	return handover_send(successor->link, HANDOVER_NOTICE, packed, -1);
}

void successor_done(struct daemon *daemon)
{
	struct successor *successor = daemon->successor;

	if (!successor)
		return;
	if (successor->phase == SERVING && daemon->service) {
		service_hand_over_notices(daemon->service, send_notice, successor);
		tell_calls(successor); /* for the last time */
	}
	(void)handover_send(successor->link,
			    successor->phase == SERVING ? HANDOVER_GONE : HANDOVER_CANCEL, NULL,
			    -1);
	forget(successor);
}
