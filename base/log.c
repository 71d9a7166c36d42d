/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - which lines are written: levels and rates; makes each harmless and hands it
 * on. */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/e164.h"
#include "base/log_out.h"

static const char *const names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static _Atomic int threshold = LOG_LEVEL_INFO; /* of areas without one of their own */
static _Atomic int loudest = LOG_LEVEL_INFO;   /* of all: a quick no */
static log_sink_fn *own_sink;
static void *own_sink_arg;

/* Bytes at `text` that a terminal or a line reader would obey: C0, DEL, and C1
 * in its UTF-8 form (ECMA-48). */
static unsigned control_length(const unsigned char *text)
{
	if (text[0] < 0x20 || text[0] == 0x7f)
		return 1;
	return text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f ? 2 : 0;
}

/* Copies with control characters as \xNN; a line that does not fit ends in "...". */
static void make_harmless(char ret_line[static LOG_LINE_ROOM], const char *text, bool cut)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length = 0;

	while (*at && length < LOG_LINE_ROOM - 16) {
		unsigned control = control_length(at);

		if (!control)
			ret_line[length++] = (char)*at++;
		for (; control; control--)
			length += (size_t)snprintf(ret_line + length, 5, "\\x%02x", *at++);
	}
	(void)snprintf(ret_line + length, 4, "%s", *at || cut ? "..." : "");
}

/* Telephone numbers that a caller of ours forgot to mask: at least as many digits after a
 * plus, also an escaped one, or where a URI has its user. */
#define NUMBER_DIGITS 7

/* Bytes before the digits of what may be a number; 0: nothing begins here. */
static size_t number_prefix(const char *text)
{
	static const char *const prefixes[] = { "+", "%2B", "%2b", "sip:", "sips:", "tel:" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(text, prefixes[i], strlen(prefixes[i])))
			return strlen(prefixes[i]);
	return 0;
}

/* The masked digits at `digits`, of which a plus is part. Returns the length, never more. */
static size_t mask_number(char *to, const char *digits, size_t length, bool plus)
{
	char number[64], masked[64];

	(void)snprintf(number, sizeof(number), "%s%.*s", plus ? "+" : "", (int)length, digits);
	e164_mask(number, masked, sizeof(masked));
	length = strlen(masked) - plus;
	memcpy(to, masked + plus, length); /* no NUL: what follows is still to be read */
	return length;
}

static void mask_numbers(char line[static LOG_LINE_ROOM])
{
	char *to = line;

	for (const char *at = line; *at;) {
		size_t prefix = number_prefix(at), digits = strspn(at + prefix, "0123456789");

		if (!prefix) {
			*to++ = *at++;
			continue;
		}
		memmove(to, at, prefix);
		to += prefix;
		if (digits >= NUMBER_DIGITS && digits < 60)
			to += mask_number(to, at + prefix, digits, at[prefix - 1] != ':');
		else
			digits = 0; /* as they are, byte by byte */
		at += prefix + digits;
	}
	*to = '\0';
}

/* ---- levels of areas ---- */

#define AREAS_MAX 16

/* An area keeps its place once it has one; its name is written before `used`. */
static struct area {
	char name[LOG_AREA_ROOM];
	_Atomic bool used;
	_Atomic int level;     /* -1: none of its own */
	_Atomic mono_ms until; /* 0: for good */
} areas[AREAS_MAX];
static struct area everything = { .level = -1 }; /* for a while instead of `threshold` */
static _Atomic mono_ms next_end;                 /* the first `until` of all; 0: none */

static pthread_mutex_t levels_lock = PTHREAD_MUTEX_INITIALIZER; /* of those who change them */

static void weigh_areas(void)
{
	int most = everything.level >= 0 ? everything.level : threshold;
	mono_ms end = everything.level >= 0 ? everything.until : 0;

	for (size_t i = 0; i < AREAS_MAX && areas[i].used; i++) {
		mono_ms until = areas[i].level >= 0 ? areas[i].until : 0;

		if (areas[i].level > most)
			most = areas[i].level;
		if (until && (!end || until < end))
			end = until;
	}
	loudest = most;
	next_end = end;
}

static void end_if_due(struct area *area, mono_ms now)
{
	if (area->level >= 0 && area->until && now >= area->until)
		area->level = -1;
}

static void end_due(void)
{
	mono_ms now, end = atomic_load_explicit(&next_end, memory_order_relaxed);

	if (!end)
		return;
	now = clock_now();
	if (now < end || pthread_mutex_trylock(&levels_lock))
		return; /* who changes levels just now weighs them, and the next line looks */
	end_if_due(&everything, now);
	for (size_t i = 0; i < AREAS_MAX && areas[i].used; i++)
		end_if_due(&areas[i], now);
	weigh_areas();
	pthread_mutex_unlock(&levels_lock);
}

static int level_of(const char *name)
{
	for (size_t i = 0; i < AREAS_MAX && areas[i].used; i++)
		if (areas[i].level >= 0 && !strcmp(areas[i].name, name))
			return areas[i].level;
	return everything.level >= 0 ? everything.level : threshold;
}

/* Under the lock; NULL: no room. */
static struct area *place_of(const char *name)
{
	if (!name)
		return &everything;
	for (size_t i = 0; i < AREAS_MAX; i++) {
		if (areas[i].used && strcmp(areas[i].name, name))
			continue;
		if (!areas[i].used) {
			(void)snprintf(areas[i].name, sizeof(areas[i].name), "%s", name);
			areas[i].level = -1;
			areas[i].used = true;
		}
		return &areas[i];
	}
	return NULL;
}

