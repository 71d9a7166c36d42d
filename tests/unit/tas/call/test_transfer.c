/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/call_rig.h"

/* What the service room would say. */
static struct {
	struct call_plan *(*plan)(void);
	int status;
	struct call_transfer asked;
	char user[32];
} service;

static struct call_plan *decide(const struct call_transfer *transfer,
				struct call_refusal *ret_refusal, void *arg)
{
	(void)arg;
	service.asked = *transfer;
	snprintf(service.user, sizeof(service.user), "%s", transfer->refer->user);
	*ret_refusal = (struct call_refusal){ .status = service.status, .phrase = "Not Today" };
	return service.plan ? service.plan() : NULL;
}

static struct call_step pbx(const char *label)
{
	struct call_step step = rig_dial(label);

	step.peer = 1;
	return step;
}

static struct call_plan *to_pbx(void)
{
	return RIG_PLAN(pbx("dial pbx"));
}

static struct call_plan *to_pbx_with_music(void)
{
	struct call_plan *plan = to_pbx();

	plan->hold_music = fake_media_sound();
	plan->steps[0].hold_music = fake_media_sound();
	return plan;
}

static struct call_plan *to_two_gateways(void)
{
	struct call_step second = pbx("dial pbx/2");

	second.only_after_trouble = true;
	return RIG_PLAN(pbx("dial pbx"), second);
}

/* The target is called with what the side that stays has agreed to. */
static void offered(struct media_session *session)
{
	assert_int_equal(session->offers, 1);
	assert_true(fake_media_reply(session, "offer-for-c"));
	assert_string_equal(fake_leg_last()->info.sdp, "offer-for-c");
}

/* A talks to a PBX, which asks for somebody else. */
static struct leg *asked(struct rig *rig, struct call_plan *(*plan)(void), struct leg **ret_b)
{
	struct leg *b = rig_talking(rig, RIG_PLAN(pbx("dial pbx")));

	memset(&service, 0, sizeof(service));
	service.plan = plan;
	service.status = 403;
	call_room_on_transfer(rig->room, decide, NULL);
	fake_leg_refer(b, "201", NULL);
	if (plan)
		offered(fake_media_last());
	*ret_b = b;
	return fake_leg_last();
}

/* What the target says it speaks goes to A as an offer, and A takes it. */
static void moved(struct rig *rig)
{
	assert_true(fake_media_reply(fake_media_last(), "offer-for-a"));
	assert_did(rig->a, FAKE_LEG_OFFER, 0, "offer-for-a");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "answer-a");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-c"));
}

/* A is back with who asked. */
static void again(struct rig *rig, struct leg *b)
{
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "offer-b");
	assert_true(fake_media_reply(fake_media_last(), "again-for-a"));
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "answer-a");
	assert_true(fake_media_reply(fake_media_last(), "again-for-b"));
	assert_did(b, FAKE_LEG_ACK, 0, "again-for-b");
	assert_true(!b->released && !rig->a->released);
	assert_int_equal(fake_media_count(), 1);
}

/* The target has answered. */
static void joined(struct rig *rig, struct leg *target)
{
	fake_leg_event(target, LEG_EV_ANSWERED, 200, "answer-c");
	assert_did(target, FAKE_LEG_ACK, 0, NULL); /* its offer is answered already */
	assert_int_equal(fake_media_last()->rollbacks, 1);
	moved(rig);
}

static void the_target_takes_the_place_of_who_asked(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	assert_int_equal(service.asked.peer, 1);
	assert_false(service.asked.caller_asks);
	assert_string_equal(service.user, "201");
	assert_ptr_not_equal(c, b);
	assert_int_equal(fake_media_last()->kind[MEDIA_A], MEDIA_LEG_WEBRTC);
	assert_int_equal(fake_media_last()->kind[MEDIA_B], MEDIA_LEG_RTP);
	assert_did(b, FAKE_LEG_REFER_ANSWER, 202, NULL);
	fake_leg_event(c, LEG_EV_PROVISIONAL, 180, NULL);
	assert_did(b, FAKE_LEG_REFER_REPORT, 180, NULL);
	joined(rig, c);
	assert_int_equal(fake_leg_did(b)->status, 200);
	assert_true(b->released && !c->released && !rig->a->released);
	assert_int_equal(fake_media_count(), 1); /* the old session is gone */
	/* The call goes on as any other: a hold of C reaches A. */
	fake_leg_event(c, LEG_EV_OFFER, 0, "hold");
	assert_true(fake_media_reply(fake_media_last(), "hold-for-a"));
	assert_did(rig->a, FAKE_LEG_OFFER, 0, "hold-for-a");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "held");
	fake_media_reply(fake_media_last(), "held-for-c");
	assert_did(c, FAKE_LEG_OFFER_ACCEPT, 200, "held-for-c");
	fake_leg_end(c, LEG_END_BYE, 200);
	assert_true(rig->a->released);
	assert_true(rig_ended_with(rig, "normal", "b"));
}

