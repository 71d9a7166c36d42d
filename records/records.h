/* SPDX-License-Identifier: Apache-2.0 */
/* records.h - the door to the records room: what becomes of call records once they are
 * on disk.
 *
 * It follows the file of records and puts each into a database, to a webhook, or both;
 * it removes what is too old and masks what is old enough. It knows that file, not calls:
 * whoever is away (a database, a server) is caught up with from there, so that no record
 * is lost and none is a row twice.
 *
 * Threads: one of its own; create and destroy from one other.
 */
#ifndef BREAKOUT_RECORDS_RECORDS_H
#define BREAKOUT_RECORDS_RECORDS_H

#include "base/macros.h"
#include "config/config.h"

struct records; /* opaque */

/* `spool` is the file of records; `node` who writes it, where several share a database
 * (NULL: this machine's name); `config` is copied. 0, -ENOMEM, -EAGAIN (no thread). */
int records_create(struct records **ret_records, const char *spool, const char *node,
		   const struct config_records *config) MUST_CHECK;
/* What is in the file goes to the database first, if that can be reached. NULL is fine;
 * returns NULL. */
struct records *records_destroy(struct records *records);

#endif
