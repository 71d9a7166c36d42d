/* SPDX-License-Identifier: Apache-2.0 */
/* proof.c - calls from a trunk that its address alone does not vouch for. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"
#include "tas/service/decision.h"

static struct metric refused_total =
	METRIC_COUNTER_INIT("breakout_trunk_authentication_refused_total", NULL,
			    "Calls from trunks with a wrong user name or password");

/* Without the port: a peer may send its answer over another connection. */
static void source_text(const struct sip_source *source, char ret_text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&source->address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&source->address;
	const void *address = v4->sin_family == AF_INET6 ? (const void *)&v6->sin6_addr
							 : (const void *)&v4->sin_addr;

	if (!inet_ntop(v4->sin_family, address, ret_text, INET6_ADDRSTRLEN))
		ret_text[0] = '\0';
}

static int challenge(struct service_room *room, const struct config_trunk *trunk,
		     const char *source, bool stale, struct sip_demand *ret_demand)
{
	const struct digest_challenge asked = { .realm = room->config->domain,
						.md5 = trunk->ingress_auth.md5,
						.source = source,
						.stale = stale };

	ret_demand->count = digest_challenge(room->guard, &asked, ret_demand->challenges);
	return ret_demand->count ? 401 : 500;
}

/* The first answer for our realm; NULL: none. */
static const char *find_answer(const struct service_room *room, const struct sip_proof *proof,
			       char *ret_username, size_t size)
{
	for (size_t i = 0; i < proof->answer_count; i++)
		if (digest_username(proof->answers[i], room->config->domain, ret_username, size) ==
		    0)
			return proof->answers[i];
	return NULL;
}

int service_authenticate(struct service_room *room, const struct sip_proof *proof,
			 struct sip_demand *ret_demand)
{
	size_t index = 0;
	const struct config_trunk *trunk = NULL;
	char source[INET6_ADDRSTRLEN], username[128];
	struct digest_check check = { .method = proof->method, .source = source };
	unsigned suppressed;

	if (trunks_place(room, proof->peer, &index))
		trunk = &room->config->trunks[index];
	if (!trunk || !trunk->ingress_auth.username)
		return 0;
	source_text(proof->source, source);
	check.authorization = find_answer(room, proof, username, sizeof(username));
	if (!check.authorization)
		return challenge(room, trunk, source, false, ret_demand);
	check.realm = room->config->domain;
	check.md5 = trunk->ingress_auth.md5;
	if (strcmp(username, trunk->ingress_auth.username) == 0)
		check.password = room->trunks[index].password; /* NULL: could not be read */
	switch (digest_verify(room->guard, &check)) {
	case DIGEST_ACCEPTED:
		return 0;
	case DIGEST_STALE:
		return challenge(room, trunk, source, true, ret_demand);
	case DIGEST_REFUSED:
		break;
	}
	metric_add(&refused_total, 1);
	if (log_limit_pass(&room->refused_log, 5, 10000, &suppressed))
		log_notice("service",
			   "trunk=%s from=%s wrong user name or password: call refused, "
			   "not_logged=%u",
			   trunk->name, source, suppressed);
	return 403;
}
