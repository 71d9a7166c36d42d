/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - one daemon, beside us on its machine. vigil.h says how the two keep apart. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "tools/watchdog/watchdog.h"

#define ASK_MS 10000 /* between two questions to one that hangs */

static bool answers(const struct watchdog *watchdog)
{
	char node[LEASE_NAME_ROOM];

	return !withdraw_asks(watchdog->config->admin_socket, node);
}

static void act(struct watchdog *watchdog, mono_ms now)
{
	const struct config *config;
	int err;

	withdraw_refresh_config(watchdog);
	config = watchdog->config;
	if (answers(watchdog)) { /* on another store, or before its locks */
		log_error("watchdog",
			  "no breakoutd has the store %s, but one answers at %s: nothing is "
			  "withdrawn; both have to be of one configuration",
			  config->store_sqlite, config->admin_socket);
		withdraw_could_not(watchdog, now);
		return;
	}
	if (access(config->store_sqlite, F_OK) < 0) {
		absence_acted(&watchdog->absence); /* nothing was ever registered */
		return;
	}
	err = vigil_stand_in(&watchdog->vigil, config->store_sqlite);
	if (!err)
		err = withdraw_begin(watchdog, NULL);
	if (err) {
		if (err != -EBUSY) /* the daemon, at the last moment */
			log_error("watchdog",
				  "cannot withdraw from %s: %s; tried again in %d s: look at the "
				  "lines above, the rights of that folder and core.api",
				  config->store_sqlite, strerror(-err), WATCHDOG_RETRY_MS / 1000);
		withdraw_could_not(watchdog, now);
		return;
	}
	watchdog->told = now;
	log_error("watchdog",
		  "breakoutd is dead dead_ms=%lld: withdrawing registrations=%zu so that calls "
		  "go past us; start it, and they come back",
		  withdraw_gone_ms(watchdog, now), withdraw_left(watchdog));
}

/* ---- one that hangs ---- */

/* Its calls count more than its registrations: one that serves them is left alone. */
static void see_to_hanging(struct watchdog *watchdog, const struct vigil_sign *sign, mono_ms now)
{
	if (watchdog->asked && now - watchdog->asked < ASK_MS)
		return;
	watchdog->asked = now;
	if (answers(watchdog)) {
		log_error("watchdog",
			  "breakoutd pid=%d takes calls, but what keeps its registrations has not "
			  "moved for %lld ms: restart it when calls allow",
			  (int)sign->pid, (long long)(now - sign->beat));
		return;
	}
	if (!watchdog->config->health.watchdog_kills || sign->pid <= 0) {
		log_error("watchdog",
			  "breakoutd pid=%d hangs for %lld ms and answers nobody: kill it "
			  "(health.watchdog.kill_hung is false)",
			  (int)sign->pid, (long long)(now - sign->beat));
		return;
	}
	log_error("watchdog", "breakoutd pid=%d hangs for %lld ms and answers nobody: killed",
		  (int)sign->pid, (long long)(now - sign->beat));
	if (kill(sign->pid, SIGKILL) < 0)
		log_error("watchdog", "it cannot be killed: %s", strerror(errno));
}

/* ---- looking ---- */

void watch_daemon(struct watchdog *watchdog)
{
	mono_ms now = clock_now();
	struct vigil_sign sign;

	vigil_look(watchdog->config->store_sqlite, &sign);
	if (sign.alive)
		watchdog->died = sign.beat;
	if (now < watchdog->retry_at && !sign.alive)
		return;
	switch (absence_see(&watchdog->absence, &sign, now)) {
	case ABSENCE_WENT:
		log_notice("watchdog", "breakoutd is gone: it has %lld ms to come back",
			   (long long)watchdog->absence.after_ms);
		break;
	case ABSENCE_ACT:
		act(watchdog, now);
		break;
	case ABSENCE_BACK:
		withdraw_end(watchdog);
		watchdog->asked = 0; /* another one was */
		log_notice("watchdog", "breakoutd is there pid=%d", (int)sign.pid);
		break;
	case ABSENCE_HANGS:
		see_to_hanging(watchdog, &sign, now);
		break;
	case ABSENCE_NO_NEWS:
		if (watchdog->registrar)
			withdraw_tell(watchdog, withdraw_left(watchdog), now);
		break;
	}
}
