/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/answer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/metrics.h"
#include "base/str.h"
#include "tas/admin/elders.h"
#include "tas/admin/explain.h"
#include "tas/admin/fleet.h"
#include "tas/admin/log_levels.h"
#include "tas/admin/numbers.h"
#include "tas/admin/pauses.h"
#include "tas/admin/process.h"
#include "tas/admin/restart.h"
#include "tas/admin/settings.h"
#include "tas/admin/tenants.h"
#include "tas/admin/text.h"
#include "tas/admin/traced.h"
#include "tas/sip/endpoint.h"

#define PAGE         1000 /* registrations in one answer */
#define ATTEMPTS     16   /* of one number, in its answer */
#define WAIT_MS      2000
#define OVERDUE_MS   2000 /* being due for longer needs a reason */
#define SLICE_MS     50   /* between looks at `stopping` */
#define NO_REGISTRAR "this daemon keeps no registrations"
#define NUMBER_MAX   64

/* ---- what the SIP thread is asked ---- */

/* The asker and the mail hold one reference each, so that neither waits for
 * the other for ever. */
struct ask {
	struct mail mail;
	atomic_int references;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct admin_options options;
	json_t *(*question)(const struct admin_options *options, const char *argument);
	bool done;
	json_t *result;
	char argument[]; /* of the question */
};

static void ask_unref(struct ask *ask)
{
	if (atomic_fetch_sub(&ask->references, 1) > 1)
		return;
	json_decref(ask->result);
	free(ask);
}

static void ask_deliver(struct mail *mail, void *receiver)
{
	struct ask *ask = CONTAINER_OF(mail, struct ask, mail);
	json_t *result = ask->question(&ask->options, ask->argument);

	(void)receiver;
	pthread_mutex_lock(&ask->lock);
	ask->result = result;
	ask->done = true;
	pthread_cond_signal(&ask->answered);
	pthread_mutex_unlock(&ask->lock);
	ask_unref(ask);
}

static void wait_slice(struct ask *ask)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += SLICE_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&ask->answered, &ask->lock, &until);
}

static json_t *ask_sip_thread(struct answerer *answerer,
			      json_t *(*question)(const struct admin_options *, const char *),
			      const char *argument)
{
	size_t length = strlen(argument);
	struct ask *ask = calloc(1, sizeof(*ask) + length + 1);
	json_t *result = NULL;

	if (!ask)
		return NULL;
	atomic_init(&ask->references, 2);
	pthread_mutex_init(&ask->lock, NULL);
	pthread_cond_init(&ask->answered, NULL);
	ask->mail.deliver = ask_deliver;
	ask->options = answerer->options;
	ask->question = question;
	memcpy(ask->argument, argument, length + 1);
	mailbox_post(sip_loop_mailbox(answerer->options.loop), &ask->mail);

	pthread_mutex_lock(&ask->lock);
	for (int i = 0; i < WAIT_MS / SLICE_MS && !ask->done && !answerer->stopping; i++)
		wait_slice(ask);
	if (ask->done) {
		result = ask->result;
		ask->result = NULL;
	} else {
		result = json_pack("{s:s, s:b}", "error", "the SIP thread did not answer in time",
				   "busy", 1);
	}
	pthread_mutex_unlock(&ask->lock);
	ask_unref(ask);
	return result;
}

static const char *record_word(enum media_record_state state)
{
	static const char *const words[] = { [MEDIA_RECORD_NONE] = "",
					     [MEDIA_RECORD_OPENING] = "opening",
					     [MEDIA_RECORD_OPEN] = "running",
					     [MEDIA_RECORD_FAILED] = "failed",
					     [MEDIA_RECORD_BROKEN] = "disk full",
					     [MEDIA_RECORD_CODEC] = "codec not decoded" };

	return words[state];
}

/* How long ago; -1: never. */
static json_int_t age_ms(mono_ms moment)
{
	return moment ? (json_int_t)(clock_now() - moment) : -1;
}

static json_t *quality_json(const struct media_receipt *receipt)
{
	json_t *json = json_pack(
		"{s:I, s:I, s:I, s:I, s:f, s:i, s:f, s:f, s:I, s:I}", "bytes_in",
		(json_int_t)receipt->bytes_in, "bytes_out", (json_int_t)receipt->bytes_out,
		"duplicates", (json_int_t)receipt->duplicates, "reordered",
		(json_int_t)receipt->reordered, "jitter_ms", receipt->jitter_us / 1000.0, "gap_ms",
		(int)receipt->gap_ms, "rtt_ms", receipt->rtt_us / 1000.0, "mos", receipt->mos,
		"first_ago_ms", age_ms(receipt->first_in_ms), "last_ago_ms",
		age_ms(receipt->last_in_ms));

	if (json && receipt->reported)
		json_object_set_new(json, "reported",
				    json_pack("{s:i, s:i, s:f}", "lost",
					      (int)receipt->reported_lost, "lost_percent",
					      (int)receipt->reported_percent, "jitter_ms",
					      receipt->reported_jitter_us / 1000.0));
	return json;
}

