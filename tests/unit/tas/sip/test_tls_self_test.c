/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_self_test.c - the start-up proof passes here. */
#include "tests/unit/tas/sip/scene.h"

static void every_cure_is_proven(void **state)
{
	char error[300] = "";

	(void)state;
	if (tls_guard_self_test(error, sizeof(error)) < 0)
		fail_msg("%s", error);
	assert_int_equal(tls_guard_live(), 0);
}

static void it_can_run_beside_live_sessions(void **state)
{
	char error[300] = "";

	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	scene_talk(SIP_TRANSPORT_TLS);
	assert_int_equal(tls_guard_live(), 2);
	if (tls_guard_self_test(error, sizeof(error)) < 0)
		fail_msg("%s", error);
	assert_int_equal(tls_guard_live(), 2);
	scene_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cure_is_proven),
		cmocka_unit_test(it_can_run_beside_live_sessions),
	};

	return cmocka_run_group_tests_name("tas/sip/tls_self_test", tests, NULL, NULL);
}
