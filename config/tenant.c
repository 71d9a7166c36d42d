/* SPDX-License-Identifier: Apache-2.0 */
/* tenant.c - targets of the core's API, and the prefixes that tell their calls apart. */
#include "config/tenant.h"

#include <string.h>

#include "config/address.h"
#include "config/check.h"

#define API(member)     .offset = offsetof(struct config_api, member)
#define TENANT(member)  .offset = offsetof(struct config_tenant, member)
#define NAME_MAX_LENGTH 32

static const struct key api_keys[] = {
	{ .name = "target",
	  .kind = &kind_host_port,
	  API(target),
	  .flags = KEY_REQUIRED,
	  .help = "host:port of the core's API" },
	{ .name = "token_url",
	  .kind = &kind_url,
	  API(token_url),
	  .help = "where OAuth 2.0 tokens come from; none" },
	{ .name = "client_id", .kind = &kind_text, API(client_id), .help = "OAuth 2.0 client id" },
	{ .name = "client_secret_file",
	  .kind = &kind_path,
	  API(client_secret_file),
	  .flags = KEY_FILE | KEY_SECRET,
	  .help = "file whose first line is the client secret" },
	{ .name = "scope",
	  .kind = &kind_text,
	  API(scope),
	  .fallback = "call.routing:write",
	  .help = "OAuth 2.0 scope" },
	{ .name = "raw_basic",
	  .kind = &kind_bool,
	  API(raw_basic),
	  .fallback = "false",
	  .help = "send id and secret unencoded, against RFC 6749 section 2.3.1" },
	{ .name = "ca_file",
	  .kind = &kind_path,
	  API(ca_file),
	  .flags = KEY_FILE,
	  .help = "PEM file: who may sign the API's certificate; the system's" },
	{ .name = "server_name",
	  .kind = &kind_host,
	  API(server_name),
	  .help = "name the API's certificate must carry; the host of target" },
	{ .name = "plaintext",
	  .kind = &kind_bool,
	  API(plaintext),
	  .fallback = "false",
	  .help = "no TLS, for targets on this machine" },
	{ .name = "deadline",
	  .kind = &kind_ms,
	  API(deadline_ms),
	  .fallback = "10s",
	  .min = 100,
	  .max = 120000,
	  .help = "for one call to the API" },
	{ .name = "keepalive",
	  .kind = &kind_seconds,
	  API(keepalive_s),
	  .fallback = "1m",
	  .min = 1,
	  .max = 3600,
	  .help = "between pings on the connection" },
	{ .name = "keepalive_timeout",
	  .kind = &kind_seconds,
	  API(keepalive_timeout_s),
	  .fallback = "10s",
	  .min = 1,
	  .max = 600,
	  .help = "for the answer to a ping" },
	{ .name = "max_rate",
	  .kind = &kind_number,
	  API(max_rate),
	  .fallback = "0",
	  .max = 100000,
	  .help = "requests a second; 0: twice what the numbers need, at least 500" },
};
const struct schema api_schema = { "core.api", api_keys, ARRAY_SIZE(api_keys) };
static const struct schema tenant_api_schema = { "tenants[].api", api_keys, ARRAY_SIZE(api_keys) };

#define PREFIX_KEYS(mo, mt)                                                                        \
	{ .name = "mobile_originating",                                                            \
	  .kind = &kind_digits,                                                                    \
	  .offset = (mo),                                                                          \
	  .min = 1,                                                                                \
	  .max = 8,                                                                                \
	  .help = "digits the core puts before the called number of a call from a subscriber" },   \
	{                                                                                          \
		.name = "mobile_terminating", .kind = &kind_digits, .offset = (mt), .min = 1,      \
		.max = 8,                                                                          \
		.help = "digits the core puts before the called number of a call to a subscriber"  \
	}

static const struct key prefix_keys[] = { PREFIX_KEYS(offsetof(struct config, prefix_mo),
						      offsetof(struct config, prefix_mt)) };
