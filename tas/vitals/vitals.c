/* SPDX-License-Identifier: Apache-2.0 */
/* vitals.c - see vitals.h. */
#include "tas/vitals/vitals.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"
#include "base/thread.h"
#include "config/address.h"
#include "tas/sip/own_name.h"
#include "tas/sip/tls_self_call.h"

#define POST_MS 1000 /* the registrar hears of us so often even if nothing changes */
#define TURN_MS 200
#define LATE_MS 3000 /* a thread that turns at least once a second was not seen for so long */

struct vitals {
	struct vitals_options options;
	struct own_name *own_name; /* NULL: a literal address, or not looked at */
	struct timer timer;        /* on the SIP thread */
	const char *mark;
	uint16_t port; /* of our first tls listener; 0: there is none */
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Below: under the lock. */
	bool stop, frozen, changed;
	struct config_health health; /* its strings are the configuration's */
	struct vital signs[VITAL_KIND_COUNT];
	struct vital *services; /* by index */
	bool *excused;          /* services whose calls go on without the trunk */
	size_t service_count;
	char services_why[VITAL_WHY_ROOM];
	struct registrar_verdict verdict; /* the last one */
	uint64_t config_id;
	mono_ms sip_beat;
	mono_ms posted;
};

static struct metric gauges[VITAL_KIND_COUNT] = {
#define SIGN(check) METRIC_GAUGE_INIT("breakout_health", "check=\"" check "\"", "1: well, 0: sick.")
	[VITAL_SELF_CALL] = SIGN("self_call"),
	[VITAL_DNS] = SIGN("dns"),
	[VITAL_SIP] = SIGN("sip"),
	[VITAL_MEDIA] = SIGN("media"),
	[VITAL_STORE] = SIGN("store"),
};

static const char *const names[VITAL_KIND_COUNT] = { [VITAL_SELF_CALL] = "self_call",
						     [VITAL_DNS] = "dns",
						     [VITAL_SIP] = "sip",
						     [VITAL_MEDIA] = "media",
						     [VITAL_STORE] = "store" };

const char *vital_kind_name(enum vital_kind kind)
{
	return names[kind];
}

static const struct config_health_check *rules_of(const struct config_health *health,
						  enum vital_kind kind)
{
	switch (kind) {
	case VITAL_SELF_CALL:
		return &health->self_call;
	case VITAL_DNS:
		return &health->dns;
	case VITAL_SIP:
		return &health->sip;
	case VITAL_MEDIA:
		return &health->media;
	case VITAL_STORE:
	case VITAL_KIND_COUNT:
		break;
	}
	return &health->store;
}

/* ---- what is heard ---- */

static const char *consequence(const struct vitals *vitals, const struct vital *vital,
			       const struct config_health_check *rules)
{
	if (rules->does == HEALTH_DOES_REPORT)
		return "this is only reported";
	if (rules->does == HEALTH_DOES_PROVEN && !vital->proven)
		return "it has not been well since the start, so this is only reported: mend it, "
		       "or the check's settings under `health`";
	if (vitals->health.gate == HEALTH_GATE_REPORT)
		return "health.gate is report, so nothing is withdrawn";
	return "registrations are withdrawn until it is well";
}

/* Under the lock. */
static void hear(struct vitals *vitals, enum vital_kind kind, bool ok, const char *why)
{
	const struct config_health_check *rules = rules_of(&vitals->health, kind);
	struct vital *vital = &vitals->signs[kind];

	if (!vital_heard(vital, rules, ok, why, clock_now()))
		return;
	vitals->changed = true;
	metric_set(&gauges[kind], !vital->sick);
	if (vital->sick)
		log_error("health", "sick: check=%s why=\"%s\": %s", names[kind], vital->why,
			  consequence(vitals, vital, rules));
	else
		log_notice("health", "well again: check=%s after_s=%lld", names[kind],
			   (long long)((clock_now() - vital->since) / 1000));
}

static bool is_due(struct vitals *vitals, enum vital_kind kind)
{
	return vital_is_due(&vitals->signs[kind], rules_of(&vitals->health, kind), clock_now());
}

