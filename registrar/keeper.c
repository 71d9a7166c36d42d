/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/keeper_inside.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"
#include "registrar/gate.h"
#include "registrar/plan.h"
#include "registrar/store_postgres.h"
#include "registrar/upsert.h"

#define FLUSH_MS 100 /* how long the store may lag behind */
/* A mere refresh moves an expiry that lies half a TTL ahead anyway: it may wait
 * longer, so that more rows share a page (a million numbers: 2.8 MB a second
 * written otherwise). Lost, it costs one early refresh after the next start. */
#define FLUSH_LAZY_MS 60000
#define FLUSH_COUNT   32768 /* rows that wait at most */
#define SOON_MS       60000 /* times after a reboot are not trusted for longer */
#define PAUSE_LOOK_MS 60000
#define GAUGE_MS      10000 /* a pass over all records: not for every answer */

/* One request on its way. */
struct request {
	struct upsert_call call;
	struct keeper *keeper;
	struct reg *reg;
	unsigned token_serial;
	uint16_t asked, before; /* reg_params: it says, the core was told */
};

static struct metric registrations[REG_STATE_COUNT] = {
#define REGISTRATIONS(state)                                                                       \
	METRIC_GAUGE_INIT("breakout_registrations", "state=\"" state "\"",                         \
			  "Registrations by state.")
	[REG_NEW] = REGISTRATIONS("new"),
	[REG_PENDING] = REGISTRATIONS("pending"),
	[REG_ACTIVE] = REGISTRATIONS("active"),
	[REG_BACKOFF] = REGISTRATIONS("backoff"),
	[REG_REFUSED] = REGISTRATIONS("refused"),
	[REG_WITHDRAWING] = REGISTRATIONS("withdrawing"),
	[REG_WITHHELD] = REGISTRATIONS("withheld"),
	[REG_ELSEWHERE] = REGISTRATIONS("elsewhere"),
};

static struct metric upserts[] = {
#define UPSERTS(result)                                                                            \
	METRIC_COUNTER_INIT("breakout_upserts_total", "result=\"" result "\"",                     \
			    "UpsertRegistration requests by result.")
	[UPSERT_OK] = UPSERTS("ok"),
	[UPSERT_FAILED] = UPSERTS("failed"),
	[UPSERT_EXHAUSTED] = UPSERTS("exhausted"),
	[UPSERT_REFUSED] = UPSERTS("refused"),
	[UPSERT_UNAUTHENTICATED] = UPSERTS("unauthenticated"),
};

static struct metric first_expiry = METRIC_GAUGE_INIT(
	"breakout_registration_first_expiry_seconds", NULL,
	"Time until the first registration lapses unless refreshed; negative: lapsed already.");

static struct metric margin_gauge = METRIC_GAUGE_INIT(
	"breakout_registration_margin_seconds", NULL,
	"How long the core may be away from now on until the first registration lapses.");

/* ---- the wanted set ---- */

struct wanted *wanted_destroy(struct wanted *wanted)
{
	if (!wanted)
		return NULL;
	free(wanted->sip_uri);
	free(wanted->prefix_mo);
	free(wanted->prefix_mt);
	free(wanted->numbers);
	free(wanted);
	return NULL;
}

static char *sip_uri_of(const struct config *config)
{
	struct str uri = { 0 };

	str_addf(&uri, "sips:%s", config->domain);
	if (config->sip_uri_port)
		str_addf(&uri, ":%u", config->sip_uri_port);
	return str_take(&uri);
}

int wanted_create(struct wanted **ret_wanted, const struct config *config)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));

	if (!wanted)
		return -ENOMEM;
	wanted->sip_uri = sip_uri_of(config);
	wanted->prefix_mo = strdup(config->prefix_mo ? config->prefix_mo : "");
	wanted->prefix_mt = strdup(config->prefix_mt ? config->prefix_mt : "");
	wanted->numbers = calloc(config->registration_count + 1, sizeof(*wanted->numbers));
	if (!wanted->sip_uri || !wanted->prefix_mo || !wanted->prefix_mt || !wanted->numbers) {
		wanted_destroy(wanted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->registration_count; i++) {
		const struct config_registration *from = &config->registrations[i];

		wanted->numbers[i].number = e164_pack(from->number);
		wanted->numbers[i].service = from->service;
		wanted->numbers[i].route_type = from->route_type;
	}
	wanted->count = config->registration_count;
	wanted->config = registrar_config_id(config);
	consent_plan_init(&wanted->consents, config->consents);
	*ret_wanted = wanted;
	return 0;
}

/* ---- records: state, queue and counts move together ---- */

void keeper_count(struct keeper *keeper, const struct reg *reg, int by)
{
	if (reg_gone(reg))
		return;
	keeper->by_state[reg->state] += (size_t)(ssize_t)by;
	if (reg->paused && reg->wanted) {
		keeper->paused += (size_t)(ssize_t)by;
	} else if (reg->flags & REG_HELD && reg->wanted) {
		keeper->held += (size_t)(ssize_t)by;
		if (reg->state != REG_WITHHELD && reg->state != REG_ELSEWHERE)
			keeper->held_told += (size_t)(ssize_t)by;
	}
	metric_add(&registrations[reg->state], by);
}

void keeper_file(struct keeper *keeper, struct reg *reg)
{
	if (reg->flags & REG_IN_FLIGHT)
		return;
	if (reg_gone(reg) || reg->state == REG_WITHHELD || !shards_mine(keeper, reg))
		refresh_unfile(keeper->refresh, reg);
	else
		refresh_file(keeper->refresh, reg);
}

