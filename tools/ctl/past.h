/* SPDX-License-Identifier: Apache-2.0 */
/* past.h - one past call, from the files of records. */
#ifndef BREAKOUT_TOOLS_CTL_PAST_H
#define BREAKOUT_TOOLS_CTL_PAST_H

#include <jansson.h>
#include <stdbool.h>

/* Of a record or a running call: by its id, the Call-ID of a side, or its Session-ID. */
bool past_is_call(const json_t *call, const char *id);

/* The last record of that call in the file `path` and the rotated ones beside it. A new
 * reference; NULL after saying that there is none, or why it cannot be read. */
json_t *past_find(const char *path, const char *id);

#endif
