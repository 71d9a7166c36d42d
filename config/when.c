/* SPDX-License-Identifier: Apache-2.0 */
/* when.c - the conditions of a rule: all keys must hold, of a list any item. */
#include "config/when.h"

#include <string.h>

#include "config/pattern.h"
#include "config/registration.h"
#include "config/tenant.h"
#include "config/trunk.h"
#include "config/window.h"

#define MATCH_MAX 128  /* characters of a pattern for a header */
#define VALUE_MAX 1024 /* and of a value, so that matching has an end */

/* Words of a list, or one alone, as bits; the first word is bit `shift`. */
static void read_bits(struct reader *reader, const struct value *value, const char *const *words,
		      size_t word_count, unsigned shift)
{
	struct node *const single = (struct node *)value->node;
	bool list = value->node->kind == NODE_LIST;
	size_t count = list ? value->node->count : 1;

	*(unsigned *)value->target = 0;
	for (size_t i = 0; i < count; i++) {
		struct value item = *value;
		int word;

		item.node = list ? value->node->items[i] : single;
		if (item.node->kind != NODE_SCALAR) {
			find_error(reader->findings, item.node->at,
				   "`%s` must be %s, or a list of them", value->name,
				   value->key->kind->name);
			return;
		}
		word = value_word(reader, &item, words, word_count);
		if (word >= 0)
			*(unsigned *)value->target |= 1u << ((unsigned)word + shift);
	}
}

static void read_direction(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { "mo", "mt", "unknown" }; /* bits of call_direction */

	read_bits(reader, value, words, ARRAY_SIZE(words), 0);
}

_Static_assert(DIRECTION_MO == 1 && DIRECTION_MT == 2 && DIRECTION_UNKNOWN == 4,
	       "read_direction() shifts by the index of the word");

static void read_route_types(struct reader *reader, const struct value *value)
{
	const char *words[ROUTE_TYPE_COUNT - ROUTE_TYPE_LOOP];

	for (int i = ROUTE_TYPE_LOOP; i < ROUTE_TYPE_COUNT; i++)
		words[i - ROUTE_TYPE_LOOP] = route_type_name((enum route_type)i);
	read_bits(reader, value, words, ARRAY_SIZE(words), ROUTE_TYPE_LOOP);
}

static void read_holiday(struct reader *reader, const struct value *value)
{
	bool wanted;
	struct value word = *value;

	word.target = &wanted;
	kind_bool.read(reader, &word);
	*(enum holiday_rule *)value->target = wanted ? HOLIDAY_ONLY : HOLIDAY_NEVER;
}

/* ---- headers ---- */

static const struct key header_keys[] = {
	{ .name = "name",
	  .kind = &kind_header,
	  .offset = offsetof(struct config_header, name),
	  .flags = KEY_REQUIRED,
	  .help = "the header's name" },
	{ .name = "matches",
	  .kind = &kind_text,
	  .offset = offsetof(struct config_header, matches),
	  .help = "the whole value, with * for any characters and ? for one; any value" },
	{ .name = "case_sensitive",
	  .kind = &kind_bool,
	  .offset = offsetof(struct config_header, case_sensitive),
	  .fallback = "false",
	  .help = "whether capital letters count; RFC 3261 section 7.3.1 says no for most" },
};
static const struct schema header_schema = { "when.header", header_keys, ARRAY_SIZE(header_keys) };

/* These are not among the headers of a leg; From and To are caller and called. */
static bool is_own(const char *name)
{
	static const char *const names[] = {
		"Via",  "From",    "f", "To",    "t", "Call-ID",      "i",
		"CSeq", "Contact", "m", "Route", "v", "Record-Route", "Max-Forwards"
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_equal_nocase(name, names[i]))
			return true;
	return false;
}

static void read_header_test(struct reader *reader, const struct value *value)
{
	struct config_header *header = value->target;

	if (value->node->kind == NODE_SCALAR) { /* the name alone */
		struct value name = *value;

		name.target = &header->name;
		kind_header.read(reader, &name);
	} else if (value->node->kind == NODE_MAP) {
		schema_read(reader, &header_schema, value->node, value->node->at, header);
	} else {
		find_error(reader->findings, value->node->at,
			   "`%s` must be a name or `{ name: X-Account, matches: \"7*\" }`",
			   value->name);
	}
	if (header->name && is_own(header->name))
		find_error(reader->findings, value->node->at,
			   "`%s`: %s belongs to one dialog and is not looked at. Use `caller` or "
			   "`called`",
			   value->name, header->name);
	if (header->matches && strlen(header->matches) > MATCH_MAX)
		find_error(reader->findings, value->node->at,
			   "`%s.matches` is longer than %d characters. Shorten it with *",
			   value->name, MATCH_MAX);
}

