/* SPDX-License-Identifier: Apache-2.0 */
/* leg_ice.c - the ICE side of a leg, by a full agent or behind a lite port. */
#include "media/leg_private.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"
#include "media/ice.h"
#include "media/lite.h"

static struct metric gathered_whole = METRIC_COUNTER_INIT(
	"breakout_ice_gatherings_total", "result=\"whole\"",
	"Times that STUN and TURN servers were asked for candidates of a call's side.");
static struct metric gathered_part = METRIC_COUNTER_INIT(
	"breakout_ice_gatherings_total", "result=\"part\"",
	"Times that STUN and TURN servers were asked for candidates of a call's side.");

/* In a buffer of RELAY_BUFFER if it is RTP or RTCP. */
static bool on_packet(uint8_t *packet, size_t length, void *arg)
{
	struct leg *leg = arg;
	enum wire wire = length > 0 ? wire_of(packet[0]) : WIRE_OTHER;

	if (wire == WIRE_RTP && length <= RELAY_PACKET_MAX)
		return relay_srtp(&leg->path, packet, length);
	if (wire == WIRE_DTLS)
		leg_take_dtls(packet, length, leg);
	else
		receipt_add(&leg->path.receipt->dropped_other, 1);
	return false;
}

/* Of libnice's: protecting needs room behind it. */
static bool on_ice_packet(uint8_t *packet, size_t length, void *arg)
{
	struct leg *leg = arg;
	uint8_t buffer[RELAY_BUFFER];

	if (length > 0 && length <= RELAY_PACKET_MAX && wire_of(packet[0]) == WIRE_RTP) {
		memcpy(buffer, packet, length);
		packet = buffer;
	}
	return on_packet(packet, length, leg);
}

static void on_ice_look(unsigned step, const void *arg)
{
	const struct leg *leg = arg;

	relay_look(&leg->path, step);
}

static void on_ice_connected(const char *remote, void *arg)
{
	struct leg *leg = arg;
	struct receipt *receipt = leg->path.receipt;

	timer_cancel(&leg->ice_deadline);
	if (strcmp(receipt->texts.remote, remote) != 0) {
		(void)snprintf(receipt->texts.remote, sizeof(receipt->texts.remote), "%s", remote);
		receipt_publish(receipt);
		log_info("media", "%s ice connected remote=%s", leg->setup.label, remote);
		leg_tell_step(leg, "ICE connected with %s, %lld ms after the peer's candidates",
			      remote,
			      leg->ice_began ? (long long)(clock_now() - leg->ice_began) : 0);
	}
	atomic_store_explicit(&receipt->ice_ok, true, memory_order_relaxed);
	if (leg->dtls)
		leg_start_dtls(leg);
}

static void on_ice_failed(void *arg)
{
	struct leg *leg = arg;

	/* libnice gives up on the candidates it was told; a peer whose address
	 * only its own checks will tell has until the deadline. So has one of a lite
	 * agent's that has fallen silent. */
	atomic_store_explicit(&leg->path.receipt->ice_ok, false, memory_order_relaxed);
	if (leg->path.lite)
		leg_tell_step(leg,
			      "ICE consent has ended: %s has sent neither a check with our "
			      "password nor a packet that authenticates for %d s, and is sent "
			      "nothing until one comes",
			      leg->path.receipt->texts.remote, LITE_CONSENT_MS / 1000);
	else
		leg_tell_step(leg, "ICE: none of the candidates it was told works; the peer's own "
				   "checks may still come");
	if (!timer_active(&leg->ice_deadline))
		timer_start(worker_wheel(leg->setup.worker), &leg->ice_deadline,
			    clock_now() + LEG_ICE_MS);
}

static void on_ice_lost(void *arg)
{
	struct leg *leg = arg;
	char reason[LEG_REASON_ROOM];

	atomic_store_explicit(&leg->path.receipt->ice_ok, false, memory_order_relaxed);
	(void)snprintf(reason, sizeof(reason),
		       "ICE consent ended: %s has answered no check for %d s (RFC 7675)",
		       leg->path.receipt->texts.remote, ICE_CONSENT_MS / 1000);
	leg_fail(leg, reason);
}

