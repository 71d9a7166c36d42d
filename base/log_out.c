/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_out.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#define FIELDS_MAX 32 /* of one line; more stay in its message only */

const char *log_journal_path = "/run/systemd/journal/socket";

enum stderr_kind { STDERR_UNKNOWN, STDERR_JOURNAL, STDERR_OTHER };

static _Atomic int stderr_kind = STDERR_UNKNOWN;
static _Atomic int format = LOG_TEXT;
static _Atomic int journal_fd = -1;

/* sd-daemon(3): SD_ERR, SD_NOTICE, SD_INFO, SD_DEBUG */
static const char syslog_levels[] = { [LOG_LEVEL_ERROR] = '3',
				      [LOG_LEVEL_NOTICE] = '5',
				      [LOG_LEVEL_INFO] = '6',
				      [LOG_LEVEL_DEBUG] = '7' };

void log_set_format(enum log_format wanted)
{
	format = (int)wanted;
}

/* ---- text ---- */

/* Whether stderr is the stream that $JOURNAL_STREAM names (systemd.exec(5)). */
static enum stderr_kind stderr_look(void)
{
	const char *named = getenv("JOURNAL_STREAM");
	char real[64];
	struct stat st;

	if (!named || fstat(STDERR_FILENO, &st))
		return STDERR_OTHER;
	(void)snprintf(real, sizeof(real), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(named, real) ? STDERR_OTHER : STDERR_JOURNAL;
}

static int time_of_day(char *ret_text, size_t room)
{
	wall_ms now = clock_wall();
	time_t seconds = (time_t)(now / 1000);
	struct tm tm = { 0 };

	(void)localtime_r(&seconds, &tm); /* NULL only beyond the year 2^31 */
	return snprintf(ret_text, room, "%02d:%02d:%02d.%03d ", tm.tm_hour, tm.tm_min, tm.tm_sec,
			(int)(now % 1000));
}

/* A log that cannot be written has nowhere to say so. */
static void write_stderr(const char *text, int length)
{
	if (write(STDERR_FILENO, text, (size_t)length) < 0)
		return;
}

static void out_text(enum log_level level, const char *area, const char *line)
{
	char out[LOG_LINE_ROOM + 128];
	int length;

	if (stderr_kind == STDERR_UNKNOWN)
		stderr_kind = (int)stderr_look();
	if (stderr_kind == STDERR_JOURNAL) {
		length = snprintf(out, sizeof(out), "<%c>%.40s %s\n", syslog_levels[level], area,
				  line);
	} else {
		length = time_of_day(out, sizeof(out));
		length += snprintf(out + length, sizeof(out) - (size_t)length, "%-6s %-9.40s %s\n",
				   log_level_name(level), area, line);
	}
	write_stderr(out, length);
}

/* ---- key=value ---- */

struct field {
	const char *key, *value;
	size_t key_length, value_length;
};

/* The next one of a line, which begins a word; false: none is left. */
static bool next_field(const char **line, struct field *ret_field)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

	for (const char *at = *line; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
		size_t length = *at >= 'a' && *at <= 'z' ? strspn(at, letters) : 0;
		bool quoted = length && at[length] == '=' && at[length + 1] == '"';

		if (!length || at[length] != '=')
			continue;
		ret_field->key = at;
		ret_field->key_length = length;
		ret_field->value = at + length + 1 + quoted;
		ret_field->value_length = strcspn(ret_field->value, quoted ? "\"" : " ");
		at = ret_field->value + ret_field->value_length;
		*line = at + strcspn(at, " ");
		*line += strspn(*line, " ");
		return true;
	}
	return false;
}

/* ---- JSON ---- */

struct buffer {
	char *text;
	size_t length, room;
};

static void put(struct buffer *to, const char *text, size_t length)
{
	if (length > to->room - to->length)
		length = to->room - to->length;
	memcpy(to->text + to->length, text, length);
	to->length += length;
}

/* In quotes; the line has no control characters, but may have bytes of any charset. */
static void put_json(struct buffer *to, const char *text, size_t length)
{
	put(to, "\"", 1);
	for (size_t i = 0, piece; i < length; i += piece) {
		piece = str_utf8_length(text + i);
		if (text[i] == '"' || text[i] == '\\')
			put(to, "\\", 1);
		if (piece && piece <= length - i)
			put(to, text + i, piece);
		else
			put(to, "\\ufffd", 6);
		piece = piece ? piece : 1;
	}
	put(to, "\"", 1);
}

