/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg_reach.c - next hops that are away, and those that are only slow. */
#include "tests/unit/tas/sip/wire.h"

#define MANY 300 /* more than sofia keeps for a connection unless told */

static struct wire wire;

static void open_caller(enum sip_transport transport, int socket_type)
{
	scene_open_pair(transport);
	clock_fake_set(clock_now());
	wire_open(&wire, socket_type, 0);
}

static void call(struct party *party, const char *user, enum sip_transport transport)
{
	char uri[128];
	struct leg_invite invite = { .request_uri = uri,
				     .from_uri = "sip:a@example.com",
				     .to_uri = "sip:b@example.com",
				     .sdp = OFFER };

	memset(party, 0, sizeof(*party));
	scene_uri(uri, sizeof(uri), user, "127.0.0.1", wire.port, transport);
	assert_int_equal(leg_invite(&party->leg, scene.a, &invite, party_on_event, party), 0);
}

static void end(void)
{
	wire_close(&wire);
	scene_close();
}

/* The hop takes another call and says so. */
static void another_is_answered(void)
{
	static char user[] = "other0";
	struct party other;
	const char *invite;
	char start[32];

	user[sizeof(user) - 2]++;
	call(&other, user, SIP_TRANSPORT_UDP);
	(void)snprintf(start, sizeof(start), "INVITE sip:%s@", user);
	invite = wire_expect(&wire, start);
	wire_respond(&wire, invite, "486 Busy Here", "t", "", "");
	scene_wait(&other, "ENDED:refused:486");
	other.leg = leg_release(other.leg, NULL);
}

static void who_answers_others_is_slow_and_not_away(void **state)
{
	const char *first;

	(void)state;
	open_caller(SIP_TRANSPORT_UDP, SOCK_DGRAM);
	call(&scene.caller, "first", SIP_TRANSPORT_UDP);
	first = wire_take_from(&wire, "INVITE");
	for (int s = 0; s < 3; s++) {
		scene_pass(500);
		another_is_answered();
		scene_pass(500);
	}
	assert_string_equal(scene.caller.heard, "");
	wire_respond(&wire, first, "180 Ringing", "t", "", "");
	scene_wait(&scene.caller, "180");
	end();
}

static void nobody_waits_for_a_slow_one_forever(void **state)
{
	(void)state;
	open_caller(SIP_TRANSPORT_UDP, SOCK_DGRAM);
	call(&scene.caller, "first", SIP_TRANSPORT_UDP);
	(void)wire_take_from(&wire, "INVITE");
	for (int s = 0; s < 5; s++) {
		assert_string_equal(scene.caller.heard, "");
		scene_pass(500);
		another_is_answered();
		scene_pass(500);
	}
	scene_pass(600); /* each look may come a step late */
	assert_string_equal(scene.caller.heard, " ENDED:timeout:408");
	end();
}

static void what_was_said_before_counts_for_nothing(void **state)
{
	(void)state;
	open_caller(SIP_TRANSPORT_UDP, SOCK_DGRAM);
	call(&scene.caller, "first", SIP_TRANSPORT_UDP);
	wire_respond(&wire, wire_take_from(&wire, "INVITE"), "486 Busy Here", "t", "", "");
	scene_wait(&scene.caller, "ENDED:refused:486");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_pass(100);
	call(&scene.caller, "second", SIP_TRANSPORT_UDP);
	scene_pass(1200);
	assert_string_equal(scene.caller.heard, " ENDED:timeout:408");
	end();
}

/* The process stood still: what was said meanwhile is read before the time is judged. */
static void what_lies_unread_is_read_first(void **state)
{
	const char *invite;

	(void)state;
	open_caller(SIP_TRANSPORT_UDP, SOCK_DGRAM);
	call(&scene.caller, "first", SIP_TRANSPORT_UDP);
	invite = wire_take_from(&wire, "INVITE");
	clock_fake_advance(3000);
	wire_respond(&wire, invite, "180 Ringing", "t", "", "");
	scene_wait(&scene.caller, "180");
	assert_string_equal(scene.caller.heard, " 180");
	end();
}

static void who_says_nothing_after_a_standstill_is_away(void **state)
{
	(void)state;
	open_caller(SIP_TRANSPORT_UDP, SOCK_DGRAM);
	call(&scene.caller, "first", SIP_TRANSPORT_UDP);
	(void)wire_take_from(&wire, "INVITE");
	clock_fake_advance(3000);
	scene_pass(500);
	assert_string_equal(scene.caller.heard, " ENDED:timeout:408");
	end();
}

/* A burst while the connection is being made: all of it waits, none is lost. */
static void many_wait_for_one_connection(void **state)
{
	static struct party parties[MANY];

	(void)state;
	open_caller(SIP_TRANSPORT_TLS, SOCK_STREAM); /* accepts, and never answers TLS */
	for (int i = 0; i < MANY; i++)
		call(&parties[i], "x", SIP_TRANSPORT_TLS);
	scene_settle();
	scene_pass(800);
	for (int i = 0; i < MANY; i++)
		assert_string_equal(parties[i].heard, "");
	scene_pass(400);
	for (int i = 0; i < MANY; i++) {
		assert_string_equal(parties[i].heard, " ENDED:timeout:408");
		parties[i].leg = leg_release(parties[i].leg, NULL);
	}
	scene_wait_gone();
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_answers_others_is_slow_and_not_away),
		cmocka_unit_test(nobody_waits_for_a_slow_one_forever),
		cmocka_unit_test(what_was_said_before_counts_for_nothing),
		cmocka_unit_test(what_lies_unread_is_read_first),
		cmocka_unit_test(who_says_nothing_after_a_standstill_is_away),
		cmocka_unit_test(many_wait_for_one_connection),
	};

	return cmocka_run_group_tests_name("tas/sip/leg_reach", tests, NULL, NULL);
}
