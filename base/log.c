/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - formats a line, makes it harmless, hands it to the sink. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Long enough for any line of ours; what a peer stretches is cut. */
#define LINE_ROOM 2048

static const struct {
	const char *name;
	char syslog; /* sd-daemon(3): SD_ERR, SD_NOTICE, SD_INFO, SD_DEBUG */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", '3' },
	[LOG_LEVEL_NOTICE] = { "notice", '5' },
	[LOG_LEVEL_INFO] = { "info", '6' },
	[LOG_LEVEL_DEBUG] = { "debug", '7' },
};

enum stderr_kind { STDERR_UNKNOWN, STDERR_JOURNAL, STDERR_OTHER };

static _Atomic int threshold = LOG_LEVEL_INFO;
static _Atomic int stderr_kind = STDERR_UNKNOWN;
static log_sink_fn *own_sink;
static void *own_sink_arg;

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

static void write_stderr(enum log_level level, const char *area, const char *line)
{
	char out[LINE_ROOM + 128];
	int length;

	if (stderr_kind == STDERR_UNKNOWN)
		stderr_kind = (int)stderr_look();
	if (stderr_kind == STDERR_JOURNAL) {
		length = snprintf(out, sizeof(out), "<%c>%.40s %s\n", levels[level].syslog, area,
				  line);
	} else {
		length = time_of_day(out, sizeof(out));
		length += snprintf(out + length, sizeof(out) - (size_t)length, "%-6s %-9.40s %s\n",
				   levels[level].name, area, line);
	}
	/* A log that cannot be written has nowhere to say so. */
	if (write(STDERR_FILENO, out, (size_t)length) < 0)
		return;
}

/* Bytes at `text` that a terminal or a line reader would obey: C0, DEL, and C1
 * in its UTF-8 form (ECMA-48). */
static unsigned control_length(const unsigned char *text)
{
	if (text[0] < 0x20 || text[0] == 0x7f)
		return 1;
	return text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f ? 2 : 0;
}

/* Copies with control characters as \xNN; a line that does not fit ends in "...". */
static void make_harmless(char ret_line[static LINE_ROOM], const char *text, bool cut)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length = 0;

	while (*at && length < LINE_ROOM - 16) {
		unsigned control = control_length(at);

		if (!control)
			ret_line[length++] = (char)*at++;
		for (; control; control--)
			length += (size_t)snprintf(ret_line + length, 5, "\\x%02x", *at++);
	}
	(void)snprintf(ret_line + length, 4, "%s", *at || cut ? "..." : "");
}

void log_write(enum log_level level, const char *area, const char *format, ...)
{
	char text[LINE_ROOM], line[LINE_ROOM];
	int caller_errno = errno;
	va_list args;
	int length;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0)
		return;
	make_harmless(line, text, (size_t)length >= sizeof(text));
	if (own_sink)
		own_sink(level, area, line, own_sink_arg);
	else
		write_stderr(level, area, line);
	errno = caller_errno;
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
	threshold = (int)level;
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(name, levels[i].name))
			continue;
		*ret_level = (enum log_level)i;
		return 0;
	}
	return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
	return levels[level].name;
}

void log_set_sink(log_sink_fn *sink, void *arg)
{
	own_sink = sink;
	own_sink_arg = arg;
	stderr_kind = STDERR_UNKNOWN;
}

bool log_limit_pass(struct log_limit *limit, unsigned burst, unsigned period_ms,
		    unsigned *ret_suppressed)
{
	mono_ms now = clock_now();

	if (now - limit->window_start_ms >= period_ms) {
		limit->window_start_ms = now;
		limit->in_window = 0;
	}
	if (limit->in_window >= burst) {
		limit->suppressed++;
		return false;
	}
	limit->in_window++;
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
