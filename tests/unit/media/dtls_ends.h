/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_ends.h - associations, and wires between them that lose what they are told to. */
#ifndef BREAKOUT_TESTS_DTLS_ENDS_H
#define BREAKOUT_TESTS_DTLS_ENDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "media/dtls.h"

#define QUEUE 64

struct datagram {
	uint8_t bytes[1500];
	size_t length;
};

/* One association and the wire that leads away from it. */
struct end {
	struct dtls *dtls;
	struct datagram sent[QUEUE];
	unsigned head, tail;         /* free-running */
	unsigned drop_from, drop_to; /* datagram numbers lost on the wire */
	unsigned ready, failed;
	mono_ms ready_at;
	struct srtp_keys keys;
	char reason[1024];
};

static struct dtls_identity *identities[2];
static struct timer_wheel *wheel;
static struct dtls_queue *queue; /* NULL: none */
static struct end ends[2];

static void on_send(const uint8_t *bytes, size_t length, void *arg)
{
	struct end *end = arg;
	unsigned number = end->head;

	assert_true(length <= 1200);
	end->head++;
	if (number >= end->drop_from && number < end->drop_to)
		end->sent[number % QUEUE].length = 0;
	else {
		memcpy(end->sent[number % QUEUE].bytes, bytes, length);
		end->sent[number % QUEUE].length = length;
	}
}

static void (*sends)(const uint8_t *bytes, size_t length, void *arg) = on_send;

static void on_ready(const struct srtp_keys *keys, void *arg)
{
	struct end *end = arg;

	end->ready++;
	end->ready_at = clock_now();
	end->keys = *keys;
}

static void on_failed(const char *reason, void *arg)
{
	struct end *end = arg;

	end->failed++;
	(void)snprintf(end->reason, sizeof(end->reason), "%s", reason);
}

static void make_end(struct end *end, unsigned identity, bool client,
		     const struct sdp_fingerprint *believed, unsigned count)
{
	const struct dtls_setup setup = {
		.identity = identities[identity],
		.wheel = wheel,
		.queue = queue,
		.client = client,
		.fingerprints = believed,
		.fingerprint_count = count,
		.handlers = { sends, on_ready, on_failed, end },
	};

	memset(end, 0, sizeof(*end));
	assert_int_equal(dtls_create(&end->dtls, &setup), 0);
}

/* Two ends with a fingerprint each believes in; end 0 is the client. */
static void make(const struct sdp_fingerprint *believed_by_client,
		 const struct sdp_fingerprint *believed_by_server)
{
	make_end(&ends[0], 0, true, believed_by_client, 1);
	make_end(&ends[1], 1, false, believed_by_server, 1);
}

static const struct sdp_fingerprint *print_of(unsigned end)
{
	return dtls_identity_fingerprint(identities[end]);
}

static bool deliver_one(struct end *from, struct end *to)
{
	struct datagram *datagram = &from->sent[from->tail % QUEUE];

	if (from->tail == from->head)
		return false;
	from->tail++;
	if (datagram->length > 0)
		dtls_receive(to->dtls, datagram->bytes, datagram->length);
	return true;
}

static void deliver_all(void)
{
	while (deliver_one(&ends[0], &ends[1]) || deliver_one(&ends[1], &ends[0]))
		;
}

static void destroy(void)
{
	dtls_destroy(ends[0].dtls);
	dtls_destroy(ends[1].dtls);
	assert_int_equal(timer_wheel_next(wheel), -1);
}

static void assert_agreed(void)
{
	assert_int_equal(ends[0].ready, 1);
	assert_int_equal(ends[1].ready, 1);
	assert_int_equal(ends[0].keys.suite, SRTP_SUITE_AEAD_AES_128_GCM);
	assert_memory_equal(ends[0].keys.outbound, ends[1].keys.inbound, SRTP_KEY_ROOM);
	assert_memory_equal(ends[0].keys.inbound, ends[1].keys.outbound, SRTP_KEY_ROOM);
	assert_memory_not_equal(ends[0].keys.inbound, ends[0].keys.outbound, SRTP_KEY_ROOM);
}

static int start_ends(void **state)
{
	(void)state;
	return dtls_identity_create(&identities[0], NULL) ||
	       dtls_identity_create(&identities[1], NULL) ||
	       timer_wheel_create(&wheel, clock_now());
}

static int stop_ends(void **state)
{
	(void)state;
	dtls_identity_unref(identities[0]);
	dtls_identity_unref(identities[1]);
	timer_wheel_destroy(wheel);
	return 0;
}

#endif
