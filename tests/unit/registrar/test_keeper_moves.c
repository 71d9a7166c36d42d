/* SPDX-License-Identifier: Apache-2.0 */
/* Cores of two tenants, and numbers that move from one to the other. */
#include "tests/fake/keeper_rig.h"

static const struct keeper_options two_tenants = {
	.tenants = { { .name = "default" },
		     { .name = "acme", .client = (struct api_client *)&core } },
	.tenant_count = 2,
};

static struct wanted *want_two(unsigned first, unsigned all)
{
	return want_two_as(first, all, ROUTE_TYPE_LOOP);
}

static struct keeper *start_two(const char *store, unsigned first, unsigned all)
{
	struct keeper_options options = two_tenants;
	struct wanted *wanted = want_two(first, all);
	struct keeper *keeper;

	options.seed = 99;
	options.store = store;
	options.boot = "this one";
	options.token_refused = on_token_refused;
	assert_int_equal(keeper_create(&keeper, &options, wanted, clock_now()), 0);
	wanted_destroy(wanted);
	return keeper;
}

static void rewant_two_as(struct keeper *keeper, unsigned first, unsigned all, enum route_type type)
{
	struct wanted *wanted = want_two_as(first, all, type);

	assert_int_equal(keeper_want(keeper, wanted, clock_now()), 0);
	wanted_destroy(wanted);
}

static void rewant_two(struct keeper *keeper, unsigned first, unsigned all)
{
	rewant_two_as(keeper, first, all, ROUTE_TYPE_LOOP);
}

static void each_number_is_registered_at_its_tenants_core(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 20);
	struct registrar_summary summary;

	(void)state;
	pass(keeper, 5000);
	for (unsigned i = 1; i <= 20; i++) {
		assert_int_equal(core.upserts[i], i <= 10);
		assert_int_equal(core.second_upserts[i], i > 10);
	}
	assert_string_equal(core.second_prefix, "02");
	assert_string_equal(look(keeper, 1).tenant, "default");
	assert_string_equal(look(keeper, 11).tenant, "acme");
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.tenant_count, 2);
	assert_string_equal(summary.tenants[1].name, "acme");
	assert_int_equal(summary.tenants[0].by_state[REG_ACTIVE], 10);
	assert_int_equal(summary.tenants[1].by_state[REG_ACTIVE], 10);
	assert_int_equal(summary.by_state[REG_ACTIVE], 20);
	assert_true(summary.api_up && summary.tenants[1].api_up);
	end(keeper);
}

static void a_dead_core_makes_no_others_numbers_lapse(void **state)
{
	struct keeper *keeper = start_two(NULL, 500, 5000);
	struct registrar_summary summary;

	(void)state;
	pass(keeper, 60000);
	core.second_down = true;
	pass(keeper, 3 * 3600000); /* three TTLs */
	assert_int_equal(core.lapses, 0);
	assert_int_equal(lapsed_now(500), 0);
	keeper_summary(keeper, &summary);
	assert_false(summary.api_up);
	assert_true(summary.tenants[0].api_up && !summary.tenants[0].down);
	assert_true(!summary.tenants[1].api_up && summary.tenants[1].down);
	assert_true(summary.tenants[0].margin_ms > 1200000);
	assert_int_equal(said("tenant=acme the core's API does not work"), 1);
	assert_int_equal(said("tenant=default"), 0);
	assert_int_equal(said("check tenants.acme.api.target"), 1);
	core.second_down = false;
	pass(keeper, 120000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 5000);
	end(keeper);
}

static void one_that_is_wanted_back_with_another_type_changes_at_once(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 10);

	(void)state;
	pass(keeper, 60000);
	core.second_down = true;
	rewant_two(keeper, 9, 10); /* the tenth lingers */
	pass(keeper, 60000);
	rewant_two_as(keeper, 10, 10, ROUTE_TYPE_FORK);
	pass(keeper, 5000);
	for (unsigned i = 1; i <= 10; i++)
		assert_int_equal(core.upserts[i], 2);
	assert_int_equal(core.route_type, ROUTE_TYPE_FORK);
	assert_int_equal(core.deletes[10], 0);
	core.second_down = false;
	pass(keeper, 120000);
	assert_int_equal(core.second_expires[10], 0); /* nothing is left there */
	end(keeper);
}

