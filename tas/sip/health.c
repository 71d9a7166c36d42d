/* SPDX-License-Identifier: Apache-2.0 */
/* health.c - see health.h. */
#include "tas/sip/health.h"

const char *health_state_name(enum health_state state)
{
	switch (state) {
	case HEALTH_UNKNOWN:
		return "unknown";
	case HEALTH_UP:
		return "up";
	case HEALTH_DOWN:
		return "down";
	}
	return "?";
}

void health_init(struct health *health)
{
	*health = (struct health){ .since_ms = clock_now() };
}

/* The only function that writes health->state. True for a change worth telling:
 * the first answer of all is none. */
static bool enter(struct health *health, enum health_state state)
{
	bool told = health->state != state && (health->state || state == HEALTH_DOWN);

	if (health->state == state)
		return false;
	*health = (struct health){ .state = state, .since_ms = clock_now() };
	return told;
}

bool health_probe(struct health *health, const struct health_rules *rules, bool answered)
{
	if (!answered) {
		health->probes_answered = 0;
		return ++health->probes_failed >= rules->down_after && enter(health, HEALTH_DOWN);
	}
	health->probes_failed = 0;
	health->probes_answered++;
	if (health->state == HEALTH_DOWN && health->probes_answered < rules->up_after)
		return false;
	return enter(health, HEALTH_UP);
}

bool health_call(struct health *health, const struct health_rules *rules, enum health_call what)
{
	if (what == HEALTH_CALL_ANSWERED) {
		health->calls_failed = 0;
		return enter(health, HEALTH_UP);
	}
	health->calls_failed++;
	if (what != HEALTH_CALL_SILENT && health->calls_failed < rules->down_after)
		return false;
	return enter(health, HEALTH_DOWN);
}
