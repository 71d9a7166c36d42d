/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - inside of tas/sip: OPTIONS to one address, again and again, over the
 * connection its calls use.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_PROBE_H
#define BREAKOUT_TAS_SIP_PROBE_H

#include "tas/sip/endpoint_private.h"

/* What came of one. status 0: no answer, and `why` says why. True: it counts as
 * an answer, and the next one has time. */
typedef bool probe_fn(int status, const char *why, void *arg);

struct probe_options {
	const char *uri;
	const char *hop;  /* where they go, a URI; NULL: to `uri` */
	unsigned every_s; /* at least 1; a little less, so that not all come at once */
	unsigned hops;    /* Max-Forwards */
	bool at_once;     /* the first one goes out now, not within two seconds */
	probe_fn *on_result;
	void *arg;
};

/* 0, -EINVAL (not a sip or sips URI), -ENOMEM. */
int probe_create(struct probe **ret_probe, struct sip_endpoint *endpoint,
		 const struct probe_options *options) MUST_CHECK;
struct probe *probe_destroy(struct probe *probe); /* NULL is fine; returns NULL */
const char *probe_uri(const struct probe *probe);
void probe_set_every(struct probe *probe, unsigned every_s);

/* The next one goes out now, unless one is waiting for its answer. NULL is fine. */
void probe_hurry(struct probe *probe);
/* From inside on_result: the next request makes a new connection. */
void probe_close_connection(struct probe *probe);
/* Those that wait for an answer over this connection get none. */
void probe_connection_failed(struct sip_endpoint *endpoint, tport_t *tport, const char *why);

#endif
