/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/demo.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/macros.h"
#include "tools/core/report.h"
#include "tools/core/scenario.h"
#include "tools/core/stage.h"

enum { TALK_MS = 400, MESSAGE_MS = 3000 };

struct row {
	const char *name;
	bool passed;
	json_int_t ring_ms, answer_ms;
	char why[160], audio[64];
};

struct demo {
	const struct demo_options *options;
	char folder[PATH_MAX], samples[PATH_MAX];
	struct stage kept; /* with `keep` the first chapter's stays for the person */
	struct row *rows;
	unsigned row_count;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void nap(void)
{
	struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

	(void)nanosleep(&pause, NULL); /* a signal may shorten it */
}

/* "phone" or "pbx": what the one with this number does when it is called. */
static void set_manner(struct client *client, const char *what, const char *number,
		       const char *manner, int ring_ms)
{
	json_decref(
		client_ask(client, json_pack("{s:s, s:s*, s:s, s:i}", "do", what, "number", number,
					     "when_called", manner, "ring_ms", ring_ms)));
}

static bool legs_are(const json_t *core, const char *wanted)
{
	const json_t *leg;
	char present[8] = "";
	size_t i;

	json_array_foreach(json_object_get(core, "legs"), i, leg)
	{
		if (i < sizeof(present) - 1)
			present[i] = (char)('0' + json_integer_value(json_object_get(leg, "leg")));
	}
	return strcmp(present, wanted) == 0;
}

static bool trace_has(const json_t *core, int leg, const char *begin)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(core, "trace"), i, entry)
	{
		if (json_integer_value(json_object_get(entry, "leg")) == leg &&
		    strncmp(report_text(entry, "text"), begin, strlen(begin)) == 0)
			return true;
	}
	return false;
}

/* The caller's number in the P-Asserted-Identity that reaches the callee. */
static void read_shown(const json_t *core, char *ret_number, size_t room)
{
	const json_t *leg, *header;
	size_t i, k;

	*ret_number = '\0';
	json_array_foreach(json_object_get(core, "legs"), i, leg)
	{
		if (json_integer_value(json_object_get(leg, "leg")) != 4)
			continue;
		json_array_foreach(json_object_get(leg, "headers"), k, header)
		{
			const char *name = json_string_value(json_array_get(header, 0));
			const char *value = json_string_value(json_array_get(header, 1));
			const char *user = value ? strchr(value, ':') : NULL;

			if (user && name && strcasecmp(name, "P-Asserted-Identity") == 0)
				(void)snprintf(ret_number, room, "%.*s",
					       (int)strcspn(user + 1, "@>"), user + 1);
		}
	}
}

static size_t count_messages(const struct stage *stage)
{
	char pattern[PATH_MAX + 32];
	glob_t found = { 0 };
	size_t count;

	(void)snprintf(pattern, sizeof(pattern), "%s/mail/*/*.json", stage->folder);
	count = glob(pattern, 0, NULL, &found) ? 0 : found.gl_pathc;
	globfree(&found);
	return count;
}

static bool message_came(const struct stage *stage, size_t before)
{
	mono_ms until = clock_now() + MESSAGE_MS;

	while (clock_now() < until && !interrupted) {
		if (count_messages(stage) > before)
			return true;
		nap();
	}
	return false;
}

/* "" or the first thing of the call's way that is not as it should be. */
static void check_way(const struct scenario *s, const json_t *result, char *ret_why, size_t room)
{
	const json_t *core = json_object_get(result, "core");
	json_int_t status = json_integer_value(json_object_get(result, "status"));

	if (!json_is_true(json_object_get(result, "ok")))
		(void)snprintf(ret_why, room, "%s", report_text(result, "error"));
	else if (strcmp(report_text(core, "plan"), s->plan) != 0)
		(void)snprintf(ret_why, room, "the core's plan is \"%s\", not %s",
			       report_text(core, "plan"), s->plan);
	else if (status != s->status)
		(void)snprintf(ret_why, room, "status %lld (%s), not %d", (long long)status,
			       report_text(result, "reason"), s->status);
	else if (!legs_are(core, s->legs))
		(void)snprintf(ret_why, room, "the legs are not %s", s->legs);
	else if (s->trace && s->trace_leg && !trace_has(core, s->trace_leg, s->trace))
		(void)snprintf(ret_why, room, "no %s on leg %d", s->trace, s->trace_leg);
	else if (!json_is_true(json_object_get(result, "both_ends_hung_up")))
		(void)snprintf(ret_why, room, "the BYE did not reach the other end");
}

