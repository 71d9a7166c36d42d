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
#include "tas/sip/resolver.h"

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

static struct sip_line *line_create(struct sip_peer *peer, const char *name, const char *uri)
{
	struct sip_line *line = calloc(1, sizeof(*line));

	if (!line)
		return NULL;
	line->references = 1;
	line->uri = strdup(uri);
	line->name = strdup(name);
	if (!line->uri || !line->name) {
		free(line->uri);
		free(line->name);
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
	free(line->name);
	free(line);
	return NULL;
}

const char *sip_line_name(const struct sip_line *line)
{
	return line->name;
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

/* ---- sites ---- */

static struct sip_site *site_create(struct sip_peer *peer, const char *uri)
{
	struct sip_site *site = calloc(1, sizeof(*site));

	if (!site)
		return NULL;
	site->peer = peer;
	site->uri = strdup(uri);
	if (!site->uri) {
		free(site);
		return NULL;
	}
	return site;
}

static void site_free(struct sip_site *site)
{
	if (site->stop_asking)
		site->stop_asking(site);
	free(site->uri);
	free(site);
}

static void drop_sites(struct sip_site **sites, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (sites[i])
			site_free(sites[i]);
	free(sites);
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

	drop_sites(peer->sites, peer->site_count);
	free(peer->choice);
	peer->sites = NULL;
	peer->lines = NULL;
	peer->choice = NULL;
	peer->endpoint = NULL;
	peer->count = peer->site_count = 0;
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

/* The line that goes there with a reference more, or a new one. */
static struct sip_line *line_for(struct sip_peer *peer, const char *name, const char *uri)
{
	for (size_t i = 0; i < peer->count; i++)
		if (strcmp(peer->lines[i]->uri, uri) == 0)
			return sip_line_ref(peer->lines[i]);
	return line_create(peer, name, uri);
}

static bool is_among(struct sip_line *const *lines, size_t count, const struct sip_line *line)
{
	for (size_t i = 0; i < count; i++)
		if (lines[i] == line)
			return true;
	return false;
}

/* The lines of a peer while they are made anew. */
struct spread {
	struct sip_line **lines;
	size_t count;
	bool failed;
};

static void add_line(struct spread *spread, struct sip_peer *peer, size_t site,
		     const struct resolver_target *target)
{
	const struct sip_site *of = peer->sites[site];
	char uri[RESOLVER_HOP_ROOM];
	struct sip_line *line;

	if (target)
		resolver_hop(of->name, target, uri);
	line = spread->failed ? NULL : line_for(peer, of->uri, target ? uri : of->uri);
	if (!line) {
		spread->failed = true;
		return;
	}
	line->site = site;
	line->lost = of->name && !target;
	line->priority = target ? target->priority : 0;
	line->weight = target ? target->weight : 1;
	spread->lines[spread->count++] = line;
}

static void add_site(struct spread *spread, struct sip_peer *peer, size_t site)
{
	const struct resolver_target *targets = NULL;
	size_t count =
		peer->sites[site]->name ? resolver_targets(peer->sites[site]->name, &targets) : 0;

	for (size_t i = 0; i < count; i++)
		add_line(spread, peer, site, &targets[i]);
	if (!count)
		add_line(spread, peer, site, NULL);
}

static struct sip_choice *choice_create(size_t lines);

int sip_peer_spread(struct sip_peer *peer)
{
	size_t room = peer->site_count * RESOLVER_TARGETS_MAX;
	struct spread spread = { .lines = calloc(room, sizeof(struct sip_line *)) };
	struct sip_choice *choice = choice_create(room);

	spread.failed = !spread.lines || !choice;
	for (size_t i = 0; i < peer->site_count && !spread.failed; i++)
		add_site(&spread, peer, i);
	if (spread.failed) {
		drop_lines(spread.lines, spread.count);
		free(choice);
		return -ENOMEM;
	}
	for (size_t i = 0; i < peer->count; i++)
		if (!is_among(spread.lines, spread.count, peer->lines[i]))
			stop_watching(peer->lines[i]);
	drop_lines(peer->lines, peer->count);
	free(peer->choice);
	peer->lines = spread.lines;
	peer->count = spread.count;
	peer->choice = choice;
	return 0;
}

/* The site of that URI, taken out of where it is, or a new one. */
static struct sip_site *site_for(struct sip_peer *peer, const char *uri)
{
	for (size_t i = 0; i < peer->site_count; i++) {
		struct sip_site *site = peer->sites[i];

		if (!site || strcmp(site->uri, uri) != 0)
			continue;
		peer->sites[i] = NULL;
		return site;
	}
	return site_create(peer, uri);
}

static void put_back(struct sip_peer *peer, struct sip_site *site)
{
	for (size_t i = 0; i < peer->site_count; i++) {
		if (peer->sites[i])
			continue;
		peer->sites[i] = site;
		return;
	}
	site_free(site);
}

static int configure_sites(struct sip_peer *peer, const struct config_trunk *config)
{
	struct sip_site **sites = calloc(config->uri_count, sizeof(struct sip_site *));
	size_t count = 0;

	while (sites && count < config->uri_count) {
		sites[count] = site_for(peer, config->uris[count]);
		if (!sites[count])
			break;
		count++;
	}
	if (count < config->uri_count) {
		while (count)
			put_back(peer, sites[--count]);
		free(sites);
		return -ENOMEM;
	}
	drop_sites(peer->sites, peer->site_count);
	peer->sites = sites;
	peer->site_count = count;
	return sip_peer_spread(peer);
}

int sip_peer_configure(struct sip_peer *peer, const struct config_trunk *config)
{
	int err = configure_sites(peer, config);

	if (err)
		return err;
	for (size_t i = 0; i < peer->site_count; i++)
		peer->sites[i]->weight = config->weight_count > i ? config->weights[i] : 1;
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

/* What is put in an order: a site with its lines, or one line. */
struct pick {
	unsigned weight;
	struct sip_line **first; /* a site's */
	size_t count;
	struct sip_line *line;
};

struct sip_choice {
	struct pick *sites, *picks;         /* as many as there may be lines */
	struct sip_line **usable, **chosen; /* the same */
};

static struct sip_choice *choice_create(size_t lines)
{
	struct sip_choice *choice =
		calloc(1, sizeof(*choice) + lines * 2 * (sizeof(struct pick) + sizeof(void *)));

	if (!choice)
		return NULL;
	choice->sites = (struct pick *)(choice + 1);
	choice->picks = choice->sites + lines;
	choice->usable = (struct sip_line **)(choice->picks + lines);
	choice->chosen = choice->usable + lines;
	return choice;
}

/* The others keep their order. */
static void move_to_front(struct pick *picks, size_t i)
{
	for (; i; i--) {
		struct pick pick = picks[i];

		picks[i] = picks[i - 1];
		picks[i - 1] = pick;
	}
}

static void rotate(struct pick *picks, size_t count, size_t by)
{
	while (by++ < count)
		move_to_front(picks, count - 1);
}

/* RFC 2782: each place goes to one of those left, by the share of its weight. */
static void draw(struct pick *picks, size_t count, uint64_t seed)
{
	for (; count > 1; picks++, count--) {
		uint64_t sum = 0, at;
		size_t i = 0;

		for (size_t k = 0; k < count; k++)
			sum += picks[k].weight;
		seed = hash_u64(seed);
		for (at = seed % sum; at >= picks[i].weight; i++)
			at -= picks[i].weight;
		move_to_front(picks, i);
	}
}

/* Lines of one site: those of the same priority are drawn. */
static void order_lines(struct pick *picks, struct sip_line **lines, size_t count, uint64_t seed)
{
	while (count) {
		size_t run = 0;

		for (; run < count && lines[run]->priority == lines[0]->priority; run++)
			picks[run] =
				(struct pick){ .weight = lines[run]->weight, .line = lines[run] };
		draw(picks, run, seed);
		for (size_t i = 0; i < run; i++)
			lines[i] = picks[i].line;
		lines += run;
		count -= run;
	}
}

/* Sites with a line to try, each with those lines in order. */
static size_t collect(struct sip_peer *peer, bool down_too, uint64_t seed)
{
	struct sip_choice *choice = peer->choice;
	size_t sites = 0, used = 0;

	for (size_t i = 0; i < peer->count;) {
		size_t site = peer->lines[i]->site, first = used;

		for (; i < peer->count && peer->lines[i]->site == site; i++)
			if (!peer->lines[i]->lost && (down_too || is_usable(peer, peer->lines[i])))
				choice->usable[used++] = peer->lines[i];
		if (used == first)
			continue;
		order_lines(choice->picks, &choice->usable[first], used - first, seed + site);
		choice->sites[sites++] = (struct pick){ .weight = peer->sites[site]->weight,
							.first = &choice->usable[first],
							.count = used - first };
	}
	return sites;
}

size_t sip_peer_choose(struct sip_peer *peer, struct sip_line *const **ret_lines)
{
	struct sip_choice *choice = peer->choice;
	uint64_t turn = peer->turn++;
	size_t sites = collect(peer, false, turn), count = 0;

	if (!sites)
		sites = collect(peer, true, turn);
	if (sites && peer->order == TRUNK_ROUND_ROBIN)
		rotate(choice->sites, sites, (size_t)(turn % sites));
	else if (peer->order == TRUNK_WEIGHTED)
		draw(choice->sites, sites, turn);
	for (size_t i = 0; i < sites; i++) {
		const struct pick *site = &choice->sites[i];

		memcpy(&choice->chosen[count], site->first,
		       site->count * sizeof(struct sip_line *));
		count += site->count;
	}
	*ret_lines = choice ? choice->chosen : NULL;
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
	if ((peer->max_calls && peer->calls + peer->beside >= peer->max_calls) ||
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

unsigned sip_peer_calls(const struct sip_peer *peer)
{
	return peer->calls;
}

void sip_peer_set_beside(struct sip_peer *peer, unsigned calls)
{
	peer->beside = calls;
}

unsigned sip_peer_beside(const struct sip_peer *peer)
{
	return peer->beside;
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
			.why = line->lost ? "no address in the DNS" : line->why,
			.calls = line->calls,
			.failures = line->failures,
			.binding = peer->binding ? peer->binding : "",
			.peer_calls = peer->calls + peer->beside,
			.peer_calls_max = peer->max_calls,
		};

		visit(&info, arg);
	}
}
