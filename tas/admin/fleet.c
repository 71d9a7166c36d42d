/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/fleet.h"

#include <errno.h>
#include <stdio.h>

static json_t *still_there(const struct registrar_forgotten *node)
{
	char sentence[200];

	snprintf(sentence, sizeof(sentence),
		 "the node has not been put out of the fleet: it was seen %.1f s ago. If it is "
		 "dead, it will be once store.lease is over",
		 (double)node->seen_ms / 1000);
	return error_text(sentence);
}

static json_t *failure(int err, const struct registrar_forgotten *node)
{
	switch (err) {
	case -ENOTSUP:
		return error_text("this daemon is in no fleet: it has no store.postgres");
	case -ENOENT:
		return error_text("the fleet knows no node of this name: `breakoutctl fleet` "
				  "lists them");
	case -EBUSY:
		return still_there(node);
	default:
		return error_text("the fleet's database does not do it: the log says why");
	}
}

json_t *fleet_forget(struct registrar *registrar, const char *text, const char *who)
{
	struct registrar_forgotten forgotten;
	json_t *order = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *result;
	const char *node = json_string_value(json_object_get(order, "node"));
	int err;

	if (!node || !*node) {
		json_decref(order);
		return error_text("say which node: {\"node\": NAME}");
	}
	err = registrar_forget_node(registrar, node, who, &forgotten);
	result = err ? failure(err, &forgotten)
		     : json_pack("{s:o, s:I}", "forgotten", text_json(node), "shards",
				 (json_int_t)forgotten.shards);
	json_decref(order);
	return result;
}
