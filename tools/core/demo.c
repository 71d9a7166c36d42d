/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/macros.h"
#include "tools/core/client.h"
#include "tools/core/report.h"
#include "tools/core/sample.h"

enum { START_MS = 15000, STOP_MS = 5000 };

#define OUTSIDER "+4790000099"

/* What is done, and what must come of it. */
static const struct scenario {
	const char *name, *from, *to;
	const char *callee, *pbx; /* what they do when called; NULL: as before */
	int callee_ring_ms, pbx_ring_ms;
	bool from_pbx;
	const char *plan, *legs, *answered_by, *verdict;
	int status;
	const char *trace; /* a message that must have been seen; NULL none */
	int trace_leg;
} scenarios[] = {
	{ .name = "LOOP, from the subscriber",
	  .from = "+4799000001",
	  .to = OUTSIDER,
	  .callee = "answer",
	  .callee_ring_ms = 200,
	  .plan = "loop",
	  .legs = "1234",
	  .answered_by = "phone",
	  .verdict = "two-way",
	  .status = 200,
	  .trace = "INVITE sip:+0090",
	  .trace_leg = 0 },
	{ .name = "LOOP, to the subscriber",
	  .from = OUTSIDER,
	  .to = "+4799000001",
	  .callee = "answer",
	  .callee_ring_ms = 200,
	  .plan = "loop",
	  .legs = "1234",
	  .answered_by = "phone",
	  .verdict = "two-way",
	  .status = 200 },
	{ .name = "LOOP_MO, from the subscriber",
	  .from = "+4799000002",
	  .to = OUTSIDER,
	  .callee = "answer",
	  .callee_ring_ms = 200,
	  .plan = "loop",
	  .legs = "1234",
	  .answered_by = "phone",
	  .verdict = "two-way",
	  .status = 200 },
	{ .name = "LOOP_MO, to the subscriber: not looped",
	  .from = OUTSIDER,
	  .to = "+4799000002",
	  .callee = "answer",
	  .callee_ring_ms = 200,
	  .plan = "native",
	  .legs = "14",
	  .answered_by = "phone",
	  .verdict = "two-way",
	  .status = 200 },
	{ .name = "LOOP_MT, to the subscriber",
	  .from = OUTSIDER,
	  .to = "+4799000003",
	  .callee = "answer",
	  .callee_ring_ms = 200,
	  .plan = "loop",
	  .legs = "1234",
	  .answered_by = "phone",
	  .verdict = "two-way",
	  .status = 200 },
	{ .name = "LOOP_MT, from the subscriber: not looped",
	  .from = "+4799000003",
	  .to = OUTSIDER,
	  .callee = "answer",
	  .callee_ring_ms = 200,
	  .plan = "native",
	  .legs = "14",
	  .answered_by = "phone",
	  .verdict = "two-way",
	  .status = 200 },
	{ .name = "FORK, answered by the PBX",
	  .from = OUTSIDER,
	  .to = "+4799000004",
	  .callee = "no-answer",
	  .pbx = "answer",
	  .pbx_ring_ms = 300,
	  .plan = "fork",
	  .legs = "123",
	  .answered_by = "pbx",
	  .verdict = "two-way",
	  .status = 200,
	  .trace = "CANCEL",
	  .trace_leg = 2 },
	{ .name = "FORK, answered by the mobile",
	  .from = OUTSIDER,
	  .to = "+4799000004",
	  .callee = "answer",
	  .callee_ring_ms = 300,
	  .pbx = "no-answer",
	  .plan = "fork",
	  .legs = "123",
	  .answered_by = "phone",
	  .verdict = "two-way",
	  .status = 200,
	  .trace = "CANCEL",
	  .trace_leg = 3 },
	{ .name = "FALLBACK, mobile busy",
	  .from = OUTSIDER,
	  .to = "+4799000005",
	  .callee = "busy",
	  .pbx = "answer",
	  .pbx_ring_ms = 200,
	  .plan = "fallback",
	  .legs = "123",
	  .answered_by = "pbx",
	  .verdict = "two-way",
	  .status = 200,
	  .trace = "486 ",
	  .trace_leg = 2 },
	{ .name = "FALLBACK, mobile does not answer",
	  .from = OUTSIDER,
	  .to = "+4799000005",
	  .callee = "no-answer",
	  .pbx = "answer",
	  .pbx_ring_ms = 200,
	  .plan = "fallback",
	  .legs = "123",
	  .answered_by = "pbx",
	  .verdict = "two-way",
	  .status = 200,
	  .trace = "CANCEL",
	  .trace_leg = 2 },
	{ .name = "INGRESS, from the PBX",
	  .from = "+4722000000",
	  .to = "+4799000006",
	  .from_pbx = true,
	  .callee = "answer",
	  .callee_ring_ms = 200,
	  .plan = "ingress",
	  .legs = "34",
	  .answered_by = "phone",
	  .verdict = "two-way",
	  .status = 200 },
	{ .name = "LOOP, the service rejects",
	  .from = OUTSIDER,
	  .to = "+4799000007",
	  .plan = "loop",
	  .legs = "12",
	  .answered_by = "",
	  .verdict = "",
	  .status = 603 },
	{ .name = "LOOP, the service answers with an echo",
	  .from = OUTSIDER,
	  .to = "+4799000008",
	  .plan = "loop",
	  .legs = "12",
	  .answered_by = "tas",
	  .verdict = "echo",
	  .status = 200 },
	{ .name = "LOOP, the service answers with a tone",
	  .from = OUTSIDER,
	  .to = "+4799000009",
	  .plan = "loop",
	  .legs = "12",
	  .answered_by = "tas",
	  .verdict = "tone 425 Hz",
	  .status = 200 },
};

