/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define ACME                                                                                       \
	"tenants:\n"                                                                               \
	"  - name: acme\n"                                                                         \
	"    api: { target: 'api2.example.net:443', token_url: 'https://id/t', client_id: a,\n"    \
	"      client_secret_file: s, max_rate: 50 }\n"                                            \
	"    prefixes: { mobile_originating: '02', mobile_terminating: '03' }\n"
#define PREFIXES "prefixes: { mobile_originating: '00', mobile_terminating: '01' }\n"

static void a_tenant_has_a_target_and_prefixes_of_its_own(void **state)
{
	struct config *config =
		expect_config(BASE PREFIXES ACME
			      "services: { a: [ { when: { tenant: acme }, do: loop }, { when: { "
			      "tenant: [acme, default] }, do: loop }, do: loop ] }\n"
			      "registrations:\n"
			      "  - { number: +4799000001, route_type: loop, tenant: acme }\n"
			      "  - { number: +4799000002, route_type: loop }\n"
			      "  - consents: { route_type: loop, tenant: acme }\n");
	const struct config_service *service = &config->services[1];

	(void)state;
	assert_int_equal(config_tenants(config), 2);
	assert_string_equal(config_tenant_name(config, 0), "default");
	assert_string_equal(config_tenant_name(config, 1), "acme");
	assert_string_equal(config_tenant_api(config, 0)->target, "api.example.net:443");
	assert_string_equal(config_tenant_api(config, 1)->target, "api2.example.net:443");
	assert_int_equal(config_tenant_api(config, 1)->max_rate, 50);
	assert_int_equal(config_tenant_api(config, 1)->deadline_ms, 10000);
	assert_string_equal(config_tenant_api(config, 1)->scope, "call.routing:write");
	assert_string_equal(config_tenant_prefix(config, 0, DIRECTION_MO), "00");
	assert_string_equal(config_tenant_prefix(config, 1, DIRECTION_MO), "02");
	assert_string_equal(config_tenant_prefix(config, 1, DIRECTION_MT), "03");
	assert_int_equal(config->registrations[0].tenant, 1);
	assert_int_equal(config->registrations[1].tenant, 0);
	assert_int_equal(config->consents->tenant, 1);
	assert_int_equal(service->rules[0].tenants, 2);
	assert_int_equal(service->rules[1].tenants, 3);
	assert_int_equal(service->rules[2].tenants, 0);
	config_destroy(config);
}

static void a_tenant_may_have_an_sbc_of_its_own(void **state)
{
	struct config *config = expect_config(
		BASE "tenants:\n"
		     "  - name: acme\n"
		     "    api: { target: 'b:1' }\n"
		     "    sbc: { uri: 'sips:sbc.acme.example', trusted: [203.0.113.0/24], hosts: "
		     "['*.acme.example'] }\n"
		     "  - { name: other, api: { target: 'c:1' } }\n");

	(void)state;
	assert_string_equal(config_tenant_sbc(config, 1), "sips:sbc.acme.example");
	assert_int_equal(config->tenants[0].sbc.trusted_count, 1);
	assert_string_equal(config->tenants[0].sbc.hosts[0], "*.acme.example");
	assert_string_equal(config_tenant_sbc(config, 2), config->core.sbc.uri);
	assert_ptr_equal(config_tenant_sbc(config, 0), config->core.sbc.uri);
	config_destroy(config);
}

static void an_sbc_needs_its_uri_and_its_networks(void **state)
{
	(void)state;
	expect(BASE "tenants:\n"
		    "  - name: acme\n"
		    "    api: { target: 'b:1' }\n"
		    "    sbc: { uri: 'sip:sbc.acme.example', trusted: [203.0.113.0/24] }\n"
		    "  - name: other\n"
		    "    api: { target: 'c:1' }\n"
		    "    sbc: { uri: 'sips:sbc.acme.example' }\n"
		    "  - name: third\n"
		    "    api: { target: 'd:1' }\n"
		    "    sbc: { trusted: [203.0.113.0/24] }\n",
	       ERROR(8, 12,
		     "`tenants[].sbc.uri` would carry calls in clear. Write "
		     "sips:sbc.acme.example")
		       ERROR(11, 5,
			     "`tenants[].sbc.trusted` is missing: the networks that SBC's calls "
			     "come from. Write for example [192.0.2.0/24]")
			       ERROR(14, 5,
				     "`tenants[].sbc.uri` is missing: where the calls of that SBC "
				     "go back. Write sips:sbc.example.net"));
}

static void without_tenants_there_is_the_default_one(void **state)
{
	struct config *config = expect_config(BASE);

	(void)state;
	assert_int_equal(config_tenants(config), 1);
	assert_ptr_equal(config_tenant_api(config, 0), &config->core.api);
	assert_null(config_tenant_prefix(config, 0, DIRECTION_MT));
	config_destroy(config);
}

static void a_file_names_a_tenant_in_its_fourth_column(void **state)
{
	struct config *config;

	(void)state;
	put("numbers.csv", "+4799000001\n"
			   "+4799000002,,,acme\n"
			   "+4799000003,loop_mt,,default\n");
	config = expect_config(BASE PREFIXES ACME
			       "registrations: [ { file: numbers.csv, route_type: loop } ]\n");
	assert_int_equal(config->registrations[0].tenant, 0);
	assert_int_equal(config->registrations[1].tenant, 1);
	assert_int_equal(config->registrations[2].tenant, 0);
	config_destroy(config);
	config = expect_config(BASE PREFIXES ACME "registrations: [ { file: numbers.csv, "
						  "route_type: loop, tenant: acme } ]\n");
	assert_int_equal(config->registrations[0].tenant, 1);
	assert_int_equal(config->registrations[2].tenant, 0);
	config_destroy(config);
}

