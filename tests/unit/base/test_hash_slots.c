/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/hash_slots.h"

#define KEYS 300u

static unsigned keys[KEYS]; /* item i has the key i */

/* Few values, so that many items want the same slot, the last one among them. */
static uint64_t hash_of(unsigned key)
{
	return key % 7 ? key % 7 : UINT64_MAX;
}

static bool is(const void *item, const void *key)
{
	return *(const unsigned *)item == *(const unsigned *)key;
}

static int setup(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		keys[i] = i;
	return 0;
}

static void check(const struct hash_slots *slots, const bool there[KEYS])
{
	size_t count = 0, visited = 0, at = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		count += there[i];
		assert_ptr_equal(hash_slots_find(slots, hash_of(i), is, &i),
				 there[i] ? &keys[i] : NULL);
	}
	assert_int_equal(slots->count, count);
	for (const unsigned *item; (item = hash_slots_next(slots, &at)); visited++)
		assert_true(there[*item]);
	assert_int_equal(visited, count);
}

/* Against a plain array, in an order that is made up. */
static void items_are_found_whatever_came_and_went(void **state)
{
	struct hash_slots slots = { 0 };
	bool there[KEYS] = { false };
	unsigned random = 1;

	(void)state;
	check(&slots, there);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned key;

		random = random * 1103515245u + 12345u;
		key = (random >> 16) % KEYS;
		if (there[key])
			assert_ptr_equal(hash_slots_remove(&slots, hash_of(key), is, &key),
					 &keys[key]);
		else
			assert_int_equal(hash_slots_add(&slots, hash_of(key), &keys[key]), 0);
		there[key] = !there[key];
		if (i % 100 == 0)
			check(&slots, there);
	}
	hash_slots_done(&slots);
	assert_null(slots.slots);
}

static void what_is_not_there_cannot_be_removed(void **state)
{
	struct hash_slots slots = { 0 };
	unsigned key = 5;

	(void)state;
	assert_null(hash_slots_remove(&slots, hash_of(key), is, &key));
	assert_int_equal(hash_slots_add(&slots, hash_of(key), &keys[key]), 0);
	key = 12; /* of the same hash */
	assert_null(hash_slots_remove(&slots, hash_of(key), is, &key));
	assert_int_equal(slots.count, 1);
	hash_slots_done(&slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(items_are_found_whatever_came_and_went, setup),
		cmocka_unit_test_setup(what_is_not_there_cannot_be_removed, setup),
	};

	return cmocka_run_group_tests_name("base/hash_slots", tests, NULL, NULL);
}
