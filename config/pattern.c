/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.c - "+4799000001", "+4799000000-+4799000099", "+47*", "anonymous",
 * `{ file: numbers.csv }`. */
#include "config/pattern.h"

#include <string.h>

#include "config/numbers.h"

#define DIGITS_MAX 15 /* E.164 section 6.2.1 */

/* The length of a number with or without plus at the start of text, or 0. */
static size_t number_length(const char *text)
{
	size_t plus = *text == '+', digits = strspn(text + plus, "0123456789");

	return digits > 0 && digits <= DIGITS_MAX ? plus + digits : 0;
}

static bool is_range(const char *from, size_t length, const char *to)
{
	return number_length(to) == length && to[length] == '\0' && (*from == '+') == (*to == '+');
}

static void read_text_pattern(struct reader *reader, const struct value *value)
{
	struct config_pattern *pattern = value->target;
	const char *text = value->node->text;
	size_t length = number_length(text);
	const char *rest = text + length, *to = rest + 1;

	pattern->from = arena_dup(reader->arena, text, length);
	pattern->to = pattern->from;
	if (length > 0 && *rest == '\0') {
		pattern->kind = PATTERN_RANGE;
	} else if (length > 0 && strcmp(rest, "*") == 0) {
		pattern->kind = PATTERN_PREFIX;
	} else if (length == 0 || *rest != '-' || !is_range(text, length, to)) {
		value_error(reader, value,
			    "is not a number, a range or a beginning. Write \"+4799000001\", "
			    "\"+4799000000-+4799000099\" with two numbers of one length, or "
			    "\"+47*\"");
	} else if (strncmp(text, to, length) > 0) {
		value_error(reader, value, "ends before it begins. Write the lower number first");
	} else {
		pattern->kind = PATTERN_RANGE;
		pattern->to = arena_dup(reader->arena, to, length);
	}
}

static void read_pattern(struct reader *reader, const struct value *value)
{
	struct config_pattern *pattern = value->target;

	if (value->node->kind == NODE_SCALAR) {
		read_text_pattern(reader, value);
	} else if (value->node->kind == NODE_MAP) {
		pattern->kind = PATTERN_LIST;
		pattern->list = numbers_read(reader, value);
	} else {
		find_error(reader->findings, value->node->at,
			   "`%s` holds a list in a list. Write one list", value->name);
	}
}

static void read_caller(struct reader *reader, const struct value *value)
{
	struct config_pattern *pattern = value->target;

	if (value->node->kind == NODE_SCALAR && strcmp(value->node->text, "anonymous") == 0)
		pattern->kind = PATTERN_ANONYMOUS;
	else
		read_pattern(reader, value);
}

const struct kind kind_pattern = { "number, range, beginning or file", NODE_ANY, read_pattern };
const struct kind kind_caller = { "number, range, beginning, file or anonymous", NODE_ANY,
				  read_caller };

bool config_pattern_matches(const struct config_pattern *pattern, const char *number)
{
	switch (pattern->kind) {
	case PATTERN_RANGE: /* numbers of one length compare as texts */
		return strlen(number) == strlen(pattern->from) &&
		       strcmp(number, pattern->from) >= 0 && strcmp(number, pattern->to) <= 0;
	case PATTERN_PREFIX:
		return str_starts(number, pattern->from);
	case PATTERN_LIST:
		return config_numbers_contain(pattern->list, number);
	case PATTERN_ANONYMOUS:
		break; /* says nothing of a number */
	}
	return false;
}
