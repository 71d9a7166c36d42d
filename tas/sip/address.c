/* SPDX-License-Identifier: Apache-2.0 */
/* address.c - see address.h. */
#include "tas/sip/address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char blanks[] = " \t";

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* ---- quoted-string ---- */

void sip_address_quote(struct str *out, const char *text)
{
	str_add(out, "\"");
	for (; *text; text++) {
		if (is_control(*text))
			continue;
		if (*text == '"' || *text == '\\')
			str_add(out, "\\");
		str_add_n(out, text, 1);
	}
	str_add(out, "\"");
}

void sip_address_unquote(char *text)
{
	char *to = text;

	if (text[0] != '"')
		return;
	for (const char *at = text + 1; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
		*to++ = *at;
	}
	*to = '\0';
}

/* ---- lists ---- */

/* Up to an unquoted `end` outside angle brackets. */
static size_t span_to(const char *text, size_t length, char end)
{
	bool quoted = false, bracketed = false;
	size_t i;

	for (i = 0; i < length; i++) {
		if (quoted && text[i] == '\\' && i + 1 < length)
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && !bracketed && text[i] == end)
			break;
		else if (!quoted && text[i] == '<')
			bracketed = true;
		else if (!quoted && text[i] == '>')
			bracketed = false;
	}
	return i;
}

static void trim(const char **text, size_t *length)
{
	while (*length && memchr(blanks, (*text)[0], 2))
		(*text)++, (*length)--;
	while (*length && memchr(blanks, (*text)[*length - 1], 2))
		(*length)--;
}

const char *sip_address_next(const char **list, size_t *ret_length)
{
	while (**list) {
		const char *item = *list;
		size_t length = span_to(item, strlen(item), ',');

		*list += length;
		if (**list == ',')
			++*list;
		trim(&item, &length);
		if (length) {
			*ret_length = length;
			return item;
		}
	}
	return NULL;
}

/* ---- parameters ---- */

bool sip_address_param(const char *params, const char *name, char *ret_value, size_t room)
{
	while (*params == ';') {
		const char *key = ++params;
		size_t length = span_to(key, strlen(key), ';');
		const char *equals = memchr(key, '=', length);
		const char *value = equals ? equals + 1 : "";
		size_t value_length = equals ? (size_t)(key + length - value) : 0;
		size_t key_length = equals ? (size_t)(equals - key) : length;

		params += length;
		trim(&key, &key_length);
		if (key_length != strlen(name) || strncasecmp(key, name, key_length) != 0)
			continue;
		trim(&value, &value_length);
		if (value_length >= room)
			return false; /* half a value is worse than none */
		memcpy(ret_value, value, value_length);
		ret_value[value_length] = '\0';
		sip_address_unquote(ret_value);
		return true;
	}
	return false;
}

const char *sip_address_uri_params(const char *uri)
{
	const char *at = strchr(uri, '@');

	uri = at ? at : uri;
	return uri + strcspn(uri, ";?");
}

/* ---- one address ---- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL with errno EINVAL: an escape that is none, or hides a control character. */
static char *unescape(const char *text, size_t length)
{
	char *plain = malloc(length + 1), *to = plain;

	if (!plain)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		*to = text[i];
		if (text[i] == '%') {
			int high = i + 2 < length ? hex(text[i + 1]) : -1;
			int low = i + 2 < length ? hex(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				goto bad;
			*to = (char)(high * 16 + low);
			i += 2;
		}
		if (is_control(*to++))
			goto bad;
	}
	*to = '\0';
	return plain;
bad:
	free(plain);
	errno = EINVAL;
	return NULL;
}

