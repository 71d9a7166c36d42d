/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/report.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static char *printed(void (*print)(FILE *file, const json_t *result), const char *json)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	json_t *result = json_loads(json, 0, NULL);

	assert_non_null(result);
	print(file, result);
	json_decref(result);
	assert_int_equal(fclose(file), 0);
	return text;
}

#define LOOPED                                                                                     \
	"{\"outcome\":\"answered\",\"status\":200,\"ring_ms\":9,\"answer_ms\":214,"                \
	"\"answered_by\":\"phone\",\"verdict\":\"two-way\",\"core\":{\"legs\":[{\"leg\":2,"        \
	"\"between\":\"core\",\"and\":\"tas\",\"call_id\":\"0e55c1a2-long\","                      \
	"\"request_uri\":\"sip:+0047@h\"}],\"trace\":["                                            \
	"{\"leg\":2,\"ms\":1,\"left\":\"core\",\"arrow\":\"->\",\"right\":\"tas\","                \
	"\"text\":\"INVITE sip:+0047@h (SDP)\"},"                                                  \
	"{\"leg\":2,\"ms\":9,\"left\":\"core\",\"arrow\":\"<-\",\"right\":\"tas\","                \
	"\"text\":\"180 Ringing\"},{\"ms\":12,\"text\":\"a remark\"}]}}"

static void the_ladder_has_a_line_a_leg_with_short_call_id_and_times(void **state)
{
	char *text = printed(report_ladder, LOOPED);

	(void)state;
	assert_non_null(strstr(text, "leg 2  core   -> tas    0e55c1a2  sip:+0047 "));
	assert_non_null(strstr(text, " INVITE 180@9\n"));
	assert_null(strstr(text, "-long"));
	assert_non_null(strstr(text, "ring 9 ms"));
	assert_non_null(strstr(text, "answer 214 ms"));
	assert_non_null(strstr(text, "answered 200 by phone"));
	assert_non_null(strstr(text, "two-way"));
	assert_null(strchr(text, '\033')); /* no colours outside a terminal */
	free(text);
}

static void the_trace_has_every_message_and_remark(void **state)
{
	char *text = printed(report_trace, LOOPED);

	(void)state;
	assert_non_null(strstr(text, "1 ms  leg 2  core   -> tas     INVITE sip:+0047@h (SDP)\n"));
	assert_non_null(strstr(text, "12 ms  a remark\n"));
	free(text);
}

static void a_result_without_anything_is_printed_without_harm(void **state)
{
	char *text = printed(report_ladder, "{}");

	(void)state;
	free(text);
	text = printed(report_trace, "{\"core\":null}");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ladder_has_a_line_a_leg_with_short_call_id_and_times),
		cmocka_unit_test(the_trace_has_every_message_and_remark),
		cmocka_unit_test(a_result_without_anything_is_printed_without_harm),
	};

	return cmocka_run_group_tests_name("tools/core/report", tests, NULL, NULL);
}
