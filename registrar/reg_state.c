/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/reg_state.h"

#include <errno.h>
#include "base/macros.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS   60000
#define RETRY_LATE_MS  20000 /* when little time is left */

/* Later than this is not a refresh in its own time any more. */
#define LATE_MS 10000

const char *reg_state_name(enum reg_state state)
{
	static const char *const names[REG_STATE_COUNT] = {
		[REG_NEW] = "new",           [REG_PENDING] = "pending",
		[REG_ACTIVE] = "active",     [REG_BACKOFF] = "backoff",
		[REG_REFUSED] = "refused",   [REG_WITHDRAWING] = "withdrawing",
		[REG_WITHHELD] = "withheld", [REG_ELSEWHERE] = "elsewhere",
	};

	return (unsigned)state < REG_STATE_COUNT ? names[state] : "?";
}

double reg_random(uint64_t *random)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (double)(z >> 11) * 0x1p-53;
}

static mono_ms between(double from, double to, mono_ms of, uint64_t *random)
{
	return (mono_ms)((double)of * (from + (to - from) * reg_random(random)));
}

mono_ms reg_refresh_due(mono_ms sent_ms, uint32_t ttl_s, uint64_t *random)
{
	return sent_ms + between(REG_DUE_FROM, REG_DUE_TO, (mono_ms)ttl_s * 1000, random);
}

static void saturating_count(struct reg *reg)
{
	if (reg->failures < UINT8_MAX)
		reg->failures++;
}

/* ---- actions: run after the state has changed ---- */

typedef void reg_action_fn(struct reg *reg, const struct reg_input *input);

static void begin(struct reg *reg, const struct reg_input *input)
{
	reg->flags |= REG_IN_FLIGHT;
	if (!reg->told)
		reg->told = input->asked; /* perhaps in vain: a delete names it */
	if (!reg->expires_ms || reg->failures || input->now - reg->due_ms > LATE_MS)
		reg->flags |= REG_SPREAD;
	reg_set_due(reg, input->now);
}

static bool confirm_later(struct reg *reg, const struct reg_input *input)
{
	bool conflict = reg->flags & REG_CONFLICT;

	/* What was repeated at once does not keep the first one from arriving behind
	 * it: only the next answer, a refresh or a confirmation later, does. */
	if (reg->flags & REG_SETTLING)
		reg->flags &= (uint8_t) ~(REG_UNSURE | REG_SETTLING);
	else if (reg->flags & REG_UNSURE)
		reg->flags |= REG_SETTLING;
	reg->flags &= (uint8_t)~REG_CONFLICT;
	if (conflict) /* what came after it is said once more, later */
		reg_set_due(reg, input->now + between(1.0, 1.5, REG_CONFIRM_MS, input->random));
	return conflict;
}

static void accepted(struct reg *reg, const struct reg_input *input)
{
	mono_ms sent = reg->due_ms, ttl_ms;
	uint32_t ttl_s = input->ttl_s;

	if (!ttl_s)
		ttl_s = REG_TTL_DEFAULT_S;
	if (ttl_s > REG_TTL_MAX_S)
		ttl_s = REG_TTL_MAX_S;
	ttl_ms = (mono_ms)ttl_s * 1000;
	/* Counted from the sending: the core starts its clock no earlier. */
	reg_set_expiry(reg, sent + ttl_ms);
	reg->told = input->asked;
	reg->failures = 0;
	if (reg_wish(reg) != reg->told)
		reg_set_due(reg, input->now);
	else if (confirm_later(reg, input))
		;
	else if (reg->flags & REG_SPREAD)
		/* Many were sent in one go, at a start or after an outage: without a
		 * wider window they would all come due together again. */
		reg_set_due(reg, sent + between(0.10, REG_DUE_TO, ttl_ms, input->random));
	else
		reg_set_due(reg, reg_refresh_due(sent, ttl_s, input->random));
	reg->flags &= (uint8_t) ~(REG_SPREAD | REG_REFUSING | REG_LAGGING);
}

static void retry_soon(struct reg *reg, const struct reg_input *input)
{
	unsigned doublings = reg->failures < 6 ? reg->failures : 6;
	mono_ms ceiling = RETRY_FIRST_MS << doublings;

	if (ceiling > RETRY_MAX_MS)
		ceiling = RETRY_MAX_MS;
	/* The less time is left, the more often. */
	if (reg->expires_ms > input->now && (reg->expires_ms - input->now) / 8 < ceiling)
		ceiling = ceiling < RETRY_LATE_MS ? ceiling : RETRY_LATE_MS;
	/* Full jitter: what failed together does not come back together. */
	reg_set_due(reg, input->now + between(0.0, 1.0, ceiling, input->random));
	saturating_count(reg);
}

static void unanswered(struct reg *reg, bool conflict)
{
	reg->flags |= REG_UNSURE;
	reg->flags &= (uint8_t)~REG_SETTLING;
	if (conflict)
		reg->flags |= REG_CONFLICT;
}

