/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "tas/sip/blot.h"
#include "tas/sip/trace_follow.h"

#define TEXT_MAX  65536 /* bytes of a message; SIP over UDP cannot be longer either */
#define NOTE_MAX  512
#define LINKS_MAX 64 /* dialogs of one call */
/* Of a trace that keeps nothing: from an INVITE until its call is known to be wanted. */
#define LITTLE_ROOM (1u << 20)
#define ALIGNMENT   sizeof(uint64_t)

enum record_kind { RECORD_MESSAGE, RECORD_NOTE, RECORD_LINK, RECORD_PADDING };

struct endpoint_address {
	uint8_t family; /* 0: unknown */
	uint16_t port;
	uint8_t bytes[16];
};

struct record {
	uint32_t size;   /* with what follows it: a multiple of ALIGNMENT */
	uint32_t length; /* of the text behind it */
	uint64_t key;    /* hashed Call-ID of a message; hashed call of the others */
	wall_ms at;
	uint8_t kind; /* enum record_kind */
	uint8_t sent, transport;
	struct endpoint_address local, remote;
};
_Static_assert(sizeof(struct record) % ALIGNMENT == 0, "records stay aligned");

struct sip_trace {
	char *bytes;
	size_t room;
	size_t begin, used;    /* the oldest record; bytes from there on, round the end */
	bool keeps;            /* for sip_trace_each() */
	struct follow *follow; /* NULL: nobody wants calls in full */
	sip_trace_tap_fn *tap;
	void *tap_arg;
};

/* ---- the ring ---- */

static struct record *record_at(const struct sip_trace *trace, size_t offset)
{
	return (struct record *)(void *)(trace->bytes + offset % trace->room);
}

static void drop_oldest(struct sip_trace *trace)
{
	uint32_t size = record_at(trace, trace->begin)->size;

	trace->begin = (trace->begin + size) % trace->room;
	trace->used -= size;
}

static void make_room(struct sip_trace *trace, size_t size)
{
	while (trace->used + size > trace->room)
		drop_oldest(trace);
}

/* Room for one record in a piece. The end of the memory may be too short for it. */
static struct record *append(struct sip_trace *trace, size_t text_length)
{
	size_t size = (sizeof(struct record) + text_length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	size_t end = (trace->begin + trace->used) % trace->room, rest = trace->room - end;
	struct record *record;

	if (rest < size) {
		make_room(trace, rest);
		/* Shorter than a head: only its size is looked at. */
		*(uint32_t *)(void *)(trace->bytes + end) = (uint32_t)rest;
		if (rest >= sizeof(struct record))
			record_at(trace, end)->kind = RECORD_PADDING;
		trace->used += rest;
		end = 0;
	}
	make_room(trace, size);
	record = record_at(trace, end);
	*record = (struct record){ .size = (uint32_t)size,
				   .length = (uint32_t)text_length,
				   .at = clock_wall() };
	trace->used += size;
	return record;
}

static char *text_of(struct record *record)
{
	return (char *)(record + 1);
}

/* NULL at the end. `offset` moves on; what is too short for a head is skipped. */
static struct record *next_record(const struct sip_trace *trace, size_t *offset)
{
	while (*offset < trace->used) {
		size_t at = (trace->begin + *offset) % trace->room;
		struct record *record = record_at(trace, at);

		*offset += record->size;
		if (trace->room - at >= sizeof(*record) && record->kind != RECORD_PADDING)
			return record;
	}
	return NULL;
}

/* ---- in ---- */

bool sip_trace_listens(const struct sip_trace *trace)
{
	return trace && (trace->keeps || follow_is_active(trace->follow));
}

bool sip_trace_keeps(const struct sip_trace *trace)
{
	return trace && trace->keeps;
}

static uint64_t key_of(const char *name)
{
	return hash_bytes(name, strlen(name));
}

static void put_address(struct endpoint_address *to, const struct sockaddr_storage *from)
{
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)from;

		to->port = ntohs(v4->sin_port);
		memcpy(to->bytes, &v4->sin_addr, sizeof(v4->sin_addr));
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)from;

		to->port = ntohs(v6->sin6_port);
		memcpy(to->bytes, &v6->sin6_addr, sizeof(v6->sin6_addr));
	} else {
		return;
	}
	to->family = (uint8_t)from->ss_family;
}

