/* SPDX-License-Identifier: Apache-2.0 */
/* In which order go out the many that are due at once: what a daemon finds in its file as it
 * starts, what a dead one left there (in a fleet: test_keeper_shards.c), what comes back. */
#include "tests/fake/keeper_rig.h"

#include "registrar/store.h"

#define MINUTE_MS ((mono_ms)60000)

static int no_row(const struct store_row *row, void *arg)
{
	(void)row, (void)arg;
	return 0;
}

/* As the daemon has written it: the core forgets it so many minutes from now. */
static void leave(struct store *store, unsigned index, enum route_type type, int minutes,
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

static void assert_order(const unsigned *right, unsigned count)
{
	assert_true(core.total >= count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(core.order[i], right[i]);
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
	assert_order(right, ARRAY_SIZE(right));
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

/* What has not lapsed yet has four of five turns. */
static void a_start_begins_with_who_lapses_first_and_ends_with_who_is_new(void **state)
{
	static const unsigned right[] = { 7, 1, 6, 3, 4, 2, 9, 5, 8 };
	struct keeper *keeper;
	struct store *store;

	(void)state;
	assert_int_equal(store_open(&store, store_path, no_row, NULL), 0);
	leave(store, 1, ROUTE_TYPE_FORK, 9, 3600); /* is to be a loop now, as 3, 6 and 7 */
	leave(store, 2, ROUTE_TYPE_LOOP, -1, 3600);
	leave(store, 3, ROUTE_TYPE_FORK, 50, 3600);
	leave(store, 4, ROUTE_TYPE_LOOP, -20, 3600);
	leave(store, 6, ROUTE_TYPE_FORK, 31, 3600);
	leave(store, 7, ROUTE_TYPE_FORK, 2, 3600);
	leave(store, 9, ROUTE_TYPE_LOOP, 10, 3600); /* nobody wants it any more */
	store_close(store);
	clock_fake_advance(37); /* in the middle of a slot of the wheel */
	keeper = start_with((struct keeper_options){ .store = store_path }, 8, "tas.example.com");
	pass(keeper, 5000);
	assert_order(right, ARRAY_SIZE(right));
	end(keeper);
}

static void what_changes_during_an_outage_is_told_before_it_lapses(void **state)
{
	struct keeper *keeper = start_with((struct keeper_options){ .tenants[0].max_rate = 14 },
					   MAX, "tas.example.com"); /* twice what they need */

	(void)state;
	pass(keeper, 2 * 60 * MINUTE_MS);
	core.down = true;
	pass(keeper, 25 * MINUTE_MS);
	rewant(keeper, 1, MAX, ROUTE_TYPE_FORK);
	core.down = false;
	core.lapses = 0;
	pass(keeper, 60 * MINUTE_MS);
	assert_int_equal(core.lapses + lapsed_now(MAX), 0);
	end(keeper);
}

static void what_is_ordered_together_goes_in_its_order(void **state)
{
	static const unsigned right[] = { 1, 2, 3, 4, 5 };
	struct keeper *keeper = start(0);
	struct wanted *some = want(1, 5, "tas.example.com", ROUTE_TYPE_LOOP);

	(void)state;
	pass(keeper, 1037);
	assert_int_equal(keeper_want_some(keeper, some, clock_now()), 0);
	wanted_destroy(some);
	pass(keeper, 1000);
	assert_order(right, ARRAY_SIZE(right));
	end(keeper);
}

static void what_comes_back_comes_the_most_affected_first(void **state, mono_ms well_at)
{
	static const enum route_type types[] = { ROUTE_TYPE_INGRESS, ROUTE_TYPE_FORK,
						 ROUTE_TYPE_LOOP, ROUTE_TYPE_LOOP };
	static const unsigned right[] = { 3, 4, 2, 1 };
	struct registrar_verdict verdict = { .sick = true, .why = "the SBC does not answer" };
	struct config_registration registrations[4] = { 0 };
	struct config config = { .domain = (char *)"a", .version = "1" };
	struct keeper *keeper = start(0);
	struct wanted *wanted;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		registrations[i].number = (FIRST + 1 + i) & E164_PACKED_MAX;
		registrations[i].route_type = types[i] & 0xfu;
	}
	config.registrations = registrations;
	config.registration_count = 4;
	assert_int_equal(wanted_create(&wanted, &config, NULL), 0);
	assert_int_equal(keeper_want(keeper, wanted, clock_now()), 0);
	wanted_destroy(wanted);
	pass(keeper, 1000);
	keeper_judge(keeper, &verdict, clock_now());
	pass(keeper, 1000 + well_at);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 4);
	core.total = 0;
	verdict.sick = false;
	keeper_run(keeper, clock_now());
	keeper_judge(keeper, &verdict, clock_now());
	pass(keeper, 1000);
	assert_order(right, ARRAY_SIZE(right));
	end(keeper);
}

static void at_the_edge_of_a_slot_they_come_back_in_order(void **state)
{
	what_comes_back_comes_the_most_affected_first(state, 0);
}

static void in_the_middle_of_a_slot_they_come_back_in_order(void **state)
{
	what_comes_back_comes_the_most_affected_first(state, 37);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEEPER(loops_go_first_and_of_a_kind_who_has_most_time_left),
		KEEPER(who_fails_is_tried_again_and_all_are_withdrawn),
		KEEPER(a_start_begins_with_who_lapses_first_and_ends_with_who_is_new),
		KEEPER(what_changes_during_an_outage_is_told_before_it_lapses),
		KEEPER(what_is_ordered_together_goes_in_its_order),
		KEEPER(at_the_edge_of_a_slot_they_come_back_in_order),
		KEEPER(in_the_middle_of_a_slot_they_come_back_in_order),
	};

	return cmocka_run_group_tests_name("registrar/keeper_order", tests, NULL, NULL);
}
