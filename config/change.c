/* SPDX-License-Identifier: Apache-2.0 */
#include "config/change.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Where a number to show was written. */
struct claim {
	struct claim *next;
	const char *number;
	struct place at;
};

static void read_presented(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;
	struct claim *claim;

	if (!e164_valid(text)) {
		value_error(reader, value,
			    "is not a number to call back. Write one of yours, such as "
			    "+4722000000");
		return;
	}
	claim = arena_alloc(reader->arena, 1, sizeof(*claim));
	if (!claim)
		return;
	*claim = (struct claim){ .next = reader->claims, .number = text, .at = value->node->at };
	reader->claims = claim;
	kind_text.read(reader, value);
}

void change_settle(struct reader *reader)
{
	for (const struct claim *claim = reader->claims; claim; claim = claim->next) {
		char masked[E164_ROOM];

		if (config_find_number(reader->config, claim->number))
			continue;
		e164_mask(claim->number, masked, sizeof(masked));
		find_warning(reader->findings, claim->at,
			     "%s is not among the registrations: calls that show a number of "
			     "somebody else are refused in many countries. Show one of yours",
			     masked);
	}
}

static void read_pick(struct reader *reader, const struct value *value)
{
	static const char *const words[] = {
		[PICK_IN_TURN] = "in_turn", [PICK_BY_CALLED] = "by_called"
	};
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	*(enum caller_pick *)value->target = word == PICK_BY_CALLED ? PICK_BY_CALLED : PICK_IN_TURN;
}

/* ---- the called number ---- */

/* What SIP and telephones can carry: RFC 3261 section 25.1, user. */
static void read_dialled(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;
	size_t plus = *text == '+';

	if (strspn(text + plus, "0123456789*#") != strlen(text + plus) || strlen(text) > 32)
		value_error(reader, value,
			    "is not dialled on any telephone. Write up to 32 digits, quoted, with "
			    "or without a plus in front");
	else
		kind_text.read(reader, value);
}

static const struct kind kind_dialled = { "digits", NODE_SCALAR, read_dialled };

static const struct key rewrite_keys[] = {
	{ .name = "strip",
	  .kind = &kind_dialled,
	  .offset = offsetof(struct config_rewrite, strip),
	  .help = "what is taken away from the front, where a number begins with it" },
	{ .name = "prepend",
	  .kind = &kind_dialled,
	  .offset = offsetof(struct config_rewrite, prepend),
	  .help = "what is then put in front" },
	{ .name = "replace",
	  .kind = &kind_dialled,
	  .offset = offsetof(struct config_rewrite, replace),
	  .help = "the number to call instead" },
};
const struct schema rewrite_schema = { "number", rewrite_keys, ARRAY_SIZE(rewrite_keys) };

static void read_rewrite(struct reader *reader, const struct value *value)
{
	struct config_rewrite *rewrite = value->target;

	if (value->node->kind == NODE_SCALAR) {
		struct value replace = *value;

		replace.target = &rewrite->replace;
		read_dialled(reader, &replace);
		return;
	}
	if (value->node->kind != NODE_MAP) {
		find_error(reader->findings, value->node->at,
			   "`%s` must be a number or `{ strip: \"0\", prepend: \"+47\" }`",
			   value->name);
		return;
	}
	schema_read(reader, &rewrite_schema, value->node, value->node->at, rewrite);
	if (rewrite->replace && (rewrite->strip || rewrite->prepend))
		find_error(reader->findings, value->node->at,
			   "`%s`: `replace` leaves nothing to strip or to prepend to. Write one or "
			   "the other",
			   value->name);
}

bool config_rewrite(const struct config_rewrite *rewrite, const char *number, char *ret_number,
		    size_t room)
{
	const char *strip = rewrite->strip ? rewrite->strip : "";
	const char *prepend = rewrite->prepend ? rewrite->prepend : "";
	int length;

	if (rewrite->replace) {
		length = snprintf(ret_number, room, "%s", rewrite->replace);
	} else {
		if ((!*strip && !*prepend) || !str_starts(number, strip))
			return false;
		length = snprintf(ret_number, room, "%s%s", prepend, number + strlen(strip));
	}
	return length > 0 && (size_t)length < room;
}

/* ---- where to go instead ---- */

bool config_contact_valid(const char *text)
{
	const char *colon = strchr(text, ':');
	bool sip = !strncasecmp(text, "sip:", 4) || !strncasecmp(text, "sips:", 5);
	bool tel = !strncasecmp(text, "tel:", 4);

	for (const char *at = text; *at; at++)
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
			return false;
	/* What would end the URI or the header it stands in. */
	return !text[strcspn(text, "<>\",\\")] && colon && colon[1] &&
	       (tel || (sip && strchr(text, '@')));
}

static void read_contact(struct reader *reader, const struct value *value)
{
	if (!config_contact_valid(value->node->text))
		value_error(reader, value,
			    "is not an address to call. Write sips:user@host or tel:+4722000000");
	else
		kind_text.read(reader, value);
}

const struct kind kind_presented = { "number", NODE_SCALAR, read_presented };
const struct kind kind_pick = { "in_turn or by_called", NODE_SCALAR, read_pick };
const struct kind kind_rewrite = { "number or rewriting", NODE_ANY, read_rewrite };
const struct kind kind_contact = { "SIP or tel URI", NODE_SCALAR, read_contact };
