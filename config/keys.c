/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - every key of the file: name, kind, member, default, bounds, meaning. */
#include "config/keys.h"

#include <limits.h>
#include <string.h>

#include "config/address.h"
#include "config/device.h"
#include "config/health.h"
#include "config/http.h"
#include "config/identity.h"
#include "config/records.h"
#include "config/registration.h"
#include "config/service.h"
#include "config/tenant.h"
#include "config/trunk.h"
#include "config/turn.h"
#include "config/window.h"
#include "config/zone.h"

#define AT(member)       .offset = offsetof(struct config, member)
#define LIST(list, size) AT(list), .item_size = sizeof(size)
#define COUNT(member)    .count_offset = offsetof(struct config, member)
/* All members are reached from struct config, so nested tables start at 0. */
#define NESTED(table) .kind = &kind_map, .schema = &(table)
#define DAY_S         86400

static void read_ice(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [MEDIA_ICE_FULL] = "full", [MEDIA_ICE_LITE] = "lite" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum media_ice *)value->target = (enum media_ice)word;
}

static const struct kind kind_ice = { "full or lite", NODE_SCALAR, read_ice };

static void read_bypass(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [MEDIA_BYPASS_NEVER] = "never",
					     [MEDIA_BYPASS_LOOPS] = "loops",
					     [MEDIA_BYPASS_OVERLOAD] = "overload" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum media_bypass *)value->target = (enum media_bypass)word;
}

static const struct kind kind_bypass = { "never, loops or overload", NODE_SCALAR, read_bypass };

static void read_log_level(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [LOG_LEVEL_ERROR] = "error",
					     [LOG_LEVEL_NOTICE] = "notice",
					     [LOG_LEVEL_INFO] = "info",
					     [LOG_LEVEL_DEBUG] = "debug" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum log_level *)value->target = (enum log_level)word;
}

static const struct kind kind_log_level = { "log level", NODE_SCALAR, read_log_level };

static void read_log_format(struct reader *reader, const struct value *value)
{
	static const char *const words[] = {
		[LOG_TEXT] = "text", [LOG_JSON] = "json", [LOG_JOURNALD] = "journald"
	};
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum log_format *)value->target = (enum log_format)word;
}

static const struct kind kind_log_format = { "log format", NODE_SCALAR, read_log_format };

static void read_dns_server(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;
	char host[HOST_ROOM];
	uint16_t port;
	const char *problem = host_port_parse(text, strlen(text), host, &port);

	/* An IPv6 address without a port needs no brackets. */
	if (!host_is_literal(text) && (problem || !host_is_literal(host)))
		value_error(reader, value,
			    "is no address of a DNS server. Write 192.0.2.53, 192.0.2.53:5353 or "
			    "[2001:db8::53]:5353");
	else
		kind_text.read(reader, value);
}

static const struct kind kind_dns_server = { "DNS server", NODE_SCALAR, read_dns_server };

