/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_batch.c - what is said in a turn leaves in one record, in order, whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above before it */
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "tas/sip/tls_batch.h"

static SSL_CTX *context[2];
static SSL *near, *far;
static int fds[2];
static struct tls_batch batch;
static unsigned writes, lost;

static unsigned client_key(SSL *ssl, const char *hint, char *identity, unsigned identity_room,
			   unsigned char *key, unsigned key_room)
{
	(void)ssl;
	(void)hint;
	(void)key_room;
	strncpy(identity, "test", identity_room);
	memset(key, 7, 16);
	return 16;
}

static unsigned server_key(SSL *ssl, const char *identity, unsigned char *key, unsigned room)
{
	(void)ssl;
	(void)identity;
	(void)room;
	memset(key, 7, 16);
	return 16;
}

static SSL *end(size_t which)
{
	SSL *ssl;

	context[which] = SSL_CTX_new(TLS_method());
	SSL_CTX_set_max_proto_version(context[which], TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(context[which], "PSK-AES128-GCM-SHA256"), 1);
	SSL_CTX_set_psk_client_callback(context[which], client_key);
	SSL_CTX_set_psk_server_callback(context[which], server_key);
	(void)fcntl(fds[which], F_SETFL, O_NONBLOCK);
	ssl = SSL_new(context[which]);
	SSL_set_fd(ssl, fds[which]);
	return ssl;
}

static int count_write(SSL *ssl, const void *bytes, int length)
{
	writes++;
	return SSL_write(ssl, bytes, length);
}

static void count_lost(struct tls_batch *which)
{
	assert_ptr_equal(which, &batch);
	lost++;
}

static int setup(void **state)
{
	int done[2] = { 0, 0 };

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	near = end(0);
	far = end(1);
	for (int i = 0; i < 20 && (done[0] != 1 || done[1] != 1); i++) {
		done[0] = SSL_connect(near);
		done[1] = SSL_accept(far);
	}
	assert_int_equal(done[0], 1);
	assert_int_equal(done[1], 1);
	batch = (struct tls_batch){ .ssl = near, .write = count_write };
	writes = lost = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)tls_batch_send(count_lost);
	tls_batch_done(&batch);
	SSL_free(near);
	SSL_free(far);
	for (size_t i = 0; i < 2; i++) {
		SSL_CTX_free(context[i]);
		close(fds[i]);
	}
	return 0;
}

static void say(const char *text)
{
	assert_int_equal(tls_batch_write(&batch, text, (int)strlen(text)), (int)strlen(text));
}

/* One record. */
static void heard(const char *text)
{
	char got[16384];
	int length = SSL_read(far, got, sizeof(got));

	assert_int_equal(length, (int)strlen(text));
	assert_memory_equal(got, text, (size_t)length);
}

static void turn_with_an_event(void)
{
	tls_batch_open();
	tls_batch_event();
}

static void what_is_said_in_a_turn_leaves_as_one_record(void **state)
{
	(void)state;
	turn_with_an_event();
	say("one ");
	say("two ");
	say("three");
	assert_int_equal(writes, 0);
	assert_false(tls_batch_send(count_lost));
	assert_int_equal(writes, 1);
	heard("one two three");
}

static void what_is_said_outside_or_before_an_event_leaves_at_once(void **state)
{
	(void)state;
	tls_batch_event(); /* of no turn */
	say("one");
	heard("one");
	tls_batch_open();
	say("two");
	heard("two");
	tls_batch_event();
	say("three");
	assert_false(tls_batch_send(count_lost));
	heard("three");
	say("four");
	heard("four");
}

static void more_than_there_is_room_for_leaves_in_order(void **state)
{
	static char large[5001], huge[12001], got[16384];

	(void)state;
	memset(large, 'l', 5000);
	memset(huge, 'h', 12000);
	turn_with_an_event();
	say("first");
	say(large);
	say(large); /* what was gathered goes first */
	assert_int_equal(writes, 1);
	say(huge); /* and is sent by itself */
	assert_int_equal(writes, 3);
	say("last");
	assert_false(tls_batch_send(count_lost));
	assert_int_equal(writes, 4);
	assert_int_equal(SSL_read(far, got, sizeof(got)), 5005);
	assert_memory_equal(got, "firstl", 6);
	heard(large);
	heard(huge);
	heard("last");
}

/* Until the peer's and our buffers are full. */
static unsigned fill(void)
{
	static char block[8001];
	unsigned blocks = 0;

	memset(block, 'b', 8000);
	do {
		turn_with_an_event();
		say(block);
		blocks++;
	} while (!tls_batch_send(count_lost) && blocks < 10000);
	return blocks;
}

static void a_peer_that_does_not_read_gets_it_later_and_once(void **state)
{
	char got[16384];
	unsigned blocks, read_blocks = 0;

	(void)state;
	blocks = fill();
	assert_true(blocks < 10000);
	turn_with_an_event();
	assert_int_equal(tls_batch_write(&batch, "more", 4), -1); /* nothing more is taken */
	assert_int_equal(SSL_get_error(near, -1), SSL_ERROR_WANT_WRITE);
	assert_true(tls_batch_send(count_lost));
	for (int i = 0; i < 4; i++)
		read_blocks += SSL_read(far, got, sizeof(got)) == 8000;
	assert_int_equal(read_blocks, 4);
	turn_with_an_event();
	say("more"); /* sofia offers it again */
	assert_false(tls_batch_send(count_lost));
	while (SSL_read(far, got, sizeof(got)) == 8000)
		read_blocks++;
	assert_int_equal(read_blocks, blocks);
	assert_memory_equal(got, "more", 4);
	assert_int_equal(lost, 0);
}

static void a_connection_that_broke_is_told_of(void **state)
{
	(void)state;
	turn_with_an_event();
	say("to nobody");
	(void)shutdown(fds[0], SHUT_RDWR);
	assert_false(tls_batch_send(count_lost));
	assert_int_equal(lost, 1);
}

static void the_last_word_leaves_before_the_end(void **state)
{
	(void)state;
	turn_with_an_event();
	say("403");
	tls_batch_send_last(fds[1]); /* somebody else's */
	assert_int_equal(writes, 0);
	tls_batch_send_last(fds[0]);
	(void)shutdown(fds[0], SHUT_RDWR);
	heard("403");
	assert_false(tls_batch_send(count_lost));
	assert_int_equal(lost, 0);
}

static void what_is_forgotten_is_not_sent(void **state)
{
	(void)state;
	turn_with_an_event();
	say("secret");
	tls_batch_done(&batch);
	assert_false(tls_batch_send(count_lost));
	assert_int_equal(writes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_said_in_a_turn_leaves_as_one_record, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			what_is_said_outside_or_before_an_event_leaves_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(more_than_there_is_room_for_leaves_in_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_peer_that_does_not_read_gets_it_later_and_once,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_connection_that_broke_is_told_of, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_last_word_leaves_before_the_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_forgotten_is_not_sent, setup, teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* a broken socket is an error, not the end */
	return cmocka_run_group_tests_name("tas/sip/tls_batch", tests, NULL, NULL);
}