/* An event the state table has no cell for is a mistake of ours: said, and the
 * record stays as it was. */
static void handle(struct keeper *keeper, struct reg *reg, enum reg_event event,
		   const struct reg_input *input)
{
	uint8_t before = reg->state;

	pthread_mutex_lock(&keeper->lock);
	keeper_count(keeper, reg, -1);
	if (reg_handle(reg, event, input))
		log_error("registrar", "event %d cannot happen in state %s", (int)event,
			  reg_state_name(reg->state));
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	keeper_file(keeper, reg);
	if (before != reg->state && log_enabled(LOG_LEVEL_DEBUG))
		trouble_log_change(reg, before, input->now);
}

static void set_error(struct keeper *keeper, struct reg *reg, const char *text)
{
	char *copy = text && text[0] ? strndup(text, sizeof(((struct reg_info *)0)->last_error) - 1)
				     : NULL;

	pthread_mutex_lock(&keeper->lock);
	free(reg->error);
	reg->error = copy;
	pthread_mutex_unlock(&keeper->lock);
}

/* number NULL: not wanted any more. */
static void want_one(struct keeper *keeper, struct reg *reg, uint16_t wanted,
		     const struct wanted_number *number, mono_ms now)
{
	struct reg_input input = { .now = now, .random = NULL };
	bool changed = reg->wanted != wanted;
	uint32_t service = number ? number->service : 0;
	uint8_t consented = number && number->consented ? REG_CONSENTED : 0;

	if (!changed && reg->service == service && (reg->flags & REG_CONSENTED) == consented)
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper_count(keeper, reg, -1);
	reg->wanted = wanted;
	reg->service = service;
	reg->flags = (uint8_t)((reg->flags & ~REG_CONSENTED) | consented);
	shards_adopt(keeper, reg, now);
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	if (changed && !(reg->repeat))
		handle(keeper, reg, wanted ? REG_EV_CHANGED : REG_EV_REMOVED, &input);
}

/* Held: as if it were not wanted, for the time being. */
static void hold_one(struct keeper *keeper, struct reg *reg, mono_ms now)
{
	struct reg_input input = { .now = now };
	bool paused = pauses_hold(keeper->options.pauses, reg->number, reg->service);
	bool held = reg->flags & REG_HELD, hold = held;

	if (gate_knows(&keeper->gate))
		hold = gate_holds(&keeper->gate, reg->service);
	hold |= paused;
	if (!reg->wanted || (hold == held && paused == reg->paused))
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper_count(keeper, reg, -1);
	reg->paused = paused;
	reg->flags = (uint8_t)(hold ? reg->flags | REG_HELD : reg->flags & ~REG_HELD);
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	if (hold == held)
		return;
	handle(keeper, reg, hold ? REG_EV_REMOVED : REG_EV_CHANGED, &input);
	if (hold && reg->state == REG_WITHDRAWING && !(reg->flags & REG_IN_FLIGHT))
		refresh_file_first(keeper->refresh, reg);
}

/* ---- the store ---- */

static void plan_flush(struct keeper *keeper, mono_ms at)
{
	if (!keeper->flush_at || (at < keeper->flush_at && !keeper->store_failed))
		keeper->flush_at = at;
}

/* The row has to be written within `lag`; so far it says `stored`. */
static void mark_dirty(struct keeper *keeper, struct reg *reg, uint32_t ttl_s, uint16_t stored,
		       mono_ms now, mono_ms lag)
{
	if (!keeper->store || reg->state == REG_ELSEWHERE)
		return;
	plan_flush(keeper, now + lag);
	if (reg->dirty)
		return;
	if (keeper->dirty_count == keeper->dirty_room) {
		size_t room = keeper->dirty_room ? keeper->dirty_room * 2 : 256;
		struct dirty *grown = reallocarray(keeper->dirty, room, sizeof(*grown));

		if (!grown)
			return; /* costs an upsert after the next start */
		keeper->dirty = grown;
		keeper->dirty_room = room;
	}
	keeper->dirty[keeper->dirty_count++] = (struct dirty){ reg->handle, ttl_s, stored };
	reg->dirty = 1;
}

bool keeper_certain(const struct reg *reg)
{
	return reg->expires_ms && reg->told == reg_wish(reg) && reg->state != REG_WITHDRAWING &&
	       !(reg->flags & REG_CONFLICT);
}

struct store_row keeper_row_of(const struct keeper *keeper, const struct reg *reg, uint32_t ttl_s,
			       mono_ms now)
{
	struct store_row row = { .number = reg->number,
				 .params = reg->told ? &keeper->table.params[reg->told] : NULL,
				 .expires = keeper->offset +
					    (keeper_certain(reg) ? reg->expires_ms : now),
				 .ttl_s = keeper_certain(reg) ? ttl_s : 0,
				 .shard = lease_shard_of(reg->number) };

	row.epoch = keeper->shards.at[row.shard].epoch;
	return row;
}

static size_t dirty_rows(struct keeper *keeper, struct store_row *rows, size_t count, mono_ms now)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct reg *reg = reg_at(&keeper->table, keeper->dirty[i].handle);

		/* One may be dropped meanwhile, or another node's. */
		if (reg->number && reg->state != REG_ELSEWHERE)
			rows[n++] = keeper_row_of(keeper, reg, keeper->dirty[i].ttl_s, now);
	}
	return n;
}

