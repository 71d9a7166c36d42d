/* SPDX-License-Identifier: Apache-2.0 */
/* headers.c - text pairs; a header enters only in a form that can leave safely. */
#include "tas/sip/headers.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tas/sip/body.h"

#define ROOM_MAX 256 /* headers a message; more is nobody's call */

/* RFC 3261 section 7.3.3 and the IANA registry of SIP header fields. */
static const struct {
	char compact;
	const char *full;
} compact_forms[] = {
	{ 'a', "Accept-Contact" },
	{ 'b', "Referred-By" },
	{ 'c', "Content-Type" },
	{ 'd', "Request-Disposition" },
	{ 'e', "Content-Encoding" },
	{ 'f', "From" },
	{ 'i', "Call-ID" },
	{ 'j', "Reject-Contact" },
	{ 'k', "Supported" },
	{ 'l', "Content-Length" },
	{ 'm', "Contact" },
	{ 'n', "Identity-Info" },
	{ 'o', "Event" },
	{ 'r', "Refer-To" },
	{ 's', "Subject" },
	{ 't', "To" },
	{ 'u', "Allow-Events" },
	{ 'v', "Via" },
	{ 'x', "Session-Expires" },
	{ 'y', "Identity" },
};

/* What a header belongs to. */
enum kind {
	KIND_OWN,     /* one transaction or dialog, or the body: the stack writes its own */
	KIND_HOP,     /* one hop or one user agent: what they promise is not ours to promise */
	KIND_CROSSING /* nothing of that: here for its usual spelling */
};

/* In the order of their letters, case aside: it is searched by halves. */
static const struct known {
	char name[24];
	enum kind kind;
} known_names[] = {
	{ "Accept", KIND_HOP },
	{ "Accept-Contact", KIND_CROSSING },
	{ "Accept-Encoding", KIND_HOP },
	{ "Accept-Language", KIND_CROSSING },
	{ "Alert-Info", KIND_CROSSING },
	{ "Allow", KIND_HOP },
	{ "Allow-Events", KIND_HOP },
	{ "Authentication-Info", KIND_HOP },
	{ "Authorization", KIND_HOP },
	{ "Call-ID", KIND_OWN },
	{ "Call-Info", KIND_CROSSING },
	{ "Contact", KIND_OWN },
	{ "Content-Disposition", KIND_OWN },
	{ "Content-Encoding", KIND_OWN },
	{ "Content-Language", KIND_OWN },
	{ "Content-Length", KIND_OWN },
	{ "Content-Type", KIND_OWN },
	{ "CSeq", KIND_OWN },
	{ "Date", KIND_CROSSING },
	{ "Diversion", KIND_CROSSING },
	{ "Error-Info", KIND_CROSSING },
	{ "Event", KIND_HOP },
	{ "Expires", KIND_CROSSING },
	{ "Flow-Timer", KIND_HOP },
	{ "From", KIND_OWN },
	{ "Geolocation", KIND_CROSSING },
	{ "History-Info", KIND_CROSSING },
	{ "Identity", KIND_CROSSING },
	{ "Identity-Info", KIND_CROSSING },
	{ "In-Reply-To", KIND_CROSSING },
	{ "Join", KIND_HOP },
	{ "Max-Forwards", KIND_OWN },
	{ "MIME-Version", KIND_OWN },
	{ "Min-Expires", KIND_HOP },
	{ "Min-SE", KIND_HOP },
	{ "Organization", KIND_CROSSING },
	{ "P-Access-Network-Info", KIND_CROSSING },
	{ "P-Asserted-Identity", KIND_CROSSING },
	{ "P-Charging-Vector", KIND_CROSSING },
	{ "P-Early-Media", KIND_CROSSING },
	{ "P-Preferred-Identity", KIND_CROSSING },
	{ "Path", KIND_HOP },
	{ "Priority", KIND_CROSSING },
	{ "Privacy", KIND_CROSSING },
	{ "Proxy-Authenticate", KIND_HOP },
	{ "Proxy-Authorization", KIND_HOP },
	{ "Proxy-Require", KIND_HOP },
	{ "RAck", KIND_HOP },
	{ "Reason", KIND_CROSSING },
	{ "Record-Route", KIND_OWN },
	{ "Refer-To", KIND_HOP },
	{ "Referred-By", KIND_CROSSING },
	{ "Reject-Contact", KIND_CROSSING },
	{ "Remote-Party-ID", KIND_CROSSING },
	{ "Replaces", KIND_HOP },
	{ "Reply-To", KIND_CROSSING },
	{ "Request-Disposition", KIND_CROSSING },
	{ "Require", KIND_HOP },
	{ "Retry-After", KIND_CROSSING },
	{ "Route", KIND_OWN },
	{ "RSeq", KIND_HOP },
	{ "Security-Client", KIND_HOP },
	{ "Security-Server", KIND_HOP },
	{ "Security-Verify", KIND_HOP },
	{ "Server", KIND_CROSSING },
	{ "Service-Route", KIND_HOP },
	{ "Session-Expires", KIND_HOP },
	{ "Session-ID", KIND_CROSSING },
	{ "SIP-ETag", KIND_HOP },
	{ "SIP-If-Match", KIND_HOP },
	{ "Subject", KIND_CROSSING },
	{ "Subscription-State", KIND_HOP },
	{ "Supported", KIND_HOP },
	{ "Timestamp", KIND_HOP },
	{ "To", KIND_OWN },
	{ "Unsupported", KIND_CROSSING },
	{ "User-Agent", KIND_CROSSING },
	{ "User-to-User", KIND_CROSSING },
	{ "Via", KIND_OWN },
	{ "Warning", KIND_CROSSING },
	{ "WWW-Authenticate", KIND_HOP },
};

