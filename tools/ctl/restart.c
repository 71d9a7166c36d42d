/* SPDX-License-Identifier: Apache-2.0 */
/* restart.c - `breakoutctl restart`: a new process in the place of the old one. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "tools/ctl/ctl.h"

#define POLL_MS  100
#define PATIENCE 450 /* polls: longer than the daemon's own */
#define LOST_MAX 50  /* polls in a row that nobody answered */

static json_int_t pid_of(const json_t *status)
{
	return json_integer_value(json_object_get(status, "pid"));
}

/* NULL: not now. */
static json_t *look(const struct options *options)
{
	json_t *status = NULL;

	return ask(options->socket_path, "status", &status) == 0 ? status : NULL;
}

/* The status once it is decided; NULL: it never was. */
static json_t *await(const struct options *options, json_int_t before)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	unsigned lost = 0;

	for (unsigned i = 0; i < PATIENCE && lost < LOST_MAX; i++) {
		json_t *status = look(options);
		const json_t *restart = json_object_get(status, "restart");

		lost = status ? 0 : lost + 1;
		if (status &&
		    (pid_of(status) != before || json_is_true(json_object_get(restart, "failed"))))
			return status;
		json_decref(status);
		(void)nanosleep(&pause, NULL); /* shorter does no harm */
	}
	return NULL;
}

static int show(const json_t *status, json_int_t before)
{
	const json_t *elder;
	size_t i;

	if (pid_of(status) == before) {
		const char *why = json_string_value(
			json_object_get(json_object_get(status, "restart"), "why"));

		fprintf(stderr, "breakoutctl: refused, nothing has changed: %s\n", why ? why : "");
		return STATUS_NO;
	}
	printf("restarted: pid %lld, version %s\n", (long long)pid_of(status),
	       json_string_value(json_object_get(status, "version")));
	json_array_foreach(json_object_get(status, "predecessors"), i, elder)
		printf("calls that end in pid %lld: %lld, within %lld s\n",
		       (long long)json_integer_value(json_object_get(elder, "pid")),
		       (long long)json_integer_value(json_object_get(elder, "calls")),
		       (long long)json_integer_value(json_object_get(elder, "ends_in_s")));
	return STATUS_OK;
}

int run_restart(const struct options *options)
{
	int status = STATUS_OK;
	json_t *answer = ask_or_say(options, "status", &status);
	json_int_t before = pid_of(answer);

	if (!answer)
		return status;
	json_decref(answer);
	answer = ask_or_say(options, "restart", &status);
	if (!answer)
		return status;
	json_decref(answer);
	answer = await(options, before);
	if (!answer) {
		fputs("breakoutctl: the restart does not come to an end: see the daemon's log\n",
		      stderr);
		return STATUS_UNREACHABLE;
	}
	status = options->json ? print_json(answer) : show(answer, before);
	if (options->json && pid_of(answer) == before)
		status = STATUS_NO;
	json_decref(answer);
	return status;
}