static json_t *receipt_json(const struct media_receipt *receipt)
{
	uint64_t dropped = receipt->dropped_auth + receipt->dropped_source + receipt->dropped_other;
	json_t *json, *quality = quality_json(receipt);

	json = json_pack("{s:o, s:o, s:o, s:b, s:b, s:I, s:I, s:I, s:I}", "codec",
			 text_json(receipt->codec), "profile", text_json(receipt->profile),
			 "remote", text_json(receipt->remote), "ice", receipt->ice_ok, "dtls",
			 receipt->dtls_ok, "packets_in", (json_int_t)receipt->packets_in,
			 "packets_out", (json_int_t)receipt->packets_out, "lost",
			 (json_int_t)receipt->lost, "dropped", (json_int_t)dropped);
	if (json && receipt->record)
		json_object_set_new(json, "recording", text_json(record_word(receipt->record)));
	if (json && quality)
		json_object_update(json, quality);
	json_decref(quality);
	return json;
}

static void add_call(const struct call_info *info, void *arg)
{
	json_t *calls = arg, *call;
	mono_ms now = clock_now();

	call = json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:b}", "id",
		info->id, "state", call_state_name(info->state), "direction",
		call_direction_name(info->direction), "route_type",
		route_type_name(info->route_type), "number", text_json(info->number), "service",
		text_json(info->service), "step", text_json(info->step), "from",
		text_json(info->from), "to", text_json(info->to), "call_id_a",
		text_json(info->call_id_a), "call_id_b", text_json(info->call_id_b), "session_id",
		text_json(info->session_id), "age_ms", (json_int_t)(now - info->started_ms),
		"talk_ms", (json_int_t)(info->answered_ms ? now - info->answered_ms : 0), "media",
		info->media);
	if (!call)
		return;
	if (info->tenant[0])
		json_object_set_new(call, "tenant", text_json(info->tenant));
	json_object_set_new(call, "verdict", text_json(call_verdict_name(info->verdict)));
	json_object_set_new(call, "verdict_why", text_json(info->verdict_why));
	if (info->media) {
		json_object_set_new(call, "a", receipt_json(&info->receipt[MEDIA_A]));
		json_object_set_new(call, "b", receipt_json(&info->receipt[MEDIA_B]));
	}
	if (info->bypass)
		json_object_set_new(call, "bypass", text_json(call_bypass_name(info->bypass)));
	json_array_append_new(calls, call);
}

static json_t *sip_calls(const struct admin_options *options, const char *number)
{
	json_t *calls = json_array();

	(void)number;
	if (calls)
		call_room_each(options->calls, add_call, calls);
	return json_pack("{s:o}", "calls", calls);
}

static void add_device(const struct device_info *info, void *arg)
{
	json_array_append_new(
		arg, json_pack("{s:o, s:o, s:o, s:o, s:I, s:I}", "name", text_json(info->name),
			       "contact", text_json(info->uri), "hop", text_json(info->hop),
			       "user_agent", text_json(info->user_agent), "expires_s",
			       (json_int_t)info->expires_s, "since_s", (json_int_t)info->since_s));
}

static json_t *sip_devices(const struct admin_options *options, const char *number)
{
	json_t *devices = json_array();

	(void)number;
	if (devices && options->devices)
		device_each(options->devices, add_device, devices);
	return json_pack("{s:o}", "devices", devices);
}

static void add_line(const struct sip_line_info *info, void *arg)
{
	json_array_append_new(
		arg,
		json_pack("{s:o, s:o, s:s, s:I, s:i, s:o, s:s, s:I, s:I, s:I, s:I}", "trunk",
			  text_json(info->peer), "address", text_json(info->uri), "state",
			  health_state_name(info->state), "since_s",
			  (json_int_t)((clock_now() - info->since_ms) / 1000), "last_status",
			  info->status, "last_failure", text_json(info->why), "registered",
			  info->binding, "calls", (json_int_t)info->calls, "failures",
			  (json_int_t)info->failures, "calls_now", (json_int_t)info->peer_calls,
			  "calls_max", (json_int_t)info->peer_calls_max));
}

