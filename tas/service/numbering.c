/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/service/numbering.h"

#include <stdio.h>
#include <string.h>

#define SHORT_MAX 6 /* digits: 116117 is the longest short code in use (EU, 116xxx) */

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static const char *international(const struct config_identity *identity)
{
	return identity->international_prefix ? identity->international_prefix : "00";
}

/* Without parameters and separators; false: not a plus and digits. */
static bool plain_digits(const char *said, char ret_digits[static NUMBER_ROOM])
{
	size_t used = 0;

	for (; *said && *said != ';'; said++) {
		bool digit = *said >= '0' && *said <= '9';

		if (used && strchr("-.() ", *said))
			continue;
		if ((!digit && !(used == 0 && *said == '+')) || used == NUMBER_ROOM - 1)
			return false;
		ret_digits[used++] = *said;
	}
	ret_digits[used] = '\0';
	return used > 0;
}

/* "+" cc rest, if that is a number. */
static bool compose(const char *country_code, const char *rest, char ret_number[static NUMBER_ROOM])
{
	char number[NUMBER_ROOM];
	int length = snprintf(number, sizeof(number), "+%s%s", country_code, rest);

	if (length < 0 || (size_t)length >= sizeof(number) || !e164_valid(number))
		return false;
	memcpy(ret_number, number, (size_t)length + 1);
	return true;
}

/* What stands behind a prefix; NULL: the prefix is not there, or is none. */
static const char *behind(const char *digits, const char *prefix)
{
	return *prefix && str_starts(digits, prefix) ? digits + strlen(prefix) : NULL;
}

/* A national number, with its prefix if the trunk writes one. */
static bool from_national(const struct config_identity *identity, const char *digits,
			  char ret_number[static NUMBER_ROOM])
{
	const char *prefix = or_empty(identity->national_prefix);
	const char *rest = *prefix ? behind(digits, prefix) : digits;

	return rest && compose(or_empty(identity->country_code), rest, ret_number);
}

void number_from_peer(const struct config_identity *identity, const char *said,
		      char ret_number[static NUMBER_ROOM])
{
	char digits[NUMBER_ROOM];
	const char *abroad;
	bool done = false;

	if (!plain_digits(said, digits)) {
		(void)snprintf(ret_number, NUMBER_ROOM, "%.*s", (int)strcspn(said, ";"), said);
		return;
	}
	memcpy(ret_number, digits, sizeof(digits));
	if (digits[0] == '+' || strlen(digits) <= SHORT_MAX)
		return;
	abroad = behind(digits, international(identity));
	switch (identity->number_format) {
	case NUMBER_E164:
		return;
	case NUMBER_E164_NO_PLUS:
		done = compose("", digits, ret_number);
		break;
	case NUMBER_NATIONAL:
		done = !abroad && from_national(identity, digits, ret_number);
		break;
	case NUMBER_INTERNATIONAL:
		break;
	}
	if (!done && abroad)
		(void)compose("", abroad, ret_number); /* else it stays as it was said */
}

void number_for_peer(const struct config_identity *identity, const char *number,
		     char ret_said[static NUMBER_ROOM])
{
	const char *rest = number, *prefix = "";

	if (e164_valid(number)) {
		switch (identity->number_format) {
		case NUMBER_E164:
			break;
		case NUMBER_E164_NO_PLUS:
			rest = number + 1;
			break;
		case NUMBER_NATIONAL:
			rest = behind(number + 1, or_empty(identity->country_code));
			prefix = rest ? or_empty(identity->national_prefix)
				      : international(identity);
			rest = rest ? rest : number + 1;
			break;
		case NUMBER_INTERNATIONAL:
			prefix = international(identity);
			rest = number + 1;
			break;
		}
	}
	(void)snprintf(ret_said, NUMBER_ROOM, "%s%s", prefix, rest);
}
