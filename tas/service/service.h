/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - the door to tas/service: what to do with a call, and why.
 *
 * It knows prefixes, registered numbers, rules and trunks; it turns an
 * incoming leg into a call_plan and hands both to tas/call.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SERVICE_SERVICE_H
#define BREAKOUT_TAS_SERVICE_SERVICE_H

#include "base/clock.h"
#include "base/macros.h"
#include "config/config.h"
#include "hook/hook.h"
#include "tas/call/call.h"
#include "tas/device/device.h"
#include "tas/load/load.h"
#include "tas/sip/endpoint.h"

struct str;
struct unpack;
struct service_room; /* opaque */

/* A number that was added while we run; what it names may be gone from the configuration. */
struct service_number {
	enum route_type route_type;
	char service[128], tenant[64];
};

struct service_options {
	const struct config *config; /* borrowed until service_reconfigure() */
	struct call_room *calls;     /* borrowed, destroyed before; may be NULL (explain only) */
	struct hook_room *hooks;     /* borrowed; NULL: webhooks are not asked */
	struct timer_wheel *wheel;   /* borrowed; NULL only without hooks */
	struct device_room *devices; /* borrowed; NULL: no device is registered */
	/* Of the configuration, borrowed like it; NULL: nothing is played. */
	const struct media_sounds *sounds;
	struct sip_endpoint *endpoint; /* borrowed; NULL: trunks are not watched. Destroy the
					* room before it */
	/* Asked besides the configuration; NULL: nothing is. */
	bool (*is_registered)(const char *number, void *arg);
	/* The number is one of config.consents; NULL: none is. */
	bool (*is_consented)(const char *number, void *arg);
	/* The number was added while we run; NULL: none was. */
	bool (*find_added)(const char *number, struct service_number *ret_number, void *arg);
	unsigned (*load)(void *arg); /* calls, in percent of limits.calls */
	void *arg;
	struct load_room *load_room; /* borrowed; NULL: there is never too much to do */
	bool rehearsal;              /* only service_rehearse() is called: no secret is read */
};
int service_create(struct service_room **ret_room,
		   const struct service_options *options) MUST_CHECK;
struct service_room *service_destroy(struct service_room *room);
void service_reconfigure(struct service_room *room, const struct config *config,
			 const struct media_sounds *sounds);

/* For sip_endpoint_handlers.identify: SERVICE_PEER_CORE, the number of a trunk from 1
 * on, which stays its own through reloads, or -1.
 * Peers from DEVICE_PEER on are devices. */
enum { SERVICE_PEER_CORE = 0 };
int service_identify(struct service_room *room, const struct sip_source *source);

/* For sip_endpoint_handlers.admit: admission.c. */
int service_admit(struct service_room *room, const struct sip_newcomer *call,
		  unsigned *ret_retry_after_s);

/* For sip_endpoint_handlers.knows_host: of the core or a trunk. */
bool service_knows_host(const struct service_room *room, const char *host);

/* For sip_endpoint_handlers.authenticate: proof.c. */
int service_authenticate(struct service_room *room, const struct sip_proof *proof,
			 struct sip_demand *ret_demand);

/* Classifies, decides, starts the call. Takes the leg in every case. */
void service_invite(struct service_room *room, struct leg *take_leg);

/* Unregisters from every PBX: we are about to stop. */
void service_leave_trunks(struct service_room *room);
/* Another process of ours goes on with those registrations. */
void service_forget_trunks(struct service_room *room);
/* Registers again where it had left: we are not. */
void service_return_to_trunks(struct service_room *room);

/* Messages of voicemail that nobody had been told of at the last stop: they are told now. */
void service_take_up_notices(struct service_room *room);
/* Messages of voicemail that nobody has been told of yet: each to another process of ours,
 * which goes on with service_take_notice(). What `send` fails for stays. */
void service_hand_over_notices(struct service_room *room,
			       int (*send)(const struct str *packed, void *arg), void *arg);
/* 0, -ENOMEM or -EPROTO. */
int service_take_notice(struct service_room *room, struct unpack *from) MUST_CHECK;

/* Every address of every trunk, in the configuration's order. */
void service_each_line(const struct service_room *room,
		       void (*visit)(const struct sip_line_info *info, void *arg), void *arg);

/* How many calls each trunk has here, of those that have any; and how many it has in other
 * processes of ours, which its limit counts too: nowhere, then more and more. */
void service_each_trunk(const struct service_room *room,
			void (*visit)(const char *name, unsigned calls, void *arg), void *arg);
void service_forget_beside(struct service_room *room);
void service_add_beside(struct service_room *room, const char *trunk, unsigned calls);

/* How many calls each target of rules has, here and in other processes: who has one is not
 * rung for a second. */
struct shared_count *service_target_calls(struct service_room *room);

/* Whether no address of a trunk (by its index in the configuration) answers. */
bool service_trunk_is_down(const struct service_room *room, size_t trunk);
/* Whether every way of a service's rules is a trunk that is down. Announcements are no
 * way; who answers himself, or asks a server, has one. */
bool service_is_stranded(const struct config_service *service,
			 bool (*is_down)(size_t trunk, void *arg), void *arg);

/* For call_room_on_transfer(); arg is the room. */
call_transfer_fn service_transfer;

/* The decision alone, for a call that comes now: a heap plan, never NULL unless
 * memory is out. */
struct call_plan *service_decide(struct service_room *room, const struct leg_info *info);

/* leg_info.peer of one of config.trunks. */
int service_trunk_peer(const struct service_room *room, size_t trunk);

/* The one in force; borrowed, until it is exchanged. */
const struct config *service_config(const struct service_room *room);

/* One step on the way to a decision. */
struct service_thought {
	const char *note;      /* one sentence about the call; NULL: it is about a rule */
	size_t rule;           /* of the service, from 1 */
	const char *condition; /* a key of `when`; NULL: the verdict on the whole rule */
	bool holds;
	const char *is, *wanted; /* of a condition: the call's value, the rule's */
};
typedef void service_trace_fn(const struct service_thought *thought, void *arg);

/* The same decision for a call at any moment, thought aloud. Nothing is
 * remembered of it. */
struct service_rehearsal {
	wall_ms now;
	unsigned load;
	service_trace_fn *trace;
	void *arg;
};
struct call_plan *service_rehearse(struct service_room *room, const struct leg_info *info,
				   const struct service_rehearsal *rehearsal);

#endif
