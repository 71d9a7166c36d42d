/* SPDX-License-Identifier: Apache-2.0 */
#include "config/flow.h"

#include <string.h>

/* What stands between these two is a password: RFC 3986 section 3.2.1. */
static bool find_password(const char *text, const char **ret_from, const char **ret_to)
{
	const char *authority = strstr(text, "://");
	const char *at, *colon;

	if (!authority)
		return false;
	authority += 3;
	at = memchr(authority, '@', strcspn(authority, "/?#"));
	colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
	if (!colon)
		return false;
	*ret_from = colon + 1;
	*ret_to = at;
	return true;
}

/* Words that need no quotes, also inside of brackets. */
static bool is_plain(const char *text)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789+/._";
	static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789+/._-@*%=;:";
	size_t length = strlen(text);

	return length && strchr(first, *text) && strspn(text, others) == length &&
	       text[length - 1] != ':' && strcmp(text, "null") != 0;
}

void flow_add_text(struct str *out, const char *text)
{
	const char *from, *to;

	if (find_password(text, &from, &to)) {
		str_add_n(out, text, (size_t)(from - text));
		str_addf(out, "***%s", to);
	} else if (is_plain(text)) {
		str_add(out, text);
	} else {
		str_add_json(out, text); /* double quotes mean the same in YAML */
	}
}

static bool names_secret(const char *key)
{
	static const char *const ends[] = { "password", "secret", "token" };
	size_t length = strlen(key);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (length >= strlen(ends[i]) && !strcmp(key + length - strlen(ends[i]), ends[i]))
			return true;
	return false;
}

static void add_pair(struct str *out, const struct node *key, const struct node *value)
{
	flow_add_text(out, key->text);
	str_add(out, ": ");
	if (value->kind == NODE_SCALAR && names_secret(key->text))
		str_add(out, "***");
	else
		flow_add(out, value);
}

void flow_add(struct str *out, const struct node *node)
{
	bool map = node->kind == NODE_MAP;

	if (node->kind == NODE_SCALAR) {
		if (node->null)
			str_add(out, "null");
		else
			flow_add_text(out, node->text);
		return;
	}
	str_add(out, map ? "{" : "[");
	for (size_t i = 0; i < node->count; i++) {
		str_add(out, i ? ", " : map ? " " : "");
		if (map)
			add_pair(out, node->keys[i], node->items[i]);
		else
			flow_add(out, node->items[i]);
	}
	str_add(out, !map ? "]" : node->count ? " }" : "}");
}
