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
	CAUSE_SESSION_EXPIRED, /* RFC 4028: not refreshed in time */
	CAUSE_REDIRECTED,      /* by a rule: the caller is to go elsewhere */
	CAUSE_INTERRUPTED,     /* our process was killed: only records say so, afterwards */
	CAUSE_COUNT
};

const char *cause_name(enum cause cause); /* "next_hop_down" */
int cause_to_status(enum cause cause);    /* SIP status */
const char *cause_to_phrase(enum cause cause);
int cause_to_q850(enum cause cause);
/* Reason header value, RFC 3326: Q.850;cause=N;text="..." */
void cause_to_reason(enum cause cause, char *ret_reason, size_t room);

/* The way back. */
enum cause cause_from_status(int status); /* final >= 300 */
enum cause cause_from_q850(int q850);     /* 1..127 */

/* What Reason headers say (RFC 3326). Zero-initialise; 0: nothing. */
struct cause_reason {
	int q850;   /* 1..127 */
	int status; /* of protocol SIP, 100..699 */
};
/* Takes one header's value, which may list several; the first of each protocol
 * counts, whatever cannot be read does not. */
void cause_read_reason(struct cause_reason *reason, const char *value);
/* A final response >= 300 with the Reason in it: the Q.850 value is where the
 * call ended, the status what is left of it after every gateway (RFC 6432). */
enum cause cause_from_response(int status, const struct cause_reason *reason);
/* A BYE: somebody hung up, unless its Reason knows better. */
enum cause cause_from_bye(const struct cause_reason *reason);

#endif
