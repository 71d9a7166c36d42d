/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/keeper_rig.h"

/* ---- keeping them alive ---- */

static void all_are_registered_at_a_paced_rate(void **state)
{
	struct keeper *keeper = start(MAX);

	(void)state;
	pass(keeper, 25000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), MAX);
	assert_in_range(core.most_in_second, 400, 600);
	assert_string_equal(core.uri, "sips:tas.example.com");
	end(keeper);
}

static void a_configured_rate_is_kept(void **state)
{
	struct keeper *keeper =
		start_with((struct keeper_options){ .tenants[0].max_rate = 50 }, 1000, "a");

	(void)state;
	pass(keeper, 10000);
	assert_in_range(core.total, 450, 510);
	assert_in_range(core.most_in_second, 40, 60);
	end(keeper);
}

static void hours_pass_without_a_lapse_and_without_lumps(void **state)
{
	struct keeper *keeper = start(MAX);
	unsigned at_start;

	(void)state;
	pass(keeper, 3600000);
	at_start = core.total;
	core.most_in_second = 0;
	pass(keeper, 3 * 3600000);
	assert_int_equal(core.lapses + lapsed_now(MAX), 0);
	/* 10,000 at 0.4 of the hour are 6.9 a second. */
	assert_in_range(core.total - at_start, 10800 * 6, 10800 * 9);
	assert_true(core.most_in_second < 40);
	end(keeper);
}

static void an_outage_of_25_minutes_lapses_nobody(void **state)
{
	struct keeper *keeper = start(MAX);
	unsigned before, during;

	(void)state;
	pass(keeper, 2 * 3600000);
	before = core.total;
	core.down = true;
	pass(keeper, 25 * 60000);
	during = core.total - before;
	core.down = false;
	pass(keeper, 3 * 60000);
	assert_int_equal(core.lapses + lapsed_now(MAX), 0);
	assert_int_equal(in_state(keeper, REG_ACTIVE), MAX);
	assert_true(during < 200); /* probes, not thousands */
	assert_int_equal(said("API does not work"), 1);
	assert_int_equal(said("API works again after 15"), 1);
	/* What was caught up in half a minute does not come back as a lump. */
	core.most_in_second = 0;
	pass(keeper, 2 * 3600000);
	assert_true(core.most_in_second < 60);
	assert_int_equal(core.lapses, 0);
	end(keeper);
}

static void a_short_ttl_is_kept_too(void **state)
{
	struct keeper *keeper;

	(void)state;
	core.ttl_s = 2;
	keeper = start(100);
	pass(keeper, 60000);
	assert_int_equal(core.lapses + lapsed_now(100), 0);
	for (unsigned i = 1; i <= 100; i++)
		assert_in_range(core.upserts[i], 50, 130);
	end(keeper);
}

static void a_ttl_that_shrinks_is_followed(void **state)
{
	struct keeper *keeper = start(1000);

	(void)state;
	pass(keeper, 60000);
	core.ttl_s = 60;
	pass(keeper, 3600000);
	core.lapses = 0;
	pass(keeper, 600000);
	assert_int_equal(core.lapses + lapsed_now(1000), 0);
	end(keeper);
}

/* ---- troubles of one ---- */

static void one_refused_is_said_once_and_holds_nobody_up(void **state)
{
	struct keeper *keeper;

	(void)state;
	core.verdicts[7] = UPSERT_REFUSED;
	keeper = start(100);
	pass(keeper, 3600000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 99);
	assert_int_equal(look(keeper, 7).state, REG_REFUSED);
	assert_string_equal(look(keeper, 7).last_error, "UNAVAILABLE: Connection refused");
	assert_in_range(core.upserts[7], 4, 5); /* 0, 1, 6, 21 minutes */
	assert_int_equal(said("refused by the core"), 1);
	assert_int_equal(said("4799000007"), 0); /* masked */
	assert_int_equal(core.lapses, 0);
	core.verdicts[7] = UPSERT_OK;
	keeper_refresh(keeper, FIRST + 7, clock_now());
	pass(keeper, 1000);
	assert_int_equal(look(keeper, 7).state, REG_ACTIVE);
	assert_string_equal(look(keeper, 7).last_error, "");
	assert_int_equal(said("accepted by the core"), 1);
	end(keeper);
}

static void a_failing_one_backs_off_and_holds_nobody_up(void **state)
{
	struct keeper *keeper;

	(void)state;
	core.verdicts[3] = core.verdicts[4] = UPSERT_FAILED;
	keeper = start(1000);
	pass(keeper, 4 * 3600000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 998);
	assert_int_equal(core.lapses, 0);
	assert_int_equal(said("API does not work"), 0);
	assert_in_range(core.upserts[3], 240, 800); /* about twice a minute */
	end(keeper);
}

static void many_refused_ones_do_not_fill_the_log(void **state)
{
	struct keeper *keeper;

	(void)state;
	core.verdict = UPSERT_REFUSED;
	keeper = start(MAX);
	pass(keeper, 20000);
	assert_true(said("refused by the core") <= 60);
	end(keeper);
}

static void one_that_cannot_be_packed_is_refused(void **state)
{
	struct keeper *keeper;

	(void)state;
	core.send_error = -EINVAL;
	keeper = start(3);
	pass(keeper, 10000);
	assert_int_equal(in_state(keeper, REG_REFUSED), 3);
	core.send_error = -ENOMEM;
	keeper_refresh(keeper, 0, clock_now());
	pass(keeper, 10000);
	assert_int_equal(in_state(keeper, REG_BACKOFF), 3);
	core.send_error = 0;
	pass(keeper, 120000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 3);
	end(keeper);
}

