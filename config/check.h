/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - what no single value can tell: values that must fit each other. */
#ifndef BREAKOUT_CONFIG_CHECK_H
#define BREAKOUT_CONFIG_CHECK_H

#include "config/schema.h"

/* Also fills in the defaults that depend on other values. */
void check_all(struct reader *reader, const struct node *root);

/* Of an SBC; key: its name. uri NULL: it is not there, or has its finding. */
void check_sbc_uri(struct reader *reader, struct place at, const char *key, const char *uri);

/* Where a dotted key stands, or what it would stand in. */
struct place place_of(const struct node *root, const char *name);

/* Where the kernel tells the ports it hands out itself (ip(7)). Tests name
 * another file, so that they find the same on every machine. */
extern const char *check_local_ports_path;

#endif
