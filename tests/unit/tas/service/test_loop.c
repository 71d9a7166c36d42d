/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

static void leg_3_differs_by_host_and_prefix_only(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step = rig_decide(rig, "+014799000002", "+4712345678")->steps;

	assert_string_equal(step->request_uri, "sips:+4799000002@sbc.core.example.net:5061");
	assert_string_equal(step->next_hop, "sips:sbc.core.example.net:5061");
	assert_string_equal(step->from_uri, "sips:+4712345678@core.example.net");
	assert_null(step->from_display);
	assert_string_equal(step->to_uri, "sips:+4799000002@tas.example.com;x=1");
	assert_int_equal(step->max_forwards, 69);
}

static void identity_headers_cross_byte_for_byte(void **state)
{
	struct service_rig *rig = *state;
	static const char *const headers[][2] = {
		{ "Session-ID", "ab30317f1a784dc48ff824d0d3715d86;remote=000" },
		{ "P-Asserted-Identity", "\"A, B\" <sips:+4799000002@core>" },
		{ "Privacy", "id" },
		{ "Diversion", "<tel:+47>;reason=x" },
		{ "History-Info", "<sip:a>;index=1" },
		{ "X-Unknown", "kept" },
	};
	const struct call_step *step;

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		rig_header(rig, headers[i][0], headers[i][1]);
	rig->info.from_display = "Ada";
	step = rig_decide(rig, "+014799000002", "+4712345678")->steps;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		assert_string_equal(sip_headers_find(&step->headers, headers[i][0]), headers[i][1]);
	assert_string_equal(step->from_display, "Ada");
}

static void unknown_user_is_kept_whole(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step = rig_decide(rig, "any.body;x=1", "nobody")->steps;

	assert_string_equal(step->request_uri, "sips:any.body;x=1@sbc.core.example.net:5061");
	assert_string_equal(step->to_uri, "sips:any.body;x=1@tas.example.com;x=1");
}

static void user_parameters_survive_the_prefix(void **state)
{
	struct service_rig *rig = *state;

	assert_string_equal(rig_decide(rig, "+014799000002;npdi", "x")->steps[0].request_uri,
			    "sips:+4799000002;npdi@sbc.core.example.net:5061");
}

static void what_the_request_is_for_survives_in_its_uri(void **state)
{
	static const char *const params[][2] = {
		{ "", "" },
		{ ";cause=302;target=x%40y", ";cause=302;target=x%40y" },
		{ ";transport=tls;lr;user=phone;ob", ";user=phone" },
		{ ";maddr=1.2.3.4;x;ttl=3;method=BYE;y=;transport", ";x;y=" },
		{ ";Transport=udp;transports=a", ";transports=a" },
	};
	struct service_rig *rig = *state;
	char wanted[128];

	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		rig_decide(rig, "+014799000002", "+4712345678");
		snprintf(rig->request_uri, sizeof(rig->request_uri),
			 "sips:+014799000002@tas.example.com:5061%s", params[i][0]);
		call_plan_free(rig->plan);
		rig->plan = service_decide(rig->room, &rig->info);
		snprintf(wanted, sizeof(wanted), "sips:+4799000002@sbc.core.example.net:5061%s",
			 params[i][1]);
		assert_string_equal(rig->plan->steps[0].request_uri, wanted);
	}
}

static void user_phone_survives(void **state)
{
	struct service_rig *rig = *state;

	rig_decide(rig, "+014799000002", "+4712345678");
	rig->info.request_uri = "sips:+014799000002@tas.example.com:5061;user=phone";
	call_plan_free(rig->plan);
	rig->plan = service_decide(rig->room, &rig->info);
	assert_string_equal(rig->plan->steps[0].request_uri,
			    "sips:+4799000002@sbc.core.example.net:5061;user=phone");
}

static void to_with_another_number_keeps_what_is_no_prefix(void **state)
{
	struct service_rig *rig = *state;

	rig_decide(rig, "+014799000002", "+4712345678");
	rig->info.to_user = "+4755555555";
	rig->info.to_uri = "sips:+4755555555@tas.example.com";
	call_plan_free(rig->plan);
	rig->plan = service_decide(rig->room, &rig->info);
	assert_string_equal(rig->plan->steps[0].to_uri, "sips:+4755555555@tas.example.com");

	rig->info.to_user = "+014755555555";
	rig->info.to_uri = "sips:+014755555555@tas.example.com";
	call_plan_free(rig->plan);
	rig->plan = service_decide(rig->room, &rig->info);
	assert_string_equal(rig->plan->steps[0].to_uri, "sips:+4755555555@tas.example.com");

	rig->config.prefix_mt = TEXT("47"); /* might as well be the country */
	rig->info.request_user = "+474799000002";
	rig->info.to_user = "+4755555555";
	rig->info.to_uri = "sips:+4755555555@tas.example.com";
	call_plan_free(rig->plan);
	rig->plan = service_decide(rig->room, &rig->info);
	assert_string_equal(rig->plan->steps[0].to_uri, "sips:+4755555555@tas.example.com");
}

static enum call_bypass bypass_of(struct service_rig *rig, const char *called)
{
	return rig_decide(rig, called, "+4712345678")->steps[0].bypass;
}

