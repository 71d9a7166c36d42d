/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/registrar.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/hash_siphash.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/str.h"
#include "base/thread.h"
#include "proto/api.h"
#include "registrar/added.h"
#include "registrar/consent.h"
#include "registrar/consent_share.h"
#include "registrar/keeper.h"
#include "registrar/keeper_shards.h"
#include "registrar/links.h"
#include "registrar/pause_store.h"
#include "registrar/sources.h"
#include "registrar/vigil.h"

#define NAME_REST_MS 60000 /* a process that has our name has joined long before */

struct note;

struct registrar {
	struct keeper *keeper;
	struct consents *consents;
	struct links links;
	unsigned consents_from; /* the tenant whose core tells of consents */
	struct fleet *fleet;    /* NULL: all numbers are ours */
	struct mailbox *mailbox;
	char *store_settings;            /* what cannot change without a restart */
	struct config_postgres postgres; /* own; conninfo NULL: no fleet */
	pthread_t thread;
	bool started;
	struct added *added;
	struct pauses *pauses;
	struct pause_mark pause_mark; /* fleet thread: of the last look that was taken in */
	int64_t consent_serial;       /* dito; -1: there was none */
	struct vigil *vigil;          /* borrowed; NULL: none */
	struct note *last_note;       /* made beforehand: the end must not need memory */
	bool settled;                 /* once it rests */
	_Atomic bool rests;           /* the thread has ended, to go on perhaps */
	/* Registrar thread: */
	bool stopping, resting;
	mono_ms stop_by;
};

/* Everything the thread is told. */
struct note {
	struct mail mail;
	enum note_kind {
		NOTE_WANT,
		NOTE_CORES,
		NOTE_REFRESH,
		NOTE_TOKEN,
		NOTE_JUDGE,
		NOTE_PAUSE,
		NOTE_FLEET,
		NOTE_REST,
		NOTE_CONSENTS,
		NOTE_ADDED,
		NOTE_STOP
	} kind;
	struct wanted *wanted;
	struct registrar_cores *cores; /* NULL: those in force */
	struct config *config;         /* own reference; goes with what is wanted, and so do: */
	struct pause_services *services;
	struct lease_wish wish; /* what a fleet calls it */
	struct fleet_news *news;
	struct consent_news *consents;
	uint64_t number;
	uint64_t *numbers; /* own */
	size_t number_count;
	unsigned tenant, serial;
	char *token;
	unsigned expires_in_s, retry_ms;
	char error[384];
	bool withdraw;
	unsigned grace_ms;
	struct registrar_verdict verdict;
};

static void note_free(struct mail *mail)
{
	struct note *note = CONTAINER_OF(mail, struct note, mail);

	if (note->token)
		explicit_bzero(note->token, strlen(note->token));
	free(note->token);
	wanted_destroy(note->wanted);
	registrar_cores_destroy(note->cores);
	config_destroy(note->config);
	free(note->numbers);
	pause_services_destroy(note->services);
	fleet_news_destroy(note->news);
	consent_news_destroy(note->consents);
	free(note);
}

/* Registrar thread. The tenant whose core tells of consents may be another, or another to
 * its core. */
static void use_source(struct registrar *registrar, unsigned tenant, mono_ms now)
{
	struct consent_source source = { .client = NULL };
	bool anew = tenant != registrar->consents_from;
	const char *token = NULL;

	if (tenant < registrar->links.count && registrar->links.list[tenant].core) {
		source = link_as_source(&registrar->links.list[tenant]);
		token = keeper_token_of(registrar->keeper, tenant);
		anew |= registrar->links.list[tenant].anew;
		registrar->links.list[tenant].anew = false;
	}
	consents_use(registrar->consents, &source, anew, now);
	registrar->consents_from = tenant;
	if (anew && token)
		consents_token(registrar->consents, token);
}

/* Registrar thread. */
static void take_cores(struct registrar *registrar, struct note *note, mono_ms now)
{
	if (!note->cores || registrar->stopping)
		return;
	links_take(&registrar->links, note->cores, registrar->keeper, now);
	note->cores = NULL;
}

