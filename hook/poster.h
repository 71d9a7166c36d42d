/* SPDX-License-Identifier: Apache-2.0 */
/* poster.h - inside of hook: the thread that talks HTTP.
 *
 * A job is one heap object that travels: to the thread as a question, back to
 * the mailbox of replies as an answer. A job that was cancelled does not come
 * back; one that is on its way back all the same is known by its ticket.
 */
#ifndef BREAKOUT_HOOK_POSTER_H
#define BREAKOUT_HOOK_POSTER_H

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/str.h"
#include "base/ticket.h"
#include "hook/hook.h"
#include "hook/sign.h"

#define JOB_DETAIL_ROOM 256

struct job {
	struct mail mail;
	struct ticket ticket; /* of the ask */
	char *url, *ca_file, *body;
	char signature[SIGN_ROOM]; /* "": none */
	mono_ms due_ms;
	/* The answer. */
	enum hook_result result;
	int status;
	struct str answer;
	char detail[JOB_DETAIL_ROOM];
	/* The thread's. */
	struct job *next, **link;
	struct transfer *transfer;
};
struct job *job_free(struct job *job); /* returns NULL */

struct poster; /* opaque */

/* Answered jobs go to `replies`, delivered by `deliver`. */
int poster_create(struct poster **ret_poster, struct mailbox *replies, mail_fn *deliver) MUST_CHECK;
/* Gives up what is under way and waits for the thread, not for any server. */
struct poster *poster_destroy(struct poster *poster);

void poster_post(struct poster *poster, struct job *take_job);
void poster_cancel(struct poster *poster, struct ticket ticket);

#endif