static void one_that_throttles_slows_down_no_other(void **state)
{
	struct keeper *keeper = start_two(NULL, 3000, 3500);
	struct registrar_summary summary;
	unsigned done = 0;

	(void)state;
	core.second_slow = true;
	pass(keeper, 8000);
	for (unsigned i = 1; i <= 3000; i++)
		done += core.upserts[i] > 0;
	assert_int_equal(done, 3000);
	pass(keeper, 15000);
	keeper_summary(keeper, &summary);
	assert_true(summary.tenants[1].rate < 100);
	assert_true(summary.tenants[0].rate >= 500);
	end(keeper);
}

/* ---- tenants that come and go ---- */

static const struct keeper_tenant acme = { .name = "acme", .client = (struct api_client *)&core };

static void put_acme(struct keeper *keeper)
{
	assert_int_equal(keeper_tenant_put(keeper, 1, &acme, clock_now()), 0);
}

static unsigned sum(const unsigned *counts, unsigned from, unsigned to)
{
	unsigned total = 0;

	for (unsigned i = from; i <= to; i++)
		total += counts[i];
	return total;
}

static void a_tenant_that_comes_begins_at_once(void **state)
{
	struct keeper *keeper = start(10);
	struct registrar_summary summary;

	(void)state;
	pass(keeper, 60000);
	assert_true(keeper_tenant_left(keeper, 1));
	put_acme(keeper);
	rewant_two(keeper, 10, 20);
	pass(keeper, 5000);
	assert_int_equal(sum(core.second_upserts, 11, 20), 10);
	assert_int_equal(sum(core.upserts, 1, 10), 10); /* and nothing was said twice */
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.tenant_count, 2);
	assert_int_equal(summary.tenants[1].by_state[REG_ACTIVE], 10);
	assert_false(keeper_tenant_left(keeper, 1));
	end(keeper);
}

static void one_that_goes_takes_its_registrations_back_first(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 20);
	struct registrar_summary summary;

	(void)state;
	pass(keeper, 60000);
	keeper_tenant_leave(keeper, 1, clock_now());
	rewant_two(keeper, 10, 10);
	keeper_summary(keeper, &summary);
	assert_true(summary.tenants[1].leaving);
	pass(keeper, 5000);
	assert_int_equal(sum(core.second_deletes, 11, 20), 10);
	assert_true(keeper_tenant_left(keeper, 1));
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.tenant_count, 1);
	assert_int_equal(said("tenant=acme has gone"), 1);
	pass(keeper, 7200000);
	assert_int_equal(sum(core.second_upserts, 11, 20), 10);
	assert_int_equal(core.lapses, 0);

	put_acme(keeper); /* and its place serves again */
	rewant_two(keeper, 10, 20);
	pass(keeper, 5000);
	assert_int_equal(sum(core.second_upserts, 11, 20), 20);
	end(keeper);
}

static void one_that_goes_keeps_what_has_not_arrived_elsewhere(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 20);

	(void)state;
	pass(keeper, 60000);
	core.verdicts[15] = UPSERT_REFUSED; /* by both, from now on */
	keeper_tenant_leave(keeper, 1, clock_now());
	rewant_two(keeper, 20, 20); /* all of them to the first */
	pass(keeper, 10000);
	assert_int_equal(sum(core.second_deletes, 11, 20), 9);
	assert_int_equal(core.second_deletes[15], 0);
	assert_false(keeper_tenant_left(keeper, 1));
	core.verdicts[15] = UPSERT_OK;
	pass(keeper, 120000);
	assert_int_equal(core.second_deletes[15], 1);
	assert_true(keeper_tenant_left(keeper, 1));
	assert_int_equal(core.lapses, 0);
	end(keeper);
}

static void one_that_cannot_be_told_goes_when_its_ttl_is_over(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 20);

	(void)state;
	pass(keeper, 60000);
	core.second_down = true;
	keeper_tenant_leave(keeper, 1, clock_now());
	rewant_two(keeper, 10, 10);
	pass(keeper, 3000000); /* of 3,600 s */
	assert_false(keeper_tenant_left(keeper, 1));
	pass(keeper, 700000);
	assert_true(keeper_tenant_left(keeper, 1));
	assert_int_equal(lapsed_now(10), 0);
	end(keeper);
}

