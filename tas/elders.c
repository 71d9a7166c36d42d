/* SPDX-License-Identifier: Apache-2.0 */
/* elders.c - the processes that were here before this one and still have calls: their
 * links, until the last call has ended, or until another process takes our place and has
 * them. See handover.h. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/fd_link.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tas/daemon.h"
#include "tas/handover.h"
#include "tas/sip/neighbour.h"

#define FRAMES 64 /* a turn */

static struct metric elders_count =
	METRIC_GAUGE_INIT("breakout_predecessors", NULL,
			  "Processes that were here before a restart and have calls yet.");
static struct metric elders_have =
	METRIC_GAUGE_INIT("breakout_predecessor_calls", NULL,
			  "Calls of these, which breakout_calls_active counts too.");

struct elder {
	struct elder *next; /* older */
	struct daemon *daemon;
	int link; /* -1: the heir has it */
	struct restart_elder known;
	struct neighbour *neighbour;
	struct elder_trunk {
		char name[128];
		unsigned calls;
	} * trunks;
	size_t trunk_count;
	bool said_gone;
	struct fd_frame frame;
};

/* Limits hold for all of us together. */
static void count_beside(struct daemon *daemon)
{
	call_room_set_beside(daemon->calls, elders_calls(daemon));
	service_forget_beside(daemon->service);
	for (const struct elder *at = daemon->elders; at; at = at->next)
		for (size_t i = 0; at->link >= 0 && i < at->trunk_count; i++)
			service_add_beside(daemon->service, at->trunks[i].name,
					   at->trunks[i].calls);
}

/* What the operator sees, and who waits for their end. */
static void tell(struct daemon *daemon)
{
	struct admin_restart *report = &daemon->restart;

	report->elder_count = 0;
	for (const struct elder *at = daemon->elders; at; at = at->next)
		if (at->link >= 0 && report->elder_count < RESTART_ELDERS_MAX)
			report->elders[report->elder_count++] = at->known;
	count_beside(daemon);
	metric_set(&elders_count, (int64_t)report->elder_count);
	metric_set(&elders_have, (int64_t)elders_calls(daemon));
	daemon_calls_changed(daemon);
}

static void forget(struct elder *elder)
{
	struct daemon *daemon = elder->daemon;
	struct elder **at = &daemon->elders;

	while (*at != elder)
		at = &(*at)->next;
	*at = elder->next;
	(void)neighbour_destroy(elder->neighbour);
	if (elder->link >= 0) {
		sip_loop_unwatch(daemon->loop, elder->link);
		close(elder->link);
	}
	free(elder->trunks);
	free(elder);
}

static void on_end(struct elder *elder)
{
	struct daemon *daemon = elder->daemon;

	if (elder->said_gone)
		log_info("main", "restart: the old process pid=%d has ended, with its last call",
			 elder->known.pid);
	else
		log_error("main",
			  "restart: the old process has died, and with it calls=%zu: pid=%d",
			  elder->known.calls, elder->known.pid);
	if (!elder->said_gone && elder->known.socket[0])
		(void)unlink(elder->known.socket); /* it is nobody's, and may be gone already */
	successor_forget_elder(daemon, elder->known.pid);
	share_end(daemon, elder->known.pid);
	forget(elder);
	tell(daemon);
}

/* False: it was the last one. */
static bool take_trunk(struct elder *elder, struct unpack *from)
{
	struct elder_trunk *more, trunk;

	unpack_text(from, trunk.name, sizeof(trunk.name));
	if (from->failed || !trunk.name[0])
		return false;
	trunk.calls = (unsigned)unpack_number(from);
	more = reallocarray(elder->trunks, elder->trunk_count + 1, sizeof(*more));
	if (!more)
		return false; /* the next one is a second away */
	elder->trunks = more;
	more[elder->trunk_count++] = trunk;
	return true;
}

static void on_calls(struct elder *elder, struct unpack *from)
{
	elder->known.calls = (size_t)unpack_number(from);
	elder->known.for_s = (unsigned)unpack_number(from);
	elder->trunk_count = 0;
	while (take_trunk(elder, from))
		;
	elder->known.legs = from->failed ? 0 : (size_t)unpack_number(from);
	tell(elder->daemon);
}

