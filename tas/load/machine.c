/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/load/machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"

static uint64_t now_ns(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_MONOTONIC, &now) == 0
		       ? (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec
		       : 0;
}

/* What a file of /proc or /sys says, cut to fit; "" if it cannot be read. */
static void read_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, room - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* ---- threads ---- */

static int open_schedstat(const char *tid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/task/%.16s/schedstat", tid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool is_media(const char *tid)
{
	char path[64], name[32];

	(void)snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", tid);
	read_text(path, name, sizeof(name));
	return strncmp(name, "media", 5) == 0;
}

static void find_media(struct machine *machine)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;

	while (tasks && (task = readdir(tasks)) && machine->media_count < MACHINE_MEDIA_MAX)
		if (task->d_name[0] != '.' && is_media(task->d_name))
			machine->media[machine->media_count++].fd = open_schedstat(task->d_name);
	if (tasks)
		closedir(tasks);
}

/* Which cgroup (version 2) we are in: "0::/system.slice/breakout.service". */
static void find_cgroup(struct machine *machine)
{
	char text[PATH_MAX], *path, *end;
	int n;

	read_text("/proc/self/cgroup", text, sizeof(text));
	path = strstr(text, "0::/");
	if (!path)
		return;
	path += 3;
	end = strchr(path, '\n');
	if (end)
		*end = '\0';
	n = snprintf(machine->cgroup, sizeof(machine->cgroup), CGROUPS "%s", path);
	if (n < 0 || (size_t)n >= sizeof(machine->cgroup))
		machine->cgroup[0] = '\0';
}

void machine_init(struct machine *machine)
{
	*machine = (struct machine){ 0 };
	find_media(machine);
	find_cgroup(machine);
}

void machine_done(struct machine *machine)
{
	while (machine->media_count > 0) {
		int fd = machine->media[--machine->media_count].fd;

		if (fd >= 0)
			close(fd);
	}
}

/* The first number is the time on a core, in ns: Documentation/scheduler/
 * sched-stats.rst of the kernel. */
static uint64_t ran_ns(const struct machine_thread *thread)
{
	char text[96];
	ssize_t n = thread->fd < 0 ? -1 : pread(thread->fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtoull(text, NULL, 10);
}

/* How much of the time a counter has moved, and where it is now. */
static unsigned moved_percent(uint64_t *counter, uint64_t now, uint64_t elapsed)
{
	uint64_t moved = now > *counter ? now - *counter : 0;

	*counter = now;
	if (elapsed == 0)
		return 0;
	return moved >= elapsed ? 100 : (unsigned)(moved * 100 / elapsed);
}

void machine_busy(struct machine *machine, uint64_t idle_ns, unsigned *ret_sip, unsigned *ret_media)
{
	uint64_t now = now_ns();
	uint64_t elapsed = machine->at_ns ? now - machine->at_ns : 0;
	unsigned idle = moved_percent(&machine->idle_ns, idle_ns, elapsed);

	machine->at_ns = now;
	*ret_sip = elapsed ? 100 - idle : 0;
	*ret_media = 0;
	for (size_t i = 0; i < machine->media_count; i++) {
		struct machine_thread *thread = &machine->media[i];
		unsigned percent = moved_percent(&thread->ran_ns, ran_ns(thread), elapsed);

		if (percent > *ret_media)
			*ret_media = percent;
	}
}

/* ---- memory ---- */

/* The number after a word at the beginning of a line; 0 if there is none. */
static uint64_t number_after(const char *text, const char *word)
{
	size_t length = strlen(word);

	while (text && *text) {
		if (strncmp(text, word, length) == 0)
			return strtoull(text + length, NULL, 10);
		text = strchr(text, '\n');
		text += text != NULL;
	}
	return 0;
}

static unsigned percent_of(uint64_t used, uint64_t all)
{
	return used >= all ? 100 : (unsigned)(used * 100 / all);
}

unsigned machine_meminfo_percent(const char *meminfo)
{
	uint64_t total = number_after(meminfo, "MemTotal:");
	uint64_t available = number_after(meminfo, "MemAvailable:");

	return !total || available > total ? 0 : percent_of(total - available, total);
}

/* What is not backed by a file: the rest can be given back. */
unsigned machine_cgroup_percent(const char *max, const char *stat)
{
	uint64_t limit = strtoull(max, NULL, 10); /* "max": none */

	return limit ? percent_of(number_after(stat, "anon "), limit) : 0;
}

static unsigned cgroup_percent(const struct machine *machine)
{
	char path[PATH_MAX + 16], max[64], stat[4096];

	if (!machine->cgroup[0])
		return 0;
	(void)snprintf(path, sizeof(path), "%s/memory.max", machine->cgroup);
	read_text(path, max, sizeof(max));
	(void)snprintf(path, sizeof(path), "%s/memory.stat", machine->cgroup);
	read_text(path, stat, sizeof(stat));
	return machine_cgroup_percent(max, stat);
}

unsigned machine_memory(const struct machine *machine)
{
	unsigned ours = cgroup_percent(machine), all;
	char text[2048];

	read_text("/proc/meminfo", text, sizeof(text));
	all = machine_meminfo_percent(text);
	return ours > all ? ours : all;
}

/* ---- file descriptors ---- */

/* Linux 6.2 and later say in st_size how many are open. Before, the lowest free one
 * tells: the kernel always gives that out. */
static uint64_t open_files(void)
{
	struct stat st;
	int fd;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		return (uint64_t)st.st_size;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return UINT64_MAX;
	close(fd);
	return (uint64_t)fd;
}

unsigned machine_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return 0;
	return percent_of(open_files(), limit.rlim_cur);
}
