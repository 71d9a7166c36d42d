/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.c - readers of single values: text, numbers, durations, addresses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/address.h"
#include "config/schema.h"

static char *keep(struct reader *reader, const char *text)
{
	return arena_dup(reader->arena, text, strlen(text));
}

static void read_text(struct reader *reader, const struct value *value)
{
	*(char **)value->target = keep(reader, value->node->text);
}

/* "password = x", or postgresql://user:x@host: libpq takes both. */
static bool has_password(const char *text)
{
	const char *word = text, *user = strstr(text, "://");

	while ((word = strstr(word, "password")) != NULL) {
		word += strlen("password");
		if (word[strspn(word, " ")] == '=')
			return true;
	}
	if (!user)
		return false;
	user += strlen("://");
	return user[strcspn(user, ":@/?")] == ':' && user[strcspn(user, "@/?")] == '@';
}

static void read_conninfo(struct reader *reader, const struct value *value)
{
	if (has_password(value->node->text)) /* which the finding must not show */
		find_error(reader->findings, value->node->at,
			   "`%s` has a password in it, which `breakoutctl config` and logs would "
			   "show. Write it into a file and name that in `password_file`",
			   value->name);
	else
		read_text(reader, value);
}

static void check_file(struct reader *reader, const struct value *value, const char *path)
{
	struct stat st;

	if (access(path, R_OK) || stat(path, &st)) {
		find_error(reader->findings, value->node->at,
			   "`%s`: cannot read %s: %s. Check path and permissions", value->name,
			   path, strerror(errno));
		return;
	}
	if (!S_ISREG(st.st_mode))
		find_error(reader->findings, value->node->at, "`%s`: %s is not a file. Name a file",
			   value->name, path);
	else if (value->key->flags & KEY_SECRET && st.st_mode & S_IROTH)
		find_warning(reader->findings, value->node->at,
			     "`%s`: %s can be read by everyone. Run chmod o-r on it", value->name,
			     path);
}

/* Relative paths start at the folder of the configuration file. */
static void read_path(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;
	const char *folder = *text == '/' ? "" : reader->folder;
	size_t room = strlen(folder) + strlen(text) + 1;
	char *path = arena_alloc(reader->arena, room, 1);

	if (!path)
		return;
	(void)snprintf(path, room, "%s%s", folder, text);
	*(char **)value->target = path;
	if (reader->check_files && value->key->flags & KEY_FILE)
		check_file(reader, value, path);
}

static void read_bool(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	*(bool *)value->target = word >= 0 && word % 2;
}

/* Digits at the start of a text, as far as they fit; false if there are none. */
static bool take_digits(const char **text, uint64_t *ret_number)
{
	const char *start = *text;
	uint64_t number = 0;

	for (; **text >= '0' && **text <= '9' && *text - start < 12; ++*text)
		number = number * 10 + (uint64_t)(**text - '0');
	*ret_number = number;
	return *text > start;
}

static void read_number(struct reader *reader, const struct value *value)
{
	const struct key *key = value->key;
	const char *text = value->node->text;
	uint64_t number;

	if (!take_digits(&text, &number) || *text)
		value_error(reader, value, "is not a whole number. Write digits only");
	else if (number < key->min || number > key->max)
		value_error(reader, value, "is out of range. Write %u to %u", key->min, key->max);
	else
		*(unsigned *)value->target = (unsigned)number;
}

static void read_port(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;

	if (!port_parse(text, strlen(text), value->target))
		value_error(reader, value, "is not a port. Write 0 to 65535");
}

static const struct {
	const char *unit;
	unsigned ms;
} units[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

/* In the largest unit that divides it: 90000 is "90s". */
static const char *duration_text(char *text, size_t room, uint64_t ms)
{
	(void)snprintf(text, room, "0");
	for (size_t i = 0; ms && i < ARRAY_SIZE(units); i++) {
		if (ms % units[i].ms)
			continue;
		(void)snprintf(text, room, "%llu%s", (unsigned long long)(ms / units[i].ms),
			       units[i].unit);
		break;
	}
	return text;
}

/* Milliseconds of one unit; 0 for a word that is none. */
static uint64_t unit_ms(const char *unit)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(unit, units[i].unit))
			return units[i].ms;
	return 0;
}

static void read_duration(struct reader *reader, const struct value *value, unsigned member_ms)
{
	const struct key *key = value->key;
	const char *text = value->node->text;
	char low[32], high[32];
	uint64_t number, ms;

	/* Nothing needs no unit. */
	if (!take_digits(&text, &number) || (!unit_ms(text) && (number || *text))) {
		value_error(reader, value,
			    "is not a duration. Write a number with h, m, s or ms, such as 30s");
		return;
	}
	ms = number * unit_ms(text);
	if (ms / member_ms < key->min || ms > (uint64_t)key->max * member_ms) {
		value_error(reader, value, "is out of range. Write %s to %s",
			    duration_text(low, sizeof(low), (uint64_t)key->min * member_ms),
			    duration_text(high, sizeof(high), (uint64_t)key->max * member_ms));
		return;
	}
	if (ms % member_ms) {
		value_error(reader, value, "is finer than a second. Write whole seconds");
		return;
	}
	*(unsigned *)value->target = (unsigned)(ms / member_ms);
}

