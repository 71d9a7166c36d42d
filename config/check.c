/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - values that must fit each other, and this machine. */
#include "config/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "config/address.h"
#include "config/device.h"
#include "config/http.h"
#include "config/identity.h"
#include "config/records.h"
#include "config/settings.h"
#include "config/tenant.h"
#include "config/trunk.h"
#include "config/turn.h"

const char *check_local_ports_path = "/proc/sys/net/ipv4/ip_local_port_range";

/* Follows "core.api.target" as far as there are mappings. ret_at: the last key
 * met. Returns the node reached, NULL if a key is not there. */
static const struct node *walk(const struct node *root, const char *name, struct place *ret_at)
{
	char word[64];

	*ret_at = (struct place){ root->at.file, 1, 1 };
	while (root && root->kind == NODE_MAP && *name) {
		size_t length = strcspn(name, ".");

		(void)snprintf(word, sizeof(word), "%.*s", (int)length, name);
		name += length + (name[length] == '.');
		if (node_find_key(root, word))
			*ret_at = node_find_key(root, word)->at;
		root = node_find(root, word);
	}
	return root;
}

/* Where a key stands; what is absent is at its nearest parent. */
struct place place_of(const struct node *root, const char *name)
{
	struct place at;

	(void)walk(root, name, &at); /* only its place is asked for */
	return at;
}

static const struct node *walk_node(const struct node *root, const char *name)
{
	struct place at;

	return walk(root, name, &at);
}

/* Whether a key is not there. What is there and wrong, or below something
 * wrong, has its finding already. */
static bool absent(const struct node *root, const char *name)
{
	struct place at;
	const struct node *node = walk(root, name, &at);

	return !node || (node->kind == NODE_SCALAR && node->null);
}

static bool is_empty_list(const struct node *root, const char *name)
{
	struct place at;
	const struct node *node = walk(root, name, &at);

	return node && node->kind == NODE_LIST && !node->count;
}

static const struct config_listen *first_tls(const struct config *config)
{
	for (size_t i = 0; i < config->sip.listen_count; i++)
		if (config->sip.listen[i].transport == SIP_TRANSPORT_TLS)
			return &config->sip.listen[i];
	return NULL;
}

static void check_listen(struct reader *reader, const struct node *root)
{
	const struct config_sip *sip = &reader->config->sip;
	struct place at = place_of(root, "sip.listen");

	if (is_empty_list(root, "sip.listen"))
		find_error(reader->findings, at,
			   "`sip.listen` is an empty list. Write [\"tls://[::]:5061\"]");
	for (size_t i = 0; i < sip->listen_count; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct config_listen *a = &sip->listen[i], *b = &sip->listen[k];

			if (a->host && b->host && a->port && a->port == b->port &&
			    a->transport == b->transport && !strcmp(a->host, b->host))
				find_error(reader->findings, at,
					   "`sip.listen` names %s port %u of %s twice. Remove one",
					   sip_transport_name(a->transport), a->port, a->host);
		}
	}
}

static void check_certificate(struct reader *reader, const struct node *root)
{
	if (!first_tls(reader->config))
		return;
	if (absent(root, "sip.certificate"))
		find_error(reader->findings, place_of(root, "sip"),
			   "`sip.certificate` is missing: a tls listener needs one. Name the PEM "
			   "file of our certificate and its intermediates");
	if (absent(root, "sip.private_key"))
		find_error(reader->findings, place_of(root, "sip"),
			   "`sip.private_key` is missing: a tls listener needs one. Name the PEM "
			   "file of the certificate's key");
}

static void check_store(struct reader *reader, const struct node *root)
{
	struct config *config = reader->config;

	if (!config->postgres.conninfo)
		return;
	config->store_sqlite = NULL; /* the arena's: its default does not hold */
	if (!absent(root, "store.sqlite"))
		find_error(reader->findings, place_of(root, "store.sqlite"),
			   "`store.sqlite` stands beside `store.postgres`. Remove one");
	if (!config->postgres.version)
		find_error(reader->findings, place_of(root, "store"),
			   "`store.version` is missing: nodes that share a database tell a newer "
			   "configuration from an older one by it. Write a number and raise it, on "
			   "all nodes, with every change of registrations, domain or prefixes");
	if (config->withdraw_at_stop)
		find_error(reader->findings, place_of(root, "stop.withdraw"),
			   "`stop.withdraw` would take the numbers of all nodes from the core when "
			   "one stops. Remove it: with `store.postgres` the others take over");
}