static const struct key sip_keys[] = {
	{ .name = "listen",
	  .kind = &kind_listen,
	  LIST(sip.listen, struct config_listen),
	  COUNT(sip.listen_count),
	  .fallback = "tls://[::]:5061",
	  .help = "transport://address:port, for all addresses [::]" },
	{ .name = "certificate",
	  .kind = &kind_path,
	  AT(sip.certificate),
	  .flags = KEY_FILE,
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "PEM file: our certificate, then intermediates" },
	{ .name = "private_key",
	  .kind = &kind_path,
	  AT(sip.private_key),
	  .flags = KEY_FILE | KEY_SECRET,
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "PEM file: the certificate's private key" },
	{ .name = "ca_file",
	  .kind = &kind_path,
	  AT(sip.ca_file),
	  .flags = KEY_FILE,
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "PEM file: who may sign a next hop's certificate; the system's" },
	{ .name = "certificate_check",
	  .kind = &kind_seconds,
	  AT(sip.certificate_check_s),
	  .fallback = "1m",
	  .min = 0,
	  .max = DAY_S,
	  .apply = CONFIG_APPLY_NOW,
	  .help = "how often certificates' files are looked at; new ones count at once; 0: at a "
		  "reload only" },
	{ .name = "user_agent",
	  .kind = &kind_text,
	  AT(sip.user_agent),
	  .fallback = "breakout",
	  .help = "what User-Agent and Server say" },
	{ .name = "connect_timeout",
	  .kind = &kind_ms,
	  AT(sip.connect_ms),
	  .fallback = "1s",
	  .min = 50,
	  .max = 30000,
	  .help = "for connecting, TLS and the first answer to an INVITE; five times as "
		  "long for a next hop that answers others meanwhile" },
	{ .name = "handshake_timeout",
	  .kind = &kind_seconds,
	  AT(sip.handshake_s),
	  .fallback = "10s",
	  .min = 1,
	  .max = 60,
	  .help = "for the TLS handshake of who connects to us" },
	{ .name = "keepalive",
	  .kind = &kind_seconds,
	  AT(sip.keepalive_s),
	  .fallback = "30s",
	  .min = 0,
	  .max = 3600,
	  .help = "between OPTIONS on idle connections to the SBC; 0: none" },
	{ .name = "t1",
	  .kind = &kind_ms,
	  AT(sip.t1_ms),
	  .fallback = "500ms",
	  .min = 100,
	  .max = 5000,
	  .help = "round trip estimate, RFC 3261 section 17.1.1.1" },
	{ .name = "session_expires",
	  .kind = &kind_seconds,
	  AT(sip.session_expires_s),
	  .fallback = "30m",
	  .min = 0,
	  .max = 86400,
	  .help = "how often a call is refreshed, RFC 4028; 0: only if the peer asks" },
	{ .name = "min_se",
	  .kind = &kind_seconds,
	  AT(sip.min_se_s),
	  .fallback = "90s",
	  .min = 90,
	  .max = 86400,
	  .help = "the shortest session timer a peer may ask for, RFC 4028 section 5" },
	{ .name = "device_digest",
	  .kind = &kind_device_digest,
	  AT(sip.device_digest),
	  .fallback = "md5",
	  .apply = CONFIG_APPLY_NOW,
	  .help = "what devices prove their password with: md5, sha-256 or both" },
	{ .name = "dns_servers",
	  .kind = &kind_dns_server,
	  LIST(sip.dns_servers, char *),
	  COUNT(sip.dns_server_count),
	  .help = "address or address:port of DNS servers; those of /etc/resolv.conf" },
};
static const struct schema sip_schema = { "sip", sip_keys, ARRAY_SIZE(sip_keys) };

static const struct key sbc_keys[] = {
	{ .name = "uri",
	  .kind = &kind_sip_uri,
	  AT(core.sbc.uri),
	  .flags = KEY_REQUIRED,
	  .help = "where calls go back to the core, sips:host or sips:host:port" },
	{ .name = "trusted",
	  .kind = &kind_cidr,
	  LIST(core.sbc.trusted, struct config_cidr),
	  COUNT(core.sbc.trusted_count),
	  .flags = KEY_REQUIRED,
	  .help = "networks the core's calls come from, such as [192.0.2.0/24]" },
	{ .name = "hosts",
	  .kind = &kind_host_pattern,
	  LIST(core.sbc.hosts, char *),
	  COUNT(core.sbc.host_count),
	  .help = "names, besides the uri's, that requests inside a call may go to, such as "
		  "[sbc2.example.net, \"*.core.example.net\"]" },
	{ .name = "client_ca",
	  .kind = &kind_path,
	  AT(core.sbc.client_ca),
	  .flags = KEY_FILE,
	  .help = "PEM file: the SBC must show a certificate signed by it; not asked for" },
	{ .name = "client_name",
	  .kind = &kind_host,
	  AT(core.sbc.client_name),
	  .help = "DNS name that certificate must carry; any" },
	{ .name = "hop_key_file",
	  .kind = &kind_path,
	  AT(core.sbc.hop_key_file),
	  .flags = KEY_FILE | KEY_SECRET,
	  .help = "secret of at least 16 bytes, the same on every node, that marks calls on leg 3 "
		  "so that one that comes back is seen; a random one for this process" },
	{ .name = "transfers",
	  .kind = &kind_bool,
	  AT(core.sbc.transfers),
	  .fallback = "no",
	  .help = "whether a subscriber's phone may send the other side elsewhere (REFER), by a "
		  "call of its own through the core" },
	{ .name = "identity",
	  NESTED(identity_core_schema),
	  .help = "what it is believed and told about who calls, where a trunk is at the other "
		  "end; loops stay as they are" },
	{ .name = "allow_headers",
	  .kind = &kind_header,
	  LIST(core.sbc.allow_headers, char *),
	  COUNT(core.sbc.allow_header_count),
	  .help = "headers of a trunk's calls that may cross to the core, besides the standard "
		  "ones" },
};
static const struct schema sbc_schema = { "core.sbc", sbc_keys, ARRAY_SIZE(sbc_keys) };

