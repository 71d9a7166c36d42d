/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

static void trunk_gets_number_and_caller_under_our_name(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;

	rig->info.from_display = "Ada";
	step = rig_decide(rig, "+004712345678", "+4799000001")->steps;
	assert_string_equal(step->request_uri, "sip:+4712345678@192.0.2.10:5060;transport=tcp");
	assert_string_equal(step->next_hop, "sip:192.0.2.10:5060;transport=tcp");
	assert_string_equal(step->to_uri, "sip:+4712345678@192.0.2.10:5060;transport=tcp");
	assert_string_equal(step->from_uri, "sip:+4799000001@tas.example.com");
	assert_string_equal(step->from_display, "Ada");
	assert_int_equal(step->media, MEDIA_LEG_RTP);
	assert_int_equal(step->max_forwards, 69);
	assert_false(step->to_core);
	assert_string_equal(step[1].request_uri, "sip:+4712345678@192.0.2.11");
	assert_true(step[1].only_after_trouble && step[1].other_address);
	assert_string_equal(step[1].label, "dial pbx/2");
	assert_string_equal(sip_line_uri(step[1].line), "sip:192.0.2.11");
}

static void an_address_that_is_down_is_not_among_the_steps(void **state)
{
	struct service_rig *rig = *state;
	const struct call_plan *plan = rig_decide(rig, "+004712345678", "+4799000001");
	struct sip_line *first = sip_line_ref(plan->steps[0].line);

	sip_line_silent(first, "no response in time");
	plan = rig_decide(rig, "+004712345678", "+4799000001");
	assert_string_equal(plan->steps[0].label, "dial pbx/2");
	assert_false(plan->steps[0].only_after_trouble);
	assert_true(plan->steps[1].to_core);                /* on_failure: loop */
	service_reconfigure(rig->room, &rig->config, NULL); /* and stays down over a reload */
	plan = rig_decide(rig, "+004712345678", "+4799000001");
	assert_string_equal(plan->steps[0].label, "dial pbx/2");
	sip_line_heard(first, 200);
	plan = rig_decide(rig, "+004712345678", "+4799000001");
	assert_string_equal(plan->steps[0].label, "dial pbx");
	sip_line_unref(first);
}

static void webrtc_trunk_speaks_webrtc(void **state)
{
	struct service_rig *rig = *state;

	assert_int_equal(rig_decide(rig, "+014799000001", "x")->steps[0].media, MEDIA_LEG_WEBRTC);
}

static void a_trunks_codecs_and_digits_are_the_steps(void **state)
{
	static char *names[] = { TEXT("PCMU"), TEXT("opus") };
	struct service_rig *rig = *state;
	const struct call_step *step;

	rig->config.trunks[0].codecs = names;
	rig->config.trunks[0].codec_count = 2;
	rig->config.trunks[0].dtmf = TRUNK_DTMF_INBAND;
	rig->config.trunks[0].latching = LATCHING_OFF;
	step = rig_decide(rig, "+004712345678", "+4799000001")->steps;
	assert_true(step->codecs.convert);
	assert_int_equal(step->codecs.count, 2);
	assert_string_equal(step->codecs.names[1], "opus");
	assert_int_equal(step->codecs.dtmf, MEDIA_DTMF_INBAND);
	assert_int_equal(step->codecs.latching, MEDIA_LATCHING_OFF);
	rig->config.trunks[0].codec_count = 0;
	rig->config.trunks[0].dtmf = TRUNK_DTMF_AUTO;
	rig->config.trunks[0].latching = LATCHING_SIGNALLED;
	step = rig_decide(rig, "+004712345678", "+4799000001")->steps;
	assert_int_equal(step->codecs.count, 0);
	assert_false(step[2].codecs.convert); /* leg 3: as the caller's side has it */
	assert_true(step[2].to_core);
}

static void only_listed_headers_reach_the_trunk(void **state)
{
	struct service_rig *rig = *state;
	const struct sip_headers *headers;

	rig_header(rig, "Session-ID", "abc");
	rig_header(rig, "P-Asserted-Identity", "<tel:+4799000001>");
	rig_header(rig, "Diversion", "<tel:+47>");
	rig_header(rig, "X-Secret", "1");
	headers = &rig_decide(rig, "+004712345678", "+4799000001")->steps[0].headers;
	assert_string_equal(sip_headers_find(headers, "Session-ID"), "abc");
	assert_null(sip_headers_find(headers, "P-Asserted-Identity")); /* of `identity` */
	assert_null(sip_headers_find(headers, "Diversion"));
	assert_null(sip_headers_find(headers, "X-Secret"));
}

static void hidden_caller_stays_hidden(void **state)
{
	struct service_rig *rig = *state;
	static const char *const values[] = { "id", "critical; ID", "user", "header;id" };

	rig->info.from_display = "Ada";
	rig_header(rig, "P-Asserted-Identity", "<tel:+4799000001>");
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const struct call_step *step;

		assert_int_equal(sip_headers_set(&rig->headers, "Privacy", values[i]), 0);
		step = rig_decide(rig, "+004712345678", "+4799000001")->steps;
		assert_string_equal(step->from_uri, "sip:anonymous@anonymous.invalid");
		assert_string_equal(step->from_display, "Anonymous");
		assert_null(sip_headers_find(&step->headers, "P-Asserted-Identity"));
	}
}

static void privacy_none_hides_nothing(void **state)
{
	struct service_rig *rig = *state;

	rig_header(rig, "Privacy", "none");
	assert_string_equal(rig_decide(rig, "+004712345678", "+4799000001")->steps[0].from_uri,
			    "sip:+4799000001@tas.example.com");
}

static void media_is_offered_on_the_way_to_the_gateway(void **state)
{
	struct service_rig *rig = *state;
	const struct call_plan *plan;

	rig->info.source = "[2001:db8::5]:5061";
	plan = rig_decide(rig, "+004712345678", "+4799000001");
	assert_string_equal(plan->steps[0].codecs.near, "192.0.2.10");
	assert_string_equal(plan->steps[0].codecs.address, "");
	assert_string_equal(plan->steps[1].codecs.near, "192.0.2.11");
	assert_string_equal(plan->codecs_a.near, "2001:db8::5");
	rig->config.trunks[0].media_address = TEXT("198.51.100.10");
	rig->info.source = "192.0.2.1:5061";
	plan = rig_decide(rig, "+004712345678", "+4799000001");
	assert_string_equal(plan->steps[0].codecs.address, "198.51.100.10");
	assert_string_equal(plan->codecs_a.near, "192.0.2.1");
	rig->config.trunks[0].media_address = NULL;
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(trunk_gets_number_and_caller_under_our_name),
		T(an_address_that_is_down_is_not_among_the_steps),
		T(webrtc_trunk_speaks_webrtc),
		T(a_trunks_codecs_and_digits_are_the_steps),
		T(media_is_offered_on_the_way_to_the_gateway),
		T(only_listed_headers_reach_the_trunk),
		T(hidden_caller_stays_hidden),
		T(privacy_none_hides_nothing),
	};

	return cmocka_run_group_tests_name("tas/service/dial", tests, NULL, NULL);
}
