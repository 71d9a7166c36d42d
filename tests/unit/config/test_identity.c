/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define TRUNK(rest) BASE "trunks: [ { name: a, uris: sip:pbx, " rest " } ]\n"

static void an_identity_is_read(void **state)
{
	struct config *config = expect_config(TRUNK(
		"identity: { trust: true, caller_from: [remote_party, preferred],\n"
		"  send: [asserted, remote_party], diversion: both, number_format: national,\n"
		"  country_code: \"46\", national_prefix: \"0\", international_prefix: \"009\" }"));
	const struct config_identity *identity = &config->trunks[0].identity;

	(void)state;
	assert_true(identity->trust);
	assert_int_equal(identity->caller_from_count, 2);
	assert_int_equal(identity->caller_from[0], IDENTITY_REMOTE_PARTY);
	assert_int_equal(identity->caller_from[1], IDENTITY_PREFERRED);
	assert_int_equal(identity->send_count, 2);
	assert_int_equal(identity->send[0], IDENTITY_ASSERTED);
	assert_int_equal(identity->diversion, DIVERSION_FORM_DIVERSION | DIVERSION_FORM_HISTORY);
	assert_int_equal(identity->number_format, NUMBER_NATIONAL);
	assert_string_equal(identity->country_code, "46");
	assert_string_equal(identity->national_prefix, "0");
	assert_string_equal(identity->international_prefix, "009");
	config_destroy(config);
}

static void without_one_a_trunk_is_told_little_and_not_believed(void **state)
{
	static const char *const texts[] = { TRUNK("media: rtp"), TRUNK("identity: {}") };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct config *config = expect_config(texts[i]);
		const struct config_identity *identity = &config->trunks[0].identity;

		assert_false(identity->trust);
		assert_int_equal(identity->send_count, 0);
		assert_int_equal(identity->diversion, 0);
		assert_int_equal(identity->number_format, NUMBER_E164);
		config_destroy(config);
	}
}

static void the_core_is_trusted_unless_it_says_otherwise(void **state)
{
	struct config *config = expect_config(BASE);
	const struct config_identity *identity = &config->core.sbc.identity;

	(void)state;
	assert_true(identity->trust);
	assert_int_equal(identity->diversion, DIVERSION_FORM_DIVERSION | DIVERSION_FORM_HISTORY);
	assert_int_equal(identity->number_format, NUMBER_E164);
	assert_int_equal(identity->send_count, 1);
	assert_int_equal(identity->send[0], IDENTITY_ASSERTED);
	config_destroy(config);
}

static void mistakes_of_an_identity_are_found(void **state)
{
	(void)state;
	expect(TRUNK("identity: { send: [pai], diversion: history }"),
	       ERROR(5, 56,
		     "`trunks[].identity.send`: `pai` is not known here. Known: asserted, "
		     "preferred, remote_party, from")
		       ERROR(5, 73,
			     "`trunks[].identity.diversion`: `history` is not known here. "
			     "Known: none, diversion, history_info, both"));
	expect(TRUNK("identity: { number_format: national }"),
	       ERROR(5, 64,
		     "`trunks[].identity.number_format` `national` needs `country_code`. "
		     "Write it, such as country_code: \"47\""));
	expect(TRUNK("identity: { country_code: \"+47\" }"),
	       ERROR(5, 63,
		     "`trunks[].identity.country_code`: `+47` is not made of digits. Write "
		     "digits only, in quotes"));
	expect(TRUNK("identity: trusted"),
	       ERROR(5, 47,
		     "`trunks[].identity` must be a mapping, not a single value. Write its "
		     "keys indented below it"));
}

static void identity_headers_are_not_for_the_list_of_others(void **state)
{
	(void)state;
	expect(TRUNK("allow_headers: [X-A, p-asserted-identity]"),
	       ERROR(5, 58,
		     "`trunks[].allow_headers`: `P-Asserted-Identity` says who calls, and "
		     "`identity` keeps hidden callers hidden. Write identity: { send: "
		     "asserted }"));
	expect(TRUNK("allow_headers: Diversion"),
	       ERROR(5, 52,
		     "`trunks[].allow_headers`: `Diversion` says who calls, and `identity` "
		     "keeps hidden callers hidden. Write identity: { diversion: diversion }"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(an_identity_is_read),
		IN_FOLDER(without_one_a_trunk_is_told_little_and_not_believed),
		IN_FOLDER(the_core_is_trusted_unless_it_says_otherwise),
		IN_FOLDER(mistakes_of_an_identity_are_found),
		IN_FOLDER(identity_headers_are_not_for_the_list_of_others),
	};
	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
