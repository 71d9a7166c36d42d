/* SPDX-License-Identifier: Apache-2.0 */
/* service_rig.h - a configuration in C, one incoming call, and its plan. */
#ifndef BREAKOUT_TESTS_FAKE_SERVICE_RIG_H
#define BREAKOUT_TESTS_FAKE_SERVICE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include "tas/service/service.h"
#include "tas/sip/binding.h"
#include "tas/sip/watch.h"
#include "tests/fake/fake_hook.h"

/* A configuration owns its texts; these are constants all the same. */
#define TEXT(text) ((char *)(text))

/* The doors below, as far as a decision looks. */
static unsigned rig_started;
static char rig_label[64]; /* of the first step of the last call started */

int call_start(struct call_room *room, struct leg *take_a, struct call_plan *take_plan)
{
	(void)room;
	(void)take_a;
	snprintf(rig_label, sizeof(rig_label), "%s", take_plan->steps[0].label);
	call_plan_free(take_plan);
	rig_started++;
	return 0;
}

static struct leg *rig_replacing; /* the last leg that was to take another's place */

void call_replace(struct call_room *room, struct leg *take_leg)
{
	(void)room;
	rig_replacing = take_leg;
}

/* Who wants to know whom calls ring. */
static void (*rig_on_target)(const char *target, enum call_target_news news, void *arg);
static void *rig_on_target_arg;

void call_room_on_target(struct call_room *room,
			 void (*on_target)(const char *target, enum call_target_news news,
					   void *arg),
			 void *arg)
{
	(void)room;
	rig_on_target = on_target;
	rig_on_target_arg = arg;
}

const struct leg_info *leg_info(const struct leg *leg)
{
	return (const struct leg_info *)leg;
}

static int rig_refused; /* the last status a leg was let go with */

/* A leg is its info here. */
struct leg *leg_release(struct leg *leg, const struct leg_farewell *farewell)
{
	(void)leg;
	rig_refused = farewell ? farewell->status : 0;
	return NULL;
}

/* There is too much to do when the test says so. */
static bool rig_light, rig_shedding;

bool load_is_light(const struct load_room *room)
{
	(void)room;
	return rig_light;
}

bool load_admits(struct load_room *room, const char *call_id)
{
	(void)room;
	(void)call_id;
	return !rig_shedding;
}

/* Trunks are full when the test says so; nothing is ever watched. */
static bool rig_full;

/* What was registered at PBXs ("+aor/expires") and left ("-"); one at a time. */
static char rig_bindings[256];
static struct binding_options rig_bound;

int leg_count_for(struct leg *leg, struct sip_peer *peer)
{
	(void)leg;
	(void)peer;
	return rig_full ? -EBUSY : 0;
}

int binding_create(struct binding **ret_binding, struct sip_endpoint *endpoint,
		   struct sip_peer *peer, const struct binding_options *options)
{
	(void)endpoint;
	(void)peer;
	snprintf(rig_bindings + strlen(rig_bindings), sizeof(rig_bindings) - strlen(rig_bindings),
		 "+%s/%u ", options->aor, options->expires_s);
	*ret_binding = (struct binding *)rig_bindings;
	rig_bound = *options;
	return 0;
}

struct binding *binding_forget(struct binding *take_binding)
{
	(void)take_binding;
	return NULL;
}

bool binding_is_for(const struct binding *binding, const struct binding_options *options)
{
	(void)binding;
	return strcmp(rig_bound.aor, options->aor) == 0 &&
	       rig_bound.expires_s == options->expires_s;
}

struct binding *binding_leave(struct binding *take_binding)
{
	if (take_binding)
		snprintf(rig_bindings + strlen(rig_bindings),
			 sizeof(rig_bindings) - strlen(rig_bindings), "- ");
	return NULL;
}

int sip_watch(struct sip_peer *peer, struct sip_endpoint *endpoint)
{
	(void)peer;
	(void)endpoint;
	return 0;
}

