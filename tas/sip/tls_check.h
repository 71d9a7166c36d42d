/* SPDX-License-Identifier: Apache-2.0 */
/* tls_check.h - what TLS would say of a configuration, without a listener.
 *
 * Threads: any.
 */
#ifndef BREAKOUT_TAS_SIP_TLS_CHECK_H
#define BREAKOUT_TAS_SIP_TLS_CHECK_H

#include <stddef.h>
#include "base/macros.h"
#include "config/config.h"

/* Reads certificates, key and CAs as sip_endpoint_create() will: the key fits,
 * the certificate has begun, has not expired, and is valid for `domain`. 0,
 * -ENOMEM, or -EINVAL with one sentence that says what to mend. */
int tls_check_config(const struct config *config, char *error, size_t room) MUST_CHECK;

#endif
