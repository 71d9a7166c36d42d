/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/service/decision.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tas/service/caller.h"
#include "tas/service/match.h"

#define RECORD_STEPS_MAX   16
#define RECORD_HEADERS_MAX 32
#define RECORD_VALUE_ROOM  128 /* bytes of a header's value */

char *decision_text(struct decision *decision, char *take_text)
{
	if (!take_text)
		decision->failed = true;
	return take_text;
}

struct call_step *decision_add_step(struct decision *decision, enum call_step_kind kind,
				    const char *label_format, ...)
{
	struct call_plan *plan = decision->plan;
	struct call_step *steps, *step;
	char label[80];
	va_list args;

	steps = realloc(plan->steps, (plan->step_count + 1) * sizeof(*steps));
	if (!steps) {
		decision->failed = true;
		return NULL;
	}
	plan->steps = steps;
	step = &steps[plan->step_count++];
	memset(step, 0, sizeof(*step));
	step->kind = kind;
	va_start(args, label_format);
	vsnprintf(label, sizeof(label), label_format, args);
	va_end(args);
	step->label = decision_text(decision, strdup(label));
	return step;
}

struct call_step *decision_reject(struct decision *decision, int status, const char *phrase,
				  enum cause cause)
{
	struct call_step *step = decision_add_step(decision, CALL_STEP_REJECT, "reject %d", status);

	if (!step)
		return NULL;
	step->status = status;
	step->cause = cause;
	if (phrase)
		step->phrase = decision_text(decision, strdup(phrase));
	return step;
}

enum media_leg_kind decision_media(enum media_kind media)
{
	switch (media) {
	case MEDIA_WEBRTC:
		return MEDIA_LEG_WEBRTC;
	case MEDIA_DTLS:
		return MEDIA_LEG_DTLS;
	case MEDIA_SDES:
		return MEDIA_LEG_SDES;
	case MEDIA_SDES_OR_RTP:
		return MEDIA_LEG_SDES_OR_RTP;
	case MEDIA_RTP:
		break;
	}
	return MEDIA_LEG_RTP;
}

enum media_latching decision_latching(enum latching latching)
{
	static const enum media_latching words[] = { [LATCHING_SIGNALLED] =
							     MEDIA_LATCHING_SIGNALLED,
						     [LATCHING_OFF] = MEDIA_LATCHING_OFF,
						     [LATCHING_ANY] = MEDIA_LATCHING_ANY };

	return words[latching];
}

bool decision_keys_fine(enum media_kind media, bool keys_in_clear, enum sip_transport transport)
{
	return (media != MEDIA_SDES && media != MEDIA_SDES_OR_RTP) || keys_in_clear ||
	       transport == SIP_TRANSPORT_TLS;
}

bool decision_wants_privacy(const struct sip_headers *headers)
{
	struct privacy privacy = privacy_read(headers);

	return privacy_hides(&privacy);
}

/* As it was added, if the configuration in force has what it names. */
static bool find_added(const struct decision *decision, const char *number,
		       struct config_registration *ret_registration)
{
	const struct service_room *room = decision->room;
	const struct config *config = decision->config;
	struct service_number added;
	size_t service = 0, tenant = 0;

	if (!room->find_added || !room->find_added(number, &added, room->arg))
		return false;
	while (service < config->service_count &&
	       strcmp(config->services[service].name, added.service) != 0)
		service++;
	while (tenant < config_tenants(config) &&
	       strcmp(config_tenant_name(config, tenant), added.tenant) != 0)
		tenant++;
	if (service == config->service_count || tenant == config_tenants(config))
		return false;
	*ret_registration =
		(struct config_registration){ .number = e164_pack(number) & E164_PACKED_MAX,
					      .route_type = added.route_type & 0xfu,
					      .tenant = tenant & 0xfu,
					      .service = service & CONFIG_SERVICE_MAX };
	return true;
}

static bool find_consented(const struct decision *decision, const char *number,
			   struct config_registration *ret_registration)
{
	const struct config_consents *consents = decision->config->consents;
	const struct service_room *room = decision->room;

	if (!consents || !room->is_consented || !room->is_consented(number, room->arg))
		return false;
	*ret_registration =
		(struct config_registration){ .number = e164_pack(number) & E164_PACKED_MAX,
					      .route_type = (unsigned)consents->route_type & 0xfu,
					      .tenant = consents->tenant & 0xfu,
					      .service = consents->service & CONFIG_SERVICE_MAX,
					      .line = consents->line };
	return true;
}

const struct config_registration *decision_registration(struct decision *decision)
{
	const char *number = decision->class.subscriber;
	const struct config_registration *configured = config_find_number(decision->config, number);

	if (configured)
		return configured;
	if (!find_added(decision, number, &decision->apart) &&
	    !find_consented(decision, number, &decision->apart))
		return NULL;
	return &decision->apart;
}

