/* SPDX-License-Identifier: Apache-2.0 */
/* service.c - what to do with a call: services hold rules, rules hold actions. */
#include "config/service.h"

#include <stdio.h>
#include <string.h>

#include "config/change.h"
#include "config/device.h"
#include "config/ring.h"
#include "config/trunk.h"
#include "config/webhook.h"
#include "config/when.h"

static struct config_sound *find_sound(const struct config *config, const char *path)
{
	struct config_sound *sound = config->sounds;

	while (sound && strcmp(sound->path, path))
		sound = sound->next;
	return sound;
}

/* Each file once, however many actions play it. */
static void read_sound(struct reader *reader, const struct value *value)
{
	struct config *config = reader->config;
	struct config_sound *sound;
	struct value path = *value;
	char *text = NULL;

	path.target = &text;
	kind_path.read(reader, &path);
	sound = text ? find_sound(config, text) : NULL;
	if (text && !sound) {
		sound = arena_alloc(reader->arena, 1, sizeof(*sound));
		if (!sound)
			return;
		*sound = (struct config_sound){ .next = config->sounds,
						.path = text,
						.at = place_text(reader, value->node->at),
						.index = config->sound_count++ };
		config->sounds = sound;
	}
	*(const struct config_sound **)value->target = sound;
}

static void read_repeat(struct reader *reader, const struct value *value)
{
	if (!strcmp(value->node->text, "forever"))
		*(unsigned *)value->target = 0;
	else
		kind_number.read(reader, value);
}

const struct kind kind_sound = { "audio file", NODE_SCALAR, read_sound };
static const struct kind kind_repeat = { "number or forever", NODE_SCALAR, read_repeat };

#define RING_KEY                                                                                   \
	{                                                                                          \
		.name = "ring", .kind = &kind_seconds,                                             \
		.offset = offsetof(struct config_action, ring_s), .min = 1, .max = 600,            \
		.help = "how long to ring; 180s"                                                   \
	}

#define NUMBER_KEY                                                                                 \
	{                                                                                          \
		.name = "number", .kind = &kind_rewrite, .schema = &rewrite_schema,                \
		.offset = offsetof(struct config_action, number),                                  \
		.help = "what to make of the called number; as it is"                              \
	}

static const struct key loop_keys[] = {
	RING_KEY,
	NUMBER_KEY,
	{ .name = "caller",
	  .kind = &kind_presented,
	  .offset = offsetof(struct config_action, callers),
	  .item_size = sizeof(char *),
	  .count_offset = offsetof(struct config_action, caller_count),
	  .help = "a number of yours, or several, to show instead of who calls" },
	{ .name = "pick",
	  .kind = &kind_pick,
	  .offset = offsetof(struct config_action, pick),
	  .fallback = "in_turn",
	  .help = "which of several: in_turn, or by_called, so that a callee sees one only" },
};
static const struct schema loop_schema = { "loop", loop_keys, ARRAY_SIZE(loop_keys) };

static const struct key dial_keys[] = {
	{ .name = "trunk",
	  .kind = &kind_trunk_name,
	  .offset = offsetof(struct config_action, trunk),
	  .flags = KEY_REQUIRED,
	  .help = "a name from trunks" },
	RING_KEY,
	NUMBER_KEY,
};
static const struct schema dial_schema = { "dial", dial_keys, ARRAY_SIZE(dial_keys) };

static const struct key dial_device_keys[] = {
	{ .name = "device",
	  .kind = &kind_device_name,
	  .offset = offsetof(struct config_action, device),
	  .flags = KEY_REQUIRED,
	  .help = "a name from devices" },
	RING_KEY,
};
static const struct schema dial_device_schema = { "dial", dial_device_keys,
						  ARRAY_SIZE(dial_device_keys) };

#define SOUND_KEY(name_, flags_, help_)                                                            \
	{                                                                                          \
		.name = name_, .kind = &kind_sound,                                                \
		.offset = offsetof(struct config_action, sound), .flags = KEY_FILE | (flags_),     \
		.help = help_                                                                      \
	}
