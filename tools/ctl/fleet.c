/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.c - `breakoutctl fleet`: the nodes that share the registrations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tools/ctl/ctl.h"

bool confirmed(const struct options *options, const char *question)
{
	char answer[8] = "";

	if (options->yes)
		return true;
	if (!isatty(STDIN_FILENO)) {
		fprintf(stderr, "breakoutctl: %s Say so with --yes.\n", question);
		return false;
	}
	printf("%s [y/N] ", question);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* The fleet's part of the status, the caller's; NULL after saying why there is none. */
static json_t *ask_fleet(const struct options *options, int *ret_status)
{
	json_t *status = ask_or_say(options, "status", ret_status);
	json_t *fleet = json_incref(json_object_get(status, "fleet"));

	if (status && !fleet) {
		fputs("breakoutctl: this daemon is in no fleet: it has no store.postgres\n",
		      stderr);
		*ret_status = STATUS_NO;
	}
	json_decref(status);
	return fleet;
}

static int list(const struct options *options)
{
	int status = STATUS_OK;
	json_t *fleet = ask_fleet(options, &status);

	if (fleet && options->json)
		print_json(fleet);
	else if (fleet)
		show_fleet(fleet);
	json_decref(fleet);
	return status;
}

/* Why that cannot be, or NULL. */
static const char *objection(const json_t *fleet, const char *name, long long *ret_seen_s)
{
	const json_t *nodes = json_object_get(fleet, "nodes"), *node;
	size_t i;

	json_array_foreach(nodes, i, node)
	{
		if (strcmp(json_string_value(json_object_get(node, "name")), name) != 0)
			continue;
		*ret_seen_s =
			(long long)json_integer_value(json_object_get(node, "seen_ms")) / 1000;
		return json_is_true(json_object_get(node, "alive")) ? "it lives" : NULL;
	}
	return "the fleet knows no such node";
}

static bool agreed(const struct options *options, const json_t *fleet, const char *name)
{
	long long seen_s = 0;
	const char *why_not = objection(fleet, name, &seen_s);
	char question[400];

	if (why_not) {
		fprintf(stderr, "breakoutctl: node %s is not forgotten: %s\n", name, why_not);
		return false;
	}
	snprintf(question, sizeof(question),
		 "Node %s was seen %lld s ago. If its process still runs, cut off from the "
		 "database, it goes on refreshing what it had, against what the others change "
		 "from now on. Is it dead for certain?",
		 name, seen_s);
	return confirmed(options, question);
}

/* The daemon's answer, or NULL after saying why there is none. */
static json_t *order(const struct options *options, const char *name, int *ret_status)
{
	json_t *document = json_pack("{s:s}", "node", name), *answer = NULL;
	char *text = json_dumps(document, JSON_COMPACT), *request = NULL;

	*ret_status = STATUS_NO;
	if (text && asprintf(&request, "forget %s", text) >= 0) {
		*ret_status = STATUS_OK;
		answer = ask_or_say(options, request, ret_status);
	}
	free(request);
	free(text);
	json_decref(document);
	return answer;
}

static int forget(const struct options *options)
{
	int status = STATUS_OK;
	const char *name = options->second;
	json_t *fleet = ask_fleet(options, &status), *answer;
	bool agrees = fleet && agreed(options, fleet, name);

	json_decref(fleet);
	if (!fleet)
		return status;
	if (!agrees)
		return STATUS_NO;
	answer = order(options, name, &status);
	if (!answer)
		return status;
	if (options->json)
		print_json(answer);
	else
		printf("forgotten: the numbers of %lld shards need not wait for it\n",
		       (long long)json_integer_value(json_object_get(answer, "shards")));
	json_decref(answer);
	return status;
}

int run_fleet(const struct options *options)
{
	if (!options->argument || (!strcmp(options->argument, "list") && !options->second))
		return options->yes ? STATUS_USAGE : list(options);
	return !strcmp(options->argument, "forget") && options->second ? forget(options)
								       : STATUS_USAGE;
}
