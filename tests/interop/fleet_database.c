/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_database SERVER - what a fleet keeps in a real database, against the server whose
 * socket is in that folder, through a way that breaks where a test says
 * (tests/fake/pg_relay.h). Run by test_fleet_database.py.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "registrar/consent_share.h"
#include "registrar/fleet_inside.h"
#include "registrar/fleet_watch.h"
#include "registrar/store_postgres.h"
#include "tests/fake/folder.h"
#include "tests/fake/pg_relay.h"

#define PATIENCE 5000
#define ALONE_MS 7200000
#define HOLD_MS  7920000 /* and a tenth */
#define FIRST    4799000000u

static const char *server;
static char conninfo[80]; /* through the relay */
static char direct[128];
static struct pg *pg, *other; /* `other`: always whole */

static mono_ms soon(void)
{
	return clock_now() + PATIENCE;
}

static void must(const char *statement)
{
	if (pg_script(other, statement, soon()))
		fail_msg("%s: %s", statement, pg_error(other));
}

/* The one value that the statement selects. */
static int64_t value(const char *statement)
{
	struct pg_rows *rows;
	int64_t number;

	if (pg_exec(other, statement, NULL, 0, soon(), &rows))
		fail_msg("%s: %s", statement, pg_error(other));
	assert_int_equal(pg_row_count(rows), 1);
	number = pg_int(rows, 0, 0);
	pg_rows_destroy(rows);
	return number;
}

static void connect_anew(void)
{
	if (pg_connect(pg, soon()))
		fail_msg("%s", pg_error(pg));
}

static int set_up(void **state)
{
	int version;

	(void)state;
	if (folder_make() || relay_start(server, folder))
		return -1;
	snprintf(conninfo, sizeof(conninfo), "host=%s dbname=postgres user=breakout", folder);
	snprintf(direct, sizeof(direct), "host=%s dbname=postgres user=breakout", server);
	if (pg_create(&pg, conninfo, NULL) || pg_create(&other, direct, NULL) ||
	    pg_connect(other, soon()))
		return -1;
	must("SET client_min_messages = error; DROP SCHEMA IF EXISTS breakout CASCADE");
	connect_anew();
	return fleet_sql_prepare(pg, soon(), &version);
}

static int tear_down(void **state)
{
	(void)state;
	pg = pg_destroy(pg);
	other = pg_destroy(other);
	relay_stop();
	return folder_remove();
}

/* ---- nodes ---- */

static struct fleet_self self_of(const char *name, uint64_t session)
{
	return (struct fleet_self){ .name = name,
				    .session = session,
				    .alone_ms = ALONE_MS,
				    .wish = { .version = 3, .digest = UINT64_MAX } };
}

static struct fleet_self join(const char *name)
{
	struct fleet_self self = self_of(name, 0);

	assert_int_equal(fleet_sql_join(pg, &self, false, soon(), &self.session), 0);
	assert_true(self.session > 0);
	return self;
}

static void take_some(const struct fleet_self *self, unsigned from, unsigned count)
{
	unsigned shards[LEASE_TAKE_MAX];

	for (unsigned i = 0; i < count; i++)
		shards[i] = from + i;
	assert_int_equal(fleet_sql_take(pg, self, shards, count, soon()), 0);
}

static struct lease_view look(void)
{
	struct lease_view view = { .node_count = 0 };

	assert_int_equal(fleet_sql_look(pg, &view, soon()), 0);
	return view;
}

static unsigned owned_by(uint64_t session)
{
	struct lease_view view = look();
	unsigned count = 0;

	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		count += view.shards[i].session == session;
	return count;
}

static unsigned held(void)
{
	struct lease_view view = look();
	unsigned count = 0;

	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		count += view.shards[i].hold_ms > 0;
	return count;
}

static size_t put_out(const char *name)
{
	struct lease_view view = look();
	size_t shards = 0;

	for (size_t i = 0; i < view.node_count; i++)
		if (!strcmp(view.nodes[i].name, name))
			assert_int_equal(fleet_sql_put_out(pg, &view.nodes[i], soon(), &shards), 0);
	return shards;
}

/* ---- the tables ---- */

static void tables_are_made_once_by_whoever_comes_first(void **state)
{
	int version = 0;

	(void)state;
	must("DROP SCHEMA breakout CASCADE");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fleet_sql_prepare(pg, soon(), &version), 0);
		assert_int_equal(version, 3);
	}
	assert_int_equal(value("SELECT count(*) FROM breakout.shard"), LEASE_SHARDS);
	assert_int_equal(value("SELECT count(*) FROM breakout.consent_reader"), 1);
}

static void tables_of_version_1_are_brought_up_to_date(void **state)
{
	int version = 0;

	(void)state;
	must("ALTER TABLE breakout.told DROP CONSTRAINT told_pkey, DROP COLUMN tenant,"
	     " ADD PRIMARY KEY (shard, number);"
	     "INSERT INTO breakout.told VALUES(7, 4799000001, 'sips:a', '00', '', 1, 5, 3600);"
	     "UPDATE breakout.fleet SET tables = 1");
	assert_int_equal(fleet_sql_prepare(pg, soon(), &version), 0);
	assert_int_equal(version, 3);
	assert_int_equal(value("SELECT count(*) FROM breakout.told WHERE tenant = ''"), 1);
	must("ALTER TABLE breakout.told DROP COLUMN core");
	assert_int_equal(fleet_sql_prepare(pg, soon(), &version), 0);
	assert_int_equal(value("SELECT core FROM breakout.told"), 0);
}

/* Somebody reads the table for long, and others shall not wait behind us meanwhile. */
static void prepares_beside_a_dump(void)
{
	mono_ms began = clock_now();
	int version = 0;

	must("BEGIN; SELECT count(*) FROM breakout.told");
	assert_int_equal(fleet_sql_prepare(pg, soon(), &version), -EPROTO);
	assert_true(clock_now() - began < PATIENCE / 2);
	assert_int_equal(value("SELECT count(*) FROM pg_stat_activity"
			       " WHERE wait_event_type = 'Lock'"),
			 0);
	must("ROLLBACK");
	assert_int_equal(fleet_sql_prepare(pg, soon(), &version), 0);
	assert_int_equal(version, 3);
}

static void tables_are_not_changed_behind_a_dump(void **state)
{
	(void)state;
	must("ALTER TABLE breakout.told DROP CONSTRAINT told_pkey, DROP COLUMN tenant,"
	     " ADD PRIMARY KEY (shard, number); UPDATE breakout.fleet SET tables = 1");
	prepares_beside_a_dump();
	must("ALTER TABLE breakout.told DROP COLUMN core");
	prepares_beside_a_dump();
}

static void tables_of_version_2_get_those_of_added_numbers(void **state)
{
	int version = 0;

	(void)state;
	must("DROP TABLE breakout.added, breakout.added_head, breakout.added_record;"
	     "UPDATE breakout.fleet SET tables = 2");
	assert_int_equal(fleet_sql_prepare(pg, soon(), &version), 0);
	assert_int_equal(version, 3);
	assert_int_equal(value("SELECT serial FROM breakout.added_head"), 0);
}

