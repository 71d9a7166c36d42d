/* SPDX-License-Identifier: Apache-2.0 */
/* show.c - tables as wide as their contents. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/ctl/ctl.h"

#define COLUMNS_MAX 13
#define CELL        96

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : "-";
}

static long long number_of(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static const char *yes_no(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key)) ? "yes" : "no";
}

int print_json(const json_t *document)
{
	json_dumpf(document, stdout, JSON_INDENT(2));
	putchar('\n');
	return STATUS_OK;
}

/* Milliseconds or seconds as people read them: "-", "12s", "3m05s", "2h10m". */
static void span_text(long long seconds, char *ret_text, size_t room)
{
	if (seconds <= 0)
		snprintf(ret_text, room, "-");
	else if (seconds < 60)
		snprintf(ret_text, room, "%llds", seconds);
	else if (seconds < 3600)
		snprintf(ret_text, room, "%lldm%02llds", seconds / 60, seconds % 60);
	else
		snprintf(ret_text, room, "%lldh%02lldm", seconds / 3600, seconds / 60 % 60);
}

/* Fills one row of a table: cells[column]. */
typedef void row_fn(const json_t *object, char cells[COLUMNS_MAX][CELL]);

static void print_row(char cells[COLUMNS_MAX][CELL], const int *widths, int columns)
{
	for (int c = 0; c < columns; c++)
		printf("%s%-*s", c ? "  " : "", c + 1 < columns ? widths[c] : 0, cells[c]);
	putchar('\n');
}

static void widen(char cells[COLUMNS_MAX][CELL], int *widths, int columns)
{
	for (int c = 0; c < columns; c++)
		if (widths[c] < (int)strlen(cells[c]))
			widths[c] = (int)strlen(cells[c]);
}

static void show_table(const json_t *rows, const char *const *titles, row_fn *row)
{
	char cells[COLUMNS_MAX][CELL];
	int widths[COLUMNS_MAX] = { 0 };
	int columns = 0;
	size_t i;
	json_t *object;

	for (; titles[columns]; columns++)
		snprintf(cells[columns], CELL, "%s", titles[columns]);
	widen(cells, widths, columns);
	json_array_foreach(rows, i, object)
	{
		row(object, cells);
		widen(cells, widths, columns);
	}
	for (int c = 0; c < columns; c++)
		snprintf(cells[c], CELL, "%s", titles[c]);
	print_row(cells, widths, columns);
	json_array_foreach(rows, i, object)
	{
		row(object, cells);
		print_row(cells, widths, columns);
	}
}

/* One line while all is well, else one more for each check that fails. */
static void show_health(const json_t *health)
{
	const json_t *checks = json_object_get(health, "checks"), *check;
	char since[32];
	size_t i;

	if (!health)
		return;
	printf("health     %s, gate %s\n",
	       json_is_true(json_object_get(health, "sick")) ? "SICK" : "well",
	       text_of(health, "gate"));
	json_array_foreach(checks, i, check)
	{
		if (!strcmp(text_of(check, "why"), "-"))
			continue;
		span_text(number_of(check, "since_s"), since, sizeof(since));
		printf("           %s is %s for %s (%s): %s\n", text_of(check, "check"),
		       text_of(check, "state"), since, text_of(check, "does"),
		       text_of(check, "why"));
	}
	if (number_of(health, "stranded_services"))
		printf("           services whose trunks are all down: %lld\n",
		       number_of(health, "stranded_services"));
}

static void show_age(const char *what, long long age_s)
{
	char age[32];

	span_text(age_s, age, sizeof(age));
	if (age_s < 0)
		printf(", no %s yet", what);
	else
		printf(", last %s %s ago", what, age);
}

static void show_consents(const json_t *consents)
{
	if (!consents)
		return;
	if (json_is_true(json_object_get(consents, "elsewhere"))) {
		printf("consents   %lld, another node of the fleet reads them\n",
		       number_of(consents, "count"));
		return;
	}
	printf("consents   %lld, stream: %s", number_of(consents, "count"),
	       json_is_true(json_object_get(consents, "stream_up")) ? "open" : "CLOSED");
	show_age("event", number_of(consents, "event_age_s"));
	show_age("list", number_of(consents, "list_age_s"));
	if (number_of(consents, "held"))
		printf(", %lld HELD", number_of(consents, "held"));
	if (number_of(consents, "unknown"))
		printf(", %lld without a number", number_of(consents, "unknown"));
	putchar('\n');
}

