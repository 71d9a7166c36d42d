/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h - which registrations a sick TAS keeps from the core, who goes first, and
 * for how long the trouble held calls.
 *
 * A registration lives for an hour whether its calls are served or not: so what
 * cannot be served is deleted, and calls go past us as if we were not there. A
 * member of a fleet whose others serve deletes nothing: the core's calls reach
 * them by the same name.
 *
 * It knows no records and no clock: time and counts are handed in. Threads: the
 * registrar's; what keeper_summary() reads is written under the keeper's lock.
 */
#ifndef BREAKOUT_REGISTRAR_GATE_H
#define BREAKOUT_REGISTRAR_GATE_H

#include "registrar/registrar.h"

/* Zero-initialise: open. */
struct gate {
	/* Whether somebody else of the fleet is well and gets our calls. NULL: we are alone.
	 * Not asked for services: their trunks are down for the others too. */
	bool (*peers_serve)(void *arg);
	void *arg;
	uint64_t config; /* the services' numbering: registrar_config_id() */
	struct registrar_verdict verdict;
	bool deferred;     /* sick as a whole, and the fleet's others serve */
	mono_ms began;     /* 0: nothing is held */
	mono_ms native_ms; /* from the trouble's first sign until nothing held was at the core */
	bool native;       /* nothing that is held is at the core any more */
};

/* True: what is held may be another than before. */
bool gate_judge(struct gate *gate, const struct registrar_verdict *verdict);

/* Whether the verdict speaks of the services as they are numbered now. Until one does,
 * what is held stays held. */
bool gate_knows(const struct gate *gate);
bool gate_holds(const struct gate *gate, uint32_t service);
const char *gate_why(const struct gate *gate, uint32_t service);

/* Who is deleted first: 0 before 1 before 2 ... */
#define GATE_RANKS 4
unsigned gate_rank(const struct gate *gate, uint32_t service, enum route_type type);

/* held: registrations that shall be kept from the core; told: those of them that it
 * may know yet. Moves the metrics and says what begins and ends. */
void gate_note(struct gate *gate, size_t held, size_t told, mono_ms now);

#endif