static void tables_of_another_version_are_left_alone(void **state)
{
	int version = 0;

	(void)state;
	must("UPDATE breakout.fleet SET tables = 99");
	assert_int_equal(fleet_sql_prepare(pg, soon(), &version), -EMEDIUMTYPE);
	assert_int_equal(version, 99);
	must("DELETE FROM breakout.fleet"); /* somebody's mistake */
	assert_int_equal(fleet_sql_prepare(pg, soon(), &version), -EMEDIUMTYPE);
	assert_int_equal(version, 0);
	assert_true(pg_connected(pg));
}

static void who_may_not_make_tables_is_told_so(void **state)
{
	int version;

	(void)state;
	must("DROP SCHEMA breakout CASCADE; DROP ROLE IF EXISTS guest; CREATE ROLE guest");
	assert_int_equal(pg_script(pg, "SET ROLE guest", soon()), 0);
	assert_int_equal(fleet_sql_prepare(pg, soon(), &version), -EPROTO);
	assert_true(pg_lacks_rights(pg) && pg_connected(pg));
	assert_int_equal(pg_script(pg, "SELECT 1", soon()), 0);
	assert_false(pg_lacks_rights(pg));
	must("DROP ROLE guest");
}

/* ---- members ---- */

static void a_name_belongs_to_one_session(void **state)
{
	struct fleet_self a = join("a"), b = join("b"), again = a;
	struct lease_view view = look();

	(void)state;
	assert_true(a.session != b.session);
	assert_int_equal(view.node_count, 2);
	assert_string_equal(view.nodes[0].name, "a");
	assert_int_equal(view.nodes[0].wish.version, 3);
	assert_true(view.nodes[0].wish.digest == UINT64_MAX);

	/* Another process under its name; the first one finds out, and may not come back. */
	again = join("a");
	assert_int_equal(fleet_sql_beat(pg, &a, soon()), -ESTALE);
	assert_int_equal(fleet_sql_beat(pg, &again, soon()), 0);
	assert_int_equal(fleet_sql_join(pg, &a, true, soon(), &a.session), -EEXIST);
	assert_int_equal(fleet_sql_join(pg, &again, true, soon(), &again.session), 0);
	assert_int_equal(fleet_sql_beat(pg, &again, soon()), 0);
}

/* Its answer was lost: who asked still goes by the session it had. */
static void a_join_nobody_heard_of_locks_nobody_out(void **state)
{
	struct fleet_self a = join("a"), had = a;

	(void)state;
	assert_int_equal(fleet_sql_beat(pg, &a, soon()), 0);
	a = join("a");
	assert_int_equal(fleet_sql_beat(pg, &had, soon()), -ESTALE);
	assert_int_equal(fleet_sql_join(pg, &had, true, soon(), &had.session), 0);
	assert_true(had.session != a.session);
	assert_int_equal(fleet_sql_beat(pg, &had, soon()), 0);
	/* And should somebody know of it after all, it hears that it is over. */
	assert_int_equal(fleet_sql_beat(pg, &a, soon()), -ESTALE);
	assert_int_equal(fleet_sql_join(pg, &a, true, soon(), &a.session), -EEXIST);
}

static void names_of_any_kind_come_back_as_they_were(void **state)
{
	char name[LEASE_NAME_ROOM] = "it's \"a\" \\node\n\xc3\xa5, {1} $1";
	struct fleet_self odd = join(name);

	(void)state;
	memset(name + strlen(name), 'x', sizeof(name) - 1 - strlen(name));
	assert_string_equal(look().nodes[0].name, "it's \"a\" \\node\n\xc3\xa5, {1} $1");
	odd = join(name);
	assert_int_equal(fleet_sql_beat(pg, &odd, soon()), 0);
	assert_int_equal(strlen(look().nodes[1].name), LEASE_NAME_ROOM - 1);
}

static void a_name_that_is_no_text_joins_nobody(void **state)
{
	struct fleet_self self = self_of("bad \xff\xfe", 0);

	(void)state;
	assert_int_equal(fleet_sql_join(pg, &self, false, soon(), &self.session), -EPROTO);
	assert_true(pg_connected(pg) && strstr(pg_error(pg), "UTF8"));
	assert_int_equal(look().node_count, 0);
	join("good"); /* the transaction is over */
}

static void more_nodes_than_a_fleet_has_are_not_looked_at(void **state)
{
	(void)state;
	must("INSERT INTO breakout.node SELECT 'n' || i, CASE WHEN i > 5 THEN i END, 0, false, 0,"
	     " 0, 0, now() FROM generate_series(1, 40) i");
	assert_int_equal(look().node_count, LEASE_NODES);
	for (int i = 0; i < LEASE_NODES; i++)
		assert_true(look().nodes[i].session > 5); /* members first */
}

static void only_a_beat_that_stood_still_puts_its_node_out(void **state)
{
	struct fleet_self a = join("a");
	struct lease_view before = look();
	size_t shards = 7;

	(void)state;
	take_some(&a, 10, 5);
	assert_int_equal(owned_by(a.session), 5);
	assert_int_equal(fleet_sql_beat(pg, &a, soon()), 0);
	assert_int_equal(fleet_sql_put_out(pg, &before.nodes[0], soon(), &shards), 0);
	assert_int_equal(shards, 0);
	assert_int_equal(owned_by(a.session), 5);

	assert_int_equal(put_out("a"), 5);
	assert_int_equal(owned_by(a.session), 0);
	assert_int_equal(fleet_sql_beat(pg, &a, soon()), -ESTALE);
	assert_int_equal(held(), 5);
	assert_int_equal(look().shards[10].hold_ms, HOLD_MS);
	assert_int_equal(look().shards[10].epoch, 3); /* taken, lost */

	/* Its successor under the name says that it is over. */
	join("a");
	assert_int_equal(held(), 0);
}

static void a_hold_for_two_ends_with_the_second(void **state)
{
	struct fleet_self a = join("a"), b = join("b");

	(void)state;
	take_some(&a, 0, 4);
	put_out("a");
	take_some(&b, 0, 4);
	put_out("b");
	assert_int_equal(held(), 4);
	join("b");
	assert_int_equal(held(), 4);
	join("a");
	assert_int_equal(held(), 0);
}

static void shards_of_a_session_that_is_nobodys_are_freed_with_a_hold(void **state)
{
	struct fleet_self a = join("a"), b = join("b");

	(void)state;
	take_some(&a, 0, 4);
	must("UPDATE breakout.node SET session = NULL WHERE node = 'a'");
	assert_int_equal(fleet_sql_free_orphans(pg, &b, soon()), 0);
	assert_int_equal(owned_by(a.session), 0);
	assert_int_equal(held(), 4);
	join("a");
	assert_int_equal(held(), 0);
}

