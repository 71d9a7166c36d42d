/* SPDX-License-Identifier: Apache-2.0 */
/* stop.c - draining, taking a drain back, and the end. */
#include <inttypes.h>
#include <stdio.h>
#include "base/log.h"
#include "tas/daemon.h"
#include "tas/notify.h"

#define LINGER_MS      2000 /* for BYEs to be answered at the end */
#define LINGER_STEP_MS 20

static void on_linger(struct timer *timer, void *arg)
{
	struct daemon *daemon = arg;

	bool quiet = sip_endpoint_leg_count(daemon->endpoint) == 0 &&
		     sip_endpoint_binding_count(daemon->endpoint) == 0 && !elders_live(daemon);

	if ((quiet || clock_now() >= daemon->linger_until) && successor_lets_go(daemon))
		sip_loop_stop(daemon->loop);
	else
		timer_start(sip_loop_wheel(daemon->loop), timer, clock_now() + LINGER_STEP_MS);
}

/* The manager would kill us after its own idea of a stop's length; the operator's
 * is stop.drain. Source: sd_notify(3), EXTEND_TIMEOUT_USEC.
 * An operator's drain is told when it ends: told before, it could not be taken back. */
static void say_stopping(struct daemon *daemon)
{
	uint64_t ms = (uint64_t)daemon->config->drain_s * 1000 + LINGER_MS + WITHDRAW_MS;
	char state[64];

	if (daemon->stop_told || daemon->left) /* the manager follows another process */
		return;
	daemon->stop_told = true;
	(void)snprintf(state, sizeof(state), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, ms * 1000);
	notify_manager(state);
}

/* No call is left; the last goodbyes may still be on their way. */
static void end(struct daemon *daemon)
{
	if (daemon->stopping == STOP_ENDING)
		return;
	timer_cancel(&daemon->drain_timer);
	daemon->stopping = STOP_ENDING;
	say_stopping(daemon);
	daemon->linger_until = clock_now() + LINGER_MS;
	timer_start(sip_loop_wheel(daemon->loop), &daemon->linger_timer, clock_now());
}

static void on_drain_over(struct timer *timer, void *arg);

void daemon_calls_changed(struct daemon *daemon)
{
	if (daemon->stopping != STOP_DRAINING || call_room_count(daemon->calls) > 0)
		return;
	if (!elders_live(daemon))
		end(daemon);
	else if (!elders_calls(daemon))
		elders_end_calls(daemon); /* they only wait for us */
}

static void on_last_call(void *arg)
{
	daemon_calls_changed(arg);
}

void daemon_end_calls(struct daemon *daemon)
{
	if (daemon->stopping == STOP_DRAINING)
		on_drain_over(&daemon->drain_timer, daemon);
}

static void on_drain_over(struct timer *timer, void *arg)
{
	struct daemon *daemon = arg;

	(void)timer;
	elders_end_calls(daemon);
	log_notice("main", "stop: %zu calls are ended", call_room_count(daemon->calls));
	call_room_end_all(daemon->calls, CAUSE_DRAINING);
	end(daemon);
}

/* Deletes go out while calls end, so that new ones go past us. */
static void withdraw(struct daemon *daemon)
{
	struct config nothing;

	config_without_numbers(daemon->config, &nothing);
	if (registrar_reconfigure(daemon->registrar, &nothing, NULL) < 0)
		log_error("main",
			  "stop: no memory to withdraw registrations, they end with their TTL");
}

void daemon_drain_calls(struct daemon *daemon)
{
	daemon->drain_until = clock_now() + (mono_ms)daemon->config->drain_s * 1000;
	call_room_on_empty(daemon->calls, on_last_call, daemon);
	timer_start(sip_loop_wheel(daemon->loop), &daemon->drain_timer, daemon->drain_until);
	daemon_calls_changed(daemon);
}

void daemon_drain(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->stopping != STOP_NOT)
		return;
	daemon->stopping = STOP_DRAINING;
	log_info("main", "stop: draining calls=%zu for_s=%u", call_room_count(daemon->calls),
		 daemon->config->drain_s);
	vitals_freeze(daemon->vitals, true);
	call_room_drain(daemon->calls, true);
	service_leave_trunks(daemon->service);
	if (daemon->config->withdraw_at_stop)
		withdraw(daemon);
	registrar_hand_over(daemon->registrar, true);
	daemon_drain_calls(daemon);
}

/* NULL: done. Registers again at the trunks that were left, and who was withdrawn. */
const char *daemon_undrain(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->stopping == STOP_NOT)
		return "nothing drains";
	if (daemon->stopping == STOP_ENDING)
		return "too late: it ends. Start it again";
	if (daemon->stop_signalled)
		return "a signal stops this daemon. Start it again when it has ended";
	/* What was withdrawn, and what was reloaded meanwhile. */
	if (registrar_reconfigure(daemon->registrar, daemon->config, NULL) < 0)
		return "no memory to take registrations back: it drains on";
	timer_cancel(&daemon->drain_timer);
	call_room_on_empty(daemon->calls, NULL, NULL);
	registrar_hand_over(daemon->registrar, false);
	call_room_drain(daemon->calls, false);
	service_return_to_trunks(daemon->service);
	vitals_freeze(daemon->vitals, false);
	daemon->stopping = STOP_NOT;
	log_info("main", "stop: taken back calls=%zu", call_room_count(daemon->calls));
	return NULL;
}

bool daemon_draining(void *arg)
{
	const struct daemon *daemon = arg;

	return daemon->stopping != STOP_NOT;
}

/* The first asks, the second insists, the third does not wait. To somebody who has drained
 * with breakoutctl before, the first changes nothing: calls go on. */
void daemon_stop_signal(struct daemon *daemon)
{
	bool first = !daemon->stop_signalled;

	daemon->stop_signalled = true;
	switch (daemon->stopping) {
	case STOP_NOT:
		say_stopping(daemon);
		daemon_drain(daemon);
		break;
	case STOP_DRAINING:
		if (first && daemon->left && !daemon->successor)
			on_drain_over(&daemon->drain_timer, daemon); /* nobody serves: make room */
		else if (first)
			say_stopping(daemon);
		else
			on_drain_over(&daemon->drain_timer, daemon);
		break;
	case STOP_ENDING:
		sip_loop_stop(daemon->loop);
		break;
	}
}

void daemon_stop_init(struct daemon *daemon)
{
	timer_init(&daemon->drain_timer, on_drain_over, daemon);
	timer_init(&daemon->linger_timer, on_linger, daemon);
}
