/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/keeper_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"
#include "base/log.h"
#include "base/metrics.h"
#include "registrar/plan.h"

#define GAUGE_MS 10000 /* a pass over all records: not for every answer */

#define LANE_NAME_ROOM 48
#define ANSWER_COUNT   (UPSERT_UNAUTHENTICATED + 1)

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

static struct metric sources[REG_SOURCE_COUNT] = {
#define SOURCES(source)                                                                            \
	METRIC_GAUGE_INIT("breakout_registrations_wanted", "source=\"" source "\"",                \
			  "Registrations that are wanted, by who wants them.")
	[REG_SOURCE_CONFIG] = SOURCES("config"),
	[REG_SOURCE_API] = SOURCES("api"),
	[REG_SOURCE_CONSENT] = SOURCES("consent"),
};

static struct metric upserts[ANSWER_COUNT] = {
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

static struct metric lapsed_gauge =
	METRIC_GAUGE_INIT("breakout_registrations_lapsed", NULL,
			  "Registrations that the core has forgotten, as nobody refreshed them.");

static struct metric margin_gauge = METRIC_GAUGE_INIT(
	"breakout_registration_margin_seconds", NULL,
	"How long the core may be away from now on until the first registration lapses.");

/* ---- metrics ---- */

static const char *const answers[ANSWER_COUNT] = {
	[UPSERT_OK] = "ok",
	[UPSERT_FAILED] = "failed",
	[UPSERT_EXHAUSTED] = "exhausted",
	[UPSERT_REFUSED] = "refused",
	[UPSERT_UNAUTHENTICATED] = "unauthenticated",
};

/* Metrics are for good: a tenant that comes again finds its own. */
struct lane_metrics {
	char name[LANE_NAME_ROOM];
	char labels[REG_STATE_COUNT + ANSWER_COUNT + 1][LANE_NAME_ROOM + 48];
	struct metric states[REG_STATE_COUNT], upserts[ANSWER_COUNT];
	struct metric api_up, token_ok, margin, first_expiry, rate;
};

static struct lane_metrics all_metrics[2 * CONFIG_TENANTS];
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

static struct metric gauge(const char *name, const char *labels, const char *help)
{
	return (struct metric){
		.name = name, .labels = labels, .help = help, .kind = METRIC_GAUGE
	};
}

static void make_metrics(struct lane_metrics *metrics, const char *name)
{
	char(*label)[LANE_NAME_ROOM + 48] = metrics->labels;

	snprintf(metrics->name, sizeof(metrics->name), "%s", name);
	for (int i = 0; i < REG_STATE_COUNT; i++, label++) {
		snprintf(*label, sizeof(*label), "tenant=\"%s\",state=\"%s\"", metrics->name,
			 reg_state_name((enum reg_state)i));
		metrics->states[i] = gauge("breakout_tenant_registrations", *label,
					   "Registrations of a tenant by state.");
	}
	for (int i = 0; i < ANSWER_COUNT; i++, label++) {
		snprintf(*label, sizeof(*label), "tenant=\"%s\",result=\"%s\"", metrics->name,
			 answers[i]);
		metrics->upserts[i] = (struct metric)METRIC_COUNTER_INIT(
			"breakout_tenant_upserts_total", *label,
			"UpsertRegistration requests of a tenant by result.");
	}
	snprintf(*label, sizeof(*label), "tenant=\"%s\"", metrics->name);
	metrics->api_up = gauge("breakout_tenant_api_up", *label,
				"1 while the tenant's core answers requests.");
	metrics->token_ok =
		gauge("breakout_tenant_token_ok", *label,
		      "1 while there is a token for the tenant's core, or none is needed.");
	metrics->margin =
		gauge("breakout_tenant_margin_seconds", *label,
		      "How long the tenant's core may be away from now on until the first "
		      "of its registrations lapses.");
	metrics->first_expiry = gauge("breakout_tenant_first_expiry_seconds", *label,
				      "Time until the tenant's first registration lapses unless "
				      "refreshed.");
	metrics->rate = gauge("breakout_tenant_rate_permitted", *label,
			      "Requests a second that the tenant's core may be sent at present.");
}

struct lane_metrics *lane_metrics_of(const char *name)
{
	struct lane_metrics *found = NULL;

