/* SPDX-License-Identifier: Apache-2.0 */
/* tenant.h - targets of the core's API with their credentials, and the prefixes by
 * which their calls are told apart. */
#ifndef BREAKOUT_CONFIG_TENANT_H
#define BREAKOUT_CONFIG_TENANT_H

#include "config/schema.h"

extern const struct schema api_schema;    /* `core.api`; of struct config_api */
extern const struct schema prefix_schema; /* `prefixes`; of struct config */

extern const struct kind kind_tenant; /* one of the list `tenants` */
extern const struct schema tenant_schema;

/* The tenant of this name (NULL: the default one), once the list has been read. False
 * after adding an error. */
bool tenant_resolve(struct reader *reader, struct place at, const char *name, unsigned *ret_index);
/* Names to bits 1 << index in an unsigned. */
void tenant_read_set(struct reader *reader, const struct value *value);

/* All targets and prefixes, against each other. */
void tenants_check(struct reader *reader, const struct node *root);

#endif
