/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/sbc.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

/* Compiled in, so that no leg but the fake one exists in this program. */
#include "tests/fake/fake_leg.c"

#define SUBSCRIBER "+4799000001"
#define OUTSIDER   "+4790000099"
#define ELSEWHERE  "SIP;cause=200;text=\"Call completed elsewhere\""

static struct book *book;
static struct timer_wheel *wheel;
static struct sbc *sbc;
static struct sbc_options options;

static int open_sbc(void **state)
{
	(void)state;
	clock_fake_set(1000);
	assert_int_equal(book_create(&book), 0);
	assert_int_equal(timer_wheel_create(&wheel, 1000), 0);
	options = (struct sbc_options){ .book = book,
					.wheel = wheel,
					.phones = "127.0.0.1:5999",
					.domain = "core.example.net",
					.no_answer_ms = 30000 };
	return sbc_create(&sbc, &options);
}

static int close_sbc(void **state)
{
	(void)state;
	sbc = sbc_destroy(sbc);
	fake_legs_reset();
	wheel = timer_wheel_destroy(wheel);
	book = book_destroy(book);
	clock_real();
	return 0;
}

static void advance(mono_ms by)
{
	clock_fake_advance(by);
	(void)timer_wheel_advance(wheel, clock_now(), 0);
}

static void registered(const char *number, enum route_type type)
{
	struct book_registration registration = { .sip_uri = "sips:192.0.2.1:5061",
						  .prefix_mo = "00",
						  .prefix_mt = "01",
						  .route_type = type,
						  .expires_ms = INT64_MAX };

	strcpy(registration.number, number);
	assert_int_equal(book_upsert(book, &registration), 0);
}

/* Leg 1 arrives; what was dialled first is returned. */
static struct leg *dialled(struct leg **ret_leg1, const char *from, const char *to)
{
	*ret_leg1 = fake_leg_incoming(to, from, "offer");
	sbc_access_invite(sbc, *ret_leg1);
	return fake_leg_last();
}

static struct record *record_of(const struct leg *leg1)
{
	return sbc_find_leg1(sbc, leg_info(leg1)->call_id);
}

static struct leg *leg3_for(const struct leg *leg1, const char *to)
{
	struct leg *leg3 = fake_leg_incoming(to, SUBSCRIBER, "offer 3");

	fake_leg_say(leg3, &leg3->info.session_id, record_of(leg1)->session_id);
	sbc_peering_invite(sbc, leg3);
	return leg3;
}

static void goes_natively(const char *from, const char *to)
{
	struct leg *leg1, *leg4 = dialled(&leg1, from, to);

	assert_int_equal(record_of(leg1)->plan, RECORD_NATIVE);
	assert_non_null(strstr(leg_info(leg4)->request_uri, "@127.0.0.1:5999"));
	fake_leg_end(leg1, LEG_END_CANCELLED, 487);
}

static void loops_as(const char *from, const char *to, const char *uri)
{
	struct leg *leg1, *leg2 = dialled(&leg1, from, to);

	assert_int_equal(record_of(leg1)->plan, RECORD_LOOP);
	assert_string_equal(leg_info(leg2)->request_uri, uri);
	fake_leg_end(leg1, LEG_END_CANCELLED, 487);
}

static void a_call_of_nobody_registered_goes_from_leg_1_to_leg_4(void **state)
{
	(void)state;
	goes_natively(SUBSCRIBER, OUTSIDER);
}

static void the_prefix_goes_after_the_plus_and_before_a_short_code(void **state)
{
	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP);
	loops_as(SUBSCRIBER, OUTSIDER, "sip:+004790000099@192.0.2.1:5061");
	loops_as(SUBSCRIBER, "112", "sip:00112@192.0.2.1:5061");
	loops_as(OUTSIDER, SUBSCRIBER, "sip:+014799000001@192.0.2.1:5061");
}

static void between_two_registered_numbers_the_callers_prefix_is_used(void **state)
{
	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP);
	registered(OUTSIDER, ROUTE_TYPE_LOOP);
	loops_as(SUBSCRIBER, OUTSIDER, "sip:+004790000099@192.0.2.1:5061");
}

