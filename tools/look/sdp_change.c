/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/look/sdp_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "tools/look/entry.h"
#include "tools/look/ladder.h"

#define WORDS 192 /* room for a list of codecs */

/* Of the first audio section, and what the session says for it. */
struct view {
	char host[64], proto[32], codecs[WORDS], keys[WORDS], setup[16], direction[16], ptime[8];
	unsigned port, candidates, sections;
	bool ice, lite, fingerprint, mux;
};

/* ---- one SDP ---- */

struct reading {
	struct view *view;
	char formats[WORDS]; /* of the audio section, as numbers */
	unsigned audio;      /* sections of audio so far */
	bool in_audio;       /* in the first one */
	bool in_media;
};

static void add_word(char *list, const char *word, size_t length)
{
	size_t used = strlen(list);

	if (used + length + 2 > WORDS)
		return;
	(void)snprintf(list + used, WORDS - used, "%s%.*s", used ? " " : "", (int)length, word);
}

/* Static payload types: RFC 3551 section 6. */
static const char *static_name(const char *format)
{
	static const struct {
		const char *format, *name;
	} names[] = { { "0", "PCMU" }, { "3", "GSM" }, { "8", "PCMA" },
		      { "9", "G722" }, { "13", "CN" }, { "18", "G729" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].format, format))
			return names[i].name;
	return format;
}

static void read_section(struct reading *reading, const char *line)
{
	struct view *view = reading->view;
	int formats = 0;

	view->sections++;
	reading->in_media = true;
	reading->in_audio = !strncmp(line, "audio ", 6) && !reading->audio++;
	if (!reading->in_audio)
		return;
	if (sscanf(line, "audio %u %31s %n", &view->port, view->proto, &formats) == 2 && formats)
		(void)snprintf(reading->formats, WORDS, "%.*s",
			       (int)strcspn(line + formats, "\r\n"), line + formats);
}

/* The names of the formats, in their order: "8" may be in rtpmap or not. */
static void name_formats(struct reading *reading, const char *sdp)
{
	char *save = NULL;

	for (char *format = strtok_r(reading->formats, " ", &save); format;
	     format = strtok_r(NULL, " ", &save)) {
		char wanted[32];
		const char *at;

		(void)snprintf(wanted, sizeof(wanted), "\na=rtpmap:%.8s ", format);
		at = strstr(sdp, wanted);
		if (at)
			add_word(reading->view->codecs, at + strlen(wanted),
				 strcspn(at + strlen(wanted), "/\r\n"));
		else
			add_word(reading->view->codecs, static_name(format),
				 strlen(static_name(format)));
	}
}

static const char *value(const char *line, const char *name)
{
	return strncmp(line, name, strlen(name)) ? NULL : line + strlen(name);
}

static void copy(char *to, size_t room, const char *from)
{
	int length = (int)strcspn(from, " \r\n");

	(void)snprintf(to, room, "%.*s", length, from);
}

static void read_attribute(struct view *view, const char *line)
{
	static const char *const directions[] = { "sendrecv", "sendonly", "recvonly", "inactive" };
	const char *at;

	if ((at = value(line, "crypto:")) && (at = strchr(at, ' ')))
		add_word(view->keys, at + 1, strcspn(at + 1, " \r\n"));
	else if ((at = value(line, "setup:")))
		copy(view->setup, sizeof(view->setup), at);
	else if ((at = value(line, "ptime:")))
		copy(view->ptime, sizeof(view->ptime), at);
	view->fingerprint |= value(line, "fingerprint:") != NULL;
	view->ice |= value(line, "ice-ufrag:") != NULL;
	view->lite |= value(line, "ice-lite") != NULL;
	view->mux |= value(line, "rtcp-mux") != NULL;
	view->candidates += value(line, "candidate:") != NULL;
	for (size_t i = 0; i < sizeof(directions) / sizeof(directions[0]); i++)
		if ((at = value(line, directions[i])) && strchr("\r\n", *at))
			copy(view->direction, sizeof(view->direction), directions[i]);
}

