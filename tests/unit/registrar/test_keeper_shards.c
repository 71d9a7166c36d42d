/* SPDX-License-Identifier: Apache-2.0 */
/* What a keeper in a fleet says, and of which numbers: it hears of the fleet what the test
 * tells it, and writes to a store that does as the test says. Nothing is connected. */
#include "tests/fake/keeper_rig.h"

#include "registrar/fleet_inside.h"
#include "registrar/keeper_shards.h"
#include "registrar/store_postgres.h"

#define LEASE_MS 10000
#define ALONE_S  600
#define EPOCH    7
#define COUNT    20
#define HOUR_MS  ((mono_ms)3600000)

/* ---- the fleet's store ---- */

static struct written {
	struct store store;
	int error; /* of the next writes */
	unsigned writes, ahead, requests_before;
	char uri[MAX + 1][32]; /* "": no row */
	uint64_t epoch[MAX + 1];
} written;

static struct store *written_close(struct store *store)
{
	(void)store;
	return NULL;
}

static int written_write(struct store *store, const struct store_row *rows, size_t count,
			 enum store_purpose purpose, const char **ret_error)
{
	(void)store;
	written.writes++;
	*ret_error = "the test says so";
	if (written.error)
		return written.error;
	if (purpose == STORE_AHEAD) {
		written.ahead++;
		written.requests_before = core.total;
	}
	for (size_t i = 0; i < count; i++) {
		unsigned index = (unsigned)(rows[i].number - FIRST);

		written.epoch[index] = rows[i].epoch;
		snprintf(written.uri[index], sizeof(written.uri[index]), "%s",
			 rows[i].params ? rows[i].params->sip_uri : "");
	}
	return 0;
}

static const struct store_ops written_ops = { .close = written_close,
					      .write = written_write,
					      .batch = 1000 };

/* In place of store_postgres.c's. */
int store_postgres_create(struct store **ret_store, const struct config_postgres *config,
			  struct fleet *fleet)
{
	(void)config, (void)fleet;
	written.store.ops = &written_ops;
	*ret_store = &written.store;
	return 0;
}

/* ---- the fleet ---- */

static struct fleet *fleet;
static struct keeper *keeper;
static struct lease_wish wish = { .version = 3, .digest = 33 };
static char conninfo[] = "host=/nonexistent", name[] = "a";
static const struct config_postgres postgres = {
	.conninfo = conninfo, .node = name, .lease_ms = LEASE_MS, .alone_s = ALONE_S
};

static void on_news(struct fleet_news *take_news, void *arg)
{
	(void)arg;
	fleet_news_destroy(take_news);
}

struct beginning {
	bool needs_token, stands_in;
	bool two_cores; /* the second half of the numbers may be at the other one */
};

static int begin_with(void **state, struct beginning with)
{
	const struct fleet_options options = {
		.config = &postgres, .wish = wish, .news = on_news, .stands_in = with.stands_in
	};

	memset(&written, 0, sizeof(written));
	if (set_up(state) || fleet_create(&fleet, &options))
		return -1;
	atomic_store(&fleet->reaches, true);
	keeper = start_with(
		(struct keeper_options){ .store = "store.postgres",
					 .fleet = fleet,
					 .postgres = &postgres,
					 .tenants[0].needs_token = with.needs_token,
					 .tenants[1] = { .name = "acme", .client = second_client },
					 .tenant_count = with.two_cores ? 2 : 1,
					 .stands_in = with.stands_in },
		with.stands_in ? 0 : COUNT, "tas.example.com");
	keeper_wish(keeper, &wish, clock_now());
	return 0;
}

static int begin(void **state)
{
	return begin_with(state, (struct beginning){ .needs_token = false });
}

static int begin_without_token(void **state)
{
	return begin_with(state, (struct beginning){ .needs_token = true });
}

static int begin_standing_in(void **state)
{
	return begin_with(state, (struct beginning){ .stands_in = true });
}

static int begin_with_two_cores(void **state)
{
	int err = begin_with(state, (struct beginning){ .two_cores = true });
	struct wanted *wanted = want_two_as(COUNT / 2, COUNT, ROUTE_TYPE_LOOP);

	err = err ? err : keeper_want(keeper, wanted, clock_now());
	wanted_destroy(wanted);
	return err;
}

static int finish(void **state)
{
	end(keeper);
	fleet = fleet_destroy(fleet);
	return tear_down(state);
}

static void hear(enum fleet_kind kind)
{
	const struct fleet_news news = { .kind = kind, .asked = clock_now() };

	keeper_news(keeper, &news, clock_now());
}

/* A beat has got through. */
static void renew_with(const struct lease_wish *in_force, bool give, bool lifts)
{
	bool gives[LEASE_SHARDS], lifted[LEASE_SHARDS];
	const struct fleet_news news = { .kind = FLEET_RENEWED,
					 .asked = clock_now(),
					 .in_force = *in_force,
					 .give = gives,
					 .lifted = lifted };

	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		gives[i] = give;
		lifted[i] = lifts;
	}
	keeper_news(keeper, &news, clock_now());
}