static void who_asked_may_hang_up_at_once(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(b->released);
	assert_int_equal(call_room_count(rig->room), 1);
	joined(rig, c);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_true(c->released);
}

static void a_caller_may_ask_and_stays_in_the_record(void **state)
{
	struct rig *rig = *state;
	struct leg *a, *b, *c;
	char line[2000];
	FILE *cdr;

	rig->peer = 1; /* a PBX has called a phone */
	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	a = rig->a;
	fake_media_reply(fake_media_last(), "offer-for-b");
	b = fake_leg_last();
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(fake_media_last(), "answer-for-a");
	fake_leg_event(a, LEG_EV_CONFIRMED, 0, NULL);
	memset(&service, 0, sizeof(service));
	service.plan = to_pbx;
	call_room_on_transfer(rig->room, decide, NULL);
	fake_leg_refer(a, "201", NULL);
	assert_true(service.asked.caller_asks);
	offered(fake_media_last());
	c = fake_leg_last();
	fake_leg_end(a, LEG_END_BYE, 200);
	fake_leg_event(c, LEG_EV_ANSWERED, 200, "answer-c");
	fake_media_reply(fake_media_last(), "offer-for-b");
	assert_did(b, FAKE_LEG_OFFER, 0, "offer-for-b");
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "answer-b");
	fake_media_reply(fake_media_last(), "answer-for-c");
	assert_did(c, FAKE_LEG_ACK, 0, NULL);
	fake_leg_end(c, LEG_END_BYE, 200);
	assert_true(b->released);
	call_room_destroy(rig->room); /* writes what waits */
	cdr = fopen(rig->cdr, "r");
	assert_non_null(cdr);
	assert_non_null(fgets(line, sizeof(line), cdr));
	fclose(cdr);
	assert_non_null(strstr(line, "\"from\":\"+4799000001\""));
	assert_non_null(strstr(line,
			       "\"transfers\":1,\"transferred\":[{\"side\":\"a\",\"after_ms\":0,"
			       "\"to\":\"dial pbx\",\"call_id\":\"call-"));
	assert_int_equal(call_room_create(&rig->room,
					  &(struct call_room_options){ .wheel = rig->wheel,
								       .cdr_file = rig->cdr,
								       .limits = rig_limits(1) }),
			 0);
}

static void what_the_service_refuses_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	asked(rig, NULL, &b);
	assert_did(b, FAKE_LEG_REFER_ANSWER, 403, NULL);
	assert_string_equal(fake_leg_phrase, "Not Today");
	assert_true(service.asked.from_the_start);
	assert_ptr_equal(fake_leg_last(), b);
	call_room_on_transfer(rig->room, NULL, NULL);
	fake_leg_refer(b, "201", NULL);
	assert_did(b, FAKE_LEG_REFER_ANSWER, 603, NULL);
	assert_int_equal(call_room_count(rig->room), 1);
}

static void a_busy_target_leaves_both_as_they_were(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	fake_leg_end(c, LEG_END_REFUSED, 486);
	assert_did(b, FAKE_LEG_REFER_REPORT, 486, NULL);
	assert_true(c->released && !b->released && !rig->a->released);
	fake_leg_refer(b, "202", NULL); /* it may try again */
	offered(fake_media_last());
	assert_ptr_not_equal(fake_leg_last(), c);
	fake_leg_end(fake_leg_last(), LEG_END_REFUSED, 603);
	assert_int_equal(call_room_count(rig->room), 1);
}

static void a_busy_target_and_nobody_left_end_the_call(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	fake_leg_end(b, LEG_END_BYE, 200);
	fake_leg_end(c, LEG_END_REFUSED, 486);
	assert_true(rig->a->released);
	assert_true(rig_ended_with(rig, "busy", "b"));
}

static void the_next_gateway_stands_in_for_a_dead_one(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_two_gateways, &b);

	fake_leg_end(c, LEG_END_TIMEOUT, 408);
	assert_true(c->released);
	c = fake_leg_last();
	joined(rig, c);
	assert_true(b->released);
}

