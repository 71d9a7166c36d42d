/* SPDX-License-Identifier: Apache-2.0 */
/* session_id.c - see session_id.h. */
#include "tas/sip/session_id.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NIL "00000000000000000000000000000000" /* RFC 7989 section 4.2: not known yet */

/* 32 digits at the beginning of the text. */
static bool take(char *to, const char *text)
{
	size_t i = 0;

	for (; i < SESSION_ID_ROOM - 1; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	if (isxdigit((unsigned char)text[i]) || strncmp(text, NIL, i) == 0)
		return false;
	memcpy(to, text, i);
	to[i] = '\0';
	return true;
}

/* NULL: there is none. */
static const char *remote_in(const char *value)
{
	for (value = strchr(value, ';'); value; value = strchr(value, ';')) {
		value += 1 + strspn(value + 1, " \t");
		if (strncasecmp(value, "remote=", 7) == 0)
			return value + 7;
	}
	return NULL;
}

void session_id_sent(struct session_id *id, const char *value)
{
	if (!value || !take(id->ours, value))
		return;
	id->paired = id->paired || remote_in(value);
}

void session_id_heard(struct session_id *id, const char *value)
{
	const char *remote = value ? remote_in(value) : NULL;

	if (!value || !take(id->peers, value))
		return;
	id->paired = id->paired || remote;
	if (remote && !id->ours[0])
		(void)take(id->ours, remote); /* it knows better who is behind us */
}

bool session_id_text(const struct session_id *id, char ret_text[static SESSION_ID_TEXT])
{
	const char *single = id->ours[0] ? id->ours : id->peers;

	if (id->paired && id->ours[0])
		(void)snprintf(ret_text, SESSION_ID_TEXT, "%s;remote=%s", id->ours,
			       id->peers[0] ? id->peers : NIL);
	else if (!id->paired && single[0])
		(void)snprintf(ret_text, SESSION_ID_TEXT, "%s", single);
	else
		return false;
	return true;
}
