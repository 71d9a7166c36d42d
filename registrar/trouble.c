/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/trouble.h"

#include <stdio.h>
#include <string.h>
#include "base/e164.h"
#include "base/str.h"

#define LINES     20 /* about single numbers, in */
#define PERIOD_MS 10000

/* The tenant's part of the configuration. */
static void add_section(const struct trouble *trouble, struct str *to)
{
	if (!trouble->tenant || !strcmp(trouble->tenant, CONFIG_TENANT_DEFAULT))
		str_add(to, "core.api");
	else
		str_addf(to, "tenants.%s.api", trouble->tenant);
}

/* What to look at. */
static void add_advice(const struct trouble *trouble, const char *text, struct str *to)
{
	static const struct {
		const char *sign, *why, *key, *other_key;
	} advices[] = {
		{ "certificate verify failed", "", "ca_file", NULL },
		{ "is not in peer certificate", "", "target", "server_name" },
		{ "DNS resolution", "", "target", NULL },
		{ "Connection refused", "nothing listens there: ", "target", NULL },
		{ "WRONG_VERSION_NUMBER", "no TLS there: ", "target", "plaintext" },
		{ "wrong version number", "no TLS there: ", "target", "plaintext" },
		{ "UNIMPLEMENTED", "that is not the core's API: ", "target", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		if (!strstr(text, advices[i].sign))
			continue;
		str_addf(to, "%scheck ", advices[i].why);
		add_section(trouble, to);
		str_addf(to, ".%s", advices[i].key);
		if (advices[i].other_key)
			str_addf(to, " and %s", advices[i].other_key);
		return;
	}
	str_add(to, "it is asked again");
}

/* "tenant=acme ", for the beginning of a line. */
static const char *whose(const struct trouble *trouble, char room[static 64])
{
	room[0] = '\0';
	if (trouble->tenant)
		snprintf(room, 64, "tenant=%.48s ", trouble->tenant);
	return room;
}

void trouble_gate(struct trouble *trouble, enum refresh_news news, bool down,
		  const struct upsert_answer *answer, mono_ms now)
{
	struct str advice = { 0 };
	char tenant[64];

	switch (news) {
	case REFRESH_WENT_DOWN:
		trouble->down_since = now;
		trouble->down_failures = 0;
		add_advice(trouble, answer->text, &advice);
		log_error("registrar", "%sthe core's API does not work (%s): %s",
			  whose(trouble, tenant), answer->text, advice.text ? advice.text : "");
		str_done(&advice);
		break;
	case REFRESH_CAME_UP:
		log_notice("registrar",
			   "%sthe core's API works again after %lld s and %llu failed requests",
			   whose(trouble, tenant), (long long)(now - trouble->down_since) / 1000,
			   trouble->down_failures);
		break;
	case REFRESH_NO_NEWS:
		break;
	}
	if (down)
		trouble->down_failures++;
}

void trouble_lapsed(struct trouble *trouble, size_t count, mono_ms since)
{
	char tenant[64];

	if (count && !trouble->lapsed)
		log_error("registrar",
			  "%s%zu registrations have lapsed, the first %lld s ago: calls of their "
			  "numbers go past us until they are registered again",
			  whose(trouble, tenant), count, (long long)since / 1000);
	if (!count && trouble->lapsed)
		log_notice("registrar",
			   "%sno registration is lapsed any more: up to %zu were, for %lld s at "
			   "most or little longer",
			   whose(trouble, tenant), trouble->lapsed,
			   (long long)trouble->lapsed_for / 1000);
	if (!count || count > trouble->lapsed)
		trouble->lapsed = count;
	if (!count)
		trouble->lapsed_for = 0;
	else if (since > trouble->lapsed_for)
		trouble->lapsed_for = since;
}

static long long seconds_until(const struct reg *reg, mono_ms now)
{
	return (long long)(reg->due_ms - now + 999) / 1000;
}

static void mask(const struct reg *reg, char ret_masked[E164_ROOM])
{
	char number[E164_ROOM];

	e164_unpack(reg->number, number);
	e164_mask(number, ret_masked, E164_ROOM);
}

static bool say_refused(struct trouble *trouble, const struct reg *reg,
			const struct upsert_answer *answer, mono_ms now)
{
	char number[E164_ROOM];
	unsigned suppressed;

	if (!log_limit_pass(&trouble->refused, LINES, PERIOD_MS, &suppressed))
		return false;
	mask(reg, number);
	log_error("registrar",
		  "reg=%s refused by the core (%s), next_s=%lld: check that the "
		  "number is yours and its route type allowed; others_unsaid=%u",
		  number, answer->text, seconds_until(reg, now), suppressed);
	return true;
}

static bool say_failed(struct trouble *trouble, const struct reg *reg,
		       const struct upsert_answer *answer, mono_ms now)
{
	char number[E164_ROOM];
	unsigned suppressed;

	if (!log_limit_pass(&trouble->failed, LINES, PERIOD_MS, &suppressed))
		return false;
	mask(reg, number);
	log_notice("registrar", "reg=%s failed why=\"%s\" next_s=%lld others_unsaid=%u", number,
		   answer->text, seconds_until(reg, now), suppressed);
	return true;
}

static void say_accepted(struct reg *reg)
{
	char number[E164_ROOM];

	if (reg->said) {
		mask(reg, number);
		log_notice("registrar", "reg=%s accepted by the core", number);
	}
	reg->said = 0;
}

void trouble_reg(struct trouble *trouble, struct reg *reg, bool was_refused,
		 const struct upsert_answer *answer, bool down, mono_ms now)
{
	switch (answer->verdict) {
	case UPSERT_OK:
		say_accepted(reg);
		break;
	case UPSERT_REFUSED:
	case UPSERT_UNAUTHENTICATED:
		if (!was_refused || !reg->said)
			reg->said = say_refused(trouble, reg, answer, now);
		break;
	case UPSERT_FAILED:
	case UPSERT_EXHAUSTED:
		if (!down && !reg->said) /* down: it is not this number's trouble */
			reg->said = say_failed(trouble, reg, answer, now);
		break;
	}
}

void trouble_token_missing(struct trouble *trouble, const char *error, unsigned retry_ms,
			   bool have_another)
{
	char tenant[64];

	if (trouble->token_missing)
		return;
	trouble->token_missing = true;
	log_error("registrar", "%sno %stoken: %s (next_s=%u; %s)", whose(trouble, tenant),
		  have_another ? "new " : "", error, (retry_ms + 999) / 1000,
		  have_another ? "the one in hand still serves" : "registrations wait for it");
}

void trouble_token_came(struct trouble *trouble)
{
	char tenant[64];

	if (trouble->token_missing)
		log_notice("registrar", "%sa token came", whose(trouble, tenant));
	trouble->token_missing = false;
}

void trouble_token_refused(struct trouble *trouble, const char *why)
{
	struct str section = { 0 };
	char tenant[64];

	if (trouble->token_refused)
		return;
	trouble->token_refused = true;
	add_section(trouble, &section);
	log_error("registrar",
		  "%sthe core does not take the token (%s): another is fetched; if this stays, "
		  "check that target and token_url of %s belong together",
		  whose(trouble, tenant), why, section.text ? section.text : "");
	str_done(&section);
}

void trouble_token_accepted(struct trouble *trouble)
{
	char tenant[64];

	if (trouble->token_refused)
		log_notice("registrar", "%sthe core takes the new token", whose(trouble, tenant));
	trouble->token_refused = false;
}

void trouble_log_change(const struct reg *reg, uint8_t before, const char *fault, mono_ms now)
{
	char number[E164_ROOM];

	mask(reg, number);
	log_debug("registrar", "reg=%s %s -> %s next_s=%lld why=%s", number,
		  reg_state_name((enum reg_state)before),
		  reg_state_name((enum reg_state)reg->state), seconds_until(reg, now),
		  fault ? fault : "");
}
