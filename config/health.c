/* SPDX-License-Identifier: Apache-2.0 */
/* health.c - what is watched of ourselves, and what becomes of the registrations
 * when it is sick. */
#include "config/health.h"

#define AT(member)       .offset = offsetof(struct config_health, member)
#define LIST(list, size) AT(list), .item_size = sizeof(size)
#define COUNT(member)    .count_offset = offsetof(struct config_health, member)
#define NESTED(table)    .kind = &kind_map, .schema = &(table)
#define HOUR_MS          3600000
#define DAY_MS           (24 * HOUR_MS)

static const char *const gates[] = { [HEALTH_GATE_OFF] = "off",
				     [HEALTH_GATE_REPORT] = "report",
				     [HEALTH_GATE_WITHDRAW] = "withdraw" };

static const char *const duties[] = { [HEALTH_DOES_NOTHING] = "off",
				      [HEALTH_DOES_REPORT] = "report",
				      [HEALTH_DOES_PROVEN] = "proven",
				      [HEALTH_DOES_WITHDRAW] = "withdraw" };

const char *health_gate_name(enum health_gate gate)
{
	return gates[gate];
}

const char *health_does_name(enum health_does does)
{
	return duties[does];
}

static void read_gate(struct reader *reader, const struct value *value)
{
	int word = value_word(reader, value, gates, ARRAY_SIZE(gates));

	if (word >= 0)
		*(enum health_gate *)value->target = (enum health_gate)word;
}

static void read_duty(struct reader *reader, const struct value *value)
{
	int word = value_word(reader, value, duties, ARRAY_SIZE(duties));

	if (word >= 0)
		*(enum health_does *)value->target = (enum health_does)word;
}

static const struct kind kind_gate = { "off, report or withdraw", NODE_SCALAR, read_gate };
static const struct kind kind_duty = { "off, report, proven or withdraw", NODE_SCALAR, read_duty };

/* What every check has; its members lie in one struct config_health_check. */
#define CHECK_KEYS(check, duty, often, sick, well)                                                 \
	{ .name = "do",                                                                            \
	  .kind = &kind_duty,                                                                      \
	  AT(check.does),                                                                          \
	  .fallback = duty,                                                                        \
	  .help = "when it is sick: withdraw; proven, which is withdraw once it has been well "    \
		  "since the start; report; off: it is not made" },                                \
		{ .name = "every",                                                                 \
		  .kind = &kind_ms,                                                                \
		  AT(check.every_ms),                                                              \
		  .fallback = often,                                                               \
		  .min = 50,                                                                       \
		  .max = HOUR_MS,                                                                  \
		  .help = "between two looks" },                                                   \
		{ .name = "sick_after",                                                            \
		  .kind = &kind_ms,                                                                \
		  AT(check.sick_after_ms),                                                         \
		  .fallback = sick,                                                                \
		  .max = DAY_MS,                                                                   \
		  .help = "it has failed at every look for so long" },                             \
	{                                                                                          \
		.name = "well_after", .kind = &kind_ms, AT(check.well_after_ms), .fallback = well, \
		.max = DAY_MS, .help = "it has passed at every look for so long"                   \
	}

static const struct key self_call_keys[] = {
	CHECK_KEYS(self_call, "proven", "5s", "15s", "1m"),
	{ .name = "to",
	  .kind = &kind_host_port,
	  AT(self_call_to),
	  .help = "host:port where the core reaches us, if calls to it come back in from here; "
		  "our first tls listener" },
	{ .name = "ca_file",
	  .kind = &kind_path,
	  AT(self_call_ca_file),
	  .flags = KEY_FILE,
	  .help = "PEM file: whom the core trusts to sign our certificate; that of sip.ca_file" },
	{ .name = "timeout",
	  .kind = &kind_ms,
	  AT(self_call_timeout_ms),
	  .fallback = "3s",
	  .min = 50,
	  .max = 30000,
	  .help = "for connecting, TLS and the answer together" },
};
static const struct schema self_call_schema = { "health.self_call", self_call_keys,
						ARRAY_SIZE(self_call_keys) };

