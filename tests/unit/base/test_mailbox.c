/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mailbox.h"

#define SENDERS    4
#define PER_SENDER 20000

struct letter {
	struct mail mail;
	int sender, number;
};

struct receiver {
	struct mailbox *mailbox;
	int next[SENDERS]; /* the number expected from each sender */
	int count;
	bool reply; /* post one more from inside the first delivery */
};

static void on_letter(struct mail *mail, void *arg)
{
	struct letter *letter = (struct letter *)mail;
	struct receiver *receiver = arg;

	assert_int_equal(letter->number, receiver->next[letter->sender]);
	receiver->next[letter->sender]++;
	receiver->count++;
	if (receiver->reply) {
		receiver->reply = false;
		letter->number = receiver->next[letter->sender];
		mailbox_post(receiver->mailbox, mail);
		return;
	}
	free(letter);
}

static void post(struct mailbox *mailbox, int sender, int number)
{
	struct letter *letter = calloc(1, sizeof(*letter));

	assert_non_null(letter);
	letter->mail.deliver = on_letter;
	letter->sender = sender;
	letter->number = number;
	mailbox_post(mailbox, &letter->mail);
}

static bool readable(const struct mailbox *mailbox, int timeout_ms)
{
	struct pollfd pollfd = { .fd = mailbox_fd(mailbox), .events = POLLIN };

	return poll(&pollfd, 1, timeout_ms) == 1;
}

static void mail_arrives_in_order_and_the_fd_tells_of_it(void **state)
{
	struct receiver receiver = { 0 };

	(void)state;
	assert_int_equal(mailbox_create(&receiver.mailbox, &receiver), 0);
	assert_false(readable(receiver.mailbox, 0));
	for (int i = 0; i < 10; i++)
		post(receiver.mailbox, 0, i);
	assert_true(readable(receiver.mailbox, 0));
	assert_int_equal(mailbox_drain(receiver.mailbox, 0), 10);
	assert_false(readable(receiver.mailbox, 0));
	assert_int_equal(mailbox_drain(receiver.mailbox, 0), 0);
	mailbox_destroy(receiver.mailbox, NULL);
}

static void a_spent_budget_leaves_the_fd_readable(void **state)
{
	struct receiver receiver = { 0 };

	(void)state;
	assert_int_equal(mailbox_create(&receiver.mailbox, &receiver), 0);
	for (int i = 0; i < 5; i++)
		post(receiver.mailbox, 0, i);
	assert_int_equal(mailbox_drain(receiver.mailbox, 3), 3);
	assert_true(readable(receiver.mailbox, 0));
	post(receiver.mailbox, 0, 5);
	assert_int_equal(mailbox_drain(receiver.mailbox, 2), 2); /* the old ones only */
	assert_true(readable(receiver.mailbox, 0));
	assert_int_equal(mailbox_drain(receiver.mailbox, 2), 1);
	assert_false(readable(receiver.mailbox, 0));
	mailbox_destroy(receiver.mailbox, NULL);
}

static void mail_posted_while_delivering_waits_for_the_next_drain(void **state)
{
	struct receiver receiver = { .reply = true };

	(void)state;
	assert_int_equal(mailbox_create(&receiver.mailbox, &receiver), 0);
	post(receiver.mailbox, 0, 0);
	assert_int_equal(mailbox_drain(receiver.mailbox, 0), 1);
	assert_true(readable(receiver.mailbox, 0));
	assert_int_equal(mailbox_drain(receiver.mailbox, 0), 1);
	mailbox_destroy(receiver.mailbox, NULL);
}

static int disposed;

static void dispose(struct mail *mail)
{
	disposed++;
	free(mail);
}

static void destroying_disposes_of_what_is_left(void **state)
{
	struct receiver receiver = { 0 };

	(void)state;
	assert_int_equal(mailbox_create(&receiver.mailbox, &receiver), 0);
	for (int i = 0; i < 4; i++)
		post(receiver.mailbox, 0, i);
	assert_int_equal(mailbox_drain(receiver.mailbox, 1), 1);
	post(receiver.mailbox, 0, 4);
	assert_null(mailbox_destroy(receiver.mailbox, dispose));
	assert_int_equal(disposed, 4);
	assert_int_equal(receiver.count, 1);
	assert_int_equal(mailbox_create(&receiver.mailbox, &receiver), 0);
	post(receiver.mailbox, 0, 0);
	assert_null(mailbox_destroy(receiver.mailbox, NULL)); /* frees: LeakSanitizer sees */
	assert_null(mailbox_destroy(NULL, NULL));
}

struct sender {
	pthread_t thread;
	struct mailbox *mailbox;
	int index;
};

static void *send_all(void *arg)
{
	struct sender *sender = arg;

	for (int i = 0; i < PER_SENDER; i++)
		post(sender->mailbox, sender->index, i);
	return NULL;
}

static void several_threads_lose_nothing_and_keep_their_order(void **state)
{
	struct receiver receiver = { 0 };
	struct sender senders[SENDERS];

	(void)state;
	assert_int_equal(mailbox_create(&receiver.mailbox, &receiver), 0);
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ .mailbox = receiver.mailbox, .index = i };
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]),
				 0);
	}
	while (receiver.count < SENDERS * PER_SENDER) {
		assert_true(readable(receiver.mailbox, 20000)); /* no wake-up is lost */
		(void)mailbox_drain(receiver.mailbox, 64);
	}
	for (int i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
	mailbox_destroy(receiver.mailbox, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_arrives_in_order_and_the_fd_tells_of_it),
		cmocka_unit_test(a_spent_budget_leaves_the_fd_readable),
		cmocka_unit_test(mail_posted_while_delivering_waits_for_the_next_drain),
		cmocka_unit_test(destroying_disposes_of_what_is_left),
		cmocka_unit_test(several_threads_lose_nothing_and_keep_their_order),
	};
	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
