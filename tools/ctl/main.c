/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - breakoutctl: the operator's command line. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "config/config.h"
#include "media/media.h"
#include "tas/sip/tls_check.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/out.h"

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
	struct options one = *options;

	if (!options->argument)
		return run_list(options, "calls", show_calls);
	if (options->second && strcmp(options->argument, "show") != 0)
		return STATUS_USAGE;
	if (options->second)
		one.argument = options->second;
	one.second = NULL;
	return options->trace.ladder ? run_trace(&one) : run_call(&one);
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
	{ "calls", MANY, run_calls },
	{ "refresh", OPTIONAL, run_refresh },
	{ "drain", NONE, run_drain },
	{ "undrain", NONE, run_undrain },
	{ "metrics", NONE, run_metrics },
	{ "trunks", NONE, run_trunks },
	{ "explain", OPTIONAL, run_explain },
	{ "devices", NONE, run_devices },
	{ "trace", MANY, run_trace },
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

/* It draws, instead of printing. */
static bool is_screen(const char *command)
{
	return command && strcmp(command, "top") == 0;
}

static int wrong_usage(void)
{
	say_usage(stderr);
	return STATUS_USAGE;
}

/* Of its options `trace on` has one too. */
static bool fits_pause(const struct command *command, const struct pause_options *pause)
{
	return !pause->given || command->run == run_regs ||
	       (command->run == run_trace && !pause->all && !pause->service && !pause->why);
}

static bool about_one_call(const struct command *command, const struct options *options)
{
	return options->argument && (command->run == run_trace || command->run == run_calls);
}

static bool fits(const struct command *command, const struct options *options)
{
	bool many = command->argument == MANY;

	return (command->argument != NONE || !options->argument) &&
	       (command->argument != NEEDED || options->argument) && (many || !options->second) &&
	       (command->run == run_regs || (!options->plan.given && !options->import.given &&
					     !options->number.given && !options->source)) &&
	       fits_pause(command, &options->pause) &&
	       ((command->run == run_trace && options->second) || !options->trace.calls) &&
	       ((command->run == run_calls && options->argument) || !options->trace.ladder) &&
	       (command->run == run_explain || about_one_call(command, options) ||
		!options->explain.at) &&
	       (command->run == run_explain || !options->explain.given) &&
	       (command->run == run_records || !options->records.given) &&
	       (command->run == run_top || !options->once) &&
	       (command->run == run_fleet || command->run == run_regs || !options->yes) &&
	       (command->run == run_explain || command->run == run_records ||
		(command->run == run_calls && options->argument) || !options->explain.cdr) &&
	       (command->run == run_trace || options->trace.ladder ||
		options->format <= FORMAT_JSON);
}

static int most_words(const char *command)
{
	return strcmp(command, "log") == 0 ? 5 : 3;
}

static bool takes_numbers(int argc, char **argv)
{
	return argc > 2 && strcmp(argv[0], "regs") == 0 && strcmp(argv[1], "delete") == 0;
}

static int run(struct options *options, int argc, char **argv)
{
	int status;

	if (argc < 1 || (argc > most_words(argv[0]) && !takes_numbers(argc, argv)))
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

int main(int argc, char **argv)
{
	struct options options = { .socket_path = SOCKET_PATH };

	switch (options_read(&options, argc, argv)) {
	case OPTIONS_FINE:
		break;
	case OPTIONS_SAID:
		return STATUS_OK;
	case OPTIONS_WRONG:
		return wrong_usage();
	}
	if (options.format <= FORMAT_TEXT && !is_screen(argv[optind]) && out_guard() < 0) {
		fputs("breakoutctl: out of memory\n", stderr);
		return STATUS_NO;
	}
	return out_end(run(&options, argc - optind, argv + optind));
}
