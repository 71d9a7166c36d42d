/* SPDX-License-Identifier: Apache-2.0 */
/* keepalive.c - OPTIONS to each SBC over the connection its calls use.
 *
 * sofia pings TCP connections but not TLS ones, and a silently dead connection
 * would cost the next call its set-up time. Two failures in a row close it, so
 * that the next request makes a new one.
 */
#include "tas/sip/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct keepalive {
	struct keepalive *next;
	struct probe *probe;
	struct health health;
	bool ok; /* the last OPTIONS was answered */
	bool wanted;
};

static const struct health_rules rules = { .down_after = 2, .up_after = 1 };

static bool on_result(int status, const char *why, void *arg)
{
	struct keepalive *keepalive = arg;
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
	for (struct keepalive *at = endpoint->keepalives; at; at = at->next)
		probe_hurry(at->probe);
}

static struct keepalive *find(const struct sip_endpoint *endpoint, const char *uri)
{
	struct keepalive *at = endpoint->keepalives;

	while (at && strcmp(probe_uri(at->probe), uri) != 0)
		at = at->next;
	return at;
}

static int begin(struct sip_endpoint *endpoint, const char *uri)
{
	struct keepalive *keepalive = calloc(1, sizeof(*keepalive));
	int err;

	if (!keepalive)
		return -ENOMEM;
	health_init(&keepalive->health);
	keepalive->wanted = true;
	err = probe_create(&keepalive->probe, endpoint,
			   &(struct probe_options){ .uri = uri,
						    .every_s = endpoint->keepalive_s,
						    .at_once = true,
						    .on_result = on_result,
						    .arg = keepalive });
	if (err) {
		free(keepalive);
		return err;
	}
	keepalive->next = endpoint->keepalives;
	endpoint->keepalives = keepalive;
	return 0;
}

static void want_none(struct sip_endpoint *endpoint)
{
	for (struct keepalive *at = endpoint->keepalives; at; at = at->next)
		at->wanted = false;
}

static void drop_unwanted(struct sip_endpoint *endpoint)
{
	struct keepalive **at = &endpoint->keepalives;

	while (*at) {
		struct keepalive *keepalive = *at;

		if (keepalive->wanted) {
			at = &keepalive->next;
			continue;
		}
		*at = keepalive->next;
		probe_destroy(keepalive->probe);
		free(keepalive);
	}
}

int sip_endpoint_keep_alive(struct sip_endpoint *endpoint, const char *const *uris, size_t count)
{
	int err = 0;

	want_none(endpoint);
	for (size_t i = 0; i < count && endpoint->keepalive_s; i++) {
		struct keepalive *there = find(endpoint, uris[i]);
		int failed = there ? 0 : begin(endpoint, uris[i]);

		if (there)
			there->wanted = true;
		err = err ? err : failed;
	}
	drop_unwanted(endpoint);
	return err;
}

enum sip_answers sip_endpoint_answers(const struct sip_endpoint *endpoint, const char *uri)
{
	const struct keepalive *keepalive = find(endpoint, uri);

	if (!keepalive)
		return SIP_NOT_ASKED;
	return keepalive->ok ? SIP_ANSWERS : SIP_SILENT;
}

void keepalive_stop(struct sip_endpoint *endpoint)
{
	want_none(endpoint);
	drop_unwanted(endpoint);
}
