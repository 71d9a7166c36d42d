/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_inside.h - a membership as its own files see it: fleet.c, with its thread and
 * its door, and fleet_turn.c, what that thread does. Others use fleet.h. */
#ifndef BREAKOUT_REGISTRAR_FLEET_INSIDE_H
#define BREAKOUT_REGISTRAR_FLEET_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include "registrar/fleet_sql.h"

struct fleet {
	struct fleet_options options;
	char *name;
	mono_ms lease_ms, alone_ms;
	struct pg *pg;
	int wake_fd;
	pthread_t thread;
	bool started;
	_Atomic bool reaches;
	_Atomic mono_ms answered; /* the last beat that got through began; 0: none has */
	_Atomic mono_ms doubted;  /* 0: never */
	_Atomic uint64_t session; /* 0: no member */
	_Atomic mono_ms pulse;

	/* Fleet thread: */
	struct fleet_self self;
	struct lease_watch watch;
	struct lease_view view;
	struct lease_plan plan;
	bool known[LEASE_SHARDS]; /* ours, and the registrar has heard of it */
	bool held[LEASE_SHARDS];  /* and with a hold */
	bool was_member, put_out, away, stalled, name_taken, behind, leaving;
	bool again; /* there is more to do than a beat */

	/* Others write what stands below. */
	pthread_mutex_t lock;
	struct lease_wish wish;
	bool drain, sick, cut_off, forgotten, ending;
	bool resting, over; /* over: its thread has ended while it rested */
	mono_ms rest_until;
	struct fleet_gift gifts[LEASE_SHARDS];
	struct registrar_fleet info;
};

/* One turn of the thread: orders, a beat, a look, and what follows from it. False: it
 * was the last one, goodbye is said. ret_next: when the next one is due. */
bool fleet_turn(struct fleet *fleet, mono_ms *ret_next);
/* The next turn is the last one. Any thread. */
void fleet_end(struct fleet *fleet);

#endif
