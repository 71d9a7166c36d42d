/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *report_colour(FILE *file, enum report_colour colour)
{
	static const char *const codes[] = {
		[REPORT_PLAIN] = "\033[0m",  [REPORT_GOOD] = "\033[32m",
		[REPORT_BAD] = "\033[1;31m", [REPORT_DIM] = "\033[2m",
		[REPORT_STRONG] = "\033[1m",
	};

	return isatty(fileno(file)) && !getenv("NO_COLOR") ? codes[colour] : "";
}

const char *report_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void print_ms(FILE *file, const char *what, const json_t *value)
{
	if (json_is_integer(value))
		(void)fprintf(file, "%s %lld ms   ", what, (long long)json_integer_value(value));
}

/* What one leg saw, shortened: "INVITE 180@12 200@320 ACK BYE". */
static void print_messages(FILE *file, const json_t *trace, json_int_t number)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(trace, i, entry)
	{
		const char *text = report_text(entry, "text");
		json_int_t ms = json_integer_value(json_object_get(entry, "ms"));
		int length = (int)strcspn(text, " ");

		if (json_integer_value(json_object_get(entry, "leg")) != number)
			continue;
		if (strstr(text, " in dialog"))
			(void)fprintf(file, " re-%.*s@%lld", length, text, (long long)ms);
		else if (*text >= '1' && *text <= '6')
			(void)fprintf(file, " %.*s@%lld", length, text, (long long)ms);
		else
			(void)fprintf(file, " %.*s", length, text);
	}
}

static void print_leg(FILE *file, const json_t *core, const json_t *leg)
{
	json_int_t number = json_integer_value(json_object_get(leg, "leg"));
	const char *left = report_text(leg, "between"), *right = report_text(leg, "and");
	const char *uri = report_text(leg, "request_uri");

	(void)fprintf(file, "    leg %lld  %-6s -> %-6s %s%-8.8s%s  %-22.*s ", (long long)number,
		      left, right, report_colour(file, REPORT_DIM), report_text(leg, "call_id"),
		      report_colour(file, REPORT_PLAIN), (int)strcspn(uri, "@"), uri);
	print_messages(file, json_object_get(core, "trace"), number);
	(void)fputc('\n', file);
}

static void print_end(FILE *file, const char *name, const json_t *end)
{
	if (!json_is_object(end))
		return;
	(void)fprintf(file, "    %s %s plays %lld Hz, hears %lld Hz  %s %s\n", name,
		      report_text(end, "party"),
		      (long long)json_integer_value(json_object_get(end, "tone_hz")),
		      (long long)json_integer_value(json_object_get(end, "heard_hz")),
		      report_text(end, "codec"), report_text(end, "srtp"));
	if (*report_text(end, "media_failure"))
		(void)fprintf(file, "    %s media: %s\n", name, report_text(end, "media_failure"));
}

void report_ladder(FILE *file, const json_t *result)
{
	const json_t *core = json_object_get(result, "core"), *leg;
	const json_t *callee = json_object_get(result, "callee");
	size_t i;

	json_array_foreach(json_object_get(core, "legs"), i, leg) print_leg(file, core, leg);
	if (strcmp(report_text(result, "answered_by"), "pbx") == 0)
		(void)fprintf(file, "    trunk  tas    -> pbx    %s%-8.8s%s\n",
			      report_colour(file, REPORT_DIM), report_text(callee, "call_id"),
			      report_colour(file, REPORT_PLAIN));
	print_end(file, "caller", json_object_get(result, "caller"));
	print_end(file, "callee", callee);
	(void)fprintf(file, "    ");
	print_ms(file, "ring", json_object_get(result, "ring_ms"));
	print_ms(file, "answer", json_object_get(result, "answer_ms"));
	(void)fprintf(file, "%s %lld", report_text(result, "outcome"),
		      (long long)json_integer_value(json_object_get(result, "status")));
	if (*report_text(result, "answered_by"))
		(void)fprintf(file, " by %s", report_text(result, "answered_by"));
	if (*report_text(result, "verdict"))
		(void)fprintf(file, "   audio: %s%s%s", report_colour(file, REPORT_STRONG),
			      report_text(result, "verdict"), report_colour(file, REPORT_PLAIN));
	(void)fputc('\n', file);
}

void report_trace(FILE *file, const json_t *result)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(result, "core"), "trace"), i, entry)
	{
		long long ms = (long long)json_integer_value(json_object_get(entry, "ms"));
		long long leg = (long long)json_integer_value(json_object_get(entry, "leg"));
		if (leg)
			(void)fprintf(file, "    %6lld ms  leg %lld  %-6s %s %-6s  %s\n", ms, leg,
				      report_text(entry, "left"), report_text(entry, "arrow"),
				      report_text(entry, "right"), report_text(entry, "text"));
		else
			(void)fprintf(file, "    %6lld ms  %s\n", ms, report_text(entry, "text"));
	}
}
