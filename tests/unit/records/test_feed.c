/* SPDX-License-Identifier: Apache-2.0 */
#include <sqlite3.h>
#include "records/feed.h"
#include "tests/unit/records/spool.h"

static struct feed feed;
static char database[96];

static int setup(void **state)
{
	spool_setup(state);
	snprintf(database, sizeof(database), "%s/records.db", folder);
	feed = (struct feed){ .ops = &rows_sqlite, .spool = spool, .where.database = database };
	return 0;
}

static int teardown(void **state)
{
	feed_done(&feed);
	return spool_teardown(state);
}

/* The first column of the first row, as text. */
static const char *query(const char *sql)
{
	static char text[1024];
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;

	assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	snprintf(text, sizeof(text), "%s", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return text;
}

static void add(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		spool_add("", spool_record(i), 10);
}

static void all(mono_ms now)
{
	while (feed_work(&feed, now))
		;
}

static void each_record_is_a_row(void **state)
{
	(void)state;
	add(1, 4);
	all(0);
	assert_string_equal(query("SELECT count(*) FROM records"), "3");
	assert_string_equal(query("SELECT started_at||'|'||number||'|'||caller||'|'||talk_ms||'|'||"
				  "codec_a||'|'||(answered_at IS NULL) FROM records"
				  " WHERE id = '0000000000000002'"),
			    "2027-01-15T08:00:02.000Z|+4799000001|+4712345602|2000|PCMA|1");
	assert_string_equal(query("SELECT json_extract(record, '$.talk_ms') FROM records"
				  " WHERE talk_ms = 3000"),
			    "3000");
}

static void a_restart_loses_and_doubles_nothing(void **state)
{
	(void)state;
	add(0, 700);
	assert_true(feed_work(&feed, 0)); /* one transaction; then the process is no more */
	feed_done(&feed);
	assert_string_equal(query("SELECT count(*) FROM records"), "500");
	spool_rename(".1");
	add(700, 1400);
	all(0);
	assert_string_equal(query("SELECT count(*)||' '||count(DISTINCT id) FROM records"),
			    "1400 1400");
}

static void a_lost_position_doubles_nothing(void **state)
{
	sqlite3 *db = NULL;

	(void)state;
	add(0, 5);
	all(0);
	feed_done(&feed);
	assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM position", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	all(0);
	assert_string_equal(query("SELECT count(*) FROM records"), "5");
}

static void a_line_that_is_no_record_is_left_out_and_told(void **state)
{
	(void)state;
	add(0, 1);
	spool_add("", "{\"id\":\"half a li\n[1]\n{\"id\":\"\"}\n", 10);
	add(1, 2);
	all(0);
	assert_int_equal(spool_errors, 3);
	assert_string_equal(query("SELECT count(*) FROM records"), "2");
}

static void a_database_that_is_away_for_an_hour_is_caught_up_with(void **state)
{
	unsigned tries = 0;

	(void)state;
	add(0, 3);
	assert_int_equal(mkdir(database, 0700), 0); /* as good as an unmounted disk */
	for (mono_ms now = 0; now < 3600000; now += 250) {
		mono_ms until = feed.backoff.until;

		assert_false(feed_work(&feed, now));
		tries += feed.backoff.until != until;
	}
	assert_in_range(tries, 60, 70); /* once a minute in the end */
	assert_int_equal(spool_errors, 1);
	add(3, 6);
	assert_int_equal(rmdir(database), 0);
	all(3700000);
	assert_int_equal(spool_notices, 1);
	assert_string_equal(query("SELECT count(*) FROM records"), "6");
}

static void a_locked_database_keeps_its_position(void **state)
{
	sqlite3 *db = NULL;

	(void)state;
	add(0, 2);
	all(0);
	assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	add(2, 4);
	assert_false(feed_work(&feed, 0)); /* waits its two seconds */
	assert_int_equal(spool_errors, 1);
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(db);
	all(1000);
	assert_string_equal(query("SELECT count(*) FROM records"), "4");
}

static void old_rows_go_and_less_old_ones_lose_their_numbers(void **state)
{
	(void)state;
	add(0, 10); /* 2027-01-15T08:00:00Z is 1800000000 */
	all(0);
	while (feed_keep(&feed, 0, 1800000003000, 1800000006000))
		;
	assert_string_equal(query("SELECT count(*) FROM records"), "7");
	assert_string_equal(query("SELECT count(*) FROM records WHERE masked = 1"), "3");
	assert_string_equal(query("SELECT caller||' '||number||' '||talk_ms FROM records"
				  " WHERE id = '0000000000000003'"),
			    "+4712***03 +4799***01 3000");
	assert_string_equal(query("SELECT count(*) FROM records WHERE record LIKE '%+4712345%'"),
			    "4");
}

static void a_database_of_a_newer_program_is_left_alone(void **state)
{
	sqlite3 *db = NULL;

	(void)state;
	assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	add(0, 1);
	assert_false(feed_work(&feed, 0));
	assert_int_equal(spool_errors, 1);
	assert_string_equal(query("SELECT count(*) FROM sqlite_schema"), "0");
}

static void columns_that_are_new_are_added(void **state)
{
	sqlite3 *db = NULL;

	(void)state;
	add(0, 1);
	all(0);
	feed_done(&feed);
	assert_int_equal(sqlite3_open(database, &db), SQLITE_OK); /* as a program before left it */
	assert_int_equal(
		sqlite3_exec(db, "ALTER TABLE records DROP COLUMN tenant", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	spool_add("",
		  "{\"schema\":1,\"id\":\"b\",\"start\":\"2027-01-15T08:00:02.000Z\",\"tenant\":"
		  "\"acme\"}\n",
		  10);
	all(0);
	assert_int_equal(spool_errors, 0);
	assert_string_equal(query("SELECT count(*) || ' ' || max(tenant) FROM records"), "2 acme");
	assert_string_equal(query("SELECT count(*) FROM records WHERE tenant IS NULL"), "1");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_record_is_a_row),
		T(a_restart_loses_and_doubles_nothing),
		T(a_lost_position_doubles_nothing),
		T(a_line_that_is_no_record_is_left_out_and_told),
		T(a_database_that_is_away_for_an_hour_is_caught_up_with),
		T(a_locked_database_keeps_its_position),
		T(old_rows_go_and_less_old_ones_lose_their_numbers),
		T(a_database_of_a_newer_program_is_left_alone),
		T(columns_that_are_new_are_added),
	};

	return cmocka_run_group_tests_name("records/feed", tests, NULL, NULL);
}
