/* SPDX-License-Identifier: Apache-2.0 */
/* hep.h - a copy of each message to a HEP3 collector (HOMER and others).
 *
 * HEP3: a datagram "HEP3", its length, and chunks of vendor, type, length, value.
 * What the network does not take at once is dropped and counted: calls come first.
 *
 * Thread: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_HEP_H
#define BREAKOUT_TAS_SIP_HEP_H

#include "tas/sip/trace.h"

struct hep; /* opaque */

/* Taps `trace`, until it is destroyed. to: "address:port"; password: NULL for none,
 * copied. 0, -EINVAL (no literal address), -ENOMEM, or an error of socket(2). */
int hep_create(struct hep **ret_hep, struct sip_trace *trace, const char *to, unsigned id,
	       const char *password) MUST_CHECK;
struct hep *hep_destroy(struct hep *hep);

#define HEP_MAX 65000 /* bytes of a datagram */

/* The datagram for an entry; its length, 0 if it has no addresses or is too long. */
size_t hep_encode(const struct sip_trace_entry *entry, const char *call_id, unsigned id,
		  const char *password, unsigned char ret_datagram[static HEP_MAX]);

#endif
