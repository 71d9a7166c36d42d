/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - YAML text as a tree of scalars, lists and mappings with places.
 *
 * Scalars stay text: whether `112` is a number is for the schema to say.
 * Aliases share the node of their anchor. The arena owns everything.
 */
#ifndef BREAKOUT_CONFIG_TREE_H
#define BREAKOUT_CONFIG_TREE_H

#include "config/arena.h"
#include "config/findings.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP, NODE_ANY };

struct node {
	const char *text;    /* SCALAR */
	struct node **keys;  /* MAP: scalars, no two alike */
	struct node **items; /* LIST, MAP */
	size_t count;
	size_t weight; /* nodes below and itself, aliases followed */
	struct place at;
	enum node_kind kind;
	unsigned height; /* levels below and itself, aliases followed */
	bool null;       /* SCALAR: unquoted and empty, `~` or `null` */
};

/* Returns the root mapping of the file, or NULL after adding an error. An
 * empty file is an empty mapping. */
struct node *tree_read(struct arena *arena, struct findings *findings, const char *path);

/* Joins what a conf.d file adds: mappings merge, lists append, a scalar set
 * twice is an error. Neither argument changes. */
struct node *tree_merge(struct arena *arena, struct findings *findings, struct node *base,
			struct node *more);

/* Reads one value that stands alone, such as `[a, b]`; NULL after adding an error. */
struct node *tree_read_value(struct arena *arena, struct findings *findings, uint32_t file,
			     const char *text);

/* The tree with the key of a dotted name set, whatever it said before. Where the
 * way leads through something that is no mapping it returns the tree as it is:
 * that is a finding of its own. */
struct node *tree_set(struct arena *arena, struct node *root, const char *name, struct node *value);

const struct node *node_find(const struct node *map, const char *key);     /* value or NULL */
const struct node *node_find_key(const struct node *map, const char *key); /* for its place */

#endif
