/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "registrar/upsert.h"
#include "wgtwo/sipbreakout/v1/sipbreakout.pb-c.h"

static struct upsert_answer judge(enum api_status status, const char *details)
{
	struct upsert_answer answer;

	upsert_judge(UPSERT, status, details, NULL, &answer);
	return answer;
}

static struct upsert_answer judge_response(int code, const char *message, int64_t ttl_s,
					   bool with_ttl)
{
	Wgtwo__Sipbreakout__V1__UpsertRegistrationResponse response;
	Google__Protobuf__Duration ttl;
	struct upsert_answer answer;

	wgtwo__sipbreakout__v1__upsert_registration_response__init(&response);
	google__protobuf__duration__init(&ttl);
	ttl.seconds = ttl_s;
	response.status_code = (Wgtwo__Sipbreakout__V1__StatusCode)code;
	response.error_message = (char *)message;
	response.time_to_live = with_ttl ? &ttl : NULL;
	upsert_judge(UPSERT, API_OK, "", &response.base, &answer);
	return answer;
}

static void every_status_has_its_verdict(void **state)
{
	static const enum upsert_verdict verdicts[] = {
		[API_CANCELLED] = UPSERT_FAILED,
		[API_UNKNOWN] = UPSERT_FAILED,
		[API_INVALID_ARGUMENT] = UPSERT_REFUSED,
		[API_DEADLINE_EXCEEDED] = UPSERT_FAILED,
		[API_NOT_FOUND] = UPSERT_REFUSED,
		[API_ALREADY_EXISTS] = UPSERT_REFUSED,
		[API_PERMISSION_DENIED] = UPSERT_REFUSED,
		[API_RESOURCE_EXHAUSTED] = UPSERT_EXHAUSTED,
		[API_FAILED_PRECONDITION] = UPSERT_REFUSED,
		[API_ABORTED] = UPSERT_FAILED,
		[API_OUT_OF_RANGE] = UPSERT_REFUSED,
		[API_UNIMPLEMENTED] = UPSERT_FAILED,
		[API_INTERNAL] = UPSERT_FAILED,
		[API_UNAVAILABLE] = UPSERT_FAILED,
		[API_DATA_LOSS] = UPSERT_FAILED,
		[API_UNAUTHENTICATED] = UPSERT_UNAUTHENTICATED,
	};

	(void)state;
	for (unsigned status = 1; status < ARRAY_SIZE(verdicts); status++)
		assert_int_equal(judge((enum api_status)status, "why").verdict, verdicts[status]);
	assert_int_equal(judge((enum api_status)99, "why").verdict, UPSERT_FAILED);
}

static void the_text_names_status_and_cause_and_is_printable(void **state)
{
	char long_text[1000];

	(void)state;
	assert_string_equal(judge(API_UNAVAILABLE, "Socket closed").text,
			    "UNAVAILABLE: Socket closed");
	assert_string_equal(judge(API_UNAVAILABLE, "failed to connect to all addresses; last "
						   "error: UNKNOWN: Connection refused")
				    .text,
			    "UNAVAILABLE: UNKNOWN: Connection refused");
	assert_string_equal(judge(API_INTERNAL, "").text, "INTERNAL");
	assert_string_equal(judge(API_INTERNAL, "a\nb\x1b[2J\xc3\xa6").text, "INTERNAL: a?b?[2J??");
	memset(long_text, 'x', sizeof(long_text));
	long_text[999] = '\0';
	assert_int_equal(strlen(judge(API_INTERNAL, long_text).text), 255);
}

static void the_ttl_is_taken_from_the_answer(void **state)
{
	struct upsert_answer answer = judge_response(1, "", 1800, true);

	(void)state;
	assert_int_equal(answer.verdict, UPSERT_OK);
	assert_int_equal(answer.ttl_s, 1800);
	assert_string_equal(answer.text, "");
	assert_int_equal(judge_response(1, "", 0, false).ttl_s, 0);
	assert_int_equal(judge_response(1, "", -5, true).ttl_s, 0);
	assert_int_equal(judge_response(1, "", INT64_MAX, true).ttl_s, UINT32_MAX);
}

static void not_acceptable_is_a_refusal_in_the_core_s_words(void **state)
{
	struct upsert_answer answer = judge_response(2, "not in your range", 0, false);

	(void)state;
	assert_int_equal(answer.verdict, UPSERT_REFUSED);
	assert_string_equal(answer.text, "NOT_ACCEPTABLE: not in your range");
}

static void a_status_code_left_out_or_unknown_is_dealt_with(void **state)
{
	(void)state;
	assert_int_equal(judge_response(0, "", 60, true).verdict, UPSERT_OK);
	assert_int_equal(judge_response(0, "went wrong", 0, false).verdict, UPSERT_FAILED);
	assert_int_equal(judge_response(7, "", 0, false).verdict, UPSERT_FAILED);
	assert_string_equal(judge_response(7, "new", 0, false).text, "status code 7: new");
	assert_int_equal(judge_response(-1, "", 0, false).verdict, UPSERT_FAILED);
}

static void deleting_what_is_not_there_is_a_success(void **state)
{
	Wgtwo__Sipbreakout__V1__DeleteRegistrationResponse response;
	struct upsert_answer answer;

	(void)state;
	upsert_judge(UPSERT_DELETE, API_NOT_FOUND, "none", NULL, &answer);
	assert_int_equal(answer.verdict, UPSERT_OK);
	upsert_judge(UPSERT_DELETE, API_PERMISSION_DENIED, "no", NULL, &answer);
	assert_int_equal(answer.verdict, UPSERT_REFUSED);
	wgtwo__sipbreakout__v1__delete_registration_response__init(&response);
	response.status_code = WGTWO__SIPBREAKOUT__V1__STATUS_CODE__STATUS_CODE_OK;
	upsert_judge(UPSERT_DELETE, API_OK, "", &response.base, &answer);
	assert_int_equal(answer.verdict, UPSERT_OK);
	response.status_code = WGTWO__SIPBREAKOUT__V1__STATUS_CODE__STATUS_CODE_NOT_ACCEPTABLE;
	upsert_judge(UPSERT_DELETE, API_OK, "", &response.base, &answer);
	assert_int_equal(answer.verdict, UPSERT_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_status_has_its_verdict),
		cmocka_unit_test(the_text_names_status_and_cause_and_is_printable),
		cmocka_unit_test(the_ttl_is_taken_from_the_answer),
		cmocka_unit_test(not_acceptable_is_a_refusal_in_the_core_s_words),
		cmocka_unit_test(a_status_code_left_out_or_unknown_is_dealt_with),
		cmocka_unit_test(deleting_what_is_not_there_is_a_success),
	};

	return cmocka_run_group_tests_name("registrar/upsert", tests, NULL, NULL);
}
