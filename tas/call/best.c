/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/call/best.h"

#include <stdlib.h>
#include "base/str.h"

/* RFC 3261 16.7 step 6: a 6xx before all, else the lowest class. Among the 4xx,
 * what somebody did with the call tells the caller more than what a branch
 * could not do. Redirections, which nobody follows, come after them; trouble that
 * is nobody's decision comes last. */
static unsigned rank_of(const struct ending *ending)
{
	int status = ending->status;

	if (status >= 600)
		return 6;
	if (ending->trouble)
		return 1;
	if (status == 486)
		return 5;
	if (status == 480 || status == 408 || ending->cause == CAUSE_NO_ANSWER)
		return 4;
	return status >= 400 && status < 500 ? 3 : 2;
}

/* Without memory the status alone says it. */
static void take(struct best *best, const struct call_step *step, const struct ending *ending)
{
	best_done(best);
	best->rank = rank_of(ending);
	best->step = step;
	best->ending = *ending;
	best->ending.phrase = best->phrase = str_dup_or_null(ending->phrase);
	best->ending.warning = best->warning = str_dup_or_null(ending->warning);
	best->ending.headers = best->ending.bye = NULL;
	if (ending->headers && sip_headers_copy_transparent(&best->headers, ending->headers) == 0)
		best->ending.headers = &best->headers;
}

void best_note(struct best *best, const struct call_step *step, const struct ending *ending)
{
	bool trouble = ending->trouble && (!best->rank || best->ending.trouble);

	if (rank_of(ending) > best->rank)
		take(best, step, ending);
	best->ending.trouble = trouble;
}

void best_done(struct best *best)
{
	free(best->phrase);
	free(best->warning);
	sip_headers_done(&best->headers);
	best->phrase = best->warning = NULL;
}
