/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c - libyaml's events become a tree. */
#include "config/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/hash.h"

#define FILE_BYTES_MAX (16u << 20)
#define DEPTH_MAX      32
#define WEIGHT_MAX     4000000u /* aliases of aliases grow without bound */
#define KEYS_MAX       10000    /* of one mapping; they are searched one by one */

struct builder {
	struct arena *arena;
	struct findings *findings;
	uint32_t file;
	yaml_parser_t parser;
	yaml_event_t event;
	struct str_map *anchors; /* name -> struct node, once complete */
};

/* Children of a list or mapping while it grows. */
struct children {
	struct node **keys, **items;
	size_t count, room;
};

static struct place place_of(const struct builder *builder, const yaml_mark_t *mark)
{
	return (struct place){ builder->file, (uint32_t)mark->line + 1,
			       (uint32_t)mark->column + 1 };
}

static bool no_memory(struct builder *builder)
{
	builder->arena->failed = true;
	return false;
}

static bool children_add(struct children *children, struct node *key, struct node *item)
{
	if (children->count == children->room) {
		size_t room = children->room ? children->room * 2 : 8;
		struct node **items = realloc(children->items, room * sizeof(struct node *));
		struct node **keys;

		if (items)
			children->items = items;
		keys = realloc(children->keys, room * sizeof(struct node *));
		if (keys)
			children->keys = keys;
		if (!items || !keys)
			return false;
		children->room = room;
	}
	children->keys[children->count] = key;
	children->items[children->count++] = item;
	return true;
}

static bool children_settle(struct builder *builder, struct children *children, struct node *node)
{
	size_t bytes = children->count * sizeof(struct node *);

	node->count = children->count;
	for (size_t i = 0; i < children->count; i++) {
		const struct node *item = children->items[i];

		node->weight += item->weight;
		if (item->height >= node->height)
			node->height = item->height + 1;
		if (node->weight > WEIGHT_MAX) {
			find_error(builder->findings, node->at,
				   "aliases expand to more than 4 million values. Use fewer");
			return false;
		}
	}
	node->items = arena_alloc(builder->arena, children->count, sizeof(struct node *));
	if (node->kind == NODE_MAP)
		node->keys = arena_alloc(builder->arena, children->count, sizeof(struct node *));
	if (builder->arena->failed)
		return false;
	if (bytes)
		memcpy(node->items, children->items, bytes);
	if (bytes && node->kind == NODE_MAP)
		memcpy(node->keys, children->keys, bytes);
	return true;
}

/* The byte a reader error is at, as line and column. */
static struct place place_of_byte(const struct builder *builder, const unsigned char *bytes,
				  size_t offset)
{
	struct place at = { builder->file, 1, 1 };

	for (size_t i = 0; i < offset; i++) {
		if (bytes[i] == '\n') {
			at.line++;
			at.column = 1;
		} else if ((bytes[i] & 0xc0) != 0x80) { /* columns count characters */
			at.column++;
		}
	}
	return at;
}

static void syntax_error(struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;

	if (parser->error == YAML_MEMORY_ERROR) {
		(void)no_memory(builder);
		return;
	}
	if (parser->error == YAML_READER_ERROR) {
		find_error(
			builder->findings,
			place_of_byte(builder, parser->input.string.start, parser->problem_offset),
			"not readable as text: %s. Save the file as UTF-8", parser->problem);
		return;
	}
	find_error(builder->findings, place_of(builder, &parser->problem_mark),
		   "not valid YAML: %s%s%s. Check indentation, quotes and brackets here",
		   parser->problem, parser->context ? " " : "",
		   parser->context ? parser->context : "");
}

static bool next_event(struct builder *builder)
{
	yaml_event_delete(&builder->event);
	if (yaml_parser_parse(&builder->parser, &builder->event))
		return true;
	syntax_error(builder);
	return false;
}

static struct node *node_create(struct builder *builder, enum node_kind kind)
{
	struct node *node = arena_alloc(builder->arena, 1, sizeof(*node));

	if (node) {
		node->kind = kind;
		node->at = place_of(builder, &builder->event.start_mark);
		node->weight = node->height = 1;
	}
	return node;
}

static struct node *build_scalar(struct builder *builder)
{
	const char *text = (const char *)builder->event.data.scalar.value;
	size_t length = builder->event.data.scalar.length;
	struct node *node = node_create(builder, NODE_SCALAR);