/* Extensions that live in headers or bodies we carry as they are: RFC 7044, RFC
 * 4412, RFC 6442, RFC 5373, RFC 7433. */
static const char *const transparent_options[] = {
	"histinfo", "resource-priority", "geolocation-http", "geolocation-sip", "answermode", "uui",
};

/* The name of a header that was found before is its row's, and need not be searched. */
static const struct known *row_of(const char *name)
{
	uintptr_t offset = (uintptr_t)name - (uintptr_t)known_names;

	return offset < sizeof(known_names) ? &known_names[offset / sizeof(known_names[0])] : NULL;
}

static const struct known *find_known(const char *name)
{
	size_t low = 0, high = ARRAY_SIZE(known_names);
	const struct known *row = row_of(name);

	if (row)
		return row;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = str_order_nocase(name, known_names[middle].name);

		if (order == 0)
			return &known_names[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static const char *expand(const char *name)
{
	char letter = (char)(name[0] | 0x20); /* ASCII lower case */

	if (!name[0] || name[1])
		return name;
	for (size_t i = 0; i < ARRAY_SIZE(compact_forms); i++)
		if (compact_forms[i].compact == letter)
			return compact_forms[i].full;
	return name;
}

const char *sip_header_full_name(const char *name)
{
	const struct known *known;

	name = expand(name);
	known = find_known(name);
	return known ? known->name : name;
}

static bool is_kind(const char *full_name, enum kind kind)
{
	const struct known *known = find_known(full_name);

	return known && known->kind == kind;
}

/* RFC 3261 section 25.1: token. */
static bool is_token(const char *text, size_t length)
{
	static const char marks[] = "-.!%*_+`'~";

	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		bool alnum =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!alnum && (c == '\0' || !strchr(marks, c)))
			return false;
	}
	return length > 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Copies a value without its folds (RFC 3261 section 7.3.1: a line break and
 * the blanks after it are one space). False if it holds anything that could end
 * a line or a string somewhere. */
static bool unfold(char *out, const char *value, size_t length)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c == '\r' || c == '\n') {
			if (c == '\r' && i + 1 < length && value[i + 1] == '\n')
				i++;
			if (i + 1 >= length || !is_blank(value[i + 1]))
				return false;
			while (i + 1 < length && is_blank(value[i + 1]))
				i++;
			while (used && is_blank(out[used - 1]))
				used--;
			out[used++] = ' ';
		} else if ((c < 0x20 && c != '\t') || c == 0x7f) {
			return false;
		} else {
			out[used++] = (char)c;
		}
	}
	out[used] = '\0';
	return true;
}

static void trim(const char **text, size_t *length, bool line_breaks)
{
	const char *blanks = line_breaks ? " \t\r\n" : " \t";

	while (*length && memchr(blanks, (*text)[0], strlen(blanks)))
		(*text)++, (*length)--;
	while (*length && memchr(blanks, (*text)[*length - 1], strlen(blanks)))
		(*length)--;
}

static int make_room(struct sip_headers *headers)
{
	size_t room = headers->room ? headers->room * 2 : 8;
	struct sip_header *items;

	if (headers->count < headers->room)
		return 0;
	if (room > ROOM_MAX)
		return -ENOMEM;
	items = realloc(headers->items, room * sizeof(*items));
	if (!items)
		return -ENOMEM;
	headers->items = items;
	headers->room = room;
	return 0;
}

int sip_headers_add_raw(struct sip_headers *headers, const char *name, size_t name_length,
			const char *value, size_t value_length)
{
	struct sip_header item;
	char *own;

	trim(&name, &name_length, false);
	trim(&value, &value_length, true);
	if (!is_token(name, name_length))
		return -EINVAL;
	if (make_room(headers) < 0)
		return -ENOMEM;
	/* The name behind its value, in one piece of memory. */
	item.value = malloc(value_length + 1 + name_length + 1);
	if (!item.value)
		return -ENOMEM;
	if (!unfold(item.value, value, value_length)) {
		free(item.value);
		return -EINVAL;
	}
	own = item.value + value_length + 1;
	memcpy(own, name, name_length);
	own[name_length] = '\0';
	item.name = sip_header_full_name(own);
	headers->items[headers->count++] = item;
	return 0;
}

