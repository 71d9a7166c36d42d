/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - see watch.h. */
#include "tas/sip/watch.h"

#include <string.h>

#include "tas/sip/peer_private.h"
#include "tas/sip/probe.h"

#define HOPS 70 /* it is for a server behind the first hop too: RFC 3261 section 8.1.1.6 */

static bool on_result(int status, const char *why, void *arg)
{
	return sip_line_probed(arg, status, why);
}

static void stop_watching(struct sip_line *line)
{
	line->probe = probe_destroy(line->probe);
	line->stop_watching = line->suspect = NULL;
}

static void suspect(struct sip_line *line)
{
	probe_hurry(line->probe);
}

static int watch_line(struct sip_line *line, unsigned every_s, struct sip_endpoint *endpoint)
{
	int err;

	if (!every_s || line->lost) {
		stop_watching(line);
		return 0;
	}
	if (line->probe) {
		probe_set_every(line->probe, every_s);
		return 0;
	}
	err = probe_create(&line->probe, endpoint,
			   &(struct probe_options){ .uri = line->name,
						    .hop = line->uri,
						    .every_s = every_s,
						    .hops = HOPS,
						    .on_result = on_result,
						    .arg = line });
	if (err)
		return err;
	line->stop_watching = stop_watching;
	line->suspect = suspect;
	return 0;
}

static int watch_lines(struct sip_peer *peer)
{
	int err = 0;

	for (size_t i = 0; i < peer->count && !err; i++)
		err = watch_line(peer->lines[i], peer->options_s, peer->endpoint);
	return err;
}

static void on_addresses(void *arg)
{
	struct sip_site *site = arg;
	struct sip_peer *peer = site->peer;
	int err = site->name ? sip_peer_spread(peer) : 0; /* else sip_watch() does it */

	if (!err && site->name)
		err = watch_lines(peer);
	if (err)
		log_error("sip", "trunk=%s host's new addresses are not used: %s", peer->name,
			  strerror(-err));
}

static void stop_asking(struct sip_site *site)
{
	site->name = resolver_unwatch(site->name);
}

static int ask_for(struct sip_site *site, struct resolver *resolver)
{
	struct resolver_name *name;
	int err;

	if (site->name || !resolver_is_for(site->uri))
		return 0;
	err = resolver_watch(&name, resolver, site->uri, on_addresses, site);
	if (err)
		return err;
	site->name = name;
	site->stop_asking = stop_asking;
	return 0;
}

int sip_watch(struct sip_peer *peer, struct sip_endpoint *endpoint)
{
	int err = 0;

	peer->endpoint = endpoint;
	for (size_t i = 0; i < peer->site_count && !err; i++)
		err = ask_for(peer->sites[i], endpoint->resolver);
	if (!err)
		err = sip_peer_spread(peer);
	return err ? err : watch_lines(peer);
}
