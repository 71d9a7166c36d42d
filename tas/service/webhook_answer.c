/* SPDX-License-Identifier: Apache-2.0 */
/* webhook_answer.c - the only file of this room that includes jansson. */
#include "tas/service/webhook_answer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <jansson.h>
#include "base/e164.h"

/* What one member of an action may be. */
enum member_kind {
	MEMBER_TRUNK,
	MEMBER_DEVICE,
	MEMBER_NUMBER,
	MEMBER_CALLER,
	MEMBER_TEXT,
	MEMBER_URI,
	MEMBER_PLAY,
	MEMBER_FILE,
	MEMBER_BOX,
	MEMBER_ORDER,
	MEMBER_COUNT,
	MEMBER_TRUE,
	MEMBER_BOOL,
	MEMBER_TARGETS
};

struct member {
	const char *name;
	enum member_kind kind;
	size_t offset; /* in what it is a member of */
	unsigned min, max;
	bool required;
};

#define AT(member)   offsetof(struct webhook_action, member)
#define THIS(member) offsetof(struct config_target, member)
#define RING_S                                                                                     \
	{                                                                                          \
		"ring_s", MEMBER_COUNT, AT(action.ring_s), 1, 600, false                           \
	}
#define REPEAT                                                                                     \
	{                                                                                          \
		"repeat", MEMBER_COUNT, AT(action.repeat), 1, 1000, false                          \
	}

static const struct member loop_members[] = {
	RING_S,
	{ "caller", MEMBER_CALLER, AT(caller), 0, 0, false },
};
static const struct member dial_members[] = {
	{ "trunk", MEMBER_TRUNK, AT(action.trunk), 0, 0, true },
	{ "number", MEMBER_NUMBER, AT(number), 0, 0, false },
	RING_S,
};
static const struct member device_members[] = {
	{ "device", MEMBER_DEVICE, AT(action.device), 0, 0, true },
	RING_S,
};
static const struct member ring_members[] = {
	{ "targets", MEMBER_TARGETS, 0, 0, 0, true },
	{ "order", MEMBER_ORDER, AT(action.order), 0, 0, false },
	RING_S,
};
static const struct member announce_members[] = {
	{ "play", MEMBER_FILE, AT(action.sound), 0, 0, true },
	REPEAT,
	{ "answer_first", MEMBER_BOOL, AT(action.answer_first), 0, 0, false },
};
static const struct member answer_members[] = {
	{ "play", MEMBER_PLAY, AT(action), 0, 0, true },
	{ "tone_hz", MEMBER_COUNT, AT(action.tone_hz), 50, 3400, false },
	REPEAT,
};
static const struct member voicemail_members[] = {
	{ "box", MEMBER_BOX, AT(action), 0, 0, true },
};
static const struct member reject_members[] = {
	{ "status", MEMBER_COUNT, AT(action.status), 400, 699, false },
	{ "reason", MEMBER_TEXT, AT(action.reason), 1, 64, false },
};
static const struct member redirect_members[] = {
	{ "to", MEMBER_URI, AT(action.contact), 1, 256, true },
};

static const struct member target_members[] = {
	{ "trunk", MEMBER_TRUNK, THIS(trunk), 0, 0, false },
	{ "device", MEMBER_DEVICE, THIS(device), 0, 0, false },
	{ "subscriber", MEMBER_TRUE, 0, 0, 0, false },
	{ "number", MEMBER_NUMBER, THIS(number), 0, 0, false },
	{ "after_s", MEMBER_COUNT, THIS(after_s), 1, 600, false },
	{ "ring_s", MEMBER_COUNT, THIS(ring_s), 1, 600, false },
};

struct verb {
	const char *name;
	enum action_kind kind;
	const struct member *members;
	size_t count;
};

static const struct verb verbs[] = {
	{ "loop", ACTION_LOOP, loop_members, ARRAY_SIZE(loop_members) },
	{ "dial", ACTION_DIAL, dial_members, ARRAY_SIZE(dial_members) },
	{ "device", ACTION_DEVICE, device_members, ARRAY_SIZE(device_members) },
	{ "ring", ACTION_RING, ring_members, ARRAY_SIZE(ring_members) },
	{ "announce", ACTION_ANNOUNCE, announce_members, ARRAY_SIZE(announce_members) },
	{ "answer", ACTION_ANSWER, answer_members, ARRAY_SIZE(answer_members) },
	{ "voicemail", ACTION_VOICEMAIL, voicemail_members, ARRAY_SIZE(voicemail_members) },
	{ "reject", ACTION_REJECT, reject_members, ARRAY_SIZE(reject_members) },
	{ "redirect", ACTION_REDIRECT, redirect_members, ARRAY_SIZE(redirect_members) },
};