/* ---- the token ---- */

static void without_a_token_all_wait(void **state)
{
	struct keeper *keeper =
		start_with((struct keeper_options){ .tenants[0].needs_token = true }, 10, "a");
	struct registrar_summary summary;

	(void)state;
	keeper_token(keeper, 0, NULL, 0, "check the secret", 1000, clock_now());
	keeper_token(keeper, 0, NULL, 0, "check the secret", 2000, clock_now());
	pass(keeper, 600000);
	assert_int_equal(core.total, 0);
	assert_int_equal(said("no token: check the secret"), 1);
	keeper_summary(keeper, &summary);
	assert_false(summary.token_ok);
	keeper_token(keeper, 0, "t1", 3600, NULL, 0, clock_now());
	pass(keeper, 1000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 10);
	keeper_summary(keeper, &summary);
	assert_true(summary.token_ok && summary.api_up);
	end(keeper);
}

static void a_refused_token_makes_all_wait_for_the_next_unblamed(void **state)
{
	struct keeper *keeper =
		start_with((struct keeper_options){ .tenants[0].needs_token = true }, 500, "a");
	unsigned asked;

	(void)state;
	keeper_token(keeper, 0, "t1", 36000, NULL, 0, clock_now());
	pass(keeper, 5000);
	core.verdict = UPSERT_UNAUTHENTICATED;
	keeper_refresh(keeper, 0, clock_now());
	asked = core.total;
	pass(keeper, 600000);
	assert_true(core.total - asked <= 256);
	assert_string_equal(core.refused_token, "t1");
	assert_int_equal(said("does not take the token"), 1);
	for (unsigned i = 1; i <= 500; i++)
		assert_int_equal(look(keeper, i).failures, 0);
	core.verdict = UPSERT_OK;
	keeper_token(keeper, 0, "t2", 36000, NULL, 0, clock_now());
	pass(keeper, 5000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 500);
	assert_int_equal(said("takes the new token"), 1);
	assert_int_equal(core.lapses, 0);
	end(keeper);
}

/* The answer comes when it must not have the number any more. */
static void a_refused_token_of_a_sick_one_is_asked_nothing_with(void **state)
{
	struct keeper *keeper =
		start_with((struct keeper_options){ .tenants[0].needs_token = true }, 5, "a");
	struct registrar_verdict sick = { .sick = true, .since = clock_now(), .why = "for good" };
	unsigned asked;

	(void)state;
	core.verdict = UPSERT_UNAUTHENTICATED;
	keeper_token(keeper, 0, "t1", 36000, NULL, 0, clock_now());
	pass(keeper, LATENCY_MS); /* sent, and not answered yet */
	asked = core.total;
	assert_int_equal(asked, 5);
	keeper_judge(keeper, &sick, clock_now());
	pass(keeper, 5000);
	core.verdict = UPSERT_OK;
	keeper_token(keeper, 0, "t2", 36000, NULL, 0, clock_now());
	pass(keeper, 5000);
	assert_int_equal(core.total, asked);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 5);
	end(keeper);
}

static void an_expired_token_is_not_used(void **state)
{
	struct keeper *keeper =
		start_with((struct keeper_options){ .tenants[0].needs_token = true }, 10, "a");
	unsigned asked;

	(void)state;
	keeper_token(keeper, 0, "t1", 60, NULL, 0, clock_now());
	pass(keeper, 60000);
	asked = core.total;
	keeper_refresh(keeper, 0, clock_now());
	pass(keeper, 60000);
	assert_int_equal(core.total, asked);
	end(keeper);
}

static void unauthenticated_without_tokens_is_a_refusal(void **state)
{
	struct keeper *keeper;

	(void)state;
	core.verdict = UPSERT_UNAUTHENTICATED;
	keeper = start(5);
	pass(keeper, 30000);
	assert_int_equal(in_state(keeper, REG_REFUSED), 5);
	assert_int_equal(core.total, 5);
	end(keeper);
}

/* ---- other numbers, other parameters ---- */

static void removed_ones_are_deleted_and_new_ones_made(void **state)
{
	struct keeper *keeper = start(100);
	struct reg_info info;

	(void)state;
	pass(keeper, 5000);
	rewant(keeper, 51, 100, ROUTE_TYPE_LOOP);
	assert_int_equal(in_state(keeper, REG_WITHDRAWING), 50);
	assert_int_equal(look(keeper, 1).route_type, ROUTE_TYPE_LOOP);
	pass(keeper, 5000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 100);
	assert_int_equal(in_state(keeper, REG_WITHDRAWING), 0);
	for (unsigned i = 1; i <= 150; i++) {
		assert_int_equal(core.deletes[i], i <= 50);
		assert_int_equal(core.upserts[i], 1);
	}
	assert_int_equal(keeper_lookup(keeper, FIRST + 1, &info), -ENOENT);
	rewant(keeper, 1, 150, ROUTE_TYPE_LOOP); /* and back again */
	pass(keeper, 5000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 150);
	end(keeper);
}

static void other_parameters_are_told_at_once(void **state)
{
	struct keeper *keeper = start(100);

	(void)state;
	pass(keeper, 5000);
	rewant(keeper, 1, 100, ROUTE_TYPE_FORK);
	pass(keeper, 5000);
	assert_int_equal(core.total, 200);
	assert_int_equal(core.route_type, ROUTE_TYPE_FORK);
	assert_int_equal(look(keeper, 1).route_type, ROUTE_TYPE_FORK);
	rewant(keeper, 1, 100, ROUTE_TYPE_FORK); /* the same again: nothing */
	pass(keeper, 5000);
	assert_int_equal(core.total, 200);
	end(keeper);
}

