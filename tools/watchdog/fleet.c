/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.c - all nodes of a fleet, from beside one of them or from another machine.
 *
 * While any node lives, the nodes see to everything. When none does, every watchdog that
 * reaches the database joins the fleet as a member that only withdraws: leases, epochs and
 * row locks share the work out among them as among nodes, and the first node that comes back
 * is given all of it (lease.h). Before that the dead are buried: nobody need repeat for their
 * sake what they may be repeating.
 */
#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "registrar/reg_state.h"
#include "tools/ctl/ctl.h"
#include "tools/watchdog/watchdog.h"

#define ASK_CALM_MS 10000 /* between two questions to the daemon here, while all is well */
#define ASK_MS      1000  /* and while no node lives */

#define MANY     1000 /* are left: they are not counted at each look */
#define COUNT_MS 5000

#define MUTE_RETRY_MS 60000 /* after what we had was left to others */

int watch_fleet_begin(struct watchdog *watchdog)
{
	const struct config *config = watchdog->config;
	unsigned lease_ms = config->postgres.lease_ms, after_ms = config->health.watchdog_after_ms;

	roll_init(&watchdog->roll, lease_ms, config->health.watchdog_unseen_after_ms);
	absence_init(&watchdog->absence, after_ms > lease_ms ? after_ms : lease_ms, clock_now());
	return fleet_watch_create(&watchdog->fleet, &config->postgres, config->admin_socket);
}

/* ---- looking ---- */

/* Whether somebody listens there cannot be told without the rights to. */
static void say_barred(struct watchdog *watchdog)
{
	if (!watchdog->place.barred)
		log_error("watchdog",
			  "admin.socket %s may not be opened by this user: nobody sees whether the "
			  "node here is dead or only cut off from the database: run "
			  "breakout-watchdog as the daemon's user, or in its group",
			  watchdog->config->admin_socket);
	watchdog->place.barred = true;
}

/* Where nobody listens nobody lives. One that was too busy once is not dead. */
static void ask_here(struct watchdog *watchdog, mono_ms now)
{
	const char *socket_path = watchdog->config->admin_socket;
	struct place *place = &watchdog->place;
	bool calm = watchdog->absence.state == ABSENCE_PRESENT && !place->mute_since;
	int err;

	if (!ask_reaches(socket_path)) {
		*place = (struct place){ .answers = false };
		return;
	}
	if (place->asked && now - place->asked < (calm ? ASK_CALM_MS : ASK_MS))
		return;
	place->asked = now;
	err = withdraw_asks(socket_path, place->node);
	if (err == -EACCES) {
		say_barred(watchdog);
		return;
	}
	place->barred = false;
	if (!err) {
		place->answers = true;
		place->mute_since = 0;
	} else if (!place->mute_since) {
		place->mute_since = now;
	} else if (now - place->mute_since >= watchdog->roll.lease_ms) {
		place->answers = false;
	}
}

static void say_reach(struct watchdog *watchdog, int err)
{
	if (err && !watchdog->away)
		log_error("watchdog",
			  "the fleet's database (store.postgres): %s: nobody can see there whether "
			  "a node lives, and what is registered cannot be withdrawn",
			  fleet_watch_error(watchdog->fleet));
	else if (!err && watchdog->away)
		log_notice("watchdog", "the fleet's database answers again");
	watchdog->away = err;
}

/* Nobody knows what they did meanwhile: they have all their time, from now on. */
static void begin_anew(struct watchdog *watchdog, mono_ms now)
{
	struct absence *absence = &watchdog->absence;

	if (absence->state == ABSENCE_ACTING || absence->state == ABSENCE_DONE)
		return; /* they are dead, and are seen when they are back */
	watchdog->died = now;
	if (absence->state == ABSENCE_MISSING)
		absence_init(absence, (unsigned)absence->after_ms, now);
}

static bool take_in(struct watchdog *watchdog)
{
	struct place *place = &watchdog->place;
	struct fleet_sights sights;
	mono_ms now;
	int err = fleet_watch_look(
		watchdog->fleet,
		&(struct fleet_seen){ .barred = place->barred,
				      .answers = place->answers,
				      .node = place->node[0] ? place->node : NULL },
		&sights);

	say_reach(watchdog, err);
	if (err) {
		roll_missed(&watchdog->roll);
		return false;
	}
	now = clock_now();
	if (roll_look(&watchdog->roll, &sights, now))
		begin_anew(watchdog, now);
	if (watchdog->roll.last_life > watchdog->died)
		watchdog->died = watchdog->roll.last_life;
	return true;
}

/* ---- withdrawing ---- */

static void say_open(struct watchdog *watchdog, const struct roll_entry *who)
{
	if (watchdog->said_open)
		return;
	watchdog->said_open = true;
	log_error("watchdog",
		  "no node of the fleet beats, but node %s may be cut off from the database only, "
		  "and serve: nothing is withdrawn before a watchdog on its machine says that it "
		  "is dead, or it is silent for %lld s (health.watchdog.unseen_after)",
		  who->sight.name, (long long)(watchdog->roll.unseen_ms / 1000));
}

