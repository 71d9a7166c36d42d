/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg_info.c - what an INVITE said, in one piece of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tas/sip/leg_info.h"

#define CALLED "sip:22334455@tas.example"

static struct leg_info said(char room[static 32])
{
	(void)stpcpy(room, CALLED);
	return (struct leg_info){ .request_uri = room,
				  .to_uri = room,
				  .from_display = "",
				  .sdp = "v=0",
				  .headers = NULL };
}

static void packed_texts_outlive_where_they_were(void **state)
{
	char room[32];
	struct leg_info info = said(room);
	char *piece = leg_info_pack(&info);

	(void)state;
	assert_non_null(piece);
	memset(room, 'x', sizeof(room));
	assert_string_equal(info.request_uri, CALLED);
	assert_string_equal(info.to_uri, CALLED);
	assert_string_equal(info.from_display, "");
	assert_null(info.replaces);
	assert_string_equal(info.sdp, "v=0");
	free(piece);
}

static void a_copy_has_its_texts_but_no_sdp_or_headers(void **state)
{
	char room[32];
	struct leg_info info = said(room);
	struct leg_info *copy = leg_info_copy(&info);

	(void)state;
	assert_non_null(copy);
	memset(room, 'x', sizeof(room));
	assert_string_equal(copy->to_uri, CALLED);
	assert_null(copy->sdp);
	assert_int_equal(copy->headers->count, 0);
	free(copy);
}

static void nothing_said_is_packed_too(void **state)
{
	struct leg_info info = { 0 };
	char *piece = leg_info_pack(&info);

	(void)state;
	assert_non_null(piece);
	assert_null(info.request_uri);
	free(piece);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_texts_outlive_where_they_were),
		cmocka_unit_test(a_copy_has_its_texts_but_no_sdp_or_headers),
		cmocka_unit_test(nothing_said_is_packed_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
