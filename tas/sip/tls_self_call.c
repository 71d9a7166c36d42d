/* SPDX-License-Identifier: Apache-2.0 */
/* tls_self_call.c - see tls_self_call.h. */
#include "tas/sip/tls_self_call.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "tas/sip/endpoint.h"
#include "tas/sip/tls_profile.h"

#define ANSWER_ROOM 4096

struct self_call {
	const struct tls_self_call *options;
	struct tls_profile *profile;
	SSL_CTX *context;
	SSL *ssl;
	mono_ms until;
	char *why;
	size_t room;
	int fd;
	char call_id[96];
	char answer[ANSWER_ROOM];
};

static int say(struct self_call *call, const char *what, const char *detail)
{
	(void)snprintf(call->why, call->room, "%s%s%s", what, detail ? ": " : "",
		       detail ? detail : "");
	return -EPROTO;
}

/* 0, or -ETIMEDOUT. */
static int wait_for(const struct self_call *call, short events)
{
	struct pollfd ready = { .fd = call->fd, .events = events };
	mono_ms left = call->until - clock_now();

	return left > 0 && poll(&ready, 1, (int)left) > 0 ? 0 : -ETIMEDOUT;
}

/* ---- TCP ---- */

static int try_address(struct self_call *call, const struct addrinfo *address)
{
	socklen_t length = sizeof(int);
	int error = 0;

	call->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (call->fd < 0)
		return -errno;
	if (connect(call->fd, address->ai_addr, address->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		error = errno;
	else if (wait_for(call, POLLOUT))
		error = ETIMEDOUT;
	else if (getsockopt(call->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	if (!error)
		return 0;
	close(call->fd);
	call->fd = -1;
	return -error;
}

static int dial(struct self_call *call)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char port[8], where[300];
	int err;

	(void)snprintf(port, sizeof(port), "%u", call->options->port);
	(void)snprintf(where, sizeof(where), "no connection to %s port %s", call->options->host,
		       port);
	err = getaddrinfo(call->options->host, port, &hints, &found);
	if (err)
		return say(call, where, gai_strerror(err));
	err = -ENOENT;
	for (const struct addrinfo *at = found; at && err; at = at->ai_next)
		err = try_address(call, at);
	freeaddrinfo(found);
	return err ? say(call, where, strerror(-err)) : 0;
}

/* ---- TLS ---- */

static int tls_failed(struct self_call *call)
{
	long verdict = SSL_get_verify_result(call->ssl);
	unsigned long error = ERR_peek_last_error();

	if (verdict != X509_V_OK)
		return say(call, "our certificate is not accepted",
			   X509_verify_cert_error_string(verdict));
	/* The server's certificate was fine; it wants one of ours. */
	if (call->options->tls_only && SSL_get0_peer_certificate(call->ssl))
		return 0;
	return say(call, "TLS fails", error ? ERR_reason_error_string(error) : "connection closed");
}

/* After a call of OpenSSL that returned `result` <= 0: waits for what it wants. 0: try
 * again; 1: it is over. */
static int wants_more(struct self_call *call, int result)
{
	int error = SSL_get_error(call->ssl, result);

	if (error == SSL_ERROR_WANT_READ)
		return wait_for(call, POLLIN);
	if (error == SSL_ERROR_WANT_WRITE)
		return wait_for(call, POLLOUT);
	return 1;
}

static int start_tls(struct self_call *call)
{
	call->context = SSL_CTX_new(TLS_client_method());
	call->ssl = call->context ? SSL_new(call->context) : NULL;
	if (!call->ssl || !SSL_set_fd(call->ssl, call->fd))
		return -ENOMEM;
	tls_profile_set_up_client(call->profile, call->ssl, call->options->name);
	ERR_clear_error();
	for (;;) {
		int result = SSL_connect(call->ssl), more;

		if (result == 1)
			return 0;
		more = wants_more(call, result);
		if (more < 0)
			return say(call, "TLS fails", "no answer in time");
		if (more)
			return tls_failed(call);
	}
}

/* ---- SIP ---- */

static int send_request(struct self_call *call)
{
	static atomic_uint sequence;
	unsigned number = atomic_fetch_add(&sequence, 1);
	const char *name = call->options->name;
	char text[1024];
	int length, result, more;

	(void)snprintf(call->call_id, sizeof(call->call_id), "%.*s-%u", SIP_MARK_ASKED,
		       call->options->mark, number);
	length = snprintf(text, sizeof(text),
			  "OPTIONS sips:%s SIP/2.0\r\n"
			  "Via: SIP/2.0/TLS %s;branch=z9hG4bKself%s;rport\r\n"
			  "Max-Forwards: 1\r\n"
			  "From: <sip:%s>;tag=self\r\n"
			  "To: <sip:%s>\r\n"
			  "Call-ID: %s\r\n"
			  "CSeq: 1 OPTIONS\r\n"
			  "Content-Length: 0\r\n\r\n",
			  name, name, call->call_id, name, name, call->call_id);
	if (length < 0 || (size_t)length >= sizeof(text))
		return -ENOMEM;
	while ((result = SSL_write(call->ssl, text, length)) <= 0) {
		more = wants_more(call, result);
		if (more)
			return more < 0 ? say(call, "our listener takes no request", NULL)
					: tls_failed(call);
	}
	return 0;
}

static int judge_answer(struct self_call *call)
{
	const char *proof = call->options->mark + SIP_MARK_ASKED;
	unsigned status = 0;
	char text[64], phrase[64] = "";

	if (sscanf(call->answer, "SIP/2.0 %3u %63s", &status, phrase) != 2 ||
	    strcmp(phrase, proof) != 0)
		return say(call, "what answers there is not us", NULL);
	(void)snprintf(text, sizeof(text), "our listener answers %u", status);
	return status < 500 ? 0 : say(call, text, NULL);
}

static int read_answer(struct self_call *call)
{
	size_t used = 0;

	while (!strstr(call->answer, "\r\n\r\n")) {
		int result = used + 1 < sizeof(call->answer)
				     ? SSL_read(call->ssl, call->answer + used,
						(int)(sizeof(call->answer) - used - 1))
				     : 0;
		int more;

		if (result > 0) {
			used += (size_t)result;
			call->answer[used] = '\0';
			continue;
		}
		more = wants_more(call, result);
		if (more)
			return more < 0 ? say(call, "our listener gives no answer in time", NULL)
					: say(call, "our listener closes without an answer", NULL);
	}
	return judge_answer(call);
}

/* ---- all of it ---- */

static void hang_up(struct self_call *call)
{
	SSL_free(call->ssl);
	SSL_CTX_free(call->context);
	tls_profile_destroy(call->profile);
	if (call->fd >= 0)
		close(call->fd);
}

int tls_self_call(const struct tls_self_call *options, char *why, size_t room)
{
	struct self_call call = { .options = options,
				  .until = clock_now() + options->timeout_ms,
				  .why = why,
				  .room = room,
				  .fd = -1 };
	const struct tls_profile_options profile = { .ca_file = options->ca_file,
						     .verify_next_hop = true };
	int err = tls_profile_create(&call.profile, &profile, why, room);

	if (!err)
		err = dial(&call);
	if (!err)
		err = start_tls(&call);
	if (!err && !options->tls_only)
		err = send_request(&call);
	if (!err && !options->tls_only)
		err = read_answer(&call);
	if (err == -ENOMEM)
		(void)snprintf(why, room, "no memory for a call to ourselves");
	ERR_clear_error();
	hang_up(&call);
	return err;
}
