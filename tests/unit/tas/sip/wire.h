/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - a peer that writes its messages by hand, over plain sockets. */
#ifndef BREAKOUT_TESTS_UNIT_TAS_SIP_WIRE_H
#define BREAKOUT_TESTS_UNIT_TAS_SIP_WIRE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "tests/unit/tas/sip/scene.h"

struct wire {
	int fd;
	uint16_t port;    /* ours */
	char got[200000]; /* everything received so far */
	size_t length;
	size_t seen; /* up to where wire_expect() has looked */
	bool closed; /* by the other side */
};

static inline struct sockaddr_in wire_address(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static inline void wire_name(struct wire *wire)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	assert_int_equal(getsockname(wire->fd, (struct sockaddr *)&address, &length), 0);
	wire->port = ntohs(address.sin_port);
}

/* type: SOCK_DGRAM or SOCK_STREAM; port: where it connects to, 0: only bound. */
static inline void wire_open(struct wire *wire, int type, uint16_t port)
{
	struct sockaddr_in here = wire_address(0), there = wire_address(port);

	memset(wire, 0, sizeof(*wire));
	wire->fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	assert_true(wire->fd >= 0);
	assert_int_equal(bind(wire->fd, (struct sockaddr *)&here, sizeof(here)), 0);
	if (port)
		assert_int_equal(connect(wire->fd, (struct sockaddr *)&there, sizeof(there)), 0);
	else if (type == SOCK_STREAM)
		assert_int_equal(listen(wire->fd, 8), 0);
	wire_name(wire);
}

/* A connection from a listening wire's queue. */
static inline void wire_accept(struct wire *wire, const struct wire *listener)
{
	memset(wire, 0, sizeof(*wire));
	wire->fd = -1;
	for (int i = 0; i < 400 && wire->fd < 0; i++) {
		scene_step();
		wire->fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	assert_true(wire->fd >= 0);
	wire->port = listener->port;
}

static inline void wire_close(struct wire *wire)
{
	if (wire->fd >= 0)
		(void)close(wire->fd);
	wire->fd = -1;
}

static inline void wire_send_raw(struct wire *wire, const char *bytes, size_t length)
{
	(void)send(wire->fd, bytes, length, MSG_NOSIGNAL);
}

static inline void wire_send(struct wire *wire, const char *format, ...) PRINTF_LIKE(2, 3);
static inline void wire_send(struct wire *wire, const char *format, ...)
{
	static char text[100000];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	wire_send_raw(wire, text, strlen(text));
}

static inline void wire_poll(struct wire *wire)
{
	struct sockaddr_in from;
	socklen_t from_length = sizeof(from);
	ssize_t got;

	scene_step();
	got = recvfrom(wire->fd, wire->got + wire->length, sizeof(wire->got) - 1 - wire->length,
		       MSG_DONTWAIT, (struct sockaddr *)&from, &from_length);
	if (got > 0)
		wire->length += (size_t)got;
	else if (got == 0 || (errno != EAGAIN && errno != ECONNREFUSED))
		wire->closed = true;
}

/* Waits for a text that was not expected before; returns where it begins. */
static inline const char *wire_expect(struct wire *wire, const char *text)
{
	for (int i = 0; i < 400; i++) {
		const char *found = strstr(wire->got + wire->seen, text);

		if (found) {
			wire->seen = (size_t)(found - wire->got) + strlen(text);
			return found;
		}
		wire_poll(wire);
	}
	fail_msg("waited for \"%s\", got:\n%s", text, wire->got + wire->seen);
	return NULL;
}

/* The value of a header in the message that begins at `message`. */
static inline const char *wire_header(const char *message, const char *name, char *room,
				      size_t size)
{
	char start[64];
	const char *found;

	(void)snprintf(start, sizeof(start), "\r\n%s: ", name);
	found = strstr(message, start);
	if (!found)
		fail_msg("no %s in:\n%s", name, message);
	found += strlen(start);
	(void)snprintf(room, size, "%.*s", (int)strcspn(found, "\r"), found);
	return room;
}

static inline void wire_settle(struct wire *wire)
{
	for (int i = 0; i < 10; i++)
		wire_poll(wire);
}

/* A request outside dialogs, as a peer would write it. `extra`: header lines
 * with their line ends. */
static inline void wire_request(struct wire *wire, const char *method, const char *uri,
				const char *transport, const char *extra, const char *body)
{
	static unsigned count;

	count++;
	wire_send(wire,
		  "%s %s SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1:%u;branch=z9hG4bK%u\r\n"
		  "From: <sip:+4799000001@127.0.0.1:%u>;tag=wire\r\nTo: <sip:x@127.0.0.1>\r\n"
		  "Call-ID: wire-%u\r\nCSeq: 1 %s\r\n%sContent-Length: %zu\r\n\r\n%s",
		  method, uri, transport, wire->port, count, wire->port, count, method, extra,
		  strlen(body), body);
}

/* A datagram peer that our endpoint calls: it learns our address from the first
 * request. */
static inline const char *wire_take_from(struct wire *wire, const char *method)
{
	char start[32];
	const char *message;
	char via[200];
	unsigned port;
	struct sockaddr_in there;

	(void)snprintf(start, sizeof(start), "%s sip:", method);
	message = wire_expect(wire, start);
	wire_header(message, "Via", via, sizeof(via));
	port = (unsigned)strtoul(strchr(via, ':') + 1, NULL, 10);
	there = wire_address((uint16_t)port);
	assert_int_equal(connect(wire->fd, (struct sockaddr *)&there, sizeof(there)), 0);
	return message;
}

/* A response to the request at `message`; tag NULL: as the request has it. */
static inline void wire_respond(struct wire *wire, const char *message, const char *status,
				const char *tag, const char *extra, const char *body)
{
	char via[200], from[200], call_id[100], cseq[50], to[200];

	wire_send(wire,
		  "SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s%s%s\r\nCall-ID: %s\r\nCSeq: %s\r\n"
		  "Contact: <sip:x@127.0.0.1:%u>\r\n%s%sContent-Length: %zu\r\n\r\n%s",
		  status, wire_header(message, "Via", via, sizeof(via)),
		  wire_header(message, "From", from, sizeof(from)),
		  wire_header(message, "To", to, sizeof(to)), tag ? ";tag=" : "", tag ? tag : "",
		  wire_header(message, "Call-ID", call_id, sizeof(call_id)),
		  wire_header(message, "CSeq", cseq, sizeof(cseq)), wire->port, extra,
		  *body ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
}

#endif
