/* SPDX-License-Identifier: Apache-2.0 */
/* test_digest.c - the published examples, then client and server against each
 * other and against what a peer should not send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include <errno.h>

#include "base/clock.h"
#include "tas/sip/digest.h"

#define URI "sip:+4722334455@pbx.example.com"

/* ---- the response ---- */

/* RFC 7616 section 3.9.1. */
static struct digest_input mufasa(enum digest_algorithm algorithm)
{
	return (struct digest_input){
		.algorithm = algorithm,
		.username = "Mufasa",
		.realm = "http-auth@example.org",
		.password = "Circle of Life",
		.method = "GET",
		.uri = "/dir/index.html",
		.nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
		.nc = "00000001",
		.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
	};
}

static void responses_are_those_of_rfc_7616(void **state)
{
	struct digest_input input = mufasa(DIGEST_SHA256);
	char hex[DIGEST_HEX_ROOM];

	(void)state;
	assert_int_equal(digest_response(&input, hex), 0);
	assert_string_equal(hex,
			    "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
	input = mufasa(DIGEST_MD5);
	assert_int_equal(digest_response(&input, hex), 0);
	assert_string_equal(hex, "8ca523f5e9506fed4657c9700eebdbec");
}

/* The user name's hash of RFC 7616 section 3.9.2. */
static void sha_512_256_is_that_of_rfc_7616(void **state)
{
	const char *const parts[] = { "J\303\244s\303\270n Doe", "api@example.org" };
	char hex[DIGEST_HEX_ROOM];

	(void)state;
	assert_int_equal(digest_hash(DIGEST_SHA512_256, parts, 2, hex), 0);
	assert_string_equal(hex,
			    "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b");
}

/* RFC 2069 section 2.4 with the response of its errata: no qop. */
static void a_response_without_qop_is_that_of_rfc_2069(void **state)
{
	const struct digest_input input = {
		.algorithm = DIGEST_MD5,
		.username = "Mufasa",
		.realm = "testrealm@host.com",
		.password = "CircleOfLife",
		.method = "GET",
		.uri = "/dir/index.html",
		.nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
	};
	char hex[DIGEST_HEX_ROOM];

	(void)state;
	assert_int_equal(digest_response(&input, hex), 0);
	assert_string_equal(hex, "1949323746fe6a43ef61f9606e7febea");
}

/* ---- the client ---- */

static struct digest_identity *identity(const char *realm, bool md5)
{
	struct digest_identity *made = NULL;

	assert_int_equal(digest_identity_create(&made,
						&(struct digest_identity_options){
							.username = "alice",
							.password = "secret",
							.realm = realm,
							.md5 = md5,
						}),
			 0);
	return made;
}

static int answer(const struct digest_identity *who, struct digest_session *session,
		  const char *const *challenges, size_t count, struct digest_answer *ret_answer)
{
	return digest_answer(who, session, "INVITE", URI, challenges, count, ret_answer);
}

/* The reason why one challenge is not answered. */
static const char *refusal(bool md5, const char *realm, const char *challenge)
{
	struct digest_identity *who = identity(realm, md5);
	struct digest_session session = { 0 };
	struct digest_answer got;

	assert_int_equal(answer(who, &session, &challenge, 1, &got), -EACCES);
	digest_identity_unref(who);
	return got.why;
}

#define MD5_ONLY "Digest realm=\"pbx\", nonce=\"abc\", qop=\"auth\""

static void the_strongest_challenge_is_answered(void **state)
{
	static const char *const challenges[] = {
		"Basic realm=\"pbx\"",
		"Digest realm=\"pbx\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"",
		"digest\trealm=\"pbx\",nonce=\"n2\",algorithm=SHA-256,qop=\"auth,auth-int\","
		"opaque=\"o\\\"q\", charset=UTF-8",
		"Digest realm=\"pbx\", nonce=\"n3\", algorithm=SHA-999, qop=\"auth\"",
	};
	struct digest_identity *who = identity(NULL, true);
	struct digest_session session = { 0 };
	struct digest_answer got;

	(void)state;
	assert_int_equal(answer(who, &session, challenges, 4, &got), 0);
	assert_non_null(strstr(got.text, "Digest username=\"alice\", realm=\"pbx\", nonce=\"n2\", "
					 "uri=\"" URI "\", response=\""));
	assert_non_null(strstr(got.text, ", algorithm=SHA-256, cnonce=\""));
	assert_non_null(strstr(got.text, ", qop=auth, nc=00000001, opaque=\"o\\\"q\""));
	free(got.text);
	digest_identity_unref(who);
}

static void md5_is_answered_only_where_it_is_allowed(void **state)
{
	const char *challenge = MD5_ONLY;
	struct digest_identity *who = identity("pbx", true);
	struct digest_session session = { 0 };
	struct digest_answer got;

	(void)state;
	assert_non_null(strstr(refusal(false, NULL, challenge), "MD5"));
	assert_int_equal(answer(who, &session, &challenge, 1, &got), 0);
	assert_null(strstr(got.text, "algorithm")); /* it named none: RFC 7616 section 3.4 */
	free(got.text);
	digest_identity_unref(who);
}

static void a_pinned_realm_is_the_only_one_answered(void **state)
{
	(void)state;
	assert_non_null(strstr(refusal(true, "other", MD5_ONLY), "another realm"));
	assert_non_null(strstr(refusal(true, "PBX", MD5_ONLY), "another realm"));
}

static void what_is_no_challenge_for_us_gets_no_answer(void **state)
{
	static const struct {
		const char *challenge, *why;
	} rows[] = {
		{ "", "no digest challenge" },
		{ "Digest", "no digest challenge" },
		{ "Digestrealm=\"a\"", "no digest challenge" },
		{ "Digest realm=\"a", "no digest challenge" },
		{ "Digest realm=\"a\" nonce=\"b\"", "no digest challenge" },
		{ "Digest realm=\"a\", realm=\"b\", nonce=\"c\"", "no digest challenge" },
		{ "Digest =\"a\"", "no digest challenge" },
		{ "Digest realm=\"a\\\"", "no digest challenge" },
		{ "Digest realm=\"a\"", "realm or nonce" },
		{ "Digest nonce=\"a\"", "realm or nonce" },
		{ "Digest realm=\"a\", nonce=\"b\", qop=\"auth-int\"", "protection" },
		{ "Digest realm=\"a\", nonce=\"b\", algorithm=MD5-sess", "algorithm" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_non_null(strstr(refusal(true, NULL, rows[i].challenge), rows[i].why));
}

static void a_second_challenge_is_answered_only_if_the_nonce_is_stale(void **state)
{
	const char *first = MD5_ONLY, *again = "Digest realm=\"pbx\", nonce=\"def\", qop=\"auth\"";
	const char *stale = "Digest realm=\"pbx\", nonce=\"def\", qop=\"auth\", stale=TRUE";
	struct digest_identity *who = identity(NULL, true);
	struct digest_session session = { 0 };
	struct digest_answer got;

	(void)state;
	assert_int_equal(answer(who, &session, &first, 1, &got), 0);
	free(got.text);
	assert_int_equal(answer(who, &session, &again, 1, &got), -EACCES);
	assert_string_equal(got.why, "user name or password are refused");
	assert_int_equal(answer(who, &session, &stale, 1, &got), 0);
	assert_non_null(strstr(got.text, "nc=00000001"));
	free(got.text);
	digest_identity_unref(who);
}

static void the_uses_of_one_nonce_are_counted(void **state)
{
	const char *challenge = MD5_ONLY;
	struct digest_identity *who = identity(NULL, true);
	struct digest_session session = { 0 };
	struct digest_answer got;

	(void)state;
	for (int i = 1; i <= 3; i++) {
		char nc[16];

		session.answered = false; /* another request */
		assert_int_equal(answer(who, &session, &challenge, 1, &got), 0);
		(void)snprintf(nc, sizeof(nc), "nc=%08x", i);
		assert_non_null(strstr(got.text, nc));
		free(got.text);
	}
	digest_identity_unref(who);
}

static void an_identity_lives_until_its_last_holder_lets_go(void **state)
{
	struct digest_identity *who = identity(NULL, true);
	struct digest_session session = { 0 };
	const char *challenge = MD5_ONLY;
	struct digest_answer got;

	(void)state;
	assert_ptr_equal(digest_identity_ref(who), who);
	assert_null(digest_identity_unref(who));
	assert_int_equal(answer(who, &session, &challenge, 1, &got), 0);
	free(got.text);
	digest_identity_unref(who);
	assert_null(digest_identity_ref(NULL));
	assert_null(digest_identity_unref(NULL));
}

/* ---- the server ---- */

static struct digest_guard *guard;

static int set_up(void **state)
{
	(void)state;
	clock_fake_set(1000000);
	return digest_guard_create(&guard, 60);
}

static int tear_down(void **state)
{
	(void)state;
	guard = digest_guard_destroy(guard);
	clock_real();
	return 0;
}

/* Challenges, has the client answer, and returns the answer (heap). */
static char *dialogue(bool server_md5, bool client_md5)
{
	const struct digest_challenge challenge = { .realm = "tas",
						    .md5 = server_md5,
						    .source = "192.0.2.1" };
	struct digest_identity *who = identity("tas", client_md5);
	struct digest_session session = { 0 };
	char *values[DIGEST_ALGORITHM_COUNT];
	struct digest_answer got;
	size_t count = digest_challenge(guard, &challenge, values);

	assert_int_equal(count, server_md5 ? 3 : 2);
	assert_int_equal(answer(who, &session, (const char *const *)values, count, &got), 0);
	for (size_t i = 0; i < count; i++)
		free(values[i]);
	digest_identity_unref(who);
	return got.text;
}

static struct digest_check check_of(const char *authorization)
{
	return (struct digest_check){ .authorization = authorization,
				      .realm = "tas",
				      .source = "192.0.2.1",
				      .method = "INVITE",
				      .password = "secret" };
}

static void the_right_password_is_accepted_once(void **state)
{
	char *authorization = dialogue(false, false), name[16];
	struct digest_check check = check_of(authorization);

	(void)state;
	assert_int_equal(digest_username(authorization, "tas", name, sizeof(name)), 0);
	assert_string_equal(name, "alice");
	assert_int_equal(digest_verify(guard, &check), DIGEST_ACCEPTED);
	assert_int_equal(digest_verify(guard, &check), DIGEST_STALE); /* captured, used again */
	free(authorization);
}

static void a_wrong_password_method_or_name_is_refused(void **state)
{
	char *authorization = dialogue(false, false), name[16];
	struct digest_check check = check_of(authorization);

	(void)state;
	check.password = "guess";
	assert_int_equal(digest_verify(guard, &check), DIGEST_REFUSED);
	check.password = NULL;
	assert_int_equal(digest_verify(guard, &check), DIGEST_REFUSED);
	check = check_of(authorization);
	check.method = "REGISTER";
	assert_int_equal(digest_verify(guard, &check), DIGEST_REFUSED);
	check = check_of(authorization);
	check.realm = "other";
	assert_int_equal(digest_verify(guard, &check), DIGEST_REFUSED);
	assert_int_equal(digest_username(authorization, "other", name, sizeof(name)), -EINVAL);
	assert_int_equal(digest_username(authorization, "tas", name, 5), -EINVAL);
	assert_int_equal(digest_username("Basic abc", "tas", name, sizeof(name)), -EINVAL);
	free(authorization);
}

static void a_nonce_is_good_for_its_time_and_its_source_only(void **state)
{
	char *authorization = dialogue(false, false);
	struct digest_check check = check_of(authorization);

	(void)state;
	check.source = "192.0.2.2";
	assert_int_equal(digest_verify(guard, &check), DIGEST_STALE);
	check.source = "192.0.2.1";
	clock_fake_advance(61000);
	assert_int_equal(digest_verify(guard, &check), DIGEST_STALE);
	free(authorization);
}

static void a_nonce_of_another_process_is_stale(void **state)
{
	char *authorization = dialogue(false, false);
	struct digest_check check = check_of(authorization);

	(void)state;
	digest_guard_destroy(guard);
	assert_int_equal(digest_guard_create(&guard, 60), 0);
	assert_int_equal(digest_verify(guard, &check), DIGEST_STALE);
	free(authorization);
}

static void a_nonce_is_not_good_after_65536_later_ones(void **state)
{
	const struct digest_challenge challenge = { .realm = "tas", .source = "192.0.2.1" };
	char *authorization = dialogue(false, false);
	struct digest_check check = check_of(authorization);
	char *values[DIGEST_ALGORITHM_COUNT];

	(void)state;
	for (int i = 0; i < 65536; i++) {
		size_t count = digest_challenge(guard, &challenge, values);

		while (count)
			free(values[--count]);
	}
	assert_int_equal(digest_verify(guard, &check), DIGEST_STALE);
	free(authorization);
}

static void md5_is_accepted_only_where_it_was_offered(void **state)
{
	char *authorization = dialogue(true, true), *at;
	struct digest_check check = check_of(authorization);

	(void)state;
	assert_non_null(strstr(authorization, "SHA-512-256")); /* the best both know */
	assert_int_equal(digest_verify(guard, &check), DIGEST_ACCEPTED);
	free(authorization);
	authorization = dialogue(false, false);
	at = strstr(authorization, "SHA-512-256");
	memcpy(at, "MD5        ", 11);
	check = check_of(authorization);
	assert_int_equal(digest_verify(guard, &check), DIGEST_REFUSED);
	free(authorization);
}

static void challenges_name_the_best_algorithm_first(void **state)
{
	const struct digest_challenge challenge = {
		.realm = "tas", .md5 = true, .source = "192.0.2.1", .stale = true
	};
	char *values[DIGEST_ALGORITHM_COUNT];

	(void)state;
	assert_int_equal(digest_challenge(guard, &challenge, values), 3);
	assert_non_null(strstr(values[0], "algorithm=SHA-512-256, qop=\"auth\", stale=true"));
	assert_non_null(strstr(values[1], "algorithm=SHA-256,"));
	assert_non_null(strstr(values[2], "algorithm=MD5,"));
	for (int i = 0; i < 3; i++)
		free(values[i]);
}

static void an_answer_without_qop_is_refused(void **state)
{
	struct digest_input input = { .algorithm = DIGEST_SHA256,
				      .username = "alice",
				      .realm = "tas",
				      .password = "secret",
				      .method = "INVITE",
				      .uri = URI };
	const struct digest_challenge challenge = { .realm = "tas", .source = "192.0.2.1" };
	char *values[DIGEST_ALGORITHM_COUNT], nonce[128], response[DIGEST_HEX_ROOM];
	char text[600] = "";
	struct digest_check check = check_of(text);

	(void)state;
	assert_int_equal(digest_challenge(guard, &challenge, values), 2);
	assert_int_equal(sscanf(values[1], "Digest realm=\"tas\", nonce=\"%100[^\"]", nonce), 1);
	input.nonce = nonce;
	assert_int_equal(digest_response(&input, response), 0);
	(void)snprintf(text, sizeof(text),
		       "Digest username=\"alice\", realm=\"tas\", nonce=\"%s\", uri=\"" URI "\", "
		       "response=\"%s\", algorithm=SHA-256",
		       nonce, response);
	assert_int_equal(digest_verify(guard, &check), DIGEST_REFUSED);
	free(values[0]);
	free(values[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_those_of_rfc_7616),
		cmocka_unit_test(sha_512_256_is_that_of_rfc_7616),
		cmocka_unit_test(a_response_without_qop_is_that_of_rfc_2069),
		cmocka_unit_test(the_strongest_challenge_is_answered),
		cmocka_unit_test(md5_is_answered_only_where_it_is_allowed),
		cmocka_unit_test(a_pinned_realm_is_the_only_one_answered),
		cmocka_unit_test(what_is_no_challenge_for_us_gets_no_answer),
		cmocka_unit_test(a_second_challenge_is_answered_only_if_the_nonce_is_stale),
		cmocka_unit_test(the_uses_of_one_nonce_are_counted),
		cmocka_unit_test(an_identity_lives_until_its_last_holder_lets_go),
		cmocka_unit_test_setup_teardown(the_right_password_is_accepted_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_wrong_password_method_or_name_is_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_nonce_is_good_for_its_time_and_its_source_only,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_nonce_of_another_process_is_stale, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_nonce_is_not_good_after_65536_later_ones, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(md5_is_accepted_only_where_it_was_offered, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(challenges_name_the_best_algorithm_first, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_answer_without_qop_is_refused, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