const struct schema prefix_schema = { "prefixes", prefix_keys, ARRAY_SIZE(prefix_keys) };

static const struct key tenant_prefix_keys[] = { PREFIX_KEYS(
	offsetof(struct config_tenant, prefix_mo), offsetof(struct config_tenant, prefix_mt)) };
static const struct schema tenant_prefix_schema = { "tenants[].prefixes", tenant_prefix_keys,
						    ARRAY_SIZE(tenant_prefix_keys) };

static const struct key tenant_sbc_keys[] = {
	{ .name = "uri",
	  .kind = &kind_sip_uri,
	  TENANT(sbc.uri),
	  .help = "where the tenant's calls go back to its core, sips:host or sips:host:port; "
		  "core.sbc.uri" },
	{ .name = "trusted",
	  .kind = &kind_cidr,
	  TENANT(sbc.trusted),
	  .item_size = sizeof(struct config_cidr),
	  .count_offset = offsetof(struct config_tenant, sbc.trusted_count),
	  .help = "networks that core's calls come from, such as [192.0.2.0/24]" },
	{ .name = "hosts",
	  .kind = &kind_host_pattern,
	  TENANT(sbc.hosts),
	  .item_size = sizeof(char *),
	  .count_offset = offsetof(struct config_tenant, sbc.host_count),
	  .help = "names, besides the uri's, that requests inside a call may go to" },
};
static const struct schema tenant_sbc_schema = { "tenants[].sbc", tenant_sbc_keys,
						 ARRAY_SIZE(tenant_sbc_keys) };

/* ---- one tenant ---- */

/* It is a label of metrics and a word in the store. */
static void read_name(struct reader *reader, const struct value *value)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	const char *text = value->node->text;
	size_t length = strlen(text);

	if (length > NAME_MAX_LENGTH || text[strspn(text, allowed)])
		value_error(reader, value,
			    "cannot be a tenant's name. Write at most %d small letters, digits and "
			    "-_.",
			    NAME_MAX_LENGTH);
	else if (text[strspn(text, "0123456789")] == '\0')
		value_error(reader, value, "is a number, and no name. Add a letter");
	else if (strcmp(text, CONFIG_TENANT_DEFAULT) == 0)
		value_error(reader, value, "is what `core.api` is called. Choose another name");
	else
		kind_text.read(reader, value);
}

static const struct kind kind_name = { "name", NODE_SCALAR, read_name };

static const struct key tenant_keys[] = {
	{ .name = "name",
	  .kind = &kind_name,
	  TENANT(name),
	  .flags = KEY_REQUIRED,
	  .help = "what registrations, rules and metrics call it" },
	{ .name = "api",
	  .kind = &kind_map,
	  .schema = &tenant_api_schema,
	  TENANT(api),
	  .help = "its gRPC API, as `core.api`" },
	{ .name = "prefixes",
	  .kind = &kind_map,
	  .schema = &tenant_prefix_schema,
	  .help = "what the core puts before the numbers of its calls" },
	{ .name = "sbc",
	  .kind = &kind_map,
	  .schema = &tenant_sbc_schema,
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "its SIP side, where that is another than core.sbc" },
};
const struct schema tenant_schema = { "tenants[]", tenant_keys, ARRAY_SIZE(tenant_keys) };

static void read_tenant(struct reader *reader, const struct value *value)
{
	schema_read(reader, &tenant_schema, value->node, value->node->at, value->target);
}

const struct kind kind_tenant = { "tenant", NODE_MAP, read_tenant };

/* ---- all of them ---- */

size_t config_tenants(const struct config *config)
{
	return config->tenant_count + 1;
}

const char *config_tenant_name(const struct config *config, size_t index)
{
	return index ? config->tenants[index - 1].name : CONFIG_TENANT_DEFAULT;
}