/* Bytes; the bounds are in KiB. */
static void read_bytes(struct reader *reader, const struct value *value)
{
	static const struct {
		const char *unit;
		unsigned kib;
	} sizes[] = { { "KiB", 1 }, { "MiB", 1024 }, { "GiB", 1048576 } };
	const char *text = value->node->text;
	uint64_t number, kib = 0;
	bool sound = take_digits(&text, &number);

	for (size_t i = 0; sound && i < ARRAY_SIZE(sizes); i++)
		if (!strcmp(text, sizes[i].unit))
			kib = number * sizes[i].kib;
	if (!sound || (!kib && number))
		value_error(reader, value,
			    "is no size. Write a number with KiB, MiB or GiB, such as 32MiB");
	else if (number && (kib < value->key->min || kib > value->key->max))
		value_error(reader, value, "is out of range. Write %uKiB to %uKiB", value->key->min,
			    value->key->max);
	else
		*(size_t *)value->target = (size_t)kib * 1024;
}

static void read_ms(struct reader *reader, const struct value *value)
{
	read_duration(reader, value, 1);
}

static void read_seconds(struct reader *reader, const struct value *value)
{
	read_duration(reader, value, 1000);
}

static void read_host(struct reader *reader, const struct value *value)
{
	if (!host_is_name(value->node->text))
		value_error(reader, value,
			    "is not a host name. Write it as in DNS, without "
			    "sips: and port");
	else
		read_text(reader, value);
}

static void read_host_pattern(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;

	if (!host_is_name(strncmp(text, "*.", 2) == 0 ? text + 2 : text))
		value_error(reader, value,
			    "is not a host name. Write it as in DNS, or *.example.com for all "
			    "names of a domain; addresses belong into `trusted`");
	else
		read_text(reader, value);
}

static void read_host_port(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;
	char host[HOST_ROOM];
	uint16_t port;
	const char *problem = host_port_parse(text, strlen(text), host, &port);

	if (problem)
		value_error(reader, value, "%s", problem);
	else if (!port)
		value_error(reader, value, "has no port. Write host:port");
	else
		read_text(reader, value);
}

/* https, or http to this machine. */
static void read_url(struct reader *reader, const struct value *value)
{
	bool clear = false;
	const char *problem = web_url_parse(value->node->text, &clear);

	if (problem)
		value_error(reader, value, "%s", problem);
	else if (clear)
		value_error(reader, value, "would send the client secret in clear. Write https://");
	else
		read_text(reader, value);
}

/* Whoever has the key says what http to another machine means. */
static void read_web_url(struct reader *reader, const struct value *value)
{
	bool clear;
	const char *problem = web_url_parse(value->node->text, &clear);

	if (problem)
		value_error(reader, value, "%s", problem);
	else
		read_text(reader, value);
}

static void read_sip_uri(struct reader *reader, const struct value *value)
{
	struct sip_uri uri;
	const char *problem = sip_uri_parse(value->node->text, &uri);

	if (problem)
		value_error(reader, value, "%s", problem);
	else
		read_text(reader, value);
}

static void read_address(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;

	if (!host_is_literal(text))
		value_error(reader, value,
			    "is not an address. Write an IPv4 or IPv6 address, "
			    "without brackets and port");
	else if (host_is_wildcard(text) || host_is_multicast(text))
		value_error(reader, value,
			    "cannot be told to a peer. Write the address of "
			    "one machine");
	else
		read_text(reader, value);
}

static void read_cidr(struct reader *reader, const struct value *value)
{
	struct config_cidr *cidr = value->target;
	bool host_bits;
	const char *problem = cidr_parse(value->node->text, cidr, &host_bits);

	if (problem)
		value_error(reader, value, "%s", problem);
	else if (!cidr->prefix_length)
		find_warning(reader->findings, value->node->at,
			     "`%s`: `%.60s` trusts everybody. Name the peer's networks",
			     value->name, value->node->text);
	else if (host_bits)
		find_warning(reader->findings, value->node->at,
			     "`%s`: `%.60s` has bits beyond its prefix, which count for "
			     "nothing. Write the network's first address",
			     value->name, value->node->text);
}

static void read_listen(struct reader *reader, const struct value *value)
{
	struct config_listen *listen = value->target;
	const char *text = value->node->text;
	const char *problem;
	char host[HOST_ROOM];
	size_t length;

	if (!strncasecmp(text, "tls://", 6))
		listen->transport = SIP_TRANSPORT_TLS;
	else if (!strncasecmp(text, "tcp://", 6))
		listen->transport = SIP_TRANSPORT_TCP;
	else if (!strncasecmp(text, "udp://", 6))
		listen->transport = SIP_TRANSPORT_UDP;
	else {
		value_error(reader, value,
			    "names no transport. Write tls://address:port, "
			    "tcp:// or udp://");
		return;
	}
	text += 6;
	length = strlen(text);
	problem = host_port_parse(text, length, host, &listen->port);
	if (problem)
		value_error(reader, value, "%s", problem);
	else if (!host_is_literal(host))
		value_error(reader, value,
			    "names a host. Write an address of this machine, or "
			    "[::] for all");
	else
		listen->host = keep(reader, host);
	/* Default ports: RFC 3261 section 19.1.2. A written 0 asks for any. */
	if (!listen->port && (!length || text[length - 1] != '0' || text[length - 2] != ':'))
		listen->port = listen->transport == SIP_TRANSPORT_TLS ? 5061 : 5060;
}