static void renew(void)
{
	renew_with(&wish, false, false);
}

/* All shards are ours; the rows say of the first `row_count` numbers what `params` has. */
static void take_all(const struct reg_params *params, unsigned row_count, uint32_t ttl_s,
		     bool clean, mono_ms hold_ms)
{
	struct taken_shard taken[LEASE_SHARDS];
	struct store_row rows[COUNT];
	const struct fleet_news news = { .kind = FLEET_TAKEN,
					 .asked = clock_now(),
					 .taken = taken,
					 .taken_count = LEASE_SHARDS,
					 .rows = rows,
					 .row_count = row_count };

	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		taken[i] = (struct taken_shard){ i, EPOCH, clean, hold_ms };
	for (unsigned i = 0; i < row_count; i++) {
		rows[i] = (struct store_row){ .number = FIRST + 1 + i,
					      .tenant = "",
					      .params = params,
					      .expires = clock_now() + (mono_ms)ttl_s * 1000,
					      .ttl_s = ttl_s };
		core.expires[1 + i] = rows[i].expires;
	}
	keeper_news(keeper, &news, clock_now());
}

static void join(void)
{
	hear(FLEET_JOINED);
	renew();
}

/* As time goes by for a node in good order. */
static void live(mono_ms ms)
{
	for (mono_ms end = clock_now() + ms; clock_now() < end;) {
		renew();
		pass(keeper, LEASE_MS / 4);
	}
}

/* The database does not answer. */
static void live_alone(mono_ms ms)
{
	atomic_store(&fleet->reaches, false);
	for (mono_ms end = clock_now() + ms; clock_now() < end;) {
		hear(FLEET_UNREACHABLE);
		pass(keeper, LEASE_MS / 4);
	}
}

static void set_up_all_active(void)
{
	join();
	take_all(NULL, 0, 0, true, 0);
	live(30000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), COUNT);
}

static bool has_given(unsigned shard)
{
	return fleet->gifts[shard].epoch == EPOCH;
}

static unsigned given(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		count += fleet->gifts[i].epoch != 0;
	return count;
}

static const struct reg_params before = { (char *)"sips:before.example", (char *)"00", (char *)"",
					  ROUTE_TYPE_LOOP };

/* ---- owning ---- */

static void numbers_of_other_nodes_are_left_alone(void **state)
{
	(void)state;
	join();
	live(60000);
	assert_int_equal(core.total, 0);
	assert_int_equal(in_state(keeper, REG_ELSEWHERE), COUNT);
}

static void what_is_new_is_written_under_the_epoch_before_it_is_said(void **state)
{
	(void)state;
	join();
	take_all(NULL, 0, 0, true, 0);
	pass(keeper, 1);
	assert_int_equal(written.ahead, 1);
	assert_int_equal(written.requests_before, 0);
	live(30000);
	assert_int_equal(core.total, COUNT);
	for (unsigned i = 1; i <= COUNT; i++) {
		assert_int_equal(core.upserts[i], 1);
		assert_int_equal(written.epoch[i], EPOCH);
		assert_string_equal(written.uri[i], "sips:tas.example.com");
	}
}

/* However many cores there are, it waits for the database once. */
static void what_is_new_at_two_cores_is_written_together(void **state)
{
	(void)state;
	join();
	take_all(NULL, 0, 0, true, 0);
	pass(keeper, 1);
	assert_int_equal(written.ahead, 1);
	assert_int_equal(written.requests_before, 0);
	live(30000);
	assert_int_equal(core.total, COUNT);
	for (unsigned i = 1; i <= COUNT; i++) {
		assert_int_equal(i <= COUNT / 2 ? core.upserts[i] : core.second_upserts[i], 1);
		assert_int_equal(written.epoch[i], EPOCH);
	}
}

static void what_cannot_be_written_is_not_said_until_it_can(void **state)
{
	(void)state;
	written.error = -EPERM;
	join();
	take_all(NULL, 0, 0, true, 0);
	live(60000);
	assert_int_equal(core.total, 0);
	assert_in_range(written.writes, 5, 60);
	assert_int_equal(said("store.postgres cannot be written"), 1);

	written.error = 0;
	live(30000);
	assert_int_equal(core.total, COUNT);
}

/* Nothing else is to be written: it waits for its time, not without a pause. */
static void after_a_refused_write_it_sleeps(void **state)
{
	(void)state;
	written.error = -EPERM;
	rewant(keeper, 1, 1, ROUTE_TYPE_LOOP);
	join();
	take_all(NULL, 0, 0, true, 0);
	live(20000);
	for (int i = 0; i < 100; i++) {
		mono_ms next;

		keeper_run(keeper, clock_now());
		next = keeper_next(keeper, clock_now());
		assert_true(next > clock_now());
		clock_fake_advance(next - clock_now());
		if (i % 4 == 0)
			renew();
	}
}

