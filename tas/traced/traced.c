/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/traced/traced.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/mailbox.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "tas/traced/folder.h"
#include "tas/traced/numbers.h"
#include "tas/traced/piece.h"

#define WAITING_MAX (8u << 20) /* bytes on their way to the disk */
#define SWEEP_MS    (3600 * 1000)

static struct metric kept_total =
	METRIC_COUNTER_INIT("breakout_traced_calls_total", NULL,
			    "Calls whose trace was begun on disk, for an order of an operator");
static struct metric lost_total =
	METRIC_COUNTER_INIT("breakout_traced_lost_total", NULL,
			    "Pieces of traced calls that the disk was too slow or too full for");

struct traced {
	struct sip_trace *trace; /* borrowed */
	struct numbers *numbers;
	char matched[E164_ROOM]; /* SIP thread */
	atomic_size_t waiting;   /* bytes */
	struct mailbox *mailbox;
	pthread_t thread;
	bool running;

	/* Writer's thread. */
	struct folder folder;
	bool failing, stop;
};

/* ---- the writer's thread ---- */

struct piece_mail {
	struct mail mail;
	enum { MAIL_PIECE, MAIL_BEGIN, MAIL_SAVE, MAIL_STOP } what;
	uint64_t story;
	char *text; /* PIECE, BEGIN */
	size_t length;
};

static void tell(struct traced *traced, int err)
{
	if (err && !traced->failing)
		log_error("trace",
			  "traced calls cannot be written to %s: %s: make room, or mend rights or "
			  "trace.dir",
			  traced->folder.dir, strerror(-err));
	if (!err && traced->failing)
		log_notice("trace", "traced calls can be written to %s again", traced->folder.dir);
	traced->failing = err != 0;
}

static void write_last(struct str *to)
{
	static const char text[] = "this call has had its share of trace.dir_size: what follows is "
				   "not kept";
	wall_ms at = clock_wall();
	const struct sip_trace_entry entry = {
		.kind = SIP_TRACE_NOTE, .at = at, .text = text, .length = sizeof(text) - 1
	};

	piece_write(to, &(struct sip_trace_piece){ .what = SIP_TRACE_ENTRY, .entry = &entry }, at);
}

static void put(struct traced *traced, const struct piece_mail *mail)
{
	int err = 0;

	if (mail->what == MAIL_BEGIN) {
		err = folder_begin(&traced->folder, mail->story);
		metric_add(err ? &lost_total : &kept_total, 1);
	}
	if (!err)
		err = folder_append(&traced->folder, mail->story, mail->text, mail->length,
				    write_last);
	if (err == -EFBIG || err == -ENOENT)
		err = 0; /* has been said, or has given way */
	else if (err)
		metric_add(&lost_total, 1);
	tell(traced, err);
}

static void on_mail(struct mail *mail, void *receiver)
{
	struct piece_mail *piece = CONTAINER_OF(mail, struct piece_mail, mail);
	struct traced *traced = receiver;

	switch (piece->what) {
	case MAIL_PIECE:
	case MAIL_BEGIN:
		put(traced, piece);
		atomic_fetch_sub(&traced->waiting, piece->length);
		break;
	case MAIL_SAVE:
		tell(traced, numbers_save(traced->numbers));
		break;
	case MAIL_STOP:
		traced->stop = true;
		break;
	}
	free(piece->text);
	free(piece);
}

static void *write_pieces(void *arg)
{
	struct traced *traced = arg;
	struct pollfd pfd = { .fd = mailbox_fd(traced->mailbox), .events = POLLIN };

	while (!traced->stop) {
		if (poll(&pfd, 1, SWEEP_MS) == 0)
			folder_sweep(&traced->folder, 0);
		(void)mailbox_drain(traced->mailbox, 0);
	}
	return NULL;
}

/* ---- the SIP thread ---- */

static bool post(struct traced *traced, int what, uint64_t story, struct str *take_text)
{
	struct piece_mail *mail = calloc(1, sizeof(*mail));
	size_t length = take_text ? take_text->length : 0;
	char *text = take_text ? str_take(take_text) : NULL;

	if (!mail || (take_text && !text)) {
		free(mail);
		free(text);
		return false;
	}
	*mail = (struct piece_mail){ .mail.deliver = on_mail,
				     .what = what,
				     .story = story,
				     .text = text,
				     .length = length };
	atomic_fetch_add(&traced->waiting, length);
	mailbox_post(traced->mailbox, &mail->mail);
	return true;
}

