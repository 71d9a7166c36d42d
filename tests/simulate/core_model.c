/* SPDX-License-Identifier: Apache-2.0 */
/* core_model.c - the core, and the network before it: requests get lost, come
 * late, twice and out of order, before or after the answer was given up. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tests/simulate/world.h"

static struct request *new_request(uint32_t *ret_index)
{
	struct request *requests;

	for (uint32_t i = 0; i < world.request_count; i++) {
		uint32_t index = (world.free_request + i) % (uint32_t)world.request_count;

		if (!world.requests[index].used) {
			world.free_request = index + 1;
			*ret_index = index;
			return &world.requests[index];
		}
	}
	requests = reallocarray(world.requests, world.request_count * 2 + 64, sizeof(*requests));
	if (!requests)
		abort();
	world.requests = requests;
	memset(&requests[world.request_count], 0, (world.request_count + 64) * sizeof(*requests));
	*ret_index = (uint32_t)world.request_count;
	world.request_count = world.request_count * 2 + 64;
	return &requests[*ret_index];
}

static terms terms_of(const struct reg_params *params)
{
	return (terms)strtoul(params->sip_uri + strlen("sips:v"), NULL, 10) * 8 +
	       (terms)params->route_type;
}

static void answer_with(struct request *request, uint32_t index, enum upsert_verdict verdict,
			const char *text, mono_ms after)
{
	request->answer.verdict = verdict;
	request->answer.text[0] = '\0';
	if (*text)
		snprintf(request->answer.text, sizeof(request->answer.text), "%s", text);
	request->answered = true;
	world_event(after, EVENT_ANSWER, index);
}

static mono_ms delay(void)
{
	return between(world.weather.delay_min, world.weather.delay_max);
}

/* When, or whether, it gets there. */
static void transmit(struct request *request, uint32_t index)
{
	const struct weather *weather = &world.weather;
	enum way way = world.ways[core_of(&world.numbers[request->number])];
	mono_ms after = delay();

	if (way == WAY_OPEN)
		way = request->node->to_core;
	if (chance() < weather->refuse || way == WAY_REFUSED) {
		answer_with(request, index, UPSERT_FAILED, "UNAVAILABLE: refused", after / 2);
		return;
	}
	world_event(DEADLINE, EVENT_ANSWER, index);
	if (chance() < weather->lose_request || weather->silent || way == WAY_SILENT ||
	    world.numbers[request->number].poison == POISON_HANGS)
		return;
	if (chance() < weather->late)
		after = between(DEADLINE / 2, 2 * DEADLINE);
	world_event(after, EVENT_ARRIVE, index);
	if (chance() < weather->duplicate)
		world_event(after + delay(), EVENT_ARRIVE, index);
}

int upsert_send(struct upsert_call *call, struct api_client *client, uint64_t number,
		const struct reg_params *params, const struct api_call_options *options)
{
	unsigned core;
	struct node *node = world.links ? wires_node(client) : daemon_of(client, &core);
	struct number *to;
	struct request *request;
	uint32_t index;

	if (!take_effect(node))
		return -ESHUTDOWN;
	if (world.links)
		core = reload_core(node, client, options->token);
	to = place_of(number, core);
	request = new_request(&index);
	*request = (struct request){ .node = node,
				     .call = call,
				     .number = (unsigned)(to - world.numbers),
				     .asked = terms_of(params),
				     .kind = call->kind,
				     .used = true,
				     .sent = clock_now() };
	if (options->token)
		request->token = (unsigned)strtoul(options->token, NULL, 10);
	say("%s %s %u as %u", node->name, call->kind == UPSERT ? "upsert" : "delete",
	    request->number, request->asked);
	judge_sent(node, to, call->kind, request->asked);
	transmit(request, index);
	return 0;
}

/* ---- at the core ---- */

static bool over_the_limit(void)
{
	if (clock_now() / SECOND != world.limit_second) {
		world.limit_second = clock_now() / SECOND;
		world.limit_taken = 0;
	}
	return world.weather.limit && ++world.limit_taken > world.weather.limit;
}

static const struct account *account_of(const struct request *request)
{
	unsigned core = core_of(&world.numbers[request->number]);

	return &world.accounts[core / world.spots * 2 + core % world.spots % 2];
}

