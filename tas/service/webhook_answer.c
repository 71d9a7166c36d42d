/* SPDX-License-Identifier: Apache-2.0 */
/* webhook_answer.c - the only file of this room that includes jansson. */
#include "tas/service/webhook_answer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <jansson.h>

/* What one member of an action may be. */
enum member_kind { MEMBER_TRUNK, MEMBER_NUMBER, MEMBER_TEXT, MEMBER_PLAY, MEMBER_COUNT };

struct member {
	const char *name;
	enum member_kind kind;
	size_t offset; /* in struct webhook_action */
	unsigned min, max;
	bool required;
};

#define AT(member) offsetof(struct webhook_action, member)

static const struct member loop_members[] = {
	{ "ring_s", MEMBER_COUNT, AT(action.ring_s), 1, 600, false },
};
static const struct member dial_members[] = {
	{ "trunk", MEMBER_TRUNK, AT(action.trunk), 0, 0, true },
	{ "number", MEMBER_NUMBER, AT(number), 0, 0, false },
	{ "ring_s", MEMBER_COUNT, AT(action.ring_s), 1, 600, false },
};
static const struct member answer_members[] = {
	{ "play", MEMBER_PLAY, AT(action.answer), 0, 0, true },
	{ "tone_hz", MEMBER_COUNT, AT(action.tone_hz), 50, 3400, false },
};
static const struct member reject_members[] = {
	{ "status", MEMBER_COUNT, AT(action.status), 400, 699, false },
	{ "reason", MEMBER_TEXT, AT(action.reason), 1, 64, false },
};

static const struct verb {
	const char *name;
	enum action_kind kind;
	const struct member *members;
	size_t count;
} verbs[] = {
	{ "loop", ACTION_LOOP, loop_members, ARRAY_SIZE(loop_members) },
	{ "dial", ACTION_DIAL, dial_members, ARRAY_SIZE(dial_members) },
	{ "answer", ACTION_ANSWER, answer_members, ARRAY_SIZE(answer_members) },
	{ "reject", ACTION_REJECT, reject_members, ARRAY_SIZE(reject_members) },
};

/* One answer being read. */
struct parser {
	const struct config *config;
	struct webhook_answer *answer;
	char where[24]; /* "" or "actions[1]." */
	char *error;
	size_t error_room;
};

/* "`actions[1].trunk`: ..."; always -EINVAL. */
static int PRINTF_LIKE(3, 4)
	wrong(const struct parser *parser, const char *member, const char *format, ...)
{
	int used =
		snprintf(parser->error, parser->error_room, "`%s%.40s`: ", parser->where, member);
	va_list args;

	va_start(args, format);
	if (used > 0 && (size_t)used < parser->error_room)
		(void)vsnprintf(parser->error + used, parser->error_room - (size_t)used, format,
				args);
	va_end(args);
	return -EINVAL;
}

/* ---- one member ---- */

/* It ends up in SIP and in log lines. */
static bool printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static int read_trunk(struct parser *parser, const struct member *member, const char *text,
		      size_t *ret_trunk)
{
	const struct config *config = parser->config;

	for (size_t i = 0; i < config->trunk_count; i++) {
		if (strcmp(config->trunks[i].name, text) == 0) {
			*ret_trunk = i;
			return 0;
		}
	}
	return wrong(parser, member->name, "no trunk is called `%.40s`",
		     printable(text) ? text : "?");
}

/* What one can dial at a PBX: digits, * and #, at most as many as a call from
 * the core may have. */
static int read_number(struct parser *parser, const struct member *member, const char *text,
		       const char **ret_number)
{
	size_t plus = *text == '+' ? 1 : 0, length = strlen(text);

	if (length == plus || length > 32 ||
	    text[plus + strspn(text + plus, plus ? "0123456789" : "0123456789*#")])
		return wrong(parser, member->name, "is no number. Send digits, with or without +");
	*ret_number = text;
	return 0;
}

static int read_text(struct parser *parser, const struct member *member, const char *text,
		     char **ret_text)
{
	size_t length = strlen(text);

	if (length < member->min || length > member->max || !printable(text))
		return wrong(parser, member->name, "must be a line of %u to %u bytes", member->min,
			     member->max);
	*ret_text = (char *)text; /* a config_action's texts are not const, and not written */
	return 0;
}

static int read_play(struct parser *parser, const struct member *member, const char *text,
		     enum answer_kind *ret_answer)
{
	if (strcmp(text, "echo") == 0)
		*ret_answer = ANSWER_ECHO;
	else if (strcmp(text, "tone") == 0)
		*ret_answer = ANSWER_TONE;
	else
		return wrong(parser, member->name, "must be `echo` or `tone`");
	return 0;
}

static int read_count(struct parser *parser, const struct member *member, const json_t *value,
		      unsigned *ret_count)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < member->min || number > member->max)
		return wrong(parser, member->name, "must be a whole number from %u to %u",
			     member->min, member->max);
	*ret_count = (unsigned)number;
	return 0;
}

static int read_member(struct parser *parser, const struct member *member, const json_t *value,
		       struct webhook_action *action)
{
	void *target = (char *)action + member->offset;
	const char *text = json_string_value(value);

	if (member->kind == MEMBER_COUNT)
		return read_count(parser, member, value, target);
	if (!text)
		return wrong(parser, member->name, "must be a text");
	switch (member->kind) {
	case MEMBER_TRUNK:
		return read_trunk(parser, member, text, target);
	case MEMBER_NUMBER:
		return read_number(parser, member, text, target);
	case MEMBER_TEXT:
		return read_text(parser, member, text, target);
	case MEMBER_PLAY:
		return read_play(parser, member, text, target);
	case MEMBER_COUNT:
		break; /* not a text */
	}
	return -EINVAL;
}

