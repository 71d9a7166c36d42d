/* SPDX-License-Identifier: Apache-2.0 */
/* ogg_opus.h - speech as Opus in an Ogg file, made page by page (RFC 7845).
 *
 * Each channel is a stream of its own (channel mapping family 1, nothing coupled): what
 * one party says is never heard in the other's channel, which joint stereo does not
 * promise. A page holds a second: a file that ends early is heard up to its last whole
 * page.
 *
 * Threads: an object belongs to one thread, which computes some 50 us per 20 ms and
 * channel (complexity 1).
 */
#ifndef BREAKOUT_MEDIA_OGG_OPUS_H
#define BREAKOUT_MEDIA_OGG_OPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/macros.h"

#define OGG_OPUS_PAGE_MS      1000
#define OGG_OPUS_HEAD_PAGES   2 /* that a file begins with */
#define OGG_OPUS_CHANNELS_MAX 2

struct ogg_opus; /* opaque */

/* Takes whole pages, of less than 64 KiB. 0 or -errno, which ends the write. */
typedef int ogg_opus_take(void *arg, const uint8_t *pages, size_t length);

/* Samples of TONE_RATE. Borrows arg. 0 or -ENOMEM. */
int ogg_opus_create(struct ogg_opus **ret_file, unsigned channels, ogg_opus_take *take,
		    void *arg) MUST_CHECK;
struct ogg_opus *ogg_opus_destroy(struct ogg_opus *file);

/* The pages a file begins with. 0 or what `take` returned. */
int ogg_opus_begin(struct ogg_opus *file) MUST_CHECK;
/* Samples of the channels in turn. 0 or what `take` returned; or -EIO. */
int ogg_opus_write(struct ogg_opus *file, const int16_t *samples, size_t frames) MUST_CHECK;
/* The last page: exactly what was written will be heard. As ogg_opus_write(). */
int ogg_opus_end(struct ogg_opus *file) MUST_CHECK;
/* Frames in the pages that were taken. */
uint64_t ogg_opus_taken(const struct ogg_opus *file);

/* Frames that are heard of a file, or of the whole pages at its begin; *ret_size: where
 * those end. 0 and 0 if it is none of ours, or cannot be read. */
uint64_t ogg_opus_measure(int fd, off_t *ret_size);

#endif