/* What there was of the peer's candidates. */
static unsigned first_candidate(const struct leg *leg, char ret_text[static NET_TEXT_ROOM])
{
	const struct media_desc *remote = leg->remote;

	(void)snprintf(ret_text, NET_TEXT_ROOM, "none");
	if (!remote || remote->candidate_count == 0)
		return 0;
	net_format(&remote->candidates[0].address, ret_text);
	return remote->candidate_count;
}

static void on_ice_deadline(struct timer *timer, void *arg)
{
	struct leg *leg = arg;
	char reason[LEG_REASON_ROOM], first[NET_TEXT_ROOM];
	unsigned count = first_candidate(leg, first);

	(void)timer;
	if (!leg->path.lite)
		(void)snprintf(reason, sizeof(reason),
			       "ICE found no path to the peer within %d s (%u candidates, first "
			       "%s)",
			       LEG_ICE_MS / 1000, count, first);
	else if (lite_leg_is_silent(leg->path.lite))
		(void)snprintf(reason, sizeof(reason),
			       "ICE consent ended: %s has sent neither a check with our password "
			       "nor a packet that authenticates for more than %d s (RFC 7675). "
			       "`media.ice: lite` asks for none; if the peer does not either, set "
			       "`media.ice: full`",
			       leg->path.receipt->texts.remote,
			       (LITE_CONSENT_MS + LEG_ICE_MS) / 1000);
	else
		(void)snprintf(reason, sizeof(reason),
			       "ICE: no check with our password came within %d s from the peer (%u "
			       "candidates, first %s), and `media.ice: lite` sends none. Let UDP "
			       "through to media.address, or set `media.ice: full`",
			       LEG_ICE_MS / 1000, count, first);
	leg_fail(leg, reason);
}

void leg_init_ice(struct leg *leg)
{
	timer_init(&leg->ice_deadline, on_ice_deadline, leg);
}

static void on_ice_gathered(bool whole, void *arg)
{
	struct leg *leg = arg;

	metric_add(whole ? &gathered_whole : &gathered_part, 1);
	if (!whole) {
		log_notice("media",
			   "%s goes on with the ice candidates it has: not every server "
			   "of media.turn and media.stun answered in time",
			   leg->setup.label);
		servers_suspect(leg->setup.servers);
	}
	leg_tell_step(leg, "ICE candidates of ours are gathered%s",
		      whole ? "" : ", without those of a server that did not answer");
	leg->setup.prepared(leg->setup.arg);
}

static void on_ice_gone(void *arg)
{
	worker_agents(arg, -1);
}

static int make_agent(struct leg *leg, const struct ice_handlers *handlers)
{
	struct servers_now servers;
	const struct ice_setup setup = {
		.context = worker_context(leg->setup.worker),
		.wheel = worker_wheel(leg->setup.worker),
		.hosts = leg->setup.hosts,
		.port = leg->setup.port,
		.servers = &servers,
		.handlers = *handlers,
		.gathered = on_ice_gathered,
		.gone = on_ice_gone,
		.gone_arg = leg->setup.worker,
	};
	int err;

	servers_now(leg->setup.servers, &servers);
	err = ice_create(&leg->path.ice, &setup);
	explicit_bzero(&servers, sizeof(servers));
	if (!err)
		worker_agents(leg->setup.worker, 1);
	return err;
}

/* Whether our description can be written. */
static int agent_state(const struct leg *leg)
{
	if (!leg->path.ice)
		return 0;
	if (ice_is_gathering(leg->path.ice))
		return -EINPROGRESS;
	return ice_has_candidates(leg->path.ice) ? 0 : -ENOLINK;
}

int leg_prepare_ice(struct leg *leg)
{
	struct ice_handlers handlers = { on_ice_packet, on_ice_connected,
					 on_ice_failed, on_ice_lost,
					 leg,           on_ice_look };
	int err;

	if (leg->path.ice || leg->path.lite)
		return agent_state(leg);
	if (leg->setup.lite) {
		handlers.packet = on_packet; /* its packets lie in slots */
		return lite_leg_create(&leg->path.lite, leg->setup.lite, &handlers);
	}
	err = make_agent(leg, &handlers);
	return err ? err : agent_state(leg);
}

