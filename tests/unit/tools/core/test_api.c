/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/api.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/api.h"
#include "tests/fake/folder.h"
#include "tools/core/pki.h"
#include "wgtwo/sipbreakout/v1/sipbreakout.pb-c.h"

#define NUMBER "+4799000001"

static char token[BOOK_TOKEN_ROOM];
static struct book *book;
static struct api_server *server;
static struct api_client *client;

static int open_server(void **state)
{
	static const char *const names[] = { "127.0.0.1" };
	char certificate[96], key[96], ca[96], target[32], error[256];

	(void)state;
	if (folder_make() || pki_open(folder, error, sizeof(error)) ||
	    pki_issue(folder, "core", names, 1, error, sizeof(error)) || book_create(&book))
		return -1;
	(void)snprintf(certificate, sizeof(certificate), "%s/core.pem", folder);
	(void)snprintf(key, sizeof(key), "%s/core.key", folder);
	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", folder);
	struct api_server_options options = { .address = "127.0.0.1",
					      .certificate = certificate,
					      .private_key = key,
					      .ttl_s = 60,
					      .token_required = true,
					      .book = book };
	if (api_server_create(&server, &options) || book_token_issue(book, 600, token))
		return -1;
	(void)snprintf(target, sizeof(target), "127.0.0.1:%u", api_server_port(server));
	struct api_client_options client_options = { .target = target, .ca_file = ca };
	return api_client_create(&client, &client_options, error, sizeof(error));
}

static int close_server(void **state)
{
	(void)state;
	client = api_client_destroy(client);
	server = api_server_destroy(server);
	book = book_destroy(book);
	return folder_remove();
}

struct outcome {
	bool done;
	enum api_status status;
	int code;
	char text[160];
	long ttl_s;
};

static void on_done(enum api_status status, const char *details, const ProtobufCMessage *response,
		    void *arg)
{
	struct outcome *outcome = arg;

	outcome->done = true;
	outcome->status = status;
	(void)snprintf(outcome->text, sizeof(outcome->text), "%s", details ? details : "");
	if (!response)
		return;
	/* Both answers begin with status_code and error_message. */
	const Wgtwo__Sipbreakout__V1__UpsertRegistrationResponse *answer =
		(const Wgtwo__Sipbreakout__V1__UpsertRegistrationResponse *)(const void *)response;
	outcome->code = (int)answer->status_code;
	(void)snprintf(outcome->text, sizeof(outcome->text), "%s", answer->error_message);
	if (response->descriptor ==
		    &wgtwo__sipbreakout__v1__upsert_registration_response__descriptor &&
	    answer->time_to_live)
		outcome->ttl_s = (long)answer->time_to_live->seconds;
}

struct asked {
	const char *number, *sip_uri, *prefix_mo, *prefix_mt;
	int type;
	const char *token;
	unsigned deadline_ms;
};

static struct asked right(void)
{
	return (struct asked){ NUMBER, "sips:tas.example.com:5061", "00", "01", 1, token, 3000 };
}

static struct outcome ask(const char *method, struct asked asked)
{
	Wgtwo__Common__V1__E164 number;
	Wgtwo__Sipbreakout__V1__Registration registration;
	Wgtwo__Sipbreakout__V1__UpsertRegistrationRequest upsert;
	Wgtwo__Sipbreakout__V1__DeleteRegistrationRequest deleted;
	struct outcome outcome = { 0 };
	struct api_call_options options = { .token = asked.token,
					    .deadline_ms = asked.deadline_ms };
	bool is_upsert = strcmp(method, "UpsertRegistration") == 0;

	wgtwo__common__v1__e164__init(&number);
	wgtwo__sipbreakout__v1__registration__init(&registration);
	wgtwo__sipbreakout__v1__upsert_registration_request__init(&upsert);
	wgtwo__sipbreakout__v1__delete_registration_request__init(&deleted);
	number.e164 = (char *)asked.number;
	registration.phone_number = asked.number ? &number : NULL;
	registration.sip_uri = (char *)asked.sip_uri;
	registration.mobile_originating_prefix = (char *)asked.prefix_mo;
	registration.mobile_terminating_prefix = (char *)asked.prefix_mt;
	registration.route_type = (Wgtwo__Sipbreakout__V1__RouteType)asked.type;
	upsert.registration = deleted.registration = &registration;
	assert_int_equal(
		api_unary(client, &wgtwo__sipbreakout__v1__sip_breakout_service__descriptor, method,
			  is_upsert ? &upsert.base : &deleted.base, &options, on_done, &outcome),
		0);
	mono_ms until = clock_now() + 10000;
	while (!outcome.done && clock_now() < until)
		api_client_poll(client, clock_now() + 100);
	assert_true(outcome.done);
	return outcome;
}

static struct outcome upsert(struct asked asked)
{
	return ask("UpsertRegistration", asked);
}

static void a_proper_registration_is_written_down_with_its_ttl(void **state)
{
	struct book_registration found;
	struct outcome outcome = upsert(right());

	(void)state;
	assert_int_equal(outcome.status, API_OK);
	assert_int_equal(outcome.code, 1);
	assert_int_equal(outcome.ttl_s, 60);
	assert_int_equal(book_lookup(book, NUMBER, &found), 0);
	assert_string_equal(found.prefix_mo, "00");
	assert_string_equal(found.prefix_mt, "01");
	assert_int_equal(found.route_type, ROUTE_TYPE_LOOP);
}

static void a_delete_with_the_same_uri_removes_it(void **state)
{
	struct book_registration found;
	struct asked asked = right();

	(void)state;
	assert_int_equal(upsert(right()).code, 1);
	asked.sip_uri = "sips:elsewhere";
	assert_int_equal(ask("DeleteRegistration", asked).code, 2);
	assert_int_equal(book_lookup(book, NUMBER, &found), 0);
	assert_int_equal(ask("DeleteRegistration", right()).code, 1);
	assert_int_equal(book_lookup(book, NUMBER, &found), -ENOENT);
	assert_int_equal(ask("DeleteRegistration", right()).code, 2);
}

