/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define SERVICES                                                                                   \
	"trunks: [ { name: pbx, uris: [\"sips:192.0.2.10\"] } ]\n"                                 \
	"services: { desk: [ { do: { dial: pbx } } ], quiet: [ { do: { reject: 603 } } ] }\n"      \
	"registrations:\n"                                                                         \
	"  - { number: \"+4799000001\", route_type: loop }\n"                                      \
	"  - { file: numbers.csv, route_type: loop }\n"

static struct config *make(void)
{
	put("numbers.csv", "# ours\n+4799000002\n");
	return expect_config(BASE SERVICES);
}

static void expect_wish(const struct config *config, struct config_wish wish, const char *sentence)
{
	struct config_registration registration;
	struct str error = { 0 };

	assert_int_equal(config_check_number(config, &wish, &registration, &error), -EINVAL);
	assert_string_equal(error.text, sentence);
	str_done(&error);
}

static void a_number_from_elsewhere_obeys_the_rules_for_configured_ones(void **state)
{
	struct config *config = make();
	struct config_registration registration;
	struct str error = { 0 };

	(void)state;
	assert_int_equal(config_check_number(config,
					     &(struct config_wish){ .number = "+4799000009",
								    .route_type = "fork",
								    .service = "desk" },
					     &registration, &error),
			 0);
	assert_int_equal(registration.number, 4799000009);
	assert_int_equal(registration.route_type, ROUTE_TYPE_FORK);
	assert_string_equal(config->services[registration.service].name, "desk");
	assert_int_equal(registration.tenant, 0);
	assert_int_equal(error.length, 0);
	expect_wish(config, (struct config_wish){ .number = "+4799000009", .route_type = "lop" },
		    "`route_type`: `lop` is not known here. Did you mean `loop`?");
	expect_wish(config, (struct config_wish){ .number = "4799000009", .route_type = "loop" },
		    "the number `47***09` does not begin with + and the country code. Write it in "
		    "E.164 form, such as +4799000001");
	expect_wish(config, (struct config_wish){ .number = "+4799000009" },
		    "say the route type: loop, fork, fallback, loop_mo, loop_mt or ingress");
	expect_wish(config,
		    (struct config_wish){
			    .number = "+4799000009", .route_type = "loop", .service = "dask" },
		    "no service is called `dask`. Did you mean `desk`?");
	expect_wish(config,
		    (struct config_wish){
			    .number = "+4799000009", .route_type = "loop", .tenant = "acme" },
		    "no tenant is called `acme`. Known: default");
	expect_wish(config,
		    (struct config_wish){
			    .number = "+4799000009", .route_type = "fork", .service = "quiet" },
		    "the service `quiet` never dials a trunk or answers, so a fork call would find "
		    "nobody. Add `do: { dial: TRUNK }` to it");
	expect_wish(config,
		    (struct config_wish){ .number = "+4799000009,loop", .route_type = "loop" },
		    "a number, a route type and names have no comma, # or line end in them");
	config_destroy(config);
}

static void lines_from_elsewhere_are_told_with_their_numbers(void **state)
{
	struct config *config = make();
	struct config_registration *list = NULL;
	struct str errors = { 0 };
	char path[160];
	size_t count = 0;

	(void)state;
	put("new.csv", "+4799000012,loop\n\n# a comment\n+4799000011,fork,desk\n");
	snprintf(path, sizeof(path), "%s/new.csv", folder);
	assert_int_equal(config_read_csv(config, path, "new.csv", &list, &count, &errors), 0);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].number, 4799000011);
	assert_int_equal(list[0].line, 4);
	assert_int_equal(list[1].line, 1);
	free(list);
	put("new.csv", "+4799000012,loop\n+4799000011\n+4799000012,loop\n+479900001x,loop\n");
	assert_int_equal(config_read_csv(config, path, "new.csv", &list, &count, &errors), -EINVAL);
	assert_string_equal(
		errors.text,
		"new.csv:2:12: error: no route type: write it in the second column\n"
		"new.csv:3:1: error: the number +4799***12 is registered already at new.csv:1:1. "
		"Remove one\n"
		"new.csv:4:1: error: the number `+4***1x` has something else than digits after "
		"the +. Write it in E.164 form, such as +4799000001\n");
	str_done(&errors);
	assert_int_equal(
		config_read_csv(config, "/nonexistent", "gone.csv", &list, &count, &errors),
		-EINVAL);
	assert_non_null(strstr(errors.text, "cannot read gone.csv"));
	str_done(&errors);
	assert_int_equal(config->registration_count, 2); /* it was only looked at */
	config_destroy(config);
}

#define PREFIXED BASE "prefixes: { mobile_originating: '22', mobile_terminating: '01' }\n"
#define DOUBTFUL                                                                                   \
	WARNING(5, 13,                                                                             \
		"`prefixes.mobile_originating`: `22` does not begin with 0, so it may be taken "   \
		"for a country code. Agree with the core on one that does")
#define LIKE_22                                                                                    \
	" begins with `22`, which is `prefixes.mobile_originating`: a call to it that comes "      \
	"without a prefix is taken for one to the rest of the number. Agree with the core on a "   \
	"prefix that begins with 0"

#define ACME                                                                                       \
	"tenants: [ { name: acme, api: { target: 'b:1' }, prefixes: { mobile_terminating: '33' "   \
	"} } ]\n"
