/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/media/dtls_ends.h"

#define MANY 50

static struct dtls_queue steps;

static void steps_wait_in_the_queue_until_it_is_run(void **state)
{
	(void)state;
	queue = &steps;
	make(print_of(1), print_of(0));
	dtls_start(ends[1].dtls);
	dtls_start(ends[0].dtls);
	deliver_all();
	assert_int_equal(ends[1].head, 0);
	assert_true(dtls_queue_run(queue, 0));
	assert_false(dtls_queue_run(queue, 1));
	assert_int_equal(ends[1].head, 1);
	while (ends[0].ready == 0) {
		deliver_all();
		(void)dtls_queue_run(queue, 1);
	}
	assert_agreed();
	assert_int_equal(steps.shaking, 0);
	destroy();
	queue = NULL;
}

static void an_association_that_ends_leaves_the_queue(void **state)
{
	struct end more[3];

	(void)state;
	queue = &steps;
	make(print_of(1), print_of(0));
	dtls_start(ends[0].dtls);
	for (unsigned i = 0; i < 3; i++) {
		make_end(&more[i], 1, false, print_of(0), 1);
		dtls_start(more[i].dtls);
		dtls_receive(more[i].dtls, ends[0].sent[0].bytes, ends[0].sent[0].length);
	}
	dtls_destroy(more[2].dtls);
	dtls_destroy(more[0].dtls);
	assert_false(dtls_queue_run(queue, 8));
	assert_int_equal(more[1].head, 1);
	dtls_destroy(more[1].dtls);
	assert_false(dtls_queue_run(queue, 8));
	destroy();
	queue = NULL;
}

/* Servers wait in the queue, their clients do not; all have started, and each server has
 * the first datagram of its client, `repeats` times more. */
static struct end *crowd_of(unsigned count, unsigned repeats)
{
	struct end *crowd = test_calloc(2 * count, sizeof(*crowd));

	for (unsigned i = 0; i < count; i++) {
		struct end *client = &crowd[2 * i], *server = client + 1;

		queue = NULL;
		make_end(client, 0, true, print_of(1), 1);
		queue = &steps;
		make_end(server, 1, false, print_of(0), 1);
		dtls_start(server->dtls);
		dtls_start(client->dtls);
		for (unsigned k = 0; k <= repeats; k++, client->sent[0].bytes[10]++)
			dtls_receive(server->dtls, client->sent[0].bytes, client->sent[0].length);
		client->tail = client->head;
	}
	queue = NULL;
	return crowd;
}

static void crowd_leaves(struct end *crowd, unsigned count)
{
	for (unsigned i = 0; i < 2 * count; i++)
		dtls_destroy(crowd[i].dtls);
	test_free(crowd);
	assert_int_equal(steps.shaking, 0);
	memset(&steps, 0, sizeof(steps));
}

/* A step takes 75 ms here, so ten seconds have 66 handshakes of two steps, and a hundred
 * want one. With a turn for each, and with what they repeat, none would have keys in time.
 * Nothing else is repeated, as that would go by the real time of this test: the wheel
 * stands, and of what a client says the last is delivered, its flight. */
static void of_a_crowd_as_many_as_possible_have_keys_in_time(void **state)
{
	enum { CROWD = 100, STEP_MS = 75 };
	mono_ms began = clock_now();
	unsigned in_time = 0;
	struct end *crowd;

	(void)state;
	clock_fake_set(began);
	crowd = crowd_of(CROWD, 3);
	while (steps.first) {
		(void)dtls_queue_run(&steps, 1);
		clock_fake_advance(STEP_MS);
		for (unsigned i = 0; i < CROWD; i++) {
			struct end *client = &crowd[2 * i], *server = client + 1;

			while (deliver_one(server, client))
				;
			if (client->tail != client->head)
				client->tail = client->head - 1;
			(void)deliver_one(client, server);
		}
	}
	for (unsigned i = 0; i < CROWD; i++) {
		const struct end *server = &crowd[2 * i + 1];

		assert_int_equal(server->ready, 1);
		if (i > 0) /* in their order */
			assert_true(server->ready_at > crowd[2 * i - 1].ready_at);
		in_time += server->ready_at - began <= DTLS_HANDSHAKE_MS;
	}
	assert_in_range(in_time, DTLS_HANDSHAKE_MS / STEP_MS / 2 - 1, CROWD);
	crowd_leaves(crowd, CROWD);
	clock_real();
}

