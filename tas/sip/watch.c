/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - see watch.h. */
#include "tas/sip/watch.h"

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

	if (!every_s) {
		stop_watching(line);
		return 0;
	}
	if (line->probe) {
		probe_set_every(line->probe, every_s);
		return 0;
	}
	err = probe_create(&line->probe, endpoint,
			   &(struct probe_options){ .uri = line->uri,
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

int sip_watch(struct sip_peer *peer, struct sip_endpoint *endpoint)
{
	int err = 0;

	for (size_t i = 0; i < peer->count && !err; i++)
		err = watch_line(peer->lines[i], peer->options_s, endpoint);
	return err;
}
