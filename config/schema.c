/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - walks a mapping along its table. */
#include "config/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_ROOM 96

static const char *const shape_names[] = {
	[NODE_SCALAR] = "a single value",
	[NODE_LIST] = "a list",
	[NODE_MAP] = "a mapping",
	[NODE_ANY] = "anything",
};

static const char *const shape_hints[] = {
	[NODE_SCALAR] = "Write `key: value`",
	[NODE_LIST] = "Write `[a, b]` or one `- item` a line",
	[NODE_MAP] = "Write its keys indented below it",
	[NODE_ANY] = "",
};

void value_error(struct reader *reader, const struct value *value, const char *format, ...)
{
	char problem[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(problem, sizeof(problem), format, args);
	va_end(args);
	find_error(reader->findings, value->node->at, "`%s`: `%.60s` %s", value->name,
		   value->node->text, problem);
}

const char *suggestion(struct reader *reader, const char *text,
		       const char *(*get)(const void *list, size_t i), const void *list,
		       size_t count)
{
	const char *similar = find_similar(text, get, list, count);
	struct str str = { 0 };
	char *copy = NULL;

	if (similar)
		str_addf(&str, ". Did you mean `%s`?", similar);
	else if (!count)
		str_add(&str, ". None is defined");
	for (size_t i = 0; !similar && i < count && i < 20; i++)
		str_addf(&str, "%s%s", i ? ", " : ". Known: ", get(list, i));
	if (!similar && count > 20)
		str_add(&str, ", ...");
	if (str.text)
		copy = arena_dup(reader->arena, str.text, str.length);
	str_done(&str);
	return copy ? copy : "";
}

static const char *word_name(const void *list, size_t i)
{
	return ((const char *const *)list)[i];
}

int value_word(struct reader *reader, const struct value *value, const char *const *words,
	       size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(value->node->text, words[i]))
			return (int)i;
	value_error(reader, value, "is not known here%s",
		    suggestion(reader, value->node->text, word_name, words, count));
	return -1;
}

/* What no single value may be, whatever its kind. */
static bool scalar_sound(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;

	if (!*text) {
		find_error(reader->findings, value->node->at,
			   "`%s` is empty. Write a value or leave the key out", value->name);
		return false;
	}
	if (strlen(text) > 1000) {
		value_error(reader, value, "is longer than 1000 characters. Shorten it");
		return false;
	}
	for (; *text; text++) {
		if ((unsigned char)*text >= 0x20 && *text != 0x7f)
			continue;
		value_error(reader, value, "contains a line break or control character. Remove it");
		return false;
	}
	return true;
}

static void read_one(struct reader *reader, const struct value *value)
{
	enum node_kind shape = value->key->kind->shape;

	if (shape != NODE_ANY && shape != value->node->kind) {
		find_error(reader->findings, value->node->at, "`%s` must be %s, not %s. %s",
			   value->name, shape_names[shape], shape_names[value->node->kind],
			   shape_hints[shape]);
		return;
	}
	if (value->node->kind == NODE_SCALAR && !scalar_sound(reader, value))
		return;
	value->key->kind->read(reader, value);
}

/* A list of values; one alone may stand without its brackets. */
static void read_list(struct reader *reader, const struct value *value)
{
	const struct key *key = value->key;
	struct node *const *items = value->node->items;
	struct node *const single = (struct node *)value->node;
	size_t count = value->node->count;
	char *memory;

	if ((value->node->kind == NODE_MAP && key->kind->shape != NODE_ANY) ||
	    (value->node->kind == NODE_SCALAR && key->kind->shape == NODE_MAP)) {
		find_error(reader->findings, value->node->at, "`%s` must be a list, not %s. %s",
			   value->name, shape_names[value->node->kind], shape_hints[NODE_LIST]);
		return;
	}
	if (value->node->kind != NODE_LIST) {
		items = &single;
		count = 1;
	}
	memory = arena_alloc(reader->arena, count, key->item_size);
	if (!memory)
		return;
	for (size_t i = 0; i < count; i++) {
		struct value item = *value;

		item.node = items[i];
		item.target = memory + i * key->item_size;
		read_one(reader, &item);
	}
	*(void **)((char *)value->target + key->offset) = memory;
	*(size_t *)((char *)value->target + key->count_offset) = count;
}

