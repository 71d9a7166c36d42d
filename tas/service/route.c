/* SPDX-License-Identifier: Apache-2.0 */
/* route.c - why a call goes where it goes: registration, service, rule, steps.
 *
 * Whatever is in doubt loops: an unknown number, a service without a rule for
 * this direction, and, as a last step, a call our own trouble would break.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"
#include "tas/service/change.h"
#include "tas/service/decision.h"
#include "tas/service/match.h"

/* With and without prefix: what the core inserted or left out must not matter. */
static bool is_emergency(const struct decision *decision)
{
	const struct leg_info *info = decision->info;

	return emergency_said(info->request_uri, sip_headers_find(info->headers, "Priority")) ||
	       emergency_dialled(decision->config, decision->class.called) ||
	       emergency_dialled(decision->config, info->request_user);
}

/* The core rings the called phone itself: looping back would call it twice. */
static bool core_rings(enum route_type type)
{
	return type == ROUTE_TYPE_FORK || type == ROUTE_TYPE_FALLBACK;
}

static void add_sound(struct decision *decision, struct call_step *step,
		      const struct config_action *action)
{
	step->local.sound = media_sounds_ref(decision->room->sounds, action->sound);
	step->local.repeat = action->repeat;
}

static void add_announcement(struct decision *decision, const struct config_action *action)
{
	struct call_step *step = decision_add_step(
		decision, CALL_STEP_ANSWER, action->answer_first ? "answer, announce" : "announce");

	if (!step)
		return;
	step->early = !action->answer_first;
	step->goes_on = action->answer_first;
	decision->announced = true;
	decision->answered = decision->answered || action->answer_first;
	add_sound(decision, step, action);
}

static void add_answer(struct decision *decision, const struct config_action *action)
{
	static const char *const names[] = {
		[ANSWER_ECHO] = "echo", [ANSWER_TONE] = "tone", [ANSWER_SOUND] = "play"
	};
	struct call_step *step =
		decision_add_step(decision, CALL_STEP_ANSWER, "answer %s", names[action->answer]);

	if (!step)
		return;
	step->local.echo = action->answer == ANSWER_ECHO;
	step->local.tone_hz = action->answer == ANSWER_TONE ? action->tone_hz : 0;
	add_sound(decision, step, action);
}

static void add_voicemail(struct decision *decision, const struct config_action *action)
{
	struct call_mailbox *mailbox;
	struct call_step *step;
	struct str folder = { 0 };
	char shown[80];

	e164_mask_name(action->mailbox, shown, sizeof(shown)); /* labels show in the log */
	step = decision_add_step(decision, CALL_STEP_ANSWER, "voicemail %s", shown);
	mailbox = step ? calloc(1, sizeof(*mailbox)) : NULL;
	if (!mailbox) {
		decision->failed = true;
		return;
	}
	step->mailbox = mailbox;
	str_addf(&folder, "%s/%s", action->voicemail_dir, action->mailbox);
	mailbox->folder = decision_text(decision, str_take(&folder));
	mailbox->name = decision_text(decision, strdup(action->mailbox));
	mailbox->caller =
		decision_text(decision, strdup(decision->anonymous ? "" : decision->caller));
	mailbox->called = decision_text(decision, strdup(decision->called));
	mailbox->beep = action->beep;
	mailbox->max_ms = action->message_s * 1000;
	mailbox->silence_ms = action->silence_s * 1000;
	if (action->notify)
		mailbox->notice = notice_new(decision, action);
	add_sound(decision, step, action);
}

static void add_reject(struct decision *decision, const struct config_action *action)
{
	struct call_step *step =
		decision_reject(decision, action->status, action->reason, CAUSE_REJECTED);

	if (!step)
		return;
	step->early = !action->answer_first;
	add_sound(decision, step, action);
}

