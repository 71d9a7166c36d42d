/* SPDX-License-Identifier: Apache-2.0 */
/* added_set.h - numbers that were added while we run, in memory: 16 bytes each, in order.
 *
 * What they say beside the number is said by many of them and kept once. No thread and no
 * lock of its own.
 */
#ifndef BREAKOUT_REGISTRAR_ADDED_SET_H
#define BREAKOUT_REGISTRAR_ADDED_SET_H

#include "registrar/registrar.h"

#define ADDED_MAX 2000000u /* as many as may be configured */

/* How numbers are to be registered. */
struct added_terms {
	char *service, *tenant;
	uint8_t route_type;
};

struct added_number {
	uint64_t number;
	uint32_t since_s;    /* of the wall clock; until 2106 */
	uint16_t terms, who; /* by index */
};
_Static_assert(sizeof(struct added_number) == 16, "a million take 16 MB");

/* Zero-initialise. */
struct added_set {
	struct added_number *list; /* ascending, distinct */
	size_t count;
	struct added_terms *terms; /* for good: indices stay */
	size_t terms_count;
	char **whos;
	size_t who_count;
};
void added_set_done(struct added_set *set);

/* The index of equal terms or of a name, copied on first sight. 0, -ENOMEM or -ENOSPC. */
int added_set_terms(struct added_set *set, enum route_type route_type, const char *service,
		    const char *tenant, uint16_t *ret_terms) MUST_CHECK;
int added_set_who(struct added_set *set, const char *who, uint16_t *ret_who) MUST_CHECK;

/* NULL: it is not there. Borrowed until the next change. */
const struct added_number *added_set_find(const struct added_set *set, uint64_t number);
void added_set_describe(const struct added_set *set, const struct added_number *number,
			struct reg_added *ret_added);

/* What becomes of one number. */
struct added_step {
	enum reg_change change;
	struct added_number number; /* removed: as it was; else as it will be */
};
/* All of them at once: steps ascending, distinct; a number that is there is changed,
 * whatever its step calls it. 0, or -ENOMEM and nothing has changed. */
int added_set_apply(struct added_set *set, const struct added_step *steps, size_t count) MUST_CHECK;

#endif
