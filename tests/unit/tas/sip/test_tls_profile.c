/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_profile.c - what is wrong with a certificate is said at once, with
 * what to do about it. */
#include "tests/unit/tas/sip/scene.h"

#include <errno.h>

#include "tas/sip/tls_profile.h"

static struct pki pki;
static unsigned warnings;
static char warning[300];

static void note_warning(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)area;
	(void)arg;
	if (level > LOG_LEVEL_NOTICE)
		return;
	warnings++;
	(void)snprintf(warning, sizeof(warning), "%s", line);
}

static int set_up(void **state)
{
	(void)state;
	pki_init(&pki);
	log_set_sink(note_warning, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_done(&pki);
	return 0;
}

static struct tls_profile_options good_options(void)
{
	return (struct tls_profile_options){ .certificate = pki_path(&pki, "good.pem"),
					     .private_key = pki_path(&pki, "good.key"),
					     .ca_file = pki.ca,
					     .verify_next_hop = true,
					     .domain = "tas.example.com" };
}

static void expect_error(const struct tls_profile_options *options, const char *says)
{
	struct tls_profile *profile = NULL;
	char error[300] = "";

	assert_int_equal(tls_profile_create(&profile, options, error, sizeof(error)), -EINVAL);
	assert_null(profile);
	if (!strstr(error, says))
		fail_msg("\"%s\" does not say \"%s\"", error, says);
}

static void a_good_pair_for_the_domain_is_taken(void **state)
{
	struct tls_profile_options options = good_options();
	struct tls_profile *profile;
	char error[300] = "";

	(void)state;
	warnings = 0;
	assert_int_equal(tls_profile_create(&profile, &options, error, sizeof(error)), 0);
	assert_null(tls_profile_destroy(profile));
	options.domain = "127.0.0.1";
	assert_int_equal(tls_profile_create(&profile, &options, error, sizeof(error)), 0);
	tls_profile_destroy(profile);
	assert_int_equal(warnings, 0);
	assert_null(tls_profile_destroy(NULL));
}

static void a_wrong_domain_is_named(void **state)
{
	struct tls_profile_options options = good_options();

	(void)state;
	options.domain = "tas.example.org";
	expect_error(&options, "not valid for the domain tas.example.org");
	options.domain = "192.0.2.7";
	expect_error(&options, "not valid for the domain 192.0.2.7");
}

static void an_expired_certificate_is_refused(void **state)
{
	struct tls_profile_options options = good_options();

	(void)state;
	pki_identity(&pki, "old", "DNS:tas.example.com", -1);
	options.certificate = pki_path(&pki, "old.pem");
	options.private_key = pki_path(&pki, "old.key");
	expect_error(&options, "has expired: renew it");
}

static void another_pair_is_taken_over_with_its_trust(void **state)
{
	struct tls_profile_options options = good_options();
	struct tls_profile *profile = NULL, *fresh = NULL;
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	char error[300];
	X509 *leaf;
	SSL *ssl;

	(void)state;
	assert_int_equal(tls_profile_create(&profile, &options, error, sizeof(error)), 0);
	assert_int_equal(tls_profile_set_up(profile, context), 0);
	pki_identity(&pki, "next", "DNS:tas.example.com", 90);
	options.certificate = pki_path(&pki, "next.pem");
	options.private_key = pki_path(&pki, "next.key");
	options.client_ca = pki.ca;
	assert_int_equal(tls_profile_create(&fresh, &options, error, sizeof(error)), 0);
	leaf = fresh->leaf;
	tls_profile_renew(profile, fresh);
	assert_ptr_equal(profile->leaf, leaf);
	assert_non_null(profile->client_trust);
	ssl = SSL_new(context);
	assert_ptr_not_equal(SSL_get_certificate(ssl), leaf); /* the context's, still */
	assert_int_equal(tls_profile_set_up_connection(profile, ssl), 0);
	assert_ptr_equal(SSL_get_certificate(ssl), leaf);
	assert_ptr_equal(SSL_get_privatekey(ssl), profile->key);
	SSL_free(ssl);
	SSL_CTX_free(context);
	tls_profile_destroy(profile);
}

static void a_key_of_another_certificate_is_refused(void **state)
{
	struct tls_profile_options options = good_options();

	(void)state;
	pki_identity(&pki, "second", "DNS:tas.example.com", 100);
	options.private_key = pki_path(&pki, "second.key");
	expect_error(&options, "does not fit certificate");
}

static void a_chain_in_the_wrong_order_is_refused(void **state)
{
	struct tls_profile_options options = good_options();
	struct pki_entity leaf = pki_make(&pki.intermediate, "DNS:tas.example.com", 100);

	(void)state;
	options.certificate = pki_write_chain(&pki, "order.pem", leaf.certificate,
					      pki.root.certificate, pki.intermediate.certificate);
	options.private_key = pki_write_key(&pki, "order.key", leaf.key);
	expect_error(&options, "entry 2 did not sign entry 1");
	pki_free(&leaf);
}

static void files_that_are_missing_or_hold_something_else_are_named(void **state)
{
	struct tls_profile_options options = good_options();

	(void)state;
	options.certificate = "/nonexistent/fullchain.pem";
	expect_error(&options, "/nonexistent/fullchain.pem cannot be read: No such file");
	options = good_options();
	options.private_key = "/nonexistent/key.pem";
	expect_error(&options, "private key /nonexistent/key.pem cannot be read");
	options = good_options();
	options.private_key = pki_path(&pki, "good.pem");
	expect_error(&options, "is not a PEM private key");
	options = good_options();
	options.certificate = pki_path(&pki, "good.key");
	expect_error(&options, "holds no PEM certificate");
	options = good_options();
	options.private_key = NULL;
	expect_error(&options, "needs both");
	options = good_options();
	options.ca_file = pki_path(&pki, "good.key");
	expect_error(&options, "trusted certificates");
	options = good_options();
	options.client_ca = "/nonexistent";
	expect_error(&options, "trusted certificates /nonexistent");
}

static void names_of_a_certificate_are_its_dns_names(void **state)
{
	struct pki_entity leaf =
		pki_make(NULL, "DNS:a.example,IP:127.0.0.1,DNS:b.example,URI:sip:c.example", 10);
	char **names = tls_certificate_names(leaf.certificate);

	(void)state;
	assert_string_equal(names[0], "a.example");
	assert_string_equal(names[1], "b.example");
	assert_null(names[2]);
	free(names);
	pki_free(&leaf);
	assert_null(tls_certificate_names(pki.root.certificate));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_pair_for_the_domain_is_taken),
		cmocka_unit_test(a_wrong_domain_is_named),
		cmocka_unit_test(an_expired_certificate_is_refused),
		cmocka_unit_test(another_pair_is_taken_over_with_its_trust),
		cmocka_unit_test(a_key_of_another_certificate_is_refused),
		cmocka_unit_test(a_chain_in_the_wrong_order_is_refused),
		cmocka_unit_test(files_that_are_missing_or_hold_something_else_are_named),
		cmocka_unit_test(names_of_a_certificate_are_its_dns_names),
	};

	return cmocka_run_group_tests_name("tas/sip/tls_profile", tests, set_up, tear_down);
}
