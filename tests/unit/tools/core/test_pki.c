/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/pki.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <limits.h>
#include <string.h>
#include "tests/fake/folder.h"

static char error[256];

static int make_folder(void **state)
{
	(void)state;
	return folder_make();
}

static int remove_folder(void **state)
{
	(void)state;
	return folder_remove();
}

static X509 *read_nth(const char *name, int n)
{
	char path[PATH_MAX];
	X509 *certificate = NULL;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	for (int i = 0; i <= n; i++) {
		X509_free(certificate);
		certificate = PEM_read_X509(file, NULL, NULL, NULL);
	}
	(void)fclose(file);
	return certificate;
}

static const char *const names[] = { "tas.example.com", "127.0.0.1", "::1" };

static void a_leaf_verifies_through_the_chain_beside_it(void **state)
{
	(void)state;
	assert_int_equal(pki_open(folder, error, sizeof(error)), 0);
	assert_int_equal(pki_issue(folder, "tas", names, 3, error, sizeof(error)), 0);
	X509 *ca = read_nth("ca.pem", 0), *leaf = read_nth("tas.pem", 0);
	X509 *intermediate = read_nth("tas.pem", 1);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *chain = sk_X509_new_null();

	assert_non_null(intermediate);
	sk_X509_push(chain, intermediate);
	X509_STORE_add_cert(store, ca);
	X509_STORE_CTX_init(ctx, store, leaf, chain);
	X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
	assert_int_equal(X509_verify_cert(ctx), 1);
	X509_STORE_CTX_cleanup(ctx);
	X509_STORE_CTX_init(ctx, store, leaf, NULL);
	assert_int_equal(X509_verify_cert(ctx), 0); /* the intermediate is really needed */

	assert_int_equal(X509_check_host(leaf, "tas.example.com", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(leaf, "::1", 0), 1);
	assert_int_equal(X509_check_host(leaf, "other.example.com", 0, 0, NULL), 0);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	sk_X509_free(chain);
	X509_free(ca);
	X509_free(leaf);
	X509_free(intermediate);
}

static void a_second_start_keeps_authority_and_leaf(void **state)
{
	(void)state;
	assert_int_equal(pki_open(folder, error, sizeof(error)), 0);
	assert_int_equal(pki_issue(folder, "tas", names, 3, error, sizeof(error)), 0);
	X509 *ca = read_nth("ca.pem", 0), *leaf = read_nth("tas.pem", 0);

	assert_int_equal(pki_open(folder, error, sizeof(error)), 0);
	assert_int_equal(pki_issue(folder, "tas", names, 2, error, sizeof(error)), 0);
	X509 *ca_after = read_nth("ca.pem", 0), *leaf_after = read_nth("tas.pem", 0);
	assert_int_equal(X509_cmp(ca, ca_after), 0);
	assert_int_equal(X509_cmp(leaf, leaf_after), 0);
	X509_free(ca);
	X509_free(leaf);
	X509_free(ca_after);
	X509_free(leaf_after);
}

static void a_name_that_is_not_covered_brings_a_new_leaf(void **state)
{
	static const char *const more[] = { "tas.example.com", "192.0.2.1" };

	(void)state;
	assert_int_equal(pki_open(folder, error, sizeof(error)), 0);
	assert_int_equal(pki_issue(folder, "tas", names, 1, error, sizeof(error)), 0);
	assert_int_equal(pki_issue(folder, "tas", more, 2, error, sizeof(error)), 0);
	X509 *leaf = read_nth("tas.pem", 0);
	assert_int_equal(X509_check_ip_asc(leaf, "192.0.2.1", 0), 1);
	X509_free(leaf);
}

static void a_private_key_is_for_its_owner_only(void **state)
{
	struct stat info;
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(pki_open(folder, error, sizeof(error)), 0);
	assert_int_equal(pki_issue(folder, "tas", names, 1, error, sizeof(error)), 0);
	(void)snprintf(path, sizeof(path), "%s/tas.key", folder);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_name_that_would_add_an_extension_is_refused(void **state)
{
	static const char *const bad[] = { "a,DNS:b" };

	(void)state;
	assert_int_equal(pki_open(folder, error, sizeof(error)), 0);
	assert_int_equal(pki_issue(folder, "tas", bad, 1, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "tas"));
}

static void a_folder_that_cannot_be_made_is_named(void **state)
{
	(void)state;
	assert_int_equal(pki_open("/nowhere/at/all", error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, "/nowhere/at/all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FOLDER_TEST(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
		FOLDER_TEST(a_leaf_verifies_through_the_chain_beside_it),
		FOLDER_TEST(a_second_start_keeps_authority_and_leaf),
		FOLDER_TEST(a_name_that_is_not_covered_brings_a_new_leaf),
		FOLDER_TEST(a_private_key_is_for_its_owner_only),
		FOLDER_TEST(a_name_that_would_add_an_extension_is_refused),
		cmocka_unit_test(a_folder_that_cannot_be_made_is_named),
	};

	return cmocka_run_group_tests_name("tools/core/pki", tests, NULL, NULL);
}
