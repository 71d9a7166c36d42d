/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/service/match.h"

#include <stdio.h>
#include <string.h>
#include "base/str.h"

#define SHOWN_MAX  8  /* items of a list that an explanation names */
#define VALUES_MAX 16 /* headers of one name that are looked at */

enum verdict { NOT_ASKED, HOLDS, FAILS };

static enum verdict verdict(bool holds)
{
	return holds ? HOLDS : FAILS;
}

/* ---- numbers ---- */

static bool any_pattern(const struct config_pattern *patterns, size_t count, const char *number)
{
	for (size_t i = 0; i < count; i++)
		if (config_pattern_matches(&patterns[i], number))
			return true;
	return false;
}

static void say_pattern(const struct config_pattern *pattern, struct str *text)
{
	switch (pattern->kind) {
	case PATTERN_RANGE:
		str_add(text, pattern->from);
		if (pattern->to != pattern->from)
			str_addf(text, "-%s", pattern->to);
		break;
	case PATTERN_PREFIX:
		str_addf(text, "%s*", pattern->from);
		break;
	case PATTERN_LIST:
		str_addf(text, "%zu numbers of %s", pattern->list->count, pattern->list->path);
		break;
	case PATTERN_ANONYMOUS:
		str_add(text, "anonymous");
		break;
	}
}

/* ", " before every item but the first; false when the rest is only hinted at. */
static bool next_item(struct str *text, size_t i)
{
	str_add(text, i == 0 ? "" : i < SHOWN_MAX ? ", " : ", ...");
	return i < SHOWN_MAX;
}

static void say_patterns(const struct config_pattern *patterns, size_t count, struct str *text)
{
	for (size_t i = 0; i < count && next_item(text, i); i++)
		say_pattern(&patterns[i], text);
}

static enum verdict ask_caller(const struct decision *decision, const struct config_rule *rule)
{
	if (!rule->caller_count)
		return NOT_ASKED;
	for (size_t i = 0; i < rule->caller_count; i++)
		if (rule->callers[i].kind == PATTERN_ANONYMOUS && decision->anonymous)
			return HOLDS;
	return verdict(any_pattern(rule->callers, rule->caller_count, decision->caller));
}

static void say_caller(const struct decision *decision, const struct config_rule *rule,
		       struct str *is, struct str *wanted)
{
	str_add(is, decision->caller);
	if (decision->anonymous)
		str_add(is, decision->caller[0] ? ", anonymous" : "anonymous");
	say_patterns(rule->callers, rule->caller_count, wanted);
}

static enum verdict ask_called(const struct decision *decision, const struct config_rule *rule)
{
	if (!rule->called_count)
		return NOT_ASKED;
	return verdict(any_pattern(rule->called, rule->called_count, decision->called));
}

static void say_called(const struct decision *decision, const struct config_rule *rule,
		       struct str *is, struct str *wanted)
{
	str_add(is, decision->called);
	say_patterns(rule->called, rule->called_count, wanted);
}

static enum verdict ask_number(const struct decision *decision, const struct config_rule *rule)
{
	if (!rule->number_count)
		return NOT_ASKED;
	return verdict(any_pattern(rule->numbers, rule->number_count, decision->plan->number));
}

static void say_number(const struct decision *decision, const struct config_rule *rule,
		       struct str *is, struct str *wanted)
{
	str_add(is, decision->plan->number[0] ? decision->plan->number : "none registered");
	say_patterns(rule->numbers, rule->number_count, wanted);
}

/* ---- what kind of call ---- */

static enum verdict ask_direction(const struct decision *decision, const struct config_rule *rule)
{
	const unsigned all = DIRECTION_MO | DIRECTION_MT | DIRECTION_UNKNOWN;

	if (rule->directions == all)
		return NOT_ASKED;
	return verdict(rule->directions & (unsigned)decision->plan->direction);
}

static void say_direction(const struct decision *decision, const struct config_rule *rule,
			  struct str *is, struct str *wanted)
{
	size_t said = 0;

	str_add(is, call_direction_name(decision->plan->direction));
	for (unsigned bit = DIRECTION_MO; bit <= DIRECTION_UNKNOWN; bit <<= 1)
		if (rule->directions & bit && next_item(wanted, said++))
			str_add(wanted, call_direction_name((enum call_direction)bit));
}

static enum verdict ask_route_type(const struct decision *decision, const struct config_rule *rule)
{
	if (!rule->route_types)
		return NOT_ASKED;
	return verdict(rule->route_types & 1u << decision->plan->route_type);
}