void check_sbc_uri(struct reader *reader, struct place at, const char *key, const char *uri)
{
	struct sip_uri parsed;

	if (!uri || sip_uri_parse(uri, &parsed) || parsed.secure)
		return;
	if (host_is_loopback(parsed.host))
		find_warning(reader->findings, at,
			     "`%s` carries calls in clear. That is for tests on this machine only",
			     key);
	else
		find_error(reader->findings, at, "`%s` would carry calls in clear. Write sips:%s",
			   key, parsed.host);
}

static void check_sbc(struct reader *reader, const struct node *root)
{
	const struct config_sbc *sbc = &reader->config->core.sbc;
	struct sip_uri uri;

	check_sbc_uri(reader, place_of(root, "core.sbc.uri"), "core.sbc.uri", sbc->uri);
	if (sbc->uri && !sip_uri_parse(sbc->uri, &uri) && uri.secure &&
	    !first_tls(reader->config) && reader->config->sip.listen_count)
		find_error(reader->findings, place_of(root, "sip.listen"),
			   "`sip.listen` has no tls:// listener, and the core calls us at a sips: "
			   "URI. Add \"tls://[::]:5061\"");
	if (is_empty_list(root, "core.sbc.trusted"))
		find_error(reader->findings, place_of(root, "core.sbc.trusted"),
			   "`core.sbc.trusted` is an empty list: no call would be accepted. Write "
			   "the networks of the core, such as [192.0.2.0/24]");
	if (sbc->client_name && absent(root, "core.sbc.client_ca"))
		find_error(reader->findings, place_of(root, "core.sbc.client_name"),
			   "`core.sbc.client_name` needs `client_ca`: without it no certificate is "
			   "asked for");
	identity_check_allowed(reader, "core.sbc", walk_node(root, "core.sbc.allow_headers"));
	identity_check_format(reader, "core.sbc.identity", walk_node(root, "core.sbc.identity"));
}

/* The media room reads the files and says what is wrong with them. */
static void check_media_certificate(struct reader *reader, const struct node *root)
{
	struct place at = place_of(root, "media.certificate");
	bool certificate = !absent(root, "media.certificate");

	if (certificate != !absent(root, "media.private_key"))
		find_error(reader->findings, at,
			   "`media.certificate` and `media.private_key` go together. Name both "
			   "PEM files, or neither: then a certificate is made at start");
	if (certificate)
		reader->config->media.certificate_at = place_text(reader, at);
}

static void check_ports(struct reader *reader, const struct node *root)
{
	const struct config_media *media = &reader->config->media;
	FILE *file = fopen(check_local_ports_path, "re");
	char line[64] = "", *rest;
	unsigned long low, high;

	if (!file)
		return;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	(void)fclose(file); /* only read from */
	low = strtoul(line, &rest, 10);
	high = strtoul(rest, NULL, 10); /* 0, which overlaps nothing, for what is no number */
	if (media->port_min <= high && media->port_max >= low)
		find_warning(
			reader->findings, place_of(root, "media.ports"),
			"`media.ports` %u-%u overlaps the ports %lu-%lu that the kernel gives to "
			"other sockets. Choose a range outside, or set "
			"net.ipv4.ip_local_reserved_ports",
			media->port_min, media->port_max, low, high);
}

/* The address of the first tls listener, else of the first one. */
static void default_address(struct reader *reader, const struct node *root)
{
	struct config *config = reader->config;
	const struct config_listen *listen = first_tls(config);

	if (!listen && config->sip.listen_count)
		listen = &config->sip.listen[0];
	if (!absent(root, "media.address") || !listen || !listen->host)
		return;
	if (host_is_wildcard(listen->host))
		find_error(
			reader->findings, place_of(root, "media"),
			"`media.address` is missing: the listener is on all addresses, and peers "
			"must be told one. Write the address they send media to");
	else {
		char **only = arena_alloc(reader->arena, 1, sizeof(*only));

		if (!only)
			return;
		*only = arena_dup(reader->arena, listen->host, strlen(listen->host));
		config->media.addresses = only;
		config->media.address_count = 1;
		settings_derive(reader, "media.address", *only);
	}
}

