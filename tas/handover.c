/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/handover.h"

#include <errno.h>
#include <poll.h>
#include "base/clock.h"
#include "base/fd_link.h"

#define SLOW_MS 2000

int handover_send(int link, enum handover_frame kind, const struct str *rest, int fd)
{
	mono_ms until = clock_now() + SLOW_MS;
	struct str frame = { 0 };
	int err;

	pack_number(&frame, kind);
	if (rest && rest->length)
		str_add_n(&frame, rest->text, rest->length);
	if (frame.failed || (rest && rest->failed)) {
		str_done(&frame);
		return -ENOMEM;
	}
	do {
		struct pollfd room = { .fd = link, .events = POLLOUT };

		err = fd_link_send(link, frame.text, frame.length, &fd, fd >= 0);
		if (err == -EAGAIN)
			(void)poll(&room, 1, 50);
	} while (err == -EAGAIN && clock_now() < until);
	str_done(&frame);
	return err;
}
