/* SPDX-License-Identifier: Apache-2.0 */
/* transcoder.h - one direction of a session in which packets cannot go on as they
 * are: speech of a codec that the other side has not, digits that it takes in
 * another way, digits of our own between its packets.
 *
 * What goes on as it is never comes here: the relay's type map sends here only
 * what says CODECS_CONVERT. Speech that is converted becomes a source of its own
 * (SSRC, numbers, time), paced by the worker's timers; digits put between packets that go
 * on are one too. sender.h makes one stream of them.
 *
 * Threads: the media thread of the session. Nothing allocates after creation.
 */
#ifndef BREAKOUT_MEDIA_TRANSCODER_H
#define BREAKOUT_MEDIA_TRANSCODER_H

#include "base/timer_wheel.h"
#include "media/codecs.h"
#include "media/relay.h"
#include "media/reports.h"

struct transcoder_setup {
	struct relay_leg *from; /* whose packets come here; what it makes goes to from->peer */
	struct timer_wheel *wheel;
	const struct codecs_way *way;
	unsigned complexity; /* of Opus */
	/* Digits that came and are told instead of sent (CODECS_DIGITS_TELL). */
	void (*on_digit)(char digit, unsigned ms, void *arg);
	void *arg;
};

/* 0, -ENOMEM or -EIO. */
int transcoder_create(struct transcoder **ret_transcoder,
		      const struct transcoder_setup *setup) MUST_CHECK;
struct transcoder *transcoder_destroy(struct transcoder *transcoder);

/* It does just what `way` asks. */
bool transcoder_serves(const struct transcoder *transcoder, const struct codecs_way *way);

/* A clear packet of a type that is converted. */
void transcoder_take(struct transcoder *transcoder, uint8_t *packet, size_t length);

/* The source that it makes of a stream, for reports: SSRC, time and clock of both; false:
 * it makes none, or none yet. */
bool transcoder_stream(const struct transcoder *transcoder, struct reports_stream *ret_stream);

/* A digit for the other side, behind those that are being sent. -ENOENT: it has no
 * way to take one; -EINVAL: no digit; -ENOBUFS. */
int transcoder_digit(struct transcoder *transcoder, char digit, unsigned ms) MUST_CHECK;

#endif
