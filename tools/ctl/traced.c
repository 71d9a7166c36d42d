/* SPDX-License-Identifier: Apache-2.0 */
/* traced.c - `breakoutctl trace on`, `off` and `list`. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/ctl/ctl.h"
#include "tools/ctl/table.h"
#include "tools/look/entry.h"
#include "tools/look/ladder.h"

static void number_row(const json_t *order, char cells[COLUMNS_MAX][CELL])
{
	snprintf(cells[0], CELL, "%s", text_of(order, "number"));
	span_text(number_of(order, "since_s"), cells[1], CELL);
	span_text(number_of(order, "left_s"), cells[2], CELL);
	if (json_is_null(json_object_get(order, "calls")))
		snprintf(cells[3], CELL, "%lld", number_of(order, "seen"));
	else
		snprintf(cells[3], CELL, "%lld of %lld", number_of(order, "seen"),
			 number_of(order, "calls"));
	snprintf(cells[4], CELL, "%s", text_of(order, "who"));
}

static void show_numbers(const json_t *numbers)
{
	static const char *const titles[] = { "TRACED", "SINCE", "LEFT", "CALLS", "BY", NULL };

	show_table(numbers, titles, number_row);
}

static void kept_row(const json_t *call, char cells[COLUMNS_MAX][CELL])
{
	char time[LADDER_TIME];
	bool began = *entry_text(call, "call");

	ladder_time(number_of(call, "began"), time);
	snprintf(cells[0], CELL, "%.19s", time);
	snprintf(cells[1], CELL, "%s", text_of(call, "number"));
	snprintf(cells[2], CELL, "%lld", number_of(call, "bytes"));
	snprintf(cells[3], CELL, "%.90s", began ? text_of(call, "call") : text_of(call, "call_id"));
}

static int run_list(const struct options *options)
{
	static const char *const titles[] = { "BEGAN", "NUMBER", "BYTES", "CALL", NULL };
	int status = STATUS_OK;
	json_t *answer = ask_or_say(options, "traced", &status);
	const json_t *kept = json_object_get(answer, "kept");

	if (!answer)
		return status;
	if (options->json) {
		print_json(answer);
	} else {
		show_numbers(json_object_get(answer, "numbers"));
		putchar('\n');
		show_table(kept, titles, kept_row);
		printf("\n%zu calls in %s; one of them: breakoutctl trace CALL\n",
		       json_array_size(kept), text_of(answer, "dir"));
	}
	json_decref(answer);
	return status;
}

/* {"number"}, and how long; NULL: that makes no sense. */
static json_t *terms_of(const struct options *options)
{
	static const double times[] = { 1, 60, 3600, 86400 };
	const char *calls = options->trace.calls;
	double span_s = 0;
	char *rest = NULL;
	json_t *terms;

	if (!options->second || !take_amount(options->pause.span, "smhd", times, &span_s))
		return NULL;
	terms = json_pack("{s:s}", "number", options->second);
	if (options->pause.span)
		json_object_set_new(terms, "for_s", json_integer((json_int_t)ceil(span_s)));
	if (calls)
		json_object_set_new(terms, "calls", json_integer(strtol(calls, &rest, 10)));
	if (rest && (*rest || rest == calls)) {
		json_decref(terms);
		return NULL;
	}
	return terms;
}

static int run_on(const struct options *options)
{
	json_t *terms = terms_of(options), *answer, *list;
	int status = STATUS_OK;

	if (!terms)
		return STATUS_USAGE;
	answer = ask_order(options, "trace_on", terms, NULL, 0, &status);
	if (!answer)
		return status;
	list = json_pack("[O]", json_object_get(answer, "traced"));
	if (options->json)
		print_json(answer);
	else
		show_numbers(list);
	json_decref(list);
	json_decref(answer);
	return status;
}

static int run_off(const struct options *options)
{
	json_t *terms, *answer;
	int status = STATUS_OK;

	if (!options->second || options->pause.span || options->trace.calls)
		return STATUS_USAGE;
	terms = strcmp(options->second, "all") ? json_pack("{s:s}", "number", options->second)
					       : json_pack("{s:b}", "all", 1);
	answer = ask_order(options, "trace_off", terms, NULL, 0, &status);
	if (answer && options->json)
		print_json(answer);
	else if (answer)
		printf("not traced any more: %s; what was kept stays\n", text_of(answer, "ended"));
	json_decref(answer);
	return status;
}

int run_traced(const struct options *options)
{
	if (!strcmp(options->argument, "on"))
		return run_on(options);
	if (!strcmp(options->argument, "off"))
		return run_off(options);
	return options->second ? STATUS_USAGE : run_list(options);
}