static const struct key core_keys[] = {
	{ .name = "api",
	  .kind = &kind_map,
	  .schema = &api_schema,
	  .apply = CONFIG_APPLY_NOW,
	  AT(core.api),
	  .help = "the core's gRPC API" },
	{ .name = "sbc",
	  NESTED(sbc_schema),
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "the core's SIP side" },
};
static const struct schema core_schema = { "core", core_keys, ARRAY_SIZE(core_keys) };

static const struct key store_keys[] = {
	{ .name = "sqlite",
	  .kind = &kind_path,
	  AT(store_sqlite),
	  .fallback = "/var/lib/breakout/breakout.db",
	  .help = "the database file" },
	{ .name = "postgres",
	  .kind = &kind_conninfo,
	  AT(postgres.conninfo),
	  .help = "instead of a file: the PostgreSQL database several nodes share, as libpq has "
		  "it, "
		  "\"host=db.example.com dbname=breakout user=breakout\"" },
	{ .name = "password_file",
	  .kind = &kind_path,
	  AT(postgres.password_file),
	  .flags = KEY_FILE | KEY_SECRET,
	  .help = "the password for it, on the first line; what ~/.pgpass says" },
	{ .name = "node",
	  .kind = &kind_text,
	  AT(postgres.node),
	  .min = 1,
	  .max = 63,
	  .help = "this node's name among those that share the database; the machine's" },
	{ .name = "version",
	  .kind = &kind_number,
	  AT(postgres.version),
	  .fallback = "0",
	  .min = 0,
	  .max = UINT_MAX,
	  .help = "a number that grows with every change of registrations, domain or prefixes, the "
		  "same on all nodes: date and time of the change will do, 2026112501" },
	{ .name = "lease",
	  .kind = &kind_ms,
	  AT(postgres.lease_ms),
	  .fallback = "10s",
	  .min = 1000,
	  .max = 300000,
	  .help = "a node that is silent for so long loses its numbers to the others" },
	{ .name = "alone",
	  .kind = &kind_seconds,
	  AT(postgres.alone_s),
	  .fallback = "2h",
	  .min = 0,
	  .max = 7 * DAY_S,
	  .help = "how long a node goes on refreshing without the database" },
};
static const struct schema store_schema = { "store", store_keys, ARRAY_SIZE(store_keys) };

static const struct key cdr_keys[] = {
	{ .name = "file",
	  .kind = &kind_path,
	  AT(cdr_file),
	  .help = "where call records go, one JSON object a line; only the log" },
};
static const struct schema cdr_schema = { "cdr", cdr_keys, ARRAY_SIZE(cdr_keys) };

static const struct key admin_keys[] = {
	{ .name = "socket",
	  .kind = &kind_path,
	  AT(admin_socket),
	  .fallback = "/run/breakout/breakout.sock",
	  .help = "Unix socket of breakoutctl" },
	{ .name = "http",
	  .kind = &kind_map,
	  .schema = &http_schema,
	  AT(http),
	  .help = "page, API, metrics and health by HTTP" },
};
static const struct schema admin_schema = { "admin", admin_keys, ARRAY_SIZE(admin_keys) };

static const struct key hep_keys[] = {
	{ .name = "to",
	  .kind = &kind_host_port,
	  AT(trace.hep),
	  .help = "address:port of a collector, by UDP; nobody" },
	{ .name = "id",
	  .kind = &kind_number,
	  AT(trace.hep_id),
	  .fallback = "2001",
	  .min = 0,
	  .max = UINT_MAX,
	  .help = "what it knows us by" },
	{ .name = "password_file",
	  .kind = &kind_path,
	  AT(trace.hep_password_file),
	  .flags = KEY_FILE | KEY_SECRET,
	  .help = "a file whose first line the collector wants; none" },
};
static const struct schema hep_schema = { "trace.hep", hep_keys, ARRAY_SIZE(hep_keys) };

