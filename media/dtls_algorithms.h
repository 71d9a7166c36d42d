/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_algorithms.h - OpenSSL with no more algorithms than DTLS-SRTP needs.
 *
 * OpenSSL 3.0 walks through all algorithms of a library context, under locks, to
 * find what can read the key in a peer's certificate: a quarter of a handshake. In a
 * context with few of them the walk is short. See docs/decisions/0010.
 */
#ifndef BREAKOUT_MEDIA_DTLS_ALGORITHMS_H
#define BREAKOUT_MEDIA_DTLS_ALGORITHMS_H

struct ossl_lib_ctx_st; /* OpenSSL's OSSL_LIB_CTX */

/* A library context for SSL_CTX_new_ex(), made and tried with a handshake at the first
 * call; it lives as long as the process. NULL means OpenSSL's own to everybody: this
 * OpenSSL has no such context that works, or is told to be FIPS. Any thread. */
struct ossl_lib_ctx_st *dtls_algorithms(void);

#endif
