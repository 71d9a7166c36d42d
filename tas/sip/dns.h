/* SPDX-License-Identifier: Apache-2.0 */
/* dns.h - asks DNS servers from inside the SIP loop; nothing waits.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_DNS_H
#define BREAKOUT_TAS_SIP_DNS_H

#include "tas/sip/dns_answer.h"

struct dns; /* opaque */
struct sip_loop;

/* 0 with an answer (that may hold nothing); else the answer is NULL: -ENOENT (there
 * is no such name), -EHOSTUNREACH (no server answered, or none could), -EBADMSG,
 * -ENOMEM, -ECANCELED (the DNS object goes). */
typedef void dns_answer_fn(int err, const struct dns_answer *answer, void *arg);

/* servers: "address:port", or none for those of /etc/resolv.conf, read now.
 * -EINVAL (a server), -ENOMEM. */
int dns_create(struct dns **ret_dns, struct sip_loop *loop, char *const *servers,
	       size_t server_count) MUST_CHECK;
/* Calls back exactly once, perhaps before it returns. */
void dns_ask(struct dns *dns, const char *name, enum dns_type type, dns_answer_fn *on_answer,
	     void *arg);
/* What was asked ends with -ECANCELED. NULL is fine; returns NULL. */
struct dns *dns_destroy(struct dns *dns);

#endif
