/* SPDX-License-Identifier: Apache-2.0 */
/* consent.h - numbers that the core itself names: those whose owners consent. */
#ifndef BREAKOUT_CONFIG_CONSENT_H
#define BREAKOUT_CONFIG_CONSENT_H

#include "config/schema.h"

/* A mapping into a struct config_consents pointer; at most one in a file. Needs
 * the services to be read already. */
extern const struct kind kind_consents;
extern const struct schema consent_schema;

#endif
