/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/look/top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/look/finding.h"

#define KINDS_MAX 8
#define MOS_BEST  5.0
#define MIB       1048576
#define CALL_ROW  "%-16s %-3.3s %-8s %-13s %-13s %5s %7s %7s\n" /* 79 columns */

/* ---- rates ---- */

static double rate(const struct top_shot *before, const struct top_shot *now, long long was,
		   long long is)
{
	long long span_ms = before ? now->at_ms - before->at_ms : 0;

	/* Less than before: it is another process now. */
	return span_ms > 0 && is >= was ? (double)(is - was) * 1000.0 / (double)span_ms : 0;
}

static double metric_rate(const struct top_shot *before, const struct top_shot *now,
			  const char *name)
{
	return rate(before, now, before ? look_metric(before->metrics, name, "") : 0,
		    look_metric(now->metrics, name, ""));
}

/* A call that has ended has begun, and those that are up have too. */
static long long begun(const struct top_shot *shot)
{
	return look_metric(shot->metrics, "breakout_calls_total", "") +
	       look_number(shot->status, "calls");
}

static double cpu_percent(const struct top_shot *before, const struct top_shot *now)
{
	long long was =
		before ? look_number(json_object_get(before->status, "process"), "cpu_ms") : 0;

	return rate(before, now, was,
		    look_number(json_object_get(now->status, "process"), "cpu_ms")) /
	       10.0;
}

/* ---- the lines ---- */

static void add_head(struct str *to, const struct top_shot *before, const struct top_shot *now)
{
	const json_t *status = now->status, *process = json_object_get(status, "process");
	char up[32];

	look_span(look_number(status, "uptime_s"), up, sizeof(up));
	str_addf(to, "breakoutd %s  pid %lld  up %s%s   cpu %.1f %%  rss %lld MiB  files %lld\n",
		 look_text(status, "version"), look_number(status, "pid"), up,
		 look_true(status, "draining") ? "  DRAINING" : "", cpu_percent(before, now),
		 look_number(process, "rss_bytes") / MIB, look_number(process, "files"));
	str_addf(to, "calls   %lld up, %lld legs; %.1f begin and %.1f end each second\n",
		 look_number(status, "calls"), look_number(status, "legs"),
		 rate(before, now, before ? begun(before) : 0, begun(now)),
		 metric_rate(before, now, "breakout_calls_total"));
}

/* "  mt 12  mo 3": how many calls have each value of `key`. */
static void add_kinds(struct str *to, const char *title, const json_t *calls, const char *key)
{
	struct {
		const char *name;
		unsigned count;
	} kinds[KINDS_MAX] = { { NULL, 0 } };

	for (size_t i = 0; i < json_array_size(calls); i++) {
		const char *name = look_text(json_array_get(calls, i), key);
		size_t k = 0;

		while (k < KINDS_MAX - 1 && kinds[k].name && strcmp(kinds[k].name, name) != 0)
			k++;
		kinds[k].name = name;
		kinds[k].count++;
	}
	str_add(to, title);
	for (size_t k = 0; k < KINDS_MAX && kinds[k].name; k++)
		str_addf(to, "%s%s %u", k ? "  " : "", kinds[k].name, kinds[k].count);
	str_add(to, kinds[0].name ? "\n" : "-\n");
}

/* "active 9  backoff 1": those that are not 0. */
static void add_counts(struct str *to, const char *title, const json_t *counts)
{
	const char *name, *between = "";
	json_t *count;

	str_add(to, title);
	json_object_foreach((json_t *)counts, name, count) /* the macro only reads */
	{
		long long number = (long long)json_integer_value(count);

		if (!number)
			continue;
		str_addf(to, "%s%s %lld", between, name, number);
		between = "  ";
	}
	str_add(to, *between ? "\n" : "-\n");
}

static const char *api_word(const json_t *of)
{
	const json_t *up = json_object_get(of, "api_up");

	if (json_is_null(up))
		return "not asked yet";
	return json_is_true(up) ? "answers" : "DOES NOT ANSWER";
}

static long long calls_of(const json_t *calls, const char *tenant)
{
	long long count = 0;

	for (size_t i = 0; i < json_array_size(calls); i++)
		count += !strcmp(look_text(json_array_get(calls, i), "tenant"), tenant);
	return count;
}

static const char *sbc_word(const json_t *ok)
{
	return json_is_true(ok) ? "answers" : json_is_false(ok) ? "DOES NOT ANSWER" : "not asked";
}

/* A line for each of several cores. */
static void add_tenants(struct str *to, const struct top_shot *now)
{
	const json_t *tenants = json_object_get(now->status, "tenants"), *states, *count;
	const char *state;
	char margin[32];

	for (size_t i = 0; json_array_size(tenants) > 1 && i < json_array_size(tenants); i++) {
		const json_t *tenant = json_array_get(tenants, i);
		long long all = 0;

		states = json_object_get(tenant, "registrations");
		json_object_foreach((json_t *)states, state, count) /* the macro only reads */
			all += (long long)json_integer_value(count);
		look_span(look_number(tenant, "margin_s"), margin, sizeof(margin));
		str_addf(to,
			 "%s%-12s sbc %s, api %s, token %s; %lld of %lld active, margin %s, calls "
			 "%lld%s\n",
			 i ? "        " : "tenant  ", look_text(tenant, "name"),
			 sbc_word(json_object_get(tenant, "sbc_ok")), api_word(tenant),
			 look_true(tenant, "token_ok") ? "ok" : "MISSING",
			 look_number(states, "active"), all, margin,
			 calls_of(now->calls, look_text(tenant, "name")),
			 look_true(tenant, "leaving") ? ", leaving" : "");
	}
}

