/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - why a call goes where it goes, as a JSON document.
 *
 * The question is JSON too, all members optional:
 *   from, asserted   who calls: From, P-Asserted-Identity
 *   called           the number as dialled; or `to`, as the core writes it, with
 *                    its prefix
 *   direction        "mo" or "mt", for the prefix that `called` gets
 *   at               when: "2026-12-24T18:00", in time_zone, or with Z or +01:00
 *   sender           a trunk's name; or "core"
 *   load             percent of limits.calls
 *   headers          name: value, or null for one that was not there
 *   privacy, emergency   true: the INVITE asked for it in a header
 * A call record has these members, so it is a question about its call.
 *
 * Threads: the one that owns the service room; the command line has one of its own.
 */
#ifndef BREAKOUT_TAS_ADMIN_EXPLAIN_H
#define BREAKOUT_TAS_ADMIN_EXPLAIN_H

#include <jansson.h>
#include "tas/service/service.h"

/* The members of a record that make the question. A new reference. */
json_t *explain_question(const json_t *record);

/* A new reference; {"error": "one sentence"} for a question that makes no sense,
 * NULL without memory. */
json_t *explain(struct service_room *room, const json_t *question);

#endif
