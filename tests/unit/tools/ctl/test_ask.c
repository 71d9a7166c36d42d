/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "tools/ctl/ctl.h"

#define QUEUE 4

static char folder[] = "/tmp/breakout-ask-XXXXXX", path[64];

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", folder);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	(void)unlink(path); /* some tests make none */
	return rmdir(folder);
}

static int listen_at(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, QUEUE), 0);
	return fd;
}

static void who_does_not_listen_is_not_reached(void **state)
{
	(void)state;
	assert_false(ask_reaches(path));
	close(listen_at());
	assert_false(ask_reaches(path)); /* the path stays */
	unlink(path);
}

/* One that hangs takes nobody out of its queue. Who looks at it has others to look at. */
static void one_that_hangs_is_reached_without_a_wait(void **state)
{
	int fd = listen_at();
	mono_ms began = clock_now();

	(void)state;
	for (int i = 0; i < 2 * QUEUE; i++)
		assert_true(ask_reaches(path));
	assert_true(clock_now() - began < 5000); /* one wait is of ten seconds */
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_does_not_listen_is_not_reached),
		cmocka_unit_test(one_that_hangs_is_reached_without_a_wait),
	};

	return cmocka_run_group_tests_name("tools/ctl/ask", tests, begin, finish);
}
