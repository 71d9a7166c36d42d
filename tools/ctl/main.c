/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - breakoutctl: the operator's command line. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "config/config.h"
#include "media/media.h"
#include "tas/sip/tls_check.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/out.h"

#define SOCKET_PATH "/run/breakout/breakout.sock"

static int run_check(const struct options *options)
{
	struct config *config = NULL;
	struct media_sounds *sounds = NULL;
	struct str findings = { 0 };
	struct tls_profile *tls = NULL;
	int err = config_load(options->argument, true, &config, &findings);

	if (!err)
		err = media_sounds_create(&sounds, config, NULL, &findings);
	if (!err)
		err = tls_check_config(&tls, config, &findings);
	if (findings.text)
		fputs(findings.text, stdout);
	if (err == -ENOMEM)
		fputs("breakoutctl: out of memory\n", stderr);
	if (!err)
		printf("%s: fine: %zu registrations, %zu services, %zu trunks\n", options->argument,
		       config->registration_count, config->service_count, config->trunk_count);
	str_done(&findings);
	tls_check_done(tls);
	media_sounds_destroy(sounds);
	config_destroy(config);
	return err ? STATUS_NO : STATUS_OK;
}

static int run_status(const struct options *options)
{
	int status = STATUS_OK;
	json_t *answer = ask_or_say(options, "status", &status);

	if (!answer)
		return status;
	if (options->json)
		print_json(answer);
	else
		show_status(answer);
	json_decref(answer);
	return status;
}

static int run_list(const struct options *options, const char *request,
		    void (*show)(const json_t *list))
{
	int status = STATUS_OK;
	json_t *answer = ask_or_say(options, request, &status);
	json_t *list = json_object_get(answer, request);

	if (!answer)
		return status;
	if (options->json)
		print_json(list);
	else
		show(list);
	json_decref(answer);
	return status;
}

static int run_calls(const struct options *options)
{
	if (options->argument)
		return run_call(options);
	return run_list(options, "calls", show_calls);
}

static int run_trunks(const struct options *options)
{
	return run_list(options, "trunks", show_trunks);
}

static int run_devices(const struct options *options)
{
	return run_list(options, "devices", show_devices);
}

static int run_metrics(const struct options *options)
{
	int status = STATUS_OK;
	json_t *answer = ask_or_say(options, "metrics", &status);

	if (answer && options->json)
		print_json(json_object_get(answer, "metrics"));
	else if (answer)
		fputs(json_string_value(json_object_get(answer, "text")), stdout);
	json_decref(answer);
	return status;
}

static int run_order(const struct options *options, const char *request)
{
	int status = STATUS_OK;
	json_t *answer = ask_or_say(options, request, &status);

	if (answer && options->json)
		print_json(answer);
	json_decref(answer);
	return status;
}

static int run_refresh(const struct options *options)
{
	char request[96];

	snprintf(request, sizeof(request), "refresh %s",
		 options->argument ? options->argument : "");
	return run_order(options, request);
}

static int run_drain(const struct options *options)
{
	return run_order(options, "drain");
}

static int run_undrain(const struct options *options)
{
	return run_order(options, "undrain");
}

/* log, log level [AREA=]LEVEL [for TIME] */
static int run_log(const struct options *options)
{
	const char *const *words = options->words;
	struct str request = { 0 };
	int status = STATUS_OK;
	json_t *answer;

	if (options->argument && (strcmp(options->argument, "level") || !options->second))
		return STATUS_USAGE;
	str_add(&request, "log");
	for (size_t i = 1; options->argument && words[i]; i++)
		str_addf(&request, " %s", words[i]);
	if (request.failed)
		return STATUS_NO;
	answer = ask_or_say(options, request.text, &status);
	str_done(&request);
	if (answer && options->json)
		print_json(json_object_get(answer, "log"));
	else if (answer)
		show_log(json_object_get(answer, "log"));
	json_decref(answer);
	return status;
}

static const struct command {
	const char *name;
	enum { NONE, OPTIONAL, NEEDED, MANY } argument;
	int (*run)(const struct options *options);
} commands[] = {
	{ "check", NEEDED, run_check },
	{ "status", NONE, run_status },
	{ "regs", MANY, run_regs },
	{ "calls", OPTIONAL, run_calls },
	{ "refresh", OPTIONAL, run_refresh },
	{ "drain", NONE, run_drain },
	{ "undrain", NONE, run_undrain },
	{ "metrics", NONE, run_metrics },
	{ "trunks", NONE, run_trunks },
	{ "explain", OPTIONAL, run_explain },
	{ "devices", NONE, run_devices },
	{ "trace", NEEDED, run_trace },
	{ "unseal", NEEDED, run_unseal },
	{ "config", OPTIONAL, run_config },
	{ "reload", NONE, run_reload },
	{ "restart", NONE, run_restart },
	{ "cert", NONE, run_cert },
	{ "records", NONE, run_records },
	{ "log", MANY, run_log },
	{ "fleet", MANY, run_fleet },
	{ "diagnose", OPTIONAL, run_diagnose },
	{ "top", NONE, run_top },
};

