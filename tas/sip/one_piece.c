/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/one_piece.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <sofia-sip/msg.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/su_alloc.h>

#include "base/log.h"

typedef isize_t iovec_fn(msg_t *msg, msg_iovec_t vec[], isize_t room);

static iovec_fn *real_iovec;

/* Puts all pieces behind one another in memory of the message's own, and tells
 * each header where its bytes are now: a retransmission finds them joined. */
static isize_t join(msg_t *msg, msg_iovec_t vec[], isize_t count)
{
	size_t length = 0;
	char *bytes;

	for (isize_t i = 0; i < count; i++)
		length += vec[i].mv_len;
	bytes = su_alloc(msg_home(msg), (isize_t)length);
	if (!bytes)
		return count; /* in pieces it is as right */
	vec[0] = (msg_iovec_t){ .mv_base = bytes, .mv_len = (su_ioveclen_t)length };
	for (msg_header_t *header = *msg_chain_head(msg); header; header = header->sh_succ) {
		if (header->sh_len)
			memcpy(bytes, header->sh_data, header->sh_len);
		header->sh_data = bytes;
		bytes += header->sh_len;
	}
	return 1;
}

/* sofia's. A list that has no room for all pieces is asked for again. */
isize_t msg_iovec(msg_t *msg, msg_iovec_t vec[], isize_t room)
{
	isize_t count;

	one_piece_install();
	count = real_iovec(msg, vec, room);
	return vec && count > 1 && count <= room ? join(msg, vec, count) : count;
}

/* msg_iovec_t is a struct iovec on systems that have one. */
_Static_assert(sizeof(msg_iovec_t) == sizeof(struct iovec), "pieces are those of writev(2)");

size_t one_piece_list(msg_t *msg, struct iovec *ret_pieces, size_t room)
{
	one_piece_install();
	return real_iovec(msg, (msg_iovec_t *)(void *)ret_pieces, (isize_t)room);
}

void one_piece_install(void)
{
	if (real_iovec)
		return;
	*(void **)&real_iovec = dlsym(RTLD_NEXT, "msg_iovec");
	if (real_iovec)
		return;
	log_error("sip", "libsofia-sip-ua has no msg_iovec: reinstall it");
	abort();
}
