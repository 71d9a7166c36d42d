/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/profile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { HOUR = 3600 };

/* What stands there in a sample, and what instead of it. */
struct swap {
	const char *found;
	char instead[PATH_MAX + 64];
	char through; /* what follows is dropped too, up to this; 0: nothing is */
};

struct swaps {
	struct swap items[7];
	size_t count;
};

static struct swap *add_swap(struct swaps *swaps, const char *found)
{
	struct swap *swap = &swaps->items[swaps->count++];

	swap->found = found;
	return swap;
}

static void add_uri(struct swaps *swaps, const char *found, const char *uri)
{
	struct swap *swap = add_swap(swaps, found);

	(void)snprintf(swap->instead, sizeof(swap->instead), "%s", uri);
}

/* Three hours around now, or a good while after it: a clock cannot be set. */
static void add_hours(struct swaps *swaps, const struct profile *profile)
{
	time_t from = profile->now + (profile->closed ? 4 : -1) * HOUR, to = from + 3 * HOUR;
	struct swap *swap = add_swap(swaps, "time: \"");
	char begin[16], end[16];
	struct tm utc;

	(void)strftime(begin, sizeof(begin), "%a %H:%M", gmtime_r(&from, &utc));
	(void)strftime(end, sizeof(end), "%a %H:%M", gmtime_r(&to, &utc));
	(void)snprintf(swap->instead, sizeof(swap->instead), "time: \"%s-%s UTC\"", begin, end);
	swap->through = '"';
}

static void add_paths(struct swaps *swaps, const struct profile *profile)
{
	struct swap *swap = add_swap(swaps, "file: ");

	(void)snprintf(swap->instead, sizeof(swap->instead), "file: \"%s/", profile->samples);
	swap = add_swap(swaps, ".csv");
	(void)snprintf(swap->instead, sizeof(swap->instead), ".csv\"");
	swap = add_swap(swaps, "voicemail: { ");
	(void)snprintf(swap->instead, sizeof(swap->instead), "voicemail: { dir: \"%s/mail\", ",
		       profile->folder);
}

static void fill_swaps(struct swaps *swaps, const struct profile *profile)
{
	*swaps = (struct swaps){ 0 };
	add_uri(swaps, "sip:pbx1.example.com;transport=tcp", profile->dead_pbx);
	add_uri(swaps, "sip:pbx2.example.com;transport=tcp", profile->pbx);
	add_uri(swaps, "sip:pbx.example.com;transport=tcp", profile->pbx);
	add_hours(swaps, profile);
	add_paths(swaps, profile);
}

static const struct swap *swap_at(const struct swaps *swaps, const char *at)
{
	for (size_t i = 0; i < swaps->count; i++)
		if (str_starts(at, swaps->items[i].found))
			return &swaps->items[i];
	return NULL;
}

static void add_line(struct str *text, const char *at, const struct swaps *swaps)
{
	while (*at) {
		const struct swap *swap = swap_at(swaps, at);

		if (!swap) {
			str_add_n(text, at++, 1);
			continue;
		}
		str_add(text, swap->instead);
		at += strlen(swap->found);
		if (swap->through) {
			at += strcspn(at, (char[]){ swap->through, '\0' });
			at += *at == swap->through;
		}
	}
}

/* Of the rest the simulator has its own, and no day is a holiday. */
static bool is_wanted(const char *line)
{
	static const char *const sections[] = { "prefixes:", "limits:", "trunks:", "services:",
						"registrations:" };

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (str_starts(line, sections[i]))
			return true;
	return false;
}

int profile_add(struct str *text, const struct profile *profile)
{
	char path[PATH_MAX + 32], line[512];
	bool wanted = false;
	struct swaps swaps;

	(void)snprintf(path, sizeof(path), "%s/%s", profile->samples, profile->name);
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	fill_swaps(&swaps, profile);
	while (fgets(line, sizeof(line), file)) {
		const char *word = line + strspn(line, " ");

		if (*word == '#' || *word == '\n' || str_starts(word, "trusted:"))
			continue; /* a trunk's calls come from its addresses here */
		if (word == line)
			wanted = is_wanted(line);
		if (wanted)
			add_line(text, line, &swaps);
	}
	(void)fclose(file); /* was only read */
	return 0;
}
