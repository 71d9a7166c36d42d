/* SPDX-License-Identifier: Apache-2.0 */
/* sample.h - a configuration of breakoutd that fits a running simulator: one
 * number per route type, and one per service that answers by itself. */
#ifndef BREAKOUT_TOOLS_CORE_SAMPLE_H
#define BREAKOUT_TOOLS_CORE_SAMPLE_H

#include <jansson.h>
#include <stdint.h>
#include "base/macros.h"

struct sample_options {
	const char *folder;  /* for the database, the CDRs and the admin socket */
	uint16_t sip_port;   /* where the TAS listens for the core */
	uint16_t trunk_port; /* and for the PBX */
	uint16_t media_min, media_max;
};

/* Every number of the sample, as a JSON list. */
json_t *sample_numbers(void);

/* The configuration as text (free it), or NULL. */
char *sample_text(const json_t *description, const struct sample_options *options);

#endif
