/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - the tables and the tree, side by side, become a list of settings. */
#include "config/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/flow.h"
#include "config/keys.h"
#include "config/override.h"
#include "config/registration.h"

struct walk {
	struct reader *reader;
	struct config_setting *list;
	size_t count, room;
};

/* A mapping on the way: its dotted name and what its keys inherit. */
struct section {
	const struct schema *schema;
	const struct node *node; /* NULL: nobody wrote it */
	const char *name;
	enum config_apply apply;
};

const char *config_apply_name(enum config_apply apply)
{
	switch (apply) {
	case CONFIG_APPLY_NOW:
		return "at once";
	case CONFIG_APPLY_NEXT:
		return "new calls";
	case CONFIG_APPLY_RESTART:
		return "restart";
	case CONFIG_APPLY_AS_PARENT:
		break;
	}
	return "";
}

void settings_derive(struct reader *reader, const char *name, const char *text)
{
	struct derived *derived = arena_alloc(reader->arena, 1, sizeof(*derived));

	if (!derived)
		return;
	*derived = (struct derived){ .next = reader->derived, .name = name, .text = text };
	reader->derived = derived;
}

/* ---- one setting ---- */

static char *keep(struct walk *walk, struct str *text)
{
	char *copy = NULL;

	if (text->failed)
		walk->reader->arena->failed = true;
	else
		copy = arena_dup(walk->reader->arena, text->text ? text->text : "", text->length);
	str_done(text);
	return copy;
}

/* "core", "api" become "core.api". */
static const char *join(struct walk *walk, const char *section, const char *key)
{
	struct str name = { 0 };
	const char *joined;

	str_addf(&name, "%s%s%s", section, *section ? "." : "", key);
	joined = keep(walk, &name);
	return joined ? joined : "";
}

static void add(struct walk *walk, struct config_setting setting)
{
	if (walk->count == walk->room) {
		size_t room = walk->room ? walk->room * 2 : 128;
		struct config_setting *list = realloc(walk->list, room * sizeof(*list));

		if (!list) {
			walk->reader->arena->failed = true;
			return;
		}
		walk->list = list;
		walk->room = room;
	}
	walk->list[walk->count++] = setting;
}

static const char *origin_of(struct walk *walk, const struct node *node)
{
	const char *file = findings_file(walk->reader->findings, node->at.file);
	const char *given = override_origin(file);

	return given ? arena_dup(walk->reader->arena, given, strlen(given))
		     : place_text(walk->reader, node->at);
}

/* As kind_path reads it. */
static void add_path(struct walk *walk, struct str *out, const char *path)
{
	struct str whole = { 0 };

	str_addf(&whole, "%s%s", *path == '/' ? "" : walk->reader->folder, path);
	if (whole.text)
		flow_add_text(out, whole.text);
	out->failed = out->failed || whole.failed;
	str_done(&whole);
}

static const char *node_value(struct walk *walk, const struct key *key, const struct node *node)
{
	struct str text = { 0 };

	if (key->flags & KEY_HIDDEN)
		str_add(&text, "***");
	else if (key->kind == &kind_path && node->kind == NODE_SCALAR)
		add_path(walk, &text, node->text);
	else if (key->item_size && node->kind == NODE_SCALAR) {
		str_add(&text, "[");
		flow_add(&text, node);
		str_add(&text, "]");
	} else
		flow_add(&text, node);
	return keep(walk, &text);
}

/* Words of a list stand apart in the table. */
static const char *fallback_value(struct walk *walk, const struct key *key)
{
	struct str text = { 0 };
	const char *word = key->fallback;

	if (!key->item_size) {
		flow_add_text(&text, word);
		return keep(walk, &text);
	}
	str_add(&text, "[");
	while (*word) {
		size_t length = strcspn(word, " ");
		char *copy = arena_dup(walk->reader->arena, word, length);

		flow_add_text(&text, copy ? copy : "");
		word += length + strspn(word + length, " ");
		str_add(&text, *word ? ", " : "");
	}
	str_add(&text, "]");
	return keep(walk, &text);
}