const struct config_api *config_tenant_api(const struct config *config, size_t index)
{
	return index ? &config->tenants[index - 1].api : &config->core.api;
}

const char *config_tenant_sbc(const struct config *config, size_t index)
{
	const char *own = index ? config->tenants[index - 1].sbc.uri : NULL;

	return own ? own : config->core.sbc.uri;
}

const char *config_tenant_prefix(const struct config *config, size_t index,
				 enum call_direction direction)
{
	bool mo = direction == DIRECTION_MO;

	if (!index)
		return mo ? config->prefix_mo : config->prefix_mt;
	return mo ? config->tenants[index - 1].prefix_mo : config->tenants[index - 1].prefix_mt;
}

bool config_prefix_like(const struct config *config, uint64_t number,
			struct config_prefix *ret_prefix)
{
	static const enum call_direction directions[] = { DIRECTION_MO, DIRECTION_MT };

	for (size_t i = 0; i < config_tenants(config); i++)
		for (size_t k = 0; k < ARRAY_SIZE(directions); k++) {
			const char *digits = config_tenant_prefix(config, i, directions[k]);

			if (!digits || !e164_begins(number, digits))
				continue;
			*ret_prefix = (struct config_prefix){ digits, i, directions[k] };
			return true;
		}
	return false;
}

void config_prefix_say(const struct config *config, const struct config_prefix *prefix,
		       struct str *sentence)
{
	const char *key =
		prefix->direction == DIRECTION_MO ? "mobile_originating" : "mobile_terminating";

	str_addf(sentence, "begins with `%s`, which is `prefixes.%s`", prefix->digits, key);
	if (prefix->tenant)
		str_addf(sentence, " of tenant `%s`", config_tenant_name(config, prefix->tenant));
	str_add(sentence, ": a call to it that comes without a prefix is taken for one to the rest "
			  "of the number");
}

static const char *name_at(const void *list, size_t i)
{
	const char *name = config_tenant_name(list, i);

	return name ? name : "";
}

/* The index, or -1 after adding an error. */
static int find(struct reader *reader, struct place at, const char *name)
{
	const struct config *config = reader->config;

	for (size_t i = 0; i < config_tenants(config); i++)
		if (!strcmp(name_at(config, i), name))
			return (int)i;
	find_error(reader->findings, at, "no tenant is called `%.60s`%s", name,
		   suggestion(reader, name, name_at, config, config_tenants(config)));
	return -1;
}

bool tenant_resolve(struct reader *reader, struct place at, const char *name, unsigned *ret_index)
{
	int index = name ? find(reader, at, name) : 0;

	if (index < 0)
		return false;
	*ret_index = (unsigned)index;
	return true;
}

void tenant_read_set(struct reader *reader, const struct value *value)
{
	bool list = value->node->kind == NODE_LIST;
	struct node *const single = (struct node *)value->node;

	*(unsigned *)value->target = 0;
	for (size_t i = 0; i < (list ? value->node->count : 1); i++) {
		const struct node *item = list ? value->node->items[i] : single;
		int index;

		if (item->kind != NODE_SCALAR) {
			find_error(reader->findings, item->at,
				   "`%s` must be a tenant's name, or a list of them", value->name);
			return;
		}
		index = find(reader, item->at, item->text);
		if (index >= 0)
			*(unsigned *)value->target |= 1u << (unsigned)index;
	}
}
_Static_assert(CONFIG_TENANTS <= 32, "a set of tenants is the bits of an unsigned");

/* ---- values that must fit each other ---- */

/* One step down; the place of the key, where it is there. */
static const struct node *step(const struct node *node, const char *key, struct place *at)
{
	if (!node || node->kind != NODE_MAP || !node_find_key(node, key))
		return NULL;
	*at = node_find_key(node, key)->at;
	return node_find(node, key);
}

/* One of a tenant's keys, and where it or what is nearest to it stands. section: "api" or
 * "prefixes"; key "": the section itself. */