static void say_route_type(const struct decision *decision, const struct config_rule *rule,
			   struct str *is, struct str *wanted)
{
	size_t said = 0;

	str_add(is, route_type_name(decision->plan->route_type));
	for (int type = ROUTE_TYPE_LOOP; type < ROUTE_TYPE_COUNT; type++)
		if (rule->route_types & 1u << type && next_item(wanted, said++))
			str_add(wanted, route_type_name((enum route_type)type));
}

static enum verdict ask_tenant(const struct decision *decision, const struct config_rule *rule)
{
	if (!rule->tenants)
		return NOT_ASKED;
	return verdict(rule->tenants & 1u << decision->class.tenant);
}

static void say_tenant(const struct decision *decision, const struct config_rule *rule,
		       struct str *is, struct str *wanted)
{
	size_t said = 0;

	str_add(is, config_tenant_name(decision->config, decision->class.tenant));
	for (unsigned i = 0; i < config_tenants(decision->config); i++)
		if (rule->tenants & 1u << i && next_item(wanted, said++))
			str_add(wanted, config_tenant_name(decision->config, i));
}

static enum verdict ask_trunk(const struct decision *decision, const struct config_rule *rule)
{
	const struct config_trunk *trunk = decision_trunk(decision);

	if (!rule->trunk_count)
		return NOT_ASKED;
	for (size_t i = 0; i < rule->trunk_count; i++)
		if (trunk == &decision->config->trunks[rule->trunks[i]])
			return HOLDS;
	return FAILS;
}

static void say_trunk(const struct decision *decision, const struct config_rule *rule,
		      struct str *is, struct str *wanted)
{
	str_add(is, decision_sender(decision));
	for (size_t i = 0; i < rule->trunk_count && next_item(wanted, i); i++)
		str_add(wanted, decision->config->trunks[rule->trunks[i]].name);
}

/* ---- headers ---- */

/* Calls for every value of a name, up to a bound; stops at the first true. */
static bool any_value(const struct decision *decision, const struct config_header *header,
		      bool (*visit)(const struct config_header *header, const char *value,
				    struct str *text),
		      struct str *text)
{
	const struct sip_headers *headers = decision->info->headers;
	const char *name = sip_header_full_name(header->name);
	size_t seen = 0;

	for (size_t i = 0; i < headers->count && seen < VALUES_MAX; i++) {
		if (!str_equal_nocase(headers->items[i].name, name))
			continue;
		seen++;
		if (visit(header, headers->items[i].value, text))
			return true;
	}
	return false;
}

static bool value_matches(const struct config_header *header, const char *value, struct str *unused)
{
	(void)unused;
	return config_header_matches(header, value);
}

static bool value_said(const struct config_header *header, const char *value, struct str *text)
{
	str_addf(text, "%s%s: %.200s", text->length ? ", " : "", header->name, value);
	return false;
}

static enum verdict ask_header(const struct decision *decision, const struct config_rule *rule)
{
	if (!rule->header_count)
		return NOT_ASKED;
	for (size_t i = 0; i < rule->header_count; i++)
		if (any_value(decision, &rule->headers[i], value_matches, NULL))
			return HOLDS;
	return FAILS;
}

static void say_header(const struct decision *decision, const struct config_rule *rule,
		       struct str *is, struct str *wanted)
{
	for (size_t i = 0; i < rule->header_count && next_item(wanted, i); i++) {
		const struct config_header *header = &rule->headers[i];

		(void)any_value(decision, header, value_said, is); /* never stops */
		str_addf(wanted, "%s: %s", header->name, header->matches ? header->matches : "*");
	}
	if (!is->length)
		str_add(is, "not there");
}

/* ---- when ---- */

static enum verdict ask_time(const struct decision *decision, const struct config_rule *rule)
{
	if (!rule->window_count)
		return NOT_ASKED;
	for (size_t i = 0; i < rule->window_count; i++) {
		struct config_local local;

		config_zone_local(rule->windows[i].zone, decision->now, &local);
		if (config_window_contains(&rule->windows[i], &local))
			return HOLDS;
	}
	return FAILS;
}

static void add_clock(const struct decision *decision, const struct config_zone *zone,
		      struct str *text)
{
	static const char *const days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
	struct config_local local;