static void changes_while_requests_are_out_end_well(void **state)
{
	struct keeper *keeper = start(200);

	(void)state;
	srand(3);
	for (int i = 0; i < 300; i++) {
		rewant(keeper, (unsigned)rand() % 50 + 1, (unsigned)rand() % 100 + 1,
		       rand() % 2 ? ROUTE_TYPE_LOOP : ROUTE_TYPE_FORK);
		core.verdict = rand() % 4 ? UPSERT_OK : UPSERT_FAILED;
		pass(keeper, rand() % 200);
	}
	core.verdict = UPSERT_OK;
	rewant(keeper, 10, 5, ROUTE_TYPE_LOOP);
	pass(keeper, 200000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 5);
	assert_int_equal(in_state(keeper, REG_WITHDRAWING), 0);
	for (unsigned i = 1; i <= 200; i++) /* the core knows exactly those */
		assert_int_equal(core.expires[i] != 0, i >= 10 && i < 15);
	end(keeper);
}

static void a_delete_that_fails_is_repeated_until_the_ttl_is_over(void **state)
{
	struct keeper *keeper = start(2);

	(void)state;
	pass(keeper, 5000);
	core.verdicts[2] = UPSERT_FAILED;
	rewant(keeper, 1, 1, ROUTE_TYPE_LOOP);
	pass(keeper, 1800000);
	assert_int_equal(in_state(keeper, REG_WITHDRAWING), 1);
	assert_true(core.deletes[2] > 10);
	pass(keeper, 1900000);
	assert_int_equal(in_state(keeper, REG_WITHDRAWING), 0);
	end(keeper);
}

static void withdrawing_at_stop_deletes_all_in_a_hurry(void **state)
{
	struct keeper *keeper = start(5000);
	mono_ms begin;

	(void)state;
	pass(keeper, 30000);
	begin = clock_now();
	keeper_stop(keeper, true, clock_now());
	while (!keeper_idle(keeper) && clock_now() - begin < 60000)
		pass(keeper, 10);
	assert_true(clock_now() - begin < 2000);
	for (unsigned i = 1; i <= 5000; i++)
		assert_int_equal(core.deletes[i], 1);
	end(keeper);
}

static void stopping_without_withdrawing_sends_nothing_more(void **state)
{
	struct keeper *keeper = start(5000);
	unsigned sent;

	(void)state;
	pass(keeper, 2000);
	keeper_stop(keeper, false, clock_now());
	sent = core.total;
	pass(keeper, 2000);
	assert_true(keeper_idle(keeper));
	assert_int_equal(core.total, sent);
	end(keeper);
}

static void the_last_troubles_of_a_number_are_remembered(void **state)
{
	struct keeper *keeper = start(2);
	struct reg_attempt attempts[3];

	(void)state;
	pass(keeper, 5000);
	assert_int_equal(keeper_attempts(keeper, FIRST + 1, attempts, 3), 0);
	core.verdicts[1] = UPSERT_REFUSED;
	keeper_refresh(keeper, FIRST + 1, clock_now());
	pass(keeper, 5000);
	core.verdicts[1] = UPSERT_OK;
	keeper_refresh(keeper, FIRST + 1, clock_now());
	pass(keeper, 5000);
	assert_int_equal(keeper_attempts(keeper, FIRST + 1, attempts, 3), 2);
	assert_string_equal(attempts[0].text, "");
	assert_string_equal(attempts[1].text, "UNAVAILABLE: Connection refused");
	assert_int_equal(attempts[1].took_ms, LATENCY_MS);
	assert_true(attempts[0].at > attempts[1].at);
	assert_int_equal(keeper_attempts(keeper, FIRST + 2, attempts, 3), 0);
	end(keeper);
}

static void the_margin_says_how_long_the_core_may_be_away(void **state)
{
	struct keeper *keeper = start(MAX);
	struct registrar_summary summary;

	(void)state;
	pass(keeper, 2 * 3600000);
	keeper_summary(keeper, &summary);
	assert_in_range(summary.margin_ms, 30 * 60000, 31 * 60000);
	core.down = true;
	pass(keeper, 10 * 60000);
	keeper_summary(keeper, &summary);
	assert_in_range(summary.margin_ms, 20 * 60000, 21 * 60000);
	end(keeper);
}

/* ---- the store ---- */

static struct keeper *start_booted(unsigned count, const char *domain, const char *boot)
{
	return start_with((struct keeper_options){ .store = store_path, .boot = boot }, count,
			  domain);
}

static struct keeper *start_stored(unsigned count, const char *domain)
{
	return start_booted(count, domain, "a boot");
}

static void a_restart_goes_on_where_it_stopped(void **state)
{
	struct keeper *keeper = start_stored(1000, "a");

	(void)state;
	pass(keeper, 60000);
	end(keeper);
	clock_fake_advance(60000);
	clock_fake_wall_set(WALL + 120000);
	core.total = 0;
	keeper = start_stored(990, "a");
	assert_int_equal(in_state(keeper, REG_ACTIVE), 990);
	pass(keeper, 60000);
	assert_int_equal(core.total, 10); /* the deletes of those not configured any more */
	for (unsigned i = 991; i <= 1000; i++)
		assert_int_equal(core.deletes[i], 1);
	pass(keeper, 2 * 3600000);
	assert_int_equal(core.lapses + lapsed_now(990), 0);
	end(keeper);
}