static int compare_rows(const void *a, const void *b)
{
	const struct store_row *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

void keeper_flush_failed(struct keeper *keeper, const char *why, mono_ms now)
{
	if (!keeper->store_failed && keeper->shards.on)
		log_error("registrar",
			  "store.postgres cannot be written (%s): what is registered is "
			  "refreshed, what is new, changed or withdrawn waits",
			  why);
	else if (!keeper->store_failed)
		log_error("registrar",
			  "store %s cannot be written (%s): registrations go on, but a restart "
			  "will repeat them; check the disk",
			  keeper->options.store, why);
	keeper->store_failed = true;
	keeper->flush_at = now + FLUSH_RETRY_MS;
}

void keeper_forget_dirty(struct keeper *keeper, size_t count, mono_ms now)
{
	for (size_t i = 0; i < count; i++)
		reg_at(&keeper->table, keeper->dirty[i].handle)->dirty = 0;
	keeper->dirty_count -= count;
	memmove(keeper->dirty, keeper->dirty + count, keeper->dirty_count * sizeof(*keeper->dirty));
	keeper->flush_at = keeper->dirty_count ? now : 0;
}

void keeper_flush(struct keeper *keeper, mono_ms now)
{
	struct store_row *rows;
	const char *why = "out of memory";
	size_t taken = keeper->dirty_count, count;
	int err = -ENOMEM;

	if (!taken)
		return;
	if (taken > store_batch(keeper->store))
		taken = store_batch(keeper->store);
	rows = calloc(taken, sizeof(*rows));
	if (rows) {
		count = dirty_rows(keeper, rows, taken, now);
		qsort(rows, count, sizeof(*rows), compare_rows); /* as they lie in the file */
		err = store_write(keeper->store, rows, count, STORE_NOTE, &why);
	}
	free(rows);
	if (err) {
		keeper_flush_failed(keeper, why, now);
		return;
	}
	keeper_forget_dirty(keeper, taken, now);
	if (keeper->store_failed)
		log_notice("registrar", "store %s is written again", keeper->options.store);
	keeper->store_failed = false;
}

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

static void set_token(struct keeper *keeper, char *take_token)
{
	if (keeper->token)
		explicit_bzero(keeper->token, strlen(keeper->token));
	free(keeper->token);
	keeper->token = take_token;
	pthread_mutex_lock(&keeper->lock);
	keeper->token_ok = take_token || !keeper->options.needs_token;
	pthread_mutex_unlock(&keeper->lock);
	refresh_hold(keeper->refresh, !keeper->token_ok);
}

/* All that were sent with it come back like this: the first one acts. */
static void token_refused(struct keeper *keeper, unsigned serial, const char *why)
{
	if (!keeper->token || serial != keeper->token_serial)
		return;
	trouble_token_refused(&keeper->trouble, why);
	keeper->options.token_refused(keeper->token, keeper->options.arg);
	set_token(keeper, NULL);
}

static void note_gate(struct keeper *keeper, const struct request *request,
		      const struct upsert_answer *answer, mono_ms now)
{
	enum refresh_answer said = gate_answer(answer->verdict);
	enum refresh_news news = refresh_answered(keeper->refresh, request->reg, said, now);

	trouble_gate(&keeper->trouble, news, refresh_down(keeper->refresh), answer, now);
	pthread_mutex_lock(&keeper->lock);
	keeper->api_up = said != REFRESH_FAILED;
	pthread_mutex_unlock(&keeper->lock);
}

/* repeated: it told the core nothing new. */
static void note_success(struct keeper *keeper, const struct request *request,
			 const struct upsert_answer *answer, bool repeated, mono_ms now)
{
	mono_ms lag = FLUSH_MS;
	uint32_t ttl_s = 0;

	trouble_token_accepted(&keeper->trouble);
	if (request->call.kind == UPSERT) {
		ttl_s = answer->ttl_s ? answer->ttl_s : REG_TTL_DEFAULT_S;
		if (ttl_s > REG_TTL_MAX_S)
			ttl_s = REG_TTL_MAX_S;
		if (ttl_s != keeper->ttl_s) {
			keeper->ttl_s = ttl_s;
			refresh_expect(keeper->refresh, shards_numbers(keeper), ttl_s);
		}
	}
	if (repeated) /* a short TTL makes a stale row worthless sooner */
		lag = ttl_s * 100 < FLUSH_LAZY_MS ? ttl_s * 100 : FLUSH_LAZY_MS;
	mark_dirty(keeper, request->reg, ttl_s, request->before, now, lag);
}

static void remember(struct keeper *keeper, const struct request *request,
		     const struct upsert_answer *answer, mono_ms now)
{
	const struct reg *reg = request->reg;
	struct reg_attempt attempt = { .at = clock_wall(),
				       .took_ms = (unsigned)(now - reg->due_ms),
				       .withdrawal = request->call.kind == UPSERT_DELETE };

	if (answer->verdict == UPSERT_OK && !reg->failures)
		return;
	pthread_mutex_lock(&keeper->lock);
	history_add(&keeper->history, reg->number, &attempt, answer->text);
	pthread_mutex_unlock(&keeper->lock);
}

static void on_answer(struct upsert_call *call, const struct upsert_answer *answer)
{
	struct request *request = CONTAINER_OF(call, struct request, call);
	struct keeper *keeper = request->keeper;
	struct reg *reg = request->reg;
	bool was_refused = reg->flags & REG_REFUSING;
	bool repeated = call->kind == UPSERT && reg->expires_ms && reg->told == request->asked;
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
		metric_add(&upserts[answer->verdict], 1);
	remember(keeper, request, answer, now);
	set_error(keeper, reg, answer->text);
	note_gate(keeper, request, answer, now);
	handle(keeper, reg, event_of(answer->verdict, keeper->options.needs_token), &input);
	if (!reg->told)
		mark_dirty(keeper, reg, 0, request->before, now, FLUSH_MS);
	if (answer->verdict == UPSERT_OK && call->kind == UPSERT_DELETE && keeper->options.deleted)
		keeper->options.deleted(reg->number, keeper->options.arg);
	if (answer->verdict == UPSERT_OK)
		note_success(keeper, request, answer, repeated, now);
	else if (answer->verdict == UPSERT_UNAUTHENTICATED && keeper->options.needs_token) {
		token_refused(keeper, request->token_serial, answer->text);
		if (shards_mine(keeper, reg))
			refresh_file_first(keeper->refresh, reg);
	}
	if (answer->verdict != UPSERT_UNAUTHENTICATED || !keeper->options.needs_token)
		trouble_reg(&keeper->trouble, reg, was_refused, answer,
			    refresh_down(keeper->refresh), now);
	shards_answered(keeper, reg, request->before, now);
	free(request);
}

/* ---- requests ---- */

void keeper_put_back(struct keeper *keeper, struct reg *reg, mono_ms due, mono_ms now)
{
	refresh_answered(keeper->refresh, reg, REFRESH_VOID, now);
	pthread_mutex_lock(&keeper->lock);
	reg->due_ms = due;
	pthread_mutex_unlock(&keeper->lock);
	keeper_file(keeper, reg);
}

/* It never left: there is no answer to wait for. */
static void not_sent(struct keeper *keeper, struct reg *reg, const struct reg_input *input, int err)
{
	refresh_answered(keeper->refresh, reg, REFRESH_VOID, input->now);
	set_error(keeper, reg, strerror(-err));
	handle(keeper, reg, err == -EINVAL ? REG_EV_REFUSED : REG_EV_FAILED, input);
}

static bool has_lapsed(const struct reg *reg, mono_ms now)
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
	request->token_serial = keeper->token_serial;
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
	mark_dirty(keeper, reg, 0, reg->told, now, 0);
	return true;
}

