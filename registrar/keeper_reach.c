/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_reach.c - a node that reaches the fleet's database but not the core leaves its
 * numbers to nodes that do. */
#include "base/log.h"
#include "registrar/keeper_inside.h"

#define MUTE_MIN_MS   45000
#define AGAIN_DOUBLES 2

/* A tenth of the shortest TTL: at least four more are left then, for the others. Who has
 * left tries anew after half of that, at most twice: the others may be cut off meanwhile. */
static mono_ms patience(const struct keeper *keeper)
{
	uint32_t ttl_s = REG_TTL_DEFAULT_S;

	for (size_t i = 0; i < keeper->lane_count; i++)
		if (!keeper->lanes[i].left && keeper->lanes[i].ttl_s &&
		    keeper->lanes[i].ttl_s < ttl_s)
			ttl_s = keeper->lanes[i].ttl_s;
	return ttl_s * 100 > MUTE_MIN_MS ? ttl_s * 100 : MUTE_MIN_MS;
}

/* One of them will do: shards have numbers of all tenants. */
static bool any_token(const struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->lane_count; i++)
		if (keeper->lanes[i].token_ok && !keeper->lanes[i].left)
			return true;
	return false;
}

static void leave(struct keeper *keeper, mono_ms now)
{
	struct reach *reach = &keeper->shards.reach;

	log_error("registrar",
		  "the core answers nothing here for %lld s, and other nodes of the fleet serve: "
		  "they get our %zu numbers; see whether the core's API can be reached from here",
		  (long long)((now - reach->mute_since) / 1000), keeper->shards.numbers);
	reach->left = true;
	reach->again_at = now + (patience(keeper) / 2 << reach->times);
	reach->times += reach->times < AGAIN_DOUBLES;
	fleet_is_cut_off(keeper->options.fleet, true);
}

static void come_back(struct keeper *keeper)
{
	keeper->shards.reach.left = false;
	keeper->shards.reach.mute_since = 0;
	fleet_is_cut_off(keeper->options.fleet, false);
}

void shards_heard(struct keeper *keeper, const struct reg *reg, mono_ms now)
{
	struct reach *reach = &keeper->shards.reach;

	if (!keeper_lane(keeper, reg)->api_up) {
		if (!reach->mute_since)
			reach->mute_since = now;
		reach->tokenless = false;
		return;
	}
	reach->mute_since = 0;
	reach->times = 0;
	if (reach->left)
		come_back(keeper);
}

/* Once there is one nothing speaks against the core, also if nothing is due for long. */
static void note_token(struct keeper *keeper, mono_ms now)
{
	struct reach *reach = &keeper->shards.reach;

	if (any_token(keeper)) {
		if (reach->tokenless)
			reach->mute_since = 0;
		reach->tokenless = false;
	} else if (!reach->mute_since) {
		reach->mute_since = now;
		reach->tokenless = true;
	}
}

/* Only while there are others: if nobody reaches the core, all keep what they have. Who
 * has left has nothing to find out with, so it takes its share again after a while. */
void shards_judge_reach(struct keeper *keeper, mono_ms now)
{
	struct reach *reach = &keeper->shards.reach;

	note_token(keeper, now);
	if (!reach->left && reach->mute_since && now - reach->mute_since >= patience(keeper) &&
	    fleet_others_serve(keeper->options.fleet))
		leave(keeper, now);
	else if (reach->left && now >= reach->again_at && any_token(keeper) &&
		 fleet_others_serve(keeper->options.fleet))
		come_back(keeper);
}