static void loop_mo_and_loop_mt_loop_one_direction_only(void **state)
{
	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP_MO);
	loops_as(SUBSCRIBER, OUTSIDER, "sip:+004790000099@192.0.2.1:5061");
	goes_natively(OUTSIDER, SUBSCRIBER);
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP_MT);
	loops_as(OUTSIDER, SUBSCRIBER, "sip:+014799000001@192.0.2.1:5061");
	goes_natively(SUBSCRIBER, OUTSIDER);
	registered(SUBSCRIBER, ROUTE_TYPE_INGRESS);
	goes_natively(SUBSCRIBER, OUTSIDER);
	goes_natively(OUTSIDER, SUBSCRIBER);
}

static void leg_4_exists_only_after_leg_3_and_the_answers_travel_back(void **state)
{
	struct leg *leg1, *leg2, *leg3, *leg4;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP);
	leg2 = dialled(&leg1, SUBSCRIBER, OUTSIDER);
	assert_int_equal(fake_leg_invite_count(), 1);
	leg3 = leg3_for(leg1, OUTSIDER);
	leg4 = fake_leg_last();
	assert_int_equal(fake_leg_invite_count(), 2);
	assert_string_equal(leg_info(leg4)->sdp, "offer 3");

	fake_leg_event(leg4, LEG_EV_PROVISIONAL, 183, "early");
	assert_int_equal(fake_leg_did(leg3)->status, 183);
	assert_string_equal(fake_leg_did(leg3)->sdp, "early");
	fake_leg_event(leg4, LEG_EV_ANSWERED, 200, "answer 4");
	assert_true(leg4->acked);
	assert_string_equal(fake_leg_did(leg3)->sdp, "answer 4");
	fake_leg_event(leg2, LEG_EV_ANSWERED, 200, "answer 2");
	assert_string_equal(fake_leg_did(leg1)->sdp, "answer 2");

	fake_leg_end(leg1, LEG_END_BYE, 200);
	assert_true(leg2->released);
	assert_false(leg3->released);
	fake_leg_end(leg3, LEG_END_BYE, 200);
	assert_true(leg4->released);
	assert_int_equal(sbc_call_count(sbc), 0);
	assert_int_equal(fake_leg_live_count(), 0);
}

static void leg_3_without_a_waiting_call_gets_403(void **state)
{
	struct leg *leg1, *leg3;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP);
	(void)dialled(&leg1, SUBSCRIBER, OUTSIDER);
	leg3 = fake_leg_incoming(OUTSIDER, SUBSCRIBER, "offer");
	sbc_peering_invite(sbc, leg3);
	assert_int_equal(leg3->farewell_status, 403);
	leg3 = fake_leg_incoming(OUTSIDER, SUBSCRIBER, "offer");
	fake_leg_say(leg3, &leg3->info.session_id, "0123");
	sbc_peering_invite(sbc, leg3);
	assert_int_equal(leg3->farewell_status, 403);
	assert_int_equal(sbc_refused_count(sbc), 2);
	fake_leg_end(leg1, LEG_END_CANCELLED, 487);
	leg3 = leg3_for(leg1, OUTSIDER); /* the call is over */
	assert_int_equal(leg3->farewell_status, 403);
}

static void leg_3_that_carries_the_prefix_gets_404_and_a_second_one_482(void **state)
{
	struct leg *leg1;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP);
	(void)dialled(&leg1, SUBSCRIBER, OUTSIDER);
	assert_int_equal(leg3_for(leg1, "+004790000099")->farewell_status, 404);
	assert_int_equal(leg3_for(leg1, "alice")->farewell_status, 404);
	assert_false(leg3_for(leg1, OUTSIDER)->released);
	assert_int_equal(leg3_for(leg1, OUTSIDER)->farewell_status, 482);
}

static void leg_3_that_outlives_leg_2_is_ended_after_five_seconds(void **state)
{
	struct leg *leg1, *leg3;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP);
	(void)dialled(&leg1, SUBSCRIBER, OUTSIDER);
	leg3 = leg3_for(leg1, OUTSIDER);
	fake_leg_end(leg1, LEG_END_CANCELLED, 487);
	advance(4900);
	assert_false(leg3->released);
	advance(200);
	assert_true(leg3->released);
	assert_int_equal(sbc_call_count(sbc), 0);
}

static void the_status_of_the_tas_reaches_the_caller(void **state)
{
	struct leg *leg1, *leg2;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP);
	leg2 = dialled(&leg1, OUTSIDER, SUBSCRIBER);
	fake_leg_end(leg2, LEG_END_REFUSED, 603);
	assert_int_equal(leg1->farewell_status, 603);
	leg2 = dialled(&leg1, OUTSIDER, SUBSCRIBER);
	fake_leg_end(leg2, LEG_END_TIMEOUT, 503);
	assert_int_equal(leg1->farewell_status, 503);
	assert_int_equal(fake_leg_invite_count(), 2);
}