/* Its media went past us: nobody can offer in A's name. */
static void a_target_is_called_without_an_offer_where_we_have_none(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking_passed(rig), *c;

	memset(&service, 0, sizeof(service));
	service.plan = to_pbx;
	call_room_on_transfer(rig->room, decide, NULL);
	fake_leg_refer(b, "201", NULL);
	c = fake_leg_last();
	assert_null(c->info.sdp);
	fake_leg_event(c, LEG_EV_PROVISIONAL, 183, "no answer to anything");
	assert_int_equal(fake_media_count(), 0);
	fake_leg_event(c, LEG_EV_ANSWERED, 200, "offer-c");
	assert_string_equal(fake_media_last()->before[MEDIA_A], "answer-b"); /* goes on as ours */
	assert_string_equal(fake_media_last()->before[MEDIA_B], "");
	moved(rig);
	assert_did(c, FAKE_LEG_ACK, 0, "answer-for-c");
	assert_true(b->released && !c->released);
	fake_leg_end(c, LEG_END_BYE, 200);
}

static void both_are_joined_again_if_it_is_lost_later(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	fake_leg_event(c, LEG_EV_ANSWERED, 200, "answer-c");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "answer-a");
	fake_leg_end(c, LEG_END_BYE, 200); /* too late: A has left for it */
	again(rig, b);
}

/* ---- it is heard before it answers ---- */

static void a_target_is_heard_before_it_answers(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);
	struct media_session *session = fake_media_last(), *before = fake_media_nth(0);

	fake_leg_event(c, LEG_EV_PROVISIONAL, 183, "answer-c");
	assert_int_equal(before->waits[MEDIA_A], MEDIA_WAIT_ALWAYS);
	moved(rig);
	/* Where it sends nothing A hears the ring-back tone there. */
	assert_int_equal(before->waits[MEDIA_A], MEDIA_WAIT_NOT);
	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_ALWAYS);
	assert_true(!b->released && !c->released);
	fake_leg_event(c, LEG_EV_PROVISIONAL, 180, "answer-c"); /* the same again */
	assert_int_equal(session->offers, 2);
	/* Neither side may change what is about to change. */
	fake_leg_event(b, LEG_EV_OFFER, 0, "hold");
	assert_did(b, FAKE_LEG_OFFER_REFUSE, 491, NULL);
	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "hold");
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 491, NULL);
	fake_media_event(before, MEDIA_EV_SILENT, MEDIA_A, NULL);
	fake_media_event(before, MEDIA_EV_FAILED, MEDIA_A, NULL);
	assert_int_equal(call_room_count(rig->room), 1);
	fake_leg_event(c, LEG_EV_ANSWERED, 200, "answer-c");
	assert_did(c, FAKE_LEG_ACK, 0, NULL);
	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_NOT);
	assert_int_equal(fake_leg_did(b)->status, 200);
	assert_true(b->released && !c->released);
	assert_int_equal(fake_media_count(), 1);
	assert_int_equal(session->offers, 2); /* A was asked nothing more */
	fake_leg_end(c, LEG_END_BYE, 200);
	assert_true(rig->a->released);
}

static void who_answers_elsewhere_is_offered_once_more(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	fake_leg_event(c, LEG_EV_PROVISIONAL, 183, "announcement");
	moved(rig);
	fake_leg_event(c, LEG_EV_ANSWERED, 200, "phone");
	moved(rig);
	assert_true(b->released && !c->released);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
}

static void an_answer_while_a_is_moved_waits(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	fake_leg_event(c, LEG_EV_PROVISIONAL, 183, "answer-c");
	fake_leg_event(c, LEG_EV_ANSWERED, 200, "answer-c");
	assert_did(c, FAKE_LEG_ACK, 0, NULL);
	assert_false(b->released);
	moved(rig);
	assert_true(b->released && !c->released);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
}

static void who_will_not_move_hears_it_at_the_answer(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	fake_leg_event(c, LEG_EV_PROVISIONAL, 183, "early-c");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 488, NULL);
	assert_true(!c->released && !b->released);
	fake_leg_event(c, LEG_EV_PROVISIONAL, 183, "early-d");
	assert_false(fake_media_last()->due); /* it is asked once */
	fake_leg_event(c, LEG_EV_ANSWERED, 200, "answer-c");
	moved(rig);
	assert_true(b->released && !c->released);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
}

