/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/tls_batch.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* A handful of messages; more would only wait longer. */
#define ROOM 8192

static bool in_turn, gathering;
static struct tls_batch *waiting; /* those that have something */

static void forget(struct tls_batch *batch)
{
	free(batch->bytes);
	batch->bytes = NULL;
	batch->length = 0;
	batch->blocked = false;
}

static void take_out(struct tls_batch *batch)
{
	struct tls_batch **link = &waiting;

	while (*link && *link != batch)
		link = &(*link)->next;
	if (*link)
		*link = batch->next;
}

/* As SSL_write(): what was gathered, the same bytes again after it was in vain. */
static int send_gathered(struct tls_batch *batch)
{
	int result;

	ERR_clear_error();
	result = batch->write(batch->ssl, batch->bytes, (int)batch->length);
	batch->blocked = result <= 0 && SSL_get_error(batch->ssl, result) == SSL_ERROR_WANT_WRITE;
	return result;
}

static bool gather(struct tls_batch *batch, const void *bytes, size_t length)
{
	if (!batch->bytes) {
		batch->bytes = malloc(ROOM);
		if (!batch->bytes)
			return false;
		batch->next = waiting;
		waiting = batch;
	}
	memcpy(batch->bytes + batch->length, bytes, length);
	batch->length += length;
	return true;
}

int tls_batch_write(struct tls_batch *batch, const void *bytes, int length)
{
	size_t more = length > 0 ? (size_t)length : 0;

	if (batch->bytes && (batch->blocked || !gathering || batch->length + more > ROOM)) {
		int result = send_gathered(batch); /* the order stays */

		if (result <= 0)
			return result;
		take_out(batch);
		forget(batch);
	}
	if (gathering && more && more <= ROOM && gather(batch, bytes, more))
		return length;
	ERR_clear_error();
	return batch->write(batch->ssl, bytes, length);
}

void tls_batch_open(void)
{
	in_turn = true;
}

void tls_batch_event(void)
{
	gathering = in_turn;
}

bool tls_batch_send(void (*lost)(struct tls_batch *batch))
{
	struct tls_batch **link = &waiting;

	in_turn = gathering = false;
	while (*link) {
		struct tls_batch *batch = *link;
		int result = send_gathered(batch);

		if (batch->blocked) {
			link = &batch->next;
			continue;
		}
		*link = batch->next;
		forget(batch);
		if (result > 0)
			continue;
		lost(batch);
		link = &waiting; /* it may have let others say something */
	}
	return waiting != NULL;
}

void tls_batch_send_last(int fd)
{
	for (struct tls_batch *batch = waiting; batch; batch = batch->next)
		if (SSL_get_fd(batch->ssl) == fd) {
			(void)send_gathered(batch); /* now or never */
			tls_batch_done(batch);
			return;
		}
}

void tls_batch_done(struct tls_batch *batch)
{
	if (!batch->bytes)
		return;
	take_out(batch);
	forget(batch);
}