/* Registrar thread. What is called by another name than the fleet's is not said before
 * it is in force: the name comes first. */
static void want(struct registrar *registrar, const struct note *note, mono_ms now)
{
	const struct sources sources = { registrar->consents, registrar->added };
	uint8_t tenants[CONFIG_TENANTS];
	struct wanted *all = NULL;
	int err;

	links_map(&registrar->links, tenants);
	wanted_map(note->wanted, tenants);
	use_source(registrar, note->wanted->consents.tenant, now);
	added_configure(registrar->added, note->config, tenants);
	err = sources_want(&sources, note->wanted, &all, now);
	keeper_wish(registrar->keeper, &note->wish, now);
	if (!err)
		err = keeper_want(registrar->keeper, all, now);
	if (err == -ENOMEM) /* the rest is logged where it happened */
		log_error("registrar", "out of memory: the new set of numbers is not taken");
	if (!err && registrar->fleet)
		fleet_wish(registrar->fleet, &note->wish);
	wanted_destroy(all);
}

static void say_later(void)
{
	log_error("registrar", "out of memory: numbers that were added, changed or deleted count "
			       "from the next reload on");
}

/* Registrar thread. */
static void reconsider(struct registrar *registrar, const struct note *note, mono_ms now)
{
	const struct sources sources = { registrar->consents, registrar->added };

	if (sources_reconsider(&sources, registrar->keeper, note->numbers, note->number_count, now))
		say_later();
}

/* Registrar thread. */
static void on_note(struct mail *mail, void *receiver)
{
	struct note *note = CONTAINER_OF(mail, struct note, mail);
	struct registrar *registrar = receiver;
	struct keeper *keeper = registrar->keeper;
	mono_ms now = clock_now();

	switch (note->kind) {
	case NOTE_WANT:
		pauses_services(registrar->pauses, note->services);
		note->services = NULL;
		take_cores(registrar, note, now);
		if (!registrar->stopping)
			want(registrar, note, now);
		break;
	case NOTE_CORES:
		take_cores(registrar, note, now);
		if (!registrar->stopping)
			use_source(registrar, registrar->consents_from, now);
		break;
	case NOTE_REFRESH:
		keeper_refresh(keeper, note->number, now);
		break;
	case NOTE_TOKEN:
		if (note->serial != registrar->links.list[note->tenant].serial)
			break; /* of credentials that count no more */
		keeper_token(keeper, note->tenant, note->token, note->expires_in_s, note->error,
			     note->retry_ms, now);
		if (note->token && note->tenant == registrar->consents_from)
			consents_token(registrar->consents, note->token);
		break;
	case NOTE_JUDGE:
		if (registrar->vigil)
			vigil_beat(registrar->vigil, VIGIL_SERVING, now);
		if (registrar->fleet)
			fleet_is_sick(registrar->fleet, note->verdict.sick);
		keeper_judge(keeper, &note->verdict, now);
		break;
	case NOTE_PAUSE:
		keeper_pause(keeper, now);
		break;
	case NOTE_FLEET:
		keeper_news(keeper, note->news, now);
		break;
	case NOTE_REST:
		registrar->stopping = registrar->resting = true;
		registrar->stop_by = now + note->grace_ms;
		consents_stop(registrar->consents);
		keeper_rest(keeper, true);
		if (registrar->fleet)
			fleet_rest(registrar->fleet, now + NAME_REST_MS);
		break;
	case NOTE_CONSENTS:
		consents_hear(registrar->consents, note->consents);
		break;
	case NOTE_ADDED:
		if (!registrar->stopping)
			reconsider(registrar, note, now);
		break;
	case NOTE_STOP:
		registrar->stopping = true;
		consents_stop(registrar->consents);
		registrar->stop_by = now + note->grace_ms;
		keeper_stop(keeper, note->withdraw, now);
		break;
	}
	note_free(mail);
}