static void usage(FILE *to)
{
	fputs("usage: breakoutctl [-s SOCKET] [-o FORMAT] COMMAND\n"
	      "\n"
	      "  check FILE        read a configuration and say everything that is wrong with it\n"
	      "  status            is the daemon well?\n"
	      "  diagnose [FILE]   every subsystem: OK, WARNING or CRITICAL, why, and what to "
	      "type\n"
	      "                    next; FILE: the configuration if the daemon does not run\n"
	      "  top [--once]      what goes on now, drawn again every second; q ends it\n"
	      "  regs [list]       registrations: state, expiry, next try, last error\n"
	      "  regs show NUMBER  one of them, with its last failures\n"
	      "  regs refresh [NUMBER]\n"
	      "  regs pause ...    take numbers from the core for a while: see below\n"
	      "  regs resume ...   give them back\n"
	      "  regs pauses       what is paused, by whom, why and for how long\n"
	      "  regs export       all as CSV: number, route type, service, state, expiry, source\n"
	      "  regs import FILE  such lines become the configuration's file of numbers: see "
	      "below\n"
	      "  regs plan ...     load, margin and worst case of an outage: see below\n"
	      "  calls [ID]        running calls; ID: all that is known of one, which may be\n"
	      "                    over: its id, a Call-ID or a Session-ID; [--cdr FILE]\n"
	      "  trace ID          what was said in a call, by its id or a Call-ID: a ladder;\n"
	      "                    with -o text the messages, -o html a page, -o pcapng a capture\n"
	      "  records           past calls, from the files of records: see below\n"
	      "  devices           soft phones: where each is registered\n"
	      "  trunks            addresses of trunks: up or down, last answer, calls, failures\n"
	      "  explain ...       why a call goes where it goes: see below\n"
	      "  config [KEY]      every key as it is in force, and where it comes from; KEY: "
	      "those\n"
	      "                    below it\n"
	      "  reload            read the configuration again: what counts now, what waits for\n"
	      "                    a restart, or why nothing changed\n"
	      "  restart           put a new process, of the program on disk, in the place of the\n"
	      "                    old one, which ends with its last call; or why nothing changed\n"
	      "  cert              certificates: names, issuers, days left, in force and on disk\n"
	      "  fleet             the nodes that share the registrations in store.postgres\n"
	      "  fleet forget NODE [--yes]\n"
	      "                    it is dead for certain: what it had need not wait for it\n"
	      "  refresh [NUMBER]  refresh one registration, or all, now\n"
	      "  drain             take no more calls and stop when the last has ended\n"
	      "  undrain           takes a drain back, while calls go on\n"
	      "  unseal FILE       hear a sealed recording: writes it as WAV beside it\n"
	      "  log               what is logged: the level of all areas, and of some\n"
	      "  log level [AREA=]LEVEL [for TIME]\n"
	      "                    changes it; it falls back after TIME such as 10m,\n"
	      "                    without one at a restart or with LEVEL default\n"
	      "  metrics           counters and gauges, in Prometheus' text format\n"
	      "\n"
	      "  -s, --socket SOCKET      the daemon's admin.socket (" SOCKET_PATH ")\n"
	      "  -o, --output FORMAT      table for people, json for programs; of trace also\n"
	      "                           text, html and pcapng\n"
	      "      --version, -h, --help\n"
	      "\n"
	      "regs plan --count 1M [--outage 30m] [--ttl 1h] [--rate REQUESTS]\n"
	      "regs pause NUMBER|--service NAME|--all --why TEXT [--for 2h]\n"
	      "regs resume NUMBER|--service NAME|--all\n"
	      "                           calls of what is paused go past us, over restarts too,\n"
	      "                           until it is resumed or the time is over\n"
	      "regs import FILE.csv [--dry-run] [--yes] [--into CSV]\n"
	      "                           says what is wrong in FILE, or what it changes; then,\n"
	      "                           once you agree, replaces the file that the "
	      "configuration\n"
	      "                           names and reloads: all, or nothing\n"
	      "unseal FILE.wav.sealed --key KEY   by the private key of recordings.key, a PEM "
	      "file\n"
	      "\n"
	      "records [--since TIME] [--until TIME] [--number NUMBER] [--cause CAUSE]\n"
	      "        [--csv] [--cdr FILE]\n"
	      "                           TIME is 90s, 30m, 8h or 7d ago, 2026-11-25, or\n"
	      "                           2026-11-25T22:15, with Z for UTC\n"
	      "\n"
	      "explain --to NUMBER [--from NUMBER] [--direction mo|mt] [--at TIME]\n"
	      "        [--header \"Name: value\"]... [--trunk NAME] [--load PERCENT]\n"
	      "                           of a made-up call; TIME is 2026-12-24T18:00, in the\n"
	      "                           configuration's time_zone, or with Z or +01:00\n"
	      "explain ID [--cdr FILE]    of a past call: its id, a Call-ID or Session-ID\n"
	      "explain --replay CDRFILE --with CONFIG\n"
	      "                           lists the calls of a record that would go differently\n"
	      "        [--config FILE]    by the rules of a file; the daemon's\n"
	      "\n"
	      "Exit status: 0 fine, 1 a negative answer, 2 usage, 3 the daemon cannot be "
	      "reached,\n"
	      "4 --replay found calls that would go differently, or some of what was reloaded\n"
	      "waits for a restart.\n"
	      "Of diagnose: 0 all OK, 1 a WARNING, 5 something CRITICAL, 3 the daemon cannot be\n"
	      "reached.\n",
	      to);
}

