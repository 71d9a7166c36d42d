/* SPDX-License-Identifier: Apache-2.0 */
/* reading.h - a configuration with the files it names, read and judged before
 * anything of it counts, and what came of the last reload.
 *
 * Threads: reading_run() and reading_look() on any, so that a reload keeps no call
 * waiting; the rest on the SIP thread.
 */
#ifndef BREAKOUT_TAS_READING_H
#define BREAKOUT_TAS_READING_H

#include "config/config.h"
#include "media/media.h"
#include "registrar/registrar.h"
#include "tas/admin/reload.h"
#include "tas/sip/tls_files.h"

struct tls_profile;

struct reading {
	const struct config_sources *sources;
	const struct media_sounds *before; /* what need not be read again; may be NULL */
	const struct config *started;      /* from which the daemon was; NULL at the start */
	const struct config *in_force;     /* NULL at the start */
	uint64_t stamp;                    /* of the certificates as they were looked at last */
	int err;                           /* 0, -EINVAL or -ENOMEM; without 0 there is no config */
	struct config *config;             /* NULL also where only certificates were looked at */
	struct media_sounds *sounds;
	struct dtls_identity *identity; /* NULL: none is configured */
	struct ice_servers *servers;    /* NULL: none */
	struct tls_profile *tls;
	struct registrar_cores *cores;
	struct tls_files files;
	struct reload_report report; /* what differs from in_force */
	struct str findings;         /* as of config_load() */
	bool changed;                /* reading_look(): certificates were written */
};

/* Fills a reading whose fields up to `stamp` are set, from the sources. */
void reading_run(struct reading *reading);
/* The same of the certificates of `in_force` alone, if they have been written. */
void reading_look(struct reading *reading);
/* Ends what nobody has taken out of it. */
void reading_done(struct reading *reading);

/* One line of the log for each finding. */
void reading_log_findings(const char *findings);

/* Each key as it is in force, one a line, with where it comes from. */
void reading_print_settings(const struct config *config, struct str *out);

#endif