static void upsert_failed(struct reg *reg, const struct reg_input *input)
{
	unanswered(reg, input->asked != reg_wish(reg));
	retry_soon(reg, input);
}

static void delete_failed(struct reg *reg, const struct reg_input *input)
{
	unanswered(reg, reg_wish(reg) != 0);
	retry_soon(reg, input);
}

static void retry_later(struct reg *reg, const struct reg_input *input)
{
	static const mono_ms minutes[] = { 1, 5, 15, 60 };
	unsigned step;

	if (!(reg->flags & REG_REFUSING))
		reg->failures = 0;
	reg->flags |= REG_REFUSING;
	step = reg->failures < ARRAY_SIZE(minutes) ? reg->failures : ARRAY_SIZE(minutes) - 1;
	reg_set_due(reg, input->now + between(0.8, 1.0, minutes[step] * 60000, input->random));
	saturating_count(reg);
}

/* The core has certainly not done it: unless it may have done an earlier one, it
 * holds nothing of this number. */
static void forget_asking(struct reg *reg)
{
	if (!reg->expires_ms && !(reg->flags & REG_UNSURE))
		reg->told = 0;
}

static void upsert_refused(struct reg *reg, const struct reg_input *input)
{
	forget_asking(reg);
	retry_later(reg, input);
}

static void upsert_postponed(struct reg *reg, const struct reg_input *input)
{
	forget_asking(reg);
	reg_set_due(reg, input->now);
}

static void due_now(struct reg *reg, const struct reg_input *input)
{
	reg_set_due(reg, input->now);
}

static void forgotten(struct reg *reg, const struct reg_input *input)
{
	reg->told = 0;
	reg->expires_ms = 0;
	reg->failures = 0;
	reg->flags &= (uint8_t) ~(REG_SPREAD | REG_REFUSING | REG_UNSURE | REG_CONFLICT |
				  REG_SETTLING | REG_LAGGING);
	reg_set_due(reg, input->now);
}

static void deleted(struct reg *reg, const struct reg_input *input)
{
	if (!confirm_later(reg, input)) {
		forgotten(reg, input);
		return;
	}
	reg->expires_ms = 0;
	reg->failures = 0;
}

/* What becomes of a record that is (not) wanted is decided between requests:
 * settle(). So CHANGED and REMOVED stay where they are here. */
static const struct rule {
	bool possible;
	enum reg_state next;
	reg_action_fn *action;
} rules[REG_STATE_COUNT][REG_EVENT_COUNT] = {
	[REG_NEW] = { [REG_EV_DUE] = { true, REG_PENDING, begin },
		      [REG_EV_CHANGED] = { true, REG_NEW, due_now },
		      [REG_EV_REMOVED] = { true, REG_NEW, NULL } },
	[REG_PENDING] = { [REG_EV_OK] = { true, REG_ACTIVE, accepted },
			  [REG_EV_FAILED] = { true, REG_BACKOFF, upsert_failed },
			  [REG_EV_POSTPONED] = { true, REG_BACKOFF, upsert_postponed },
			  [REG_EV_REFUSED] = { true, REG_REFUSED, upsert_refused },
			  [REG_EV_CHANGED] = { true, REG_PENDING, NULL },
			  [REG_EV_REMOVED] = { true, REG_PENDING, NULL } },
	[REG_ACTIVE] = { [REG_EV_DUE] = { true, REG_PENDING, begin },
			 [REG_EV_CHANGED] = { true, REG_ACTIVE, due_now },
			 [REG_EV_REMOVED] = { true, REG_ACTIVE, NULL } },
	[REG_BACKOFF] = { [REG_EV_DUE] = { true, REG_PENDING, begin },
			  [REG_EV_CHANGED] = { true, REG_BACKOFF, due_now },
			  [REG_EV_REMOVED] = { true, REG_BACKOFF, NULL } },
	[REG_REFUSED] = { [REG_EV_DUE] = { true, REG_PENDING, begin },
			  [REG_EV_CHANGED] = { true, REG_REFUSED, due_now },
			  [REG_EV_REMOVED] = { true, REG_REFUSED, NULL } },
	[REG_WITHDRAWING] = { [REG_EV_DUE] = { true, REG_WITHDRAWING, begin },
			      [REG_EV_OK] = { true, REG_WITHDRAWING, deleted },
			      [REG_EV_FAILED] = { true, REG_WITHDRAWING, delete_failed },
			      [REG_EV_POSTPONED] = { true, REG_WITHDRAWING, due_now },
			      [REG_EV_REFUSED] = { true, REG_WITHDRAWING, retry_later },
			      [REG_EV_CHANGED] = { true, REG_WITHDRAWING, NULL },
			      [REG_EV_REMOVED] = { true, REG_WITHDRAWING, NULL },
			      [REG_EV_EXPIRED] = { true, REG_WITHDRAWING, forgotten } },
	[REG_WITHHELD] = { [REG_EV_CHANGED] = { true, REG_WITHHELD, NULL },
			   [REG_EV_REMOVED] = { true, REG_WITHHELD, NULL } },
	[REG_ELSEWHERE] = { [REG_EV_OK] = { true, REG_ELSEWHERE, NULL },
			    [REG_EV_FAILED] = { true, REG_ELSEWHERE, NULL },
			    [REG_EV_POSTPONED] = { true, REG_ELSEWHERE, NULL },
			    [REG_EV_REFUSED] = { true, REG_ELSEWHERE, NULL },
			    [REG_EV_CHANGED] = { true, REG_ELSEWHERE, NULL },
			    [REG_EV_REMOVED] = { true, REG_ELSEWHERE, NULL } },
};