static struct note *note_create(enum note_kind kind)
{
	struct note *note = calloc(1, sizeof(*note));

	if (!note)
		return NULL;
	note->kind = kind;
	note->mail.deliver = on_note;
	return note;
}

static void post(struct registrar *registrar, struct note *take_note)
{
	mailbox_post(registrar->mailbox, &take_note->mail);
	api_client_wake(registrar->links.list[0].client);
}

/* Whoever waits for the fleet's database in vain does so for all. */
static void pass_doubt_on(struct registrar *registrar)
{
	if (consents_doubt(registrar->consents))
		fleet_doubt(registrar->fleet);
}

static void run_consents(struct registrar *registrar, mono_ms now)
{
	struct consent_lead lead;

	if (registrar->fleet) {
		pass_doubt_on(registrar);
		lead = (struct consent_lead){ fleet_session(registrar->fleet),
					      keeper_lead_epoch(registrar->keeper),
					      fleet_reaches_store(registrar->fleet) };
		consents_lead(registrar->consents, &lead, now);
	}
	consents_run(registrar->consents, now);
	if (registrar->fleet)
		pass_doubt_on(registrar);
}

static void *registrar_thread(void *arg)
{
	struct registrar *registrar = arg;
	mono_ms now = clock_now(), until, other;

	while (!registrar->stopping ||
	       (now < registrar->stop_by && !keeper_idle(registrar->keeper))) {
		(void)mailbox_drain(registrar->mailbox, 0);
		now = clock_now();
		run_consents(registrar, now);
		keeper_run(registrar->keeper, now);
		links_run(&registrar->links, registrar->keeper, now);
		if (registrar->links.list[registrar->consents_from % CONFIG_TENANTS].anew)
			use_source(registrar, registrar->consents_from, now);
		until = keeper_next(registrar->keeper, now);
		other = consents_next(registrar->consents);
		until = other < until ? other : until;
		if (registrar->stopping) {
			if (keeper_idle(registrar->keeper))
				break;
			if (registrar->stop_by < until)
				until = registrar->stop_by;
		}
		api_client_poll(registrar->links.list[0].client, until);
		now = clock_now();
	}
	if (registrar->resting) {
		added_rest(registrar->added, true);
		keeper_flush_all(registrar->keeper, clock_now());
		registrar->settled = keeper_settled(registrar->keeper);
	}
	registrar->rests = registrar->resting;
	return NULL;
}

/* ---- the token ---- */

/* Token thread. */
static void on_token(const char *token, unsigned expires_in_s, const char *error, unsigned retry_ms,
		     unsigned serial, void *arg)
{
	struct link *link = arg;
	struct registrar *registrar = CONTAINER_OF(link->links, struct registrar, links);
	struct note *note = note_create(NOTE_TOKEN);

	if (note && token)
		note->token = strdup(token);
	if (!note || (token && !note->token)) {
		log_error("registrar", "out of memory: a token is lost");
		free(note);
		return;
	}
	note->tenant = (unsigned)(link - link->links->list);
	note->serial = serial;
	note->expires_in_s = expires_in_s;
	note->retry_ms = retry_ms;
	snprintf(note->error, sizeof(note->error), "%s", error ? error : "");
	post(registrar, note);
}

static void on_token_refused(unsigned tenant, const char *token, void *arg)
{
	struct registrar *registrar = arg;

	api_token_invalidate(registrar->links.list[tenant].token, token);
}

static void on_consents_token_refused(const char *token, void *arg)
{
	struct registrar *registrar = arg;

	on_token_refused(registrar->consents_from, token, registrar);
}

/* Registrar thread. */
static void on_consents(const struct wanted *some, void *arg)
{
	struct registrar *registrar = arg;

	if (!registrar->stopping && keeper_want_some(registrar->keeper, some, clock_now()))
		log_error("registrar", "out of memory: a change of consents takes effect at the "
				       "next start");
}

static int complete(const struct wanted *configured, struct wanted **ret_all, void *arg)
{
	struct registrar *registrar = arg;
	const struct sources sources = { registrar->consents, registrar->added };
	int err = added_load(registrar->added);

	return err ? err : sources_want(&sources, configured, ret_all, clock_now());
}

