/* SPDX-License-Identifier: Apache-2.0 */
/* A webhook's answer: whatever it says, what is taken from it can go into a SIP
 * message and a log line. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "tas/service/webhook_answer.h"
#include "tests/fuzz/fuzz.h"

static void must_be_a_line(const char *text)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			abort();
}

static void check(const struct webhook_action *action, const struct config *config)
{
	must_be_a_line(action->number);
	must_be_a_line(action->action.reason);
	if (action->number && (!*action->number || strlen(action->number) > 32))
		abort();
	if (action->action.kind == ACTION_DIAL && action->action.trunk >= config->trunk_count)
		abort();
	if (action->action.kind == ACTION_REJECT &&
	    (action->action.status < 400 || action->action.status > 699))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct config_trunk trunks[] = { { .name = (char *)"pbx" }, { .name = (char *)"web" } };
	const struct config config = { .trunks = trunks, .trunk_count = 2 };
	struct webhook_answer answer;
	char error[256] = "";

	if (webhook_answer_parse((const char *)bytes, size, &config, &answer, error,
				 sizeof(error)) < 0) {
		if (!*error)
			abort();
		must_be_a_line(error);
		return 0;
	}
	for (size_t i = 0; i < answer.count; i++)
		check(&answer.actions[i], &config);
	must_be_a_line(answer.summary);
	webhook_answer_done(&answer);
	return 0;
}
