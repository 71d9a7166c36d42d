/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - what no single value can tell: values that must fit each other. */
#ifndef BREAKOUT_CONFIG_CHECK_H
#define BREAKOUT_CONFIG_CHECK_H

#include "config/schema.h"

/* Also fills in the defaults that depend on other values. */
void check_all(struct reader *reader, const struct node *root);

#endif
