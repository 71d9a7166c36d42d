/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/text.h"

#include <stdlib.h>
#include <string.h>

json_t *text_json(const char *text)
{
	json_t *string = json_string(text);
	char *clean;

	if (string)
		return string;
	clean = strdup(text);
	if (!clean)
		return NULL;
	for (char *c = clean; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	string = json_string(clean);
	free(clean);
	return string;
}

json_t *error_text(const char *sentence)
{
	return json_pack("{s:s}", "error", sentence);
}
