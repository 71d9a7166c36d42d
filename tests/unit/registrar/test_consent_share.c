/* SPDX-License-Identifier: Apache-2.0 */
/* What a node of a fleet makes of what another has written; the database itself is served
 * in tests/interop/test_fleet.py. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "registrar/consent_deleted.h"
#include "registrar/consent_share.h"

#define FIRST 4799000001u

static struct consent_share *share;
static struct consent_store *store;
static unsigned given, taken;

static void on_effect(uint64_t number, bool gives, void *arg)
{
	(void)number, (void)arg;
	given += gives;
	taken += !gives;
}

static int begin(void **state)
{
	char conninfo[] = "host=/nonexistent";
	const struct config_postgres nowhere = { .conninfo = conninfo };

	(void)state;
	clock_fake_set(1000000);
	clock_fake_wall_set(1800000000000);
	given = taken = 0;
	if (consent_share_create(&share, &nowhere))
		return -1;
	return consent_store_share(&store, share, on_effect, NULL);
}

static int finish(void **state)
{
	(void)state;
	store = consent_store_close(store);
	share = consent_share_destroy(share);
	return 0;
}

static void lead(uint64_t epoch, bool reachable)
{
	const struct consent_lead its = { 1, epoch, reachable };

	consent_share_lead(share, &its);
}

static struct consent_row row_of(uint64_t number, bool gives, int64_t serial)
{
	struct consent_row row = { .number = number, .given = gives, .at = 1, .serial = serial };

	snprintf(row.id, sizeof(row.id), "pairwise-%d", (int)(number - FIRST));
	return row;
}

static void hear(uint64_t number, bool gives, int64_t serial)
{
	struct consent_row row = row_of(number, gives, serial);

	assert_int_equal(consent_store_hear(store, "abcd", &row, 1), 0);
}

static void what_another_has_written_takes_effect_once(void **state)
{
	(void)state;
	hear(FIRST, true, 5);
	hear(FIRST, true, 5);
	assert_int_equal(given, 1);
	assert_true(consent_store_has(store, FIRST));
	assert_string_equal(consent_store_name(store), "abcd");
	hear(FIRST, false, 7);
	assert_int_equal(taken, 1);
	assert_false(consent_store_has(store, FIRST));
}

static void an_older_word_that_comes_late_changes_nothing(void **state)
{
	(void)state;
	hear(FIRST, false, 7);
	hear(FIRST, true, 5);
	assert_int_equal(given + taken, 0);
	assert_false(consent_store_has(store, FIRST));
}

static void what_the_database_does_not_take_has_not_happened(void **state)
{
	const struct consent_change change = { .number = FIRST, .id = "a", .event = "e", .at = 9 };
	const char *why = "";

	(void)state;
	for (uint64_t epoch = 0; epoch < 2; epoch++) { /* another leads; it cannot be reached */
		lead(epoch, true);
		assert_int_equal(consent_store_begin(store, &why), 0);
		consent_store_apply(store, &change);
		assert_int_equal(consent_store_commit(store, &why), -EIO);
		assert_true(strlen(why) > 10);
		assert_false(consent_store_has(store, FIRST));
	}
	hear(FIRST, true, 1); /* it was written after all */
	assert_true(consent_store_has(store, FIRST));
}

static int note_deleted(uint64_t number)
{
	const struct consent_deletion deletion = { number, clock_wall() };

	return consent_share_note_deleted(share, &deletion, 1);
}

static void a_database_that_does_not_answer_is_waited_for_once(void **state)
{
	const char *why = "";
	int64_t serial;

	(void)state;
	lead(1, true);
	consent_share_begin(share);
	assert_int_equal(consent_share_commit(share, &serial, &why), -EIO);
	assert_true(consent_share_doubts(share));
	assert_false(consent_share_doubts(share)); /* told once */
	for (int i = 0; i < 2; i++) {              /* until the fleet reaches it, and says so */
		assert_int_equal(consent_share_commit(share, &serial, &why), -EIO);
		assert_string_equal(why, "the fleet's database cannot be reached");
		assert_int_equal(note_deleted(FIRST), -EIO);
		assert_false(consent_share_doubts(share));
		lead(1, false);
	}
	lead(1, true);
	assert_int_equal(note_deleted(FIRST), -EIO);
	assert_true(consent_share_doubts(share));
}

static void of_one_number_the_last_word_of_a_transaction_is_written(void **state)
{
	struct consent_row rows[] = { row_of(FIRST + 1, true, 0), row_of(FIRST, true, 0),
				      row_of(FIRST + 1, false, 0) };
	uint64_t number = 0;
	int64_t serial;
	const char *why;

	(void)state;
	lead(1, true);
	consent_share_begin(share);
	for (size_t i = 0; i < 3; i++)
		consent_share_put(share, &rows[i]);
	assert_int_equal(consent_share_commit(share, &serial, &why), -EIO);
	assert_int_equal(consent_share_written(share, 0, &number), 2);
	assert_int_equal(number, FIRST);
	assert_int_equal(consent_share_written(share, 1, &number), 2);
	assert_int_equal(number, FIRST + 1);
}

static void only_deletions_of_revoked_consents_are_recorded(void **state)
{
	struct consent_deleted deleted = { .due = 0 };

	(void)state;
	hear(FIRST, true, 1);
	assert_int_equal(consent_deleted_add(&deleted, store, FIRST), 0);
	assert_int_equal(consent_deleted_add(&deleted, store, FIRST + 1), 0);
	assert_int_equal(deleted.count, 0);
	assert_int_equal(deleted.due, 0);
	hear(FIRST, false, 2);
	assert_int_equal(consent_deleted_add(&deleted, store, FIRST), 0);
	assert_int_equal(deleted.count, 1);
	assert_int_equal(deleted.due, clock_now());
	consent_deleted_done(&deleted);
}

static void what_cannot_be_recorded_now_is_later(void **state)
{
	struct consent_deleted deleted = { .due = 0 };

	(void)state;
	hear(FIRST, false, 1);
	assert_int_equal(consent_deleted_add(&deleted, store, FIRST), 0);
	assert_int_equal(consent_deleted_write(&deleted, store, 5000), -EIO); /* nobody serves it */
	assert_int_equal(deleted.count, 1);
	assert_int_equal(deleted.due, clock_now() + 5000);
	consent_deleted_done(&deleted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
	const struct CMUnitTest tests[] = {
		TEST(what_another_has_written_takes_effect_once),
		TEST(an_older_word_that_comes_late_changes_nothing),
		TEST(what_the_database_does_not_take_has_not_happened),
		TEST(a_database_that_does_not_answer_is_waited_for_once),
		TEST(of_one_number_the_last_word_of_a_transaction_is_written),
		TEST(only_deletions_of_revoked_consents_are_recorded),
		TEST(what_cannot_be_recorded_now_is_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
