/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/consent_say.h"

#include "base/e164.h"
#include "base/metrics.h"
#include "proto/api.h"

#define BURST     20 /* lines that the core can provoke */
#define PERIOD_MS 10000

static struct metric consents =
	METRIC_GAUGE_INIT("breakout_consents", NULL, "Numbers whose owners consent.");
static struct metric stream_up = METRIC_GAUGE_INIT(
	"breakout_consent_stream_up", NULL, "Whether the core's stream of consents is open.");
static struct metric last_event = METRIC_GAUGE_INIT("breakout_consent_last_event_timestamp_seconds",
						    NULL, "When the last consent event came.");
static struct metric redeliveries =
	METRIC_COUNTER_INIT("breakout_consent_redeliveries_total", NULL,
			    "Consent events that came again for want of an acknowledgement.");
static struct metric missing =
	METRIC_GAUGE_INIT("breakout_consents_held", NULL,
			  "Consents missing in the last list and not withdrawn: too many at once.");
static struct metric unknown =
	METRIC_GAUGE_INIT("breakout_consents_unknown", NULL,
			  "Consents of the last list whose numbers no event has told.");

#define EVENTS(kind)                                                                               \
	METRIC_COUNTER_INIT("breakout_consent_events_total", "kind=\"" kind "\"",                  \
			    "Consent events by kind.")
static struct metric events[] = { [CONSENT_ADDED] = EVENTS("added"),
				  [CONSENT_UPDATED] = EVENTS("updated"),
				  [CONSENT_REVOKED] = EVENTS("revoked") };
static struct metric odd_events = EVENTS("other");

#define ACKS(result)                                                                               \
	METRIC_COUNTER_INIT("breakout_consent_acks_total", "result=\"" result "\"",                \
			    "Acknowledgements of consent events by result.")
static struct metric acks_ok = ACKS("ok"), acks_failed = ACKS("failed");

#define LISTS(result)                                                                              \
	METRIC_COUNTER_INIT("breakout_consent_lists_total", "result=\"" result "\"",               \
			    "Lists of all consents by result.")
static struct metric lists_ok = LISTS("ok"), lists_held = LISTS("held"),
		     lists_failed = LISTS("failed");

void consent_say_count(size_t count)
{
	metric_set(&consents, (int64_t)count);
}

void consent_say_both(size_t count)
{
	if (count)
		log_notice("registrar",
			   "consents: %zu numbers are configured and consented: for them the "
			   "configuration holds, and they stay when the consent goes",
			   count);
}

void consent_say_lead(bool leads)
{
	log_info("registrar", leads ? "consents: this node reads them for the fleet"
				    : "consents: another node reads them for the fleet");
}

void consent_say_no_memory(void)
{
	log_error("registrar", "out of memory: a change of consents takes effect at the next "
			       "start or list");
}

void consent_say_event(struct consent_say *say, const struct consent_event *event)
{
	unsigned suppressed;
	const char *what = NULL;

	metric_add(event->known ? &events[event->change.kind] : &odd_events, 1);
	metric_add(&redeliveries, event->redelivered);
	metric_set(&last_event, clock_wall() / 1000);
	if (!event->known)
		what = "is of a kind this version does not know";
	else if (event->tenant)
		what = "is an operator's, for all its subscriptions: it names no number";
	else if (!event->change.number && !event->change.id[0])
		what = "names neither a number nor a subscription";
	if (what && log_limit_pass(&say->odd, BURST, PERIOD_MS, &suppressed))
		log_notice("registrar",
			   "consents: an event %s; acknowledged, nothing is done not_logged=%u",
			   what, suppressed);
}

void consent_say_change(struct consent_say *say, uint64_t number, bool given, bool configured)
{
	char text[E164_ROOM], masked[E164_ROOM];
	unsigned suppressed;

	if (!log_limit_pass(&say->changes, BURST, PERIOD_MS, &suppressed))
		return;
	e164_unpack(number, text);
	e164_mask(text, masked, sizeof(masked));
	log_notice("registrar", "reg=%s consent %s%s not_logged=%u", masked,
		   given ? "given" : "revoked",
		   !configured ? ""
		   : given     ? ": it is configured too, and the configuration holds"
			       : ": it stays registered, because the configuration names it; "
				 "remove it there",
		   suppressed);
}

