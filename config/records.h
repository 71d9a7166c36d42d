/* SPDX-License-Identifier: Apache-2.0 */
/* records.h - what becomes of call records. */
#ifndef BREAKOUT_CONFIG_RECORDS_H
#define BREAKOUT_CONFIG_RECORDS_H

#include "config/schema.h"

extern const struct schema records_schema; /* reads into a struct config */

/* What its values say together; `at` is where `records` stands. */
void records_check(struct reader *reader, struct place at);

#endif