static void what_was_refreshed_while_its_tenant_left_is_not_forgotten(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 20);

	(void)state;
	pass(keeper, 60000);
	core.down = true;
	keeper_tenant_leave(keeper, 1, clock_now());
	rewant_two(keeper, 20, 20); /* they linger for two TTLs */
	pass(keeper, 7200000);
	core.second_down = true;
	pass(keeper, 1900000); /* refreshes fail, and may have been done */
	rewant_two(keeper, 10, 10);
	pass(keeper, 60000);
	assert_false(keeper_tenant_left(keeper, 1));
	core.second_down = false;
	pass(keeper, 120000);
	assert_true(keeper_tenant_left(keeper, 1));
	for (unsigned i = 11; i <= 20; i++)
		assert_int_equal(core.second_expires[i], 0);
	end(keeper);
}

static void one_without_a_token_goes_when_its_ttl_is_over(void **state)
{
	struct keeper_options options = two_tenants;
	struct wanted *wanted = want_two(10, 20);
	struct keeper *keeper;

	(void)state;
	options.tenants[1].needs_token = true;
	options.token_refused = on_token_refused;
	assert_int_equal(keeper_create(&keeper, &options, wanted, clock_now()), 0);
	wanted_destroy(wanted);
	keeper_token(keeper, 1, "first", 100, NULL, 0, clock_now());
	pass(keeper, 60000);
	assert_int_equal(sum(core.second_upserts, 11, 20), 10);
	keeper_token_void(keeper, 1);
	keeper_tenant_leave(keeper, 1, clock_now());
	rewant_two(keeper, 10, 10);
	pass(keeper, 3700000);
	assert_int_equal(sum(core.second_deletes, 11, 20), 0);
	assert_true(keeper_tenant_left(keeper, 1));
	end(keeper);
}

static void one_that_comes_back_before_it_has_gone_stays(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 20);

	(void)state;
	pass(keeper, 60000);
	core.second_down = true;
	keeper_tenant_leave(keeper, 1, clock_now());
	rewant_two(keeper, 10, 10);
	pass(keeper, 60000);
	core.second_down = false;
	put_acme(keeper);
	rewant_two(keeper, 10, 20);
	pass(keeper, 120000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 20);
	pass(keeper, 7200000);
	assert_false(keeper_tenant_left(keeper, 1));
	for (unsigned i = 11; i <= 20; i++)
		assert_true(core.second_expires[i] > clock_now());
	end(keeper);
}

static void what_is_on_its_way_out_is_not_brought_back_by_a_move(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 20);

	(void)state;
	pass(keeper, 60000);
	core.second_down = true;
	rewant_two(keeper, 10, 10); /* wanted by nobody, and its core cannot be told */
	pass(keeper, 60000);
	core.down = true;
	rewant_two(keeper, 20, 20); /* then by the other tenant, whose core is away */
	core.second_down = false;
	pass(keeper, 120000);
	assert_int_equal(sum(core.second_upserts, 11, 20), 10);
	assert_int_equal(sum(core.second_deletes, 11, 20) >= 10, 1);
	core.down = false;
	pass(keeper, 120000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 20);
	end(keeper);
}

static void one_that_its_core_has_yet_after_a_failed_refresh_is_kept_nowhere_else(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 10);

	(void)state;
	pass(keeper, 60000);
	core.down = core.second_down = true;
	rewant_two(keeper, 9, 10); /* the tenth is asked for in vain at the other one */
	pass(keeper, 1900000);     /* and its refresh here has failed, with time left */
	assert_true(core.expires[10] > clock_now());
	rewant_two(keeper, 10, 10);
	core.second_down = false;
	pass(keeper, 60000);
	assert_int_equal(core.second_expires[10], 0);
	core.second_upserts[10] = 0;
	core.down = false;
	pass(keeper, 120000);
	assert_int_equal(core.second_upserts[10], 0);
	assert_true(core.second_deletes[10] > 0);
	assert_int_equal(core.lapses + lapsed_now(10), 0);
	end(keeper);
}