static json_t *sip_trunks(const struct admin_options *options, const char *number)
{
	json_t *lines = json_array();

	(void)number;
	if (lines && options->service)
		service_each_line(options->service, add_line, lines);
	return json_pack("{s:o}", "trunks", lines);
}

struct line_count {
	int known, down;
};

static void count_line(const struct sip_line_info *info, void *arg)
{
	struct line_count *count = arg;

	count->known++;
	count->down += info->state == HEALTH_DOWN;
}

static json_t *verdicts_json(void)
{
	json_t *verdicts = json_object();

	for (int i = VERDICT_OK; i <= VERDICT_BYPASSED; i++)
		json_object_set_new(
			verdicts, call_verdict_name((enum call_verdict)i),
			json_integer((json_int_t)call_room_verdict_count((enum call_verdict)i)));
	return verdicts;
}

static json_t *load_json(const struct load_room *room)
{
	struct load_info info;

	if (!room)
		return json_null();
	load_room_info(room, &info);
	return json_pack("{s:s, s:i, s:I, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "level",
			 load_level_name(info.level), "admitted_percent",
			 (int)info.admitted_percent, "turned_away", (json_int_t)info.shed,
			 "sip_percent", (int)info.value[LOAD_SIP], "media_percent",
			 (int)info.value[LOAD_MEDIA], "lag_ms", (int)info.value[LOAD_LAG],
			 "memory_percent", (int)info.value[LOAD_MEMORY], "files_percent",
			 (int)info.value[LOAD_FILES], "calls_percent", (int)info.value[LOAD_CALLS],
			 "ports_percent", (int)info.value[LOAD_PORTS]);
}

static json_t *answers_json(const struct admin_options *options, size_t tenant)
{
	const struct config *config = options->service ? service_config(options->service) : NULL;

	if (!options->endpoint || !config)
		return json_null();
	switch (sip_endpoint_answers(options->endpoint, config_tenant_sbc(config, tenant))) {
	case SIP_NOT_ASKED:
		break;
	case SIP_ANSWERS:
		return json_true();
	case SIP_SILENT:
		return json_false();
	}
	return json_null();
}

/* By the names of tenants. */
static json_t *sbcs_json(const struct admin_options *options)
{
	const struct config *config = options->service ? service_config(options->service) : NULL;
	json_t *sbcs = json_object();

	for (size_t i = 0; config && i < config_tenants(config); i++)
		json_object_set_new(sbcs, config_tenant_name(config, i),
				    json_pack("{s:s, s:o}", "sbc", config_tenant_sbc(config, i),
					      "sbc_ok", answers_json(options, i)));
	return sbcs;
}

/* Of each tenant that is configured, to what the registrar knows of it. */
static void join_sbcs(json_t *status)
{
	json_t *sbcs = json_object_get(status, "tenant_sbcs"), *tenant;
	size_t i;

	json_array_foreach(json_object_get(status, "tenants"), i, tenant)
	{
		const char *name = json_string_value(json_object_get(tenant, "name"));

		(void)json_object_update(tenant, json_object_get(sbcs, name)); /* NULL: not one */
	}
	json_object_del(status, "tenant_sbcs");
}

static json_t *sip_status(const struct admin_options *options, const char *number)
{
	struct sip_endpoint *endpoint = options->endpoint;
	struct line_count lines = { 0, 0 };
	size_t elder_calls, elder_legs;
	json_t *status;

	(void)number;
	if (options->service)
		service_each_line(options->service, count_line, &lines);
	restart_count(options, &elder_calls, &elder_legs);
	status = json_pack(
		"{s:o, s:I, s:I, s:o, s:b, s:i, s:i, s:s}", "media", verdicts_json(), "calls",
		(json_int_t)(call_room_count(options->calls) + elder_calls), "legs",
		(json_int_t)((endpoint ? sip_endpoint_leg_count(endpoint) : 0) + elder_legs),
		"sbc_ok", answers_json(options, 0), "draining", options->draining(options->arg),
		"trunk_addresses", lines.known, "trunk_addresses_down", lines.down, "config",
		options->service ? service_config(options->service)->version : "");
	if (status)
		json_object_set_new(status, "load", load_json(options->load));
	if (status)
		restart_add(options, status);
	if (status)
		json_object_set_new(status, "tenant_sbcs", sbcs_json(options));
	if (status && options->service)
		json_object_set_new(status, "domain",
				    text_json(service_config(options->service)->domain));
	return status;
}

