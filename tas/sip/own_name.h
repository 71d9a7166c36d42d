/* SPDX-License-Identifier: Apache-2.0 */
/* own_name.h - whether the name that the core calls leads to us: SRV and addresses as
 * the core finds them (RFC 3263), compared with this machine's.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_OWN_NAME_H
#define BREAKOUT_TAS_SIP_OWN_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include "base/macros.h"
#include "tas/sip/endpoint.h"

struct own_name; /* opaque */

/* uri: as it is registered. 0, -EINVAL (it has no name that must be looked up), -ENOMEM.
 * Destroy it before the endpoint. */
int own_name_create(struct own_name **ret_name, struct sip_endpoint *endpoint,
		    const char *uri) MUST_CHECK;
struct own_name *own_name_destroy(struct own_name *name); /* NULL is fine; returns NULL */

/* others: addresses besides those of this machine, such as a NAT's public one; literal.
 * False: why says where the name leads instead. */
bool own_name_is_ours(const struct own_name *name, char *const *others, size_t other_count,
		      char *why, size_t room);

#endif