static void a_number_waits_for_the_new_core_of_a_tenant_that_has_moved(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 20);

	(void)state;
	pass(keeper, 60000);
	core.down = true;
	rewant_two(keeper, 20, 20);
	rewant_two(keeper, 10, 20);
	pass(keeper, 1000);
	rewant_two(keeper, 20, 20); /* kept at acme until the first has them */
	core.second_down = false;
	pass(keeper, 20000);
	assert_int_equal(sum(core.second_deletes, 11, 20), 0);
	core.down = false;
	pass(keeper, 120000);
	assert_int_equal(sum(core.second_deletes, 11, 20), 10);
	keeper_tenant_repeat(keeper, 0, clock_now());
	assert_int_equal(in_state(keeper, REG_ACTIVE), 0); /* the new one has none of them */
	pass(keeper, 120000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 20);
	end(keeper);
}

static void another_account_is_told_everything_at_once(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 20);

	(void)state;
	pass(keeper, 60000);
	keeper_tenant_repeat(keeper, 1, clock_now());
	pass(keeper, 2000);
	assert_int_equal(sum(core.second_upserts, 11, 20), 20);
	assert_int_equal(sum(core.upserts, 1, 10), 10);
	/* What was out at that moment was the old one's: it is told once more, later. */
	keeper_tenant_repeat(keeper, 1, clock_now());
	keeper_run(keeper, clock_now());
	keeper_tenant_repeat(keeper, 1, clock_now());
	pass(keeper, 40000);
	assert_int_equal(sum(core.second_upserts, 11, 20), 40);
	end(keeper);
}

/* What is on its way to acme's core when that becomes another is answered so. */
static void the_former_core_answers(enum upsert_verdict verdict)
{
	struct keeper *keeper = start_two(NULL, 10, 60);
	struct registrar_summary summary;

	pass(keeper, 60000);
	keeper_tenant_repeat(keeper, 1, clock_now());
	pass(keeper, LATENCY_MS - 5);
	assert_true(core.count >= 20);
	log_text[0] = '\0';
	keeper_tenant_repeat(keeper, 1, clock_now());
	core.verdict = verdict;
	pass(keeper, LATENCY_MS - 1); /* none of the new one's yet */
	core.verdict = UPSERT_OK;
	keeper_summary(keeper, &summary);
	assert_true(summary.tenants[1].api_up && !summary.tenants[1].down);
	assert_int_equal(summary.tenants[1].by_state[REG_REFUSED], 0);
	pass(keeper, 2000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 60);
	assert_string_equal(log_text, "");
	end(keeper);
}

static void the_silence_of_the_former_core_does_not_brake_the_new_one(void **state)
{
	(void)state;
	the_former_core_answers(UPSERT_FAILED);
}

static void what_the_former_core_refuses_is_not_refused_by_the_new_one(void **state)
{
	(void)state;
	the_former_core_answers(UPSERT_REFUSED);
}

/* acme's core is down when it becomes another, which works: what is known of the one before
 * holds that up neither between two probes nor while one of them is out. */
static void the_new_core_is_asked_at_once(bool while_a_probe_is_out)
{
	struct keeper *keeper = start_two(NULL, 10, 60);
	struct registrar_summary summary;
	unsigned before;

	pass(keeper, 60000);
	core.second_down = true;
	keeper_refresh(keeper, 0, clock_now());
	pass(keeper, 120000); /* the pauses between probes are long by now */
	keeper_summary(keeper, &summary);
	assert_true(summary.tenants[1].down);
	for (int i = 0; i < 30000 && (core.count != 0) != while_a_probe_is_out; i++)
		pass(keeper, 1);
	assert_int_equal(core.count, while_a_probe_is_out);
	before = core.total;
	core.slow_ms = 10000;
	keeper_tenant_repeat(keeper, 1, clock_now());
	pass(keeper, 200);
	assert_int_equal(core.total, before + 1); /* a probe too */
	core.slow_ms = 0;
	core.second_down = false;
	pass(keeper, 5000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 60);
	end(keeper);
}

static void the_new_core_is_asked_between_two_probes_of_the_former(void **state)
{
	(void)state;
	the_new_core_is_asked_at_once(false);
}

static void the_new_core_is_asked_while_a_probe_of_the_former_is_out(void **state)
{
	(void)state;
	the_new_core_is_asked_at_once(true);
}

