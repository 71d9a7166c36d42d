/* SPDX-License-Identifier: Apache-2.0 */
/* decision.h - inside of tas/service: one call on its way to a plan.
 *
 * Each file adds steps to the plan under construction. A text that finds no
 * memory marks the decision as failed; whoever finishes it looks once.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SERVICE_DECISION_H
#define BREAKOUT_TAS_SERVICE_DECISION_H

#include "base/log.h"
#include "base/roster.h"
#include "tas/service/classify.h"
#include "tas/service/hop.h"
#include "tas/service/service.h"
#include "tas/sip/digest.h"

/* A literal address in a trunk's URI. */
struct trunk_host {
	struct config_cidr address;
	size_t trunk; /* index into config.trunks */
};

/* A configured trunk at work. */
struct trunk {
	struct sip_peer *peer;   /* own reference; NULL: no memory */
	struct binding *binding; /* own; NULL: we do not register there */
	char *password;          /* own: what it calls us with; NULL: nobody may */
};

struct service_room {
	const struct config *config;                          /* borrowed */
	struct call_room *calls;                              /* borrowed; may be NULL */
	const struct media_sounds *sounds;                    /* borrowed; of the configuration */
	bool (*is_registered)(const char *number, void *arg); /* may be NULL */
	bool (*is_consented)(const char *number, void *arg);  /* may be NULL */
	/* may be NULL */
	bool (*find_added)(const char *number, struct service_number *ret_number, void *arg);
	unsigned (*load)(void *arg); /* may be NULL */
	struct load_room *load_room; /* borrowed; may be NULL */
	void *arg;
	struct trunk_host *hosts; /* own */
	size_t host_count;
	struct sip_endpoint *endpoint; /* borrowed; NULL: trunks are not watched */
	/* own references; by tenant, NULL: its calls go where those of the first go */
	struct sip_peer *cores[CONFIG_TENANTS];
	struct trunk *trunks; /* own; one for each of config.trunks */
	size_t trunk_count;
	struct roster trunk_numbers; /* for peers: a call's trunk is the same after a reload */
	struct hop_key hop_key;
	size_t *turns; /* own; by config_action.turn */
	size_t turn_count;
	struct order_book *orders;   /* own */
	struct hook_room *hooks;     /* borrowed; may be NULL */
	struct device_room *devices; /* borrowed; may be NULL */
	char **secrets;              /* own; by config_webhook.index, NULL: none */
	size_t secret_count;
	struct digest_guard *guard;     /* own */
	struct timer_wheel *wheel;      /* borrowed; NULL only without hooks */
	struct message_notice *notices; /* own: on their way */
	bool rehearsal;                 /* no secret is read */
	struct log_limit unknown_log, webhook_log, refused_log;
};

#define DECISION_TRIED_MAX 32 /* rules that a record names */

struct decision {
	struct service_room *room;
	const struct config *config;
	const struct leg_info *info;
	struct classification class;
	struct call_plan *plan;
	bool full;   /* the trunk it comes from has its limit of calls */
	bool failed; /* no memory for some text */
	wall_ms now;
	unsigned load;                     /* percent of limits.calls */
	char caller[64];                   /* as rules see it, without parameters; "": none */
	char called[64];                   /* the same of the dialled number */
	bool anonymous;                    /* the caller hides or has no number */
	uint8_t tried[DECISION_TRIED_MAX]; /* match_word() of each rule looked at */
	size_t tried_count;                /* all, noted or not */
	char presented[E164_ROOM];         /* shown instead of the caller; "" nobody */
	bool recorded;                     /* a rule wants the call recorded */
	struct config_registration apart;  /* decision_registration()'s */
	bool announced;          /* the caller has heard an announcement, or will have by then */
	bool answered;           /* and that in a call that we have answered */
	bool rehearsal;          /* nothing is remembered */
	service_trace_fn *trace; /* NULL: nobody listens */
	void *trace_arg;
};

/* decision.c: a zeroed step at the end of the plan, or NULL (failed is set) */
struct call_step *decision_add_step(struct decision *decision, enum call_step_kind kind,
				    const char *label_format, ...) PRINTF_LIKE(3, 4);
/* Owns take_text, NULL means it found no memory. */
char *decision_text(struct decision *decision, char *take_text);
struct call_step *decision_reject(struct decision *decision, int status, const char *phrase,
				  enum cause cause);

enum media_leg_kind decision_media(enum media_kind media);
enum media_latching decision_latching(enum latching latching);
/* Whether SDP of this kind may go over this transport: keys in it need TLS (RFC
 * 4568 section 7), unless the operator says that the way is safe. */
bool decision_keys_fine(enum media_kind media, bool keys_in_clear, enum sip_transport transport);
/* Whether the caller asks not to be shown. */
bool decision_wants_privacy(const struct sip_headers *headers);
/* The registration of the subscriber: configured, added while we run or consented; NULL: none.
 * Valid as long as the decision. */
const struct config_registration *decision_registration(struct decision *decision);
/* Names the tenant in the plan, after classify(): by the prefix, else by the number's
 * registration, else by the SBC it came from. */
