/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/hash_siphash.h"

/* Key 00..0f over the message 00 01 02 ...: the vectors of the paper's
 * reference implementation, appendix A of "SipHash: a fast short-input PRF". */
static void siphash_gives_the_published_values(void **state)
{
	static const uint64_t key[2] = { UINT64_C(0x0706050403020100),
					 UINT64_C(0x0f0e0d0c0b0a0908) };
	unsigned char message[15];

	(void)state;
	for (unsigned i = 0; i < sizeof(message); i++)
		message[i] = (unsigned char)i;
	assert_true(siphash_2_4(key, message, 15) == UINT64_C(0xa129ca6149be45e5));
	assert_true(siphash_2_4(key, message, 0) == UINT64_C(0x726fdb47dd0e0e31));
	assert_true(siphash_2_4(key, message, 8) == UINT64_C(0x93f5f5799a932462));
}

static void equal_values_hash_alike_and_others_differ(void **state)
{
	(void)state;
	assert_true(hash_bytes("abc", 3) == hash_bytes("abc", 3));
	assert_true(hash_bytes("abc", 3) != hash_bytes("abd", 3));
	assert_true(hash_u64(1) != hash_u64(2));
}

static void map_keeps_finds_replaces_and_removes(void **state)
{
	struct str_map *map;
	int a, b;

	(void)state;
	assert_int_equal(str_map_create(&map), 0);
	assert_null(str_map_find(map, "a"));
	assert_null(str_map_remove(map, "a"));
	assert_int_equal(str_map_put(map, "a", &a), 0);
	assert_int_equal(str_map_put(map, "b", &b), 0);
	assert_ptr_equal(str_map_find(map, "a"), &a);
	assert_int_equal(str_map_put(map, "a", &b), 0);
	assert_ptr_equal(str_map_find(map, "a"), &b);
	assert_int_equal(str_map_count(map), 2);
	assert_ptr_equal(str_map_remove(map, "a"), &b);
	assert_null(str_map_find(map, "a"));
	assert_int_equal(str_map_count(map), 1);
	map = str_map_destroy(map);
	assert_null(map);
	assert_null(str_map_destroy(NULL));
}

#define MANY 5000

static void count_visit(const char *key, void *value, void *arg)
{
	(void)key;
	(void)value;
	++*(int *)arg;
}

static void map_survives_growing_and_removals_in_any_order(void **state)
{
	static char values[MANY];
	struct str_map *map;
	char key[16];
	int visited = 0;

	(void)state;
	assert_int_equal(str_map_create(&map), 0);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(str_map_put(map, key, &values[i]), 0);
	}
	for (int i = 0; i < MANY; i += 3) {
		(void)snprintf(key, sizeof(key), "key%d", i);
		assert_ptr_equal(str_map_remove(map, key), &values[i]);
	}
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(key, sizeof(key), "key%d", i);
		assert_ptr_equal(str_map_find(map, key), i % 3 ? &values[i] : NULL);
	}
	str_map_each(map, count_visit, &visited);
	assert_int_equal(visited, MANY - (MANY + 2) / 3);
	assert_int_equal(str_map_count(map), visited);
	str_map_destroy(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_the_published_values),
		cmocka_unit_test(equal_values_hash_alike_and_others_differ),
		cmocka_unit_test(map_keeps_finds_replaces_and_removes),
		cmocka_unit_test(map_survives_growing_and_removals_in_any_order),
	};
	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