/* The same of what people meet. */
static void check_people(const struct scenario *s, const json_t *result, const char *shown,
			 char *ret_why, size_t room)
{
	const char *verdict = report_text(result, "verdict");
	const char *party = report_text(json_object_get(result, "callee"), "party");

	if (strcmp(report_text(result, "answered_by"), s->answered_by) != 0)
		(void)snprintf(ret_why, room, "answered by \"%s\", not %s",
			       report_text(result, "answered_by"), s->answered_by);
	else if (s->party && strcmp(party, s->party) != 0)
		(void)snprintf(ret_why, room, "\"%s\" answered, not %s", party, s->party);
	else if (strcmp(verdict, s->verdict) != 0)
		(void)snprintf(ret_why, room, "audio \"%s\", not %s", verdict, s->verdict);
	else if (s->shown && strcmp(shown, s->shown) != 0)
		(void)snprintf(ret_why, room, "the callee sees \"%s\", not %s", shown, s->shown);
}

static json_t *place_call(struct stage *stage, const struct scenario *s)
{
	if (s->callee)
		set_manner(stage->client, "phone", s->to, s->callee, s->callee_ring_ms);
	if (s->pbx)
		set_manner(stage->client, "pbx", s->pbx_number, s->pbx, s->pbx_ring_ms);
	return client_ask(stage->client,
			  json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "do", "call", "from", s->from,
				    "to", s->to, "at", s->from_pbx ? "pbx" : "phone", "talk_ms",
				    s->talk_ms ? s->talk_ms : TALK_MS, "patience_ms", 8000));
}

