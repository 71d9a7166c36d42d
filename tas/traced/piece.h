/* SPDX-License-Identifier: Apache-2.0 */
/* piece.h - inside of tas/traced: a call's file, piece by piece.
 *
 * A line says what follows, and how long a text is that comes after it:
 *
 *   begun 1764153600000 +4799000001
 *   call 5f0c2d9a7be41c33
 *   dialog 5981db93-63ac-1240-9eae-523a5f701df5
 *   note 1764153600001 14
 *   message 1764153600000 received tls 192.0.2.1 5061 192.0.2.9 40112 1203
 *
 * Threads: any.
 */
#ifndef BREAKOUT_TAS_TRACED_PIECE_H
#define BREAKOUT_TAS_TRACED_PIECE_H

#include "base/str.h"
#include "tas/sip/trace.h"

/* at: when, for BEGUN. */
void piece_write(struct str *to, const struct sip_trace_piece *piece, wall_ms at);

/* What piece_read() found; texts point into what is read, names are copied. */
struct piece {
	int what;       /* as in struct sip_trace_piece */
	wall_ms began;  /* BEGUN */
	char name[256]; /* BEGUN, CALL, DIALOG */
	struct sip_trace_entry entry;
};
/* From *at on, which moves. 0; -ENODATA at the end, or where what was being written is
 * torn; -EPROTO for what is no piece. */
int piece_read(const char **at, const char *end, struct piece *ret_piece);

#endif
