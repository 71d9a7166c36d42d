/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static json_int_t cpu_ms(void)
{
	struct timespec used = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used); /* else 0 */
	return (json_int_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* Source: proc(5), the second figure of statm is in pages. */
static json_int_t rss_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	char line[128];
	long long size, resident = 0;

	if (!file)
		return 0;
	if (!fgets(line, sizeof(line), file) || sscanf(line, "%lld %lld", &size, &resident) != 2)
		resident = 0;
	(void)fclose(file); /* only read from */
	return (json_int_t)resident * sysconf(_SC_PAGESIZE);
}

/* "." and ".." and the folder itself are no files of ours. */
static json_int_t count_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	json_int_t count = -3;

	if (!folder)
		return 0;
	while (readdir(folder))
		count++;
	(void)closedir(folder); /* only read from */
	return count;
}

json_t *process_json(void)
{
	struct rlimit files = { 0 };

	(void)getrlimit(RLIMIT_NOFILE, &files); /* else 0 */
	return json_pack("{s:I, s:I, s:I, s:I}", "cpu_ms", cpu_ms(), "rss_bytes", rss_bytes(),
			 "files", count_files(), "files_max", (json_int_t)files.rlim_cur);
}
