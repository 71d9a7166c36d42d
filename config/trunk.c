/* SPDX-License-Identifier: Apache-2.0 */
/* trunk.c - trunks by definition and by name. */
#include "config/trunk.h"

#include <stdio.h>
#include <string.h>

#include "config/address.h"

#include "config/identity.h"
#include "config/service.h"

/* What reader.trunks maps a name to. */
struct named {
	size_t index;
	struct place at;
};

static void read_media(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [MEDIA_WEBRTC] = "webrtc",
					     [MEDIA_DTLS] = "dtls",
					     [MEDIA_SDES] = "sdes",
					     [MEDIA_SDES_OR_RTP] = "sdes_or_rtp",
					     [MEDIA_RTP] = "rtp" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum media_kind *)value->target = (enum media_kind)word;
}

static void read_order(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [TRUNK_IN_ORDER] = "in_order",
					     [TRUNK_WEIGHTED] = "weighted",
					     [TRUNK_ROUND_ROBIN] = "round_robin" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum trunk_order *)value->target = (enum trunk_order)word;
}

static const struct kind kind_order = { "in_order, weighted or round_robin", NODE_SCALAR,
					read_order };
static void read_dtmf(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [TRUNK_DTMF_AUTO] = "auto",
					     [TRUNK_DTMF_RFC4733] = "rfc4733",
					     [TRUNK_DTMF_INFO] = "info",
					     [TRUNK_DTMF_INBAND] = "inband" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum trunk_dtmf *)value->target = (enum trunk_dtmf)word;
}

static void read_codec(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { "PCMA",   "PCMU", "G722", "opus", "AMR",
					     "AMR-WB", "G729", "GSM",  "iLBC", "EVS" };

	if (value_word(reader, value, words, ARRAY_SIZE(words)) >= 0)
		kind_text.read(reader, value);
}

static void read_latching(struct reader *reader, const struct value *value)
{
	static const char *const words[] = {
		[LATCHING_SIGNALLED] = "signalled", [LATCHING_OFF] = "off", [LATCHING_ANY] = "any"
	};
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum latching *)value->target = (enum latching)word;
}

const struct kind kind_latching = { "signalled, off or any", NODE_SCALAR, read_latching };
static const struct kind kind_dtmf = { "auto, rfc4733, info or inband", NODE_SCALAR, read_dtmf };
static const struct kind kind_codec = { "name of a codec", NODE_SCALAR, read_codec };
const struct kind kind_media = { "rtp, sdes, sdes_or_rtp, dtls or webrtc", NODE_SCALAR,
				 read_media };

static const struct key limit_keys[] = {
	{ .name = "calls",
	  .kind = &kind_number,
	  .offset = offsetof(struct config_trunk, max_calls),
	  .fallback = "0",
	  .min = 0,
	  .max = 1000000,
	  .help = "at the same time, both directions; 0: no limit" },
	{ .name = "calls_per_second",
	  .kind = &kind_number,
	  .offset = offsetof(struct config_trunk, max_rate),
	  .fallback = "0",
	  .min = 0,
	  .max = 100000,
	  .help = "new ones, both directions; 0: no limit" },
};
static const struct schema limit_schema = { "trunks[].limits", limit_keys, ARRAY_SIZE(limit_keys) };

/* What stands between quotes in a header: RFC 3261 section 25.1. */
static void read_quotable(struct reader *reader, const struct value *value)
{
	for (const char *at = value->node->text; *at; at++) {
		if ((unsigned char)*at < 0x20 || strchr("\"\\\x7f", *at)) {
			value_error(reader, value,
				    "has quotes, backslashes or control characters. "
				    "Write it without");
			return;
		}
	}
	kind_text.read(reader, value);
}

static const struct kind kind_quotable = { "text", NODE_SCALAR, read_quotable };

static const struct key auth_keys[] = {
	{ .name = "username",
	  .kind = &kind_quotable,
	  .offset = offsetof(struct config_trunk_auth, username),
	  .help = "the user name" },
	{ .name = "password_file",
	  .kind = &kind_path,
	  .offset = offsetof(struct config_trunk_auth, password_file),
	  .flags = KEY_FILE | KEY_SECRET,
	  .help = "file whose first line is the password" },
	{ .name = "md5",
	  .kind = &kind_bool,
	  .offset = offsetof(struct config_trunk_auth, md5),
	  .fallback = "false",
	  .help = "let MD5 do where nothing better is offered" },
	{ .name = "realm",
	  .kind = &kind_quotable,
	  .offset = offsetof(struct config_trunk_auth, realm),
	  .help = "the only realm that is answered; any" },
};
static const struct schema auth_schema = { "trunks[].auth", auth_keys, ARRAY_SIZE(auth_keys) };
/* Without realm: there it is our domain. */
static const struct schema ingress_auth_schema = { "trunks[].ingress_auth", auth_keys,
						   ARRAY_SIZE(auth_keys) - 1 };