static void send_one(struct keeper *keeper, struct reg *reg, mono_ms now)
{
	struct reg_input input = { .now = now, .random = &keeper->options.seed };
	struct api_call_options options = { .token = keeper->token,
					    .deadline_ms = keeper->options.deadline_ms,
					    /* A probe ends as soon as the API is back. */
					    .wait_for_ready = refresh_down(keeper->refresh) };
	struct request *request;
	int err = -ENOMEM;

	if (reg->state == REG_WITHDRAWING && has_lapsed(reg, now)) {
		input.asked = reg->told;
		refresh_answered(keeper->refresh, reg, REFRESH_VOID, now);
		handle(keeper, reg, REG_EV_EXPIRED, &input);
		mark_dirty(keeper, reg, 0, input.asked, now, FLUSH_MS);
		return;
	}
	request = make_request(keeper, reg);
	input.asked = request ? request->asked : reg_wish(reg);
	handle(keeper, reg, REG_EV_DUE, &input);
	if (request)
		err = upsert_send(&request->call, keeper->options.client, reg->number,
				  &keeper->table.params[request->asked], &options);
	if (err) {
		free(request);
		not_sent(keeper, reg, &input, err);
	} else {
		shards_sent(keeper, reg);
	}
}

/* ---- time passes ---- */

static mono_ms earliest_expiry(const struct keeper *keeper)
{
	mono_ms earliest = 0;

	for (size_t i = 0; i < keeper->table.count; i++) {
		const struct reg *reg = reg_at(&keeper->table, keeper->table.sorted[i]);

		if (reg_wish(reg) && reg->expires_ms && (!earliest || reg->expires_ms < earliest))
			earliest = reg->expires_ms;
	}
	return earliest;
}

/* How long the core may be away from now on. */
static mono_ms margin_of(const struct keeper *keeper, mono_ms now)
{
	struct refresh_load load;
	struct plan_left left;

	refresh_load(keeper->refresh, now, &load);
	plan_left_init(&left, keeper->ttl_s ? keeper->ttl_s : REG_TTL_DEFAULT_S);
	for (size_t i = 0; i < keeper->table.count; i++) {
		const struct reg *reg = reg_at(&keeper->table, keeper->table.sorted[i]);

		if (reg_wish(reg) && reg->expires_ms && reg->state != REG_REFUSED)
			plan_left_add(&left, reg->expires_ms - now, 1);
	}
	return plan_margin(&left, load.rate);
}

static void set_gauges(struct keeper *keeper, mono_ms now)
{
	mono_ms earliest = earliest_expiry(keeper), margin = margin_of(keeper, now);

	pthread_mutex_lock(&keeper->lock);
	keeper->margin = margin;
	pthread_mutex_unlock(&keeper->lock);
	metric_set(&margin_gauge, margin / 1000);

	metric_set(&first_expiry, earliest ? (earliest - now) / 1000 : 0);
	keeper->gauge_at = now + GAUGE_MS;
}

static bool may_write(const struct keeper *keeper, mono_ms now)
{
	return !keeper->store_failed || now >= keeper->flush_at;
}

