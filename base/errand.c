/* SPDX-License-Identifier: Apache-2.0 */
#include "base/errand.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/thread.h"

/* The mailbox's once it is posted. */
struct done_mail {
	struct mail mail;
	struct errand_work work;
};

struct errand {
	pthread_t thread;
	struct mailbox *mailbox; /* borrowed */
	struct done_mail *mail;
};

static void deliver(struct mail *mail, void *receiver)
{
	struct done_mail *done = CONTAINER_OF(mail, struct done_mail, mail);

	(void)receiver;
	done->work.done(done->work.arg);
	free(done);
}

static void *run(void *arg)
{
	const struct errand *errand = arg;

	errand->mail->work.run(errand->mail->work.arg);
	mailbox_post(errand->mailbox, &errand->mail->mail);
	return NULL;
}

int errand_create(struct errand **ret_errand, struct mailbox *mailbox,
		  const struct errand_work *work)
{
	struct errand *errand = calloc(1, sizeof(*errand));
	struct done_mail *mail = calloc(1, sizeof(*mail));
	int err = -ENOMEM;

	if (!errand || !mail)
		goto fail;
	*mail = (struct done_mail){ .mail.deliver = deliver, .work = *work };
	*errand = (struct errand){ .mailbox = mailbox, .mail = mail };
	err = thread_start(&errand->thread, "errand", THREAD_PATIENT, run, errand);
	if (err)
		goto fail;
	*ret_errand = errand;
	return 0;
fail:
	free(mail);
	free(errand);
	return err;
}

struct errand *errand_destroy(struct errand *errand)
{
	if (!errand)
		return NULL;
	pthread_join(errand->thread, NULL);
	free(errand);
	return NULL;
}