static char *rig_pbx_uris[] = { TEXT("sip:192.0.2.10:5060;transport=tcp"), TEXT("sip:192.0.2.11") };
static char *rig_allowed[] = { TEXT("Session-ID"), TEXT("X-Account"), TEXT("P-Asserted-Identity") };
static char *rig_web_uris[] = { TEXT("sip:pbx.example.org") };
static struct config_trunk rig_trunks[] = {
	{ .name = TEXT("pbx"),
	  .uris = rig_pbx_uris,
	  .uri_count = 2,
	  .media = MEDIA_RTP,
	  .allow_headers = rig_allowed,
	  .allow_header_count = 3,
	  .ingress = true },
	{ .name = TEXT("web"), .uris = rig_web_uris, .uri_count = 1, .media = MEDIA_WEBRTC },
};

/* office: mo -> pbx; mt -> pbx for 25 s, then loop. Others as named. */
static struct config_action rig_dial_pbx[] = { { .kind = ACTION_DIAL, .trunk = 0, .ring_s = 20 } };
static struct config_action rig_dial_then_loop[] = {
	{ .kind = ACTION_DIAL, .trunk = 1, .ring_s = 25 },
	{ .kind = ACTION_LOOP },
};
static struct config_action rig_refuse[] = {
	{ .kind = ACTION_REJECT, .status = 603, .reason = TEXT("No") }
};
static struct config_action rig_tone[] = {
	{ .kind = ACTION_ANSWER, .answer = ANSWER_TONE, .tone_hz = 425 }
};
static struct config_action rig_echo[] = { { .kind = ACTION_ANSWER, .answer = ANSWER_ECHO } };
static struct config_action rig_only_loop[] = { { .kind = ACTION_LOOP, .ring_s = 40 } };
static struct config_rule rig_office_rules[] = {
	{ .directions = DIRECTION_MO, .actions = rig_dial_pbx, .action_count = 1 },
	{ .directions = DIRECTION_MT, .actions = rig_dial_then_loop, .action_count = 2 },
};
static struct config_rule rig_refuse_rules[] = {
	{ .directions = 7, .actions = rig_refuse, .action_count = 1 }
};
static struct config_rule rig_tone_rules[] = {
	{ .directions = 7, .actions = rig_tone, .action_count = 1 }
};
static struct config_rule rig_echo_rules[] = {
	{ .directions = 7, .actions = rig_echo, .action_count = 1 }
};
static struct config_rule rig_loop_rules[] = {
	{ .directions = 7, .actions = rig_only_loop, .action_count = 1 }
};
static struct config_service rig_services[] = {
	{ .name = TEXT("loop"), .fail_to_loop = true },
	{ .name = TEXT("office"),
	  .rules = rig_office_rules,
	  .rule_count = 2,
	  .fail_to_loop = true },
	{ .name = TEXT("refuse"),
	  .rules = rig_refuse_rules,
	  .rule_count = 1,
	  .fail_to_loop = true },
	{ .name = TEXT("tone"), .rules = rig_tone_rules, .rule_count = 1, .fail_to_loop = true },
	{ .name = TEXT("strict"),
	  .rules = rig_office_rules,
	  .rule_count = 2,
	  .fail_to_loop = false },
	{ .name = TEXT("looped"), .rules = rig_loop_rules, .rule_count = 1, .fail_to_loop = true },
	{ .name = TEXT("echo"), .rules = rig_echo_rules, .rule_count = 1, .fail_to_loop = false },
};
enum { RIG_LOOP, RIG_OFFICE, RIG_REFUSE, RIG_TONE, RIG_STRICT, RIG_LOOPED, RIG_ECHO };

static struct config_registration rig_registrations[] = {
	/* sorted */
	{ .number = 4799000001, .route_type = ROUTE_TYPE_LOOP, .service = RIG_OFFICE },
	{ .number = 4799000002, .route_type = ROUTE_TYPE_LOOP, .service = RIG_LOOP },
	{ .number = 4799000003, .route_type = ROUTE_TYPE_FORK, .service = RIG_OFFICE },
	{ .number = 4799000004, .route_type = ROUTE_TYPE_FALLBACK, .service = RIG_LOOPED },
	{ .number = 4799000005, .route_type = ROUTE_TYPE_INGRESS, .service = RIG_LOOP },
	{ .number = 4799000006, .route_type = ROUTE_TYPE_LOOP_MT, .service = RIG_REFUSE },
	{ .number = 4799000007, .route_type = ROUTE_TYPE_LOOP_MO, .service = RIG_TONE },
	{ .number = 4799000008, .route_type = ROUTE_TYPE_LOOP, .service = RIG_STRICT },
	{ .number = 4799000009, .route_type = ROUTE_TYPE_LOOP, .service = RIG_ECHO },
};
static char *rig_emergency[] = { TEXT("112"), TEXT("911") };
static struct config_cidr rig_trusted;
/* As the configuration has it if it says nothing. */
static enum identity_header rig_core_send[] = { IDENTITY_ASSERTED };
static const struct config_identity rig_core_identity = { .trust = true,
							  .send = rig_core_send,
							  .send_count = 1,
							  .diversion = DIVERSION_FORM_DIVERSION |
								       DIVERSION_FORM_HISTORY };

