/* SPDX-License-Identifier: Apache-2.0 */
/* test_identity.c - who is believed, and that a hidden caller is nobody. */
#include "tests/fake/service_rig.h"
#include "tas/service/identity.h"

#define CALLER "+4799000001"

static enum identity_header all_headers[] = { IDENTITY_ASSERTED, IDENTITY_PREFERRED,
					      IDENTITY_REMOTE_PARTY };
static char *generous[] = { TEXT("X-Account"),    TEXT("Subject"),      TEXT("Call-Info"),
			    TEXT("Organization"), TEXT("Reply-To"),     TEXT("Referred-By"),
			    TEXT("User-Agent"),   TEXT("Warning"),      TEXT("Session-ID"),
			    TEXT("Identity"),     TEXT("X-Note"),       TEXT("P-Asserted-Identity"),
			    TEXT("Diversion"),    TEXT("History-Info"), TEXT("Remote-Party-ID"),
			    TEXT("Contact"),      TEXT("Priority") };

/* The trunk with an identity; the rig's own trunks stay as they are. */
static struct config_trunk trunk(struct service_rig *rig, struct config_identity identity)
{
	struct config_trunk changed = rig_trunks[0];

	(void)rig;
	changed.identity = identity;
	changed.allow_headers = generous;
	changed.allow_header_count = ARRAY_SIZE(generous);
	return changed;
}

/* The first step of a call to or from a trunk of this identity. */
static const struct call_step *decide(struct service_rig *rig, struct config_identity identity,
				      bool from_trunk, const char *request_user,
				      const char *from_user)
{
	static struct config_trunk trunks[2];

	trunks[0] = trunk(rig, identity);
	trunks[1] = rig_trunks[1];
	rig->config.trunks = trunks;
	rig->info.peer = from_trunk ? 1 : 0;
	return &rig_decide(rig, request_user, from_user)->steps[0];
}

static const struct call_step *to_trunk(struct service_rig *rig, struct config_identity identity)
{
	return decide(rig, identity, false, "+004712345678", CALLER);
}

static const char *found(const struct call_step *step, const char *name)
{
	return sip_headers_find(&step->headers, name);
}

static void a_trunk_is_told_who_calls_in_the_headers_it_wants(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;

	rig_header(rig, "P-Asserted-Identity",
		   "\"Ada \\\"L\\\"\" <sip:+4799000001@core>, <tel:+4799000001>");
	step = to_trunk(rig, (struct config_identity){ .send = all_headers, .send_count = 3 });
	assert_string_equal(step->from_uri, "sip:+4799000001@tas.example.com");
	assert_string_equal(step->from_display, "Ada \"L\"");
	assert_string_equal(found(step, "P-Asserted-Identity"),
			    "\"Ada \\\"L\\\"\" <sip:+4799000001@tas.example.com>");
	assert_string_equal(found(step, "P-Preferred-Identity"),
			    "\"Ada \\\"L\\\"\" <sip:+4799000001@tas.example.com>");
	assert_string_equal(found(step, "Remote-Party-ID"),
			    "\"Ada \\\"L\\\"\" <sip:+4799000001@tas.example.com>"
			    ";party=calling;screen=yes;privacy=off");
	assert_null(found(step, "Privacy"));
}

static void what_nobody_asserted_is_not_asserted(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step =
		to_trunk(rig, (struct config_identity){ .send = all_headers, .send_count = 3 });

	assert_null(found(step, "P-Asserted-Identity"));
	assert_string_equal(
		found(step, "Remote-Party-ID"),
		"<sip:+4799000001@tas.example.com>;party=calling;screen=no;privacy=off");
}

static void a_trusted_trunk_learns_who_hides_and_that_it_hides(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;

	rig_header(rig, "P-Asserted-Identity", "<sip:+4799000001@core>");
	rig_header(rig, "Privacy", "id;critical");
	step = to_trunk(rig, (struct config_identity){
				     .trust = true, .send = all_headers, .send_count = 3 });
	assert_string_equal(step->from_uri, "sip:anonymous@anonymous.invalid");
	assert_string_equal(found(step, "P-Asserted-Identity"),
			    "<sip:+4799000001@tas.example.com>");
	assert_non_null(strstr(found(step, "Remote-Party-ID"), ";privacy=full"));
	assert_string_equal(found(step, "Privacy"), "id;critical");
}

