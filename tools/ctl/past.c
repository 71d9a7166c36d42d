/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/past.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/macros.h"
#include "records/cursor.h"

bool past_is_call(const json_t *call, const char *id)
{
	static const char *const names[] = { "id", "call_id_a", "call_id_b", "session_id" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *text = json_string_value(json_object_get(call, names[i]));

		if (text && strcmp(text, id) == 0)
			return true;
	}
	return false;
}

/* 0, also when it is not there, or why the file cannot be read. */
static int find_in(const char *path, const char *id, json_t **found)
{
	bool written_so = !strpbrk(id, "\"\\"); /* JSON writes these two otherwise */
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	if (!file)
		return -errno;
	while (getline(&line, &room, file) > 0) {
		/* Most lines are of other calls: only what names it is worth parsing. */
		bool may_be = !written_so || strstr(line, id);
		json_t *record = may_be ? json_loads(line, 0, NULL) : NULL;

		if (past_is_call(record, id)) {
			json_decref(*found);
			*found = json_incref(record);
		}
		json_decref(record);
	}
	free(line);
	(void)fclose(file); /* only read from */
	return 0;
}

json_t *past_find(const char *path, const char *id)
{
	struct cursor_file *files = NULL;
	size_t count = 0;
	json_t *found = NULL;
	int err = cursor_files(path, &files, &count);

	for (size_t i = count; i-- && !found && !err;) /* the newest first */
		err = find_in(files[i].path, id, &found);
	cursor_files_free(files, count);
	if (err)
		fprintf(stderr, "breakoutctl: %s: %s\n", path, strerror(-err));
	else if (!count)
		fprintf(stderr, "breakoutctl: %s: no records there\n", path);
	else if (!found)
		fprintf(stderr, "breakoutctl: %s has no record of the call %s\n", path, id);
	return found;
}
