/* SPDX-License-Identifier: Apache-2.0 */
/* stranded.c - services that lead nowhere at present. */
#include "tas/service/decision.h"
#include "tas/sip/watch.h"

struct line_tally {
	size_t known, down;
};

static void count_line(const struct sip_line_info *info, void *arg)
{
	struct line_tally *tally = arg;

	tally->known++;
	tally->down += info->state == HEALTH_DOWN;
}

bool service_trunk_is_down(const struct service_room *room, size_t trunk)
{
	struct line_tally tally = { 0, 0 };

	if (trunk >= room->trunk_count || !room->trunks[trunk].peer)
		return false;
	sip_peer_each_line(room->trunks[trunk].peer, count_line, &tally);
	return tally.known > 0 && tally.down == tally.known;
}

struct way {
	bool (*is_down)(size_t trunk, void *arg);
	void *arg;
	bool any, open;
};

static void look_at_trunk(struct way *way, size_t trunk)
{
	way->any = true;
	way->open = way->open || !way->is_down(trunk, way->arg);
}

static void look_at_action(struct way *way, const struct config_action *action)
{
	switch (action->kind) {
	case ACTION_DIAL:
		look_at_trunk(way, action->trunk);
		break;
	case ACTION_RING:
		for (size_t i = 0; i < action->target_count; i++) {
			if (action->targets[i].kind == TARGET_TRUNK)
				look_at_trunk(way, action->targets[i].trunk);
			else
				way->open = true;
		}
		break;
	case ACTION_ANNOUNCE:
		break;
	case ACTION_LOOP:
	case ACTION_DEVICE:
	case ACTION_ANSWER:
	case ACTION_VOICEMAIL:
	case ACTION_REJECT:
	case ACTION_REDIRECT:
	case ACTION_WEBHOOK:
		way->open = true;
		break;
	}
}

bool service_is_stranded(const struct config_service *service,
			 bool (*is_down)(size_t trunk, void *arg), void *arg)
{
	struct way way = { .is_down = is_down, .arg = arg };

	for (size_t i = 0; i < service->rule_count && !way.open; i++)
		for (size_t k = 0; k < service->rules[i].action_count && !way.open; k++)
			look_at_action(&way, &service->rules[i].actions[k]);
	return way.any && !way.open;
}
