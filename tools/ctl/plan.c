/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - `breakoutctl regs plan`: what so many registrations take, and how long a core
 * may be away; of each tenant alone, since none waits behind another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "registrar/plan.h"
#include "registrar/registrar.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/table.h"

#define TTL_S 3600

struct part {
	char tenant[TENANT_NAME_ROOM]; /* "": there is only one */
	double count, ttl_s, rate;     /* rate 0: what the registrar takes by itself */
	json_t *sources;               /* own; who wants how many of them; NULL: not known */
};

struct parts {
	struct part list[CONFIG_TENANTS];
	size_t count;
	double outage_s;
};

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

/* ---- what is asked for ---- */

static struct part *part_of(struct parts *parts, const char *tenant, bool add)
{
	for (size_t i = 0; i < parts->count; i++)
		if (!strcmp(parts->list[i].tenant, tenant))
			return &parts->list[i];
	if (!add || parts->count == CONFIG_TENANTS)
		return NULL;
	parts->list[parts->count] = (struct part){ .ttl_s = TTL_S };
	(void)snprintf(parts->list[parts->count].tenant, TENANT_NAME_ROOM, "%s", tenant);
	return &parts->list[parts->count++];
}

/* One of the three numbers of a part: as an offset in it, with its units. */
struct field {
	size_t offset;
	const char *units;
	const double *factors;
	bool names; /* may name tenants that nobody has named yet */
};

static bool set(const struct field *field, struct part *part, const char *amount)
{
	return part && take_amount(amount, field->units, field->factors,
				   (double *)((char *)part + field->offset));
}

/* "default=1M,acme=200k", or one amount for all. */
static bool take_field(struct parts *parts, const struct field *field, const char *text)
{
	char *list, *word, *rest = NULL;
	bool good = true;

	if (!text)
		return true;
	if (!strchr(text, '=')) {
		if (field->names)
			good = set(field, part_of(parts, "", true), text);
		for (size_t i = 0; good && i < parts->count; i++)
			good = set(field, &parts->list[i], text);
		return good;
	}
	list = strdup(text);
	if (!list)
		return false;
	for (word = strtok_r(list, ",", &rest); good && word; word = strtok_r(NULL, ",", &rest)) {
		char *amount = strchr(word, '=');

		good = amount && amount > word;
		if (!good)
			break;
		*amount++ = '\0';
		good = set(field, part_of(parts, word, field->names), amount);
	}
	free(list);
	return good;
}

static bool is_sound(const struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++) {
		const struct part *part = &parts->list[i];

		if (part->count < 1 || part->count > 1e9 || part->ttl_s < 1 || part->ttl_s > 86400)
			return false;
	}
	return parts->count > 0;
}

static long long count_of(const json_t *states)
{
	long long numbers = 0;
	const char *state;
	json_t *count;

	json_object_foreach((json_t *)states, state, count) /* the macro only reads */
		if (strcmp(state, "elsewhere") != 0) numbers +=
		(long long)json_integer_value(count);
	return numbers;
}

/* Who wants them, and how many nobody does any more. */
static json_t *sources_of(const json_t *tenant, long long numbers)
{
	json_t *sources = json_object(), *count;
	const char *source;

	json_object_foreach(json_object_get(tenant, "sources"), source, count)
	{
		numbers -= (long long)json_integer_value(count);
		json_object_set(sources, source, count);
	}
	json_object_set_new(sources, "none", json_integer(numbers > 0 ? numbers : 0));
	return sources;
}

/* What each of the daemon's tenants keeps, of one source or (NULL) all. Those without such
 * numbers have nothing to plan. */
static void take_tenants(struct parts *parts, const json_t *tenants, const char *source)
{
	for (size_t i = 0; i < json_array_size(tenants); i++) {
		const json_t *tenant = json_array_get(tenants, i);
		long long numbers = count_of(json_object_get(tenant, "registrations")),
			  ttl_s = number_of(tenant, "ttl_s");
		json_t *sources = sources_of(tenant, numbers);
		struct part *part;

		if (source)
			numbers = number_of(sources, source);
		part = numbers ? part_of(parts, text_of(tenant, "name"), true) : NULL;
		if (!part) {
			json_decref(sources);
			continue;
		}
		part->count = (double)numbers;
		part->rate = (double)number_of(tenant, "max_rate");
		part->sources = source ? json_pack("{s:I}", source, (json_int_t)numbers) : NULL;
		if (part->sources)
			json_decref(sources);
		else
			part->sources = sources;
		if (ttl_s)
			part->ttl_s = (double)ttl_s;
	}
}

/* ---- what comes of it ---- */

static json_t *part_json(const struct part *part, double outage_s)
{
	struct plan plan;

	plan_make((size_t)part->count, (uint32_t)part->ttl_s, (mono_ms)(outage_s * 1000),
		  part->rate, &plan);
	return json_pack("{s:s*, s:O*, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I}", "tenant",
			 part->tenant[0] ? part->tenant : NULL, "sources", part->sources, "count",
			 (json_int_t)part->count, "ttl_s", (json_int_t)part->ttl_s, "outage_s",
			 (json_int_t)outage_s, "steady_rate", plan.steady, "permitted_rate",
			 plan.rate, "start_s", (json_int_t)(plan.start / 1000), "margin_s",
			 (json_int_t)(plan.margin / 1000), "lapsed", (json_int_t)plan.lapsed,
			 "longest_lapse_s", (json_int_t)(plan.longest_lapse / 1000), "catch_up_s",
			 (json_int_t)(plan.catch_up / 1000));
}