static void read_key(struct reader *reader, struct value value)
{
	if (value.key->item_size) {
		read_list(reader, &value);
		return;
	}
	value.target = (char *)value.target + value.key->offset;
	read_one(reader, &value);
}

/* Reads a default as if the file had said it. */
static void read_fallback(struct reader *reader, struct value value)
{
	struct node scalar = { .kind = NODE_SCALAR, .text = value.key->fallback };
	struct node words[16] = { 0 }, *items[16], list = { .kind = NODE_LIST, .items = items };
	char *rest, *copy;

	value.node = &scalar;
	if (!value.key->item_size) {
		read_key(reader, value);
		return;
	}
	value.node = &list;
	copy = strdup(value.key->fallback);
	if (!copy) {
		reader->arena->failed = true;
		return;
	}
	for (char *word = strtok_r(copy, " ", &rest); word && list.count < ARRAY_SIZE(words);
	     word = strtok_r(NULL, " ", &rest)) {
		items[list.count] = &words[list.count];
		words[list.count++].text = word;
	}
	read_key(reader, value);
	free(copy);
}

static const char *key_name(const void *list, size_t i)
{
	return ((const struct key *)list)[i].name;
}

const struct key *schema_find(const struct schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->count; i++)
		if (!strcmp(schema->keys[i].name, name))
			return &schema->keys[i];
	return NULL;
}

const char *schema_suggestion(struct reader *reader, const struct schema *schema, const char *name)
{
	return suggestion(reader, name, key_name, schema->keys, schema->count);
}

static void report_unknown(struct reader *reader, const struct schema *schema,
			   const struct node *node)
{
	for (size_t i = 0; i < node->count; i++) {
		const char *name = node->keys[i]->text;

		if (!schema_find(schema, name))
			find_error(
				reader->findings, node->keys[i]->at, "unknown key `%.60s`%s%s%s%s",
				name, *schema->name ? " in `" : "", schema->name,
				*schema->name ? "`" : "", schema_suggestion(reader, schema, name));
	}
}

void schema_read(struct reader *reader, const struct schema *schema, const struct node *node,
		 struct place at, void *target)
{
	if (node)
		report_unknown(reader, schema, node);
	for (size_t i = 0; i < schema->count; i++) {
		const struct key *key = &schema->keys[i];
		const struct node *child = node ? node_find(node, key->name) : NULL;
		char name[NAME_ROOM];
		struct value value = { key, name, child, target };

		(void)snprintf(name, sizeof(name), "%s%s%s", schema->name, *schema->name ? "." : "",
			       key->name);
		if (child && child->kind == NODE_SCALAR && child->null)
			value.node = NULL;
		if (value.node)
			read_key(reader, value);
		else if (key->kind == &kind_map && !key->item_size)
			schema_read(reader, key->schema, NULL,
				    child ? node_find_key(node, key->name)->at : at,
				    (char *)target + key->offset);
		else if (key->flags & KEY_REQUIRED)
			find_error(reader->findings, at, "`%s` is missing: %s", name, key->help);
		else if (key->fallback)
			read_fallback(reader, value);
	}
}

static void read_map(struct reader *reader, const struct value *value)
{
	schema_read(reader, value->key->schema, value->node, value->node->at, value->target);
}

const struct kind kind_map = { "mapping", NODE_MAP, read_map };

char *place_text(struct reader *reader, struct place at)
{
	const char *file = findings_file(reader->findings, at.file);
	size_t room = strlen(file) + 2 * (1 + 10) + 1;
	char *text = arena_alloc(reader->arena, room, 1);

	if (text)
		(void)snprintf(text, room, "%s:%u:%u", file, at.line, at.column);
	return text;
}
