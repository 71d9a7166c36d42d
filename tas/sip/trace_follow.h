/* SPDX-License-Identifier: Apache-2.0 */
/* trace_follow.h - inside of the trace: which calls are handed on in full.
 *
 * A story is all that is handed on of one call: it begins with an INVITE that is wanted,
 * or with a call that is; further dialogs join it by the call. It ends when nothing more
 * came for a while after the call.
 *
 * Thread: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_TRACE_FOLLOW_H
#define BREAKOUT_TAS_SIP_TRACE_FOLLOW_H

#include "tas/sip/trace.h"

#define FOLLOW_STORIES_MAX 256 /* at the same time; more are not followed */
/* After a call nothing comes any more: 64 * T1, and some (RFC 3261 17.1.2.2). */
#define FOLLOW_QUIET_MS 40000

struct follow; /* opaque */
struct story;

int follow_create(struct follow **ret_follow, const struct sip_trace_follow *handlers) MUST_CHECK;
struct follow *follow_destroy(struct follow *follow); /* NULL fine */

/* NULL follow is fine from here on. Whether anything is, or may be, followed. */
bool follow_is_active(const struct follow *follow);

/* The story of a call, of a dialog, or NULL. Keys are hashes of their names. */
struct story *follow_of_call(const struct follow *follow, uint64_t call);
struct story *follow_of_dialog(const struct follow *follow, uint64_t dialog);
/* A new one if one of these names is wanted; NULL: none is, or there is no room. */
struct story *follow_begin(struct follow *follow, const char *const names[static SIP_TRACE_NAMES]);
/* True: it is new to the story. */
bool follow_add_dialog(struct follow *follow, struct story *story, uint64_t dialog,
		       const char *call_id);
void follow_set_call(struct follow *follow, struct story *story, uint64_t call, const char *id);
bool follow_has_call(const struct story *story);
void follow_over(struct story *story);
void follow_take(struct follow *follow, struct story *story, const struct sip_trace_entry *entry);

#endif
