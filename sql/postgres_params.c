/* SPDX-License-Identifier: Apache-2.0 */
/* postgres_params.c - values as texts of a statement's parameters. */
#include "sql/postgres.h"

#include <inttypes.h>
#include <stdio.h>

const char *pg_number(char to[static PG_INT_ROOM], int64_t value)
{
	snprintf(to, PG_INT_ROOM, "%" PRId64, value);
	return to;
}

void pg_array_int(struct str *array, int64_t value)
{
	str_addf(array, "%s%lld", array->length ? "," : "{", (long long)value);
}

/* Quoted, with \ before what would end it.
 * https://www.postgresql.org/docs/15/arrays.html section 8.15.6 */
void pg_array_text(struct str *array, const char *text)
{
	str_add(array, array->length ? ",\"" : "{\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			str_add(array, "\\");
		str_add_n(array, text, 1);
	}
	str_add(array, "\"");
}

void pg_array_end(struct str *array)
{
	str_add(array, array->length ? "}" : "{}");
}
