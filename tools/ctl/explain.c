/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - why a call goes where it goes: a made-up one, a past one, or all
 * of a file under other rules. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/str.h"
#include "config/config.h"
#include "tas/admin/explain.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/past.h"

#define BAR_CALLS 1000 /* replayed, then the bar moves */

static int complain(const char *sentence)
{
	fprintf(stderr, "breakoutctl: %s\n", sentence);
	return STATUS_NO;
}

/* ---- who decides: a file's rules, or the daemon's ---- */

struct decider {
	struct config *config; /* NULL: the daemon is asked */
	struct service_room *room;
	const struct options *options;
};

static void decider_done(struct decider *decider)
{
	service_destroy(decider->room);
	config_destroy(decider->config);
}

/* path NULL: the daemon. 0 or STATUS_NO, after saying why. */
static int decider_init(struct decider *decider, const struct options *options, const char *path)
{
	struct str findings = { 0 };
	int err;

	*decider = (struct decider){ .options = options };
	if (!path)
		return STATUS_OK;
	err = config_load(path, false, &decider->config, &findings);
	if (err && findings.text)
		fputs(findings.text, stderr);
	str_done(&findings);
	if (!err)
		err = service_create(
			&decider->room,
			&(struct service_options){ .config = decider->config, .rehearsal = true });
	if (!err)
		return STATUS_OK;
	decider_done(decider);
	return complain(err == -ENOMEM ? "out of memory" : "the configuration is at fault");
}

/* The explanation, or NULL after saying why there is none. */
static json_t *decide(const struct decider *decider, const json_t *question, int *ret_status)
{
	struct str request = { 0 };
	char *text;
	json_t *answer;

	if (decider->room) {
		answer = explain(decider->room, question);
		*ret_status = STATUS_NO;
		if (answer && !json_object_get(answer, "error"))
			return answer;
		(void)complain(answer ? json_string_value(json_object_get(answer, "error"))
				      : "out of memory");
		json_decref(answer);
		return NULL;
	}
	text = json_dumps(question, JSON_COMPACT);
	str_addf(&request, "explain %s", text ? text : "");
	free(text);
	answer = request.text ? ask_or_say(decider->options, request.text, ret_status) : NULL;
	str_done(&request);
	return answer;
}

/* ---- records ---- */

struct records {
	FILE *file;
	char *line;
	size_t room;
};

/* The next line that is a record; NULL at the end. A new reference. */
static json_t *next_record(struct records *records)
{
	while (getline(&records->line, &records->room, records->file) >= 0) {
		json_t *record = json_loads(records->line, 0, NULL);

		if (json_is_object(record) && json_object_get(record, "to"))
			return record;
		json_decref(record);
	}
	return NULL;
}

static int records_open(struct records *records, const char *path)
{
	*records = (struct records){ .file = fopen(path, "re") };
	if (records->file)
		return STATUS_OK;
	fprintf(stderr, "breakoutctl: %s: %s\n", path, strerror(errno));
	return STATUS_NO;
}

static void records_close(struct records *records)
{
	(void)fclose(records->file); /* only read from */
	free(records->line);
}

/* ---- one call ---- */

static int show(const struct options *options, json_t *answer, const json_t *record)
{
	if (record)
		json_object_set(answer, "record", (json_t *)record);
	if (options->json)
		print_json(answer);
	else
		show_explanation(answer);
	json_decref(answer);
	return STATUS_OK;
}

static void add_text(json_t *question, const char *name, const char *text)
{
	if (text)
		json_object_set_new(question, name, json_string(text));
}

/* False: not "Name: value". */
static bool add_header(json_t *headers, const char *text)
{
	const char *colon = strchr(text, ':');
	char name[128];

	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
	return json_object_set_new(headers, name,
				   json_string(colon + 1 + strspn(colon + 1, " \t"))) == 0;
}

static int explain_made_up(const struct decider *decider)
{
	const struct explain_options *made = &decider->options->explain;
	json_t *question = json_object(), *headers = json_object(), *answer;
	int status = STATUS_OK;

	add_text(question, "from", made->from);
	add_text(question, "called", made->to);
	add_text(question, "direction", made->direction);
	add_text(question, "at", made->at);
	add_text(question, "sender", made->trunk);
	json_object_set_new(question, "load", json_integer(made->load));
	for (size_t i = 0; i < made->header_count && !status; i++)
		if (!add_header(headers, made->headers[i]))
			status = complain("--header is followed by \"Name: value\"");
	json_object_set_new(question, "headers", headers);
	answer = status ? NULL : decide(decider, question, &status);
	json_decref(question);
	return answer ? show(decider->options, answer, NULL) : status;
}

static int explain_past(const struct decider *decider, const char *id)
{
	int status = STATUS_NO;
	char *path = record_path(decider->options,
				 decider->config ? decider->config->cdr_file : NULL, &status);
	json_t *record = path ? past_find(path, id) : NULL, *question, *answer;

	free(path);
	if (!record)
		return status;
	question = explain_question(record);
	answer = decide(decider, question, &status);
	if (answer)
		status = show(decider->options, answer, record);
	json_decref(question);
	json_decref(record);
	return status;
}

/* ---- all calls ---- */

