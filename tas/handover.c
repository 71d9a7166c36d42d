/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/handover.h"

#include <errno.h>
#include <poll.h>
#include "base/clock.h"
#include "base/fd_link.h"
#include "config/config.h"
#include "tas/admin/admin.h"

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

void handover_fleet(const struct config *config, struct str *to)
{
	const struct config_postgres *postgres = &config->postgres;

	if (postgres->conninfo)
		str_addf(to, "%s\n%s\n%u", postgres->conninfo, postgres->node ? postgres->node : "",
			 postgres->lease_ms);
}

void pack_elder(struct str *frame, const struct restart_elder *elder)
{
	pack_number(frame, (uint64_t)elder->pid);
	pack_number(frame, elder->calls);
	pack_number(frame, elder->for_s);
	pack_text(frame, elder->socket);
}

void unpack_elder(struct unpack *from, struct restart_elder *ret_elder)
{
	ret_elder->pid = (int)unpack_number(from);
	ret_elder->calls = (size_t)unpack_number(from);
	ret_elder->for_s = (unsigned)unpack_number(from);
	unpack_text(from, ret_elder->socket, sizeof(ret_elder->socket));
}
