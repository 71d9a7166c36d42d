/* SPDX-License-Identifier: Apache-2.0 */
/* numbering.h - inside of tas/service: one number, as we write it (+4799000001)
 * and as a trunk does. Short codes (up to six digits), star codes and texts
 * that are no number stay as they are in both directions.
 */
#ifndef BREAKOUT_TAS_SERVICE_NUMBERING_H
#define BREAKOUT_TAS_SERVICE_NUMBERING_H

#include "config/config.h"

#define NUMBER_ROOM 64 /* bytes; longer text is no number */

/* What a trunk wrote, as we write it; URI parameters behind it ("+47..;npdi")
 * and visual separators (RFC 3966 section 5.1.1) are left out. */
void number_from_peer(const struct config_identity *identity, const char *said,
		      char ret_number[static NUMBER_ROOM]);
/* Ours, as the trunk writes it. */
void number_for_peer(const struct config_identity *identity, const char *number,
		     char ret_said[static NUMBER_ROOM]);

#endif
