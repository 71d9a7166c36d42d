/* SPDX-License-Identifier: Apache-2.0 */
/* elders.h - inside of tas/admin: what processes that were here before this one add to an
 * answer. Each has a socket of its own beside ours, until its last call has ended.
 *
 * Threads: as answer.h.
 */
#ifndef BREAKOUT_TAS_ADMIN_ELDERS_H
#define BREAKOUT_TAS_ADMIN_ELDERS_H

#include <jansson.h>

/* `elders`: the status's "predecessors". One that says nothing within a second is left out. */

/* Adds their calls to the answer to `calls`, each with its process number. */
void elders_add_calls(json_t *answer, const json_t *elders);
/* `answer` (taken) or, if that is an error, the first of theirs that is none. */
json_t *elders_instead(json_t *take_answer, const json_t *elders, const char *request);

#endif