static void show_load(const json_t *load)
{
	long long admitted = number_of(load, "admitted_percent");

	if (!json_is_object(load))
		return;
	printf("load       %s: sip %lld %%, media %lld %%, calls %lld %%, memory %lld %%, files "
	       "%lld %%",
	       text_of(load, "level"), number_of(load, "sip_percent"),
	       number_of(load, "media_percent"), number_of(load, "calls_percent"),
	       number_of(load, "memory_percent"), number_of(load, "files_percent"));
	if (admitted < 100)
		printf(", %lld %% of new calls admitted", admitted);
	putchar('\n');
}

static void node_row(const json_t *node, char cells[COLUMNS_MAX][CELL])
{
	snprintf(cells[0], CELL, "%s", text_of(node, "name"));
	snprintf(cells[1], CELL, "%s",
		 !json_is_true(json_object_get(node, "alive"))     ? "silent"
		 : json_is_true(json_object_get(node, "draining")) ? "draining"
								   : "lives");
	snprintf(cells[2], CELL, "%lld", number_of(node, "shards"));
	snprintf(cells[3], CELL, "%lld%s", number_of(node, "version"),
		 json_is_true(json_object_get(node, "current")) ? "" : " (not in force)");
	snprintf(cells[4], CELL, "%.1fs ago", (double)number_of(node, "seen_ms") / 1000);
}

void show_fleet(const json_t *fleet)
{
	static const char *const titles[] = { "NODE", "STATE", "SHARDS", "VERSION", "SEEN", NULL };

	printf("fleet      node %s, database answers: %s, lease: %s, %lld shards of 256",
	       text_of(fleet, "node"), yes_no(fleet, "database"), text_of(fleet, "standing"),
	       number_of(fleet, "shards"));
	if (number_of(fleet, "held"))
		printf(" (%lld only refreshed)", number_of(fleet, "held"));
	printf("\nversion    %lld, in force %lld\n\n", number_of(fleet, "version"),
	       number_of(fleet, "in_force"));
	show_table(json_object_get(fleet, "nodes"), titles, node_row);
}

static const char *const tenant_titles[] = { "TENANT",       "API",    "TOKEN", "ACTIVE", "OTHER",
					     "FIRST EXPIRY", "MARGIN", "RATE",  NULL };

static void tenant_row(const json_t *tenant, char cells[COLUMNS_MAX][CELL])
{
	long long all = 0;
	const char *state;
	json_t *states = json_object_get(tenant, "registrations"), *count;

	json_object_foreach(states, state, count) all += json_integer_value(count);
	snprintf(cells[0], CELL, "%s", text_of(tenant, "name"));
	snprintf(cells[1], CELL, "%s",
		 !all                                              ? "not asked"
		 : json_is_true(json_object_get(tenant, "down"))   ? "DOWN"
		 : json_is_true(json_object_get(tenant, "api_up")) ? "answers"
								   : "does not answer");
	snprintf(cells[2], CELL, "%s", yes_no(tenant, "token_ok"));
	snprintf(cells[3], CELL, "%lld", number_of(states, "active"));
	snprintf(cells[4], CELL, "%lld", all - number_of(states, "active"));
	span_text(number_of(tenant, "first_expiry_s"), cells[5], CELL);
	span_text(number_of(tenant, "margin_s"), cells[6], CELL);
	snprintf(cells[7], CELL, "%lld/s", number_of(tenant, "rate"));
}

static void show_elder(const json_t *elder)
{
	if (elder)
		printf("before     pid=%lld still has %lld calls, for %lld s at most\n",
		       number_of(elder, "pid"), number_of(elder, "calls"),
		       number_of(elder, "ends_in_s"));
}

