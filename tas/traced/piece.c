/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/traced/piece.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINE_ROOM 512
#define WORD_MAX  255 /* characters of a name; what is beyond is left out */

/* A name is a word: what is none in it cannot end the line. */
static void add_word(struct str *to, const char *word)
{
	if (!*word)
		str_add(to, "-");
	for (const char *end = word + strnlen(word, WORD_MAX); word < end; word++)
		str_add_n(to, (unsigned char)*word > ' ' && *word != 0x7f ? word : "?", 1);
}

static void add_name(struct str *to, const char *what, const char *name)
{
	str_add(to, what);
	add_word(to, name);
	str_add(to, "\n");
}

static void add_entry(struct str *to, const struct sip_trace_entry *entry)
{
	if (entry->kind == SIP_TRACE_NOTE) {
		str_addf(to, "note %lld", (long long)entry->at);
	} else {
		str_addf(to, "message %lld %s %s ", (long long)entry->at,
			 entry->sent ? "sent" : "received", sip_transport_name(entry->transport));
		add_word(to, entry->local);
		str_addf(to, " %u ", entry->local_port);
		add_word(to, entry->remote);
		str_addf(to, " %u", entry->remote_port);
	}
	str_addf(to, " %zu\n", entry->length);
	str_add_n(to, entry->text, entry->length);
	str_add(to, "\n");
}

void piece_write(struct str *to, const struct sip_trace_piece *piece, wall_ms at)
{
	switch (piece->what) {
	case SIP_TRACE_BEGUN:
		str_addf(to, "begun %lld ", (long long)at);
		add_name(to, "", piece->name);
		break;
	case SIP_TRACE_CALL:
		add_name(to, "call ", piece->name);
		break;
	case SIP_TRACE_DIALOG:
		add_name(to, "dialog ", piece->name);
		break;
	case SIP_TRACE_ENTRY:
		add_entry(to, piece->entry);
		break;
	}
}

/* ---- and back ---- */

static bool take_transport(const char *name, enum sip_transport *ret_transport)
{
	for (int i = 0; i <= SIP_TRANSPORT_TLS; i++)
		if (!strcmp(sip_transport_name((enum sip_transport)i), name)) {
			*ret_transport = (enum sip_transport)i;
			return true;
		}
	return false;
}

static void take_host(const char *word, char ret_host[static INET6_ADDRSTRLEN])
{
	(void)snprintf(ret_host, INET6_ADDRSTRLEN, "%s", strcmp(word, "-") ? word : "");
}

/* The head of an entry; *ret_length is that of its text. */
static bool read_head(const char *line, struct sip_trace_entry *entry, size_t *ret_length)
{
	char way[12], transport[12], local[INET6_ADDRSTRLEN], remote[INET6_ADDRSTRLEN];
	long long at;

	if (sscanf(line, "note %lld %zu", &at, ret_length) == 2) {
		entry->kind = SIP_TRACE_NOTE;
	} else if (sscanf(line, "message %lld %11s %11s %45s %hu %45s %hu %zu", &at, way, transport,
			  local, &entry->local_port, remote, &entry->remote_port,
			  ret_length) == 8) {
		entry->kind = SIP_TRACE_MESSAGE;
		entry->sent = !strcmp(way, "sent");
		take_host(local, entry->local);
		take_host(remote, entry->remote);
		if (!take_transport(transport, &entry->transport))
			return false;
	} else {
		return false;
	}
	entry->at = at;
	return true;
}

static bool read_name(const char *line, struct piece *piece)
{
	long long began;

	if (sscanf(line, "begun %lld %255s", &began, piece->name) == 2) {
		piece->what = SIP_TRACE_BEGUN;
		piece->began = began;
	} else if (sscanf(line, "call %255s", piece->name) == 1) {
		piece->what = SIP_TRACE_CALL;
	} else if (sscanf(line, "dialog %255s", piece->name) == 1) {
		piece->what = SIP_TRACE_DIALOG;
	} else {
		return false;
	}
	return true;
}

int piece_read(const char **at, const char *end, struct piece *ret_piece)
{
	const char *stop = memchr(*at, '\n', (size_t)(end - *at));
	char line[LINE_ROOM];
	size_t length = 0;

	if (!stop)
		return -ENODATA;
	if ((size_t)(stop - *at) >= sizeof(line))
		return -EPROTO;
	memcpy(line, *at, (size_t)(stop - *at));
	line[stop - *at] = '\0';
	*ret_piece = (struct piece){ .what = SIP_TRACE_ENTRY };
	if (read_name(line, ret_piece)) {
		*at = stop + 1;
		return 0;
	}
	if (!read_head(line, &ret_piece->entry, &length))
		return -EPROTO;
	if ((size_t)(end - stop - 1) < length + 1)
		return -ENODATA;
	if (stop[1 + length] != '\n')
		return -EPROTO;
	ret_piece->entry.text = stop + 1;
	ret_piece->entry.length = length;
	*at = stop + 1 + length + 1;
	return 0;
}