	if (!node)
		return NULL;
	if (memchr(text, '\0', length)) {
		find_error(builder->findings, node->at,
			   "the text contains a NUL character. Remove the `\\0`");
		return NULL;
	}
	node->text = arena_dup(builder->arena, text, length);
	node->null = builder->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		     (!*text || !strcmp(text, "~") || !strcmp(text, "null"));
	return node->text ? node : NULL;
}

static void too_deep(struct builder *builder)
{
	find_error(builder->findings, place_of(builder, &builder->event.start_mark),
		   "nested deeper than %u levels. Flatten it", DEPTH_MAX);
}

static struct node *build_alias(struct builder *builder, unsigned depth)
{
	const char *name = (const char *)builder->event.data.alias.anchor;
	struct node *node = builder->anchors ? str_map_find(builder->anchors, name) : NULL;

	if (!node)
		find_error(builder->findings, place_of(builder, &builder->event.start_mark),
			   "the alias `*%.40s` has no complete anchor `&%.40s` before it. "
			   "Define the anchor above",
			   name, name);
	if (node && depth + node->height - 1 > DEPTH_MAX) {
		too_deep(builder);
		return NULL;
	}
	return node;
}

static struct node *build_node(struct builder *builder, unsigned depth);

static bool build_list(struct builder *builder, struct node *node, unsigned depth)
{
	struct children children = { 0 };
	bool ok = false;

	while (next_event(builder)) {
		struct node *item;

		if (builder->event.type == YAML_SEQUENCE_END_EVENT) {
			ok = children_settle(builder, &children, node);
			break;
		}
		item = build_node(builder, depth + 1);
		if (!item)
			break;
		if (!children_add(&children, NULL, item)) {
			ok = no_memory(builder);
			break;
		}
	}
	free(children.keys);
	free(children.items);
	return ok;
}

static const struct node *twin_of(const struct children *children, const char *text)
{
	for (size_t i = 0; i < children->count; i++)
		if (!strcmp(children->keys[i]->text, text))
			return children->keys[i];
	return NULL;
}

/* Reads one `key: value`; false ends the file. */
static bool build_pair(struct builder *builder, struct children *children, unsigned depth)
{
	struct node *key = build_node(builder, depth + 1);
	const struct node *twin;
	struct node *value;

	if (!key)
		return false;
	if (key->kind != NODE_SCALAR || children->count == KEYS_MAX) {
		find_error(builder->findings, key->at,
			   key->kind != NODE_SCALAR
				   ? "a key must be a word, not a list or a mapping. Write `key: "
				     "value`"
				   : "a mapping has more than 10000 keys. Split it");
		return false;
	}
	if (!next_event(builder))
		return false;
	value = build_node(builder, depth + 1);
	if (!value)
		return false;
	twin = twin_of(children, key->text);
	if (twin)
		find_error(builder->findings, key->at,
			   "`%.60s` is given twice; first in line %u. Remove one", key->text,
			   twin->at.line);
	else if (!children_add(children, key, value))
		return no_memory(builder);
	return true;
}

static bool build_map(struct builder *builder, struct node *node, unsigned depth)
{
	struct children children = { 0 };
	bool ok = false;

	while (next_event(builder)) {
		if (builder->event.type == YAML_MAPPING_END_EVENT) {
			ok = children_settle(builder, &children, node);
			break;
		}
		if (!build_pair(builder, &children, depth))
			break;
	}
	free(children.keys);
	free(children.items);
	return ok;
}

static bool anchor_keep(struct builder *builder, const char *name, struct node *node)
{
	if (!builder->anchors && str_map_create(&builder->anchors))
		return no_memory(builder);
	if (str_map_put(builder->anchors, name, node))
		return no_memory(builder);
	return true;
}

static const char *anchor_of(const yaml_event_t *event)
{
	const yaml_char_t *anchor = event->type == YAML_SCALAR_EVENT ? event->data.scalar.anchor
				    : event->type == YAML_SEQUENCE_START_EVENT
					    ? event->data.sequence_start.anchor
					    : event->data.mapping_start.anchor;

	return (const char *)anchor;
}

/* Builds the node that the present event begins; NULL after adding an error. */
static struct node *build_node(struct builder *builder, unsigned depth)
{
	struct node *node;
	char *anchor = NULL;
	bool ok = true;

