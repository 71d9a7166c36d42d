/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - SipHash-2-4 over the tree and over what its files list.
 *
 * A name, no proof: it tells two configurations apart that an operator wrote,
 * and is the same on every node that has the same files.
 */
#include "config/version.h"

#include <stdio.h>
#include <string.h>

#include "base/hash_siphash.h"

static void mix(uint64_t *hash, const void *bytes, size_t length)
{
	const uint64_t key[2] = { *hash, length };

	*hash = siphash_2_4(key, bytes, length);
}

static void mix_node(uint64_t *hash, const struct node *node)
{
	mix(hash, &node->kind, sizeof(node->kind));
	if (node->kind == NODE_SCALAR)
		mix(hash, node->text, strlen(node->text));
	for (size_t i = 0; node->kind != NODE_SCALAR && i < node->count; i++) {
		if (node->kind == NODE_MAP)
			mix_node(hash, node->keys[i]);
		mix_node(hash, node->items[i]);
	}
	mix(hash, &node->kind, sizeof(node->kind)); /* here it ends */
}

static void mix_registrations(uint64_t *hash, const struct config *config)
{
	for (size_t i = 0; i < config->registration_count; i++) {
		const struct config_registration *registration = &config->registrations[i];
		const uint64_t words[] = { registration->number, registration->route_type,
					   registration->service };

		mix(hash, words, sizeof(words));
	}
}

void version_settle(struct config *config, const struct node *root)
{
	uint64_t hash = 1; /* of this way to count; another one gets another number */

	mix_node(&hash, root);
	mix_registrations(&hash, config);
	for (const struct config_numbers *list = config->lists; list; list = list->next)
		mix(&hash, list->keys, list->count * sizeof(*list->keys));
	for (size_t i = 0; i < config->holiday_count; i++)
		for (size_t k = 0; k < config->holidays[i].count; k++)
			mix(&hash, &config->holidays[i].dates[k], sizeof(struct config_date));
	(void)snprintf(config->version, sizeof(config->version), "%016llx",
		       (unsigned long long)hash);
}