static void an_anonymous_from_hides_too(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;
	struct config_identity identity = { .send = all_headers, .send_count = 3 };

	rig_header(rig, "P-Asserted-Identity", "<sip:+4799000001@core>");
	rig->info.asserted_user = CALLER;
	step = decide(rig, identity, false, "+004712345678", "Anonymous");
	assert_string_equal(step->from_uri, "sip:anonymous@anonymous.invalid");
	assert_null(found(step, "P-Asserted-Identity"));
	identity.trust = true;
	step = decide(rig, identity, false, "+004712345678", "anonymous");
	assert_non_null(found(step, "P-Asserted-Identity"));
	assert_string_equal(found(step, "Privacy"), "id");
}

static void numbers_are_written_as_the_trunk_wants_them(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;

	rig_header(rig, "P-Asserted-Identity", "<sip:+4799000001;verstat=x@core>");
	rig_header(rig, "Diversion", "<sip:+4799000002@10.1.2.3>;reason=user-busy");
	step = to_trunk(rig, (struct config_identity){ .send = all_headers,
						       .send_count = 1,
						       .diversion = DIVERSION_FORM_DIVERSION,
						       .number_format = NUMBER_NATIONAL,
						       .country_code = TEXT("47") });
	assert_string_equal(step->request_uri, "sip:12345678@192.0.2.10:5060;transport=tcp");
	assert_string_equal(step->to_uri, "sip:12345678@192.0.2.10:5060;transport=tcp");
	assert_string_equal(step->from_uri, "sip:99000001@tas.example.com");
	assert_string_equal(found(step, "P-Asserted-Identity"), "<sip:99000001@tas.example.com>");
	assert_string_equal(found(step, "Diversion"), "<sip:99000002@tas.example.com>"
						      ";reason=user-busy;counter=1;privacy=off");
}

static void diversions_are_told_in_the_form_the_trunk_knows(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;

	rig_header(rig, "History-Info", "<sip:+4799000002@10.1.2.3>;index=1");
	rig_header(rig, "History-Info", "<sip:+4712345678@10.1.2.3;cause=408>;index=1.1");
	step = to_trunk(rig, (struct config_identity){ .diversion = DIVERSION_FORM_DIVERSION |
								    DIVERSION_FORM_HISTORY });
	assert_string_equal(found(step, "Diversion"), "<sip:+4799000002@tas.example.com>"
						      ";reason=no-answer;counter=1;privacy=off");
	assert_string_equal(found(step, "History-Info"),
			    "<sip:+4799000002@tas.example.com>;index=1");
	assert_string_equal(step->headers.items[step->headers.count - 1].value,
			    "<sip:+4712345678@192.0.2.10:5060;cause=408>;index=1.1;mp=1");
	assert_null(found(to_trunk(rig, (struct config_identity){ 0 }), "Diversion"));
}

static void a_diversion_that_is_hidden_keeps_its_reason(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;
	struct config_identity identity = { .diversion = DIVERSION_FORM_DIVERSION };

	rig_header(rig, "Diversion",
		   "\"Bob\" <sip:+4799000002@h>;reason=user-busy;privacy=full;counter=2");
	step = to_trunk(rig, identity);
	assert_string_equal(found(step, "Diversion"), "<sip:anonymous@anonymous.invalid>"
						      ";reason=user-busy;counter=2;privacy=full");
	identity.trust = true;
	step = to_trunk(rig, identity);
	assert_string_equal(found(step, "Diversion"), "\"Bob\" <sip:+4799000002@tas.example.com>"
						      ";reason=user-busy;counter=2;privacy=full");
}

static void privacy_that_cannot_be_given_is_left_to_the_core(void **state)
{
	struct service_rig *rig = *state;

	rig_header(rig, "Privacy", "x-quantum;critical");
	assert_string_equal(to_trunk(rig, (struct config_identity){ 0 })->label, "loop");
	assert_string_equal(to_trunk(rig, (struct config_identity){ .trust = true })->label,
			    "dial pbx");
}

