/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>
#include "base/log.h"
#include "registrar/added.h"
#include "registrar/sources.h"
#include "registrar/store.h"
#include "tests/fake/folder.h"

#define FIRST  UINT64_C(4799000001)
#define SECOND UINT64_C(4799000002)
#define THIRD  UINT64_C(4799000003)

static char path[200], log_text[16384];
static struct config_action dial = { .kind = ACTION_DIAL };
static struct config_rule rule = { .actions = &dial, .action_count = 1 };
static struct config_service services[] = {
	{ .name = (char[]){ "loop" } },
	{ .name = (char[]){ "pbx" }, .rules = &rule, .rule_count = 1 },
};
static struct config_tenant tenants[] = { { .name = (char[]){ "acme" } } };
static struct config config = { .services = services,
				.service_count = 2,
				.tenants = tenants,
				.tenant_count = 1,
				.path = (char[]){ "breakout.yaml" },
				.domain = (char[]){ "tas.example.com" } };
static struct config other; /* without the second service */

static struct added *added;
static uint64_t told[16];
static size_t told_count;

static void on_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level, (void)area, (void)arg;
	if (strlen(log_text) + strlen(line) < sizeof(log_text))
		strcat(log_text, line);
}

static void on_changed(uint64_t *take_numbers, size_t count, void *arg)
{
	(void)arg;
	told_count = count;
	memcpy(told, take_numbers,
	       (count < ARRAY_SIZE(told) ? count : ARRAY_SIZE(told)) * sizeof(*told));
	free(take_numbers);
}

static int no_row(const struct store_row *row, void *arg)
{
	(void)row, (void)arg;
	return 0;
}

static void open_added(void)
{
	const struct added_options options = { .path = path, .changed = on_changed };
	struct store *store;

	assert_int_equal(store_open(&store, path, no_row, NULL), 0);
	store_close(store);
	assert_int_equal(added_create(&added, &options), 0);
	assert_int_equal(added_load(added), 0);
	added_configure(added, &config, NULL);
}

static void reopen(void)
{
	added = added_destroy(added);
	open_added();
}

static int begin(void **state)
{
	(void)state;
	log_text[0] = '\0';
	log_set_sink(on_log, NULL);
	told_count = 0;
	other = config;
	other.service_count = 1;
	if (folder_make())
		return -1;
	snprintf(path, sizeof(path), "%s/store.db", folder);
	open_added();
	return 0;
}

static int finish(void **state)
{
	(void)state;
	added = added_destroy(added);
	return folder_remove();
}

static struct config_registration put_of(uint64_t number, enum route_type route_type,
					 uint32_t service)
{
	return (struct config_registration){ .number = number & E164_PACKED_MAX,
					     .route_type = route_type & 0xfu,
					     .service = service & CONFIG_SERVICE_MAX };
}

static int order(struct reg_order what, struct reg_outcome *ret_outcome)
{
	what.config = &config;
	what.who = "alice";
	return added_order(added, &what, ret_outcome);
}

static void put(uint64_t number, enum route_type route_type, uint32_t service)
{
	const struct config_registration one = put_of(number, route_type, service);
	struct reg_outcome outcome;

	assert_int_equal(order((struct reg_order){ .put = &one, .put_count = 1 }, &outcome), 0);
}

static void drop(uint64_t number)
{
	struct reg_outcome outcome;

	assert_int_equal(order((struct reg_order){ .drop = &number, .drop_count = 1 }, &outcome),
			 0);
	assert_int_equal(outcome.count[REG_CHANGE_REMOVED], 1);
}

