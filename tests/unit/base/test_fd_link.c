/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/fd_link.h"

static int ends[2];
static struct fd_frame frame;

static int setup(void **state)
{
	(void)state;
	return fd_link_pair(ends);
}

static int teardown(void **state)
{
	(void)state;
	fd_frame_done(&frame);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static void a_frame_arrives_whole_with_its_descriptors(void **state)
{
	struct str out = { 0 };
	struct unpack from;
	int fds[2], fd;
	char text[16], byte = 0;
	size_t length;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pack_number(&out, 7);
	pack_text(&out, "hello");
	pack_bytes(&out, "\0\1", 2);
	assert_int_equal(fd_link_send(ends[0], out.text, out.length, &fds[0], 1), 0);
	assert_int_equal(fd_link_send(ends[0], "x", 1, NULL, 0), 0);
	str_done(&out);
	assert_int_equal(fd_link_receive(ends[1], &frame, 1000), 1);
	from = unpack_begin(&frame);
	assert_int_equal(unpack_number(&from), 7);
	unpack_text(&from, text, sizeof(text));
	assert_string_equal(text, "hello");
	assert_memory_equal(unpack_bytes(&from, &length), "\0\1", 2);
	assert_int_equal(length, 2);
	assert_false(from.failed);

	fd = fd_frame_take(&frame);
	assert_true(fd >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_frame_take(&frame), -1);
	assert_int_equal(write(fds[1], "y", 1), 1);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, 'y');
	close(fd);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(fd_link_receive(ends[1], &frame, 0), 1);
	assert_int_equal(frame.length, 1);
	assert_int_equal(fd_link_receive(ends[1], &frame, 0), -EAGAIN);
}

static void an_end_that_is_gone_is_known(void **state)
{
	(void)state;
	assert_int_equal(fd_link_send(ends[0], "last", 4, NULL, 0), 0);
	close(ends[0]);
	assert_int_equal(fd_link_receive(ends[1], &frame, 1000), 1);
	assert_int_equal(fd_link_receive(ends[1], &frame, 1000), 0);
	assert_int_equal(fd_link_send(ends[1], "x", 1, NULL, 0), -EPIPE);
	ends[0] = dup(ends[1]);
}

static void what_is_missing_is_nothing(void **state)
{
	struct unpack from = { .at = "\3\0\0\0\0\0\0\0ab", .end = NULL };
	char text[4] = "zzz", bytes[2] = "z";
	size_t length = 9;

	(void)state;
	from.end = from.at + 10;
	assert_null(unpack_bytes(&from, &length));
	assert_int_equal(length, 0);
	assert_true(from.failed);
	assert_int_equal(unpack_number(&from), 0);
	unpack_text(&from, text, sizeof(text));
	assert_string_equal(text, "");
	unpack_into(&from, bytes, sizeof(bytes));
	assert_int_equal(bytes[0], 0);
}

static void a_text_that_does_not_fit_fails(void **state)
{
	struct str out = { 0 };
	struct unpack from;
	char text[3];

	(void)state;
	pack_text(&out, "abc");
	from = (struct unpack){ .at = out.text, .end = out.text + out.length };
	unpack_text(&from, text, sizeof(text));
	assert_true(from.failed);
	assert_string_equal(text, "");
	str_done(&out);
}

#define VALUES 10000

struct counted {
	unsigned pieces;
	uint64_t next;
	unsigned refuse_from; /* this piece on; 0: none */
};

static int count_piece(const struct str *packed, void *arg)
{
	struct counted *counted = arg;
	struct unpack from = { .at = packed->text, .end = packed->text + packed->length };

	assert_true(packed->length && packed->length < FD_LINK_ROOM / 2);
	counted->pieces++;
	while (from.at < from.end)
		assert_int_equal(unpack_number(&from), counted->next++);
	return counted->refuse_from && counted->pieces >= counted->refuse_from ? -EPIPE : 0;
}

static int pack_all(struct counted *counted)
{
	struct packing packing = { .send = count_piece, .arg = counted };

	for (uint64_t i = 0; i < VALUES; i++) {
		pack_number(&packing.piece, i);
		packing_next(&packing);
	}
	return packing_end(&packing);
}

static void many_values_go_in_pieces_in_order(void **state)
{
	struct counted counted = { 0 };

	(void)state;
	assert_int_equal(pack_all(&counted), 0);
	assert_int_equal(counted.next, VALUES);
	assert_true(counted.pieces > 2);
}

static void after_a_piece_that_fails_none_is_sent(void **state)
{
	struct counted counted = { .refuse_from = 2 };

	(void)state;
	assert_int_equal(pack_all(&counted), -EPIPE);
	assert_int_equal(counted.pieces, 2);
}

static void nothing_is_no_piece(void **state)
{
	struct counted counted = { 0 };
	struct packing packing = { .send = count_piece, .arg = &counted };

	(void)state;
	assert_int_equal(packing_end(&packing), 0);
	assert_int_equal(counted.pieces, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_frame_arrives_whole_with_its_descriptors),
		T(an_end_that_is_gone_is_known),
		T(what_is_missing_is_nothing),
		T(a_text_that_does_not_fit_fails),
		T(many_values_go_in_pieces_in_order),
		T(after_a_piece_that_fails_none_is_sent),
		T(nothing_is_no_piece),
	};

	return cmocka_run_group_tests_name("base/fd_link", tests, NULL, NULL);
}