/* A target is read like an action, but has no name. */
static const struct verb target_verb = { .name = "a target",
					 .members = target_members,
					 .count = ARRAY_SIZE(target_members) };

/* One answer being read. */
struct parser {
	const struct config *config;
	struct webhook_answer *answer;
	char where[48]; /* "", "actions[1]." or "actions[1].targets[2]." */
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

static int read_device(struct parser *parser, const struct member *member, const char *text,
		       size_t *ret_device)
{
	const struct config *config = parser->config;

	for (size_t i = 0; i < config->device_count; i++) {
		if (strcmp(config->devices[i].name, text) == 0) {
			*ret_device = i;
			return 0;
		}
	}
	return wrong(parser, member->name, "no device is called `%.40s`",
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

/* As the rules that show another caller. */
static int read_caller(struct parser *parser, const struct member *member, const char *text,
		       char **ret_caller)
{
	if (!e164_valid(text))
		return wrong(
			parser, member->name,
			"is not a number to call back. Send one of yours, such as +4722000000");
	*ret_caller = (char *)text; /* as in read_text() */
	return 0;
}

static int read_uri(struct parser *parser, const struct member *member, const char *text,
		    char **ret_uri)
{
	if (strlen(text) > member->max || !config_contact_valid(text))
		return wrong(parser, member->name,
			     "is not an address to call. Send sips:user@host or tel:+4722000000");
	*ret_uri = (char *)text; /* as in read_text() */
	return 0;
}

/* Only what is in memory can be played: the files that rules name, by their path or
 * the last part of it. */
static int read_file(struct parser *parser, const struct member *member, const char *text,
		     const struct config_sound **ret_sound)
{
	for (const struct config_sound *sound = parser->config->sounds; sound;
	     sound = sound->next) {
		const char *slash = strrchr(sound->path, '/');

		if (strcmp(sound->path, text) != 0 &&
		    strcmp(slash ? slash + 1 : sound->path, text) != 0)
			continue;
		*ret_sound = sound;
		return 0;
	}
	return wrong(parser, member->name, "no rule plays a file called `%.40s`",
		     printable(text) ? text : "?");
}

static int read_play(struct parser *parser, const struct member *member, const char *text,
		     struct config_action *action)
{
	if (strcmp(text, "echo") == 0) {
		action->answer = ANSWER_ECHO;
	} else if (strcmp(text, "tone") == 0) {
		action->answer = ANSWER_TONE;
	} else {
		action->answer = ANSWER_SOUND;
		return read_file(parser, member, text, &action->sound);
	}
	return 0;
}

static const struct config_action *find_box(const struct config_rule *rule, const char *name)
{
	for (size_t i = 0; i < rule->action_count; i++)
		if (rule->actions[i].kind == ACTION_VOICEMAIL &&
		    strcmp(rule->actions[i].mailbox, name) == 0)
			return &rule->actions[i];
	return NULL;
}

/* A mailbox of some rule, with that rule's greeting and limits. */
static int read_box(struct parser *parser, const struct member *member, const char *text,
		    struct config_action *action)
{
	const struct config *config = parser->config;

	for (size_t i = 0; i < config->service_count; i++) {
		for (size_t k = 0; k < config->services[i].rule_count; k++) {
			const struct config_action *found =
				find_box(&config->services[i].rules[k], text);

			if (!found)
				continue;
			*action = *found;
			return 0;
		}
	}
	return wrong(parser, member->name, "no rule has a mailbox called `%.40s`",
		     printable(text) ? text : "?");
}

static int read_order(struct parser *parser, const struct member *member, const char *text,
		      enum ring_order *ret_order)
{
	if (strcmp(text, "parallel") == 0)
		*ret_order = RING_PARALLEL;
	else if (strcmp(text, "sequence") == 0)
		*ret_order = RING_SEQUENCE;
	else
		return wrong(parser, member->name, "must be `parallel` or `sequence`");
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

static int read_targets(struct parser *parser, json_t *list, struct webhook_action *action);

static int read_word(struct parser *parser, const struct member *member, const char *text,
		     void *target)
{
	switch (member->kind) {
	case MEMBER_TRUNK:
		return read_trunk(parser, member, text, target);
	case MEMBER_DEVICE:
		return read_device(parser, member, text, target);
	case MEMBER_NUMBER:
		return read_number(parser, member, text, target);
	case MEMBER_CALLER:
		return read_caller(parser, member, text, target);
	case MEMBER_TEXT:
		return read_text(parser, member, text, target);
	case MEMBER_URI:
		return read_uri(parser, member, text, target);
	case MEMBER_PLAY:
		return read_play(parser, member, text, target);
	case MEMBER_FILE:
		return read_file(parser, member, text, target);
	case MEMBER_BOX:
		return read_box(parser, member, text, target);
	case MEMBER_ORDER:
		return read_order(parser, member, text, target);
	case MEMBER_COUNT:
	case MEMBER_TRUE:
	case MEMBER_BOOL:
	case MEMBER_TARGETS:
		break; /* not a text */
	}
	return -EINVAL;
}

static int read_bool(struct parser *parser, const struct member *member, const json_t *value,
		     bool *ret_value)
{
	if (!json_is_boolean(value))
		return wrong(parser, member->name, "must be true or false");
	*ret_value = json_is_true(value);
	return 0;
}

static int read_member(struct parser *parser, const struct member *member, json_t *value,
		       void *object)
{
	void *target = (char *)object + member->offset;
	const char *text = json_string_value(value);

	if (member->kind == MEMBER_COUNT)
		return read_count(parser, member, value, target);
	if (member->kind == MEMBER_TARGETS)
		return read_targets(parser, value, object);
	if (member->kind == MEMBER_TRUE)
		return json_is_true(value) ? 0 : wrong(parser, member->name, "must be true");
	if (member->kind == MEMBER_BOOL)
		return read_bool(parser, member, value, target);
	if (!text)
		return wrong(parser, member->name, "must be a text");
	return read_word(parser, member, text, target);
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
	return (strcmp(name, "action") == 0 && !strstr(parser->where, "targets")) ||
	       (!parser->where[0] && strcmp(name, "version") == 0);
}

static int read_members(struct parser *parser, const struct verb *verb, json_t *object,
			void *action)
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

/* Who it is: exactly one of these; a trunk's number is dialled there. */
static int name_target(const struct parser *parser, const json_t *object,
		       struct config_target *target)
{
	bool trunk = json_object_get(object, "trunk"), device = json_object_get(object, "device");
	bool subscriber = json_object_get(object, "subscriber");
	bool number = target->number && !trunk;

	if (trunk + device + subscriber + number != 1)
		return wrong(parser, "trunk",
			     "send one of `trunk`, `device`, `subscriber`, `number`");
	if (number && !e164_valid(target->number))
		return wrong(parser, "number",
			     "cannot be asked of the core. Send it with its country code, or a "
			     "`trunk` too");
	target->kind = trunk        ? TARGET_TRUNK
		       : device     ? TARGET_DEVICE
		       : subscriber ? TARGET_SUBSCRIBER
				    : TARGET_NUMBER;
	return 0;
}

static int read_targets(struct parser *parser, json_t *list, struct webhook_action *action)
{
	size_t count = json_array_size(list), length = strlen(parser->where);
	int err = 0;

	if (count == 0 || count > WEBHOOK_TARGET_MAX)
		return wrong(parser, "targets", "must be a list of 1 to %d targets",
			     WEBHOOK_TARGET_MAX);
	for (size_t i = 0; i < count && !err; i++) {
		struct config_target *target = &action->targets[i];
		json_t *object = json_array_get(list, i);

		(void)snprintf(parser->where + length, sizeof(parser->where) - length,
			       "targets[%zu].", i);
		target->weight = 1;
		err = json_is_object(object) ? read_members(parser, &target_verb, object, target)
					     : wrong(parser, "", "must be an object");
		if (!err)
			err = name_target(parser, object, target);
	}
	if (err)
		return err;
	parser->where[length] = '\0';
	action->target_count = count;
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
		*action = (struct webhook_action){ .action = { .kind = verbs[i].kind,
							       .status = 603,
							       .tone_hz = 425,
							       .repeat = 1 } };
		err = read_members(parser, &verbs[i], object, action);
		if (err)
			return err;
		summarise(parser, &verbs[i], action);
		parser->answer->count++;
		return 0;
	}
	return wrong(parser, "action",
		     "`%.40s` is not known. Known: loop, dial, device, ring, announce, answer, "
		     "voicemail, "
		     "reject, redirect%s",
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
