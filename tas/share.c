/* SPDX-License-Identifier: Apache-2.0 */
/* share.c - what an old process has counted, and counts yet, as the one that has its place
 * knows it. The old one tells; nobody is asked or waited for, and of one that hangs or has
 * died the last that it told counts. See handover.h. */
#include <unistd.h>
#include "base/fd_link.h"
#include "base/log.h"
#include "base/metrics_others.h"
#include "tas/daemon.h"
#include "tas/handover.h"

enum subject { SUBJECT_METRICS = 1, SUBJECT_NUMBERS, SUBJECT_TARGETS };

struct frame {
	int link, process;
	enum subject subject;
};

static int send_piece(const struct str *packed, void *arg)
{
	const struct frame *frame = arg;
	struct str rest = { 0 };
	int err;

	pack_number(&rest, (uint64_t)frame->process);
	pack_number(&rest, frame->subject);
	str_add_n(&rest, packed->text, packed->length);
	err = handover_send(frame->link, HANDOVER_SHARE, &rest, -1);
	str_done(&rest);
	return err;
}

int share_tell(const struct daemon *daemon, int link, bool all)
{
	struct frame frame = { link, (int)getpid(), SUBJECT_METRICS };
	int err = metrics_tell(all, send_piece, &frame);

	frame.subject = SUBJECT_NUMBERS;
	if (!err)
		err = shared_count_tell(call_room_numbers(daemon->calls), all, send_piece, &frame);
	frame.subject = SUBJECT_TARGETS;
	if (!err)
		err = shared_count_tell(service_target_calls(daemon->service), all, send_piece,
					&frame);
	return err;
}

int share_pass_on(int process, int link)
{
	struct frame frame = { link, process, SUBJECT_METRICS };

	return metrics_tell_of(process, send_piece, &frame);
}

int share_hand_over(const struct daemon *daemon, int link)
{
	int err = elders_pass_on(daemon, link);

	return err ? err : share_tell(daemon, link, true);
}

void share_tell_nobody(const struct daemon *daemon)
{
	shared_count_tell_nobody(call_room_numbers(daemon->calls));
	shared_count_tell_nobody(service_target_calls(daemon->service));
}

int share_hear(struct daemon *daemon, struct unpack *from)
{
	int process = (int)unpack_number(from), err = 0;

	switch ((enum subject)unpack_number(from)) {
	case SUBJECT_METRICS:
		err = metrics_take(process, from);
		break;
	case SUBJECT_NUMBERS:
		err = shared_count_take(call_room_numbers(daemon->calls), process, from);
		break;
	case SUBJECT_TARGETS:
		err = shared_count_take(service_target_calls(daemon->service), process, from);
		break;
	}
	if (err)
		log_error("main", "restart: what pid=%d tells of its calls is not counted: %s",
			  process, strerror(-err));
	return process;
}

static void forget_calls(struct daemon *daemon, int process)
{
	shared_count_forget(call_room_numbers(daemon->calls), process);
	shared_count_forget(service_target_calls(daemon->service), process);
}

void share_end(struct daemon *daemon, int process)
{
	metrics_other_ended(process);
	forget_calls(daemon, process);
}

void share_leave(struct daemon *daemon, int process)
{
	metrics_other_left(process);
	forget_calls(daemon, process);
}
