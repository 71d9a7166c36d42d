/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

static bool knows(struct service_rig *rig, const char *host)
{
	return service_knows_host(rig->room, host);
}

static void names_are_those_of_uris_and_hosts(void **state)
{
	struct service_rig *rig = *state;
	char *core[] = { TEXT("*.core.example.net"), TEXT("sbc2.example.com") };
	char *pbx[] = { TEXT("node2.pbx.example.org") };

	rig->config.core.sbc.uri = TEXT("sips:sbc.core.example.net:5061");
	assert_true(knows(rig, "SBC.core.example.net"));
	assert_true(knows(rig, "pbx.example.org")); /* a trunk's */
	assert_false(knows(rig, "sbc7.core.example.net"));
	assert_false(knows(rig, "node2.pbx.example.org"));
	assert_false(knows(rig, "core.example.net"));
	assert_false(knows(rig, ""));
	rig->config.core.sbc.hosts = core;
	rig->config.core.sbc.host_count = 2;
	rig_trunks[1].hosts = pbx;
	rig_trunks[1].host_count = 1;
	assert_true(knows(rig, "sbc7.core.example.NET"));
	assert_true(knows(rig, "sbc2.example.com"));
	assert_true(knows(rig, "node2.pbx.example.org"));
	assert_false(knows(rig, "core.example.net")); /* not below itself */
	assert_false(knows(rig, "evilcore.example.net"));
	assert_false(knows(rig, "x.sbc2.example.com"));
	rig_trunks[1].host_count = 0;
}

static void addresses_are_those_of_uris_and_trusted(void **state)
{
	struct service_rig *rig = *state;
	struct config_cidr web = rig_trusted;

	rig->config.core.sbc.trusted_count = 0;
	assert_true(knows(rig, "192.0.2.11")); /* a trunk's uri */
	assert_false(knows(rig, "192.0.2.12"));
	assert_false(knows(rig, "198.51.100.7"));
	rig_trunks[1].trusted = &web;
	rig_trunks[1].trusted_count = 1;
	assert_true(knows(rig, "198.51.100.7"));
	rig_trunks[1].trusted_count = 0;
	rig->config.core.sbc.trusted = &web;
	rig->config.core.sbc.trusted_count = 1;
	assert_true(knows(rig, "198.51.100.7"));
	assert_false(knows(rig, "2001:db8::1"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(names_are_those_of_uris_and_hosts),
		T(addresses_are_those_of_uris_and_trusted),
	};

	return cmocka_run_group_tests_name("tas/service/known_hosts", tests, NULL, NULL);
}
