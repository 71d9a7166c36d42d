/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/e164.h"
#include "tas/admin/numbers.h"

#define OURS  "+4799000001" /* configured */
#define THEIR "+4799000002" /* of a consent */
#define NEW   "+4799000003"

static struct config_registration configured = { .number = 4799000001, .file = 1, .line = 12 };
static char *sources[] = { (char[]){ "/etc/numbers.csv" } };
static struct config_action dial = { .kind = ACTION_DIAL };
static struct config_rule rule = { .actions = &dial, .action_count = 1 };
static struct config_service services[] = {
	{ .name = (char[]){ "loop" } },
	{ .name = (char[]){ "pbx" }, .rules = &rule, .rule_count = 1 },
};
static struct config config = { .services = services,
				.service_count = 2,
				.registrations = &configured,
				.registration_count = 1,
				.sources = sources,
				.source_count = 1 };

/* ---- the registrar ---- */

static char ordered[512];
static int order_error;

int registrar_order(struct registrar *registrar, const struct reg_order *order,
		    struct reg_outcome *ret_outcome)
{
	char number[E164_ROOM];
	size_t used = 0;

	(void)registrar;
	*ret_outcome = (struct reg_outcome){ .number = NEW };
	if (order_error)
		return order_error;
	used += (size_t)snprintf(ordered, sizeof(ordered), "%s%s%s%s:", order->who,
				 order->only_new ? " only new" : "",
				 order->replace ? " replace" : "", order->dry_run ? " dry" : "");
	for (size_t i = 0; i < order->put_count; i++) {
		e164_unpack(order->put[i].number, number);
		used += (size_t)snprintf(ordered + used, sizeof(ordered) - used, " %s %s %s",
					 number,
					 route_type_name((enum route_type)order->put[i].route_type),
					 order->config->services[order->put[i].service].name);
	}
	for (size_t i = 0; i < order->drop_count; i++)
		used += (size_t)snprintf(ordered + used, sizeof(ordered) - used, " -%llu",
					 (unsigned long long)order->drop[i]);
	ret_outcome->count[REG_CHANGE_ADDED] = order->put_count;
	ret_outcome->count[REG_CHANGE_REMOVED] = order->drop_count;
	if (order->visit)
		order->visit(REG_CHANGE_ADDED, NULL,
			     &(struct reg_added){ .number = NEW, .route_type = ROUTE_TYPE_LOOP },
			     order->arg);
	return 0;
}

int registrar_lookup(struct registrar *registrar, const char *number, struct reg_info *ret_info)
{
	(void)registrar;
	if (strcmp(number, THEIR) != 0)
		return -ENOENT;
	*ret_info = (struct reg_info){ .source = REG_SOURCE_CONSENT };
	return 0;
}

int registrar_find_added(struct registrar *registrar, const char *number,
			 struct reg_added *ret_added)
{
	(void)registrar;
	if (strcmp(number, OURS) != 0)
		return -ENOENT;
	*ret_added = (struct reg_added){ .route_type = ROUTE_TYPE_FORK,
					 .service = "pbx",
					 .tenant = "default",
					 .who = "alice",
					 .since = 5000 };
	return 0;
}

/* ---- asking ---- */

static json_t *answer;

static int begin(void **state)
{
	(void)state;
	ordered[0] = '\0';
	order_error = 0;
	return 0;
}

static int finish(void **state)
{
	(void)state;
	json_decref(answer);
	answer = NULL;
	return 0;
}

static void give(json_t *(*what)(const struct number_order *order), const char *document,
		 const char *body)
{
	json_decref(answer);
	answer = what(&(struct number_order){ .config = &config,
					      .document = document,
					      .body = body,
					      .length = body ? strlen(body) : 0,
					      .who = "alice" });
	assert_non_null(answer);
}

static void refused(int status, const char *words)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	assert_non_null(error);
	if (!strstr(error, words))
		assert_string_equal(error, words);
	assert_int_equal(json_integer_value(json_object_get(answer, "status")), status);
	assert_string_equal(ordered, "");
}

static void a_number_is_added_by_the_rules_for_configured_ones(void **state)
{
	(void)state;
	give(number_add, "{\"number\":\"" NEW "\",\"route_type\":\"fork\",\"service\":\"pbx\"}",
	     NULL);
	assert_string_equal(ordered, "alice only new: " NEW " fork pbx");
	assert_string_equal(json_string_value(json_object_get(answer, "change")), "added");
	assert_string_equal(json_string_value(json_object_get(answer, "tenant")), "default");
	give(number_put, "{\"number\":\"" NEW "\",\"route_type\":\"loop\"}", NULL);
	assert_string_equal(ordered, "alice: " NEW " loop loop");
	assert_null(json_object_get(answer, "error"));
}

