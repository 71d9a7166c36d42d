/* SPDX-License-Identifier: Apache-2.0 */
/* leg_reach.c - how long a next hop may leave an INVITE without a word.
 *
 * connect_ms is for a hop that is away. One that says something to others meanwhile is
 * there, and only slow, or it is we who are slow to read it: who is given up then would
 * have got through, and its CANCEL makes the queue longer for all behind it. So it has
 * SLOW times as long. And when our own loop stood still, time has passed in which nothing
 * could be heard: what lies unread is read first.
 */
#include "tas/sip/leg_private.h"

#include <string.h>

#include "base/hash.h"

#define SLOW    5
#define LATE_MS 200 /* by so much a timer is late only if the loop stood still */

static uint64_t hop_key(const char *uri)
{
	const char *host = strchr(uri, '@');

	host = host ? host + 1 : uri;
	return hash_bytes(host, strlen(host));
}

static mono_ms *heard_at(struct leg *leg)
{
	return &leg->endpoint->hops_heard[leg->hop_key % ARRAY_SIZE(leg->endpoint->hops_heard)];
}

void leg_reach_begin(struct leg *leg)
{
	mono_ms now = clock_now();

	leg->hop_key = hop_key(leg->next_hop);
	leg->invited_ms = leg->reach_ms = now;
	timer_start(endpoint_wheel(leg->endpoint), &leg->connect_timer,
		    now + leg->endpoint->connect_ms);
}

void leg_reach_heard(struct leg *leg, const sip_t *sip)
{
	timer_cancel(&leg->connect_timer);
	leg->heard = true;
	if (sip && !nta_sip_is_internal((sip_t *)sip))
		*heard_at(leg) = clock_now();
}

/* For how much longer; 0: it is given up. */
static mono_ms patience(struct leg *leg, bool connecting, mono_ms now)
{
	mono_ms connect_ms = leg->endpoint->connect_ms;
	mono_ms late_ms = now - leg->connect_timer.due_ms;

	if (now - leg->invited_ms >= SLOW * connect_ms + late_ms)
		return 0;
	if (!connecting && *heard_at(leg) > leg->reach_ms) {
		leg->reach_ms = now;
		return connect_ms;
	}
	return late_ms >= LATE_MS ? LATE_MS : 0;
}

static void give_up(struct leg *leg, tport_t *tport, bool connecting)
{
	if (connecting) {
		/* What waits in its queue is not to go out late: close it, and the
		 * next call makes a fresh connection. */
		(void)tport_shutdown(tport, 2);
		endpoint_connection_failed(leg->endpoint, tport, LEG_END_TIMEOUT,
					   "no connection in time");
	} else {
		keepalive_suspect(leg->endpoint);
		leg_unreached(leg, LEG_END_TIMEOUT, "no response in time", tport != NULL);
	}
}

void leg_reach_on_timer(struct timer *timer, void *arg)
{
	struct leg *leg = arg;
	tport_t *tport = nta_outgoing_transport(leg->invite_out);
	bool connecting = tport && tport_is_secondary(tport) && tport_is_reliable(tport) &&
			  !tport_is_connected(tport);
	mono_ms now = clock_now(), more = patience(leg, connecting, now);

	if (more)
		timer_start(endpoint_wheel(leg->endpoint), timer, now + more);
	else
		give_up(leg, tport, connecting);
	if (tport)
		tport_unref(tport);
}
