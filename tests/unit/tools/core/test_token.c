/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/token.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/fake/folder.h"
#include "tools/core/pki.h"

static struct book *book;
static struct token_server *server;
static char answer[4096];

static struct token_server_options options_for(const char *certificate, const char *key)
{
	return (struct token_server_options){ .address = "127.0.0.1",
					      .certificate = certificate,
					      .private_key = key,
					      .client_id = "a:client",
					      .client_secret = "p+w %",
					      .life_s = 120,
					      .book = book };
}

static int open_server(void **state)
{
	static const char *const names[] = { "127.0.0.1" };
	char certificate[96], key[96], error[256];

	(void)state;
	if (folder_make() || pki_open(folder, error, sizeof(error)) ||
	    pki_issue(folder, "core", names, 1, error, sizeof(error)) || book_create(&book))
		return -1;
	(void)snprintf(certificate, sizeof(certificate), "%s/core.pem", folder);
	(void)snprintf(key, sizeof(key), "%s/core.key", folder);
	struct token_server_options options = options_for(certificate, key);
	return token_server_create(&server, &options);
}

static int close_server(void **state)
{
	(void)state;
	server = token_server_destroy(server);
	book = book_destroy(book);
	return folder_remove();
}

static SSL *connect_tls(SSL_CTX *ctx, int fd)
{
	char path[128];
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(token_server_port(server)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)snprintf(path, sizeof(path), "%s/ca.pem", folder);
	assert_int_equal(SSL_CTX_load_verify_locations(ctx, path, NULL), 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	SSL *ssl = SSL_new(ctx);
	X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1");
	SSL_set_fd(ssl, fd);
	assert_int_equal(SSL_connect(ssl), 1); /* the chain was sent and fits */
	return ssl;
}

/* One request over a verified connection; the status, the body in `answer`. */
static int ask(const char *method, const char *path, const char *credentials, const char *form)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL *ssl = connect_tls(ctx, fd);
	unsigned char basic[256];
	char text[8192];
	int length = 0, n, status = 0;

	EVP_EncodeBlock(basic, (const unsigned char *)credentials, (int)strlen(credentials));
	n = snprintf(text, sizeof(text),
		     "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\n"
		     "Content-Type: application/x-www-form-urlencoded\r\n"
		     "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
		     method, path, (char *)basic, strlen(form), form);
	assert_int_equal(SSL_write(ssl, text, n), n);
	while ((n = SSL_read(ssl, answer + length, (int)sizeof(answer) - 1 - length)) > 0)
		length += n;
	answer[length] = '\0';
	assert_int_equal(sscanf(answer, "HTTP/1.1 %d", &status), 1);
	SSL_free(ssl);
	(void)close(fd);
	SSL_CTX_free(ctx);
	return status;
}

#define FORM "grant_type=client_credentials&scope=call.routing%3Awrite+openid"

static void right_credentials_get_a_token_that_is_valid(void **state)
{
	char token[BOOK_TOKEN_ROOM];

	(void)state;
	assert_int_equal(ask("POST", "/oauth2/token", "a%3Aclient:p%2Bw+%25", FORM), 200);
	const char *found = strstr(answer, "\"access_token\":\"");
	assert_non_null(found);
	(void)snprintf(token, sizeof(token), "%.87s", found + 16);
	assert_true(book_token_valid(book, token));
	assert_non_null(strstr(answer, "\"expires_in\":120"));
	assert_non_null(strstr(answer, "\"scope\":\"call.routing:write openid\""));
	assert_non_null(strstr(answer, "\"token_type\":\"bearer\""));
}

static void credentials_that_were_not_form_encoded_are_refused(void **state)
{
	(void)state;
	assert_int_equal(ask("POST", "/oauth2/token", "a:client:p+w %", FORM), 401);
	assert_non_null(strstr(answer, "\"error\":\"invalid_client\""));
}

static void a_wrong_secret_is_invalid_client(void **state)
{
	(void)state;
	assert_int_equal(ask("POST", "/oauth2/token", "a%3Aclient:wrong", FORM), 401);
	assert_non_null(strstr(answer, "\"error\":\"invalid_client\""));
	assert_non_null(strstr(answer, "WWW-Authenticate"));
}

static void another_grant_or_scope_is_refused(void **state)
{
	const char *right = "a%3Aclient:p%2Bw+%25";

	(void)state;
	assert_int_equal(ask("POST", "/oauth2/token", right,
			     "grant_type=authorization_code&scope=call.routing:write"),
			 400);
	assert_non_null(strstr(answer, "unsupported_grant_type"));
	assert_int_equal(
		ask("POST", "/oauth2/token", right, "grant_type=client_credentials&scope=sms"),
		400);
	assert_non_null(strstr(answer, "invalid_scope"));
	assert_int_equal(ask("POST", "/oauth2/token", right, ""), 400);
}

static void other_paths_and_methods_are_told_so(void **state)
{
	(void)state;
	assert_int_equal(ask("POST", "/elsewhere", "x:y", ""), 404);
	assert_int_equal(ask("GET", "/oauth2/token", "x:y", ""), 405);
}

static void a_form_that_never_ends_is_refused(void **state)
{
	char form[6000];

	(void)state;
	memset(form, 'a', sizeof(form));
	form[sizeof(form) - 1] = '\0';
	assert_int_equal(ask("POST", "/oauth2/token", "a%3Aclient:p%2Bw+%25", form), 413);
}

static void the_fault_switches_answer_503_and_401(void **state)
{
	struct book_fault down = { .kind = FAULT_TOKEN_DOWN, .count = 1 };
	struct book_fault refused = { .kind = FAULT_TOKEN_REFUSED, .count = 1 };

	(void)state;
	assert_int_equal(book_fault_add(book, &down), 0);
	assert_int_equal(book_fault_add(book, &refused), 0);
	assert_int_equal(ask("POST", "/oauth2/token", "a%3Aclient:p%2Bw+%25", FORM), 503);
	assert_int_equal(ask("POST", "/oauth2/token", "a%3Aclient:p%2Bw+%25", FORM), 401);
	assert_int_equal(ask("POST", "/oauth2/token", "a%3Aclient:p%2Bw+%25", FORM), 200);
}

static void a_missing_certificate_or_bad_address_is_an_error(void **state)
{
	struct token_server_options options = options_for("/nowhere.pem", "/nowhere.key");
	struct token_server *other;

	(void)state;
	assert_int_equal(token_server_create(&other, &options), -EINVAL);
	options.address = "not-an-address";
	assert_int_equal(token_server_create(&other, &options), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_credentials_get_a_token_that_is_valid),
		cmocka_unit_test(credentials_that_were_not_form_encoded_are_refused),
		cmocka_unit_test(a_wrong_secret_is_invalid_client),
		cmocka_unit_test(another_grant_or_scope_is_refused),
		cmocka_unit_test(other_paths_and_methods_are_told_so),
		cmocka_unit_test(a_form_that_never_ends_is_refused),
		cmocka_unit_test(the_fault_switches_answer_503_and_401),
		cmocka_unit_test(a_missing_certificate_or_bad_address_is_an_error),
	};

	return cmocka_run_group_tests_name("tools/core/token", tests, open_server, close_server);
}