static int restart_ice(struct leg *leg, bool new_credentials)
{
	return leg->path.lite ? lite_leg_restart(leg->path.lite, new_credentials)
			      : ice_restart(leg->path.ice, new_credentials);
}

static int set_remote(struct leg *leg, const struct media_desc *remote)
{
	return leg->path.lite ? lite_leg_set_remote(leg->path.lite, remote)
			      : ice_set_remote(leg->path.ice, remote);
}

static bool is_connected(const struct leg *leg)
{
	return leg->path.lite ? lite_leg_is_connected(leg->path.lite)
			      : ice_is_connected(leg->path.ice);
}

static bool tells_more(const struct media_desc *before, const struct media_desc *remote)
{
	for (unsigned i = 0; i < remote->candidate_count; i++) {
		const union net_address *address = &remote->candidates[i].address;
		unsigned known = 0;

		while (known < before->candidate_count &&
		       !net_equal(address, &before->candidates[known].address))
			known++;
		if (known == before->candidate_count)
			return true;
	}
	return false;
}

/* A peer that found candidates after its first SDP may tell them in a later one, under the
 * same credentials (RFC 8839 4.4.1.2, RFC 8840). A lite agent finds them by the checks. */
static int add_candidates(struct leg *leg, const struct media_desc *remote)
{
	if (!leg->path.ice || !tells_more(leg->remote, remote))
		return 0;
	leg_tell_step(leg, "ICE goes on: the peer has %u candidate%s now", remote->candidate_count,
		      remote->candidate_count == 1 ? "" : "s");
	return ice_add_remote(leg->path.ice, remote);
}

/* Credentials as before: ICE goes on undisturbed. New ones: ICE restart. */
static int apply_ice(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	bool first = !leg->remote;
	int err;

	if (!first && strcmp(leg->remote->ufrag, remote->ufrag) == 0 &&
	    strcmp(leg->remote->password, remote->password) == 0)
		return add_candidates(leg, remote);
	if (!first) {
		err = restart_ice(leg, /* new_credentials= */ !we_offered);
		if (err)
			return err;
	} else if (leg->path.ice) { /* of a lite and a full agent the full one controls: RFC 8445
				       6.1.1 */
		ice_set_controlling(leg->path.ice, we_offered || remote->ice_lite);
	}
	leg->ice_began = clock_now();
	leg_tell_step(leg, "ICE %s: the peer has %u candidate%s%s",
		      !first              ? "begins anew"
		      : is_connected(leg) ? "has begun before"
					  : "begins",
		      remote->candidate_count, remote->candidate_count == 1 ? "" : "s",
		      remote->ice_lite ? " and is lite" : "");
	/* A lite agent may have been found while the answer was on its way. */
	if (!first || !is_connected(leg))
		timer_start(worker_wheel(leg->setup.worker), &leg->ice_deadline,
			    clock_now() + LEG_ICE_MS);
	return set_remote(leg, remote);
}

int leg_apply_webrtc(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	int err = leg_prepare(leg);

	if (!err || err == -EINPROGRESS) /* what is not there yet, its checks will tell */
		err = apply_ice(leg, remote, we_offered);
	if (!err && (!leg->remote || !leg_same_association(leg->remote, remote)))
		err = leg_associate(leg, remote, we_offered);
	if (err)
		return err;
	mid_agree(&leg->path.mid, remote->extensions.numbers[EXTENSION_MID],
		  remote->sections[remote->audio].mid);
	if (is_connected(leg))
		leg_start_dtls(leg);
	return 0;
}

void leg_describe_ice(const struct leg *leg, struct media_desc *ours)
{
	if (leg->path.lite)
		lite_leg_describe(leg->path.lite, ours);
	else
		ice_describe(leg->path.ice, ours);
}
