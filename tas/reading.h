/* SPDX-License-Identifier: Apache-2.0 */
/* reading.h - a configuration with the files it names, read and judged before
 * anything of it counts.
 *
 * Threads: reading_run() on any, so that a reload keeps no call waiting; the rest
 * on the SIP thread.
 */
#ifndef BREAKOUT_TAS_READING_H
#define BREAKOUT_TAS_READING_H

#include "config/config.h"
#include "media/media.h"

struct reading {
	const struct config_sources *sources;
	const struct media_sounds *before; /* what need not be read again; may be NULL */
	int err;                           /* 0, -EINVAL or -ENOMEM; without 0 there is no config */
	struct config *config;
	struct media_sounds *sounds;
	struct dtls_identity *identity; /* NULL: none is configured */
	struct str findings;            /* as of config_load() */
};

/* Fills a reading whose `sources` and `before` are set. */
void reading_run(struct reading *reading);
/* Ends what nobody has taken out of it. */
void reading_done(struct reading *reading);

/* One line of the log for each finding. */
void reading_log_findings(const char *findings);

/* Each key as it is in force, one a line, with where it comes from. */
void reading_print_settings(const struct config *config, struct str *out);

#endif
