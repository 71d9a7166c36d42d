/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define SERVICES                                                                                   \
	BASE "trunks: [ { name: pbx, uris: sip:a, ingress: true } ]\n"                             \
	     "services: { office: [ do: { dial: pbx } ], plain: [ do: loop ] }\n"

static void numbers_are_sorted_and_found(void **state)
{
	struct config *config = expect_config(
		SERVICES "registrations:\n"
			 "  - { number: +4799000003, route_type: loop_mo, service: plain }\n"
			 "  - numbers: ['+4799000001', +4799000002]\n"
			 "    route_type: fork\n"
			 "    service: office\n"
			 "  - { number: +479, route_type: ingress }\n");
	const struct config_registration *found;

	(void)state;
	assert_int_equal(config->registration_count, 4);
	assert_int_equal(config->registrations[0].number, 479);
	assert_int_equal(config->registrations[3].number, 4799000003);
	found = config_find_number(config, "+4799000002");
	assert_non_null(found);
	assert_int_equal(found->number, 4799000002);
	assert_int_equal(found->route_type, ROUTE_TYPE_FORK);
	assert_int_equal(found->service, 1);
	assert_int_equal(found->line, 9);
	found = config_find_number(config, "+4799000003");
	assert_int_equal(found->route_type, ROUTE_TYPE_LOOP_MO);
	assert_string_equal(config->services[found->service].name, "plain");
	assert_int_equal(config_find_number(config, "+479")->service, 0);
	assert_null(config_find_number(config, "+4799000004"));
	assert_null(config_find_number(config, "112"));
	assert_null(config_find_number(config, ""));
	config_destroy(config);
	config = expect_config(BASE);
	assert_null(config_find_number(config, "+479"));
	config_destroy(config);
}

static void a_wrong_number_says_why(void **state)
{
	(void)state;
	expect(BASE "registrations:\n"
		    "  - route_type: loop\n"
		    "    numbers:\n"
		    "      - 4799000001\n"
		    "      - +47 99000001\n"
		    "      - +047990000\n"
		    "      - +47\n"
		    "      - +1234567890123456\n",
	       ERROR(8, 9,
		     "the number `47***01` does not begin with + and the country code. Write "
		     "it in E.164 form, such as +4799000001")
		       ERROR(9, 9,
			     "the number `+4***01` has something else than digits after the +. "
			     "Write "
			     "it in E.164 form, such as +4799000001")
			       ERROR(10, 9,
				     "the number `+0***00` begins with 0 after the +: no country "
				     "code does. "
				     "Write it in E.164 form, such as +4799000001")
				       ERROR(11, 9,
					     "the number `***` has fewer than 3 digits. Write it "
					     "in E.164 form, such "
					     "as +4799000001")
					       ERROR(12, 9,
						     "the number `+1***56` has more than 15 "
						     "digits. Write it in E.164 form, "
						     "such as +4799000001"));
}

static void a_number_given_twice_names_the_first(void **state)
{
	(void)state;
	put("numbers.csv", "+4799000002\n");
	expect(BASE "registrations:\n"
		    "  - { number: +4799000001, route_type: loop }\n"
		    "  - { numbers: [+4799000002, +4799000001], route_type: loop_mt }\n"
		    "  - { file: numbers.csv, route_type: loop }\n",
	       ERROR(7, 30,
		     "the number +4799***01 is registered already at breakout.yaml:6:15. "
		     "Remove one") "numbers.csv:1:1: error: the number +4799***02 is registered "
				   "already at "
				   "breakout.yaml:7:17. Remove one\n");
}

static void a_service_must_exist_and_suit_the_route(void **state)
{
	(void)state;
	expect(SERVICES "registrations:\n"
			"  - { number: +4799000001, route_type: loop, service: ofice }\n"
			"  - { number: +4799000002, route_type: fork }\n"
			"  - { number: +4799000003, route_type: fallback, service: plain }\n"
			"  - { number: +4799000004, route_type: fork, service: loop }\n",
	       ERROR(8, 55, "no service is called `ofice`. Did you mean `office`?") ERROR(
		       9, 5,
		       "`service` is missing: a fork call goes to a PBX. Name a service whose "
		       "rules dial a trunk or answer")
		       ERROR(10, 59,
			     "the service `plain` never dials a trunk or answers, so a fallback "
			     "call "
			     "would find nobody. Add `do: { dial: TRUNK }` to it")
			       ERROR(11, 55,
				     "the service `loop` never dials a trunk or answers, so a fork "
				     "call would "
				     "find nobody. Add `do: { dial: TRUNK }` to it"));
}

