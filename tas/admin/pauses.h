/* SPDX-License-Identifier: Apache-2.0 */
/* pauses.h - inside of tas/admin: orders to take registrations from the core for a
 * while, as JSON.
 *
 * An order says {"number": N}, {"service": NAME} or {"all": true}; to pause also
 * "for_s" (seconds; missing: until resumed) and "why" (needed).
 *
 * Threads: the admin thread and those of HTTP listeners; an order waits for the disk.
 */
#ifndef BREAKOUT_TAS_ADMIN_PAUSES_H
#define BREAKOUT_TAS_ADMIN_PAUSES_H

#include "registrar/registrar.h"
#include "tas/admin/text.h"

/* New references; NULL: no memory. */
json_t *pauses_answer(struct registrar *registrar);
json_t *pauses_pause(struct registrar *registrar, const char *order, const char *who);
json_t *pauses_resume(struct registrar *registrar, const char *order, const char *who);

#endif
