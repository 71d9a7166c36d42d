/* SPDX-License-Identifier: Apache-2.0 */
/* dns_answer.h - an answer of a DNS server (RFC 1035 section 4), read.
 *
 * The library's own parsers lose the time to live of SRV and NAPTR records.
 *
 * Threads: any.
 */
#ifndef BREAKOUT_TAS_SIP_DNS_ANSWER_H
#define BREAKOUT_TAS_SIP_DNS_ANSWER_H

#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

/* The types of RFC 3263: RFC 1035, RFC 3596, RFC 2782, RFC 3403. */
enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33, DNS_NAPTR = 35 };

#define DNS_NAME_ROOM    256 /* RFC 1035 section 2.3.4 */
#define DNS_SERVICE_ROOM 16  /* "SIPS+D2T"; what is longer is none of ours */
#define DNS_RECORDS_MAX  16  /* of one answer; the rest is passed over */

struct dns_record {
	uint16_t priority, weight;      /* SRV; NAPTR: order and preference */
	uint16_t port;                  /* SRV */
	char service[DNS_SERVICE_ROOM]; /* NAPTR with flag "s"; else "" */
	char text[DNS_NAME_ROOM]; /* A, AAAA: the address; SRV, NAPTR: the name, "" the root */
};

struct dns_answer {
	struct dns_record records[DNS_RECORDS_MAX];
	size_t count;
	uint32_t ttl_s; /* the least on the way, aliases included */
};

/* Records of one type from an answer's bytes; none is no error. -EBADMSG. */
int dns_answer_read(const unsigned char *bytes, size_t length, enum dns_type type,
		    struct dns_answer *ret_answer) MUST_CHECK;

#endif