static const struct key trace_keys[] = {
	{ .name = "memory",
	  .kind = &kind_bytes,
	  AT(trace.bytes),
	  .fallback = "32MiB",
	  .min = 64,
	  .max = 4194304,
	  .help = "for the SIP messages of the last minutes; 0: none are kept" },
	{ .name = "hep", NESTED(hep_schema), .help = "a copy of each message goes there" },
	{ .name = "dir",
	  .kind = &kind_path,
	  AT(trace.dir),
	  .fallback = "/var/lib/breakout/trace",
	  .help = "the folder of calls kept in full: `breakoutctl trace on NUMBER`" },
	{ .name = "dir_size",
	  .kind = &kind_bytes,
	  AT(trace.dir_bytes),
	  .fallback = "64MiB",
	  .min = 1024,
	  .max = 4194304,
	  .help = "for all of them, the oldest give way; 0: none can be kept" },
	{ .name = "keep_days",
	  .kind = &kind_number,
	  AT(trace.keep_days),
	  .fallback = "7",
	  .min = 0,
	  .max = 36500,
	  .help = "they are removed after so many days; 0: only when there is no room" },
};
static const struct schema trace_schema = { "trace", trace_keys, ARRAY_SIZE(trace_keys) };

static const struct key log_keys[] = {
	{ .name = "level",
	  .kind = &kind_log_level,
	  AT(log_level),
	  .fallback = "info",
	  .help = "error, notice, info or debug" },
	{ .name = "format",
	  .kind = &kind_log_format,
	  AT(log_format),
	  .fallback = "text",
	  .help = "text; json, an object a line; journald, the journal's protocol with fields" },
	{ .name = "rate",
	  .kind = &kind_number,
	  AT(log_rate),
	  .fallback = "2000",
	  .min = 0,
	  .max = 1000000,
	  .help = "lines a second of one kind, the others are counted; errors are all "
		  "written; 0: any" },
};
static const struct schema log_schema = { "log", log_keys, ARRAY_SIZE(log_keys) };

static const struct key media_keys[] = {
	{ .name = "certificate",
	  .kind = &kind_path,
	  AT(media.certificate),
	  .flags = KEY_FILE,
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "PEM file: what DTLS shows, for peers that pin it; one made at start" },
	{ .name = "private_key",
	  .kind = &kind_path,
	  AT(media.private_key),
	  .flags = KEY_FILE | KEY_SECRET,
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "PEM file: the certificate's private key" },
	{ .name = "address",
	  .kind = &kind_address,
	  LIST(media.addresses, char *),
	  COUNT(media.address_count),
	  .help = "addresses of this machine that peers send media to, IPv4 and IPv6: ICE is on "
		  "all, everything else on the one on the way to the peer; that of the first tls "
		  "listener" },
	{ .name = "advertised_address",
	  .kind = &kind_address,
	  LIST(media.advertised_addresses, char *),
	  COUNT(media.advertised_count),
	  .help = "behind a NAT that maps it to `address`, port by port: what peers are told; of "
		  "several addresses one for each, in their order" },
	{ .name = "ports",
	  .kind = &kind_port_range,
	  AT(media.port_min),
	  .fallback = "20000-29999",
	  .help = "UDP ports for media" },
	{ .name = "ice",
	  .kind = &kind_ice,
	  AT(media.ice),
	  .fallback = "full",
	  .help = "full; lite where peers reach the address directly" },
	{ .name = "stun",
	  .kind = &kind_host_port,
	  AT(media.stun),
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "host:port of a STUN server that tells the full agent which address a NAT "
		  "gives it; none" },
	{ .name = "turn",
	  .kind = &kind_map,
	  .schema = &turn_schema,
	  LIST(media.turn, struct config_turn),
	  COUNT(media.turn_count),
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "servers that relay for the full agent what finds no direct way; none" },
	{ .name = "ice_policy",
	  .kind = &kind_ice_policy,
	  AT(media.ice_policy),
	  .apply = CONFIG_APPLY_NEXT,
	  .fallback = "all",
	  .help = "what the full agent tells its peers: all, or relay: only addresses of "
		  "`turn`, so that all audio goes that way" },
	{ .name = "gather_time",
	  .kind = &kind_ms,
	  AT(media.gather_ms),
	  .apply = CONFIG_APPLY_NEXT,
	  .fallback = "500ms",
	  .min = 20,
	  .max = 10000,
	  .help = "how long an offer waits for the answers of `stun` and `turn` at most" },
	{ .name = "bypass",
	  .kind = &kind_bypass,
	  AT(media.bypass),
	  .apply = CONFIG_APPLY_NEXT,
	  .fallback = "overload",
	  .help = "which loops that no rule wants the audio of go without it: never, loops (all), "
		  "overload (those that begin in one)" },
	{ .name = "threads",
	  .kind = &kind_number,
	  AT(media.threads),
	  .fallback = "0",
	  .min = 0,
	  .max = 64,
	  .help = "0: one for each of `cpus`; without these one a core, at most 8" },
	{ .name = "cpus",
	  .kind = &kind_processors,
	  AT(media.cpus),
	  .help = "processors, such as 2-5,8: each media thread stays on one of them; the kernel "
		  "chooses" },
	{ .name = "rtp_timeout",
	  .kind = &kind_seconds,
	  AT(media.rtp_timeout_s),
	  .fallback = "60s",
	  .min = 0,
	  .max = DAY_S,
	  .help = "an established call without RTP ends after; 0: never" },
	{ .name = "opus_complexity",
	  .kind = &kind_number,
	  AT(media.opus_complexity),
	  .fallback = "2",
	  .min = 0,
	  .max = 10,
	  .help = "how much work Opus is where speech is transcoded: 0 to 10" },
	{ .name = "hold_timeout",
	  .kind = &kind_seconds,
	  AT(media.hold_timeout_s),
	  .fallback = "2h",
	  .min = 0,
	  .max = DAY_S,
	  .help = "a call on hold ends after so long without RTP and RTCP; 0: never" },
};
static const struct schema media_schema = { "media", media_keys, ARRAY_SIZE(media_keys) };