/* A SIP URI with a user: RFC 3261 section 10.2, address-of-record. */
static void read_aor(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;
	const char *at = strchr(text, '@'), *colon = strchr(text, ':');
	struct sip_uri uri;
	char host[2 * HOST_ROOM];
	const char *problem = NULL;

	if (!at || !colon || at <= colon + 1)
		problem = "names no user. Write sip:user@host";
	else if (strcspn(text, " <>\"?;") < strlen(text))
		problem = "has parameters or blanks. Write sip:user@host";
	if (!problem) {
		(void)snprintf(host, sizeof(host), "%.*s%s", (int)(colon + 1 - text), text, at + 1);
		problem = sip_uri_parse(host, &uri);
	}
	if (problem)
		value_error(reader, value, "%s", problem);
	else
		kind_text.read(reader, value);
}

static const struct kind kind_aor = { "SIP URI with a user", NODE_SCALAR, read_aor };

static const struct key register_keys[] = {
	{ .name = "aor",
	  .kind = &kind_aor,
	  .offset = offsetof(struct config_trunk, aor),
	  .help = "who we register as, such as sip:tas@pbx.example.com" },
	{ .name = "expires",
	  .kind = &kind_seconds,
	  .offset = offsetof(struct config_trunk, expires_s),
	  .fallback = "1h",
	  .min = 60,
	  .max = 86400,
	  .help = "how long the registration is asked to last" },
};
static const struct schema register_schema = { "trunks[].register", register_keys,
					       ARRAY_SIZE(register_keys) };

