/* SPDX-License-Identifier: Apache-2.0 */
#include "base/breaker.h"

#include <string.h>

bool breaker_passes(struct breaker *breaker, mono_ms now)
{
	if (!breaker->open)
		return true;
	if (now < breaker->probe_ms)
		return false;
	breaker->probe_ms = now + BREAKER_PROBE_MS;
	return true;
}

bool breaker_failed(struct breaker *breaker, mono_ms now)
{
	mono_ms first;

	if (breaker->open)
		return false;
	breaker->failed_ms[breaker->oldest] = now;
	breaker->oldest = (breaker->oldest + 1) % BREAKER_FAILURES;
	first = breaker->failed_ms[breaker->oldest];
	if (first == 0 || now - first > BREAKER_WINDOW_MS)
		return false;
	breaker->open = true;
	breaker->probe_ms = now + BREAKER_PROBE_MS;
	return true;
}

bool breaker_worked(struct breaker *breaker)
{
	bool was_open = breaker->open;

	memset(breaker, 0, sizeof(*breaker));
	return was_open;
}
