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

struct tls_profile; /* opaque: certificate, key and CAs, in memory */

/* Reads certificates, key and CAs as sip_endpoint_create() will: the key fits,
 * the certificate has begun, has not expired, and is valid for `domain`. Findings go
 * to ret_findings as from config_load(); a certificate that ends within 30 days is a
 * warning.
 *
 * ret_profile: for sip_endpoint_renew_tls(), or ended with tls_check_done().
 * Returns 0, -ENOMEM or -EINVAL. */
int tls_check_config(struct tls_profile **ret_profile, const struct config *config,
		     struct str *ret_findings) MUST_CHECK;
struct tls_profile *tls_check_done(struct tls_profile *profile); /* NULL is fine */

#endif
