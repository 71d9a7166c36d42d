/* SPDX-License-Identifier: Apache-2.0 */
/* regs.c - `breakoutctl regs`: registrations, one by one and as a plan. */
#include <stdlib.h>
#include <string.h>
#include "registrar/plan.h"
#include "tools/ctl/ctl.h"

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
		json_array_extend(all, page);
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

/* ---- the plan ---- */

bool take_amount(const char *text, const char *units, const double *factors, double *amount)
{
	char *rest;
	double value;
	const char *unit;

	if (!text)
		return true; /* the default stays */
	value = strtod(text, &rest);
	if (rest == text || !(value >= 0 && value < 1e12))
		return false;
	if (*rest) {
		unit = strchr(units, *rest);
		if (!unit || rest[1])
			return false;
		value *= factors[unit - units];
	}
	*amount = value;
	return true;
}

static int run_regs_plan(const struct options *options)
{
	static const double times[] = { 1, 60, 3600 }, counts[] = { 1e3, 1e6 };
	double count = 0, outage = 1800, ttl = 3600, rate = 0;
	struct plan plan;
	json_t *json;

	if (options->second || !options->plan.count ||
	    !take_amount(options->plan.count, "kM", counts, &count) ||
	    !take_amount(options->plan.outage, "smh", times, &outage) ||
	    !take_amount(options->plan.ttl, "smh", times, &ttl) ||
	    !take_amount(options->plan.rate, "", NULL, &rate) || count < 1 || count > 1e9 ||
	    ttl < 1 || ttl > 86400)
		return STATUS_USAGE;
	plan_make((size_t)count, (uint32_t)ttl, (mono_ms)(outage * 1000), rate, &plan);
	json = json_pack("{s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I}", "count",
			 (json_int_t)count, "ttl_s", (json_int_t)ttl, "outage_s",
			 (json_int_t)outage, "steady_rate", plan.steady, "permitted_rate",
			 plan.rate, "start_s", (json_int_t)(plan.start / 1000), "margin_s",
			 (json_int_t)(plan.margin / 1000), "lapsed", (json_int_t)plan.lapsed,
			 "longest_lapse_s", (json_int_t)(plan.longest_lapse / 1000), "catch_up_s",
			 (json_int_t)(plan.catch_up / 1000));
	if (options->json)
		print_json(json);
	else
		show_plan(json);
	json_decref(json);
	return STATUS_OK;
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
		      { "import", run_import } };
	const char *verb = options->argument ? options->argument : "list";

	if ((options->plan.given && strcmp(verb, "plan")) ||
	    ((options->import.given || options->yes) && strcmp(verb, "import")) ||
	    (options->pause.given && strcmp(verb, "pause") && strcmp(verb, "resume")))
		return STATUS_USAGE;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verb, verbs[i].name))
			return verbs[i].run(options);
	return options->second ? STATUS_USAGE : show_one(options, verb);
}
