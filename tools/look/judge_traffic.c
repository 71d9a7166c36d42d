/* SPDX-License-Identifier: Apache-2.0 */
/* judge_traffic.c - ways in and out, calls, and what becomes of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/look/finding.h"

/* As the daemon's log: it says for the first time that a certificate ends. */
#define EXPIRY_DAYS 30
#define RENEW_BY    7 /* days; as `breakoutctl cert` */

#define PORTS_LOW   10 /* percent of the range that is free */
#define PORTS_OUT   2
#define LOAD_HIGH   80 /* percent of limits.calls */
#define BEHIND      (1 << 20)
#define DEAF_SAMPLE 4 /* calls that are enough to say "most" */

static const char *setting_text(const json_t *settings, const char *name)
{
	for (size_t i = 0; i < json_array_size(settings); i++) {
		const json_t *entry = json_array_get(settings, i);

		if (strcmp(look_text(entry, "name"), name) == 0)
			return look_text(entry, "value");
	}
	return "";
}

#define SBC_LINES "journalctl -u breakout | grep -e 'no connection' -e 'next hop'"

/* One that another is named for already. */
static bool shares_sbc(const json_t *tenants, size_t index)
{
	const char *uri = look_text(json_array_get(tenants, index), "sbc");

	for (size_t i = 0; *uri && i < index; i++)
		if (strcmp(look_text(json_array_get(tenants, i), "sbc"), uri) == 0)
			return true;
	return false;
}

bool judge_sbc(const struct look *look, struct finding *finding)
{
	const json_t *ok = json_object_get(look->status, "sbc_ok");
	const json_t *tenants = json_object_get(look->status, "tenants");

	if (!ok)
		return false;
	if (json_is_false(ok))
		finding_say(finding, LOOK_CRITICAL, SBC_LINES,
			    "the core's SBC does not answer OPTIONS: calls do not get back");
	for (size_t i = 1; i < json_array_size(tenants); i++) {
		const json_t *tenant = json_array_get(tenants, i);

		if (json_is_false(json_object_get(tenant, "sbc_ok")) && !shares_sbc(tenants, i))
			finding_say(finding, LOOK_CRITICAL, SBC_LINES,
				    "the SBC of tenant %s does not answer OPTIONS: its calls do "
				    "not get back",
				    look_text(tenant, "name"));
	}
	finding_say(finding, LOOK_OK, "", json_is_null(ok) ? "not asked" : "answers OPTIONS");
	return true;
}

/* Lines of one trunk follow each other. */
static size_t count_trunk(const json_t *lines, size_t from, size_t *ret_down)
{
	const char *name = look_text(json_array_get(lines, from), "trunk");
	size_t count = 0;

	for (*ret_down = 0; from + count < json_array_size(lines); count++) {
		const json_t *line = json_array_get(lines, from + count);

		if (strcmp(look_text(line, "trunk"), name) != 0)
			break;
		*ret_down += strcmp(look_text(line, "state"), "down") == 0;
	}
	return count;
}

static void judge_line(const json_t *line, bool last, struct finding *finding)
{
	long long status = look_number(line, "last_status");
	const char *why = look_text(line, "last_failure");
	char since[32], answer[32] = "no answer";

	if (strcmp(look_text(line, "state"), "down") != 0)
		return;
	look_span(look_number(line, "since_s"), since, sizeof(since));
	if (status)
		(void)snprintf(answer, sizeof(answer), "%lld", status);
	finding_say(finding, last ? LOOK_CRITICAL : LOOK_WARNING, "breakoutctl trunks",
		    "%s: %s is down for %s (%s)%s", look_text(line, "trunk"),
		    look_text(line, "address"), since, *why ? why : answer,
		    last ? ": no way to this trunk is left" : "");
}

bool judge_trunks(const struct look *look, struct finding *finding)
{
	size_t all = json_array_size(look->trunks), count, down;

	if (!all)
		return false;
	for (size_t i = 0; i < all; i += count) {
		count = count_trunk(look->trunks, i, &down);
		for (size_t k = 0; k < count; k++)
			judge_line(json_array_get(look->trunks, i + k), down == count, finding);
	}
	finding_say(finding, LOOK_OK, "", "none of %zu addresses is down", all);
	return true;
}

