/* SPDX-License-Identifier: Apache-2.0 */
/* passing.c - whose a message is that belongs to nothing of ours: see neighbour.h. */
#include "tas/sip/neighbour.h"

/* The heir decides about everything. */
static enum passing decide_elder(const struct passing_question *question)
{
	if (!question->by_heir)
		return PASS_TO_HEIR;
	switch (question->kind) {
	case MESSAGE_RESPONSE:
	case MESSAGE_INSIDE:
		return question->gives_back ? PASS_BACK : PASS_NOT;
	case MESSAGE_FIRST_INVITE:
		return question->datagram ? PASS_BACK : PASS_NOT;
	case MESSAGE_OTHER:
		break;
	}
	return PASS_NOT;
}

static enum passing decide_heir(const struct passing_question *question)
{
	switch (question->kind) {
	case MESSAGE_RESPONSE:
		return PASS_TO_ELDER;
	case MESSAGE_INSIDE:
		return question->known ? PASS_TO_ELDER : PASS_NOT;
	case MESSAGE_FIRST_INVITE: /* sent again, to a transaction of the elder's? */
		return question->known && question->datagram && question->early ? PASS_TO_ELDER
										: PASS_NOT;
	case MESSAGE_OTHER:
		break;
	}
	return PASS_NOT;
}

enum passing passing_decide(const struct passing_question *question)
{
	if (question->heir)
		return decide_elder(question);
	return question->elder ? decide_heir(question) : PASS_NOT;
}