static void add_redirect(struct decision *decision, const struct config_action *action)
{
	struct call_step *step;

	if (decision->answered) { /* a webhook may say so; config refuses it in a rule */
		decision_note(decision, "an answered caller cannot be redirected");
		return;
	}
	step = decision_reject(decision, 302, NULL, CAUSE_REDIRECTED);
	if (!step)
		return;
	step->request_uri = decision_text(decision, strdup(action->contact));
	free(step->label);
	step->label = decision_text(decision, strdup("redirect"));
}

void route_add_action(struct decision *decision, const struct config_action *action,
		      enum route_type type)
{
	switch (action->kind) {
	case ACTION_LOOP:
		if (decision_trunk(decision))
			ingress_to_core(decision);
		else if (!core_rings(type))
			change_loop(decision, action);
		break;
	case ACTION_DIAL:
		change_dial(decision, action);
		break;
	case ACTION_RING:
		/* Nor is a trunk's call a subscriber's to be looped. */
		ring_add(decision, action, core_rings(type) || decision_trunk(decision));
		break;
	case ACTION_ANNOUNCE:
		add_announcement(decision, action);
		break;
	case ACTION_DEVICE:
		device_add(decision, action->device, action->ring_s);
		break;
	case ACTION_ANSWER:
		add_answer(decision, action);
		break;
	case ACTION_VOICEMAIL:
		add_voicemail(decision, action);
		break;
	case ACTION_REJECT:
		add_reject(decision, action);
		break;
	case ACTION_REDIRECT:
		add_redirect(decision, action);
		break;
	case ACTION_WEBHOOK:
		webhook_add(decision, action->webhook);
		break;
	}
}

static void record_call(struct decision *decision)
{
	const struct config_recordings *config = &decision->config->recordings;
	struct call_mailbox *recording = calloc(1, sizeof(*recording));

	decision->recorded = true;
	decision->plan->recording = recording;
	if (!recording) {
		decision->failed = true;
		return;
	}
	recording->opus = config->opus;
	recording->folder = decision_text(decision, strdup(config->dir));
	if (config->key)
		recording->public_key = decision_text(decision, strdup(config->key));
	recording->caller =
		decision_text(decision, strdup(decision->anonymous ? "" : decision->caller));
	recording->called = decision_text(decision, strdup(decision->called));
}

static void name_rule(struct decision *decision, const struct config_service *service,
		      const struct config_rule *rule)
{
	struct str name = { 0 };

	str_add(&name, service->name);
	if (rule)
		str_addf(&name, "/%zu", (size_t)(rule - service->rules) + 1);
	decision->plan->service = decision_text(decision, str_take(&name));
	if (rule && rule->record)
		record_call(decision);
}

static bool plan_loops(const struct call_plan *plan, enum call_step_turn turn)
{
	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].loops && plan->steps[i].turn == turn)
			return true;
	return false;
}

/* on_failure: loop. What was tried and broke by trouble, not by decision, goes
 * on to the core as if we were not there. */
static void add_rescue(struct decision *decision)
{
	const struct call_plan *plan = decision->plan;
	const struct call_step *last = &plan->steps[plan->step_count - 1];
	bool unadvised = plan_loops(plan, CALL_TURN_UNADVISED);
	struct call_step *step;

	if (plan_loops(plan, CALL_TURN_ALWAYS) ||
	    (last->kind == CALL_STEP_REJECT && last->turn == CALL_TURN_ALWAYS))
		return;
	step = loop_add(decision, CALL_BYPASS_RESCUE, 0);
	if (!step)
		return;
	step->only_after_trouble = true;
	step->turn = unadvised ? CALL_TURN_ADVISED : CALL_TURN_ALWAYS;
}

