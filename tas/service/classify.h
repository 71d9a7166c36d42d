/* SPDX-License-Identifier: Apache-2.0 */
/* classify.h - direction, tenant and number from the request URI's user part.
 *
 * The core inserts the registered prefix after the plus: "+<prefix><number>";
 * short codes have no plus: "<prefix><number>".
 */
#ifndef BREAKOUT_TAS_SERVICE_CLASSIFY_H
#define BREAKOUT_TAS_SERVICE_CLASSIFY_H

#include <stdbool.h>
#include "base/macros.h"
#include "config/config.h"

struct classification {
	enum call_direction direction;
	char called[64];            /* dialled number without the prefix */
	char subscriber[E164_ROOM]; /* the registered number the call is about; "" unknown */
	bool prefix_found;
	unsigned tenant; /* whose prefix it is: config_tenant_name(); none found: 0 */
};

/* Prefix first, of any tenant (config NULL: there is none to look for); then by who is
 * registered: `is_registered` is asked for the caller (P-Asserted-Identity's user, else
 * From's), then for the called one. */
void classify(const struct config *config, const char *request_user, const char *caller,
	      bool (*is_registered)(const char *number, void *arg), void *arg,
	      struct classification *ret_classification);

#endif