static void a_tas_that_fails_may_be_passed_by_natively_but_not_one_that_refuses(void **state)
{
	struct leg *leg1, *leg2, *leg4;

	(void)state;
	sbc_destroy(sbc);
	options.native_when_tas_fails = true;
	assert_int_equal(sbc_create(&sbc, &options), 0);
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP);
	leg2 = dialled(&leg1, SUBSCRIBER, OUTSIDER);
	fake_leg_end(leg2, LEG_END_TIMEOUT, 503);
	leg4 = fake_leg_last();
	assert_ptr_not_equal(leg4, leg2);
	assert_non_null(strstr(leg_info(leg4)->request_uri, OUTSIDER "@127.0.0.1:5999"));
	fake_leg_end(leg4, LEG_END_REFUSED, 503); /* not a second time */
	assert_int_equal(leg1->farewell_status, 503);
	leg2 = dialled(&leg1, SUBSCRIBER, OUTSIDER);
	fake_leg_end(leg2, LEG_END_REFUSED, 603);
	assert_int_equal(leg1->farewell_status, 603);
}

static void a_fork_rings_both_and_cancels_who_is_slower(void **state)
{
	struct leg *leg1, *leg3, *leg2;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_FORK);
	leg3 = dialled(&leg1, OUTSIDER, SUBSCRIBER);
	leg2 = leg3->next;
	assert_string_equal(leg_info(leg3)->request_uri, "sip:+014799000001@192.0.2.1:5061");
	assert_non_null(strstr(leg_info(leg2)->request_uri, "@127.0.0.1:5999"));
	fake_leg_event(leg2, LEG_EV_PROVISIONAL, 183, "early of one of two");
	assert_int_equal(fake_leg_did(leg1)->status, 183);
	assert_null(fake_leg_did(leg1)->sdp);
	fake_leg_event(leg3, LEG_EV_ANSWERED, 200, "answer");
	assert_true(leg2->released);
	assert_string_equal(leg2->farewell_reason, ELSEWHERE);
	assert_string_equal(fake_leg_did(leg1)->sdp, "answer");
	fake_leg_end(leg3, LEG_END_BYE, 200);
	assert_true(leg1->released);
}

static void a_fork_that_nobody_takes_ends_with_the_lower_class_or_a_6xx(void **state)
{
	struct leg *leg1, *leg3, *leg2;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_FORK);
	leg3 = dialled(&leg1, OUTSIDER, SUBSCRIBER);
	leg2 = leg3->next;
	fake_leg_end(leg3, LEG_END_TIMEOUT, 503);
	assert_false(leg1->released);
	fake_leg_end(leg2, LEG_END_REFUSED, 486);
	assert_int_equal(leg1->farewell_status, 486);

	leg3 = dialled(&leg1, OUTSIDER, SUBSCRIBER);
	leg2 = leg3->next;
	fake_leg_end(leg2, LEG_END_REFUSED, 603);
	fake_leg_end(leg3, LEG_END_REFUSED, 480);
	assert_int_equal(leg1->farewell_status, 603);
}

static void a_fallback_goes_to_the_tas_when_the_callee_is_busy(void **state)
{
	struct leg *leg1, *leg2, *leg3;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_FALLBACK);
	leg2 = dialled(&leg1, OUTSIDER, SUBSCRIBER);
	assert_int_equal(fake_leg_invite_count(), 1);
	fake_leg_end(leg2, LEG_END_REFUSED, 486);
	leg3 = fake_leg_last();
	assert_string_equal(leg_info(leg3)->request_uri, "sip:+014799000001@192.0.2.1:5061");
	fake_leg_end(leg3, LEG_END_REFUSED, 486); /* the TAS is the last one */
	assert_int_equal(leg1->farewell_status, 486);
}

static void a_fallback_waits_for_no_answer_exactly_its_time(void **state)
{
	struct leg *leg1, *leg2, *leg3;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_FALLBACK);
	leg2 = dialled(&leg1, OUTSIDER, SUBSCRIBER);
	fake_leg_event(leg2, LEG_EV_PROVISIONAL, 180, NULL);
	advance(29900);
	assert_int_equal(fake_leg_invite_count(), 1);
	advance(200);
	assert_true(leg2->released);
	assert_int_equal(fake_leg_invite_count(), 2);
	leg3 = fake_leg_last();
	fake_leg_event(leg3, LEG_EV_ANSWERED, 200, "answer");
	assert_string_equal(fake_leg_did(leg1)->sdp, "answer");
	fake_leg_end(leg1, LEG_END_BYE, 200);
	assert_true(leg3->released);
}

