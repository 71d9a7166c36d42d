/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/registrar_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/log.h"
#include "base/str.h"
#include "registrar/sources.h"

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
	note_post(registrar, note);
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

/* ---- sources of numbers ---- */

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
		note_say_later();
		free(take_numbers);
		return;
	}
	note->numbers = take_numbers;
	note->number_count = count;
	note_post(registrar, note);
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

/* ---- create ---- */

static int create_pauses(struct registrar *registrar, const struct config *config)
{
	return pauses_create(&registrar->pauses, config->store_sqlite,
			     config->postgres.conninfo ? &config->postgres : NULL);
}

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

static int create_keeper(struct registrar *registrar, const struct config *config,
			 atomic_size_t *loaded)
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
		.stands_in = config->no_numbers,
		.loaded = loaded,
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
	err = registrar_create_fleet(registrar, config, wanted);
	options.fleet = registrar->fleet;
	if (registrar->fleet)
		options.peers_serve = registrar_others_serve;
	if (!err)
		err = keeper_create(&registrar->keeper, &options, wanted, clock_now());
	if (!err && registrar->fleet) {
		wish = registrar_wish_of(config, wanted);
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

char *registrar_describe_store(const struct config *config)
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

int registrar_create(struct registrar **ret_registrar, const struct config *config,
		     atomic_size_t *loaded)
{
	struct registrar *registrar = calloc(1, sizeof(*registrar));
	int err;

	if (!registrar)
		return -ENOMEM;
	registrar->consent_serial = -1;
	registrar->store_settings = registrar_describe_store(config);
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
		err = create_keeper(registrar, config, loaded);
	if (!err)
		err = links_fetch(&registrar->links);
	if (err) {
		registrar_destroy(registrar);
		return err;
	}
	*ret_registrar = registrar;
	return 0;
}
