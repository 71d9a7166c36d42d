/* SPDX-License-Identifier: Apache-2.0 */
/* diversion.c - see diversion.h.
 *
 * Diversion names who diverted and why in one entry. History-Info lists where
 * the call went; why it went on from an entry stands in the next one, whose
 * `cause` (RFC 4458) names the reason and whose index names its parent.
 */
#include "tas/sip/diversion.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INDEX_ROOM 64 /* "1.1.1..." for twice DIVERSIONS_MAX entries */
/* RFC 7544: stands for a diversion whose details are not known. */
#define NOBODY "unknown.invalid"

/* RFC 7544, with erratum 3071 of its predecessor RFC 6044. */
static const struct {
	const char *name;
	int cause;
} reasons[DIVERSION_REASON_COUNT] = {
	[DIVERSION_UNKNOWN] = { "unknown", 404 },
	[DIVERSION_UNCONDITIONAL] = { "unconditional", 302 },
	[DIVERSION_USER_BUSY] = { "user-busy", 486 },
	[DIVERSION_NO_ANSWER] = { "no-answer", 408 },
	[DIVERSION_DEFLECTION] = { "deflection", 480 },
	[DIVERSION_UNAVAILABLE] = { "unavailable", 503 },
	[DIVERSION_TIME_OF_DAY] = { "time-of-day", 404 },
	[DIVERSION_DO_NOT_DISTURB] = { "do-not-disturb", 404 },
	[DIVERSION_FOLLOW_ME] = { "follow-me", 404 },
	[DIVERSION_OUT_OF_SERVICE] = { "out-of-service", 404 },
	[DIVERSION_AWAY] = { "away", 404 },
};

const char *diversion_reason_name(enum diversion_reason reason)
{
	return reasons[reason].name;
}

int diversion_reason_cause(enum diversion_reason reason)
{
	return reasons[reason].cause;
}

static enum diversion_reason reason_from_name(const char *name)
{
	for (int i = 0; i < DIVERSION_REASON_COUNT; i++)
		if (str_equal_nocase(reasons[i].name, name))
			return (enum diversion_reason)i;
	return DIVERSION_UNKNOWN;
}

static enum diversion_reason reason_from_cause(int cause)
{
	if (cause == 487) /* deflection while alerting: RFC 4458 section 2.1 */
		return DIVERSION_DEFLECTION;
	for (int i = DIVERSION_UNCONDITIONAL; i < DIVERSION_REASON_COUNT; i++)
		if (reasons[i].cause == cause && cause != reasons[DIVERSION_UNKNOWN].cause)
			return (enum diversion_reason)i;
	return DIVERSION_UNKNOWN;
}

void diversions_done(struct diversions *diversions)
{
	for (size_t i = 0; i < diversions->count; i++)
		sip_address_done(&diversions->items[i].by);
	diversions->count = 0;
}

static unsigned small_number(const char *text, unsigned otherwise)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end)
		return otherwise;
	return number < DIVERSIONS_MAX ? (unsigned)number : DIVERSIONS_MAX;
}

/* ---- reading Diversion ---- */

static int read_diversion(struct diversions *diversions, const char *text, size_t length)
{
	struct diversion *item = &diversions->items[diversions->count];
	char word[32] = "";
	const char *params;
	int err = sip_address_parse(&item->by, text, length);

	if (err)
		return err == -ENOMEM ? err : 0;
	params = item->by.params;
	item->reason = sip_address_param(params, "reason", word, sizeof(word))
			       ? reason_from_name(word)
			       : DIVERSION_UNKNOWN;
	item->times = sip_address_param(params, "counter", word, sizeof(word))
			      ? small_number(word, 1)
			      : 1;
	if (!item->times)
		item->times = 1;
	item->limit =
		sip_address_param(params, "limit", word, sizeof(word)) ? small_number(word, 0) : 0;
	item->hidden = sip_address_param(params, "privacy", word, sizeof(word)) &&
		       !str_equal_nocase(word, "off");
	diversions->count++;
	return 0;
}

/* Newest first on the wire. */
static void reverse(struct diversions *diversions)
{
	for (size_t i = 0; i < diversions->count / 2; i++) {
		struct diversion *a = &diversions->items[i];
		struct diversion *b = &diversions->items[diversions->count - 1 - i];
		struct diversion kept = *a;

		*a = *b;
		*b = kept;
	}
}

