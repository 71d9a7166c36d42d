/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/service/classify.h"

#include <stdio.h>
#include <string.h>
#include "base/e164.h"
#include "base/str.h"

/* A star code with a whole number inside is the longest thing one can dial. */
#define DIALLED_MAX 32

/* Digits, and in short codes * and # (GSM 02.30 service codes). */
static bool dialable(const char *text, size_t length, bool plus)
{
	return strspn(text, plus ? "0123456789" : "0123456789*#") >= length;
}

/* One prefix, once: what follows may begin with the same digits. */
static bool strip(const char *user, size_t length, const char *prefix, char *ret_called,
		  size_t room)
{
	size_t plus = user[0] == '+' ? 1 : 0;
	size_t skip = plus + (prefix ? strlen(prefix) : 0);

	if (skip == plus || length <= skip || length - skip > DIALLED_MAX)
		return false;
	if (!str_starts(user + plus, prefix) || !dialable(user + skip, length - skip, plus == 1))
		return false;
	snprintf(ret_called, room, "%s%.*s", plus ? "+" : "", (int)(length - skip), user + skip);
	return true;
}

/* "+47 990-00 001", "4799000001", "004799000001" -> "+4799000001"; "" if it is
 * no number. Separators: RFC 3966 section 5.1.1. */
static void normalise(const char *text, char ret_number[static E164_ROOM])
{
	char digits[DIALLED_MAX + 2] = "+";
	size_t used = 1;

	ret_number[0] = '\0';
	if (*text == '+')
		text++;
	else if (str_starts(text, "00"))
		text += 2;
	for (; *text && *text != ';'; text++) {
		if (strchr("-.() ", *text))
			continue;
		if (*text < '0' || *text > '9' || used > DIALLED_MAX)
			return;
		digits[used++] = *text;
	}
	digits[used] = '\0';
	if (used < E164_ROOM && e164_valid(digits))
		memcpy(ret_number, digits, used + 1);
}

/* No prefix begins another, so the order does not matter. */
static void find_prefix(const struct config *config, const char *user, size_t length,
			struct classification *c)
{
	static const enum call_direction directions[] = { DIRECTION_MO, DIRECTION_MT };

	for (unsigned tenant = 0; tenant < config_tenants(config); tenant++)
		for (size_t i = 0; i < ARRAY_SIZE(directions); i++) {
			if (!strip(user, length,
				   config_tenant_prefix(config, tenant, directions[i]), c->called,
				   sizeof(c->called)))
				continue;
			c->direction = directions[i];
			c->tenant = tenant;
			c->prefix_found = true;
			return;
		}
}

void classify(const struct config *config, const char *request_user, const char *caller,
	      bool (*is_registered)(const char *number, void *arg), void *arg,
	      struct classification *ret_classification)
{
	struct classification *c = ret_classification;
	size_t length = strcspn(request_user, ";"); /* user parameters are not the number */
	char from[E164_ROOM], to[E164_ROOM];

	memset(c, 0, sizeof(*c));
	c->direction = DIRECTION_UNKNOWN;
	if (config)
		find_prefix(config, request_user, length, c);
	if (!c->prefix_found && length < sizeof(c->called))
		memcpy(c->called, request_user, length);

	normalise(caller, from);
	normalise(c->called, to);
	if (!from[0] || !is_registered(from, arg))
		from[0] = '\0';
	if (!to[0] || !is_registered(to, arg))
		to[0] = '\0';
	/* Both registered, or the caller alone: the core says MO. */
	if (!c->prefix_found && from[0])
		c->direction = DIRECTION_MO;
	else if (!c->prefix_found && to[0])
		c->direction = DIRECTION_MT;
	if (c->direction == DIRECTION_MO)
		memcpy(c->subscriber, from, sizeof(c->subscriber));
	else if (c->direction == DIRECTION_MT)
		memcpy(c->subscriber, to, sizeof(c->subscriber));
}
