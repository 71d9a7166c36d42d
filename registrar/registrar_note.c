/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/registrar_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "registrar/sources.h"

#define NAME_REST_MS 60000 /* a process that has our name has joined long before */

void note_free(struct mail *mail)
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

void registrar_use_source(struct registrar *registrar, unsigned tenant, mono_ms now)
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
	registrar_use_source(registrar, note->wanted->consents.tenant, now);
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

void note_say_later(void)
{
	log_error("registrar", "out of memory: numbers that were added, changed or deleted count "
			       "from the next reload on");
}

/* Registrar thread. */
static void reconsider(struct registrar *registrar, const struct note *note, mono_ms now)
{
	const struct sources sources = { registrar->consents, registrar->added };

	if (sources_reconsider(&sources, registrar->keeper, note->numbers, note->number_count, now))
		note_say_later();
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
			registrar_use_source(registrar, registrar->consents_from, now);
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

struct note *note_create(enum note_kind kind)
{
	struct note *note = calloc(1, sizeof(*note));

	if (!note)
		return NULL;
	note->kind = kind;
	note->mail.deliver = on_note;
	return note;
}

void note_post(struct registrar *registrar, struct note *take_note)
{
	mailbox_post(registrar->mailbox, &take_note->mail);
	api_client_wake(registrar->links.list[0].client);
}
