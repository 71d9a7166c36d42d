/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/restart.h"

#include "tas/admin/text.h"

json_t *restart_begin(const struct admin_options *options, const char *unused)
{
	const char *why_not = options->restart ? options->restart(options->arg)
					       : "nothing can be put in its place";

	(void)unused;
	return why_not ? error_text(why_not) : json_pack("{s:s}", "restart", "begun");
}

void restart_add(const struct admin_options *options, json_t *status)
{
	struct admin_view view = { .restart = NULL };
	const struct admin_restart *restart;

	if (options->view)
		options->view(&view, options->arg);
	restart = view.restart;
	if (!restart)
		return;
	if (restart->state != RESTART_NONE)
		json_object_set_new(status, "restart",
				    json_pack("{s:b, s:o}", "failed",
					      restart->state == RESTART_FAILED, "why",
					      text_json(restart->why)));
	if (restart->elder_pid)
		json_object_set_new(status, "predecessor",
				    json_pack("{s:i, s:I, s:I}", "pid", restart->elder_pid, "calls",
					      (json_int_t)restart->elder_calls, "ends_in_s",
					      (json_int_t)restart->elder_for_s));
}
