/* SPDX-License-Identifier: Apache-2.0 */
/* test_caller.c - who calls, by the headers of those who are believed. */
#include "tests/fake/service_rig.h"
#include "tas/service/caller.h"

static void privacy_words_are_read_whatever_their_spelling(void **state)
{
	static const struct {
		const char *value;
		bool hides;
	} cases[] = {
		{ "id", true },
		{ "ID", true },
		{ "user;critical", true },
		{ " header , session", true },
		{ "none", false },
		{ "session", false },
		{ "history", false },
		{ "critical", false },
		{ "none;id", true },
		{ "unheard-of", true },
		{ "", false },
		{ "ident", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sip_headers headers = { 0 };
		struct privacy privacy;

		assert_int_equal(sip_headers_add(&headers, "Privacy", cases[i].value), 0);
		privacy = privacy_read(&headers);
		if (privacy_hides(&privacy) != cases[i].hides)
			fail_msg("%s", cases[i].value);
		sip_headers_done(&headers);
	}
}

/* "number display asserted hidden" of what the rig's leg says. */
static void assert_caller(struct service_rig *rig, const struct config_identity *identity,
			  const char *from_user, const char *wanted)
{
	struct caller caller;
	char got[256];

	snprintf(rig->from_uri, sizeof(rig->from_uri), "sip:%s@h", from_user);
	rig->info.from_uri = rig->from_uri;
	rig->info.from_user = from_user;
	assert_int_equal(caller_read(&caller, &rig->info, identity), 0);
	snprintf(got, sizeof(got), "%s|%s|%s%s", caller.number, caller.display,
		 caller.asserted ? "asserted" : "said", caller.hidden ? " hidden" : "");
	assert_string_equal(got, wanted);
	caller_done(&caller);
}

static void the_first_identity_with_a_user_counts(void **state)
{
	static const struct config_identity stranger;
	struct service_rig *rig = *state;

	rig->info.from_display = "From";
	assert_caller(rig, &rig_core_identity, "+4711111111;cpc=x", "+4711111111|From|said");
	assert_caller(rig, &rig_core_identity, "anonymous", "||said hidden");
	rig_header(rig, "Remote-Party-ID", "\"Remote\" <sip:+4722222222@h>;party=calling");
	assert_caller(rig, &rig_core_identity, "+4711111111", "+4722222222|Remote|asserted");
	rig_header(rig, "P-Asserted-Identity", "<sip:h>, nonsense, \"P, A\" <tel:+47-3333-3333>");
	assert_caller(rig, &rig_core_identity, "+4711111111", "+4733333333|P, A|asserted");
	assert_caller(rig, &rig_core_identity, "anonymous", "+4733333333|P, A|asserted hidden");
	assert_caller(rig, &stranger, "+4711111111", "+4711111111|From|said");
}

static void a_remote_party_id_counts_if_it_is_checked_and_of_the_caller(void **state)
{
	struct service_rig *rig = *state;

	rig_header(rig, "Remote-Party-ID", "<sip:1@h>;party=called;privacy=full");
	rig_header(rig, "Remote-Party-ID", "<sip:2@h>;screen=no;privacy=full");
	assert_caller(rig, &rig_core_identity, "3", "3||said");
	rig_header(rig, "Remote-Party-ID", "<sip:4@h>;screen=yes;privacy=uri");
	assert_caller(rig, &rig_core_identity, "3", "4||asserted hidden");
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(privacy_words_are_read_whatever_their_spelling),
		T(the_first_identity_with_a_user_counts),
		T(a_remote_party_id_counts_if_it_is_checked_and_of_the_caller),
	};

	return cmocka_run_group_tests_name("tas/service/caller", tests, NULL, NULL);
}
