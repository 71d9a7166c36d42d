/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/trouble.h"

#include <string.h>
#include "base/e164.h"

#define LINES     20 /* about single numbers, in */
#define PERIOD_MS 10000

static const char *mend(const char *text)
{
	static const struct {
		const char *sign, *advice;
	} advices[] = {
		{ "certificate verify failed", "check core.api.ca_file" },
		{ "is not in peer certificate", "check core.api.target and core.api.server_name" },
		{ "DNS resolution", "check core.api.target" },
		{ "Connection refused", "nothing listens there: check core.api.target" },
		{ "WRONG_VERSION_NUMBER", "no TLS there: check core.api.target and plaintext" },
		{ "wrong version number", "no TLS there: check core.api.target and plaintext" },
		{ "UNIMPLEMENTED", "that is not the core's API: check core.api.target" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
		if (strstr(text, advices[i].sign))
			return advices[i].advice;
	return "it is asked again";
}

void trouble_gate(struct trouble *trouble, enum refresh_news news, bool down,
		  const struct upsert_answer *answer, mono_ms now)
{
	switch (news) {
	case REFRESH_WENT_DOWN:
		trouble->down_since = now;
		trouble->down_failures = 0;
		log_error("registrar", "the core's API does not work (%s): %s", answer->text,
			  mend(answer->text));
		break;
	case REFRESH_CAME_UP:
		log_notice("registrar",
			   "the core's API works again after %lld s and %llu failed requests",
			   (long long)(now - trouble->down_since) / 1000, trouble->down_failures);
		break;
	case REFRESH_NO_NEWS:
		break;
	}
	if (down)
		trouble->down_failures++;
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

static bool say_refused(struct trouble *trouble, const struct reg *reg, const char *number,
			const struct upsert_answer *answer, mono_ms now)
{
	unsigned suppressed;

	if (!log_limit_pass(&trouble->refused, LINES, PERIOD_MS, &suppressed))
		return false;
	log_error("registrar",
		  "reg=%s refused by the core (%s), next_s=%lld: check that the "
		  "number is yours and its route type allowed; others_unsaid=%u",
		  number, answer->text, seconds_until(reg, now), suppressed);
	return true;
}

static bool say_failed(struct trouble *trouble, const struct reg *reg, const char *number,
		       const struct upsert_answer *answer, mono_ms now)
{
	unsigned suppressed;

	if (!log_limit_pass(&trouble->failed, LINES, PERIOD_MS, &suppressed))
		return false;
	log_notice("registrar", "reg=%s failed why=\"%s\" next_s=%lld others_unsaid=%u", number,
		   answer->text, seconds_until(reg, now), suppressed);
	return true;
}

void trouble_reg(struct trouble *trouble, struct reg *reg, bool was_refused,
		 const struct upsert_answer *answer, bool down, mono_ms now)
{
	char number[E164_ROOM];

	mask(reg, number);
	switch (answer->verdict) {
	case UPSERT_OK:
		if (reg->said)
			log_notice("registrar", "reg=%s accepted by the core", number);
		reg->said = 0;
		break;
	case UPSERT_REFUSED:
	case UPSERT_UNAUTHENTICATED:
		if (!was_refused || !reg->said)
			reg->said = say_refused(trouble, reg, number, answer, now);
		break;
	case UPSERT_FAILED:
	case UPSERT_EXHAUSTED:
		if (!down && !reg->said) /* down: it is not this number's trouble */
			reg->said = say_failed(trouble, reg, number, answer, now);
		break;
	}
}

void trouble_token_missing(struct trouble *trouble, const char *error, unsigned retry_ms,
			   bool have_another)
{
	if (trouble->token_missing)
		return;
	trouble->token_missing = true;
	log_error("registrar", "no %stoken: %s (next_s=%u; %s)", have_another ? "new " : "", error,
		  (retry_ms + 999) / 1000,
		  have_another ? "the one in hand still serves" : "registrations wait for it");
}

void trouble_token_came(struct trouble *trouble)
{
	if (trouble->token_missing)
		log_notice("registrar", "a token came");
	trouble->token_missing = false;
}

void trouble_token_refused(struct trouble *trouble, const char *why)
{
	if (trouble->token_refused)
		return;
	trouble->token_refused = true;
	log_error("registrar",
		  "the core does not take the token (%s): another is fetched; if this stays, check "
		  "that core.api.target and core.api.token_url belong together",
		  why);
}

void trouble_token_accepted(struct trouble *trouble)
{
	if (trouble->token_refused)
		log_notice("registrar", "the core takes the new token");
	trouble->token_refused = false;
}

void trouble_log_change(const struct reg *reg, uint8_t before, mono_ms now)
{
	char number[E164_ROOM];

	mask(reg, number);
	log_debug("registrar", "reg=%s %s -> %s next_s=%lld why=%s", number,
		  reg_state_name((enum reg_state)before),
		  reg_state_name((enum reg_state)reg->state), seconds_until(reg, now),
		  reg->error ? reg->error : "");
}
