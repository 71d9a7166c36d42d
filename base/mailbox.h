/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.h - the only way one thread tells another something.
 *
 * A mail is heap memory that moves from sender to receiver; it carries values
 * and tickets, never pointers into another thread's objects. Posting cannot
 * fail and takes no lock. The receiver's loop watches mailbox_fd() and calls
 * mailbox_drain() on its own thread. Order per sender is kept.
 */
#ifndef BREAKOUT_BASE_MAILBOX_H
#define BREAKOUT_BASE_MAILBOX_H

#include "base/macros.h"

struct mail;
struct mailbox; /* opaque */

/* Receiver's thread. Owns `mail` and frees it. */
typedef void mail_fn(struct mail *mail, void *receiver);

/* First member of every message struct. */
struct mail {
	struct mail *next;
	mail_fn *deliver;
};

int mailbox_create(struct mailbox **ret_mailbox, void *receiver) MUST_CHECK;

/* Delivers nothing more: what is left is handed to `dispose` (NULL: free). */
struct mailbox *mailbox_destroy(struct mailbox *mailbox, void (*dispose)(struct mail *mail));

int mailbox_fd(const struct mailbox *mailbox); /* readable when mail waits; borrowed */

/* Any thread. */
void mailbox_post(struct mailbox *mailbox, struct mail *take_mail);

/* Receiver's thread: delivers at most `budget` mails (0: all that were there). */
unsigned mailbox_drain(struct mailbox *mailbox, unsigned budget);

#endif