static const struct node *key_of(const struct node *root, size_t index, const char *section,
				 const char *key, struct place *ret_at)
{
	struct place at = { root->at.file, 1, 1 };
	const struct node *node = root;

	if (index) {
		node = step(root, "tenants", &at);
		if (node && node->kind == NODE_LIST && index <= node->count)
			node = node->items[index - 1];
		if (node)
			at = node->at;
	} else if (!strcmp(section, "api")) {
		node = step(root, "core", &at);
	}
	node = step(step(node, section, &at), key, &at);
	*ret_at = at;
	return node;
}

static struct place key_place(const struct node *root, size_t index, const char *section,
			      const char *key)
{
	struct place at;

	(void)key_of(root, index, section, key, &at); /* only its place is asked for */
	return at;
}

/* What is there and wrong has its finding already. */
static bool absent(const struct node *root, size_t index, const char *key)
{
	struct place at;
	const struct node *node = key_of(root, index, "api", key, &at);

	return !node || (node->kind == NODE_SCALAR && node->null);
}

static void check_api(struct reader *reader, const struct node *root, size_t index)
{
	const struct config_api *api = config_tenant_api(reader->config, index);
	const char *in = index ? "tenants[].api" : "core.api";
	char host[HOST_ROOM];
	uint16_t port;
	bool local = api->target &&
		     !host_port_parse(api->target, strlen(api->target), host, &port) &&
		     host_is_loopback(host);

	if (api->plaintext && api->target && !local)
		find_error(reader->findings, key_place(root, index, "api", "plaintext"),
			   "`%s.plaintext` is for targets on this machine, `%.60s` is not. "
			   "Remove it",
			   in, api->target);
	if (api->token_url && absent(root, index, "client_id"))
		find_error(reader->findings, key_place(root, index, "api", "token_url"),
			   "`%s.client_id` is missing: `token_url` needs it", in);
	if (api->token_url && absent(root, index, "client_secret_file"))
		find_error(reader->findings, key_place(root, index, "api", "token_url"),
			   "`%s.client_secret_file` is missing: `token_url` needs it", in);
	if (absent(root, index, "token_url") && (api->client_id || api->client_secret_file))
		find_error(reader->findings, key_place(root, index, "api", ""),
			   "`%s.token_url` is missing: without it client id and secret are "
			   "not used. Write https://id.example.com/oauth2/token",
			   in);
	if (!local && (api->keepalive_s < 60 || api->keepalive_s > 300) && api->target)
		find_warning(reader->findings, key_place(root, index, "api", "keepalive"),
			     "`%s.keepalive` is outside what the core allows. Write 1m to 5m", in);
}

static void check_sbc(struct reader *reader, const struct node *root, size_t index)
{
	const struct config_tenant_sbc *sbc = &reader->config->tenants[index - 1].sbc;
	struct place at = key_place(root, index, "sbc", "");

	check_sbc_uri(reader, key_place(root, index, "sbc", "uri"), "tenants[].sbc.uri", sbc->uri);
	if (sbc->uri && !sbc->trusted_count)
		find_error(reader->findings, at,
			   "`tenants[].sbc.trusted` is missing: the networks that SBC's calls come "
			   "from. Write for example [192.0.2.0/24]");
	else if (!sbc->uri && (sbc->trusted_count || sbc->host_count))
		find_error(reader->findings, at,
			   "`tenants[].sbc.uri` is missing: where the calls of that SBC go back. "
			   "Write sips:sbc.example.net");
}

/* One of the prefixes that are told apart. */
struct prefix {
	const char *digits, *key;
	size_t tenant;
};

static const char *section_of(const struct prefix *prefix)
{
	return prefix->tenant ? "tenants[].prefixes" : "prefixes";
}