static void read_sound_format(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { "wav", "opus" };

	*(bool *)value->target = value_word(reader, value, words, ARRAY_SIZE(words)) == 1;
}

static const struct kind kind_sound_format = { "wav or opus", NODE_SCALAR, read_sound_format };

static const struct key recording_keys[] = {
	{ .name = "dir",
	  .kind = &kind_path,
	  AT(recordings.dir),
	  .fallback = "/var/lib/breakout/recordings",
	  .help = "the folder of recorded calls" },
	{ .name = "format",
	  .kind = &kind_sound_format,
	  AT(recordings.opus),
	  .fallback = "wav",
	  .help = "wav: 32 kB a second; opus: 4 kB, in an Ogg file" },
	{ .name = "key",
	  .kind = &kind_path,
	  AT(recordings.key),
	  .flags = KEY_FILE,
	  .help = "PEM file: an RSA public key, only whose owner can hear them" },
	{ .name = "keep_days",
	  .kind = &kind_number,
	  AT(recordings.keep_days),
	  .fallback = "0",
	  .min = 0,
	  .max = 36500,
	  .help = "they are removed after so many days; 0: never" },
};
static const struct schema recording_schema = { "recordings", recording_keys,
						ARRAY_SIZE(recording_keys) };

static const struct key limit_keys[] = {
	{ .name = "calls",
	  .kind = &kind_number,
	  AT(max_calls),
	  .fallback = "10000",
	  .min = 1,
	  .max = 1000000,
	  .help = "calls at the same time" },
	{ .name = "calls_per_number",
	  .kind = &kind_number,
	  AT(max_calls_per_number),
	  .fallback = "0",
	  .min = 0,
	  .max = 1000000,
	  .help = "calls at the same time of one registered number; 0: no limit" },
	{ .name = "device_attempts",
	  .kind = &kind_number,
	  AT(device_attempts),
	  .fallback = "30",
	  .min = 2, /* one challenge and one answer */
	  .max = 100000,
	  .help = "requests of one address a minute that no password goes with, or a wrong one" },
	{ .name = "busy",
	  .kind = &kind_number,
	  AT(max_busy),
	  .fallback = "95",
	  .min = 0,
	  .max = 100,
	  .help = "percent of the SIP thread's time, beyond which new calls are turned away; 0: "
		  "none ever is" },
	{ .name = "duration",
	  .kind = &kind_seconds,
	  AT(max_call_s),
	  .fallback = "4h",
	  .min = 60,
	  .max = 7 * DAY_S,
	  .help = "how long a call may last" },
};
static const struct schema limit_schema = { "limits", limit_keys, ARRAY_SIZE(limit_keys) };

static const struct key stop_keys[] = {
	{ .name = "withdraw",
	  .kind = &kind_bool,
	  AT(withdraw_at_stop),
	  .fallback = "false",
	  .help = "delete every registration when stopping" },
	{ .name = "drain",
	  .kind = &kind_seconds,
	  AT(drain_s),
	  .fallback = "4h",
	  .min = 0,
	  .max = 7 * DAY_S,
	  .help = "how long calls may last after a stop was asked for" },
};
static const struct schema stop_schema = { "stop", stop_keys, ARRAY_SIZE(stop_keys) };

/* In order of reading: rules name tenants, trunks and devices, registrations name
 * services. */