/* Any thread, under a lock. */
static void on_added(uint64_t *take_numbers, size_t count, void *arg)
{
	struct registrar *registrar = arg;
	struct note *note = note_create(NOTE_ADDED);

	if (!note) {
		say_later();
		free(take_numbers);
		return;
	}
	note->numbers = take_numbers;
	note->number_count = count;
	post(registrar, note);
}

static bool is_claimed(uint64_t number, void *arg)
{
	const struct registrar *registrar = arg;

	return added_has(registrar->added, number);
}

static int create_added(struct registrar *registrar, const struct config *config)
{
	const struct added_options options = {
		.path = config->no_numbers ? NULL : config->store_sqlite,
		.postgres = config->postgres.conninfo ? &config->postgres : NULL,
		.changed = on_added,
		.arg = registrar,
	};
	int err = added_create(&registrar->added, &options);

	if (!err)
		added_configure(registrar->added, config, NULL);
	return err;
}

static void on_deleted(uint64_t number, void *arg)
{
	struct registrar *registrar = arg;

	consents_deleted(registrar->consents, number);
}

static int create_consents(struct registrar *registrar, const struct config *config)
{
	unsigned from = config->consents ? config->consents->tenant : 0;
	struct consent_source source = link_as_source(&registrar->links.list[from]);
	struct consent_options options = {
		.client = source.client,
		.store = config->store_sqlite,
		.postgres = config->postgres.conninfo ? &config->postgres : NULL,
		.deadline_ms = source.deadline_ms,
		.needs_token = source.needs_token,
		.token_refused = on_consents_token_refused,
		.changed = on_consents,
		.claimed = is_claimed,
		.arg = registrar,
	};

	registrar->consents_from = from;
	if (getrandom(&options.seed, sizeof(options.seed), 0) != sizeof(options.seed))
		return -EIO;
	return consents_create(&registrar->consents, &options);
}

/* ---- the fleet ---- */

/* Fleet thread. */
static void on_fleet_news(struct fleet_news *take_news, void *arg)
{
	struct registrar *registrar = arg;
	struct note *note = note_create(NOTE_FLEET);

	if (!note) {
		log_error("registrar", "out of memory: news of the fleet is lost");
		fleet_news_destroy(take_news);
		return;
	}
	note->news = take_news;
	post(registrar, note);
}

static void pauses_changed(struct registrar *registrar)
{
	struct note *note = note_create(NOTE_PAUSE);

	if (note)
		post(registrar, note);
	else
		log_error("registrar", "out of memory: what was paused or resumed takes effect "
				       "with the next reload");
}

/* Fleet thread. What other nodes' operators have ordered. */
static int look_at_pauses(struct pg *pg, mono_ms deadline, void *arg)
{
	struct registrar *registrar = arg;
	struct pause_mark *known = &registrar->pause_mark, mark;
	unsigned orders = pauses_orders(registrar->pauses);
	struct reg_pause *list;
	size_t count;
	int err = pauses_look(pg, deadline, &mark);

	if (err || (known->known && known->count == mark.count && known->serial == mark.serial))
		return err;
	err = pauses_read(pg, deadline, &list, &count);
	if (err)
		return err;
	if (pauses_hear(registrar->pauses, orders, list, count)) {
		*known = mark;
		pauses_changed(registrar);
	}
	free(list);
	return 0;
}

/* Fleet thread. What the node that reads consents has written. */
static int look_at_consents(struct registrar *registrar, struct pg *pg, mono_ms deadline)
{
	struct consent_news *news;
	struct note *note;
	bool more;
	int err;

	do {
		err = consent_look(pg, deadline, registrar->consent_serial, &news);
		if (err || !news)
			return err;
		note = note_create(NOTE_CONSENTS);
		if (!note) {
			consent_news_destroy(news);
			return -ENOMEM;
		}
		registrar->consent_serial = news->serial;
		more = news->count > 0;
		note->consents = news;
		post(registrar, note);
	} while (more);
	return 0;
}

