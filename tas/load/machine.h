/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - inside of tas/load: what the kernel says of this process.
 *
 * A media thread is busy while it runs. How busy the SIP thread is its loop has to
 * say: by what it has not waited.
 *
 * Threads: the one that called machine_init().
 */
#ifndef BREAKOUT_TAS_LOAD_MACHINE_H
#define BREAKOUT_TAS_LOAD_MACHINE_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#define MACHINE_MEDIA_MAX 64 /* media threads that are looked at */

struct machine_thread {
	int fd;          /* its schedstat; -1: none */
	uint64_t ran_ns; /* at the last look */
};

struct machine {
	struct machine_thread media[MACHINE_MEDIA_MAX];
	size_t media_count;
	uint64_t at_ns;        /* of the last look; 0: none yet */
	uint64_t idle_ns;      /* of the SIP thread, then */
	char cgroup[PATH_MAX]; /* its folder; "": none limits memory */
};

/* Media threads are those of this process whose name begins with "media". */
void machine_init(struct machine *machine);
void machine_done(struct machine *machine);

/* Percent of the time since the last look; the first one finds 0. idle_ns: how long the
 * SIP thread has waited so far. */
void machine_busy(struct machine *machine, uint64_t idle_ns, unsigned *ret_sip,
		  unsigned *ret_media);
unsigned machine_memory(const struct machine *machine); /* percent used, of machine or cgroup */
unsigned machine_files(void);                           /* percent of RLIMIT_NOFILE in use */

/* For tests: what the texts of /proc/meminfo and of a cgroup's files come to. */
unsigned machine_meminfo_percent(const char *meminfo);
unsigned machine_cgroup_percent(const char *max, const char *stat);

#endif
