/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/service/uri.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"

bool uri_split(const char *uri, struct uri_view *ret_view)
{
	const char *colon = strchr(uri, ':'), *at = strchr(uri, '@');
	struct uri_view view = { .scheme = uri };

	if (!colon)
		return false;
	view.scheme_length = (size_t)(colon - uri);
	if (!(view.scheme_length == 3 && strncasecmp(uri, "sip", 3) == 0) &&
	    !(view.scheme_length == 4 && strncasecmp(uri, "sips", 4) == 0))
		return false;
	view.rest = at ? at + 1 : colon + 1;
	view.host = view.rest;
	if (*view.host == '[') { /* RFC 3261 25.1: IPv6reference */
		view.host++;
		view.host_length = strcspn(view.host, "]");
	} else {
		view.host_length = strcspn(view.host, ":;?>");
	}
	if (view.host_length == 0)
		return false;
	*ret_view = view;
	return true;
}

/* RFC 3261 25.1: unreserved and user-unreserved stay, all else is escaped. */
static void add_user(struct str *text, const char *user)
{
	for (; *user; user++) {
		if (isalnum((unsigned char)*user) || strchr("-_.!~*'()&=+$,;?/", *user))
			str_add_n(text, user, 1);
		else
			str_addf(text, "%%%02X", (unsigned)(unsigned char)*user);
	}
}

char *uri_with_user(const struct uri_view *view, const char *scheme, const char *user)
{
	struct str text = { 0 };

	if (scheme)
		str_add(&text, scheme);
	else
		str_add_n(&text, view->scheme, view->scheme_length);
	str_add(&text, ":");
	if (*user) {
		add_user(&text, user);
		str_add(&text, "@");
	}
	str_add(&text, view->rest);
	return str_take(&text);
}