static void send_due(struct keeper *keeper, mono_ms now)
{
	struct reg *due[REFRESH_WINDOW];
	size_t count = 0;
	bool ahead = false;

	while (count < REFRESH_WINDOW && (due[count] = refresh_take(keeper->refresh, now)))
		count++;
	if (keeper->shards.on) {
		count = shards_write_ahead(keeper, due, count, now);
	} else {
		for (size_t i = 0; i < count; i++)
			ahead |= write_ahead(keeper, due[i], now);
		if (ahead && may_write(keeper, now))
			keeper_flush(keeper, now);
	}
	for (size_t i = 0; i < count; i++)
		send_one(keeper, due[i], now);
}

/* Ends are times of the wall clock, which may be set meanwhile: it is looked at again
 * and again. */
static void end_pauses(struct keeper *keeper, mono_ms now)
{
	wall_ms next;

	if (pauses_expire(keeper->options.pauses, clock_wall()))
		keeper_pause(keeper, now);
	next = pauses_next(keeper->options.pauses);
	keeper->pause_at = now + PAUSE_LOOK_MS;
	if (next && next < clock_wall() + PAUSE_LOOK_MS)
		keeper->pause_at = now + next - clock_wall();
}

void keeper_run(struct keeper *keeper, mono_ms now)
{
	if (keeper->options.pauses && now >= keeper->pause_at)
		end_pauses(keeper, now);
	if (keeper->token && now >= keeper->token_expires)
		set_token(keeper, NULL);
	if (shards_turn(keeper, now) && (!keeper->stopping || keeper->withdrawing))
		send_due(keeper, now);
	if (keeper->flush_at && (now >= keeper->flush_at || keeper->dirty_count >= FLUSH_COUNT) &&
	    may_write(keeper, now))
		keeper_flush(keeper, now);
	if (now >= keeper->gauge_at)
		set_gauges(keeper, now);
	if (keeper->held || keeper->gate.began) {
		pthread_mutex_lock(&keeper->lock);
		gate_note(&keeper->gate, keeper->held, keeper->held_told, now);
		pthread_mutex_unlock(&keeper->lock);
	}
}

mono_ms keeper_next(const struct keeper *keeper, mono_ms now)
{
	mono_ms next = keeper->gauge_at, turn;
	enum lease_standing standing = keeper->shards.standing;
	bool silent = keeper->shards.on && standing != LEASE_GOOD && standing != LEASE_ALONE;

	if (keeper->shards.on && shards_next(keeper, now) < next)
		next = shards_next(keeper, now);

	if (keeper->flush_at && keeper->flush_at < next)
		next = keeper->flush_at;
	if (keeper->options.pauses && keeper->pause_at < next)
		next = keeper->pause_at;
	if (!silent && (!keeper->stopping || keeper->withdrawing)) {
		turn = refresh_next(keeper->refresh, now);
		if (turn < next)
			next = turn;
	}
	return next;
}

void keeper_token(struct keeper *keeper, const char *token, unsigned expires_in_s,
		  const char *error, unsigned retry_ms, mono_ms now)
{
	char *copy;

	if (!token) {
		trouble_token_missing(&keeper->trouble, error, retry_ms, keeper->token);
		return;
	}
	copy = strdup(token);
	if (!copy)
		return; /* the old one, if any, serves on; else invalidation fetches anew */
	trouble_token_came(&keeper->trouble);
	keeper->token_serial++;
	keeper->token_expires = now + (mono_ms)expires_in_s * 1000;
	set_token(keeper, copy);
}

/* ---- wishes ---- */

/* Ids of the parameters by route type; 0 where no number has that type. */
static int intern_all(struct keeper *keeper, const struct wanted *wanted,
		      uint16_t ids[ROUTE_TYPE_COUNT])
{
	struct reg_params params = { wanted->sip_uri, wanted->prefix_mo, wanted->prefix_mt, 0 };
	int err = 0;

	memset(ids, 0, ROUTE_TYPE_COUNT * sizeof(ids[0]));
	for (size_t i = 0; !err && i < wanted->count; i++) {
		uint8_t type = wanted->numbers[i].route_type;

		if (type >= ROUTE_TYPE_COUNT)
			return -EINVAL;
		if (ids[type] || type == ROUTE_TYPE_NONE)
			continue;
		params.route_type = (enum route_type)type;
		pthread_mutex_lock(&keeper->lock);
		err = reg_table_params(&keeper->table, &params, &ids[type]);
		pthread_mutex_unlock(&keeper->lock);
	}
	return err;
}

int keeper_merge(struct keeper *keeper, const uint64_t *numbers, size_t number_count)
{
	int err;

	pthread_mutex_lock(&keeper->lock);
	err = reg_table_merge(&keeper->table, numbers, number_count);
	pthread_mutex_unlock(&keeper->lock);
	return err;
}

/* Records and parameters for all of `wanted`. */
static int prepare(struct keeper *keeper, const struct wanted *wanted,
		   uint16_t ids[ROUTE_TYPE_COUNT], mono_ms now)
{
	uint64_t *numbers = calloc(wanted->count + 1, sizeof(*numbers));
	int err;

	if (!numbers)
		return -ENOMEM;
	keeper_flush(keeper, now); /* records that are gone leave the table below */
	for (size_t i = 0; i < wanted->count; i++)
		numbers[i] = wanted->numbers[i].number;
	err = intern_all(keeper, wanted, ids);
	if (!err)
		err = keeper_merge(keeper, numbers, wanted->count);
	free(numbers);
	return err;
}