/* Fleet thread. */
static int on_look(struct pg *pg, mono_ms deadline, void *arg)
{
	struct registrar *registrar = arg;
	int err = look_at_pauses(pg, deadline, arg);

	if (!err)
		err = look_at_consents(arg, pg, deadline);
	return err ? err : added_look(registrar->added, pg, deadline);
}

static int create_pauses(struct registrar *registrar, const struct config *config)
{
	return pauses_create(&registrar->pauses, config->store_sqlite,
			     config->postgres.conninfo ? &config->postgres : NULL);
}

static void mix(uint64_t *digest, const void *bytes, size_t length)
{
	const uint64_t key[2] = { *digest, length };

	*digest = siphash_2_4(key, bytes, length);
}

static void mix_text(uint64_t *digest, const char *text)
{
	mix(digest, text ? text : "", text ? strlen(text) : 0);
}

/* What the core would be told; the same on every node. */
static struct lease_wish wish_of(const struct config *config, const struct wanted *wanted)
{
	struct lease_wish wish = { .version = config->postgres.version, .digest = 1 };

	mix(&wish.digest, wanted->sip_uri, strlen(wanted->sip_uri));
	for (size_t i = 0; i < config_tenants(config); i++) {
		if (i) /* without tenants it stays what it ever was */
			mix_text(&wish.digest, config_tenant_name(config, i));
		mix_text(&wish.digest, config_tenant_prefix(config, i, DIRECTION_MO));
		mix_text(&wish.digest, config_tenant_prefix(config, i, DIRECTION_MT));
	}
	for (size_t i = 0; i < wanted->count; i++) {
		const uint64_t words[] = { wanted->numbers[i].number,
					   wanted->numbers[i].route_type };
		size_t tenant = config->registrations[i].tenant;

		mix(&wish.digest, words, sizeof(words));
		if (tenant)
			mix_text(&wish.digest, config_tenant_name(config, tenant));
	}
	return wish;
}

static int create_fleet(struct registrar *registrar, const struct config *config,
			const struct wanted *wanted)
{
	struct fleet_options options = { .config = &config->postgres,
					 .wish = wish_of(config, wanted),
					 .news = on_fleet_news,
					 .look = on_look,
					 .arg = registrar };

	return config->postgres.conninfo ? fleet_create(&registrar->fleet, &options) : 0;
}

/* ---- create and destroy ---- */

/* The files that are named, as they are now. */
static int create_links(struct registrar *registrar, const struct config *config)
{
	struct registrar_cores *cores;
	struct str findings = { 0 };
	int err = registrar_cores_read(&cores, config, &findings);

	if (err == -EINVAL)
		log_error("registrar", "no connection to the core's API is possible: %.*s",
			  (int)strcspn(findings.text, "\n"), findings.text);
	str_done(&findings);
	if (err)
		return err;
	registrar->links.on_token = on_token;
	return links_create(&registrar->links, cores);
}

/* proc(5): random for each boot. NULL: there is none, as in some containers. */
static const char *boot_id(char *text, size_t room)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	bool there = file && fgets(text, (int)room, file);

	if (file)
		fclose(file);
	return there ? text : NULL;
}

static bool others_serve(void *arg)
{
	const struct registrar *registrar = arg;

	return fleet_others_serve(registrar->fleet);
}