static void a_busy_target_that_was_heard_leaves_both_joined_again(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_two_gateways, &b);

	fake_leg_event(c, LEG_EV_PROVISIONAL, 183, "answer-c");
	moved(rig);
	fake_leg_end(c, LEG_END_REFUSED, 503); /* no other gateway: it was this one's tone */
	assert_did(b, FAKE_LEG_OFFER, 0, NULL);
	again(rig, b);
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(rig->a->released);
}

static void a_target_that_was_heard_and_rings_on_is_given_up(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	fake_leg_event(c, LEG_EV_PROVISIONAL, 183, "answer-c");
	moved(rig);
	rig_advance(rig, 61 * 1000);
	assert_true(c->released);
	again(rig, b);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
}

static void a_busy_target_that_was_heard_ends_a_call_with_nobody_left(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	fake_leg_event(c, LEG_EV_PROVISIONAL, 183, "answer-c");
	moved(rig);
	fake_leg_end(b, LEG_END_BYE, 200);
	fake_leg_end(c, LEG_END_REFUSED, 486);
	assert_true(rig->a->released);
	assert_true(rig_ended_with(rig, "busy", "b"));
}

static void a_target_that_nobody_answers_is_given_up(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	rig_advance(rig, 61 * 1000);
	assert_true(c->released);
	assert_did(b, FAKE_LEG_REFER_REPORT, 480, NULL);
	assert_int_equal(call_room_count(rig->room), 1);
}

static void who_stays_may_refuse_and_the_target_is_let_go(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	fake_leg_event(c, LEG_EV_ANSWERED, 200, "offer-c");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 488, NULL);
	assert_true(c->released && !b->released);
	assert_did(b, FAKE_LEG_REFER_REPORT, 488, NULL);
	assert_int_equal(fake_media_count(), 1);
}

static void who_stays_hears_the_target_ring(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_two_gateways, &b);
	struct media_session *session = fake_media_nth(0);

	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_NOT);
	fake_leg_end(c, LEG_END_TIMEOUT, 408);
	c = fake_leg_last();
	fake_leg_event(c, LEG_EV_PROVISIONAL, 100, NULL);
	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_NOT);
	fake_leg_event(c, LEG_EV_PROVISIONAL, 180, NULL);
	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_ALWAYS);
	assert_int_equal(session->waits[MEDIA_B], MEDIA_WAIT_NOT);
	assert_null(session->music[MEDIA_A]); /* a ring-back tone */
	fake_leg_event(c, LEG_EV_ANSWERED, 200, "offer-c");
	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_NOT);
}

static void who_stays_hears_music_if_there_is_some(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx_with_music, &b);
	struct media_session *session = fake_media_nth(0);

	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_ALWAYS);
	assert_non_null(session->music[MEDIA_A]);
	fake_leg_end(c, LEG_END_REFUSED, 486);
	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_NOT);
	fake_leg_refer(b, "202", NULL);
	offered(fake_media_last());
	joined(rig, fake_leg_last());
	session = fake_media_last(); /* and its holds are the target's */
	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_ON_HOLD);
	assert_int_equal(session->waits[MEDIA_B], MEDIA_WAIT_NOT);
}

static void music_on_hold_is_of_the_peer_that_has_some(void **state)
{
	struct rig *rig = *state;
	struct call_step step = pbx("dial pbx");

	step.hold_music = fake_media_sound();
	rig_talking(rig, RIG_PLAN(step));
	assert_int_equal(fake_media_last()->waits[MEDIA_A], MEDIA_WAIT_ON_HOLD);
	assert_int_equal(fake_media_last()->waits[MEDIA_B], MEDIA_WAIT_NOT);
}

static void who_stays_may_hang_up_meanwhile(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);

	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_true(b->released && c->released);
	assert_int_equal(call_room_count(rig->room), 0);
}

static void holds_go_on_until_the_target_answers(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *c = asked(rig, to_pbx, &b);
	struct media_session *old = fake_media_nth(0);

	fake_leg_event(b, LEG_EV_OFFER, 0, "hold");
	assert_true(fake_media_reply(old, "hold-for-a"));
	fake_leg_event(c, LEG_EV_PROVISIONAL, 183, "early-c"); /* is not waited for */
	assert_false(fake_media_last()->due);
	fake_leg_event(c, LEG_EV_ANSWERED, 200, "offer-c"); /* in the middle of it */
	assert_did(b, FAKE_LEG_OFFER_REFUSE, 491, NULL);
	fake_leg_event(b, LEG_EV_OFFER, 0, "hold");
	assert_did(b, FAKE_LEG_OFFER_REFUSE, 491, NULL);
}

