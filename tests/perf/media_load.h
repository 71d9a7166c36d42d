/* SPDX-License-Identifier: Apache-2.0 */
/* media_load.h - both phones of many calls: paced RTP or SRTP (SDES) over loopback.
 *
 * Every leg has an address of its own in 127.1.0.0/16 and sends 172 bytes each 20 ms;
 * what arrives is decrypted, compared and timed. The sending is spread over the 20 ms. Legs
 * that speak send 20 ms of speech in their codec instead, and what arrives is only looked
 * at for its payload type: a transcoder makes its own packets, in its own time.
 *
 * Some legs that send in the same millisecond share a socket, whose batches cost a
 * fraction of what a system call for each packet would: the generator has to keep up with
 * relays that batch as well. */
#ifndef BREAKOUT_PERF_MEDIA_LOAD_H
#define BREAKOUT_PERF_MEDIA_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "media/net.h"
#include "media/sdes.h"
#include "media/voice.h"

#define LOAD_PACKET      172    /* bytes of RTP: 20 ms of G.711 and a header */
#define LOAD_LATENESS_US 100000 /* delays are kept by microsecond up to here */

struct load_side {
	bool secure;
	enum voice_kind voice; /* PCMA or Opus; NONE: bytes that are compared, called PCMA */
};

/* A socket for all addresses of this machine, which tells to which of them one sent. */
struct load_group {
	int fd;
	uint16_t port;
	unsigned count; /* of legs */
	struct load_leg **legs;
};

struct load_leg {
	const struct load_group *group;
	union net_address address, to; /* its own; to where it sends */
	bool secure;
	enum voice_kind voice;
	struct sdes sdes;
	struct srtp_pair *srtp; /* NULL: RTP in the clear */
	uint32_t ssrc, sent;
};

struct load {
	unsigned calls;
	struct load_leg *legs; /* two a call: A, B */
	struct load_group *groups;
	unsigned of_slice; /* groups that send in the same millisecond */
	int epoll_fd;
	uint64_t sent, received, damaged;
	unsigned late_us; /* how far the generator fell behind at worst */
	uint32_t *delays; /* how many packets took so many microseconds */
};

void load_open(struct load *load, unsigned calls, const struct load_side sides[static 2]);
void load_close(struct load *load);

uint8_t load_type(enum voice_kind voice); /* its payload type */
/* Our offer, or, to `offer`, our answer. The caller frees it. */
char *load_describe(struct load_leg *leg, const char *offer);
/* To where the other side's description says, with its keys. */
void load_aim(struct load_leg *leg, const char *sdp, bool we_offered);
void load_aim_at(struct load_leg *leg, const union net_address *to); /* in the clear */
/* The leg's number in the load, from its address. */
unsigned load_index(const union net_address *address);

void load_run(struct load *load, mono_ms ms);
void load_forget(struct load *load); /* counts and delays begin anew */
/* Which delay so many of all packets did not exceed; in microseconds. */
unsigned load_delay(const struct load *load, double share);

void must(bool fine, const char *what); /* else the benchmark ends here */

#endif
