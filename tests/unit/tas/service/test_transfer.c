/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

static const struct leg_refer *refer_to(const char *user, const char *replaces)
{
	static struct leg_refer refer;

	refer = (struct leg_refer){ .uri = "sip:x@pbx", .user = user, .replaces = replaces };
	return &refer;
}

static struct call_refusal refusal;

static int ask(struct service_rig *rig, const struct call_transfer *transfer)
{
	call_plan_free(rig->plan);
	refusal = (struct call_refusal){ .status = 0 };
	rig->plan = service_transfer(transfer, &refusal, rig->room);
	return rig->plan ? 202 : refusal.status;
}

static struct call_transfer asked(struct service_rig *rig, int peer, const char *user)
{
	(void)rig_decide(rig, "+0147990000010", "+4712345678"); /* fills the INVITE */
	return (struct call_transfer){ .peer = peer,
				       .a = &rig->info,
				       .refer = refer_to(user, NULL),
				       .headers = &rig->headers };
}

static void a_pbx_may_transfer_to_its_own_numbers(void **state)
{
	struct service_rig *rig = *state;
	struct call_transfer transfer = asked(rig, 1, "201");

	rig_header(rig, "Referred-By", "<sip:200@pbx>");
	assert_int_equal(ask(rig, &transfer), 202);
	assert_labels(rig->plan, "dial pbx, dial pbx/2?");
	assert_string_equal(rig->plan->steps[0].request_uri,
			    "sip:201@192.0.2.10:5060;transport=tcp");
	assert_string_equal(rig->plan->steps[0].from_uri, "sip:+4712345678@tas.example.com");
	assert_int_equal(rig->plan->steps[0].peer, 1);
	assert_string_equal(sip_headers_find(&rig->plan->steps[0].headers, "Referred-By"),
			    "<sip:200@pbx>");
}

static void a_dialog_of_the_pbx_itself_is_named_to_it(void **state)
{
	struct service_rig *rig = *state;
	struct call_transfer transfer = asked(rig, 1, "201");

	transfer.refer = refer_to("201", "a;to-tag=1;from-tag=2");
	assert_int_equal(ask(rig, &transfer), 202);
	assert_string_equal(sip_headers_find(&rig->plan->steps[1].headers, "Replaces"),
			    "a;to-tag=1;from-tag=2");
}

static void a_phone_it_may_call_is_reached_through_the_core(void **state)
{
	struct service_rig *rig = *state;
	struct call_transfer transfer = asked(rig, 1, "+4799000005");

	assert_int_equal(ask(rig, &transfer), 202);
	assert_labels(rig->plan, "ingress");
	assert_int_equal(rig->plan->steps[0].peer, SERVICE_PEER_CORE);
	transfer = asked(rig, 2, "+4799000005"); /* this one may place no calls */
	assert_int_equal(ask(rig, &transfer), 202);
	assert_labels(rig->plan, "dial web");
}

static void who_stays_is_the_caller_of_the_new_call(void **state)
{
	struct service_rig *rig = *state;
	struct call_transfer transfer;

	rig_header(rig, "Privacy", "id");
	transfer = asked(rig, 1, "201");
	assert_int_equal(ask(rig, &transfer), 202);
	assert_string_equal(rig->plan->steps[0].from_uri, "sip:anonymous@anonymous.invalid");
	transfer.caller_asks = true; /* the hidden one leaves */
	rig->info.request_user = "+4799000005";
	assert_int_equal(ask(rig, &transfer), 202);
	assert_string_equal(rig->plan->steps[0].from_uri, "sip:+4799000005@tas.example.com");
}

static void nobody_else_may(void **state)
{
	struct service_rig *rig = *state;
	struct call_transfer transfer = asked(rig, SERVICE_PEER_CORE, "201");

	assert_int_equal(ask(rig, &transfer), 403);
	transfer.peer = -1;
	assert_int_equal(ask(rig, &transfer), 403);
	transfer.peer = 3; /* a reload took this trunk away */
	assert_int_equal(ask(rig, &transfer), 403);
	transfer.peer = 1;
	transfer.refer = refer_to("", NULL);
	assert_int_equal(ask(rig, &transfer), 404);
}

static struct call_transfer core_asks(struct service_rig *rig, const char *called,
				      const char *caller, const char *user)
{
	(void)rig_decide(rig, called, caller);
	return (struct call_transfer){ .peer = SERVICE_PEER_CORE,
				       .caller_asks = strncmp(called, "+00", 3) == 0,
				       .from_the_start = true,
				       .loops = true,
				       .a = &rig->info,
				       .refer = refer_to(user, NULL),
				       .headers = &rig->headers };
}

static void a_subscriber_may_if_the_operator_says_so(void **state)
{
	struct service_rig *rig = *state;
	struct call_transfer transfer;

	rig_header(rig, "Session-ID", "1234;remote=0");
	transfer = core_asks(rig, "+004712345678", "+4799000001", "+4733333333");
	assert_int_equal(ask(rig, &transfer), 403);
	assert_string_equal(refusal.phrase, "Transfers From The Core Are Off");
	rig->config.core.sbc.transfers = true;
	assert_int_equal(ask(rig, &transfer), 202);
	assert_labels(rig->plan, "number +4733***33");
	assert_string_equal(rig->plan->steps[0].request_uri,
			    "sips:+4733333333@sbc.core.example.net:5061");
	assert_non_null(strstr(rig->plan->steps[0].from_uri, "+4799000001"));
	assert_string_equal(sip_headers_find(&rig->plan->steps[0].headers, "Session-ID"),
			    "1234;remote=0");
	transfer = core_asks(rig, "+014799000001", "+4712345678", "112");
	assert_int_equal(ask(rig, &transfer), 202);
	transfer.refer = refer_to("anna", NULL);
	assert_int_equal(ask(rig, &transfer), 404);
	transfer.refer = refer_to("201", "a;to-tag=1;from-tag=2");
	assert_int_equal(ask(rig, &transfer), 403);
	assert_string_equal(refusal.phrase, "No Attended Transfer From The Core");
}

static void who_called_a_subscriber_may_not(void **state)
{
	struct service_rig *rig = *state;
	struct call_transfer transfer;

	rig->config.core.sbc.transfers = true;
	transfer = core_asks(rig, "+014799000001", "+4712345678", "+4733333333");
	transfer.caller_asks = true;
	assert_int_equal(ask(rig, &transfer), 403);
	assert_string_equal(refusal.phrase, "Only The Subscriber May Transfer");
	transfer.caller_asks = false;
	transfer.loops = false; /* another number that a rule rang */
	assert_int_equal(ask(rig, &transfer), 403);
	transfer.loops = true;
	transfer.from_the_start = false; /* whoever that is by now */
	assert_int_equal(ask(rig, &transfer), 403);
	transfer = core_asks(rig, "+004712345678", "+4799000001", "+4733333333");
	transfer.caller_asks = false; /* whom the subscriber has called */
	assert_int_equal(ask(rig, &transfer), 403);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_pbx_may_transfer_to_its_own_numbers),
		T(a_dialog_of_the_pbx_itself_is_named_to_it),
		T(a_phone_it_may_call_is_reached_through_the_core),
		T(who_stays_is_the_caller_of_the_new_call),
		T(nobody_else_may),
		T(a_subscriber_may_if_the_operator_says_so),
		T(who_called_a_subscriber_may_not),
	};

	return cmocka_run_group_tests_name("tas/service/transfer", tests, NULL, NULL);
}
