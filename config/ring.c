/* SPDX-License-Identifier: Apache-2.0 */
/* ring.c - `ring: [pbx, subscriber]`, or in full with order and times. */
#include "config/ring.h"

#include <string.h>

#include "config/device.h"
#include "config/trunk.h"

/* ---- one target ---- */

/* What can be rung: a key of a target's mapping for each. The first that is there
 * says what the target is; a trunk's `number` is dialled there. */
static const struct {
	const char *key;
	enum target_kind kind;
} names[] = {
	{ "trunk", TARGET_TRUNK },
	{ "subscriber", TARGET_SUBSCRIBER },
	{ "number", TARGET_NUMBER },
	{ "device", TARGET_DEVICE },
};

/* `subscriber: true`; there is nothing else to say of it. */
static void read_subscriber(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { "true" };

	(void)value_word(reader, value, words, ARRAY_SIZE(words)); /* its error is enough */
}

static const struct kind kind_subscriber = { "true", NODE_SCALAR, read_subscriber };

static const struct key target_keys[] = {
	{ .name = "trunk",
	  .kind = &kind_trunk_name,
	  .offset = offsetof(struct config_target, trunk),
	  .help = "a name from trunks" },
	{ .name = "device",
	  .kind = &kind_device_name,
	  .offset = offsetof(struct config_target, device),
	  .help = "a name from devices" },
	{ .name = "subscriber",
	  .kind = &kind_subscriber,
	  .help = "true: the phone of who is called" },
	{ .name = "number",
	  .kind = &kind_text,
	  .offset = offsetof(struct config_target, number),
	  .help = "what is dialled at the trunk, or a number to reach through the core" },
	{ .name = "after",
	  .kind = &kind_seconds,
	  .offset = offsetof(struct config_target, after_s),
	  .max = 600,
	  .help = "how much later than the others it rings; 0" },
	{ .name = "for",
	  .kind = &kind_seconds,
	  .offset = offsetof(struct config_target, ring_s),
	  .min = 1,
	  .max = 600,
	  .help = "how long it rings; as the action says" },
	{ .name = "weight",
	  .kind = &kind_number,
	  .offset = offsetof(struct config_target, weight),
	  .fallback = "1",
	  .min = 1,
	  .max = 100,
	  .help = "its share of the calls with `order: weighted`" },
};
static const struct schema target_schema = { "ring.targets[]", target_keys,
					     ARRAY_SIZE(target_keys) };

/* Beside a trunk a phone of that PBX, which may have a name; else a number. */
static void check_number(struct reader *reader, const struct node *node,
			 const struct config_target *target)
{
	static const char dialled[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789+*#.-_";
	const char *text = target->number;

	if (target->kind == TARGET_NUMBER && !e164_valid(text))
		find_error(reader->findings, node->at,
			   "`ring.targets[].number`: `%.60s` cannot be asked of the core. Write it "
			   "with its country code, such as \"+4799000001\", or name a `trunk` too",
			   text);
	else if (target->kind == TARGET_TRUNK && text[strspn(text, dialled)])
		find_error(reader->findings, node->at,
			   "`ring.targets[].number`: `%.60s` cannot be dialled. Write digits or a "
			   "name without spaces",
			   text);
}

/* True: the mapping names one target. */
static bool find_kind(struct reader *reader, const struct node *node, struct config_target *target)
{
	size_t count = 0;

	for (size_t i = ARRAY_SIZE(names); i-- > 0;) {
		if (!node_find(node, names[i].key))
			continue;
		target->kind = names[i].kind;
		count++;
	}
	if (count == 2 && target->kind == TARGET_TRUNK && node_find(node, "number"))
		count--; /* dialled there */
	if (count != 1)
		find_error(reader->findings, node->at,
			   "the target names %s. Write one of `trunk: NAME`, `device: NAME`, "
			   "`subscriber: true` and `number: \"+4799000001\"`; with `trunk`, "
			   "`number` is dialled there",
			   count ? "more than one" : "nobody");
	return count == 1;
}

static void read_target_map(struct reader *reader, const struct node *node,
			    struct config_target *target)
{
	schema_read(reader, &target_schema, node, node->at, target);
	if (find_kind(reader, node, target) && target->number)
		check_number(reader, node_find(node, "number"), target);
}

/* A word alone: `subscriber`, or a trunk's name. */
static void read_target_word(struct reader *reader, const struct value *value,
			     struct config_target *target)
{
	struct value name = *value;

	target->weight = 1;
	if (!strcmp(value->node->text, "subscriber")) {
		target->kind = TARGET_SUBSCRIBER;
		return;
	}
	name.target = &target->trunk;
	kind_trunk_name.read(reader, &name);
}

static void read_target(struct reader *reader, const struct value *value)
{
	const struct node *node = value->node;

	if (node->kind == NODE_MAP)
		read_target_map(reader, node, value->target);
	else if (node->kind == NODE_SCALAR)
		read_target_word(reader, value, value->target);
	else
		find_error(reader->findings, node->at,
			   "a target is a word or a mapping, not a list. Write all targets in one "
			   "list");
}

/* ---- the action ---- */

static void read_order(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [RING_PARALLEL] = "parallel",
					     [RING_SEQUENCE] = "sequence",
					     [RING_WEIGHTED] = "weighted",
					     [RING_ROUND_ROBIN] = "round_robin",
					     [RING_LONGEST_IDLE] = "longest_idle" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum ring_order *)value->target = (enum ring_order)word;
}

