/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/tls_given.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

static char **names;
static int last_errno; /* 0: the other side is gone */
static int blocked;    /* SSL_ERROR_WANT_ of the last that would have had to wait */

/* As OpenSSL tells it: above 0 or not. */
static int went(ssize_t n, int want)
{
	last_errno = n < 0 ? errno : 0;
	blocked = want;
	return n > 0 ? (int)n : n < 0 ? -1 : 0;
}

int tls_given_accept(SSL *ssl)
{
	char first;

	return went(recv(SSL_get_fd(ssl), &first, sizeof(first), 0), SSL_ERROR_WANT_READ);
}

int tls_given_read(SSL *ssl, void *buffer, int room)
{
	return went(recv(SSL_get_fd(ssl), buffer, (size_t)room, 0), SSL_ERROR_WANT_READ);
}

int tls_given_write(SSL *ssl, const void *bytes, int length)
{
	return went(send(SSL_get_fd(ssl), bytes, (size_t)length, MSG_NOSIGNAL),
		    SSL_ERROR_WANT_WRITE);
}

int tls_given_error(int result)
{
	if (result > 0)
		return SSL_ERROR_NONE;
	if (!last_errno)
		return SSL_ERROR_ZERO_RETURN;
	if (last_errno == EAGAIN || last_errno == EINTR)
		return blocked;
	errno = last_errno == ECONNRESET ? 0 : last_errno;
	return SSL_ERROR_SYSCALL;
}

void tls_given_set_names(char **take_names)
{
	free(names);
	names = take_names;
}

char **tls_given_take_names(void)
{
	char **taken = names;

	names = NULL;
	return taken;
}