static void a_group_needs_numbers_and_a_route(void **state)
{
	(void)state;
	expect(BASE "registrations:\n"
		    "  - { route_type: loop }\n"
		    "  - { number: +4799000001 }\n"
		    "  - { number: +4799000002, route_type: lop }\n"
		    "  - +4799000003\n"
		    "  - { number: +4799000004, route_type: loop, serivce: x }\n",
	       ERROR(6, 5,
		     "the registration names no number. Write `numbers: [...]` or `file: "
		     "numbers.csv`") ERROR(7, 5,
					   "`route_type` is missing: loop, fork, fallback, "
					   "loop_mo, loop_mt or "
					   "ingress")
		       ERROR(8, 40,
			     "`registrations[].route_type`: `lop` is not known here. Did you mean "
			     "`loop`?") ERROR(9, 5,
					      "a registration must be a mapping. Write `- { "
					      "numbers: [...], route_type: "
					      "loop }`")
			       ERROR(10, 46,
				     "unknown key `serivce` in `registrations[]`. Did you mean "
				     "`service`?"));
}

static void a_csv_file_gives_numbers_and_their_own_columns(void **state)
{
	struct config *config;

	(void)state;
	put("numbers.csv", "\xef\xbb\xbf# agents\r\n"
			   "+4799000001\r\n"
			   "\n"
			   "  +4799000002 , fork , office # front desk\n"
			   "+4799000003,,plain\n"
			   "+4799000004,loop_mt,\n"
			   "+4799000005,ingress");
	config = expect_config(SERVICES
			       "registrations: [ { file: numbers.csv, route_type: loop } ]\n");
	assert_int_equal(config->registration_count, 5);
	assert_int_equal(config->registrations[0].route_type, ROUTE_TYPE_LOOP);
	assert_int_equal(config->registrations[0].line, 2);
	assert_int_equal(config->registrations[1].route_type, ROUTE_TYPE_FORK);
	assert_int_equal(config->registrations[1].service, 1);
	assert_int_equal(config->registrations[2].route_type, ROUTE_TYPE_LOOP);
	assert_int_equal(config->registrations[2].service, 2);
	assert_int_equal(config->registrations[3].route_type, ROUTE_TYPE_LOOP_MT);
	assert_int_equal(config->registrations[3].service, 0);
	assert_int_equal(config->registrations[4].route_type, ROUTE_TYPE_INGRESS);
	assert_int_equal(config->registrations[4].line, 7);
	config_destroy(config);
	put("numbers.csv", "+4799000001\n+4799000004,loop_mt,\n");
	config = expect_config(SERVICES
			       "registrations: [ { file: numbers.csv, route_type: fallback, "
			       "service: office } ]\n");
	assert_int_equal(config->registrations[0].route_type, ROUTE_TYPE_FALLBACK);
	assert_int_equal(config->registrations[1].service, 1); /* the group's */
	config_destroy(config);
}