static void only_free_shards_are_taken_and_only_by_members(void **state)
{
	struct fleet_self a = join("a"), b = join("b"), stranger = self_of("b", 4711);

	(void)state;
	take_some(&a, 0, 4);
	take_some(&b, 2, 4);
	assert_int_equal(owned_by(a.session), 4);
	assert_int_equal(owned_by(b.session), 2);
	take_some(&stranger, 100, 4);
	assert_int_equal(owned_by(4711), 0);
	take_some(&a, 254, 4); /* there are no 256 and 257 */
	assert_int_equal(owned_by(a.session), 6);
}

static void what_another_holds_locked_is_left_out_and_not_waited_for(void **state)
{
	struct fleet_self a = join("a");
	mono_ms began;

	(void)state;
	must("BEGIN; SELECT 1 FROM breakout.shard WHERE shard IN (1, 2) FOR UPDATE");
	began = clock_now();
	take_some(&a, 0, 4);
	assert_true(clock_now() - began < 1000);
	must("ROLLBACK");
	assert_int_equal(owned_by(a.session), 2);
}

static void shards_are_given_under_their_epoch_only(void **state)
{
	struct fleet_self a = join("a"), b = join("b");
	struct fleet_gift gifts[LEASE_SHARDS] = { 0 };

	(void)state;
	take_some(&b, 0, 4);
	put_out("b"); /* all four are held because of it */
	take_some(&a, 0, 4);
	gifts[0] = (struct fleet_gift){ .epoch = look().shards[0].epoch, .clean = true };
	gifts[1] = (struct fleet_gift){ .epoch = gifts[0].epoch, .hold_ms = 5000 };
	gifts[2] = (struct fleet_gift){ .epoch = gifts[0].epoch - 1, .clean = true };
	assert_int_equal(fleet_sql_give(pg, &a, gifts, soon()), 0);
	assert_int_equal(owned_by(a.session), 2);
	assert_int_equal(look().shards[0].hold_ms, 0);
	assert_int_equal(look().shards[1].hold_ms, 5000);
	assert_int_equal(look().shards[2].hold_ms, HOLD_MS);
	assert_int_equal(value("SELECT count(*) FROM breakout.shard WHERE NOT clean"), 3);
	assert_int_equal(value("SELECT clean::integer FROM breakout.shard WHERE shard = 0"), 1);

	/* Once more does no harm. */
	assert_int_equal(fleet_sql_give(pg, &a, gifts, soon()), 0);
	assert_int_equal(look().shards[1].hold_ms, 5000);
	join("b");
	assert_int_equal(held(), 0);
}

static void the_greater_version_is_in_force_and_the_first_of_two(void **state)
{
	struct fleet_self a = join("a");

	(void)state;
	assert_int_equal(look().in_force.version, 0);
	assert_int_equal(fleet_sql_claim(pg, &a, soon()), 0);
	assert_true(look().in_force.digest == UINT64_MAX);
	a.wish.digest = 5;
	assert_int_equal(fleet_sql_claim(pg, &a, soon()), 0);
	assert_true(look().in_force.digest == UINT64_MAX);
	a.wish.version = INT64_MAX;
	assert_int_equal(fleet_sql_claim(pg, &a, soon()), 0);
	assert_true(look().in_force.digest == 5);
	assert_true(look().in_force.version == INT64_MAX);
}

static void who_says_goodbye_leaves_nothing_and_no_hold(void **state)
{
	struct fleet_self a = join("a");

	(void)state;
	take_some(&a, 0, 4);
	must("INSERT INTO breakout.writer SELECT session, 1 FROM breakout.node");
	assert_int_equal(fleet_sql_leave(pg, &a, soon()), 0);
	assert_int_equal(look().node_count, 0);
	assert_int_equal(held(), 0);
	assert_int_equal(value("SELECT count(*) FROM breakout.writer"), 0);
	assert_int_equal(value("SELECT count(*) FROM breakout.shard WHERE NOT clean"), 4);
}

/* ---- rows ---- */

static struct fleet_news *load(const struct fleet_self *self, unsigned shard)
{
	struct fleet_news *news = calloc(1, sizeof(*news));

	assert_non_null(news);
	assert_int_equal(fleet_sql_load(pg, self, &shard, 1, soon(), news), 0);
	return news;
}

static void rows_of_a_shard_come_with_the_time_they_have_left(void **state)
{
	struct fleet_self a = join("a");
	struct fleet_news *news;

	(void)state;
	take_some(&a, 7, 1);
	must("INSERT INTO breakout.told SELECT 7, 4799000000 + i, 'sips:a', '00', '', 1,"
	     " (extract(epoch from now()) * 1000)::bigint + 60000, 3600, CASE WHEN i = 3 THEN"
	     " 'acme' ELSE '' END FROM generate_series(1, 3) i;"
	     "INSERT INTO breakout.told VALUES(8, 4799000009, 'sips:a', '', '', 1, 0, 3600, '')");
	news = load(&a, 7);
	assert_int_equal(news->taken_count, 1);
	assert_int_equal(news->taken[0].epoch, 2);
	assert_true(news->taken[0].clean);
	assert_int_equal(news->row_count, 3);
	assert_int_equal(news->params_count, 1);
	assert_int_equal(news->tenant_count, 2);
	for (int i = 0; i < 3; i++) {
		assert_true(news->rows[i].expires - clock_now() > 50000 &&
			    news->rows[i].expires - clock_now() <= 61000);
		assert_int_equal(news->rows[i].ttl_s, 3600);
		assert_string_equal(news->rows[i].params->sip_uri, "sips:a");
	}
	fleet_news_destroy(news);
	news = load(&a, 8); /* not ours */
	assert_int_equal(news->taken_count, 0);
	fleet_news_destroy(news);
}

/* Nothing that we wrote: a hand, or another program. */
static void rows_with_values_that_cannot_be_are_left_out(void **state)
{
	static const char *const values[] = {
		"4799000001, 'sips:a', '', '', 99, 0, 3600", /* route types end before */
		"4799000001, 'sips:a', '', '', -1, 0, 3600",
		"4799000001, 'sips:a', '', '', -2147483648, 0, 3600",
		"4799000001, 'sips:a', '', '', 0, 0, 3600", /* the core is told nothing */
		"0, 'sips:a', '', '', 1, 0, 3600",
		"-4799000001, 'sips:a', '', '', 1, 0, 3600",
		"9223372036854775807, 'sips:a', '', '', 1, 0, 3600",
		"12, 'sips:a', '', '', 1, 0, 3600", /* too short for a number */
	};
	struct fleet_self a = join("a");
	char statement[256];

	(void)state;
	take_some(&a, 7, 1);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct fleet_news *news;

		snprintf(statement, sizeof(statement),
			 "DELETE FROM breakout.told; INSERT INTO breakout.told VALUES(7, %s, '')",
			 values[i]);
		must(statement);
		news = load(&a, 7);
		if (news->row_count)
			fail_msg("%s is taken for a row", values[i]);
		fleet_news_destroy(news);
	}
}

