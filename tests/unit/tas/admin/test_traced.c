/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/log.h"
#include "tas/admin/traced.h"
#include "tests/fake/folder.h"

#define NUMBER "{\"number\":\"+4799000001\"}"

static struct sip_trace *trace;
static struct traced *traced;
static struct config_trace config;

struct sip_trace *sip_endpoint_trace(const struct sip_endpoint *endpoint)
{
	(void)endpoint;
	return trace;
}

static void hear(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level, (void)area, (void)line, (void)arg;
}

static int setup(void **state)
{
	(void)state;
	log_set_sink(hear, NULL);
	clock_fake_set(1000);
	clock_fake_wall_set(1764153600000);
	if (folder_make() < 0)
		return -1;
	config = (struct config_trace){ .dir = folder, .dir_bytes = 1 << 20 };
	assert_int_equal(sip_trace_create(&trace, 65536), 0);
	return traced_create(&traced, trace, &config);
}

static int teardown(void **state)
{
	(void)state;
	traced = traced_destroy(traced);
	trace = sip_trace_destroy(trace);
	log_set_sink(NULL, NULL);
	clock_real();
	return folder_remove();
}

static void refused(json_t *take_answer, const char *words)
{
	const char *error = json_string_value(json_object_get(take_answer, "error"));

	assert_non_null(error);
	if (!strstr(error, words))
		print_error("%s\n", error);
	assert_non_null(strstr(error, words));
	json_decref(take_answer);
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void an_order_has_an_end_whatever_it_says(void **state)
{
	json_t *answer = traced_begin(traced, NUMBER, "ola nordmann\n");
	const json_t *order = json_object_get(answer, "traced");

	(void)state;
	assert_int_equal(number_of(order, "left_s"), 3600);
	assert_true(json_is_null(json_object_get(order, "calls")));
	assert_string_equal(json_string_value(json_object_get(order, "who")), "ola_nordmann_");
	json_decref(answer);
	answer = traced_begin(traced, "{\"number\":\"+4799000001\",\"for_s\":60,\"calls\":3}", "x");
	order = json_object_get(answer, "traced");
	assert_int_equal(number_of(order, "left_s"), 60);
	assert_int_equal(number_of(order, "calls"), 3);
	json_decref(answer);
	answer = traced_list(traced);
	assert_int_equal(json_array_size(json_object_get(answer, "numbers")), 1);
	assert_int_equal(json_array_size(json_object_get(answer, "kept")), 0);
	assert_string_equal(json_string_value(json_object_get(answer, "dir")), folder);
	json_decref(answer);
}

static void an_order_that_makes_no_sense_is_refused(void **state)
{
	(void)state;
	refused(traced_begin(traced, "nonsense", "x"), "E.164");
	refused(traced_begin(traced, "{\"number\":\"112\"}", "x"), "E.164");
	refused(traced_begin(traced, "{\"number\":\"+4799000001\",\"for_s\":0}", "x"), "for_s");
	refused(traced_begin(traced, "{\"number\":\"+4799000001\",\"for_s\":604801}", "x"),
		"a week");
	refused(traced_begin(traced, "{\"number\":\"+4799000001\",\"for_s\":\"1h\"}", "x"),
		"for_s");
	refused(traced_begin(traced, "{\"number\":\"+4799000001\",\"calls\":0}", "x"), "calls");
	refused(traced_end(traced, "{}", "x"), "E.164");
	refused(traced_end(traced, NUMBER, "x"), "not traced");
	refused(traced_end(traced, "{\"all\":true}", "x"), "no number is traced");
}

static void say(const char *call_id, const char *text)
{
	struct sockaddr_storage nobody = { .ss_family = AF_UNSPEC };
	const struct iovec piece = { (char *)text, strlen(text) };

	sip_trace_message(trace, &(struct sip_trace_message){ .local = &nobody,
							      .remote = &nobody,
							      .call_id = call_id,
							      .names = { "+4799000001" },
							      .pieces = &piece,
							      .piece_count = 1 });
}

/* As the daemon asks: the ring, then the disk. */
static json_t *ask(const char *call)
{
	const struct admin_options options = { .endpoint = (void *)trace };

	return traced_fullest(traced, call, traced_recent(&options, call));
}

static void a_call_longer_than_the_ring_is_told_from_the_disk(void **state)
{
	static char text[4096];
	json_t *answer;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	json_decref(traced_begin(traced, NUMBER, "x"));
	say("d", "INVITE");
	for (int i = 0; i < 40; i++)
		say("d", text);
	say("other", "INVITE");
	traced = traced_destroy(traced); /* it is all on disk */
	clock_fake_wall_set(1764153600001);
	assert_int_equal(traced_create(&traced, trace, &config), 0);
	answer = ask("d");
	assert_true(json_is_true(json_object_get(answer, "in_full")));
	assert_int_equal(json_array_size(json_object_get(answer, "entries")), 41);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(answer, "entries"), 0), "text")),
			    "INVITE");
	json_decref(answer);
}

static void a_call_of_the_ring_alone_is_told_from_there(void **state)
{
	json_t *answer;

	(void)state;
	say("d", "INVITE");
	answer = ask("d");
	assert_true(json_is_false(json_object_get(answer, "in_full")));
	assert_int_equal(json_array_size(json_object_get(answer, "entries")), 1);
	json_decref(answer);
	refused(ask("nobody"), "too long ago");
	refused(ask(""), "too long ago");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_order_has_an_end_whatever_it_says),
		T(an_order_that_makes_no_sense_is_refused),
		T(a_call_longer_than_the_ring_is_told_from_the_disk),
		T(a_call_of_the_ring_alone_is_told_from_there),
	};

	return cmocka_run_group_tests_name("tas/admin/traced", tests, NULL, NULL);
}