static json_t *sip_explain(const struct admin_options *options, const char *argument)
{
	json_t *question = json_loads(argument, 0, NULL);
	json_t *result = json_is_object(question) && options->service
				 ? explain(options->service, question)
				 : error_text("the question is no JSON object");

	json_decref(question);
	return result;
}

static json_t *sip_drain(const struct admin_options *options, const char *number)
{
	(void)number;
	options->drain(options->arg);
	return json_pack("{s:b}", "draining", 1);
}

static json_t *sip_undrain(const struct admin_options *options, const char *number)
{
	const char *why_not = options->undrain(options->arg);

	(void)number;
	return why_not ? error_text(why_not) : json_pack("{s:b}", "draining", 0);
}

static json_t *sip_refresh(const struct admin_options *options, const char *number)
{
	struct reg_info info;

	if (*number && registrar_lookup(options->registrar, number, &info) < 0)
		return error_text("no registration has this number");
	if (*number && info.state == REG_ELSEWHERE)
		return error_text("another node of the fleet keeps this number: ask there "
				  "(regs show NUMBER names it)");
	registrar_refresh(options->registrar, *number ? number : NULL);
	return json_pack("{s:s}", "refreshing", *number ? number : "all");
}

/* ---- what the registrar is asked ---- */

static json_t *reg_json(const struct reg_info *info)
{
	mono_ms now = clock_now();

	return json_pack("{s:s, s:s, s:b, s:s, s:s, s:o, s:s, s:b, s:I, s:I, s:i, s:o}", "number",
			 info->number, "tenant", info->tenant, "moves", info->moves, "route_type",
			 route_type_name(info->route_type), "source", reg_source_name(info->source),
			 "service", text_json(info->service_name), "state",
			 reg_state_name(info->state), "paused", info->paused, "expires_s",
			 (json_int_t)(info->expires_ms ? (info->expires_ms - now) / 1000 : 0),
			 "next_s", (json_int_t)(info->next_ms ? (info->next_ms - now) / 1000 : 0),
			 "failures", (int)info->failures, "error", text_json(info->last_error));
}

static void add_reg(const struct reg_info *info, void *arg)
{
	json_array_append_new(arg, reg_json(info));
}

static json_t *answer_regs(struct answerer *answerer, const char *after)
{
	json_t *regs = json_array();
	size_t count = 0;

	if (regs)
		count = registrar_list(answerer->options.registrar, *after ? after : NULL, PAGE,
				       add_reg, regs);
	return json_pack("{s:o, s:b}", "registrations", regs, "more", count == PAGE);
}

static json_t *attempts_json(struct registrar *registrar, const char *number)
{
	struct reg_attempt attempts[ATTEMPTS];
	size_t count = registrar_attempts(registrar, number, attempts, ATTEMPTS);
	json_t *list = json_array();

	for (size_t i = 0; list && i < count; i++)
		json_array_append_new(
			list, json_pack("{s:I, s:I, s:I, s:s, s:o}", "ago_s",
					(json_int_t)((clock_wall() - attempts[i].at) / 1000),
					"took_ms", (json_int_t)attempts[i].took_ms, "lapsed_s",
					(json_int_t)(attempts[i].lapsed_ms / 1000), "request",
					attempts[i].withdrawal ? "delete" : "upsert", "error",
					text_json(attempts[i].text)));
	return list;
}

/* The caller's reference; NULL: none is known. */
static struct config *config_of(struct answerer *answerer)
{
	struct config *config;

	pthread_mutex_lock(&answerer->lock);
	config = answerer->config ? config_ref(answerer->config) : NULL;
	pthread_mutex_unlock(&answerer->lock);
	return config;
}

static void add_origin(struct answerer *answerer, const char *number, json_t *reg)
{
	struct config *config = config_of(answerer);

	json_object_update_new(reg, number_origin(answerer->options.registrar, config, number));
	config_destroy(config);
}

/* One that was added may wait for what it names. */
static json_t *answer_unregistered(struct answerer *answerer, const char *number)
{
	struct reg_added added;

	if (registrar_find_added(answerer->options.registrar, number, &added))
		return error_text("no registration has this number");
	return error_text("this number was added by the API and is not registered: its service or "
			  "tenant is not configured any more (the log names it); change or delete "
			  "it, or mend the configuration");
}

static const struct registrar_tenant *tenant_of(const struct registrar_summary *summary,
						const char *name)
{
	for (size_t i = 0; i < summary->tenant_count; i++)
		if (!strcmp(summary->tenants[i].name, name))
			return &summary->tenants[i];
	return NULL;
}

