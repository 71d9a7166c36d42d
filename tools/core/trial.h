/* SPDX-License-Identifier: Apache-2.0 */
/* trial.h - one call placed on purpose, watched at every place, and judged.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TOOLS_CORE_TRIAL_H
#define BREAKOUT_TOOLS_CORE_TRIAL_H

#include <jansson.h>
#include <stdbool.h>
#include "base/macros.h"
#include "base/timer_wheel.h"
#include "tools/core/sbc.h"
#include "tools/core/ua.h"

struct trial;
struct trials; /* opaque: all that run or are kept up */

struct trials_options {
	struct timer_wheel *wheel; /* all borrowed */
	struct sbc *sbc;
	struct ua *phones, *pbx;
	char access[128];    /* host:port where phones call the core */
	char tas_trunk[256]; /* where the PBX calls the TAS, with ";transport=..."; "" none */
};
int trials_create(struct trials **ret_trials, const struct trials_options *options) MUST_CHECK;
struct trials *trials_destroy(struct trials *trials);
/* Where the PBX calls; false if it does not fit. */
bool trials_set_trunk(struct trials *trials, const char *uri);

enum trial_hangup { TRIAL_BY_CALLER, TRIAL_BY_CALLEE, TRIAL_KEEP };

struct trial_request {
	bool from_pbx;
	const char *from, *to;
	unsigned talk_ms;     /* after the answer: 1000 */
	unsigned patience_ms; /* the caller cancels without an answer after: 20000 */
	enum trial_hangup hangup;
	bool hold; /* re-INVITE sendonly and back before hanging up */
	bool anonymous, offerless, reliable;
	const struct sip_headers *headers; /* copied */
};

/* Called once with the result, or earlier than the end of the call if it is
 * kept up (then the second result comes through trial_hangup). */
typedef void trial_done_fn(json_t *take_result, void *arg);

/* 0; done comes later. */
int trial_start(struct trials *trials, const struct trial_request *request, trial_done_fn *done,
		void *arg) MUST_CHECK;
/* Ends a call kept up. -ENOENT: there is none with this id. */
int trial_hangup(struct trials *trials, unsigned id, enum trial_hangup by, trial_done_fn *done,
		 void *arg) MUST_CHECK;
/* Listens again on a call that is kept up; NULL: none with this id. */
json_t *trial_listen(struct trials *trials, unsigned id);
/* The one who asked is gone: done is not called any more, the call ends. */
void trial_forget(struct trials *trials, void *arg);

#endif
