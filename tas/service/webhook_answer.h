/* SPDX-License-Identifier: Apache-2.0 */
/* webhook_answer.h - inside of tas/service: what a webhook's answer says.
 *
 *   { "version": 1, "action": "dial", "trunk": "pbx", "number": "+4712345678", "ring_s": 25 }
 *   { "version": 1, "actions": [ { "action": "dial", "trunk": "pbx" }, { "action": "loop" } ] }
 *   { "version": 1, "action": "next" }
 *
 * docs/webhook.md has every action. What is not known is an error, as in the
 * configuration: an answer that is half understood would send calls astray.
 */
#ifndef BREAKOUT_TAS_SERVICE_WEBHOOK_ANSWER_H
#define BREAKOUT_TAS_SERVICE_WEBHOOK_ANSWER_H

#include "base/macros.h"
#include "config/config.h"

#define WEBHOOK_ACTION_MAX 8

#define WEBHOOK_TARGET_MAX 8

struct webhook_action {
	/* As a rule would have it, but for callers and targets: */
	struct config_action action;
	const char *number; /* DIAL: instead of the called one; NULL */
	char *caller;       /* LOOP: instead of who calls; NULL */
	struct config_target targets[WEBHOOK_TARGET_MAX]; /* RING */
	size_t target_count;
};

/* Texts belong to the answer. */
struct webhook_answer {
	void *json; /* jansson's */
	struct webhook_action actions[WEBHOOK_ACTION_MAX];
	size_t count;     /* 0: "next" */
	char summary[80]; /* "dial pbx, loop" */
};

/* `config` knows trunks, devices, files to play and mailboxes. 0, or -EINVAL with a sentence that
 * says where and what. */
int webhook_answer_parse(const char *body, size_t length, const struct config *config,
			 struct webhook_answer *ret_answer, char *error,
			 size_t error_room) MUST_CHECK;
void webhook_answer_done(struct webhook_answer *answer);

#endif
