/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the command line's options, as written. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/ctl/ctl.h"

enum {
	OPT_FROM = 256,
	OPT_TO,
	OPT_DIRECTION,
	OPT_AT,
	OPT_HEADER,
	OPT_TRUNK,
	OPT_LOAD,
	OPT_CONFIG,
	OPT_CDR,
	OPT_REPLAY,
	OPT_WITH,
	OPT_COUNT,
	OPT_OUTAGE,
	OPT_TTL,
	OPT_RATE,
	OPT_KEY,
	OPT_SINCE,
	OPT_UNTIL,
	OPT_NUMBER,
	OPT_CAUSE,
	OPT_CSV,
	OPT_ALL,
	OPT_SERVICE,
	OPT_FOR,
	OPT_WHY,
	OPT_ONCE,
	OPT_YES,
	OPT_DRY_RUN,
	OPT_INTO,
	OPT_CALLS,
	OPT_LADDER,
	OPT_REPLACE,
	OPT_ROUTE_TYPE,
	OPT_TENANT,
	OPT_CHANGE,
	OPT_SOURCE
};

static const char **explain_text(struct explain_options *explain, int option)
{
	switch (option) {
	case OPT_FROM:
		return &explain->from;
	case OPT_TO:
		return &explain->to;
	case OPT_DIRECTION:
		return &explain->direction;
	case OPT_AT:
		return &explain->at;
	case OPT_TRUNK:
		return &explain->trunk;
	case OPT_CONFIG:
		return &explain->config;
	case OPT_CDR:
		return &explain->cdr;
	case OPT_REPLAY:
		return &explain->replay;
	case OPT_WITH:
		return &explain->with;
	default:
		return NULL;
	}
}

/* False: it is none of `regs plan`. */
static bool take_plan_option(struct plan_options *plan, int option, const char *value)
{
	switch (option) {
	case OPT_COUNT:
		plan->count = value;
		break;
	case OPT_OUTAGE:
		plan->outage = value;
		break;
	case OPT_TTL:
		plan->ttl = value;
		break;
	case OPT_RATE:
		plan->rate = value;
		break;
	default:
		return false;
	}
	plan->given = true;
	return true;
}

/* False: it is none of `regs pause`. */
static bool take_pause_option(struct pause_options *pause, int option, const char *value)
{
	switch (option) {
	case OPT_ALL:
		pause->all = true;
		break;
	case OPT_SERVICE:
		pause->service = value;
		break;
	case OPT_FOR:
		pause->span = value;
		break;
	case OPT_WHY:
		pause->why = value;
		break;
	default:
		return false;
	}
	pause->given = true;
	return true;
}

/* False: it is none of `records`. */
static bool take_record_option(struct record_options *records, int option, const char *value)
{
	switch (option) {
	case OPT_SINCE:
		records->since = value;
		break;
	case OPT_UNTIL:
		records->until = value;
		break;
	case OPT_NUMBER:
		records->number = value;
		break;
	case OPT_CAUSE:
		records->cause = value;
		break;
	case OPT_CSV:
		records->csv = true;
		break;
	default:
		return false;
	}
	records->given = true;
	return true;
}

/* False: it is none of `regs import`. */
static bool take_import_option(struct import_options *import, int option, const char *value)
{
	switch (option) {
	case OPT_DRY_RUN:
		import->dry_run = true;
		break;
	case OPT_INTO:
		import->into = value;
		break;
	case OPT_REPLACE:
		import->replace = true;
		break;
	default:
		return false;
	}
	import->given = true;
	return true;
}

/* False: it is none of `regs add`. */
static bool take_number_option(struct number_options *number, int option, const char *value)
{
	switch (option) {
	case OPT_ROUTE_TYPE:
		number->route_type = value;
		break;
	case OPT_TENANT:
		number->tenant = value;
		break;
	case OPT_CHANGE:
		number->change = true;
		break;
	default:
		return false;
	}
	number->given = true;
	return true;
}

static bool take_load(struct explain_options *explain, const char *value)
{
	char *rest;
	unsigned long load = strtoul(value, &rest, 10);

	explain->load = (unsigned)load;
	return *value && !*rest && load <= 1000;
}