static void what_was_registered_before_is_refreshed_in_its_time(void **state)
{
	(void)state;
	join();
	take_all(&(struct reg_params){ (char *)"sips:tas.example.com", (char *)"00", (char *)"",
				       ROUTE_TYPE_LOOP },
		 COUNT, 3600, true, 0);
	live(60000);
	assert_int_equal(core.total, 0);
	live(HOUR_MS / 2);
	assert_int_equal(core.total, COUNT);
	assert_int_equal(core.lapses, 0);
}

/* What its last owner sent may be on its way yet. */
static void after_an_unclean_end_all_are_repeated_soon(void **state)
{
	(void)state;
	join();
	take_all(&(struct reg_params){ (char *)"sips:tas.example.com", (char *)"00", (char *)"",
				       ROUTE_TYPE_LOOP },
		 COUNT, 3600, false, 0);
	live(90000);
	assert_in_range(core.total, COUNT, 3 * COUNT);
}

static void what_changes_after_an_unclean_end_is_said_twice(void **state)
{
	(void)state;
	join();
	take_all(&before, COUNT, 3600, false, 0);
	live(10000);
	assert_int_equal(core.total, COUNT);
	live(60000);
	assert_int_equal(core.total, 2 * COUNT);
}

static void a_row_that_nobody_wants_is_withdrawn(void **state)
{
	(void)state;
	rewant(keeper, 1, COUNT - 5, ROUTE_TYPE_LOOP);
	join();
	take_all(&before, COUNT, 3600, true, 0);
	live(60000);
	for (unsigned i = 1; i <= COUNT; i++)
		assert_int_equal(core.deletes[i], i > COUNT - 5);
	assert_string_equal(written.uri[COUNT], "");
}

static void rows_of_tenants_that_have_gone_are_counted_and_said(void **state)
{
	struct taken_shard taken[LEASE_SHARDS];
	struct store_row rows[2] = { { .number = FIRST + 1, .tenant = "", .params = &before },
				     { .number = FIRST + 2, .tenant = "gone", .params = &before } };
	const struct fleet_news news = { .kind = FLEET_TAKEN,
					 .asked = clock_now(),
					 .taken = taken,
					 .taken_count = LEASE_SHARDS,
					 .rows = rows,
					 .row_count = 2 };
	struct registrar_summary summary;

	(void)state;
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		taken[i] = (struct taken_shard){ i, EPOCH, true, 0 };
	for (int i = 0; i < 2; i++) {
		rows[i].ttl_s = 3600;
		rows[i].expires = clock_now() + 3600000;
	}
	join();
	keeper_news(keeper, &news, clock_now());
	assert_int_equal(said("have 1 registrations of tenants that are not configured"), 1);
	live(60000);
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.left_behind, 1);
	live(3600000);
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.left_behind, 0);
	keeper_news(keeper, &news, clock_now());
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.left_behind, 1);
	hear(FLEET_PUT_OUT); /* another node's to tell of */
	keeper_summary(keeper, &summary);
	assert_int_equal(summary.left_behind, 0);
}

/* ---- holds ---- */

static void during_a_hold_rows_are_repeated_and_nothing_is_withdrawn(void **state)
{
	(void)state;
	core.ttl_s = 600;
	rewant(keeper, 1, COUNT - 5, ROUTE_TYPE_FORK);
	join();
	take_all(&before, COUNT, 600, false, 20 * 60000);
	live(19 * 60000);
	assert_string_equal(core.uri, "sips:before.example");
	assert_int_equal(core.route_type, ROUTE_TYPE_LOOP);
	assert_int_equal(core.lapses, 0);
	for (unsigned i = 1; i <= COUNT; i++)
		assert_true(core.upserts[i] >= 3 && !core.deletes[i]);

	live(3 * 60000);
	assert_string_equal(core.uri, "sips:tas.example.com");
	assert_int_equal(core.deletes[COUNT], 1);
	assert_int_equal(core.deletes[1], 0);
}

static void a_hold_that_is_lifted_is_over(void **state)
{
	struct registrar_fleet info;

	(void)state;
	join();
	take_all(&before, COUNT, 3600, true, HOUR_MS);
	live(30000);
	keeper_fleet(keeper, &info);
	assert_int_equal(info.held, LEASE_SHARDS);
	assert_int_equal(info.held_ms, HOUR_MS - 30000);
	assert_int_equal(core.total, 0);

	renew_with(&wish, false, true);
	live(30000);
	keeper_fleet(keeper, &info);
	assert_int_equal(info.held, 0);
	assert_int_equal(info.held_ms, 0);
	assert_string_equal(core.uri, "sips:tas.example.com");
	assert_int_equal(core.total, COUNT);
}

