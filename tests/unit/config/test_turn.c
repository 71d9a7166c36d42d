/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define HEAD     DOMAIN SIP CORE
#define WITH(of) HEAD "media: { address: 198.51.100.10, " of " }\n"

static void nobody_is_asked_by_default(void **state)
{
	struct config *config = expect_config(BASE);

	(void)state;
	assert_null(config->media.stun);
	assert_int_equal(config->media.turn_count, 0);
	assert_int_equal(config->media.ice_policy, ICE_POLICY_ALL);
	assert_int_equal(config->media.gather_ms, 500);
	config_destroy(config);
}

static void servers_in_full(void **state)
{
	struct config *config = expect_config(
		WITH("stun: 'stun.example:3478', gather_time: 1s, ice_policy: relay, turn: [ "
		     "{ address: '192.0.2.7:3478', username: me, password_file: p }, "
		     "{ address: 'turn.example:443', transport: tcp, secret_file: s } ]"));
	const struct config_turn *turn = config->media.turn;

	(void)state;
	assert_string_equal(config->media.stun, "stun.example:3478");
	assert_int_equal(config->media.gather_ms, 1000);
	assert_int_equal(config->media.ice_policy, ICE_POLICY_RELAY);
	assert_int_equal(config->media.turn_count, 2);
	assert_string_equal(turn[0].address, "192.0.2.7:3478");
	assert_int_equal(turn[0].transport, TURN_UDP);
	assert_string_equal(turn[0].username, "me");
	assert_non_null(strstr(turn[0].password_file, "/p"));
	assert_int_equal(turn[1].transport, TURN_TCP);
	assert_non_null(strstr(turn[1].secret_file, "/s"));
	config_destroy(config);
}

static void each_mistake_is_named(void **state)
{
	static const struct {
		const char *yaml, *finding;
	} cases[] = {
		{ WITH("stun: stun.example"), "`stun.example` has no port. Write host:port" },
		{ WITH("turn: [ { address: 'a:1' } ]"), "neither a password nor a secret" },
		{ WITH("turn: [ { address: 'a:1', username: u, password_file: p, secret_file: s } "
		       "]"),
		  "both a password and a secret" },
		{ WITH("turn: [ { address: 'a:1', password_file: p } ]"), "no `username`" },
		{ WITH("turn: [ { username: a } ]"), "`media.turn.address` is missing" },
		{ WITH("turn: [ { address: 'a:1', transport: tls, secret_file: s } ]"),
		  "Known: udp, tcp" },
		{ WITH("ice: lite, stun: 'a:1'"), "asks no STUN or TURN server" },
		{ WITH("ice_policy: relay"), "without a server in `media.turn`" },
		{ WITH("gather_time: 1ms"), "is out of range. Write 20ms to 10s" },
		{ WITH("turn: [ { address: 'a:1', secret_file: s }, { address: 'b:1', "
		       "secret_file: s }, { address: 'c:1', secret_file: s }, { address: 'd:1', "
		       "secret_file: s }, { address: 'e:1', secret_file: s } ]"),
		  "has 5 servers, and a call asks all of them. Keep at most 4" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static char found[20000];
		struct config *config;

		put("breakout.yaml", cases[i].yaml);
		assert_int_equal(load(false, &config, found, sizeof(found)), -EINVAL);
		if (!strstr(found, cases[i].finding))
			fail_msg("%s: %s", cases[i].finding, found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(nobody_is_asked_by_default),
		IN_FOLDER(servers_in_full),
		IN_FOLDER(each_mistake_is_named),
	};

	return cmocka_run_group_tests_name("config/turn", tests, NULL, NULL);
}