static void a_restart_with_another_domain_tells_it_at_once(void **state)
{
	struct keeper *keeper = start_stored(100, "a");

	(void)state;
	pass(keeper, 60000);
	end(keeper);
	core.total = 0;
	keeper = start_stored(100, "b");
	pass(keeper, 5000);
	assert_int_equal(core.total, 100);
	assert_string_equal(core.uri, "sips:b");
	end(keeper);
}

static void after_a_long_stop_all_are_made_anew_and_the_others_deleted(void **state)
{
	struct keeper *keeper = start_stored(100, "a");

	(void)state;
	pass(keeper, 60000);
	end(keeper);
	clock_fake_advance(3 * 3600000);
	core.total = 0;
	keeper = start_stored(90, "a");
	pass(keeper, 5000);
	assert_int_equal(core.total, 100); /* nobody has confirmed that those 10 are gone */
	assert_int_equal(in_state(keeper, REG_ACTIVE), 90);
	assert_int_equal(in_state(keeper, REG_WITHDRAWING), 0);
	end(keeper);
	core.total = 0;
	keeper = start_stored(90, "a"); /* their rows are gone from the file */
	pass(keeper, 5000);
	assert_int_equal(core.total, 0);
	end(keeper);
}

static void a_wall_clock_that_was_set_while_it_was_down_means_nothing(void **state)
{
	static const wall_ms steps[] = { -86400000, -2000000, 2000000, 4000000, 86400000 };
	struct keeper *keeper = start_stored(100, "a");

	(void)state;
	pass(keeper, 60000);
	end(keeper);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		clock_fake_wall_set(clock_wall() + steps[i]);
		core.total = 0;
		keeper = start_stored(100, "a");
		pass(keeper, 5000);
		assert_int_equal(core.total, 0);
		end(keeper);
	}
}

static void after_a_reboot_the_times_on_file_are_not_trusted_for_long(void **state)
{
	struct keeper *keeper = start_stored(100, "a");

	(void)state;
	pass(keeper, 60000);
	end(keeper);
	clock_fake_wall_set(clock_wall() - 2000000); /* they seem to last longer */
	core.total = 0;
	keeper = start_booted(100, "a", "another boot");
	pass(keeper, 5000);
	assert_in_range(core.total, 1, 30); /* spread over a minute */
	pass(keeper, 60000);
	assert_int_equal(core.total, 100);
	end(keeper);
}

static void what_is_said_is_written_down_before(void **state)
{
	struct keeper *dead = start_stored(10, "a"), *keeper;

	(void)state;
	keeper_run(dead, clock_now());
	assert_int_equal(core.count, 10);
	keeper = start_stored(0, "a"); /* as if the other one had been killed here */
	end(dead);
	pass(keeper, 5000);
	for (unsigned i = 1; i <= 10; i++)
		assert_int_equal(core.deletes[i], 1);
	end(keeper);
}

static void a_late_upsert_does_not_outlive_its_delete(void **state)
{
	struct keeper *keeper = start_stored(1, "a");

	(void)state;
	core.down = true;
	pass(keeper, 500);
	rewant(keeper, 1, 0, ROUTE_TYPE_LOOP); /* the upsert had no answer */
	core.down = false;
	pass(keeper, 5000);
	assert_int_equal(core.deletes[1], 1);
	core.expires[1] = clock_now() + 3600000; /* it arrives behind the delete */
	pass(keeper, 60000);
	assert_true(core.deletes[1] >= 2);
	assert_int_equal(core.expires[1], 0);
	assert_int_equal(in_state(keeper, REG_WITHDRAWING), 0);
	end(keeper);
}

static void a_delete_not_yet_done_survives_a_restart(void **state)
{
	struct keeper *keeper = start_stored(10, "a");

	(void)state;
	pass(keeper, 60000);
	core.down = true;
	rewant(keeper, 1, 5, ROUTE_TYPE_LOOP);
	pass(keeper, 5000);
	end(keeper);
	core.down = false;
	memset(core.deletes, 0, sizeof(core.deletes));
	clock_fake_wall_set(WALL + 65000);
	keeper = start_stored(5, "a");
	pass(keeper, 5000);
	for (unsigned i = 6; i <= 10; i++)
		assert_int_equal(core.deletes[i], 1);
	end(keeper);
}

static struct keeper *start_at_core(uint64_t id)
{
	return start_with((struct keeper_options){ .tenants[0].core = id,
						   .store = store_path,
						   .boot = "this one" },
			  100, "a");
}

static void what_another_core_was_told_is_told_at_the_start(void **state)
{
	struct keeper *keeper = start_at_core(7);

	(void)state;
	pass(keeper, 60000);
	end(keeper);
	keeper = start_at_core(7);
	pass(keeper, 60000);
	assert_int_equal(core.total, 100);
	end(keeper);
	keeper = start_at_core(8);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 0);
	pass(keeper, 60000);
	assert_int_equal(core.total, 200);
	end(keeper);
	keeper = start_at_core(0); /* whichever it is */
	pass(keeper, 60000);
	assert_int_equal(core.total, 200);
	end(keeper);
}

static void a_store_that_cannot_be_opened_is_an_error(void **state)
{
	struct wanted *wanted = want(1, 1, "a", ROUTE_TYPE_LOOP);
	struct keeper_options options = { .store = "/nonexistent/db" };
	struct keeper *keeper = NULL;

	(void)state;
	assert_int_equal(keeper_create(&keeper, &options, wanted, clock_now()), -EIO);
	assert_null(keeper);
	wanted_destroy(wanted);
}

/* ---- questions ---- */

struct list {
	unsigned count;
	char first[E164_ROOM], last[E164_ROOM];
};