static void what_the_last_owner_never_heard_of_needs_no_wait(void **state)
{
	(void)state;
	join();
	take_all(&before, COUNT - 1, 3600, true, HOUR_MS);
	live(30000);
	assert_int_equal(core.total, 1);
	assert_int_equal(core.upserts[COUNT], 1);
}

/* ---- the lease ---- */

static void after_the_lease_nothing_is_said_until_somebody_knows_why(void **state)
{
	(void)state;
	core.ttl_s = 60;
	set_up_all_active();
	core.total = 0;
	pass(keeper, LEASE_MS - LEASE_MS / 10 - LEASE_MS / 4); /* since the last beat was asked */
	core.total = 0;
	keeper_refresh(keeper, 0, clock_now());
	pass(keeper, 60000);
	assert_int_equal(core.total, 0);

	renew();
	pass(keeper, 1000);
	assert_int_equal(core.total, COUNT);
}

static void without_the_database_what_is_registered_is_refreshed_for_a_time(void **state)
{
	(void)state;
	core.ttl_s = 120;
	set_up_all_active();
	live_alone((ALONE_S - 60) * 1000);
	assert_int_equal(core.lapses, 0);
	assert_true(core.upserts[1] > 8);
	assert_int_equal(said("the fleet's database cannot be reached"), 1);

	live_alone(120000);
	core.total = 0;
	live_alone(300000);
	assert_int_equal(core.total, 0);
	assert_int_equal(said("are not refreshed any more until it is back"), 1);

	atomic_store(&fleet->reaches, true);
	live(30000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), COUNT);
	assert_int_equal(said("the fleet's database is back"), 1);
}

static void without_the_database_nothing_is_added_changed_or_withdrawn(void **state)
{
	(void)state;
	core.ttl_s = 120;
	set_up_all_active();
	live_alone(LEASE_MS);
	rewant(keeper, 5, COUNT, ROUTE_TYPE_FORK); /* 1 to 4 are gone, four are new */
	live_alone(240000);
	assert_int_equal(core.route_type, ROUTE_TYPE_LOOP);
	assert_int_equal(core.lapses, 0);
	for (unsigned i = 1; i <= COUNT; i++)
		assert_int_equal(core.deletes[i], 0);
	assert_int_equal(core.upserts[COUNT + 4], 0);

	atomic_store(&fleet->reaches, true);
	live(60000);
	assert_int_equal(core.route_type, ROUTE_TYPE_FORK);
	assert_int_equal(core.deletes[1], 1);
	assert_true(core.upserts[COUNT + 4] >= 1);
}

/* Said, answered, but not in the rows when the database went away: others will repeat
 * what the rows have. */
static void what_the_rows_have_not_heard_is_taken_back_alone(void **state)
{
	(void)state;
	set_up_all_active();
	live(60000);
	rewant(keeper, 1, COUNT, ROUTE_TYPE_FORK);
	renew();
	pass(keeper, LATENCY_MS / 2); /* written ahead as what it was, sent, not answered */
	written.error = -EIO;
	live_alone(LEASE_MS + 30000);
	assert_int_equal(core.route_type, ROUTE_TYPE_LOOP);

	written.error = 0;
	atomic_store(&fleet->reaches, true);
	live(60000);
	assert_int_equal(core.route_type, ROUTE_TYPE_FORK);
}

static void a_configuration_that_is_not_in_force_changes_nothing(void **state)
{
	const struct lease_wish newer = { .version = 4, .digest = 44 };

	(void)state;
	core.ttl_s = 120;
	set_up_all_active();
	rewant(keeper, 3, COUNT, ROUTE_TYPE_FORK);
	for (int i = 0; i < 40; i++) {
		renew_with(&newer, false, false);
		pass(keeper, LEASE_MS / 4);
	}
	assert_int_equal(core.route_type, ROUTE_TYPE_LOOP);
	assert_int_equal(core.deletes[1], 0);
	assert_int_equal(core.lapses, 0);

	live(30000);
	assert_int_equal(core.route_type, ROUTE_TYPE_FORK);
	assert_int_equal(core.deletes[1], 1);
}

/* Refused, as another one is in force, it waits for its turn again; the turn must not come
 * before it may be said. */
static void a_new_number_that_waits_is_not_asked_for_by_a_configuration_out_of_force(void **state)
{
	const struct lease_wish next = { .version = 5, .digest = 55 };

	(void)state;
	written.error = -EPERM;
	join();
	take_all(NULL, 0, 0, true, HOUR_MS);
	pass(keeper, 100); /* refused, they wait */
	keeper_wish(keeper, &next, clock_now());
	rewant(keeper, 1, COUNT, ROUTE_TYPE_FORK);
	written.error = 0;
	for (int i = 0; i < 10; i++) {
		renew();
		pass(keeper, LEASE_MS / 4);
	}
	assert_int_equal(core.total, 0);
	for (int i = 0; i < 10; i++) {
		renew_with(&next, false, false);
		pass(keeper, LEASE_MS / 4);
	}
	assert_int_equal(core.total, COUNT);
	assert_int_equal(core.route_type, ROUTE_TYPE_FORK);
}