void show_status(const json_t *status)
{
	json_t *states = json_object_get(status, "registrations"), *count;
	char uptime[32], expiry[32], margin[32];
	const char *state;

	span_text(number_of(status, "uptime_s"), uptime, sizeof(uptime));
	printf("breakoutd %s pid=%lld domain=%s up=%s%s\n", text_of(status, "version"),
	       number_of(status, "pid"), text_of(status, "domain"), uptime,
	       json_is_true(json_object_get(status, "draining")) ? " DRAINING" : "");
	show_elder(json_object_get(status, "predecessor"));
	printf("config     %s\n", text_of(status, "config"));
	printf("calls      %lld (%lld legs)\n", number_of(status, "calls"),
	       number_of(status, "legs"));
	printf("media     ");
	json_object_foreach(json_object_get(status, "media"), state, count)
		printf(" %s=%lld", state, (long long)json_integer_value(count));
	putchar('\n');
	show_load(json_object_get(status, "load"));
	printf("core sbc   answers: %s\n", json_is_null(json_object_get(status, "sbc_ok"))
						   ? "not asked"
						   : yes_no(status, "sbc_ok"));
	if (number_of(status, "trunk_addresses"))
		printf("trunks     %lld addresses, %lld down\n",
		       number_of(status, "trunk_addresses"),
		       number_of(status, "trunk_addresses_down"));
	show_health(json_object_get(status, "health"));
	if (!states)
		return;
	span_text(number_of(status, "first_expiry_s"), expiry, sizeof(expiry));
	printf("core api   answers: %s, token: %s\n", yes_no(status, "api_up"),
	       yes_no(status, "token_ok"));
	printf("registered");
	json_object_foreach((json_t *)states, state, count) /* the macro only reads */
		printf(" %s=%lld", state, (long long)json_integer_value(count));
	span_text(number_of(status, "margin_s"), margin, sizeof(margin));
	printf(", first expiry in %s, margin %s\n", expiry, margin);
	if (json_array_size(json_object_get(status, "tenants")) > 1)
		show_table(json_object_get(status, "tenants"), tenant_titles, tenant_row);
	if (json_object_get(status, "fleet"))
		show_fleet(json_object_get(status, "fleet"));
	show_consents(json_object_get(status, "consents"));
	if (number_of(status, "pauses"))
		printf("paused     %lld by %lld orders: breakoutctl regs pauses\n",
		       number_of(status, "paused"), number_of(status, "pauses"));
	if (!number_of(status, "withheld"))
		return;
	span_text(number_of(status, "withheld_s"), expiry, sizeof(expiry));
	printf("withheld   %lld for %s: %s\n", number_of(status, "withheld"), expiry,
	       text_of(status, "withheld_why"));
}

static void reg_row(const json_t *reg, char cells[COLUMNS_MAX][CELL])
{
	snprintf(cells[0], CELL, "%s", text_of(reg, "number"));
	snprintf(cells[1], CELL, "%s", text_of(reg, "route_type"));
	snprintf(cells[2], CELL, "%s", text_of(reg, "service"));
	snprintf(cells[3], CELL, "%s", text_of(reg, "source"));
	snprintf(cells[4], CELL, "%s", text_of(reg, "state"));
	span_text(number_of(reg, "expires_s"), cells[5], CELL);
	span_text(number_of(reg, "next_s"), cells[6], CELL);
	snprintf(cells[7], CELL, "%lld", number_of(reg, "failures"));
	snprintf(cells[8], CELL, "%s", text_of(reg, "error"));
}

/* The same, and at whose core. */
static void tenant_reg_row(const json_t *reg, char cells[COLUMNS_MAX][CELL])
{
	reg_row(reg, cells);
	memcpy(cells[9], cells[8], CELL);
	snprintf(cells[8], CELL, "%s%s", text_of(reg, "tenant"),
		 json_is_true(json_object_get(reg, "moves")) ? " (moves)" : "");
}

static bool have_tenants(const json_t *regs)
{
	for (size_t i = 0; i < json_array_size(regs); i++) {
		const char *tenant = text_of(json_array_get(regs, i), "tenant");

		if (strcmp(tenant, "-") && strcmp(tenant, "default"))
			return true;
	}
	return false;
}

