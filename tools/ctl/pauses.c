/* SPDX-License-Identifier: Apache-2.0 */
/* pauses.c - `breakoutctl regs pause`, `resume` and `pauses`. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "tools/ctl/ctl.h"

int run_pauses(const struct options *options)
{
	int status = STATUS_OK;
	json_t *answer = ask_or_say(options, "pauses", &status);

	if (!answer)
		return status;
	if (options->json)
		print_json(json_object_get(answer, "pauses"));
	else
		show_pauses(json_object_get(answer, "pauses"));
	json_decref(answer);
	return status;
}

/* What the command line names; NULL: not one thing. */
static json_t *scope_of(const struct options *options)
{
	const struct pause_options *pause = &options->pause;

	if ((options->second != NULL) + (pause->service != NULL) + pause->all != 1)
		return NULL;
	if (pause->all)
		return json_pack("{s:b}", "all", 1);
	return json_pack("{s:s}", options->second ? "number" : "service",
			 options->second ? options->second : pause->service);
}

int run_pause(const struct options *options)
{
	static const double times[] = { 1, 60, 3600, 86400 };
	const struct pause_options *pause = &options->pause;
	double span_s = 0;
	json_t *terms, *answer, *list;
	int status = STATUS_OK;

	if (!pause->why || !take_amount(pause->span, "smhd", times, &span_s))
		return STATUS_USAGE;
	terms = scope_of(options);
	if (!terms)
		return STATUS_USAGE;
	json_object_set_new(terms, "why", json_string(pause->why));
	if (pause->span)
		json_object_set_new(terms, "for_s", json_integer((json_int_t)ceil(span_s)));
	answer = ask_order(options, "pause", terms, NULL, 0, &status);
	if (!answer)
		return status;
	list = json_pack("[O]", json_object_get(answer, "paused"));
	if (options->json)
		print_json(answer);
	else
		show_pauses(list);
	json_decref(list);
	json_decref(answer);
	return status;
}

int run_resume(const struct options *options)
{
	json_t *terms, *answer;
	int status = STATUS_OK;

	if (options->pause.why || options->pause.span)
		return STATUS_USAGE;
	terms = scope_of(options);
	if (!terms)
		return STATUS_USAGE;
	answer = ask_order(options, "resume", terms, NULL, 0, &status);
	if (!answer)
		return status;
	if (options->json)
		print_json(answer);
	else
		printf("resumed; pauses left: %lld\n",
		       (long long)json_integer_value(json_object_get(answer, "pauses")));
	json_decref(answer);
	return status;
}