#define DOUBTFUL_33                                                                                \
	WARNING(6, 62,                                                                             \
		"`tenants[].prefixes.mobile_terminating`: `33` does not begin with 0, so it may "  \
		"be taken for a country code. Agree with the core on one that does")
#define LIKE_33                                                                                    \
	WARNING(8, 15,                                                                             \
		"the number +3390***01 begins with `33`, which is `prefixes.mobile_terminating` "  \
		"of tenant `acme`: a call to it that comes without a prefix is taken for one to "  \
		"the rest of the number. Agree with the core on a prefix that begins with 0")
#define IN_CSV "numbers.csv:2:1: warning: the number +2290***02" LIKE_22 "\n"

static struct config *load_doubtful(const char *yaml)
{
	static char found[4000];
	struct config *config;

	put("breakout.yaml", yaml);
	assert_int_equal(load(false, &config, found, sizeof(found)), 0);
	return config;
}

static void a_number_from_elsewhere_that_begins_like_a_prefix_is_refused(void **state)
{
	struct config *config = load_doubtful(PREFIXED);
	struct config_registration registration, *list = NULL;
	struct str errors = { 0 };
	char path[160];
	size_t count = 0;

	(void)state;
	expect_wish(config, (struct config_wish){ .number = "+2290000001", .route_type = "loop" },
		    "the number +2290***01" LIKE_22 ", or name the number in the configuration");
	put("new.csv", "+4722000001,loop\n+2290000001,loop\n");
	snprintf(path, sizeof(path), "%s/new.csv", folder);
	assert_int_equal(config_read_csv(config, path, "new.csv", &list, &count, &errors), -EINVAL);
	assert_string_equal(errors.text, "new.csv:2:1: error: the number +2290***01" LIKE_22
					 ", or name the number in the configuration\n");
	str_done(&errors);
	/* What is said of any number is no matter of digits. */
	assert_int_equal(config_check_number(config, &(struct config_wish){ .route_type = "loop" },
					     &registration, &errors),
			 0);
	config_destroy(config);
	config = load_doubtful(BASE "prefixes: { mobile_originating: '47' }\n");
	assert_int_equal(config_check_number(config, &(struct config_wish){ .route_type = "loop" },
					     &registration, &errors),
			 0);
	config_destroy(config);
}

static void a_configured_number_that_begins_like_a_prefix_is_warned_of(void **state)
{
	static char found[8000];
	char csv[600] = "";
	struct config *config;

	(void)state;
	put("numbers.csv", "+4799000001,loop\n+2290000002,loop\n");
	expect(PREFIXED ACME "registrations:\n"
			     "  - { number: +3390000001, route_type: loop }\n"
			     "  - { file: numbers.csv }\n",
	       DOUBTFUL DOUBTFUL_33 LIKE_33 IN_CSV);
	for (int i = 0; i < 13; i++)
		snprintf(csv + strlen(csv), sizeof(csv) - strlen(csv), "+22900000%02d,loop\n", i);
	put("numbers.csv", csv);
	put("breakout.yaml", PREFIXED "registrations: [ { file: numbers.csv } ]\n");
	assert_int_equal(load(false, &config, found, sizeof(found)), 0);
	assert_non_null(strstr(found, "numbers.csv:10:1: warning: the number +2290***09"));
	assert_null(strstr(found, "numbers.csv:11:1"));
	assert_non_null(strstr(found, "numbers.csv:13:1: warning: 3 more numbers, this the "
				      "last of them, begin with a prefix. Agree with the "
				      "core on one that begins with 0\n"));
	config_destroy(config);
}

static void a_configured_number_knows_its_place(void **state)
{
	struct config *config = make();
	char place[300], wanted[300];

	(void)state;
	config_place(config, config_find_number(config, "+4799000001"), place, sizeof(place));
	snprintf(wanted, sizeof(wanted), "%s/breakout.yaml:8", folder);
	assert_string_equal(place, wanted);
	config_place(config, config_find_number(config, "+4799000002"), place, sizeof(place));
	snprintf(wanted, sizeof(wanted), "%s/numbers.csv:2", folder);
	assert_string_equal(place, wanted);
	config_destroy(config);
}

static void a_configuration_lives_as_long_as_somebody_keeps_it(void **state)
{
	struct config *config = make(), *kept = config_ref(config), nothing;

	(void)state;
	assert_ptr_equal(kept, config);
	config_without_numbers(kept, &nothing);
	assert_int_equal(nothing.references, 0); /* the copy is nobody else's */
	config_destroy(config);
	assert_string_equal(kept->services[1].name, "desk"); /* a sanitizer looks on */
	config_without_numbers(kept, &nothing);
	assert_true(nothing.no_numbers && !nothing.registration_count && !nothing.consents);
	assert_int_equal(kept->registration_count, 2);
	config_destroy(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_number_from_elsewhere_obeys_the_rules_for_configured_ones),
		IN_FOLDER(lines_from_elsewhere_are_told_with_their_numbers),
		IN_FOLDER(a_number_from_elsewhere_that_begins_like_a_prefix_is_refused),
		IN_FOLDER(a_configured_number_that_begins_like_a_prefix_is_warned_of),
		IN_FOLDER(a_configured_number_knows_its_place),
		IN_FOLDER(a_configuration_lives_as_long_as_somebody_keeps_it),
	};

	return cmocka_run_group_tests_name("config/wish", tests, NULL, NULL);
}