int keeper_want(struct keeper *keeper, const struct wanted *wanted, mono_ms now)
{
	uint16_t ids[ROUTE_TYPE_COUNT];
	size_t next = 0;
	int err;

	keeper->gate.config = wanted->config;
	err = prepare(keeper, wanted, ids, now);

	if (err)
		return err;
	for (size_t i = 0; i < keeper->table.count; i++) {
		struct reg *reg = reg_at(&keeper->table, keeper->table.sorted[i]);
		const struct wanted_number *number = &wanted->numbers[next];

		if (next < wanted->count && number->number == reg->number) {
			want_one(keeper, reg, ids[number->route_type], number, now);
			next++;
		} else {
			want_one(keeper, reg, 0, NULL, now);
		}
		hold_one(keeper, reg, now);
	}
	shards_count(keeper);
	return 0;
}

/* Each is put before those that wait: the last ranks come first here. */
void keeper_judge(struct keeper *keeper, const struct registrar_verdict *verdict, mono_ms now)
{
	bool changed;

	pthread_mutex_lock(&keeper->lock);
	changed = gate_judge(&keeper->gate, verdict);
	pthread_mutex_unlock(&keeper->lock);
	if (!changed || keeper->stopping)
		return;
	refresh_limit(keeper->refresh,
		      verdict->sick && verdict->rate ? verdict->rate : keeper->options.max_rate);
	for (unsigned rank = GATE_RANKS; rank-- > 0;)
		for (size_t i = keeper->table.count; i-- > 0;) {
			struct reg *reg = reg_at(&keeper->table, keeper->table.sorted[i]);

			if (reg->wanted &&
			    rank == gate_rank(&keeper->gate, reg->service,
					      keeper->table.params[reg->wanted].route_type))
				hold_one(keeper, reg, now);
		}
}

int keeper_want_some(struct keeper *keeper, const struct wanted *some, mono_ms now)
{
	uint16_t ids[ROUTE_TYPE_COUNT];
	int err = prepare(keeper, some, ids, now);

	for (size_t i = 0; !err && i < some->count; i++) {
		const struct wanted_number *number = &some->numbers[i];
		uint16_t id = ids[number->route_type];

		struct reg *reg = reg_table_find(&keeper->table, number->number);

		want_one(keeper, reg, id, id ? number : NULL, now);
		hold_one(keeper, reg, now);
	}
	refresh_expect(keeper->refresh, keeper->table.count, keeper->ttl_s);
	return err;
}

void keeper_pause(struct keeper *keeper, mono_ms now)
{
	keeper->pause_at = now; /* a new one may end sooner than the others */
	for (size_t i = keeper->table.count; !keeper->stopping && i-- > 0;)
		hold_one(keeper, reg_at(&keeper->table, keeper->table.sorted[i]), now);
}

void keeper_refresh(struct keeper *keeper, uint64_t number, mono_ms now)
{
	struct reg_input input = { .now = now };
	struct reg *reg = number ? reg_table_find(&keeper->table, number) : NULL;

	if (reg && reg->wanted)
		handle(keeper, reg, REG_EV_CHANGED, &input);
	for (size_t i = 0; !number && i < keeper->table.count; i++) {
		reg = reg_at(&keeper->table, keeper->table.sorted[i]);
		if (reg->wanted)
			handle(keeper, reg, REG_EV_CHANGED, &input);
	}
}

void keeper_stop(struct keeper *keeper, bool withdraw, mono_ms now)
{
	keeper->stopping = true;
	if (keeper->shards.on) { /* the others go on with them */
		keeper_leave(keeper, now);
		return;
	}
	keeper->withdrawing = withdraw;
	if (!withdraw)
		return;
	refresh_hurry(keeper->refresh);
	for (size_t i = 0; i < keeper->table.count; i++)
		want_one(keeper, reg_at(&keeper->table, keeper->table.sorted[i]), 0, NULL, now);
}

bool keeper_idle(const struct keeper *keeper)
{
	return !refresh_in_flight(keeper->refresh) && shards_idle(keeper) &&
	       (!keeper->withdrawing || !keeper->by_state[REG_WITHDRAWING]);
}

void keeper_deafen(struct keeper *keeper)
{
	keeper->deaf = true;
}

/* ---- questions ---- */

static void describe_hold(const struct keeper *keeper, const struct reg *reg, struct reg_info *info)
{
	struct reg_pause pause;

	info->paused = !pauses_find(keeper->options.pauses, reg->number, reg->service, &pause);
	if (reg->error)
		return;
	if (info->paused)
		snprintf(info->last_error, sizeof(info->last_error), "paused by %.32s: %.51s",
			 pause.who, pause.why);
	else
		snprintf(info->last_error, sizeof(info->last_error), "held: %s",
			 gate_why(&keeper->gate, reg->service));
}

static void describe(const struct keeper *keeper, const struct reg *reg, struct reg_info *info)
{
	uint16_t params = reg->wanted ? reg->wanted : reg->told;

	memset(info, 0, sizeof(*info));
	e164_unpack(reg->number, info->number);
	info->route_type = keeper->table.params[params].route_type;
	info->state = (enum reg_state)reg->state;
	info->service = reg->service;
	info->consented = reg->wanted && reg->flags & REG_CONSENTED;
	info->expires_ms = reg->expires_ms;
	info->next_ms = reg->due_ms;
	info->failures = reg->failures;
	if (reg->error)
		snprintf(info->last_error, sizeof(info->last_error), "%s", reg->error);
	info->held = reg->wanted && reg->flags & REG_HELD;
	if (info->held)
		describe_hold(keeper, reg, info);
	pauses_service_name(keeper->options.pauses, reg->service, info->service_name,
			    sizeof(info->service_name));
}

