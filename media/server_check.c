/* SPDX-License-Identifier: Apache-2.0 */
#include "media/server_check.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <stun/stunagent.h>
#include <stun/usages/bind.h>
#include <stun/usages/turn.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/macros.h"

#define ROOM   2048 /* of a message; servers keep theirs in one packet */
#define HEADER 20   /* of a STUN message: RFC 8489 5 */

/* When a datagram is sent again: RFC 8489 6.2.1, from its 500 ms on. */
static const unsigned repeat_ms[] = { 500, 1500 };

struct exchange {
	const struct server_question *question;
	int fd;
	StunAgent agent;
	StunMessage request, answer;
	uint8_t request_bytes[ROOM], answer_bytes[ROOM], challenge_bytes[ROOM];
	char *why;
};

static enum server_answer PRINTF_LIKE(3, 4)
	say(struct exchange *exchange, enum server_answer answer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(exchange->why, SERVER_WHY_ROOM, format, args);
	va_end(args);
	return answer;
}

/* Waits for what `events` says. SERVER_SERVES: it is so. */
static enum server_answer await(struct exchange *exchange, short events, mono_ms until)
{
	struct pollfd fds[] = { { .fd = exchange->fd, .events = events },
				{ .fd = exchange->question->stop_fd, .events = POLLIN } };
	mono_ms now = clock_now();
	int ready = poll(fds, 2, until > now ? (int)(until - now) : 0);

	if (fds[1].revents)
		return SERVER_STOPPED;
	return ready > 0 ? SERVER_SERVES : SERVER_SILENT;
}

static enum server_answer reach(struct exchange *exchange)
{
	const struct server_question *question = exchange->question;
	const union net_address *address = &question->address;
	socklen_t length = sizeof(int);
	enum server_answer answer;
	int err = 0;

	exchange->fd = socket(
		address->any.sa_family,
		(question->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (exchange->fd < 0 ||
	    (question->from.any.sa_family == address->any.sa_family &&
	     bind(exchange->fd, &question->from.any, net_size(&question->from))))
		return say(exchange, SERVER_SILENT, "no socket towards it: %s", strerror(errno));
	if (!connect(exchange->fd, &address->any, net_size(address)))
		return SERVER_SERVES;
	if (errno != EINPROGRESS)
		return say(exchange, SERVER_SILENT, "no way to it: %s", strerror(errno));
	answer = await(exchange, POLLOUT, clock_now() + SERVER_CHECK_MS);
	if (answer == SERVER_SILENT)
		return say(exchange, answer, "no connection within %d s", SERVER_CHECK_MS / 1000);
	if (answer == SERVER_SERVES &&
	    (getsockopt(exchange->fd, SOL_SOCKET, SO_ERROR, &err, &length) || err))
		return say(exchange, SERVER_SILENT, "no connection: %s", strerror(err));
	return answer;
}

/* The length of the first message of a stream, 0 while it is not whole: RFC 8489 5. */
static size_t first_length(const uint8_t *bytes, size_t length)
{
	size_t whole = length < HEADER ? 0 : HEADER + ((size_t)bytes[2] << 8 | bytes[3]);

	return whole <= length ? whole : 0;
}

/* Reads until an answer to the request is there. SERVER_SILENT: not by then. */
static enum server_answer hear(struct exchange *exchange, mono_ms until)
{
	uint8_t *bytes = exchange->answer_bytes;
	size_t have = 0, length;

	for (;;) {
		enum server_answer answer = await(exchange, POLLIN, until);
		ssize_t got;

		if (answer != SERVER_SERVES)
			return answer;
		got = recv(exchange->fd, bytes + have, ROOM - have, 0);
		if (got <= 0)
			return say(exchange, SERVER_SILENT, "no answer: %s",
				   got ? strerror(errno) : "it closed the connection");
		length = exchange->question->tcp ? first_length(bytes, have + (size_t)got)
						 : (size_t)got;
		have = exchange->question->tcp && !length ? have + (size_t)got : 0;
		if (have == ROOM)
			return say(exchange, SERVER_SILENT, "what it answers is no STUN");
		if (length && stun_agent_validate(&exchange->agent, &exchange->answer, bytes,
						  length, NULL, NULL) == STUN_VALIDATION_SUCCESS)
			return SERVER_SERVES;
	}
}

static enum server_answer ask(struct exchange *exchange, size_t length)
{
	mono_ms begin = clock_now(), end = begin + SERVER_CHECK_MS;

	if (length == 0)
		return say(exchange, SERVER_REFUSES, "the user name is too long");
	for (unsigned i = 0; i <= ARRAY_SIZE(repeat_ms); i++) {
		bool last = exchange->question->tcp || i == ARRAY_SIZE(repeat_ms);
		enum server_answer answer;

		if (send(exchange->fd, exchange->request_bytes, length, MSG_NOSIGNAL) < 0)
			return say(exchange, SERVER_SILENT, "no way to it: %s", strerror(errno));
		exchange->why[0] = '\0';
		answer = hear(exchange, last ? end : begin + repeat_ms[i]);
		if (answer != SERVER_SILENT || exchange->why[0])
			return answer;
		if (last)
			break;
	}
	return say(exchange, SERVER_SILENT, "no answer within %d s", SERVER_CHECK_MS / 1000);
}

static enum server_answer ask_address(struct exchange *exchange)
{
	struct sockaddr_storage mapped, other;
	socklen_t mapped_size = sizeof(mapped), other_size = sizeof(other);
	enum server_answer answer;

	stun_agent_init(&exchange->agent, STUN_ALL_KNOWN_ATTRIBUTES, STUN_COMPATIBILITY_RFC5389, 0);
	answer = ask(exchange, stun_usage_bind_create(&exchange->agent, &exchange->request,
						      exchange->request_bytes, ROOM));
	if (answer != SERVER_SERVES)
		return answer;
	if (stun_usage_bind_process(&exchange->answer, (struct sockaddr *)&mapped, &mapped_size,
				    (struct sockaddr *)&other,
				    &other_size) == STUN_USAGE_BIND_RETURN_SUCCESS)
		return SERVER_SERVES;
	return say(exchange, SERVER_REFUSES, "it tells us no address");
}

static size_t make_allocate(struct exchange *exchange, StunMessage *challenge)
{
	const struct server_question *question = exchange->question;

	return stun_usage_turn_create(&exchange->agent, &exchange->request, exchange->request_bytes,
				      ROOM, challenge, STUN_USAGE_TURN_REQUEST_PORT_NORMAL, -1, -1,
				      (uint8_t *)question->username, strlen(question->username),
				      (uint8_t *)question->password, strlen(question->password),
				      STUN_USAGE_TURN_COMPATIBILITY_RFC5766);
}

/* Codes of RFC 8656 19 and what to look at. */
static enum server_answer refused(struct exchange *exchange)
{
	static const struct {
		int code;
		const char *text;
	} codes[] = {
		{ 401, "wrong user name or password" },
		{ 403, "forbidden: see what its configuration lets us do" },
		{ 437, "allocation mismatch" },
		{ 441, "wrong credentials" },
		{ 442, "unsupported transport: it relays no UDP" },
		{ 486, "our allocation quota there is used up" },
		{ 508, "its relay ports are used up" },
	};
	int code = 0;

	if (stun_message_find_error(&exchange->answer, &code) != STUN_MESSAGE_RETURN_SUCCESS)
		return say(exchange, SERVER_REFUSES, "it refuses without a reason");
	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].code == code)
			return say(exchange, SERVER_REFUSES, "%d %s", code, codes[i].text);
	return say(exchange, SERVER_REFUSES, "%d", code);
}

