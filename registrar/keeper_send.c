/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/keeper_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "registrar/upsert.h"

#define FLUSH_MS 100 /* how long the store may lag behind */
/* A mere refresh moves an expiry that lies half a TTL ahead anyway: it may wait
 * longer, so that more rows share a page (a million numbers: 2.8 MB a second
 * written otherwise). Lost, it costs one early refresh after the next start. */
#define FLUSH_LAZY_MS 60000

/* One request on its way. */
struct request {
	struct upsert_call call;
	struct keeper *keeper;
	struct reg *reg;
	unsigned token_serial;
	unsigned moves;         /* lane's: another core's answer counts no more */
	uint16_t asked, before; /* reg_params: it says, the core was told */
};

/* ---- answers ---- */

static enum reg_event event_of(enum upsert_verdict verdict, bool needs_token)
{
	switch (verdict) {
	case UPSERT_OK:
		return REG_EV_OK;
	case UPSERT_FAILED:
	case UPSERT_EXHAUSTED:
		return REG_EV_FAILED;
	case UPSERT_REFUSED:
		return REG_EV_REFUSED;
	case UPSERT_UNAUTHENTICATED:
		return needs_token ? REG_EV_POSTPONED : REG_EV_REFUSED;
	}
	return REG_EV_FAILED;
}

static enum refresh_answer gate_answer(enum upsert_verdict verdict)
{
	switch (verdict) {
	case UPSERT_FAILED:
		return REFRESH_FAILED;
	case UPSERT_EXHAUSTED:
		return REFRESH_EXHAUSTED;
	case UPSERT_OK:
	case UPSERT_REFUSED:
	case UPSERT_UNAUTHENTICATED:
		return REFRESH_ANSWERED;
	}
	return REFRESH_FAILED;
}

static void set_error(struct keeper *keeper, struct reg *reg, const char *text)
{
	if (!reg->faulty && !text[0])
		return; /* as nearly always */
	pthread_mutex_lock(&keeper->lock);
	reg_table_set_fault(&keeper->table, reg, text);
	pthread_mutex_unlock(&keeper->lock);
}

/* All that were sent with it come back like this: the first one acts. */
static void token_refused(struct keeper *keeper, struct lane *lane, unsigned serial,
			  const char *why)
{
	if (!lane->token || serial != lane->token_serial)
		return;
	trouble_token_refused(&lane->trouble, why);
	keeper->options.token_refused((unsigned)(lane - keeper->lanes), lane->token,
				      keeper->options.arg);
	keeper_set_token(keeper, lane, NULL);
}

static void note_gate(struct keeper *keeper, const struct request *request,
		      const struct upsert_answer *answer, mono_ms now)
{
	enum refresh_answer said = gate_answer(answer->verdict);
	struct lane *lane = keeper_lane(keeper, request->reg);
	enum refresh_news news = refresh_answered(lane->refresh, request->reg, said, now);

	trouble_gate(&lane->trouble, news, refresh_down(lane->refresh), answer, now);
	pthread_mutex_lock(&keeper->lock);
	lane->asked = true;
	lane->api_up = said != REFRESH_FAILED;
	refresh_load(lane->refresh, now, &lane->load);
	pthread_mutex_unlock(&keeper->lock);
}

/* repeated: it told the core nothing new. */
static void note_success(struct keeper *keeper, const struct request *request,
			 const struct upsert_answer *answer, bool repeated, mono_ms now)
{
	struct lane *lane = keeper_lane(keeper, request->reg);
	mono_ms lag = FLUSH_MS;
	uint32_t ttl_s = 0;

	trouble_token_accepted(&lane->trouble);
	if (request->call.kind == UPSERT) {
		ttl_s = answer->ttl_s ? answer->ttl_s : REG_TTL_DEFAULT_S;
		if (ttl_s > REG_TTL_MAX_S)
			ttl_s = REG_TTL_MAX_S;
		if (ttl_s != lane->ttl_s) {
			lane->ttl_s = ttl_s;
			refresh_expect(lane->refresh, lane->numbers, ttl_s);
		}
	}
	if (repeated) /* a short TTL makes a stale row worthless sooner */
		lag = ttl_s * 100 < FLUSH_LAZY_MS ? ttl_s * 100 : FLUSH_LAZY_MS;
	keeper_mark_dirty(keeper, request->reg, ttl_s, request->before, now, lag);
}

static uint32_t lapsed_for(const struct request *request, mono_ms now)
{
	mono_ms expires = request->reg->expires_ms;

	if (request->call.kind != UPSERT || !expires || expires >= now)
		return 0;
	return now - expires < UINT32_MAX ? (uint32_t)(now - expires) : UINT32_MAX;
}

