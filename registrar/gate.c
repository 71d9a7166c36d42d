/* SPDX-License-Identifier: Apache-2.0 */
/* gate.c - see gate.h. */
#include "registrar/gate.h"

#include <string.h>
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"

static struct metric seconds_to_native = METRIC_GAUGE_INIT(
	"breakout_seconds_to_native", NULL,
	"From the first sign of trouble until the core had confirmed that no withheld "
	"registration is left; while that lasts, so far.");

static struct metric closed_gauge =
	METRIC_GAUGE_INIT("breakout_gate_closed", NULL,
			  "1 while registrations are kept from the core because we are sick.");

uint64_t registrar_config_id(const struct config *config)
{
	return hash_bytes(config->version, strlen(config->version));
}

static bool service_is_sick(const struct gate *gate, uint32_t service)
{
	return gate->verdict.config == gate->config && service < REGISTRAR_SERVICES_MAX &&
	       gate->verdict.services[service / 64] >> (service % 64) & 1;
}

static bool any_service(const struct registrar_verdict *verdict)
{
	static const uint64_t none[REGISTRAR_SERVICES_MAX / 64];

	return memcmp(verdict->services, none, sizeof(none)) != 0;
}

/* Not while others serve: then they do it better than the bare core. */
static void defer(struct gate *gate, bool sick)
{
	bool deferred = sick && gate->peers_serve && gate->peers_serve(gate->arg);

	if (deferred && !gate->deferred)
		log_notice("registrar",
			   "sick (%s), but others of the fleet serve: nothing is deleted",
			   gate->verdict.why);
	gate->deferred = deferred;
}

bool gate_judge(struct gate *gate, const struct registrar_verdict *verdict)
{
	struct registrar_verdict before = gate->verdict;
	bool was_deferred = gate->deferred;

	gate->verdict = *verdict;
	defer(gate, verdict->sick);
	return before.sick != verdict->sick || before.config != verdict->config ||
	       was_deferred != gate->deferred ||
	       memcmp(before.services, verdict->services, sizeof(before.services)) != 0;
}

bool gate_knows(const struct gate *gate)
{
	return gate->verdict.sick || gate->verdict.config == gate->config ||
	       !any_service(&gate->verdict);
}

bool gate_holds(const struct gate *gate, uint32_t service)
{
	return (gate->verdict.sick && !gate->deferred) || service_is_sick(gate, service);
}

const char *gate_why(const struct gate *gate, uint32_t service)
{
	return service_is_sick(gate, service) ? gate->verdict.services_why : gate->verdict.why;
}

/* Calls of sick services fail for certain; those of loops stand in the subscriber's
 * own calls, those of forks and fall-backs only beside them; INGRESS takes none. */
unsigned gate_rank(const struct gate *gate, uint32_t service, enum route_type type)
{
	if (service_is_sick(gate, service))
		return 0;
	switch (type) {
	case ROUTE_TYPE_LOOP:
	case ROUTE_TYPE_LOOP_MO:
	case ROUTE_TYPE_LOOP_MT:
		return 1;
	case ROUTE_TYPE_FORK:
	case ROUTE_TYPE_FALLBACK:
		return 2;
	case ROUTE_TYPE_NONE:
	case ROUTE_TYPE_INGRESS:
	case ROUTE_TYPE_COUNT:
		break;
	}
	return 3;
}

static void begin(struct gate *gate, size_t held, mono_ms now)
{
	const struct registrar_verdict *verdict = &gate->verdict;
	mono_ms since = verdict->sick ? verdict->since : verdict->services_since;

	gate->began = since && since < now ? since : now;
	gate->native = false;
	metric_set(&closed_gauge, 1);
	log_error("registrar",
		  "gate closed registrations=%zu why=\"%s\": they are deleted at the core, so that "
		  "calls go past us; mend what is sick, then they come back by themselves",
		  held, verdict->sick ? verdict->why : verdict->services_why);
}

static void end(struct gate *gate, mono_ms now)
{
	log_notice("registrar", "gate open after_s=%lld: what was withheld is registered again",
		   (long long)((now - gate->began) / 1000));
	gate->began = 0;
	metric_set(&closed_gauge, 0);
}

void gate_note(struct gate *gate, size_t held, size_t told, mono_ms now)
{
	if (held && !gate->began)
		begin(gate, held, now);
	if (!gate->began)
		return;
	if (!held) {
		end(gate, now);
		return;
	}
	if (told) {
		gate->native = false;
	} else if (!gate->native) {
		gate->native = true;
		gate->native_ms = now - gate->began;
		log_notice("registrar",
			   "gate: all withheld are deleted, held=%zu to_native_ms=%lld", held,
			   (long long)gate->native_ms);
	}
	metric_set(&seconds_to_native,
		   gate->native ? (gate->native_ms + 999) / 1000 : (now - gate->began) / 1000);
}