static void on_link(int fd, void *arg)
{
	struct elder *elder = arg;

	for (unsigned i = 0; i < FRAMES; i++) {
		int got = fd_link_receive(fd, &elder->frame, 0);
		struct unpack from = unpack_begin(&elder->frame);

		if (got == -EAGAIN)
			return;
		if (got <= 0) {
			on_end(elder);
			return;
		}
		switch (unpack_number(&from)) {
		case HANDOVER_CALLS:
			on_calls(elder, &from);
			break;
		case HANDOVER_NOTICE:
			if (service_take_notice(elder->daemon->service, &from) < 0)
				log_error("main", "restart: a notice of a message is lost");
			break;
		case HANDOVER_SHARE:
			(void)share_hear(elder->daemon, &from); /* its own */
			break;
		case HANDOVER_GONE:
			elder->said_gone = true;
			break;
		default:
			if (neighbour_take(elder->neighbour, &elder->frame) < 0)
				log_debug("main", "restart: a frame of an unknown kind");
		}
		fd_frame_done(&elder->frame);
	}
}

int elders_add(struct daemon *daemon, int take_link, const struct restart_elder *known)
{
	struct elder *elder = calloc(1, sizeof(*elder)), **last = &daemon->elders;
	int err = elder ? 0 : -ENOMEM;

	if (!err)
		err = neighbour_create(&elder->neighbour, daemon->endpoint, NEIGHBOUR_ELDER,
				       take_link);
	if (!err)
		err = sip_loop_watch(daemon->loop, take_link, on_link, elder);
	if (err) {
		if (elder)
			(void)neighbour_destroy(elder->neighbour);
		free(elder);
		close(take_link);
		return err;
	}
	elder->daemon = daemon;
	elder->link = take_link;
	elder->known = *known;
	while (*last)
		last = &(*last)->next;
	*last = elder;
	tell(daemon);
	return 0;
}

bool elders_live(const struct daemon *daemon)
{
	for (const struct elder *at = daemon->elders; at; at = at->next)
		if (at->link >= 0)
			return true;
	return false;
}

size_t elders_calls(const struct daemon *daemon)
{
	size_t calls = 0;

	for (const struct elder *at = daemon->elders; at; at = at->next)
		calls += at->link >= 0 ? at->known.calls : 0;
	return calls;
}

void elders_end_calls(struct daemon *daemon)
{
	for (const struct elder *at = daemon->elders; at; at = at->next)
		if (at->link >= 0)
			(void)handover_send(at->link, HANDOVER_END, NULL, -1);
}

void elders_tell_heir(struct daemon *daemon)
{
	struct str rest = { 0 };

	pack_number(&rest, (uint64_t)getpid());
	for (const struct elder *at = daemon->elders; at; at = at->next)
		(void)handover_send(at->link, HANDOVER_HEIR, &rest, -1);
	str_done(&rest);
}

/* ---- to a process that takes our place ---- */

int elders_send(const struct daemon *daemon, int link)
{
	int err = 0;

	for (const struct elder *at = daemon->elders; at && !err; at = at->next) {
		struct str rest = { 0 };

		pack_elder(&rest, &at->known);
		err = handover_send(link, HANDOVER_ELDER, &rest, at->link);
		str_done(&rest);
	}
	return err;
}

int elders_pass_on(const struct daemon *daemon, int link)
{
	int err = 0;

	for (const struct elder *at = daemon->elders; at && !err; at = at->next)
		err = share_pass_on(at->known.pid, link);
	return err;
}

void elders_set_silent(struct daemon *daemon, bool silent)
{
	for (struct elder *at = daemon->elders; at; at = at->next)
		if (silent)
			sip_loop_unwatch(daemon->loop, at->link);
		else if (sip_loop_watch(daemon->loop, at->link, on_link, at) < 0)
			log_error("main", "restart: pid=%d is not heard any more: no memory",
				  at->known.pid);
}

void elders_leave(struct daemon *daemon)
{
	for (struct elder *at = daemon->elders; at; at = at->next) {
		close(at->link);
		at->link = -1;
		share_leave(daemon, at->known.pid);
		neighbour_leave(at->neighbour);
	}
	daemon->restart.elder_count = 0;
	count_beside(daemon);
}

void elders_done(struct daemon *daemon)
{
	while (daemon->elders)
		forget(daemon->elders);
}