static const struct key dns_keys[] = {
	CHECK_KEYS(dns, "report", "30s", "5m", "1m"),
	{ .name = "addresses",
	  .kind = &kind_address,
	  LIST(dns_addresses, char *),
	  COUNT(dns_address_count),
	  .help = "what our name may lead to besides addresses of this machine and "
		  "media.advertised_address" },
};
static const struct schema dns_schema = { "health.dns", dns_keys, ARRAY_SIZE(dns_keys) };

static const struct key sip_keys[] = { CHECK_KEYS(sip, "withdraw", "1s", "10s", "30s") };
static const struct schema sip_schema = { "health.sip", sip_keys, ARRAY_SIZE(sip_keys) };

static const struct key media_keys[] = { CHECK_KEYS(media, "withdraw", "1s", "10s", "30s") };
static const struct schema media_schema = { "health.media", media_keys, ARRAY_SIZE(media_keys) };

static const struct key store_keys[] = { CHECK_KEYS(store, "report", "1s", "30s", "30s") };
static const struct schema store_schema = { "health.store", store_keys, ARRAY_SIZE(store_keys) };

static const struct key trunk_keys[] = { CHECK_KEYS(trunks, "report", "1s", "1m", "1m") };
static const struct schema trunk_schema = { "health.trunks", trunk_keys, ARRAY_SIZE(trunk_keys) };

static const struct key watchdog_keys[] = {
	{ .name = "after",
	  .kind = &kind_ms,
	  AT(watchdog_after_ms),
	  .fallback = "30s",
	  .min = 200,
	  .max = HOUR_MS,
	  .help = "the daemon, or all nodes of a fleet, are dead for so long before "
		  "breakout-watchdog withdraws; a fleet's at least store.lease" },
	{ .name = "unseen_after",
	  .kind = &kind_ms,
	  AT(watchdog_unseen_after_ms),
	  .fallback = "10m",
	  .max = DAY_MS,
	  .help = "a silent node of a fleet that no breakout-watchdog on its machine says is dead "
		  "counts for so long as cut off from the database, serving calls; then as dead" },
	{ .name = "kill_hung",
	  .kind = &kind_bool,
	  AT(watchdog_kills),
	  .fallback = "true",
	  .help = "a daemon that gives no sign of life and does not answer for so long is killed" },
};
static const struct schema watchdog_schema = { "health.watchdog", watchdog_keys,
					       ARRAY_SIZE(watchdog_keys) };

static const struct key health_keys[] = {
	{ .name = "gate",
	  .kind = &kind_gate,
	  AT(gate),
	  .fallback = "withdraw",
	  .help = "while we are sick: withdraw registrations, report only, or off: nothing is "
		  "checked" },
	{ .name = "rate",
	  .kind = &kind_number,
	  AT(rate),
	  .fallback = "0",
	  .max = 100000,
	  .help = "requests a second while withdrawing; 0: as core.api.max_rate" },
	{ .name = "self_call",
	  NESTED(self_call_schema),
	  .help = "an OPTIONS to ourselves over TLS, as the core would send it" },
	{ .name = "dns", NESTED(dns_schema), .help = "our name leads to us" },
	{ .name = "sip", NESTED(sip_schema), .help = "the thread that takes calls runs" },
	{ .name = "media", NESTED(media_schema), .help = "the threads that carry audio run" },
	{ .name = "store", NESTED(store_schema), .help = "the store can be written" },
	{ .name = "trunks",
	  NESTED(trunk_schema),
	  .help = "services whose every way is a trunk: one of them is up. Withdraws their "
		  "numbers only" },
	{ .name = "watchdog", NESTED(watchdog_schema), .help = "of breakout-watchdog" },
};
const struct schema health_schema = { "health", health_keys, ARRAY_SIZE(health_keys) };