static void add_core(struct str *to, const struct top_shot *before, const struct top_shot *now)
{
	const json_t *status = now->status;
	long long first_s = look_number(status, "first_expiry_s"),
		  margin_s = look_number(status, "margin_s");
	char expiry[32], margin[32];

	look_span(first_s < 0 ? -first_s : first_s, expiry, sizeof(expiry));
	look_span(margin_s, margin, sizeof(margin));
	add_counts(to, "regs    ", json_object_get(status, "registrations"));
	str_addf(to, "        first expiry %s%s%s, margin %s, %.1f requests each second\n",
		 first_s < 0 ? "" : "in ", expiry, first_s < 0 ? " AGO" : "",
		 margin_s < 0 ? "NONE" : margin,
		 metric_rate(before, now, "breakout_upserts_total"));
	str_addf(to, "core    sbc %s, api %s, token %s; %s, %s\n",
		 sbc_word(json_object_get(status, "sbc_ok")), api_word(status),
		 look_true(status, "token_ok") ? "ok" : "MISSING",
		 look_true(json_object_get(status, "health"), "sick") ? "SICK" : "well",
		 look_number(status, "withheld") ? "gate CLOSED" : "gate open");
}

static void add_trunks(struct str *to, const struct top_shot *now)
{
	str_addf(to, "trunks  %lld addresses, %lld down",
		 look_number(now->status, "trunk_addresses"),
		 look_number(now->status, "trunk_addresses_down"));
	for (size_t i = 0; i < json_array_size(now->trunks); i++) {
		const json_t *line = json_array_get(now->trunks, i);

		if (strcmp(look_text(line, "state"), "down") == 0)
			str_addf(to, "  %s %s", look_text(line, "trunk"),
				 look_text(line, "address"));
	}
	str_addf(to, "\nports   %lld of %lld free\n",
		 look_metric(now->metrics, "breakout_media_ports", "state=\"free\""),
		 look_metric(now->metrics, "breakout_media_ports", ""));
}

/* ---- the worst calls ---- */

static double side_mos(const json_t *call, const char *side)
{
	const json_t *receipt = json_object_get(call, side);
	double mos = json_real_value(json_object_get(receipt, "mos"));

	return mos > 0 ? mos : MOS_BEST; /* nothing to judge from yet */
}

static double side_loss(const json_t *call, const char *side)
{
	const json_t *receipt = json_object_get(call, side);
	long long lost = look_number(receipt, "lost");
	long long all = look_number(receipt, "packets_in") + lost;

	return all > 0 ? 100.0 * (double)lost / (double)all : 0;
}

/* Lower is worse: those that nobody hears, then by MOS, then by loss. */
static double score(const json_t *call)
{
	const char *verdict = look_text(call, "verdict");
	double a = side_mos(call, "a"), b = side_mos(call, "b");

	if (strcmp(verdict, "one-way") == 0 || strcmp(verdict, "no media") == 0)
		return 0;
	return (a < b ? a : b) - (side_loss(call, "a") + side_loss(call, "b")) / 1000.0;
}

static int by_score(const void *left, const void *right)
{
	double a = score(*(json_t *const *)left), b = score(*(json_t *const *)right);

	return (a > b) - (a < b);
}

static void add_call(struct str *to, const json_t *call)
{
	char talk[32], mos[32], loss[32];

	look_span(look_number(call, "talk_ms") / 1000, talk, sizeof(talk));
	(void)snprintf(mos, sizeof(mos), "%.1f/%.1f", side_mos(call, "a"), side_mos(call, "b"));
	(void)snprintf(loss, sizeof(loss), "%.0f/%.0f", side_loss(call, "a"), side_loss(call, "b"));
	str_addf(to, CALL_ROW, look_text(call, "id"), look_text(call, "direction"),
		 look_text(call, "verdict"), look_text(call, "from"), look_text(call, "to"), talk,
		 mos, loss);
}

static void add_worst(struct str *to, const json_t *calls, unsigned rows)
{
	size_t count = json_array_size(calls);
	const json_t **sorted = count ? calloc(count, sizeof(json_t *)) : NULL;

	str_addf(to, "\n" CALL_ROW, "WORST CALLS", "DIR", "HEARD", "FROM", "TO", "TALK", "MOS A/B",
		 "LOSS %");
	if (!sorted)
		return;
	for (size_t i = 0; i < count; i++)
		sorted[i] = json_array_get(calls, i);
	qsort(sorted, count, sizeof(json_t *), by_score);
	for (size_t i = 0; i < count && i < rows; i++)
		add_call(to, sorted[i]);
	free(sorted);
}

/* ---- fitting it ---- */

/* A peer's text never moves the cursor. */
static void add_cut(struct str *to, const char *text, unsigned rows, unsigned columns)
{
	for (unsigned row = 0; row < rows && *text; row++) {
		size_t length = strcspn(text, "\n");

		for (size_t i = 0; i < length && i < columns; i++)
			str_add_n(to, text[i] >= ' ' && text[i] <= '~' ? &text[i] : "?", 1);
		str_add(to, "\n");
		text += length + (text[length] == '\n');
	}
}

void top_draw(struct str *to, const struct top_shot *before, const struct top_shot *now,
	      unsigned rows, unsigned columns)
{
	struct str whole = { 0 };

	add_head(&whole, before, now);
	add_kinds(&whole, "        ", now->calls, "direction");
	add_kinds(&whole, "        ", now->calls, "route_type");
	add_counts(&whole, "heard   ", json_object_get(now->status, "media"));
	add_core(&whole, before, now);
	add_tenants(&whole, now);
	add_trunks(&whole, now);
	add_worst(&whole, now->calls, rows);
	add_cut(to, whole.text ? whole.text : "", rows, columns);
	str_done(&whole);
}