/* Another node has put it in force and registered by it. What ours of before says of that
 * counts at no moment. */
static void a_configuration_that_was_in_force_before_it_came_withdraws_nothing(void **state)
{
	const struct lease_wish next = { .version = 5, .digest = 55 };
	const struct reg_params told = { (char *)"sips:tas.example.com", (char *)"00", (char *)"",
					 ROUTE_TYPE_LOOP };
	unsigned total;

	(void)state;
	rewant(keeper, 3, COUNT - 2, ROUTE_TYPE_LOOP);
	hear(FLEET_JOINED);
	renew_with(&next, false, false);
	take_all(&told, COUNT, 3600, true, 0);
	pass(keeper, 1000);
	total = core.total;
	keeper_wish(keeper, &next, clock_now());
	rewant(keeper, 1, COUNT, ROUTE_TYPE_LOOP);
	pass(keeper, 1000);
	assert_int_equal(core.total, total);
	assert_int_equal(in_state(keeper, REG_ACTIVE), COUNT);
}

static void what_is_wanted_while_the_lease_is_in_doubt_is_said_afterwards(void **state)
{
	(void)state;
	set_up_all_active();
	pass(keeper, 2 * LEASE_MS);
	rewant(keeper, 3, COUNT, ROUTE_TYPE_FORK);
	live(60000);
	assert_int_equal(core.upserts[3], 2);
	assert_int_equal(core.deletes[1], 1);
	assert_int_equal(in_state(keeper, REG_ACTIVE), COUNT);
}

static void a_hold_delays_no_new_number_of_a_configuration_that_comes_into_force(void **state)
{
	const struct lease_wish next = { .version = 5, .digest = 55 };

	(void)state;
	join();
	take_all(&before, COUNT, 3600, true, HOUR_MS);
	live(10000);
	keeper_wish(keeper, &next, clock_now());
	rewant(keeper, 1, COUNT + 1, ROUTE_TYPE_LOOP);
	live(10000); /* not in force yet */
	assert_int_equal(core.total, 0);
	for (int i = 0; i < 4; i++) {
		renew_with(&next, false, false);
		pass(keeper, LEASE_MS / 4);
	}
	assert_int_equal(core.upserts[COUNT + 1], 1);
	assert_int_equal(core.total, 1); /* the others are held */
}

/* ---- letting go ---- */

static void a_shard_is_given_once_its_answers_are_in_and_its_rows_written(void **state)
{
	unsigned shard = lease_shard_of(FIRST + 1);

	(void)state;
	set_up_all_active();
	live(120000); /* all is written */
	keeper_refresh(keeper, FIRST + 1, clock_now());
	renew();
	pass(keeper, 1);
	assert_int_equal(core.count, 1);
	written.writes = 0;
	renew_with(&wish, true, false);
	pass(keeper, 1);
	assert_int_equal(given(), LEASE_SHARDS - 1);
	assert_false(has_given(shard));

	pass(keeper, 2 * LATENCY_MS);
	assert_true(has_given(shard));
	assert_int_equal(written.writes, 1);
	assert_int_equal(in_state(keeper, REG_ELSEWHERE), COUNT);
}

static void what_was_not_written_is_not_given(void **state)
{
	(void)state;
	set_up_all_active();
	live(120000);
	keeper_refresh(keeper, 0, clock_now());
	renew();
	pass(keeper, 2 * LATENCY_MS);
	written.error = -EIO;
	renew_with(&wish, true, false);
	pass(keeper, 2000);
	assert_int_equal(given(), 0);

	written.error = 0;
	live(10000);
	assert_int_equal(given(), LEASE_SHARDS);
}

static void the_rest_of_a_hold_is_handed_on(void **state)
{
	unsigned shard = lease_shard_of(FIRST + 1);

	(void)state;
	join();
	take_all(&before, COUNT, 3600, true, 100000);
	live(40000);
	renew_with(&wish, true, false);
	pass(keeper, 1000);
	assert_true(has_given(shard));
	assert_in_range(fleet->gifts[shard].hold_ms, 59000, 60000);
}

static void give_all(void)
{
	live(10000); /* all is written */
	renew_with(&wish, true, false);
	pass(keeper, 1000);
	assert_int_equal(given(), LEASE_SHARDS);
}

static unsigned given_clean(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		count += fleet->gifts[i].clean;
	return count;
}

