/* SPDX-License-Identifier: Apache-2.0 */
/* own_name.c - see own_name.h. */
#include "tas/sip/own_name.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tas/sip/endpoint_private.h"

struct own_name {
	struct resolver_name *name;
	char *uri;
};

static void on_change(void *arg)
{
	(void)arg; /* it is looked at when somebody asks */
}

int own_name_create(struct own_name **ret_name, struct sip_endpoint *endpoint, const char *uri)
{
	struct own_name *name = calloc(1, sizeof(*name));
	int err = -ENOMEM;

	if (!name)
		return err;
	name->uri = strdup(uri);
	if (name->uri)
		err = resolver_watch(&name->name, endpoint->resolver, uri, on_change, name);
	if (err) {
		own_name_destroy(name);
		return err;
	}
	*ret_name = name;
	return 0;
}

struct own_name *own_name_destroy(struct own_name *name)
{
	if (!name)
		return NULL;
	resolver_unwatch(name->name);
	free(name->uri);
	free(name);
	return NULL;
}

static bool is_of_this_machine(const struct ifaddrs *interfaces, const char *text)
{
	struct in6_addr wanted = { 0 };
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(family, text, &wanted) != 1)
		return false;
	for (const struct ifaddrs *at = interfaces; at; at = at->ifa_next) {
		const void *address;

		if (!at->ifa_addr || at->ifa_addr->sa_family != family)
			continue;
		address = family == AF_INET6
				  ? (const void *)&((struct sockaddr_in6 *)at->ifa_addr)->sin6_addr
				  : (const void *)&((struct sockaddr_in *)at->ifa_addr)->sin_addr;
		if (!memcmp(address, &wanted, family == AF_INET6 ? 16 : 4))
			return true;
	}
	return false;
}

static bool is_listed(char *const *list, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(list[i], text))
			return true;
	return false;
}

bool own_name_is_ours(const struct own_name *name, char *const *others, size_t other_count,
		      char *why, size_t room)
{
	const struct resolver_target *targets;
	size_t count = resolver_targets(name->name, &targets);
	struct ifaddrs *interfaces = NULL;
	bool ours = false;

	if (!count) {
		(void)snprintf(why, room, "the DNS knows no address for %s", name->uri);
		return false;
	}
	if (getifaddrs(&interfaces) < 0)
		return true; /* nothing to compare with */
	for (size_t i = 0; i < count && !ours; i++)
		ours = is_of_this_machine(interfaces, targets[i].address) ||
		       is_listed(others, other_count, targets[i].address);
	freeifaddrs(interfaces);
	if (!ours)
		(void)snprintf(why, room, "%s leads to %s, not to us", name->uri,
			       targets[0].address);
	return ours;
}