static int read_diversions(struct diversions *diversions, const struct sip_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		const char *list = headers->items[i].value, *item;
		size_t length;

		if (!str_equal_nocase(headers->items[i].name, "Diversion"))
			continue;
		while (diversions->count < DIVERSIONS_MAX &&
		       (item = sip_address_next(&list, &length))) {
			int err = read_diversion(diversions, item, length);

			if (err)
				return err;
		}
	}
	reverse(diversions);
	return 0;
}

/* ---- reading History-Info ---- */

struct entry {
	struct sip_address at;
	char index[INDEX_ROOM], parent[INDEX_ROOM];
	int cause; /* 0: no diversion */
	bool hidden;
};
struct history {
	struct entry entries[2 * DIVERSIONS_MAX];
	size_t count;
};

/* "Name=value" among the headers of a URI, escapes undone where they matter:
 * "Reason=SIP%3Bcause%3D302" (RFC 4244 section 4.1). */
static const char *uri_header(const char *uri, const char *name)
{
	size_t length = strlen(name);
	const char *at = strchr(uri, '?');

	while (at && *at) {
		at++;
		if (strncasecmp(at, name, length) == 0 && at[length] == '=')
			return at + length + 1;
		at = strchr(at, '&');
	}
	return NULL;
}

/* 100..699, else 0. */
static int cause_number(const char *text)
{
	long number = strtol(text, NULL, 10);

	return number >= 100 && number < 700 ? (int)number : 0;
}

static int cause_of(const char *uri)
{
	static const char escaped[] = "cause%3D";
	char params[128], word[16] = "";
	const char *from = sip_address_uri_params(uri);
	const char *reason = uri_header(uri, "Reason");
	const char *at = reason ? strcasestr(reason, escaped) : NULL;

	(void)snprintf(params, sizeof(params), "%.*s", (int)strcspn(from, "?"), from);
	if (sip_address_param(params, "cause", word, sizeof(word)))
		return cause_number(word);
	return at ? cause_number(at + strlen(escaped)) : 0;
}

/* RFC 7044 section 10.1.2: "history" hides this entry. */
static bool is_hidden(const char *uri)
{
	const char *privacy = uri_header(uri, "Privacy");

	return privacy && strncasecmp(privacy, "none", 4) != 0;
}

/* RFC 7044 section 5: mp and rc name the entry this one comes from; without
 * them it is the index without its last number. */
static void name_parent(struct entry *entry)
{
	const char *params = entry->at.params;
	char *dot;

	if (sip_address_param(params, "rc", entry->parent, sizeof(entry->parent)) ||
	    sip_address_param(params, "mp", entry->parent, sizeof(entry->parent)))
		return;
	memcpy(entry->parent, entry->index, sizeof(entry->parent));
	dot = strrchr(entry->parent, '.');
	if (dot)
		*dot = '\0';
	else
		entry->parent[0] = '\0';
}

static int read_entry(struct history *history, const char *text, size_t length)
{
	struct entry *entry = &history->entries[history->count];
	int err = sip_address_parse(&entry->at, text, length);

	if (err)
		return err == -ENOMEM ? err : 0;
	entry->index[0] = '\0';
	(void)sip_address_param(entry->at.params, "index", entry->index,
				sizeof(entry->index)); /* without: nobody's parent */
	name_parent(entry);
	entry->cause = cause_of(entry->at.uri);
	entry->hidden = is_hidden(entry->at.uri);
	history->count++;
	return 0;
}

static int read_entries(struct history *history, const struct sip_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		const char *list = headers->items[i].value, *item;
		size_t length;

		if (!str_equal_nocase(headers->items[i].name, "History-Info"))
			continue;
		while (history->count < ARRAY_SIZE(history->entries) &&
		       (item = sip_address_next(&list, &length))) {
			int err = read_entry(history, item, length);

			if (err)
				return err;
		}
	}
	return 0;
}

static struct entry *parent_of(struct history *history, size_t i)
{
	const char *parent = history->entries[i].parent;

	for (size_t k = 0; *parent && k < history->count; k++)
		if (k != i && strcmp(history->entries[k].index, parent) == 0)
			return &history->entries[k];
	return i ? &history->entries[i - 1] : NULL;
}