int keeper_lookup(struct keeper *keeper, uint64_t number, struct reg_info *ret_info)
{
	const struct reg *reg;
	int err = -ENOENT;

	pthread_mutex_lock(&keeper->lock);
	reg = reg_table_find(&keeper->table, number);
	if (reg && !reg_gone(reg)) {
		describe(keeper, reg, ret_info);
		err = 0;
	}
	pthread_mutex_unlock(&keeper->lock);
	return err;
}

size_t keeper_list(struct keeper *keeper, uint64_t after, size_t max,
		   void (*visit)(const struct reg_info *info, void *arg), void *arg)
{
	struct reg_info info;
	size_t visited = 0;

	/* The lock is given back for each visit: `visit` may write to a socket. */
	while (visited < max) {
		const struct reg *reg = NULL;

		pthread_mutex_lock(&keeper->lock);
		for (size_t i = reg_table_after(&keeper->table, after); i < keeper->table.count;
		     i++) {
			reg = reg_at(&keeper->table, keeper->table.sorted[i]);
			after = reg->number;
			if (!reg_gone(reg))
				break;
			reg = NULL;
		}
		if (reg)
			describe(keeper, reg, &info);
		pthread_mutex_unlock(&keeper->lock);
		if (!reg)
			break;
		visit(&info, arg);
		visited++;
	}
	return visited;
}

size_t keeper_attempts(struct keeper *keeper, uint64_t number, struct reg_attempt *ret_attempts,
		       size_t room)
{
	size_t found;

	pthread_mutex_lock(&keeper->lock);
	found = history_find(&keeper->history, number, ret_attempts, room);
	pthread_mutex_unlock(&keeper->lock);
	return found;
}

bool keeper_store_ok(const struct keeper *keeper)
{
	return !keeper->store_failed;
}

void keeper_summary(struct keeper *keeper, struct registrar_summary *ret_summary)
{
	memset(ret_summary, 0, sizeof(*ret_summary));
	pthread_mutex_lock(&keeper->lock);
	memcpy(ret_summary->by_state, keeper->by_state, sizeof(keeper->by_state));
	ret_summary->first_expiry_ms = earliest_expiry(keeper);
	ret_summary->margin_ms = keeper->margin;
	ret_summary->api_up = keeper->api_up;
	ret_summary->token_ok = keeper->token_ok;
	ret_summary->store_ok = !keeper->store_failed;
	ret_summary->held = keeper->held;
	ret_summary->paused = keeper->paused;
	ret_summary->pauses = pauses_count(keeper->options.pauses);
	ret_summary->held_since_ms = keeper->gate.began;
	ret_summary->native_ms = keeper->gate.native_ms;
	if (keeper->held)
		snprintf(ret_summary->held_why, sizeof(ret_summary->held_why), "%s",
			 keeper->gate.verdict.sick ? keeper->gate.verdict.why
						   : keeper->gate.verdict.services_why);
	pthread_mutex_unlock(&keeper->lock);
}

/* ---- create ---- */

struct loaded {
	struct keeper *keeper;
	const struct reg_params *last_params; /* and their id: runs of rows share them */
	uint16_t last_id;
	struct keeper_row *rows;
	size_t count, room;
};