static enum upsert_verdict take_in(const struct request *request, struct number *number,
				   const char **ret_text)
{
	*ret_text = "";
	if (request->token < world.token_valid_from ||
	    (world.links && request->token < account_of(request)->token_from)) {
		*ret_text = "UNAUTHENTICATED: token";
		return UPSERT_UNAUTHENTICATED;
	}
	if (over_the_limit()) {
		*ret_text = "RESOURCE_EXHAUSTED: slower";
		return UPSERT_EXHAUSTED;
	}
	if (number->poison == POISON_FAILS) {
		*ret_text = "INTERNAL: trouble";
		return UPSERT_FAILED;
	}
	if (number->poison == POISON_REFUSED) {
		*ret_text = "NOT_ACCEPTABLE: no";
		return UPSERT_REFUSED;
	}
	if (number->held && number->held_until <= clock_now())
		judge_lapse(number);
	if (number->held != (request->kind == UPSERT ? request->asked : 0))
		judge_touched(number);
	number->held = request->kind == UPSERT ? request->asked : 0;
	number->held_until = clock_now() + (mono_ms)world.weather.ttl_s * SECOND;
	number->untold = !request->call && world.weather.ttl_s < number->held_ttl_s;
	number->held_ttl_s = world.weather.ttl_s;
	return UPSERT_OK;
}

void core_arrive(uint32_t index)
{
	struct request *request = &world.requests[index];
	enum upsert_verdict verdict;
	const char *text;

	if (!request->used)
		return; /* a second copy, after all was over */
	verdict = take_in(request, &world.numbers[request->number], &text);
	say("core: %s %s %u as %u: %s", request->node->name,
	    request->kind == UPSERT ? "upsert" : "delete", request->number, request->asked,
	    *text ? text : "ok");
	if (request->answered || !request->call || request->node->to_core == WAY_SILENT ||
	    chance() < world.weather.lose_answer)
		return;
	if (verdict == UPSERT_OK && request->kind == UPSERT)
		request->answer.ttl_s = world.weather.ttl_s;
	answer_with(request, index, verdict, text, delay() / 2);
}

/* ---- back at the keeper ---- */

/* The deadline's event comes for every request: it frees what is over. Late
 * arrivals are over by 3 deadlines. */
void core_answer(uint32_t index)
{
	struct request *request = &world.requests[index];
	struct upsert_call *call = request->call;
	bool late = clock_now() - request->sent >= DEADLINE;

	if (!request->used)
		return;
	if (call && (request->answered || late)) {
		if (!request->answered) {
			request->answer.verdict = UPSERT_FAILED;
			strcpy(request->answer.text, "DEADLINE_EXCEEDED");
		}
		request->answered = true;
		request->call = NULL;
		request->node->in_flight--;
		world.numbers[request->number].in_flight[request->node - world.nodes]--;
		if (request->kind == UPSERT && request->answer.verdict == UPSERT_OK) {
			world.numbers[request->number].confirmed = true;
			world.numbers[request->number].arrived = true;
			world.numbers[request->number].perhaps = false;
			if (world.links)
				reload_confirmed(&world.numbers[request->number]);
		}
		say("%s answer for %u: %s", request->node->name, request->number,
		    request->answer.text[0] ? request->answer.text : "ok");
		call->done(call, &request->answer);
		request = &world.requests[index]; /* it may have sent another */
	}
	if (clock_now() - request->sent >= 3 * DEADLINE)
		request->used = false;
	else if (!request->closing)
		world_event(request->sent + 3 * DEADLINE - clock_now(), EVENT_ANSWER, index);
	request->closing = true;
}

bool core_is_awaited(uint32_t index)
{
	return world.requests[index].used && world.requests[index].call;
}

void core_drop_calls(const struct node *node, unsigned tenant, unsigned target)
{
	for (size_t i = 0; i < world.request_count; i++) {
		struct request *request = &world.requests[i];
		unsigned core;

		if (!request->used || !request->call || request->answered || request->node != node)
			continue;
		core = core_of(&world.numbers[request->number]);
		if (core / world.spots == tenant && core % world.spots / 2 == target)
			answer_with(request, (uint32_t)i, UPSERT_FAILED, "CANCELLED", 0);
	}
}

void core_drop_daemon(struct node *node)
{
	static const struct upsert_answer cancelled = { .verdict = UPSERT_FAILED };

	for (size_t i = 0; i < world.request_count; i++) {
		struct request *request = &world.requests[i];

		if (!request->used || !request->call || request->node != node)
			continue;
		request->call->done(request->call, &cancelled);
		request->call = NULL;
		node->in_flight--;
		world.numbers[request->number].in_flight[node - world.nodes]--;
		/* What was on its way may still arrive, or not. */
		request->used = chance() < 0.5;
	}
}
