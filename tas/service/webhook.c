/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.c - a step of a plan that asks somebody's server which steps to take.
 *
 * The question holds a copy of all it needs: the call that asks may have waited
 * in an earlier step while the configuration was exchanged. What the answer
 * names is looked up in the configuration of the moment it comes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/e164.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "base/str.h"
#include "hook/hook.h"
#include "tas/service/decision.h"
#include "tas/service/webhook_answer.h"

static struct metric bad_answers_total = METRIC_COUNTER_INIT(
	"breakout_webhook_bad_answers_total", NULL, "Webhook answers that were not understood");

struct webhook_question {
	struct call_question question;
	struct service_room *room;
	char *url, *ca_file, *secret;
	bool unsigned_by_mistake; /* the secret could not be read */
	unsigned deadline_ms, connections, queue;
	char *body; /* JSON but for the call's id and the closing brace */
	struct classification class;
	enum route_type type;
	bool recorded;            /* the call is */
	bool announced, answered; /* before the question */
	/* While it waits: */
	struct call *call;
	struct hook_ask *ask;
};

/* ---- secrets ---- */

void webhook_secrets_done(struct service_room *room)
{
	for (size_t i = 0; i < room->secret_count; i++)
		secret_free(room->secrets[i]);
	free(room->secrets);
	room->secrets = NULL;
	room->secret_count = 0;
}

static char *read_secret(const struct config_webhook *webhook)
{
	char secret[SECRET_ROOM], *copy;
	int err = secret_read(webhook->secret_file, secret);

	if (err) {
		log_error("service",
			  "webhook.secret_file %s cannot be used (%s): calls go on without asking "
			  "until it holds the secret on its first line and the configuration is "
			  "reloaded",
			  webhook->secret_file, strerror(-err));
		return NULL;
	}
	copy = strdup(secret);
	explicit_bzero(secret, sizeof(secret));
	return copy;
}

int webhook_secrets_read(struct service_room *room)
{
	const struct config *config = room->config;

	webhook_secrets_done(room);
	if (config->webhook_count == 0)
		return 0;
	room->secrets = calloc(config->webhook_count, sizeof(*room->secrets));
	if (!room->secrets)
		return -ENOMEM;
	room->secret_count = config->webhook_count;
	for (const struct config_webhook *webhook = config->webhooks; webhook;
	     webhook = webhook->next)
		if (webhook->secret_file)
			room->secrets[webhook->index] = read_secret(webhook);
	return 0;
}

/* ---- the request ---- */

static void add_member(struct str *json, const char *name, const char *value)
{
	str_addf(json, ",\"%s\":", name);
	str_add_json(json, value ? value : "");
}

