/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose.c - every subsystem in one line: well or not, why, and what to type next. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tools/ctl/ctl.h"
#include "tools/look/entry.h"
#include "tools/ctl/gather.h"
#include "tools/look/look.h"

#define CONFIG_PATH  "/etc/breakout/breakout.yaml"
#define PAST_MINUTES 10

static const struct question {
	const char *request, *member;
	size_t offset; /* in struct look */
} questions[] = {
	{ "trunks", "trunks", offsetof(struct look, trunks) },
	{ "cert", "certificates", offsetof(struct look, certificates) },
	{ "calls", "calls", offsetof(struct look, calls) },
	{ "metrics", "metrics", offsetof(struct look, metrics) },
	{ "config", "settings", offsetof(struct look, settings) },
};
#define QUESTIONS ARRAY_SIZE(questions)

struct answers {
	json_t *status, *list[QUESTIONS];
	char *config_text, *reason;
};

/* In words, and what to do; the daemon's own words if it answered with an error. */
static void take_absence(struct look *look, struct answers *answers, const char *path, int err)
{
	struct str text = { 0 };

	look->unreachable_do = "systemctl status breakout; journalctl -u breakout -n 30";
	if (err == -EACCES || err == -EPERM) {
		str_addf(&text, "you may not use %s: be in the group breakout", path);
		look->unreachable_do = "sudo breakoutctl diagnose";
	} else if (err == -ENOENT || err == -ECONNREFUSED) {
		str_addf(&text, "does not run, or -s %s is not its admin.socket", path);
	} else if (err) {
		str_addf(&text, "%s: %s: it hangs", path,
			 err == -EPROTO ? "no answer" : strerror(-err));
	} else {
		str_add(&text, entry_text(answers->status, "error"));
	}
	answers->reason = str_take(&text);
	look->unreachable = answers->reason ? answers->reason : "out of memory";
}

/* What cannot be had is left out of the diagnosis. */
static void ask_all(struct look *look, struct answers *answers, const char *path)
{
	int err = ask(path, "status", &answers->status);

	if (err || json_object_get(answers->status, "error")) {
		take_absence(look, answers, path, err);
		return;
	}
	look->status = answers->status;
	for (size_t i = 0; i < QUESTIONS; i++) {
		const json_t **list = (const json_t **)((char *)look + questions[i].offset);

		if (ask(path, questions[i].request, &answers->list[i]) == 0)
			*list = json_object_get(answers->list[i], questions[i].member);
	}
}

static void answers_done(struct answers *answers)
{
	json_decref(answers->status);
	for (size_t i = 0; i < QUESTIONS; i++)
		json_decref(answers->list[i]);
	free(answers->config_text);
	free(answers->reason);
}

static void gather(struct look *look, struct answers *answers, const struct options *options)
{
	const json_t *config = answers->list[QUESTIONS - 1]; /* the request of that name */
	const char *file = entry_text(config, "file"), *cdr;

	look->config.path = options->argument ? options->argument : *file ? file : CONFIG_PATH;
	gather_config(&look->config, look->settings, entry_text(config, "config"),
		      &answers->config_text);
	look->past.minutes = PAST_MINUTES;
	cdr = entry_text(look->status, "cdr");
	if (*cdr)
		gather_past(&look->past, cdr);
	gather_host(&look->host, look->settings);
}

static void show_findings(const json_t *findings)
{
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *finding = json_array_get(findings, i);
		const char *next = entry_text(finding, "next");

		printf("%-8s  %-13s  %s\n", entry_text(finding, "level"),
		       entry_text(finding, "subsystem"), entry_text(finding, "reason"));
		if (*next)
			printf("%-8s  %-13s  -> %s\n", "", "", next);
	}
}

int run_diagnose(const struct options *options)
{
	static const int statuses[] = {
		[LOOK_OK] = STATUS_OK, [LOOK_WARNING] = STATUS_NO, [LOOK_CRITICAL] = STATUS_CRITICAL
	};
	struct look look = { .program = BREAKOUT_VERSION };
	struct answers answers = { 0 };
	enum look_level worst;
	json_t *findings;

	ask_all(&look, &answers, options->socket_path);
	gather(&look, &answers, options);
	findings = look_diagnose(&look, &worst);
	if (options->json)
		print_json(findings);
	else
		show_findings(findings);
	json_decref(findings);
	answers_done(&answers);
	return look.unreachable ? STATUS_UNREACHABLE : statuses[worst];
}
