/* SPDX-License-Identifier: Apache-2.0 */
/* wiretap.h - hands every message that sofia has sent or received to a trace.
 *
 * sofia's transports call one function for each when logging is asked for
 * (TPTAG_LOG): it is taken over. A retransmission counts as a message.
 *
 * Thread: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_WIRETAP_H
#define BREAKOUT_TAS_SIP_WIRETAP_H

#include "tas/sip/trace.h"

/* Both borrowed, until others; NULL: none. unless: messages whose Call-ID begins as
 * this does are left out: sip_endpoint_mark(). */
void wiretap_set(struct sip_trace *trace, const char *unless);

#endif