/* Why what is due has not been sent. */
static void add_wait(struct answerer *answerer, const struct reg_info *info, json_t *reg)
{
	struct registrar_summary summary;
	const struct registrar_tenant *tenant;
	const char *why = "it waits for its turn";

	if (!info->next_ms || info->next_ms + OVERDUE_MS > clock_now() ||
	    (info->state != REG_NEW && info->state != REG_ACTIVE && info->state != REG_BACKOFF))
		return;
	registrar_summary(answerer->options.registrar, &summary);
	tenant = tenant_of(&summary, info->tenant);
	if (tenant && !tenant->token_ok)
		why = "there is no token for its core";
	else if (tenant && tenant->down)
		why = "the core's API does not answer: it is asked with one number at a time, "
		      "and those that lapse first go first once it does";
	json_object_set_new(reg, "waits", json_string(why));
}

static json_t *answer_reg(struct answerer *answerer, const char *number)
{
	struct reg_info info;
	char node[64];
	json_t *reg;

	if (registrar_lookup(answerer->options.registrar, number, &info) < 0)
		return answer_unregistered(answerer, number);
	reg = reg_json(&info);
	if (reg)
		add_origin(answerer, number, reg);
	if (reg)
		add_wait(answerer, &info, reg);
	if (reg)
		json_object_set_new(reg, "attempts",
				    attempts_json(answerer->options.registrar, number));
	if (reg && !registrar_owner(answerer->options.registrar, number, node))
		json_object_set_new(reg, "node", text_json(node));
	return reg;
}

static json_int_t age_s(mono_ms since)
{
	return since ? (json_int_t)((clock_now() - since) / 1000) : -1;
}

static json_t *consents_json(const struct registrar_consents *consents)
{
	return json_pack("{s:I, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "count",
			 (json_int_t)consents->count, "stream_up", consents->stream_up, "elsewhere",
			 consents->elsewhere, "event_age_s", age_s(consents->event_ms),
			 "list_age_s", age_s(consents->list_ms), "events",
			 (json_int_t)consents->events, "redeliveries",
			 (json_int_t)consents->redeliveries, "acks", (json_int_t)consents->acks,
			 "acks_failed", (json_int_t)consents->acks_failed, "held",
			 (json_int_t)consents->held, "unknown", (json_int_t)consents->unknown);
}

static json_t *all_sources_json(const struct registrar_summary *summary)
{
	json_t *sources = sources_json(summary->by_source);

	json_object_update_new(sources, json_pack("{s:I, s:I}", "api_configured_too",
						  (json_int_t)summary->added.both, "api_stranded",
						  (json_int_t)summary->added.stranded));
	return sources;
}

static json_t *summary_json(struct registrar *registrar)
{
	struct registrar_summary summary;
	json_t *states = json_object(), *json;

	registrar_summary(registrar, &summary);
	for (int i = 0; states && i < REG_STATE_COUNT; i++)
		json_object_set_new(states, reg_state_name((enum reg_state)i),
				    json_integer((json_int_t)summary.by_state[i]));
	json = json_pack(
		"{s:I, s:I, s:o, s:b, s:b, s:I, s:o, s:I, s:I, s:I, s:I, s:o}", "paused",
		(json_int_t)summary.paused, "pauses", (json_int_t)summary.pauses, "api_up",
		tenants_answer_json(summary.api_asked, summary.api_up), "token_ok",
		summary.token_ok, "store_ok", summary.store_ok, "withheld",
		(json_int_t)summary.held, "withheld_why", text_json(summary.held_why), "withheld_s",
		(json_int_t)(summary.held_since_ms ? (clock_now() - summary.held_since_ms) / 1000
						   : 0),
		"to_native_ms", (json_int_t)summary.native_ms, "margin_s",
		(json_int_t)(summary.margin_ms / 1000), "first_expiry_s",
		(json_int_t)(summary.first_expiry_ms
				     ? (summary.first_expiry_ms - clock_now()) / 1000
				     : 0),
		"registrations", states);
	if (json)
		json_object_set_new(json, "tenants", tenants_json(&summary));
	if (json)
		json_object_set_new(json, "sources", all_sources_json(&summary));
	if (json)
		json_object_set_new(json, "lapsed", json_integer((json_int_t)summary.lapsed));
	if (json)
		json_object_set_new(json, "left_behind",
				    json_integer((json_int_t)summary.left_behind));
	if (json)
		json_object_set_new(json, "prefix_like", sources_json(summary.prefix_like));
	if (json && summary.consents.wanted)
		json_object_set_new(json, "consents", consents_json(&summary.consents));
	return json;
}

