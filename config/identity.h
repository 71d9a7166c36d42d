/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h - what a trunk, or the core, is believed and told about who calls. */
#ifndef BREAKOUT_CONFIG_IDENTITY_H
#define BREAKOUT_CONFIG_IDENTITY_H

#include "config/schema.h"

extern const struct kind kind_identity; /* a struct config_identity */
extern const struct schema identity_schema;
extern const struct schema identity_core_schema; /* of core.sbc, in a struct config */

/* `allow_headers` of `path` may not name a header that says who calls: privacy is kept by
 * `identity` alone. NULL node: nothing to check. */
void identity_check_allowed(struct reader *reader, const char *path, const struct node *node);
/* National numbers need a country. NULL node: as above. */
void identity_check_format(struct reader *reader, const char *path, const struct node *node);

#endif
