/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - leg 3: the call goes back to the core as it came, but for the
 * prefix the core itself put in.
 *
 * The core finds leg 2 again by Session-ID; it and every other header that is
 * not of one hop or one dialog cross byte for byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/e164.h"
#include "base/str.h"
#include "tas/service/decision.h"
#include "tas/service/identity.h"
#include "tas/service/uri.h"
#include "tas/sip/address.h"

/* The dialled user without prefix, its parameters kept ("+47...;npdi"). */
static char *dialled_user(const struct decision *decision)
{
	const char *parameters = strchr(decision->info->request_user, ';');
	struct str user = { 0 };

	if (!decision->class.prefix_found)
		return strdup(decision->info->request_user);
	str_add(&user, decision->class.called);
	if (parameters)
		str_add(&user, parameters);
	return str_take(&user);
}

/* RFC 3261 section 19.1.1: where a request goes is the next hop's matter; what
 * it is for goes along (user, cause and target of RFC 4458, and unknown ones),
 * unless our own URI says it. */
static void add_params(struct str *text, const char *params, const char *own_uri)
{
	static const char *const of_hop[] = { "transport", "maddr", "ttl", "method", "lr", "ob" };
	const char *own = sip_address_uri_params(own_uri);
	char name[32], value[8];

	while (*params == ';') {
		size_t length = strcspn(params + 1, ";?") + 1;
		bool drop = false;

		(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(params + 1, "=;?"),
			       params + 1);
		for (size_t i = 0; i < ARRAY_SIZE(of_hop); i++)
			drop = drop || str_equal_nocase(name, of_hop[i]);
		if (!drop && !sip_address_param(own, name, value, sizeof(value)))
			str_add_n(text, params, length);
		params += length;
	}
}

static char *request_uri(struct decision *decision)
{
	const struct leg_info *info = decision->info;
	struct uri_view received, sbc;
	char *user, *uri;
	struct str text = { 0 };

	/* urn:service:sos (RFC 5031) and tel: name no host to replace. */
	if (!uri_split(info->request_uri, &received) || !uri_split(core_sbc(decision), &sbc))
		return strdup(info->request_uri);
	user = dialled_user(decision);
	if (!user)
		return NULL;
	uri = uri_with_user(&sbc, NULL, user);
	free(user);
	if (!uri || strchr(uri, '?'))
		return uri;
	str_add(&text, uri);
	add_params(&text, sip_address_uri_params(received.rest), uri);
	free(uri);
	return str_take(&text);
}

/* The prefix in a To URI's user, or NULL. One that begins with 0 is no part of
 * a number (E.164 numbers do not begin so) and may go wherever it shows;
 * another one only where the request URI has it too. */
static const char *prefix_in(const struct decision *decision, const char *user)
{
	const char *prefix = config_tenant_prefix(decision->config, decision->class.tenant,
						  decision->class.direction);

	if (!decision->class.prefix_found)
		return NULL;
	if (strcmp(user, decision->info->request_user) == 0)
		return prefix;
	if (prefix[0] == '0' && user[0] == '+' && str_starts(user + 1, prefix))
		return prefix;
	return NULL;
}

static char *to_uri(const struct decision *decision)
{
	const struct leg_info *info = decision->info;
	const char *user = info->to_user, *prefix = prefix_in(decision, user);
	struct uri_view view;
	struct str stripped = { 0 };
	char *text, *uri;

	if (!prefix || !uri_split(info->to_uri, &view))
		return strdup(info->to_uri);
	if (*user == '+')
		str_add(&stripped, "+");
	str_add(&stripped, user + (*user == '+') + strlen(prefix));
	text = str_take(&stripped);
	uri = text ? uri_with_user(&view, NULL, text) : NULL;
	free(text);
	return uri;
}

/* As it came, but for the trunk's part in it. */
static void copy_caller(struct decision *decision, struct call_step *step)
{
	const struct leg_info *info = decision->info;
	const struct config_trunk *trunk = decision_trunk(decision);

	if (trunk) { /* not everything it says is believed */
		identity_tell_core(decision, step, trunk);
		identity_allow_responses(step, trunk, false);
		return;
	}
	step->from_uri = decision_text(decision, strdup(info->from_uri));
	if (info->from_display[0])
		step->from_display = decision_text(decision, strdup(info->from_display));
	if (sip_headers_copy_transparent(&step->headers, info->headers) < 0)
		decision->failed = true;
}

/* Leg 3 to what the URIs say; `called` is whom they name. */
static void fill_leg3(struct decision *decision, struct call_step *step, const char *called)
{
	const struct leg_info *info = decision->info;

	step->next_hop = decision_text(decision, strdup(core_sbc(decision)));
	copy_caller(decision, step);
	if (!decision->plan->emergency && /* goes untouched */
	    hop_mark(&decision->room->hop_key, &step->headers, decision->class.direction, called) <
		    0)
		decision->failed = true;
	step->max_forwards = info->max_forwards > 1 ? info->max_forwards - 1 : 1;
	step->media = MEDIA_LEG_WEBRTC;
	step->to_core = !decision_trunk(decision);
}

enum call_bypass loop_bypass(const struct decision *decision)
{
	const struct service_room *room = decision->room;

	if (decision->recorded)
		return CALL_BYPASS_NOT;
	switch (decision->config->media.bypass) {
	case MEDIA_BYPASS_NEVER:
		break;
	case MEDIA_BYPASS_LOOPS:
		return CALL_BYPASS_LOOPS;
	case MEDIA_BYPASS_OVERLOAD:
		if (room->load_room && load_is_light(room->load_room))
			return CALL_BYPASS_OVERLOAD;
		break;
	}
	return CALL_BYPASS_NOT;
}

struct call_step *loop_add(struct decision *decision, enum call_bypass bypass, unsigned ring_s)
{
	struct call_step *step = decision_add_step(decision, CALL_STEP_DIAL, "loop");

	if (!step)
		return NULL;
	step->request_uri = decision_text(decision, request_uri(decision));
	step->to_uri = decision_text(decision, to_uri(decision));
	if (decision->info->to_display[0])
		step->to_display = decision_text(decision, strdup(decision->info->to_display));
	fill_leg3(decision, step, decision->class.called);
	step->bypass = bypass;
	if (bypass == CALL_BYPASS_LOOPS || bypass == CALL_BYPASS_OVERLOAD)
		decision_note(decision, "the loop goes without its audio: media.bypass");
	step->ring_ms = ring_s * 1000;
	step->loops = true;
	return step;
}

void loop_add_number(struct decision *decision, const char *number, unsigned ring_s)
{
	struct call_step *step;
	struct uri_view sbc;
	char masked[32];

	if (!uri_split(core_sbc(decision), &sbc))
		return; /* the config room has checked it */
	e164_mask(number, masked, sizeof(masked));
	step = decision_add_step(decision, CALL_STEP_DIAL, "number %s", masked);
	if (!step)
		return;
	step->request_uri = decision_text(decision, uri_with_user(&sbc, NULL, number));
	step->to_uri = decision_text(decision, uri_with_user(&sbc, NULL, number));
	fill_leg3(decision, step, number);
	step->ring_ms = ring_s * 1000;
}
