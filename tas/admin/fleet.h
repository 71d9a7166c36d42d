/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.h - what an operator orders of a fleet as a whole.
 *
 * Threads: any; waits for the fleet's database.
 */
#ifndef BREAKOUT_TAS_ADMIN_FLEET_H
#define BREAKOUT_TAS_ADMIN_FLEET_H

#include "registrar/registrar.h"
#include "tas/admin/text.h"

/* {"node": NAME}: it is dead, by the word of `who`. {"forgotten": NAME, "shards": how
 * many need not wait for it any more}, or why not. */
json_t *fleet_forget(struct registrar *registrar, const char *text, const char *who);

#endif