static int create_keeper(struct registrar *registrar, const struct config *config)
{
	struct keeper_options options = {
		.tenant_count = registrar->links.count,
		.store = config->postgres.conninfo ? "store.postgres" : config->store_sqlite,
		.postgres = &config->postgres,
		.token_refused = on_token_refused,
		.complete = complete,
		.deleted = on_deleted,
		.arg = registrar,
		.pauses = registrar->pauses,
	};
	struct wanted *wanted;
	struct lease_wish wish;
	char boot[64];
	int err;

	for (size_t i = 0; i < registrar->links.count; i++)
		options.tenants[i] = link_as_tenant(&registrar->links.list[i]);
	options.boot = boot_id(boot, sizeof(boot));
	if (getrandom(&options.seed, sizeof(options.seed), 0) != sizeof(options.seed))
		return -EIO;
	err = wanted_create(&wanted, config, NULL);
	if (err)
		return err;
	err = create_fleet(registrar, config, wanted);
	options.fleet = registrar->fleet;
	if (registrar->fleet)
		options.peers_serve = others_serve;
	if (!err)
		err = keeper_create(&registrar->keeper, &options, wanted, clock_now());
	if (!err) {
		wish = wish_of(config, wanted);
		keeper_wish(registrar->keeper, &wish, clock_now());
	}
	wanted_destroy(wanted);
	return err;
}

static int name_services(struct registrar *registrar, const struct config *config)
{
	struct pause_services *services = pause_services_create(config);

	if (!services)
		return -ENOMEM;
	pauses_services(registrar->pauses, services);
	return 0;
}

static char *describe_store(const struct config *config)
{
	const struct config_postgres *postgres = &config->postgres;
	struct str text = { 0 };

	str_addf(&text, "%s %s %s %s %u %u", config->store_sqlite ? config->store_sqlite : "",
		 postgres->conninfo ? postgres->conninfo : "",
		 postgres->password_file ? postgres->password_file : "",
		 postgres->node ? postgres->node : "", postgres->lease_ms, postgres->alone_s);
	return str_take(&text);
}

/* What orders that need a connection of their own go by. */
static int keep_postgres(struct registrar *registrar, const struct config_postgres *postgres)
{
	if (!postgres->conninfo)
		return 0;
	registrar->postgres.conninfo = strdup(postgres->conninfo);
	if (postgres->password_file)
		registrar->postgres.password_file = strdup(postgres->password_file);
	return registrar->postgres.conninfo &&
			       (registrar->postgres.password_file || !postgres->password_file)
		       ? 0
		       : -ENOMEM;
}

int registrar_create(struct registrar **ret_registrar, const struct config *config)
{
	struct registrar *registrar = calloc(1, sizeof(*registrar));
	int err;

	if (!registrar)
		return -ENOMEM;
	registrar->consent_serial = -1;
	registrar->store_settings = describe_store(config);
	err = registrar->store_settings ? mailbox_create(&registrar->mailbox, registrar) : -ENOMEM;
	if (!err)
		err = keep_postgres(registrar, &config->postgres);
	if (!err)
		err = create_links(registrar, config);
	if (!err)
		err = create_added(registrar, config);
	if (!err)
		err = create_consents(registrar, config);
	if (!err)
		err = create_pauses(registrar, config);
	if (!err)
		err = name_services(registrar, config);
	if (!err)
		err = create_keeper(registrar, config);
	if (!err)
		err = links_fetch(&registrar->links);
	if (err) {
		registrar_destroy(registrar);
		return err;
	}
	*ret_registrar = registrar;
	return 0;
}

struct registrar *registrar_destroy(struct registrar *registrar)
{
	if (!registrar)
		return NULL;
	registrar_stop(registrar, /* withdraw= */ false, /* grace_ms= */ 0);
	links_end_tokens(&registrar->links);
	if (registrar->keeper)
		keeper_deafen(registrar->keeper);
	if (registrar->consents)
		consents_deafen(registrar->consents);
	links_disconnect(&registrar->links);
	if (registrar->fleet)
		fleet_stop(registrar->fleet);
	keeper_destroy(registrar->keeper);
	consents_destroy(registrar->consents);
	added_destroy(registrar->added);
	pauses_destroy(registrar->pauses);
	mailbox_destroy(registrar->mailbox, note_free);
	fleet_destroy(registrar->fleet);
	links_done(&registrar->links);
	free(registrar->store_settings);
	free(registrar->postgres.conninfo);
	free(registrar->postgres.password_file);
	free(registrar->last_note);
	free(registrar);
	return NULL;
}