	pthread_mutex_lock(&all_lock);
	for (size_t i = 0; !found && i < ARRAY_SIZE(all_metrics); i++) {
		if (!all_metrics[i].name[0])
			make_metrics(&all_metrics[i], name);
		if (!strcmp(all_metrics[i].name, name))
			found = &all_metrics[i];
	}
	pthread_mutex_unlock(&all_lock);
	return found;
}

void lane_metrics_hide(struct lane_metrics *metrics)
{
	if (!metrics)
		return;
	metric_hide(&metrics->api_up);
	metric_hide(&metrics->token_ok);
	metric_hide(&metrics->margin);
	metric_hide(&metrics->first_expiry);
	metric_hide(&metrics->rate);
}

void lane_count(struct lane *lane, enum reg_state state, int by)
{
	lane->by_state[state] += (size_t)(ssize_t)by;
	metric_add(&registrations[state], by);
	if (lane->metrics)
		metric_add(&lane->metrics->states[state], by);
}

void source_count(struct keeper *keeper, const struct reg *reg, int by)
{
	keeper->by_source[reg->source] += (size_t)(ssize_t)by;
	metric_add(&sources[reg->source], by);
	if (reg->state != REG_ELSEWHERE)
		keeper_lane(keeper, reg)->by_source[reg->source] += (size_t)(ssize_t)by;
}

void lane_answered(struct lane *lane, enum upsert_verdict verdict)
{
	metric_add(&upserts[verdict], 1);
	if (lane->metrics)
		metric_add(&lane->metrics->upserts[verdict], 1);
}

/* ---- gauges ---- */

static void show_lane(const struct lane *lane, mono_ms now)
{
	if (!lane->metrics || lane->left)
		return;
	metric_set(&lane->metrics->api_up, lane->api_up);
	metric_set(&lane->metrics->token_ok, lane->token_ok);
	metric_set(&lane->metrics->margin, lane->margin / 1000);
	metric_set(&lane->metrics->first_expiry,
		   lane->first_expiry ? (lane->first_expiry - now) / 1000 : 0);
	metric_set(&lane->metrics->rate, (int64_t)lane->load.rate);
}

/* It shall be registered, has been, and is no more. */
static inline bool has_lapsed(const struct reg *reg, mono_ms now)
{
	return reg_wish(reg) && reg->expires_ms && reg->expires_ms <= now &&
	       reg->state != REG_ELSEWHERE;
}

/* One pass for all of them. left: room for each. */
static void look_at_lanes(struct keeper *keeper, struct plan_left *left, mono_ms now)
{
	mono_ms earliest[CONFIG_TENANTS] = { 0 };
	size_t lapsed[CONFIG_TENANTS] = { 0 };

	for (size_t i = 0; i < keeper->lane_count; i++)
		plan_left_init(&left[i],
			       keeper->lanes[i].ttl_s ? keeper->lanes[i].ttl_s : REG_TTL_DEFAULT_S);
	for (uint32_t handle = 1; handle <= keeper->table.used; handle++) {
		const struct reg *reg = reg_at(&keeper->table, handle); /* as they lie */
		mono_ms *first = &earliest[reg->tenant];

		if (!reg_wish(reg) || !reg->expires_ms)
			continue;
		if (!*first || reg->expires_ms < *first)
			*first = reg->expires_ms;
		lapsed[reg->tenant] += has_lapsed(reg, now);
		if (reg->state != REG_REFUSED)
			plan_left_add(&left[reg->tenant], reg->expires_ms - now, 1);
	}
	for (size_t i = 0; i < keeper->lane_count; i++) {
		struct lane *lane = &keeper->lanes[i];
		struct refresh_load load;
		mono_ms margin;

		refresh_load(lane->refresh, now, &load);
		margin = plan_margin(&left[i], load.rate);
		pthread_mutex_lock(&keeper->lock);
		lane->margin = margin;
		lane->first_expiry = earliest[i];
		lane->lapsed = lapsed[i];
		lane->load = load;
		pthread_mutex_unlock(&keeper->lock);
		if (!lane->left) /* of who has gone not even the name is there any more */
			trouble_lapsed(&lane->trouble, lapsed[i], now - earliest[i]);
		show_lane(lane, now);
	}
}

/* That of the core whose absence would be felt first, and whose numbers lapse first. */
static mono_ms least_margin(const struct keeper *keeper)
{
	const struct lane *least = &keeper->lanes[0];

	for (size_t i = 1; i < keeper->lane_count; i++) {
		const struct lane *lane = &keeper->lanes[i];

		if (lane->first_expiry && (!least->first_expiry || lane->margin < least->margin))
			least = lane;
	}
	return least->margin;
}

static mono_ms earliest_expiry(const struct keeper *keeper, size_t *ret_lapsed)
{
	mono_ms earliest = 0, now = clock_now();

	*ret_lapsed = 0;
	for (size_t i = 0; i < keeper->table.count; i++) {
		const struct reg *reg = keeper_reg(keeper, i);

		if (reg_wish(reg) && reg->expires_ms && (!earliest || reg->expires_ms < earliest))
			earliest = reg->expires_ms;
		*ret_lapsed += has_lapsed(reg, now);
	}
	return earliest;
}

/* ---- numbers that begin like a prefix ---- */

void keeper_take_prefixes(struct keeper *keeper, const struct wanted *wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < CONFIG_TENANTS; i++) {
		const struct wanted_prefixes *of = &wanted->prefixes[i];
		const char *const both[] = { of->mo, of->mt };

		for (size_t k = 0; k < ARRAY_SIZE(both); k++)
			if (both[k] && *both[k] != '0') /* no number does */
				snprintf(keeper->prefixes[count++], PREFIX_ROOM, "%s", both[k]);
	}
	keeper->prefixes[count][0] = '\0';
}