static const char *derived_value(const struct walk *walk, const char *name)
{
	for (const struct derived *derived = walk->reader->derived; derived;
	     derived = derived->next)
		if (!strcmp(derived->name, name))
			return derived->text;
	return NULL;
}

static void add_leaf(struct walk *walk, const struct key *key, struct config_setting setting,
		     const struct node *node)
{
	setting.origin = node ? origin_of(walk, node) : "default";
	if (node)
		setting.value = node_value(walk, key, node);
	else if (key->fallback)
		setting.value = fallback_value(walk, key);
	else
		setting.value = derived_value(walk, setting.name);
	add(walk, setting);
}

/* ---- all of them ---- */

static void walk_section(struct walk *walk, struct section section);

/* "trunks.pbx", or "trunks.2" where nobody gave it a name. */
static void walk_items(struct walk *walk, const struct key *key, const struct section *list)
{
	for (size_t i = 0; i < list->node->count; i++) {
		const struct node *item = list->node->items[i];
		const struct node *called = node_find(item, "name");
		bool has_name = called && called->kind == NODE_SCALAR;
		char number[24];

		(void)snprintf(number, sizeof(number), "%zu", i + 1);
		walk_section(walk, (struct section){
					   key->schema, item,
					   join(walk, list->name, has_name ? called->text : number),
					   list->apply });
	}
}

static void walk_named(struct walk *walk, const struct key *key, const struct section *map)
{
	for (size_t i = 0; i < map->node->count; i++)
		add_leaf(walk, key,
			 (struct config_setting){
				 .name = join(walk, map->name, map->node->keys[i]->text),
				 .apply = map->apply },
			 map->node->items[i]);
}

/* A million numbers are one setting. */
static void add_registrations(struct walk *walk, struct config_setting setting,
			      const struct node *node)
{
	struct str text = { 0 };

	str_addf(&text, "%zu numbers", walk->reader->config->registration_count);
	setting.value = keep(walk, &text);
	setting.origin = node ? origin_of(walk, node) : "default";
	add(walk, setting);
}

static void walk_key(struct walk *walk, const struct key *key, const struct section *key_section)
{
	const struct node *node = key_section->node;
	struct config_setting setting = { .name = key_section->name, .apply = key_section->apply };

	if (key->kind == &kind_map && !key->item_size) {
		walk_section(walk, *key_section);
		return;
	}
	if (key->item_size && key->schema && node && node->kind == NODE_LIST && node->count &&
	    node->items[0]->kind == NODE_MAP && schema_find(key->schema, "name")) {
		walk_items(walk, key, key_section);
		return;
	}
	if (key->named && node) {
		walk_named(walk, key, key_section);
		return;
	}
	if (key->kind == &kind_registrations)
		add_registrations(walk, setting, node);
	else
		add_leaf(walk, key, setting, node);
}

static void walk_section(struct walk *walk, struct section section)
{
	for (size_t i = 0; i < section.schema->count; i++) {
		const struct key *key = &section.schema->keys[i];
		const struct node *node = section.node ? node_find(section.node, key->name) : NULL;
		struct section below = { key->schema, node, join(walk, section.name, key->name),
					 key->apply ? key->apply : section.apply };

		if (node && node->kind == NODE_SCALAR && node->null)
			below.node = NULL;
		walk_key(walk, key, &below);
	}
}

void settings_settle(struct reader *reader, const struct node *root)
{
	struct walk walk = { .reader = reader };
	struct config *config = reader->config;

	/* Shapes are what the tables say only where nothing was found. */
	if (reader->findings->errors)
		return;
	walk_section(&walk, (struct section){ &config_schema, root, "", CONFIG_APPLY_AS_PARENT });
	config->settings = arena_alloc(reader->arena, walk.count, sizeof(*config->settings));
	if (config->settings && walk.count) {
		memcpy(config->settings, walk.list, walk.count * sizeof(*walk.list));
		config->setting_count = walk.count;
	}
	free(walk.list);
}

