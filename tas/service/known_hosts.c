/* SPDX-License-Identifier: Apache-2.0 */
/* known_hosts.c - which hosts the Contact or Record-Route of a peer may name: those that the
 * configuration gives to the core or to a trunk, as addresses or names.
 */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"
#include "config/address.h"
#include "tas/service/decision.h"
#include "tas/service/uri.h"

static bool is_uris_host(const char *uri, const char *host)
{
	struct uri_view view;

	return uri_split(uri, &view) && view.host_length == strlen(host) &&
	       strncasecmp(view.host, host, view.host_length) == 0;
}

/* "*.example.com" is every name below it, not itself. */
static bool matches(const char *pattern, const char *host)
{
	size_t length = strlen(host), suffix = strlen(pattern) - 1;

	if (*pattern != '*')
		return str_equal_nocase(pattern, host);
	return length > suffix && str_equal_nocase(host + length - suffix, pattern + 1);
}

static bool is_among(char *const *patterns, size_t count, const char *host)
{
	for (size_t i = 0; i < count; i++)
		if (matches(patterns[i], host))
			return true;
	return false;
}

static bool is_trunks(const struct config_trunk *trunk, const char *host)
{
	for (size_t i = 0; i < trunk->uri_count; i++)
		if (is_uris_host(trunk->uris[i], host))
			return true;
	return is_among(trunk->hosts, trunk->host_count, host);
}

static bool is_tenant_sbcs(const struct config_tenant_sbc *sbc, const char *host)
{
	return sbc->uri &&
	       (is_uris_host(sbc->uri, host) || is_among(sbc->hosts, sbc->host_count, host));
}

static bool is_address(const char *host, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1)
		ret_address->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1)
		ret_address->ss_family = AF_INET6;
	return ret_address->ss_family != 0;
}

static bool is_tenants(const struct config *config, size_t tenant, const struct sockaddr *address)
{
	const struct config_sbc *core = &config->core.sbc;
	const struct config_tenant_sbc *own = tenant ? &config->tenants[tenant - 1].sbc : NULL;

	if (own && own->uri)
		return config_cidrs_contain(own->trusted, own->trusted_count, address);
	return config_cidrs_contain(core->trusted, core->trusted_count, address);
}

bool core_sends_from(const struct config *config, size_t tenant, const char *source)
{
	struct sockaddr_storage address;
	char host[HOST_ROOM];
	uint16_t port;

	return !host_port_parse(source, strlen(source), host, &port) &&
	       is_address(host, &address) &&
	       is_tenants(config, tenant, (struct sockaddr *)&address);
}

static bool is_listed(const struct config *config, const struct sockaddr *address)
{
	for (size_t i = 0; i < config_tenants(config); i++)
		if (is_tenants(config, i, address))
			return true;
	for (size_t i = 0; i < config->trunk_count; i++)
		if (config_cidrs_contain(config->trunks[i].trusted, config->trunks[i].trusted_count,
					 address))
			return true;
	return false;
}

bool service_knows_host(const struct service_room *room, const char *host)
{
	const struct config *config = room->config;
	const struct config_sbc *sbc = &config->core.sbc;
	struct sockaddr_storage address;

	if (is_uris_host(sbc->uri, host) || is_among(sbc->hosts, sbc->host_count, host))
		return true;
	for (size_t i = 0; i < config->tenant_count; i++)
		if (is_tenant_sbcs(&config->tenants[i].sbc, host))
			return true;
	for (size_t i = 0; i < config->trunk_count; i++)
		if (is_trunks(&config->trunks[i], host))
			return true;
	return is_address(host, &address) && is_listed(config, (struct sockaddr *)&address);
}
