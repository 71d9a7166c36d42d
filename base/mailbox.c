/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.c - a lock-free stack that the receiver takes whole and turns round. */
#include "base/mailbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
	struct mail *_Atomic newest; /* any thread pushes here */
	struct mail *oldest;         /* receiver's: taken, in order, not yet delivered */
	void *receiver;
	int fd;
};

int mailbox_create(struct mailbox **ret_mailbox, void *receiver)
{
	struct mailbox *mailbox = calloc(1, sizeof(*mailbox));

	if (!mailbox)
		return -ENOMEM;
	mailbox->receiver = receiver;
	mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (mailbox->fd < 0) {
		int err = -errno;

		free(mailbox);
		return err;
	}
	*ret_mailbox = mailbox;
	return 0;
}

/* Takes what was posted, oldest first. */
static struct mail *take_posted(struct mailbox *mailbox)
{
	struct mail *newest =
		atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
	struct mail *oldest = NULL;

	while (newest) {
		struct mail *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

static void dispose_all(struct mail *mail, void (*dispose)(struct mail *mail))
{
	while (mail) {
		struct mail *next = mail->next;

		if (dispose)
			dispose(mail);
		else
			free(mail);
		mail = next;
	}
}

struct mailbox *mailbox_destroy(struct mailbox *mailbox, void (*dispose)(struct mail *mail))
{
	if (!mailbox)
		return NULL;
	dispose_all(mailbox->oldest, dispose);
	dispose_all(take_posted(mailbox), dispose);
	(void)close(mailbox->fd); /* an eventfd has nothing to lose */
	free(mailbox);
	return NULL;
}

int mailbox_fd(const struct mailbox *mailbox)
{
	return mailbox->fd;
}

static void wake(const struct mailbox *mailbox)
{
	const uint64_t one = 1;

	/* Fails only when the counter is full, and then the fd is readable anyway. */
	if (write(mailbox->fd, &one, sizeof(one)) < 0)
		return;
}

void mailbox_post(struct mailbox *mailbox, struct mail *take_mail)
{
	struct mail *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);

	do {
		take_mail->next = newest;
	} while (!atomic_compare_exchange_weak_explicit(
		&mailbox->newest, &newest, take_mail, memory_order_release, memory_order_relaxed));
	/* Whoever makes the stack non-empty wakes; the others find it awake. */
	if (!newest)
		wake(mailbox);
}

unsigned mailbox_drain(struct mailbox *mailbox, unsigned budget)
{
	unsigned delivered = 0;
	bool taken = false;
	uint64_t count;

	/* Cleared before the stack is taken: a post after that wakes again. */
	if (read(mailbox->fd, &count, sizeof(count)) < 0)
		count = 0;

	while (!budget || delivered < budget) {
		struct mail *mail;

		if (!mailbox->oldest && !taken) {
			mailbox->oldest = take_posted(mailbox);
			taken = true;
		}
		mail = mailbox->oldest;
		if (!mail)
			return delivered;
		mailbox->oldest = mail->next;
		mail->next = NULL;
		mail->deliver(mail, mailbox->receiver);
		delivered++;
	}
	/* The budget ended first: come back for what is left. */
	if (mailbox->oldest ||
	    (!taken && atomic_load_explicit(&mailbox->newest, memory_order_relaxed)))
		wake(mailbox);
	return delivered;
}