static void mistakes_in_a_csv_file_are_placed_in_it(void **state)
{
	static const char nul[] = "+4799000001,loop\n+47990\00000,loop\n";

	(void)state;
	put("numbers.csv", "4799000001\n"
			   "+4799000002\n"
			   "+4799000003,lop\n"
			   "+4799000004, loop, ofice\n"
			   "+4799000005,fork\n"
			   "+4799000006,loop,plain,,x\n"
			   ",loop\n");
	expect(SERVICES "registrations: [ { file: numbers.csv } ]\n",
	       "numbers.csv:1:1: error: the number `47***01` does not begin with + and the country "
	       "code. Write it in E.164 form, such as +4799000001\n"
	       "numbers.csv:2:12: error: no route type: write it in the second column, or as "
	       "`route_type` beside `file` for all lines\n"
	       "numbers.csv:3:13: error: `route_type`: `lop` is not known here. Did you mean "
	       "`loop`?\n"
	       "numbers.csv:4:20: error: no service is called `ofice`. Did you mean `office`?\n"
	       "numbers.csv:5:13: error: `service` is missing: a fork call goes to a PBX. Name a "
	       "service whose rules dial a trunk or answer\n"
	       "numbers.csv:6:25: error: a fifth column. Write number, route_type, service and "
	       "tenant only\n"
	       "numbers.csv:7:1: error: the number `` does not begin with + and the country code. "
	       "Write it in E.164 form, such as +4799000001\n");
	put_bytes("numbers.csv", nul, sizeof(nul) - 1);
	expect(SERVICES "registrations: [ { file: numbers.csv } ]\n",
	       "numbers.csv:2:1: error: a NUL character. Save the file as text\n");
}

static void a_csv_file_that_cannot_be_read_is_named(void **state)
{
	char path[160];

	(void)state;
	expect(BASE "registrations: [ { file: none.csv, route_type: loop } ]\n",
	       ERROR(5, 26,
		     "cannot read none.csv: No such file or directory. Check path and "
		     "permissions"));
	(void)snprintf(path, sizeof(path), "%s/pipe.csv", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect(BASE "registrations: [ { file: pipe.csv, route_type: loop } ]\n",
	       ERROR(5, 26, "pipe.csv is not a file. Name a CSV file"));
}

static void a_million_numbers_load(void **state)
{
	struct str csv = { 0 };
	struct config *config;

	(void)state;
	for (unsigned i = 0; i < 1000000; i++)
		str_addf(&csv, "+47%08u\n", (unsigned)(i * 7919ull % 1000000u));
	put("numbers.csv", csv.text);
	str_done(&csv);
	config = expect_config(BASE "registrations: [ { file: numbers.csv, route_type: loop } ]\n");
	assert_int_equal(config->registration_count, 1000000);
	assert_non_null(config_find_number(config, "+4700999999"));
	assert_null(config_find_number(config, "+4701000000"));
	config_destroy(config);
}

static void too_many_numbers_are_refused_once(void **state)
{
	struct str csv = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2000003; i++)
		str_addf(&csv, "+47%08u\n", i);
	put("numbers.csv", csv.text);
	str_done(&csv);
	expect(BASE "registrations: [ { file: numbers.csv, route_type: loop } ]\n",
	       "numbers.csv:2000001:1: error: more than 2000000 registrations. Use another node "
	       "for "
	       "the rest\n");
}

static void consents_are_a_template(void **state)
{
	struct config *config = expect_config(
		SERVICES "registrations:\n"
			 "  - { number: +4799000001, route_type: loop }\n"
			 "  - consents: { route_type: fork, service: office, list_every: 1h }\n");

	(void)state;
	assert_int_equal(config->registration_count, 1);
	assert_non_null(config->consents);
	assert_int_equal(config->consents->route_type, ROUTE_TYPE_FORK);
	assert_string_equal(config->services[config->consents->service].name, "office");
	assert_string_equal(config->consents->queue, "breakout");
	assert_int_equal(config->consents->max_in_flight, 50);
	assert_int_equal(config->consents->list_every_s, 3600);
	assert_int_equal(config->consents->withdraw_at_most, 20);
	assert_int_equal(config->consents->keep_days, 365);
	config_destroy(config);
	config = expect_config(BASE);
	assert_null(config->consents);
	config_destroy(config);
}

