/* SPDX-License-Identifier: Apache-2.0 */
/* e164.h - telephone numbers: checking, comparing, masking (ITU-T E.164). */
#ifndef BREAKOUT_BASE_E164_H
#define BREAKOUT_BASE_E164_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

#define E164_ROOM 17 /* '+', 15 digits, NUL */

/* "+" and 3 to 15 digits that do not start with 0. */
bool e164_valid(const char *text);

/* "+4799000001" -> 4799000001; 0 if not valid. A number's compact key. */
uint64_t e164_pack(const char *text);
#define E164_PACKED_MAX ((1ull << 50) - 1) /* all are below 10^15 */
void e164_unpack(uint64_t packed, char ret_text[static E164_ROOM]);

/* Whether e164_pack() can have made it. */
bool e164_packed(uint64_t packed);

/* Whether a number's digits begin with these, and go on. */
bool e164_begins(uint64_t packed, const char *digits);

/* Masks all but the first digits (country code and a little more) and the last two:
 * "+4799000012" -> "+4799***12", "112" -> "112" (up to 4 digits stay),
 * anything else keeps first two and last two characters. Always NUL-ended. */
void e164_mask(const char *number, char *ret_masked, size_t room);
/* The same for a name that may be a number: what has other characters than
 * digits and a plus stays. */
void e164_mask_name(const char *name, char *ret_masked, size_t room);

#endif
