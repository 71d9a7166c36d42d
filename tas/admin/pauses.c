/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/pauses.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPAN_MAX_S (366 * 86400) /* what shall stay longer belongs into the configuration */

static json_t *pause_json(const struct reg_pause *pause)
{
	wall_ms now = clock_wall();

	return json_pack("{s:s, s:o, s:o, s:o, s:I, s:o}", "scope", pause_scope_name(pause->scope),
			 "what", text_json(pause->what), "who", text_json(pause->who), "why",
			 text_json(pause->why), "since_s",
			 (json_int_t)((now - pause->since) / 1000), "left_s",
			 pause->until ? json_integer((json_int_t)((pause->until - now) / 1000))
				      : json_null());
}

json_t *pauses_answer(struct registrar *registrar)
{
	size_t count = registrar_pauses(registrar, NULL, 0);
	struct reg_pause *list = calloc(count + 1, sizeof(*list));
	json_t *pauses = json_array();
	size_t now_there;

	if (!list) {
		json_decref(pauses);
		return NULL;
	}
	now_there = registrar_pauses(registrar, list, count);
	for (size_t i = 0; pauses && i < count && i < now_there; i++)
		json_array_append_new(pauses, pause_json(&list[i]));
	free(list);
	return json_pack("{s:o}", "pauses", pauses);
}

/* ---- orders ---- */

/* It goes into the log and onto terminals. */
static bool is_plain(const char *text, size_t room)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '"')
			return false;
	return strlen(text) < room;
}

/* NULL, or what is wrong. */
static const char *read_scope(const json_t *order, struct reg_pause *pause)
{
	const char *number = json_string_value(json_object_get(order, "number"));
	const char *service = json_string_value(json_object_get(order, "service"));
	bool all = json_is_true(json_object_get(order, "all"));
	const char *what = number ? number : service ? service : "";

	if ((number != NULL) + (service != NULL) + all != 1)
		return "say one of `number`, `service` and `all`: true";
	if (number && !e164_valid(number))
		return "the number is not in E.164 form, such as +4799000001";
	if (!is_plain(what, sizeof(pause->what)))
		return "no service has such a name";
	pause->scope = number ? PAUSE_NUMBER : service ? PAUSE_SERVICE : PAUSE_ALL;
	snprintf(pause->what, sizeof(pause->what), "%s", what);
	return NULL;
}

static const char *read_terms(const json_t *order, struct reg_pause *pause)
{
	const json_t *span = json_object_get(order, "for_s");
	const char *why = json_string_value(json_object_get(order, "why"));
	json_int_t span_s = json_integer_value(span);

	if (!why || !*why || !is_plain(why, sizeof(pause->why)))
		return "say why, in at most 159 characters without quotation marks: it is kept and "
		       "shown";
	if (span && (!json_is_integer(span) || span_s < 1 || span_s > SPAN_MAX_S))
		return "`for_s` is a number of seconds, at most a year: what shall stay away for "
		       "longer belongs out of the configuration";
	snprintf(pause->why, sizeof(pause->why), "%s", why);
	pause->since = clock_wall();
	pause->until = span ? pause->since + span_s * 1000 : 0;
	return NULL;
}

static json_t *failure(int err, const struct reg_pause *pause)
{
	switch (err) {
	case -ENOENT:
		return error_text(pause->scope == PAUSE_NUMBER ? "no registration has this number"
							       : "no service has this name");
	case -ENOTSUP:
		return error_text("nothing can be paused without store.sqlite or store.postgres: a "
				  "restart would forget it");
	case -ENOSPC:
		return error_text("too many pauses: give the numbers a service of their own and "
				  "pause that");
	default:
		return error_text("the store cannot be written: the log says why");
	}
}

json_t *pauses_pause(struct registrar *registrar, const char *text, const char *who)
{
	struct reg_pause pause = { .scope = PAUSE_ALL };
	json_t *order = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *wrong = read_scope(order, &pause);
	int err;

	if (!wrong)
		wrong = read_terms(order, &pause);
	json_decref(order);
	if (wrong)
		return error_text(wrong);
	snprintf(pause.who, sizeof(pause.who), "%s", who);
	err = registrar_pause(registrar, &pause);
	return err ? failure(err, &pause) : json_pack("{s:o}", "paused", pause_json(&pause));
}

json_t *pauses_resume(struct registrar *registrar, const char *text, const char *who)
{
	struct reg_pause pause = { .scope = PAUSE_ALL };
	json_t *order = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *wrong = read_scope(order, &pause);
	int err;

	json_decref(order);
	if (wrong)
		return error_text(wrong);
	err = registrar_resume(registrar, pause.scope, pause.what, who);
	if (err == -ENOENT)
		return error_text("there is no such pause: `breakoutctl regs pauses` lists them; a "
				  "number may be paused with its service or with all");
	if (err)
		return failure(err, &pause);
	return json_pack("{s:s, s:o, s:I}", "resumed", pause_scope_name(pause.scope), "what",
			 text_json(pause.what), "pauses",
			 (json_int_t)registrar_pauses(registrar, NULL, 0));
}
