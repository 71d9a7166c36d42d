/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - see peer.h. */
#include "tas/sip/peer_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"

static struct metric lines_up = METRIC_GAUGE_INIT("breakout_trunk_addresses", "state=\"up\"",
						  "Addresses of trunks by what is known of them");
static struct metric lines_down = METRIC_GAUGE_INIT("breakout_trunk_addresses", "state=\"down\"",
						    "Addresses of trunks by what is known of them");
static struct metric went_down = METRIC_COUNTER_INIT("breakout_trunk_address_down_total", NULL,
						     "Times that a trunk's address went down");
static struct metric failures_total =
	METRIC_COUNTER_INIT("breakout_trunk_call_failures_total", NULL,
			    "Calls that a trunk's address did not answer, or with a status of "
			    "down_on");
static struct metric limited_total =
	METRIC_COUNTER_INIT("breakout_trunk_limited_total", NULL,
			    "Calls refused or sent elsewhere because of a trunk's limits");

/* ---- sets of statuses ---- */

static bool status_in(const struct status_set *set, int status)
{
	unsigned bit = (unsigned)status - 400;

	return bit < 256 && (set->bits[bit / 64] >> (bit % 64) & 1);
}

static struct status_set status_set(const unsigned *statuses, size_t count)
{
	struct status_set set = { { 0 } };

	for (size_t i = 0; i < count; i++)
		if (statuses[i] >= 400 && statuses[i] < 656)
			set.bits[(statuses[i] - 400) / 64] |= 1ull << ((statuses[i] - 400) % 64);
	return set;
}

/* ---- lines ---- */

static void count_state(const struct sip_line *line, int by)
{
	if (line->health.state == HEALTH_UP)
		metric_add(&lines_up, by);
	else if (line->health.state == HEALTH_DOWN)
		metric_add(&lines_down, by);
}

static struct sip_line *line_create(struct sip_peer *peer, const char *uri)
{
	struct sip_line *line = calloc(1, sizeof(*line));

	if (!line)
		return NULL;
	line->references = 1;
	line->uri = strdup(uri);
	if (!line->uri) {
		free(line);
		return NULL;
	}
	line->peer = sip_peer_ref(peer);
	health_init(&line->health);
	return line;
}

struct sip_line *sip_line_ref(struct sip_line *line)
{
	if (line)
		line->references++;
	return line;
}

struct sip_line *sip_line_unref(struct sip_line *line)
{
	if (!line || --line->references > 0)
		return NULL;
	count_state(line, -1);
	sip_peer_unref(line->peer);
	free(line->uri);
	free(line);
	return NULL;
}

const char *sip_line_uri(const struct sip_line *line)
{
	return line->uri;
}

struct sip_peer *sip_line_peer(const struct sip_line *line)
{
	return line ? line->peer : NULL;
}

static void stop_watching(struct sip_line *line)
{
	if (line->stop_watching)
		line->stop_watching(line);
}

static void drop_lines(struct sip_line **lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sip_line_unref(lines[i]);
	free(lines);
}

/* ---- the peer ---- */

int sip_peer_create(struct sip_peer **ret_peer, const char *name)
{
	struct sip_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return -ENOMEM;
	peer->references = 1;
	peer->rules = (struct health_rules){ 1, 1 };
	peer->name = strdup(name);
	if (!peer->name) {
		free(peer);
		return -ENOMEM;
	}
	*ret_peer = peer;
	return 0;
}

struct sip_peer *sip_peer_ref(struct sip_peer *peer)
{
	if (peer)
		peer->references++;
	return peer;
}

void sip_peer_retire(struct sip_peer *peer)
{
	struct sip_line **lines = peer->lines;
	size_t count = peer->count;

	free(peer->chosen);
	peer->lines = peer->chosen = NULL;
	peer->count = 0;
	for (size_t i = 0; i < count; i++)
		stop_watching(lines[i]);
	drop_lines(lines, count);
}

struct sip_peer *sip_peer_unref(struct sip_peer *peer)
{
	if (!peer || --peer->references > 0)
		return NULL;
	digest_identity_unref(peer->identity);
	free(peer->name);
	free(peer);
	return NULL;
}

void sip_peer_set_identity(struct sip_peer *peer, struct digest_identity *take_identity)
{
	digest_identity_unref(peer->identity);
	peer->identity = take_identity;
}

struct digest_identity *sip_peer_identity(const struct sip_peer *peer)
{
	return peer->identity;
}

