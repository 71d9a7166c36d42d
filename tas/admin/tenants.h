/* SPDX-License-Identifier: Apache-2.0 */
/* tenants.h - what the registrar says of each tenant's core. */
#ifndef BREAKOUT_TAS_ADMIN_TENANTS_H
#define BREAKOUT_TAS_ADMIN_TENANTS_H

#include "registrar/registrar.h"
#include "tas/admin/text.h"

/* A list of them, the default one first. */
json_t *tenants_json(const struct registrar_summary *summary);

/* How many are wanted, by who wants them. */
json_t *sources_json(const size_t by_source[REG_SOURCE_COUNT]);

/* Whether a core answers; null: it was not asked yet. */
json_t *tenants_answer_json(bool asked, bool up);

#endif