	if (builder->event.type == YAML_ALIAS_EVENT)
		return build_alias(builder, depth);
	if (depth > DEPTH_MAX) {
		too_deep(builder);
		return NULL;
	}
	/* The event is gone once the children have been read. */
	if (anchor_of(&builder->event)) {
		anchor = strdup(anchor_of(&builder->event));
		if (!anchor) {
			(void)no_memory(builder);
			return NULL;
		}
	}
	if (builder->event.type == YAML_SCALAR_EVENT) {
		node = build_scalar(builder);
	} else if (builder->event.type == YAML_SEQUENCE_START_EVENT) {
		node = node_create(builder, NODE_LIST);
		ok = node && build_list(builder, node, depth);
	} else {
		node = node_create(builder, NODE_MAP);
		ok = node && build_map(builder, node, depth);
	}
	if (node && ok && anchor)
		ok = anchor_keep(builder, anchor, node);
	free(anchor);
	return ok ? node : NULL;
}

static bool next_events(struct builder *builder, unsigned count)
{
	while (count && next_event(builder))
		count--;
	return !count;
}

/* The one document of the stream; an empty stream is an empty mapping. */
static struct node *build_document(struct builder *builder)
{
	struct node *root;

	if (!next_events(builder, 2)) /* stream start, document start */
		return NULL;
	if (builder->event.type == YAML_STREAM_END_EVENT) {
		root = node_create(builder, NODE_MAP);
		if (root)
			root->at.line = root->at.column = 1;
		return root;
	}
	if (!next_event(builder))
		return NULL;
	root = build_node(builder, 1);
	if (!root || !next_events(builder, 2)) /* document end, stream end */
		return NULL;
	if (builder->event.type != YAML_STREAM_END_EVENT) {
		find_error(builder->findings, place_of(builder, &builder->event.start_mark),
			   "a second document begins here. Write one document per file, "
			   "without `---` lines in between");
		return NULL;
	}
	return root;
}

/* Of a whole file. */
static struct node *require_map(struct builder *builder, struct node *root)
{
	if (!root)
		return NULL;
	if (root->kind == NODE_SCALAR && root->null)
		root->kind = NODE_MAP; /* `---` and nothing else */
	if (root->kind != NODE_MAP) {
		find_error(builder->findings, root->at,
			   "the file must be a mapping. Write `key: value` lines");
		return NULL;
	}
	return root;
}

/* Appends all of a file, or one byte more than is allowed; 0 or -errno. */
static int read_all(const char *path, struct str *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char block[65536];
	ssize_t got = 1;
	int err = 0;

	if (fd < 0)
		return -errno;
	while (got > 0 && bytes->length <= FILE_BYTES_MAX && !bytes->failed) {
		got = read(fd, block, sizeof(block));
		if (got < 0)
			err = -errno;
		else
			str_add_n(bytes, block, (size_t)got);
	}
	(void)close(fd); /* only read from */
	return bytes->failed ? -ENOMEM : err;
}

static struct node *parse(struct builder *builder, const struct str *bytes)
{
	struct node *root = NULL;

	if (!yaml_parser_initialize(&builder->parser)) {
		(void)no_memory(builder);
		return NULL;
	}
	yaml_parser_set_input_string(&builder->parser, (const unsigned char *)bytes->text,
				     bytes->length);
	root = build_document(builder);
	yaml_event_delete(&builder->event);
	yaml_parser_delete(&builder->parser);
	str_map_destroy(builder->anchors);
	return root;
}

struct node *tree_read(struct arena *arena, struct findings *findings, const char *path)
{
	struct builder builder = { .arena = arena, .findings = findings };
	struct node *root = NULL;
	struct str bytes = { 0 };
	struct place top;
	int err;

	builder.file = findings_add_file(findings, path);
	if (!builder.file)
		return NULL;
	top = (struct place){ builder.file, 1, 1 };
	err = read_all(path, &bytes);
	if (err == -ENOMEM)
		(void)no_memory(&builder);
	else if (err)
		find_error(findings, top, "cannot be read: %s. Check path and permissions",
			   strerror(-err));
	else if (bytes.length > FILE_BYTES_MAX)
		find_error(findings, top,
			   "larger than 16 MiB. Put long lists of numbers into a CSV file and name "
			   "it with `file:`");
	else
		root = require_map(&builder, parse(&builder, &bytes));
	str_done(&bytes);
	return root;
}