static void read_port_range(struct reader *reader, const struct value *value)
{
	uint16_t *range = value->target; /* min, max */
	const char *text = value->node->text;
	const char *dash = strchr(text, '-');

	if (!dash || !port_parse(text, (size_t)(dash - text), &range[0]) ||
	    !port_parse(dash + 1, strlen(dash + 1), &range[1]))
		value_error(reader, value, "is not a range of ports. Write 20000-29999");
	else if (range[0] < 1024)
		value_error(reader, value, "begins below 1024. Write 20000-29999");
	else if (range[1] < range[0] + 3)
		value_error(reader, value,
			    "holds fewer than four ports, the least one call needs. "
			    "Write 20000-29999");
}

_Static_assert(offsetof(struct config_media, port_max) ==
		       offsetof(struct config_media, port_min) + sizeof(uint16_t),
	       "read_port_range() fills both");

static void read_digits(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;
	size_t length = strlen(text);

	if (strspn(text, "0123456789") != length)
		value_error(reader, value, "is not made of digits. Write digits only, in quotes");
	else if (length < value->key->min || length > value->key->max)
		value_error(reader, value, "has the wrong length. Write %u to %u digits",
			    value->key->min, value->key->max);
	else
		read_text(reader, value);
}

static void read_header(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;

	/* token: RFC 3261 section 25.1 */
	if (text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			      "-.!%*_+`'~")])
		value_error(reader, value,
			    "is not a header name. Write the name only, such as "
			    "X-Account");
	else
		read_text(reader, value);
}

static void read_processors(struct reader *reader, const struct value *value)
{
	struct processors *list = value->target;
	const char *problem = processors_parse(value->node->text, list);

	if (!problem)
		return;
	list->count = 0;
	value_error(reader, value, "%s", problem);
}

const struct kind kind_conninfo = { "connection string", NODE_SCALAR, read_conninfo };
const struct kind kind_text = { "text", NODE_SCALAR, read_text };
const struct kind kind_path = { "path", NODE_SCALAR, read_path };
const struct kind kind_bool = { "true or false", NODE_SCALAR, read_bool };
const struct kind kind_number = { "number", NODE_SCALAR, read_number };
const struct kind kind_port = { "port", NODE_SCALAR, read_port };
const struct kind kind_ms = { "duration", NODE_SCALAR, read_ms };
const struct kind kind_seconds = { "duration", NODE_SCALAR, read_seconds };
const struct kind kind_bytes = { "size", NODE_SCALAR, read_bytes };
const struct kind kind_host = { "host name", NODE_SCALAR, read_host };
const struct kind kind_host_pattern = { "host name", NODE_SCALAR, read_host_pattern };
const struct kind kind_host_port = { "host:port", NODE_SCALAR, read_host_port };
const struct kind kind_url = { "URL", NODE_SCALAR, read_url };
const struct kind kind_web_url = { "URL", NODE_SCALAR, read_web_url };
const struct kind kind_sip_uri = { "SIP URI", NODE_SCALAR, read_sip_uri };
const struct kind kind_address = { "address", NODE_SCALAR, read_address };
const struct kind kind_cidr = { "network", NODE_SCALAR, read_cidr };
const struct kind kind_listen = { "listener", NODE_SCALAR, read_listen };
const struct kind kind_port_range = { "port range", NODE_SCALAR, read_port_range };
const struct kind kind_digits = { "digits", NODE_SCALAR, read_digits };
const struct kind kind_header = { "header name", NODE_SCALAR, read_header };
const struct kind kind_processors = { "processors", NODE_SCALAR, read_processors };

void key_add_bounds(const struct key *key, struct str *out)
{
	unsigned member_ms = key->kind == &kind_ms ? 1 : 1000;
	char low[32], high[32];

	if (!key->max)
		return;
	if (key->kind == &kind_ms || key->kind == &kind_seconds)
		str_addf(out, ", %s to %s",
			 duration_text(low, sizeof(low), (uint64_t)key->min * member_ms),
			 duration_text(high, sizeof(high), (uint64_t)key->max * member_ms));
	else if (key->kind == &kind_bytes)
		str_addf(out, ", 0 or %uKiB to %uKiB", key->min, key->max);
	else if (key->kind == &kind_digits)
		str_addf(out, ", %u to %u of them", key->min, key->max);
	else
		str_addf(out, ", %u to %u", key->min, key->max);
}
