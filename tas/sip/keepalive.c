/* SPDX-License-Identifier: Apache-2.0 */
/* keepalive.c - OPTIONS to the SBC over the connection its calls use.
 *
 * sofia pings TCP connections but not TLS ones, and a silently dead connection
 * would cost the next call its set-up time. Two failures in a row close it, so
 * that the next request makes a new one.
 */
#include "tas/sip/probe.h"

#include <errno.h>

static const struct health_rules rules = { .down_after = 2, .up_after = 1 };

static bool on_result(int status, const char *why, void *arg)
{
	struct sip_endpoint *endpoint = arg;
	struct keepalive *keepalive = &endpoint->keepalive;
	bool changed;

	keepalive->ok = status && status < 500;
	changed = health_probe(&keepalive->health, &rules, keepalive->ok);
	if (keepalive->health.state == HEALTH_DOWN)
		probe_close_connection(keepalive->probe);
	if (changed && keepalive->ok)
		log_notice("sip", "next hop answers again uri=%s", probe_uri(keepalive->probe));
	else if (changed)
		log_error("sip",
			  "next hop does not answer OPTIONS uri=%s why=%s: check its address, "
			  "the network and the certificates",
			  probe_uri(keepalive->probe), why);
	return keepalive->ok;
}

void keepalive_suspect(struct sip_endpoint *endpoint)
{
	probe_hurry(endpoint->keepalive.probe);
}

int keepalive_start(struct sip_endpoint *endpoint, const char *uri, unsigned every_s)
{
	health_init(&endpoint->keepalive.health);
	if (!uri || !every_s)
		return 0;
	return probe_create(&endpoint->keepalive.probe, endpoint,
			    &(struct probe_options){ .uri = uri,
						     .every_s = every_s,
						     .at_once = true,
						     .on_result = on_result,
						     .arg = endpoint });
}

void keepalive_stop(struct sip_endpoint *endpoint)
{
	endpoint->keepalive.probe = probe_destroy(endpoint->keepalive.probe);
}