static void a_callee_who_answers_or_declines_needs_no_fallback(void **state)
{
	struct leg *leg1, *leg2;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_FALLBACK);
	leg2 = dialled(&leg1, OUTSIDER, SUBSCRIBER);
	fake_leg_event(leg2, LEG_EV_ANSWERED, 200, "answer");
	advance(31000);
	assert_int_equal(fake_leg_invite_count(), 1);
	fake_leg_end(leg1, LEG_END_BYE, 200);
	leg2 = dialled(&leg1, OUTSIDER, SUBSCRIBER);
	fake_leg_end(leg2, LEG_END_REFUSED, 603);
	assert_int_equal(leg1->farewell_status, 603);
}

static void ingress_comes_from_the_address_of_the_registration_only(void **state)
{
	struct leg *leg3;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_INGRESS);
	leg3 = fake_leg_incoming(SUBSCRIBER, "+4722", "offer"); /* from 192.0.2.1 */
	sbc_peering_invite(sbc, leg3);
	assert_false(leg3->released);
	assert_int_equal(fake_leg_invite_count(), 1);
	assert_non_null(sbc_find_ingress(sbc, SUBSCRIBER, 1000));
	assert_null(sbc_find_ingress(sbc, SUBSCRIBER, 1001));
	fake_leg_end(leg3, LEG_END_CANCELLED, 487);
	leg3 = fake_leg_incoming(SUBSCRIBER, "+4722", "offer");
	fake_leg_say(leg3, &leg3->info.source, "192.0.2.17:5061");
	sbc_peering_invite(sbc, leg3);
	assert_int_equal(leg3->farewell_status, 403);
}

static void an_expired_registration_loops_nothing(void **state)
{
	struct book_registration registration = { .number = SUBSCRIBER,
						  .sip_uri = "sips:192.0.2.1",
						  .route_type = ROUTE_TYPE_LOOP,
						  .expires_ms = 2000 };

	(void)state;
	assert_int_equal(book_upsert(book, &registration), 0);
	loops_as(SUBSCRIBER, OUTSIDER, "sip:+4790000099@192.0.2.1");
	advance(1000);
	goes_natively(SUBSCRIBER, OUTSIDER);
}

static void the_preferred_identity_of_an_anonymous_phone_finds_its_registration(void **state)
{
	struct leg *leg1 = fake_leg_incoming(OUTSIDER, "anonymous", "offer");

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP_MO);
	assert_int_equal(sip_headers_add(&leg1->headers, "P-Preferred-Identity",
					 "\"x\" <sip:" SUBSCRIBER "@host>"),
			 0);
	sbc_access_invite(sbc, leg1);
	assert_int_equal(record_of(leg1)->plan, RECORD_LOOP);
	assert_string_equal(record_of(leg1)->caller, SUBSCRIBER);
}

static void a_re_invite_passes_in_both_directions_and_two_at_once_get_491(void **state)
{
	struct leg *leg1, *leg4 = dialled(&leg1, SUBSCRIBER, OUTSIDER);

	(void)state;
	fake_leg_event(leg4, LEG_EV_ANSWERED, 200, "answer");
	fake_leg_event(leg1, LEG_EV_OFFER, 0, "hold");
	assert_string_equal(fake_leg_did(leg4)->sdp, "hold");
	fake_leg_event(leg4, LEG_EV_OFFER, 0, "glare");
	assert_int_equal(fake_leg_did(leg4)->status, 491);
	fake_leg_event(leg4, LEG_EV_OFFER_ANSWERED, 200, "held");
	assert_string_equal(fake_leg_did(leg1)->sdp, "held");
	fake_leg_event(leg4, LEG_EV_OFFER, 0, "back");
	assert_string_equal(fake_leg_did(leg1)->sdp, "back");
	fake_leg_event(leg1, LEG_EV_OFFER_ANSWERED, 488, NULL);
	assert_int_equal(fake_leg_did(leg4)->status, 488);
	fake_leg_event(leg1, LEG_EV_OFFER, 0, NULL);
	assert_int_equal(fake_leg_did(leg1)->status, 488);
}