static const struct kind kind_target = { "target", NODE_ANY, read_target };
static const struct kind kind_order = { "order", NODE_SCALAR, read_order };

static const struct key ring_keys[] = {
	{ .name = "targets",
	  .kind = &kind_target,
	  .schema = &target_schema,
	  .offset = offsetof(struct config_action, targets),
	  .item_size = sizeof(struct config_target),
	  .count_offset = offsetof(struct config_action, target_count),
	  .flags = KEY_REQUIRED,
	  .help = "trunks, numbers, subscriber" },
	{ .name = "for",
	  .kind = &kind_seconds,
	  .offset = offsetof(struct config_action, ring_s),
	  .min = 1,
	  .max = 600,
	  .help = "how long they ring, or each of them in an order that takes turns; 180s, 30s" },
	{ .name = "order",
	  .kind = &kind_order,
	  .offset = offsetof(struct config_action, order),
	  .fallback = "parallel",
	  .help = "parallel, sequence, weighted, round_robin or longest_idle" },
};
const struct schema ring_schema = { "ring", ring_keys, ARRAY_SIZE(ring_keys) };

/* A key that has no meaning here is a misunderstanding. */
static void check_target(struct reader *reader, const struct node *node,
			 const struct config_target *target, const struct config_action *action)
{
	const struct node *after = node_find(node, "after"), *weight = node_find(node, "weight");

	if (after && action->order != RING_PARALLEL)
		find_error(
			reader->findings, after->at,
			"`ring.targets[].after` is for targets that ring together. Leave it out: "
			"with this `order` a target rings after the one before it");
	else if (after && action->ring_s && target->after_s >= action->ring_s)
		find_error(reader->findings, after->at,
			   "this target never rings: the others have stopped by then. Write less "
			   "than `for: %us`",
			   action->ring_s);
	if (weight && action->order != RING_WEIGHTED)
		find_error(
			reader->findings, weight->at,
			"`ring.targets[].weight` counts with `order: weighted` only. Leave it out");
}

void ring_check(struct reader *reader, const struct node *node, const struct config_action *action)
{
	const struct node *targets = node->kind == NODE_MAP ? node_find(node, "targets") : node;

	if (!targets || targets->kind != NODE_LIST)
		return;
	if (!targets->count)
		find_error(reader->findings, targets->at,
			   "`ring.targets` is an empty list. Write at least one trunk, number or "
			   "`subscriber`");
	else if (targets->count > CONFIG_TARGETS_MAX)
		find_error(
			reader->findings, targets->at,
			"`ring.targets` has %zu targets. Write %d at most, or let a PBX ring its "
			"own group",
			targets->count, CONFIG_TARGETS_MAX);
	for (size_t i = 0; i < action->target_count; i++)
		if (targets->items[i]->kind == NODE_MAP)
			check_target(reader, targets->items[i], &action->targets[i], action);
}
