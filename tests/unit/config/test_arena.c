/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "config/arena.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
	static const size_t sizes[] = { 1, 7, 16, 1000, 16384, 40000, 0, 3 };
	unsigned char *blocks[80];
	struct arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < 80; i++) {
		size_t size = sizes[i % 8];

		blocks[i] = arena_alloc(&arena, size, 1);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % sizeof(void *), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(blocks[i][k], 0);
		memset(blocks[i], (int)i + 1, size);
	}
	for (size_t i = 0; i < 80; i++)
		for (size_t k = 0; k < sizes[i % 8]; k++)
			assert_int_equal(blocks[i][k], i + 1);
	arena_done(&arena);
}

static void text_is_copied_and_ended(void **state)
{
	struct arena arena = { 0 };

	(void)state;
	assert_string_equal(arena_dup(&arena, "abcdef", 3), "abc");
	arena_done(&arena);
}

static void an_impossible_size_fails_and_is_remembered(void **state)
{
	struct arena arena = { 0 };

	(void)state;
	assert_null(arena_alloc(&arena, SIZE_MAX / 2, 8));
	assert_true(arena.failed);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(text_is_copied_and_ended),
		cmocka_unit_test(an_impossible_size_fails_and_is_remembered),
	};
	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