/* A request gets no answer; the next one to say the same will. */
static void give_one_up(void)
{
	set_up_all_active();
	live(120000);
	core.verdicts[1] = UPSERT_FAILED;
	keeper_refresh(keeper, FIRST + 1, clock_now());
	live(1000);
	core.verdicts[1] = UPSERT_OK;
}

/* It has been said once more since, and accepted. */
static void what_was_given_up_may_come_when_another_has_its_shard(void **state)
{
	(void)state;
	give_one_up();
	live(4000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), COUNT);
	give_all();
	assert_int_equal(given_clean(), LEASE_SHARDS - 1);
	assert_false(fleet->gifts[lease_shard_of(FIRST + 1)].clean);
}

/* Another process of ours would take the shards as clean. */
static void what_was_given_up_may_come_when_another_process_has_our_name(void **state)
{
	(void)state;
	set_up_all_active();
	live(120000);
	assert_true(keeper_settled(keeper));
	core.verdicts[1] = UPSERT_FAILED;
	keeper_refresh(keeper, FIRST + 1, clock_now());
	live(1000);
	core.verdicts[1] = UPSERT_OK;
	live(10000);
	keeper_flush_all(keeper, clock_now());
	assert_false(keeper_settled(keeper));
	live(10000);
	assert_true(keeper_settled(keeper));
}

static void what_was_given_up_long_ago_does_not_come_any_more(void **state)
{
	(void)state;
	give_one_up();
	live(30000);
	give_all();
	assert_int_equal(given_clean(), LEASE_SHARDS);
}

/* What an owner before the last one sent. */
static void a_shard_soon_given_on_is_as_unclean_as_it_came(void **state)
{
	(void)state;
	join();
	take_all(&before, COUNT, 3600, false, 0);
	give_all();
	assert_int_equal(given_clean(), 0);
}

/* It repeated to the last. */
static void who_ends_a_hold_may_have_sent_something(void **state)
{
	(void)state;
	join();
	take_all(&before, COUNT, 3600, true, 100000);
	live(60000);
	renew_with(&wish, false, true);
	give_all();
	assert_int_equal(given_clean(), 0);
}

/* Nobody can take it. */
static void nothing_is_let_go_while_the_database_is_away(void **state)
{
	(void)state;
	core.ttl_s = 120;
	set_up_all_active();
	live(70000);
	keeper_refresh(keeper, FIRST + 1, clock_now());
	pass(keeper, 1);
	renew_with(&wish, true, false);
	atomic_store(&fleet->reaches, false);
	pass(keeper, 2 * LATENCY_MS);
	assert_int_equal(given(), 0);

	live_alone(5 * 60000);
	assert_int_equal(core.lapses, 0);
	assert_int_equal(in_state(keeper, REG_ELSEWHERE), 0);
}

static void a_number_that_comes_while_its_shard_leaves_is_ours_if_that_is_taken_back(void **state)
{
	(void)state;
	set_up_all_active();
	live(70000);
	atomic_store(&fleet->reaches, false);
	renew_with(&wish, true, false);
	rewant(keeper, 1, COUNT + 1, ROUTE_TYPE_LOOP);
	live_alone(60000);
	assert_int_equal(in_state(keeper, REG_ELSEWHERE), 0);
	assert_int_equal(in_state(keeper, REG_ACTIVE), COUNT);

	atomic_store(&fleet->reaches, true);
	live(30000);
	assert_int_equal(in_state(keeper, REG_ACTIVE), COUNT + 1);
	assert_int_equal(core.deletes[1], 0);
}

static void who_stops_lets_go_even_so(void **state)
{
	(void)state;
	set_up_all_active();
	live(120000);
	atomic_store(&fleet->reaches, false);
	keeper_stop(keeper, false, clock_now());
	pass(keeper, 1000);
	assert_true(keeper_idle(keeper));
	assert_int_equal(given(), LEASE_SHARDS);
}

static void who_was_put_out_says_nothing_and_says_when_it_has_forgotten(void **state)
{
	(void)state;
	core.ttl_s = 120;
	set_up_all_active();
	keeper_refresh(keeper, FIRST + 1, clock_now());
	renew();
	pass(keeper, 1);
	assert_int_equal(core.count, 1);
	hear(FLEET_PUT_OUT);
	pass(keeper, 1);
	assert_false(fleet->forgotten);
	pass(keeper, 2 * LATENCY_MS);
	assert_true(fleet->forgotten);

	core.total = 0;
	pass(keeper, 300000);
	assert_int_equal(core.total, 0);
	assert_int_equal(in_state(keeper, REG_ELSEWHERE), COUNT);
}

/* ---- whether the core can be reached ---- */

/* As the last look said. */
static void another_serves(void)
{
	fleet->info.reachable = true;
	fleet->info.node_count = 1;
	fleet->info.nodes[0] = (struct registrar_node){ .name = "b", .alive = true };
}