/* ---- on the SIP thread ---- */

static void look_at_name(struct vitals *vitals)
{
	const struct config *config = vitals->options.config;
	char why[VITAL_WHY_ROOM] = "";
	bool ours;

	if (!vitals->own_name || !is_due(vitals, VITAL_DNS))
		return;
	ours = own_name_is_ours(vitals->own_name, vitals->health.dns_addresses,
				vitals->health.dns_address_count, why, sizeof(why)) ||
	       own_name_is_ours(vitals->own_name, config->media.advertised_addresses,
				config->media.advertised_count, why, sizeof(why));
	hear(vitals, VITAL_DNS, ours, why);
}

static bool trunk_is_down(size_t trunk, void *arg)
{
	const struct vitals *vitals = arg;

	return service_trunk_is_down(vitals->options.service, trunk);
}

static void look_at_service(struct vitals *vitals, size_t index)
{
	const struct config *config = vitals->options.config;
	const struct config_health_check *rules = &vitals->health.trunks;
	struct vital *vital = &vitals->services[index];
	const char *name = config->services[index].name;
	bool stranded = service_is_stranded(&config->services[index], trunk_is_down, vitals);

	if (!vital_heard(vital, rules, !stranded, "its trunks are down", clock_now()))
		return;
	vitals->changed = true;
	if (vital->sick) {
		(void)snprintf(vitals->services_why, sizeof(vitals->services_why),
			       "every trunk of service %s is down", name);
		log_error("health", "sick: check=trunks service=%s: every trunk of it is down; %s",
			  name, consequence(vitals, vital, rules));
	} else {
		log_notice("health", "well again: check=trunks service=%s", name);
	}
}

static void look_at_services(struct vitals *vitals)
{
	for (size_t i = 0; i < vitals->service_count; i++)
		if (!vitals->excused[i] &&
		    vital_is_due(&vitals->services[i], &vitals->health.trunks, clock_now()))
			look_at_service(vitals, i);
}

static void on_timer(struct timer *timer, void *arg)
{
	struct vitals *vitals = arg;

	pthread_mutex_lock(&vitals->lock);
	vitals->sip_beat = clock_now();
	if (vitals->health.gate != HEALTH_GATE_OFF) {
		look_at_name(vitals);
		look_at_services(vitals);
	}
	pthread_mutex_unlock(&vitals->lock);
	timer_start(sip_loop_wheel(vitals->options.loop), timer, clock_now() + TURN_MS);
}

/* ---- on the thread of its own ---- */

static void hear_beat(struct vitals *vitals, enum vital_kind kind, mono_ms beat, const char *whose)
{
	mono_ms age = clock_now() - beat;
	char why[VITAL_WHY_ROOM];

	(void)snprintf(why, sizeof(why), "%s has not moved for %lld ms", whose, (long long)age);
	hear(vitals, kind, age < LATE_MS, why);
}

static void look_at_store(struct vitals *vitals)
{
	hear(vitals, VITAL_STORE, registrar_store_ok(vitals->options.registrar),
	     "the store cannot be written");
}

/* Where a self-call goes to. */
struct target {
	char host[HOST_ROOM], name[HOST_ROOM], ca_file[PATH_MAX];
	struct tls_self_call call;
};

static const char *reachable(const char *host)
{
	if (!host_is_wildcard(host))
		return host;
	return strchr(host, ':') ? "::1" : "127.0.0.1";
}

static const char *listener_host(const struct config *config)
{
	for (size_t i = 0; i < config->sip.listen_count; i++)
		if (config->sip.listen[i].transport == SIP_TRANSPORT_TLS)
			return config->sip.listen[i].host;
	return "127.0.0.1";
}

/* Under the lock: the configuration may be exchanged once it is given back. False: there
 * is nothing to call. */