#define REPEAT_KEY                                                                                 \
	{                                                                                          \
		.name = "repeat", .kind = &kind_repeat,                                            \
		.offset = offsetof(struct config_action, repeat), .fallback = "1", .min = 1,       \
		.max = 1000, .help = "how often it is played, or forever"                          \
	}

static const struct key answer_keys[] = {
	{ .name = "tone",
	  .kind = &kind_number,
	  .offset = offsetof(struct config_action, tone_hz),
	  .min = 50,
	  .max = 3400, /* the telephone band ends here */
	  .help = "its frequency in hertz" },
	SOUND_KEY("play", 0, "a file to play, and then the call ends"),
	REPEAT_KEY,
};
static const struct schema answer_schema = { "answer", answer_keys, ARRAY_SIZE(answer_keys) };

#define ANSWER_FIRST_KEY                                                                           \
	{                                                                                          \
		.name = "answer_first", .kind = &kind_bool,                                        \
		.offset = offsetof(struct config_action, answer_first), .fallback = "no",          \
		.help = "whether the call is answered before the announcement"                     \
	}

static const struct key announce_keys[] = {
	SOUND_KEY("play", KEY_REQUIRED, "the file to play"),
	REPEAT_KEY,
	ANSWER_FIRST_KEY,
};
static const struct schema announce_schema = { "announce", announce_keys,
					       ARRAY_SIZE(announce_keys) };

/* It becomes the name of a folder. */
static void read_mailbox(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;

	if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_.") !=
		    strlen(text) ||
	    *text == '.' || strlen(text) > 64)
		value_error(reader, value,
			    "cannot name a mailbox. Write up to 64 letters, digits and + - _ ., "
			    "the first no dot");
	else
		kind_text.read(reader, value);
}

static const struct kind kind_mailbox = { "mailbox name", NODE_SCALAR, read_mailbox };

static const struct key voicemail_keys[] = {
	{ .name = "box",
	  .kind = &kind_mailbox,
	  .offset = offsetof(struct config_action, mailbox),
	  .flags = KEY_REQUIRED,
	  .help = "the name of the folder its messages go to" },
	SOUND_KEY("greeting", 0, "a file to play first"),
	REPEAT_KEY,
	{ .name = "beep",
	  .kind = &kind_bool,
	  .offset = offsetof(struct config_action, beep),
	  .fallback = "yes",
	  .help = "whether a tone says that the message begins" },
	{ .name = "max_length",
	  .kind = &kind_seconds,
	  .offset = offsetof(struct config_action, message_s),
	  .fallback = "3m",
	  .min = 2,
	  .max = 3600,
	  .help = "how long a message may be" },
	{ .name = "silence",
	  .kind = &kind_seconds,
	  .offset = offsetof(struct config_action, silence_s),
	  .fallback = "5s",
	  .max = 60,
	  .help = "how long nobody speaks at its end; 0: that does not end it" },
	{ .name = "dir",
	  .kind = &kind_path,
	  .offset = offsetof(struct config_action, voicemail_dir),
	  .fallback = "/var/lib/breakout/voicemail",
	  .help = "the folder of all mailboxes" },
	{ .name = "notify",
	  .kind = &kind_notify,
	  .schema = &notify_schema,
	  .offset = offsetof(struct config_action, notify),
	  .help = "an HTTP server that is told of each message; none" },
};
static const struct schema voicemail_schema = { "voicemail", voicemail_keys,
						ARRAY_SIZE(voicemail_keys) };

static const struct key reject_keys[] = {
	{ .name = "status",
	  .kind = &kind_number,
	  .offset = offsetof(struct config_action, status),
	  .fallback = "603",
	  .min = 400,
	  .max = 699,
	  .help = "the SIP status" },
	{ .name = "reason",
	  .kind = &kind_text,
	  .offset = offsetof(struct config_action, reason),
	  .help = "the reason phrase" },
	SOUND_KEY("announcement", 0, "a file to play first"),
	REPEAT_KEY,
	ANSWER_FIRST_KEY,
};
static const struct schema reject_schema = { "reject", reject_keys, ARRAY_SIZE(reject_keys) };