/* The relay back; nobody waits for the answer for long: it ends by itself too. */
static void give_back(struct exchange *exchange, StunMessage *challenge)
{
	const struct server_question *question = exchange->question;
	size_t length = stun_usage_turn_create_refresh(
		&exchange->agent, &exchange->request, exchange->request_bytes, ROOM, challenge,
		/* lifetime= */ 0, (uint8_t *)question->username, strlen(question->username),
		(uint8_t *)question->password, strlen(question->password),
		STUN_USAGE_TURN_COMPATIBILITY_RFC5766);

	if (length > 0)
		(void)ask(exchange, length);
	exchange->why[0] = '\0';
}

static bool is_error(const struct exchange *exchange, int wanted)
{
	int code = 0;

	return stun_message_get_class(&exchange->answer) == STUN_ERROR &&
	       stun_message_find_error(&exchange->answer, &code) == STUN_MESSAGE_RETURN_SUCCESS &&
	       code == wanted;
}

static enum server_answer ask_relay(struct exchange *exchange)
{
	StunMessage challenge;
	enum server_answer answer;

	stun_agent_init(&exchange->agent, STUN_ALL_KNOWN_ATTRIBUTES, STUN_COMPATIBILITY_RFC5389,
			STUN_AGENT_USAGE_LONG_TERM_CREDENTIALS);
	answer = ask(exchange, make_allocate(exchange, NULL));
	if (answer != SERVER_SERVES)
		return answer;
	if (stun_message_get_class(&exchange->answer) == STUN_RESPONSE) { /* it asks nobody */
		give_back(exchange, NULL);
		return SERVER_SERVES;
	}
	if (!is_error(exchange, STUN_ERROR_UNAUTHORIZED))
		return refused(exchange);
	memcpy(exchange->challenge_bytes, exchange->answer_bytes, ROOM);
	challenge = exchange->answer;
	challenge.buffer = exchange->challenge_bytes;
	answer = ask(exchange, make_allocate(exchange, &challenge));
	if (answer != SERVER_SERVES)
		return answer;
	if (stun_message_get_class(&exchange->answer) == STUN_ERROR &&
	    !is_error(exchange, STUN_ERROR_TRY_ALTERNATE))
		return refused(exchange);
	give_back(exchange, &challenge);
	return SERVER_SERVES;
}

enum server_answer server_check(const struct server_question *question,
				char ret_why[static SERVER_WHY_ROOM])
{
	struct exchange exchange = { .question = question, .fd = -1, .why = ret_why };
	enum server_answer answer;

	ret_why[0] = '\0';
	answer = reach(&exchange);
	if (answer == SERVER_SERVES)
		answer = question->turn ? ask_relay(&exchange) : ask_address(&exchange);
	if (exchange.fd >= 0)
		close(exchange.fd);
	explicit_bzero(&exchange, sizeof(exchange));
	return answer;
}
