/* SPDX-License-Identifier: Apache-2.0 */
#include "records/row.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct row_column row_columns[ROW_COLUMN_COUNT] = {
	{ "id", "id", ROW_TEXT },
	{ "started_at", "start", ROW_TIME },
	{ "ringing_at", "ring", ROW_TIME },
	{ "answered_at", "answer", ROW_TIME },
	{ "ended_at", "end", ROW_TIME },
	{ "direction", "direction", ROW_TEXT },
	{ "route_type", "route_type", ROW_TEXT },
	{ "number", "number", ROW_TEXT },
	{ "caller", "caller", ROW_TEXT },
	{ "called", "called", ROW_TEXT },
	{ "presented", "presented", ROW_TEXT },
	{ "sender", "sender", ROW_TEXT },
	{ "service", "service", ROW_TEXT },
	{ "step", "step", ROW_TEXT },
	{ "cause", "cause", ROW_TEXT },
	{ "q850", "q850", ROW_INTEGER },
	{ "status", "status", ROW_INTEGER },
	{ "ended_by", "ended_by", ROW_TEXT },
	{ "pdd_ms", "pdd_ms", ROW_INTEGER },
	{ "ring_ms", "ring_ms", ROW_INTEGER },
	{ "talk_ms", "talk_ms", ROW_INTEGER },
	{ "duration_ms", "duration_ms", ROW_INTEGER },
	{ "emergency", "emergency", ROW_INTEGER },
	{ "source", "source", ROW_TEXT },
	{ "source_b", "source_b", ROW_TEXT },
	{ "call_id_a", "call_id_a", ROW_TEXT },
	{ "call_id_b", "call_id_b", ROW_TEXT },
	{ "session_id", "session_id", ROW_TEXT },
	{ "codec_a", "a.codec", ROW_TEXT },
	{ "codec_b", "b.codec", ROW_TEXT },
	{ "verdict", "verdict", ROW_TEXT },
	{ "recording", "recording", ROW_TEXT },
	{ "config", "config", ROW_TEXT },
	{ "tenant", "tenant", ROW_TEXT },
};

/* Follows "a.codec"; NULL if it is not there. */
static const json_t *member_of(const json_t *record, const char *member)
{
	const char *dot = strchr(member, '.');
	char object[16];

	if (!dot)
		return json_object_get(record, member);
	snprintf(object, sizeof(object), "%.*s", (int)(dot - member), member);
	return json_object_get(json_object_get(record, object), dot + 1);
}

void row_fill(struct row_value values[static ROW_COLUMN_COUNT], const json_t *record)
{
	for (size_t i = 0; i < ROW_COLUMN_COUNT; i++) {
		const json_t *member = member_of(record, row_columns[i].member);
		struct row_value *value = &values[i];

		*value = (struct row_value){ 0 };
		if (row_columns[i].kind == ROW_INTEGER)
			value->number = json_is_true(member) ? 1 : json_integer_value(member);
		else
			value->text = json_string_value(member);
		value->null = !member || json_is_null(member) ||
			      (row_columns[i].kind != ROW_INTEGER && !value->text);
	}
}

int row_parse(struct row *ret_row, const char *line)
{
	json_error_t error;
	json_t *record = json_loads(line, 0, &error);

	if (!record)
		return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
	row_fill(ret_row->values, record);
	if (!json_is_object(record) || ret_row->values[0].null || !*ret_row->values[0].text ||
	    ret_row->values[ROW_STARTED].null) {
		json_decref(record);
		return -EINVAL;
	}
	ret_row->line = strdup(line);
	if (!ret_row->line) {
		json_decref(record);
		return -ENOMEM;
	}
	ret_row->record = record;
	return 0;
}

void row_done(struct row *row)
{
	json_decref(row->record);
	free(row->line);
	*row = (struct row){ 0 };
}

/* Spreadsheets pass over blanks, and take the wide forms for the same. */
static bool is_formula(const char *text)
{
	static const char *const starts[] = {
		"=", "+", "-", "@", "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0"
	};

	if (*text == '+' && text[1] && !text[1 + strspn(text + 1, "0123456789")])
		return false;
	if (*text == '\t' || *text == '\r' || *text == '\n')
		return true;
	text += strspn(text, " ");
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (!strncmp(text, starts[i], strlen(starts[i])))
			return true;
	return false;
}

void row_add_csv(struct str *csv, const char *text)
{
	bool quoted = text[strcspn(text, ",\"\r\n")];
	size_t piece;

	str_add(csv, quoted ? "\"" : "");
	str_add(csv, is_formula(text) ? "'" : "");
	for (; *text; text += piece) {
		piece = strcspn(text, "\"");
		str_add_n(csv, text, piece);
		if (!text[piece])
			break;
		str_add(csv, "\"\"");
		piece++;
	}
	str_add(csv, quoted ? "\"" : "");
}
