/* SPDX-License-Identifier: Apache-2.0 */
/* test_keepalive.c - OPTIONS to each SBC, and what is thought of it. */
#include <errno.h>
#include "tests/unit/tas/sip/scene.h"

static char there[64];
static const char gone[] = "sip:127.0.0.1:9";

static int open_with(unsigned every_s)
{
	struct config_listen listen;
	struct sip_endpoint_options options;

	scene_open();
	options = scene_options(&listen, SIP_TRANSPORT_UDP);
	options.keepalive_s = every_s;
	scene.a = scene_endpoint(&options);
	scene.b = scene_endpoint(&options);
	(void)snprintf(there, sizeof(there), "sip:127.0.0.1:%u", sip_endpoint_port(scene.b, 0));
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return open_with(30);
}

static int tear_down(void **state)
{
	(void)state;
	scene_close();
	return 0;
}

static void await(const char *uri, enum sip_answers wanted)
{
	for (int i = 0; i < 400 && sip_endpoint_answers(scene.a, uri) != wanted; i++)
		scene_step();
	assert_int_equal(sip_endpoint_answers(scene.a, uri), wanted);
}

static void each_is_asked_and_told_apart(void **state)
{
	const char *both[] = { there, gone };

	(void)state;
	assert_int_equal(sip_endpoint_answers(scene.a, there), SIP_NOT_ASKED);
	assert_int_equal(sip_endpoint_keep_alive(scene.a, both, 2), 0);
	assert_int_equal(sip_endpoint_answers(scene.a, there), SIP_SILENT);
	await(there, SIP_ANSWERS);
	assert_int_equal(sip_endpoint_answers(scene.a, gone), SIP_SILENT);
}

static void an_answer_of_trouble_is_none(void **state)
{
	const char *uri = there;

	(void)state;
	scene.options_status = 503;
	assert_int_equal(sip_endpoint_keep_alive(scene.a, &uri, 1), 0);
	for (int i = 0; i < 20; i++)
		scene_step();
	assert_int_equal(sip_endpoint_answers(scene.a, there), SIP_SILENT);
}

/* As a reload does: who stays is known as before, who has gone is asked no more. */
static void the_list_may_change(void **state)
{
	const char *both[] = { gone, there }, *twice[] = { there, there };

	(void)state;
	assert_int_equal(sip_endpoint_keep_alive(scene.a, &both[1], 1), 0);
	await(there, SIP_ANSWERS);
	assert_int_equal(sip_endpoint_keep_alive(scene.a, both, 2), 0);
	assert_int_equal(sip_endpoint_answers(scene.a, there), SIP_ANSWERS);
	assert_int_equal(sip_endpoint_answers(scene.a, gone), SIP_SILENT);
	assert_int_equal(sip_endpoint_keep_alive(scene.a, twice, 2), 0);
	assert_int_equal(sip_endpoint_answers(scene.a, there), SIP_ANSWERS);
	assert_int_equal(sip_endpoint_answers(scene.a, gone), SIP_NOT_ASKED);
}

static void what_is_no_uri_keeps_nobody_from_being_asked(void **state)
{
	const char *uris[] = { "mailto:x", there };

	(void)state;
	assert_int_equal(sip_endpoint_keep_alive(scene.a, uris, 2), -EINVAL);
	await(there, SIP_ANSWERS);
}

static void nobody_is_asked_where_it_is_not_wanted(void **state)
{
	const char *uri = there;

	(void)state;
	scene_close();
	assert_int_equal(open_with(0), 0);
	assert_int_equal(sip_endpoint_keep_alive(scene.a, &uri, 1), 0);
	assert_int_equal(sip_endpoint_answers(scene.a, there), SIP_NOT_ASKED);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_is_asked_and_told_apart),
		T(an_answer_of_trouble_is_none),
		T(the_list_may_change),
		T(what_is_no_uri_keeps_nobody_from_being_asked),
		T(nobody_is_asked_where_it_is_not_wanted),
	};

	return cmocka_run_group_tests_name("tas/sip/keepalive", tests, NULL, NULL);
}
