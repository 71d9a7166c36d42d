/* SPDX-License-Identifier: Apache-2.0 */
/* core.h - the simulated mobile core as a whole: builds its parts and runs them.
 *
 * Threads: core_run() makes the caller's thread the SIP thread; the gRPC
 * service, the token endpoint and media have their own.
 */
#ifndef BREAKOUT_TOOLS_CORE_CORE_H
#define BREAKOUT_TOOLS_CORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

struct core_options {
	const char *folder;      /* certificates, secret, core.json, core.sock */
	const char *address;     /* of the core: 127.0.0.1 */
	const char *pbx_address; /* 127.0.0.2: so that a TAS can tell them apart */
	uint16_t sip_port, api_port, token_port, pbx_port; /* 0: any free one */
	uint16_t media_min, media_max;
	const char *core_names[16], *tas_names[16]; /* for the certificates, besides the address */
	size_t core_name_count, tas_name_count;
	unsigned ttl_s, token_life_s;
	unsigned no_answer_ms; /* FALLBACK */
	bool native_when_tas_fails;
	bool token_required;
	const char *requests;  /* file of control requests to begin with; NULL none */
	const char *tas_trunk; /* where the PBX calls; NULL none */
};
void core_options_default(struct core_options *ret_options);

/* Runs until SIGINT, SIGTERM or {"do":"stop"}. 0 or -errno; the error was logged. */
int core_run(const struct core_options *options) MUST_CHECK;

#endif