static void judge_certificate(const json_t *entry, long long *soonest, struct finding *finding)
{
	const json_t *live = json_object_get(entry, "live");
	long long days = look_number(live, "days_left");
	const char *key = look_text(entry, "key"), *error = look_text(entry, "disk_error");
	const char *next = "breakoutctl cert";

	if (!json_is_object(live)) {
		finding_say(finding, LOOK_CRITICAL, next, "%s: none is in force", key);
		return;
	}
	if (*soonest < 0 || days < *soonest)
		*soonest = days < 0 ? 0 : days;
	if (days < 0)
		finding_say(finding, LOOK_CRITICAL, next, "%s has expired", key);
	else if (days < EXPIRY_DAYS)
		finding_say(finding, days < RENEW_BY ? LOOK_CRITICAL : LOOK_WARNING, next,
			    "%s expires in %lld days", key, days);
	if (!look_true(live, "for_domain"))
		finding_say(finding, LOOK_CRITICAL, next, "%s is not for our domain", key);
	if (*error)
		finding_say(finding, LOOK_WARNING, next, "%s on disk: %s", key, error);
	else if (!look_true(entry, "same"))
		finding_say(finding, LOOK_WARNING, next, "%s on disk is not the one in force", key);
}

bool judge_certificates(const struct look *look, struct finding *finding)
{
	size_t count = json_array_size(look->certificates);
	long long soonest = -1; /* days */

	if (!count)
		return false;
	for (size_t i = 0; i < count; i++)
		judge_certificate(json_array_get(look->certificates, i), &soonest, finding);
	finding_say(finding, LOOK_OK, "", "%zu, the first ends in %lld days", count, soonest);
	return true;
}

bool judge_ports(const struct look *look, struct finding *finding)
{
	long long all = look_metric(look->metrics, "breakout_media_ports", "");
	long long left = look_metric(look->metrics, "breakout_media_ports", "state=\"free\"");

	if (!all)
		return false;
	if (left * 100 < all * PORTS_LOW)
		finding_say(finding, left * 100 < all * PORTS_OUT ? LOOK_CRITICAL : LOOK_WARNING,
			    "breakoutctl config media.ports", "%lld of %lld are left", left, all);
	finding_say(finding, LOOK_OK, "", "%lld of %lld free", left, all);
	return true;
}

/* Without a server calls go on with what candidates there are, unless nothing but relays
 * may be told. */
bool judge_relays(const struct look *look, struct finding *finding)
{
	static const struct {
		const char *labels, *what;
	} states[] = { { "state=\"refuses\"", "refuse us" },
		       { "state=\"silent\"", "do not answer" },
		       { "state=\"nameless\"", "have no address" } };
	static const char name[] = "breakout_ice_servers";
	long long all = look_metric(look->metrics, name, "");
	long long serving = look_metric(look->metrics, name, "state=\"serves\"");
	bool needed = strcmp(setting_text(look->settings, "media.ice_policy"), "relay") == 0;

	if (!all)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		long long count = look_metric(look->metrics, name, states[i].labels);

		if (count)
			finding_say(finding, needed && !serving ? LOOK_CRITICAL : LOOK_WARNING,
				    "journalctl -u breakout | grep 'ice server'",
				    "%lld of %lld STUN and TURN servers %s", count, all,
				    states[i].what);
	}
	finding_say(finding, LOOK_OK, "", "%lld of %lld serve us", serving, all);
	return true;
}

/* Of calls that are up: how many are not heard, and which one to look at. */
static unsigned count_deaf(const json_t *calls, const char **ret_id)
{
	unsigned deaf = 0;

	for (size_t i = 0; i < json_array_size(calls); i++) {
		const json_t *call = json_array_get(calls, i);
		const char *verdict = look_text(call, "verdict");

		if (strcmp(verdict, "one-way") != 0 && strcmp(verdict, "no media") != 0)
			continue;
		deaf++;
		*ret_id = look_text(call, "id");
	}
	return deaf;
}