void consent_say_written(struct consent_say *say, bool done, const char *why)
{
	if (!done && !say->write_failing)
		log_error("registrar",
			  "consents: the store cannot be written (%s): nothing is acknowledged, so "
			  "that the core tells it again; check the disk",
			  why);
	if (done && say->write_failing)
		log_notice("registrar", "consents: the store is written again");
	say->write_failing = !done;
}

void consent_say_acked(struct consent_say *say, enum api_status status, bool done)
{
	unsigned suppressed;

	metric_add(done ? &acks_ok : &acks_failed, 1);
	if (!done && log_limit_pass(&say->acks, 1, PERIOD_MS, &suppressed))
		log_notice("registrar",
			   "consents: an acknowledgement failed (%s), the event will come again "
			   "not_logged=%u",
			   status == API_OK ? "the core could not" : api_status_name(status),
			   suppressed);
}

void consent_say_stream(bool up)
{
	metric_set(&stream_up, up);
}

/* What to look at, for failures that do not heal. */
static const char *advice(enum api_status status)
{
	if (status == API_PERMISSION_DENIED)
		return "; check that core.api.client_id belongs to the product that is consented "
		       "to";
	if (status == API_UNIMPLEMENTED)
		return "; check core.api.target: this server does not know consents";
	return "";
}

void consent_say_stream_end(struct consent_say *say, enum api_status status, const char *details,
			    bool sound, mono_ms wait)
{
	char why[256];

	api_explain(why, sizeof(why), api_status_name(status), details);
	if (sound) {
		log_info("registrar", "consents: the stream has ended (%s), opened again", why);
		say->stream_failing = false;
		return;
	}
	if (!say->stream_failing)
		log_notice("registrar",
			   "consents: the stream of events ends at once (%s), next in "
			   "%lld ms%s",
			   why, (long long)wait, advice(status));
	say->stream_failing = true;
}

static void say_verdict(struct consent_say *say, const struct consent_verdict *verdict, bool told)
{
	metric_add(verdict->held ? &lists_held : &lists_ok, 1);
	metric_set(&missing, verdict->held ? (int64_t)verdict->missing : 0);
	metric_set(&unknown, (int64_t)verdict->unknown);
	if (verdict->held && !say->held)
		log_error("registrar",
			  "consents: the core's list of %zu lacks %zu that we have: nothing is "
			  "withdrawn. If they are really gone, set withdraw_at_most to %zu or more "
			  "under registrations, consents, and reload",
			  verdict->listed, verdict->missing, verdict->missing);
	else if (!verdict->held && say->held)
		log_notice("registrar", "consents: the list is what it should be again");
	else if (!verdict->held && verdict->missing)
		log_notice("registrar", "consents: %zu are withdrawn, the list does not name them",
			   verdict->missing);
	say->held = verdict->held;
	if (!told)
		return;
	if (verdict->unknown && verdict->unknown != say->unknown)
		log_notice(
			"registrar",
			"consents: no event has told the numbers of %zu in the core's list: they "
			"are not registered. Another name for queue reads all events again",
			verdict->unknown);
	say->unknown = verdict->unknown;
}

void consent_say_listed(struct consent_say *say, const struct consent_listed *listed, bool told)
{
	char why[256];

	if (listed->complete) {
		log_debug("registrar", "consents: listed=%zu missing=%zu returned=%zu unknown=%zu",
			  listed->verdict.listed, listed->verdict.missing, listed->verdict.returned,
			  listed->verdict.unknown);
		if (say->list_failing)
			log_notice("registrar", "consents: the list is complete again");
		say->list_failing = false;
		say_verdict(say, &listed->verdict, told);
		return;
	}
	metric_add(&lists_failed, 1);
	if (say->list_failing)
		return;
	say->list_failing = true;
	api_explain(why, sizeof(why),
		    listed->status == API_OK ? "not complete" : api_status_name(listed->status),
		    listed->why);
	log_notice("registrar",
		   "consents: the list cannot be read (%s): nothing is withdrawn by "
		   "it, next in %lld ms%s",
		   why, (long long)listed->wait, advice(listed->status));
}