	config_zone_local(zone, decision->now, &local);
	str_addf(text, "%s %04u-%02u-%02u %02u:%02u %s", days[local.weekday], local.year,
		 local.month, local.day, local.minute / 60, local.minute % 60,
		 config_zone_name(zone));
}

static void say_time(const struct decision *decision, const struct config_rule *rule,
		     struct str *is, struct str *wanted)
{
	const struct config_zone *last = NULL;

	for (size_t i = 0; i < rule->window_count && next_item(wanted, i); i++) {
		const struct config_zone *zone = rule->windows[i].zone;

		str_add(wanted, rule->windows[i].text);
		if (zone == last)
			continue;
		str_add(is, last ? ", " : "");
		add_clock(decision, zone, is);
		last = zone;
	}
}

static enum verdict ask_holiday(const struct decision *decision, const struct config_rule *rule)
{
	struct config_local local;

	if (rule->holiday == HOLIDAY_ANY)
		return NOT_ASKED;
	config_zone_local(decision->config->time_zone, decision->now, &local);
	return verdict(config_is_holiday(decision->config, &local) ==
		       (rule->holiday == HOLIDAY_ONLY));
}

static void say_holiday(const struct decision *decision, const struct config_rule *rule,
			struct str *is, struct str *wanted)
{
	add_clock(decision, decision->config->time_zone, is);
	str_add(wanted, rule->holiday == HOLIDAY_ONLY ? "a holiday" : "no holiday");
}

static enum verdict ask_load(const struct decision *decision, const struct config_rule *rule)
{
	return rule->load ? verdict(decision->load >= rule->load) : NOT_ASKED;
}

static void say_load(const struct decision *decision, const struct config_rule *rule,
		     struct str *is, struct str *wanted)
{
	str_addf(is, "%u %% of limits.calls", decision->load);
	str_addf(wanted, "%u %% or more", rule->load);
}

/* ---- the table ---- */

static const struct condition {
	const char *key; /* as in `when` */
	enum verdict (*ask)(const struct decision *decision, const struct config_rule *rule);
	void (*say)(const struct decision *decision, const struct config_rule *rule, struct str *is,
		    struct str *wanted);
} conditions[] = {
	{ "direction", ask_direction, say_direction },
	{ "route_type", ask_route_type, say_route_type },
	{ "number", ask_number, say_number },
	{ "tenant", ask_tenant, say_tenant },
	{ "trunk", ask_trunk, say_trunk },
	{ "called", ask_called, say_called },
	{ "caller", ask_caller, say_caller },
	{ "load", ask_load, say_load },
	{ "header", ask_header, say_header },
	{ "time", ask_time, say_time },
	{ "holiday", ask_holiday, say_holiday },
};

#define TAKEN ARRAY_SIZE(conditions)

const char *match_word(uint8_t tried)
{
	return tried < TAKEN ? conditions[tried].key : "taken";
}

static void trace_condition(const struct decision *decision, const struct config_rule *rule,
			    size_t number, const struct condition *condition, bool holds)
{
	struct str is = { 0 }, wanted = { 0 };

	if (!decision->trace)
		return;
	condition->say(decision, rule, &is, &wanted);
	decision_trace(decision,
		       &(struct service_thought){ .rule = number,
						  .condition = condition->key,
						  .holds = holds,
						  .is = is.text ? is.text : "",
						  .wanted = wanted.text ? wanted.text : "" });
	str_done(&is);
	str_done(&wanted);
}

/* The index of the condition that does not hold, or TAKEN. */
static size_t match_rule(const struct decision *decision, const struct config_rule *rule,
			 size_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
		enum verdict answer = conditions[i].ask(decision, rule);

		if (answer != NOT_ASKED)
			trace_condition(decision, rule, number, &conditions[i], answer == HOLDS);
		if (answer == FAILS)
			return i;
	}
	return TAKEN;
}

const struct config_rule *match_rules(struct decision *decision,
				      const struct config_service *service, size_t from)
{
	for (size_t i = from; i < service->rule_count; i++) {
		const struct config_rule *rule = &service->rules[i];
		size_t failed = match_rule(decision, rule, i + 1);

		if (decision->tried_count < DECISION_TRIED_MAX)
			decision->tried[decision->tried_count] = (uint8_t)failed;
		decision->tried_count++;
		decision_trace(decision, &(struct service_thought){ .rule = i + 1,
								    .holds = failed == TAKEN });
		if (failed == TAKEN)
			return rule;
	}
	return NULL;
}
