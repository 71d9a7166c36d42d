/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "tas/admin/access.h"
#include "tests/fake/folder.h"

#define READER "a-reader's-token"
#define ADMIN  "an-admin's-token-of-length"

static struct access *doors;
static struct config_http_token tokens[2];
static char reader_name[] = "reader", boss_name[] = "boss";
static char reader_path[64], admin_path[64];
static struct config_http http = { .tokens = tokens, .token_count = 2, .rate = 10 };

static void write_token(const char *path, const char *token)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(token, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static int setup(void **state)
{
	(void)state;
	clock_fake_set(1000);
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(folder_make(), 0);
	(void)snprintf(reader_path, sizeof(reader_path), "%s/reader", folder);
	(void)snprintf(admin_path, sizeof(admin_path), "%s/admin", folder);
	write_token(reader_path, READER "\n");
	write_token(admin_path, ADMIN "\n");
	tokens[0] = (struct config_http_token){ .name = reader_name,
						.role = HTTP_ROLE_READ,
						.file = reader_path };
	tokens[1] = (struct config_http_token){ .name = boss_name,
						.role = HTTP_ROLE_ADMIN,
						.file = admin_path };
	assert_int_equal(access_create(&doors, &http), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	doors = access_destroy(doors);
	return folder_remove();
}

static struct access_request plain(const char *authorization, enum http_role needed)
{
	return (struct access_request){ .listener = HTTP_LISTEN_PLAIN,
					.host = "127.0.0.1:8080",
					.authorization = authorization,
					.peer = "127.0.0.1",
					.needed = needed };
}

static int check(struct access_request request)
{
	char who[64];

	return access_check(doors, &request, who, sizeof(who));
}

static void a_token_opens_what_its_role_may(void **state)
{
	struct access_request request = plain("Bearer " READER, HTTP_ROLE_READ);
	char who[64];

	(void)state;
	assert_int_equal(access_check(doors, &request, who, sizeof(who)), 0);
	assert_string_equal(who, "reader");
	assert_int_equal(check(plain("bearer   " READER, HTTP_ROLE_READ)), 0);
	assert_int_equal(check(plain("Bearer " READER, HTTP_ROLE_OPERATE)), 403);
	assert_int_equal(check(plain("Bearer " READER, HTTP_ROLE_ADMIN)), 403);
	assert_int_equal(check(plain("Bearer " ADMIN, HTTP_ROLE_ADMIN)), 0);
	assert_int_equal(check(plain(NULL, HTTP_ROLE_NONE)), 0);
}

static void what_is_no_token_opens_nothing(void **state)
{
	static const char *const wrong[] = { NULL,
					     "",
					     "Bearer",
					     "Bearer ",
					     "Bearer a-reader's-toke",
					     "Bearer a-reader's-token1",
					     "Bearer " READER READER,
					     "Basic " READER,
					     READER };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(check(plain(wrong[i], HTTP_ROLE_READ)), 401);
}

static void the_socket_of_this_machine_needs_none(void **state)
{
	struct access_request request = { .listener = HTTP_LISTEN_UNIX,
					  .host = "localhost",
					  .peer = "",
					  .needed = HTTP_ROLE_ADMIN };

	(void)state;
	assert_int_equal(check(request), 0);
	request.host = "[::1]:9000";
	assert_int_equal(check(request), 0);
}

static void a_rebound_name_is_not_this_machine(void **state)
{
	static const char *const hosts[] = { NULL,
					     "",
					     "evil.example",
					     "localhost.evil.example",
					     "127.0.0.1.evil.example:80",
					     "localhosts" };
	struct access_request request = plain("Bearer " ADMIN, HTTP_ROLE_READ);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		request.host = hosts[i];
		request.listener = HTTP_LISTEN_PLAIN;
		assert_int_equal(check(request), 400);
		request.listener = HTTP_LISTEN_UNIX;
		assert_int_equal(check(request), 400);
	}
	/* Over TLS the certificate says who we are. */
	request.listener = HTTP_LISTEN_TLS;
	assert_int_equal(check(request), 0);
}

static void a_foreign_page_may_change_nothing(void **state)
{
	struct access_request request = plain("Bearer " ADMIN, HTTP_ROLE_ADMIN);

	(void)state;
	request.changes = true;
	request.origin = "http://127.0.0.1:8080";
	assert_int_equal(check(request), 0);
	request.origin = "http://127.0.0.1:8081";
	assert_int_equal(check(request), 403);
	request.origin = "null";
	assert_int_equal(check(request), 403);
}

static void who_asks_too_often_waits_and_others_do_not(void **state)
{
	struct access_request request = plain("Bearer " READER, HTTP_ROLE_READ);
	unsigned passed = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		passed += check(request) == 0;
	assert_int_equal(passed, 20); /* twice the rate at once */
	assert_int_equal(check(plain("Bearer " ADMIN, HTTP_ROLE_READ)), 0);
	clock_fake_advance(100);
	assert_int_equal(check(request), 0);
	assert_int_equal(check(request), 429);
}

static void a_stranger_cannot_use_up_what_others_may(void **state)
{
	char peer[32];
	struct access_request request = plain("Bearer nonsense", HTTP_ROLE_READ);

	(void)state;
	request.peer = peer;
	for (int i = 0; i < 2000; i++) {
		clock_fake_advance(1);
		(void)snprintf(peer, sizeof(peer), "192.0.2.%d", i);
		assert_int_equal(check(request), 401);
	}
	assert_int_equal(check(plain("Bearer " READER, HTTP_ROLE_READ)), 0);
}

static void a_reload_brings_other_tokens(void **state)
{
	(void)state;
	assert_int_equal(check(plain("Bearer " ADMIN, HTTP_ROLE_ADMIN)), 0);
	write_token(admin_path, "another-one-of-length\n");
	assert_int_equal(access_reconfigure(doors, &http), 0);
	assert_int_equal(check(plain("Bearer " ADMIN, HTTP_ROLE_ADMIN)), 401);
	assert_int_equal(check(plain("Bearer another-one-of-length", HTTP_ROLE_ADMIN)), 0);
}

static void a_token_that_is_short_or_missing_is_nobodys(void **state)
{
	(void)state;
	write_token(admin_path, "short\n");
	assert_int_equal(unlink(reader_path), 0);
	assert_int_equal(access_reconfigure(doors, &http), 0);
	assert_int_equal(check(plain("Bearer short", HTTP_ROLE_READ)), 401);
	assert_int_equal(check(plain("Bearer ", HTTP_ROLE_READ)), 401);
	assert_int_equal(check(plain("Bearer " READER, HTTP_ROLE_READ)), 401);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_token_opens_what_its_role_may),
		T(what_is_no_token_opens_nothing),
		T(the_socket_of_this_machine_needs_none),
		T(a_rebound_name_is_not_this_machine),
		T(a_foreign_page_may_change_nothing),
		T(who_asks_too_often_waits_and_others_do_not),
		T(a_stranger_cannot_use_up_what_others_may),
		T(a_reload_brings_other_tokens),
		T(a_token_that_is_short_or_missing_is_nobodys),
	};

	return cmocka_run_group_tests_name("tas/admin/access", tests, NULL, NULL);
}