static bool is_answer(enum reg_event event)
{
	return event == REG_EV_OK || event == REG_EV_FAILED || event == REG_EV_POSTPONED ||
	       event == REG_EV_REFUSED;
}

static void settle(struct reg *reg, mono_ms now)
{
	bool away = reg->state == REG_WITHDRAWING || reg->state == REG_WITHHELD;
	uint8_t next = REG_NEW;

	if (!reg_wish(reg))
		next = reg->wanted && !reg->told ? REG_WITHHELD : REG_WITHDRAWING;
	if (reg->flags & REG_IN_FLIGHT || reg->state == REG_ELSEWHERE ||
	    (away && next == reg->state) || (!away && next == REG_NEW))
		return;
	reg->state = next & 0xfu;
	if (reg->flags & (REG_UNSURE | REG_LAGGING))
		reg->expires_ms = 0; /* an upsert that is not known of may have extended it */
	reg->failures = 0;
	reg->flags &= (uint8_t)~REG_REFUSING;
	reg_set_due(reg, now);
}

int reg_handle(struct reg *reg, enum reg_event event, const struct reg_input *input)
{
	const struct rule *rule = &rules[reg->state][event];
	bool in_flight = reg->flags & REG_IN_FLIGHT;

	if (!rule->possible || (is_answer(event) && !in_flight) ||
	    ((event == REG_EV_DUE || event == REG_EV_EXPIRED) && in_flight))
		return -EINVAL;
	if (is_answer(event))
		reg->flags &= (uint8_t)~REG_IN_FLIGHT;
	if ((event == REG_EV_CHANGED || event == REG_EV_REMOVED) && reg->flags & REG_UNSURE)
		reg->flags |= REG_CONFLICT;
	reg->state = rule->next & 0xfu;
	if (rule->action)
		rule->action(reg, input);
	settle(reg, input->now);
	return 0;
}

void reg_own(struct reg *reg, mono_ms now)
{
	if (reg->state != REG_ELSEWHERE)
		return;
	reg->state = REG_NEW;
	reg_set_due(reg, now);
	settle(reg, now);
}

void reg_disown(struct reg *reg)
{
	reg->state = REG_ELSEWHERE;
	reg->told = 0;
	reg->expires_ms = 0;
	reg->failures = 0;
	reg->flags &= REG_IN_FLIGHT | REG_HELD;
	reg->repeat = 0;
	reg->linger = 0;
}

/* What the core was told had to do until now. */
static void wish_is_another(struct reg *reg, mono_ms now)
{
	if (reg_wish(reg) != reg->told) {
		if (reg->flags & REG_UNSURE)
			reg->flags |= REG_CONFLICT;
		if (!(reg->flags & REG_IN_FLIGHT))
			reg_set_due(reg, now);
	}
	settle(reg, now);
}

void reg_repeat(struct reg *reg, bool repeat, mono_ms now)
{
	if (reg->state == REG_ELSEWHERE || repeat == reg->repeat)
		return;
	reg->repeat = repeat;
	wish_is_another(reg, now);
}

void reg_linger(struct reg *reg, bool linger, mono_ms now)
{
	if (reg->state == REG_ELSEWHERE || linger == reg->linger)
		return;
	reg->linger = linger;
	wish_is_another(reg, now);
}

void reg_say_again(struct reg *reg, mono_ms now)
{
	bool away = reg->state == REG_WITHDRAWING || reg->state == REG_WITHHELD;

	if (reg->state == REG_ELSEWHERE)
		return;
	reg->expires_ms = 0;
	if (reg->flags & REG_IN_FLIGHT) { /* due once that is answered */
		reg->flags |= REG_UNSURE;
		return;
	}
	if (!away)
		reg->state = REG_NEW;
	reg->failures = 0;
	reg->flags &= (uint8_t)~REG_REFUSING;
	reg_set_due(reg, now);
}

void reg_hasten(struct reg *reg, mono_ms now)
{
	if (reg->state == REG_NEW || reg->state == REG_ACTIVE || reg->state == REG_BACKOFF ||
	    reg->state == REG_REFUSED)
		reg_set_due(reg, now);
}

bool reg_gone(const struct reg *reg)
{
	return !reg->wanted && !reg->told && !(reg->flags & REG_IN_FLIGHT);
}