static bool is_prefix_like(const struct keeper *keeper, uint64_t number)
{
	for (size_t i = 0; keeper->prefixes[i][0]; i++)
		if (e164_begins(number, keeper->prefixes[i]))
			return true;
	return false;
}

static void say_prefix_like(enum reg_source source, size_t count, uint64_t number)
{
	char text[E164_ROOM], masked[E164_ROOM];

	if (!count) {
		log_notice("registrar", "no number of source %s begins like a prefix any more",
			   reg_source_name(source));
		return;
	}
	e164_unpack(number, text);
	e164_mask(text, masked, sizeof(masked));
	log_notice("registrar",
		   "%zu numbers of source %s begin like a prefix, %s is one: calls to them that "
		   "come without a prefix are taken for ones to other numbers; agree with the core "
		   "on prefixes that begin with 0",
		   count, reg_source_name(source), masked);
}

/* Who consents is not asked which digits he has: it is registered, and said. */
static void look_at_prefixes(struct keeper *keeper)
{
	size_t count[REG_SOURCE_COUNT] = { 0 }, before[REG_SOURCE_COUNT];
	uint64_t first[REG_SOURCE_COUNT] = { 0 };

	for (size_t i = 0; keeper->prefixes[0][0] && i < keeper->table.count; i++) {
		const struct reg *reg = keeper_reg(keeper, i);

		if (!reg->wanted || reg->source >= REG_SOURCE_COUNT ||
		    !is_prefix_like(keeper, reg->number))
			continue;
		if (!count[reg->source]++)
			first[reg->source] = reg->number;
	}
	pthread_mutex_lock(&keeper->lock);
	memcpy(before, keeper->prefix_like, sizeof(before));
	memcpy(keeper->prefix_like, count, sizeof(count));
	pthread_mutex_unlock(&keeper->lock);
	for (int i = 0; i < REG_SOURCE_COUNT; i++)
		if (!count[i] != !before[i])
			say_prefix_like((enum reg_source)i, count[i], first[i]);
}

void keeper_set_gauges(struct keeper *keeper, mono_ms now)
{
	struct plan_left *left = calloc(keeper->lane_count, sizeof(*left));
	mono_ms earliest = 0;
	size_t lapsed = 0;

	if (left)
		look_at_lanes(keeper, left, now); /* else the next time */
	free(left);
	look_at_prefixes(keeper);
	for (size_t i = 0; i < keeper->lane_count; i++) {
		const struct lane *lane = &keeper->lanes[i];

		if (lane->first_expiry && (!earliest || lane->first_expiry < earliest))
			earliest = lane->first_expiry;
		lapsed += lane->lapsed;
	}
	metric_set(&lapsed_gauge, (int64_t)lapsed);
	metric_set(&margin_gauge, least_margin(keeper) / 1000);
	metric_set(&first_expiry, earliest ? (earliest - now) / 1000 : 0);
	keeper->gauge_at = now + GAUGE_MS;
}

/* ---- questions ---- */

static void describe_hold(const struct keeper *keeper, const struct reg *reg, struct reg_info *info)
{
	struct reg_pause pause;

	info->paused = !pauses_find(keeper->options.pauses, reg->number, reg->service, &pause);
	if (reg->faulty)
		return;
	if (info->paused)
		snprintf(info->last_error, sizeof(info->last_error), "paused by %.32s: %.51s",
			 pause.who, pause.why);
	else
		snprintf(info->last_error, sizeof(info->last_error), "held: %s",
			 gate_why(&keeper->gate, reg->service));
}

/* Another tenant's core has the number yet. */
static bool lingers_elsewhere(const struct keeper *keeper, const struct reg *reg)
{
	for (size_t i = reg_table_from(&keeper->table, reg->number);
	     i < keeper->table.count && keeper_reg(keeper, i)->number == reg->number; i++)
		if (keeper_reg(keeper, i)->linger)
			return true;
	return false;
}