static bool take_header(struct explain_options *explain, const char *value)
{
	if (explain->header_count == HEADERS_MAX)
		return false;
	explain->headers[explain->header_count++] = value;
	return true;
}

/* False: not one of explain's, or no value of it. */
static bool take_explain_option(struct explain_options *explain, int option, const char *value)
{
	const char **text = explain_text(explain, option);

	/* Those two others have as well. */
	explain->given = explain->given || (option != OPT_CDR && option != OPT_AT);
	if (option == OPT_LOAD)
		return take_load(explain, value);
	if (option == OPT_HEADER)
		return take_header(explain, value);
	if (text)
		*text = value;
	return text != NULL;
}

static bool take_format(struct options *options, const char *name)
{
	static const char *const names[] = { [FORMAT_TABLE] = "table",
					     [FORMAT_JSON] = "json",
					     [FORMAT_TEXT] = "text",
					     [FORMAT_HTML] = "html",
					     [FORMAT_PCAPNG] = "pcapng" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		options->format = (enum format)i;
		options->json = options->format == FORMAT_JSON;
		return true;
	}
	return false;
}

static const struct option known[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "output", required_argument, NULL, 'o' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "direction", required_argument, NULL, OPT_DIRECTION },
	{ "at", required_argument, NULL, OPT_AT },
	{ "header", required_argument, NULL, OPT_HEADER },
	{ "trunk", required_argument, NULL, OPT_TRUNK },
	{ "load", required_argument, NULL, OPT_LOAD },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "cdr", required_argument, NULL, OPT_CDR },
	{ "replay", required_argument, NULL, OPT_REPLAY },
	{ "with", required_argument, NULL, OPT_WITH },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "outage", required_argument, NULL, OPT_OUTAGE },
	{ "ttl", required_argument, NULL, OPT_TTL },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "until", required_argument, NULL, OPT_UNTIL },
	{ "number", required_argument, NULL, OPT_NUMBER },
	{ "cause", required_argument, NULL, OPT_CAUSE },
	{ "csv", no_argument, NULL, OPT_CSV },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "service", required_argument, NULL, OPT_SERVICE },
	{ "for", required_argument, NULL, OPT_FOR },
	{ "why", required_argument, NULL, OPT_WHY },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "yes", no_argument, NULL, OPT_YES },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "into", required_argument, NULL, OPT_INTO },
	{ "calls", required_argument, NULL, OPT_CALLS },
	{ "ladder", no_argument, NULL, OPT_LADDER },
	{ "replace", no_argument, NULL, OPT_REPLACE },
	{ "route-type", required_argument, NULL, OPT_ROUTE_TYPE },
	{ "tenant", required_argument, NULL, OPT_TENANT },
	{ "change", no_argument, NULL, OPT_CHANGE },
	{ "source", required_argument, NULL, OPT_SOURCE },
	{ NULL, 0, NULL, 0 },
};

enum options_result options_read(struct options *options, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "s:o:h", known, NULL)) != -1) {
		switch (option) {
		case 's':
			options->socket_path = optarg;
			break;
		case 'o':
			if (!take_format(options, optarg))
				return OPTIONS_WRONG;
			break;
		case OPT_ONCE:
			options->once = true;
			break;
		case OPT_YES:
			options->yes = true;
			break;
		case OPT_CALLS:
			options->trace.calls = optarg;
			break;
		case OPT_LADDER:
			options->trace.ladder = true;
			break;
		case OPT_KEY:
			options->key = optarg;
			break;
		case OPT_SOURCE:
			options->source = optarg;
			break;
		case 'V':
			puts("breakoutctl " BREAKOUT_VERSION);
			return OPTIONS_SAID;
		case 'h':
			say_usage(stdout);
			return OPTIONS_SAID;
		default:
			if (!take_plan_option(&options->plan, option, optarg) &&
			    !take_pause_option(&options->pause, option, optarg) &&
			    !take_import_option(&options->import, option, optarg) &&
			    !take_number_option(&options->number, option, optarg) &&
			    !take_record_option(&options->records, option, optarg) &&
			    !take_explain_option(&options->explain, option, optarg))
				return OPTIONS_WRONG;
		}
	}
	return OPTIONS_FINE;
}
