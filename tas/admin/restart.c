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

static json_t *elders_json(const struct admin_restart *restart)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < restart->elder_count; i++) {
		const struct restart_elder *elder = &restart->elders[i];

		json_array_append_new(list, json_pack("{s:i, s:I, s:I, s:o}", "pid", elder->pid,
						      "calls", (json_int_t)elder->calls,
						      "ends_in_s", (json_int_t)elder->for_s,
						      "socket", text_json(elder->socket)));
	}
	return list;
}

static const struct admin_restart *look(const struct admin_options *options)
{
	struct admin_view view = { .restart = NULL };

	if (options->view)
		options->view(&view, options->arg);
	return view.restart;
}

json_t *restart_elders(const struct admin_options *options, const char *unused)
{
	const struct admin_restart *restart = look(options);

	(void)unused;
	return restart ? elders_json(restart) : json_array();
}

void restart_count(const struct admin_options *options, size_t *ret_calls, size_t *ret_legs)
{
	const struct admin_restart *restart = look(options);

	*ret_calls = *ret_legs = 0;
	for (size_t i = 0; restart && i < restart->elder_count; i++) {
		*ret_calls += restart->elders[i].calls;
		*ret_legs += restart->elders[i].legs;
	}
}

void restart_add(const struct admin_options *options, json_t *status)
{
	const struct admin_restart *restart = look(options);

	if (!restart)
		return;
	if (restart->state != RESTART_NONE)
		json_object_set_new(status, "restart",
				    json_pack("{s:b, s:o}", "failed",
					      restart->state == RESTART_FAILED, "why",
					      text_json(restart->why)));
	if (restart->elder_count)
		json_object_set_new(status, "predecessors", elders_json(restart));
}