static void the_rate_of_a_tenant_may_change(void **state)
{
	struct keeper_tenant slow = acme;
	struct keeper *keeper = start_two(NULL, 10, 20);
	struct registrar_summary summary;

	(void)state;
	slow.max_rate = 3;
	assert_int_equal(keeper_tenant_put(keeper, 1, &slow, clock_now()), 0);
	pass(keeper, 30000);
	keeper_summary(keeper, &summary);
	assert_true(summary.tenants[1].rate > 2.9 && summary.tenants[1].rate < 3.1);
	end(keeper);
}

static void a_core_that_was_not_asked_yet_is_not_said_to_be_silent(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 10);
	struct registrar_summary summary;

	(void)state;
	keeper_summary(keeper, &summary);
	assert_false(summary.api_asked);
	pass(keeper, 5000);
	keeper_summary(keeper, &summary);
	assert_true(summary.api_asked && summary.api_up);
	assert_true(summary.tenants[0].asked);
	assert_false(summary.tenants[1].asked); /* it has no numbers */
	end(keeper);
}

static void the_store_knows_which_tenant_has_gone(void **state)
{
	struct keeper *keeper = start_two(store_path, 10, 20);

	(void)state;
	pass(keeper, 60000);
	keeper_tenant_leave(keeper, 1, clock_now());
	rewant_two(keeper, 10, 10);
	pass(keeper, 10000);
	assert_true(keeper_tenant_left(keeper, 1));
	end(keeper);
	keeper = start_two(store_path, 10, 10);
	pass(keeper, 5000);
	assert_int_equal(sum(core.second_deletes, 11, 20), 10); /* nothing is left to delete */
	end(keeper);
}

static void what_a_tenant_that_is_not_configured_has_is_counted_until_it_lapses(void **state)
{
	struct keeper *keeper = start_two(store_path, 10, 20);
	struct registrar_summary summary;

	(void)state;
	pass(keeper, 60000);
	end(keeper);
	keeper = start_with((struct keeper_options){ .store = store_path, .boot = "this one" }, 10,
			    "tas.example.com");
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.left_behind, 10);
	assert_int_equal(said("10 registrations of tenants that are not configured"), 1);
	pass(keeper, 3700000);
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.left_behind, 0);
	end(keeper);
}

static void each_core_has_a_token_of_its_own(void **state)
{
	struct keeper_options options = two_tenants;
	struct wanted *wanted = want_two(5, 10);
	struct keeper *keeper;

	(void)state;
	options.tenants[0].needs_token = options.tenants[1].needs_token = true;
	options.token_refused = on_token_refused;
	assert_int_equal(keeper_create(&keeper, &options, wanted, clock_now()), 0);
	wanted_destroy(wanted);
	keeper_token(keeper, 1, "second", 3600, NULL, 0, clock_now());
	pass(keeper, 3000);
	assert_int_equal(core.upserts[1], 0);
	assert_int_equal(core.second_upserts[6], 1);
	keeper_token(keeper, 0, NULL, 0, "no answer", 5000, clock_now());
	assert_int_equal(said("tenant=default no token"), 1);
	keeper_token(keeper, 0, "first", 3600, NULL, 0, clock_now());
	pass(keeper, 3000);
	assert_int_equal(core.upserts[1], 1);
	end(keeper);
}

static void a_number_that_moves_is_at_one_core_or_both_at_every_moment(void **state)
{
	struct keeper *keeper = start_two(store_path, 10, 10);

	(void)state;
	pass(keeper, 5000);
	rewant_two(keeper, 4, 10);
	for (int i = 0; i < 1000; i++) {
		pass(keeper, 5);
		for (unsigned n = 5; n <= 10; n++)
			assert_true(core.expires[n] > clock_now() ||
				    core.second_expires[n] > clock_now());
	}
	for (unsigned n = 1; n <= 10; n++) {
		assert_int_equal(core.deletes[n], n > 4);
		assert_int_equal(core.second_upserts[n], n > 4);
	}
	assert_int_equal(in_state(keeper, REG_ACTIVE), 10);
	assert_false(look(keeper, 5).moves);
	assert_string_equal(look(keeper, 5).tenant, "acme");
	end(keeper);
	keeper = start_two(store_path, 4, 10); /* and so the store says */
	pass(keeper, 5000);
	assert_int_equal(core.second_upserts[5], 1);
	assert_int_equal(core.upserts[5], 1);
	end(keeper);
}

