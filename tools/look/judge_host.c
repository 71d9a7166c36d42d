/* SPDX-License-Identifier: Apache-2.0 */
/* judge_host.c - what the machine gives us. */
#include "tools/look/finding.h"

#define FILES_HIGH   80 /* percent of the limit */
#define FILES_OUT    95
#define MEMORY_LOW   10 /* percent of the machine's that is available */
#define MEMORY_OUT   3
#define DISK_LOW     10 /* percent that is free */
#define DISK_OUT     3
#define KIB_IN_BYTES 1024

bool judge_files(const struct look *look, struct finding *finding)
{
	const json_t *process = json_object_get(look->status, "process");
	long long files = look_number(process, "files"), most = look_number(process, "files_max");

	if (!most)
		return false;
	if (files * 100 > most * FILES_HIGH)
		finding_say(finding, files * 100 > most * FILES_OUT ? LOOK_CRITICAL : LOOK_WARNING,
			    "systemctl edit breakout # LimitNOFILE=",
			    "%lld of %lld are open: calls fail when none is left", files, most);
	finding_say(finding, LOOK_OK, "", "%lld of %lld open", files, most);
	return true;
}

bool judge_memory(const struct look *look, struct finding *finding)
{
	long long all = look->host.memory_total_kib, left = look->host.memory_available_kib;
	long long mine_kib =
		look_number(json_object_get(look->status, "process"), "rss_bytes") / KIB_IN_BYTES;

	if (!all)
		return false;
	if (left * 100 < all * MEMORY_LOW)
		finding_say(finding, left * 100 < all * MEMORY_OUT ? LOOK_CRITICAL : LOOK_WARNING,
			    "ps -eo rss,pid,comm --sort=-rss | head",
			    "the machine has %lld of %lld MiB left, breakoutd uses %lld",
			    left / 1024, all / 1024, mine_kib / 1024);
	if (look->status)
		finding_say(finding, LOOK_OK, "", "breakoutd uses %lld MiB, %lld MiB are available",
			    mine_kib / 1024, left / 1024);
	else
		finding_say(finding, LOOK_OK, "", "%lld MiB are available", left / 1024);
	return true;
}

bool judge_disks(const struct look *look, struct finding *finding)
{
	const struct look_disk *disks = look->host.disks;
	int least = 100;

	if (!disks[0].path)
		return false;
	for (size_t i = 0; i < LOOK_DISKS_MAX && disks[i].path; i++) {
		if (disks[i].free_percent < least)
			least = disks[i].free_percent;
		if (disks[i].free_percent < DISK_LOW)
			finding_say(finding,
				    disks[i].free_percent < DISK_OUT ? LOOK_CRITICAL : LOOK_WARNING,
				    "df -h", "%d %% free where %s is (%s)", disks[i].free_percent,
				    disks[i].key, disks[i].path);
	}
	finding_say(finding, LOOK_OK, "", "at least %d %% free where we write", least);
	return true;
}

bool judge_clock(const struct look *look, struct finding *finding)
{
	if (!look->host.clock_known)
		return false;
	if (!look->host.clock_synced)
		finding_say(finding, LOOK_WARNING, "timedatectl",
			    "the kernel says that nobody synchronises it: certificates, tokens and "
			    "records go by it");
	finding_say(finding, LOOK_OK, "", "synchronised");
	return true;
}