static void a_token_that_is_missing_wrong_or_revoked_is_unauthenticated(void **state)
{
	struct asked asked = right();

	(void)state;
	asked.token = NULL;
	assert_int_equal(upsert(asked).status, API_UNAUTHENTICATED);
	asked.token = "wrong";
	assert_int_equal(upsert(asked).status, API_UNAUTHENTICATED);
	book_token_revoke_all(book);
	assert_int_equal(upsert(right()).status, API_UNAUTHENTICATED);
	assert_int_equal(book_token_issue(book, 600, token), 0);
	assert_int_equal(upsert(right()).status, API_OK);
}

static void what_the_core_cannot_use_is_not_acceptable_and_says_which_field(void **state)
{
	static const struct {
		struct asked asked;
		const char *field;
	} bad[] = {
		{ { NULL, "sips:a", "", "", 1, 0, 0 }, "phone_number" },
		{ { "4799000001", "sips:a", "", "", 1, 0, 0 }, "phone_number" },
		{ { "+479900000112345678901", "sips:a", "", "", 1, 0, 0 }, "phone_number" },
		{ { NUMBER, "sip:a", "", "", 1, 0, 0 }, "sip_uri" },
		{ { NUMBER, "sips:", "", "", 1, 0, 0 }, "sip_uri" },
		{ { NUMBER, "sips:me@a", "", "", 1, 0, 0 }, "sip_uri" },
		{ { NUMBER, "sips:a:0", "", "", 1, 0, 0 }, "sip_uri" },
		{ { NUMBER, "sips:a:70000", "", "", 1, 0, 0 }, "sip_uri" },
		{ { NUMBER, "sips:a:5061x", "", "", 1, 0, 0 }, "sip_uri" },
		{ { NUMBER, "sips:a", "0a", "", 1, 0, 0 }, "mobile_originating_prefix" },
		{ { NUMBER, "sips:a", "", "1234567890123456", 1, 0, 0 },
		  "mobile_terminating_prefix" },
		{ { NUMBER, "sips:a", "", "", 0, 0, 0 }, "route_type" },
		{ { NUMBER, "sips:a", "", "", 7, 0, 0 }, "route_type" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct asked asked = bad[i].asked;
		asked.token = token;
		asked.deadline_ms = 3000;
		struct outcome outcome = upsert(asked);
		assert_int_equal(outcome.status, API_OK);
		assert_int_equal(outcome.code, 2);
		assert_ptr_equal(strstr(outcome.text, bad[i].field), outcome.text);
		assert_int_equal(outcome.ttl_s, 0);
	}
}

static struct outcome with_fault(enum fault_kind kind, unsigned delay_ms, struct asked asked)
{
	struct book_fault fault = { .kind = kind, .count = 1, .delay_ms = delay_ms };

	assert_int_equal(book_fault_add(book, &fault), 0);
	return upsert(asked);
}

static void each_fault_switch_shows_as_its_status(void **state)
{
	(void)state;
	assert_int_equal(with_fault(FAULT_UNAVAILABLE, 0, right()).status, API_UNAVAILABLE);
	assert_int_equal(with_fault(FAULT_UNAUTHENTICATED, 0, right()).status, API_UNAUTHENTICATED);
	assert_int_equal(with_fault(FAULT_RESOURCE_EXHAUSTED, 0, right()).status,
			 API_RESOURCE_EXHAUSTED);
	assert_int_equal(with_fault(FAULT_NOT_ACCEPTABLE, 0, right()).code, 2);
	assert_int_equal(upsert(right()).code, 1);
}

static void a_slow_answer_comes_late_and_a_hanging_one_never(void **state)
{
	struct asked hurried = right();
	mono_ms before = clock_now();

	(void)state;
	assert_int_equal(with_fault(FAULT_SLOW, 150, right()).code, 1);
	assert_true(clock_now() - before >= 150);
	hurried.deadline_ms = 200;
	assert_int_equal(with_fault(FAULT_HANG, 0, hurried).status, API_DEADLINE_EXCEEDED);
	assert_int_equal(upsert(right()).code, 1);
}

static void a_second_server_on_the_same_port_is_refused(void **state)
{
	char certificate[96], key[96];
	struct api_server *second = NULL;

	(void)state;
	(void)snprintf(certificate, sizeof(certificate), "%s/core.pem", folder);
	(void)snprintf(key, sizeof(key), "%s/core.key", folder);
	struct api_server_options options = { .address = "127.0.0.1",
					      .port = api_server_port(server),
					      .certificate = certificate,
					      .private_key = key,
					      .book = book };
	assert_int_equal(api_server_create(&second, &options), -EADDRINUSE);
	options.certificate = "/nowhere.pem";
	assert_int_equal(api_server_create(&second, &options), -EINVAL);
	assert_null(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_proper_registration_is_written_down_with_its_ttl),
		cmocka_unit_test(a_delete_with_the_same_uri_removes_it),
		cmocka_unit_test(a_token_that_is_missing_wrong_or_revoked_is_unauthenticated),
		cmocka_unit_test(what_the_core_cannot_use_is_not_acceptable_and_says_which_field),
		cmocka_unit_test(each_fault_switch_shows_as_its_status),
		cmocka_unit_test(a_slow_answer_comes_late_and_a_hanging_one_never),
		cmocka_unit_test(a_second_server_on_the_same_port_is_refused),
	};

	return cmocka_run_group_tests_name("tools/core/api", tests, open_server, close_server);
}
