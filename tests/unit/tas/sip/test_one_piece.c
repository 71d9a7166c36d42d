/* SPDX-License-Identifier: Apache-2.0 */
/* test_one_piece.c - what sofia would write in pieces leaves in one. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above before it */
#include <cmocka.h>
#include <sofia-sip/msg.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/su.h>

#include "base/macros.h"
#include "tas/sip/one_piece.h"

static const char request[] = "OPTIONS sip:x SIP/2.0\r\n"
			      "Via: SIP/2.0/TLS   one.example;branch=z9hG4bK1\r\n"
			      "v:  SIP/2.0/TLS two.example;branch=z9hG4bK2\r\n"
			      "Record-Route: <sip:a;lr>\r\n"
			      "From:   <sip:a@example.com>;tag=a\r\n"
			      "To:  <sip:b@example.com>\r\n"
			      "Call-ID: c\r\n"
			      "CSeq:   7   OPTIONS\r\n\r\n";

static const char response[] = "SIP/2.0 200 OK\r\n"
			       "Via: SIP/2.0/TLS   one.example;branch=z9hG4bK1\r\n"
			       "v:  SIP/2.0/TLS two.example;branch=z9hG4bK2\r\n"
			       "From:   <sip:a@example.com>;tag=a\r\n"
			       "To:  <sip:b@example.com>\r\n"
			       "Call-ID: c\r\n"
			       "CSeq:   7   OPTIONS\r\n"
			       "Content-Length: 0\r\n\r\n";

static void put(msg_t *msg, void *header)
{
	assert_non_null(header);
	assert_int_equal(msg_header_insert(msg, msg_object(msg), header), 0);
}

/* A response as nta makes it: lines of the request as they came, and new ones. */
static msg_t *reply_to(msg_t *from)
{
	msg_t *reply = msg_create(sip_default_mclass(), 0);
	su_home_t *home = msg_home(reply);
	const sip_t *sip = sip_object(from);

	put(reply, sip_status_create(home, SIP_200_OK, NULL));
	put(reply, sip_via_copy(home, sip->sip_via));
	put(reply, sip_from_copy(home, sip->sip_from));
	put(reply, sip_to_copy(home, sip->sip_to));
	put(reply, sip_call_id_copy(home, sip->sip_call_id));
	put(reply, sip_cseq_copy(home, sip->sip_cseq));
	assert_int_equal(sip_complete_message(reply), 0);
	assert_int_equal(msg_serialize(reply, msg_object(reply)), 0);
	assert_true(msg_prepare(reply) > 0);
	return reply;
}

static msg_t *received(void)
{
	return msg_make(sip_default_mclass(), MSG_DO_EXTRACT_COPY, request,
			(ssize_t)strlen(request));
}

static void a_response_with_lines_of_its_request_is_one_piece(void **state)
{
	isize_t (*sofias)(msg_t *, msg_iovec_t[], isize_t);
	msg_t *from = received(), *reply = reply_to(from);
	msg_iovec_t pieces[16];

	(void)state;
	*(void **)&sofias = dlsym(RTLD_NEXT, "msg_iovec");
	assert_true(sofias(reply, pieces, ARRAY_SIZE(pieces)) > 1); /* there is a reason */
	for (int again = 0; again < 2; again++) {                   /* a retransmission too */
		assert_int_equal(msg_iovec(reply, pieces, ARRAY_SIZE(pieces)), 1);
		assert_int_equal(pieces[0].mv_len, strlen(response));
		assert_memory_equal(pieces[0].mv_base, response, strlen(response));
	}
	assert_int_equal(sofias(reply, pieces, ARRAY_SIZE(pieces)), 1);
	msg_destroy(reply);
	msg_destroy(from);
}

static void a_list_too_short_for_the_pieces_is_left_to_be_asked_for_again(void **state)
{
	msg_t *from = received(), *reply = reply_to(from);
	msg_iovec_t piece;
	isize_t count = msg_iovec(reply, NULL, 0);

	(void)state;
	assert_true(count > 1);
	assert_int_equal(msg_iovec(reply, &piece, 1), count);
	msg_destroy(reply);
	msg_destroy(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_response_with_lines_of_its_request_is_one_piece),
		cmocka_unit_test(a_list_too_short_for_the_pieces_is_left_to_be_asked_for_again),
	};

	return cmocka_run_group_tests_name("tas/sip/one_piece", tests, NULL, NULL);
}
