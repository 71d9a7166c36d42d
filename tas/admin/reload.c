/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/reload.h"

#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX 1000 /* that are told one by one */

static const char *keep(struct reload_report *report, const char *text)
{
	return text ? arena_dup(&report->arena, text, strlen(text)) : NULL;
}

static void add_change(const struct config_change *change, void *arg)
{
	struct reload_report *report = arg;
	struct config_change *changes;

	report->restart += change->apply == CONFIG_APPLY_RESTART;
	if (report->change_count == CHANGES_MAX)
		return;
	changes = realloc(report->changes, (report->change_count + 1) * sizeof(*changes));
	if (!changes)
		return;
	report->changes = changes;
	changes[report->change_count++] =
		(struct config_change){ .name = keep(report, change->name),
					.before = keep(report, change->before),
					.after = keep(report, change->after),
					.apply = change->apply };
}

void reload_report_compare(struct reload_report *report, const struct config *started,
			   const struct config *before, const struct config *after)
{
	report->unchanged = config_compare(started, before, after, add_change, report);
	(void)strcpy(report->version, after->version);
}

void reload_report_done(struct reload_report *report)
{
	free(report->findings);
	free(report->changes);
	arena_done(&report->arena);
	*report = (struct reload_report){ 0 };
}
