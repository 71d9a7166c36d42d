/* SPDX-License-Identifier: Apache-2.0 */
/* pki.h - a test certificate authority: everything TLS needs, in one folder.
 *
 * root (thrown away after signing) -> intermediate (kept) -> leaf, so that a
 * peer which forgets to send or to read the chain is found out.
 *
 *   ca.pem            the root: what a client has to trust
 *   intermediate.pem  and intermediate.key: sign further leaves
 *   NAME.pem          leaf, then intermediate;  NAME.key its key (mode 0600)
 */
#ifndef BREAKOUT_TOOLS_CORE_PKI_H
#define BREAKOUT_TOOLS_CORE_PKI_H

#include <stddef.h>
#include "base/macros.h"

/* Makes the folder and the authority unless they are there. 0 or -errno with
 * a sentence in error. */
int pki_open(const char *folder, char *error, size_t error_room) MUST_CHECK;

/* Makes FOLDER/NAME.pem and .key for these subject alternative names (DNS
 * names and literal addresses) unless a valid one for all of them is there. */
int pki_issue(const char *folder, const char *name, const char *const *subjects,
	      size_t subject_count, char *error, size_t error_room) MUST_CHECK;

/* A PEM file's text, for libraries that want it in memory; the caller frees it.
 * NULL if it cannot be read or is empty. */
char *pki_read_file(const char *path);

#endif