/* Why a number may be taken for one that has the prefix. */
static void check_plausible(struct reader *reader, const struct node *root,
			    const struct prefix *prefix)
{
	struct place at = key_place(root, prefix->tenant, "prefixes", prefix->key);

	if (*prefix->digits != '0')
		find_warning(
			reader->findings, at,
			"`%s.%s`: `%s` does not begin with 0, so it may be taken for a country "
			"code. Agree with the core on one that does",
			section_of(prefix), prefix->key, prefix->digits);
}

static void check_apart(struct reader *reader, const struct node *root, const struct prefix *one,
			const struct prefix *other)
{
	const struct config *config = reader->config;

	if (!str_starts(one->digits, other->digits) && !str_starts(other->digits, one->digits))
		return;
	if (one->tenant == other->tenant)
		find_error(reader->findings, key_place(root, one->tenant, "prefixes", one->key),
			   "`%s.mobile_originating` `%s` and `mobile_terminating` `%s` cannot be "
			   "told apart: one begins the other. Agree with the core on others",
			   section_of(one), other->digits, one->digits);
	else
		find_error(reader->findings, key_place(root, one->tenant, "prefixes", one->key),
			   "`%s.%s` `%s` of tenant `%s` and `%s` `%s` of tenant `%s` cannot be "
			   "told apart: one begins the other. Agree with the core on others",
			   section_of(one), one->key, one->digits,
			   config_tenant_name(config, one->tenant), other->key, other->digits,
			   config_tenant_name(config, other->tenant));
}

static void check_prefixes(struct reader *reader, const struct node *root)
{
	struct prefix prefixes[2 * CONFIG_TENANTS];
	size_t count = 0;

	for (size_t i = 0; i < config_tenants(reader->config); i++)
		for (int mt = 0; mt <= 1; mt++) {
			struct prefix *prefix = &prefixes[count];

			prefix->digits = config_tenant_prefix(reader->config, i,
							      mt ? DIRECTION_MT : DIRECTION_MO);
			prefix->key = mt ? "mobile_terminating" : "mobile_originating";
			prefix->tenant = i;
			count += prefix->digits != NULL;
		}
	for (size_t i = 0; i < count; i++) {
		check_plausible(reader, root, &prefixes[i]);
		for (size_t k = 0; k < i; k++)
			check_apart(reader, root, &prefixes[i], &prefixes[k]);
	}
}

/* Two of one name, or two that are one to the core. */
static void check_twins(struct reader *reader, const struct node *root, size_t index)
{
	const struct config *config = reader->config;
	const struct config_api *api = config_tenant_api(config, index), *other;
	const char *name = config_tenant_name(config, index);

	for (size_t k = 1; k < index; k++)
		if (name && !strcmp(name_at(config, k), name))
			find_error(reader->findings, key_place(root, index, "name", ""),
				   "a tenant called `%.60s` is defined already. Rename one", name);
	for (size_t k = 0; k < index; k++) {
		other = config_tenant_api(config, k);
		if (api->target && other->target && !strcmp(api->target, other->target) &&
		    !strcmp(api->client_id ? api->client_id : "",
			    other->client_id ? other->client_id : ""))
			find_warning(
				reader->findings, key_place(root, index, "api", "target"),
				"`%.60s` and `%.60s` have the same target and client: the core "
				"cannot tell them apart. Make them one tenant",
				name_at(config, k), name_at(config, index));
	}
}

void tenants_check(struct reader *reader, const struct node *root)
{
	struct config *config = reader->config;

	if (config_tenants(config) > CONFIG_TENANTS) {
		find_error(reader->findings, node_find(root, "tenants")->at,
			   "`tenants` has %zu items, and there can be %d beside `core.api`. Use "
			   "another node for the rest",
			   config->tenant_count, CONFIG_TENANTS - 1);
		return;
	}
	for (size_t i = 0; i < config_tenants(config); i++) {
		check_api(reader, root, i);
		check_twins(reader, root, i);
		if (i)
			check_sbc(reader, root, i);
	}
	check_prefixes(reader, root);
}
