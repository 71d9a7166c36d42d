/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"
#include "tests/fake/service_rig.h"

static int identify(struct service_rig *rig, const char *address, enum sip_transport transport,
		    const char *const *names)
{
	struct sip_source source = { .transport = transport, .certificate_names = names };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&source.address;

	v4->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, address, &v4->sin_addr), 1);
	return service_identify(rig->room, &source);
}

static void core_is_known_by_its_addresses_over_tls(void **state)
{
	struct service_rig *rig = *state;

	assert_int_equal(identify(rig, "198.51.100.7", SIP_TRANSPORT_TLS, NULL), SERVICE_PEER_CORE);
	assert_int_equal(identify(rig, "198.51.101.7", SIP_TRANSPORT_TLS, NULL), -1);
	assert_int_equal(identify(rig, "198.51.100.7", SIP_TRANSPORT_UDP, NULL), -1);
	rig->config.core.sbc.uri = TEXT("sip:sbc.core.example.net");
	assert_int_equal(identify(rig, "198.51.100.7", SIP_TRANSPORT_UDP, NULL), SERVICE_PEER_CORE);
}

static void core_shows_a_certificate_where_one_is_asked_for(void **state)
{
	struct service_rig *rig = *state;
	const char *right[] = { "other", "SBC.example.net", NULL }, *wrong[] = { "other", NULL };

	rig->config.core.sbc.client_ca = TEXT("ca.pem");
	assert_int_equal(identify(rig, "198.51.100.7", SIP_TRANSPORT_TLS, NULL), -1);
	assert_int_equal(identify(rig, "198.51.100.7", SIP_TRANSPORT_TLS, wrong),
			 SERVICE_PEER_CORE);
	rig->config.core.sbc.client_name = TEXT("sbc.example.net");
	assert_int_equal(identify(rig, "198.51.100.7", SIP_TRANSPORT_TLS, wrong), -1);
	assert_int_equal(identify(rig, "198.51.100.7", SIP_TRANSPORT_TLS, right),
			 SERVICE_PEER_CORE);
}

static void trunk_is_known_by_address_or_literal_uri(void **state)
{
	struct service_rig *rig = *state;
	struct config_cidr web = rig_trusted;

	assert_int_equal(identify(rig, "192.0.2.11", SIP_TRANSPORT_UDP, NULL), 1);
	assert_int_equal(identify(rig, "192.0.2.12", SIP_TRANSPORT_UDP, NULL), -1);
	rig_trunks[1].trusted = &web;
	rig_trunks[1].trusted_count = 1;
	assert_int_equal(identify(rig, "198.51.100.7", SIP_TRANSPORT_UDP, NULL), 2);
	rig_trunks[1].trusted_count = 0;
}

static void call_over_its_trunks_limit_gets_503(void **state)
{
	struct service_rig *rig = *state;

	(void)rig_decide(rig, "+4799000005", "200");
	rig->info.peer = 1;
	rig_full = true;
	service_invite(rig->room, (struct leg *)&rig->info);
	assert_string_equal(rig_label, "reject 503");
	rig->info.peer = SERVICE_PEER_CORE; /* whose calls no trunk counts */
	service_invite(rig->room, (struct leg *)&rig->info);
	assert_string_equal(rig_label, "loop");
	rig_full = false;
	rig->info.peer = 1;
	service_invite(rig->room, (struct leg *)&rig->info);
	assert_string_equal(rig_label, "ingress");
}

static void a_call_keeps_its_trunk_whatever_a_reload_makes_of_their_order(void **state)
{
	struct service_rig *rig = *state;
	struct config config = rig->config;
	struct config_trunk turned[] = { rig_trunks[1], rig_trunks[0] };
	int first = service_trunk_peer(rig->room, 0), second = service_trunk_peer(rig->room, 1);

	assert_int_not_equal(first, second);
	config.trunks = turned;
	service_reconfigure(rig->room, &config, NULL);
	assert_int_equal(service_trunk_peer(rig->room, 0), second);
	assert_int_equal(service_trunk_peer(rig->room, 1), first);
	config.trunks = &rig_trunks[1];
	config.trunk_count = 1; /* the other is gone, and its number is nobody's */
	service_reconfigure(rig->room, &config, NULL);
	assert_int_equal(service_trunk_peer(rig->room, 0), second);
	(void)rig_decide(rig, "+4799000005", "200");
	rig->info.peer = first;
	service_invite(rig->room, (struct leg *)&rig->info);
	assert_string_equal(rig_label, "reject 403");
	service_reconfigure(rig->room, &rig->config, NULL);
	assert_int_equal(service_trunk_peer(rig->room, 0), first);
	service_invite(rig->room, (struct leg *)&rig->info);
	assert_string_equal(rig_label, "ingress");
}