static const struct key top_keys[] = {
	{ .name = "domain",
	  .kind = &kind_host,
	  AT(domain),
	  .flags = KEY_REQUIRED,
	  .apply = CONFIG_APPLY_NOW,
	  .help = "the host name the core reaches us by, as in our certificate" },
	{ .name = "sip_uri_port",
	  .kind = &kind_port,
	  AT(sip_uri_port),
	  .fallback = "0",
	  .apply = CONFIG_APPLY_NOW,
	  .help = "port in the URI that is registered; 0: none, the core looks up SRV" },
	{ .name = "sip",
	  NESTED(sip_schema),
	  .apply = CONFIG_APPLY_RESTART,
	  .help = "our SIP side" },
	{ .name = "core",
	  NESTED(core_schema),
	  .apply = CONFIG_APPLY_RESTART,
	  .help = "the mobile core" },
	{ .name = "prefixes",
	  NESTED(prefix_schema),
	  .apply = CONFIG_APPLY_NOW,
	  .help = "what the core puts before numbers" },
	{ .name = "tenants",
	  .kind = &kind_tenant,
	  LIST(tenants, struct config_tenant),
	  COUNT(tenant_count),
	  .apply = CONFIG_APPLY_NOW,
	  .schema = &tenant_schema,
	  .help = "further targets of the core's API, with credentials and prefixes of their own" },
	{ .name = "store",
	  NESTED(store_schema),
	  .apply = CONFIG_APPLY_RESTART,
	  .help = "what survives a restart" },
	{ .name = "cdr",
	  NESTED(cdr_schema),
	  .apply = CONFIG_APPLY_RESTART,
	  .help = "call records" },
	{ .name = "records",
	  NESTED(records_schema),
	  .apply = CONFIG_APPLY_RESTART,
	  .help = "what becomes of call records" },
	{ .name = "admin",
	  NESTED(admin_schema),
	  .apply = CONFIG_APPLY_RESTART,
	  .help = "the operator's access" },
	{ .name = "health",
	  .kind = &kind_map,
	  .schema = &health_schema,
	  AT(health),
	  .apply = CONFIG_APPLY_NOW,
	  .help = "what happens while we cannot serve" },
	{ .name = "log", NESTED(log_schema), .apply = CONFIG_APPLY_NOW, .help = "the log" },
	{ .name = "trace",
	  NESTED(trace_schema),
	  .apply = CONFIG_APPLY_RESTART,
	  .help = "what was said lately" },
	{ .name = "media", NESTED(media_schema), .apply = CONFIG_APPLY_RESTART, .help = "audio" },
	{ .name = "recordings",
	  NESTED(recording_schema),
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "calls that rules record" },
	{ .name = "limits",
	  NESTED(limit_schema),
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "what we take on" },
	{ .name = "stop", NESTED(stop_schema), .apply = CONFIG_APPLY_NOW, .help = "how we stop" },
	{ .name = "time_zone",
	  .kind = &kind_zone,
	  AT(time_zone),
	  .fallback = "local",
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "where times of rules and holidays are, such as Europe/Oslo; this machine's" },
	{ .name = "holidays",
	  .kind = &kind_dates,
	  LIST(holidays, struct config_dates),
	  COUNT(holiday_count),
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "days that rules may tell apart: dates, and files of dates" },
	{ .name = "emergency",
	  .kind = &kind_digits,
	  LIST(emergency, char *),
	  COUNT(emergency_count),
	  .fallback = "112 911 999 000 110 113 118 119",
	  .min = 2,
	  .max = 15,
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "numbers that go to the core first and untouched" },
	{ .name = "trunks",
	  .kind = &kind_trunk,
	  LIST(trunks, struct config_trunk),
	  COUNT(trunk_count),
	  .apply = CONFIG_APPLY_NEXT,
	  .schema = &trunk_schema,
	  .help = "PBXs" },
	{ .name = "devices",
	  .kind = &kind_device,
	  LIST(devices, struct config_device),
	  COUNT(device_count),
	  .apply = CONFIG_APPLY_NOW,
	  .schema = &device_schema,
	  .help = "soft phones that register with us" },
	{ .name = "services",
	  .kind = &kind_services,
	  AT(services),
	  .apply = CONFIG_APPLY_NEXT,
	  .schema = &service_schema,
	  .named = true,
	  .help = "what to do with calls, by name" },
	{ .name = "registrations",
	  .kind = &kind_registrations,
	  AT(registrations),
	  .apply = CONFIG_APPLY_NOW,
	  .schema = &group_schema,
	  .help = "the numbers to keep registered" },
};
const struct schema config_schema = { "", top_keys, ARRAY_SIZE(top_keys) };