static void until_the_new_core_has_it_the_old_one_keeps_it(void **state)
{
	struct keeper *keeper = start_two(store_path, 10, 10);

	(void)state;
	pass(keeper, 5000);
	core.second_down = true;
	rewant_two(keeper, 4, 10);
	pass(keeper, 2 * 3600000);
	assert_int_equal(core.lapses, 0);
	assert_int_equal(lapsed_now(10), 0);
	assert_int_equal(core.deletes[5], 0);
	assert_true(look(keeper, 5).moves);
	/* A restart in the middle of it forgets nothing. */
	end(keeper);
	keeper = start_two(store_path, 4, 10);
	pass(keeper, 3600000);
	assert_int_equal(core.lapses, 0);
	assert_int_equal(lapsed_now(10), 0);
	core.second_down = false;
	pass(keeper, 120000);
	for (unsigned n = 5; n <= 10; n++) {
		assert_int_equal(core.deletes[n], 1);
		assert_true(core.second_expires[n] > clock_now());
	}
	end(keeper);
}

static void one_that_moves_back_stays_where_it_was(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 10);

	(void)state;
	pass(keeper, 5000);
	core.second_down = true;
	rewant_two(keeper, 0, 10);
	pass(keeper, 60000);
	core.second_down = false;
	rewant_two(keeper, 10, 10);
	pass(keeper, 120000);
	for (unsigned n = 1; n <= 10; n++) {
		assert_int_equal(core.deletes[n], 0);
		assert_true(core.expires[n] > clock_now());
		assert_int_equal(core.second_expires[n], 0);
	}
	assert_int_equal(in_state(keeper, REG_ACTIVE), 10);
	end(keeper);
}

static void one_on_its_way_that_nobody_wants_is_deleted_everywhere(void **state)
{
	struct keeper *keeper = start_two(NULL, 10, 10);

	(void)state;
	pass(keeper, 5000);
	core.second_down = true;
	rewant_two(keeper, 0, 10);
	pass(keeper, 60000);
	rewant_two(keeper, 0, 0);
	core.second_down = false;
	pass(keeper, 120000);
	for (unsigned n = 1; n <= 10; n++) {
		assert_int_equal(core.expires[n], 0);
		assert_int_equal(core.second_expires[n], 0);
	}
	end(keeper);
}

static void a_sick_one_withdraws_from_every_core_also_what_moves(void **state)
{
	struct registrar_verdict verdict = { .sick = true, .why = "test" };
	struct keeper *keeper = start_two(NULL, 10, 20);

	(void)state;
	pass(keeper, 5000);
	core.second_down = true;
	rewant_two(keeper, 5, 20); /* 6 to 10 are on their way */
	pass(keeper, 10000);
	keeper_judge(keeper, &verdict, clock_now());
	pass(keeper, 10000);
	for (unsigned n = 1; n <= 10; n++)
		assert_int_equal(core.expires[n], 0);
	core.second_down = false;
	pass(keeper, 120000);
	for (unsigned n = 6; n <= 20; n++)
		assert_int_equal(core.second_expires[n], 0);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 20);
	verdict.sick = false;
	keeper_judge(keeper, &verdict, clock_now());
	pass(keeper, 10000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 20);
	assert_int_equal(core.expires[6], 0);
	end(keeper);
}

static void rows_of_a_tenant_nobody_configured_are_left_alone(void **state)
{
	struct keeper *keeper = start_two(store_path, 5, 10);
	struct wanted *wanted;

	(void)state;
	pass(keeper, 5000);
	end(keeper);
	keeper = start_with((struct keeper_options){ .store = store_path, .boot = "this one" }, 5,
			    "tas.example.com");
	pass(keeper, 5000);
	assert_int_equal(said("has 5 registrations of tenants that are not configured"), 1);
	assert_int_equal(core.deletes[6] + core.second_deletes[6], 0);
	end(keeper);
	/* It comes back, and takes them back. */
	keeper = start_two(store_path, 5, 5);
	pass(keeper, 5000);
	wanted = want_two(5, 5);
	wanted_destroy(wanted);
	for (unsigned n = 6; n <= 10; n++)
		assert_int_equal(core.second_deletes[n], 1);
	end(keeper);
}

