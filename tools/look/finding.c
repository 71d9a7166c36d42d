/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/look/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void finding_say(struct finding *finding, enum look_level level, const char *next,
		 const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int length;

	if (level < finding->level)
		return;
	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (level > finding->level) {
		str_done(&finding->reason);
		finding->reason = (struct str){ 0 };
		finding->next[0] = '\0';
	}
	finding->level = level;
	if (finding->reason.length)
		str_add(&finding->reason, "; ");
	str_add(&finding->reason, length < 0 ? "out of memory" : text);
	if (length >= 0)
		free(text);
	if (!finding->next[0])
		(void)snprintf(finding->next, sizeof(finding->next), "%s", next);
}

const char *look_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

long long look_number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

bool look_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

long long look_metric(const json_t *metrics, const char *name, const char *labels)
{
	long long sum = 0;

	for (size_t i = 0; i < json_array_size(metrics); i++) {
		const json_t *metric = json_array_get(metrics, i);

		if (strcmp(look_text(metric, "name"), name) == 0 &&
		    (!*labels || strcmp(look_text(metric, "labels"), labels) == 0))
			sum += look_number(metric, "value");
	}
	return sum;
}

void look_span(long long seconds, char *ret_text, size_t room)
{
	if (seconds < 60)
		(void)snprintf(ret_text, room, "%llds", seconds);
	else if (seconds < 3600)
		(void)snprintf(ret_text, room, "%lldm%02llds", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		(void)snprintf(ret_text, room, "%lldh%02lldm", seconds / 3600, seconds / 60 % 60);
	else
		(void)snprintf(ret_text, room, "%lldd%02lldh", seconds / 86400,
			       seconds / 3600 % 24);
}
