/* SPDX-License-Identifier: Apache-2.0 */
#include "config/override.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/keys.h"

#define NAME_ROOM        128
#define ENVIRONMENT      "environment "
#define COMMAND_LINE     "command line --set "
#define VARIABLE         "BREAKOUT_"
#define SLIP_MAX         3   /* characters too many or too few */
#define VARIABLES_LISTED 400 /* candidates for a mistyped one */

/* A key on its way into the tree. */
struct override {
	struct reader *reader;
	struct node *root;
	const char *source; /* for findings */
	const char *name;   /* dotted */
	const char *text;   /* YAML */
};

const char *override_origin(const char *file)
{
	return str_starts(file, ENVIRONMENT) || str_starts(file, COMMAND_LINE) ? file : NULL;
}

/* The key a dotted name stands for; NULL after adding an error. */
static const struct key *find_key(const struct override *override, struct place at)
{
	const struct schema *schema = &config_schema;
	const struct key *key = NULL;
	const char *rest = override->name;

	for (;;) {
		size_t length = strcspn(rest, ".");
		char word[NAME_ROOM];

		(void)snprintf(word, sizeof(word), "%.*s", (int)length, rest);
		key = schema_find(schema, word);
		if (!key) {
			find_error(override->reader->findings, at, "unknown key `%.60s`%s%s%s%s",
				   word, *schema->name ? " in `" : "", schema->name,
				   *schema->name ? "`" : "",
				   schema_suggestion(override->reader, schema, word));
			return NULL;
		}
		if (!rest[length])
			break;
		if (key->kind != &kind_map || key->item_size) {
			find_error(override->reader->findings, at,
				   "`%.*s` can only be set as a whole: `%.60s` is inside of it. "
				   "Write that into a file",
				   (int)(rest + length - override->name), override->name,
				   override->name);
			return NULL;
		}
		schema = key->schema;
		rest += length + 1;
	}
	if (key->kind == &kind_map && !key->item_size) {
		find_error(override->reader->findings, at,
			   "`%.60s` is a mapping. Name one of its keys, such as `%.60s.%s`",
			   override->name, override->name, key->schema->keys[0].name);
		return NULL;
	}
	return key;
}

static void apply(struct override *override)
{
	struct reader *reader = override->reader;
	uint32_t file = findings_add_file(reader->findings, override->source);
	struct place at = { file, 1, 1 };
	struct node *value;

	if (!file || !find_key(override, at))
		return;
	value = tree_read_value(reader->arena, reader->findings, file, override->text);
	if (value)
		override->root = tree_set(reader->arena, override->root, override->name, value);
}

/* ---- the command line ---- */

static void apply_given(struct override *override, const char *given)
{
	const char *equals = strchr(given, '=');
	size_t length = equals ? (size_t)(equals - given) : strlen(given);
	char name[NAME_ROOM], source[NAME_ROOM + 32];

	(void)snprintf(name, sizeof(name), "%.*s", (int)length, given);
	(void)snprintf(source, sizeof(source), COMMAND_LINE "%s", name);
	override->name = name;
	override->source = source;
	override->text = equals ? equals + 1 : NULL;
	if (override->text)
		apply(override);
	else
		find_error(override->reader->findings,
			   (struct place){ findings_add_file(override->reader->findings, source), 1,
					   1 },
			   "no value follows. Write --set key=value, such as "
			   "--set core.api.max_rate=100");
}

/* ---- the environment ---- */

/* "core.api" and "max_rate" become "CORE_API_MAX_RATE". */
static void variable_of(const char *name, char *ret_variable, size_t room)
{
	(void)snprintf(ret_variable, room, "%s", name);
	for (char *at = ret_variable; *at; at++)
		*at = *at == '.' ? '_' : (char)toupper((unsigned char)*at);
}

/* Every key that can be set, by its variable. */
struct variables {
	struct arena *arena;
	const char *variable[VARIABLES_LISTED]; /* CORE_API_MAX_RATE */
	const char *name[VARIABLES_LISTED];     /* core.api.max_rate */
	size_t count;
};

static void list_variables(struct variables *list, const struct schema *schema)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct key *key = &schema->keys[i];
		char name[NAME_ROOM], variable[NAME_ROOM];

		if (key->kind == &kind_map && !key->item_size) {
			list_variables(list, key->schema);
			continue;
		}
		if (list->count == VARIABLES_LISTED)
			return;
		(void)snprintf(name, sizeof(name), "%s%s%s", schema->name, *schema->name ? "." : "",
			       key->name);
		variable_of(name, variable, sizeof(variable));
		list->name[list->count] = arena_dup(list->arena, name, strlen(name));
		list->variable[list->count] = arena_dup(list->arena, variable, strlen(variable));
		if (!list->arena->failed)
			list->count++;
	}
}

static const char *variable_name(const void *list, size_t i)
{
	return ((const struct variables *)list)->variable[i];
}

/* Others may have variables of that beginning too, such as those Kubernetes makes
 * for a service called `breakout` (BREAKOUT_SERVICE_HOST). So it is a warning, and
 * only for what looks like a slip. */
static void warn_unknown(struct override *override, const struct variables *list,
			 const char *variable)
{
	const char *similar = find_similar(variable, variable_name, list, list->count);

	if (similar && strlen(variable) < strlen(similar) + SLIP_MAX &&
	    strlen(similar) < strlen(variable) + SLIP_MAX)
		find_warning(
			override->reader->findings,
			(struct place){
				findings_add_file(override->reader->findings, override->source), 1,
				1 },
			"no key has this name, so it counts for nothing. Did you mean " VARIABLE
			"%s?",
			similar);
}

static void apply_variable(struct override *override, const struct variables *list,
			   const char *entry)
{
	const char *equals = strchr(entry, '=');
	char variable[NAME_ROOM], source[NAME_ROOM + 32];

	if (!equals || !str_starts(entry, VARIABLE))
		return;
	entry += strlen(VARIABLE);
	(void)snprintf(variable, sizeof(variable), "%.*s", (int)(equals - entry), entry);
	(void)snprintf(source, sizeof(source), ENVIRONMENT VARIABLE "%s", variable);
	override->source = source;
	override->text = equals + 1;
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->variable[i], variable) != 0)
			continue;
		override->name = list->name[i];
		apply(override);
		return;
	}
	warn_unknown(override, list, variable);
}

struct node *override_apply(struct reader *reader, struct node *root,
			    const struct config_sources *sources)
{
	struct override override = { .reader = reader, .root = root };
	struct variables *list = arena_alloc(reader->arena, 1, sizeof(*list));

	if (!list)
		return root;
	list->arena = reader->arena;
	if (sources->environment)
		list_variables(list, &config_schema);
	for (char *const *entry = sources->environment; entry && *entry; entry++)
		apply_variable(&override, list, *entry);
	for (size_t i = 0; i < sources->given_count; i++)
		apply_given(&override, sources->given[i]);
	return override.root;
}
