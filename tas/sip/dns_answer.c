/* SPDX-License-Identifier: Apache-2.0 */
/* dns_answer.c - see dns_answer.h. */
#include "tas/sip/dns_answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HEADER_BYTES 12
#define ALIAS        5    /* CNAME */
#define JUMPS_MAX    64   /* of a compressed name: more is a circle */
#define POINTER      0xc0 /* RFC 1035 section 4.1.4 */

struct cursor {
	const unsigned char *bytes;
	size_t length, at;
	bool bad; /* something reached beyond the end */
};

static unsigned take_number(struct cursor *cursor, size_t bytes)
{
	unsigned number = 0;

	if (cursor->length - cursor->at < bytes) {
		cursor->bad = true;
		cursor->at = cursor->length;
		return 0;
	}
	while (bytes--)
		number = number << 8 | cursor->bytes[cursor->at++];
	return number;
}

/* One label onto the name; bytes that no host name has make it bad. */
static void add_label(struct cursor *cursor, size_t length, char *name, size_t *used)
{
	if (cursor->length - cursor->at < length || *used + length + 2 > DNS_NAME_ROOM) {
		cursor->bad = true;
		return;
	}
	if (*used)
		name[(*used)++] = '.';
	for (size_t i = 0; i < length; i++) {
		unsigned char c = cursor->bytes[cursor->at++];

		cursor->bad = cursor->bad || c <= ' ' || c >= 0x7f || strchr(".;?<>\"@/\\", c);
		name[(*used)++] = (char)c;
	}
}

static void take_name(struct cursor *cursor, char name[static DNS_NAME_ROOM])
{
	size_t used = 0, behind = 0;

	for (unsigned jumps = 0; !cursor->bad;) {
		unsigned length = take_number(cursor, 1);

		if (length >= POINTER) {
			size_t to = (length & ~(unsigned)POINTER) << 8 | take_number(cursor, 1);

			behind = behind ? behind : cursor->at;
			cursor->at = to < cursor->length ? to : cursor->length;
			cursor->bad = cursor->bad || ++jumps > JUMPS_MAX;
		} else if (length) {
			add_label(cursor, length, name, &used);
		} else {
			break;
		}
	}
	if (behind)
		cursor->at = behind;
	name[used] = '\0';
}

/* A character-string, cut to its room: RFC 1035 section 3.3. */
static void take_text(struct cursor *cursor, char *text, size_t room)
{
	size_t length = take_number(cursor, 1);

	if (cursor->length - cursor->at < length) {
		cursor->bad = true;
		return;
	}
	(void)snprintf(text, room, "%.*s", (int)length, (const char *)cursor->bytes + cursor->at);
	cursor->at += length;
}

static void take_address(struct cursor *cursor, int family, struct dns_record *record)
{
	size_t length = family == AF_INET ? 4 : 16;

	if (cursor->length - cursor->at < length ||
	    !inet_ntop(family, cursor->bytes + cursor->at, record->text, sizeof(record->text)))
		cursor->bad = true;
}

static void take_naptr(struct cursor *cursor, struct dns_record *record)
{
	char flags[4] = "", regexp[4] = "";

	record->priority = (uint16_t)take_number(cursor, 2);
	record->weight = (uint16_t)take_number(cursor, 2);
	take_text(cursor, flags, sizeof(flags));
	take_text(cursor, record->service, sizeof(record->service));
	take_text(cursor, regexp, sizeof(regexp));
	take_name(cursor, record->text);
	/* RFC 3263 section 4.1: the flag "s", no regular expression. */
	if ((strcmp(flags, "s") != 0 && strcmp(flags, "S") != 0) || regexp[0])
		record->service[0] = '\0';
}

static void take_record(struct cursor *cursor, enum dns_type type, struct dns_record *record)
{
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		take_address(cursor, type == DNS_A ? AF_INET : AF_INET6, record);
		break;
	case DNS_SRV:
		record->priority = (uint16_t)take_number(cursor, 2);
		record->weight = (uint16_t)take_number(cursor, 2);
		record->port = (uint16_t)take_number(cursor, 2);
		take_name(cursor, record->text);
		break;
	case DNS_NAPTR:
		take_naptr(cursor, record);
		break;
	}
}

/* One resource record: RFC 1035 section 4.1.3. */
static void read_record(struct cursor *cursor, enum dns_type type, struct dns_answer *answer)
{
	char owner[DNS_NAME_ROOM];
	unsigned found, class, ttl_s;
	size_t length, end;

	take_name(cursor, owner);
	found = take_number(cursor, 2);
	class = take_number(cursor, 2);
	ttl_s = take_number(cursor, 4);
	length = take_number(cursor, 2);
	if (cursor->bad || cursor->length - cursor->at < length) {
		cursor->bad = true;
		return;
	}
	end = cursor->at + length;
	if (class == 1 && (found == (unsigned)type || found == ALIAS)) {
		/* RFC 2181 section 8: the top bit makes it nothing. */
		ttl_s = ttl_s >> 31 ? 0 : ttl_s;
		answer->ttl_s = ttl_s < answer->ttl_s ? ttl_s : answer->ttl_s;
	}
	if (class == 1 && found == (unsigned)type && answer->count < DNS_RECORDS_MAX) {
		struct dns_record record = { .text = "" };

		take_record(cursor, type, &record);
		answer->records[answer->count++] = record;
	}
	cursor->at = end;
}

int dns_answer_read(const unsigned char *bytes, size_t length, enum dns_type type,
		    struct dns_answer *ret_answer)
{
	struct cursor cursor = { .bytes = bytes, .length = length, .at = HEADER_BYTES };
	struct dns_answer answer = { .ttl_s = UINT32_MAX };
	char name[DNS_NAME_ROOM];
	unsigned questions, records;

	if (length < HEADER_BYTES)
		return -EBADMSG;
	questions = (unsigned)bytes[4] << 8 | bytes[5];
	records = (unsigned)bytes[6] << 8 | bytes[7];
	while (questions-- && !cursor.bad) {
		take_name(&cursor, name);
		(void)take_number(&cursor, 4); /* type and class */
	}
	while (records-- && !cursor.bad)
		read_record(&cursor, type, &answer);
	if (cursor.bad)
		return -EBADMSG;
	*ret_answer = answer;
	return 0;
}
