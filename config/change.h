/* SPDX-License-Identifier: Apache-2.0 */
/* change.h - what an action makes of a call's numbers: who calls, who is called,
 * and where a caller is told to go instead.
 */
#ifndef BREAKOUT_CONFIG_CHANGE_H
#define BREAKOUT_CONFIG_CHANGE_H

#include "config/schema.h"

extern const struct kind kind_presented; /* one number to show: a char pointer */
extern const struct kind kind_pick;      /* an enum caller_pick */
extern const struct kind kind_rewrite;   /* a struct config_rewrite, or its `replace` */
extern const struct schema rewrite_schema;
extern const struct kind kind_contact; /* a sip, sips or tel URI with a user */

/* Warns of numbers to show that are nobody's here. After the registrations. */
void change_settle(struct reader *reader);

#endif
