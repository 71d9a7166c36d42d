/* SPDX-License-Identifier: Apache-2.0 */
/* allocator.c - how jemalloc, where the daemon is linked with it, keeps memory.
 *
 * What a call's set-up takes goes back after half a minute, in pieces between what the call
 * keeps for hours. glibc's heap keeps the holes; jemalloc has pages for each size of piece,
 * and gives back those that are free (docs/performance.md).
 */

/* Read by jemalloc before main(); without it nobody looks. A second after they were freed
 * pages go back, by a thread of its own, so that they do so without traffic too; four arenas
 * are as many as our threads ever wait for. MALLOC_CONF in the environment goes before it. */
extern const char *malloc_conf;
const char *malloc_conf = "background_thread:true,dirty_decay_ms:1000,narenas:4";