_Static_assert(sizeof(((struct config_action *)0)->status) == sizeof(unsigned),
	       "read_count() fills both");

/* ---- one action ---- */

static const struct member *find_member(const struct verb *verb, const char *name)
{
	for (size_t i = 0; i < verb->count; i++)
		if (strcmp(verb->members[i].name, name) == 0)
			return &verb->members[i];
	return NULL;
}

/* Members of the answer itself, which a single action shares its object with. */
static bool is_frame(const struct parser *parser, const char *name)
{
	return strcmp(name, "action") == 0 || (!parser->where[0] && strcmp(name, "version") == 0);
}

static int read_members(struct parser *parser, const struct verb *verb, json_t *object,
			struct webhook_action *action)
{
	const char *name;
	json_t *value;
	int err = 0;

	json_object_foreach(object, name, value)
	{
		const struct member *member = find_member(verb, name);

		if (member)
			err = read_member(parser, member, value, action);
		else if (!is_frame(parser, name))
			err = wrong(parser, printable(name) ? name : "?", "`%s` has no such member",
				    verb->name);
		if (err)
			return err;
	}
	for (size_t i = 0; i < verb->count; i++)
		if (verb->members[i].required && !json_object_get(object, verb->members[i].name))
			return wrong(parser, verb->members[i].name, "is missing");
	return 0;
}

static void summarise(struct parser *parser, const struct verb *verb,
		      const struct webhook_action *action)
{
	char *summary = parser->answer->summary;
	size_t room = sizeof(parser->answer->summary), used = strlen(summary);
	const char *comma = used ? ", " : "";

	if (verb->kind == ACTION_DIAL)
		(void)snprintf(summary + used, room - used, "%sdial %s", comma,
			       parser->config->trunks[action->action.trunk].name);
	else if (verb->kind == ACTION_REJECT)
		(void)snprintf(summary + used, room - used, "%sreject %d", comma,
			       action->action.status);
	else
		(void)snprintf(summary + used, room - used, "%s%s", comma, verb->name);
}

static int read_action(struct parser *parser, json_t *object, const char *word)
{
	struct webhook_action *action = &parser->answer->actions[parser->answer->count];
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(word, verbs[i].name) != 0)
			continue;
		*action = (struct webhook_action){
			.action = { .kind = verbs[i].kind, .status = 603, .tone_hz = 425 }
		};
		err = read_members(parser, &verbs[i], object, action);
		if (err)
			return err;
		summarise(parser, &verbs[i], action);
		parser->answer->count++;
		return 0;
	}
	return wrong(parser, "action", "`%.40s` is not known. Known: loop, dial, answer, reject%s",
		     printable(word) ? word : "?", parser->where[0] ? "" : ", next");
}

/* ---- the whole ---- */

static int read_list(struct parser *parser, json_t *list)
{
	size_t count = json_array_size(list);

	if (count == 0 || count > WEBHOOK_ACTION_MAX)
		return wrong(parser, "actions", "must be a list of 1 to %d actions",
			     WEBHOOK_ACTION_MAX);
	for (size_t i = 0; i < count; i++) {
		json_t *object = json_array_get(list, i);
		const char *word = json_string_value(json_object_get(object, "action"));
		int err;

		(void)snprintf(parser->where, sizeof(parser->where), "actions[%zu].", i);
		if (!word)
			return wrong(parser, "action", "is missing, or is no text");
		err = read_action(parser, object, word);
		if (err)
			return err;
	}
	return 0;
}

/* { "version": 1, `name`: ... } and nothing else. */
static int only(const struct parser *parser, json_t *root, const char *name)
{
	const char *other;
	json_t *value;

	json_object_foreach(root, other, value)
	{
		if (strcmp(other, "version") != 0 && strcmp(other, name) != 0)
			return wrong(parser, printable(other) ? other : "?",
				     "may not stand beside `%s`", name);
	}
	return 0;
}

static int read_root(struct parser *parser, json_t *root)
{
	json_t *list = json_object_get(root, "actions");
	const char *word = json_string_value(json_object_get(root, "action"));
	int err;

	if (!json_is_object(root))
		return wrong(parser, "", "must be a JSON object");
	if (!json_is_integer(json_object_get(root, "version")) ||
	    json_integer_value(json_object_get(root, "version")) != 1)
		return wrong(parser, "version", "must be 1");
	if (list) {
		err = only(parser, root, "actions");
		return err ? err : read_list(parser, list);
	}
	if (!word)
		return wrong(parser, "action", "is missing, or is no text");
	if (strcmp(word, "next") != 0)
		return read_action(parser, root, word);
	(void)snprintf(parser->answer->summary, sizeof(parser->answer->summary), "next");
	return only(parser, root, "action");
}

int webhook_answer_parse(const char *body, size_t length, const struct config *config,
			 struct webhook_answer *ret_answer, char *error, size_t error_room)
{
	struct webhook_answer answer = { 0 };
	struct parser parser = {
		.config = config, .answer = &answer, .error = error, .error_room = error_room
	};
	json_error_t problem;
	json_t *root = json_loadb(body, length, JSON_REJECT_DUPLICATES, &problem);
	int err;

	if (!root) {
		(void)snprintf(error, error_room, "no JSON at line %d column %d: %s", problem.line,
			       problem.column, printable(problem.text) ? problem.text : "?");
		return -EINVAL;
	}
	answer.json = root;
	err = read_root(&parser, root);
	if (err)
		webhook_answer_done(&answer);
	else
		*ret_answer = answer;
	return err;
}

void webhook_answer_done(struct webhook_answer *answer)
{
	json_decref(answer->json);
	answer->json = NULL;
}
