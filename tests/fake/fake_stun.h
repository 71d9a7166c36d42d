/* SPDX-License-Identifier: Apache-2.0 */
/* fake_stun.h - a STUN and TURN server of a few lines on 127.0.0.1, by UDP. It tells who
 * asks an address of the test's, and refuses a relay to who knows the password of
 * "breakout", "sesame". */
#ifndef BREAKOUT_TESTS_FAKE_STUN_H
#define BREAKOUT_TESTS_FAKE_STUN_H

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_stun {
	int fd;
	uint16_t port;
	pthread_t thread;
	/* Set before it is asked: */
	const char *_Atomic mapped; /* what it says our address is, port 4242; NULL: says nothing */
	atomic_int code;            /* why there is no relay, once it knows who asks */
	atomic_uint asked;
};

static inline size_t fake_stun_put(uint8_t *at, uint16_t type, const void *value, uint16_t length)
{
	memset(at, 0, 4 + (length + 3u) / 4 * 4);
	at[0] = (uint8_t)(type >> 8);
	at[1] = (uint8_t)type;
	at[2] = (uint8_t)(length >> 8);
	at[3] = (uint8_t)length;
	memcpy(at + 4, value, length);
	return 4 + (length + 3u) / 4 * 4;
}

/* XOR-MAPPED-ADDRESS, IPv4: RFC 8489 14.2. */
static inline size_t fake_stun_map(const struct fake_stun *server, uint8_t *at)
{
	static const uint8_t cookie[] = { 0x21, 0x12, 0xa4, 0x42 };
	uint8_t value[8] = { 0, 1, 4242 >> 8 ^ 0x21, (uint8_t)(4242 & 0xff) ^ 0x12 };
	struct in_addr address;

	(void)inet_pton(AF_INET, server->mapped, &address);
	memcpy(value + 4, &address, 4);
	for (unsigned i = 0; i < 4; i++)
		value[4 + i] ^= cookie[i];
	return fake_stun_put(at, 0x0020, value, sizeof(value));
}

/* ERROR-CODE, and what a client needs to say who it is. */
static inline size_t fake_stun_refuse(uint8_t *at, int code)
{
	uint8_t value[4] = { 0, 0, (uint8_t)(code / 100), (uint8_t)(code % 100) };
	size_t length = fake_stun_put(at, 0x0009, value, sizeof(value));

	length += fake_stun_put(at + length, 0x0014, "test", 4);   /* REALM */
	length += fake_stun_put(at + length, 0x0015, "abcdef", 6); /* NONCE */
	return length;
}

static inline void fake_stun_set_length(uint8_t *message, size_t length)
{
	message[2] = (uint8_t)((length - 20) >> 8);
	message[3] = (uint8_t)(length - 20);
}

/* MESSAGE-INTEGRITY: RFC 8489 14.5. */
static inline size_t fake_stun_sign(uint8_t *message, size_t length)
{
	static const char who[] = "breakout:test:sesame";
	uint8_t key[16], digest[20];
	unsigned size = sizeof(digest);

	fake_stun_set_length(message, length + 24);
	(void)EVP_Digest(who, sizeof(who) - 1, key, NULL, EVP_md5(), NULL);
	(void)HMAC(EVP_sha1(), key, sizeof(key), message, length, digest, &size);
	return fake_stun_put(message + length, 0x0008, digest, sizeof(digest));
}

static inline void fake_stun_answer(struct fake_stun *server, const uint8_t *request, size_t got,
				    const struct sockaddr_in *from)
{
	uint8_t answer[256];
	size_t length = 20;
	bool known = memmem(request, got, "breakout", 8) != NULL; /* USERNAME */

	memcpy(answer, request, 20);
	if (request[1] == 0x01 && server->mapped) { /* Binding */
		answer[0] = 0x01;
		length += fake_stun_map(server, answer + length);
	} else if (request[1] == 0x03) { /* Allocate */
		answer[0] = 0x01;
		answer[1] = 0x13;
		length += fake_stun_refuse(answer + length, known ? server->code : 401);
		if (known)
			length += fake_stun_sign(answer, length);
	} else {
		return;
	}
	fake_stun_set_length(answer, length);
	(void)sendto(server->fd, answer, length, 0, (const struct sockaddr *)from, sizeof(*from));
}

static inline void *fake_stun_run(void *arg)
{
	struct fake_stun *server = arg;
	struct sockaddr_in from;
	uint8_t request[1500];

	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t got = recvfrom(server->fd, request, sizeof(request), 0,
				       (struct sockaddr *)&from, &size);

		if (got == 1) /* from fake_stun_stop() */
			return NULL;
		if (got < 20)
			continue;
		server->asked++;
		fake_stun_answer(server, request, (size_t)got, &from);
	}
}

/* 0 or -1. */
static inline int fake_stun_start(struct fake_stun *server)
{
	struct sockaddr_in own = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(own);

	server->fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&own, sizeof(own)) ||
	    getsockname(server->fd, (struct sockaddr *)&own, &size))
		return -1;
	server->port = ntohs(own.sin_port);
	return pthread_create(&server->thread, NULL, fake_stun_run, server) ? -1 : 0;
}

static inline void fake_stun_stop(struct fake_stun *server)
{
	struct sockaddr_in own = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons(server->port) };

	(void)sendto(server->fd, "", 1, 0, (struct sockaddr *)&own, sizeof(own));
	(void)pthread_join(server->thread, NULL);
	close(server->fd);
}

#endif
