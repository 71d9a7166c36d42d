/* SPDX-License-Identifier: Apache-2.0 */
/* What a dead daemon left in its file is withdrawn, the most affected first. In a fleet:
 * test_keeper_shards.c. */
#include "tests/fake/keeper_rig.h"

#include "registrar/store.h"

#define MINUTE_MS ((mono_ms)60000)

static int no_row(const struct store_row *row, void *arg)
{
	(void)row, (void)arg;
	return 0;
}

/* As the daemon has written it: the core forgets it so many minutes from now. */
static void leave(struct store *store, unsigned index, enum route_type type, unsigned minutes,
		  uint32_t ttl_s)
{
	const struct reg_params params = { (char *)"sips:tas.example.com", (char *)"00", (char *)"",
					   type };
	const struct store_row row = { .number = FIRST + index,
				       .tenant = "",
				       .params = &params,
				       .expires = clock_wall() + minutes * MINUTE_MS,
				       .ttl_s = ttl_s };
	const char *why;

	assert_int_equal(store_write(store, &row, 1, STORE_NOTE, &why), 0);
}

static struct keeper *stand_in(void)
{
	return start_with((struct keeper_options){ .store = store_path, .stands_in = true }, 0,
			  "tas.example.com");
}

static void loops_go_first_and_of_a_kind_who_has_most_time_left(void **state)
{
	static const unsigned right[] = { 8, 5, 3, 7, 6, 4, 2, 1 };
	struct keeper *keeper;
	struct store *store;

	(void)state;
	assert_int_equal(store_open(&store, store_path, no_row, NULL), 0);
	leave(store, 1, ROUTE_TYPE_INGRESS, 59, 3600);
	leave(store, 2, ROUTE_TYPE_FALLBACK, 40, 3600);
	leave(store, 3, ROUTE_TYPE_LOOP, 31, 3600);
	leave(store, 4, ROUTE_TYPE_FORK, 50, 3600);
	leave(store, 5, ROUTE_TYPE_LOOP_MO, 44, 3600);
	leave(store, 6, ROUTE_TYPE_FORK, 58, 3600);
	leave(store, 7, ROUTE_TYPE_LOOP_MT, 2, 3600);
	leave(store, 8, ROUTE_TYPE_LOOP, 0, 0); /* asked for just now, and not answered */
	store_close(store);
	clock_fake_advance(37); /* in the middle of a slot of the wheel */
	keeper = stand_in();
	pass(keeper, 5000);
	assert_true(core.total >= 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(core.order[i], right[i]);
	end(keeper);
}

static void who_fails_is_tried_again_and_all_are_withdrawn(void **state)
{
	struct keeper *keeper;
	struct store *store;

	(void)state;
	assert_int_equal(store_open(&store, store_path, no_row, NULL), 0);
	for (unsigned i = 1; i <= 50; i++)
		leave(store, i, ROUTE_TYPE_LOOP, i, 3600);
	store_close(store);
	core.verdicts[50] = UPSERT_FAILED;
	keeper = stand_in();
	pass(keeper, 10000);
	assert_int_equal(in_state(keeper, REG_WITHDRAWING), 1);
	core.verdicts[50] = UPSERT_OK;
	pass(keeper, 5 * MINUTE_MS);
	assert_int_equal(in_state(keeper, REG_WITHDRAWING), 0);
	for (unsigned i = 1; i <= 50; i++)
		assert_int_equal(core.upserts[i], 0);
	end(keeper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEEPER(loops_go_first_and_of_a_kind_who_has_most_time_left),
		KEEPER(who_fails_is_tried_again_and_all_are_withdrawn),
	};

	return cmocka_run_group_tests_name("registrar/keeper_order", tests, NULL, NULL);
}