static void remember(struct keeper *keeper, const struct request *request,
		     const struct upsert_answer *answer, mono_ms now)
{
	const struct reg *reg = request->reg;
	uint32_t lapsed_ms = lapsed_for(request, now);
	struct reg_attempt attempt;

	if (answer->verdict == UPSERT_OK && !reg->failures && !lapsed_ms)
		return;
	attempt = (struct reg_attempt){ .at = clock_wall(),
					.took_ms = (unsigned)(now - reg->due_ms),
					.lapsed_ms = lapsed_ms,
					.withdrawal = request->call.kind == UPSERT_DELETE };
	pthread_mutex_lock(&keeper->lock);
	history_add(&keeper->history, reg->number, &attempt, answer->text);
	pthread_mutex_unlock(&keeper->lock);
}

static void step(struct keeper *keeper, const struct request *request, enum reg_event event,
		 const struct reg_input *input)
{
	keeper_handle(keeper, request->reg, event, input);
	if (!request->reg->told)
		keeper_mark_dirty(keeper, request->reg, 0, request->before, input->now, FLUSH_MS);
}

/* The lane's core has become another meanwhile: what the one before says, or that it says
 * nothing, is no word about the number, the token or the core that is asked from now on. */
static void answered_by_former(struct keeper *keeper, const struct request *request,
			       const struct reg_input *input)
{
	struct reg *reg = request->reg;

	refresh_answered(keeper_lane(keeper, reg)->refresh, reg, REFRESH_FORMER, input->now);
	step(keeper, request, REG_EV_POSTPONED, input);
}

static void judge_answer(struct keeper *keeper, const struct request *request,
			 const struct upsert_answer *answer, const struct reg_input *input)
{
	const struct upsert_call *call = &request->call;
	struct reg *reg = request->reg;
	struct lane *lane = keeper_lane(keeper, reg);
	bool needs_token = lane->options->needs_token, was_refused = reg->flags & REG_REFUSING;
	bool repeated = call->kind == UPSERT && reg->expires_ms && reg->told == request->asked;

	set_error(keeper, reg, answer->text);
	note_gate(keeper, request, answer, input->now);
	step(keeper, request, event_of(answer->verdict, needs_token), input);
	if (answer->verdict == UPSERT_OK && call->kind == UPSERT_DELETE && keeper->options.deleted)
		keeper->options.deleted(reg->number, keeper->options.arg);
	if (answer->verdict == UPSERT_OK)
		note_success(keeper, request, answer, repeated, input->now);
	if (answer->verdict == UPSERT_UNAUTHENTICATED && needs_token) {
		token_refused(keeper, lane, request->token_serial, answer->text);
		keeper_file_first(keeper, reg);
	} else {
		trouble_reg(&lane->trouble, reg, was_refused, answer, refresh_down(lane->refresh),
			    input->now);
	}
}

static void on_answer(struct upsert_call *call, const struct upsert_answer *answer)
{
	struct request *request = CONTAINER_OF(call, struct request, call);
	struct keeper *keeper = request->keeper;
	struct reg *reg = request->reg;
	struct lane *lane = keeper_lane(keeper, reg);
	bool moved = request->moves != lane->moves;
	mono_ms now = clock_now();
	struct reg_input input = { .now = now,
				   .random = &keeper->options.seed,
				   .asked = request->asked,
				   .ttl_s = answer->ttl_s };

	if (keeper->deaf) {
		free(request);
		return;
	}
	if (call->kind == UPSERT)
		lane_answered(lane, answer->verdict);
	remember(keeper, request, answer, now);
	if (moved)
		answered_by_former(keeper, request, &input);
	else
		judge_answer(keeper, request, answer, &input);
	shards_answered(keeper, reg, request->before, answer->verdict != UPSERT_FAILED, now);
	if (answer->verdict == UPSERT_OK && !moved)
		moves_arrived(keeper, reg, now);
	free(request);
}

/* ---- requests ---- */

void keeper_put_back(struct keeper *keeper, struct reg *reg, mono_ms due, mono_ms now)
{
	refresh_answered(keeper_lane(keeper, reg)->refresh, reg, REFRESH_VOID, now);
	pthread_mutex_lock(&keeper->lock);
	reg_set_due(reg, due);
	pthread_mutex_unlock(&keeper->lock);
	keeper_file(keeper, reg);
}