void decision_find_tenant(struct decision *decision);
/* The trunk that sent the call; NULL: the core did. */
const struct config_trunk *decision_trunk(const struct decision *decision);
/* Who sent the call: a trunk's name, or "core". */
const char *decision_sender(const struct decision *decision);
void decision_trace(const struct decision *decision, const struct service_thought *thought);
void decision_note(const struct decision *decision, const char *format, ...) PRINTF_LIKE(2, 3);
/* The plan, or NULL without memory. */
struct call_plan *decision_finish(struct decision *decision);

/* trunks.c: -ENOMEM leaves the peers as they are */
int trunks_apply(struct service_room *room) MUST_CHECK;
void trunks_done(struct service_room *room);
/* trunks.c: leg_info.peer of a trunk */
int trunks_peer(const struct service_room *room, size_t trunk);
/* False: it is no trunk, or one that a reload took away. */
bool trunks_place(const struct service_room *room, int peer, size_t *ret_trunk);
/* The same for devices. */
bool decision_device(const struct decision *decision, size_t *ret_device);
struct sip_peer *trunks_find(const struct service_room *room, size_t trunk); /* NULL: none */

/* known_hosts.c: whether a source ("address:port") is one of a tenant's core. */
bool core_sends_from(const struct config *config, size_t tenant, const char *source);

/* core.c: the first tenant whose core's SBC the call came from; -1: made up, of a trunk, or
 * of before a reload. */
int core_of(const struct decision *decision);
/* core.c: the URI of the SBC that the call goes back to, or to: the one it came from, else
 * its tenant's. */
const char *core_sbc(struct decision *decision);
/* Each tenant's SBC as a peer. -ENOMEM leaves them as they are */
int core_apply(struct service_room *room) MUST_CHECK;
void core_done(struct service_room *room);
/* The plan's steps to the core go to the addresses it has; what fails at one is
 * tried at the next. */
void core_spread(struct decision *decision);

/* near.c: media_codecs.near of every side in the finished plan */
void near_tell(struct decision *decision);

/* admission.c: a number as dialled, the core's prefix taken off */
bool emergency_dialled(const struct config *config, const char *number);
/* Whether the request itself says so. priority: of the header; may be NULL */
bool emergency_said(const char *request_uri, const char *priority);

/* loop.c: leg 3 to the core */
struct call_step *loop_add(struct decision *decision, enum call_bypass bypass, unsigned ring_s);
/* What media.bypass says of a loop that a rule wants. */
enum call_bypass loop_bypass(const struct decision *decision);
/* leg 3 for another number than the one that was called */
void loop_add_number(struct decision *decision, const char *number, unsigned ring_s);

/* dial.c: what a trunk may use */
void dial_codecs(const struct config_trunk *trunk, struct media_codecs *ret_codecs);
/* dial.c: a trunk, one step for each of its addresses to try; number NULL: the called one */
void dial_add(struct decision *decision, const struct config_trunk *trunk, const char *number,
	      unsigned ring_s);

/* ring.c: several targets; core_rings: the subscriber's phone is not ours to ring */
void ring_add(struct decision *decision, const struct config_action *action, bool core_rings);
/* The plan's steps from `first` on become the targets of one RING step. */
void ring_fold(struct decision *decision, size_t first, bool in_sequence, unsigned ring_ms);

/* device.c: a soft phone, wherever it is registered; nowhere: no step. Its phones
 * ring together, or have a step each. */
void device_add(struct decision *decision, size_t index, unsigned ring_s);
void device_add_each(struct decision *decision, size_t index, unsigned ring_s);
/* device.c: what it may use */
void device_codecs(const struct config_device *device, struct media_codecs *ret_codecs);

/* route.c: a call from the core */
void route_core(struct decision *decision);
/* A call from a trunk that has rules for its calls. */
void route_trunk(struct decision *decision, const struct config_service *service);
/* The steps of one action. */
void route_add_action(struct decision *decision, const struct config_action *action,
		      enum route_type type);

/* webhook.c: somebody's server is asked */
void webhook_add(struct decision *decision, const struct config_webhook *webhook);
/* Reads the files that the configuration names; one that cannot be read is
 * logged, and its webhook is not asked. 0 or -ENOMEM. */
/* notice.c: who is told of a message; NULL: no memory (failed is set) */
struct call_notice *notice_new(struct decision *decision, const struct config_action *action);
void notices_done(struct service_room *room);

int webhook_secrets_read(struct service_room *room) MUST_CHECK;
void webhook_secrets_done(struct service_room *room);

/* service.c: as service_decide(); full: the trunk has its limit of calls */
struct call_plan *decide_now(struct service_room *room, const struct leg_info *info, bool full);

/* ingress.c: a call from a trunk */
void ingress_trunk(struct decision *decision, size_t trunk);
/* and from a device that has a number */
void ingress_device(struct decision *decision, size_t device);
/* On to the number it is for, if the trunk and the number allow it. */
void ingress_to_core(struct decision *decision);
/* The core's phone; NULL without memory. */
struct call_step *ingress_add(struct decision *decision, const struct config_trunk *trunk,
			      const char *number);

/* service.c: fills in what rules compare, and whether the caller shows itself */
void decision_look_at_numbers(struct decision *decision);
/* service.c: whether a number is ours, for classify() */
bool service_is_registered(const char *number, void *arg);

#endif
