/* SPDX-License-Identifier: Apache-2.0 */
/* test_shapes.c - a value of a wrong kind, wherever it stands, is a finding and no more:
 * in each sample each value is replaced by a text, a list, a mapping and nothing. */
#include "tests/unit/config/fixture.h"

#include <dirent.h>

#include "config/tree.h"

static const char *const shapes[] = { "zzz", "~", "[]", "[[]]", "[{ zzz: 1 }]", "{ zzz: 1 }" };

/* The tree as YAML again, but with `shape` where `victim` was. */
static void write_node(struct str *out, const struct node *node, const struct node *victim,
		       const char *shape)
{
	if (node == victim) {
		str_add(out, shape);
		return;
	}
	if (node->kind == NODE_SCALAR) {
		str_add(out, node->null ? "~" : "\"");
		for (const char *c = node->null ? "" : node->text; *c; c++)
			str_addf(out, strchr("\"\\", *c) ? "\\%c" : "%c", *c);
		str_add(out, node->null ? "" : "\"");
		return;
	}
	str_add(out, node->kind == NODE_MAP ? "{" : "[");
	for (size_t i = 0; i < node->count; i++) {
		str_add(out, i ? ", " : "");
		if (node->kind == NODE_MAP)
			str_addf(out, "%s: ", node->keys[i]->text);
		write_node(out, node->items[i], victim, shape);
	}
	str_add(out, node->kind == NODE_MAP ? "}" : "]");
}

static void try_shapes(const struct node *root, const struct node *victim)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		static char found[200000];
		struct config *config;
		struct str text = { 0 };

		write_node(&text, root, victim, shapes[i]);
		put("breakout.yaml", text.text);
		if (load(false, &config, found, sizeof(found)) && !strstr(found, ": error: "))
			fail_msg("refused, and nobody says why:\n%s", text.text);
		config_destroy(config);
		str_done(&text);
	}
}

static void try_all(const struct node *root, const struct node *node)
{
	if (node != root)
		try_shapes(root, node);
	for (size_t i = 0; i < node->count; i++)
		try_all(root, node->items[i]);
}

static void try_sample(const char *path)
{
	struct findings findings = { 0 };
	struct arena arena = { 0 };
	const struct node *root = tree_read(&arena, &findings, path);

	assert_non_null(root);
	try_all(root, root);
	findings_done(&findings);
	arena_done(&arena);
}

static void a_value_of_a_wrong_kind_is_a_finding(void **state)
{
	DIR *samples = opendir("config/samples");
	struct dirent *entry;
	char path[300];

	(void)state;
	assert_non_null(samples);
	while ((entry = readdir(samples))) {
		(void)snprintf(path, sizeof(path), "config/samples/%s", entry->d_name);
		if (strstr(entry->d_name, ".yaml"))
			try_sample(path);
	}
	(void)closedir(samples);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(
		a_value_of_a_wrong_kind_is_a_finding, folder_setup, folder_teardown) };

	return cmocka_run_group_tests_name("config/shapes", tests, NULL, NULL);
}