static bool choose_target(const struct vitals *vitals, struct target *ret_target)
{
	const struct config *config = vitals->options.config;
	const struct config_health *health = &vitals->health;
	const char *ca =
		health->self_call_ca_file ? health->self_call_ca_file : config->sip.ca_file;

	ret_target->call = (struct tls_self_call){ .host = ret_target->host,
						   .port = vitals->port,
						   .name = ret_target->name,
						   .ca_file = ca ? ret_target->ca_file : NULL,
						   .mark = vitals->mark,
						   .timeout_ms = health->self_call_timeout_ms,
						   .tls_only = config->core.sbc.client_ca != NULL };
	(void)snprintf(ret_target->name, sizeof(ret_target->name), "%s", config->domain);
	(void)snprintf(ret_target->ca_file, sizeof(ret_target->ca_file), "%s", ca ? ca : "");
	if (health->self_call_to) {
		if (host_port_parse(health->self_call_to, strlen(health->self_call_to),
				    ret_target->host, &ret_target->call.port))
			return false;
		if (!ret_target->call.port)
			ret_target->call.port = 5061; /* RFC 3261 section 19.1.2 */
		return true;
	}
	(void)snprintf(ret_target->host, sizeof(ret_target->host), "%s",
		       reachable(listener_host(config)));
	return vitals->port != 0;
}

/* Gives the lock back while it calls. */
static void call_ourselves(struct vitals *vitals)
{
	struct target target;
	char why[VITAL_WHY_ROOM] = "";
	bool ok;

	if (!choose_target(vitals, &target))
		return;
	pthread_mutex_unlock(&vitals->lock);
	ok = tls_self_call(&target.call, why, sizeof(why)) == 0;
	pthread_mutex_lock(&vitals->lock);
	if (!vitals->frozen) /* who drains answers 503 */
		hear(vitals, VITAL_SELF_CALL, ok, why);
}

static void look(struct vitals *vitals)
{
	if (is_due(vitals, VITAL_SIP))
		hear_beat(vitals, VITAL_SIP, vitals->sip_beat, "the SIP thread");
	if (is_due(vitals, VITAL_MEDIA))
		hear_beat(vitals, VITAL_MEDIA, media_engine_beat(vitals->options.media),
			  "a media thread");
	if (is_due(vitals, VITAL_STORE))
		look_at_store(vitals);
	if (is_due(vitals, VITAL_SELF_CALL))
		call_ourselves(vitals);
}

/* ---- the verdict ---- */

/* The sign that counts and began first; NULL: none does. */
static const struct vital *gravest(const struct vitals *vitals, enum vital_kind *ret_kind)
{
	const struct vital *found = NULL;

	for (int i = 0; i < VITAL_KIND_COUNT; i++) {
		const struct vital *vital = &vitals->signs[i];

		if (!vital_counts(vital, rules_of(&vitals->health, (enum vital_kind)i)) ||
		    (found && found->since <= vital->since))
			continue;
		found = vital;
		*ret_kind = (enum vital_kind)i;
	}
	return found;
}

static void judge_services(const struct vitals *vitals, struct registrar_verdict *verdict)
{
	for (size_t i = 0; i < vitals->service_count && i < REGISTRAR_SERVICES_MAX; i++) {
		const struct vital *vital = &vitals->services[i];

		if (!vital_counts(vital, &vitals->health.trunks))
			continue;
		verdict->services[i / 64] |= (uint64_t)1 << (i % 64);
		if (!verdict->services_since || vital->since < verdict->services_since)
			verdict->services_since = vital->since;
	}
	(void)snprintf(verdict->services_why, sizeof(verdict->services_why), "%.95s",
		       vitals->services_why);
}

static void judge(struct vitals *vitals)
{
	struct registrar_verdict verdict = { .rate = vitals->health.rate,
					     .config = vitals->config_id };
	enum vital_kind kind;
	const struct vital *worst = gravest(vitals, &kind);

	if (vitals->health.gate == HEALTH_GATE_WITHDRAW) {
		if (worst) {
			verdict.sick = true;
			verdict.since = worst->since;
			(void)snprintf(verdict.why, sizeof(verdict.why), "%s: %.80s", names[kind],
				       worst->why);
		}
		judge_services(vitals, &verdict);
	}
	vitals->verdict = verdict;
}

/* Also a sign of life of ours. */
static void tell_registrar(struct vitals *vitals)
{
	if (!vitals->frozen)
		judge(vitals);
	vitals->posted = clock_now();
	vitals->changed = false;
	registrar_judge(vitals->options.registrar, &vitals->verdict);
}