/* ---- what the signs of life say ---- */

static const char *sign_state(const struct vitals_sign *sign)
{
	if (sign->does == HEALTH_DOES_NOTHING)
		return "off";
	if (sign->vital.sick)
		return "sick";
	return sign->vital.failing ? "failing" : "well";
}

static json_t *sign_json(const struct vitals_sign *sign)
{
	bool trouble = sign->vital.sick || sign->vital.failing;

	return json_pack("{s:s, s:s, s:s, s:b, s:I, s:o}", "check", sign->name, "does",
			 health_does_name(sign->does), "state", sign_state(sign), "proven",
			 sign->vital.proven, "since_s",
			 (json_int_t)(trouble ? (clock_now() - sign->vital.since) / 1000 : 0),
			 "why", text_json(trouble ? sign->vital.why : ""));
}

static json_t *health_json(struct vitals *vitals)
{
	struct vitals_report report;
	json_t *signs = json_array();

	vitals_report(vitals, &report);
	for (int i = 0; signs && i < VITAL_KIND_COUNT; i++)
		json_array_append_new(signs, sign_json(&report.signs[i]));
	return json_pack("{s:s, s:b, s:o, s:I, s:o}", "gate", health_gate_name(report.gate), "sick",
			 report.sick, "why", text_json(report.why), "stranded_services",
			 (json_int_t)report.stranded, "checks", signs);
}

static json_t *node_json(const struct registrar_node *node)
{
	return json_pack("{s:o, s:i, s:b, s:b, s:b, s:I, s:I}", "name", text_json(node->name),
			 "shards", (int)node->shards, "alive", node->alive, "draining",
			 node->draining, "current", node->current, "version",
			 (json_int_t)node->version, "seen_ms", (json_int_t)node->seen_ms);
}

/* NULL: this daemon is in no fleet. */
static json_t *fleet_json(struct registrar *registrar)
{
	struct registrar_fleet fleet;
	json_t *nodes;

	registrar_fleet(registrar, &fleet);
	if (!fleet.on)
		return NULL;
	nodes = json_array();
	for (size_t i = 0; nodes && i < fleet.node_count; i++)
		json_array_append_new(nodes, node_json(&fleet.nodes[i]));
	return json_pack("{s:o, s:s, s:b, s:i, s:i, s:I, s:I, s:I, s:o}", "node",
			 text_json(fleet.node), "standing", fleet.standing, "database",
			 fleet.reachable, "shards", (int)fleet.shards, "held", (int)fleet.held,
			 "held_s", (json_int_t)fleet.held_ms / 1000, "version",
			 (json_int_t)fleet.version, "in_force", (json_int_t)fleet.in_force, "nodes",
			 nodes);
}

/* ---- requests ---- */

static json_t *answer_status(struct answerer *answerer, const char *unused)
{
	json_t *status = ask_sip_thread(answerer, sip_status, "");
	json_t *more = json_pack("{s:s, s:i, s:o, s:o, s:o, s:I}", "version", BREAKOUT_VERSION,
				 "pid", (int)getpid(), "domain", text_json(answerer->domain), "cdr",
				 text_json(answerer->cdr_file ? answerer->cdr_file : ""), "process",
				 process_json(), "uptime_s",
				 (json_int_t)((clock_now() - answerer->started_ms) / 1000));

	(void)unused;
	if (status && more) /* the domain in force goes before that of the start */
		json_object_update_missing(status, more);
	json_decref(more);
	if (status && answerer->options.vitals)
		json_object_set_new(status, "health", health_json(answerer->options.vitals));
	if (status && answerer->options.registrar) {
		more = summary_json(answerer->options.registrar);
		json_object_update(status, more);
		json_decref(more);
		join_sbcs(status);
		more = fleet_json(answerer->options.registrar);
		if (more)
			json_object_set_new(status, "fleet", more);
	}
	return status;
}

static json_t *answer_calls(struct answerer *answerer, const char *unused)
{
	json_t *calls = ask_sip_thread(answerer, sip_calls, "");
	json_t *elders = ask_sip_thread(answerer, restart_elders, "");

	(void)unused;
	elders_add_calls(calls, elders);
	json_decref(elders);
	return calls;
}

static json_t *answer_trunks(struct answerer *answerer, const char *unused)
{
	(void)unused;
	return ask_sip_thread(answerer, sip_trunks, "");
}

