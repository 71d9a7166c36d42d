/* SPDX-License-Identifier: Apache-2.0 */
/* finding.h - inside of tools/look: one line of a diagnosis, and reading answers. */
#ifndef BREAKOUT_TOOLS_LOOK_FINDING_H
#define BREAKOUT_TOOLS_LOOK_FINDING_H

#include "base/macros.h"
#include "base/str.h"
#include "tools/look/look.h"

/* Zero-initialised it is OK, with nothing to say. */
struct finding {
	enum look_level level;
	struct str reason;
	char next[160];
};
/* Says it if it is worse than what is said, adds it if as bad; else nothing. `next`
 * of the first of the worst stays. */
void finding_say(struct finding *finding, enum look_level level, const char *next,
		 const char *format, ...) PRINTF_LIKE(4, 5);

/* False: there is nothing to judge from, and no line. */
typedef bool judge_fn(const struct look *look, struct finding *finding);
judge_fn judge_daemon, judge_config, judge_health, judge_gate, judge_registrations, judge_fleet,
	judge_api, judge_store;
judge_fn judge_sbc, judge_trunks, judge_certificates, judge_ports, judge_relays, judge_calls,
	judge_records, judge_load;
judge_fn judge_files, judge_memory, judge_disks, judge_clock;

const char *look_text(const json_t *object, const char *key); /* "" if there is none */
long long look_number(const json_t *object, const char *key); /* 0 if there is none */
bool look_true(const json_t *object, const char *key);
/* Of the list of metrics; labels "": of all label sets together. 0 if there is none:
 * a metric appears with its first move. */
long long look_metric(const json_t *metrics, const char *name, const char *labels);
/* "12s", "3m05s", "2h10m", "3d04h" */
void look_span(long long seconds, char *ret_text, size_t room);

#endif
