/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - inside of tas/admin: texts in JSON documents, those of peers and ours. */
#ifndef BREAKOUT_TAS_ADMIN_TEXT_H
#define BREAKOUT_TAS_ADMIN_TEXT_H

#include <jansson.h>

/* A peer's text may be no UTF-8, and jansson takes nothing else: what is no ASCII
 * then becomes "?". A new reference; NULL without memory. */
json_t *text_json(const char *text);

/* What cannot be answered: {"error": sentence}. A new reference; NULL without memory. */
json_t *error_text(const char *sentence);

#endif