void registrar_keep_vigil(struct registrar *registrar, struct vigil *vigil)
{
	registrar->vigil = vigil;
}

int registrar_start(struct registrar *registrar)
{
	int err;

	if (!registrar->last_note)
		registrar->last_note = note_create(NOTE_STOP);
	if (!registrar->last_note)
		return -EAGAIN;
	err = thread_start(&registrar->thread, "registrar", THREAD_PROMPT, registrar_thread,
			   registrar);
	if (err)
		return err;
	registrar->started = true;
	return registrar->fleet ? fleet_go_on(registrar->fleet) : 0;
}

void registrar_stop(struct registrar *registrar, bool withdraw, unsigned grace_ms)
{
	struct note *note = registrar->last_note;

	if (!registrar->started)
		return;
	if (!note) { /* it rests */
		pthread_join(registrar->thread, NULL);
		registrar->started = false;
		if (registrar->fleet)
			fleet_stop(registrar->fleet);
		return;
	}
	registrar->last_note = NULL;
	note->withdraw = withdraw;
	note->grace_ms = grace_ms;
	post(registrar, note);
	pthread_join(registrar->thread, NULL);
	registrar->started = false;
	if (registrar->fleet)
		fleet_stop(registrar->fleet);
}

void registrar_rest(struct registrar *registrar, unsigned grace_ms)
{
	struct note *note = registrar->last_note;

	registrar->last_note = NULL;
	note->kind = NOTE_REST;
	note->grace_ms = grace_ms;
	post(registrar, note);
}

bool registrar_rests(const struct registrar *registrar)
{
	return registrar->rests;
}

bool registrar_rests_settled(const struct registrar *registrar)
{
	return registrar->settled;
}

void registrar_trust(struct registrar *registrar)
{
	if (registrar->fleet)
		fleet_trust(registrar->fleet);
}

int registrar_wake(struct registrar *registrar)
{
	pthread_join(registrar->thread, NULL);
	registrar->started = registrar->rests = registrar->stopping = registrar->resting = false;
	keeper_rest(registrar->keeper, false);
	added_rest(registrar->added, false);
	consents_go_on(registrar->consents);
	return registrar_start(registrar);
}

void registrar_hand_over(struct registrar *registrar, bool hands_over)
{
	if (registrar->fleet)
		fleet_drain(registrar->fleet, hands_over);
}

/* ---- wishes and questions ---- */

int registrar_reconfigure(struct registrar *registrar, const struct config *config,
			  struct registrar_cores *take_cores)
{
	char *store = describe_store(config);
	struct note *note = note_create(NOTE_WANT);
	int err = store && note ? wanted_create(&note->wanted, config, NULL) : -ENOMEM;

	if (!err) {
		note->services = pause_services_create(config);
		err = note->services ? 0 : -ENOMEM;
	}
	if (err) {
		free(store);
		registrar_cores_destroy(take_cores);
		if (note)
			note_free(&note->mail);
		return err;
	}
	note->wish = wish_of(config, note->wanted);
	note->cores = take_cores;
	note->config = config->no_numbers ? NULL : config_ref(config);
	if (strcmp(store, registrar->store_settings))
		log_notice("registrar", "changes under store take effect at the next start, but "
					"for its version");
	free(store);
	post(registrar, note);
	return 0;
}

void registrar_renew(struct registrar *registrar, struct registrar_cores *take_cores)
{
	struct note *note = note_create(NOTE_CORES);

	if (!note) {
		log_error("registrar", "out of memory: the core's certificates stay as they were");
		registrar_cores_destroy(take_cores);
		return;
	}
	note->cores = take_cores;
	post(registrar, note);
}

void registrar_refresh(struct registrar *registrar, const char *number)
{
	struct note *note = note_create(NOTE_REFRESH);

	if (!note)
		return;
	note->number = number ? e164_pack(number) : 0;
	if (number && !note->number)
		note_free(&note->mail);
	else
		post(registrar, note);
}

int registrar_order(struct registrar *registrar, const struct reg_order *order,
		    struct reg_outcome *ret_outcome)
{
	return added_order(registrar->added, order, ret_outcome);
}

