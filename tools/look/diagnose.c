/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/look/finding.h"

/* In the order one would mend them. */
static const struct subsystem {
	const char *name;
	judge_fn *judge;
} subsystems[] = {
	{ "daemon", judge_daemon },
	{ "configuration", judge_config },
	{ "health", judge_health },
	{ "gate", judge_gate },
	{ "registrations", judge_registrations },
	{ "fleet", judge_fleet },
	{ "core api", judge_api },
	{ "core sbc", judge_sbc },
	{ "trunks", judge_trunks },
	{ "certificates", judge_certificates },
	{ "calls", judge_calls },
	{ "media ports", judge_ports },
	{ "ice servers", judge_relays },
	{ "load", judge_load },
	{ "store", judge_store },
	{ "records", judge_records },
	{ "open files", judge_files },
	{ "memory", judge_memory },
	{ "disks", judge_disks },
	{ "clock", judge_clock },
};

const char *look_level_name(enum look_level level)
{
	static const char *const names[] = {
		[LOOK_OK] = "OK", [LOOK_WARNING] = "WARNING", [LOOK_CRITICAL] = "CRITICAL"
	};

	return names[level];
}

json_t *look_diagnose(const struct look *look, enum look_level *ret_worst)
{
	json_t *findings = json_array();
	enum look_level worst = LOOK_OK;

	for (size_t i = 0; findings && i < ARRAY_SIZE(subsystems); i++) {
		struct finding finding = { 0 };

		if (subsystems[i].judge(look, &finding)) {
			json_array_append_new(
				findings,
				json_pack("{s:s, s:s, s:s, s:s}", "subsystem", subsystems[i].name,
					  "level", look_level_name(finding.level), "reason",
					  finding.reason.text ? finding.reason.text : "", "next",
					  finding.next));
			if (finding.level > worst)
				worst = finding.level;
		}
		str_done(&finding.reason);
	}
	*ret_worst = worst;
	return findings;
}