/* "config 20, api 3": those that have any. */
static void sources_text(const json_t *sources, char cell[static CELL])
{
	const char *source;
	size_t used = 0;
	json_t *count;

	snprintf(cell, CELL, "-");
	json_object_foreach((json_t *)sources, source, count) /* the macro only reads */
		if (json_integer_value(count) && used < CELL) used +=
		(size_t)snprintf(cell + used, CELL - used, "%s%s %lld", used ? ", " : "", source,
				 (long long)json_integer_value(count));
}

static void plan_row(const json_t *plan, char cells[COLUMNS_MAX][CELL])
{
	double needed = json_real_value(json_object_get(plan, "steady_rate"));
	double permitted = json_real_value(json_object_get(plan, "permitted_rate"));

	snprintf(cells[0], CELL, "%s", text_of(plan, "tenant"));
	snprintf(cells[1], CELL, "%lld", number_of(plan, "count"));
	span_text(number_of(plan, "ttl_s"), cells[2], CELL);
	snprintf(cells[3], CELL, "%.0f/s", needed);
	snprintf(cells[4], CELL, "%.0f/s%s", permitted, permitted > needed ? "" : " TOO LOW");
	span_text(number_of(plan, "start_s"), cells[5], CELL);
	span_text(number_of(plan, "margin_s"), cells[6], CELL);
	snprintf(cells[7], CELL, "%lld", number_of(plan, "lapsed"));
	span_text(number_of(plan, "longest_lapse_s"), cells[8], CELL);
	span_text(number_of(plan, "catch_up_s"), cells[9], CELL);
	sources_text(json_object_get(plan, "sources"), cells[10]);
}

static void show_plans(const json_t *plans)
{
	const bool known = json_object_get(json_array_get(plans, 0), "sources");
	const char *const titles[] = { "TENANT",
				       "NUMBERS",
				       "TTL",
				       "NEEDED",
				       "PERMITTED",
				       "FIRST",
				       "MARGIN",
				       "LAPSE",
				       "LONGEST",
				       "CAUGHT UP",
				       known ? "SOURCES" : NULL,
				       NULL };
	char outage[32];

	span_text(number_of(json_array_get(plans, 0), "outage_s"), outage, sizeof(outage));
	show_table(plans, titles, plan_row);
	printf("\nEach alone, if its core is away for %s. FIRST: until all are registered for the "
	       "first\ntime. MARGIN: so long without its core lapse nobody.\n",
	       outage);
}

static int show(const struct options *options, const struct parts *parts)
{
	json_t *plans = json_array();

	for (size_t i = 0; i < parts->count; i++)
		json_array_append_new(plans, part_json(&parts->list[i], parts->outage_s));
	if (!parts->list[0].tenant[0] && options->json)
		print_json(json_array_get(plans, 0));
	else if (!parts->list[0].tenant[0])
		show_plan(json_array_get(plans, 0));
	else if (options->json)
		print_json(plans);
	else
		show_plans(plans);
	json_decref(plans);
	return STATUS_OK;
}

/* Without --count: what the daemon keeps. */
static int take_daemon(struct parts *parts, const struct options *options)
{
	int status = STATUS_OK;
	json_t *answer = ask_or_say(options, "status", &status);

	if (!answer)
		return status;
	take_tenants(parts, json_object_get(answer, "tenants"), options->source);
	json_decref(answer);
	if (parts->count)
		return STATUS_OK;
	(void)fprintf(stderr, "the daemon has no registrations%s%s: say how many with --count 1M\n",
		      options->source ? " of source " : "", options->source ? options->source : "");
	return STATUS_NO;
}

static bool take_options(struct parts *parts, const struct plan_options *wanted)
{
	static const double times[] = { 1, 60, 3600 }, counts[] = { 1e3, 1e6 };
	static const struct field count = { offsetof(struct part, count), "kM", counts, true },
				  ttl = { offsetof(struct part, ttl_s), "smh", times, false },
				  rate = { offsetof(struct part, rate), "", NULL, false };

	return take_field(parts, &count, wanted->count) &&
	       take_amount(wanted->outage, "smh", times, &parts->outage_s) &&
	       take_field(parts, &ttl, wanted->ttl) && take_field(parts, &rate, wanted->rate) &&
	       is_sound(parts);
}

int run_regs_plan(const struct options *options)
{
	struct parts parts = { .outage_s = 1800 };
	int status = STATUS_OK;

	if (options->second || (options->source && options->plan.count))
		return STATUS_USAGE;
	if (!options->plan.count)
		status = take_daemon(&parts, options);
	if (status == STATUS_OK)
		status =
			take_options(&parts, &options->plan) ? show(options, &parts) : STATUS_USAGE;
	for (size_t i = 0; i < parts.count; i++)
		json_decref(parts.list[i].sources);
	return status;
}
