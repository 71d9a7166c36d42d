/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/registrar_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"
#include "base/log.h"

/* ---- orders ---- */

int registrar_reconfigure(struct registrar *registrar, const struct config *config,
			  struct registrar_cores *take_cores)
{
	char *store = registrar_describe_store(config);
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
	if (registrar->fleet) /* else there is nobody to compare it with */
		note->wish = registrar_wish_of(config, note->wanted);
	note->cores = take_cores;
	note->config = config->no_numbers ? NULL : config_ref(config);
	if (strcmp(store, registrar->store_settings))
		log_notice("registrar", "changes under store take effect at the next start, but "
					"for its version");
	free(store);
	note_post(registrar, note);
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
	note_post(registrar, note);
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
		note_post(registrar, note);
}

int registrar_order(struct registrar *registrar, const struct reg_order *order,
		    struct reg_outcome *ret_outcome)
{
	return added_order(registrar->added, order, ret_outcome);
}

int registrar_check(struct registrar *registrar, const struct config *config,
		    struct str *ret_errors)
{
	return added_check(registrar->added, config, ret_errors);
}

void registrar_pauses_changed(struct registrar *registrar)
{
	struct note *note = note_create(NOTE_PAUSE);

	if (note)
		note_post(registrar, note);
	else
		log_error("registrar", "out of memory: what was paused or resumed takes effect "
				       "with the next reload");
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
		registrar_pauses_changed(registrar);
	return err;
}

int registrar_resume(struct registrar *registrar, enum pause_scope scope, const char *what,
		     const char *who)
{
	int err = pauses_end(registrar->pauses, scope, what, who);

	if (!err)
		registrar_pauses_changed(registrar);
	return err;
}

void registrar_judge(struct registrar *registrar, const struct registrar_verdict *verdict)
{
	struct note *note = note_create(NOTE_JUDGE);

	if (!note)
		return; /* the next one comes soon */
	note->verdict = *verdict;
	note_post(registrar, note);
}

/* ---- questions ---- */

int registrar_find_added(struct registrar *registrar, const char *number,
			 struct reg_added *ret_added)
{
	uint64_t packed = e164_pack(number);

	return packed ? added_find(registrar->added, packed, ret_added) : -ENOENT;
}

size_t registrar_pauses(struct registrar *registrar, struct reg_pause *ret_pauses, size_t room)
{
	return pauses_list(registrar->pauses, ret_pauses, room);
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

size_t registrar_list(struct registrar *registrar, const char *after, size_t max,
		      void (*visit)(const struct reg_info *info, void *arg), void *arg)
{
	return keeper_list(registrar->keeper, after ? e164_pack(after) : 0, max, visit, arg);
}
