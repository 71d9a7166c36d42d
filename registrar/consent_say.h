/* SPDX-License-Identifier: Apache-2.0 */
/* consent_say.h - what the log and the metrics tell of consents: a line when
 * something starts and one when it ends. Registrar thread only.
 */
#ifndef BREAKOUT_REGISTRAR_CONSENT_SAY_H
#define BREAKOUT_REGISTRAR_CONSENT_SAY_H

#include "base/log.h"
#include "registrar/consent_list.h"
#include "registrar/consent_wire.h"

/* Zero-initialise. */
struct consent_say {
	bool stream_failing, list_failing, write_failing, held;
	size_t unknown;
	struct log_limit changes, acks, odd;
};

void consent_say_count(size_t count);
void consent_say_both(size_t count); /* numbers that are configured and consented */
void consent_say_lead(bool leads);   /* a fleet's stream is ours, or not any more */
void consent_say_no_memory(void);

void consent_say_event(struct consent_say *say, const struct consent_event *event);
void consent_say_change(struct consent_say *say, uint64_t number, bool given, bool configured);
void consent_say_written(struct consent_say *say, bool done, const char *why);
void consent_say_acked(struct consent_say *say, enum api_status status, bool done);

void consent_say_stream(bool up);
/* sound: it had lived long enough to be a good one. */
void consent_say_stream_end(struct consent_say *say, enum api_status status, const char *details,
			    bool sound, mono_ms wait);
/* told: events have had the time to tell the numbers that a list does not. */
void consent_say_listed(struct consent_say *say, const struct consent_listed *listed, bool told);

#endif
