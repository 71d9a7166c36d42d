/* SPDX-License-Identifier: Apache-2.0 */
/* one_piece.h - a message leaves in one write.
 *
 * sofia keeps the lines of a received message as they came, and a response that
 * repeats them is made of a piece for each. Over TLS every piece becomes a record,
 * a system call and a packet of its own: five for a 200. The function that lists
 * the pieces is taken over and joins them.
 *
 * Thread: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_ONE_PIECE_H
#define BREAKOUT_TAS_SIP_ONE_PIECE_H

#include <stddef.h>

/* Idempotent. Aborts, with a line that says so, where libsofia is not as built for. */
void one_piece_install(void);

/* The pieces as sofia lists them, not joined. Returns how many there are, which
 * may be more than `room`. */
struct msg_s;
struct iovec;
size_t one_piece_list(struct msg_s *msg, struct iovec *ret_pieces, size_t room);

#endif
