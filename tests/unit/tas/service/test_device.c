/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"
#include "tests/fake/fake_device.h"

static struct config_device devices[] = {
	{ .name = TEXT("anna"), .username = TEXT("anna"), .number = TEXT("+4799000005") },
	{ .name = TEXT("bert"), .username = TEXT("bert"), .media = MEDIA_RTP },
};
static struct config_target targets[] = {
	{ .kind = TARGET_DEVICE, .device = 1, .weight = 1 },
	{ .kind = TARGET_SUBSCRIBER, .weight = 1 },
};
static struct config_action action;
static struct config_rule rule = { .directions = 7, .actions = &action, .action_count = 1 };
static struct config_service office;
static int room; /* somewhere to point to */

static void register_at(size_t count)
{
	static char texts[SIP_CONTACT_MAX][2][64];

	fake_contact_count = count;
	for (size_t i = 0; i < count; i++) {
		snprintf(texts[i][0], 64, "sip:x@10.0.0.%zu:5060", i + 1);
		snprintf(texts[i][1], 64, "sip:192.0.2.%zu:4000;transport=tcp", i + 1);
		fake_contacts[i] = (struct device_contact){ texts[i][0], texts[i][1] };
	}
}

static int setup(void **state)
{
	struct service_rig *rig;

	assert_int_equal(rig_setup(state), 0);
	rig = *state;
	office = rig_services[RIG_OFFICE];
	action = (struct config_action){ .kind = ACTION_DEVICE, .device = 1, .ring_s = 20 };
	rig_services[RIG_OFFICE].rules = &rule;
	rig_services[RIG_OFFICE].rule_count = 1;
	rig->config.devices = devices;
	rig->config.device_count = 2;
	service_destroy(rig->room);
	return service_create(&rig->room,
			      &(struct service_options){ .config = &rig->config,
							 .devices = (struct device_room *)&room });
}

static int teardown(void **state)
{
	rig_services[RIG_OFFICE] = office;
	return rig_teardown(state);
}

static void a_device_is_dialled_where_it_registered(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;

	register_at(1);
	rig_header(rig, "P-Asserted-Identity", "<sip:+4712345678@x>");
	rig_decide(rig, "+014799000001", "+4712345678");
	assert_labels(rig->plan, "device bert, loop?");
	step = rig->plan->steps;
	assert_int_equal(step->kind, CALL_STEP_DIAL);
	assert_string_equal(step->request_uri, "sip:x@10.0.0.1:5060");
	assert_string_equal(step->next_hop, "sip:192.0.2.1:4000;transport=tcp");
	assert_true(step->keep_hop);
	assert_string_equal(step->to_uri, "sip:bert@tas.example.com");
	assert_string_equal(step->from_uri, "sip:+4712345678@tas.example.com");
	assert_int_equal(step->media, MEDIA_LEG_RTP);
	assert_int_equal(step->ring_ms, 20000);
	assert_int_equal(step->max_forwards, 69);
	assert_null(sip_headers_find(&step->headers, "P-Asserted-Identity"));
}

static void a_hidden_caller_stays_hidden(void **state)
{
	struct service_rig *rig = *state;

	register_at(1);
	rig_header(rig, "Privacy", "id");
	rig_decide(rig, "+014799000001", "+4712345678");
	assert_string_equal(rig->plan->steps[0].from_uri, "sip:anonymous@anonymous.invalid");
}

static void all_its_phones_ring_together(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *ring;

	register_at(3);
	rig_decide(rig, "+014799000001", "+4712345678");
	assert_labels(rig->plan, "ring, loop?");
	ring = rig->plan->steps;
	assert_int_equal(ring->target_count, 3);
	assert_false(ring->in_sequence);
	assert_int_equal(ring->ring_ms, 20000);
	assert_string_equal(ring->targets[2].label, "device bert/3");
	assert_string_equal(ring->targets[2].next_hop, "sip:192.0.2.3:4000;transport=tcp");
}

static void a_device_gets_no_keys_over_a_way_without_tls(void **state)
{
	struct service_rig *rig = *state;

	devices[1].media = MEDIA_SDES;
	register_at(1);
	assert_labels(rig_decide(rig, "+014799000001", "x"), "loop");
	devices[1].keys_in_clear = true;
	assert_labels(rig_decide(rig, "+014799000001", "x"), "device bert, loop?");
	assert_int_equal(rig->plan->steps[0].media, MEDIA_LEG_SDES);
	devices[1].keys_in_clear = false;
	devices[1].media = MEDIA_RTP;
}

