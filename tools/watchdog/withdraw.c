/* SPDX-License-Identifier: Apache-2.0 */
/* withdraw.c - what the dead left registered.
 *
 * The store says what the core was told of; a registrar that wants none of it takes it all
 * back, paced and resumed as ever, and in the order of keeper_order.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "tools/ctl/ctl.h"
#include "tools/watchdog/watchdog.h"

#define ANSWER_S 3     /* a daemon has two seconds to say that it is busy */
#define TELL_MS  10000 /* between two words on how far it is */
#define GRACE_MS 5000  /* in a fleet: for what is out, so that it is handed on in good order */

/* ---- the configuration ---- */

struct config *withdraw_read_config(const char *path, bool say)
{
	struct config *config = NULL;
	struct str findings = { 0 };
	const struct config_sources sources = { .path = path, .environment = environ };
	int err = config_load_from(&sources, &config, &findings);

	if (err && say)
		fputs(findings.text ? findings.text : "out of memory\n", stderr);
	str_done(&findings);
	return err ? NULL : config;
}

static bool same_store(const struct config *a, const struct config *b)
{
	if (a->postgres.conninfo && b->postgres.conninfo)
		return !strcmp(a->postgres.conninfo, b->postgres.conninfo);
	return a->store_sqlite && b->store_sqlite;
}

void withdraw_refresh_config(struct watchdog *watchdog)
{
	struct config *fresh = withdraw_read_config(watchdog->path, false);

	if (!fresh || !same_store(fresh, watchdog->config)) {
		config_destroy(fresh);
		log_notice("watchdog",
			   "%s is not sound, or of another store: what was read before counts",
			   watchdog->path);
		return;
	}
	config_destroy(watchdog->config);
	watchdog->config = fresh;
}

/* ---- withdrawing ---- */

int withdraw_begin(struct watchdog *watchdog, const char *member)
{
	struct config nothing;
	struct config_tenant tenants[CONFIG_TENANTS];
	int err;

	config_without_numbers(watchdog->config, &nothing);
	for (size_t i = 0; i < nothing.tenant_count; i++)
		tenants[i] = nothing.tenants[i];
	nothing.tenants = tenants;
	for (size_t i = 0; nothing.health.rate && i < nothing.tenant_count; i++)
		tenants[i].api.max_rate = nothing.health.rate;
	if (nothing.health.rate)
		nothing.core.api.max_rate = nothing.health.rate;
	if (member) { /* without the database it says nothing, so nobody need wait for it */
		nothing.postgres.node = (char *)member;
		nothing.postgres.alone_s = 0;
	}
	err = registrar_create(&watchdog->registrar, &nothing, NULL);
	return err ? err : registrar_start(watchdog->registrar);
}

size_t withdraw_left(struct watchdog *watchdog)
{
	struct registrar_summary summary;
	size_t left = 0;

	registrar_summary(watchdog->registrar, &summary);
	for (int i = 0; i < REG_STATE_COUNT; i++)
		left += summary.by_state[i];
	return left;
}

void withdraw_end(struct watchdog *watchdog)
{
	if (watchdog->registrar && watchdog->fleet)
		registrar_stop(watchdog->registrar, /* withdraw= */ false, GRACE_MS);
	watchdog->registrar = registrar_destroy(watchdog->registrar);
	watchdog->vigil = vigil_leave(watchdog->vigil);
}

void withdraw_could_not(struct watchdog *watchdog, mono_ms now)
{
	withdraw_end(watchdog);
	absence_could_not(&watchdog->absence);
	watchdog->retry_at = now + WATCHDOG_RETRY_MS;
}

long long withdraw_gone_ms(const struct watchdog *watchdog, mono_ms now)
{
	return (long long)(now - (watchdog->died ? watchdog->died : watchdog->absence.since));
}

void withdraw_tell(struct watchdog *watchdog, size_t left, mono_ms now)
{
	if (!left) {
		withdraw_end(watchdog);
		absence_acted(&watchdog->absence);
		log_notice("watchdog", "all withdrawn to_native_ms=%lld",
			   withdraw_gone_ms(watchdog, now));
	} else if (now - watchdog->told >= TELL_MS) {
		watchdog->told = now;
		log_notice("watchdog", "withdrawing left=%zu dead_ms=%lld", left,
			   withdraw_gone_ms(watchdog, now));
	}
}

/* ---- asking ---- */

int withdraw_asks(const char *socket_path, char ret_node[static LEASE_NAME_ROOM])
{
	json_t *answer = NULL;
	const char *node;
	int err = ask_within(socket_path, "status", ANSWER_S, &answer);

	if (!err && json_object_get(answer, "error"))
		err = -EBUSY;
	node = json_string_value(json_object_get(json_object_get(answer, "fleet"), "node"));
	snprintf(ret_node, LEASE_NAME_ROOM, "%s", !err && node ? node : "");
	json_decref(answer);
	return err;
}