const struct config_setting *config_settings(const struct config *config, size_t *ret_count)
{
	*ret_count = config->setting_count;
	return config->settings;
}

/* ---- two of them ---- */

static int by_name(const void *a, const void *b)
{
	const struct config_setting *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

/* Settings of one or two configurations, by name. */
struct sorted {
	const struct config_setting **list; /* own; ends with NULL */
	size_t count;
};

/* Those that wait for a restart, or the others. */
static void sorted_add(struct sorted *sorted, const struct config *config, bool waiting)
{
	for (size_t i = 0; sorted->list && i < config->setting_count; i++)
		if ((config->settings[i].apply == CONFIG_APPLY_RESTART) == waiting)
			sorted->list[sorted->count++] = &config->settings[i];
}

static struct sorted sorted_of(const struct config *waiting, const struct config *others)
{
	size_t most = waiting->setting_count + others->setting_count;
	struct sorted sorted = {
		.list = calloc(most + 1, sizeof(*sorted.list)),
	};

	sorted_add(&sorted, waiting, true);
	sorted_add(&sorted, others, false);
	if (sorted.list)
		qsort(sorted.list, sorted.count, sizeof(*sorted.list), by_name);
	return sorted;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static int by_number(const struct config_registration *a, const struct config_registration *b)
{
	return a->number < b->number ? -1 : a->number > b->number;
}

/* Both lists are sorted by number. */
static void compare_registrations(const struct config *before, const struct config *after,
				  config_change_fn *visit, void *arg)
{
	const struct config_registration *old = before->registrations, *new = after->registrations;
	const struct config_registration *old_end = old + before->registration_count;
	const struct config_registration *new_end = new + after->registration_count;
	size_t added = 0, removed = 0, changed = 0;
	char was[32], is[112];

	while (old < old_end || new < new_end) {
		int order = old == old_end ? 1 : new == new_end ? -1 : by_number(old, new);

		added += order > 0;
		removed += order < 0;
		changed += !order && (old->route_type != new->route_type ||
				      strcmp(config_tenant_name(before, old->tenant),
					     config_tenant_name(after, new->tenant)) != 0 ||
				      strcmp(before->services[old->service].name,
					     after->services[new->service].name) != 0);
		old += order <= 0;
		new += order >= 0;
	}
	if (!added && !removed && !changed)
		return;
	(void)snprintf(was, sizeof(was), "%zu numbers", before->registration_count);
	(void)snprintf(is, sizeof(is), "%zu numbers: %zu new, %zu gone, %zu changed",
		       after->registration_count, added, removed, changed);
	visit(&(struct config_change){ "registrations", was, is, CONFIG_APPLY_NOW }, arg);
}

size_t config_compare(const struct config *started, const struct config *before,
		      const struct config *after, config_change_fn *visit, void *arg)
{
	struct sorted old = sorted_of(started, before), new = sorted_of(after, after);
	size_t i = 0, k = 0, same = 0;

	while (old.list && new.list && (i < old.count || k < new.count)) {
		const struct config_setting *a = old.list[i],
					    *b = new.list[k]; /* NULL at the end */
		int order = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);
		struct config_change change = { .name = order > 0 ? b->name : a->name,
						.before = order > 0 ? NULL : a->value,
						.after = order < 0 ? NULL : b->value,
						.apply = order > 0 ? b->apply : a->apply };

		i += order <= 0;
		k += order >= 0;
		if (!strcmp(change.name, "registrations"))
			continue;
		if (!order && same_text(a->value, b->value))
			same++;
		else
			visit(&change, arg);
	}
	free(old.list);
	free(new.list);
	compare_registrations(before, after, visit, arg);
	return same;
}