static void who_wants_another_dialogs_place_is_no_new_call(void **state)
{
	struct service_rig *rig = *state;
	struct leg *leg = (struct leg *)&rig->info;
	unsigned started;

	(void)rig_decide(rig, "+4799000005", "200");
	started = rig_started;
	rig->info.peer = 1;
	rig->info.replaces = "c@h;to-tag=1;from-tag=2";
	rig_full = true; /* not one more */
	service_invite(rig->room, leg);
	assert_ptr_equal(rig_replacing, leg);
	assert_int_equal(rig_started, started);
	rig_full = false;
	rig_replacing = NULL;
	rig->info.peer = SERVICE_PEER_CORE;
	service_invite(rig->room, leg); /* a new call, as if it had not asked */
	assert_null(rig_replacing);
	assert_int_equal(rig_started, started + 1);
	rig->info.needs_replaces = true;
	service_invite(rig->room, leg);
	assert_int_equal(rig_started, started + 1);
	assert_int_equal(rig_refused, 420);
}

static void trunks_are_registered_at_as_the_configuration_says(void **state)
{
	struct config_trunk trunk = rig_trunks[0];
	struct config config = { .trunks = &trunk, .trunk_count = 1 };
	struct service_room *room;

	(void)state;
	config.core = ((struct service_rig *)*state)->config.core;
	rig_bindings[0] = '\0';
	trunk.aor = TEXT("sip:tas@pbx");
	trunk.expires_s = 60;
	assert_int_equal(service_create(&room,
					&(struct service_options){
						.config = &config,
						.endpoint = (struct sip_endpoint *)&config }),
			 0);
	service_reconfigure(room, &config, NULL); /* nothing new */
	assert_string_equal(rig_bindings, "+sip:tas@pbx/60 ");
	trunk.expires_s = 90;
	service_reconfigure(room, &config, NULL);
	assert_string_equal(rig_bindings, "+sip:tas@pbx/60 - +sip:tas@pbx/90 ");
	trunk.aor = NULL;
	service_reconfigure(room, &config, NULL);
	trunk.aor = TEXT("sip:tas@pbx");
	service_reconfigure(room, &config, NULL);
	assert_string_equal(rig_bindings, "+sip:tas@pbx/60 - +sip:tas@pbx/90 - +sip:tas@pbx/90 ");
	rig_bindings[0] = '\0';
	service_leave_trunks(room);
	service_return_to_trunks(room);
	assert_string_equal(rig_bindings, "- +sip:tas@pbx/90 ");
	service_leave_trunks(room);
	service_destroy(room);
	assert_string_equal(rig_bindings, "- +sip:tas@pbx/90 - ");
}

static void reconfigured_room_knows_the_new_trunks(void **state)
{
	struct service_rig *rig = *state;
	struct config other = rig->config;

	other.trunk_count = 0;
	service_reconfigure(rig->room, &other, NULL);
	assert_int_equal(identify(rig, "192.0.2.11", SIP_TRANSPORT_UDP, NULL), -1);
	service_reconfigure(rig->room, &rig->config, NULL);
	assert_int_equal(identify(rig, "192.0.2.11", SIP_TRANSPORT_UDP, NULL), 1);
}

struct wanted {
	const char *name;
	int64_t value;
};

static void pick(const struct metric *metric, void *arg)
{
	struct wanted *wanted = arg;

	if (strcmp(metric->name, wanted->name) == 0)
		wanted->value = metric_get(metric);
}

static int64_t value_of(const char *name)
{
	struct wanted wanted = { .name = name };

	metrics_each(pick, &wanted);
	return wanted.value;
}

static void unknown_numbers_and_missing_session_ids_are_counted(void **state)
{
	struct service_rig *rig = *state;
	int64_t unknown = value_of("breakout_calls_unknown_number_total");
	int64_t missing = value_of("breakout_calls_leg2_without_session_id_total");

	rig_started = 0;
	rig_decide(rig, "+004712345678", "+4711111111");
	service_invite(rig->room, (struct leg *)&rig->info);
	rig->info.session_id = "abc";
	rig_decide(rig, "+004712345678", "+4799000001");
	service_invite(rig->room, (struct leg *)&rig->info);
	assert_int_equal(rig_started, 2);
	assert_int_equal(value_of("breakout_calls_unknown_number_total"), unknown + 1);
	assert_int_equal(value_of("breakout_calls_leg2_without_session_id_total"), missing + 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(core_is_known_by_its_addresses_over_tls),
		T(core_shows_a_certificate_where_one_is_asked_for),
		T(trunk_is_known_by_address_or_literal_uri),
		T(call_over_its_trunks_limit_gets_503),
		T(a_call_keeps_its_trunk_whatever_a_reload_makes_of_their_order),
		T(who_wants_another_dialogs_place_is_no_new_call),
		T(who_wants_another_dialogs_place_is_no_new_call),
		T(trunks_are_registered_at_as_the_configuration_says),
		T(reconfigured_room_knows_the_new_trunks),
		T(unknown_numbers_and_missing_session_ids_are_counted),
	};

	return cmocka_run_group_tests_name("tas/service/service", tests, NULL, NULL);
}