static void a_name_nobody_has_is_an_error_where_it_stands(void **state)
{
	(void)state;
	put("numbers.csv", "+4799000003,,,akme\n");
	expect(BASE PREFIXES ACME
	       "services: { a: [ { when: { tenant: acne }, do: loop }, do: loop ] }\n"
	       "registrations:\n"
	       "  - { number: +4799000001, route_type: loop, tenant: akme }\n"
	       "  - consents: { route_type: loop, tenant: acmee }\n"
	       "  - { file: numbers.csv, route_type: loop }\n",
	       ERROR(11, 36, "no tenant is called `acne`. Did you mean `acme`?") ERROR(
		       13, 54, "no tenant is called `akme`. Did you mean `acme`?")
		       ERROR(14, 43,
			     "no tenant is called `acmee`. Did you mean `acme`?") "numbers.csv:1:"
										  "15: error: no "
										  "tenant is "
										  "called `akme`. "
										  "Did you mean "
										  "`acme`?\n");
}

static void one_core_at_a_time_has_a_number(void **state)
{
	(void)state;
	expect(BASE PREFIXES ACME "registrations:\n"
				  "  - { number: +4799000001, route_type: loop }\n"
				  "  - { number: +4799000001, route_type: loop, tenant: acme }\n",
	       ERROR(13, 15,
		     "the number +4799***01 is registered already at breakout.yaml:12:15, for "
		     "another tenant: one core has a number. Remove one"));
}

static void prefixes_of_tenants_must_be_told_apart(void **state)
{
	(void)state;
	expect(BASE PREFIXES
	       "tenants:\n"
	       "  - name: acme\n"
	       "    api: { target: 'b:1' }\n"
	       "    prefixes: { mobile_originating: '012', mobile_terminating: '4' }\n",
	       ERROR(9, 17,
		     "`tenants[].prefixes.mobile_originating` `012` of tenant `acme` and "
		     "`mobile_terminating` `01` of tenant `default` cannot be told apart: one "
		     "begins the other. Agree with the core on others")
		       WARNING(9, 44,
			       "`tenants[].prefixes.mobile_terminating`: `4` does not begin with "
			       "0, "
			       "so it may be taken for a country code. Agree with the core on one "
			       "that does"));
	expect(BASE "tenants:\n"
		    "  - name: acme\n"
		    "    api: { target: 'b:1' }\n"
		    "    prefixes: { mobile_originating: '01', mobile_terminating: '0' }\n",
	       ERROR(8, 43,
		     "`tenants[].prefixes.mobile_originating` `01` and `mobile_terminating` `0` "
		     "cannot be told apart: one begins the other. Agree with the core on others"));
}

static void a_tenants_name_is_a_word_of_its_own(void **state)
{
	(void)state;
	expect(BASE "tenants:\n"
		    "  - { name: default, api: { target: 'b:1' } }\n"
		    "  - { name: 'A B', api: { target: 'c:1' } }\n"
		    "  - { name: '7', api: { target: 'd:1' } }\n"
		    "  - { name: x, api: { target: 'e:1' } }\n"
		    "  - { name: x, api: { target: 'f:1' } }\n"
		    "  - { name: y }\n",
	       ERROR(6, 13,
		     "`tenants[].name`: `default` is what `core.api` is called. Choose another "
		     "name")
		       ERROR(7, 13,
			     "`tenants[].name`: `A B` cannot be a tenant's name. Write at most 32 "
			     "small letters, digits and -_.")
			       ERROR(8, 13,
				     "`tenants[].name`: `7` is a number, and no name. Add a letter")
				       ERROR(10, 7,
					     "a tenant called `x` is defined already. Rename one")
					       ERROR(11, 5,
						     "`tenants[].api.target` is missing: "
						     "host:port of the core's API"));
}

static void a_tenants_api_is_checked_as_the_cores_own(void **state)
{
	(void)state;
	expect(BASE "tenants:\n"
		    "  - name: x\n"
		    "    api:\n"
		    "      target: 'far.example.net:1'\n"
		    "      plaintext: true\n"
		    "      token_url: 'https://id/t'\n"
		    "      keepalive: 5s\n"
		    "  - { name: y, api: { target: 'api.example.net:443' } }\n",
	       ERROR(9, 7,
		     "`tenants[].api.plaintext` is for targets on this machine, "
		     "`far.example.net:1` is not. Remove it")
		       ERROR(10, 7, "`tenants[].api.client_id` is missing: `token_url` needs it")
			       ERROR(10, 7,
				     "`tenants[].api.client_secret_file` is missing: `token_url` "
				     "needs it")
				       WARNING(11, 7,
					       "`tenants[].api.keepalive` is outside what the core "
					       "allows. Write 1m to 5m")
					       WARNING(12, 23,
						       "`default` and `y` have the same target and "
						       "client: the core cannot tell them apart. "
						       "Make them one tenant"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_tenant_has_a_target_and_prefixes_of_its_own),
		IN_FOLDER(a_tenant_may_have_an_sbc_of_its_own),
		IN_FOLDER(an_sbc_needs_its_uri_and_its_networks),
		IN_FOLDER(without_tenants_there_is_the_default_one),
		IN_FOLDER(a_file_names_a_tenant_in_its_fourth_column),
		IN_FOLDER(a_name_nobody_has_is_an_error_where_it_stands),
		IN_FOLDER(one_core_at_a_time_has_a_number),
		IN_FOLDER(prefixes_of_tenants_must_be_told_apart),
		IN_FOLDER(a_tenants_name_is_a_word_of_its_own),
		IN_FOLDER(a_tenants_api_is_checked_as_the_cores_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