static const struct key redirect_keys[] = {
	{ .name = "to",
	  .kind = &kind_contact,
	  .offset = offsetof(struct config_action, contact),
	  .flags = KEY_REQUIRED,
	  .help = "the URI to call instead" },
};
static const struct schema redirect_schema = { "redirect", redirect_keys,
					       ARRAY_SIZE(redirect_keys) };

/* What stands after the colon of an action may be short for one key. */
static const struct verb {
	const char *name;
	enum action_kind kind;
	const struct schema *schema;
	const char *short_for;
	bool list; /* which may be a list */
} verbs[] = {
	{ "loop", ACTION_LOOP, &loop_schema, NULL, false },
	{ "dial", ACTION_DIAL, &dial_schema, "trunk", false },
	{ "ring", ACTION_RING, &ring_schema, "targets", true },
	{ "announce", ACTION_ANNOUNCE, &announce_schema, "play", false },
	{ "answer", ACTION_ANSWER, &answer_schema, NULL, false },
	{ "voicemail", ACTION_VOICEMAIL, &voicemail_schema, "box", false },
	{ "reject", ACTION_REJECT, &reject_schema, "status", false },
	{ "redirect", ACTION_REDIRECT, &redirect_schema, "to", false },
	{ "webhook", ACTION_WEBHOOK, &webhook_schema, "url", false },
};

/* The same for documentation. */
static const struct schema *const action_schemas[] = {
	&loop_schema,   &dial_schema,      &dial_device_schema, &ring_schema,     &announce_schema,
	&answer_schema, &voicemail_schema, &reject_schema,      &redirect_schema, &webhook_schema,
	NULL,
};

/* `dial: { device: anna }` */
static const struct verb dial_device = { "dial", ACTION_DEVICE, &dial_device_schema, NULL, false };

static const char *verb_name(const void *list, size_t i)
{
	return ((const struct verb *)list)[i].name;
}

static const struct verb *verb_find(struct reader *reader, const struct node *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(word->text, verbs[i].name))
			return &verbs[i];
	find_error(reader->findings, word->at, "no action is called `%.60s`%s", word->text,
		   suggestion(reader, word->text, verb_name, verbs, ARRAY_SIZE(verbs)));
	return NULL;
}

/* `answer: echo` and `answer: tone` */
static void read_answer_word(struct reader *reader, const struct node *node,
			     struct config_action *action)
{
	static const char *const words[] = { [ANSWER_ECHO] = "echo", [ANSWER_TONE] = "tone" };
	struct value value = { .name = "answer", .node = node };
	int word = value_word(reader, &value, words, ARRAY_SIZE(words));

	action->answer = word == ANSWER_TONE ? ANSWER_TONE : ANSWER_ECHO;
	action->tone_hz = 425; /* dial tone in most of Europe: ITU-T E.180 supplement 2 */
}

/* `answer: { tone: HZ }` or `answer: { play: FILE }` */
static void settle_answer(struct reader *reader, const struct node *node,
			  struct config_action *action)
{
	bool tone = node_find(node, "tone"), play = node_find(node, "play");

	if (play)
		action->answer = ANSWER_SOUND;
	if (tone == play)
		find_error(reader->findings, node->at,
			   "`answer` needs either a tone or a file. Write `{ tone: 425 }` or "
			   "`{ play: FILE.wav }`");
}

/* What the keys of a mapping must be to each other. */
static void settle_mapping(struct reader *reader, const struct node *node,
			   struct config_action *action)
{
	if (action->kind == ACTION_ANSWER)
		settle_answer(reader, node, action);
	else if (action->sound && !action->repeat)
		find_error(reader->findings, node->at,
			   "what is played forever is never followed by %s. Write a number after "
			   "`repeat`",
			   action->kind == ACTION_REJECT      ? "the rejection"
			   : action->kind == ACTION_VOICEMAIL ? "the message"
							      : "the next action");
}