static int bury(struct watchdog *watchdog, mono_ms now)
{
	const struct roll *roll = &watchdog->roll;
	struct fleet_sights dead = { .count = roll->count };
	bool settled = withdraw_gone_ms(watchdog, now) >= REG_CONFIRM_MS;

	for (size_t i = 0; i < roll->count; i++) {
		dead.list[i] = roll->list[i].sight;
		settled = settled && roll_sure_of(roll, i, now);
	}
	return fleet_watch_bury(watchdog->fleet, &dead, settled);
}

/* ret_why: on failure. */
static int try_to_act(struct watchdog *watchdog, mono_ms now, const char **ret_why)
{
	size_t count;
	int err = fleet_watch_count(watchdog->fleet, watchdog->config, &count);

	if (!err && !count) {
		absence_acted(&watchdog->absence);
		log_notice("watchdog",
			   "no node of the fleet lives dead_ms=%lld: nothing is registered",
			   withdraw_gone_ms(watchdog, now));
		return 0;
	}
	if (!err)
		err = bury(watchdog, now);
	if (err) {
		*ret_why = fleet_watch_error(watchdog->fleet);
		return err;
	}
	err = withdraw_begin(watchdog, fleet_watch_member(watchdog->fleet));
	if (err) {
		*ret_why = strerror(-err);
		return err;
	}
	watchdog->told = now;
	watchdog->mute_since = watchdog->count_at = 0;
	log_error("watchdog",
		  "all nodes of the fleet are dead dead_ms=%lld: withdrawing registrations=%zu so "
		  "that calls go past us; start one, and they come back",
		  withdraw_gone_ms(watchdog, now), count);
	return 0;
}

static void act(struct watchdog *watchdog, mono_ms now)
{
	const struct roll_entry *who;
	const char *why;

	if (roll_life(&watchdog->roll, now, &who) != ROLL_DEAD) {
		say_open(watchdog, who);
		absence_could_not(&watchdog->absence);
		return;
	}
	withdraw_refresh_config(watchdog);
	if (!try_to_act(watchdog, now, &why))
		return;
	log_error("watchdog",
		  "cannot withdraw what the fleet has registered: %s; tried again in %d s: look at "
		  "the lines above, store.postgres and core.api",
		  why, WATCHDOG_RETRY_MS / 1000);
	withdraw_could_not(watchdog, now);
}

/* The core answers nothing here for so long, or there is no token for it. */
static mono_ms mute_ms(struct watchdog *watchdog, mono_ms now)
{
	struct registrar_summary summary;

	registrar_summary(watchdog->registrar, &summary);
	if (summary.token_ok && (!summary.api_asked || summary.api_up))
		watchdog->mute_since = 0;
	else if (!watchdog->mute_since)
		watchdog->mute_since = now;
	return watchdog->mute_since ? now - watchdog->mute_since : 0;
}

/* What others withdraw counts too: whoever is done stays to take over from who is not. */
static void look_how_far(struct watchdog *watchdog, mono_ms now)
{
	const char *here = fleet_watch_place(watchdog->fleet);
	size_t left;

	if (!watchdog->registrar || now < watchdog->count_at ||
	    fleet_watch_count(watchdog->fleet, watchdog->config, &left))
		return;
	if (left >= MANY)
		watchdog->count_at = now + COUNT_MS;
	if (left && mute_ms(watchdog, now) >= watchdog->absence.after_ms &&
	    roll_has_others(&watchdog->roll, here, now)) {
		log_error("watchdog",
			  "the core cannot be reached from here left=%zu: another watchdog gets "
			  "them; tried again in %d s",
			  left, MUTE_RETRY_MS / 1000);
		withdraw_could_not(watchdog, now);
		watchdog->retry_at = now + MUTE_RETRY_MS;
		return;
	}
	withdraw_tell(watchdog, left, now);
}

void watch_fleet(struct watchdog *watchdog)
{
	const struct roll_entry *who;
	struct vigil_sign sign = { .phase = VIGIL_SERVING };
	mono_ms now;

	ask_here(watchdog, clock_now());
	if (!take_in(watchdog))
		return;
	now = sign.beat = clock_now(); /* who hangs is silent, and no more than that */
	sign.alive = roll_life(&watchdog->roll, now, &who) == ROLL_LIVES;
	if (now < watchdog->retry_at && !sign.alive)
		return;
	switch (absence_see(&watchdog->absence, &sign, now)) {
	case ABSENCE_WENT:
		watchdog->absence.since = watchdog->died ? watchdog->died : now;
		log_notice("watchdog",
			   "no node of the fleet gives a sign: they have %lld ms to come back",
			   (long long)watchdog->absence.after_ms - withdraw_gone_ms(watchdog, now));
		break;
	case ABSENCE_ACT:
		act(watchdog, now);
		break;
	case ABSENCE_BACK:
		withdraw_end(watchdog);
		watchdog->said_open = false;
		log_notice("watchdog", "the fleet is there node=%s", who->sight.name);
		break;
	case ABSENCE_HANGS:
	case ABSENCE_NO_NEWS:
		look_how_far(watchdog, now);
		break;
	}
}