void decision_find_tenant(struct decision *decision)
{
	const struct config *config = decision->config;
	const struct config_registration *registration;
	int sender;

	if (!config->tenant_count)
		return;
	registration = decision_registration(decision);
	sender = core_of(decision);
	if (!decision->class.prefix_found && registration)
		decision->class.tenant = registration->tenant;
	else if (!decision->class.prefix_found && sender > 0)
		decision->class.tenant = (unsigned)sender;
	decision->plan->tenant =
		decision_text(decision, strdup(config_tenant_name(config, decision->class.tenant)));
}

const struct config_trunk *decision_trunk(const struct decision *decision)
{
	size_t trunk;

	return trunks_place(decision->room, decision->info->peer, &trunk)
		       ? &decision->config->trunks[trunk]
		       : NULL;
}

bool decision_device(const struct decision *decision, size_t *ret_device)
{
	return device_place(decision->room->devices, decision->info->peer, ret_device) &&
	       *ret_device < decision->config->device_count;
}

const char *decision_sender(const struct decision *decision)
{
	const struct config_trunk *trunk = decision_trunk(decision);
	size_t device;

	if (decision_device(decision, &device))
		return decision->config->devices[device].name;
	return trunk ? trunk->name : "core";
}

void decision_trace(const struct decision *decision, const struct service_thought *thought)
{
	if (decision->trace)
		decision->trace(thought, decision->trace_arg);
}

void decision_note(const struct decision *decision, const char *format, ...)
{
	char note[256];
	va_list args;

	if (!decision->trace)
		return;
	va_start(args, format);
	vsnprintf(note, sizeof(note), format, args);
	va_end(args);
	decision_trace(decision, &(struct service_thought){ .note = note });
}

/* What was decided and from what, as members of the call record: enough to
 * decide it again under other rules. */
static void add_rules(const struct decision *decision, struct str *json)
{
	str_add(json, ",\"rules\":[");
	for (size_t i = 0; i < decision->tried_count && i < DECISION_TRIED_MAX; i++)
		str_addf(json, "%s\"%s\"", i ? "," : "", match_word(decision->tried[i]));
	str_add(json, decision->tried_count > DECISION_TRIED_MAX ? ",\"...\"]" : "]");
}

static void add_steps(const struct decision *decision, struct str *json)
{
	const struct call_plan *plan = decision->plan;

	str_add(json, ",\"plan\":[");
	for (size_t i = 0; i < plan->step_count && i < RECORD_STEPS_MAX; i++) {
		str_add(json, i ? "," : "");
		str_add_json(json, plan->steps[i].label);
	}
	str_add(json, plan->step_count > RECORD_STEPS_MAX ? ",\"...\"]" : "]");
}

/* Those that some rule may look at; null for one that is not there. */
static void add_headers(const struct decision *decision, struct str *json)
{
	const struct config *config = decision->config;

	str_addf(json, ",\"privacy\":%s,\"headers\":{",
		 decision_wants_privacy(decision->info->headers) ? "true" : "false");
	for (size_t i = 0; i < config->watched_header_count && i < RECORD_HEADERS_MAX; i++) {
		const char *name = config->watched_headers[i];
		const char *value = sip_headers_find(decision->info->headers, name);
		char cut[RECORD_VALUE_ROOM];

		str_add(json, i ? "," : "");
		str_add_json(json, name);
		str_add(json, ":");
		if (value)
			snprintf(cut, sizeof(cut), "%s", value);
		if (value)
			str_add_json(json, cut);
		else
			str_add(json, "null");
	}
	str_add(json, "}");
}

static void write_record(struct decision *decision)
{
	struct str json = { 0 };

	str_addf(&json, ",\"config\":\"%s\",\"sender\":", decision->config->version);
	str_add_json(&json, decision_sender(decision));
	str_add(&json, ",\"caller\":");
	str_add_json(&json, decision->caller);
	str_add(&json, ",\"called\":");
	str_add_json(&json, decision->called);
	str_addf(&json, ",\"load\":%u", decision->load);
	if (decision->presented[0])
		str_addf(&json, ",\"presented\":\"%s\"", decision->presented);
	add_rules(decision, &json);
	add_steps(decision, &json);
	add_headers(decision, &json);
	snprintf(decision->plan->called, sizeof(decision->plan->called), "%s", decision->called);
	decision->plan->record = decision_text(decision, str_take(&json));
}

struct call_plan *decision_finish(struct decision *decision)
{
	if (!decision->failed)
		core_spread(decision);
	if (!decision->failed) {
		near_tell(decision);
		write_record(decision);
	}
	if (decision->failed)
		return call_plan_free(decision->plan);
	return decision->plan;
}
