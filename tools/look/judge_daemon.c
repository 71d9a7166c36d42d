/* SPDX-License-Identifier: Apache-2.0 */
/* judge_daemon.c - the daemon, what it goes by, and what it holds at the core. */
#include <stdio.h>
#include <string.h>
#include "tools/look/finding.h"

/* Before the first expiry there has to be time to call somebody. */
#define HURRY_S 600

bool judge_daemon(const struct look *look, struct finding *finding)
{
	const json_t *status = look->status;
	char uptime[32];

	if (look->unreachable) {
		finding_say(finding, LOOK_CRITICAL, look->unreachable_do, "%s", look->unreachable);
		return true;
	}
	if (look_true(status, "draining"))
		finding_say(finding, LOOK_WARNING, "breakoutctl calls",
			    "drains: takes no more calls and ends with the last of %lld",
			    look_number(status, "calls"));
	if (strcmp(look_text(status, "version"), look->program) != 0)
		finding_say(finding, LOOK_WARNING, "systemctl restart breakout",
			    "runs version %s, breakoutctl is %s: it was not restarted after an "
			    "upgrade",
			    look_text(status, "version"), look->program);
	look_span(look_number(status, "uptime_s"), uptime, sizeof(uptime));
	finding_say(finding, LOOK_OK, "", "version %s, pid %lld, up %s",
		    look_text(status, "version"), look_number(status, "pid"), uptime);
	return true;
}

bool judge_config(const struct look *look, struct finding *finding)
{
	const struct look_config *config = &look->config;
	char check[128];

	if (!config->path)
		return false;
	(void)snprintf(check, sizeof(check), "breakoutctl check %s", config->path);
	if (config->unreadable)
		finding_say(finding, LOOK_WARNING, "sudo breakoutctl diagnose",
			    "%s cannot be read from here: %s", config->path, config->unreadable);
	else if (config->errors)
		finding_say(finding, look->unreachable ? LOOK_CRITICAL : LOOK_WARNING, check,
			    "on disk it is at fault, %s refuse it: %s",
			    look->unreachable ? "a start would" : "a reload would", config->error);
	if (config->changes)
		finding_say(finding, LOOK_WARNING, "breakoutctl reload",
			    "on disk differs from what is in force: %s%s (keys: %u)",
			    config->change, config->changes > 1 ? " ..." : "", config->changes);
	if (config->waiting)
		finding_say(finding, LOOK_WARNING, "breakoutctl config | grep 'next start'",
			    "keys that wait for a restart: %u", config->waiting);
	if (look->unreachable)
		finding_say(finding, LOOK_OK, "", "%s has no mistakes", config->path);
	else
		finding_say(finding, LOOK_OK, "", "%s in force, and the same on disk",
			    look_text(look->status, "config"));
	return true;
}

bool judge_health(const struct look *look, struct finding *finding)
{
	const json_t *health = json_object_get(look->status, "health");
	const json_t *checks = json_object_get(health, "checks");
	size_t well = 0;

	if (!health)
		return false;
	for (size_t i = 0; i < json_array_size(checks); i++) {
		const json_t *check = json_array_get(checks, i);
		const char *state = look_text(check, "state");
		bool sick = strcmp(state, "sick") == 0;
		char since[32];

		well += strcmp(state, "well") == 0;
		if (!sick && strcmp(state, "failing") != 0)
			continue;
		look_span(look_number(check, "since_s"), since, sizeof(since));
		finding_say(finding,
			    sick && strcmp(look_text(check, "does"), "report") != 0 ? LOOK_CRITICAL
										    : LOOK_WARNING,
			    "breakoutctl status", "%s is %s for %s: %s", look_text(check, "check"),
			    state, since, look_text(check, "why"));
	}
	if (look_number(health, "stranded_services"))
		finding_say(finding, LOOK_WARNING, "breakoutctl trunks",
			    "services whose trunks are all down: %lld",
			    look_number(health, "stranded_services"));
	finding_say(finding, LOOK_OK, "", "%zu checks are well", well);
	return true;
}

