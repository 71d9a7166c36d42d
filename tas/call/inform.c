/* SPDX-License-Identifier: Apache-2.0 */
/* inform.c - INFO from one side to the other, and its answer back.
 *
 * A loop passes on whatever it is; a trunk is told digits, which is what INFO is
 * still used for (application/dtmf-relay, application/dtmf).
 */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"
#include "tas/call/call_state.h"

static bool is_digits(const char *type)
{
	static const char *const types[] = { "application/dtmf-relay", "application/dtmf" };

	for (size_t i = 0; type && i < ARRAY_SIZE(types); i++) {
		size_t length = strlen(types[i]);

		if (strncasecmp(type, types[i], length) == 0 &&
		    (!type[length] || strchr("; \t", type[length])))
			return true;
	}
	return false;
}

static int status_of(int err)
{
	switch (err) {
	case -EBUSY:
		return 491;
	case -EOPNOTSUPP:
		return 405;
	default:
		return 500;
	}
}

void inform(struct call *call, enum media_side from, const struct leg_event *event)
{
	struct leg *other = call->leg[call_other_side(from)];
	int err, status = 0;

	if (!call_current_step(call)->to_core && !is_digits(event->body_type))
		status = event->body ? 415 : 200; /* RFC 6086 4.2.2: an empty one is alive */
	else if (!other)
		status = 200; /* we talk to it ourselves, and listen to nothing of it */
	if (!status) {
		err = leg_inform(other, event->body_type, event->body);
		if (!err)
			return;
		status = status_of(err);
	}
	(void)leg_inform_answer(call->leg[from], status); /* a lost one is asked for again */
}

void inform_answered(struct call *call, enum media_side side, int status)
{
	struct leg *from = call->leg[call_other_side(side)];

	if (from)
		(void)leg_inform_answer(from, status); /* none waits: no harm */
}