static void an_invite_without_an_offer_is_acknowledged_with_the_callers_answer(void **state)
{
	struct leg *leg1 = fake_leg_incoming(OUTSIDER, SUBSCRIBER, NULL), *leg4;

	(void)state;
	sbc_access_invite(sbc, leg1);
	leg4 = fake_leg_last();
	assert_null(leg_info(leg4)->sdp);
	fake_leg_event(leg4, LEG_EV_ANSWERED, 200, "offer in 200");
	assert_false(leg4->acked);
	fake_leg_event(leg1, LEG_EV_CONFIRMED, 0, "answer in ACK");
	assert_true(leg4->acked);
	assert_string_equal(fake_leg_did(leg4)->sdp, "answer in ACK");
}

static void a_call_that_went_through_too_many_hops_gets_483(void **state)
{
	struct leg *leg1 = fake_leg_incoming(OUTSIDER, SUBSCRIBER, "offer");

	(void)state;
	leg1->info.max_forwards = 1;
	sbc_access_invite(sbc, leg1);
	assert_int_equal(leg1->farewell_status, 483);
	assert_int_equal(fake_leg_invite_count(), 0);
}

static void an_invite_that_cannot_be_sent_refuses_the_caller(void **state)
{
	struct leg *leg1 = fake_leg_incoming(OUTSIDER, SUBSCRIBER, "offer");

	(void)state;
	fake_leg_invite_fails(-EINVAL);
	sbc_access_invite(sbc, leg1);
	assert_int_equal(leg1->farewell_status, 500);
	assert_int_equal(sbc_call_count(sbc), 0);
}

static void what_still_runs_at_the_end_is_hung_up(void **state)
{
	struct leg *leg1, *leg2;

	(void)state;
	registered(SUBSCRIBER, ROUTE_TYPE_LOOP);
	leg2 = dialled(&leg1, SUBSCRIBER, OUTSIDER);
	(void)leg3_for(leg1, OUTSIDER);
	sbc = sbc_destroy(sbc);
	assert_true(leg1->released && leg2->released);
	assert_int_equal(fake_leg_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define SBC_TEST(test) cmocka_unit_test_setup_teardown(test, open_sbc, close_sbc)
		SBC_TEST(a_call_of_nobody_registered_goes_from_leg_1_to_leg_4),
		SBC_TEST(the_prefix_goes_after_the_plus_and_before_a_short_code),
		SBC_TEST(between_two_registered_numbers_the_callers_prefix_is_used),
		SBC_TEST(loop_mo_and_loop_mt_loop_one_direction_only),
		SBC_TEST(leg_4_exists_only_after_leg_3_and_the_answers_travel_back),
		SBC_TEST(leg_3_without_a_waiting_call_gets_403),
		SBC_TEST(leg_3_that_carries_the_prefix_gets_404_and_a_second_one_482),
		SBC_TEST(leg_3_that_outlives_leg_2_is_ended_after_five_seconds),
		SBC_TEST(the_status_of_the_tas_reaches_the_caller),
		SBC_TEST(a_tas_that_fails_may_be_passed_by_natively_but_not_one_that_refuses),
		SBC_TEST(a_fork_rings_both_and_cancels_who_is_slower),
		SBC_TEST(a_fork_that_nobody_takes_ends_with_the_lower_class_or_a_6xx),
		SBC_TEST(a_fallback_goes_to_the_tas_when_the_callee_is_busy),
		SBC_TEST(a_fallback_waits_for_no_answer_exactly_its_time),
		SBC_TEST(a_callee_who_answers_or_declines_needs_no_fallback),
		SBC_TEST(ingress_comes_from_the_address_of_the_registration_only),
		SBC_TEST(an_expired_registration_loops_nothing),
		SBC_TEST(the_preferred_identity_of_an_anonymous_phone_finds_its_registration),
		SBC_TEST(a_re_invite_passes_in_both_directions_and_two_at_once_get_491),
		SBC_TEST(an_invite_without_an_offer_is_acknowledged_with_the_callers_answer),
		SBC_TEST(a_call_that_went_through_too_many_hops_gets_483),
		SBC_TEST(an_invite_that_cannot_be_sent_refuses_the_caller),
		SBC_TEST(what_still_runs_at_the_end_is_hung_up),
	};

	return cmocka_run_group_tests_name("tools/core/sbc", tests, NULL, NULL);
}