struct demo {
	const struct demo_options *options;
	char folder[PATH_MAX];
	pid_t core, daemon;
	struct client *client;
	uint16_t media_min;
	struct {
		const char *name, *verdict;
		bool passed;
		json_int_t ring_ms, answer_ms;
		char why[160], audio[64];
	} rows[ARRAY_SIZE(scenarios)];
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

/* The child dies with us, however we die. */
static pid_t start(const char *log, const char *const *arguments)
{
	pid_t parent = getpid(), child = fork();

	if (child)
		return child;
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd >= 0) {
		(void)dup2(fd, STDOUT_FILENO);
		(void)dup2(fd, STDERR_FILENO);
	}
	execv(arguments[0], (char *const *)arguments);
	dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], strerror(errno));
	_exit(127);
}

static bool has_died(pid_t child)
{
	return waitpid(child, NULL, WNOHANG) == child;
}

static void stop(pid_t child)
{
	mono_ms until = clock_now() + STOP_MS;

	if (child <= 0)
		return;
	(void)kill(child, SIGTERM);
	while (clock_now() < until) {
		if (has_died(child))
			return;
		nap();
	}
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
}

static uint16_t free_port(int type)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		address.sin_port = 0; /* breakoutd will say what is wrong with it */
	if (fd >= 0)
		(void)close(fd);
	return ntohs(address.sin_port);
}

static void show_log(const struct demo *demo, const char *name)
{
	char path[PATH_MAX + 32], line[512];

	(void)snprintf(path, sizeof(path), "%s/%s", demo->folder, name);
	FILE *file = fopen(path, "re");
	if (!file)
		return;
	(void)fseek(file, 0, SEEK_END);
	long size = ftell(file);
	(void)fseek(file, size > 3000 ? size - 3000 : 0, SEEK_SET);
	(void)fprintf(stderr, "---- end of %s\n", path);
	while (fgets(line, sizeof(line), file))
		(void)fputs(line, stderr);
	(void)fclose(file); /* was only read */
}

static int give_up(const struct demo *demo, const char *what)
{
	(void)fprintf(stderr, "%s%s%s\n", report_colour(stderr, REPORT_BAD), what,
		      report_colour(stderr, REPORT_PLAIN));
	show_log(demo, "core.log");
	show_log(demo, "breakoutd.log");
	return -EIO;
}

