/* SPDX-License-Identifier: Apache-2.0 */
/* Two associations, and a wire that loses, repeats, changes and invents datagrams as
 * the input says. Whatever comes of it: where both have keys, they are the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "media/dtls.h"
#include "tests/fuzz/fuzz.h"

#define WIRE  32
#define STEPS 64 /* of one input: handshakes are slow */

enum { CLIENT, SERVER };

struct end {
	struct dtls *dtls;
	struct {
		uint8_t bytes[DTLS_DATAGRAM_MAX];
		size_t length;
	} sent[WIRE]; /* what is more is lost */
	unsigned head, tail;
	unsigned ready, failed;
	struct srtp_keys keys;
};

/* What is left of the input. */
struct script {
	const uint8_t *at;
	size_t left;
};

static struct dtls_identity *identities[2];
static struct timer_wheel *wheel;
static struct dtls_queue queue;
static struct end ends[2];

static void on_send(const uint8_t *bytes, size_t length, void *arg)
{
	struct end *end = arg;

	if (length > DTLS_DATAGRAM_MAX)
		abort();
	if (end->head == WIRE)
		return;
	memcpy(end->sent[end->head].bytes, bytes, length);
	end->sent[end->head++].length = length;
}

static void on_ready(const struct srtp_keys *keys, void *arg)
{
	struct end *end = arg;

	end->keys = *keys;
	end->ready++;
}

static void on_failed(const char *reason, void *arg)
{
	struct end *end = arg;

	(void)reason;
	end->failed++;
}

static void set_up(void)
{
	if (timer_wheel_create(&wheel, clock_now()) ||
	    dtls_identity_create(&identities[CLIENT], NULL) ||
	    dtls_identity_create(&identities[SERVER], NULL))
		abort();
}

static void make(unsigned side)
{
	const struct dtls_setup setup = {
		.identity = identities[side],
		.wheel = wheel,
		.queue = side == SERVER ? &queue : NULL,
		.client = side == CLIENT,
		.fingerprints = dtls_identity_fingerprint(identities[!side]),
		.fingerprint_count = 1,
		.handlers = { on_send, on_ready, on_failed, &ends[side] },
	};

	memset(&ends[side], 0, sizeof(ends[side]));
	if (dtls_create(&ends[side].dtls, &setup))
		abort();
}

static uint8_t next(struct script *script)
{
	if (script->left == 0)
		return 0;
	script->left--;
	return *script->at++;
}

static void change(struct script *script, uint8_t *bytes, size_t length)
{
	size_t place = (size_t)next(script) << 8 | next(script);

	if (length > 0)
		bytes[place % length] ^= next(script);
}

/* From the input itself, at most 255 bytes. */
static void invent(struct script *script, struct dtls *to)
{
	size_t length = next(script);

	if (length > script->left)
		length = script->left;
	dtls_receive(to, script->at, length);
	script->at += length;
	script->left -= length;
}

static void carry(struct script *script, unsigned how, struct end *from, struct dtls *to)
{
	uint8_t bytes[DTLS_DATAGRAM_MAX];
	size_t length;

	if (from->tail == from->head)
		return;
	length = from->sent[from->tail].length;
	memcpy(bytes, from->sent[from->tail].bytes, length);
	switch (how) {
	case 1: /* lost */
		from->tail++;
		return;
	case 2: /* and once more the next time */
		break;
	case 3:
		change(script, bytes, length);
		from->tail++;
		break;
	case 4: /* and its end is missing */
		length = next(script) % (length + 1);
		from->tail++;
		break;
	default:
		from->tail++;
	}
	dtls_receive(to, bytes, length);
}

/* One bit for the sender, the rest for what happens on the way. */
static void step(struct script *script)
{
	uint8_t what = next(script);
	unsigned from = what & 1, how = what >> 1 & 7;

	if (how == 5)
		invent(script, ends[!from].dtls);
	else if (how == 6)
		dtls_start(ends[from].dtls);
	else if (how == 7)
		dtls_settled(ends[from].dtls);
	else
		carry(script, how, &ends[from], ends[!from].dtls);
	(void)dtls_queue_turn(&queue, clock_now());
}

static void judge(void)
{
	const struct srtp_keys *client = &ends[CLIENT].keys, *server = &ends[SERVER].keys;

	for (unsigned i = 0; i < 2; i++)
		if (ends[i].ready > 1 || ends[i].failed > 1)
			abort();
	if (!ends[CLIENT].ready || !ends[SERVER].ready)
		return;
	if (client->suite != server->suite ||
	    memcmp(client->outbound, server->inbound, sizeof(client->outbound)) != 0 ||
	    memcmp(client->inbound, server->outbound, sizeof(client->inbound)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { data, size };

	if (!wheel)
		set_up();
	make(CLIENT);
	make(SERVER);
	dtls_start(ends[CLIENT].dtls);
	for (unsigned i = 0; i < STEPS && script.left > 0; i++)
		step(&script);
	judge();
	for (unsigned i = 0; i < 2; i++)
		ends[i].dtls = dtls_destroy(ends[i].dtls);
	return 0;
}
