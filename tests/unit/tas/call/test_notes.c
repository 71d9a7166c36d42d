/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/call/call_state.h"
#include "tests/fake/call_rig.h"

static struct media_receipt sides[2];

static int usual(void **state)
{
	return rig_setup_traced(state, fake_trace(false));
}

static int followed(void **state)
{
	return rig_setup_traced(state, fake_trace(true));
}

/* So many packets more went each way on both sides. */
static void pass(unsigned packets)
{
	for (int side = MEDIA_A; side <= MEDIA_B; side++) {
		sides[side].packets_in += packets;
		sides[side].packets_out += packets;
		sides[side].last_in_ms = clock_now();
		fake_media_receipt((enum media_side)side, &sides[side]);
	}
}

static struct rig *talking(void **state)
{
	struct rig *rig = *state;

	for (int side = MEDIA_A; side <= MEDIA_B; side++)
		sides[side] = (struct media_receipt){ .agreed = true, .sends = true };
	pass(0);
	rig_talking(rig, RIG_PLAN(rig_loop()));
	return rig;
}

static unsigned count(const char *what)
{
	unsigned count = 0;

	for (const char *at = fake_trace_notes(); (at = strstr(at, what)); at++)
		count++;
	return count;
}

static void say(const char *what)
{
	if (!strstr(fake_trace_notes(), what))
		print_error("%s\nis not in: %s\n", what, fake_trace_notes());
	assert_non_null(strstr(fake_trace_notes(), what));
}

static void steps_of_the_media_are_noted_and_change_nothing(void **state)
{
	struct rig *rig = talking(state);
	struct media_session *session = fake_media_last();
	const struct media_event step = { .type = MEDIA_EV_STEP,
					  .side = MEDIA_B,
					  .reason = "ICE connected" };

	session->on_event(session, &step, session->arg);
	say("media step side=B: ICE connected|");
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	say("end cause=normal by=a media=");
	say("|[over]|");
}

static void a_followed_call_tells_each_second_what_passes(void **state)
{
	struct rig *rig = talking(state);

	for (int second = 0; second < 4; second++) {
		pass(50);
		sides[MEDIA_B].lost += second == 2;
		sides[MEDIA_A].dropped_source += second == 3 ? 7 : 0;
		rig_advance(rig, 1000);
	}
	assert_int_equal(count("rtp "), 4);
	say("rtp A in 50/s out 50/s lost 0 jitter 0 ms, B in 50/s out 50/s lost 0 jitter 0 ms|");
	say("rtp A in 50/s out 50/s lost 0 jitter 0 ms, B in 50/s out 50/s lost 1 jitter 0 ms|");
	say("rtp A in 50/s out 50/s lost 0 dropped 7 jitter 0 ms, B");
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	rig_advance(rig, 5000);
	assert_int_equal(count("rtp "), 4);
}

static void before_the_answer_it_tells_what_is_new_only(void **state)
{
	struct rig *rig = *state;

	for (int side = MEDIA_A; side <= MEDIA_B; side++)
		sides[side] = (struct media_receipt){ .agreed = true };
	pass(0);
	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	(void)fake_media_reply(fake_media_last(), "offer-b");
	for (int second = 0; second < 5; second++)
		rig_advance(rig, 1000);
	assert_int_equal(count("rtp "), 0);
	pass(50); /* early media */
	rig_advance(rig, 1000);
	assert_int_equal(count("rtp "), 1);
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
}

static void any_other_call_tells_when_it_changes(void **state)
{
	struct rig *rig = talking(state);

	pass(100);
	rig_advance(rig, 2000);
	assert_int_equal(count("rtp "), 1);
	say("heard ok|");
	for (int look = 0; look < 10; look++) {
		pass(250 + (unsigned)look % 3); /* 50 a second, about */
		rig_advance(rig, 5000);
	}
	assert_int_equal(count("rtp "), 1);
	sides[MEDIA_A].packets_out += 250;
	sides[MEDIA_B].packets_in += 250;
	rig_advance(rig, 5000); /* A has stopped */
	assert_int_equal(count("rtp "), 2);
	say("rtp A in 0/s out 50/s");
	rig_advance(rig, 5000);
	say("heard no media: nothing more arrives from the caller");
	fake_leg_end(rig->a, LEG_END_BYE, 200);
}

static void tell_standing(const char *number, bool in_full, char *ret_text, size_t room, void *arg)
{
	(void)arg;
	(void)snprintf(ret_text, room, "%s%s", number, in_full ? " in full" : "");
}

static void what_the_core_knew_is_noted_at_the_start(void **state)
{
	struct rig *rig = *state;

	rig->room->standing = tell_standing;
	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	say("|core +4799000001 in full|");
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
}

#define U(f) cmocka_unit_test_setup_teardown(f, usual, rig_teardown)
#define F(f) cmocka_unit_test_setup_teardown(f, followed, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		U(steps_of_the_media_are_noted_and_change_nothing),
		F(a_followed_call_tells_each_second_what_passes),
		F(before_the_answer_it_tells_what_is_new_only),
		U(any_other_call_tells_when_it_changes),
		F(what_the_core_knew_is_noted_at_the_start),
	};

	return cmocka_run_group_tests_name("tas/call/notes", tests, NULL, NULL);
}
