/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/tenants.h"

static json_int_t seconds_until(mono_ms at)
{
	return at ? (json_int_t)((at - clock_now()) / 1000) : 0;
}

json_t *tenants_answer_json(bool asked, bool up)
{
	return asked ? json_boolean(up) : json_null();
}

json_t *sources_json(const size_t by_source[REG_SOURCE_COUNT])
{
	json_t *sources = json_object();

	for (int i = 0; sources && i < REG_SOURCE_COUNT; i++)
		json_object_set_new(sources, reg_source_name((enum reg_source)i),
				    json_integer((json_int_t)by_source[i]));
	return sources;
}

static json_t *tenant_json(const struct registrar_tenant *tenant)
{
	json_t *states = json_object();

	for (int i = 0; states && i < REG_STATE_COUNT; i++)
		json_object_set_new(states, reg_state_name((enum reg_state)i),
				    json_integer((json_int_t)tenant->by_state[i]));
	return json_pack("{s:s, s:o, s:b, s:b, s:b, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "name", tenant->name, "api_up",
			 tenants_answer_json(tenant->asked, tenant->api_up), "leaving",
			 tenant->leaving, "token_ok", tenant->token_ok, "down", tenant->down,
			 "registrations", states, "sources", sources_json(tenant->by_source),
			 "first_expiry_s", seconds_until(tenant->first_expiry_ms), "margin_s",
			 (json_int_t)(tenant->margin_ms / 1000), "rate", (json_int_t)tenant->rate,
			 "max_rate", (json_int_t)tenant->max_rate, "ttl_s",
			 (json_int_t)tenant->ttl_s, "in_flight", (json_int_t)tenant->in_flight);
}

json_t *tenants_json(const struct registrar_summary *summary)
{
	json_t *list = json_array();

	for (size_t i = 0; i < summary->tenant_count; i++)
		json_array_append_new(list, tenant_json(&summary->tenants[i]));
	return list;
}