static void numbers_of_a_tenant_that_is_new_wait_and_stay_where_they_are(void **state)
{
	const uint8_t none[CONFIG_TENANTS] = { 0, WANTED_NOWHERE };
	struct config_tenant later = { .name = (char *)"later" };
	struct config_registration registrations[2] = {
		{ .number = 4799000001, .route_type = ROUTE_TYPE_LOOP, .tenant = 1 },
		{ .number = 4799000002, .route_type = ROUTE_TYPE_LOOP, .tenant = 1 }
	};
	struct config config = { .domain = (char *)"tas.example.com",
				 .prefix_mo = (char *)"00",
				 .tenants = &later,
				 .tenant_count = 1,
				 .registrations = registrations,
				 .registration_count = 2 };
	struct keeper *keeper = start(1);
	struct wanted *wanted;

	(void)state;
	pass(keeper, 5000);
	assert_int_equal(wanted_create(&wanted, &config, none), 0);
	assert_int_equal(keeper_want(keeper, wanted, clock_now()), 0);
	wanted_destroy(wanted);
	pass(keeper, 2 * 3600000);
	assert_int_equal(core.lapses + lapsed_now(1), 0);
	assert_int_equal(core.deletes[1], 0);
	assert_int_equal(core.upserts[2], 0);
	end(keeper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEEPER(each_number_is_registered_at_its_tenants_core),
		KEEPER(a_dead_core_makes_no_others_numbers_lapse),
		KEEPER(one_that_is_wanted_back_with_another_type_changes_at_once),
		KEEPER(one_that_throttles_slows_down_no_other),
		KEEPER(what_a_tenant_that_is_not_configured_has_is_counted_until_it_lapses),
		KEEPER(each_core_has_a_token_of_its_own),
		KEEPER(a_number_that_moves_is_at_one_core_or_both_at_every_moment),
		KEEPER(until_the_new_core_has_it_the_old_one_keeps_it),
		KEEPER(one_that_moves_back_stays_where_it_was),
		KEEPER(one_on_its_way_that_nobody_wants_is_deleted_everywhere),
		KEEPER(a_sick_one_withdraws_from_every_core_also_what_moves),
		KEEPER(rows_of_a_tenant_nobody_configured_are_left_alone),
		KEEPER(numbers_of_a_tenant_that_is_new_wait_and_stay_where_they_are),
		KEEPER(a_tenant_that_comes_begins_at_once),
		KEEPER(one_that_goes_takes_its_registrations_back_first),
		KEEPER(one_that_goes_keeps_what_has_not_arrived_elsewhere),
		KEEPER(one_that_cannot_be_told_goes_when_its_ttl_is_over),
		KEEPER(what_was_refreshed_while_its_tenant_left_is_not_forgotten),
		KEEPER(one_without_a_token_goes_when_its_ttl_is_over),
		KEEPER(one_that_comes_back_before_it_has_gone_stays),
		KEEPER(what_is_on_its_way_out_is_not_brought_back_by_a_move),
		KEEPER(one_that_its_core_has_yet_after_a_failed_refresh_is_kept_nowhere_else),
		KEEPER(a_number_waits_for_the_new_core_of_a_tenant_that_has_moved),
		KEEPER(another_account_is_told_everything_at_once),
		KEEPER(the_silence_of_the_former_core_does_not_brake_the_new_one),
		KEEPER(what_the_former_core_refuses_is_not_refused_by_the_new_one),
		KEEPER(the_new_core_is_asked_between_two_probes_of_the_former),
		KEEPER(the_new_core_is_asked_while_a_probe_of_the_former_is_out),
		KEEPER(the_rate_of_a_tenant_may_change),
		KEEPER(a_core_that_was_not_asked_yet_is_not_said_to_be_silent),
		KEEPER(the_store_knows_which_tenant_has_gone),
	};

	return cmocka_run_group_tests_name("registrar/keeper_moves", tests, NULL, NULL);
}
