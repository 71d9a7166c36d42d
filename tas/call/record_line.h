/* SPDX-License-Identifier: Apache-2.0 */
/* record_line.h - inside of tas/call: the JSON line of a call, and its tools.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_CALL_RECORD_LINE_H
#define BREAKOUT_TAS_CALL_RECORD_LINE_H

#include "tas/call/call_state.h"
#include "tas/call/cdr_open.h"

/* Raised when a member changes its meaning or goes; new ones come without. */
#define RECORD_SCHEMA 1

#define RECORD_GOES_ON (-1)

/* The whole record, without newline, which the caller frees; NULL: no memory. `now` is the
 * call's end, or RECORD_GOES_ON: then it has the gaps of cdr_open.h. */
char *record_line(const struct call *call, const struct ending *ending, mono_ms now) MUST_CHECK;
/* To the room's file, which there is. */
void record_write(const struct call *call, const struct ending *ending, mono_ms now);

void record_add_text(struct str *json, const char *name, const char *value); /* ,"name":"value" */
const char *record_text_or(const char *text, const char *instead); /* NULL and "" are none */
const char *record_media_name(const struct call *call);
long long record_span(mono_ms from, mono_ms to); /* ms; -1 while one of them never came */

#endif