static void times_that_cannot_be_are_not_believed(void **state)
{
	struct fleet_self a = join("a");
	struct fleet_news *news;

	(void)state;
	take_some(&a, 7, 1);
	must("INSERT INTO breakout.told VALUES"
	     "(7, 4799000001, 'sips:a', '', '', 1, 9223372036854775807, -5, ''),"
	     "(7, 4799000002, 'sips:a', '', '', 1, -9223372036854775808, 9999999999, '')");
	news = load(&a, 7);
	assert_int_equal(news->row_count, 2);
	for (size_t i = 0; i < news->row_count; i++) {
		assert_true(news->rows[i].ttl_s <= REG_TTL_MAX_S);
		assert_true(news->rows[i].expires - clock_now() > REG_TTL_MAX_S * (mono_ms)1000 ||
			    news->rows[i].expires < clock_now());
	}
	fleet_news_destroy(news);
}

static void texts_of_any_kind_survive_in_rows(void **state)
{
	struct fleet_self a = join("a");
	struct fleet_news *news;

	(void)state;
	take_some(&a, 7, 1);
	must("INSERT INTO breakout.told VALUES(7, 4799000001, E'sips:\\'\"\\\\,{}\\u00e5\\n',"
	     " repeat('9', 10000), '', 1, 0, 1, 'NULL')");
	news = load(&a, 7);
	assert_string_equal(news->rows[0].params->sip_uri, "sips:'\"\\,{}\xc3\xa5\n");
	assert_int_equal(strlen(news->rows[0].params->prefix_mo), 10000);
	assert_string_equal(news->rows[0].tenant, "NULL");
	fleet_news_destroy(news);
}

/* ---- the store ---- */

static char node_name[] = "a";
static struct fleet *fleet;
static struct store *store;
static struct fleet_self member;
static const char *why;

static void on_news(struct fleet_news *take_news, void *arg)
{
	(void)arg;
	fleet_news_destroy(take_news);
}

static int set_up_store(void **state)
{
	const struct config_postgres config = {
		.conninfo = conninfo, .node = node_name, .lease_ms = 10000, .alone_s = 7200
	};
	const struct fleet_options options = { .config = &config,
					       .wish = { .version = 3, .digest = UINT64_MAX },
					       .news = on_news };

	if (set_up(state) || fleet_create(&fleet, &options) ||
	    store_postgres_create(&store, &config, fleet))
		return -1;
	member = join("a");
	assert_int_equal(fleet_sql_claim(pg, &member, soon()), 0);
	for (unsigned i = 0; i < LEASE_SHARDS; i += LEASE_TAKE_MAX)
		take_some(&member, i, LEASE_TAKE_MAX);
	pg_drop(pg); /* the relay has one connection at a time: the store's from here on */
	atomic_store(&fleet->session, member.session);
	atomic_store(&fleet->reaches, true);
	why = "";
	return 0;
}

static int tear_down_store(void **state)
{
	store = store_close(store);
	fleet = fleet_destroy(fleet);
	return tear_down(state);
}

static struct reg_params params = { (char *)"sips:tas.example.com", (char *)"00", (char *)"",
				    ROUTE_TYPE_LOOP };

static struct store_row row_of(unsigned index)
{
	struct store_row row = { .number = FIRST + index,
				 .tenant = "",
				 .params = &params,
				 .expires = clock_now() + 3600000,
				 .ttl_s = 3600,
				 .epoch = 2 };

	row.shard = lease_shard_of(row.number);
	return row;
}

static int write_rows(unsigned from, unsigned count, enum store_purpose purpose)
{
	struct store_row rows[100];

	for (unsigned i = 0; i < count; i++)
		rows[i] = row_of(from + i);
	return store_write(store, rows, count, purpose, &why);
}

static int64_t rows_there(void)
{
	return value("SELECT count(*) FROM breakout.told");
}

static void rows_are_written_changed_and_forgotten(void **state)
{
	struct store_row rows[2] = { row_of(1), row_of(2) };

	(void)state;
	assert_int_equal(write_rows(1, 100, STORE_AHEAD), 0);
	assert_int_equal(rows_there(), 100);
	assert_true(
		llabs(value("SELECT min(expires_ms) - (extract(epoch from now()) * 1000)::bigint"
			    " FROM breakout.told") -
		      3600000) < 10000);
	rows[0].params = NULL;
	rows[1].ttl_s = 60;
	assert_int_equal(store_write(store, rows, 2, STORE_NOTE, &why), 0);
	assert_int_equal(rows_there(), 99);
	assert_int_equal(value("SELECT ttl_s FROM breakout.told WHERE number = 4799000002"), 60);
	assert_int_equal(store_write(store, rows, 0, STORE_NOTE, &why), 0);
}

static void one_shard_of_another_epoch_keeps_all_from_being_written(void **state)
{
	struct store_row rows[3] = { row_of(1), row_of(2), row_of(3) };

	(void)state;
	rows[1].epoch = 1;
	assert_int_equal(store_write(store, rows, 3, STORE_NOTE, &why), -EPERM);
	assert_non_null(strstr(why, "others have its shards"));
	assert_int_equal(rows_there(), 0);
	rows[1].epoch = 2;
	assert_int_equal(store_write(store, rows, 3, STORE_NOTE, &why), 0);
}

static void what_is_new_needs_the_configuration_in_force(void **state)
{
	(void)state;
	must("UPDATE breakout.fleet SET version = 4");
	assert_int_equal(write_rows(1, 3, STORE_AHEAD), -EPERM);
	assert_int_equal(write_rows(1, 3, STORE_NOTE), 0); /* what has happened has */
	must("UPDATE breakout.fleet SET version = 3, digest = 7");
	assert_int_equal(write_rows(4, 3, STORE_AHEAD), -EPERM);
	must("UPDATE breakout.fleet SET digest = -1");
	assert_int_equal(write_rows(4, 3, STORE_AHEAD), 0);
}

static void the_last_connection_that_asked_is_the_writer(void **state)
{
	(void)state;
	assert_int_equal(write_rows(1, 1, STORE_NOTE), 0);
	must("UPDATE breakout.writer SET token = token + 1"); /* a request that came late */
	assert_int_equal(write_rows(2, 1, STORE_NOTE), -EPERM);
	assert_int_equal(write_rows(2, 1, STORE_NOTE), 0); /* asks for its own again */
	assert_int_equal(rows_there(), 2);
}

/* What the fleet's thread does, after a write in vain. */
static void a_beat_comes_through(void)
{
	atomic_store(&fleet->doubted, 0);
}

