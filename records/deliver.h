/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.h - inside of records: batches of records, signed, to somebody's HTTP server.
 *
 * At least once and in order: the position moves when the server has answered 2xx, and
 * is kept in a file beside that of the records. Who gets a record twice knows it by its
 * id. A server that does not take a batch gets it again after a second, then after twice
 * as long each time, up to five minutes.
 *
 * Threads: the room's. Time is told by the caller.
 */
#ifndef BREAKOUT_RECORDS_DELIVER_H
#define BREAKOUT_RECORDS_DELIVER_H

#include "config/config.h"
#include "hook/hook.h"
#include "records/backoff.h"
#include "records/cursor.h"

#define DELIVER_BYTES ((size_t)512 * 1024) /* of a batch; one record may be more */

struct deliver; /* opaque */

/* Begins with what is written from now on, or goes on where it was. `config` is borrowed
 * while it lives. 0, -ENOMEM, or why the room for HTTP cannot be had. */
int deliver_create(struct deliver **ret_deliver, const char *spool,
		   const struct config_record_hook *config) MUST_CHECK;
struct deliver *deliver_destroy(struct deliver *deliver);           /* waits for no answer */
int deliver_fd(const struct deliver *deliver);                      /* readable: deliver_work() */
const struct cursor *deliver_cursor(const struct deliver *deliver); /* borrowed */
/* True: there may be more at once. */
bool deliver_work(struct deliver *deliver, mono_ms now);

#endif
