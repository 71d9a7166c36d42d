/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "tools/core/report.h"
#include "tools/core/sample.h"

enum { START_MS = 15000, STOP_MS = 5000 };

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

static void show_log(const struct stage *stage, const char *name)
{
	char path[PATH_MAX + 32], line[512];

	(void)snprintf(path, sizeof(path), "%s/%s", stage->folder, name);
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

static int give_up(const struct stage *stage, const char *what)
{
	(void)fprintf(stderr, "%s%s%s\n", report_colour(stderr, REPORT_BAD), what,
		      report_colour(stderr, REPORT_PLAIN));
	show_log(stage, "core.log");
	show_log(stage, "breakoutd.log");
	return -EIO;
}

static int start_core(struct stage *stage)
{
	char log[PATH_MAX + 16], ports[32], self[PATH_MAX] = "";
	mono_ms until = clock_now() + START_MS;
	json_t *description = NULL;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		return give_up(stage, "no /proc/self/exe to start the core from: mount /proc");
	(void)snprintf(log, sizeof(log), "%s/core.log", stage->folder);
	(void)snprintf(ports, sizeof(ports), "%u-%u", stage->media_min + 500u,
		       stage->media_min + 749u);
	const char *arguments[] = { self,    "run",   "--dir", stage->folder,   "--no-answer",
				    "700ms", "--ttl", "60s",   "--media-ports", ports,
				    NULL };
	stage->core = start(log, arguments);
	while (stage->core > 0 && clock_now() < until && !*stage->stop) {
		description = client_description(stage->folder);
		if (description)
			break;
		if (has_died(stage->core)) {
			stage->core = 0;
			break;
		}
		nap();
	}
	if (!description)
		return give_up(stage, "the simulated core did not start");
	json_decref(description);
	return client_open(&stage->client, stage->folder)
		       ? give_up(stage, "no answer from the core")
		       : 0;
}

static int write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	int err = file && fputs(text, file) >= 0 ? 0 : -EIO;

	if (file && fclose(file) != 0)
		err = -EIO;
	return err;
}

static int write_config(struct stage *stage, const char *path, json_t **ret_numbers)
{
	struct sample_options sample = {
		.folder = stage->folder,
		.sip_port = free_port(SOCK_STREAM),
		.trunk_port = free_port(SOCK_DGRAM),
		.media_min = stage->media_min,
		.media_max = (uint16_t)(stage->media_min + 249),
		.samples = stage->samples,
		.profile = stage->profile,
		.closed = stage->closed,
	};
	json_t *description = client_description(stage->folder);
	char *text = sample_text(description, &sample), uri[96];
	int err = text ? write_text(path, text) : -EIO;

	(void)snprintf(uri, sizeof(uri), "sip:%s:%u;transport=udp",
		       report_text(description, "address"), sample.trunk_port);
	json_decref(client_ask(stage->client, json_pack("{s:s, s:s}", "do", "trunk", "uri", uri)));
	if (!err)
		*ret_numbers = sample_numbers(text);
	json_decref(description);
	free(text);
	return err;
}

static int wait_registered(struct stage *stage, json_t *numbers)
{
	mono_ms until = clock_now() + START_MS;

	while (clock_now() < until && !*stage->stop) {
		json_t *answer = client_ask(stage->client,
					    json_pack("{s:s, s:O, s:i}", "do", "wait-registered",
						      "numbers", numbers, "timeout_ms", 250));
		bool registered = json_is_true(json_object_get(answer, "ok"));

		json_decref(answer);
		if (registered)
			return 0;
		if (has_died(stage->daemon)) {
			stage->daemon = 0;
			return give_up(stage, "breakoutd did not start");
		}
	}
	return give_up(stage, "breakoutd did not register its numbers");
}

static int start_daemon(struct stage *stage)
{
	char config[PATH_MAX + 32], log[PATH_MAX + 32];
	mono_ms before = clock_now();
	json_t *numbers = NULL;
	int err;

	(void)snprintf(config, sizeof(config), "%s/breakoutd.yaml", stage->folder);
	(void)snprintf(log, sizeof(log), "%s/breakoutd.log", stage->folder);
	if (write_config(stage, config, &numbers))
		return give_up(stage, "cannot write the configuration");
	const char *arguments[] = { stage->breakoutd, "--config", config, NULL };
	stage->daemon = start(log, arguments);
	err = wait_registered(stage, numbers);
	if (!err)
		(void)printf("%zu numbers registered after %lld ms\n\n", json_array_size(numbers),
			     (long long)(clock_now() - before));
	json_decref(numbers);
	return err;
}

int stage_begin(struct stage *stage)
{
	int err = start_core(stage);

	return err ? err : start_daemon(stage);
}

void stage_end(struct stage *stage)
{
	client_close(stage->client);
	stop(stage->daemon);
	stop(stage->core);
	*stage = (struct stage){ 0 };
}