/* Given up, overtaken, and there at last. */
static void a_statement_that_arrives_late_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(write_rows(1, 1, STORE_NOTE), 0);
	relay_cut_at(1, RELAY_HELD);
	assert_int_equal(write_rows(2, 1, STORE_NOTE), -EIO);
	a_beat_comes_through();
	assert_int_equal(write_rows(3, 1, STORE_NOTE), 0);
	relay_release();
	assert_int_equal(rows_there(), 2);
	assert_int_equal(value("SELECT count(*) FROM breakout.told WHERE number = 4799000002"), 0);
}

static void who_has_no_session_or_no_database_does_not_try(void **state)
{
	(void)state;
	atomic_store(&fleet->session, 0);
	assert_int_equal(write_rows(1, 1, STORE_NOTE), -EIO);
	atomic_store(&fleet->session, member.session);
	atomic_store(&fleet->reaches, false);
	assert_int_equal(write_rows(1, 1, STORE_NOTE), -EIO);
	assert_string_equal(why, "it cannot be reached");
	assert_int_equal(rows_there(), 0);
	atomic_store(&fleet->reaches, true);
	assert_int_equal(write_rows(1, 1, STORE_NOTE), 0);
}

static void a_new_session_asks_for_a_token_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(write_rows(1, 1, STORE_NOTE), 0);
	atomic_store(&fleet->session, 4711);
	assert_int_equal(write_rows(2, 1, STORE_NOTE), 0); /* the epochs are what counts */
	assert_int_equal(value("SELECT token FROM breakout.writer WHERE session = 4711"), 1);
}

static void a_value_the_server_does_not_take_is_an_error(void **state)
{
	struct store_row row = row_of(1);
	struct reg_params bad = params;

	(void)state;
	bad.sip_uri = (char *)"sips:\xff";
	row.params = &bad;
	assert_int_equal(store_write(store, &row, 1, STORE_NOTE, &why), -EIO);
	assert_non_null(strstr(why, "UTF8"));
	assert_int_equal(write_rows(2, 1, STORE_NOTE), 0);
}

static void texts_are_written_as_they_are(void **state)
{
	struct reg_params odd = { (char *)"sips:'\"\\,{}\xc3\xa5\n", (char *)"", (char *)"NULL",
				  ROUTE_TYPE_FORK };
	struct store_row row = row_of(1);

	(void)state;
	row.params = &odd;
	row.tenant = "{\"}";
	assert_int_equal(store_write(store, &row, 1, STORE_NOTE, &why), 0);
	assert_int_equal(value("SELECT count(*) FROM breakout.told WHERE sip_uri ="
			       " E'sips:\\'\"\\\\,{}\\u00e5\\n' AND prefix_mt = 'NULL' AND"
			       " tenant = '{\"}' AND route_type = 2"),
			 1);
}

static void a_write_waits_a_second_and_a_half_for_a_lock_and_the_next_for_a_beat(void **state)
{
	mono_ms began;

	(void)state;
	assert_int_equal(write_rows(1, 1, STORE_NOTE), 0);
	must("BEGIN; UPDATE breakout.shard SET clean = true");
	began = clock_now();
	assert_int_equal(write_rows(2, 1, STORE_NOTE), -EIO);
	assert_in_range(clock_now() - began, 1400, 2500);
	must("ROLLBACK");
	assert_int_equal(write_rows(3, 1, STORE_NOTE), -EIO);
	assert_string_equal(why, "it cannot be reached");
	a_beat_comes_through();
	assert_int_equal(write_rows(3, 1, STORE_NOTE), 0);
}

/* ---- away in the middle ---- */

/* One after the other, each statement of what a node does is lost, or its answer is. */
static void a_write_may_be_cut_off_at_any_statement(void **state)
{
	(void)state;
	for (int cut = RELAY_BEFORE; cut <= RELAY_AFTER; cut++)
		for (unsigned at = 1;; at++) {
			unsigned from = (unsigned)cut * 1000 + at * 10;
			int err;

			must("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
			     " WHERE pid <> pg_backend_pid() AND application_name = 'breakout'");
			(void)!write_rows(from, 1, STORE_NOTE); /* notices, or not yet */
			a_beat_comes_through();
			must("DELETE FROM breakout.told");
			relay_cut_at(at, (enum relay_cut)cut);
			err = write_rows(from + 1, 2, STORE_AHEAD);
			if (relay_call_off()) {
				assert_int_equal(err, 0);
				assert_true(at > 1);
				break;
			}
			assert_int_equal(err, -EIO);
			assert_true(why[0]);
			assert_true(rows_there() == 0 || (cut == RELAY_AFTER && rows_there() == 2));
			a_beat_comes_through();
			assert_int_equal(write_rows(from + 1, 2, STORE_AHEAD), 0);
			assert_int_equal(rows_there(), 2);
		}
}

static struct fleet_self cut_member;

static int do_prepare(void)
{
	int version;

	return fleet_sql_prepare(pg, soon(), &version);
}

static int do_join(void)
{
	return fleet_sql_join(pg, &cut_member, true, soon(), &cut_member.session);
}

static int do_beat(void)
{
	return fleet_sql_beat(pg, &cut_member, soon());
}

static int do_look(void)
{
	struct lease_view view;

	return fleet_sql_look(pg, &view, soon());
}

static int do_claim(void)
{
	return fleet_sql_claim(pg, &cut_member, soon());
}

static int do_take(void)
{
	static const unsigned shards[] = { 1, 2, 3 };

	return fleet_sql_take(pg, &cut_member, shards, 3, soon());
}

static int do_load(void)
{
	static const unsigned shards[] = { 1, 2, 3 };
	struct fleet_news *news = calloc(1, sizeof(*news));
	int err = fleet_sql_load(pg, &cut_member, shards, 3, soon(), news);

	fleet_news_destroy(news);
	return err;
}

static int do_give(void)
{
	const struct fleet_gift gifts[LEASE_SHARDS] = { [1] = { .epoch = 2, .clean = true } };

	return fleet_sql_give(pg, &cut_member, gifts, soon());
}

static int do_free_orphans(void)
{
	return fleet_sql_free_orphans(pg, &cut_member, soon());
}

static int do_put_out(void)
{
	const struct lease_node dead = { .name = "dead", .session = 99, .beat = 1 };
	size_t shards;

	return fleet_sql_put_out(pg, &dead, soon(), &shards);
}

static int do_leave(void)
{
	return fleet_sql_leave(pg, &cut_member, soon());
}

/* In the order of a life. */
static const struct deed {
	const char *name;
	int (*work)(void);
	unsigned statements;
} deeds[] = {
	{ "prepare", do_prepare, 4 },
	{ "join", do_join, 7 },
	{ "beat", do_beat, 1 },
	{ "look", do_look, 3 },
	{ "claim", do_claim, 1 },
	{ "take", do_take, 1 },
	{ "load", do_load, 2 },
	{ "put out", do_put_out, 1 },
	{ "free orphans", do_free_orphans, 1 },
	{ "give", do_give, 2 },
	{ "leave", do_leave, 4 },
};

