/* SPDX-License-Identifier: Apache-2.0 */
/* offer_answer.c - see offer_answer.h. */
#include "tas/sip/offer_answer.h"

#include <errno.h>

int offer_answer_may_send(const struct offer_answer *state)
{
	bool busy = state->ours || state->to_ack || state->theirs || state->unacked || state->retry;

	return busy ? -EBUSY : 0;
}

int offer_answer_judge(const struct offer_answer *state)
{
	if (state->ours || state->to_ack)
		return 491; /* RFC 3261 14.2: ours is in progress */
	if (state->theirs)
		return 500; /* RFC 3261 14.2: a second before the first had its answer */
	if (state->unacked)
		return 491; /* the offer in our 2xx may still be unanswered */
	return 0;
}

unsigned offer_answer_pause_ms(bool owns_call_id, uint32_t random)
{
	if (owns_call_id)
		return 2100 + random % 191 * 10;
	return random % 201 * 10;
}

unsigned offer_answer_retry_after_s(uint32_t random)
{
	return random % 11;
}