static json_t *answer_explain(struct answerer *answerer, const char *question)
{
	return ask_sip_thread(answerer, sip_explain, question);
}

static json_t *answer_trace(struct answerer *answerer, const char *call)
{
	json_t *answer = ask_sip_thread(answerer, traced_recent, call);
	json_t *elders = json_object_get(answer, "error")
				 ? ask_sip_thread(answerer, restart_elders, "")
				 : NULL;
	struct str request = { 0 };

	str_addf(&request, "trace %s", call);
	if (!request.failed)
		answer = elders_instead(answer, elders, request.text);
	str_done(&request);
	json_decref(elders);
	return traced_fullest(answerer->options.traced, call, answer);
}

static json_t *answer_traced(struct answerer *answerer, const char *unused)
{
	(void)unused;
	return traced_list(answerer->options.traced);
}

static json_t *answer_devices(struct answerer *answerer, const char *unused)
{
	(void)unused;
	return ask_sip_thread(answerer, sip_devices, "");
}

static json_t *answer_config(struct answerer *answerer, const char *section)
{
	return ask_sip_thread(answerer, settings_config, section);
}

static json_t *answer_reload(struct answerer *answerer, const char *number)
{
	return ask_sip_thread(answerer, settings_reload, number);
}

static json_t *answer_cert(struct answerer *answerer, const char *unused)
{
	json_t *answer = ask_sip_thread(answerer, settings_certificates, "");

	(void)unused;
	settings_add_disk(answer);
	return answer;
}

static json_t *answer_restart(struct answerer *answerer, const char *unused)
{
	(void)unused;
	return ask_sip_thread(answerer, restart_begin, "");
}

static json_t *answer_undrain(struct answerer *answerer, const char *unused)
{
	(void)unused;
	return ask_sip_thread(answerer, sip_undrain, "");
}

static json_t *answer_drain(struct answerer *answerer, const char *unused)
{
	(void)unused;
	return ask_sip_thread(answerer, sip_drain, "");
}

static json_t *answer_refresh(struct answerer *answerer, const char *number)
{
	return ask_sip_thread(answerer, sip_refresh, number);
}

static json_t *answer_pauses(struct answerer *answerer, const char *unused)
{
	(void)unused;
	return pauses_answer(answerer->options.registrar);
}

static void add_metric(const struct metric_sum *sum, void *arg)
{
	json_t *entry = json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", sum->name, "labels",
				  sum->labels ? sum->labels : "", "help", sum->help, "type",
				  sum->kind == METRIC_COUNTER ? "counter" : "gauge", "value",
				  (json_int_t)sum->value);

	json_array_append_new(arg, entry);
}

static json_t *answer_metrics(struct answerer *answerer, const char *unused)
{
	json_t *metrics = json_array(), *result;
	struct str text = { 0 };

	(void)answerer;
	(void)unused;
	if (metrics)
		metrics_each_sum(add_metric, metrics);
	metrics_text(&text);
	result = json_pack("{s:o, s:s}", "metrics", metrics, "text", text.text ? text.text : "");
	str_done(&text);
	return result;
}

static json_t *answer_log(struct answerer *answerer, const char *request)
{
	(void)answerer;
	return log_levels_answer(request);
}

static const struct request {
	const char *name;
	enum { NONE, OPTIONAL, NEEDED, NAMED, NAMED_OR_NONE, DOCUMENT } argument;
	bool registrar; /* is of no use without it */
	bool elder;     /* is answered by a process whose place another has */
	json_t *(*answer)(struct answerer *answerer, const char *number);
} requests[] = {
	{ "status", NONE, false, true, answer_status },
	{ "regs", OPTIONAL, true, false, answer_regs },
	{ "reg", NEEDED, true, false, answer_reg },
	{ "calls", NONE, false, true, answer_calls },
	{ "refresh", OPTIONAL, true, false, answer_refresh },
	{ "drain", NONE, false, false, answer_drain },
	{ "undrain", NONE, false, false, answer_undrain },
	{ "restart", NONE, false, false, answer_restart },
	{ "metrics", NONE, false, true, answer_metrics },
	{ "log", NAMED_OR_NONE, false, true, answer_log },
	{ "trunks", NONE, false, false, answer_trunks },
	{ "explain", DOCUMENT, false, false, answer_explain },
	{ "devices", NONE, false, false, answer_devices },
	{ "trace", NAMED, false, true, answer_trace },
	{ "traced", NONE, false, false, answer_traced },
	{ "config", OPTIONAL, false, false, answer_config },
	{ "reload", OPTIONAL, false, false, answer_reload },
	{ "cert", NONE, false, false, answer_cert },
	{ "pauses", NONE, true, false, answer_pauses },
};

