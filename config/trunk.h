/* SPDX-License-Identifier: Apache-2.0 */
/* trunk.h - the PBXs a call may be dialled to. */
#ifndef BREAKOUT_CONFIG_TRUNK_H
#define BREAKOUT_CONFIG_TRUNK_H

#include "config/schema.h"

extern const struct kind kind_media;      /* enum media_kind */
extern const struct kind kind_latching;   /* enum latching */
extern const struct kind kind_trunk;      /* one trunk, defined */
extern const struct schema trunk_schema;  /* what it may say */
extern const struct kind kind_trunk_name; /* one of them, named; a size_t index */

/* Once all is read: what they say of media.address. */
void trunks_check_addresses(struct reader *reader);

#endif