static void what_is_no_order_for_a_number_is_refused(void **state)
{
	(void)state;
	give(number_add, "{", NULL);
	refused(400, "no JSON object");
	give(number_add, "[]", NULL);
	refused(400, "no JSON object");
	give(number_add, "{\"route_type\":\"loop\"}", NULL);
	refused(400, "say which `number`");
	give(number_add, "{\"number\":\"" NEW "\"}", NULL);
	refused(400, "say the route type");
	give(number_add, "{\"number\":\"" NEW "\",\"route_type\":\"fork\"}", NULL);
	refused(400, "`service` is missing");
	give(number_add, "{\"number\":\"" NEW "\",\"route_type\":\"loop\",\"sevice\":\"x\"}", NULL);
	refused(400, "`sevice` means nothing here");
	give(number_put, "{\"number\":\"" OURS "\",\"route_type\":\"loop\"}", NULL);
	refused(409, OURS " is configured in /etc/numbers.csv:12");
}

static void why_the_registrar_does_not_do_it_is_said(void **state)
{
	static const struct {
		int err, status;
		const char *words;
	} cases[] = {
		{ -EEXIST, 409, NEW " was added before" },
		{ -ENOTSUP, 400, "without store.sqlite" },
		{ -EBUSY, 503, "ask once more" },
		{ -ENOSPC, 400, "too many" },
		{ -EIO, 503, "the log says why" },
		{ -ENOMEM, 503, "no memory" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		order_error = cases[i].err;
		give(number_add, "{\"number\":\"" NEW "\",\"route_type\":\"loop\"}", NULL);
		refused(cases[i].status, cases[i].words);
	}
}

static void numbers_are_deleted_each_once_and_in_order(void **state)
{
	(void)state;
	give(number_delete, "{\"numbers\":[\"" NEW "\",\"" OURS "\",\"" NEW "\"]}", NULL);
	assert_string_equal(ordered, "alice: -4799000001 -4799000003");
	assert_int_equal(json_integer_value(json_object_get(answer, "deleted")), 2);
	/* One is configured too, and stays. */
	assert_int_equal(json_array_size(json_object_get(answer, "configured")), 1);
	ordered[0] = '\0';
	give(number_delete, "{\"numbers\":[]}", NULL);
	refused(400, "say which `numbers`");
	give(number_delete, "{\"numbers\":[\"" NEW "\",4]}", NULL);
	refused(400, "E.164");
}

static void who_else_wants_a_number_is_said_when_it_cannot_be_deleted(void **state)
{
	(void)state;
	order_error = -ENOENT;
	give(number_delete, "{\"numbers\":[\"" NEW "\"]}", NULL);
	refused(404, NEW " was not added by the API");
}

static void lines_are_all_sound_or_none_counts(void **state)
{
	const json_t *findings;

	(void)state;
	give(number_import, "{\"replace\":true,\"dry_run\":true}",
	     NEW ",loop\n" THEIR ",fork,pbx\n");
	assert_string_equal(ordered, "alice replace dry: " THEIR " fork pbx " NEW " loop loop");
	assert_true(json_is_false(json_object_get(answer, "applied")));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(answer, "added"), "count")), 2);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(answer, "added"), "samples")), 1);
	ordered[0] = '\0';
	give(number_import, "{\"name\":\"new.csv\"}", NEW ",loop\n" THEIR ",lop\n" NEW ",loop\n");
	refused(400, "nothing is imported");
	findings = json_object_get(answer, "findings");
	assert_int_equal(json_array_size(findings), 2);
	assert_non_null(strstr(json_string_value(json_array_get(findings, 0)), "new.csv:2:"));
	assert_non_null(
		strstr(json_string_value(json_array_get(findings, 1)), "new.csv:3:1: error"));
	give(number_import, "{}", NEW ",loop\n" OURS ",loop\n");
	refused(400, "nothing is imported");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(answer, "findings"), 0)),
		"body:2:1: error: the number " OURS
		" is configured in /etc/numbers.csv:12, which goes before the API. Remove "
		"one");
	give(number_import, "{}", NULL);
	refused(400, "the lines are missing");
	give(number_import, "{\"name\":\"a\\u0007b\"}", "x");
	refused(400, "the name cannot be shown");
}

static void where_a_number_is_from_is_told(void **state)
{
	const json_t *added;

	(void)state;
	answer = number_origin(NULL, &config, OURS);
	added = json_object_get(answer, "added");
	assert_string_equal(json_string_value(json_object_get(added, "who")), "alice");
	assert_int_equal(json_integer_value(json_object_get(added, "at_ms")), 5000);
	assert_string_equal(json_string_value(json_object_get(answer, "configured")),
			    "/etc/numbers.csv:12");
	json_decref(answer);
	answer = number_origin(NULL, &config, NEW);
	assert_int_equal(json_object_size(answer), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
	const struct CMUnitTest tests[] = {
		TEST(a_number_is_added_by_the_rules_for_configured_ones),
		TEST(what_is_no_order_for_a_number_is_refused),
		TEST(why_the_registrar_does_not_do_it_is_said),
		TEST(numbers_are_deleted_each_once_and_in_order),
		TEST(who_else_wants_a_number_is_said_when_it_cannot_be_deleted),
		TEST(lines_are_all_sound_or_none_counts),
		TEST(where_a_number_is_from_is_told),
	};

	return cmocka_run_group_tests_name("admin/numbers", tests, NULL, NULL);
}