static void fill_entry(struct sip_trace_entry *entry, struct record *record)
{
	*entry = (struct sip_trace_entry){
		.kind = record->kind == RECORD_NOTE ? SIP_TRACE_NOTE : SIP_TRACE_MESSAGE,
		.at = record->at,
		.sent = record->sent,
		.transport = (enum sip_transport)record->transport,
		.local_port = record->local.port,
		.remote_port = record->remote.port,
		.text = text_of(record),
		.length = record->length,
	};
	if (record->local.family)
		(void)inet_ntop(record->local.family, record->local.bytes, entry->local,
				sizeof(entry->local));
	if (record->remote.family)
		(void)inet_ntop(record->remote.family, record->remote.bytes, entry->remote,
				sizeof(entry->remote));
}

static size_t text_length(const struct sip_trace_message *message)
{
	size_t length = 0;

	for (size_t i = 0; i < message->piece_count; i++)
		length += message->pieces[i].iov_len;
	return length < TEXT_MAX ? length : TEXT_MAX;
}

static void copy_text(char *to, size_t length, const struct iovec *piece)
{
	for (; length; piece++) {
		size_t part = piece->iov_len < length ? piece->iov_len : length;

		memcpy(to, piece->iov_base, part);
		to += part;
		length -= part;
	}
}

/* An INVITE that comes in may begin a story; what leaves is a call's, which says so. */
static struct story *story_of(const struct sip_trace *trace, uint64_t dialog,
			      const struct sip_trace_message *message)
{
	struct story *story = follow_of_dialog(trace->follow, dialog);

	if (story || message->sent || !dialog)
		return story;
	story = follow_begin(trace->follow, message->names);
	if (story)
		(void)follow_add_dialog(trace->follow, story, dialog, message->call_id);
	return story;
}

static void hand_on(struct sip_trace *trace, struct record *record,
		    const struct sip_trace_message *message)
{
	struct story *story = story_of(trace, record->key, message);
	struct sip_trace_entry entry;

	if (!story && !trace->tap)
		return;
	fill_entry(&entry, record);
	if (story)
		follow_take(trace->follow, story, &entry);
	if (trace->tap)
		trace->tap(&entry, message->call_id ? message->call_id : "", trace->tap_arg);
}

void sip_trace_message(struct sip_trace *trace, const struct sip_trace_message *message)
{
	size_t length = text_length(message);
	struct record *record;

	if (!sip_trace_listens(trace) || sizeof(*record) + length + ALIGNMENT > trace->room)
		return;
	record = append(trace, length);
	record->kind = RECORD_MESSAGE;
	record->key = message->call_id ? key_of(message->call_id) : 0;
	record->sent = message->sent;
	record->transport = (uint8_t)message->transport;
	put_address(&record->local, message->local);
	put_address(&record->remote, message->remote);
	copy_text(text_of(record), length, message->pieces);
	blot_secrets(text_of(record), length);
	hand_on(trace, record, message);
}

static struct record *put_text(struct sip_trace *trace, enum record_kind kind, const char *call,
			       const char *text)
{
	size_t length = strlen(text);
	struct record *record = append(trace, length);

	record->kind = (uint8_t)kind;
	record->key = key_of(call);
	memcpy(text_of(record), text, length);
	return record;
}

/* With what was said in it before it was known to belong there. */
static void follow_dialog(struct sip_trace *trace, struct story *story, const char *call_id)
{
	uint64_t dialog = key_of(call_id);
	size_t offset = 0;
	struct record *record;

	if (!follow_add_dialog(trace->follow, story, dialog, call_id))
		return;
	while ((record = next_record(trace, &offset))) {
		struct sip_trace_entry entry;

		if (record->kind != RECORD_MESSAGE || record->key != dialog)
			continue;
		fill_entry(&entry, record);
		follow_take(trace->follow, story, &entry);
	}
}

void sip_trace_call(struct sip_trace *trace, const char *call, const char *call_id,
		    const char *const names[static SIP_TRACE_NAMES])
{
	struct story *story;

	if (!sip_trace_listens(trace))
		return;
	story = follow_of_dialog(trace->follow, key_of(call_id));
	if (!story || follow_has_call(story)) /* a Call-ID that two calls share: RFC 3261 16.3 */
		story = follow_begin(trace->follow, names);
	if (story) {
		follow_set_call(trace->follow, story, key_of(call), call);
		follow_dialog(trace, story, call_id);
	}
	sip_trace_link(trace, call, call_id);
}

void sip_trace_link(struct sip_trace *trace, const char *call, const char *call_id)
{
	struct story *story;

	if (!sip_trace_listens(trace) || strlen(call_id) >= NOTE_MAX)
		return;
	(void)put_text(trace, RECORD_LINK, call, call_id);
	story = follow_of_call(trace->follow, key_of(call));
	if (story)
		follow_dialog(trace, story, call_id);
}