static void cut_deed(const struct deed *deed, unsigned at, enum relay_cut cut)
{
	int err;

	relay_cut_at(at, cut);
	err = deed->work();
	if (relay_call_off() || err != -EIO || pg_connected(pg))
		fail_msg("%s, cut %d at statement %u: %d", deed->name, (int)cut, at, err);
	assert_true(pg_error(pg)[0]);
	connect_anew();
}

static void each_deed_may_be_cut_off_at_any_statement_and_done_again(void **state)
{
	(void)state;
	for (int cut = RELAY_BEFORE; cut <= RELAY_AFTER; cut++) {
		cut_member = self_of("cut", 0);
		for (size_t i = 0; i < ARRAY_SIZE(deeds); i++) {
			uint64_t session = cut_member.session;

			for (unsigned at = 1; at <= deeds[i].statements; at++) {
				/* Joined, and the answer lost: the name stays taken until
				 * somebody puts that session out, as nobody beats for it. */
				cut_deed(&deeds[i], at, (enum relay_cut)cut);
				if (deeds[i].work == do_join)
					must("UPDATE breakout.node SET session = NULL");
			}
			if (deeds[i].work())
				fail_msg("%s: %s", deeds[i].name, pg_error(pg));
			assert_true(deeds[i].work == do_join || cut_member.session == session);
			relay_cut_at(deeds[i].statements + 1, RELAY_BEFORE);
			(void)!deeds[i].work();
			if (!relay_call_off())
				fail_msg("%s has more statements", deeds[i].name);
			if (deeds[i].work == do_take)
				assert_int_equal(owned_by(cut_member.session), 3);
		}
		assert_int_equal(look().node_count, 0);
		assert_int_equal(owned_by(0), LEASE_SHARDS);
		must("DELETE FROM breakout.shard; INSERT INTO breakout.shard(shard)"
		     " SELECT generate_series(0, 255)");
	}
}

/* Half of what joining changes would be worse than none. */
static void joining_is_done_or_not(void **state)
{
	struct fleet_self a = join("a"), b = join("b");
	uint64_t session;

	(void)state;
	take_some(&a, 0, 4);
	put_out("a");
	take_some(&b, 0, 4);
	for (unsigned at = 1; at <= 7; at++) {
		a = self_of("a", a.session);
		relay_cut_at(at, RELAY_BEFORE);
		assert_int_equal(fleet_sql_join(pg, &a, false, soon(), &session), -EIO);
		connect_anew();
		assert_int_equal(held(), 4);
		assert_int_equal(value("SELECT count(*) FROM breakout.node WHERE node = 'a' AND"
				       " session IS NULL"),
				 1);
	}
	join("a");
	assert_int_equal(held(), 0);
}

/* ---- the link ---- */

static void a_wrong_password_is_refused_and_not_repeated(void **state)
{
	char path[64], locked[128];
	struct pg *link;
	FILE *file;

	(void)state;
	must("SET password_encryption = 'scram-sha-256'; DROP ROLE IF EXISTS locked;"
	     " CREATE ROLE locked LOGIN PASSWORD 'open sesame'");
	snprintf(path, sizeof(path), "%s/password", folder);
	snprintf(locked, sizeof(locked), "host=%s dbname=postgres user=locked", server);
	assert_int_equal(pg_create(&link, locked, path), 0);
	for (int right = 0; right < 2; right++) { /* the file is read each time */
		file = fopen(path, "w");
		fputs(right ? "open sesame\n" : "knock knock\n", file);
		fclose(file);
		assert_int_equal(pg_connect(link, soon()), right ? 0 : -EIO);
		if (!right) {
			assert_non_null(strstr(pg_error(link), "password authentication failed"));
			assert_null(strstr(pg_error(link), "knock"));
		}
	}
	pg_destroy(link);
	assert_int_equal(pg_create(&link, locked, NULL), 0);
	assert_int_equal(pg_connect(link, soon()), -EIO);
	assert_non_null(strstr(pg_error(link), "no password supplied"));
	pg_destroy(link);
	must("DROP ROLE locked");
}

static void a_refused_statement_leaves_the_link_and_says_of_what_kind(void **state)
{
	struct pg_rows *rows = NULL;

	(void)state;
	assert_int_equal(pg_exec(pg, "SELEC 1", NULL, 0, soon(), &rows), -EPROTO);
	assert_non_null(strstr(pg_error(pg), "syntax error"));
	assert_false(pg_bad_data(pg) || pg_lacks_rights(pg));
	assert_int_equal(pg_exec(pg, "SELECT 'x'::integer", NULL, 0, soon(), &rows), -EPROTO);
	assert_true(pg_bad_data(pg));
	assert_int_equal(pg_script(pg, "SELECT 1/0; SELEC", soon()), -EPROTO);
	assert_int_equal(pg_script(pg, "BEGIN; SELECT 1/0; COMMIT", soon()), -EPROTO);
	assert_non_null(strstr(pg_error(pg), "division by zero"));
	assert_int_equal(pg_exec(pg, "ROLLBACK", NULL, 0, soon(), NULL), 0);
	assert_int_equal(pg_exec(pg, "SELECT NULL, 't', 42", NULL, 0, soon(), &rows), 0);
	assert_string_equal(pg_text(rows, 0, 0), "");
	assert_int_equal(pg_int(rows, 0, 0), 0);
	assert_false(pg_bool(rows, 0, 0));
	assert_true(pg_bool(rows, 0, 1));
	assert_int_equal(pg_int(rows, 0, 2), 42);
	pg_rows_destroy(rows);
}

static void a_backend_that_is_ended_is_noticed_at_rest_and_at_work(void **state)
{
	static const char end_all[] = "SELECT pg_terminate_backend(pid, 3000) FROM pg_stat_activity"
				      " WHERE pid <> pg_backend_pid() AND backend_type ="
				      " 'client backend'";

	(void)state;
	must(end_all);
	assert_int_equal(pg_exec(pg, "SELECT 1", NULL, 0, soon(), NULL), -EIO);
	assert_non_null(strstr(pg_error(pg), "terminating connection"));
	assert_false(pg_connected(pg));
	connect_anew();
	assert_int_equal(pg_exec(pg, "LISTEN breakout", NULL, 0, soon(), NULL), 0);
	must(end_all);
	for (int i = 0; i < 100 && pg_connected(pg); i++) {
		(void)pg_notified(pg);
		usleep(10000);
	}
	assert_false(pg_connected(pg));
}

static void news_of_others_is_heard_without_asking(void **state)
{
	struct pollfd fd;

	(void)state;
	assert_int_equal(pg_exec(pg, "LISTEN breakout", NULL, 0, soon(), NULL), 0);
	assert_false(pg_notified(pg));
	must("NOTIFY breakout");
	fd = (struct pollfd){ .fd = pg_fd(pg), .events = POLLIN };
	assert_int_equal(poll(&fd, 1, PATIENCE), 1);
	assert_true(pg_notified(pg));
	assert_false(pg_notified(pg));
	assert_true(pg_connected(pg));
}

