/* SPDX-License-Identifier: Apache-2.0 */
/* import.h - the parts of `breakoutctl regs import`. */
#ifndef BREAKOUT_TOOLS_CTL_IMPORT_H
#define BREAKOUT_TOOLS_CTL_IMPORT_H

#include "base/macros.h"
#include "config/config.h"

/* ---- the lines: import_file.c ---- */

/* A file to import as the configuration's reader shall see it: line for line the same,
 * but of an export only what is a line of such a file. */
struct import_lines {
	int fd; /* memory; -1: none */
	char path[32];
	const char *source;      /* whose lines of an export are meant: "config", "api" */
	size_t lines, elsewhere; /* of an export: not ours to import */
};
int import_lines_create(struct import_lines *lines) MUST_CHECK; /* none; 0 or -errno */
/* `source` is set before. others: what else is configured; may be NULL. 0 or -errno. */
int import_lines_read(struct import_lines *lines, const char *file, const struct config *others,
		      bool bar) MUST_CHECK;
void import_lines_done(struct import_lines *lines);

/* The configured file, on its way to another content and perhaps back. */
struct import_target {
	char *path; /* own; without links */
	bool existed;
};
/* Replaces it as a whole, synced, with owner and rights as before (the first time: as
 * `model` has them); what it was is PATH.bak. 0 or -errno. */
int import_replace(struct import_target *target, const char *path, const char *model,
		   const struct import_lines *lines) MUST_CHECK;
/* As it was. 0 or -errno. */
int import_restore(struct import_target *target) MUST_CHECK;
void import_target_done(struct import_target *target);

/* ---- what it changes: import_diff.c ---- */

#define IMPORT_SAMPLES 5

enum import_change { IMPORT_ADDED, IMPORT_CHANGED, IMPORT_REMOVED, IMPORT_UNCHANGED, IMPORT_KINDS };
const char *import_change_name(enum import_change change);

/* What runs against what will. Zero-initialise with the new configuration. */
struct import_diff {
	const struct config *config; /* borrowed */
	size_t next;                 /* of its registrations */
	size_t count[IMPORT_KINDS];
	char samples[IMPORT_KINDS][IMPORT_SAMPLES][240];
};
/* One registration that runs; in number order. */
struct import_running {
	const char *number, *route_type, *service, *tenant;
	bool foreign, leaving; /* not the configuration's; not wanted any more */
};
void import_diff_take(struct import_diff *diff, const struct import_running *running);
void import_diff_end(struct import_diff *diff);
bool import_diff_empty(const struct import_diff *diff);

#endif