#define NOT_HERE "another process has the place of this one, which only ends its calls: ask that"

static json_t *run(struct answerer *answerer, const struct request *request, const char *number)
{
	if (answerer->options.only_socket && !request->elder)
		return error_text(NOT_HERE);
	if (request->registrar && !answerer->options.registrar)
		return error_text(NO_REGISTRAR);
	if (*number && request->argument == NONE)
		return error_text("this request takes no number");
	if (!*number && request->argument == NEEDED)
		return error_text("this request needs a number");
	if (request->argument == NAMED && !*number)
		return error_text("this request needs a call's id or a Call-ID");
	if (request->argument < NAMED && strlen(number) >= NUMBER_MAX)
		return error_text("that is no number");
	return request->answer(answerer, number);
}

/* Orders that are remembered with the name of who gave them. */
static const struct order {
	const char *name;
	/* One of both. */
	json_t *(*of_registrar)(struct registrar *registrar, const char *document, const char *who);
	json_t *(*of_trace)(struct traced *traced, const char *document, const char *who);
} orders[] = {
	{ "pause", pauses_pause, NULL },   { "resume", pauses_resume, NULL },
	{ "forget", fleet_forget, NULL },  { "trace_on", NULL, traced_begin },
	{ "trace_off", NULL, traced_end },
};

/* The same, of what the configuration in force allows. */
static const struct change {
	const char *name;
	json_t *(*carry_out)(const struct number_order *order);
} changes[] = {
	{ "add", number_add },
	{ "put", number_put },
	{ "delete", number_delete },
	{ "import", number_import },
};

static bool is_named(const char *request, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(name, request, length) == 0;
}

static json_t *obey(struct answerer *answerer, const struct order *order, const char *document,
		    const char *who)
{
	struct registrar *registrar = answerer->options.registrar;

	if (answerer->options.only_socket)
		return error_text(NOT_HERE);
	if (order->of_trace)
		return order->of_trace(answerer->options.traced, document, who);
	return registrar ? order->of_registrar(registrar, document, who) : error_text(NO_REGISTRAR);
}

static json_t *change(struct answerer *answerer, const struct change *change, const char *document,
		      const struct answer_body *body, const char *who)
{
	struct config *config = config_of(answerer);
	const struct number_order order = { .registrar = answerer->options.registrar,
					    .config = config,
					    .document = document,
					    .body = body->bytes,
					    .length = body->length,
					    .who = who };
	json_t *result;

	if (answerer->options.only_socket)
		result = error_text(NOT_HERE);
	else if (order.registrar && config)
		result = change->carry_out(&order);
	else
		result = error_text(NO_REGISTRAR);
	config_destroy(config);
	return result;
}

void answerer_use(struct answerer *answerer, const struct config *config)
{
	struct config *fresh = config ? config_ref(config) : NULL, *old;

	pthread_mutex_lock(&answerer->lock);
	old = answerer->config;
	answerer->config = fresh;
	pthread_mutex_unlock(&answerer->lock);
	config_destroy(old);
}

size_t answer_body_length(const char *request)
{
	json_t *document = str_starts(request, "import ") ? json_loads(request + 7, 0, NULL) : NULL;
	json_int_t length = json_integer_value(json_object_get(document, "length"));

	json_decref(document);
	return length > 0 ? (size_t)length : 0;
}

json_t *answer(struct answerer *answerer, const char *request, const char *who)
{
	const struct answer_body none = { NULL, 0 };

	return answer_with(answerer, request, &none, who);
}

json_t *answer_with(struct answerer *answerer, const char *request, const struct answer_body *body,
		    const char *who)
{
	size_t name = strcspn(request, " ");
	const char *number = request + name + strspn(request + name, " ");

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (is_named(request, name, requests[i].name))
			return run(answerer, &requests[i], number);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		if (is_named(request, name, orders[i].name))
			return obey(answerer, &orders[i], number, who);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		if (is_named(request, name, changes[i].name))
			return change(answerer, &changes[i], number, body, who);
	return error_text(
		"unknown request: status, regs, reg, calls, trace, traced, trace_on, trace_off, "
		"devices, trunks, explain, "
		"config, reload, cert, pauses, pause, resume, add, put, delete, import, forget, "
		"refresh, drain, undrain, "
		"restart, log or "
		"metrics");
}
