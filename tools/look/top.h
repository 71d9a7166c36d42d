/* SPDX-License-Identifier: Apache-2.0 */
/* top.h - a screen of what goes on now, from two looks at the daemon. Pure, as look.h. */
#ifndef BREAKOUT_TOOLS_LOOK_TOP_H
#define BREAKOUT_TOOLS_LOOK_TOP_H

#include <jansson.h>
#include "base/str.h"

/* As the admin socket says it; `at_ms` of a clock that does not jump. */
struct top_shot {
	const json_t *status, *calls, *trunks, *metrics;
	long long at_ms;
};

/* At most `rows` lines of at most `columns` characters, each ended by a newline, in
 * printable ASCII. `before` NULL: there are no rates yet. */
void top_draw(struct str *to, const struct top_shot *before, const struct top_shot *now,
	      unsigned rows, unsigned columns);

#endif