static void describe(const struct keeper *keeper, const struct reg *reg, struct reg_info *info)
{
	uint16_t params = reg->wanted ? reg->wanted : reg->told;
	const char *fault = reg_table_fault(&keeper->table, reg);

	memset(info, 0, sizeof(*info));
	e164_unpack(reg->number, info->number);
	info->route_type = keeper->table.params[params].route_type;
	info->state = (enum reg_state)reg->state;
	info->service = reg->service;
	info->source = reg->wanted ? (enum reg_source)reg->source : REG_SOURCE_NONE;
	info->expires_ms = reg->expires_ms;
	info->next_ms = reg->due_ms;
	info->failures = reg->failures;
	snprintf(info->tenant, sizeof(info->tenant), "%s",
		 keeper->lanes[reg->tenant].options->name);
	info->moves = reg->linger || (keeper->lingering && lingers_elsewhere(keeper, reg));
	if (fault)
		snprintf(info->last_error, sizeof(info->last_error), "%s", fault);
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
	reg = moves_main(keeper, number);
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
		for (size_t i = reg_table_from(&keeper->table, after + 1); i < keeper->table.count;
		     i++) {
			if (keeper_reg(keeper, i)->number == after)
				continue; /* its other record */
			after = keeper_reg(keeper, i)->number;
			reg = moves_main(keeper, after);
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

static void summarize_lane(const struct lane *lane, struct registrar_tenant *ret_tenant)
{
	snprintf(ret_tenant->name, sizeof(ret_tenant->name), "%s", lane->options->name);
	memcpy(ret_tenant->by_state, lane->by_state, sizeof(lane->by_state));
	memcpy(ret_tenant->by_source, lane->by_source, sizeof(lane->by_source));
	for (int i = 0; i < REG_STATE_COUNT; i++)
		ret_tenant->count += lane->by_state[i];
	ret_tenant->leaving = lane->leaving;
	ret_tenant->asked = lane->asked;
	ret_tenant->api_up = lane->api_up;
	ret_tenant->token_ok = lane->token_ok;
	ret_tenant->margin_ms = lane->margin;
	ret_tenant->first_expiry_ms = lane->first_expiry;
	ret_tenant->lapsed = lane->lapsed;
	ret_tenant->rate = lane->load.rate;
	ret_tenant->max_rate = lane->options->max_rate;
	ret_tenant->ttl_s = lane->ttl_s;
	ret_tenant->in_flight = lane->load.in_flight;
	ret_tenant->down = lane->load.down;
}

/* Of a core that was not asked yet nobody can say whether it answers. */
static void summarize_lanes(const struct keeper *keeper, struct registrar_summary *ret_summary)
{
	ret_summary->token_ok = true;
	for (size_t i = 0; i < keeper->lane_count; i++) {
		struct registrar_tenant *tenant = &ret_summary->tenants[ret_summary->tenant_count];

		if (keeper->lanes[i].left)
			continue;
		ret_summary->tenant_count++;
		summarize_lane(&keeper->lanes[i], tenant);
		for (int k = 0; k < REG_STATE_COUNT; k++)
			ret_summary->by_state[k] += tenant->by_state[k];
		ret_summary->token_ok &= tenant->token_ok;
		if (!tenant->asked || !tenant->count)
			continue;
		ret_summary->api_up =
			tenant->api_up && (!ret_summary->api_asked || ret_summary->api_up);
		ret_summary->api_asked = true;
	}
	if (!ret_summary->api_asked) { /* nobody has numbers there any more */
		ret_summary->api_asked = keeper->lanes[0].asked;
		ret_summary->api_up = keeper->lanes[0].api_up;
	}
	ret_summary->margin_ms = least_margin(keeper);
}

void keeper_summary(struct keeper *keeper, struct registrar_summary *ret_summary)
{
	memset(ret_summary, 0, sizeof(*ret_summary));
	pthread_mutex_lock(&keeper->lock);
	summarize_lanes(keeper, ret_summary);
	ret_summary->first_expiry_ms = earliest_expiry(keeper, &ret_summary->lapsed);
	if (clock_now() < keeper->left_behind_by)
		ret_summary->left_behind = keeper->left_behind;
	ret_summary->store_ok = !keeper->store_failed;
	memcpy(ret_summary->by_source, keeper->by_source, sizeof(keeper->by_source));
	memcpy(ret_summary->prefix_like, keeper->prefix_like, sizeof(keeper->prefix_like));
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
