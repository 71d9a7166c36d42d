/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"
#include "tas/call/call_state.h"
#include "tests/fake/call_rig.h"

static struct media_receipt sides[2];
static char said[512];

static void all_is_well(void)
{
	for (int side = 0; side < 2; side++)
		sides[side] = (struct media_receipt){ .kind = side == MEDIA_A ? MEDIA_LEG_WEBRTC
									      : MEDIA_LEG_RTP,
						      .agreed = true,
						      .sends = true,
						      .ice_ok = side == MEDIA_A,
						      .dtls_ok = side == MEDIA_A,
						      .packets_in = 100,
						      .packets_out = 100,
						      .last_in_ms = 100000 };
}

static int set_up(void **state)
{
	(void)state;
	all_is_well();
	return 0;
}

static enum call_verdict judge(void)
{
	const struct verdict_facts facts = { .receipt = { &sides[0], &sides[1] },
					     .name = { "A", "B" },
					     .now = 101000 };
	struct str why = { 0 };
	enum call_verdict verdict = verdict_judge(&facts, &why);

	snprintf(said, sizeof(said), "%s", why.text ? why.text : "");
	str_done(&why);
	return verdict;
}

static void both_sides_heard_is_ok(void **state)
{
	(void)state;
	assert_int_equal(judge(), VERDICT_OK);
	assert_string_equal(said, "");
}

static void a_side_that_never_sends_is_named_with_its_transport(void **state)
{
	(void)state;
	sides[MEDIA_A].packets_in = 0;
	assert_int_equal(judge(), VERDICT_ONE_WAY);
	assert_string_equal(said, "nothing arrives from A: ICE ok, DTLS ok");
	sides[MEDIA_A].dtls_ok = false;
	assert_int_equal(judge(), VERDICT_ONE_WAY);
	assert_string_equal(said, "nothing arrives from A: ICE ok, DTLS not finished");
	sides[MEDIA_A].ice_ok = false;
	sides[MEDIA_A].dropped_auth = 3;
	assert_int_equal(judge(), VERDICT_ONE_WAY);
	assert_string_equal(said, "nothing arrives from A: ICE has found no path, "
				  "3 packets failed authentication");
}

static void packets_from_elsewhere_are_named(void **state)
{
	(void)state;
	sides[MEDIA_B].packets_in = 0;
	sides[MEDIA_B].dropped_source = 50;
	strcpy(sides[MEDIA_B].remote, "192.0.2.1:4000");
	assert_int_equal(judge(), VERDICT_ONE_WAY);
	assert_string_equal(said, "nothing arrives from B: plain RTP, its address is "
				  "192.0.2.1:4000, 50 packets came from another address");
}

static void a_side_that_stops_is_told_from_one_that_pauses(void **state)
{
	(void)state;
	sides[MEDIA_B].last_in_ms = 101000 - 5000;
	assert_int_equal(judge(), VERDICT_OK);
	sides[MEDIA_B].last_in_ms = 101000 - 7100;
	assert_int_equal(judge(), VERDICT_ONE_WAY);
	assert_string_equal(said, "nothing more arrives from B, for 7 s: plain RTP, its address "
				  "is not known");
}

static void silence_of_both_is_no_media(void **state)
{
	(void)state;
	sides[MEDIA_A].packets_in = sides[MEDIA_B].packets_in = 0;
	assert_int_equal(judge(), VERDICT_NO_MEDIA);
	assert_non_null(strstr(said, "from A: ICE ok, DTLS ok; nothing arrives from B"));
}

static void packets_that_cannot_go_on_are_one_way(void **state)
{
	(void)state;
	sides[MEDIA_B].packets_out = 0;
	sides[MEDIA_A].dropped_other = 9;
	assert_int_equal(judge(), VERDICT_ONE_WAY);
	assert_string_equal(said, "nothing of A can be sent to B: plain RTP, its address is not "
				  "known, 9 packets of another codec than agreed, or broken");
}

static void hold_is_no_trouble_whoever_is_silent(void **state)
{
	(void)state;
	sides[MEDIA_B].sends = false;
	sides[MEDIA_A].packets_in = 0;
	assert_int_equal(judge(), VERDICT_HELD);
	assert_string_equal(said, "by A");
	sides[MEDIA_A].sends = false;
	assert_int_equal(judge(), VERDICT_HELD);
	assert_string_equal(said, "by both sides");
	sides[MEDIA_B].sends = true;
	assert_int_equal(judge(), VERDICT_HELD);
	assert_string_equal(said, "by B");
}