static void whence_its_media_is_learned_is_its_own_in_both_directions(void **state)
{
	struct service_rig *rig = *state;

	register_at(1);
	rig_decide(rig, "+014799000001", "x");
	assert_int_equal(rig->plan->steps[0].codecs.latching, MEDIA_LATCHING_SIGNALLED);
	assert_string_equal(rig->plan->steps[0].codecs.near, "192.0.2.1"); /* its NAT's */
	devices[1].latching = LATCHING_ANY;
	rig_decide(rig, "+014799000001", "x");
	assert_int_equal(rig->plan->steps[0].codecs.latching, MEDIA_LATCHING_ANY);
	assert_true(rig->plan->steps[0].codecs.convert);
	devices[1].latching = LATCHING_SIGNALLED;

	devices[0].latching = LATCHING_OFF;
	rig->info.peer = DEVICE_PEER;
	rig_decide(rig, "+4799000005", "anna");
	assert_int_equal(rig->plan->codecs_a.latching, MEDIA_LATCHING_OFF);
	assert_true(rig->plan->codecs_a.convert);
	devices[0].latching = LATCHING_SIGNALLED;
}

static void a_device_that_is_nowhere_is_passed_over(void **state)
{
	struct service_rig *rig = *state;

	register_at(0);
	assert_labels(rig_decide(rig, "+014799000001", "+4712345678"), "loop");
	assert_labels(rig_decide(rig, "+014799000003", "+4712345678"), "reject 480"); /* FORK */
}

static void a_device_rings_in_a_group(void **state)
{
	struct service_rig *rig = *state;

	action = (struct config_action){ .kind = ACTION_RING,
					 .targets = targets,
					 .target_count = 2 };
	register_at(2);
	rig_decide(rig, "+014799000001", "+4712345678");
	assert_labels(rig->plan, "ring");
	assert_int_equal(rig->plan->steps[0].target_count, 3);
	assert_string_equal(rig->plan->steps[0].targets[1].label, "device bert/2");
	register_at(0);
	assert_labels(rig_decide(rig, "+014799000001", "+4712345678"), "loop");
	action.target_count = 1;
	register_at(2);
	rig_decide(rig, "+014799000001", "+4712345678");
	assert_int_equal(rig->plan->steps[0].target_count, 2);
}

static void a_device_calls_an_ingress_number_as_its_own(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;

	rig->info.peer = DEVICE_PEER;
	rig_header(rig, "P-Asserted-Identity", "<sip:+4700000000@evil>");
	rig_decide(rig, "+4799000005", "+4700000000");
	assert_labels(rig->plan, "ingress");
	assert_int_equal(rig->plan->media_a, MEDIA_LEG_WEBRTC); /* as configured: 0 */
	assert_int_equal(rig->plan->route_type, ROUTE_TYPE_INGRESS);
	step = rig->plan->steps;
	assert_string_equal(step->request_uri, "sips:+4799000005@sbc.core.example.net:5061");
	assert_string_equal(step->from_uri, "sips:+4799000005@tas.example.com");
	assert_string_equal(sip_headers_find(&step->headers, "P-Asserted-Identity"),
			    "<sips:+4799000005@tas.example.com>");
	assert_false(step->keep_hop);
	rig_header(rig, "Privacy", "id");
	rig_decide(rig, "+4799000005", "anonymous");
	assert_null(strstr(rig->plan->steps[0].from_uri, "+4799000005"));
	assert_string_equal(sip_headers_find(&rig->plan->steps[0].headers, "Privacy"), "id");
}

static void a_device_reaches_nothing_else(void **state)
{
	struct service_rig *rig = *state;

	rig->info.peer = DEVICE_PEER;
	assert_labels(rig_decide(rig, "+4799000001", "anna"), "reject 404");
	assert_labels(rig_decide(rig, "+4712345678", "anna"), "reject 404");
	rig->info.peer = DEVICE_PEER + 1; /* without a number */
	assert_labels(rig_decide(rig, "+4799000005", "bert"), "reject 403");
	rig->info.peer = DEVICE_PEER + 2; /* gone since */
	assert_labels(rig_decide(rig, "+4799000005", "carl"), "reject 403");
	rig->info.peer = DEVICE_PEER;
	rig->info.max_forwards = 1;
	assert_labels(rig_decide(rig, "+4799000005", "anna"), "reject 483");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_device_is_dialled_where_it_registered),
		T(a_hidden_caller_stays_hidden),
		T(all_its_phones_ring_together),
		T(a_device_gets_no_keys_over_a_way_without_tls),
		T(whence_its_media_is_learned_is_its_own_in_both_directions),
		T(a_device_that_is_nowhere_is_passed_over),
		T(a_device_rings_in_a_group),
		T(a_device_calls_an_ingress_number_as_its_own),
		T(a_device_reaches_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