struct service_rig {
	struct config config;
	struct service_room *room;
	struct leg_info info;
	struct sip_headers headers;
	struct call_plan *plan;
	char request_uri[256], from_uri[128], to_uri[256];
};

static inline int rig_setup(void **state)
{
	struct service_rig *rig = calloc(1, sizeof(*rig));
	struct sockaddr_in *v4 = (struct sockaddr_in *)&rig_trusted.address;
	struct config *config = &rig->config;

	assert_non_null(rig);
	v4->sin_family = AF_INET;
	inet_pton(AF_INET, "198.51.100.0", &v4->sin_addr);
	rig_trusted.prefix_length = 24;
	config->domain = TEXT("tas.example.com");
	config->core.sbc.uri = TEXT("sips:sbc.core.example.net:5061");
	config->core.sbc.trusted = &rig_trusted;
	config->core.sbc.trusted_count = 1;
	config->core.sbc.identity = rig_core_identity;
	config->prefix_mo = TEXT("00");
	config->prefix_mt = TEXT("01");
	config->emergency = rig_emergency;
	config->emergency_count = 2;
	config->trunks = rig_trunks;
	config->trunk_count = ARRAY_SIZE(rig_trunks);
	config->services = rig_services;
	config->service_count = ARRAY_SIZE(rig_services);
	config->registrations = rig_registrations;
	config->registration_count = ARRAY_SIZE(rig_registrations);
	assert_int_equal(
		service_create(&rig->room,
			       &(struct service_options){ .config = config,
							  .load_room = (struct load_room *)rig }),
		0);
	rig->info = (struct leg_info){ .headers = &rig->headers,
				       .from_display = "",
				       .asserted_user = "",
				       .to_display = "",
				       .call_id = "call-1",
				       .session_id = "",
				       .source = "198.51.100.1:5061",
				       .max_forwards = 70 };
	*state = rig;
	return 0;
}

static inline int rig_teardown(void **state)
{
	struct service_rig *rig = *state;

	call_plan_free(rig->plan);
	fake_hook_reset();
	sip_headers_done(&rig->headers);
	service_destroy(rig->room);
	free(rig);
	return 0;
}

static inline void rig_header(struct service_rig *rig, const char *name, const char *value)
{
	assert_int_equal(sip_headers_add(&rig->headers, name, value), 0);
}

/* What the room decides for this call. */
static inline struct call_plan *rig_decide(struct service_rig *rig, const char *request_user,
					   const char *from_user)
{
	snprintf(rig->request_uri, sizeof(rig->request_uri), "sips:%s@tas.example.com",
		 request_user);
	snprintf(rig->from_uri, sizeof(rig->from_uri), "sips:%s@core.example.net", from_user);
	snprintf(rig->to_uri, sizeof(rig->to_uri), "sips:%s@tas.example.com;x=1", request_user);
	rig->info.request_uri = rig->request_uri;
	rig->info.request_user = rig->info.to_user = request_user;
	rig->info.from_uri = rig->from_uri;
	rig->info.from_user = from_user;
	rig->info.to_uri = rig->to_uri;
	call_plan_free(rig->plan);
	rig->plan = service_decide(rig->room, &rig->info);
	assert_non_null(rig->plan);
	return rig->plan;
}

static inline void assert_labels(const struct call_plan *plan, const char *wanted)
{
	char labels[256] = "";

	for (size_t i = 0; i < plan->step_count; i++)
		snprintf(labels + strlen(labels), sizeof(labels) - strlen(labels), "%s%s%s",
			 i ? ", " : "", plan->steps[i].label,
			 plan->steps[i].only_after_trouble ? "?" : "");
	assert_string_equal(labels, wanted);
}

#endif