static void loops_go_without_audio_as_the_configuration_says(void **state)
{
	static const enum call_bypass wanted[][2] = {
		[MEDIA_BYPASS_NEVER] = { CALL_BYPASS_NOT, CALL_BYPASS_NOT },
		[MEDIA_BYPASS_LOOPS] = { CALL_BYPASS_LOOPS, CALL_BYPASS_LOOPS },
		[MEDIA_BYPASS_OVERLOAD] = { CALL_BYPASS_NOT, CALL_BYPASS_OVERLOAD },
	};
	struct service_rig *rig = *state;

	for (int mode = MEDIA_BYPASS_NEVER; mode <= MEDIA_BYPASS_OVERLOAD; mode++) {
		rig->config.media.bypass = (enum media_bypass)mode;
		rig_light = false;
		assert_int_equal(bypass_of(rig, "+014799000002"), wanted[mode][0]);
		rig_light = true;
		assert_int_equal(bypass_of(rig, "+014799000002"), wanted[mode][1]);
		/* what has no rules goes untouched anyway, and an answer is no loop */
		assert_int_equal(bypass_of(rig, "+014755555555"), CALL_BYPASS_UNTOUCHED);
		assert_int_equal(bypass_of(rig, "+014799000009"), CALL_BYPASS_NOT);
	}
	rig_light = false;
}

static void a_call_that_is_recorded_keeps_its_audio_here(void **state)
{
	struct service_rig *rig = *state;

	rig->config.media.bypass = MEDIA_BYPASS_LOOPS;
	rig->config.recordings.dir = TEXT("/var/lib/breakout/recordings");
	rig_office_rules[1].record = true;
	rig_decide(rig, "+014799000001", "+4712345678");
	rig_office_rules[1].record = false;
	assert_labels(rig->plan, "dial web, loop");
	assert_int_equal(rig->plan->steps[1].bypass, CALL_BYPASS_NOT);

	rig_decide(rig, "+014799000001", "+4712345678");
	assert_int_equal(rig->plan->steps[1].bypass, CALL_BYPASS_LOOPS);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

/* ---- several cores ---- */

static struct config_cidr theirs;
static struct config_tenant acme = {
	.name = TEXT("acme"),
	.prefix_mo = TEXT("02"),
	.prefix_mt = TEXT("03"),
	.sbc = { .uri = TEXT("sips:sbc.acme.example"), .trusted = &theirs, .trusted_count = 1 }
};

static void add_acme(struct service_rig *rig)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&theirs.address;

	v4->sin_family = AF_INET;
	inet_pton(AF_INET, "203.0.113.0", &v4->sin_addr);
	theirs.prefix_length = 24;
	rig->config.tenants = &acme;
	rig->config.tenant_count = 1;
	service_reconfigure(rig->room, &rig->config, NULL);
}

static void a_call_goes_back_to_the_sbc_of_its_tenant(void **state)
{
	static const struct {
		const char *called, *source, *sbc, *tenant;
	} calls[] = {
		{ "+014799000002", "198.51.100.1:5061", "sips:sbc.core.example.net:5061",
		  "default" },
		{ "+034799000002", "203.0.113.7:5061", "sips:sbc.acme.example", "acme" },
		/* A prefix counts before a network that nobody names. */
		{ "+034799000002", "", "sips:sbc.acme.example", "acme" },
		/* But what came from the one SBC never goes to the other. */
		{ "+034799000002", "198.51.100.1:5061", "sips:sbc.core.example.net:5061", "acme" },
		{ "+4755555555", "203.0.113.7:5061", "sips:sbc.acme.example", "acme" },
		{ "112", "203.0.113.7:5061", "sips:sbc.acme.example", "acme" },
		{ "112", "198.51.100.1:5061", "sips:sbc.core.example.net:5061", "default" },
	};
	struct service_rig *rig = *state;

	add_acme(rig);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call_step *step;
		size_t length = strlen(calls[i].sbc) - strlen("sips:");

		rig->info.source = calls[i].source;
		step = rig_decide(rig, calls[i].called, "+4712345678")->steps;
		assert_string_equal(step->next_hop, calls[i].sbc);
		assert_string_equal(rig->plan->tenant, calls[i].tenant);
		if (strcmp(calls[i].called, "112") != 0)
			assert_memory_equal(strchr(step->request_uri, '@') + 1, calls[i].sbc + 5,
					    length);
	}
	rig->config.tenant_count = 0;
	service_reconfigure(rig->room, &rig->config, NULL);
	rig->info.source = "203.0.113.7:5061";
	assert_string_equal(rig_decide(rig, "+014799000002", "+4712345678")->steps->next_hop,
			    "sips:sbc.core.example.net:5061");
}

static void both_sbcs_are_known_as_the_core(void **state)
{
	struct service_rig *rig = *state;
	struct sip_source source = { .transport = SIP_TRANSPORT_TLS };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&source.address;

	v4->sin_family = AF_INET;
	inet_pton(AF_INET, "203.0.113.7", &v4->sin_addr);
	assert_int_not_equal(service_identify(rig->room, &source), SERVICE_PEER_CORE);
	assert_false(service_knows_host(rig->room, "sbc.acme.example"));
	add_acme(rig);
	assert_int_equal(service_identify(rig->room, &source), SERVICE_PEER_CORE);
	assert_true(service_knows_host(rig->room, "sbc.acme.example"));
	assert_true(service_knows_host(rig->room, "203.0.113.9"));
	source.transport = SIP_TRANSPORT_UDP; /* its URI says TLS */
	assert_int_not_equal(service_identify(rig->room, &source), SERVICE_PEER_CORE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(leg_3_differs_by_host_and_prefix_only),
		T(identity_headers_cross_byte_for_byte),
		T(unknown_user_is_kept_whole),
		T(user_parameters_survive_the_prefix),
		T(what_the_request_is_for_survives_in_its_uri),
		T(user_phone_survives),
		T(to_with_another_number_keeps_what_is_no_prefix),
		T(loops_go_without_audio_as_the_configuration_says),
		T(a_call_that_is_recorded_keeps_its_audio_here),
		T(a_call_goes_back_to_the_sbc_of_its_tenant),
		T(both_sbcs_are_known_as_the_core),
	};

	return cmocka_run_group_tests_name("tas/service/loop", tests, NULL, NULL);
}