static char *query(const char *text)
{
	static char result[512];
	sqlite3 *db;
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	snprintf(result, sizeof(result), "%s", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return result;
}

static void what_was_added_is_there_after_a_restart(void **state)
{
	struct reg_added seen;

	(void)state;
	put(SECOND, ROUTE_TYPE_FORK, 1);
	assert_int_equal(told_count, 1);
	assert_true(told[0] == SECOND);
	put(FIRST, ROUTE_TYPE_LOOP, 0);
	reopen();
	assert_true(added_has(added, FIRST) && added_has(added, SECOND));
	assert_int_equal(added_find(added, SECOND, &seen), 0);
	assert_string_equal(seen.number, "+4799000002");
	assert_int_equal(seen.route_type, ROUTE_TYPE_FORK);
	assert_string_equal(seen.service, "pbx");
	assert_string_equal(seen.tenant, "default");
	assert_string_equal(seen.who, "alice");
	assert_true(seen.since > 0);
	assert_int_equal(added_find(added, THIRD, &seen), -ENOENT);
	drop(FIRST);
	reopen();
	assert_false(added_has(added, FIRST));
	assert_true(added_has(added, SECOND));
}

static void it_is_recorded_and_logged_who_did_what(void **state)
{
	(void)state;
	put(FIRST, ROUTE_TYPE_LOOP, 0);
	put(FIRST, ROUTE_TYPE_FORK, 1);
	put(FIRST, ROUTE_TYPE_FORK, 1); /* nothing new */
	drop(FIRST);
	assert_string_equal(
		query("SELECT group_concat(number || ' ' || what || ' ' || route_type ||"
		      " ' ' || service || ' ' || who, ', ') FROM added_record"),
		"+4799000001 added loop loop alice, "
		"+4799000001 changed fork pbx alice, "
		"+4799000001 removed fork pbx alice");
	assert_non_null(strstr(log_text, "reg=+4799***01 added by=\"alice\""));
	assert_non_null(strstr(log_text, "removed by=\"alice\""));
	assert_null(strstr(log_text, "99000001"));
}

static void an_order_is_carried_out_as_a_whole_or_not_at_all(void **state)
{
	const struct config_registration two[] = { put_of(FIRST, ROUTE_TYPE_LOOP, 0),
						   put_of(THIRD, ROUTE_TYPE_LOOP, 0) };
	const uint64_t drops[] = { FIRST, SECOND };
	struct reg_outcome outcome;

	(void)state;
	put(FIRST, ROUTE_TYPE_LOOP, 0);
	told_count = 0;
	assert_int_equal(order((struct reg_order){ .drop = drops, .drop_count = 2 }, &outcome),
			 -ENOENT);
	assert_string_equal(outcome.number, "+4799000002");
	assert_int_equal(
		order((struct reg_order){ .put = two, .put_count = 2, .only_new = true }, &outcome),
		-EEXIST);
	assert_string_equal(outcome.number, "+4799000001");
	assert_true(added_has(added, FIRST) && !added_has(added, THIRD));
	assert_int_equal(told_count, 0);
	reopen();
	assert_true(added_has(added, FIRST) && !added_has(added, THIRD));
}

static char changes[4096];

static void on_change(enum reg_change change, const struct reg_added *before,
		      const struct reg_added *after, void *arg)
{
	char text[320];

	(void)arg;
	snprintf(text, sizeof(text), "%s %s %s>%s;", reg_change_name(change),
		 (after ? after : before)->number + 8, before ? before->service : "",
		 after ? after->service : "");
	strcat(changes, text);
}

static void lines_change_what_differs_and_replace_the_rest_if_told_to(void **state)
{
	const struct config_registration lines[] = { put_of(FIRST, ROUTE_TYPE_LOOP, 0),
						     put_of(SECOND, ROUTE_TYPE_FORK, 1) };
	struct reg_order import = {
		.put = lines, .put_count = 2, .replace = true, .dry_run = true, .visit = on_change
	};
	struct reg_outcome outcome;

	(void)state;
	put(FIRST, ROUTE_TYPE_LOOP, 0);
	put(SECOND, ROUTE_TYPE_LOOP, 0);
	put(THIRD, ROUTE_TYPE_LOOP, 0);
	told_count = 0;
	changes[0] = '\0';
	assert_int_equal(order(import, &outcome), 0);
	assert_string_equal(changes, "changed 002 loop>pbx;removed 003 loop>;");
	assert_int_equal(outcome.count[REG_CHANGE_UNCHANGED], 1);
	assert_int_equal(told_count, 0); /* a dry run */
	assert_true(added_has(added, THIRD));
	import.dry_run = import.replace = false;
	changes[0] = '\0';
	assert_int_equal(order(import, &outcome), 0);
	assert_string_equal(changes, "changed 002 loop>pbx;");
	assert_true(added_has(added, THIRD));
	import.replace = true;
	assert_int_equal(order(import, &outcome), 0);
	assert_int_equal(outcome.count[REG_CHANGE_REMOVED], 1);
	assert_true(told_count == 1 && told[0] == THIRD);
	assert_false(added_has(added, THIRD));
	reopen();
	assert_false(added_has(added, THIRD));
	assert_true(added_has(added, SECOND));
}

static void without_a_store_or_beside_another_process_nothing_is_ordered(void **state)
{
	const struct config_registration one = put_of(FIRST, ROUTE_TYPE_LOOP, 0);
	const struct reg_order add = { .put = &one, .put_count = 1 };
	const struct added_options nowhere = { .changed = on_changed };
	struct reg_outcome outcome;

	(void)state;
	added_rest(added, true);
	assert_int_equal(order(add, &outcome), -EBUSY);
	added_rest(added, false);
	assert_int_equal(order(add, &outcome), 0);
	added = added_destroy(added);
	assert_int_equal(added_create(&added, &nowhere), 0);
	assert_int_equal(added_load(added), 0);
	assert_int_equal(order(add, &outcome), -ENOTSUP);
	assert_false(added_has(added, FIRST));
}

static void what_cannot_be_written_is_not_done(void **state)
{
	const struct config_registration one = put_of(FIRST, ROUTE_TYPE_LOOP, 0);
	const struct reg_order add = { .put = &one, .put_count = 1 };
	struct reg_outcome outcome;
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP TABLE added_record", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(order(add, &outcome), -EIO);
	assert_non_null(strstr(log_text, "check store.sqlite"));
	assert_false(added_has(added, FIRST));
	assert_int_equal(told_count, 0);
	assert_string_equal(query("SELECT count(*) FROM added"), "0");
}

/* ---- beside the configuration and consents ---- */

static struct wanted *wanted_of(const struct wanted_number *numbers, size_t count)
{
	struct wanted *all = calloc(1, sizeof(*all));

	assert_non_null(all);
	all->numbers = calloc(count + 1, sizeof(*all->numbers));
	assert_non_null(all->numbers);
	if (count) /* numbers may be NULL then */
		memcpy(all->numbers, numbers, count * sizeof(*numbers));
	all->count = count;
	return all;
}

static void the_configuration_goes_before_it_and_it_before_consents(void **state)
{
	const struct wanted_number before[] = {
		{ .number = FIRST, .route_type = ROUTE_TYPE_LOOP_MT },
		{ .number = SECOND,
		  .route_type = ROUTE_TYPE_LOOP_MT,
		  .source = REG_SOURCE_CONSENT },
		{ .number = THIRD + 1, .route_type = ROUTE_TYPE_LOOP_MT },
	};
	struct wanted *all = wanted_of(before, 3);
	struct registrar_added summary;

	(void)state;
	put(FIRST, ROUTE_TYPE_LOOP, 0);
	put(SECOND, ROUTE_TYPE_FORK, 1);
	put(THIRD, ROUTE_TYPE_LOOP, 0);
	assert_int_equal(added_join(added, all), 0);
	assert_int_equal(all->count, 4);
	assert_int_equal(all->numbers[0].source, REG_SOURCE_CONFIG);
	assert_int_equal(all->numbers[0].route_type, ROUTE_TYPE_LOOP_MT);
	assert_int_equal(all->numbers[1].source, REG_SOURCE_API);
	assert_int_equal(all->numbers[1].route_type, ROUTE_TYPE_FORK);
	assert_int_equal(all->numbers[1].service, 1);
	assert_true(all->numbers[2].number == THIRD);
	assert_int_equal(all->numbers[3].source, REG_SOURCE_CONFIG);
	added_summary(added, &summary);
	assert_int_equal(summary.count, 3);
	assert_int_equal(summary.both, 1);
	assert_int_equal(summary.stranded, 0);
	assert_non_null(strstr(log_text, "1 numbers were added by the API and are configured too"));
	wanted_destroy(all);
}

static void what_names_nothing_that_is_configured_waits(void **state)
{
	struct wanted *all = wanted_of(NULL, 0);
	struct registrar_added summary;
	struct str errors = { 0 };
	struct wanted_number number;

	(void)state;
	put(FIRST, ROUTE_TYPE_LOOP, 0);
	put(SECOND, ROUTE_TYPE_FORK, 1);
	put(THIRD, ROUTE_TYPE_FORK, 1);
	assert_int_equal(added_check(added, &config, &errors), 0);
	assert_int_equal(added_check(added, &other, &errors), -EINVAL);
	assert_string_equal(errors.text,
			    "breakout.yaml:1:1: error: 2 numbers that were added by the API could "
			    "not be registered: no service is called `pbx`. Known: loop; or change "
			    "or delete them first\n");
	str_done(&errors);
	added_configure(added, &other, NULL);
	assert_int_equal(added_join(added, all), 0);
	assert_int_equal(all->count, 1);
	added_summary(added, &summary);
	assert_int_equal(summary.stranded, 2);
	assert_true(added_wanted(added, SECOND, &number));
	assert_int_equal(number.route_type, ROUTE_TYPE_NONE);
	assert_int_equal(number.tenant, WANTED_NOWHERE);
	assert_true(added_wanted(added, FIRST, &number));
	assert_int_equal(number.route_type, ROUTE_TYPE_LOOP);
	assert_false(added_wanted(added, THIRD + 1, &number));
	added_configure(added, &config, NULL);
	assert_true(added_wanted(added, SECOND, &number));
	assert_int_equal(number.service, 1);
	wanted_destroy(all);
}

static void where_nothing_is_wanted_it_is_not_either(void **state)
{
	struct config nothing;
	struct wanted *all = wanted_of(NULL, 0);
	struct wanted_number number;

	(void)state;
	put(FIRST, ROUTE_TYPE_LOOP, 0);
	config_without_numbers(&config, &nothing);
	added_configure(added, &nothing, NULL);
	assert_int_equal(added_join(added, all), 0);
	assert_int_equal(all->count, 0);
	assert_true(added_wanted(added, FIRST, &number));
	assert_int_equal(number.route_type, ROUTE_TYPE_NONE);
	wanted_destroy(all);
}

static void a_tenant_is_known_by_its_name(void **state)
{
	const uint8_t map[CONFIG_TENANTS] = { 0, 3 };
	struct config_registration one = put_of(FIRST, ROUTE_TYPE_LOOP, 0);
	struct wanted_number number;
	struct reg_outcome outcome;

	(void)state;
	one.tenant = 1;
	assert_int_equal(order((struct reg_order){ .put = &one, .put_count = 1 }, &outcome), 0);
	reopen();
	added_configure(added, &config, map);
	assert_true(added_wanted(added, FIRST, &number));
	assert_int_equal(number.tenant, 3);
	put(FIRST, ROUTE_TYPE_LOOP, 0); /* moves to the default one */
	assert_true(added_wanted(added, FIRST, &number));
	assert_int_equal(number.tenant, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
	const struct CMUnitTest tests[] = {
		TEST(what_was_added_is_there_after_a_restart),
		TEST(it_is_recorded_and_logged_who_did_what),
		TEST(an_order_is_carried_out_as_a_whole_or_not_at_all),
		TEST(lines_change_what_differs_and_replace_the_rest_if_told_to),
		TEST(without_a_store_or_beside_another_process_nothing_is_ordered),
		TEST(what_cannot_be_written_is_not_done),
		TEST(the_configuration_goes_before_it_and_it_before_consents),
		TEST(what_names_nothing_that_is_configured_waits),
		TEST(where_nothing_is_wanted_it_is_not_either),
		TEST(a_tenant_is_known_by_its_name),
	};

	return cmocka_run_group_tests_name("registrar/added", tests, NULL, NULL);
}