int sip_headers_add(struct sip_headers *headers, const char *name, const char *value)
{
	return sip_headers_add_raw(headers, name, strlen(name), value, strlen(value));
}

/* `full_name` as sip_header_full_name() gave it: one that is known has one address. */
static bool is_name(const struct sip_header *header, const char *full_name)
{
	if (header->name == full_name || (row_of(header->name) && row_of(full_name)))
		return header->name == full_name;
	return str_equal_nocase(header->name, full_name);
}

const char *sip_headers_find(const struct sip_headers *headers, const char *name)
{
	name = sip_header_full_name(name);
	for (size_t i = 0; i < headers->count; i++)
		if (is_name(&headers->items[i], name))
			return headers->items[i].value;
	return NULL;
}

void sip_headers_remove(struct sip_headers *headers, const char *name)
{
	size_t kept = 0;

	name = sip_header_full_name(name);
	for (size_t i = 0; i < headers->count; i++) {
		if (is_name(&headers->items[i], name)) {
			free(headers->items[i].value);
		} else {
			headers->items[kept++] = headers->items[i];
		}
	}
	headers->count = kept;
}

int sip_headers_set(struct sip_headers *headers, const char *name, const char *value)
{
	struct sip_headers one = { 0 };
	int err = sip_headers_add(&one, name, value); /* checked before anything goes */

	if (!err) {
		sip_headers_remove(headers, name);
		err = sip_headers_add(headers, name, value);
	}
	sip_headers_done(&one);
	return err;
}

void sip_headers_done(struct sip_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		free(headers->items[i].value);
	free(headers->items);
	free(headers->features);
	free(headers->redirect);
	sip_body_destroy(headers->body);
	*headers = (struct sip_headers){ 0 };
}

bool sip_header_is_own(const char *name)
{
	return is_kind(sip_header_full_name(name), KIND_OWN);
}

bool sip_option_is_transparent(const char *tag)
{
	for (size_t i = 0; i < ARRAY_SIZE(transparent_options); i++)
		if (str_equal_nocase(transparent_options[i], tag))
			return true;
	return false;
}

/* The transparent ones among option tags, "" for none. */
static char *transparent_tags(const char *tags)
{
	static const char separators[] = ", \t";
	struct str kept = { 0 };
	char tag[32];

	for (tags += strspn(tags, separators); *tags; tags += strspn(tags, separators)) {
		size_t length = strcspn(tags, separators);

		(void)snprintf(tag, sizeof(tag), "%.*s", (int)length, tags);
		tags += length;
		if (length < sizeof(tag) && sip_option_is_transparent(tag))
			str_addf(&kept, "%s%s", kept.length ? ", " : "", tag);
	}
	return str_take(&kept);
}

static int copy_options(struct sip_headers *to, const struct sip_header *item)
{
	char *tags = transparent_tags(item->value);
	int err = !tags ? -ENOMEM : *tags ? sip_headers_add(to, item->name, tags) : 0;

	free(tags);
	return err;
}

/* What is end to end of Contact and body. */
static int copy_rest(struct sip_headers *to, const struct sip_headers *from)
{
	if (from->features && !to->features) {
		to->features = strdup(from->features);
		if (!to->features)
			return -ENOMEM;
	}
	if (from->redirect && !to->redirect) {
		to->redirect = strdup(from->redirect);
		if (!to->redirect)
			return -ENOMEM;
	}
	return from->body && !to->body ? sip_body_copy(&to->body, from->body) : 0;
}

int sip_headers_copy_transparent(struct sip_headers *to, const struct sip_headers *from)
{
	int err = 0;

	for (size_t i = 0; !err && i < from->count; i++) {
		const struct sip_header *item = &from->items[i];

		if (str_equal_nocase(item->name, "Supported") ||
		    str_equal_nocase(item->name, "Require"))
			err = copy_options(to, item);
		else if (!is_kind(item->name, KIND_OWN) && !is_kind(item->name, KIND_HOP))
			err = sip_headers_add(to, item->name, item->value);
	}
	return err ? err : copy_rest(to, from);
}

int sip_headers_copy_all(struct sip_headers *to, const struct sip_headers *from)
{
	int err = 0;

	for (size_t i = 0; !err && i < from->count; i++)
		err = sip_headers_add(to, from->items[i].name, from->items[i].value);
	return err ? err : copy_rest(to, from);
}

int sip_headers_copy_allowed(struct sip_headers *to, const struct sip_headers *from,
			     const char *const *names, size_t name_count)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct sip_header *item = &from->items[i];
		bool allowed = false;
		int err;

		for (size_t k = 0; k < name_count && !allowed; k++)
			allowed = str_equal_nocase(sip_header_full_name(names[k]), item->name);
		if (!allowed || sip_header_is_own(item->name))
			continue;
		err = sip_headers_add(to, item->name, item->value);
		if (err)
			return err;
	}
	return 0;
}