/* No rule says anything, or nothing that can be done. */
static void add_default(struct decision *decision, enum route_type type)
{
	if (decision_trunk(decision)) {
		decision_note(decision, "no rule has steps for this call: it is for the core");
		ingress_to_core(decision);
		return;
	}
	decision_note(decision, "no rule has steps for this call: it is %s",
		      core_rings(type) ? "unavailable" : "looped");
	if (core_rings(type))
		decision_reject(decision, 480, NULL, CAUSE_UNAVAILABLE);
	else
		(void)loop_add(decision, loop_bypass(decision), 0); /* failed is in decision */
}

static void add_rule(struct decision *decision, const struct config_rule *rule,
		     enum route_type type)
{
	size_t before = decision->plan->step_count;

	for (size_t i = 0; rule && i < rule->action_count; i++)
		route_add_action(decision, &rule->actions[i], type);
	if (decision->plan->step_count == before)
		add_default(decision, type);
}

/* What a webhook at a rule's end leaves undecided is for the rules after it. */
static void add_rules(struct decision *decision, const struct config_service *service,
		      const struct config_rule *rule, enum route_type type)
{
	const struct call_plan *plan = decision->plan;

	add_rule(decision, rule, type);
	while (rule && plan->step_count > 0 &&
	       plan->steps[plan->step_count - 1].kind == CALL_STEP_ASK) {
		size_t first = plan->step_count;

		rule = match_rules(decision, service, (size_t)(rule - service->rules) + 1);
		add_rule(decision, rule, type);
		for (size_t i = first; i < plan->step_count; i++)
			plan->steps[i].turn = CALL_TURN_UNADVISED;
	}
}

static void route_registered(struct decision *decision,
			     const struct config_registration *registration)
{
	const struct config_service *service = &decision->config->services[registration->service];
	enum route_type type = (enum route_type)registration->route_type;
	struct call_plan *plan = decision->plan;
	const struct config_rule *rule;

	plan->route_type = type;
	e164_unpack(registration->number, plan->number);
	decision_note(decision, "%s is registered as %s with the service %s", plan->number,
		      route_type_name(type), service->name);
	rule = match_rules(decision, service, 0);
	name_rule(decision, service, rule);
	add_rules(decision, service, rule, type);
	if (service->fail_to_loop && !core_rings(type) && plan->step_count > 0)
		add_rescue(decision);
}

void route_trunk(struct decision *decision, const struct config_service *service)
{
	const struct config_rule *rule = match_rules(decision, service, 0);

	name_rule(decision, service, rule);
	add_rules(decision, service, rule, decision->plan->route_type);
}

static void loop_untouched(struct decision *decision, const char *service)
{
	decision->plan->service = decision_text(decision, strdup(service));
	(void)loop_add(decision, CALL_BYPASS_UNTOUCHED, 0); /* failed is in decision */
}

void route_core(struct decision *decision)
{
	const struct config_registration *registration;

	decision->plan->media_a = MEDIA_LEG_WEBRTC;
	decision->plan->direction = decision->class.direction;
	decision->plan->emergency = is_emergency(decision);
	/* RFC 3261 16.3: the next hop gets one less, and an emergency call its last. */
	if (decision->info->max_forwards < (decision->plan->emergency ? 1 : 2)) {
		decision_note(decision, "Max-Forwards: %d is spent", decision->info->max_forwards);
		decision_reject(decision, 483, NULL, CAUSE_LOOP);
		return;
	}
	if (decision->plan->emergency) {
		decision_note(decision, "an emergency call goes to the core before any rule");
		loop_untouched(decision, "emergency");
		return;
	}
	if (hop_seen(&decision->room->hop_key, decision->info->headers, decision->class.direction,
		     decision->class.called)) {
		decision_note(decision, "the call carries our own mark: it goes round in a circle");
		decision_reject(decision, 482, NULL, CAUSE_LOOP);
		return;
	}
	registration = decision_registration(decision);
	if (!registration || registration->route_type == ROUTE_TYPE_INGRESS) {
		decision_note(decision,
			      "neither side has rules here: the call is looped untouched");
		loop_untouched(decision, "unknown");
	} else {
		route_registered(decision, registration);
	}
}
