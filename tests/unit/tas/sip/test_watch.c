/* SPDX-License-Identifier: Apache-2.0 */
/* test_watch.c - OPTIONS to a trunk's addresses, and what calls make of them. */
#include "tests/unit/tas/sip/pbx.h"

#include "tas/sip/watch.h"

static unsigned down_on[] = { 408, 503 };
static struct sip_line_info last;

static void look(const struct sip_line_info *info, void *arg)
{
	(void)arg;
	last = *info;
}

static enum health_state health(void)
{
	sip_peer_each_line(pbx.peer, look, NULL);
	return last.state;
}

static int set_up(void **state)
{
	(void)state;
	pbx_open();
	pbx.config.options_s = 30;
	pbx.config.down_after = pbx.config.up_after = 2;
	pbx.config.down_on = down_on;
	pbx.config.down_count = 2;
	return sip_peer_configure(pbx.peer, &pbx.config) || sip_watch(pbx.peer, scene.a);
}

static int tear_down(void **state)
{
	(void)state;
	pbx_close();
	return 0;
}

/* Repetitions on UDP are not looked at. */
static void skip_repeats(void)
{
	wire_settle(&pbx.wire);
	pbx.wire.seen = pbx.wire.length;
}

static void answer(const char *status)
{
	wire_respond(&pbx.wire, wire_take_from(&pbx.wire, "OPTIONS"), status, "t", "", "");
	scene_settle();
}

static void an_address_is_asked_soon_and_then_now_and_then(void **state)
{
	char value[200];
	const char *message;

	(void)state;
	assert_int_equal(health(), HEALTH_UNKNOWN);
	scene_pass(2000);
	message = wire_take_from(&pbx.wire, "OPTIONS");
	assert_string_equal(wire_header(message, "Max-Forwards", value, sizeof(value)), "70");
	assert_non_null(strstr(wire_header(message, "Contact", value, sizeof(value)), "<sip:"));
	wire_respond(&pbx.wire, message, "404 Not Found", "t", "", "");
	scene_settle();
	assert_int_equal(health(), HEALTH_UP);
	assert_int_equal(last.status, 404);
	skip_repeats();
	scene_pass(26000);
	wire_settle(&pbx.wire);
	assert_null(strstr(pbx.wire.got + pbx.wire.seen, "OPTIONS"));
	scene_pass(4000);
	answer("200 OK");
	assert_int_equal(last.status, 404); /* until one looks */
	assert_int_equal(health(), HEALTH_UP);
	assert_int_equal(last.status, 200);
}

static void silence_and_503_take_it_down_and_two_answers_up(void **state)
{
	(void)state;
	scene_pass(2000);
	answer("503 Service Unavailable");
	assert_int_equal(health(), HEALTH_UNKNOWN);
	skip_repeats();
	scene_pass(4200); /* asked again soon, not after half a minute */
	wire_expect(&pbx.wire, "OPTIONS");
	scene_pass(4200);
	assert_int_equal(health(), HEALTH_DOWN);
	assert_string_equal(last.why, "no response in time");
	skip_repeats();
	scene_pass(4200);
	while (last.status != 200) { /* repetitions of those given up come in between */
		answer("200 OK");
		(void)health();
	}
	assert_int_equal(health(), HEALTH_DOWN);
	skip_repeats();
	scene_pass(30000);
	answer("200 OK");
	assert_int_equal(health(), HEALTH_UP);
}

static void a_call_that_meets_silence_has_it_asked_at_once(void **state)
{
	(void)state;
	scene_pass(2000);
	answer("200 OK");
	assert_int_equal(pbx_invite(&scene.caller.leg, NULL), 0);
	wire_expect(&pbx.wire, "INVITE");
	scene_pass(1100);
	assert_int_equal(scene.caller.end, LEG_END_TIMEOUT);
	assert_int_equal(health(), HEALTH_DOWN);
	assert_int_equal(last.failures, 1);
	wire_expect(&pbx.wire, "OPTIONS");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
}

static void a_leg_counts_until_it_ends(void **state)
{
	struct leg *second = NULL;

	(void)state;
	pbx.config.max_calls = 1;
	assert_int_equal(sip_peer_configure(pbx.peer, &pbx.config), 0);
	assert_int_equal(sip_watch(pbx.peer, scene.a), 0);
	assert_int_equal(pbx_invite(&scene.caller.leg, NULL), 0);
	assert_int_equal(pbx_invite(&second, NULL), -EBUSY);
	assert_null(second);
	wire_respond(&pbx.wire, wire_take_from(&pbx.wire, "INVITE"), "180 Ringing", "t", "", "");
	scene_wait(&scene.caller, "180");
	assert_int_equal(sip_peer_enter(pbx.peer), -EBUSY);
	wire_respond(&pbx.wire, strstr(pbx.wire.got, "INVITE"), "503 Service Unavailable", "t", "",
		     "");
	scene_wait(&scene.caller, "ENDED:refused:503:rang");
	assert_int_equal(sip_peer_enter(pbx.peer), 0);
	sip_peer_leave(pbx.peer);
	(void)health();
	assert_int_equal(last.calls, 1);
	assert_int_equal(last.failures, 1);
}

static void options_stop_when_they_are_no_longer_wanted(void **state)
{
	(void)state;
	pbx.config.options_s = 0;
	assert_int_equal(sip_peer_configure(pbx.peer, &pbx.config), 0);
	assert_int_equal(sip_watch(pbx.peer, scene.a), 0);
	scene_pass(60000);
	wire_settle(&pbx.wire);
	assert_null(strstr(pbx.wire.got, "OPTIONS"));
	pbx.config.options_s = 10;
	assert_int_equal(sip_peer_configure(pbx.peer, &pbx.config), 0);
	assert_int_equal(sip_watch(pbx.peer, scene.a), 0);
	scene_pass(2000);
	answer("200 OK");
	assert_int_equal(health(), HEALTH_UP);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_address_is_asked_soon_and_then_now_and_then),
		T(silence_and_503_take_it_down_and_two_answers_up),
		T(a_call_that_meets_silence_has_it_asked_at_once),
		T(a_leg_counts_until_it_ends),
		T(options_stop_when_they_are_no_longer_wanted),
	};

	return cmocka_run_group_tests_name("tas/sip/watch", tests, NULL, NULL);
}
