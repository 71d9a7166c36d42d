/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/registrar_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash_siphash.h"
#include "base/log.h"

/* ---- what the database brings ---- */

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
	note_post(registrar, note);
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
		registrar_pauses_changed(registrar);
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
		note_post(registrar, note);
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

/* ---- create ---- */

static void mix(uint64_t *digest, const void *bytes, size_t length)
{
	const uint64_t key[2] = { *digest, length };

	*digest = siphash_2_4(key, bytes, length);
}

static void mix_text(uint64_t *digest, const char *text)
{
	mix(digest, text ? text : "", text ? strlen(text) : 0);
}

struct lease_wish registrar_wish_of(const struct config *config, const struct wanted *wanted)
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

int registrar_create_fleet(struct registrar *registrar, const struct config *config,
			   const struct wanted *wanted)
{
	struct fleet_options options = { .config = &config->postgres,
					 .stands_in = config->no_numbers,
					 .news = on_fleet_news,
					 .look = on_look,
					 .arg = registrar };

	if (!config->postgres.conninfo)
		return 0;
	options.wish = registrar_wish_of(config, wanted);
	return fleet_create(&registrar->fleet, &options);
}

/* ---- questions ---- */

bool registrar_others_serve(void *arg)
{
	const struct registrar *registrar = arg;

	return fleet_others_serve(registrar->fleet);
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