static void an_answer_larger_than_the_pipe_comes_whole(void **state)
{
	struct pg_rows *rows;
	char *large = malloc(3000001);
	const char *parameters[] = { large };

	(void)state;
	assert_non_null(large);
	memset(large, 'x', 3000000);
	large[3000000] = '\0';
	assert_int_equal(pg_exec(pg, "SELECT $1 || 'y'", parameters, 1, soon(), &rows), 0);
	assert_int_equal(strlen(pg_text(rows, 0, 0)), 3000001);
	pg_rows_destroy(rows);
	free(large);
}

/* ---- a watchdog ---- */

static struct fleet_watch *watch_at(const char *socket)
{
	const struct config_postgres config = { .conninfo = direct, .node = (char *)"a" };
	struct fleet_watch *watch;

	assert_int_equal(fleet_watch_create(&watch, &config, socket), 0);
	return watch;
}

static struct fleet_sights sights;

static void see(struct fleet_watch *watch, bool answers, const char *node)
{
	const struct fleet_seen seen = { .answers = answers, .node = node };

	assert_int_equal(fleet_watch_look(watch, &seen, &sights), 0);
}

static void where_there_is_no_fleet_there_is_nothing_to_see(void **state)
{
	struct fleet_watch *watch = watch_at("/run/a");
	const struct config config = { .postgres = { .version = 0 } };
	size_t count = 7;

	(void)state;
	must("DROP SCHEMA breakout CASCADE");
	see(watch, true, "a");
	assert_int_equal(sights.count, 0);
	assert_int_equal(fleet_watch_count(watch, &config, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(fleet_watch_bury(watch, &sights, true), 0);
	assert_int_equal(value("SELECT count(*) FROM pg_namespace WHERE nspname = 'breakout'"), 0);
	fleet_watch_destroy(watch);
}

static void what_one_watchdog_sees_the_others_read(void **state)
{
	struct fleet_watch *here = watch_at("/run/a"), *there = watch_at("/run/b");
	struct fleet_self a = join("a");

	(void)state;
	assert_string_not_equal(fleet_watch_member(here), fleet_watch_member(there));
	see(here, true, "a");
	see(here, true, "a");
	see(there, false, NULL);
	assert_int_equal(sights.count, 2); /* a, and a place where nobody was ever seen */
	assert_string_equal(sights.list[0].name, "a");
	assert_true(sights.list[0].member && sights.list[0].answers);
	assert_int_equal(sights.list[0].session, a.session);
	assert_int_equal(sights.list[0].watch_beat, 2);
	see(here, false, NULL);
	assert_false(sights.list[0].answers); /* and it stays the one that looks at a */
	assert_int_equal(sights.list[0].watch_beat, 3);

	see(there, true, "a"); /* it was started at another place */
	see(here, false, NULL);
	assert_int_equal(sights.count, 2);
	assert_true(sights.list[0].answers);
	fleet_watch_destroy(here);
	fleet_watch_destroy(there);
}

/* What it said before is not believed either: its beat stands. */
static void one_that_may_not_look_says_nothing(void **state)
{
	struct fleet_watch *watch = watch_at("/run/a");
	const struct fleet_seen barred = { .barred = true };

	(void)state;
	(void)join("a");
	see(watch, true, "a");
	assert_int_equal(fleet_watch_look(watch, &barred, &sights), 0);
	assert_string_equal(sights.list[0].name, "a");
	assert_int_equal(sights.list[0].watch_beat, 1);
	see(watch, false, NULL);
	assert_int_equal(sights.list[0].watch_beat, 2);
	fleet_watch_destroy(watch);
}

/* Machines whose names change at each start leave one each time. */
static void places_that_are_no_more_hide_no_node(void **state)
{
	struct fleet_watch *watch = watch_at("/run/a");

	(void)state;
	see(watch, false, NULL);
	must("INSERT INTO breakout.watchdog SELECT 'old ' || i, 'm' || i, NULL, 7, false"
	     " FROM generate_series(1, 100) i");
	(void)join("z");
	see(watch, true, "not joined");
	assert_int_equal(sights.count, FLEET_SIGHTS);
	assert_string_equal(sights.list[0].name, "z");
	assert_true(sights.list[0].member);
	assert_string_equal(sights.list[1].name, "not joined");
	assert_true(sights.list[1].answers);
	fleet_watch_destroy(watch);
}

static void a_member_that_only_withdraws_is_no_node(void **state)
{
	struct fleet_watch *watch = watch_at("/run/a");

	(void)state;
	see(watch, false, NULL);
	(void)join(fleet_watch_member(watch));
	see(watch, false, NULL);
	assert_int_equal(sights.count, 1);
	assert_false(sights.list[0].member);
	fleet_watch_destroy(watch);
}

static void for_the_sake_of_who_is_buried_nobody_waits(void **state)
{
	struct fleet_watch *watch = watch_at("/run/a");
	struct fleet_self a = join("a"), b = join("b"), late = join("late");

	(void)state;
	take_some(&a, 0, 16);
	take_some(&b, 16, 16);
	take_some(&late, 32, 16);
	assert_int_equal(put_out("b"), 16);
	assert_int_equal(held(), 16);
	must("UPDATE breakout.shard SET hold_ms = 5, held_for = 'nobody' WHERE shard = 200");
	see(watch, false, NULL);
	assert_int_equal(fleet_sql_beat(pg, &late, soon()), 0); /* it is back */
	assert_int_equal(fleet_watch_bury(watch, &sights, false), 0);
	assert_int_equal(value("SELECT count(*) FROM breakout.node"), 1);
	assert_int_equal(held(), 0);
	assert_int_equal(owned_by(a.session), 0);
	assert_int_equal(owned_by(late.session), 16);
	assert_int_equal(value("SELECT count(*) FROM breakout.shard WHERE shard < 16 AND clean"),
			 0);
	assert_int_equal(fleet_sql_beat(pg, &a, soon()), -ESTALE);
	fleet_watch_destroy(watch);
}

static void what_is_buried_long_after_its_death_needs_no_second_word(void **state)
{
	struct fleet_watch *watch = watch_at("/run/a");
	struct fleet_self a = join("a");

	(void)state;
	take_some(&a, 0, 16);
	see(watch, false, NULL);
	assert_int_equal(fleet_watch_bury(watch, &sights, true), 0);
	assert_int_equal(value("SELECT count(*) FROM breakout.shard WHERE NOT clean"), 0);
	fleet_watch_destroy(watch);
}

static void what_can_be_withdrawn_is_counted(void **state)
{
	struct fleet_watch *watch = watch_at("/run/a");
	const struct config config = { .postgres = { .version = 0 } };
	size_t count = 0;

	(void)state;
	must("INSERT INTO breakout.told(shard, number, sip_uri, prefix_mo, prefix_mt, route_type,"
	     " expires_ms, ttl_s, tenant) VALUES (7, 4799000001, 'sips:a', '00', '', 1, 5, 3600, "
	     "''),"
	     " (7, 4799000002, 'sips:a', '00', '', 1, 5, 3600, 'gone')");
	assert_int_equal(fleet_watch_count(watch, &config, &count), 0);
	assert_int_equal(count, 1);
	must("UPDATE breakout.fleet SET tables = 99");
	fleet_watch_destroy(watch);
	watch = watch_at("/run/a");
	assert_int_equal(fleet_watch_look(watch, &(struct fleet_seen){ .answers = false }, &sights),
			 -EMEDIUMTYPE);
	assert_non_null(strstr(fleet_watch_error(watch), "version"));
	fleet_watch_destroy(watch);
}

/* ---- consents ---- */

static unsigned statements(void)
{
	unsigned count;

	pthread_mutex_lock(&relay.lock);
	count = relay.statements;
	pthread_mutex_unlock(&relay.lock);
	return count;
}

static struct consent_share *lead_consents(void)
{
	const struct config_postgres config = { .conninfo = conninfo };
	struct consent_share *share = NULL;
	struct consent_lead lead = { .reachable = true };

	lead.session = member.session;
	lead.epoch = (uint64_t)value("SELECT epoch FROM breakout.shard WHERE shard = 0");
	assert_int_equal(consent_share_create(&share, &config), 0);
	consent_share_lead(share, &lead);
	return share;
}

static int write_consents(struct consent_share *share, unsigned count, unsigned gives)
{
	const char *error;
	int64_t serial;

	consent_share_begin(share);
	for (unsigned i = 0; i < count; i++)
		consent_share_put(share, &(struct consent_row){ .number = FIRST + i,
								.id = "sub",
								.given = i < gives });
	return consent_share_commit(share, &serial, &error);
}

/* The database may be far away: each of them is one way there and back. */
static void consents_are_written_and_told_in_one_statement(void **state)
{
	struct consent_share *share = lead_consents();
	struct pollfd fd;
	unsigned before;

	(void)state;
	assert_int_equal(write_consents(share, 10, 10), 0);
	must("LISTEN breakout");
	before = statements();
	assert_int_equal(write_consents(share, 100, 30), 0);
	assert_int_equal(statements(), before + 1);
	fd = (struct pollfd){ .fd = pg_fd(other), .events = POLLIN };
	assert_int_equal(poll(&fd, 1, PATIENCE), 1);
	assert_true(pg_notified(other));
	assert_int_equal(value("SELECT count(*) FROM breakout.consent WHERE given = 1"), 30);
	consent_share_destroy(share);
}

static void what_the_core_has_deleted_is_recorded_in_one_statement(void **state)
{
	struct consent_share *share = lead_consents();
	struct consent_deletion list[100];
	unsigned before;

	(void)state;
	assert_int_equal(write_consents(share, 90, 30), 0); /* of ten nothing is known */
	for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
		list[i] = (struct consent_deletion){ FIRST + i, 1000 + i };
	before = statements();
	assert_int_equal(consent_share_note_deleted(share, list, ARRAY_SIZE(list)), 0);
	assert_int_equal(statements(), before + 1);
	assert_int_equal(value("SELECT count(*) FROM breakout.consent_record WHERE what = 'deleted'"
			       " AND number = '+' || (4799000000 + written_ms - 1000)"),
			 60);
	assert_int_equal(value("SELECT min(written_ms) FROM breakout.consent_record"), 1030);
	consent_share_destroy(share);
}

#define BASE(test)  cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define STORE(test) cmocka_unit_test_setup_teardown(test, set_up_store, tear_down_store)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		BASE(a_wrong_password_is_refused_and_not_repeated),
		BASE(a_refused_statement_leaves_the_link_and_says_of_what_kind),
		BASE(a_backend_that_is_ended_is_noticed_at_rest_and_at_work),
		BASE(news_of_others_is_heard_without_asking),
		BASE(an_answer_larger_than_the_pipe_comes_whole),
		BASE(where_there_is_no_fleet_there_is_nothing_to_see),
		BASE(what_one_watchdog_sees_the_others_read),
		BASE(one_that_may_not_look_says_nothing),
		BASE(places_that_are_no_more_hide_no_node),
		BASE(a_member_that_only_withdraws_is_no_node),
		BASE(for_the_sake_of_who_is_buried_nobody_waits),
		BASE(what_is_buried_long_after_its_death_needs_no_second_word),
		BASE(what_can_be_withdrawn_is_counted),
		BASE(tables_are_made_once_by_whoever_comes_first),
		BASE(tables_of_version_1_are_brought_up_to_date),
		BASE(tables_are_not_changed_behind_a_dump),
		BASE(tables_of_version_2_get_those_of_added_numbers),
		BASE(tables_of_another_version_are_left_alone),
		BASE(who_may_not_make_tables_is_told_so),
		BASE(a_name_belongs_to_one_session),
		BASE(a_join_nobody_heard_of_locks_nobody_out),
		BASE(names_of_any_kind_come_back_as_they_were),
		BASE(a_name_that_is_no_text_joins_nobody),
		BASE(more_nodes_than_a_fleet_has_are_not_looked_at),
		BASE(only_a_beat_that_stood_still_puts_its_node_out),
		BASE(a_hold_for_two_ends_with_the_second),
		BASE(shards_of_a_session_that_is_nobodys_are_freed_with_a_hold),
		BASE(only_free_shards_are_taken_and_only_by_members),
		BASE(what_another_holds_locked_is_left_out_and_not_waited_for),
		BASE(shards_are_given_under_their_epoch_only),
		BASE(the_greater_version_is_in_force_and_the_first_of_two),
		BASE(who_says_goodbye_leaves_nothing_and_no_hold),
		BASE(rows_of_a_shard_come_with_the_time_they_have_left),
		BASE(rows_with_values_that_cannot_be_are_left_out),
		BASE(times_that_cannot_be_are_not_believed),
		BASE(texts_of_any_kind_survive_in_rows),
		STORE(rows_are_written_changed_and_forgotten),
		STORE(one_shard_of_another_epoch_keeps_all_from_being_written),
		STORE(what_is_new_needs_the_configuration_in_force),
		STORE(the_last_connection_that_asked_is_the_writer),
		STORE(a_statement_that_arrives_late_changes_nothing),
		STORE(who_has_no_session_or_no_database_does_not_try),
		STORE(a_new_session_asks_for_a_token_of_its_own),
		STORE(a_value_the_server_does_not_take_is_an_error),
		STORE(texts_are_written_as_they_are),
		STORE(consents_are_written_and_told_in_one_statement),
		STORE(what_the_core_has_deleted_is_recorded_in_one_statement),
		STORE(a_write_waits_a_second_and_a_half_for_a_lock_and_the_next_for_a_beat),
		STORE(a_write_may_be_cut_off_at_any_statement),
		BASE(each_deed_may_be_cut_off_at_any_statement_and_done_again),
		BASE(joining_is_done_or_not),
	};

	if (argc != 2)
		return 2;
	server = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
