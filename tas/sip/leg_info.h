/* SPDX-License-Identifier: Apache-2.0 */
/* leg_info.h - what an INVITE said, kept in one piece of memory.
 *
 * A held call keeps a dozen short texts a leg for hours; each in memory of its own would
 * take three times as much.
 *
 * Threads: any.
 */
#ifndef BREAKOUT_TAS_SIP_LEG_INFO_H
#define BREAKOUT_TAS_SIP_LEG_INFO_H

#include "base/macros.h"
#include "tas/sip/leg.h"

/* Copies the info's texts into one piece of memory, and points it at them; sdp and
 * headers stay as they are. Texts that are NULL stay so. Returns the piece, which the
 * caller frees after the info's last use; NULL: no memory, and nothing has changed. */
char *leg_info_pack(struct leg_info *info) MUST_CHECK;

/* One that outlives its leg, without sdp and headers. The caller frees it; NULL: no memory. */
struct leg_info *leg_info_copy(const struct leg_info *info) MUST_CHECK;

#endif