struct node *tree_read_value(struct arena *arena, struct findings *findings, uint32_t file,
			     const char *text)
{
	struct builder builder = { .arena = arena, .findings = findings, .file = file };
	if (!*text) /* as `key:` with nothing after it */
		text = "null";
	return parse(&builder, &(struct str){ .text = (char *)text, .length = strlen(text) });
}

/* map->count: not there. Of a list or a text nothing is: whoever reads it says so. */
static size_t index_of(const struct node *map, const char *key)
{
	size_t i = 0;

	if (map->kind != NODE_MAP)
		return map->count;

	while (i < map->count && strcmp(map->keys[i]->text, key))
		i++;
	return i;
}

const struct node *node_find(const struct node *map, const char *key)
{
	size_t i = index_of(map, key);

	return i < map->count ? map->items[i] : NULL;
}

const struct node *node_find_key(const struct node *map, const char *key)
{
	size_t i = index_of(map, key);

	return i < map->count ? map->keys[i] : NULL;
}

/* A copy of a list or mapping with space for `more` further children. */
static struct node *copy_roomy(struct arena *arena, const struct node *node, size_t more)
{
	struct node *copy = arena_alloc(arena, 1, sizeof(*copy));
	size_t bytes = node->count * sizeof(struct node *);

	if (!copy)
		return NULL;
	*copy = *node;
	copy->items = arena_alloc(arena, node->count + more, sizeof(struct node *));
	copy->keys = arena_alloc(arena, node->count + more, sizeof(struct node *));
	if (arena->failed)
		return NULL;
	if (bytes)
		memcpy(copy->items, node->items, bytes);
	if (bytes && node->kind == NODE_MAP)
		memcpy(copy->keys, node->keys, bytes);
	return copy;
}

static void merge_value(struct arena *arena, struct findings *findings, struct node *map,
			struct node *key, struct node *value)
{
	size_t at = index_of(map, key->text);
	struct node *old;

	if (at == map->count) {
		map->keys[map->count] = key;
		map->items[map->count++] = value;
		return;
	}
	old = map->items[at];
	if (old->kind == NODE_SCALAR && old->null) {
		map->keys[at] = key;
		map->items[at] = value;
	} else if (value->kind == NODE_SCALAR && value->null) {
		return;
	} else if (old->kind != value->kind || old->kind == NODE_SCALAR) {
		find_error(findings, key->at, "`%.60s` is set already at %s:%u:%u. Remove one",
			   key->text, findings_file(findings, map->keys[at]->at.file),
			   map->keys[at]->at.line, map->keys[at]->at.column);
	} else {
		map->items[at] = tree_merge(arena, findings, old, value);
	}
}

struct node *tree_merge(struct arena *arena, struct findings *findings, struct node *base,
			struct node *more)
{
	struct node *merged = copy_roomy(arena, base, more->count);

	if (!merged)
		return base; /* the arena remembers the failure */
	for (size_t i = 0; i < more->count; i++) {
		if (base->kind == NODE_MAP)
			merge_value(arena, findings, merged, more->keys[i], more->items[i]);
		else
			merged->items[merged->count++] = more->items[i];
	}
	return merged;
}

static struct node *new_map(struct arena *arena, struct place at)
{
	struct node *map = arena_alloc(arena, 1, sizeof(*map));

	if (map)
		*map = (struct node){ .kind = NODE_MAP, .at = at, .weight = 1, .height = 1 };
	return map;
}

static struct node *new_key(struct arena *arena, const char *text, size_t length, struct place at)
{
	struct node *key = arena_alloc(arena, 1, sizeof(*key));

	if (key)
		*key = (struct node){ .kind = NODE_SCALAR,
				      .text = arena_dup(arena, text, length),
				      .at = at,
				      .weight = 1,
				      .height = 1 };
	return key;
}

struct node *tree_set(struct arena *arena, struct node *root, const char *name, struct node *value)
{
	size_t length = strcspn(name, "."), at;
	struct node *map = root, *below = value;
	struct node *key = new_key(arena, name, length, value->at);

	if (root->kind == NODE_SCALAR && root->null)
		map = new_map(arena, root->at);
	if (!key || !key->text || !map || map->kind != NODE_MAP)
		return root;
	map = copy_roomy(arena, map, 1);
	if (!map)
		return root;
	at = index_of(map, key->text);
	if (name[length])
		below = tree_set(arena,
				 at < map->count ? map->items[at] : new_map(arena, value->at),
				 name + length + 1, value);
	map->keys[at] = key;
	map->items[at] = below;
	map->count += at == map->count;
	return map;
}
