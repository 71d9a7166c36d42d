/* SPDX-License-Identifier: Apache-2.0 */
/* What a transcoded packet costs beside its codecs alone: one direction, packets of
 * 20 ms, without sockets and SRTP. Time is injected; only CPU time counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "codec_cost.h"
#include "media/stream.h"
#include "media/transcoder.h"

#define PACKETS 5000

static struct relay_leg legs[2];
static struct receipt receipts[2];
static struct codec_speech speech;
static unsigned long sent;

static void must(int err, const char *what)
{
	if (!err)
		return;
	(void)fprintf(stderr, "bench_transcode: %s: error %d\n", what, err);
	exit(1);
}

static double cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void count(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	(void)leg;
	(void)packet;
	sent += length > 0;
}

static const struct relay_ops ops = { count, count };

static void put(struct stream *in, unsigned n, unsigned clock)
{
	uint8_t packet[RELAY_BUFFER];

	stream_header(in, packet, 8, in->timestamp);
	memcpy(packet + STREAM_HEADER, speech.payloads[n], speech.lengths[n]);
	in->timestamp += clock / 50;
	relay_rtp(&legs[0], packet, STREAM_HEADER + speech.lengths[n]);
}

static double transcoded(enum voice_kind from, enum voice_kind to, unsigned rate)
{
	struct codecs_way way = { .converts = true, .pcm_rate = rate, .frame_ms = 20 };
	struct transcoder_setup setup = { .from = &legs[0],
					  .way = &way,
					  .complexity = CODEC_COST_COMPLEXITY };
	struct stream in;
	double began;

	must(timer_wheel_create(&setup.wheel, clock_now()), "wheel");
	relay_leg_init(&legs[0], &legs[1], &receipts[0]);
	relay_leg_init(&legs[1], &legs[0], &receipts[1]);
	legs[1].ops = &ops;
	way.kinds[8] = (uint8_t)from;
	legs[0].types[8] = CODECS_CONVERT;
	voice_describe(to, &way.to);
	must(transcoder_create(&legs[0].transcoder, &setup), "transcoder");
	must(stream_init(&in), "stream");
	began = cpu_ns();
	for (unsigned n = 0; n < PACKETS; n++) {
		put(&in, n % CODEC_COST_KEPT, voice_clock(from));
		for (unsigned ms = 0; ms < 20; ms += 10) {
			clock_fake_advance(10);
			(void)timer_wheel_advance(setup.wheel, clock_now(), 0);
		}
	}
	began = cpu_ns() - began;
	legs[0].transcoder = transcoder_destroy(legs[0].transcoder);
	timer_wheel_destroy(setup.wheel);
	return began / PACKETS;
}

int main(void)
{
	static const struct {
		const char *name;
		enum voice_kind from, to;
	} ways[] = { { "Opus -> PCMA", VOICE_OPUS, VOICE_PCMA },
		     { "PCMA -> Opus", VOICE_PCMA, VOICE_OPUS },
		     { "Opus -> G.722", VOICE_OPUS, VOICE_G722 },
		     { "G.722 -> Opus", VOICE_G722, VOICE_OPUS },
		     { "PCMA -> G.722", VOICE_PCMA, VOICE_G722 },
		     { "PCMA -> PCMU", VOICE_PCMA, VOICE_PCMU } };

	clock_fake_set(1000);
	printf("%-14s %12s %12s %7s\n", "20 ms of", "codecs ns", "all ns", "ratio");
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		unsigned rate = voice_rate(ways[i].from, ways[i].to);
		double own, all;

		codec_speech_make(&speech, ways[i].from, rate);
		own = codec_cost_ns(&speech, ways[i].from, ways[i].to, rate);
		all = transcoded(ways[i].from, ways[i].to, rate);
		printf("%-14s %12.0f %12.0f %7.2f\n", ways[i].name, own, all, all / own);
	}
	return sent > 0 ? 0 : 1;
}