static int start_core(struct demo *demo)
{
	char log[PATH_MAX + 16], ports[32], self[PATH_MAX] = "";
	mono_ms until = clock_now() + START_MS;
	json_t *description = NULL;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		return give_up(demo, "no /proc/self/exe to start the core from: mount /proc");
	(void)snprintf(log, sizeof(log), "%s/core.log", demo->folder);
	(void)snprintf(ports, sizeof(ports), "%u-%u", demo->media_min + 500u,
		       demo->media_min + 999u);
	const char *arguments[] = { self,    "run",   "--dir", demo->folder,    "--no-answer",
				    "700ms", "--ttl", "60s",   "--media-ports", ports,
				    NULL };
	demo->core = start(log, arguments);
	while (demo->core > 0 && clock_now() < until && !interrupted) {
		description = client_description(demo->folder);
		if (description)
			break;
		if (has_died(demo->core)) {
			demo->core = 0;
			break;
		}
		nap();
	}
	if (!description)
		return give_up(demo, "the simulated core did not start");
	json_decref(description);
	return client_open(&demo->client, demo->folder) ? give_up(demo, "no answer from the core")
							: 0;
}

static int write_config(struct demo *demo, const char *path)
{
	struct sample_options sample = {
		.folder = demo->folder,
		.sip_port = free_port(SOCK_STREAM),
		.trunk_port = free_port(SOCK_DGRAM),
		.media_min = demo->media_min,
		.media_max = (uint16_t)(demo->media_min + 499),
	};
	json_t *description = client_description(demo->folder);
	char *text = sample_text(description, &sample), uri[96];
	FILE *file = fopen(path, "we");
	int err = text && file && fputs(text, file) >= 0 ? 0 : -EIO;

	(void)snprintf(uri, sizeof(uri), "sip:%s:%u;transport=udp",
		       report_text(description, "address"), sample.trunk_port);
	json_decref(client_ask(demo->client, json_pack("{s:s, s:s}", "do", "trunk", "uri", uri)));
	if (file && fclose(file) != 0)
		err = -EIO;
	json_decref(description);
	free(text);
	return err;
}

static int start_daemon(struct demo *demo)
{
	char config[PATH_MAX + 32], log[PATH_MAX + 32];
	mono_ms before = clock_now(), until = before + START_MS;
	bool registered = false;
	json_t *numbers;

	(void)snprintf(config, sizeof(config), "%s/breakoutd.yaml", demo->folder);
	(void)snprintf(log, sizeof(log), "%s/breakoutd.log", demo->folder);
	if (write_config(demo, config))
		return give_up(demo, "cannot write the configuration");
	const char *arguments[] = { demo->options->breakoutd, "--config", config, NULL };
	demo->daemon = start(log, arguments);
	while (!registered && clock_now() < until && !interrupted) {
		json_t *answer = client_ask(
			demo->client, json_pack("{s:s, s:o, s:i}", "do", "wait-registered",
						"numbers", sample_numbers(), "timeout_ms", 250));
		registered = json_is_true(json_object_get(answer, "ok"));
		json_decref(answer);
		if (has_died(demo->daemon)) {
			demo->daemon = 0;
			return give_up(demo, "breakoutd did not start");
		}
	}
	if (!registered)
		return give_up(demo, "breakoutd did not register its numbers");
	numbers = sample_numbers();
	(void)printf("%zu numbers registered after %lld ms\n\n", json_array_size(numbers),
		     (long long)(clock_now() - before));
	json_decref(numbers);
	return 0;
}

static void set_phone(struct demo *demo, const char *number, const char *manner, int ring_ms)
{
	json_decref(client_ask(demo->client,
			       json_pack("{s:s, s:s, s:s, s:i}", "do", "phone", "number", number,
					 "when_called", manner, "ring_ms", ring_ms)));
}

