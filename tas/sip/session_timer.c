/* SPDX-License-Identifier: Apache-2.0 */
/* session_timer.c - see session_timer.h. */
#include "tas/sip/session_timer.h"

#include <stdio.h>

static unsigned larger(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

bool session_timer_too_small(const struct session_timer_terms *terms,
			     const struct session_timer_said *request)
{
	/* Who does not know the extension does not know 422 either: a proxy has
	 * added the header. */
	return request->supported && request->expires_s && request->expires_s < terms->min_se_s;
}

struct session_timer session_timer_answer(const struct session_timer_terms *terms,
					  const struct session_timer_said *request)
{
	unsigned least_s = larger(terms->min_se_s, request->min_se_s);
	struct session_timer timer = { 0 };

	if (!request->supported || (!request->expires_s && !terms->expires_s))
		return timer;
	timer.interval_s = request->expires_s;
	if (!timer.interval_s || (terms->expires_s && terms->expires_s < timer.interval_s))
		timer.interval_s = terms->expires_s;
	timer.interval_s = larger(timer.interval_s, least_s);
	/* Ours where it is open: a refresh that fails shows a lost peer, one that
	 * does not come only says that something is wrong. */
	timer.ours = request->refresher != SESSION_REFRESHER_UAC;
	return timer;
}

struct session_timer session_timer_agreed(const struct session_timer_said *response)
{
	struct session_timer timer = { .interval_s = response->expires_s };

	/* Without the parameter nobody else has promised to refresh. */
	timer.ours = response->refresher != SESSION_REFRESHER_UAS;
	if (timer.interval_s && timer.interval_s < SESSION_MIN_SE_S)
		timer.interval_s = SESSION_MIN_SE_S;
	return timer;
}

unsigned session_timer_raised_s(unsigned asked_s, const struct session_timer_said *response)
{
	return response->min_se_s > asked_s ? response->min_se_s : 0;
}

mono_ms session_timer_wait_ms(const struct session_timer *timer)
{
	unsigned third_s = timer->interval_s / 3;

	if (timer->ours)
		return (mono_ms)timer->interval_s * 1000 / 2;
	return (mono_ms)(timer->interval_s - (third_s < 32 ? third_s : 32)) * 1000;
}

void session_timer_text(const struct session_timer *timer, bool request, char *ret_text,
			size_t room)
{
	(void)snprintf(ret_text, room, "%u;refresher=%s", timer->interval_s,
		       timer->ours == request ? "uac" : "uas");
}
