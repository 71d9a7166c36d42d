/* SPDX-License-Identifier: Apache-2.0 */
/* fake_hook.h - the doors a webhook's question opens: what is posted is written
 * down, and the test says what comes back. One POST at a time. */
#ifndef BREAKOUT_TESTS_FAKE_FAKE_HOOK_H
#define BREAKOUT_TESTS_FAKE_FAKE_HOOK_H

#include "hook/hook.h"
#include "tas/call/call.h"

struct hook_ask {
	hook_reply_fn *on_reply;
	void *arg;
	char url[128], ca_file[64], secret[64], body[4096];
	unsigned deadline_ms, connections, queue;
	bool waiting;
};
static struct hook_ask fake_ask;
static int fake_post_fails;
static unsigned fake_posts, fake_cancels;

/* What the call was told last. */
static struct call_plan *fake_advice; /* its steps, to be freed with it */
static char fake_summary[80];
static unsigned fake_advised;

int hook_post(struct hook_ask **ret_ask, struct hook_room *room, const struct hook_request *request,
	      hook_reply_fn *on_reply, void *arg)
{
	assert_non_null(room);
	fake_posts++;
	if (fake_post_fails)
		return fake_post_fails;
	fake_ask = (struct hook_ask){ .on_reply = on_reply,
				      .arg = arg,
				      .deadline_ms = request->deadline_ms,
				      .connections = request->connections,
				      .queue = request->queue,
				      .waiting = true };
	snprintf(fake_ask.url, sizeof(fake_ask.url), "%s", request->url);
	snprintf(fake_ask.ca_file, sizeof(fake_ask.ca_file), "%s",
		 request->ca_file ? request->ca_file : "");
	snprintf(fake_ask.secret, sizeof(fake_ask.secret), "%s",
		 request->secret ? request->secret : "");
	snprintf(fake_ask.body, sizeof(fake_ask.body), "%s", request->body);
	*ret_ask = &fake_ask;
	return 0;
}

struct hook_ask *hook_cancel(struct hook_ask *ask)
{
	if (ask) {
		ask->waiting = false;
		fake_cancels++;
	}
	return NULL;
}

const char *hook_result_name(enum hook_result result)
{
	return result == HOOK_TIMEOUT ? "timeout" : "other";
}

const char *call_id(const struct call *call)
{
	(void)call;
	return "0123456789abcdef";
}

/* A call is its caller's leg_info here. */
const struct leg_info *call_caller(const struct call *call)
{
	return (const struct leg_info *)call;
}

void call_advise(struct call *call, const struct call_advice *advice)
{
	(void)call;
	call_plan_free(fake_advice);
	fake_advice = calloc(1, sizeof(*fake_advice));
	assert_non_null(fake_advice);
	fake_advice->steps = advice->take_steps;
	fake_advice->step_count = advice->step_count;
	snprintf(fake_summary, sizeof(fake_summary), "%s", advice->summary);
	fake_advised++;
}

static inline void fake_hook_reply(enum hook_result result, int status, const char *body)
{
	const struct hook_reply reply = { .result = result,
					  .status = status,
					  .body = body,
					  .length = strlen(body),
					  .detail = "" };

	assert_true(fake_ask.waiting);
	fake_ask.waiting = false;
	fake_ask.on_reply(&reply, fake_ask.arg);
}

static inline void fake_hook_reset(void)
{
	fake_advice = call_plan_free(fake_advice);
	fake_ask = (struct hook_ask){ .waiting = false };
	fake_posts = fake_cancels = fake_advised = 0;
	fake_post_fails = 0;
	fake_summary[0] = '\0';
}

#endif
