/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "tas/admin/elders.h"

static char folder[32] = "/tmp/breakout-elders-XXXXXX", path[64], asked[64];
static const char *says;
static int listener;

/* One request, one answer. */
static void *serve(void *arg)
{
	int fd = accept(listener, NULL, NULL);
	ssize_t n = read(fd, asked, sizeof(asked) - 1);

	(void)arg;
	asked[n > 0 ? n : 0] = '\0';
	(void)!write(fd, says, strlen(says));
	close(fd);
	return NULL;
}

static pthread_t begin(const char *answer)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	pthread_t thread;

	says = answer;
	strcpy(address.sun_path, path);
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
	return thread;
}

static void end(pthread_t thread)
{
	pthread_join(thread, NULL);
	close(listener);
}

/* One that is there, and one that is gone. */
static json_t *elders(void)
{
	json_t *list = json_pack("[{s:i, s:s+}, {s:i, s:s}]", "pid", 7, "socket", folder, "/none",
				 "pid", 8, "socket", path);

	assert_non_null(list);
	return list;
}

static void their_calls_stand_behind_ours_with_their_process(void **state)
{
	json_t *answer = json_pack("{s:[{s:s}]}", "calls", "id", "ours"), *list = elders(), *calls;
	pthread_t thread = begin("{\"calls\": [{\"id\": \"a\"}, {\"id\": \"b\"}]}\n");

	(void)state;
	elders_add_calls(answer, list);
	end(thread);
	calls = json_object_get(answer, "calls");
	assert_string_equal(asked, "calls\n");
	assert_int_equal(json_array_size(calls), 3);
	assert_null(json_object_get(json_array_get(calls, 0), "pid"));
	assert_string_equal(json_string_value(json_object_get(json_array_get(calls, 2), "id")),
			    "b");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(calls, 2), "pid")), 8);
	json_decref(answer);
	json_decref(list);
}

static void half_an_answer_is_none(void **state)
{
	json_t *answer = json_pack("{s:[]}", "calls"), *list = elders();
	pthread_t thread = begin("{\"calls\": [{\"id\": \"a\"}");

	(void)state;
	elders_add_calls(answer, list);
	end(thread);
	assert_int_equal(json_array_size(json_object_get(answer, "calls")), 0);
	json_decref(answer);
	json_decref(list);
}

static void who_knows_answers(void **state)
{
	json_t *list = elders(), *answer;
	pthread_t thread = begin("{\"call\": \"x\", \"entries\": []}\n");

	(void)state;
	answer = elders_instead(json_pack("{s:s}", "error", "unknown"), list, "trace x");
	end(thread);
	assert_string_equal(asked, "trace x\n");
	assert_string_equal(json_string_value(json_object_get(answer, "call")), "x");
	json_decref(answer);

	thread = begin("{\"error\": \"nor here\"}\n");
	answer = elders_instead(json_pack("{s:s}", "error", "unknown"), list, "trace x");
	end(thread);
	assert_string_equal(json_string_value(json_object_get(answer, "error")), "unknown");
	json_decref(answer);

	asked[0] = '\0';
	answer = elders_instead(json_pack("{s:s}", "call", "ours"), list, "trace x");
	assert_string_equal(asked, "");
	assert_string_equal(json_string_value(json_object_get(answer, "call")), "ours");
	json_decref(answer);
	json_decref(list);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/socket", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(their_calls_stand_behind_ours_with_their_process),
		cmocka_unit_test(half_an_answer_is_none),
		cmocka_unit_test(who_knows_answers),
	};

	return cmocka_run_group_tests_name("tas/admin/elders", tests, setup, teardown);
}
