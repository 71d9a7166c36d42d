/* SPDX-License-Identifier: Apache-2.0 */
/* absence.c - see absence.h. */
#include "tools/watchdog/absence.h"

#define START_PATIENCE 10   /* times as long: a start gives no signs while it reads */
#define STAYS_MAX_MS   5000 /* who came back has to stay for a while, not for long */

void absence_init(struct absence *absence, unsigned after_ms, mono_ms now)
{
	*absence = (struct absence){ .state = ABSENCE_MISSING, .after_ms = after_ms, .since = now };
}

static mono_ms stays_ms(const struct absence *absence)
{
	mono_ms half = absence->after_ms / 2;

	return half < STAYS_MAX_MS ? half : STAYS_MAX_MS;
}

static enum absence_news see_missing(struct absence *absence, const struct vigil_sign *sign,
				     mono_ms now)
{
	if (!sign->alive) {
		absence->back = 0;
		if (now - absence->since < absence->after_ms)
			return ABSENCE_NO_NEWS;
		absence->state = ABSENCE_ACTING;
		return ABSENCE_ACT;
	}
	if (!absence->back)
		absence->back = now;
	if (now - absence->back < stays_ms(absence))
		return ABSENCE_NO_NEWS;
	absence->state = ABSENCE_PRESENT;
	absence->back = 0;
	return ABSENCE_BACK;
}

static enum absence_news see_present(struct absence *absence, const struct vigil_sign *sign,
				     mono_ms now)
{
	mono_ms patience;

	if (!sign->alive) {
		absence->state = ABSENCE_MISSING;
		absence->since = now;
		return ABSENCE_WENT;
	}
	if (sign->phase == VIGIL_STOPPING) /* which the service manager bounds */
		return ABSENCE_NO_NEWS;
	patience = absence->after_ms * (sign->phase == VIGIL_STARTING ? START_PATIENCE : 1);
	return now - sign->beat >= patience ? ABSENCE_HANGS : ABSENCE_NO_NEWS;
}

enum absence_news absence_see(struct absence *absence, const struct vigil_sign *sign, mono_ms now)
{
	switch (absence->state) {
	case ABSENCE_PRESENT:
		return see_present(absence, sign, now);
	case ABSENCE_MISSING:
		return see_missing(absence, sign, now);
	case ABSENCE_ACTING:
	case ABSENCE_DONE:
		break;
	}
	if (!sign->alive)
		return ABSENCE_NO_NEWS;
	absence->state = ABSENCE_PRESENT;
	return ABSENCE_BACK;
}

void absence_acted(struct absence *absence)
{
	absence->state = ABSENCE_DONE;
}

void absence_could_not(struct absence *absence)
{
	absence->state = ABSENCE_MISSING;
}
