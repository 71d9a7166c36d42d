/* SPDX-License-Identifier: Apache-2.0 */
/* tls_files.h - the files that prove who we are and whom we believe: what they hold,
 * whether they changed, and how long they last.
 *
 * Threads: reading is from disk, on any; watching on the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_TLS_FILES_H
#define BREAKOUT_TAS_SIP_TLS_FILES_H

#include <stdint.h>
#include "config/config.h"
#include "tas/sip/tls_describe.h"

enum tls_role {
	TLS_ROLE_SIP,       /* sip.certificate */
	TLS_ROLE_SIP_CA,    /* sip.ca_file */
	TLS_ROLE_CLIENT_CA, /* core.sbc.client_ca */
	TLS_ROLE_MEDIA,     /* media.certificate */
	TLS_ROLE_HTTP,      /* admin.http.certificate */
	TLS_ROLE_API_CA,    /* core.api.ca_file, and that of each tenant */
	TLS_ROLE_COUNT
};
const char *tls_role_name(enum tls_role role); /* "sip": the label of its metric */
/* Several certificates that each count, not one and its chain. */
bool tls_role_is_ca(enum tls_role role);

/* One of each role, then those of tenants. */
#define TLS_FILES (TLS_ROLE_COUNT + CONFIG_TENANTS - 1)

struct tls_file {
	enum tls_role role;
	char *tenant; /* NULL: the file is not of one in the list */
	char *key;    /* "sip.certificate"; NULL: no memory */
	char *path;   /* NULL: none is configured */
	int err;      /* 0, or why `is` says nothing: as of tls_describe() */
	struct tls_certificate is;
};
/* Zeroed is none. */
struct tls_files {
	struct tls_file list[TLS_FILES];
	uint64_t stamp; /* of names, sizes and times of change of them and their keys */
};

/* Reads all of them. A file that cannot be had is no error: it says so. */
void tls_files_read(struct tls_files *ret_files, const struct config *config);
void tls_files_done(struct tls_files *files);

/* tls_files.stamp as it is now; `known` if none of them or of their keys was written.
 * Else it waits, for a second at most, for files that are being written to come to
 * rest, so that a certificate is not taken with the last one's key. */
uint64_t tls_files_stamp(const struct config *config, uint64_t known);

/* After a renewal: moves them from `fresh` to `files`, but for `refused` (a bit for each
 * role whose old ones stay), and writes to ret_changed which of them hold
 * something else than before: "sip, media". */
void tls_files_renew(struct tls_files *files, struct tls_files *fresh, unsigned refused,
		     struct str *ret_changed);

/* What was said about the end of each. Zeroed is nothing. */
struct tls_watch {
	struct tls_said {
		uint64_t whose; /* of those of tenants, which may change places */
		unsigned level; /* of the days that are warned at */
		wall_ms said;
	} files[TLS_FILES];
};
/* Sets breakout_certificate_expires_seconds{file=...}, with a tenant's name where there are
 * several, and says in the log what ends
 * soon: at 30, 14, 7, 3 and 1 days, from 7 on once a day. */
void tls_watch_look(struct tls_watch *watch, const struct tls_files *files, wall_ms now);

#endif