/* It draws, instead of printing. */
static bool is_screen(const char *command)
{
	return command && strcmp(command, "top") == 0;
}

static int wrong_usage(void)
{
	usage(stderr);
	return STATUS_USAGE;
}

static bool fits(const struct command *command, const struct options *options)
{
	bool many = command->argument == MANY;

	return (command->argument != NONE || !options->argument) &&
	       (command->argument != NEEDED || options->argument) && (many || !options->second) &&
	       (command->run == run_regs ||
		(!options->plan.given && !options->pause.given && !options->import.given)) &&
	       (command->run == run_explain || !options->explain.given) &&
	       (command->run == run_records || !options->records.given) &&
	       (command->run == run_top || !options->once) &&
	       (command->run == run_fleet || command->run == run_regs || !options->yes) &&
	       (command->run == run_explain || command->run == run_records ||
		(command->run == run_calls && options->argument) || !options->explain.cdr) &&
	       (command->run == run_trace || options->format <= FORMAT_JSON);
}

static int run(struct options *options, int argc, char **argv)
{
	int status;

	if (argc < 1 || argc > (strcmp(argv[0], "log") ? 3 : 5))
		return wrong_usage();
	options->words = (const char *const *)argv + 1;
	options->argument = argv[1]; /* NULL-ended */
	options->second = argc > 2 ? argv[2] : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, argv[0]) != 0)
			continue;
		if (!fits(&commands[i], options))
			return wrong_usage();
		status = commands[i].run(options);
		return status == STATUS_USAGE ? wrong_usage() : status;
	}
	return wrong_usage();
}

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
	OPT_INTO
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
	default:
		return false;
	}
	import->given = true;
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

	explain->given = explain->given || option != OPT_CDR; /* which `records` has too */
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

int main(int argc, char **argv)
{
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
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .socket_path = SOCKET_PATH };
	int option;

	while ((option = getopt_long(argc, argv, "s:o:h", known, NULL)) != -1) {
		switch (option) {
		case 's':
			options.socket_path = optarg;
			break;
		case 'o':
			if (!take_format(&options, optarg))
				return wrong_usage();
			break;
		case OPT_ONCE:
			options.once = true;
			break;
		case OPT_YES:
			options.yes = true;
			break;
		case OPT_KEY:
			options.key = optarg;
			break;
		case 'V':
			puts("breakoutctl " BREAKOUT_VERSION);
			return STATUS_OK;
		case 'h':
			usage(stdout);
			return STATUS_OK;
		default:
			if (!take_plan_option(&options.plan, option, optarg) &&
			    !take_pause_option(&options.pause, option, optarg) &&
			    !take_import_option(&options.import, option, optarg) &&
			    !take_record_option(&options.records, option, optarg) &&
			    !take_explain_option(&options.explain, option, optarg))
				return wrong_usage();
		}
	}
	if (options.format <= FORMAT_TEXT && !is_screen(argv[optind]) && out_guard() < 0) {
		fputs("breakoutctl: out of memory\n", stderr);
		return STATUS_NO;
	}
	return out_end(run(&options, argc - optind, argv + optind));
}