int log_override(const char *area, enum log_level level, unsigned for_s)
{
	struct area *place;

	if (area && (!*area || strlen(area) >= LOG_AREA_ROOM))
		return -EINVAL;
	pthread_mutex_lock(&levels_lock);
	place = place_of(area);
	if (place) {
		place->until = for_s ? clock_now() + (mono_ms)for_s * 1000 : 0;
		place->level = (int)level;
		weigh_areas();
	}
	pthread_mutex_unlock(&levels_lock);
	return place ? 0 : -ENOSPC;
}

void log_override_end(const char *area)
{
	pthread_mutex_lock(&levels_lock);
	if (!area)
		everything.level = -1;
	for (size_t i = 0; area && i < AREAS_MAX && areas[i].used; i++)
		if (!strcmp(areas[i].name, area))
			areas[i].level = -1;
	weigh_areas();
	pthread_mutex_unlock(&levels_lock);
}

static unsigned seconds_left(const struct area *area)
{
	mono_ms left = area->until - clock_now();

	return area->until && left > 0 ? (unsigned)((left + 999) / 1000) : 0;
}

void log_overrides(log_override_fn *visit, void *arg)
{
	end_due();
	visit(NULL, (enum log_level)(everything.level >= 0 ? everything.level : threshold),
	      everything.level >= 0 ? seconds_left(&everything) : 0, arg);
	for (size_t i = 0; i < AREAS_MAX && areas[i].used; i++)
		if (areas[i].level >= 0)
			visit(areas[i].name, (enum log_level)areas[i].level,
			      seconds_left(&areas[i]), arg);
}

/* ---- how much ---- */

#define SITES_MAX 512 /* places that write lines; more are not bounded */

static _Atomic unsigned rate;       /* lines a second of one place; 0: any */
static _Atomic uint64_t owed_since; /* the second of a line that was not written and is
				     * not told yet, and one; 0: none */

/* A place is known by its format. `seen` is a second and the lines in it. */
static struct site {
	const char *_Atomic format;
	const char *_Atomic area;
	_Atomic uint64_t seen;
	_Atomic unsigned suppressed;
} sites[SITES_MAX];

static struct site *site_of(const char *format)
{
	size_t start = (size_t)((uintptr_t)format * 0x9e3779b97f4a7c15u >> 32) % SITES_MAX;

	for (size_t i = 0; i < 16; i++) {
		struct site *site = &sites[(start + i) % SITES_MAX];
		const char *other = NULL;

		if (site->format == format ||
		    atomic_compare_exchange_strong(&site->format, &other, format) ||
		    other == format)
			return site;
	}
	return NULL;
}

static bool passes(const char *format, const char *area)
{
	unsigned most = rate;
	struct site *site = most ? site_of(format) : NULL;
	uint64_t second, seen, next;

	if (!site)
		return true;
	second = (uint64_t)clock_now() / 1000;
	seen = site->seen;
	do {
		bool same = seen >> 32 == second;

		if (same && (uint32_t)seen >= most) {
			site->area = area;
			site->suppressed++;
			owed_since = second + 1;
			return false;
		}
		next = same ? seen + 1 : second << 32 | 1;
	} while (!atomic_compare_exchange_weak(&site->seen, &seen, next));
	return true;
}

/* ---- writing ---- */

static void hand_over(enum log_level level, const char *area, const char *line)
{
	if (own_sink)
		own_sink(level, area, line, own_sink_arg);
	else
		log_out(level, area, line);
}

static void tell(struct site *site)
{
	unsigned count = atomic_exchange(&site->suppressed, 0);
	char text[LOG_LINE_ROOM], line[LOG_LINE_ROOM], like[400];

	if (!count)
		return;
	(void)snprintf(like, sizeof(like), "%s", site->format);
	for (char *at = strchr(like, '"'); at; at = strchr(at, '"'))
		*at = '\''; /* one value, whatever fields it would have had */
	(void)snprintf(text, sizeof(text), "log suppressed=%u like=\"%s\"", count, like);
	make_harmless(line, text, false);
	hand_over(LOG_LEVEL_NOTICE, site->area, line);
}

static void tell_all(void)
{
	owed_since = 0; /* first: what is kept back meanwhile is told the next time */
	for (size_t i = 0; i < SITES_MAX; i++)
		tell(&sites[i]);
}

void log_tell_suppressed(void)
{
	uint64_t since = atomic_load_explicit(&owed_since, memory_order_relaxed);

	if (since && (uint64_t)clock_now() / 1000 >= since)
		tell_all();
}

void log_set_rate(unsigned lines_a_second)
{
	rate = lines_a_second;
	tell_all();
}

void log_write(enum log_level level, const char *area, const char *format, ...)
{
	char text[LOG_LINE_ROOM], line[LOG_LINE_ROOM];
	int caller_errno = errno;
	va_list args;
	int length;

	if (!log_enabled(level) || (int)level > level_of(area))
		return;
	log_tell_suppressed();
	/* What a person has to mend is never kept back. */
	if (level != LOG_LEVEL_ERROR && !passes(format, area))
		return;
	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0)
		return;
	make_harmless(line, text, (size_t)length >= sizeof(text));
	if (level <= LOG_LEVEL_INFO)
		mask_numbers(line);
	hand_over(level, area, line);
	errno = caller_errno;
}

bool log_enabled(enum log_level level)
{
	end_due();
	return (int)level <= atomic_load_explicit(&loudest, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
	pthread_mutex_lock(&levels_lock);
	threshold = (int)level;
	weigh_areas();
	pthread_mutex_unlock(&levels_lock);
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]))
			continue;
		*ret_level = (enum log_level)i;
		return 0;
	}
	return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
	return names[level];
}

void log_set_sink(log_sink_fn *sink, void *arg)
{
	own_sink = sink;
	own_sink_arg = arg;
	log_out_reset();
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
