/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.h - long lists of numbers in files. */
#ifndef BREAKOUT_CONFIG_NUMBERS_H
#define BREAKOUT_CONFIG_NUMBERS_H

#include "config/schema.h"

/* Reads `{ file: PATH }`, one number a line; what follows a comma is a remark.
 * A file that several rules name is read once. NULL after adding an error. */
const struct config_numbers *numbers_read(struct reader *reader, const struct value *value);

#endif
