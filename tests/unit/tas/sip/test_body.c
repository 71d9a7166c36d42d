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

static void assert_with(const struct sip_body *body, const char *sdp, const char *wanted)
{
	size_t length;
	char *text;

	assert_int_equal(sip_body_with(body, sdp, &text, &length), 0);
	assert_string_equal(text, wanted);
	assert_int_equal(length, strlen(wanted));
	free(text);
}

static void another_sdp_takes_the_place_of_the_first(void **state)
{
	static const char text[] = "--b\r\nContent-Type: text/x\r\n\r\n1\r\n--b\r\n"
				   "Content-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\nend";
	struct sip_body *body, *copy;

	(void)state;
	assert_int_equal(sip_body_create(&body, "multipart/mixed;boundary=b", text, strlen(text)),
			 0);
	assert_int_equal(sip_body_copy(&copy, body), 0);
	sip_body_destroy(body);
	assert_with(copy, "v=1\r\nx=long\r\n",
		    "--b\r\nContent-Type: text/x\r\n\r\n1\r\n--b\r\n"
		    "Content-Type: application/sdp\r\n\r\nv=1\r\nx=long\r\n--b--\r\nend");
	assert_with(copy, "v=0\r\n", text);
	sip_body_destroy(copy);
}

static void a_body_without_sdp_stays_as_it_is(void **state)
{
	static const char bytes[] = "a\0b";
	struct sip_body *body;
	size_t length;
	char *text;

	(void)state;
	assert_int_equal(sip_body_create(&body, "application/x", bytes, 3), 0);
	assert_int_equal(body->sdp_length, 0);
	assert_int_equal(sip_body_with(body, NULL, &text, &length), 0);
	assert_int_equal(length, 3);
	assert_memory_equal(text, bytes, 3);
	free(text);
	sip_body_destroy(body);
	assert_int_equal(sip_body_create(&body, "multipart/mixed;boundary=b", "--b\r\nno end", 12),
			 0);
	assert_int_equal(body->sdp_length, 0);
	sip_body_destroy(body);
	assert_null(sip_body_destroy(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_sdp_takes_the_place_of_the_first),
		cmocka_unit_test(a_body_without_sdp_stays_as_it_is),
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