static void on_info(const struct reg_info *info, void *arg)
{
	struct list *list = arg;

	if (!list->count++)
		strcpy(list->first, info->number);
	assert_true(strcmp(info->number, list->last) > 0);
	strcpy(list->last, info->number);
}

static void the_list_is_in_number_order_and_in_pages(void **state)
{
	struct keeper *keeper = start(10);
	struct list list = { 0 };

	(void)state;
	pass(keeper, 1000);
	rewant(keeper, 3, 8, ROUTE_TYPE_LOOP); /* 1 and 2 go */
	pass(keeper, 1000);
	assert_int_equal(keeper_list(keeper, 0, 5, on_info, &list), 5);
	assert_string_equal(list.first, "+4799000003");
	assert_string_equal(list.last, "+4799000007");
	assert_int_equal(keeper_list(keeper, FIRST + 7, 50, on_info, &list), 3);
	assert_string_equal(list.last, "+4799000010");
	assert_int_equal(keeper_list(keeper, FIRST + 10, 50, on_info, &list), 0);
	end(keeper);
}

static void the_summary_tells_the_first_expiry(void **state)
{
	struct keeper *keeper = start(10);
	struct registrar_summary summary;

	(void)state;
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.by_state[REG_NEW], 10);
	assert_int_equal(summary.first_expiry_ms, 0);
	assert_false(summary.api_up);
	pass(keeper, 1000);
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.by_state[REG_ACTIVE], 10);
	assert_in_range(summary.first_expiry_ms, START + 3600000, START + 3601000);
	assert_true(summary.api_up && summary.token_ok);
	end(keeper);
}

/* ---- the gate ---- */

static struct registrar_verdict sick(void)
{
	return (struct registrar_verdict){ .sick = true,
					   .since = clock_now() - 3000,
					   .why = "the certificate has expired" };
}

static void judge(struct keeper *keeper, struct registrar_verdict verdict)
{
	keeper_judge(keeper, &verdict, clock_now());
}

static void well(struct keeper *keeper)
{
	judge(keeper, (struct registrar_verdict){ 0 });
}

static void a_sick_one_deletes_all_keeps_them_and_makes_them_anew(void **state)
{
	struct keeper *keeper = start(1000);
	struct registrar_summary summary;
	struct reg_info info;

	(void)state;
	pass(keeper, 10000);
	judge(keeper, sick());
	pass(keeper, 4000);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 1000);
	assert_int_equal(lapsed_now(1000), 1000);
	assert_in_range(core.most_in_second, 400, 600);
	info = look(keeper, 7);
	assert_true(info.held);
	assert_string_equal(info.last_error, "held: the certificate has expired");
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.held, 1000);
	assert_string_equal(summary.held_why, "the certificate has expired");
	assert_in_range(summary.native_ms, 3000 + 1900, 3000 + 2300);
	assert_int_equal(said("gate closed registrations=1000"), 1);
	assert_int_equal(said("all withheld are deleted, held=1000"), 1);
	pass(keeper, 7200000); /* and nothing brings them back */
	judge(keeper, sick());
	keeper_refresh(keeper, 0, clock_now());
	pass(keeper, 10000);
	assert_int_equal(core.upserts[7], 1);
	well(keeper);
	core.most_in_second = 0;
	pass(keeper, 10000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 1000);
	assert_int_equal(lapsed_now(1000), 0);
	assert_in_range(core.most_in_second, 400, 600);
	assert_int_equal(said("gate open"), 1);
	assert_int_equal(core.deletes[7], 1);
	end(keeper);
}

static void nothing_is_deleted_while_all_is_well(void **state)
{
	struct keeper *keeper = start(100);

	(void)state;
	for (int i = 0; i < 3600; i++) {
		well(keeper);
		pass(keeper, 1000);
	}
	for (unsigned i = 1; i <= 100; i++)
		assert_int_equal(core.deletes[i], 0);
	end(keeper);
}

static void the_most_affected_go_first_and_at_the_rate_given(void **state)
{
	struct keeper *keeper = start(0);
	struct config config = { .domain = (char *)"a", .version = "1" };
	static struct config_registration registrations[4];
	static const enum route_type types[] = { ROUTE_TYPE_INGRESS, ROUTE_TYPE_FORK,
						 ROUTE_TYPE_LOOP, ROUTE_TYPE_FALLBACK };
	struct registrar_verdict verdict = sick();
	struct wanted *wanted;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		registrations[i].number = (FIRST + 1 + i) & E164_PACKED_MAX;
		registrations[i].route_type = types[i] & 0xfu;
		registrations[i].service = i & 3u;
	}
	config.registrations = registrations;
	config.registration_count = 4;
	assert_int_equal(wanted_create(&wanted, &config, NULL), 0);
	assert_int_equal(keeper_want(keeper, wanted, clock_now()), 0);
	wanted_destroy(wanted);
	pass(keeper, 1000);
	verdict.rate = 1;
	verdict.services[0] = 1 << 3; /* the fall-back's trunk is down */
	verdict.config = registrar_config_id(&config);
	judge(keeper, verdict);
	for (unsigned i = 0; i < 4; i++) {
		static const unsigned order[] = { 4, 3, 2, 1 };

		pass(keeper, i ? 1000 : 700);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(core.deletes[order[k]], k <= i);
	}
	end(keeper);
}