static void check_addresses(struct reader *reader, const struct node *root)
{
	const struct config_media *media = &reader->config->media;
	struct place at = place_of(root, "media.address");

	if (media->address_count > CONFIG_ADDRESSES_MAX)
		find_error(reader->findings, at,
			   "`media.address` has %zu addresses, and each call takes a port on all. "
			   "Keep at most %d",
			   media->address_count, CONFIG_ADDRESSES_MAX);
	for (size_t i = 0; i < media->address_count; i++)
		for (size_t k = 0; k < i; k++)
			if (media->addresses[i] && media->addresses[k] &&
			    !strcmp(media->addresses[i], media->addresses[k]))
				find_error(reader->findings, at,
					   "`media.address` names %.60s twice. Remove one",
					   media->addresses[i]);
}

/* Peers send to where they were told, and a socket hears one family. */
static void check_advertised(struct reader *reader, const struct node *root)
{
	const struct config_media *media = &reader->config->media;
	struct place at = place_of(root, "media.advertised_address");

	if (media->advertised_count && media->advertised_count != media->address_count) {
		find_error(reader->findings, at,
			   "`media.advertised_address` has %zu addresses, `media.address` %zu. "
			   "Write one for each, in their order; the same where there is no NAT",
			   media->advertised_count, media->address_count);
		return;
	}
	for (size_t i = 0; i < media->advertised_count; i++) {
		const char *own = media->addresses[i], *told = media->advertised_addresses[i];

		if (own && told && host_is_literal(own) && !strchr(told, ':') != !strchr(own, ':'))
			find_error(reader->findings, at,
				   "`media.advertised_address`: `%.60s` is of another family than "
				   "`media.address`, %.60s. Write both as IPv4 or both as IPv6 "
				   "addresses",
				   told, own);
	}
}

static void check_ingress(struct reader *reader, const struct node *root)
{
	const struct config *config = reader->config;
	bool wanted = config->consents && config->consents->route_type == ROUTE_TYPE_INGRESS;
	bool possible = false;

	for (size_t i = 0; i < config->registration_count && !wanted; i++)
		wanted = config->registrations[i].route_type == ROUTE_TYPE_INGRESS;
	for (size_t i = 0; i < config->trunk_count; i++)
		possible = possible || config->trunks[i].ingress;
	for (size_t i = 0; i < config->device_count; i++)
		possible = possible || config->devices[i].number;
	if (wanted && !possible)
		find_warning(
			reader->findings, place_of(root, "registrations"),
			"there are ingress registrations, but no trunk may place calls to them. "
			"Set `ingress: true` on one, or give a device a number");
}

static void check_rest(struct reader *reader, const struct node *root)
{
	const struct config *config = reader->config;

	if (config->admin_socket &&
	    strlen(config->admin_socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		find_error(reader->findings, place_of(root, "admin.socket"),
			   "`admin.socket` is longer than the 107 characters a socket's path may "
			   "have. Shorten it");
	http_check(reader, place_of(root, "admin.http"));
	records_check(reader, place_of(root, "records"));
	if (is_empty_list(root, "emergency"))
		find_warning(reader->findings, place_of(root, "emergency"),
			     "no emergency numbers: such calls would be treated like any other. "
			     "Write them, such as [\"112\"]");
}

/* Looked up by nobody: the thread that sends to it must not wait for DNS. */
static void check_trace(struct reader *reader, const struct node *root)
{
	const struct config_trace *trace = &reader->config->trace;
	struct place at = place_of(root, "trace.hep");
	char host[HOST_ROOM];
	uint16_t port;

	if (!trace->hep)
		return;
	if (!host_port_parse(trace->hep, strlen(trace->hep), host, &port) && !host_is_literal(host))
		find_error(reader->findings, at,
			   "`trace.hep.to`: `%.60s` names a host. Write its address", trace->hep);
	if (!trace->bytes)
		find_error(reader->findings, at,
			   "`trace.hep` mirrors what `trace.memory` keeps, and that is 0. Give it "
			   "64KiB or more");
}

void check_all(struct reader *reader, const struct node *root)
{
	check_listen(reader, root);
	check_certificate(reader, root);
	tenants_check(reader, root);
	check_store(reader, root);
	check_sbc(reader, root);
	check_ports(reader, root);
	check_media_certificate(reader, root);
	default_address(reader, root);
	check_addresses(reader, root);
	check_advertised(reader, root);
	trunks_check_addresses(reader);
	turn_check(reader, root);
	check_ingress(reader, root);
	devices_check(reader, root);
	check_trace(reader, root);
	check_rest(reader, root);
}
