/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_rig.h - the whole registrar but thread and network: a fake upsert_send() plays the
 * core, or those of two tenants, and hours pass in milliseconds. */
#ifndef BREAKOUT_TESTS_FAKE_KEEPER_RIG_H
#define BREAKOUT_TESTS_FAKE_KEEPER_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/log.h"
#include "registrar/keeper.h"
#include "registrar/upsert.h"
#include "tests/fake/folder.h"

#define START      10000000
#define WALL       1800000000000
#define LATENCY_MS 30
#define MAX        10000
#define FIRST      4799000000u /* numbers are FIRST + 1 ... */

/* ---- the core ---- */

struct sent {
	struct upsert_call *call;
	unsigned index, tenant;
	mono_ms at;
	bool wait_for_ready, with_token;
};

static struct fake_core {
	bool down;
	uint32_t ttl_s;
	enum upsert_verdict verdict;           /* for everybody */
	enum upsert_verdict verdicts[MAX + 1]; /* for one, unless OK */
	char uri[32];                          /* of the last upsert */
	enum route_type route_type;
	unsigned upserts[MAX + 1], deletes[MAX + 1], total, in_second, most_in_second;
	mono_ms second;
	mono_ms expires[MAX + 1]; /* 0: not registered */
	unsigned lapses;
	int send_error;
	mono_ms slow_ms;         /* so much longer than LATENCY_MS */
	unsigned order[MAX + 1]; /* the numbers of the first requests */
	struct sent box[512];    /* on their way, in order */
	unsigned first, count;
	char refused_token[32];
	/* A second one, of the tenant whose client is `second_client`. */
	bool second_down, second_slow;
	unsigned second_upserts[MAX + 1], second_deletes[MAX + 1];
	mono_ms second_expires[MAX + 1];
	unsigned second_lapses;
	char second_prefix[8];
} core;

/* Never looked into. */
static struct api_client *const second_client = (struct api_client *)&core;

static char log_text[65536];
static char store_path[64];

static inline void on_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)area, (void)arg;
	if (level == LOG_LEVEL_DEBUG || strlen(log_text) + strlen(line) + 2 > sizeof(log_text))
		return;
	strcat(log_text, line);
	strcat(log_text, "\n");
}

static inline unsigned said(const char *what)
{
	unsigned times = 0;

	for (const char *at = log_text; (at = strstr(at, what)); at++)
		times++;
	return times;
}

int upsert_send(struct upsert_call *call, struct api_client *client, uint64_t number,
		const struct reg_params *params, const struct api_call_options *options)
{
	struct sent *sent = &core.box[(core.first + core.count) % 512];

	assert_true(!client || client == second_client);
	if (client)
		snprintf(core.second_prefix, sizeof(core.second_prefix), "%s", params->prefix_mo);
	if (core.send_error)
		return core.send_error;
	assert_true(core.count < 512);
	*sent = (struct sent){ call,        (unsigned)(number - FIRST), client != NULL,
			       clock_now(), options->wait_for_ready,    options->token != NULL };
	if (call->kind == UPSERT) {
		snprintf(core.uri, sizeof(core.uri), "%s", params->sip_uri);
		core.route_type = params->route_type;
	}
	core.count++;
	if (core.total <= MAX)
		core.order[core.total] = (unsigned)(number - FIRST);
	core.total++;
	if (clock_now() - core.second >= 1000) {
		core.second = clock_now();
		core.in_second = 0;
	}
	if (++core.in_second > core.most_in_second)
		core.most_in_second = core.in_second;
	return 0;
}

static inline void keep_books(const struct sent *sent)
{
	mono_ms *expires =
		sent->tenant ? &core.second_expires[sent->index] : &core.expires[sent->index];

	if (*expires && *expires < clock_now())
		*(sent->tenant ? &core.second_lapses : &core.lapses) += 1;
	if (sent->call->kind == UPSERT)
		*expires = sent->at + LATENCY_MS + (mono_ms)core.ttl_s * 1000;
	else
		*expires = 0;
}

static inline void answer_one(void)
{
	struct sent sent = core.box[core.first];
	struct upsert_answer answer = { .verdict = core.verdict };

	core.first = (core.first + 1) % 512;
	core.count--;
	if (sent.call->kind == UPSERT)
		(sent.tenant ? core.second_upserts : core.upserts)[sent.index]++;
	else
		(sent.tenant ? core.second_deletes : core.deletes)[sent.index]++;
	if (core.verdicts[sent.index] != UPSERT_OK)
		answer.verdict = core.verdicts[sent.index];
	if (sent.tenant ? core.second_down : core.down)
		answer.verdict = UPSERT_FAILED;
	if (sent.tenant && core.second_slow)
		answer.verdict = UPSERT_EXHAUSTED;
	if (answer.verdict == UPSERT_OK) {
		keep_books(&sent);
		answer.ttl_s = sent.call->kind == UPSERT ? core.ttl_s : 0;
	} else {
		strcpy(answer.text, "UNAVAILABLE: Connection refused");
	}
	sent.call->done(sent.call, &answer);
}