static void add_time(struct str *json)
{
	time_t seconds = (time_t)(clock_wall() / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	add_member(json, "time", text);
}

/* A header may stand more than once: always a list. */
static void add_header(struct str *json, const struct sip_headers *headers, const char *name)
{
	unsigned found = 0;

	str_add_json(json, name);
	str_add(json, ":[");
	for (size_t i = 0; i < headers->count; i++) {
		if (!str_equal_nocase(headers->items[i].name, name))
			continue;
		str_add(json, found++ ? "," : "");
		str_add_json(json, headers->items[i].value);
	}
	str_add(json, "]");
}

static char *request_body(const struct decision *decision, const struct config_webhook *webhook)
{
	const struct leg_info *info = decision->info;
	const struct call_plan *plan = decision->plan;
	struct str json = { 0 };

	str_add(&json, "{\"version\":1");
	add_time(&json);
	add_member(&json, "direction", call_direction_name(plan->direction));
	add_member(&json, "route_type", route_type_name(plan->route_type));
	add_member(&json, "number", plan->number);
	if (plan->tenant)
		add_member(&json, "tenant", plan->tenant);
	add_member(&json, "service", plan->service);
	add_member(&json, "from", info->from_user);
	add_member(&json, "display", info->from_display);
	add_member(&json, "asserted", info->asserted_user);
	str_addf(&json, ",\"privacy\":%s",
		 decision_wants_privacy(info->headers) ? "true" : "false");
	add_member(&json, "to", decision->class.called);
	add_member(&json, "call_id", info->call_id);
	add_member(&json, "session_id", info->session_id);
	str_addf(&json, ",\"deadline_ms\":%u,\"headers\":{", webhook->deadline_ms);
	for (size_t i = 0; i < webhook->header_count; i++) {
		str_add(&json, i ? "," : "");
		add_header(&json, info->headers, webhook->headers[i]);
	}
	str_add(&json, "}");
	return str_take(&json);
}

/* ---- the answer ---- */

static void advise(struct webhook_question *question, const char *summary,
		   struct call_step *take_steps, size_t count)
{
	struct call *call = question->call;

	question->call = NULL;
	call_advise(call, &(struct call_advice){ .take_steps = take_steps,
						 .step_count = count,
						 .summary = summary });
}

/* The action as a rule would have it; it points into the answer. */
static struct config_action whole_action(struct webhook_action *said)
{
	struct config_action action = said->action;

	if (said->caller) {
		action.callers = &said->caller;
		action.caller_count = 1;
		action.pick = PICK_BY_CALLED; /* of one; no turn is taken */
	}
	if (action.kind == ACTION_RING) {
		action.targets = said->targets;
		action.target_count = said->target_count;
	}
	return action;
}

/* As `breakoutctl check` warns of a rule's. */
static void look_at_caller(const struct webhook_question *question, const char *caller)
{
	char masked[E164_ROOM];
	unsigned suppressed;

	if (!caller || service_is_registered(caller, question->room) ||
	    !log_limit_pass(&question->room->webhook_log, 1, 10 * 1000, &suppressed))
		return;
	e164_mask(caller, masked, sizeof(masked));
	log_notice("service",
		   "call=%s webhook shows the caller %s, which is not among the registrations; "
		   "not_logged=%u",
		   call_id(question->call), masked, suppressed);
}

/* The steps that a rule with these actions would have given. */
static int make_steps(const struct webhook_question *question, struct webhook_answer *answer,
		      struct call_plan **ret_plan)
{
	struct decision decision = { .room = question->room,
				     .config = question->room->config,
				     .info = call_caller(question->call),
				     .class = question->class,
				     .recorded = question->recorded,
				     .announced = question->announced,
				     .answered = question->answered };

	decision_look_at_numbers(&decision);
	decision.plan = calloc(1, sizeof(*decision.plan));
	if (!decision.plan)
		return -ENOMEM;
	for (size_t i = 0; i < answer->count; i++) {
		struct webhook_action *said = &answer->actions[i];
		struct config_action action = whole_action(said);

		decision.class = question->class;
		if (said->number)
			snprintf(decision.class.called, sizeof(decision.class.called), "%s",
				 said->number);
		look_at_caller(question, said->caller);
		route_add_action(&decision, &action, question->type);
	}
	*ret_plan = decision_finish(&decision);
	return *ret_plan ? 0 : -ENOMEM;
}

static void take_answer(struct webhook_question *question, struct webhook_answer *answer)
{
	struct call_plan *plan;
	struct call_step *steps;
	size_t count;

	if (make_steps(question, answer, &plan) < 0) {
		advise(question, "out of memory", NULL, 0);
		return;
	}
	steps = plan->steps;
	count = plan->step_count;
	plan->steps = NULL;
	plan->step_count = 0;
	call_plan_free(plan);
	advise(question, answer->summary, steps, count);
}

static void log_failure(const struct webhook_question *question, const char *what,
			const char *detail)
{
	unsigned suppressed;

	if (log_limit_pass(&question->room->webhook_log, 1, 10 * 1000, &suppressed))
		log_notice("service", "call=%s webhook %s%s%s, the call goes on; not_logged=%u",
			   call_id(question->call), what, detail[0] ? ": " : "", detail,
			   suppressed);
}

static void on_failure(struct webhook_question *question, const struct hook_reply *reply)
{
	char summary[48];

	if (reply->result == HOOK_STATUS)
		snprintf(summary, sizeof(summary), "HTTP status %d", reply->status);
	else
		snprintf(summary, sizeof(summary), "%s", hook_result_name(reply->result));
	log_failure(question, summary, reply->detail);
	advise(question, summary, NULL, 0);
}

static void on_reply(const struct hook_reply *reply, void *arg)
{
	struct webhook_question *question = arg;
	struct webhook_answer answer;
	char error[256];

	question->ask = NULL;
	if (reply->result != HOOK_ANSWERED) {
		on_failure(question, reply);
	} else if (reply->status == 204) { /* RFC 9110 15.3.5: nothing to say */
		advise(question, "next", NULL, 0);
	} else if (webhook_answer_parse(reply->body, reply->length, question->room->config, &answer,
					error, sizeof(error)) < 0) {
		metric_add(&bad_answers_total, 1);
		log_failure(question, "answer not understood", error);
		advise(question, "bad answer", NULL, 0);
	} else {
		take_answer(question, &answer);
		webhook_answer_done(&answer);
	}
}

/* ---- the question ---- */

static struct webhook_question *of(struct call_question *question)
{
	return CONTAINER_OF(question, struct webhook_question, question);
}

static int post(struct webhook_question *question, const char *body)
{
	const struct hook_request request = {
		.url = question->url,
		.ca_file = question->ca_file,
		.secret = question->secret,
		.deadline_ms = question->deadline_ms,
		.connections = question->connections,
		.queue = question->queue,
		.body = body,
	};

	return hook_post(&question->ask, question->room->hooks, &request, on_reply, question);
}

static int question_ask(struct call_question *base, struct call *call)
{
	struct webhook_question *question = of(base);
	struct str body = { 0 };
	int err = -ENOMEM;

	if (!question->room->hooks || question->unsigned_by_mistake)
		return -EACCES;
	str_add(&body, question->body);
	add_member(&body, "call", call_id(call));
	str_add(&body, "}");
	question->call = call;
	if (!body.failed)
		err = post(question, body.text);
	str_done(&body);
	return err;
}

static void question_stop(struct call_question *base)
{
	struct webhook_question *question = of(base);

	question->ask = hook_cancel(question->ask);
	question->call = NULL;
}

static void question_destroy(struct call_question *base)
{
	struct webhook_question *question = of(base);

	free(question->url);
	free(question->ca_file);
	secret_free(question->secret);
	free(question->body);
	free(question);
}

static struct call_question *question_new(struct decision *decision,
					  const struct config_webhook *webhook)
{
	struct webhook_question *question = calloc(1, sizeof(*question));
	const char *secret =
		decision->room->secrets ? decision->room->secrets[webhook->index] : NULL;

	if (!question) {
		decision->failed = true;
		return NULL;
	}
	question->question = (struct call_question){ .ask = question_ask,
						     .stop = question_stop,
						     .destroy = question_destroy };
	question->room = decision->room;
	question->url = decision_text(decision, strdup(webhook->url));
	if (webhook->ca_file)
		question->ca_file = decision_text(decision, strdup(webhook->ca_file));
	if (secret)
		question->secret = decision_text(decision, strdup(secret));
	question->unsigned_by_mistake = webhook->secret_file && !secret;
	question->deadline_ms = webhook->deadline_ms;
	question->connections = webhook->connections;
	question->queue = webhook->queue;
	question->body = decision_text(decision, request_body(decision, webhook));
	question->class = decision->class;
	question->type = decision->plan->route_type;
	question->recorded = decision->recorded;
	question->announced = decision->announced;
	question->answered = decision->answered;
	return &question->question;
}

void webhook_add(struct decision *decision, const struct config_webhook *webhook)
{
	const char *host = strstr(webhook->url, "://") + 3; /* the config room has checked it */
	struct call_step *step = decision_add_step(decision, CALL_STEP_ASK, "webhook %.*s",
						   (int)strcspn(host, "/?#"), host);

	if (!step)
		return;
	step->question = question_new(decision, webhook);
	step->ask_ms = webhook->deadline_ms;
}