static const struct key trunk_keys[] = {
	{ .name = "name",
	  .kind = &kind_text,
	  .offset = offsetof(struct config_trunk, name),
	  .flags = KEY_REQUIRED,
	  .help = "what `dial` calls it" },
	{ .name = "uris",
	  .kind = &kind_sip_uri,
	  .offset = offsetof(struct config_trunk, uris),
	  .item_size = sizeof(char *),
	  .count_offset = offsetof(struct config_trunk, uri_count),
	  .flags = KEY_REQUIRED,
	  .help = "where it is reached, such as sip:pbx.example.com;transport=tcp" },
	{ .name = "order",
	  .kind = &kind_order,
	  .offset = offsetof(struct config_trunk, order),
	  .fallback = "in_order",
	  .help = "which address is tried first: in_order, weighted or round_robin" },
	{ .name = "weights",
	  .kind = &kind_number,
	  .offset = offsetof(struct config_trunk, weights),
	  .item_size = sizeof(unsigned),
	  .count_offset = offsetof(struct config_trunk, weight_count),
	  .min = 1,
	  .max = 1000,
	  .help = "share of the calls that each of uris gets with `order: weighted`" },
	{ .name = "failover_on",
	  .kind = &kind_number,
	  .offset = offsetof(struct config_trunk, failover_on),
	  .item_size = sizeof(unsigned),
	  .count_offset = offsetof(struct config_trunk, failover_count),
	  .fallback = "408 500 502 503 504",
	  .min = 400,
	  .max = 599,
	  .help = "statuses after which the next address is tried, if nothing rang before" },
	{ .name = "options_every",
	  .kind = &kind_seconds,
	  .offset = offsetof(struct config_trunk, options_s),
	  .fallback = "30s",
	  .min = 0,
	  .max = 3600,
	  .help = "between OPTIONS to each address; 0: none" },
	{ .name = "down_after",
	  .kind = &kind_number,
	  .offset = offsetof(struct config_trunk, down_after),
	  .fallback = "3",
	  .min = 1,
	  .max = 100,
	  .help = "failures in a row after which an address is down" },
	{ .name = "up_after",
	  .kind = &kind_number,
	  .offset = offsetof(struct config_trunk, up_after),
	  .fallback = "2",
	  .min = 1,
	  .max = 100,
	  .help = "answered OPTIONS in a row after which an address is up again" },
	{ .name = "down_on",
	  .kind = &kind_number,
	  .offset = offsetof(struct config_trunk, down_on),
	  .item_size = sizeof(unsigned),
	  .count_offset = offsetof(struct config_trunk, down_count),
	  .fallback = "408 503",
	  .min = 400,
	  .max = 599,
	  .help = "statuses that count as a failure of the address" },
	{ .name = "limits",
	  .kind = &kind_map,
	  .schema = &limit_schema,
	  .help = "how many calls it takes" },
	{ .name = "auth",
	  .kind = &kind_map,
	  .offset = offsetof(struct config_trunk, auth),
	  .schema = &auth_schema,
	  .help = "how its challenges are answered" },
	{ .name = "ingress_auth",
	  .kind = &kind_map,
	  .offset = offsetof(struct config_trunk, ingress_auth),
	  .schema = &ingress_auth_schema,
	  .help = "how it proves who it is when it calls" },
	{ .name = "register",
	  .kind = &kind_map,
	  .schema = &register_schema,
	  .help = "that we register there" },
	{ .name = "trusted",
	  .kind = &kind_cidr,
	  .offset = offsetof(struct config_trunk, trusted),
	  .item_size = sizeof(struct config_cidr),
	  .count_offset = offsetof(struct config_trunk, trusted_count),
	  .help = "networks it calls from, besides the literal addresses in uris" },
	{ .name = "media",
	  .kind = &kind_media,
	  .offset = offsetof(struct config_trunk, media),
	  .fallback = "rtp",
	  .help = "rtp; sdes or sdes_or_rtp, with keys in the SDP; dtls; webrtc, with ICE" },
	{ .name = "keys_in_clear",
	  .kind = &kind_bool,
	  .offset = offsetof(struct config_trunk, keys_in_clear),
	  .fallback = "false",
	  .help = "let sdes be used over SIP without TLS, where the keys can be read" },
	{ .name = "shared_port",
	  .kind = &kind_bool,
	  .offset = offsetof(struct config_trunk, shared_port),
	  .fallback = "false",
	  .help = "one port for its calls: it sends from where its SDP says" },
	{ .name = "latching",
	  .kind = &kind_latching,
	  .offset = offsetof(struct config_trunk, latching),
	  .fallback = "signalled",
	  .help = "whence its media is believed, besides the addresses of its SDP: signalled, that "
		  "host, or if it is private the one its SIP comes from; off; any, if it is "
		  "private from anywhere" },
	{ .name = "media_address",
	  .kind = &kind_address,
	  .offset = offsetof(struct config_trunk, media_address),
	  .help = "which of media.address it is told, if there are several; the one on the way to "
		  "it" },
	{ .name = "codecs",
	  .kind = &kind_codec,
	  .offset = offsetof(struct config_trunk, codecs),
	  .item_size = sizeof(char *),
	  .count_offset = offsetof(struct config_trunk, codec_count),
	  .help = "the only codecs it is offered and may use, most wanted first; all" },
	{ .name = "dtmf",
	  .kind = &kind_dtmf,
	  .offset = offsetof(struct config_trunk, dtmf),
	  .fallback = "auto",
	  .help = "how digits reach it and come from it: auto, rfc4733, info or inband" },
	{ .name = "hold_music",
	  .kind = &kind_sound,
	  .offset = offsetof(struct config_trunk, hold_music),
	  .flags = KEY_FILE,
	  .help = "a file that whoever it holds or transfers hears, if it sends nothing; none" },
	{ .name = "hosts",
	  .kind = &kind_host_pattern,
	  .offset = offsetof(struct config_trunk, hosts),
	  .item_size = sizeof(char *),
	  .count_offset = offsetof(struct config_trunk, host_count),
	  .help = "names, besides those in uris, that requests inside a call may go to" },
	{ .name = "allow_headers",
	  .kind = &kind_header,
	  .offset = offsetof(struct config_trunk, allow_headers),
	  .item_size = sizeof(char *),
	  .count_offset = offsetof(struct config_trunk, allow_header_count),
	  .help = "headers that may cross to it, besides the standard ones" },
	{ .name = "identity",
	  .kind = &kind_identity,
	  .schema = &identity_schema,
	  .offset = offsetof(struct config_trunk, identity),
	  .help = "what it is believed and told about who calls" },
	{ .name = "service",
	  .kind = &kind_service_name,
	  .offset = offsetof(struct config_trunk, service),
	  .help = "the service whose rules are for calls it sends; none" },
	{ .name = "ingress",
	  .kind = &kind_bool,
	  .offset = offsetof(struct config_trunk, ingress),
	  .fallback = "false",
	  .help = "whether it may place calls to ingress registrations" },
};

const struct schema trunk_schema = { "trunks[]", trunk_keys, ARRAY_SIZE(trunk_keys) };

static void remember(struct reader *reader, const char *name, struct place at)
{
	const struct named *twin = str_map_find(reader->trunks, name);
	struct named *named;

	if (twin) {
		find_error(reader->findings, at,
			   "a trunk called `%.60s` is defined already at %s:%u:%u. Rename one",
			   name, findings_file(reader->findings, twin->at.file), twin->at.line,
			   twin->at.column);
		return;
	}
	named = arena_alloc(reader->arena, 1, sizeof(*named));
	if (!named)
		return;
	*named = (struct named){ .index = str_map_count(reader->trunks), .at = at };
	if (str_map_put(reader->trunks, name, named))
		reader->arena->failed = true;
}

