/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - services, their rules and actions. */
#ifndef BREAKOUT_CONFIG_SERVICE_H
#define BREAKOUT_CONFIG_SERVICE_H

#include "config/schema.h"

/* A mapping from name to service; needs the trunks to be read already. */
extern const struct kind kind_services;
extern const struct schema service_schema; /* what a service may say */
extern const struct kind kind_sound;       /* a const struct config_sound * */

/* ". Did you mean `x`?" for a name that is none. */
const char *service_suggestion(struct reader *reader, const char *name);

/* One of them, named; its index is there after services_settle(). */
extern const struct kind kind_service_name;
void services_settle(struct reader *reader);

/* Makes room for the services of `node` (NULL: none) and puts the built-in
 * "loop" at index 0. */
void services_begin(struct reader *reader, const struct node *node);

#endif