static int loaded_reserve(struct loaded *loaded)
{
	size_t room = loaded->room ? loaded->room * 2 : 1024;
	struct keeper_row *rows;

	if (loaded->count < loaded->room)
		return 0;
	rows = reallocarray(loaded->rows, room, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	loaded->rows = rows;
	loaded->room = room;
	return 0;
}

static int on_row(const struct store_row *row, void *arg)
{
	struct loaded *loaded = arg;
	char text[E164_ROOM];
	int err;

	e164_unpack(row->number, text);
	if (!e164_valid(text) || row->params->route_type >= ROUTE_TYPE_COUNT)
		return 0; /* nothing we wrote; the configuration says what is wanted */
	/* A file opened anew after damage starts again: keep to number order. */
	if (loaded->count && loaded->rows[loaded->count - 1].number >= row->number)
		return 0;
	err = loaded_reserve(loaded);
	if (!err && row->params != loaded->last_params)
		err = reg_table_params(&loaded->keeper->table, row->params, &loaded->last_id);
	if (err)
		return err;
	loaded->last_params = row->params;
	loaded->rows[loaded->count++] = (struct keeper_row){ .number = row->number,
							     .expires = row->expires,
							     .ttl_s = row->ttl_s,
							     .told = loaded->last_id };
	return 0;
}

/* The table is empty before: afterwards it has the rows' order. */
static int merge_rows(struct keeper *keeper, struct loaded *loaded)
{
	uint64_t *numbers = calloc(loaded->count + 1, sizeof(*numbers));
	int err;

	if (!numbers)
		return -ENOMEM;
	for (size_t i = 0; i < loaded->count; i++)
		numbers[i] = loaded->rows[i].number;
	err = keeper_merge(keeper, numbers, loaded->count);
	free(numbers);
	for (size_t i = 0; !err && i < loaded->count; i++)
		loaded->rows[i].handle = keeper->table.sorted[i];
	return err;
}

static int compare_expiries(const void *a, const void *b)
{
	const struct keeper_row *x = a, *y = b;

	return x->expires < y->expires ? -1 : x->expires > y->expires;
}

/* A row's time is believed only if it lies within the TTL from the present. After
 * a reboot it goes by a wall clock that may have been set meanwhile: such a row
 * says that there was a registration, not for how long, and is refreshed soon. */
void keeper_take_row(struct keeper *keeper, const struct keeper_row *row, bool trusted, mono_ms now)
{
	struct reg *reg = reg_at(&keeper->table, row->handle);
	mono_ms ttl_ms = (mono_ms)(row->ttl_s < REG_TTL_MAX_S ? row->ttl_s : REG_TTL_MAX_S) * 1000;
	mono_ms left = row->expires - keeper->offset - now, soon;

	pthread_mutex_lock(&keeper->lock);
	keeper_count(keeper, reg, -1);
	reg->told = row->told;
	reg->wanted = row->told; /* until keeper_want() says otherwise */
	reg->state = REG_NEW;
	reg->due_ms = now;
	if (left > 0 && left <= ttl_ms) {
		reg->state = REG_ACTIVE;
		reg->expires_ms = now + left;
		reg->due_ms = reg_refresh_due(reg->expires_ms - ttl_ms, row->ttl_s,
					      &keeper->options.seed);
	}
	soon = now + (mono_ms)((double)SOON_MS * reg_random(&keeper->options.seed));
	if (left > 0 && !trusted && (!keeper->shards.on || soon < reg->due_ms))
		reg->due_ms = soon;
	if (!row->ttl_s) /* what the last process sent may be on its way yet */
		reg->flags |= REG_UNSURE;
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	if (row->ttl_s)
		keeper->ttl_s = row->ttl_s;
}

/* After the wanted set is known, in order of expiry. A row may lag behind by one
 * refresh: what is not wanted is deleted even if its time is over. */
static void settle_row(struct keeper *keeper, struct reg *reg)
{
	if (reg->state == REG_WITHDRAWING)
		reg->expires_ms = 0;
	keeper_file(keeper, reg);
}

/* True: the store's times go by the clock that runs since. */
static bool set_offset(struct keeper *keeper, mono_ms now)
{
	if (keeper->shards.on) /* its rows come by the fleet, in our time */
		return false;
	keeper->offset = clock_wall() - now;
	return keeper->store && keeper->options.boot &&
	       store_anchor(keeper->store, keeper->options.boot, &keeper->offset);
}

static int load(struct keeper *keeper, const struct wanted *wanted, mono_ms now)
{
	struct loaded loaded = { .keeper = keeper };
	struct wanted *all = NULL;
	bool same_boot;
	int err = 0;

	if (keeper->shards.on)
		err = store_postgres_create(&keeper->store, keeper->options.postgres,
					    keeper->options.fleet);
	else if (keeper->options.store)
		err = store_open(&keeper->store, keeper->options.store, on_row, &loaded);
	if (!err && keeper->options.complete)
		err = keeper->options.complete(wanted, &all, keeper->options.arg);
	if (!err && keeper->options.pauses)
		err = pauses_load(keeper->options.pauses);
	if (!err)
		err = merge_rows(keeper, &loaded);
	if (!err) {
		same_boot = set_offset(keeper, now);
		for (size_t i = 0; i < loaded.count; i++)
			keeper_take_row(keeper, &loaded.rows[i], same_boot, now);
		err = keeper_want(keeper, all ? all : wanted, now);
	}
	wanted_destroy(all);
	if (loaded.count)
		qsort(loaded.rows, loaded.count, sizeof(*loaded.rows), compare_expiries);
	for (size_t i = 0; !err && i < loaded.count; i++)
		settle_row(keeper, reg_at(&keeper->table, loaded.rows[i].handle));
	free(loaded.rows);
	return err;
}

int keeper_create(struct keeper **ret_keeper, const struct keeper_options *options,
		  const struct wanted *wanted, mono_ms now)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int err;

	if (!keeper)
		return -ENOMEM;
	pthread_mutex_init(&keeper->lock, NULL);
	keeper->options = *options;
	keeper->gauge_at = now;
	keeper->gate.peers_serve = options->peers_serve;
	keeper->gate.arg = options->arg;
	keeper->shards.on = options->fleet != NULL;
	if (options->fleet) {
		keeper->shards.lease_ms = options->postgres->lease_ms;
		keeper->shards.alone_ms = (mono_ms)options->postgres->alone_s * 1000;
	}
	if (options->store) {
		keeper->options.store = strdup(options->store);
		if (!keeper->options.store) {
			keeper_destroy(keeper);
			return -ENOMEM;
		}
	}
	err = refresh_create(&keeper->refresh, &keeper->table, options->seed, now);
	if (!err) {
		refresh_limit(keeper->refresh, options->max_rate);
		set_token(keeper, NULL);
		err = load(keeper, wanted, now);
	}
	keeper->options.boot = NULL; /* borrowed until here */
	keeper->options.postgres = NULL;
	if (err) {
		keeper_destroy(keeper);
		return err;
	}
	*ret_keeper = keeper;
	return 0;
}

struct keeper *keeper_destroy(struct keeper *keeper)
{
	if (!keeper)
		return NULL;
	if (keeper->store)
		keeper_flush(keeper, clock_now());
	if (keeper->refresh)
		set_token(keeper, NULL);
	for (size_t i = 0; i < keeper->table.count; i++)
		keeper_count(keeper, reg_at(&keeper->table, keeper->table.sorted[i]), -1);
	store_close(keeper->store);
	refresh_destroy(keeper->refresh);
	reg_table_done(&keeper->table);
	free(keeper->dirty);
	free((char *)keeper->options.store);
	pthread_mutex_destroy(&keeper->lock);
	free(keeper);
	return NULL;
}
