/* SPDX-License-Identifier: Apache-2.0 */
/* regs.c - `breakoutctl regs`: registrations, one by one and as a plan. */
#include <stdlib.h>
#include <string.h>
#include "registrar/registrar.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/table.h"

bool is_source(const char *name)
{
	for (int i = 0; i < REG_SOURCE_COUNT; i++)
		if (!strcmp(reg_source_name((enum reg_source)i), name))
			return true;
	return false;
}

bool of_source(const struct options *options, const json_t *reg)
{
	return !options->source || !strcmp(text_of(reg, "source"), options->source);
}

static void take_page(json_t *all, const json_t *page, const struct options *options)
{
	for (size_t i = 0; i < json_array_size(page); i++)
		if (of_source(options, json_array_get(page, i)))
			json_array_append(all, json_array_get(page, i));
}

/* All pages, one after the other. */
static json_t *collect_regs(const struct options *options, int *ret_status)
{
	json_t *all = json_array();
	char request[64] = "regs";
	bool more = true;

	while (more) {
		json_t *answer = ask_or_say(options, request, ret_status);
		json_t *page = json_object_get(answer, "registrations");
		const char *last;

		if (!answer) {
			json_decref(all);
			return NULL;
		}
		last = json_string_value(
			json_object_get(json_array_get(page, json_array_size(page) - 1), "number"));
		more = json_is_true(json_object_get(answer, "more")) && last;
		snprintf(request, sizeof(request), "regs %s", last ? last : "");
		take_page(all, page, options);
		json_decref(answer);
	}
	return all;
}

static int run_regs_list(const struct options *options)
{
	int status = STATUS_OK;
	json_t *regs = collect_regs(options, &status);

	if (!regs)
		return status;
	if (options->json)
		print_json(regs);
	else
		show_regs(regs);
	json_decref(regs);
	return status;
}

static int show_one(const struct options *options, const char *number)
{
	int status = STATUS_OK;
	char request[96];
	json_t *reg, *list;

	snprintf(request, sizeof(request), "reg %s", number);
	reg = ask_or_say(options, request, &status);
	if (!reg)
		return status;
	list = json_pack("[O]", reg);
	if (options->json) {
		print_json(list);
	} else {
		show_regs(list);
		show_origin(reg);
		show_attempts(json_object_get(reg, "attempts"));
	}
	json_decref(list);
	json_decref(reg);
	return status;
}

static int run_regs_show(const struct options *options)
{
	return options->second ? show_one(options, options->second) : STATUS_USAGE;
}

static int run_regs_refresh(const struct options *options)
{
	int status = STATUS_OK;
	char request[96];
	json_t *answer;

	snprintf(request, sizeof(request), "refresh %s", options->second ? options->second : "");
	answer = ask_or_say(options, request, &status);
	if (answer && options->json)
		print_json(answer);
	json_decref(answer);
	return status;
}

/* Of what there is for a pause, `add` has the service. */
static bool names_service(const struct options *options, const char *verb)
{
	const struct pause_options *pause = &options->pause;

	return !strcmp(verb, "add") && !pause->all && !pause->span && !pause->why;
}

int run_regs(const struct options *options)
{
	static const struct {
		const char *name;
		int (*run)(const struct options *options);
	} verbs[] = { { "list", run_regs_list },       { "show", run_regs_show },
		      { "refresh", run_regs_refresh }, { "plan", run_regs_plan },
		      { "pauses", run_pauses },        { "export", run_export },
		      { "pause", run_pause },          { "resume", run_resume },
		      { "import", run_import },        { "add", run_add },
		      { "delete", run_delete } };
	const char *verb = options->argument ? options->argument : "list";

	if (options->source &&
	    (!is_source(options->source) ||
	     (strcmp(verb, "list") && strcmp(verb, "export") && strcmp(verb, "plan"))))
		return STATUS_USAGE;
	if ((options->plan.given && strcmp(verb, "plan")) ||
	    ((options->import.given || options->yes) && strcmp(verb, "import")) ||
	    (options->number.given && strcmp(verb, "add")) ||
	    (options->pause.given && strcmp(verb, "pause") && strcmp(verb, "resume") &&
	     !names_service(options, verb)))
		return STATUS_USAGE;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verb, verbs[i].name))
			return verbs[i].run(options);
	return options->second ? STATUS_USAGE : show_one(options, verb);
}