static char fold(char c, bool exact)
{
	return !exact && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* One step back, to the last star, is all a match ever needs; so the cost is
 * at most the product of both lengths. */
bool config_header_matches(const struct config_header *header, const char *value)
{
	const char *pattern = header->matches, *end = value + strnlen(value, VALUE_MAX);
	const char *star = NULL, *resume = value;

	if (!pattern)
		return true;
	while (value < end) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = value;
		} else if (*pattern == '?' ||
			   (*pattern && fold(*pattern, header->case_sensitive) ==
						fold(*value, header->case_sensitive))) {
			pattern++;
			value++;
		} else if (star) {
			pattern = star;
			value = ++resume;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

/* ---- the table ---- */

static const struct kind kind_direction = { "mo, mt or unknown", NODE_ANY, read_direction };
static const struct kind kind_route_types = { "loop, loop_mo, loop_mt, fork or fallback", NODE_ANY,
					      read_route_types };
static const struct kind kind_tenants = { "tenants' names", NODE_ANY, tenant_read_set };
static const struct kind kind_holiday = { "true or false", NODE_SCALAR, read_holiday };
static const struct kind kind_header_test = { "header", NODE_ANY, read_header_test };

#define ITEMS(list, counter, type)                                                                 \
	.offset = offsetof(struct config_rule, list), .item_size = sizeof(type),                   \
	.count_offset = offsetof(struct config_rule, counter)

static const struct key when_keys[] = {
	{ .name = "direction",
	  .kind = &kind_direction,
	  .offset = offsetof(struct config_rule, directions),
	  .help = "mo, mt, unknown or a list of them; every call" },
	{ .name = "caller",
	  .kind = &kind_caller,
	  ITEMS(callers, caller_count, struct config_pattern),
	  .help = "numbers, ranges, beginnings, files or anonymous; every caller" },
	{ .name = "called",
	  .kind = &kind_pattern,
	  ITEMS(called, called_count, struct config_pattern),
	  .help = "numbers, ranges, beginnings or files; every called number" },
	{ .name = "number",
	  .kind = &kind_pattern,
	  ITEMS(numbers, number_count, struct config_pattern),
	  .help = "the registered number the call is about; every one" },
	{ .name = "route_type",
	  .kind = &kind_route_types,
	  .offset = offsetof(struct config_rule, route_types),
	  .help = "how that number is registered; every way" },
	{ .name = "time",
	  .kind = &kind_window,
	  ITEMS(windows, window_count, struct config_window),
	  .help = "times of the week; always" },
	{ .name = "holiday",
	  .kind = &kind_holiday,
	  .offset = offsetof(struct config_rule, holiday),
	  .help = "true: only on `holidays`, false: only on other days; every day" },
	{ .name = "header",
	  .kind = &kind_header_test,
	  .schema = &header_schema,
	  ITEMS(headers, header_count, struct config_header),
	  .help = "headers of the INVITE; any" },
	{ .name = "trunk",
	  .kind = &kind_trunk_name,
	  ITEMS(trunks, trunk_count, size_t),
	  .help = "the trunk the call came from; from anywhere" },
	{ .name = "tenant",
	  .kind = &kind_tenants,
	  .offset = offsetof(struct config_rule, tenants),
	  .help = "the tenant whose call it is, `default` that of core.api; every one" },
	{ .name = "load",
	  .kind = &kind_number,
	  .offset = offsetof(struct config_rule, load),
	  .min = 1,
	  .max = 100,
	  .help = "percent of limits.calls in use, or more; any" },
};
const struct schema when_schema = { "when", when_keys, ARRAY_SIZE(when_keys) };

void when_check(struct reader *reader, const struct node *when)
{
	for (size_t i = 0; i < ARRAY_SIZE(when_keys); i++) {
		const char *name = when_keys[i].name;
		const struct node *list =
			when && when->kind == NODE_MAP ? node_find(when, name) : NULL;

		if (list && list->kind == NODE_LIST && !list->count)
			find_error(
				reader->findings, list->at,
				"`when.%s` is an empty list. Leave the key out to match every call",
				name);
	}
}

static void watch(struct config *config, char *name)
{
	for (size_t i = 0; i < config->watched_header_count; i++)
		if (str_equal_nocase(config->watched_headers[i], name))
			return;
	config->watched_headers[config->watched_header_count++] = name;
}

/* Calls for every header of every rule. */
static void each_header(struct config *config, void (*visit)(struct config *config, char *name))
{
	for (size_t s = 0; s < config->service_count; s++)
		for (size_t r = 0; r < config->services[s].rule_count; r++) {
			const struct config_rule *rule = &config->services[s].rules[r];

			for (size_t h = 0; h < rule->header_count; h++)
				if (rule->headers[h].name) /* else there is a finding */
					visit(config, rule->headers[h].name);
		}
}

static void count(struct config *config, char *name)
{
	(void)name;
	config->watched_header_count++;
}

void when_settle(struct reader *reader)
{
	struct config *config = reader->config;

	each_header(config, count);
	config->watched_headers =
		arena_alloc(reader->arena, config->watched_header_count, sizeof(char *));
	config->watched_header_count = 0;
	if (config->watched_headers)
		each_header(config, watch);
}