static void read_view(const char *sdp, struct view *ret_view)
{
	struct reading reading = { .view = ret_view };

	*ret_view = (struct view){ .direction = "sendrecv" };
	for (const char *line = sdp; line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		bool counts = reading.in_audio || !reading.in_media;

		if (!strncmp(line, "m=", 2))
			read_section(&reading, line + 2);
		else if (counts && !strncmp(line, "c=IN IP", 7) && line[8] == ' ')
			copy(ret_view->host, sizeof(ret_view->host), line + 9);
		else if (counts && !strncmp(line, "a=", 2))
			read_attribute(ret_view, line + 2);
	}
	name_formats(&reading, sdp);
}

/* ---- two of them ---- */

static void add_change(struct str *to, const char *what, const char *from, const char *now)
{
	if (strcmp(from, now) != 0)
		str_addf(to, "; %s%s%s -> %s", what, *what ? " " : "", *from ? from : "none",
			 *now ? now : "none");
}

static void ice_text(const struct view *view, char ret_text[static 48])
{
	if (view->ice)
		(void)snprintf(ret_text, 48, "%s, %u candidates", view->lite ? "lite" : "full",
			       view->candidates);
	else
		ret_text[0] = '\0';
}

static void compare(const struct view *from, const struct view *now, struct str *to)
{
	char a[96], b[96];

	add_change(to, "", from->proto, now->proto);
	(void)snprintf(a, sizeof(a), "%s:%u", from->host, from->port);
	(void)snprintf(b, sizeof(b), "%s:%u", now->host, now->port);
	add_change(to, "media at", a, b);
	add_change(to, "codecs", from->codecs, now->codecs);
	ice_text(from, a);
	ice_text(now, b);
	add_change(to, "ICE", a, b);
	add_change(to, "DTLS", from->fingerprint ? from->setup : "",
		   now->fingerprint ? now->setup : "");
	add_change(to, "SDES", from->keys, now->keys);
	add_change(to, "direction", from->direction, now->direction);
	add_change(to, "ptime", from->ptime, now->ptime);
	add_change(to, "rtcp-mux", from->mux ? "yes" : "", now->mux ? "yes" : "");
	if (from->sections != now->sections)
		str_addf(to, "; sections %u -> %u", from->sections, now->sections);
}

static const char *sdp_of(const json_t *entry)
{
	const char *body =
		entry_is_message(entry) ? strstr(entry_text(entry, "text"), "\r\n\r\n") : NULL;
	const char *sdp = body ? strstr(body, "v=0") : NULL;

	return sdp && (sdp == body + 4 || sdp[-1] == '\n') ? sdp : NULL;
}

/* The last SDP that came in another dialog before: ours was made from it. */
static const char *source_of(const json_t *entries, size_t index)
{
	char own[LADDER_CALL_ID], other[LADDER_CALL_ID];

	ladder_call_id(json_array_get(entries, index), own);
	while (index-- > 0) {
		const json_t *entry = json_array_get(entries, index);
		const char *sdp = sdp_of(entry);

		if (!sdp || entry_is_sent(entry))
			continue;
		ladder_call_id(entry, other);
		if (strcmp(own, other) != 0)
			return sdp;
	}
	return NULL;
}

bool sdp_change(const json_t *entries, size_t index, struct str *to)
{
	const json_t *entry = json_array_get(entries, index);
	const char *ours = entry_is_sent(entry) ? sdp_of(entry) : NULL;
	const char *theirs = ours ? source_of(entries, index) : NULL;
	struct str changes = { 0 };
	struct view from, now;

	if (!theirs)
		return false;
	if (!strcmp(ours, theirs)) {
		str_add(to, "SDP: as it came");
		return true;
	}
	read_view(theirs, &from);
	read_view(ours, &now);
	compare(&from, &now, &changes);
	str_addf(to, "SDP: %s", changes.text ? changes.text + 2 : "only names and versions differ");
	str_done(&changes);
	return true;
}