static void a_trunk_that_is_not_trusted_may_not_assert(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;

	rig_header(rig, "P-Asserted-Identity", "<sip:+4711111111@pbx>");
	rig_header(rig, "Remote-Party-ID", "<sip:+4711111111@pbx>");
	rig_header(rig, "Diversion", "<sip:+4711111111@pbx>");
	rig_header(rig, "Privacy", "id");
	step = decide(rig, (struct config_identity){ .send = all_headers, .send_count = 3 }, true,
		      "+4799000005", "+4722222222");
	assert_string_equal(step->from_uri, "sips:+4722222222@tas.example.com");
	assert_int_equal(step->headers.count, 1);
	assert_string_equal(found(step, "Privacy"), "id");
}

static void a_trusted_trunk_is_believed_and_its_numbers_read(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;

	rig_header(rig, "Remote-Party-ID", "<sip:200@pbx>;party=called");
	rig_header(rig, "Remote-Party-ID", "<sip:300@pbx>;screen=no");
	rig_header(rig, "Remote-Party-ID",
		   "\"Bo\" <sip:0812345678@pbx>;party=calling;screen=yes;privacy=full");
	rig_header(rig, "Diversion", "<sip:0899999999@pbx>;reason=away");
	step = decide(rig,
		      (struct config_identity){ .trust = true,
						.number_format = NUMBER_NATIONAL,
						.country_code = TEXT("46"),
						.national_prefix = TEXT("0") },
		      true, "004799000005", "200");
	assert_string_equal(step->request_uri, "sips:+4799000005@sbc.core.example.net:5061");
	assert_string_equal(step->from_uri, "sips:+46812345678@tas.example.com");
	assert_string_equal(found(step, "P-Asserted-Identity"),
			    "\"Bo\" <sip:+46812345678@tas.example.com>");
	assert_string_equal(found(step, "Privacy"), "id");
	assert_string_equal(found(step, "Diversion"), "<sip:+46899999999@tas.example.com>"
						      ";reason=away;counter=1;privacy=off");
	assert_non_null(found(step, "History-Info"));
}

static void the_order_of_belief_is_the_operators(void **state)
{
	static enum identity_header preferred[] = { IDENTITY_PREFERRED, IDENTITY_FROM };
	struct service_rig *rig = *state;
	const struct config_identity identity = { .caller_from = preferred,
						  .caller_from_count = 2 };

	assert_string_equal(decide(rig, identity, true, "+4799000005", "200")->from_uri,
			    "sips:200@tas.example.com");
	rig_header(rig, "P-Preferred-Identity", "<tel:+4733333333>");
	assert_string_equal(decide(rig, identity, true, "+4799000005", "200")->from_uri,
			    "sips:+4733333333@tas.example.com");
}

static void the_core_is_told_as_its_identity_says(void **state)
{
	static enum identity_header claimed[] = { IDENTITY_PREFERRED, IDENTITY_REMOTE_PARTY };
	static char *allowed[] = { TEXT("X-Account"), TEXT("Privacy") };
	struct service_rig *rig = *state;
	struct config_sbc *core = &rig->config.core.sbc;
	const struct call_step *step;

	core->identity = (struct config_identity){ .trust = true,
						   .send = claimed,
						   .send_count = 2,
						   .diversion = DIVERSION_FORM_DIVERSION,
						   .number_format = NUMBER_E164_NO_PLUS };
	core->allow_headers = allowed;
	core->allow_header_count = 2;
	rig_header(rig, "X-Account", "7");
	rig_header(rig, "X-Other", "8");
	rig_header(rig, "Diversion", "<sip:+46899999999@pbx>;reason=away");
	step = decide(rig, (struct config_identity){ 0 }, true, "+4799000005", "+4722222222");
	assert_string_equal(step->request_uri, "sips:4799000005@sbc.core.example.net:5061");
	assert_string_equal(step->from_uri, "sips:4722222222@tas.example.com");
	assert_string_equal(found(step, "P-Preferred-Identity"),
			    "<sip:4722222222@tas.example.com>");
	assert_non_null(strstr(found(step, "Remote-Party-ID"), "screen=no;privacy=off"));
	assert_null(found(step, "P-Asserted-Identity"));
	assert_string_equal(found(step, "X-Account"), "7");
	assert_null(found(step, "X-Other"));
	assert_null(found(step, "Diversion")); /* the trunk is not trusted */
	step = decide(rig, (struct config_identity){ .trust = true }, true, "+4799000005",
		      "+4722222222");
	assert_non_null(found(step, "Diversion"));
	assert_null(found(step, "History-Info"));
}

