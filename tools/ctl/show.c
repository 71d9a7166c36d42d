/* SPDX-License-Identifier: Apache-2.0 */
/* show.c - tables of what the daemon has. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "tools/ctl/ctl.h"
#include "tools/ctl/table.h"

/* What lies in the past is not to be taken for nothing. */
static void expiry_text(const json_t *reg, char cell[static CELL])
{
	long long left = number_of(reg, "expires_s");
	char span[32];

	span_text(left < 0 ? -left : left, span, sizeof(span));
	snprintf(cell, CELL, "%s%s", left < 0 ? "LAPSED " : "", span);
}

static void next_text(const json_t *reg, char cell[static CELL])
{
	static const char *const states[] = { "new", "active", "backoff", "refused" };
	long long left = number_of(reg, "next_s");

	span_text(left, cell, CELL);
	for (size_t i = 0; left < 0 && i < ARRAY_SIZE(states); i++)
		if (!strcmp(text_of(reg, "state"), states[i]))
			snprintf(cell, CELL, "waits");
}

static void reg_row(const json_t *reg, char cells[COLUMNS_MAX][CELL])
{
	snprintf(cells[0], CELL, "%s", text_of(reg, "number"));
	snprintf(cells[1], CELL, "%s", text_of(reg, "route_type"));
	snprintf(cells[2], CELL, "%s", text_of(reg, "service"));
	snprintf(cells[3], CELL, "%s", text_of(reg, "source"));
	snprintf(cells[4], CELL, "%s", text_of(reg, "state"));
	expiry_text(reg, cells[5]);
	next_text(reg, cells[6]);
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

void show_origin(const json_t *reg)
{
	const json_t *added = json_object_get(reg, "added");
	const char *configured = json_string_value(json_object_get(reg, "configured"));
	const char *prefix = json_string_value(json_object_get(reg, "prefix_like"));
	const char *waits = json_string_value(json_object_get(reg, "waits"));
	time_t at = (time_t)(number_of(added, "at_ms") / 1000);
	struct tm local;
	char text[32] = "";

	if (waits)
		printf("\ndue, and not sent: %s\n", waits);
	if (prefix)
		printf("\n%s %s\n", text_of(reg, "number"), prefix);
	if (configured)
		printf("\nconfigured in %s\n", configured);
	if (!added)
		return;
	if (localtime_r(&at, &local))
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
	printf("%sadded by %s at %s: %s %s%s\n", configured ? "" : "\n", text_of(added, "who"),
	       text, text_of(added, "route_type"), text_of(added, "service"),
	       configured ? ", which counts once it is not configured" : "");
}

static void attempt_row(const json_t *attempt, char cells[COLUMNS_MAX][CELL])
{
	const char *error = json_string_value(json_object_get(attempt, "error"));

	span_text(number_of(attempt, "ago_s"), cells[0], CELL);
	snprintf(cells[1], CELL, "%s", text_of(attempt, "request"));
	snprintf(cells[2], CELL, "%lld ms", number_of(attempt, "took_ms"));
	if (error && *error)
		snprintf(cells[3], CELL, "%s", error);
	else if (number_of(attempt, "lapsed_s"))
		snprintf(cells[3], CELL, "accepted, %lld s after it had lapsed",
			 number_of(attempt, "lapsed_s"));
	else
		snprintf(cells[3], CELL, "accepted");
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

static bool is_of_tenant(const json_t *call)
{
	return json_object_get(call, "tenant") != NULL;
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
	snprintf(cells[13], CELL, "%s", text_of(call, "tenant"));
}

void show_calls(const json_t *calls)
{
	static const char *const titles[] = { "CALL",  "STATE",     "DIR",       "FROM", "TO",
					      "STEP",  "AGE",       "TALK",      "A",    "B",
					      "HEARD", "CALL-ID A", "CALL-ID B", NULL };
	static const char *const tenant_titles[] = { "CALL",      "STATE",  "DIR",   "FROM",
						     "TO",        "STEP",   "AGE",   "TALK",
						     "A",         "B",      "HEARD", "CALL-ID A",
						     "CALL-ID B", "TENANT", NULL };

	show_table(calls, is_of_tenant(json_array_get(calls, 0)) ? tenant_titles : titles,
		   call_row);
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