static void read_verb(struct reader *reader, const struct verb *verb, const struct node *word,
		      const struct node *node, struct config_action *action)
{
	struct node key = { .kind = NODE_SCALAR, .at = node->at, .text = verb->short_for };
	struct node *keys[] = { &key }, *items[] = { (struct node *)node };
	struct node map = {
		.kind = NODE_MAP, .at = node->at, .keys = keys, .items = items, .count = 1
	};
	bool null = node->kind == NODE_SCALAR && node->null;
	void *target = action;

	action->kind = verb->kind;
	action->answer = ANSWER_TONE;
	if (verb->kind == ACTION_WEBHOOK)
		target = action->webhook = webhook_begin(reader);
	if (!target)
		return;
	if (node->kind == NODE_MAP || (null && verb->kind != ACTION_ANSWER))
		schema_read(reader, verb->schema, null ? NULL : node, word->at, target);
	else if (verb->short_for && (node->kind == NODE_SCALAR || verb->list))
		schema_read(reader, verb->schema, &map, word->at, target);
	else if (node->kind == NODE_SCALAR && verb->kind == ACTION_ANSWER)
		read_answer_word(reader, node, action);
	else
		find_error(reader->findings, node->at,
			   "`%s` must be followed by a mapping. Write `{ %s: { %s: ... } }`",
			   verb->name, verb->name, verb->schema->keys[0].name);
	if (action->caller_count)
		action->turn = reader->config->turn_count++;
	if (verb->kind == ACTION_WEBHOOK)
		webhook_check(reader, action->webhook, "webhook", word->at);
	else if (verb->kind == ACTION_RING)
		ring_check(reader, node, action);
	else if (node->kind == NODE_MAP)
		settle_mapping(reader, node, action);
}

/* `loop`, `{dial: pbx}`, `{dial: {trunk: pbx, ring: 25s}}` ... */
static void read_action(struct reader *reader, const struct node *node,
			struct config_action *action)
{
	static const struct node nothing = { .kind = NODE_SCALAR, .text = "", .null = true };
	const struct verb *verb;
	struct node none = nothing;

	none.at = node->at;
	if (node->kind == NODE_LIST || (node->kind == NODE_MAP && node->count != 1)) {
		find_error(reader->findings, node->at,
			   "an action is one word or one `word: ...`. Begin each with `- `");
		return;
	}
	if (node->kind == NODE_MAP) {
		verb = verb_find(reader, node->keys[0]);
		if (verb && verb->kind == ACTION_DIAL && node->items[0]->kind == NODE_MAP &&
		    node_find(node->items[0], "device"))
			verb = &dial_device;
		if (verb)
			read_verb(reader, verb, node->keys[0], node->items[0], action);
		return;
	}
	verb = verb_find(reader, node);
	if (verb && verb->kind == ACTION_ANSWER)
		find_error(reader->findings, node->at,
			   "`answer` needs what to play. Write `{ answer: echo }`, "
			   "`{ answer: tone }` or `{ answer: { play: FILE.wav } }`");
	else if (verb)
		read_verb(reader, verb, node, &none, action);
}

/* An announcement goes before something else. Targets that ring together have
 * each an answer of its own, and the caller has had its one by then; those that
 * take turns come into the announcement's media, one after the other. */