static void wrong_consents_are_said(void **state)
{
	(void)state;
	expect(SERVICES "registrations:\n"
			"  - consents: { route_typ: loop }\n"
			"  - { consents: { route_type: loop }, number: +4799000001 }\n",
	       ERROR(8, 15,
		     "`registrations[].consents.route_type` is missing: loop, fork, fallback, "
		     "loop_mo, loop_mt or ingress")
		       ERROR(8, 17,
			     "unknown key `route_typ` in `registrations[].consents`. Did you mean "
			     "`route_type`?")
			       ERROR(9, 5,
				     "`consents` stand alone: what else is here would hold for no "
				     "number. Write it inside `consents`, or in a group of its own")
				       ERROR(9, 17,
					     "`consents` stand here a second time, first in line "
					     "8. Each number has one route type: remove one"));
	expect(SERVICES "registrations:\n"
			"  - consents: { route_type: fallback, max_in_flight: 201 }\n",
	       ERROR(8, 15,
		     "`service` is missing: a fallback call goes to a PBX. Name a service whose "
		     "rules dial a trunk or answer")
		       ERROR(8, 54,
			     "`registrations[].consents.max_in_flight`: `201` is out of range. "
			     "Write 1 to 200"));
	expect(SERVICES "registrations:\n"
			"  - consents: { route_type: loop, service: ofice }\n",
	       ERROR(8, 44, "no service is called `ofice`. Did you mean `office`?"));
}

static void route_types_have_their_names(void **state)
{
	enum route_type type;

	(void)state;
	for (int i = ROUTE_TYPE_LOOP; i < ROUTE_TYPE_COUNT; i++) {
		assert_int_equal(route_type_parse(route_type_name((enum route_type)i), &type), 0);
		assert_int_equal(type, i);
	}
	assert_string_equal(route_type_name(ROUTE_TYPE_LOOP_MO), "loop_mo");
	assert_string_equal(route_type_name((enum route_type)77), "unknown");
	assert_int_equal(route_type_parse("none", &type), -EINVAL);
	assert_int_equal(route_type_parse("", &type), -EINVAL);
}

static void a_file_can_be_looked_at_in_the_place_of_another(void **state)
{
	char path[160], one[160], other[160];
	struct config_swap swap = { .path = one, .from = other, .name = "new.csv" };
	struct config_sources sources = { .path = path, .swap = &swap };
	struct config *config = NULL;
	struct str errors = { 0 };

	(void)state;
	put("one.csv", "+4799000001\n");
	put("two.csv", "+4799000002\n");
	put("other.csv", "+4799000003\n+4799000002,loop\n");
	put("breakout.yaml", BASE "registrations:\n"
				  "  - { file: one.csv, route_type: loop }\n"
				  "  - { file: two.csv, route_type: loop }\n");
	(void)snprintf(path, sizeof(path), "%s/breakout.yaml", folder);
	(void)snprintf(one, sizeof(one), "%s/one.csv", folder);
	(void)snprintf(other, sizeof(other), "%s/other.csv", folder);
	assert_int_equal(config_load_from(&sources, &config, &errors), -EINVAL);
	assert_non_null(strstr(errors.text, ":1:1: error: the number +4799***02 is registered "
					    "already at new.csv:2:1. Remove one"));
	str_done(&errors);
	put("other.csv", "+4799000003\n");
	assert_int_equal(config_load_from(&sources, &config, &errors), 0);
	assert_int_equal(config->registration_file_count, 2);
	assert_string_equal(config->registration_files[0], one);
	assert_null(config_find_number(config, "+4799000001"));
	assert_non_null(config_find_number(config, "+4799000002"));
	assert_non_null(config_find_number(config, "+4799000003"));
	config = config_destroy(config);
	swap.path = NULL;
	assert_int_equal(config_load_from(&sources, &config, &errors), -EINVAL);
	str_done(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(numbers_are_sorted_and_found),
		IN_FOLDER(a_wrong_number_says_why),
		IN_FOLDER(a_number_given_twice_names_the_first),
		IN_FOLDER(a_service_must_exist_and_suit_the_route),
		IN_FOLDER(a_group_needs_numbers_and_a_route),
		IN_FOLDER(a_csv_file_gives_numbers_and_their_own_columns),
		IN_FOLDER(mistakes_in_a_csv_file_are_placed_in_it),
		IN_FOLDER(a_csv_file_that_cannot_be_read_is_named),
		IN_FOLDER(a_file_can_be_looked_at_in_the_place_of_another),
		IN_FOLDER(a_million_numbers_load),
		IN_FOLDER(too_many_numbers_are_refused_once),
		IN_FOLDER(consents_are_a_template),
		IN_FOLDER(wrong_consents_are_said),
		cmocka_unit_test(route_types_have_their_names),
	};
	return cmocka_run_group_tests_name("registration", tests, NULL, NULL);
}