void sip_trace_over(struct sip_trace *trace, const char *call)
{
	struct story *story = trace ? follow_of_call(trace->follow, key_of(call)) : NULL;

	if (story)
		follow_over(story);
}

void sip_trace_note(struct sip_trace *trace, const char *call, const char *format, ...)
{
	struct sip_trace_entry entry;
	struct record *record;
	struct story *story;
	char text[NOTE_MAX];
	va_list args;

	if (!sip_trace_listens(trace))
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	record = put_text(trace, RECORD_NOTE, call, text);
	story = follow_of_call(trace->follow, record->key);
	if (!story)
		return;
	fill_entry(&entry, record);
	follow_take(trace->follow, story, &entry);
}

/* ---- out ---- */

struct wanted {
	uint64_t call, dialogs[LINKS_MAX];
	size_t dialog_count;
};

/* A Call-ID stands for the call it belongs to, the newest if there are several. */
static void find_call(const struct sip_trace *trace, struct wanted *wanted)
{
	uint64_t dialog = wanted->call;
	struct record *record;
	size_t offset = 0;

	while ((record = next_record(trace, &offset)))
		if (record->kind == RECORD_LINK &&
		    hash_bytes(text_of(record), record->length) == dialog)
			wanted->call = record->key;
}

static void find_dialogs(const struct sip_trace *trace, struct wanted *wanted)
{
	struct record *record;
	size_t offset = 0;

	while ((record = next_record(trace, &offset)))
		if (record->kind == RECORD_LINK && record->key == wanted->call &&
		    wanted->dialog_count < LINKS_MAX)
			wanted->dialogs[wanted->dialog_count++] =
				hash_bytes(text_of(record), record->length);
}

static bool is_wanted(const struct wanted *wanted, const struct record *record)
{
	if (record->kind == RECORD_LINK)
		return false;
	if (record->key == wanted->call)
		return true;
	for (size_t i = 0; record->kind == RECORD_MESSAGE && i < wanted->dialog_count; i++)
		if (wanted->dialogs[i] == record->key)
			return true;
	return false;
}

size_t sip_trace_each(const struct sip_trace *trace, const char *call,
		      void (*visit)(const struct sip_trace_entry *entry, void *arg), void *arg)
{
	struct wanted wanted = { .call = key_of(call) };
	struct record *record;
	size_t offset = 0, count = 0;

	if (!sip_trace_keeps(trace))
		return 0;
	find_call(trace, &wanted);
	find_dialogs(trace, &wanted);
	while ((record = next_record(trace, &offset))) {
		struct sip_trace_entry entry;

		if (!is_wanted(&wanted, record))
			continue;
		fill_entry(&entry, record);
		visit(&entry, arg);
		count++;
	}
	return count;
}

wall_ms sip_trace_since(const struct sip_trace *trace)
{
	size_t offset = 0;
	const struct record *record = sip_trace_keeps(trace) ? next_record(trace, &offset) : NULL;

	return record ? record->at : 0;
}

void sip_trace_tap(struct sip_trace *trace, sip_trace_tap_fn *tap, void *arg)
{
	if (!trace)
		return;
	trace->tap = tap;
	trace->tap_arg = arg;
}

int sip_trace_follow(struct sip_trace *trace, const struct sip_trace_follow *follow)
{
	sip_trace_unfollow(trace);
	return follow_create(&trace->follow, follow);
}

void sip_trace_unfollow(struct sip_trace *trace)
{
	trace->follow = follow_destroy(trace->follow);
}

bool sip_trace_is_followed(const struct sip_trace *trace, const char *call)
{
	return trace && follow_of_call(trace->follow, key_of(call));
}

int sip_trace_create(struct sip_trace **ret_trace, size_t room)
{
	struct sip_trace *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return -ENOMEM;
	trace->keeps = room > 0;
	trace->room = (room ? room : LITTLE_ROOM) / ALIGNMENT * ALIGNMENT;
	trace->bytes = malloc(trace->room); /* the kernel gives it page by page, when it is used */
	if (!trace->bytes) {
		free(trace);
		return -ENOMEM;
	}
	*ret_trace = trace;
	return 0;
}

struct sip_trace *sip_trace_destroy(struct sip_trace *trace)
{
	if (trace) {
		follow_destroy(trace->follow);
		free(trace->bytes);
	}
	free(trace);
	return NULL;
}