void show_regs(const json_t *regs)
{
	static const char *const titles[] = { "NUMBER",  "TYPE", "SERVICE",  "SOURCE",     "STATE",
					      "EXPIRES", "NEXT", "FAILURES", "LAST ERROR", NULL };
	static const char *const tenant_reg_titles[] = { "NUMBER",     "TYPE",     "SERVICE",
							 "SOURCE",     "STATE",    "EXPIRES",
							 "NEXT",       "FAILURES", "TENANT",
							 "LAST ERROR", NULL };
	bool tenants = have_tenants(regs);

	show_table(regs, tenants ? tenant_reg_titles : titles, tenants ? tenant_reg_row : reg_row);
}

static void attempt_row(const json_t *attempt, char cells[COLUMNS_MAX][CELL])
{
	const char *error = json_string_value(json_object_get(attempt, "error"));

	span_text(number_of(attempt, "ago_s"), cells[0], CELL);
	snprintf(cells[1], CELL, "%s", text_of(attempt, "request"));
	snprintf(cells[2], CELL, "%lld ms", number_of(attempt, "took_ms"));
	snprintf(cells[3], CELL, "%s", error && *error ? error : "accepted");
}

void show_attempts(const json_t *attempts)
{
	static const char *const titles[] = { "AGO", "REQUEST", "TOOK", "ANSWER", NULL };

	if (!json_array_size(attempts))
		return;
	putchar('\n');
	show_table(attempts, titles, attempt_row);
}

static void pause_row(const json_t *pause, char cells[COLUMNS_MAX][CELL])
{
	const char *what = json_string_value(json_object_get(pause, "what"));

	snprintf(cells[0], CELL, "%s%s%s", text_of(pause, "scope"), what && *what ? " " : "",
		 what ? what : "");
	span_text(number_of(pause, "since_s"), cells[1], CELL);
	if (json_is_null(json_object_get(pause, "left_s")))
		snprintf(cells[2], CELL, "until resumed");
	else
		span_text(number_of(pause, "left_s"), cells[2], CELL);
	snprintf(cells[3], CELL, "%s", text_of(pause, "who"));
	snprintf(cells[4], CELL, "%s", text_of(pause, "why"));
}

void show_pauses(const json_t *pauses)
{
	static const char *const titles[] = { "PAUSED", "SINCE", "FOR", "BY", "WHY", NULL };

	show_table(pauses, titles, pause_row);
}

static double real_of(const json_t *object, const char *key)
{
	return json_real_value(json_object_get(object, key));
}

static void show_outage(const json_t *plan)
{
	char span[32], longest[32];

	span_text(number_of(plan, "outage_s"), span, sizeof(span));
	span_text(number_of(plan, "longest_lapse_s"), longest, sizeof(longest));
	printf("outage of %-9s %lld lapse (%.2f %%), for at most %s\n", span,
	       number_of(plan, "lapsed"),
	       100.0 * (double)number_of(plan, "lapsed") / (double)number_of(plan, "count"),
	       longest);
	span_text(number_of(plan, "catch_up_s"), span, sizeof(span));
	printf("caught up after     %s\n", span);
}

void show_plan(const json_t *plan)
{
	char ttl[32], start[32], margin[32];

	span_text(number_of(plan, "ttl_s"), ttl, sizeof(ttl));
	span_text(number_of(plan, "start_s"), start, sizeof(start));
	span_text(number_of(plan, "margin_s"), margin, sizeof(margin));
	printf("registrations       %lld, TTL %s\n", number_of(plan, "count"), ttl);
	printf("requests a second   %.0f needed, %.0f permitted\n", real_of(plan, "steady_rate"),
	       real_of(plan, "permitted_rate"));
	if (real_of(plan, "permitted_rate") <= real_of(plan, "steady_rate")) {
		puts("the rate is below the need: they never are all registered");
		return;
	}
	printf("first registration  %s for all\n", start);
	printf("margin              %s without the core lapse nobody\n", margin);
	show_outage(plan);
}

