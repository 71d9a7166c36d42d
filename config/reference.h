/* SPDX-License-Identifier: Apache-2.0 */
/* reference.h - the tables as pages for people: docs/configuration.md and the man
 * page breakout.yaml(5). A test compares the pages in the tree with these.
 */
#ifndef BREAKOUT_CONFIG_REFERENCE_H
#define BREAKOUT_CONFIG_REFERENCE_H

#include "base/str.h"

void reference_markdown(struct str *out);
void reference_man(struct str *out);

#endif
