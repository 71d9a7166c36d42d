/* SPDX-License-Identifier: Apache-2.0 */
/* sample.h - a configuration of breakoutd that fits a running simulator: one
 * number per route type, and one per service that answers by itself; or one of
 * the profiles of config/samples. */
#ifndef BREAKOUT_TOOLS_CORE_SAMPLE_H
#define BREAKOUT_TOOLS_CORE_SAMPLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/macros.h"

struct sample_options {
	const char *folder;  /* for the database, the CDRs and the admin socket */
	uint16_t sip_port;   /* where the TAS listens for the core */
	uint16_t trunk_port; /* and for the PBX */
	uint16_t media_min, media_max;
	const char *samples, *profile; /* a file of that folder; NULL: the above */
	bool closed;                   /* its working hours are over */
};

/* The configuration as text (free it), or NULL. */
char *sample_text(const json_t *description, const struct sample_options *options);

/* Every number that a text of sample_text() registers, as a JSON list. */
json_t *sample_numbers(const char *text);

#endif