static mono_ms next_turn(const struct vitals *vitals)
{
	mono_ms next = vitals->posted + POST_MS, now = clock_now();

	if (vitals->frozen || vitals->health.gate == HEALTH_GATE_OFF)
		return next > now ? next : now;
	for (int i = 0; i < VITAL_KIND_COUNT; i++) {
		const struct vital *vital = &vitals->signs[i];

		if (rules_of(&vitals->health, (enum vital_kind)i)->does != HEALTH_DOES_NOTHING &&
		    i != VITAL_DNS && vital->next < next)
			next = vital->next;
	}
	return next > now ? next : now;
}

static void sleep_until(struct vitals *vitals, mono_ms moment)
{
	mono_ms left = moment - clock_now();
	struct timespec until;

	if (left <= 0)
		return;
	if (left > TURN_MS)
		left = TURN_MS; /* the SIP thread may have seen a change */
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += left * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&vitals->wake, &vitals->lock, &until);
}

static void *vitals_thread(void *arg)
{
	struct vitals *vitals = arg;

	pthread_mutex_lock(&vitals->lock);
	while (!vitals->stop) {
		if (vitals->health.gate != HEALTH_GATE_OFF && !vitals->frozen)
			look(vitals);
		if (vitals->changed || clock_now() >= vitals->posted + POST_MS)
			tell_registrar(vitals);
		sleep_until(vitals, next_turn(vitals));
	}
	pthread_mutex_unlock(&vitals->lock);
	return NULL;
}

/* ---- create and destroy ---- */

static bool is_loop(uint8_t type)
{
	return type == ROUTE_TYPE_LOOP || type == ROUTE_TYPE_LOOP_MO || type == ROUTE_TYPE_LOOP_MT;
}

/* What is known of a service, by its name. */
static struct vital known_service(const struct vitals *vitals, const char *name)
{
	for (size_t i = 0; i < vitals->service_count; i++)
		if (!strcmp(vitals->options.config->services[i].name, name))
			return vitals->services[i];
	return (struct vital){ 0 };
}

/* A call of a LOOP number whose trunk fails goes on to the core by itself. */
static int read_services(struct vitals *vitals, const struct config *config)
{
	struct vital *services = calloc(config->service_count + 1, sizeof(*services));
	bool *excused = calloc(config->service_count + 1, sizeof(*excused));

	if (!services || !excused) {
		free(services);
		free(excused);
		vitals->service_count = 0;
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->service_count; i++)
		services[i] = known_service(vitals, config->services[i].name);
	for (size_t i = 0; i < config->registration_count; i++) {
		const struct config_registration *registration = &config->registrations[i];

		if (is_loop(registration->route_type) &&
		    config->services[registration->service].fail_to_loop)
			excused[registration->service] = true;
	}
	free(vitals->services);
	free(vitals->excused);
	vitals->services = services;
	vitals->excused = excused;
	vitals->service_count = config->service_count;
	return 0;
}

static int name_ourselves(struct vitals *vitals, const struct config *config)
{
	struct str uri = { 0 };
	char *text;
	int err;

	vitals->own_name = own_name_destroy(vitals->own_name);
	str_addf(&uri, "sips:%s", config->domain);
	if (config->sip_uri_port)
		str_addf(&uri, ":%u", config->sip_uri_port);
	text = str_take(&uri);
	err = text ? own_name_create(&vitals->own_name, vitals->options.endpoint, text) : -ENOMEM;
	free(text);
	return err == -EINVAL ? 0 : err; /* an address needs no DNS */
}

/* SIP thread, under the lock. Signs that stay keep what is known of them. */
static int take_config(struct vitals *vitals, const struct config *config)
{
	int err = read_services(vitals, config);

	if (!err)
		err = name_ourselves(vitals, config);
	vitals->options.config = config;
	vitals->health = config->health;
	vitals->config_id = registrar_config_id(config);
	vitals->changed = true;
	return err;
}

