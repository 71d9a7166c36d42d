/* SPDX-License-Identifier: Apache-2.0 */
/* show_explain.c - why a call goes where it goes. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "tools/ctl/ctl.h"
#include "tools/ctl/table.h"

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