/* Two calls of the same PBX: A talks to B, and `other` is between its desk and D. */
static struct leg *consult(struct rig *rig, struct leg **ret_a, struct leg **ret_b,
			   struct leg **ret_desk)
{
	struct leg *d;

	*ret_b = rig_talking(rig, RIG_PLAN(pbx("dial pbx")));
	*ret_a = rig->a;
	rig->peer = 1;
	rig_start(rig, "offer-desk", RIG_PLAN(rig_loop()));
	*ret_desk = rig->a;
	fake_media_reply(fake_media_last(), "offer-for-d");
	d = fake_leg_last();
	fake_leg_event(d, LEG_EV_ANSWERED, 200, "answer-d");
	fake_media_reply(fake_media_last(), "answer-for-desk");
	fake_leg_event(*ret_desk, LEG_EV_CONFIRMED, 0, NULL);
	assert_int_equal(call_room_count(rig->room), 2);
	return d;
}

static void an_attended_transfer_joins_two_calls(void **state)
{
	struct rig *rig = *state;
	struct leg *a, *b, *desk, *d = consult(rig, &a, &b, &desk);

	fake_leg_replaced(desk);
	fake_leg_refer(b, "d", "x;to-tag=1;from-tag=2");
	assert_did(b, FAKE_LEG_REFER_ANSWER, 202, NULL);
	assert_did(d, FAKE_LEG_OFFER, 0, NULL); /* asked for an offer */
	fake_leg_event(d, LEG_EV_OFFER_ANSWERED, 200, "offer-d");
	assert_true(fake_media_reply(fake_media_last(), "offer-for-a"));
	assert_did(a, FAKE_LEG_OFFER, 0, "offer-for-a");
	fake_leg_event(a, LEG_EV_OFFER_ANSWERED, 200, "answer-a");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-d"));
	assert_did(d, FAKE_LEG_ACK, 0, "answer-for-d");
	assert_true(b->released && desk->released && !a->released && !d->released);
	assert_int_equal(call_room_count(rig->room), 1);
	/* The core's phone has not become the PBX's: it asks as who it is. */
	memset(&service, 0, sizeof(service));
	service.asked.peer = -1;
	service.status = 403;
	call_room_on_transfer(rig->room, decide, NULL);
	fake_leg_refer(d, "201", NULL);
	assert_int_equal(service.asked.peer, 0);
	assert_did(d, FAKE_LEG_REFER_ANSWER, 403, NULL);
	fake_leg_end(d, LEG_END_BYE, 200);
	assert_true(a->released);
}

/* The media of the other call went past us. */
static void a_side_that_is_lent_goes_on_from_what_it_knows(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(pbx("dial pbx"))), *a = rig->a, *d;

	rig->peer = 1;
	d = rig_talking_passed(rig);
	fake_leg_replaced(rig->a);
	fake_leg_refer(b, "d", "x;to-tag=1;from-tag=2");
	fake_leg_event(d, LEG_EV_OFFER_ANSWERED, 200, "offer-d");
	assert_string_equal(fake_media_last()->before[MEDIA_A], "answer-for-a");
	assert_string_equal(fake_media_last()->before[MEDIA_B], "offer-a");
	fake_leg_end(a, LEG_END_BYE, 200);
}

static void the_desk_may_hang_up_both_before_it_is_done(void **state)
{
	struct rig *rig = *state;
	struct leg *a, *b, *desk, *d = consult(rig, &a, &b, &desk);

	fake_leg_replaced(desk);
	fake_leg_refer(b, "d", "x;to-tag=1;from-tag=2");
	fake_leg_end(desk, LEG_END_BYE, 200);
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_int_equal(call_room_count(rig->room), 1);
	fake_leg_event(d, LEG_EV_OFFER_ANSWERED, 200, "offer-d");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_leg_event(a, LEG_EV_OFFER_ANSWERED, 200, "answer-a");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-d"));
	assert_true(!a->released && !d->released);
}