void vitals_reconfigure(struct vitals *vitals, const struct config *config)
{
	int err;

	pthread_mutex_lock(&vitals->lock);
	err = take_config(vitals, config);
	pthread_cond_signal(&vitals->wake);
	pthread_mutex_unlock(&vitals->lock);
	if (err)
		log_error("health", "no memory: trunks or name are not looked at");
}

void vitals_freeze(struct vitals *vitals, bool frozen)
{
	pthread_mutex_lock(&vitals->lock);
	vitals->frozen = frozen;
	pthread_cond_signal(&vitals->wake);
	pthread_mutex_unlock(&vitals->lock);
}

static uint16_t tls_port(const struct vitals_options *options)
{
	for (size_t i = 0; i < options->config->sip.listen_count; i++)
		if (options->config->sip.listen[i].transport == SIP_TRANSPORT_TLS)
			return sip_endpoint_port(options->endpoint, i);
	return 0;
}

static int start_thread(struct vitals *vitals)
{
	int err = thread_start(&vitals->thread, "health", THREAD_PROMPT, vitals_thread, vitals);

	vitals->started = !err;
	return err;
}

static int init_lock(struct vitals *vitals)
{
	pthread_condattr_t attributes;
	int err = pthread_condattr_init(&attributes);

	if (err)
		return -err;
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* it is known */
	err = pthread_cond_init(&vitals->wake, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	if (!err)
		err = pthread_mutex_init(&vitals->lock, NULL);
	return -err;
}

int vitals_create(struct vitals **ret_vitals, const struct vitals_options *options)
{
	struct vitals *vitals = calloc(1, sizeof(*vitals));
	int err = vitals ? init_lock(vitals) : -ENOMEM;

	if (err) {
		free(vitals);
		return err;
	}
	vitals->options = *options;
	vitals->mark = sip_endpoint_mark(options->endpoint);
	vitals->port = tls_port(options);
	timer_init(&vitals->timer, on_timer, vitals);
	err = take_config(vitals, options->config);
	for (int i = 0; i < VITAL_KIND_COUNT; i++)
		metric_set(&gauges[i], 1);
	if (!err) {
		on_timer(&vitals->timer, vitals);
		tell_registrar(vitals); /* the first thing it hears of */
		err = start_thread(vitals);
	}
	if (err) {
		vitals_destroy(vitals);
		return err;
	}
	*ret_vitals = vitals;
	return 0;
}

struct vitals *vitals_destroy(struct vitals *vitals)
{
	if (!vitals)
		return NULL;
	if (vitals->started) {
		pthread_mutex_lock(&vitals->lock);
		vitals->stop = true;
		pthread_cond_signal(&vitals->wake);
		pthread_mutex_unlock(&vitals->lock);
		(void)pthread_join(vitals->thread, NULL); /* only a bad handle fails */
	}
	timer_cancel(&vitals->timer);
	own_name_destroy(vitals->own_name);
	pthread_cond_destroy(&vitals->wake);
	pthread_mutex_destroy(&vitals->lock);
	free(vitals->services);
	free(vitals->excused);
	free(vitals);
	return NULL;
}

/* ---- for people ---- */

void vitals_report(struct vitals *vitals, struct vitals_report *ret_report)
{
	enum vital_kind kind = VITAL_SELF_CALL;
	const struct vital *worst;

	memset(ret_report, 0, sizeof(*ret_report));
	pthread_mutex_lock(&vitals->lock);
	ret_report->gate = vitals->health.gate;
	worst = ret_report->gate == HEALTH_GATE_OFF ? NULL : gravest(vitals, &kind);
	if (worst) {
		ret_report->sick = true;
		(void)snprintf(ret_report->why, sizeof(ret_report->why), "%s: %.140s", names[kind],
			       worst->why);
	}
	for (int i = 0; i < VITAL_KIND_COUNT; i++)
		ret_report->signs[i] = (struct vitals_sign){
			.name = names[i],
			.does = rules_of(&vitals->health, (enum vital_kind)i)->does,
			.vital = vitals->signs[i]
		};
	for (size_t i = 0; i < vitals->service_count; i++)
		ret_report->stranded += vitals->services[i].sick;
	pthread_mutex_unlock(&vitals->lock);
}
