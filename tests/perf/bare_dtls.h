/* SPDX-License-Identifier: Apache-2.0 */
/* bare_dtls.h - what DTLS handshakes cost with OpenSSL and nothing else. */
#ifndef BREAKOUT_PERF_BARE_DTLS_H
#define BREAKOUT_PERF_BARE_DTLS_H

/* CPU time of one handshake as client and one as server, as a call with two such legs
 * has them: DTLS 1.2, P-256 certificates on both sides, X25519, use_srtp. The mean of
 * `count`. 0: OpenSSL failed. */
double bare_dtls_ns(unsigned count);

#endif