const char *sip_peer_name(const struct sip_peer *peer)
{
	return peer->name;
}

/* The line of that URI with a reference more, or a new one. */
static struct sip_line *line_for(struct sip_peer *peer, const char *uri)
{
	for (size_t i = 0; i < peer->count; i++)
		if (strcmp(peer->lines[i]->uri, uri) == 0)
			return sip_line_ref(peer->lines[i]);
	return line_create(peer, uri);
}

static bool is_among(struct sip_line *const *lines, size_t count, const struct sip_line *line)
{
	for (size_t i = 0; i < count; i++)
		if (lines[i] == line)
			return true;
	return false;
}

static int configure_lines(struct sip_peer *peer, const struct config_trunk *config)
{
	struct sip_line **lines = calloc(config->uri_count, sizeof(struct sip_line *));
	struct sip_line **chosen = calloc(config->uri_count, sizeof(struct sip_line *));
	size_t count = 0;

	while (lines && chosen && count < config->uri_count) {
		lines[count] = line_for(peer, config->uris[count]);
		if (!lines[count])
			break;
		count++;
	}
	if (count < config->uri_count) {
		drop_lines(lines, count);
		free(chosen);
		return -ENOMEM;
	}
	for (size_t i = 0; i < peer->count; i++)
		if (!is_among(lines, count, peer->lines[i]))
			stop_watching(peer->lines[i]);
	drop_lines(peer->lines, peer->count);
	free(peer->chosen);
	peer->lines = lines;
	peer->chosen = chosen;
	peer->count = count;
	return 0;
}

int sip_peer_configure(struct sip_peer *peer, const struct config_trunk *config)
{
	int err = configure_lines(peer, config);

	if (err)
		return err;
	for (size_t i = 0; i < peer->count; i++)
		peer->lines[i]->weight = config->weight_count > i ? config->weights[i] : 1;
	peer->order = config->order;
	peer->rules = (struct health_rules){ .down_after = config->down_after,
					     .up_after = config->up_after };
	peer->failover_on = status_set(config->failover_on, config->failover_count);
	peer->down_on = status_set(config->down_on, config->down_count);
	peer->options_s = config->options_s;
	peer->max_calls = config->max_calls;
	if (peer->max_rate != config->max_rate) {
		peer->max_rate = config->max_rate;
		peer->tokens = (uint64_t)peer->max_rate * 1000;
		peer->filled_ms = clock_now();
	}
	return 0;
}

/* ---- which line ---- */

/* One that is down and has no OPTIONS to bring it back is tried by a call once in
 * a while. */
#define RETRY_MS 30000

static bool is_usable(const struct sip_peer *peer, const struct sip_line *line)
{
	return line->health.state != HEALTH_DOWN ||
	       (!peer->options_s && clock_now() - line->health.since_ms >= RETRY_MS);
}

static size_t collect(struct sip_peer *peer)
{
	size_t count = 0;

	for (size_t i = 0; i < peer->count; i++)
		if (is_usable(peer, peer->lines[i]))
			peer->chosen[count++] = peer->lines[i];
	if (count)
		return count;
	for (; count < peer->count; count++)
		peer->chosen[count] = peer->lines[count];
	return count;
}

/* The others keep their order. */
static void move_to_front(struct sip_line **lines, size_t i)
{
	for (; i; i--) {
		struct sip_line *line = lines[i];

		lines[i] = lines[i - 1];
		lines[i - 1] = line;
	}
}

static void rotate(struct sip_line **lines, size_t count, size_t by)
{
	while (by++ < count)
		move_to_front(lines, count - 1);
}

/* RFC 2782: each place goes to one of those left, by the share of its weight. */
static void draw(struct sip_line **lines, size_t count, uint64_t seed)
{
	for (; count > 1; lines++, count--) {
		uint64_t sum = 0, at;
		size_t i = 0;

		for (size_t k = 0; k < count; k++)
			sum += lines[k]->weight;
		seed = hash_u64(seed);
		for (at = seed % sum; at >= lines[i]->weight; i++)
			at -= lines[i]->weight;
		move_to_front(lines, i);
	}
}

size_t sip_peer_choose(struct sip_peer *peer, struct sip_line *const **ret_lines)
{
	size_t count = collect(peer);
	uint64_t turn = peer->turn++;

	if (count && peer->order == TRUNK_ROUND_ROBIN)
		rotate(peer->chosen, count, (size_t)(turn % count));
	else if (peer->order == TRUNK_WEIGHTED)
		draw(peer->chosen, count, turn);
	*ret_lines = peer->chosen;
	return count;
}

