/* SPDX-License-Identifier: Apache-2.0 */
/* scenario.h - the calls of the demo: what is done, and what must come of it. */
#ifndef BREAKOUT_TOOLS_CORE_SCENARIO_H
#define BREAKOUT_TOOLS_CORE_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

struct scenario {
	const char *name, *from, *to;
	const char *callee, *pbx; /* what they do when called; NULL: as before */
	const char *pbx_number;   /* of the PBX's phone that this is about; NULL: any */
	int callee_ring_ms, pbx_ring_ms, talk_ms;
	bool from_pbx;
	const char *plan, *legs, *answered_by, *verdict;
	int status;
	const char *trace; /* a message that must have been seen; NULL none */
	int trace_leg;
	const char *party; /* who of the PBX answers; NULL: whoever */
	const char *shown; /* the caller's number as the callee sees it; NULL: not looked at */
	bool message;      /* one more message is in a mailbox afterwards */
};

/* Calls with one configuration. */
struct chapter {
	const char *title, *about;
	const char *sample; /* a file of config/samples; NULL: a number for each route type */
	bool closed;        /* the sample's working hours are over */
	const struct scenario *scenarios;
	size_t count;
};

const struct chapter *scenario_chapters(size_t *ret_count);

#endif
