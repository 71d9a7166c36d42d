/* SPDX-License-Identifier: Apache-2.0 */
/* tls_given.h - a TLS connection whose cryptography another process of ours does: what
 * arrives here over a socket of this machine is what was in it.
 *
 * One byte comes first and stands for the handshake: sofia sends nothing before. The
 * functions do what those of OpenSSL do for tls_guard.c.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_TLS_GIVEN_H
#define BREAKOUT_TAS_SIP_TLS_GIVEN_H

#include <openssl/ssl.h>
#include "base/macros.h"

int tls_given_accept(SSL *ssl);
int tls_given_read(SSL *ssl, void *buffer, int room);
int tls_given_write(SSL *ssl, const void *bytes, int length);
/* SSL_get_error() of the last of these. */
int tls_given_error(int result);

/* The names in the client's certificate for the next connection given, one block as
 * tls_certificate_names(); NULL: none. */
void tls_given_set_names(char **take_names);
char **tls_given_take_names(void);

#endif
