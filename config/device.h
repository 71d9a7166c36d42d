/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - soft phones that register with us. */
#ifndef BREAKOUT_CONFIG_DEVICE_H
#define BREAKOUT_CONFIG_DEVICE_H

#include "config/schema.h"

extern const struct kind kind_device;      /* one of the list `devices` */
extern const struct schema device_schema;  /* what it may say */
extern const struct kind kind_device_name; /* its index; needs the list to be read already */

extern const struct kind kind_device_digest; /* enum device_digest */

/* Names, logins and numbers against each other and against the registrations. */
void devices_check(struct reader *reader, const struct node *root);

#endif