static void put_member(struct buffer *to, const char *name, const char *text)
{
	put(to, name, strlen(name));
	put_json(to, text, strlen(text));
}

int log_json(char *ret_text, size_t room, enum log_level level, const char *area, const char *line)
{
	struct buffer to = { .text = ret_text, .room = room };
	char now[CLOCK_TEXT_ROOM];
	struct field field;

	clock_wall_text(clock_wall(), now);
	put_member(&to, "{\"time\":", now);
	put_member(&to, ",\"level\":", log_level_name(level));
	put_member(&to, ",\"area\":", area);
	put_member(&to, ",\"message\":", line);
	put(&to, ",\"fields\":{", 11);
	for (int i = 0; i < FIELDS_MAX && next_field(&line, &field); i++) {
		put(&to, ",", i > 0);
		put_json(&to, field.key, field.key_length);
		put(&to, ":", 1);
		put_json(&to, field.value, field.value_length);
	}
	put(&to, "}}\n", 3);
	return (int)to.length;
}

/* A line twice, each byte of it replaced, and the names. */
#define JSON_ROOM (12 * LOG_LINE_ROOM + FIELDS_MAX * 8 + 512)

static void out_json(enum log_level level, const char *area, const char *line)
{
	char out[JSON_ROOM];

	write_stderr(out, log_json(out, sizeof(out), level, area, line));
}

/* ---- journald ---- */

static int journal_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), none = -1;

	if (fd < 0)
		return -1;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", log_journal_path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	if (atomic_compare_exchange_strong(&journal_fd, &none, fd))
		return fd;
	close(fd); /* another thread was faster */
	return none;
}

static void put_journal_field(struct buffer *to, const struct field *field)
{
	put(to, "BREAKOUT_", 9);
	for (size_t i = 0; i < field->key_length; i++) {
		char upper = field->key[i];

		if (upper >= 'a' && upper <= 'z')
			upper = (char)(upper - 'a' + 'A');
		put(to, &upper, 1);
	}
	put(to, "=", 1);
	put(to, field->value, field->value_length);
	put(to, "\n", 1);
}

/* https://systemd.io/JOURNAL_NATIVE_PROTOCOL: "NAME=value\n" each, in one datagram. */
static bool out_journal(enum log_level level, const char *area, const char *line)
{
	char out[2 * LOG_LINE_ROOM + FIELDS_MAX * 12 + 256];
	struct buffer to = { .text = out, .room = sizeof(out) };
	struct field field;
	int fd = journal_fd;

	if (fd < 0)
		fd = journal_connect();
	if (fd < 0)
		return false;
	to.length = (size_t)snprintf(out, sizeof(out),
				     "PRIORITY=%c\nSYSLOG_IDENTIFIER=%s\nBREAKOUT_AREA=%.40s\n"
				     "MESSAGE=%.40s %s\n",
				     syslog_levels[level], program_invocation_short_name, area,
				     area, line);
	for (int i = 0; i < FIELDS_MAX && next_field(&line, &field); i++)
		put_journal_field(&to, &field);
	if (send(fd, out, to.length, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return true;
	/* The journal was started anew: its socket is another one. */
	if ((errno == ECONNREFUSED || errno == ENOTCONN) &&
	    atomic_compare_exchange_strong(&journal_fd, &fd, -1))
		close(fd);
	return false;
}

/* ---- the way out ---- */

void log_out(enum log_level level, const char *area, const char *line)
{
	switch ((enum log_format)format) {
	case LOG_JSON:
		out_json(level, area, line);
		return;
	case LOG_JOURNALD:
		if (out_journal(level, area, line))
			return;
		break; /* stderr is better than nothing */
	case LOG_TEXT:
		break;
	}
	out_text(level, area, line);
}

void log_out_reset(void)
{
	int fd = atomic_exchange(&journal_fd, -1);

	stderr_kind = STDERR_UNKNOWN;
	if (fd >= 0)
		close(fd);
}