static void a_sick_trunk_holds_its_own_numbers_only(void **state)
{
	struct keeper *keeper = start(10);
	struct registrar_verdict verdict = { .services_why = "trunk pbx is down" };

	(void)state;
	pass(keeper, 1000);
	verdict.services[0] = 1 << 1;
	judge(keeper, verdict); /* all of ours are of service 0 */
	pass(keeper, 1000);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 0);
	verdict.services[0] = 1;
	verdict.config = 1; /* of another configuration */
	judge(keeper, verdict);
	pass(keeper, 1000);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 0);
	verdict.config = registrar_config_id(&(struct config){ 0 });
	judge(keeper, verdict);
	pass(keeper, 1000);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 10);
	assert_string_equal(look(keeper, 1).last_error, "held: trunk pbx is down");
	end(keeper);
}

static void what_becomes_wanted_while_sick_waits(void **state)
{
	struct keeper *keeper = start(10);

	(void)state;
	pass(keeper, 1000);
	judge(keeper, sick());
	pass(keeper, 1000);
	rewant(keeper, 6, 10, ROUTE_TYPE_LOOP);
	pass(keeper, 60000);
	assert_int_equal(core.total, 20);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 10);
	assert_int_equal(look(keeper, 15).state, REG_WITHHELD);
	well(keeper);
	pass(keeper, 1000);
	assert_int_equal(core.total, 30);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 10);
	end(keeper);
}

static bool peers_are_well;

static bool peers_serve(void *arg)
{
	(void)arg;
	return peers_are_well;
}

static void a_member_of_a_fleet_that_serves_deletes_nothing(void **state)
{
	struct keeper *keeper = start_with((struct keeper_options){ .peers_serve = peers_serve },
					   10, "tas.example.com");

	(void)state;
	peers_are_well = true;
	pass(keeper, 1000);
	judge(keeper, sick());
	judge(keeper, sick());
	pass(keeper, 10000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 10);
	assert_int_equal(said("others of the fleet serve"), 1);
	peers_are_well = false; /* the last one */
	judge(keeper, sick());
	pass(keeper, 10000);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 10);
	end(keeper);
}

static void a_restart_while_they_are_withheld_finds_nothing_to_take_back(void **state)
{
	struct keeper *keeper = start_with((struct keeper_options){ .store = store_path }, 10, "a");

	(void)state;
	pass(keeper, 1000);
	judge(keeper, sick());
	pass(keeper, 1000);
	end(keeper);
	keeper = start_with((struct keeper_options){ .store = store_path }, 0, "a");
	pass(keeper, 60000);
	assert_int_equal(core.total, 20);
	end(keeper);
}

/* A row may be of the refresh before the last: its time being over says nothing. */
static void a_row_that_lags_behind_does_not_keep_a_sick_one_from_deleting(void **state)
{
	struct keeper *keeper = start_stored(10, "a");

	(void)state;
	pass(keeper, 1000);
	end(keeper);
	for (unsigned i = 1; i <= 10; i++)
		core.expires[i] += 1200000; /* as was heard, and not written down */
	clock_fake_advance(3500000);
	clock_fake_wall_set(WALL + 3501000);
	keeper = start_stored(10, "a");
	assert_int_equal(in_state(keeper, REG_ACTIVE), 10);
	core.down = true;
	judge(keeper, sick());
	pass(keeper, 200000);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 0);
	core.down = false;
	pass(keeper, 120000);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 10);
	for (unsigned i = 1; i <= 10; i++)
		assert_int_equal(core.expires[i], 0);
	end(keeper);
}

/* ---- what an operator pauses ---- */

static struct pauses *pauses;

static struct pause_services *services_named(const char *name)
{
	struct config_service service = { .name = (char *)name };
	const struct config config = { .services = &service, .service_count = 1 };
	struct pause_services *services = pause_services_create(&config);

	assert_non_null(services);
	return services;
}

static struct keeper *start_pausable(unsigned count)
{
	assert_int_equal(pauses_create(&pauses, store_path, NULL), 0);
	pauses_services(pauses, services_named("desk"));
	return start_with((struct keeper_options){ .store = store_path, .pauses = pauses }, count,
			  "tas.example.com");
}

static void end_pausable(struct keeper *keeper)
{
	end(keeper);
	pauses = pauses_destroy(pauses);
}

static void pause_it(struct keeper *keeper, enum pause_scope scope, const char *what, mono_ms span)
{
	struct reg_pause pause = { .scope = scope,
				   .who = "ada",
				   .why = "the PBX moves",
				   .since = clock_wall(),
				   .until = span ? clock_wall() + span : 0 };

	snprintf(pause.what, sizeof(pause.what), "%s", what);
	assert_int_equal(pauses_put(pauses, &pause), 0);
	keeper_pause(keeper, clock_now());
}

static void resume_it(struct keeper *keeper, enum pause_scope scope, const char *what)
{
	assert_int_equal(pauses_end(pauses, scope, what, "bob"), 0);
	keeper_pause(keeper, clock_now());
}

static void a_paused_number_is_deleted_and_stays_away_until_resumed(void **state)
{
	struct keeper *keeper = start_pausable(10);
	struct registrar_summary summary;
	struct reg_info info;

	(void)state;
	pass(keeper, 1000);
	pause_it(keeper, PAUSE_NUMBER, "+4799000003", 0);
	pass(keeper, 7200000);
	assert_int_equal(core.deletes[3], 1);
	assert_int_equal(core.upserts[3], 1);
	assert_int_equal(lapsed_now(10), 1);
	info = look(keeper, 3);
	assert_int_equal(info.state, REG_WITHHELD);
	assert_true(info.held && info.paused);
	assert_string_equal(info.last_error, "paused by ada: the PBX moves");
	assert_string_equal(info.service_name, "desk");
	assert_false(look(keeper, 4).paused);
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.paused, 1);
	assert_int_equal(summary.pauses, 1);
	assert_int_equal(summary.held, 0); /* nobody is sick */
	assert_int_equal(said("gate closed"), 0);
	assert_int_equal(said("paused number=+4799***03"), 1);
	resume_it(keeper, PAUSE_NUMBER, "+4799000003");
	pass(keeper, 1000);
	assert_int_equal(look(keeper, 3).state, REG_ACTIVE);
	assert_int_equal(said("by=\"bob\" paused_by=\"ada\""), 1);
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.paused, 0);
	assert_int_equal(pauses_end(pauses, PAUSE_NUMBER, "+4799000003", "bob"), -ENOENT);
	end_pausable(keeper);
}

