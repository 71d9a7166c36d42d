/* SPDX-License-Identifier: Apache-2.0 */
/* test_body.c - the SDP in a body, alone or in company. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above before it */
#include <cmocka.h>

#include <errno.h>

#include "base/macros.h"
#include "tas/sip/body.h"

static int find(const char *type, const char *body, char **ret_sdp)
{
	return body_find_sdp(type, body, strlen(body), ret_sdp);
}

static void a_plain_body_is_taken_whole(void **state)
{
	char *sdp = NULL;

	(void)state;
	assert_int_equal(find("application/sdp", "v=0\r\n", &sdp), 0);
	assert_string_equal(sdp, "v=0\r\n");
	free(sdp);
	assert_int_equal(find("Application/SDP; charset=utf-8", "v=0\r\n", &sdp), 0);
	free(sdp);
	assert_int_equal(find("application/sdp", "", &sdp), 0);
	assert_null(sdp);
	assert_int_equal(find(NULL, "", &sdp), 0);
	assert_null(sdp);
}

static void other_types_cannot_be_read(void **state)
{
	char *sdp = (char *)-1;

	(void)state;
	assert_int_equal(find("text/plain", "hi", &sdp), -ENOTSUP);
	assert_int_equal(find("application/sdpx", "hi", &sdp), -ENOTSUP);
	assert_int_equal(find(NULL, "hi", &sdp), -ENOTSUP);
	assert_ptr_equal(sdp, (char *)-1);
}

static void nul_in_sdp_is_refused(void **state)
{
	char *sdp = NULL;

	(void)state;
	assert_int_equal(body_find_sdp("application/sdp", "v=0\0x", 5, &sdp), -EINVAL);
	assert_null(sdp);
}

static void the_first_sdp_part_of_a_multipart_is_found(void **state)
{
	static const char body[] = "preamble\r\n--b\r\nContent-Type: text/x\r\n\r\nno\r\n--b\r\n"
				   "Content-ID: <a>\r\ncontent-type:application/sdp;x=y\r\n\r\n"
				   "v=0\r\ns=-\r\n\r\n--b--\r\nepilogue";
	char *sdp = NULL;

	(void)state;
	assert_int_equal(find("multipart/mixed; boundary=b", body, &sdp), 0);
	assert_memory_equal(sdp, "v=0\r\ns=-\r\n", 10);
	assert_null(strstr(sdp, "--b"));
	free(sdp);
	sdp = NULL;
	assert_int_equal(find("multipart/mixed;boundary=\"b\"; type=z", body, &sdp), 0);
	free(sdp);
}

static void a_multipart_without_sdp_is_no_offer(void **state)
{
	char *sdp = NULL;

	(void)state;
	assert_int_equal(find("multipart/mixed;boundary=b",
			      "--b\r\nContent-Type: text/x\r\n\r\nno\r\n--b--\r\n", &sdp),
			 0);
	assert_null(sdp);
}

static void broken_multiparts_are_refused(void **state)
{
	static const struct {
		const char *type, *body;
	} cases[] = {
		{ "multipart/mixed", "--b\r\n\r\n--b--" },
		{ "multipart/mixed;boundary=", "--b\r\n\r\n--b--" },
		{ "multipart/mixed;boundary=\"\"", "--\r\n" },
		{ "multipart/mixed;boundary=b", ""
						"no delimiter" },
		{ "multipart/mixed;boundary=b", "--b\r\nContent-Type: application/sdp\r\n\r\nv=0" },
		{ "multipart/mixed;boundary=b", "--b" },
		{ "multipart/mixed;boundary=b", "--b\r\n" },
		{ "multipart/mixed;boundary=b", "--b\r\n--b" },
		{ "multipart/mixed;boundary="
		  "1234567890123456789012345678901234567890123456789012345678901234567890123",
		  "x" },
	};
	char *sdp = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (find(cases[i].type, cases[i].body, &sdp) != -EINVAL)
			fail_msg("case %zu was taken", i);
		assert_null(sdp);
	}
}

static void random_multiparts_are_survived(void **state)
{
	static const char *const pieces[] = { "--b", "\r\n", "\n", "Content-Type: application/sdp",
					      "--",  "v=0",  ":",  "\r\n\r\n",
					      "x" };

	(void)state;
	srand(5621);
	for (int round = 0; round < 100000; round++) {
		char body[400] = "";
		char *sdp = NULL;

		for (int i = rand() % 12; i > 0; i--)
			strcat(body, pieces[(size_t)rand() % ARRAY_SIZE(pieces)]);
		if (find("multipart/mixed;boundary=b", body, &sdp) == 0)
			free(sdp);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_body_is_taken_whole),
		cmocka_unit_test(other_types_cannot_be_read),
		cmocka_unit_test(nul_in_sdp_is_refused),
		cmocka_unit_test(the_first_sdp_part_of_a_multipart_is_found),
		cmocka_unit_test(a_multipart_without_sdp_is_no_offer),
		cmocka_unit_test(broken_multiparts_are_refused),
		cmocka_unit_test(random_multiparts_are_survived),
	};

	return cmocka_run_group_tests_name("tas/sip/body", tests, NULL, NULL);
}