static bool on_active(void *arg)
{
	const struct traced *traced = arg;

	return numbers_any(traced->numbers);
}

static const char *on_wants(const char *name, void *arg)
{
	struct traced *traced = arg;

	return numbers_wants(traced->numbers, name, traced->matched) ? traced->matched : NULL;
}

static void on_counts(const char *wanted, void *arg)
{
	struct traced *traced = arg;

	if (numbers_count(traced->numbers, wanted))
		(void)post(traced, MAIL_SAVE, 0, NULL); /* without memory a restart counts less */
}

static void on_piece(const struct sip_trace_piece *piece, void *arg)
{
	struct traced *traced = arg;
	struct str text = { 0 };

	if (atomic_load(&traced->waiting) > WAITING_MAX) {
		metric_add(&lost_total, 1);
		return;
	}
	piece_write(&text, piece, clock_wall());
	if (!post(traced, piece->what == SIP_TRACE_BEGUN ? MAIL_BEGIN : MAIL_PIECE, piece->story,
		  &text))
		metric_add(&lost_total, 1);
}

/* ---- orders ---- */

static int save(struct traced *traced)
{
	int err = folder_make(traced->folder.dir);

	return err ? err : numbers_save(traced->numbers);
}

int traced_on(struct traced *traced, const struct traced_order *order)
{
	char masked[32];
	int err = numbers_put(traced->numbers, order);

	if (!err) {
		err = save(traced);
		if (err)
			(void)numbers_remove(traced->numbers, order->number);
	}
	if (err)
		return err;
	e164_mask(order->number, masked, sizeof(masked));
	log_notice("trace", "trace of=%s ordered by=%s for_s=%lld calls=%u", masked, order->who,
		   (long long)(order->until - order->since) / 1000, order->calls);
	return 0;
}

int traced_off(struct traced *traced, const char *number, const char *who)
{
	char masked[32] = "all";
	size_t count = numbers_remove(traced->numbers, number);
	int err;

	if (!count)
		return -ENOENT;
	err = save(traced);
	if (number)
		e164_mask(number, masked, sizeof(masked));
	log_notice("trace", "trace of=%s ended by=%s orders=%zu", masked, who, count);
	return err;
}

size_t traced_orders(struct traced *traced, struct traced_order *ret_orders)
{
	return numbers_list(traced->numbers, ret_orders);
}

const char *traced_dir(const struct traced *traced)
{
	return traced->folder.dir;
}

/* ---- coming and going ---- */

int traced_create(struct traced **ret_traced, struct sip_trace *trace,
		  const struct config_trace *config)
{
	struct traced *traced = calloc(1, sizeof(*traced));
	char path[PATH_MAX];
	int err = -ENOMEM;

	if (!traced)
		return -ENOMEM;
	atomic_init(&traced->waiting, 0);
	traced->trace = trace;
	traced->folder = (struct folder){ .dir = strdup(config->dir),
					  .bytes = config->dir_bytes,
					  .keep_days = config->keep_days,
					  .began = clock_wall() };
	(void)snprintf(path, sizeof(path), "%s/numbers", config->dir);
	if (traced->folder.dir)
		err = numbers_create(&traced->numbers, path);
	if (!err)
		err = mailbox_create(&traced->mailbox, traced);
	if (!err)
		err = thread_start(&traced->thread, "traced", THREAD_PATIENT, write_pieces, traced);
	traced->running = !err;
	if (!err)
		err = sip_trace_follow(trace, &(struct sip_trace_follow){ .active = on_active,
									  .wants = on_wants,
									  .counts = on_counts,
									  .take = on_piece,
									  .arg = traced });
	if (err) {
		(void)traced_destroy(traced);
		return err;
	}
	*ret_traced = traced;
	return 0;
}

static void dispose(struct mail *mail)
{
	struct piece_mail *piece = CONTAINER_OF(mail, struct piece_mail, mail);

	free(piece->text);
	free(piece);
}

struct traced *traced_destroy(struct traced *traced)
{
	if (!traced)
		return NULL;
	sip_trace_unfollow(traced->trace);
	if (traced->running && post(traced, MAIL_STOP, 0, NULL))
		pthread_join(traced->thread, NULL);
	mailbox_destroy(traced->mailbox, dispose);
	numbers_destroy(traced->numbers);
	free(traced->folder.dir);
	free(traced);
	return NULL;
}
