/* SPDX-License-Identifier: Apache-2.0 */
/* roll.c - see roll.h. */
#include "tools/watchdog/roll.h"

#include <string.h>

void roll_init(struct roll *roll, mono_ms lease_ms, mono_ms unseen_ms)
{
	*roll = (struct roll){ .lease_ms = lease_ms, .unseen_ms = unseen_ms };
}

/* ---- looking ---- */

static const struct roll_entry *find(const struct roll *roll, const struct fleet_sight *sight)
{
	for (size_t i = 0; i < roll->count; i++)
		if (!strcmp(roll->list[i].sight.name, sight->name) &&
		    !strcmp(roll->list[i].sight.place, sight->place))
			return &roll->list[i];
	return NULL;
}

/* Whether it beats is known of one that has joined since the last look, too. */
static struct roll_entry compare(const struct roll_entry *before, const struct fleet_sight *sight,
				 bool anew, mono_ms now)
{
	struct roll_entry entry = { .sight = *sight, .since = now, .watch_since = now };

	if (anew)
		return entry;
	if (before && before->sight.session == sight->session &&
	    before->sight.beat == sight->beat) {
		entry.since = before->since;
		entry.moved = before->moved;
	} else {
		entry.moved = sight->session != 0;
	}
	if (before && before->sight.watch_beat == sight->watch_beat) {
		entry.watch_since = before->watch_since;
		entry.watch_moved = before->watch_moved;
	} else {
		entry.watch_moved = true;
	}
	return entry;
}

/* What was seen by this look, not what lasts from earlier ones. */
static bool gave_sign(const struct roll_entry *entry, mono_ms now)
{
	return (entry->moved && entry->since == now) ||
	       (entry->watch_moved && entry->watch_since == now && entry->sight.answers);
}

bool roll_look(struct roll *roll, const struct fleet_sights *sights, mono_ms now)
{
	bool anew = !roll->looked || now - roll->looked > ROLL_GAP_MS;
	struct roll before = *roll;

	roll->looked = now;
	roll->count = sights->count;
	for (size_t i = 0; i < sights->count; i++) {
		roll->list[i] =
			compare(find(&before, &sights->list[i]), &sights->list[i], anew, now);
		if (gave_sign(&roll->list[i], now))
			roll->last_life = now;
	}
	return anew;
}

void roll_missed(struct roll *roll)
{
	roll->looked = 0;
}

/* ---- judging ---- */

enum roll_watched { WATCHED_NOT, WATCHED_PERHAPS, WATCHED };

static enum roll_watched watched(const struct roll_entry *entry, mono_ms now)
{
	if (!entry->sight.place[0] || now - entry->watch_since > ROLL_GAP_MS)
		return WATCHED_NOT;
	return entry->watch_moved ? WATCHED : WATCHED_PERHAPS;
}

enum roll_life roll_life_of(const struct roll *roll, size_t index, mono_ms now)
{
	const struct roll_entry *entry = &roll->list[index];
	const struct fleet_sight *sight = &entry->sight;
	enum roll_watched by = watched(entry, now);
	bool silent = now - entry->since >= roll->lease_ms;

	if (by == WATCHED && sight->answers)
		return ROLL_LIVES;
	if (sight->session && entry->moved && !silent)
		return ROLL_LIVES;
	if (!sight->member)
		return by == WATCHED_PERHAPS && sight->answers ? ROLL_OPEN : ROLL_DEAD;
	if (!silent)
		return ROLL_OPEN;
	if (by == WATCHED || now - entry->since >= roll->unseen_ms)
		return ROLL_DEAD;
	return ROLL_OPEN;
}

bool roll_sure_of(const struct roll *roll, size_t index, mono_ms now)
{
	const struct roll_entry *entry = &roll->list[index];

	return roll_life_of(roll, index, now) == ROLL_DEAD &&
	       (!entry->sight.member || watched(entry, now) == WATCHED);
}

bool roll_has_others(const struct roll *roll, const char *place, mono_ms now)
{
	for (size_t i = 0; i < roll->count; i++)
		if (watched(&roll->list[i], now) == WATCHED &&
		    strcmp(roll->list[i].sight.place, place) != 0)
			return true;
	return false;
}

enum roll_life roll_life(const struct roll *roll, mono_ms now, const struct roll_entry **ret_who)
{
	enum roll_life all = ROLL_DEAD;
	const struct roll_entry *who = NULL;

	for (size_t i = 0; i < roll->count; i++) {
		enum roll_life one = roll_life_of(roll, i, now);

		if (who && one >= all)
			continue;
		all = one;
		who = &roll->list[i];
	}
	if (ret_who)
		*ret_who = who;
	return all;
}
