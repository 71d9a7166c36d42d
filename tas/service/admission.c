/* SPDX-License-Identifier: Apache-2.0 */
/* admission.c - which new calls come in while there is too much to do.
 *
 * A call inside a dialog never gets here, and an emergency call always passes.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/hash.h"
#include "base/str.h"
#include "tas/service/decision.h"

#define RETRY_AFTER_MAX_S 4

static const char *without_plus(const char *number)
{
	return *number == '+' ? number + 1 : number;
}

bool emergency_dialled(const struct config *config, const char *number)
{
	for (size_t i = 0; i < config->emergency_count; i++)
		if (strcmp(without_plus(number), without_plus(config->emergency[i])) == 0)
			return true;
	return false;
}

bool emergency_said(const char *request_uri, const char *priority)
{
	return strncasecmp(request_uri, "urn:service:sos", 15) == 0 || /* RFC 5031 4.2 */
	       (priority && str_equal_nocase(priority, "emergency"));  /* RFC 3261 20.26 */
}

static bool dialled_after(const struct config *config, const char *number, const char *prefix)
{
	return prefix && str_starts(number, prefix) &&
	       emergency_dialled(config, number + strlen(prefix));
}

/* Nobody has been asked yet which direction it is: any prefix may be the core's. */
static bool is_emergency(const struct config *config, const struct sip_newcomer *call)
{
	char number[64];

	snprintf(number, sizeof(number), "%.*s", (int)strcspn(call->request_user, ";"),
		 without_plus(call->request_user));
	if (emergency_said(call->request_uri, call->priority) || emergency_dialled(config, number))
		return true;
	for (size_t i = 0; i < config_tenants(config); i++)
		if (dialled_after(config, number, config_tenant_prefix(config, i, DIRECTION_MO)) ||
		    dialled_after(config, number, config_tenant_prefix(config, i, DIRECTION_MT)))
			return true;
	return false;
}

/* The core gets no Retry-After: it may then send nothing at all for that time (RFC 3261
 * section 21.5.4), emergency calls included. Others come back at different moments. */
int service_admit(struct service_room *room, const struct sip_newcomer *call,
		  unsigned *ret_retry_after_s)
{
	bool core = call->peer == SERVICE_PEER_CORE;

	if (!room->load_room || (core && is_emergency(room->config, call)) ||
	    load_admits(room->load_room, call->call_id))
		return 0;
	*ret_retry_after_s =
		core ? 0
		     : 1 + (unsigned)(hash_bytes(call->call_id, strlen(call->call_id)) /
				      LOAD_WHOLE % RETRY_AFTER_MAX_S);
	return 503;
}
