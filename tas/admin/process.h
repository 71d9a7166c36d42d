/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - inside of tas/admin: what this process uses of the machine. */
#ifndef BREAKOUT_TAS_ADMIN_PROCESS_H
#define BREAKOUT_TAS_ADMIN_PROCESS_H

#include <jansson.h>

/* {"cpu_ms", "rss_bytes", "files", "files_max"}: since the start of all threads, and as
 * they are now. What the kernel does not tell is 0. Reads /proc: not on the SIP thread.
 * A new reference; NULL without memory. */
json_t *process_json(void);

#endif