static void a_pause_outlives_restarts_and_other_configurations(void **state)
{
	struct keeper *keeper = start_pausable(10);

	(void)state;
	pass(keeper, 1000);
	pause_it(keeper, PAUSE_SERVICE, "desk", 0);
	pass(keeper, 1000);
	assert_int_equal(lapsed_now(10), 10);
	end_pausable(keeper);
	keeper = start_pausable(10);
	assert_int_equal(said("still paused: service=desk"), 1);
	pass(keeper, 7200000);
	assert_int_equal(core.total, 20);
	rewant(keeper, 5, 10, ROUTE_TYPE_LOOP); /* new ones of the service are paused too */
	pass(keeper, 60000);
	assert_int_equal(core.total, 20);
	pauses_services(pauses, services_named("other"));
	rewant(keeper, 5, 10, ROUTE_TYPE_LOOP);
	pass(keeper, 1000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 10);
	end_pausable(keeper);
}

static void a_pause_ends_when_its_time_is_over(void **state)
{
	struct keeper *keeper = start_pausable(10);

	(void)state;
	pass(keeper, 1000);
	pause_it(keeper, PAUSE_ALL, "", 7200000);
	pass(keeper, 7199000);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 10);
	pass(keeper, 2000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 10);
	assert_int_equal(said("its time is over, resumed: all by"), 1);
	assert_int_equal(pauses_count(pauses), 0);
	end_pausable(keeper);
}

static void a_pause_and_a_sick_tas_hold_apart(void **state)
{
	struct keeper *keeper = start_pausable(10);
	struct registrar_summary summary;

	(void)state;
	pass(keeper, 1000);
	pause_it(keeper, PAUSE_NUMBER, "+4799000003", 0);
	pass(keeper, 1000);
	judge(keeper, sick());
	pass(keeper, 1000);
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.paused, 1);
	assert_int_equal(summary.held, 9);
	resume_it(keeper, PAUSE_NUMBER, "+4799000003");
	pass(keeper, 1000);
	assert_int_equal(in_state(keeper, REG_WITHHELD), 10); /* we are sick still */
	pause_it(keeper, PAUSE_NUMBER, "+4799000003", 0);
	well(keeper);
	pass(keeper, 1000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 9);
	assert_int_equal(look(keeper, 3).state, REG_WITHHELD);
	end_pausable(keeper);
}

static void what_cannot_be_kept_or_named_is_not_paused(void **state)
{
	struct keeper *keeper = start_pausable(1);
	struct reg_pause pause = { .scope = PAUSE_SERVICE, .what = "nobody" };
	struct pauses *unkept;

	(void)state;
	assert_int_equal(pauses_put(pauses, &pause), -ENOENT);
	end_pausable(keeper);
	assert_int_equal(pauses_create(&unkept, NULL, NULL), 0);
	assert_int_equal(pauses_load(unkept), 0);
	pause.scope = PAUSE_ALL;
	assert_int_equal(pauses_put(unkept, &pause), -ENOTSUP);
	pauses_destroy(unkept);
}

/* ---- an outage longer than the TTL ---- */

static void what_lapses_is_counted_said_and_remembered(void **state)
{
	struct keeper *keeper;
	struct registrar_summary summary;
	struct reg_attempt attempts[4];

	(void)state;
	core.ttl_s = 600;
	keeper = start(100);
	pass(keeper, 600000);
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.lapsed, 0);
	core.down = true;
	pass(keeper, 900000);
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.lapsed, 100);
	assert_int_equal(summary.tenants[0].lapsed, 100);
	assert_int_equal(said("registrations have lapsed, the first"), 1);
	core.down = false;
	pass(keeper, 120000);
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.lapsed, 0);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 100);
	assert_int_equal(said("no registration is lapsed any more: up to 100 were, for"), 1);
	for (unsigned i = 1; i <= 100; i++) { /* also of those that were not asked meanwhile */
		assert_true(keeper_attempts(keeper, FIRST + i, attempts, 4) > 0);
		assert_string_equal(attempts[0].text, "");
		assert_in_range(attempts[0].lapsed_ms, 300000, 900000);
	}
	end(keeper);
}

/* ---- numbers that begin like a prefix ---- */

static void want_with_prefix(struct keeper *keeper, const char *mo, const char *tenants_mt)
{
	struct config_tenant acme = { .name = (char *)"acme", .prefix_mt = (char *)tenants_mt };
	struct config config = { .domain = (char *)"tas.example.com",
				 .prefix_mo = (char *)mo,
				 .tenants = &acme,
				 .tenant_count = 1 };
	struct wanted *wanted;
	int err;

	config.registrations = calloc(3, sizeof(*config.registrations));
	config.registration_count = 3;
	for (unsigned i = 0; i < 3; i++)
		config.registrations[i].number = (FIRST + i) & E164_PACKED_MAX;
	for (unsigned i = 0; i < 3; i++)
		config.registrations[i].route_type = ROUTE_TYPE_LOOP;
	assert_int_equal(wanted_create(&wanted, &config, NULL), 0);
	free(config.registrations);
	wanted->numbers[1].source = REG_SOURCE_API;
	wanted->numbers[2].source = REG_SOURCE_CONSENT;
	err = keeper_want(keeper, wanted, clock_now());
	wanted_destroy(wanted);
	assert_int_equal(err, 0);
}

