/* SPDX-License-Identifier: Apache-2.0 */
/* flow.h - a part of a tree as people read it: YAML on one line. */
#ifndef BREAKOUT_CONFIG_FLOW_H
#define BREAKOUT_CONFIG_FLOW_H

#include "base/str.h"
#include "config/tree.h"

/* Adds the node. Passwords in URLs, and what stands after a key that ends in
 * password, secret or token, are added as ***. */
void flow_add(struct str *out, const struct node *node);
/* Adds one value, quoted where YAML would take it for something else. */
void flow_add_text(struct str *out, const char *text);

#endif
