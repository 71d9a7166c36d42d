/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one event, one line: level, area, then "object event key=value".
 *
 * Levels: error for what a person has to mend, notice for the unusual that
 * heals itself, info for the life of a call, debug for us. Phone numbers are
 * masked from info upward (e164_mask); secrets never reach a line.
 *
 * Whatever a line is made of, telephone numbers with a plus and those of SIP and tel URIs
 * are masked in it from info upward. One place writes at most log_set_rate() lines a
 * second; how many more there were is told in the next one. Errors are never kept back.
 * A place is known by its format and its area: both live as long as the program.
 *
 * Threads: any. A line is written with one write(2); no lock is held while
 * writing. Never call it on the packet path.
 */
#ifndef BREAKOUT_BASE_LOG_H
#define BREAKOUT_BASE_LOG_H

#include <stdbool.h>
#include "base/macros.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Receives each finished line, without level prefix or newline. */
typedef void log_sink_fn(enum log_level level, const char *area, const char *line, void *arg);

void log_write(enum log_level level, const char *area, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_error(area, ...)  log_write(LOG_LEVEL_ERROR, area, __VA_ARGS__)
#define log_notice(area, ...) log_write(LOG_LEVEL_NOTICE, area, __VA_ARGS__)
#define log_info(area, ...)   log_write(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_debug(area, ...)                                                                       \
	do {                                                                                       \
		if (log_enabled(LOG_LEVEL_DEBUG))                                                  \
			log_write(LOG_LEVEL_DEBUG, area, __VA_ARGS__);                             \
	} while (0)

bool log_enabled(enum log_level level); /* in some area */
void log_set_level(enum log_level level);

#define LOG_AREA_ROOM 16
/* Another level for one area, or for all (NULL) that have none of their own; for a while,
 * or for good (0). 0, -EINVAL (too long a name), -ENOSPC (too many areas). */
int log_override(const char *area, enum log_level level, unsigned for_s) MUST_CHECK;
/* The level of all areas first (NULL), then those that differ. left_s: 0: for good. */
typedef void log_override_fn(const char *area, enum log_level level, unsigned left_s, void *arg);
void log_overrides(log_override_fn *visit, void *arg);

/* The end of another level, also of one for good; NULL: of that for all. */
void log_override_end(const char *area);

/* Lines a second of one place in the program; 0, as at start: any. Tells at once what was
 * kept back until now. */
void log_set_rate(unsigned lines_a_second);
/* Tells what was kept back in seconds that are over. Each line does, but there may be no
 * next one: once a second from a timer. */
void log_tell_suppressed(void);

enum log_format {
	LOG_TEXT,    /* time, level, area, line */
	LOG_JSON,    /* one object a line */
	LOG_JOURNALD /* the journal's own protocol, with fields; stderr where there is none */
};
void log_set_format(enum log_format format);

/* "error", "notice", "info", "debug"; returns 0 or -EINVAL. */
int log_level_parse(const char *name, enum log_level *ret_level) MUST_CHECK;
const char *log_level_name(enum log_level level);

/* NULL restores the default sink: stderr, with a <N> syslog prefix when
 * stderr is the journal (sd-daemon(3)), else with time of day. Set before
 * threads start. */
void log_set_sink(log_sink_fn *sink, void *arg);

/* Bounds a line that a peer can provoke: true at most `burst` times a
 * `period_ms`; the count of suppressed ones since the last true is handed out
 * so that the line can say it. One struct per place, zero-initialised. */
struct log_limit {
	long long window_start_ms;
	unsigned in_window;
	unsigned suppressed;
};
bool log_limit_pass(struct log_limit *limit, unsigned burst, unsigned period_ms,
		    unsigned *ret_suppressed);

#endif