static void check_announcements(struct reader *reader, const struct node *node,
				const struct config_rule *rule)
{
	bool announced = false, answered = false;

	for (size_t i = 0; i < rule->action_count; i++) {
		const struct node *at = node->kind == NODE_LIST ? node->items[i] : node;
		enum action_kind kind = rule->actions[i].kind;

		if (kind == ACTION_ANNOUNCE && i + 1 == rule->action_count)
			find_error(reader->findings, at->at,
				   "nothing follows the announcement. Write the action it goes "
				   "before, or `answer: { play: FILE.wav }`");
		if (kind == ACTION_RING && announced && rule->actions[i].order == RING_PARALLEL &&
		    rule->actions[i].target_count > 1)
			find_error(
				reader->findings, at->at,
				"targets cannot ring together after `announce`. Write an `order` "
				"in which they take turns, such as `order: sequence`");
		if (kind == ACTION_REDIRECT && answered)
			find_error(reader->findings, at->at,
				   "a caller cannot be redirected after `announce` has answered. "
				   "Leave out `answer_first`, or `dial` or `loop` to whom it is to "
				   "reach");
		announced = announced || kind == ACTION_ANNOUNCE;
		answered = answered || (kind == ACTION_ANNOUNCE && rule->actions[i].answer_first);
	}
}

static void read_actions(struct reader *reader, const struct value *value)
{
	struct config_rule *rule = value->target;
	const struct node *node = value->node;
	bool list = node->kind == NODE_LIST;

	rule->action_count = list ? node->count : 1;
	rule->actions = arena_alloc(reader->arena, rule->action_count, sizeof(*rule->actions));
	if (!rule->actions)
		return;
	if (!rule->action_count)
		find_error(reader->findings, node->at,
			   "the rule does nothing. Write `do: loop` or another action");
	for (size_t i = 0; i < rule->action_count; i++)
		read_action(reader, list ? node->items[i] : node, &rule->actions[i]);
	check_announcements(reader, node, rule);
}

const char *call_direction_name(enum call_direction direction)
{
	switch (direction) {
	case DIRECTION_MO:
		return "mo";
	case DIRECTION_MT:
		return "mt";
	case DIRECTION_UNKNOWN:
		break;
	}
	return "unknown";
}

static const struct kind kind_actions = { "actions", NODE_ANY, read_actions };

static const struct key rule_keys[] = {
	{ .name = "when",
	  .kind = &kind_map,
	  .schema = &when_schema,
	  .help = "what a call must be like; absent: any" },
	{ .name = "do",
	  .kind = &kind_actions,
	  .schemas = action_schemas,
	  .flags = KEY_REQUIRED,
	  .help = "an action or a list of actions, tried in order" },
	{ .name = "record",
	  .kind = &kind_bool,
	  .offset = offsetof(struct config_rule, record),
	  .fallback = "no",
	  .help = "whether its calls are recorded, once they are answered" },
};
static const struct schema rule_schema = { "rules[]", rule_keys, ARRAY_SIZE(rule_keys) };

static void read_rule(struct reader *reader, const struct value *value)
{
	struct config_rule *rule = value->target;
	const struct node *when = node_find(value->node, "when");

	rule->directions = DIRECTION_MO | DIRECTION_MT | DIRECTION_UNKNOWN;
	schema_read(reader, &rule_schema, value->node, value->node->at, rule);
	when_check(reader, when);
}

static void read_on_failure(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { "reject", "loop" };

	*(bool *)value->target = value_word(reader, value, words, ARRAY_SIZE(words)) == 1;
}

static const struct kind kind_rule = { "rule", NODE_MAP, read_rule };
static const struct kind kind_on_failure = { "loop or reject", NODE_SCALAR, read_on_failure };

static const struct key service_keys[] = {
	{ .name = "on_failure",
	  .kind = &kind_on_failure,
	  .offset = offsetof(struct config_service, fail_to_loop),
	  .fallback = "loop",
	  .help = "what becomes of a call that our own trouble would break" },
	{ .name = "rules",
	  .kind = &kind_rule,
	  .schema = &rule_schema,
	  .offset = offsetof(struct config_service, rules),
	  .item_size = sizeof(struct config_rule),
	  .count_offset = offsetof(struct config_service, rule_count),
	  .flags = KEY_REQUIRED,
	  .help = "a list of rules, the first that matches is used" },
};
const struct schema service_schema = { "service", service_keys, ARRAY_SIZE(service_keys) };

