/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - what the daemon goes by: its configuration, a reload of it, and how
 * long its certificates last. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "tools/ctl/ctl.h"

#define POLL_MS  50
#define RENEW_BY 7 /* days: a certificate with fewer left is an answer of no */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "null";
}

/* ---- config ---- */

static void show_settings(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *setting = json_array_get(list, i);

		printf("%s: %s  # %s", text_of(setting, "name"), text_of(setting, "value"),
		       text_of(setting, "origin"));
		if (json_object_get(setting, "in_force"))
			printf("; from the next start on, until then %s",
			       text_of(setting, "in_force"));
		putchar('\n');
	}
}

int run_config(const struct options *options)
{
	char request[160];
	int status = STATUS_OK;
	json_t *answer;

	(void)snprintf(request, sizeof(request), "config %s",
		       options->argument ? options->argument : "");
	answer = ask_or_say(options, request, &status);
	if (!answer)
		return status;
	if (options->json)
		print_json(answer);
	else
		show_settings(json_object_get(answer, "settings"));
	if (!json_array_size(json_object_get(answer, "settings"))) {
		fprintf(stderr, "breakoutctl: no key begins with %s\n", options->argument);
		status = STATUS_NO;
	}
	json_decref(answer);
	return status;
}

/* ---- reload ---- */

static void show_changes(const json_t *list, bool restart)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *change = json_array_get(list, i);
		const char *reload = text_of(change, "reload");

		if (!strcmp(reload, "restart") != restart)
			continue;
		printf("%s  %s: %s -> %s%s%s%s\n", restart ? "restart" : "applied",
		       text_of(change, "name"), text_of(change, "before"), text_of(change, "after"),
		       restart ? "" : " (", restart ? "" : reload, restart ? "" : ")");
	}
}

static void show_reload(const json_t *report)
{
	const json_t *findings = json_object_get(report, "findings");
	const json_t *changes = json_object_get(report, "changes");
	bool refused = json_is_true(json_object_get(report, "refused"));
	long long restart = (long long)json_integer_value(json_object_get(report, "restart"));

	for (size_t i = 0; i < json_array_size(findings); i++)
		puts(json_string_value(json_array_get(findings, i)));
	if (refused) {
		puts("refused: the old configuration stays");
		return;
	}
	show_changes(changes, false);
	show_changes(changes, true);
	printf("reloaded: %zu applied, %lld unchanged, %lld wait for a restart\n",
	       json_array_size(changes) - (size_t)restart,
	       (long long)json_integer_value(json_object_get(report, "unchanged")), restart);
}

/* The daemon reads its files on a thread of its own: ask until it has. */
static json_t *await_reload(const struct options *options, json_int_t number, int *ret_status)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	char request[64];
	json_t *report;

	(void)snprintf(request, sizeof(request), "reload %lld", (long long)number);
	for (;;) {
		report = ask_or_say(options, request, ret_status);
		if (!report || json_is_true(json_object_get(report, "done")))
			return report;
		json_decref(report);
		(void)nanosleep(&pause, NULL); /* shorter does no harm */
	}
}

json_t *reload_and_wait(const struct options *options, int *ret_status)
{
	json_t *answer = ask_or_say(options, "reload", ret_status), *report;

	if (!answer)
		return NULL;
	report = await_reload(options, json_integer_value(json_object_get(answer, "reload")),
			      ret_status);
	json_decref(answer);
	return report;
}

int run_reload(const struct options *options)
{
	int status = STATUS_OK;
	json_t *report = reload_and_wait(options, &status);

	if (!report)
		return status;
	if (options->json)
		print_json(report);
	else
		show_reload(report);
	if (json_is_true(json_object_get(report, "refused")))
		status = STATUS_NO;
	else if (json_integer_value(json_object_get(report, "restart")))
		status = STATUS_DIFFERENT;
	json_decref(report);
	return status;
}

/* ---- cert ---- */

static void show_end(const json_t *certificate)
{
	time_t end = (time_t)json_integer_value(json_object_get(certificate, "not_after"));
	long long days = (long long)json_integer_value(json_object_get(certificate, "days_left"));
	char text[64] = "";
	struct tm tm;

	if (gmtime_r(&end, &tm))
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm);
	if (days < 0)
		printf("  ends     %s: expired, renew it\n", text);
	else
		printf("  ends     %s, %lld days left%s\n", text, days,
		       days < RENEW_BY ? ": renew it" : "");
}

static void show_certificate(const json_t *certificate, const char *domain, bool sip)
{
	const char *names = text_of(certificate, "names");

	printf("  subject  %s\n", text_of(certificate, "subject"));
	if (*names)
		printf("  names    %s\n", names);
	if (sip)
		printf("  domain   %s: %s\n", domain,
		       json_is_true(json_object_get(certificate, "for_domain"))
			       ? "it is for that name"
			       : "it is NOT for that name, get one that has it");
	printf("  issuers  %s\n", text_of(certificate, "issuers"));
	show_end(certificate);
}

static void show_disk(const json_t *entry)
{
	const char *error = json_string_value(json_object_get(entry, "disk_error"));

	if (error)
		printf("  on disk  %s: mend the file, what is in force stays\n", error);
	else if (json_is_true(json_object_get(entry, "same")))
		puts("  on disk  the same");
	else
		puts("  on disk  another one, not in force: `breakoutctl reload` says why");
}

static bool is_well(const json_t *entry)
{
	const json_t *live = json_object_get(entry, "live");

	return json_is_object(live) && json_is_true(json_object_get(live, "for_domain")) &&
	       json_integer_value(json_object_get(live, "days_left")) >= RENEW_BY &&
	       json_is_true(json_object_get(entry, "same"));
}

static void show_entry(const json_t *entry, const char *domain)
{
	const json_t *live = json_object_get(entry, "live");

	printf("%s: %s\n", text_of(entry, "key"), text_of(entry, "path"));
	if (json_is_object(live))
		show_certificate(live, domain, !strcmp(text_of(entry, "role"), "sip"));
	show_disk(entry);
}

int run_cert(const struct options *options)
{
	int status = STATUS_OK;
	json_t *answer = ask_or_say(options, "cert", &status);
	const json_t *list = json_object_get(answer, "certificates");

	if (!answer)
		return status;
	if (options->json)
		print_json(answer);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);

		if (!options->json)
			show_entry(entry, text_of(answer, "domain"));
		if (!is_well(entry))
			status = STATUS_NO;
	}
	json_decref(answer);
	return status;
}