/* "dial pbx/2" is as good as "dial pbx": which address was tried depends on which
 * were alive. Returns the length that counts. */
static size_t weight(const char *label)
{
	size_t slash = strcspn(label, "/");

	return strncmp(label, "dial ", 5) == 0 ? slash : strlen(label);
}

/* "dial pbx, loop" */
static char *plan_text(const json_t *labels)
{
	struct str text = { 0 };
	const char *last = "";
	size_t i;
	json_t *label;

	json_array_foreach((json_t *)labels, i, label) /* the macro only reads */
	{
		const char *word = json_string_value(label);

		if (!word ||
		    (weight(word) == weight(last) && strncmp(word, last, weight(word)) == 0))
			continue;
		str_addf(&text, "%s%.*s", text.length ? ", " : "", (int)weight(word), word);
		last = word;
	}
	return str_take(&text);
}

static json_t *labels_of(const json_t *explanation)
{
	json_t *labels = json_array(), *step;
	size_t i;

	json_array_foreach(json_object_get(explanation, "plan"), i, step)
		json_array_append(labels, json_object_get(step, "step"));
	return labels;
}

/* No rule was asked: the call was turned away for a reason that no record keeps
 * (it went round in a circle, its trunk had its limit of calls). */
static bool is_beyond_rules(const json_t *record)
{
	const json_t *plan = json_object_get(record, "plan");
	const char *first = json_string_value(json_array_get(plan, 0));

	return !json_is_array(plan) || !first ||
	       (json_array_size(json_object_get(record, "rules")) == 0 &&
		strncmp(first, "reject", 6) == 0);
}

struct replay {
	unsigned calls, different, skipped;
	json_t *list;
};

/* Headers the new rules look at and the old ones did not are not in the record. */
static void add_difference(struct replay *replay, const json_t *record, const json_t *answer,
			   const char *before, const char *after)
{
	static const char *const names[] = { "id", "start", "direction", "from", "to", "number" };
	json_t *entry = json_pack("{s:s, s:s, s:O, s:O, s:O}", "before", before, "after", after,
				  "service_before", json_object_get(record, "service"),
				  "service_after", json_object_get(answer, "service"),
				  "unknown_headers", json_object_get(answer, "unknown_headers"));

	replay->different++;
	for (size_t i = 0; entry && i < ARRAY_SIZE(names); i++)
		json_object_set(entry, names[i], json_object_get(record, names[i]));
	json_array_append_new(replay->list, entry);
}

static int replay_record(const struct decider *decider, const json_t *record, struct replay *replay)
{
	json_t *question, *answer, *labels;
	char *before, *after;
	int status = STATUS_OK;

	replay->calls++;
	if (is_beyond_rules(record)) {
		replay->skipped++;
		return STATUS_OK;
	}
	question = explain_question(record);
	answer = decide(decider, question, &status);
	json_decref(question);
	if (!answer)
		return status;
	labels = labels_of(answer);
	before = plan_text(json_object_get(record, "plan"));
	after = plan_text(labels);
	if (before && after && strcmp(before, after) != 0)
		add_difference(replay, record, answer, before, after);
	free(before);
	free(after);
	json_decref(labels);
	json_decref(answer);
	return STATUS_OK;
}

/* The size for a bar on a terminal; 0: none is drawn. */
static off_t bar_size(FILE *file)
{
	struct stat st;

	return isatty(STDERR_FILENO) && fstat(fileno(file), &st) == 0 ? st.st_size : 0;
}

static int replay_each(const struct decider *decider, struct records *records,
		       struct replay *replay)
{
	off_t size = bar_size(records->file);
	json_t *record;
	int status = STATUS_OK;

	while (!status && (record = next_record(records)) != NULL) {
		status = replay_record(decider, record, replay);
		json_decref(record);
		if (size && replay->calls % BAR_CALLS == 0)
			show_read(records->file, size, false);
	}
	if (size && !status)
		show_read(records->file, size, true);
	return status;
}

static int replay_all(const struct decider *decider)
{
	struct replay replay = { .list = json_array() };
	struct records records;
	int status = records_open(&records, decider->options->explain.replay);

	if (!status)
		status = replay_each(decider, &records, &replay);
	if (records.file)
		records_close(&records);
	if (!status) {
		if (decider->options->json)
			print_json(replay.list);
		else
			show_replay(replay.list);
		fprintf(stderr, "%u calls, %u would go differently, %u cannot be told\n",
			replay.calls, replay.different, replay.skipped);
		status = replay.different ? STATUS_DIFFERENT : STATUS_OK;
	}
	json_decref(replay.list);
	return status;
}

int run_explain(const struct options *options)
{
	const struct explain_options *wanted = &options->explain;
	bool made_up = wanted->to != NULL, past = options->argument != NULL;
	struct decider decider;
	int status;

	if (made_up + past + (wanted->replay != NULL) != 1 || !wanted->replay != !wanted->with)
		return STATUS_USAGE;
	status = decider_init(&decider, options, wanted->replay ? wanted->with : wanted->config);
	if (status)
		return status;
	if (wanted->replay)
		status = replay_all(&decider);
	else if (past)
		status = explain_past(&decider, options->argument);
	else
		status = explain_made_up(&decider);
	decider_done(&decider);
	return status;
}