static unsigned answered(const struct end *crowd, unsigned count)
{
	unsigned answers = 0;

	for (unsigned i = 0; i < count; i++)
		answers += crowd[2 * i + 1].head > 0;
	return answers;
}

static void take_a_millisecond(const uint8_t *bytes, size_t length, void *arg)
{
	on_send(bytes, length, arg);
	clock_fake_advance(1);
}

/* Each answer takes a millisecond here. */
static void a_long_turn_is_followed_by_more_steps(void **state)
{
	enum { CROWD = 60 };
	mono_ms now = clock_now();
	struct end *crowd;

	(void)state;
	sends = take_a_millisecond;
	crowd = crowd_of(CROWD, 0);
	clock_fake_set(now);
	assert_true(dtls_queue_turn(&steps, now));
	assert_int_equal(answered(crowd, CROWD), 2);
	assert_true(dtls_queue_turn(&steps, now += 3));
	assert_int_equal(answered(crowd, CROWD), 4);
	assert_true(dtls_queue_turn(&steps, now += 22));
	assert_int_equal(answered(crowd, CROWD), 4 + 11);
	assert_true(dtls_queue_turn(&steps, now += 1000));
	assert_int_equal(answered(crowd, CROWD), 15 + 20);
	assert_true(dtls_queue_turn(&steps, now += 1000));
	assert_false(dtls_queue_turn(&steps, now += 20));
	assert_int_equal(answered(crowd, CROWD), CROWD);
	clock_real();
	crowd_leaves(crowd, CROWD);
	sends = on_send;
}

/* The one that began first says much that leads nowhere. */
static void who_says_too_much_waits_behind_the_others(void **state)
{
	struct end *crowd = crowd_of(3, 0);
	uint8_t junk[40] = { 22, 0xfe, 0xfd };

	(void)state;
	for (unsigned i = 0; i < 2 * DTLS_WAITING_MAX; i++) {
		junk[20] = (uint8_t)i;
		dtls_receive(crowd[1].dtls, junk, sizeof(junk));
	}
	assert_true(dtls_queue_run(&steps, DTLS_WAITING_MAX / 2));
	assert_int_equal(answered(crowd, 3), 1);
	assert_true(dtls_queue_run(&steps, 3));
	assert_int_equal(answered(crowd, 3), 3);
	assert_false(dtls_queue_run(&steps, DTLS_WAITING_MAX));
	crowd_leaves(crowd, 3);
}

/* Where the crowd is, answers wait: the last to come has 50 ms and one for each other. */
static void a_crowd_has_longer_before_anything_is_repeated(void **state)
{
	struct timer_wheel *shared = wheel, *own;
	struct end crowd[MANY], last;
	mono_ms began;

	(void)state;
	queue = &steps;
	for (unsigned i = 0; i < MANY; i++) {
		make_end(&crowd[i], 0, true, print_of(1), 1);
		dtls_start(crowd[i].dtls);
	}
	assert_int_equal(steps.shaking, MANY);
	/* On a round number: a wheel names no moment beyond the next one. */
	began = (clock_now() | 0xffff) + 1;
	clock_fake_set(began);
	assert_int_equal(timer_wheel_create(&own, began), 0);
	wheel = own;
	make_end(&last, 0, true, print_of(1), 1);
	dtls_start(last.dtls);
	assert_in_range(timer_wheel_next(own) - began, 50 + MANY / 2, 2 * (50 + MANY));
	clock_real();
	dtls_destroy(last.dtls);
	for (unsigned i = 0; i < MANY; i++)
		dtls_destroy(crowd[i].dtls);
	assert_int_equal(steps.shaking, 0);
	timer_wheel_destroy(own);
	wheel = shared;
	queue = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_wait_in_the_queue_until_it_is_run),
		cmocka_unit_test(an_association_that_ends_leaves_the_queue),
		cmocka_unit_test(of_a_crowd_as_many_as_possible_have_keys_in_time),
		cmocka_unit_test(a_long_turn_is_followed_by_more_steps),
		cmocka_unit_test(who_says_too_much_waits_behind_the_others),
		cmocka_unit_test(a_crowd_has_longer_before_anything_is_repeated),
	};

	return cmocka_run_group_tests_name("media/dtls_queue", tests, start_ends, stop_ends);
}