static inline mono_ms answer_at(void)
{
	return core.box[core.first].at + LATENCY_MS + core.slow_ms;
}

/* Lets `ms` pass; answers come LATENCY_MS after their requests. */
static inline void pass(struct keeper *keeper, mono_ms ms)
{
	mono_ms end = clock_now() + ms;

	for (;;) {
		mono_ms next;

		while (core.count && answer_at() <= clock_now())
			answer_one();
		keeper_run(keeper, clock_now());
		next = keeper_next(keeper, clock_now());
		if (core.count && answer_at() < next)
			next = answer_at();
		if (next <= clock_now())
			next = clock_now() + 1;
		if (next > end)
			break;
		clock_fake_advance(next - clock_now());
	}
	clock_fake_advance(end - clock_now());
}

/* ---- helpers ---- */

static inline void on_token_refused(unsigned tenant, const char *token, void *arg)
{
	(void)tenant, (void)arg;
	snprintf(core.refused_token, sizeof(core.refused_token), "%s", token);
}

static inline struct wanted *want(unsigned from, unsigned count, const char *domain,
				  enum route_type type)
{
	struct config config = { .domain = (char *)domain, .prefix_mo = (char *)"00" };
	struct wanted *wanted;

	config.registrations = calloc(count + 1, sizeof(*config.registrations));
	config.registration_count = count;
	for (unsigned i = 0; i < count; i++) {
		config.registrations[i].number = (FIRST + from + i) & E164_PACKED_MAX;
		config.registrations[i].route_type = type & 0xfu;
	}
	assert_int_equal(wanted_create(&wanted, &config, NULL), 0);
	free(config.registrations);
	return wanted;
}

/* 1 to `first` at the default tenant's core, the others up to `all` at the second one. */
static inline struct wanted *want_two_as(unsigned first, unsigned all, enum route_type type)
{
	struct config_tenant acme = { .name = (char *)"acme", .prefix_mo = (char *)"02" };
	struct config config = { .domain = (char *)"tas.example.com",
				 .prefix_mo = (char *)"00",
				 .tenants = &acme,
				 .tenant_count = 1 };
	struct wanted *wanted;

	config.registrations = calloc(all + 1, sizeof(*config.registrations));
	config.registration_count = all;
	for (unsigned i = 0; i < all; i++) {
		config.registrations[i].number = (FIRST + 1 + i) & E164_PACKED_MAX;
		config.registrations[i].route_type = type & 0xfu;
		config.registrations[i].tenant = i >= first;
	}
	assert_int_equal(wanted_create(&wanted, &config, NULL), 0);
	free(config.registrations);
	return wanted;
}

static inline struct keeper *start_with(struct keeper_options options, unsigned count,
					const char *domain)
{
	struct wanted *wanted = want(1, count, domain, ROUTE_TYPE_LOOP);
	struct keeper *keeper;

	options.seed = 99;
	options.token_refused = on_token_refused;
	assert_int_equal(keeper_create(&keeper, &options, wanted, clock_now()), 0);
	wanted_destroy(wanted);
	return keeper;
}

static inline struct keeper *start(unsigned count)
{
	return start_with((struct keeper_options){ 0 }, count, "tas.example.com");
}

static inline void rewant(struct keeper *keeper, unsigned from, unsigned count,
			  enum route_type type)
{
	struct wanted *wanted = want(from, count, "tas.example.com", type);

	assert_int_equal(keeper_want(keeper, wanted, clock_now()), 0);
	wanted_destroy(wanted);
}

/* Ends as registrar_destroy() does: what is out is cancelled, unheard. */
static inline void end(struct keeper *keeper)
{
	keeper_deafen(keeper);
	while (core.count)
		answer_one();
	keeper_destroy(keeper);
}

static inline size_t in_state(struct keeper *keeper, enum reg_state state)
{
	struct registrar_summary summary;

	keeper_summary(keeper, &summary);
	return summary.by_state[state];
}

static inline unsigned lapsed_now(unsigned count)
{
	unsigned lapsed = 0;

	for (unsigned i = 1; i <= count; i++)
		lapsed += core.expires[i] < clock_now();
	return lapsed;
}

static inline struct reg_info look(struct keeper *keeper, unsigned index)
{
	struct reg_info info;

	assert_int_equal(keeper_lookup(keeper, FIRST + index, &info), 0);
	return info;
}

static inline int set_up(void **state)
{
	(void)state;
	memset(&core, 0, sizeof(core));
	core.ttl_s = 3600;
	clock_fake_set(START);
	clock_fake_wall_set(WALL);
	log_text[0] = '\0';
	log_set_sink(on_log, NULL);
	if (folder_make())
		return -1;
	snprintf(store_path, sizeof(store_path), "%s/db", folder);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	clock_real();
	return folder_remove();
}

#define KEEPER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
