/* SPDX-License-Identifier: Apache-2.0 */
/* cause_map.h - one cause feeds SIP status, Q.850, CDR, metric and log line.
 *
 * Mapping between SIP status and Q.850 after RFC 3398 and 3GPP TS 29.163.
 */
#ifndef BREAKOUT_TAS_SIP_CAUSE_MAP_H
#define BREAKOUT_TAS_SIP_CAUSE_MAP_H

#include <stddef.h>

enum cause {
	CAUSE_NORMAL,    /* somebody hung up */
	CAUSE_CANCELLED, /* caller gave up */
	CAUSE_BUSY,
	CAUSE_NO_ANSWER,
	CAUSE_REJECTED, /* by callee or rule */
	CAUSE_UNKNOWN_NUMBER,
	CAUSE_UNAVAILABLE,    /* callee's side says it cannot be reached */
	CAUSE_NOT_ACCEPTABLE, /* SDP: no common codec or transport */
	CAUSE_NEXT_HOP_DOWN,  /* connect, TLS or silence */
	CAUSE_MEDIA_FAILED,   /* ICE, DTLS, fingerprint */
	CAUSE_MEDIA_SILENT,   /* RTP time-out */
	CAUSE_LOOP,           /* Max-Forwards or hop token */
	CAUSE_OVERLOAD,       /* our limits */
	CAUSE_TIME_LIMIT,     /* longer than a call may last */
	CAUSE_DRAINING,
	CAUSE_INTERNAL,
	CAUSE_DIALOG_LOST,
	CAUSE_COUNT
};

const char *cause_name(enum cause cause); /* "next_hop_down" */
int cause_to_status(enum cause cause);    /* SIP status */
const char *cause_to_phrase(enum cause cause);
int cause_to_q850(enum cause cause);
enum cause cause_from_status(int status); /* final >= 300 */
/* Reason header value, RFC 3326: Q.850;cause=N;text="..." */
void cause_to_reason(enum cause cause, char *ret_reason, size_t room);

#endif
