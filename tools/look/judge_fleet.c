/* SPDX-License-Identifier: Apache-2.0 */
/* judge_fleet.c - the nodes that share the registrations, and their database. */
#include <stdio.h>
#include <string.h>
#include "tools/look/finding.h"

/* The first one that lives no more, other than ourselves; NULL: none. */
static const json_t *silent_one(const json_t *fleet)
{
	size_t i;
	json_t *node;

	json_array_foreach(json_object_get(fleet, "nodes"), i, node)
	{
		if (!look_true(node, "alive") &&
		    strcmp(look_text(node, "name"), look_text(fleet, "node")) != 0)
			return node;
	}
	return NULL;
}

static bool in_force(const json_t *fleet)
{
	size_t i;
	json_t *node;

	json_array_foreach(json_object_get(fleet, "nodes"), i, node)
	{
		if (strcmp(look_text(node, "name"), look_text(fleet, "node")) == 0)
			return look_true(node, "current");
	}
	return true; /* not a member: nobody has compared them */
}

static void judge_database(const json_t *fleet, struct finding *finding)
{
	static const char next[] = "journalctl -u breakout | grep store.postgres";
	const char *standing = look_text(fleet, "standing");
	long long shards = look_number(fleet, "shards");

	if (look_true(fleet, "database"))
		return;
	if (strcmp(standing, "over") == 0)
		finding_say(finding, LOOK_CRITICAL, next,
			    "the database is away for longer than store.alone: nothing of %lld "
			    "shards is refreshed any more",
			    shards);
	else if (!shards)
		finding_say(finding, LOOK_CRITICAL, next,
			    "the database does not answer: this node keeps no numbers");
	else
		finding_say(finding, LOOK_WARNING, next,
			    "the database does not answer: for store.alone the numbers of %lld "
			    "shards are refreshed, none is added, changed or withdrawn",
			    shards);
}

static void judge_silent(const json_t *fleet, struct finding *finding)
{
	const json_t *node = silent_one(fleet);
	const char *name = node ? look_text(node, "name") : "";
	long long held = look_number(fleet, "held"), held_s = look_number(fleet, "held_s");
	char seen[32], left[32], next[160];

	if (!node)
		return;
	look_span(look_number(node, "seen_ms") / 1000, seen, sizeof(seen));
	look_span(held_s, left, sizeof(left));
	(void)snprintf(next, sizeof(next), "breakoutctl fleet forget %.63s", name);
	if (held && held_s)
		finding_say(finding, LOOK_WARNING, next,
			    "node %s is silent for %s and may be alive without the database: for "
			    "%s at most the numbers of %lld shards are only refreshed; start it, "
			    "or forget it if it is dead for certain",
			    name, seen, left, held);
	else
		finding_say(finding, LOOK_WARNING, next,
			    "node %s is silent for %s: start it, or forget it if it is dead for "
			    "certain",
			    name, seen);
}

bool judge_fleet(const struct look *look, struct finding *finding)
{
	const json_t *fleet = json_object_get(look->status, "fleet");
	size_t i, alive = 0;
	json_t *node;

	if (!fleet)
		return false;
	judge_database(fleet, finding);
	judge_silent(fleet, finding);
	if (!in_force(fleet))
		finding_say(finding, LOOK_WARNING, "breakoutctl fleet",
			    "our configuration has version %lld, of the fleet another one, %lld, "
			    "is in force: ours changes nothing at the core; reload the same one "
			    "on all nodes",
			    look_number(fleet, "version"), look_number(fleet, "in_force"));
	json_array_foreach(json_object_get(fleet, "nodes"), i, node) alive +=
		look_true(node, "alive");
	finding_say(finding, LOOK_OK, "", "node %s, lease %s, %lld of 256 shards, %zu nodes live",
		    look_text(fleet, "node"), look_text(fleet, "standing"),
		    look_number(fleet, "shards"), alive);
	return true;
}
