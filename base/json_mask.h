/* SPDX-License-Identifier: Apache-2.0 */
/* json_mask.h - a JSON text without the telephone numbers in it. */
#ifndef BREAKOUT_BASE_JSON_MASK_H
#define BREAKOUT_BASE_JSON_MASK_H

#include "base/str.h"

/* Adds the text with every run of JSON_MASK_DIGITS or more digits (and a plus before
 * them) in a string masked as e164_mask() does. Names of members stay, and so do values
 * of those that name no person but a call, a file or a version: id, call_id, call_id_a,
 * call_id_b, session_id, config, recording. What it adds can be read as JSON if `json`
 * can. Any thread. */
void json_mask(struct str *to, const char *json);

#define JSON_MASK_DIGITS 6

#endif