static void who_hears_nothing_from_the_core_leaves_while_others_serve(void **state)
{
	(void)state;
	core.ttl_s = 600;
	set_up_all_active();
	core.down = true;
	live(6 * 60000);
	assert_false(fleet->cut_off);
	another_serves();
	live(10000);
	assert_true(fleet->cut_off);
	assert_int_equal(said("the core answers nothing here"), 1);

	core.down = false;
	live(60000);
	assert_false(fleet->cut_off);
}

/* Nothing was asked meanwhile, as nothing was due. */
static void a_token_that_came_late_is_no_reason_to_leave(void **state)
{
	(void)state;
	another_serves();
	join();
	live(60000);
	keeper_token(keeper, 0, "token", 86400, NULL, 0, clock_now());
	live(20 * 60000);
	assert_false(fleet->cut_off);
	assert_int_equal(said("the core answers nothing here"), 0);
	assert_int_equal(core.total, 0);
}

static void who_gets_no_token_leaves(void **state)
{
	(void)state;
	another_serves();
	join();
	live(7 * 60000);
	assert_true(fleet->cut_off);
	keeper_token(keeper, 0, "token", 86400, NULL, 0, clock_now());
	live(4 * 60000);
	assert_false(fleet->cut_off);
}

/* ---- what one node does for all ---- */

static void who_keeps_shard_0_under_a_good_lease_leads(void **state)
{
	(void)state;
	assert_int_equal(keeper_lead_epoch(keeper), 0);
	join();
	take_all(NULL, 0, 0, true, 0);
	assert_int_equal(keeper_lead_epoch(keeper), EPOCH);
	live_alone(2 * LEASE_MS);
	assert_int_equal(keeper_lead_epoch(keeper), 0);
	atomic_store(&fleet->reaches, true);
	renew();
	assert_int_equal(keeper_lead_epoch(keeper), EPOCH);
	renew_with(&wish, true, false);
	assert_int_equal(keeper_lead_epoch(keeper), 0);
}

/* ---- for dead nodes ---- */

static struct lease_wish theirs = { .version = 9, .digest = 99 };

static void live_under(const struct lease_wish *in_force, mono_ms ms)
{
	for (mono_ms end = clock_now() + ms; clock_now() < end;) {
		renew_with(in_force, false, false);
		pass(keeper, LEASE_MS / 4);
	}
}

static void who_stands_in_withdraws_all_whatever_is_in_force(void **state)
{
	(void)state;
	hear(FLEET_JOINED);
	renew_with(&theirs, false, false);
	take_all(&before, COUNT, 3600, false, 0);
	live_under(&theirs, 90000);
	for (unsigned i = 1; i <= COUNT; i++) {
		assert_int_equal(core.upserts[i], 0);
		assert_true(core.deletes[i] >= 1);
		assert_string_equal(written.uri[i], "");
	}
	assert_int_equal(written.epoch[1], EPOCH);
	assert_true(written.ahead > 0);
}

static void who_stands_in_repeats_nothing_while_a_node_may(void **state)
{
	(void)state;
	hear(FLEET_JOINED);
	renew_with(&theirs, false, false);
	take_all(&before, COUNT, 3600, false, HOUR_MS);
	live_under(&theirs, HOUR_MS - 10000);
	assert_int_equal(core.total, 0);
	live_under(&theirs, 90000);
	assert_true(core.deletes[COUNT] >= 1);
	assert_int_equal(core.upserts[COUNT], 0);
}

static void who_stands_in_says_nothing_without_the_database(void **state)
{
	(void)state;
	core.down = true;
	hear(FLEET_JOINED);
	renew_with(&theirs, false, false);
	take_all(&before, COUNT, 3600, false, 0);
	live_under(&theirs, 5000);
	live_alone(LEASE_MS);
	core.down = false;
	core.total = 0;
	live_alone(2 * HOUR_MS);
	for (unsigned i = 1; i <= COUNT; i++)
		assert_int_equal(core.upserts[i], 0);
	assert_int_equal(core.total, 0);
}

/* A first number of a shard, an hour of whose TTL is left less `ago` minutes. */
static struct store_row row_of(unsigned index, const struct reg_params *params, unsigned ago)
{
	return (struct store_row){ .number = FIRST + index,
				   .tenant = "",
				   .params = params,
				   .expires = clock_now() + HOUR_MS - ago * (mono_ms)60000,
				   .ttl_s = 3600 };
}

static void take_rows(const struct store_row *rows, size_t count)
{
	struct taken_shard taken[COUNT];
	const struct fleet_news news = { .kind = FLEET_TAKEN,
					 .asked = clock_now(),
					 .taken = taken,
					 .taken_count = count,
					 .rows = (struct store_row *)rows,
					 .row_count = count };

	for (size_t i = 0; i < count; i++)
		taken[i] = (struct taken_shard){ lease_shard_of(rows[i].number), EPOCH, true, 0 };
	keeper_news(keeper, &news, clock_now());
}