/* A service is a mapping, or just its list of rules. */
static void read_service(struct reader *reader, const struct node *name, const struct node *node,
			 struct config_service *service)
{
	static const char rules[] = "rules";
	struct node key = { .kind = NODE_SCALAR, .at = node->at, .text = rules };
	struct node *keys[] = { &key }, *items[] = { (struct node *)node };
	struct node map = {
		.kind = NODE_MAP, .at = node->at, .keys = keys, .items = items, .count = 1
	};

	if (node->kind == NODE_SCALAR) {
		find_error(
			reader->findings, node->at,
			"the service `%.60s` must be a list of rules. Write `- do: loop` below it",
			name->text);
		return;
	}
	schema_read(reader, &service_schema, node->kind == NODE_LIST ? &map : node, name->at,
		    service);
	if (node->kind == NODE_LIST ? !node->count
				    : node_find(node, "rules") && !service->rule_count)
		find_error(reader->findings, name->at,
			   "the service `%.60s` has no rules. Write `- do: loop` below it",
			   name->text);
}

static void read_services(struct reader *reader, const struct value *value)
{
	struct config *config = reader->config;

	for (size_t i = 0; i < value->node->count && config->services; i++) {
		struct config_service *service = &config->services[config->service_count];
		const struct node *name = value->node->keys[i];

		if (!strcmp(name->text, config->services[0].name)) {
			find_error(reader->findings, name->at,
				   "the service `loop` is built in. Choose another name");
			continue;
		}
		service->name = (char *)name->text;
		read_service(reader, name, value->node->items[i], service);
		config->service_count++;
		if (str_map_put(reader->services, name->text,
				(void *)(uintptr_t)config->service_count))
			reader->arena->failed = true;
	}
}

const struct kind kind_services = { "services", NODE_MAP, read_services };

static const char *service_name(const void *list, size_t i)
{
	return ((const struct config_service *)list)[i].name;
}

struct service_ref {
	struct service_ref *next;
	const char *name;
	struct place at;
	size_t *index;
};

static void read_service_name(struct reader *reader, const struct value *value)
{
	struct service_ref *ref = arena_alloc(reader->arena, 1, sizeof(*ref));

	if (!ref)
		return;
	*ref = (struct service_ref){ .next = reader->refs,
				     .name = value->node->text,
				     .at = value->node->at,
				     .index = value->target };
	reader->refs = ref;
}

const struct kind kind_service_name = { "service", NODE_SCALAR, read_service_name };

const char *service_suggestion(struct reader *reader, const char *name)
{
	return suggestion(reader, name, service_name, reader->config->services,
			  reader->config->service_count);
}

void services_settle(struct reader *reader)
{
	for (const struct service_ref *ref = reader->refs; ref; ref = ref->next) {
		uintptr_t found = (uintptr_t)str_map_find(reader->services, ref->name);

		if (found)
			*ref->index = found - 1;
		else
			find_error(reader->findings, ref->at, "no service is called `%.60s`%s",
				   ref->name, service_suggestion(reader, ref->name));
	}
}

void services_begin(struct reader *reader, const struct node *node)
{
	struct config *config = reader->config;
	size_t more = node && node->kind == NODE_MAP ? node->count : 0;
	struct config_service *loop =
		arena_alloc(reader->arena, 1 + more, sizeof(*config->services));
	struct config_rule *rule = arena_alloc(reader->arena, 1, sizeof(*rule));
	struct config_action *action = arena_alloc(reader->arena, 1, sizeof(*action));
	char *name = arena_dup(reader->arena, "loop", 4);

	if (!loop || !rule || !action || !name)
		return;
	action->kind = ACTION_LOOP;
	*rule = (struct config_rule){ .directions = DIRECTION_MO | DIRECTION_MT | DIRECTION_UNKNOWN,
				      .actions = action,
				      .action_count = 1 };
	*loop = (struct config_service){
		.name = name, .rules = rule, .rule_count = 1, .fail_to_loop = true
	};
	config->services = loop;
	config->service_count = 1;
	if (str_map_put(reader->services, name, (void *)(uintptr_t)1))
		reader->arena->failed = true;
}