bool judge_gate(const struct look *look, struct finding *finding)
{
	const json_t *status = look->status, *health = json_object_get(status, "health");
	char since[32];

	if (!health)
		return false;
	if (look_number(status, "withheld")) {
		look_span(look_number(status, "withheld_s"), since, sizeof(since));
		finding_say(finding, LOOK_CRITICAL, "breakoutctl status",
			    "closed for %s: %lld registrations are withheld, calls go past us: %s",
			    since, look_number(status, "withheld"),
			    look_text(status, "withheld_why"));
	}
	finding_say(finding, LOOK_OK, "", "open, health.gate is %s", look_text(health, "gate"));
	return true;
}

/* Calls to them can be misread, wherever they come from. */
static void judge_prefixes(const json_t *status, struct finding *finding)
{
	const json_t *counts = json_object_get(status, "prefix_like");
	long long config = look_number(counts, "config"), api = look_number(counts, "api"),
		  consent = look_number(counts, "consent");

	if (config || api || consent)
		finding_say(finding, LOOK_WARNING, "breakoutctl config prefixes",
			    "%lld begin like a prefix (config %lld, api %lld, consent %lld): calls "
			    "to them without one go wrong; agree with the core on prefixes that "
			    "begin with 0",
			    config + api + consent, config, api, consent);
}

static long long all_of(const json_t *states)
{
	const char *state;
	json_t *count;
	long long all = 0;

	json_object_foreach((json_t *)states, state, count) /* the macro only reads */
		all += (long long)json_integer_value(count);
	return all;
}

bool judge_registrations(const struct look *look, struct finding *finding)
{
	const json_t *states = json_object_get(look->status, "registrations");
	long long all = all_of(states), active = look_number(states, "active");
	long long waiting = look_number(states, "backoff"),
		  refused = look_number(states, "refused");
	long long paused = look_number(look->status, "paused");
	long long first_s = look_number(look->status, "first_expiry_s");
	long long stranded = look_number(json_object_get(look->status, "sources"), "api_stranded");
	long long left_behind = look_number(look->status, "left_behind");
	long long margin_s = look_number(look->status, "margin_s");
	char expiry[32], margin[32];

	if (!states)
		return false;
	if (all > paused && !active && !look_number(look->status, "withheld"))
		finding_say(finding, LOOK_CRITICAL, "breakoutctl regs",
			    "none of %lld is active: the core sends no calls", all);
	if (paused)
		finding_say(finding, LOOK_WARNING, "breakoutctl regs pauses",
			    "%lld of %lld are paused: their calls go past us", paused, all);
	if (look_number(look->status, "lapsed")) {
		look_span(-first_s, expiry, sizeof(expiry));
		finding_say(finding, LOOK_CRITICAL, "breakoutctl regs",
			    "%lld of %lld have lapsed, the first %s ago: their calls go past us",
			    look_number(look->status, "lapsed"), all, expiry);
	}
	if (waiting && first_s < HURRY_S)
		finding_say(finding, LOOK_CRITICAL, "breakoutctl regs",
			    "%lld of %lld are not refreshed, the first lapses within ten minutes",
			    waiting, all);
	if (waiting)
		finding_say(finding, LOOK_WARNING, "breakoutctl regs",
			    "%lld of %lld failed and are tried again", waiting, all);
	if (stranded)
		finding_say(finding, LOOK_WARNING, "breakoutctl status",
			    "%lld that were added by the API are not registered: their service or "
			    "tenant is not configured, the log names it",
			    stranded);
	if (left_behind)
		finding_say(finding, LOOK_WARNING, "journalctl -u breakout | grep 'left to lapse'",
			    "%lld of tenants that are not configured are left to lapse; a start "
			    "with the tenant put back withdraws them",
			    left_behind);
	judge_prefixes(look->status, finding);
	if (refused)
		finding_say(finding, LOOK_WARNING, "breakoutctl regs | grep refused",
			    "%lld of %lld are refused by the core", refused, all);
	look_span(first_s, expiry, sizeof(expiry));
	look_span(margin_s, margin, sizeof(margin));
	if (!margin_s)
		finding_say(finding, LOOK_OK, "", "%lld of %lld active, first expiry in %s", active,
			    all, expiry);
	else
		finding_say(finding, LOOK_OK, "",
			    "%lld of %lld active, first expiry in %s; the core may %s%s", active,
			    all, expiry, margin_s < 0 ? "not be away at all" : "be away for ",
			    margin_s < 0 ? "" : margin);
	return true;
}