static void print_scenario(const struct demo *demo, const struct scenario *s, const struct row *row,
			   const json_t *result, const char *shown)
{
	(void)printf("%s%s%s  %s -> %s   %s%s%s\n", report_colour(stdout, REPORT_STRONG), s->name,
		     report_colour(stdout, REPORT_PLAIN), s->from, s->to,
		     report_colour(stdout, row->passed ? REPORT_GOOD : REPORT_BAD),
		     row->passed ? "ok" : row->why, report_colour(stdout, REPORT_PLAIN));
	report_ladder(stdout, result);
	if (s->shown)
		(void)printf("    the callee sees %s%s%s\n", report_colour(stdout, REPORT_STRONG),
			     shown, report_colour(stdout, REPORT_PLAIN));
	if (s->message && row->passed)
		(void)printf("    the caller's message is in the mailbox\n");
	if (demo->options->verbose || !row->passed)
		report_trace(stdout, result);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static void run_scenario(struct demo *demo, struct stage *stage, const struct scenario *s)
{
	struct row *row = &demo->rows[demo->row_count++];
	size_t messages = count_messages(stage);
	json_t *result = place_call(stage, s);
	char shown[64];

	read_shown(json_object_get(result, "core"), shown, sizeof(shown));
	check_way(s, result, row->why, sizeof(row->why));
	if (!*row->why)
		check_people(s, result, shown, row->why, sizeof(row->why));
	if (!*row->why && s->message && !message_came(stage, messages))
		(void)snprintf(row->why, sizeof(row->why), "no message in the mailbox");
	row->name = s->name;
	row->passed = !*row->why;
	row->ring_ms = json_integer_value(json_object_get(result, "ring_ms"));
	row->answer_ms = json_integer_value(json_object_get(result, "answer_ms"));
	/* A mailbox says nothing while it listens. */
	(void)snprintf(row->audio, sizeof(row->audio), "%s",
		       s->message && row->passed ? "recorded" : report_text(result, "verdict"));
	print_scenario(demo, s, row, result, shown);
	json_decref(result);
}

static bool is_chosen(const struct demo *demo, const struct scenario *s)
{
	return !demo->options->only || strcasestr(s->name, demo->options->only);
}

static bool any_chosen(const struct demo *demo, const struct chapter *chapter)
{
	if (!chapter->sample && demo->options->keep)
		return true;
	if (chapter->sample && !demo->options->samples)
		return false;
	for (size_t i = 0; i < chapter->count; i++)
		if (is_chosen(demo, &chapter->scenarios[i]))
			return true;
	return false;
}

/* A profile has a core of its own too: registrations outlive a daemon. */
static int set_stage(struct demo *demo, struct stage *stage, const struct chapter *chapter)
{
	/* Another demo beside this one gets other ports. */
	uint16_t media_min = (uint16_t)(20000 + getpid() % 30 * 1000);

	*stage = (struct stage){ .breakoutd = demo->options->breakoutd, .stop = &interrupted };
	stage->media_min = (uint16_t)(media_min + (chapter->sample ? 250 : 0));
	if (!chapter->sample) {
		(void)snprintf(stage->folder, sizeof(stage->folder), "%s", demo->folder);
		return 0;
	}
	stage->samples = demo->samples;
	stage->profile = chapter->sample;
	stage->closed = chapter->closed;
	if (snprintf(stage->folder, sizeof(stage->folder), "%s/%s%s", demo->folder, chapter->sample,
		     chapter->closed ? ".closed" : "") >= (int)sizeof(stage->folder))
		return -ENAMETOOLONG;
	return mkdir(stage->folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int run_chapter(struct demo *demo, const struct chapter *chapter)
{
	bool keep = demo->options->keep && !chapter->sample;
	struct stage own = { 0 }, *stage = keep ? &demo->kept : &own;
	int err = set_stage(demo, stage, chapter);

	if (err)
		(void)fprintf(stderr, "demo: %s: %s\n", stage->folder, strerror(-err));
	(void)printf("%s%s%s: %s\n", report_colour(stdout, REPORT_STRONG), chapter->title,
		     report_colour(stdout, REPORT_PLAIN), chapter->about);
	(void)fflush(stdout);
	if (!err)
		err = stage_begin(stage);
	for (size_t i = 0; !err && i < chapter->count && !interrupted; i++)
		if (is_chosen(demo, &chapter->scenarios[i]))
			run_scenario(demo, stage, &chapter->scenarios[i]);
	if (!keep)
		stage_end(stage);
	return err;
}

static int run_chapters(struct demo *demo)
{
	size_t count, calls = 0;
	const struct chapter *chapters = scenario_chapters(&count);
	int err = 0;

	for (size_t i = 0; i < count; i++)
		calls += chapters[i].count;
	demo->rows = calloc(calls + 1, sizeof(demo->rows[0])); /* never none */
	if (!demo->rows)
		return -ENOMEM;
	for (size_t i = 0; !err && i < count && !interrupted; i++)
		if (any_chosen(demo, &chapters[i]))
			err = run_chapter(demo, &chapters[i]);
	return err;
}

static int print_table(const struct demo *demo)
{
	unsigned failed = 0;

	(void)printf("%-45s %8s %8s  %-14s\n", "call", "ring ms", "answer", "audio");
	for (unsigned i = 0; i < demo->row_count; i++) {
		(void)printf("%-45s %8lld %8lld  %-14s %s%s%s\n", demo->rows[i].name,
			     (long long)demo->rows[i].ring_ms, (long long)demo->rows[i].answer_ms,
			     demo->rows[i].audio,
			     report_colour(stdout, demo->rows[i].passed ? REPORT_GOOD : REPORT_BAD),
			     demo->rows[i].passed ? "ok" : demo->rows[i].why,
			     report_colour(stdout, REPORT_PLAIN));
		failed += !demo->rows[i].passed;
	}
	(void)printf("%u passed, %u failed\n", demo->row_count - failed, failed);
	return failed || !demo->row_count;
}

static void remove_folder(const char *folder)
{
	pid_t child = fork();

	if (!child) {
		execl("/bin/rm", "rm", "-rf", "--", folder, (char *)NULL);
		_exit(127);
	}
	if (child > 0)
		(void)waitpid(child, NULL, 0);
}

static int open_folder(struct demo *demo)
{
	const char *folder = demo->options->folder;

	if (folder && mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (folder)
		return realpath(folder, demo->folder) ? 0 : -errno;
	(void)snprintf(demo->folder, sizeof(demo->folder), "/tmp/breakout-demo-XXXXXX");
	return mkdtemp(demo->folder) ? 0 : -errno;
}

static void wait_for_person(const struct demo *demo)
{
	(void)printf("Everything is still running in %s: try\n"
		     "  breakout-core call --dir %s --from +4790000099 --to +4799000001\n"
		     "Press Ctrl-C to stop it.\n",
		     demo->folder, demo->folder);
	while (!interrupted)
		nap();
}

static int open_folders(struct demo *demo)
{
	if (demo->options->samples && !realpath(demo->options->samples, demo->samples))
		return -errno;
	return open_folder(demo);
}

int demo_run(const struct demo_options *options)
{
	struct demo *demo = calloc(1, sizeof(*demo));
	struct sigaction action = { .sa_handler = on_interrupt };
	int failed = 1;

	if (demo)
		demo->options = options;
	if (!demo || open_folders(demo)) {
		(void)fprintf(stderr, "demo: no folder to work in: %s\n", strerror(errno));
		free(demo);
		return 1;
	}
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	if (!run_chapters(demo)) {
		failed = print_table(demo);
		if (options->keep && !interrupted)
			wait_for_person(demo);
	}
	stage_end(&demo->kept);
	if (options->folder || options->keep || failed)
		(void)printf("files: %s\n", demo->folder);
	else
		remove_folder(demo->folder);
	free(demo->rows);
	free(demo);
	return failed;
}