static void what_we_play_ourselves_is_never_missed(void **state)
{
	(void)state;
	sides[MEDIA_B].kind = MEDIA_LEG_LOCAL;
	sides[MEDIA_B].packets_in = 0;
	assert_int_equal(judge(), VERDICT_OK);
}

static void an_answer_that_is_not_in_force_is_no_media(void **state)
{
	(void)state;
	sides[MEDIA_B].agreed = false;
	assert_int_equal(judge(), VERDICT_NO_MEDIA);
}

/* ---- in a call ---- */

static char noticed[512];
static unsigned notices;

static void listen_log(enum log_level level, const char *area, const char *line, void *arg)
{
	if (strstr(line, " media=\"")) {
		if (level == LOG_LEVEL_NOTICE) {
			notices++;
			snprintf(noticed, sizeof(noticed), "%s", line);
		}
	}
	rig_log(level, area, line, arg);
}

static int rig_up(void **state)
{
	int err = rig_setup(state);

	log_set_sink(listen_log, *state);
	notices = 0;
	noticed[0] = '\0';
	all_is_well();
	return err;
}

static void info_of(const struct call_info *info, void *arg)
{
	*(struct call_info *)arg = *info;
}

static struct call_info info(struct rig *rig)
{
	struct call_info info = { 0 };

	call_room_each(rig->room, info_of, &info);
	return info;
}

static void silent_side(struct rig *rig)
{
	(void)rig;
	sides[MEDIA_B].packets_in = 0;
	fake_media_receipt(MEDIA_B, &sides[MEDIA_B]);
}

static void the_verdict_stands_two_seconds_after_the_answer(void **state)
{
	struct rig *rig = *state;

	silent_side(rig);
	rig_talking(rig, RIG_PLAN(rig_loop()));
	rig_advance(rig, 1900);
	assert_int_equal(info(rig).verdict, VERDICT_NONE);
	assert_int_equal(notices, 0);
	rig_advance(rig, 200);
	assert_int_equal(info(rig).verdict, VERDICT_ONE_WAY);
	assert_int_equal(call_room_verdict_count(VERDICT_ONE_WAY), 1);
	assert_non_null(strstr(noticed, "media=\"one-way\" why=\"nothing arrives from the callee "
					"(core): plain RTP"));
	rig_advance(rig, 60000);
	assert_int_equal(notices, 1); /* told once */
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_int_equal(call_room_verdict_count(VERDICT_ONE_WAY), 0);
	assert_non_null(strstr(rig->end_line, " verdict=\"one-way\" "));
}

static void a_change_is_told(void **state)
{
	struct rig *rig = *state;

	silent_side(rig);
	rig_talking(rig, RIG_PLAN(rig_loop()));
	rig_advance(rig, 2100);
	fake_media_receipt(MEDIA_B, NULL);
	rig_advance(rig, 5100);
	assert_int_equal(info(rig).verdict, VERDICT_OK);
	assert_int_equal(notices, 2);
	assert_non_null(strstr(noticed, "media=\"ok\" again"));
}

static void a_short_call_is_not_blamed(void **state)
{
	struct rig *rig = *state;

	silent_side(rig);
	rig_talking(rig, RIG_PLAN(rig_loop()));
	rig_advance(rig, 500);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_int_equal(notices, 0);
	assert_non_null(strstr(rig->end_line, " verdict=\"none\" "));
}

static void a_call_that_passes_us_by_says_so(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_passed()));
	fake_leg_event(fake_leg_last(), LEG_EV_ANSWERED, 200, "answer-b");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	rig_advance(rig, 2100);
	assert_int_equal(info(rig).verdict, VERDICT_BYPASSED);
	assert_int_equal(notices, 0);
}

#define P(f) cmocka_unit_test_setup(f, set_up)
#define T(f) cmocka_unit_test_setup_teardown(f, rig_up, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		P(both_sides_heard_is_ok),
		P(a_side_that_never_sends_is_named_with_its_transport),
		P(packets_from_elsewhere_are_named),
		P(a_side_that_stops_is_told_from_one_that_pauses),
		P(silence_of_both_is_no_media),
		P(packets_that_cannot_go_on_are_one_way),
		P(hold_is_no_trouble_whoever_is_silent),
		P(what_we_play_ourselves_is_never_missed),
		P(an_answer_that_is_not_in_force_is_no_media),
		T(the_verdict_stands_two_seconds_after_the_answer),
		T(a_change_is_told),
		T(a_short_call_is_not_blamed),
		T(a_call_that_passes_us_by_says_so),
	};

	return cmocka_run_group_tests_name("tas/call/verdict", tests, NULL, NULL);
}
