/* SPDX-License-Identifier: Apache-2.0 */
#include "config/consent.h"

#include <string.h>

#include "config/registration.h"
#include "config/tenant.h"

#define AT(member) .offset = offsetof(struct config_consents, member)

#define QUEUE_MAX 100 /* characters; the name of our file is put after it */

static void read_queue(struct reader *reader, const struct value *value)
{
	if (strlen(value->node->text) > QUEUE_MAX)
		value_error(reader, value, "is longer than %d characters. Shorten it", QUEUE_MAX);
	kind_text.read(reader, value);
}

static const struct kind kind_queue = { "name", NODE_SCALAR, read_queue };

static const struct key consent_keys[] = {
	{ .name = "route_type",
	  .kind = &kind_route_type,
	  AT(route_type),
	  .flags = KEY_REQUIRED,
	  .help = "loop, fork, fallback, loop_mo, loop_mt or ingress" },
	{ .name = "service",
	  .kind = &kind_text,
	  AT(service_name),
	  .help = "what to do with their calls: a name under services" },
	{ .name = "tenant",
	  .kind = &kind_text,
	  AT(tenant_name),
	  .help = "whose core to ask: a name under tenants; that of core.api" },
	{ .name = "queue",
	  .kind = &kind_queue,
	  AT(queue),
	  .fallback = "breakout",
	  .help = "the core's name for where we are in its events; another one reads all again" },
	{ .name = "max_in_flight",
	  .kind = &kind_number,
	  AT(max_in_flight),
	  .fallback = "50",
	  .min = 1,
	  .max = 200, /* wgtwo/events/v1/events.proto */
	  .help = "events the core sends before it waits for acknowledgements" },
	{ .name = "list_every",
	  .kind = &kind_seconds,
	  AT(list_every_s),
	  .fallback = "15m",
	  .min = 10,
	  .max = 86400,
	  .help = "how often all consents are compared with what we know" },
	{ .name = "withdraw_at_most",
	  .kind = &kind_number,
	  AT(withdraw_at_most),
	  .fallback = "20",
	  .min = 0,
	  .max = 2000000,
	  .help = "numbers that one list may take away by not naming them; with more, none is" },
	{ .name = "keep_days",
	  .kind = &kind_number,
	  AT(keep_days),
	  .fallback = "365",
	  .min = 1,
	  .max = 36500,
	  .help = "how long the record of what was given and taken back is kept" },
};

const struct schema consent_schema = { "registrations[].consents", consent_keys,
				       ARRAY_SIZE(consent_keys) };

static void read_consents(struct reader *reader, const struct value *value)
{
	const struct node *node = value->node;
	struct config_consents *consents = arena_alloc(reader->arena, 1, sizeof(*consents));
	const struct node *service = node_find(node, "service"),
			  *tenant = node_find(node, "tenant");

	if (!consents)
		return;
	if (reader->config->consents) {
		find_error(reader->findings, node->at,
			   "`consents` stand here a second time, first in line %u. Each number has "
			   "one route type: remove one",
			   reader->config->consents->line);
		return;
	}
	schema_read(reader, &consent_schema, node, node->at, consents);
	consents->line = node->at.line;
	(void)tenant_resolve(reader, tenant ? tenant->at : node->at, consents->tenant_name,
			     &consents->tenant); /* what is wrong is a finding */
	if (consents->route_type)
		(void)service_resolve(reader, service ? service->at : node->at,
				      consents->route_type, consents->service_name,
				      &consents->service); /* what is wrong is a finding */
	reader->config->consents = consents;
}

const struct kind kind_consents = { "mapping", NODE_MAP, read_consents };
