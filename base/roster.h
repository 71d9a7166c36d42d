/* SPDX-License-Identifier: Apache-2.0 */
/* roster.h - numbers for names that come and go.
 *
 * A configuration names its trunks in some order, and the next one in another. A
 * running call says who it is with by a number that must mean the same all its
 * life: a name keeps its number, also when it is gone and comes back, and no other
 * name gets it.
 *
 * Threads: whoever owns it.
 */
#ifndef BREAKOUT_BASE_ROSTER_H
#define BREAKOUT_BASE_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include "base/macros.h"

struct roster_entry {
	char *name;
	size_t place; /* in the list that is in force */
	bool present;
};
/* Zeroed is empty. */
struct roster {
	struct roster_entry *entries; /* by number, own */
	size_t count;
	size_t *numbers; /* by place, own */
	size_t places;
};

/* Takes over a list: name(list, i) for i below count, no two alike. 0, or -ENOMEM
 * and the roster is as before. */
int roster_take(struct roster *roster, const char *(*name)(const void *list, size_t i),
		const void *list, size_t count) MUST_CHECK;
/* Of the name at a place; a place that is none is its own number. */
size_t roster_number(const struct roster *roster, size_t place);
/* Where the name with this number stands now; false: nowhere. */
bool roster_place(const struct roster *roster, size_t number, size_t *ret_place);
void roster_done(struct roster *roster);

#endif