static void an_attended_transfer_that_fails_gives_the_side_back(void **state)
{
	struct rig *rig = *state;
	struct leg *a, *b, *desk, *d = consult(rig, &a, &b, &desk);

	fake_leg_replaced(desk);
	fake_leg_refer(b, "d", "x;to-tag=1;from-tag=2");
	fake_leg_event(d, LEG_EV_OFFER_ANSWERED, 200, "offer-d");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_leg_event(a, LEG_EV_OFFER_ANSWERED, 488, NULL);
	assert_did(b, FAKE_LEG_REFER_REPORT, 488, NULL);
	assert_did(d, FAKE_LEG_ACK, 0, "offer-for-d"); /* what it had of us before */
	assert_int_equal(call_room_count(rig->room), 2);
	fake_leg_end(d, LEG_END_BYE, 200); /* it is the desk's again */
	assert_true(desk->released && !a->released);
}

static void a_lent_side_that_hangs_up_ends_its_own_call(void **state)
{
	struct rig *rig = *state;
	struct leg *a, *b, *desk, *d = consult(rig, &a, &b, &desk);

	fake_leg_replaced(desk);
	fake_leg_refer(b, "d", "x;to-tag=1;from-tag=2");
	fake_leg_end(d, LEG_END_BYE, 200);
	assert_true(desk->released && d->released && !a->released && !b->released);
	assert_int_equal(call_room_count(rig->room), 1);
}

/* Behind its one address are all subscribers: what one names may be another's. */
static void the_core_takes_no_other_call(void **state)
{
	struct rig *rig = *state;
	struct leg *a, *b, *desk, *d = consult(rig, &a, &b, &desk);

	memset(&service, 0, sizeof(service));
	service.status = 403;
	call_room_on_transfer(rig->room, decide, NULL);
	fake_leg_replaced(b);
	fake_leg_refer(d, "b", "x;to-tag=1;from-tag=2");
	assert_did(d, FAKE_LEG_REFER_ANSWER, 403, NULL);
	assert_int_equal(service.asked.peer, 0);
	assert_false(service.asked.caller_asks);
}

static void a_stranger_may_not_take_another_call(void **state)
{
	struct rig *rig = *state;
	struct leg *a, *b, *desk, *d = consult(rig, &a, &b, &desk);

	(void)a;
	fake_leg_replaced(d); /* the core's end, not this PBX's */
	fake_leg_refer(b, "d", "x;to-tag=1;from-tag=2");
	assert_did(b, FAKE_LEG_REFER_ANSWER, 481, NULL);
	fake_leg_replaced(b); /* itself */
	fake_leg_refer(b, "d", "x;to-tag=1;from-tag=2");
	assert_did(b, FAKE_LEG_REFER_ANSWER, 481, NULL);
	assert_int_equal(call_room_count(rig->room), 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_target_takes_the_place_of_who_asked),
		T(who_asked_may_hang_up_at_once),
		T(a_caller_may_ask_and_stays_in_the_record),
		T(what_the_service_refuses_changes_nothing),
		T(a_busy_target_leaves_both_as_they_were),
		T(a_busy_target_and_nobody_left_end_the_call),
		T(the_next_gateway_stands_in_for_a_dead_one),
		T(a_target_is_called_without_an_offer_where_we_have_none),
		T(both_are_joined_again_if_it_is_lost_later),
		T(a_target_is_heard_before_it_answers),
		T(who_answers_elsewhere_is_offered_once_more),
		T(an_answer_while_a_is_moved_waits),
		T(who_will_not_move_hears_it_at_the_answer),
		T(a_busy_target_that_was_heard_leaves_both_joined_again),
		T(a_target_that_was_heard_and_rings_on_is_given_up),
		T(a_busy_target_that_was_heard_ends_a_call_with_nobody_left),
		T(a_target_that_nobody_answers_is_given_up),
		T(who_stays_may_refuse_and_the_target_is_let_go),
		T(who_stays_hears_the_target_ring),
		T(who_stays_hears_music_if_there_is_some),
		T(music_on_hold_is_of_the_peer_that_has_some),
		T(who_stays_may_hang_up_meanwhile),
		T(holds_go_on_until_the_target_answers),
		T(an_attended_transfer_joins_two_calls),
		T(a_side_that_is_lent_goes_on_from_what_it_knows),
		T(the_desk_may_hang_up_both_before_it_is_done),
		T(an_attended_transfer_that_fails_gives_the_side_back),
		T(a_lent_side_that_hangs_up_ends_its_own_call),
		T(the_core_takes_no_other_call),
		T(a_stranger_may_not_take_another_call),
	};

	return cmocka_run_group_tests_name("tas/call/transfer", tests, NULL, NULL);
}