static void numbers_that_begin_like_a_prefix_are_counted_by_source(void **state)
{
	struct keeper *keeper = start_with((struct keeper_options){ 0 }, 1, "a");
	struct registrar_summary summary;

	(void)state;
	pass(keeper, 1000);
	want_with_prefix(keeper, "00", "01");
	pass(keeper, 1000);
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.prefix_like[REG_SOURCE_CONFIG], 0);
	assert_int_equal(said("begin"), 0);
	want_with_prefix(keeper, "00", "47");
	pass(keeper, 1000);
	keeper_summary(keeper, &summary);
	for (int i = 0; i < REG_SOURCE_COUNT; i++)
		assert_int_equal(summary.prefix_like[i], 1);
	assert_int_equal(said("1 numbers of source consent begin like a prefix, +4799***02 is one"),
			 1);
	assert_int_equal(in_state(keeper, REG_ACTIVE), 3); /* registered all the same */
	pass(keeper, 60000);
	assert_int_equal(said("source consent"), 1);
	want_with_prefix(keeper, "4799000001", NULL);
	pass(keeper, 1000);
	keeper_summary(keeper, &summary);
	for (int i = 0; i < REG_SOURCE_COUNT; i++)
		assert_int_equal(summary.prefix_like[i], 0); /* nothing of it would be left */
	assert_int_equal(said("no number of source consent begins like a prefix any more"), 1);
	end(keeper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEEPER(all_are_registered_at_a_paced_rate),
		KEEPER(a_configured_rate_is_kept),
		KEEPER(hours_pass_without_a_lapse_and_without_lumps),
		KEEPER(an_outage_of_25_minutes_lapses_nobody),
		KEEPER(a_short_ttl_is_kept_too),
		KEEPER(a_ttl_that_shrinks_is_followed),
		KEEPER(one_refused_is_said_once_and_holds_nobody_up),
		KEEPER(a_failing_one_backs_off_and_holds_nobody_up),
		KEEPER(many_refused_ones_do_not_fill_the_log),
		KEEPER(one_that_cannot_be_packed_is_refused),
		KEEPER(without_a_token_all_wait),
		KEEPER(a_refused_token_makes_all_wait_for_the_next_unblamed),
		KEEPER(a_refused_token_of_a_sick_one_is_asked_nothing_with),
		KEEPER(an_expired_token_is_not_used),
		KEEPER(unauthenticated_without_tokens_is_a_refusal),
		KEEPER(removed_ones_are_deleted_and_new_ones_made),
		KEEPER(other_parameters_are_told_at_once),
		KEEPER(changes_while_requests_are_out_end_well),
		KEEPER(a_delete_that_fails_is_repeated_until_the_ttl_is_over),
		KEEPER(withdrawing_at_stop_deletes_all_in_a_hurry),
		KEEPER(stopping_without_withdrawing_sends_nothing_more),
		KEEPER(the_last_troubles_of_a_number_are_remembered),
		KEEPER(the_margin_says_how_long_the_core_may_be_away),
		KEEPER(a_restart_goes_on_where_it_stopped),
		KEEPER(a_restart_with_another_domain_tells_it_at_once),
		KEEPER(after_a_long_stop_all_are_made_anew_and_the_others_deleted),
		KEEPER(a_wall_clock_that_was_set_while_it_was_down_means_nothing),
		KEEPER(after_a_reboot_the_times_on_file_are_not_trusted_for_long),
		KEEPER(what_is_said_is_written_down_before),
		KEEPER(a_late_upsert_does_not_outlive_its_delete),
		KEEPER(a_delete_not_yet_done_survives_a_restart),
		KEEPER(what_another_core_was_told_is_told_at_the_start),
		KEEPER(a_store_that_cannot_be_opened_is_an_error),
		KEEPER(the_list_is_in_number_order_and_in_pages),
		KEEPER(the_summary_tells_the_first_expiry),
		KEEPER(a_sick_one_deletes_all_keeps_them_and_makes_them_anew),
		KEEPER(nothing_is_deleted_while_all_is_well),
		KEEPER(the_most_affected_go_first_and_at_the_rate_given),
		KEEPER(a_sick_trunk_holds_its_own_numbers_only),
		KEEPER(what_becomes_wanted_while_sick_waits),
		KEEPER(a_member_of_a_fleet_that_serves_deletes_nothing),
		KEEPER(a_restart_while_they_are_withheld_finds_nothing_to_take_back),
		KEEPER(a_row_that_lags_behind_does_not_keep_a_sick_one_from_deleting),
		KEEPER(a_paused_number_is_deleted_and_stays_away_until_resumed),
		KEEPER(a_pause_outlives_restarts_and_other_configurations),
		KEEPER(a_pause_ends_when_its_time_is_over),
		KEEPER(a_pause_and_a_sick_tas_hold_apart),
		KEEPER(what_cannot_be_kept_or_named_is_not_paused),
		KEEPER(what_lapses_is_counted_said_and_remembered),
		KEEPER(numbers_that_begin_like_a_prefix_are_counted_by_source),
	};

	return cmocka_run_group_tests_name("registrar/keeper", tests, NULL, NULL);
}