/* It never left: there is no answer to wait for. */
static void not_sent(struct keeper *keeper, struct reg *reg, const struct reg_input *input, int err)
{
	refresh_answered(keeper_lane(keeper, reg)->refresh, reg, REFRESH_VOID, input->now);
	set_error(keeper, reg, strerror(-err));
	keeper_handle(keeper, reg, err == -EINVAL ? REG_EV_REFUSED : REG_EV_FAILED, input);
}

bool keeper_has_lapsed(const struct reg *reg, mono_ms now)
{
	return !reg->told || (reg->expires_ms && reg->expires_ms <= now);
}

static struct request *make_request(struct keeper *keeper, struct reg *reg)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->call.kind = reg->state == REG_WITHDRAWING ? UPSERT_DELETE : UPSERT;
	request->call.done = on_answer;
	request->keeper = keeper;
	request->reg = reg;
	request->token_serial = keeper_lane(keeper, reg)->token_serial;
	request->moves = keeper_lane(keeper, reg)->moves;
	/* A delete names what the core was told, a refresh repeats it. */
	request->asked = request->call.kind == UPSERT ? reg_wish(reg) : reg->told;
	request->before = reg->told;
	return request;
}

/* What tells the core something new is written down before it is said: whenever
 * the process dies, the next one knows what there may be to take back. */
static bool write_ahead(struct keeper *keeper, struct reg *reg, mono_ms now)
{
	if (!keeper->store || keeper_certain(reg))
		return false;
	if (!reg->told) {
		pthread_mutex_lock(&keeper->lock);
		reg->told = reg->wanted;
		pthread_mutex_unlock(&keeper->lock);
	}
	keeper_mark_dirty(keeper, reg, 0, reg->told, now, 0);
	return true;
}

static void send_one(struct keeper *keeper, struct reg *reg, mono_ms now)
{
	struct lane *lane = keeper_lane(keeper, reg);
	struct reg_input input = { .now = now, .random = &keeper->options.seed };
	struct api_call_options options = { .token = lane->token,
					    .deadline_ms = lane->options->deadline_ms,
					    /* A probe ends as soon as the API is back. */
					    .wait_for_ready = refresh_down(lane->refresh) };
	struct request *request;
	int err = -ENOMEM;

	if (reg->state == REG_WITHDRAWING && keeper_has_lapsed(reg, now)) {
		input.asked = reg->told;
		refresh_answered(keeper_lane(keeper, reg)->refresh, reg, REFRESH_VOID, now);
		keeper_handle(keeper, reg, REG_EV_EXPIRED, &input);
		keeper_mark_dirty(keeper, reg, 0, input.asked, now, FLUSH_MS);
		return;
	}
	request = make_request(keeper, reg);
	input.asked = request ? request->asked : reg_wish(reg);
	keeper_handle(keeper, reg, REG_EV_DUE, &input);
	if (reg->state == REG_PENDING)
		tenants_registers(lane, now);
	if (request)
		err = upsert_send(&request->call, lane->options->client, reg->number,
				  &keeper->table.params[request->asked], &options);
	if (err) {
		free(request);
		not_sent(keeper, reg, &input, err);
	} else {
		shards_sent(keeper, reg);
	}
}

static void send_all(struct keeper *keeper, struct reg **due, size_t count, mono_ms now)
{
	bool ahead = false;

	if (!count)
		return;
	if (keeper->shards.on) {
		count = shards_write_ahead(keeper, due, count, now);
	} else {
		for (size_t i = 0; i < count; i++)
			ahead |= write_ahead(keeper, due[i], now);
		if (ahead && keeper_may_write(keeper, now))
			keeper_flush(keeper, now);
	}
	for (size_t i = 0; i < count; i++)
		send_one(keeper, due[i], now);
}

/* One that must wait is put off on the way, and others look when it is due. */
static struct reg *take_due(struct keeper *keeper, struct refresh *refresh, mono_ms now)
{
	struct reg *reg;

	pthread_mutex_lock(&keeper->lock);
	reg = refresh_take(refresh, now);
	pthread_mutex_unlock(&keeper->lock);
	return reg;
}

/* Those of all tenants together: what is new waits for the store once, not once for each. */
void keeper_send_due(struct keeper *keeper, mono_ms now)
{
	struct reg *due[REFRESH_WINDOW], *reg;
	size_t count = 0;

	for (size_t i = 0; i < keeper->lane_count; i++) {
		struct refresh *refresh = keeper->lanes[i].refresh;

		for (unsigned n = 0; n < REFRESH_WINDOW && (reg = take_due(keeper, refresh, now));
		     n++) {
			if (count == REFRESH_WINDOW) {
				send_all(keeper, due, count, now);
				count = 0;
			}
			due[count++] = reg;
		}
	}
	send_all(keeper, due, count, now);
}
