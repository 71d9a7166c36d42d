/* SPDX-License-Identifier: Apache-2.0 */
/* look.h - the door to tools/look: what the daemon's answers mean to who has to act.
 *
 * Pure: takes JSON as the admin socket says it, and facts about the machine; asks
 * nobody, prints nothing. Threads: the caller's.
 */
#ifndef BREAKOUT_TOOLS_LOOK_LOOK_H
#define BREAKOUT_TOOLS_LOOK_LOOK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define LOOK_DISKS_MAX 4

enum look_level { LOOK_OK, LOOK_WARNING, LOOK_CRITICAL };
const char *look_level_name(enum look_level level); /* "OK" */

/* The configuration as it is on disk. */
struct look_config {
	const char *path;       /* NULL: nobody knows where it is */
	const char *unreadable; /* why, to us; NULL: it was read */
	unsigned errors;        /* findings that make a reload refuse it */
	const char *error;      /* the first of them */
	unsigned changes;       /* keys that are not as in force */
	const char *change;     /* the name of the first */
	unsigned waiting;       /* keys in force from the next start on */
};

/* Calls that ended in the last `minutes`. */
struct look_past {
	bool known;
	unsigned minutes, answered, deaf; /* deaf: one-way or no media at the end */
	char id[32];                      /* of the last deaf one */
};

struct look_disk {
	const char *key;  /* of the configuration: "cdr.file" */
	const char *path; /* NULL: the end of the list */
	int free_percent;
};

struct look_host {
	bool clock_known, clock_synced;
	long long memory_total_kib, memory_available_kib; /* 0: not known */
	struct look_disk disks[LOOK_DISKS_MAX];
};

/* Answers are borrowed; NULL: there is none, and what follows from it is left out. */
struct look {
	const char *program;        /* the version of who asks */
	const char *unreachable;    /* why the daemon is not; NULL: it answered */
	const char *unreachable_do; /* and the next command */
	const json_t *status;
	const json_t *trunks, *certificates, *calls, *metrics, *settings; /* arrays */
	struct look_config config;
	struct look_past past;
	struct look_host host;
};

/* One finding for each subsystem, in the order one would mend them:
 * [{"subsystem", "level", "reason", "next"}], next "" where there is nothing to do.
 * ret_worst: of all. A new reference; NULL: no memory. */
json_t *look_diagnose(const struct look *look, enum look_level *ret_worst);

#endif