static void check_auth(struct reader *reader, const struct node *trunk, const char *key)
{
	const struct node *node = node_find(trunk, key);

	if (node && node->kind == NODE_MAP &&
	    (!node_find(node, "username") || !node_find(node, "password_file")))
		find_error(reader->findings, node->at,
			   "`trunks[].%s` needs both username and password_file. Write the "
			   "missing one",
			   key);
}

static void check_register(struct reader *reader, const struct node *node)
{
	if (node && node->kind == NODE_MAP && !node_find(node, "aor"))
		find_error(reader->findings, node->at,
			   "`trunks[].register` needs an aor. Write who we register as, such as "
			   "sip:tas@pbx.example.com");
}

static void check_weights(struct reader *reader, const struct config_trunk *trunk,
			  const struct node *node)
{
	const struct node *weights = node_find(node, "weights");

	if (weights && trunk->weight_count != trunk->uri_count)
		find_error(reader->findings, weights->at,
			   "`trunks[].weights` has %zu numbers for %zu uris. Write one for each",
			   trunk->weight_count, trunk->uri_count);
	else if (weights && trunk->order != TRUNK_WEIGHTED)
		find_warning(reader->findings, weights->at,
			     "`trunks[].weights` counts for nothing without `order: weighted`");
}

/* RFC 4568 section 7: the SDP must be protected at least as well as the media. */
static void check_keys(struct reader *reader, const struct config_trunk *trunk,
		       const struct node *node)
{
	if ((trunk->media != MEDIA_SDES && trunk->media != MEDIA_SDES_OR_RTP) ||
	    trunk->keys_in_clear)
		return;
	for (size_t i = 0; i < trunk->uri_count; i++) {
		if (config_uri_transport(trunk->uris[i]) == SIP_TRANSPORT_TLS)
			continue;
		find_error(
			reader->findings, node_find(node, "media")->at,
			"`trunks[].media` puts keys into the SDP, and `%.80s` is reached without "
			"TLS. Write ;transport=tls there, or `keys_in_clear: true` if the way is "
			"safe",
			trunk->uris[i]);
		return;
	}
}

static void read_trunk(struct reader *reader, const struct value *value)
{
	struct config_trunk *trunk = value->target;
	const struct node *uris = node_find(value->node, "uris");

	schema_read(reader, &trunk_schema, value->node, value->node->at, trunk);
	if (uris && uris->kind == NODE_LIST && !uris->count)
		find_error(reader->findings, uris->at,
			   "`trunks[].uris` is an empty list. Write at least one SIP URI");
	identity_check_allowed(reader, "trunks[]", node_find(value->node, "allow_headers"));
	check_weights(reader, trunk, value->node);
	check_keys(reader, trunk, value->node);
	check_auth(reader, value->node, "auth");
	check_auth(reader, value->node, "ingress_auth");
	check_register(reader, node_find(value->node, "register"));
	if (trunk->name)
		remember(reader, trunk->name, node_find(value->node, "name")->at);
}

static bool is_ours(const struct config_media *media, const char *address)
{
	for (size_t i = 0; i < media->address_count; i++)
		if (media->addresses[i] && !strcmp(media->addresses[i], address))
			return true;
	return false;
}

void trunks_check_addresses(struct reader *reader)
{
	const struct config *config = reader->config;

	for (size_t i = 0; i < config->trunk_count; i++) {
		const struct config_trunk *trunk = &config->trunks[i];
		const struct named *named =
			trunk->name ? str_map_find(reader->trunks, trunk->name) : NULL;

		if (named && trunk->media_address && !is_ours(&config->media, trunk->media_address))
			find_error(reader->findings, named->at,
				   "`media_address` of trunk `%.60s`: `%.60s` is none of "
				   "`media.address`. Write one of those, or add it there",
				   trunk->name, trunk->media_address);
	}
}

static const char *trunk_name(const void *list, size_t i)
{
	const char *name = ((const struct config_trunk *)list)[i].name;

	return name ? name : "";
}

static void read_trunk_name(struct reader *reader, const struct value *value)
{
	const struct config *config = reader->config;
	const char *text = value->node->text;
	const struct named *named = str_map_find(reader->trunks, text);

	if (named)
		*(size_t *)value->target = named->index;
	else
		find_error(
			reader->findings, value->node->at, "no trunk is called `%.60s`%s", text,
			suggestion(reader, text, trunk_name, config->trunks, config->trunk_count));
}

const struct kind kind_trunk = { "trunk", NODE_MAP, read_trunk };
const struct kind kind_trunk_name = { "trunk name", NODE_SCALAR, read_trunk_name };
