/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - the `identity` of a trunk, or of the core: trust, headers, number format. */
#include "config/identity.h"

#include <string.h>

static const struct kind kind_identity_header, kind_number_format, kind_diversion_form;

/* at_: where in type_ the identity is. */
#define IDENTITY_KEYS(type_, at_, trust_, send_, diversion_)                                       \
	{ .name = "trust",                                                                         \
	  .kind = &kind_bool,                                                                      \
	  .offset = offsetof(type_, at_ trust),                                                    \
	  .fallback = trust_,                                                                      \
	  .help = "whether it may assert who calls, and learns who a hidden caller is" },          \
		{ .name = "caller_from",                                                           \
		  .kind = &kind_identity_header,                                                   \
		  .offset = offsetof(type_, at_ caller_from),                                      \
		  .item_size = sizeof(enum identity_header),                                       \
		  .count_offset = offsetof(type_, at_ caller_from##_count),                        \
		  .fallback = "asserted remote_party from",                                        \
		  .help = "headers of its calls that say who calls, the first that is there "      \
			  "counts" },                                                              \
		{ .name = "send",                                                                  \
		  .kind = &kind_identity_header,                                                   \
		  .offset = offsetof(type_, at_ send),                                             \
		  .item_size = sizeof(enum identity_header),                                       \
		  .count_offset = offsetof(type_, at_ send##_count),                               \
		  .fallback = send_,                                                               \
		  .help = "headers besides From that tell it who calls" },                         \
		{ .name = "diversion",                                                             \
		  .kind = &kind_diversion_form,                                                    \
		  .offset = offsetof(type_, at_ diversion),                                        \
		  .fallback = diversion_,                                                          \
		  .help = "how it is told who diverted a call" },                                  \
		{ .name = "number_format",                                                         \
		  .kind = &kind_number_format,                                                     \
		  .offset = offsetof(type_, at_ number_format),                                    \
		  .fallback = "e164",                                                              \
		  .help = "how it writes telephone numbers" },                                     \
		{ .name = "country_code",                                                          \
		  .kind = &kind_digits,                                                            \
		  .offset = offsetof(type_, at_ country_code),                                     \
		  .min = 1,                                                                        \
		  .max = 3,                                                                        \
		  .help = "of national numbers, such as \"47\"" },                                 \
		{ .name = "national_prefix",                                                       \
		  .kind = &kind_digits,                                                            \
		  .offset = offsetof(type_, at_ national_prefix),                                  \
		  .min = 1,                                                                        \
		  .max = 4,                                                                        \
		  .help = "before national numbers, such as \"0\"; none" },                        \
		{ .name = "international_prefix",                                                  \
		  .kind = &kind_digits,                                                            \
		  .offset = offsetof(type_, at_ international_prefix),                             \
		  .min = 1,                                                                        \
		  .max = 5,                                                                        \
		  .fallback = "00",                                                                \
		  .help = "before numbers of other countries" },

static const struct key identity_keys[] = { IDENTITY_KEYS(struct config_identity, , "false", NULL,
							  "none") };
const struct schema identity_schema = { "trunks[].identity", identity_keys,
					ARRAY_SIZE(identity_keys) };

static const struct key core_keys[] = { IDENTITY_KEYS(struct config, core.sbc.identity., "true",
						      "asserted", "both") };
const struct schema identity_core_schema = { "core.sbc.identity", core_keys,
					     ARRAY_SIZE(core_keys) };

static void read_identity_header(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [IDENTITY_ASSERTED] = "asserted",
					     [IDENTITY_PREFERRED] = "preferred",
					     [IDENTITY_REMOTE_PARTY] = "remote_party",
					     [IDENTITY_FROM] = "from" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum identity_header *)value->target = (enum identity_header)word;
}

static void read_number_format(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [NUMBER_E164] = "e164",
					     [NUMBER_E164_NO_PLUS] = "e164_no_plus",
					     [NUMBER_NATIONAL] = "national",
					     [NUMBER_INTERNATIONAL] = "international" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum number_format *)value->target = (enum number_format)word;
}

static void read_diversion_form(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [0] = "none",
					     [DIVERSION_FORM_DIVERSION] = "diversion",
					     [DIVERSION_FORM_HISTORY] = "history_info",
					     [DIVERSION_FORM_DIVERSION | DIVERSION_FORM_HISTORY] =
						     "both" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(unsigned *)value->target = (unsigned)word;
}

static void read_identity(struct reader *reader, const struct value *value)
{
	schema_read(reader, &identity_schema, value->node, value->node->at, value->target);
	identity_check_format(reader, identity_schema.name, value->node);
}

void identity_check_format(struct reader *reader, const char *path, const struct node *node)
{
	const struct node *format = node ? node_find(node, "number_format") : NULL;

	if (format && format->kind == NODE_SCALAR && !strcmp(format->text, "national") &&
	    !node_find(node, "country_code"))
		find_error(reader->findings, format->at,
			   "`%s.number_format` `national` needs `country_code`. "
			   "Write it, such as country_code: \"47\"",
			   path);
}

void identity_check_allowed(struct reader *reader, const char *path, const struct node *node)
{
	static const struct {
		const char *name, *instead;
	} names[] = {
		{ "P-Asserted-Identity", "send: asserted" },
		{ "P-Preferred-Identity", "send: preferred" },
		{ "Remote-Party-ID", "send: remote_party" },
		{ "Diversion", "diversion: diversion" },
		{ "History-Info", "diversion: history_info" },
		{ "Privacy", "trust: true" },
	};
	bool single = node && node->kind == NODE_SCALAR;

	for (size_t i = 0; node && i < (single ? 1 : node->count); i++) {
		const struct node *item = single ? node : node->items[i];

		for (size_t k = 0; item->kind == NODE_SCALAR && k < ARRAY_SIZE(names); k++)
			if (str_equal_nocase(item->text, names[k].name))
				find_error(reader->findings, item->at,
					   "`%s.allow_headers`: `%s` says who calls, and "
					   "`identity` keeps hidden callers hidden. Write "
					   "identity: { %s }",
					   path, names[k].name, names[k].instead);
	}
}

static const struct kind kind_identity_header = { "asserted, preferred, remote_party or from",
						  NODE_SCALAR, read_identity_header };
static const struct kind kind_number_format = { "e164, e164_no_plus, national or international",
						NODE_SCALAR, read_number_format };
static const struct kind kind_diversion_form = { "none, diversion, history_info or both",
						 NODE_SCALAR, read_diversion_form };
const struct kind kind_identity = { "mapping", NODE_MAP, read_identity };
