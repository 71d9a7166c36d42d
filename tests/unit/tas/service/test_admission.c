/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

static struct sip_newcomer newcomer(const char *user)
{
	return (struct sip_newcomer){ .peer = SERVICE_PEER_CORE,
				      .request_uri = "sips:x@tas.example.com",
				      .request_user = user,
				      .call_id = "call-1" };
}

static int admit(struct service_rig *rig, const struct sip_newcomer *call, unsigned *ret_after_s)
{
	int status;

	rig_shedding = true;
	status = service_admit(rig->room, call, ret_after_s);
	rig_shedding = false;
	return status;
}

static void emergencies_pass_however_they_are_written(void **state)
{
	static const struct {
		const char *user;
		int status;
	} table[] = {
		{ "112", 0 },           { "+112", 0 },
		{ "00112", 0 },         { "+00112", 0 },
		{ "01911", 0 },         { "112;phone-context=+47", 0 },
		{ "+4799000001", 503 }, { "+0047112", 503 },
		{ "1120", 503 },        { "", 503 },
		{ "00", 503 },
	};
	struct service_rig *rig = *state;
	unsigned after_s;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct sip_newcomer call = newcomer(table[i].user);

		assert_int_equal(admit(rig, &call, &after_s), table[i].status);
	}
}

static void a_request_that_says_so_is_an_emergency(void **state)
{
	struct service_rig *rig = *state;
	struct sip_newcomer call = newcomer("");
	unsigned after_s;

	call.request_uri = "urn:service:sos.police";
	assert_int_equal(admit(rig, &call, &after_s), 0);
	call = newcomer("+4799000001");
	call.priority = "Emergency";
	assert_int_equal(admit(rig, &call, &after_s), 0);
	call.peer = 1; /* anybody could say so */
	assert_int_equal(admit(rig, &call, &after_s), 503);
}

static void only_who_is_not_the_core_is_told_when_to_come_back(void **state)
{
	struct service_rig *rig = *state;
	struct sip_newcomer call = newcomer("+014799000002");
	unsigned seen = 0, after_s = 99;
	char id[16];

	assert_int_equal(admit(rig, &call, &after_s), 503);
	assert_int_equal(after_s, 0);
	call.peer = 1;
	call.call_id = id;
	for (int i = 0; i < 64; i++) {
		snprintf(id, sizeof(id), "call-%d", i);
		assert_int_equal(admit(rig, &call, &after_s), 503);
		assert_in_range(after_s, 1, 4);
		seen |= 1u << after_s;
	}
	assert_int_equal(seen, 0x1e);
}

static void without_too_much_to_do_all_come_in(void **state)
{
	struct service_rig *rig = *state;
	struct sip_newcomer call = newcomer("+014799000002");
	unsigned after_s;

	assert_int_equal(service_admit(rig->room, &call, &after_s), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(emergencies_pass_however_they_are_written),
		T(a_request_that_says_so_is_an_emergency),
		T(only_who_is_not_the_core_is_told_when_to_come_back),
		T(without_too_much_to_do_all_come_in),
	};

	return cmocka_run_group_tests_name("tas/service/admission", tests, NULL, NULL);
}