size_t sip_peer_peek(struct sip_peer *peer, struct sip_line *const **ret_lines)
{
	uint64_t turn = peer->turn;
	size_t count = sip_peer_choose(peer, ret_lines);

	peer->turn = turn;
	return count;
}

bool sip_line_fails_over(const struct sip_line *line, int status)
{
	static const unsigned usual[] = { 408, 500, 502, 503, 504 };
	struct status_set set =
		line ? line->peer->failover_on : status_set(usual, ARRAY_SIZE(usual));

	return status < 600 && status_in(&set, status); /* 6xx speaks for everywhere */
}

/* ---- how many ---- */

/* A bucket that holds one second's calls. */
static bool take_token(struct sip_peer *peer)
{
	mono_ms now = clock_now();
	uint64_t full = (uint64_t)peer->max_rate * 1000;

	peer->tokens += (uint64_t)(now - peer->filled_ms) * peer->max_rate;
	peer->filled_ms = now;
	if (peer->tokens > full)
		peer->tokens = full;
	if (peer->tokens < 1000)
		return false;
	peer->tokens -= 1000;
	return true;
}

int sip_peer_enter(struct sip_peer *peer)
{
	if ((peer->max_calls && peer->calls >= peer->max_calls) ||
	    (peer->max_rate && !take_token(peer))) {
		metric_add(&limited_total, 1);
		return -EBUSY;
	}
	peer->calls++;
	return 0;
}

void sip_peer_leave(struct sip_peer *peer)
{
	peer->calls--;
}

/* ---- how they are ---- */

static void note(struct sip_line *line, int status, const char *why)
{
	line->status = status;
	(void)snprintf(line->why, sizeof(line->why), "%s", why);
}

/* health_probe() and health_call() behind the counting of states. */
static void tell(struct sip_line *line, bool changed)
{
	if (!changed)
		return;
	if (line->health.state == HEALTH_DOWN) {
		metric_add(&went_down, 1);
		log_notice("sip", "trunk=%s address=%s is down: %s", line->peer->name, line->uri,
			   line->why);
	} else {
		log_notice("sip", "trunk=%s address=%s is up again", line->peer->name, line->uri);
	}
}

static void judge_call(struct sip_line *line, enum health_call what)
{
	bool changed;

	if (what != HEALTH_CALL_ANSWERED) {
		line->failures++;
		metric_add(&failures_total, 1);
	}
	count_state(line, -1);
	changed = health_call(&line->health, &line->peer->rules, what);
	count_state(line, 1);
	tell(line, changed);
}

int sip_line_enter(struct sip_line *line)
{
	int err = sip_peer_enter(line->peer);

	if (!err)
		line->calls++;
	return err;
}

void sip_line_heard(struct sip_line *line, int status)
{
	char why[32];

	if (!line)
		return;
	if (!status_in(&line->peer->down_on, status)) {
		line->status = status;
		judge_call(line, HEALTH_CALL_ANSWERED);
		return;
	}
	(void)snprintf(why, sizeof(why), "calls get %d", status);
	note(line, status, why);
	judge_call(line, HEALTH_CALL_FAILED);
}

void sip_line_silent(struct sip_line *line, const char *why)
{
	if (!line)
		return;
	note(line, 0, why);
	judge_call(line, HEALTH_CALL_SILENT);
	if (line->suspect)
		line->suspect(line);
}

bool sip_line_probed(struct sip_line *line, int status, const char *why)
{
	bool answered = status && !status_in(&line->peer->down_on, status), changed;

	note(line, status, answered ? "" : why);
	count_state(line, -1);
	changed = health_probe(&line->health, &line->peer->rules, answered);
	count_state(line, 1);
	tell(line, changed);
	return answered;
}

void sip_peer_each_line(const struct sip_peer *peer,
			void (*visit)(const struct sip_line_info *info, void *arg), void *arg)
{
	for (size_t i = 0; i < peer->count; i++) {
		const struct sip_line *line = peer->lines[i];
		const struct sip_line_info info = {
			.peer = peer->name,
			.uri = line->uri,
			.state = line->health.state,
			.since_ms = line->health.since_ms,
			.status = line->status,
			.why = line->why,
			.calls = line->calls,
			.failures = line->failures,
			.binding = peer->binding ? peer->binding : "",
			.peer_calls = peer->calls,
			.peer_calls_max = peer->max_calls,
		};

		visit(&info, arg);
	}
}
