/* SPDX-License-Identifier: Apache-2.0 */
/* tenants.h - what the registrar says of each tenant's core. */
#ifndef BREAKOUT_TAS_ADMIN_TENANTS_H
#define BREAKOUT_TAS_ADMIN_TENANTS_H

#include "registrar/registrar.h"
#include "tas/admin/text.h"

/* A list of them, the default one first. */
json_t *tenants_json(const struct registrar_summary *summary);

/* Whether a core answers; null: it was not asked yet. */
json_t *tenants_answer_json(bool asked, bool up);

#endif