/* What `parent` did to the call when it sent it on to `entry`. */
static int divert(struct diversions *diversions, const struct entry *entry,
		  const struct entry *parent)
{
	struct diversion *last =
		diversions->count ? &diversions->items[diversions->count - 1] : NULL;
	struct diversion *item = last ? last + 1 : diversions->items;
	int err;

	if (last && str_equal_nocase(parent->at.host, NOBODY)) {
		last->times += last->times < DIVERSIONS_MAX;
		last->reason = reason_from_cause(entry->cause);
		return 0;
	}
	if (diversions->count == DIVERSIONS_MAX)
		return 0;
	*item = (struct diversion){ .reason = reason_from_cause(entry->cause),
				    .times = 1,
				    .hidden = parent->hidden };
	err = sip_address_parse(&item->by, parent->at.uri, strlen(parent->at.uri));
	if (!err)
		diversions->count++;
	return err == -ENOMEM ? err : 0;
}

static int read_history(struct diversions *diversions, const struct sip_headers *headers)
{
	struct history *history = calloc(1, sizeof(*history));
	int err = history ? read_entries(history, headers) : -ENOMEM;

	for (size_t i = 0; !err && i < history->count; i++) {
		const struct entry *entry = &history->entries[i];
		const struct entry *parent = parent_of(history, i);

		/* 380 is a service number translated (RFC 8119): nobody diverted. */
		if (entry->cause && entry->cause != 380 && parent)
			err = divert(diversions, entry, parent);
	}
	for (size_t i = 0; history && i < history->count; i++)
		sip_address_done(&history->entries[i].at);
	free(history);
	return err;
}

int diversions_read(struct diversions *diversions, const struct sip_headers *headers)
{
	int err = read_history(diversions, headers);

	if (!err && !diversions->count)
		err = read_diversions(diversions, headers);
	if (err)
		diversions_done(diversions);
	return err;
}

/* ---- writing ---- */

/* A URI without parameters and headers: those belong to who wrote them. */
static void add_bare_uri(struct str *out, const char *uri)
{
	str_add_n(out, uri, (size_t)(sip_address_uri_params(uri) - uri));
}

static int add_header(struct sip_headers *headers, const char *name, struct str *take_value)
{
	char *value = str_take(take_value);
	int err = value ? sip_headers_add(headers, name, value) : -ENOMEM;

	free(value);
	return err;
}

int diversions_add_diversion(const struct diversions *diversions, struct sip_headers *headers)
{
	for (size_t i = diversions->count; i-- > 0;) {
		const struct diversion *item = &diversions->items[i];
		struct str value = { 0 };
		int err;

		if (item->by.display[0]) {
			sip_address_quote(&value, item->by.display);
			str_add(&value, " ");
		}
		str_add(&value, "<");
		add_bare_uri(&value, item->by.uri);
		str_addf(&value, ">;reason=%s;counter=%u;privacy=%s", reasons[item->reason].name,
			 item->times, item->hidden ? "full" : "off");
		if (item->limit)
			str_addf(&value, ";limit=%u", item->limit);
		err = add_header(headers, "Diversion", &value);
		if (err)
			return err;
	}
	return 0;
}

/* The chain so far: each entry comes from the one before. */
struct chain {
	struct sip_headers *headers;
	char index[INDEX_ROOM];
	int cause; /* of the next entry; 0: none */
};

static int chain_add(struct chain *chain, const char *uri, bool hidden)
{
	size_t length = strlen(chain->index);
	char from[sizeof(chain->index)];
	struct str value = { 0 };

	memcpy(from, chain->index, sizeof(from));
	(void)snprintf(chain->index + length, sizeof(chain->index) - length, "%s1",
		       length ? "." : "");
	str_add(&value, "<");
	add_bare_uri(&value, uri);
	if (chain->cause)
		str_addf(&value, ";cause=%d", chain->cause);
	str_addf(&value, "%s>;index=%s", hidden ? "?Privacy=history" : "", chain->index);
	if (length)
		str_addf(&value, ";mp=%s", from);
	return add_header(chain->headers, "History-Info", &value);
}

int diversions_add_history(const struct diversions *diversions, const char *target,
			   struct sip_headers *headers)
{
	struct chain chain = { .headers = headers };
	size_t room = DIVERSIONS_MAX - diversions->count; /* for diversions without a name */
	int err = 0;

	if (!diversions->count)
		return 0;
	for (size_t i = 0; !err && i < diversions->count; i++) {
		const struct diversion *item = &diversions->items[i];

		err = chain_add(&chain, item->by.uri, item->hidden);
		for (unsigned n = 1; !err && n < item->times && room; n++, room--) {
			chain.cause = reasons[DIVERSION_UNKNOWN].cause;
			err = chain_add(&chain, "sip:unknown@" NOBODY, false);
		}
		chain.cause = reasons[item->reason].cause;
	}
	return err ? err : chain_add(&chain, target, false);
}
