/* SPDX-License-Identifier: Apache-2.0 */
/* log_out.h - inside of base: how a finished line leaves the process.
 *
 * Threads: any; each line is one write or one datagram, without a lock.
 */
#ifndef BREAKOUT_BASE_LOG_OUT_H
#define BREAKOUT_BASE_LOG_OUT_H

#include "base/log.h"

#define LOG_LINE_ROOM 2048 /* a line and its NUL; what a peer stretches is cut */

/* `line` is harmless: no control characters, valid length. */
void log_out(enum log_level level, const char *area, const char *line);
void log_out_reset(void); /* looks again what stderr is, and connects again */

/* One JSON object with newline: time, level, area, message, and in `fields` each
 * key=value of the message, as text. Returns its length. */
int log_json(char *ret_text, size_t room, enum log_level level, const char *area, const char *line);

extern const char *log_journal_path; /* for tests: elsewhere */

#endif