static void a_core_that_is_not_trusted_learns_of_nobody_who_hides(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;

	rig->config.core.sbc.identity.trust = false;
	rig_header(rig, "Privacy", "id");
	rig_header(rig, "P-Asserted-Identity", "<sip:+4711111111@pbx>");
	step = decide(rig, (struct config_identity){ .trust = true }, true, "+4799000005",
		      "+4722222222");
	assert_string_equal(step->from_uri, "sip:anonymous@anonymous.invalid");
	assert_null(found(step, "P-Asserted-Identity"));
	/* Nor is it believed what it asserts: the trunk is told From. */
	step = decide(rig, (struct config_identity){ .trust = true }, false, "+004712345678",
		      CALLER);
	assert_null(strstr(step->from_uri, "4711111111"));
}

static void a_loop_is_as_it_came_whatever_the_identity_says(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;

	rig->config.core.sbc.identity =
		(struct config_identity){ .number_format = NUMBER_E164_NO_PLUS };
	rig_header(rig, "P-Asserted-Identity", "<sip:+4711111111@core>");
	rig_header(rig, "Diversion", "<sip:+4722222222@core>");
	step = &rig_decide(rig, "+004712345678", "+4790000009")->steps[0];
	assert_string_equal(step->label, "loop");
	assert_non_null(strstr(step->request_uri, "sips:+4712345678@"));
	assert_non_null(strstr(step->from_uri, "+4790000009"));
	assert_string_equal(found(step, "P-Asserted-Identity"), "<sip:+4711111111@core>");
	assert_string_equal(found(step, "Diversion"), "<sip:+4722222222@core>");
	assert_null(found(step, "History-Info"));
}

static void responses_tell_as_much_as_trust_allows(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step = to_trunk(rig, (struct config_identity){ 0 });

	assert_int_equal(step->tell_count, 2); /* Reason, Warning */
	step = to_trunk(rig, (struct config_identity){ .trust = true });
	assert_string_equal(step->tell_headers[2], "P-Asserted-Identity");
	step = decide(rig, (struct config_identity){ 0 }, true, "+4799000005", "200");
	assert_int_equal(step->tell_count, 1); /* Warning names a host of the core */
	assert_string_equal(step->tell_headers[0], "Reason");
}

/* ---- nothing leaks: T23 ---- */

/* Ways to say "+4799000001" and "Ada Lovelace" that a peer could read. */
static const char *const said[] = {
	"+4799000001",     "99000001",        "0047 990 00 001", "47-9900-0001",
	"sip:+4799000001", "%2B4799000001",   "Ada Lovelace",    "ADA LOVELACE",
	"(47)99.000.001",  "tel:+4799000001", "\"+4799000001\"", "0099000001",
};

static const char *const carriers[] = {
	"X-Account",
	"Subject",
	"Call-Info",
	"Organization",
	"Reply-To",
	"Referred-By",
	"User-Agent",
	"Warning",
	"Session-ID",
	"Identity",
	"X-Note",
	"Diversion",
	"P-Asserted-Identity",
	"History-Info",
	"Remote-Party-ID",
	"Contact",
	"Priority",
	"P-Preferred-Identity",
	"X-Secret",
	"s",
	"m",
	"b",
	"f",
};

static void add_random_header(struct sip_headers *headers)
{
	static const char *const forms[][2] = {
		{ "", "" },
		{ "<", ">" },
		{ "\"", "\" <sip:x@y>" },
		{ "<sip:", "@core>" },
		{ "a;b=", "" },
		{ "x, ", ", y" },
		{ "<sip:", "@h>;index=1" },
		{ "<sip:x@h;cause=302>;index=1.1;y=\"", "\"" },
	};
	static const char *const ends[] = { "", " ", "\t" };
	const char *const *form = forms[rand() % (int)ARRAY_SIZE(forms)];
	char name[64], value[256];

	snprintf(name, sizeof(name), "%s%s", carriers[rand() % (int)ARRAY_SIZE(carriers)],
		 ends[rand() % 3]);
	snprintf(value, sizeof(value), "%s%s%s", form[0], said[rand() % (int)ARRAY_SIZE(said)],
		 form[1]);
	for (char *at = name; *at; at++)
		if (rand() % 4 == 0 && *at >= 'a' && *at <= 'z')
			*at = (char)(*at - 'a' + 'A');
	if (rand() % 3 == 0) { /* folded */
		size_t length = strlen(value), at = (size_t)rand() % (length + 1);

		memmove(value + at + 3, value + at, length - at + 1);
		memcpy(value + at, "\r\n ", 3);
	}
	if (sip_headers_add_raw(headers, name, strlen(name), value, strlen(value)) < 0)
		return; /* refused is as good as harmless */
}

