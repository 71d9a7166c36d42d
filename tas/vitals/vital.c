/* SPDX-License-Identifier: Apache-2.0 */
/* vital.c - see vital.h. */
#include "tas/vitals/vital.h"

#include <stdio.h>

static bool failed(struct vital *vital, const struct config_health_check *rules, const char *why,
		   mono_ms now)
{
	if (!vital->failing && !vital->sick)
		vital->since = now;
	vital->failing = true;
	vital->passing = 0;
	(void)snprintf(vital->why, sizeof(vital->why), "%s", why);
	if (vital->sick || now - vital->since < rules->sick_after_ms)
		return false;
	vital->sick = true;
	return true;
}

static bool passed(struct vital *vital, const struct config_health_check *rules, mono_ms now)
{
	vital->proven = true;
	vital->failing = false;
	if (!vital->passing)
		vital->passing = now;
	if (!vital->sick || now - vital->passing < rules->well_after_ms)
		return false;
	vital->sick = false;
	return true;
}

bool vital_heard(struct vital *vital, const struct config_health_check *rules, bool ok,
		 const char *why, mono_ms now)
{
	return ok ? passed(vital, rules, now) : failed(vital, rules, why, now);
}

bool vital_counts(const struct vital *vital, const struct config_health_check *rules)
{
	return vital->sick && (rules->does == HEALTH_DOES_WITHDRAW ||
			       (rules->does == HEALTH_DOES_PROVEN && vital->proven));
}

bool vital_is_due(struct vital *vital, const struct config_health_check *rules, mono_ms now)
{
	if (rules->does == HEALTH_DOES_NOTHING || now < vital->next)
		return false;
	vital->next = now + rules->every_ms;
	return true;
}