static void set_pbx(struct demo *demo, const char *manner, int ring_ms)
{
	json_decref(client_ask(demo->client, json_pack("{s:s, s:s, s:i}", "do", "pbx",
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

/* "" or the first thing that is not as it should be. */
static void check(const struct scenario *s, const json_t *result, char *ret_why, size_t room)
{
	const json_t *core = json_object_get(result, "core");
	json_int_t status = json_integer_value(json_object_get(result, "status"));
	const char *verdict = report_text(result, "verdict");

	*ret_why = '\0';
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
	else if (strcmp(report_text(result, "answered_by"), s->answered_by) != 0)
		(void)snprintf(ret_why, room, "answered by \"%s\", not %s",
			       report_text(result, "answered_by"), s->answered_by);
	else if (strcmp(verdict, s->verdict) != 0)
		(void)snprintf(ret_why, room, "audio \"%s\", not %s", verdict, s->verdict);
	else if (s->trace && s->trace_leg && !trace_has(core, s->trace_leg, s->trace))
		(void)snprintf(ret_why, room, "no %s on leg %d", s->trace, s->trace_leg);
	else if (!json_is_true(json_object_get(result, "both_ends_hung_up")))
		(void)snprintf(ret_why, room, "the BYE did not reach the other end");
}

static void run_scenario(struct demo *demo, const struct scenario *s)
{
	unsigned n = demo->row_count++;

	if (s->callee)
		set_phone(demo, s->to, s->callee, s->callee_ring_ms);
	if (s->pbx)
		set_pbx(demo, s->pbx, s->pbx_ring_ms);
	json_t *result = client_ask(demo->client, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "do",
							    "call", "from", s->from, "to", s->to,
							    "at", s->from_pbx ? "pbx" : "phone",
							    "talk_ms", 600, "patience_ms", 8000));
	check(s, result, demo->rows[n].why, sizeof(demo->rows[n].why));
	demo->rows[n].name = s->name;
	demo->rows[n].passed = !*demo->rows[n].why;
	demo->rows[n].ring_ms = json_integer_value(json_object_get(result, "ring_ms"));
	demo->rows[n].answer_ms = json_integer_value(json_object_get(result, "answer_ms"));
	(void)snprintf(demo->rows[n].audio, sizeof(demo->rows[n].audio), "%s",
		       report_text(result, "verdict"));
	(void)printf("%s%s%s  %s -> %s   %s%s%s\n", report_colour(stdout, REPORT_STRONG), s->name,
		     report_colour(stdout, REPORT_PLAIN), s->from, s->to,
		     report_colour(stdout, demo->rows[n].passed ? REPORT_GOOD : REPORT_BAD),
		     demo->rows[n].passed ? "ok" : demo->rows[n].why,
		     report_colour(stdout, REPORT_PLAIN));
	report_ladder(stdout, result);
	if (demo->options->verbose || !demo->rows[n].passed)
		report_trace(stdout, result);
	(void)putchar('\n');
	(void)fflush(stdout);
	json_decref(result);
}

static int print_table(const struct demo *demo)
{
	unsigned failed = 0;

	(void)printf("%-42s %8s %8s  %-14s\n", "call", "ring ms", "answer", "audio");
	for (unsigned i = 0; i < demo->row_count; i++) {
		(void)printf("%-42s %8lld %8lld  %-14s %s%s%s\n", demo->rows[i].name,
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
		     "  breakout-core call --dir %s --from " OUTSIDER " --to +4799000001\n"
		     "Press Ctrl-C to stop it.\n",
		     demo->folder, demo->folder);
	while (!interrupted)
		nap();
}

int demo_run(const struct demo_options *options)
{
	struct demo *demo = calloc(1, sizeof(*demo));
	struct sigaction action = { .sa_handler = on_interrupt };
	int failed = 1;

	if (demo)
		demo->options = options;
	if (!demo || open_folder(demo)) {
		(void)fprintf(stderr, "demo: no folder to work in: %s\n", strerror(errno));
		free(demo);
		return 1;
	}
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	/* Another demo beside this one gets other ports. */
	demo->media_min = (uint16_t)(20000 + getpid() % 30 * 1000);
	if (!start_core(demo) && !start_daemon(demo)) {
		for (size_t i = 0; i < ARRAY_SIZE(scenarios) && !interrupted; i++)
			if (!options->only || strcasestr(scenarios[i].name, options->only))
				run_scenario(demo, &scenarios[i]);
		failed = print_table(demo);
		if (options->keep && !interrupted)
			wait_for_person(demo);
	}
	client_close(demo->client);
	stop(demo->daemon);
	stop(demo->core);
	if (options->folder || options->keep || failed)
		(void)printf("files: %s\n", demo->folder);
	else
		remove_folder(demo->folder);
	free(demo);
	return failed;
}