int registrar_find_added(struct registrar *registrar, const char *number,
			 struct reg_added *ret_added)
{
	uint64_t packed = e164_pack(number);

	return packed ? added_find(registrar->added, packed, ret_added) : -ENOENT;
}

int registrar_check(struct registrar *registrar, const struct config *config,
		    struct str *ret_errors)
{
	return added_check(registrar->added, config, ret_errors);
}

int registrar_pause(struct registrar *registrar, const struct reg_pause *pause)
{
	struct reg_info info;
	int err = 0;

	if (pause->scope == PAUSE_NUMBER)
		err = registrar_lookup(registrar, pause->what, &info);
	if (!err)
		err = pauses_put(registrar->pauses, pause);
	if (!err)
		pauses_changed(registrar);
	return err;
}

int registrar_resume(struct registrar *registrar, enum pause_scope scope, const char *what,
		     const char *who)
{
	int err = pauses_end(registrar->pauses, scope, what, who);

	if (!err)
		pauses_changed(registrar);
	return err;
}

size_t registrar_pauses(struct registrar *registrar, struct reg_pause *ret_pauses, size_t room)
{
	return pauses_list(registrar->pauses, ret_pauses, room);
}

void registrar_judge(struct registrar *registrar, const struct registrar_verdict *verdict)
{
	struct note *note = note_create(NOTE_JUDGE);

	if (!note)
		return; /* the next one comes soon */
	note->verdict = *verdict;
	post(registrar, note);
}

int registrar_lookup(struct registrar *registrar, const char *number, struct reg_info *ret_info)
{
	uint64_t packed = e164_pack(number);

	return packed ? keeper_lookup(registrar->keeper, packed, ret_info) : -ENOENT;
}

bool registrar_store_ok(const struct registrar *registrar)
{
	return keeper_store_ok(registrar->keeper);
}

size_t registrar_attempts(struct registrar *registrar, const char *number,
			  struct reg_attempt *ret_attempts, size_t room)
{
	return keeper_attempts(registrar->keeper, e164_pack(number), ret_attempts, room);
}

void registrar_summary(struct registrar *registrar, struct registrar_summary *ret_summary)
{
	keeper_summary(registrar->keeper, ret_summary);
	consents_summary(registrar->consents, &ret_summary->consents);
	added_summary(registrar->added, &ret_summary->added);
}

void registrar_fleet(struct registrar *registrar, struct registrar_fleet *ret_fleet)
{
	memset(ret_fleet, 0, sizeof(*ret_fleet));
	if (!registrar->fleet)
		return;
	fleet_info(registrar->fleet, ret_fleet);
	keeper_fleet(registrar->keeper, ret_fleet);
}

int registrar_owner(struct registrar *registrar, const char *number, char ret_node[static 64])
{
	uint64_t packed = e164_pack(number);
	struct registrar_fleet fleet;
	unsigned owner;

	registrar_fleet(registrar, &fleet);
	owner = packed ? fleet.owner[lease_shard_of(packed)] : 0;
	if (!owner)
		return -ENOENT;
	snprintf(ret_node, sizeof(fleet.nodes[0].name), "%s", fleet.nodes[owner - 1].name);
	return 0;
}

int registrar_forget_node(struct registrar *registrar, const char *node, const char *who,
			  struct registrar_forgotten *ret_forgotten)
{
	struct fleet_forgotten_node forgotten = { 0 };
	int err = registrar->fleet ? fleet_forget_node(&registrar->postgres, node, who, &forgotten)
				   : -ENOTSUP;

	*ret_forgotten = (struct registrar_forgotten){ forgotten.shards, forgotten.seen_ms };
	return err;
}

size_t registrar_list(struct registrar *registrar, const char *after, size_t max,
		      void (*visit)(const struct reg_info *info, void *arg), void *arg)
{
	return keeper_list(registrar->keeper, after ? e164_pack(after) : 0, max, visit, arg);
}