static void the_most_affected_go_first_of_all_shards_that_were_taken(void **state)
{
	struct reg_params fork = before, ingress = before;
	const unsigned right[] = { 4, 3, 5, 6, 2, 1 };
	struct store_row first[3], more[3];

	(void)state;
	fork.route_type = ROUTE_TYPE_FORK;
	ingress.route_type = ROUTE_TYPE_INGRESS;
	first[0] = row_of(1, &ingress, 0);
	first[1] = row_of(2, &fork, 0);
	first[2] = row_of(3, &before, 20);
	more[0] = row_of(4, &before, 5);
	more[1] = row_of(5, &before, 40);
	more[2] = row_of(6, &before, 41);
	clock_fake_advance(37); /* in the middle of a slot of the wheel */
	hear(FLEET_JOINED);
	renew_with(&theirs, false, false);
	take_rows(first, 3);
	take_rows(more, 3);
	live_under(&theirs, 10000);
	assert_int_equal(core.total, 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(core.order[i], right[i]);
}

#define STANDS_IN(test) cmocka_unit_test_setup_teardown(test, begin_standing_in, finish)
#define SHARDS(test)    cmocka_unit_test_setup_teardown(test, begin, finish)
#define TWO(test)       cmocka_unit_test_setup_teardown(test, begin_with_two_cores, finish)
#define TOKENLESS(test) cmocka_unit_test_setup_teardown(test, begin_without_token, finish)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SHARDS(numbers_of_other_nodes_are_left_alone),
		SHARDS(what_is_new_is_written_under_the_epoch_before_it_is_said),
		TWO(what_is_new_at_two_cores_is_written_together),
		SHARDS(what_cannot_be_written_is_not_said_until_it_can),
		SHARDS(after_a_refused_write_it_sleeps),
		SHARDS(what_was_registered_before_is_refreshed_in_its_time),
		SHARDS(after_an_unclean_end_all_are_repeated_soon),
		SHARDS(what_changes_after_an_unclean_end_is_said_twice),
		SHARDS(a_row_that_nobody_wants_is_withdrawn),
		SHARDS(rows_of_tenants_that_have_gone_are_counted_and_said),
		SHARDS(during_a_hold_rows_are_repeated_and_nothing_is_withdrawn),
		SHARDS(a_hold_that_is_lifted_is_over),
		SHARDS(what_the_last_owner_never_heard_of_needs_no_wait),
		SHARDS(after_the_lease_nothing_is_said_until_somebody_knows_why),
		SHARDS(without_the_database_what_is_registered_is_refreshed_for_a_time),
		SHARDS(without_the_database_nothing_is_added_changed_or_withdrawn),
		SHARDS(what_the_rows_have_not_heard_is_taken_back_alone),
		SHARDS(a_configuration_that_is_not_in_force_changes_nothing),
		SHARDS(a_new_number_that_waits_is_not_asked_for_by_a_configuration_out_of_force),
		SHARDS(what_is_wanted_while_the_lease_is_in_doubt_is_said_afterwards),
		SHARDS(a_hold_delays_no_new_number_of_a_configuration_that_comes_into_force),
		SHARDS(a_configuration_that_was_in_force_before_it_came_withdraws_nothing),
		SHARDS(a_shard_is_given_once_its_answers_are_in_and_its_rows_written),
		SHARDS(what_was_not_written_is_not_given),
		SHARDS(the_rest_of_a_hold_is_handed_on),
		SHARDS(what_was_given_up_may_come_when_another_has_its_shard),
		SHARDS(what_was_given_up_may_come_when_another_process_has_our_name),
		SHARDS(what_was_given_up_long_ago_does_not_come_any_more),
		SHARDS(a_shard_soon_given_on_is_as_unclean_as_it_came),
		SHARDS(who_ends_a_hold_may_have_sent_something),
		SHARDS(nothing_is_let_go_while_the_database_is_away),
		SHARDS(a_number_that_comes_while_its_shard_leaves_is_ours_if_that_is_taken_back),
		SHARDS(who_stops_lets_go_even_so),
		SHARDS(who_was_put_out_says_nothing_and_says_when_it_has_forgotten),
		SHARDS(who_hears_nothing_from_the_core_leaves_while_others_serve),
		TOKENLESS(a_token_that_came_late_is_no_reason_to_leave),
		TOKENLESS(who_gets_no_token_leaves),
		SHARDS(who_keeps_shard_0_under_a_good_lease_leads),
		STANDS_IN(who_stands_in_withdraws_all_whatever_is_in_force),
		STANDS_IN(who_stands_in_repeats_nothing_while_a_node_may),
		STANDS_IN(who_stands_in_says_nothing_without_the_database),
		STANDS_IN(the_most_affected_go_first_of_all_shards_that_were_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
