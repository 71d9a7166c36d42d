/* SPDX-License-Identifier: Apache-2.0 */
/* The door: thread, mailbox, start and stop. Nobody listens at the API. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/log.h"
#include "registrar/registrar.h"

static struct config_registration numbers[] = {
	{ .number = 4799000001, .route_type = ROUTE_TYPE_LOOP, .service = 2 },
	{ .number = 4799000002, .route_type = ROUTE_TYPE_FORK },
	{ .number = 4799000003, .route_type = ROUTE_TYPE_LOOP },
};
static char log_text[8192];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void on_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level, (void)area, (void)arg;
	pthread_mutex_lock(&log_lock);
	if (strlen(log_text) + strlen(line) < sizeof(log_text))
		strcat(log_text, line);
	pthread_mutex_unlock(&log_lock);
}

static struct config make_config(size_t count)
{
	struct config config = { .domain = (char *)"tas.example.com",
				 .registrations = numbers,
				 .registration_count = count };

	config.core.api.target = (char *)"127.0.0.1:9";
	config.core.api.plaintext = true;
	return config;
}

static struct registrar *start(void)
{
	static struct config config; /* it is kept by reference */
	struct registrar *registrar;

	config = make_config(2);
	assert_int_equal(registrar_create(&registrar, &config, NULL), 0);
	assert_int_equal(registrar_start(registrar), 0);
	return registrar;
}

static int set_up(void **state)
{
	(void)state;
	log_text[0] = '\0';
	log_set_sink(on_log, NULL);
	return 0;
}

/* Until the registrar thread has dealt with what it was told. */
static void wait_for_state(struct registrar *registrar, enum reg_state what, size_t count)
{
	mono_ms end = clock_now() + 10000;
	struct registrar_summary summary;

	do {
		sched_yield();
		registrar_summary(registrar, &summary);
	} while (summary.by_state[what] != count && clock_now() < end);
	assert_int_equal(summary.by_state[what], count);
}

static void a_number_is_known_from_the_start(void **state)
{
	struct config config = make_config(2);
	struct registrar *registrar;
	struct reg_info info;

	(void)state;
	assert_int_equal(registrar_create(&registrar, &config, NULL), 0);
	assert_int_equal(registrar_lookup(registrar, "+4799000001", &info), 0);
	assert_string_equal(info.number, "+4799000001");
	assert_int_equal(info.route_type, ROUTE_TYPE_LOOP);
	assert_int_equal(info.service, 2);
	assert_int_equal(info.state, REG_NEW);
	assert_int_equal(info.expires_ms, 0);
	assert_int_equal(registrar_lookup(registrar, "+4799000003", &info), -ENOENT);
	assert_int_equal(registrar_lookup(registrar, "nonsense", &info), -ENOENT);
	assert_int_equal(registrar_lookup(registrar, "", &info), -ENOENT);
	registrar_destroy(registrar); /* never started */
}

static void without_an_api_they_back_off_and_the_log_says_why(void **state)
{
	struct registrar *registrar = start();
	struct reg_info info;

	(void)state;
	wait_for_state(registrar, REG_BACKOFF, 2);
	assert_int_equal(registrar_lookup(registrar, "+4799000002", &info), 0);
	assert_non_null(strstr(info.last_error, "UNAVAILABLE"));
	registrar_stop(registrar, false, 1000);
	assert_non_null(strstr(log_text, "check core.api.target"));
	registrar_destroy(registrar);
}

static void another_set_of_numbers_is_taken(void **state)
{
	struct registrar *registrar = start();
	struct config config = make_config(3);

	(void)state;
	assert_int_equal(registrar_reconfigure(registrar, &config, NULL), 0);
	wait_for_state(registrar, REG_BACKOFF, 3);
	config.registration_count = 0;
	assert_int_equal(registrar_reconfigure(registrar, &config, NULL), 0);
	wait_for_state(registrar, REG_BACKOFF, 0);
	registrar_refresh(registrar, NULL);
	registrar_refresh(registrar, "+4799000001");
	registrar_refresh(registrar, "nonsense");
	config.postgres.lease_ms = 4711;
	assert_int_equal(registrar_reconfigure(registrar, &config, NULL), 0);
	registrar_stop(registrar, false, 1000);
	assert_non_null(strstr(log_text, "under store take effect at the next start"));
	registrar_destroy(registrar);
}

static void withdrawing_from_a_dead_api_ends_with_the_grace(void **state)
{
	struct registrar *registrar = start();
	mono_ms begin;

	(void)state;
	wait_for_state(registrar, REG_BACKOFF, 2);
	begin = clock_now();
	registrar_stop(registrar, true, 300);
	assert_in_range(clock_now() - begin, 0, 3000);
	registrar_stop(registrar, true, 300); /* twice is once */
	registrar_destroy(registrar);
	assert_null(registrar_destroy(NULL));
}

static void what_cannot_work_is_refused_with_a_reason(void **state)
{
	struct config config = make_config(2);
	struct registrar *registrar = NULL;

	(void)state;
	config.core.api.plaintext = false;
	config.core.api.ca_file = (char *)"/nonexistent/ca.pem";
	assert_int_equal(registrar_create(&registrar, &config, NULL), -EINVAL);
	assert_non_null(strstr(log_text, "/nonexistent/ca.pem"));

	config = make_config(2);
	config.store_sqlite = (char *)"/nonexistent/db";
	assert_int_equal(registrar_create(&registrar, &config, NULL), -EIO);
	assert_non_null(strstr(log_text, "/nonexistent/db"));

	config = make_config(2);
	config.core.api.token_url = (char *)"http://id.example.com/token";
	config.core.api.client_id = (char *)"me";
	config.core.api.client_secret_file = (char *)"/dev/null";
	assert_int_equal(registrar_create(&registrar, &config, NULL), -EINVAL);
	assert_non_null(strstr(log_text, "https://"));
	assert_null(registrar);
}

static void waiting_for_a_token_nothing_is_sent(void **state)
{
	struct config config = make_config(2);
	struct registrar *registrar;
	struct registrar_summary summary;

	(void)state;
	config.core.api.token_url = (char *)"http://127.0.0.1:9/token";
	config.core.api.client_id = (char *)"me";
	config.core.api.client_secret_file = (char *)"/nonexistent/secret";
	assert_int_equal(registrar_create(&registrar, &config, NULL), 0);
	assert_int_equal(registrar_start(registrar), 0);
	registrar_summary(registrar, &summary);
	assert_false(summary.token_ok);
	assert_int_equal(summary.by_state[REG_NEW], 2);
	registrar_stop(registrar, false, 100);
	registrar_destroy(registrar);
}

#define DOOR(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DOOR(a_number_is_known_from_the_start),
		DOOR(without_an_api_they_back_off_and_the_log_says_why),
		DOOR(another_set_of_numbers_is_taken),
		DOOR(withdrawing_from_a_dead_api_ends_with_the_grace),
		DOOR(what_cannot_work_is_refused_with_a_reason),
		DOOR(waiting_for_a_token_nothing_is_sent),
	};

	return cmocka_run_group_tests_name("registrar/registrar", tests, NULL, NULL);
}
