/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"
#include "media/certificate.h"
#include "media/media.h"
#include "tests/fake/folder.h"

static char cert_path[96], key_path[96], why[CERTIFICATE_WHY_ROOM];

static void write_pair(const struct certificate *from)
{
	FILE *file = fopen(cert_path, "we");

	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, from->x509), 1);
	(void)fclose(file);
	file = fopen(key_path, "we");
	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, from->key, NULL, NULL, 0, NULL, NULL), 1);
	(void)fclose(file);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

static void assert_refused(const char *words)
{
	struct certificate read;

	assert_int_equal(certificate_load(&read, cert_path, key_path, why), -EINVAL);
	if (!strstr(why, words))
		fail_msg("`%s` is not in: %s", words, why);
}

static void what_was_written_is_read_with_the_same_fingerprints(void **state)
{
	static const char *const hashes[] = { "sha-256", "sha-384", "sha-512" };
	struct certificate made, read;
	struct sdp_fingerprint a, b;

	(void)state;
	assert_int_equal(certificate_make(&made), 0);
	write_pair(&made);
	assert_int_equal(certificate_load(&read, cert_path, key_path, why), 0);
	assert_string_equal(why, "");
	for (unsigned i = 0; i < ARRAY_SIZE(hashes); i++) {
		assert_true(certificate_fingerprint(made.x509, hashes[i], &a));
		assert_true(certificate_fingerprint(read.x509, hashes[i], &b));
		assert_int_equal(a.length, 32 + 16 * i);
		assert_memory_equal(&a, &b, sizeof(a));
	}
	certificate_done(&made);
	certificate_done(&read);
}

static void no_two_certificates_are_the_same(void **state)
{
	struct certificate one, two;
	struct sdp_fingerprint a, b;

	(void)state;
	assert_int_equal(certificate_make(&one), 0);
	assert_int_equal(certificate_make(&two), 0);
	assert_true(certificate_fingerprint(one.x509, "sha-256", &a));
	assert_true(certificate_fingerprint(two.x509, "sha-256", &b));
	assert_memory_not_equal(a.bytes, b.bytes, 32);
	certificate_done(&one);
	certificate_done(&two);
}

static void files_that_are_no_pair_are_refused_with_what_to_do(void **state)
{
	struct certificate one, two;

	(void)state;
	assert_int_equal(certificate_make(&one), 0);
	assert_int_equal(certificate_make(&two), 0);
	write_text(cert_path, "not PEM\n");
	write_text(key_path, "");
	assert_refused("holds no certificate in PEM");
	write_pair(&one);
	write_text(key_path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	assert_refused("holds no private key");
	X509_free(two.x509);
	two.x509 = one.x509;
	write_pair(&two);
	assert_refused("is not that of the certificate");
	EVP_PKEY_free(two.key);
	certificate_done(&one);
}

static void a_key_with_a_pass_phrase_is_refused_and_nobody_is_asked(void **state)
{
	struct certificate made;
	FILE *file;

	(void)state;
	assert_int_equal(certificate_make(&made), 0);
	write_pair(&made);
	file = fopen(key_path, "we");
	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, made.key, EVP_aes_128_cbc(),
					      (const unsigned char *)"secret", 6, NULL, NULL),
			 1);
	(void)fclose(file);
	assert_refused("without a pass phrase");
	certificate_done(&made);
}

static void weak_and_unfit_keys_are_refused(void **state)
{
	struct certificate unfit = { .x509 = X509_new(), .key = NULL };

	(void)state;
	unfit.key = EVP_RSA_gen(1024);
	assert_int_equal(X509_set_pubkey(unfit.x509, unfit.key), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(unfit.x509), 1), 1);
	assert_true(X509_gmtime_adj(X509_getm_notBefore(unfit.x509), 0) != NULL);
	assert_true(X509_gmtime_adj(X509_getm_notAfter(unfit.x509), 3600) != NULL);
	assert_true(X509_sign(unfit.x509, unfit.key, EVP_sha256()) > 0);
	write_pair(&unfit);
	assert_refused("neither ECDSA on P-256 or P-384 nor RSA of 2048");
	certificate_done(&unfit);
}

static void an_expired_certificate_is_served_with_a_warning(void **state)
{
	struct certificate made, read;

	(void)state;
	assert_int_equal(certificate_make(&made), 0);
	assert_true(X509_gmtime_adj(X509_getm_notAfter(made.x509), -60) != NULL);
	assert_true(X509_sign(made.x509, made.key, EVP_sha256()) > 0);
	write_pair(&made);
	assert_int_equal(certificate_load(&read, cert_path, key_path, why), 0);
	assert_non_null(strstr(why, "has expired"));
	certificate_done(&made);
	certificate_done(&read);
}

static void the_configuration_names_the_place_of_a_bad_file(void **state)
{
	char place[] = "breakout.yaml:7:3";
	struct config config = { .media = { .certificate = cert_path,
					    .private_key = key_path,
					    .certificate_at = place } };
	struct dtls_identity *identity = NULL;
	struct str findings = { .text = NULL };

	(void)state;
	write_text(cert_path, "");
	assert_int_equal(media_identity_create(&identity, &config, &findings), -EINVAL);
	assert_null(identity);
	assert_memory_equal(findings.text, "breakout.yaml:7:3: error: `media.certificate`: ", 47);
	str_done(&findings);
	config.media.certificate = NULL;
	assert_int_equal(media_identity_create(&identity, &config, &findings), 0);
	assert_null(identity);
}

static int start(void **state)
{
	(void)state;
	if (folder_make())
		return -1;
	(void)snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", folder);
	(void)snprintf(key_path, sizeof(key_path), "%s/key.pem", folder);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	return folder_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read_with_the_same_fingerprints),
		cmocka_unit_test(no_two_certificates_are_the_same),
		cmocka_unit_test(files_that_are_no_pair_are_refused_with_what_to_do),
		cmocka_unit_test(a_key_with_a_pass_phrase_is_refused_and_nobody_is_asked),
		cmocka_unit_test(weak_and_unfit_keys_are_refused),
		cmocka_unit_test(an_expired_certificate_is_served_with_a_warning),
		cmocka_unit_test(the_configuration_names_the_place_of_a_bad_file),
	};

	return cmocka_run_group_tests_name("media/certificate", tests, start, stop);
}
