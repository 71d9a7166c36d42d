/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

#include <unistd.h>
#include "tas/service/hop.h"

static int read_key(const char *content, struct hop_key *ret_key)
{
	char path[] = "/tmp/breakout-hop-XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	close(fd);
	err = hop_key_read(path, ret_key);
	unlink(path);
	return err;
}

static void nodes_with_one_file_have_one_key(void **state)
{
	struct hop_key here, there, other;

	(void)state;
	assert_int_equal(read_key("0123456789abcdef", &here), 0);
	assert_int_equal(read_key("0123456789abcdef \r\n", &there), 0);
	assert_int_equal(read_key("0123456789abcdeg", &other), 0);
	assert_memory_equal(&here, &there, sizeof(here));
	assert_memory_not_equal(&here, &other, sizeof(here));
	assert_true(here.words[0] != here.words[1]);
}

static void a_short_or_missing_key_is_an_error_and_leaves_the_old_one(void **state)
{
	struct hop_key key = { { 1, 2 } };

	(void)state;
	assert_int_equal(read_key("0123456789abcde\n", &key), -EINVAL);
	assert_int_equal(hop_key_read("/nonexistent/key", &key), -EIO);
	assert_int_equal(key.words[0], 1);
	assert_int_equal(key.words[1], 2);
}

static void a_mark_is_known_for_its_number_direction_and_key_only(void **state)
{
	const struct hop_key key = { { 1, 2 } }, foreign = { { 1, 3 } };
	struct sip_headers headers = { 0 };

	(void)state;
	assert_false(hop_seen(&key, &headers, DIRECTION_MO, "+4799000002"));
	assert_int_equal(hop_mark(&key, &headers, DIRECTION_MO, "+4799000002"), 0);
	assert_true(hop_seen(&key, &headers, DIRECTION_MO, "+4799000002"));
	assert_false(hop_seen(&key, &headers, DIRECTION_MT, "+4799000002"));
	assert_false(hop_seen(&key, &headers, DIRECTION_MO, "+4799000003"));
	assert_false(hop_seen(&foreign, &headers, DIRECTION_MO, "+4799000002"));
	assert_null(strstr(headers.items[0].value, "9000002"));
	sip_headers_done(&headers);
}

static void marks_in_one_line_are_all_read(void **state)
{
	const struct hop_key key = { { 1, 2 } };
	struct sip_headers marks = { 0 }, joined = { 0 };
	char line[128], cut[32];

	(void)state;
	assert_int_equal(hop_mark(&key, &marks, DIRECTION_MO, "+1"), 0);
	assert_int_equal(hop_mark(&key, &marks, DIRECTION_MT, "+2"), 0);
	snprintf(line, sizeof(line), "%s ,\t%s", marks.items[0].value, marks.items[1].value);
	assert_int_equal(sip_headers_add(&joined, "breakout-hop", line), 0);
	assert_true(hop_seen(&key, &joined, DIRECTION_MO, "+1"));
	assert_true(hop_seen(&key, &joined, DIRECTION_MT, "+2"));
	/* One that goes on, or ends early, is another text. */
	snprintf(line, sizeof(line), "%s0", marks.items[0].value);
	assert_int_equal(sip_headers_set(&joined, "Breakout-Hop", line), 0);
	assert_false(hop_seen(&key, &joined, DIRECTION_MO, "+1"));
	snprintf(cut, sizeof(cut), "%.10s", marks.items[0].value);
	assert_int_equal(sip_headers_set(&joined, "Breakout-Hop", cut), 0);
	assert_false(hop_seen(&key, &joined, DIRECTION_MO, "+1"));
	sip_headers_done(&marks);
	sip_headers_done(&joined);
}

/* What leg 3 carries comes back on the next leg 2. */
static void come_back(struct service_rig *rig)
{
	const struct call_step *step = &rig->plan->steps[0];

	sip_headers_done(&rig->headers);
	assert_int_equal(sip_headers_copy_transparent(&rig->headers, &step->headers), 0);
}

static void a_looped_call_that_comes_back_is_broken(void **state)
{
	struct service_rig *rig = *state;

	assert_labels(rig_decide(rig, "+014799000002", "+4712345678"), "loop");
	come_back(rig);
	assert_labels(rig_decide(rig, "+014799000002", "+4712345678"), "reject 482");
	assert_int_equal(rig->plan->steps[0].cause, CAUSE_LOOP);
}

static void an_unknown_number_that_comes_back_is_broken_too(void **state)
{
	struct service_rig *rig = *state;

	assert_labels(rig_decide(rig, "+4755555555", "+4712345678"), "loop");
	come_back(rig);
	assert_labels(rig_decide(rig, "+4755555555", "+4712345678"), "reject 482");
}

static void caller_and_callee_may_each_pass_once(void **state)
{
	struct service_rig *rig = *state;

	assert_labels(rig_decide(rig, "+004799000004", "+4799000002"), "loop");
	come_back(rig);
	assert_labels(rig_decide(rig, "+014799000002", "+4799000002"), "loop");
	come_back(rig);
	assert_labels(rig_decide(rig, "+014799000002", "+4799000002"), "reject 482");
}

static void an_emergency_call_carries_no_mark_and_is_never_broken(void **state)
{
	struct service_rig *rig = *state;

	for (int pass = 0; pass < 2; pass++) {
		assert_labels(rig_decide(rig, "00112", "+4799000002"), "loop");
		assert_null(sip_headers_find(&rig->plan->steps[0].headers, "Breakout-Hop"));
		come_back(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_with_one_file_have_one_key),
		cmocka_unit_test(a_short_or_missing_key_is_an_error_and_leaves_the_old_one),
		cmocka_unit_test(a_mark_is_known_for_its_number_direction_and_key_only),
		cmocka_unit_test(marks_in_one_line_are_all_read),
		cmocka_unit_test_setup_teardown(a_looped_call_that_comes_back_is_broken, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(an_unknown_number_that_comes_back_is_broken_too,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(caller_and_callee_may_each_pass_once, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(
			an_emergency_call_carries_no_mark_and_is_never_broken, rig_setup,
			rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