static bool asked(const json_t *tenant)
{
	const char *state;
	json_t *count;

	json_object_foreach(json_object_get(tenant, "registrations"), state,
			    count) if (json_integer_value(count)) return true;
	return false;
}

/* How long what is registered holds by itself. */
static void hold_text(const json_t *of, char *ret_text, size_t room)
{
	long long left = look_number(of, "first_expiry_s");
	char span[32];

	look_span(left < 0 ? -left : left, span, sizeof(span));
	if (left < 0)
		(void)snprintf(ret_text, room, "the first registration lapsed %s ago", span);
	else if (left)
		(void)snprintf(ret_text, room, "registrations hold for %s", span);
	else
		(void)snprintf(ret_text, room, "nothing is registered");
}

/* Each of several cores: those of others go on. */
static void judge_tenants(const json_t *tenants, struct finding *finding)
{
	size_t i, answering = 0;
	json_t *tenant;

	json_array_foreach(tenants, i, tenant)
	{
		long long left = look_number(tenant, "first_expiry_s");
		enum look_level level = left < HURRY_S ? LOOK_CRITICAL : LOOK_WARNING;
		const char *name = look_text(tenant, "name");
		char holds[80], next[160];

		if (look_true(tenant, "leaving"))
			finding_say(finding, LOOK_OK, "",
				    "tenant %s is not configured any more: what is registered "
				    "there is taken back",
				    name);
		if (!asked(tenant) || (look_true(tenant, "token_ok") &&
				       json_is_null(json_object_get(tenant, "api_up"))))
			continue;
		answering++;
		hold_text(tenant, holds, sizeof(holds));
		snprintf(next, sizeof(next), "journalctl -u breakout | grep 'tenant=%.40s '", name);
		if (!look_true(tenant, "token_ok"))
			finding_say(finding, level, next, "tenant %s: there is no token, %s", name,
				    holds);
		else if (!look_true(tenant, "api_up"))
			finding_say(finding, level, next,
				    "tenant %s: the core's API does not answer, %s", name, holds);
	}
	if (answering)
		finding_say(finding, LOOK_OK, "",
			    "those of %zu tenants answer, the tokens are taken", answering);
	else
		finding_say(finding, LOOK_OK, "", "nothing was asked since the start");
}

bool judge_api(const struct look *look, struct finding *finding)
{
	const json_t *status = look->status;
	enum look_level level =
		look_number(status, "first_expiry_s") < HURRY_S ? LOOK_CRITICAL : LOOK_WARNING;
	char holds[80];

	if (!json_object_get(status, "api_up"))
		return false;
	if (json_array_size(json_object_get(status, "tenants")) > 1) {
		judge_tenants(json_object_get(status, "tenants"), finding);
		return true;
	}
	hold_text(status, holds, sizeof(holds));
	if (!look_true(status, "token_ok"))
		finding_say(finding, level, "journalctl -u breakout | grep 'error registrar'",
			    "there is no token: %s", holds);
	if (json_is_null(json_object_get(status, "api_up"))) {
		finding_say(finding, LOOK_OK, "", "nothing was asked since the start");
		return true;
	}
	if (!look_true(status, "api_up"))
		finding_say(finding, level, "journalctl -u breakout | grep 'error registrar'",
			    "the core's API does not answer: %s", holds);
	finding_say(finding, LOOK_OK, "", "answers, the token is taken");
	return true;
}

bool judge_store(const struct look *look, struct finding *finding)
{
	if (!json_object_get(look->status, "store_ok"))
		return false;
	if (!look_true(look->status, "store_ok"))
		finding_say(finding, LOOK_WARNING, "journalctl -u breakout | grep -i store",
			    "cannot be written: a restart forgets what the core was told last");
	finding_say(finding, LOOK_OK, "", "takes what is written");
	return true;
}
