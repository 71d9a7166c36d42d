/* SPDX-License-Identifier: Apache-2.0 */
/* tls_guard.h - what Debian's sofia-sip (1.12.11, a snapshot of 2011) gets wrong
 * in TLS and time, cured in the running process.
 *
 * libsofia calls OpenSSL, and its own tls_connect() and tls_free(), through
 * its procedure linkage table, so functions of the same name in our executable
 * win (it is linked with exported symbols). Each acts only when the caller is
 * libsofia; everybody else in the process gets the plain function.
 *
 * Cured: every connection leaked its SSL object; only the leaf certificate was
 * sent; no server name was asked for or checked; weak suites were accepted; a
 * stale entry in OpenSSL's error queue closed healthy connections; handshakes
 * and half messages never timed out; a refused certificate was silence for
 * 32 s; timers followed the wall clock.
 *
 * Threads: the SIP thread, except where said.
 */
#ifndef BREAKOUT_TAS_SIP_TLS_GUARD_H
#define BREAKOUT_TAS_SIP_TLS_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include "base/macros.h"

struct tls_profile; /* tls_profile.h */
struct tport_s;     /* sofia's transport */

/* Clock and log of sofia, and a look at OpenSSL's version. Before anything of
 * sofia runs; more than once is fine. */
void tls_guard_install(void);

/* Whether an OpenSSL (OpenSSL_version_num(), and its name for people) has the
 * fixes this product needs; if not, says so in an error line. */
bool tls_guard_judge_openssl(unsigned long number, const char *name);

/* Proves every cure in this process over loopback, in a fraction of a second;
 * 0, or -EPROTO with a sentence on what the library does differently. Call it
 * before serving and do not serve if it fails. */
int tls_guard_self_test(char *error, size_t room) MUST_CHECK;

/* TLS contexts that sofia makes between these two belong to `profile`. */
void tls_guard_enter(struct tls_profile *profile);
void tls_guard_leave(void);

/* TLS sessions of sofia that are not freed. Any thread. */
size_t tls_guard_live(void);

/* A turn of the loop: what its events have us say to one peer leaves in one record at
 * its end (tls_batch.h). Events of sofia's own connections are known here. The end says
 * whether something could not be sent yet: come back within some milliseconds. */
void tls_guard_turn_begins(void);
void tls_guard_turn_event(void);
bool tls_guard_turn_ends(void);

/* Closes accepted connections whose handshake or message takes too long. */
void tls_guard_sweep(struct tls_profile *profile);

/* DNS names in the verified certificate of the client at the other end,
 * NULL-ended; NULL: none. Borrowed until the connection ends. */
const char *const *tls_guard_client_names(const struct tls_profile *profile,
					  const struct tport_s *tport);
/* Says the end of a connection to its peer, who may have sent something already: it is
 * still read. */
void tls_guard_say_goodbye(const struct tls_profile *profile, const struct tport_s *tport);

#endif