static void line_row(const json_t *line, char cells[COLUMNS_MAX][CELL])
{
	long long max = number_of(line, "calls_max"), last = number_of(line, "last_status");

	snprintf(cells[0], CELL, "%s", text_of(line, "trunk"));
	snprintf(cells[1], CELL, "%s", text_of(line, "address"));
	snprintf(cells[2], CELL, "%s", text_of(line, "state"));
	span_text(number_of(line, "since_s"), cells[3], CELL);
	if (last)
		snprintf(cells[4], CELL, "%lld", last);
	else
		snprintf(cells[4], CELL, "-");
	snprintf(cells[5], CELL, "%lld", number_of(line, "calls"));
	snprintf(cells[6], CELL, "%lld", number_of(line, "failures"));
	if (max)
		snprintf(cells[7], CELL, "%lld/%lld", number_of(line, "calls_now"), max);
	else
		snprintf(cells[7], CELL, "%lld", number_of(line, "calls_now"));
	snprintf(cells[8], CELL, "%s", text_of(line, "registered"));
	snprintf(cells[9], CELL, "%s", text_of(line, "last_failure"));
}

void show_trunks(const json_t *lines)
{
	static const char *const titles[] = { "TRUNK",      "ADDRESS",      "STATE",    "SINCE",
					      "LAST",       "CALLS",        "FAILURES", "NOW",
					      "REGISTERED", "LAST FAILURE", NULL };

	show_table(lines, titles, line_row);
}

static void packets(const json_t *call, const char *side, char *cell)
{
	const json_t *receipt = json_object_get(call, side);

	if (receipt)
		snprintf(cell, CELL, "%s %lld/%lld", text_of(receipt, "codec"),
			 number_of(receipt, "packets_in"), number_of(receipt, "packets_out"));
	else if (json_object_get(call, "bypass"))
		snprintf(cell, CELL, "passed: %s", text_of(call, "bypass"));
	else
		snprintf(cell, CELL, "-"); /* not decided yet */
}

static void call_row(const json_t *call, char cells[COLUMNS_MAX][CELL])
{
	snprintf(cells[0], CELL, "%s", text_of(call, "id"));
	snprintf(cells[1], CELL, "%s", text_of(call, "state"));
	snprintf(cells[2], CELL, "%s", text_of(call, "direction"));
	snprintf(cells[3], CELL, "%s", text_of(call, "from"));
	snprintf(cells[4], CELL, "%s", text_of(call, "to"));
	snprintf(cells[5], CELL, "%s", text_of(call, "step"));
	span_text(number_of(call, "age_ms") / 1000, cells[6], CELL);
	span_text(number_of(call, "talk_ms") / 1000, cells[7], CELL);
	packets(call, "a", cells[8]);
	packets(call, "b", cells[9]);
	snprintf(cells[10], CELL, "%s", text_of(call, "verdict"));
	snprintf(cells[11], CELL, "%s", text_of(call, "call_id_a"));
	snprintf(cells[12], CELL, "%s", text_of(call, "call_id_b"));
}

void show_calls(const json_t *calls)
{
	static const char *const titles[] = { "CALL",  "STATE",     "DIR",       "FROM", "TO",
					      "STEP",  "AGE",       "TALK",      "A",    "B",
					      "HEARD", "CALL-ID A", "CALL-ID B", NULL };

	show_table(calls, titles, call_row);
}

static void device_row(const json_t *device, char cells[COLUMNS_MAX][CELL])
{
	snprintf(cells[0], CELL, "%s", text_of(device, "name"));
	snprintf(cells[1], CELL, "%s", text_of(device, "contact"));
	snprintf(cells[2], CELL, "%s", text_of(device, "hop"));
	span_text(number_of(device, "expires_s"), cells[3], CELL);
	span_text(number_of(device, "since_s"), cells[4], CELL);
	snprintf(cells[5], CELL, "%s", text_of(device, "user_agent"));
}

void show_devices(const json_t *devices)
{
	static const char *const titles[] = { "DEVICE", "CONTACT",    "REACHED BY", "EXPIRES",
					      "SINCE",  "USER AGENT", NULL };

	show_table(devices, titles, device_row);
}