bool judge_calls(const struct look *look, struct finding *finding)
{
	const struct look_past *past = &look->past;
	const char *id = "";
	unsigned deaf = count_deaf(look->calls, &id);
	size_t up = json_array_size(look->calls);
	char next[80];

	if (!look->calls)
		return false;
	if (deaf) {
		(void)snprintf(next, sizeof(next), "breakoutctl trace %s", id);
		finding_say(finding,
			    up >= DEAF_SAMPLE && deaf * 2 > up ? LOOK_CRITICAL : LOOK_WARNING, next,
			    "%u of %zu up are one-way or without media", deaf, up);
	}
	if (past->deaf) {
		(void)snprintf(next, sizeof(next), "breakoutctl trace %s", past->id);
		finding_say(finding,
			    past->answered >= DEAF_SAMPLE && past->deaf * 2 > past->answered
				    ? LOOK_CRITICAL
				    : LOOK_WARNING,
			    next,
			    "%u of %u answered ones that ended in the last %u minutes were one-way "
			    "or without media",
			    past->deaf, past->answered, past->minutes);
	}
	if (past->known)
		finding_say(finding, LOOK_OK, "",
			    "%zu up; %u answered ones ended in the last %u minutes; all were heard",
			    up, past->answered, past->minutes);
	else
		finding_say(finding, LOOK_OK, "", "%zu up, none of them deaf", up);
	return true;
}

bool judge_records(const struct look *look, struct finding *finding)
{
	long long lost = look_metric(look->metrics, "breakout_cdr_lost_total", "");
	long long broken = look_metric(look->metrics, "breakout_records_broken_total", "");
	static const char *const readers[] = { "database", "webhook" };
	const char *file = look_text(look->status, "cdr");

	if (!look->status || !look->metrics)
		return false;
	if (lost)
		finding_say(finding, LOOK_CRITICAL, "journalctl -u breakout | grep 'cdr file'",
			    "%lld were lost since the start", lost);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		char label[32];
		long long behind;

		(void)snprintf(label, sizeof(label), "to=\"%s\"", readers[i]);
		behind = look_metric(look->metrics, "breakout_records_behind_bytes", label);
		if (behind > BEHIND)
			finding_say(finding, LOOK_WARNING,
				    "journalctl -u breakout | grep 'error records'",
				    "the %s is %lld KiB behind", readers[i], behind / 1024);
	}
	if (broken)
		finding_say(finding, LOOK_WARNING, "journalctl -u breakout | grep 'error records'",
			    "%lld lines of the file are no records", broken);
	finding_say(finding, LOOK_OK, "", *file ? "written to %s" : "none are kept%s", file);
	return true;
}

/* What the daemon does about having too much to do. */
static void judge_overload(const json_t *load, struct finding *finding)
{
	const char *level = look_text(load, "level");

	if (!*level || strcmp(level, "normal") == 0)
		return;
	finding_say(
		finding, strcmp(level, "shedding") == 0 ? LOOK_CRITICAL : LOOK_WARNING,
		"breakoutctl top",
		"overload is %s: %lld %% of new calls are admitted, SIP thread %lld %%, busiest "
		"media thread %lld %%",
		level, look_number(load, "admitted_percent"), look_number(load, "sip_percent"),
		look_number(load, "media_percent"));
}

bool judge_load(const struct look *look, struct finding *finding)
{
	long long most = strtoll(setting_text(look->settings, "limits.calls"), NULL, 10);
	long long calls = look_number(look->status, "calls");
	long long past_us =
		look_metric(look->metrics, "breakout_calls_bypassed_total", "why=\"overload\"");

	if (!look->status || !most)
		return false;
	judge_overload(json_object_get(look->status, "load"), finding);
	if (calls * 100 >= most * LOAD_HIGH)
		finding_say(finding, calls >= most ? LOOK_CRITICAL : LOOK_WARNING,
			    "breakoutctl top", "%lld of %lld calls (limits.calls)%s", calls, most,
			    calls >= most ? ": new ones get 503" : "");
	if (past_us)
		finding_say(
			finding, LOOK_OK, "",
			"%lld of %lld calls; %lld loops went on without their audio in overload",
			calls, most, past_us);
	else
		finding_say(finding, LOOK_OK, "", "%lld of %lld calls", calls, most);
	return true;
}
