/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include "proto/pem_check.h"

static char path[] = "/tmp/breakout-pem-XXXXXX";

static void add_certificate(FILE *file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	X509_set_pubkey(certificate, key);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static int check(char **ret_pem, char *error)
{
	error[0] = '\0';
	return pem_check_ca(path, ret_pem, error, 256);
}

static void a_list_of_certificates_is_read_whole(void **state)
{
	FILE *file = fopen(path, "w");
	char error[256], *pem = NULL;

	(void)state;
	fputs("# comments between them are usual\n", file);
	add_certificate(file);
	fputs("# second\n", file);
	add_certificate(file);
	fclose(file);
	assert_int_equal(check(&pem, error), 0);
	assert_non_null(strstr(pem, "# second"));
	free(pem);
}

static void a_file_without_certificates_is_named(void **state)
{
	FILE *file = fopen(path, "w");
	char error[256], *pem = NULL;

	(void)state;
	fputs("hello\n", file);
	fclose(file);
	assert_int_equal(check(&pem, error), -EINVAL);
	assert_non_null(strstr(error, path));
	assert_non_null(strstr(error, "holds no certificate"));
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(check(&pem, error), -EINVAL);
	assert_null(pem);
}

static void a_broken_certificate_after_a_good_one_is_found(void **state)
{
	FILE *file = fopen(path, "w");
	char error[256], *pem = NULL;

	(void)state;
	add_certificate(file);
	fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file);
	fclose(file);
	assert_int_equal(check(&pem, error), -EINVAL);
	assert_non_null(strstr(error, "does not parse"));
}

static void a_file_that_is_not_there_or_too_large_is_an_error(void **state)
{
	char error[256], *pem = NULL;

	(void)state;
	assert_int_equal(truncate(path, 5000000), 0);
	assert_int_equal(check(&pem, error), -EINVAL);
	assert_non_null(strstr(error, "too large"));
	assert_int_equal(pem_check_ca("/nonexistent", &pem, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "No such file"));
	assert_int_equal(pem_check_ca("/", &pem, error, sizeof(error)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_of_certificates_is_read_whole),
		cmocka_unit_test(a_file_without_certificates_is_named),
		cmocka_unit_test(a_broken_certificate_after_a_good_one_is_found),
		cmocka_unit_test(a_file_that_is_not_there_or_too_large_is_an_error),
	};
	int fd = mkstemp(path), failed;

	close(fd);
	failed = cmocka_run_group_tests_name("proto/pem_check", tests, NULL, NULL);
	unlink(path);
	return failed;
}
