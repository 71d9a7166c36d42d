/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/registrar_inside.h"

#include <errno.h>
#include <stdlib.h>
#include "base/thread.h"
#include "proto/api.h"

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
			registrar_use_source(registrar, registrar->consents_from, now);
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
	consents_note(registrar->consents);
	if (registrar->resting) {
		added_rest(registrar->added, true);
		keeper_flush_all(registrar->keeper, clock_now());
		registrar->settled = keeper_settled(registrar->keeper);
	}
	registrar->rests = registrar->resting;
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
	note_post(registrar, note);
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
	note_post(registrar, note);
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