/* RFC 3986 section 3.1. */
static bool is_scheme(const char *text, size_t length)
{
	static const char marks[] = "0123456789+-."; /* none of which may begin it */

	for (size_t i = 0; i < length; i++) {
		bool letter = ((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z');

		if (!letter && (i == 0 || !strchr(marks, text[i])))
			return false;
	}
	return true;
}

/* The user and host of a URI as far as this product reads them. */
static int split_uri(struct sip_address *address)
{
	const char *uri = address->uri, *colon = strchr(uri, ':');
	const char *rest = colon ? colon + 1 : "", *at = strchr(rest, '@');
	size_t scheme = colon ? (size_t)(colon - uri) : 0;
	bool tel = scheme == 3 && strncasecmp(uri, "tel", 3) == 0;
	bool sip = (scheme == 3 && strncasecmp(uri, "sip", 3) == 0) ||
		   (scheme == 4 && strncasecmp(uri, "sips", 4) == 0);
	const char *host = at ? at + 1 : rest;
	size_t user_length = 0;

	if (!scheme || !strcspn(rest, ";?") || !is_scheme(uri, scheme))
		return -EINVAL;
	if (tel)
		user_length = strcspn(rest, ";?");
	else if (sip && at)
		user_length = strcspn(rest, ":@"); /* a password is nobody's business */
	errno = ENOMEM;
	address->user = unescape(rest, user_length);
	address->host = strndup(host, sip ? strcspn(host, ";?") : 0);
	if (!address->user || !address->host)
		return -errno;
	return sip && !address->host[0] ? -EINVAL : 0;
}

/* RFC 3261 section 25.1 and 20.10: without angle brackets every parameter
 * belongs to the header. */
static int split(struct sip_address *address, const char *text, size_t length)
{
	size_t open = span_to(text, length, '<'), close, end;
	const char *uri = text, *display = text;
	size_t display_length = 0;

	if (open < length) {
		display_length = open;
		uri = text + open + 1;
		close = open + 1;
		while (close < length && text[close] != '>')
			close++;
		if (close == length)
			return -EINVAL;
		address->uri = strndup(uri, close - open - 1);
		end = close + 1;
	} else {
		end = span_to(text, length, ';');
		close = end;
		trim(&uri, &close);
		address->uri = strndup(uri, close);
	}
	while (end < length && memchr(blanks, text[end], 2))
		end++;
	trim(&display, &display_length);
	address->display = strndup(display, display_length);
	address->params = strndup(text + end, length - end);
	if (!address->uri || !address->display || !address->params)
		return -ENOMEM;
	return end < length && text[end] != ';' ? -EINVAL : 0;
}

/* A display name is one quoted-string or some tokens. */
static bool display_sound(const char *display)
{
	size_t length = strlen(display), i = 1;

	if (display[0] != '"')
		return !strpbrk(display, "\"<>,;:\\");
	while (i < length && display[i] != '"')
		i += display[i] == '\\' ? 2 : 1;
	return i + 1 == length;
}

/* Quotes must be closed, or what follows would be swallowed. */
static bool params_sound(const char *params)
{
	bool quoted = false;

	for (; *params; params++) {
		if (quoted && *params == '\\' && params[1])
			params++;
		else if (*params == '"')
			quoted = !quoted;
		else if (!quoted && strchr("<>,", *params))
			return false;
	}
	return !quoted;
}

static bool uri_sound(const char *uri)
{
	for (; *uri; uri++)
		if ((unsigned char)*uri <= 0x20 || *uri == 0x7f || strchr("<>\"\\", *uri))
			return false;
	return true;
}

int sip_address_parse(struct sip_address *ret_address, const char *text, size_t length)
{
	struct sip_address address = { 0 };
	int err;

	for (size_t i = 0; i < length; i++)
		if (is_control(text[i]) && text[i] != '\t')
			return -EINVAL;
	trim(&text, &length);
	err = split(&address, text, length);
	if (!err && (!uri_sound(address.uri) || !display_sound(address.display) ||
		     !params_sound(address.params)))
		err = -EINVAL;
	if (!err)
		err = split_uri(&address);
	if (err) {
		sip_address_done(&address);
		return err;
	}
	sip_address_unquote(address.display);
	for (char *at = address.display; *at; at++)
		if (*at == '\t')
			*at = ' '; /* as a fold is; a tab is no text to quote */
	*ret_address = address;
	return 0;
}

void sip_address_done(struct sip_address *address)
{
	free(address->display);
	free(address->uri);
	free(address->user);
	free(address->host);
	free(address->params);
	*address = (struct sip_address){ 0 };
}

void sip_address_write(struct str *out, const struct sip_address *address)
{
	if (address->display[0]) {
		sip_address_quote(out, address->display);
		str_add(out, " ");
	}
	str_addf(out, "<%s>%s", address->uri, address->params);
}