static void show_rule(const json_t *rule)
{
	bool taken = json_is_true(json_object_get(rule, "taken"));
	json_t *conditions = json_object_get(rule, "conditions"), *condition;
	size_t i;

	printf("rule %lld: %s\n", number_of(rule, "rule"), taken ? "taken" : "refused");
	json_array_foreach(conditions, i, condition) printf(
		"  %-10s %-3s  is %s; wanted %s\n", text_of(condition, "condition"),
		yes_no(condition, "holds"), text_of(condition, "is"), text_of(condition, "wanted"));
}

static void show_step(const json_t *step, const char *indent)
{
	json_t *targets = json_object_get(step, "targets"), *target;
	long long ring_s = number_of(step, "ring_s");
	size_t i;

	printf("%s%s", indent, text_of(step, "step"));
	if (json_object_get(step, "to"))
		printf("  to %s from %s", text_of(step, "to"), text_of(step, "from"));
	if (ring_s)
		printf("  for %lld s", ring_s);
	puts(json_is_true(json_object_get(step, "only_after_trouble")) ? "  only after trouble"
								       : "");
	json_array_foreach(targets, i, target) show_step(target, "    ");
}

static void show_words(const char *title, const json_t *words)
{
	size_t i;
	json_t *word;

	printf("%s", title);
	json_array_foreach(words, i, word) printf("%s%s", i ? ", " : "", json_string_value(word));
	putchar('\n');
}

/* What its record says was decided, and by which configuration. */
static void show_record(const json_t *record, const char *version)
{
	const char *recorded = text_of(record, "config");

	printf("recorded %s: %s, service %s, configuration %s%s\n", text_of(record, "start"),
	       text_of(record, "id"), text_of(record, "service"), recorded,
	       strcmp(recorded, version) == 0 ? "" : ", which is not the one below");
	show_words("recorded rules: ", json_object_get(record, "rules"));
	show_words("recorded plan:  ", json_object_get(record, "plan"));
	printf("ended:    %s by %s\n\n", text_of(record, "cause"), text_of(record, "ended_by"));
}

void show_explanation(const json_t *explanation)
{
	const json_t *record = json_object_get(explanation, "record");
	json_t *notes = json_object_get(explanation, "notes"), *item;
	const json_t *unknown = json_object_get(explanation, "unknown_headers");
	size_t i;

	if (record)
		show_record(record, text_of(explanation, "config"));
	printf("at %s, configuration %s\n", text_of(explanation, "at"),
	       text_of(explanation, "config"));
	json_array_foreach(notes, i, item) printf("%s\n", json_string_value(item));
	json_array_foreach(json_object_get(explanation, "rules"), i, item) show_rule(item);
	if (json_array_size(unknown))
		show_words("not known of the call, taken as absent: ", unknown);
	printf("service %s, plan:\n", text_of(explanation, "service"));
	json_array_foreach(json_object_get(explanation, "plan"), i, item) show_step(item, "  ");
}

static void replay_row(const json_t *call, char cells[COLUMNS_MAX][CELL])
{
	static const char *const names[] = { "id",   "start",          "direction",     "from",
					     "to",   "service_before", "service_after", "before",
					     "after" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		snprintf(cells[i], CELL, "%s", text_of(call, names[i]));
}

void show_replay(const json_t *differences)
{
	static const char *const titles[] = { "CALL", "START",     "DIR",  "FROM",      "TO",
					      "RULE", "RULE THEN", "PLAN", "PLAN THEN", NULL };

	if (json_array_size(differences))
		show_table(differences, titles, replay_row);
}

/* One line for all areas, then those with a level of their own. */
void show_log(const json_t *levels)
{
	json_t *level;
	size_t i;

	json_array_foreach((json_t *)levels, i, level) /* the macro only reads */
	{
		const char *area = text_of(level, "area");
		long long left_s = json_integer_value(json_object_get(level, "left_s"));

		printf("%-10s %s", strcmp(area, "*") ? area : "all", text_of(level, "level"));
		if (left_s)
			printf(" for %lld s more", left_s);
		putchar('\n');
	}
}