static bool reveals_caller(const char *text)
{
	char digits[600];
	size_t used = 0;

	for (const char *at = text; *at && used < sizeof(digits) - 1; at++)
		if (*at >= '0' && *at <= '9')
			digits[used++] = *at;
	digits[used] = '\0';
	return strstr(digits, "99000001") || strcasestr(text, "lovelace");
}

static void a_hidden_caller_is_nobody_in_every_header(void **state)
{
	static const char *const wishes[] = { "id",          "user",           "header",
					      "id;critical", "header;user;id", "none;id" };
	struct service_rig *rig = *state;
	struct config_identity identity = { .send = all_headers,
					    .send_count = 3,
					    .diversion = DIVERSION_FORM_DIVERSION |
							 DIVERSION_FORM_HISTORY };
	unsigned crossed = 0;

	srand(3323);
	rig->info.from_display = "Ada Lovelace";
	for (int round = 0; round < 20000; round++) {
		const struct call_step *step;

		sip_headers_done(&rig->headers);
		rig_header(rig, "Privacy", wishes[rand() % (int)ARRAY_SIZE(wishes)]);
		for (int n = rand() % 10; n >= 0; n--)
			add_random_header(&rig->headers);
		rig_header(rig, "X-Note", "harmless 1234567");
		identity.number_format = (enum number_format)(rand() % 4);
		identity.country_code = TEXT("47");
		step = to_trunk(rig, identity);
		assert_string_equal(step->label, "dial pbx");
		assert_string_equal(step->from_uri, "sip:anonymous@anonymous.invalid");
		assert_string_equal(step->from_display, "Anonymous");
		for (size_t i = 0; i < step->headers.count; i++) {
			const struct sip_header *item = &step->headers.items[i];

			if (reveals_caller(item->value) || str_equal_nocase(item->name, "X-Secret"))
				fail_msg("%s: %s", item->name, item->value);
			crossed += strcmp(item->value, "harmless 1234567") == 0;
		}
	}
	assert_int_equal(crossed, 20000); /* what hides nothing is not lost */
}

static void nothing_unlisted_crosses_to_a_trunk(void **state)
{
	static char *one[] = { TEXT("X-Account") };
	struct service_rig *rig = *state;
	struct config_trunk changed = rig_trunks[0], *trunks = &changed;

	srand(23);
	changed.allow_headers = one;
	changed.allow_header_count = 1;
	rig->config.trunks = trunks;
	rig->config.trunk_count = 1;
	for (int round = 0; round < 20000; round++) {
		const struct call_step *step;

		sip_headers_done(&rig->headers);
		for (int n = rand() % 10; n >= 0; n--)
			add_random_header(&rig->headers);
		step = &rig_decide(rig, "+004712345678", CALLER)->steps[0];
		for (size_t i = 0; i < step->headers.count; i++)
			assert_true(str_equal_nocase(step->headers.items[i].name, "X-Account"));
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_trunk_is_told_who_calls_in_the_headers_it_wants),
		T(what_nobody_asserted_is_not_asserted),
		T(a_trusted_trunk_learns_who_hides_and_that_it_hides),
		T(an_anonymous_from_hides_too),
		T(numbers_are_written_as_the_trunk_wants_them),
		T(diversions_are_told_in_the_form_the_trunk_knows),
		T(a_diversion_that_is_hidden_keeps_its_reason),
		T(privacy_that_cannot_be_given_is_left_to_the_core),
		T(a_trunk_that_is_not_trusted_may_not_assert),
		T(a_trusted_trunk_is_believed_and_its_numbers_read),
		T(the_order_of_belief_is_the_operators),
		T(the_core_is_told_as_its_identity_says),
		T(a_core_that_is_not_trusted_learns_of_nobody_who_hides),
		T(a_loop_is_as_it_came_whatever_the_identity_says),
		T(responses_tell_as_much_as_trust_allows),
		T(a_hidden_caller_is_nobody_in_every_header),
		T(nothing_unlisted_crosses_to_a_trunk),
	};

	return cmocka_run_group_tests_name("tas/service/identity", tests, NULL, NULL);
}
