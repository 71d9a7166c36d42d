/* SPDX-License-Identifier: Apache-2.0 */
/* media_subject.h - what relays in a measurement: a process of its own, alone on a
 * processor. */
#ifndef BREAKOUT_PERF_MEDIA_SUBJECT_H
#define BREAKOUT_PERF_MEDIA_SUBJECT_H

#include <sys/types.h>
#include "media_load.h"

/* SHARED: our engine, behind one port. DIRECT: nothing, the phones send to each other. */
enum subject_kind {
	SUBJECT_DIRECT,
	SUBJECT_FLOOR,
	SUBJECT_BREAKOUT,
	SUBJECT_SHARED,
	SUBJECT_RTPENGINE,
	SUBJECT_COUNT
};

struct subject {
	enum subject_kind kind;
	pid_t pid; /* 0: there is no process */
	int fd;    /* to tell it of calls; -1: it needs none */
};

/* Pinned to `cpu`. False: not installed here. */
bool subject_start(struct subject *subject, enum subject_kind kind, const struct load *load,
		   int cpu);
void subject_stop(struct subject *subject);

/* All calls of the load, so that their packets flow. */
void subject_connect(struct subject *subject, struct load *load);

/* Of DIRECT both are 0. */
uint64_t subject_cpu_ns(const struct subject *subject); /* of all its threads */
size_t subject_memory(const struct subject *subject);   /* bytes, resident */

#endif
