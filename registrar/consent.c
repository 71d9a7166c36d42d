/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/consent.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "registrar/consent_deleted.h"
#include "registrar/consent_list.h"
#include "registrar/consent_say.h"
#include "registrar/consent_set.h"
#include "registrar/consent_share.h"
#include "registrar/consent_store.h"
#include "registrar/consent_wire.h"
#include "registrar/keeper.h"
#include "registrar/reg_state.h"

#define COMMIT_MS       10 /* events that come together share a commit */
#define COMMIT_RETRY_MS 5000
#define PENDING_MAX     1000 /* more than the core may send before acknowledgements */
/* The core ends a stream after an hour (wgtwo/events/v1/events.proto): we are first, at a
 * moment of our own. */
#define STREAM_LIFE_MS   (55 * 60000)
#define TOLD_MS          30000 /* by then a stream has told what waited for it */
#define STREAM_SOUND_MS  60000 /* having lived so long, it is opened again at once */
#define RETRY_FIRST_MS   500
#define RETRY_MAX_MS     30000
#define RETRY_REFUSED_MS 300000 /* the core will not let us: a person has to mend that */

/* An event on its way to the disk. */
struct event {
	struct consent_change change;
	bool known, tenant;
	char id[CONSENT_ID_ROOM];
	char *name; /* own; what acknowledges it */
};

struct effect {
	uint64_t number;
	bool given;
};

struct consents {
	struct consent_options options;
	struct consent_plan plan;
	struct consent_store *store; /* NULL: never wanted so far */
	struct consent_share *share; /* NULL: no fleet */
	uint64_t epoch;              /* under which we lead it; 0: another node does */
	struct consent_list *list;
	char *token; /* NULL: none in hand */
	bool stopped, deaf;

	struct consent_set set; /* the configuration's own numbers */

	struct api_stream *stream; /* NULL: none open */
	mono_ms opened_ms, open_at, turn_at;
	unsigned failures; /* in a row */

	struct event *events; /* own; waiting for the commit */
	size_t event_count;
	mono_ms commit_at;      /* 0: nothing to write */
	struct effect *effects; /* own; of the transaction under way */
	size_t effect_count, effect_room;
	struct consent_deleted deleted;

	struct consent_say say;
	pthread_mutex_t lock; /* of what stands below */
	struct registrar_consents summary;
};

/* ---- effects ---- */

static void on_effect(uint64_t number, bool given, void *arg)
{
	struct consents *consents = arg;

	if (consents->effect_count == consents->effect_room) {
		size_t room = consents->effect_room * 2 + 64;
		struct effect *grown = reallocarray(consents->effects, room, sizeof(*grown));

		if (!grown) {
			consent_say_no_memory();
			return;
		}
		consents->effects = grown;
		consents->effect_room = room;
	}
	consents->effects[consents->effect_count++] = (struct effect){ number, given };
}

static int compare_effects(const void *a, const void *b)
{
	const struct effect *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* What the keeper hears of: each number once, as it stands now. */
static size_t gather(struct consents *consents, struct wanted_number *numbers)
{
	size_t count = 0;

	qsort(consents->effects, consents->effect_count, sizeof(*consents->effects),
	      compare_effects);
	for (size_t i = 0; i < consents->effect_count; i++) {
		uint64_t number = consents->effects[i].number;
		bool given;

		if (i && number == consents->effects[i - 1].number)
			continue;
		given = consent_store_has(consents->store, number);
		consent_say_change(&consents->say, number, given,
				   consent_set_has(&consents->set, number));
		if (consent_set_has(&consents->set, number) ||
		    (consents->options.claimed &&
		     consents->options.claimed(number, consents->options.arg)))
			continue;
		numbers[count] = consent_wanted(&consents->plan, number);
		if (!given)
			numbers[count].route_type = ROUTE_TYPE_NONE;
		count++;
	}
	return count;
}

static void count_effects(struct consents *consents)
{
	pthread_mutex_lock(&consents->lock);
	for (size_t i = 0; i < consents->effect_count; i++)
		consents->summary.count += consents->effects[i].given ? 1 : (size_t)-1;
	consent_say_count(consents->summary.count);
	pthread_mutex_unlock(&consents->lock);
}

/* After a commit. */
static void take_effect(struct consents *consents)
{
	struct wanted some = *consents->set.texts; /* borrowed */

	if (!consents->effect_count)
		return;
	count_effects(consents);
	some.numbers = calloc(consents->effect_count, sizeof(*some.numbers));
	if (some.numbers)
		some.count = gather(consents, some.numbers);
	else
		consent_say_no_memory();
	consents->effect_count = 0;
	if (some.count && consents->plan.wanted)
		consents->options.changed(&some, consents->options.arg);
	free(some.numbers);
}

static bool commit(struct consents *consents, const char **ret_why)
{
	bool done = !consent_store_commit(consents->store, ret_why);

	if (done)
		take_effect(consents);
	consents->effect_count = 0;
	return done;
}

/* ---- requests ---- */

static struct api_call_options call_options(const struct consents *consents)
{
	return (struct api_call_options){ .token = consents->token,
					  .deadline_ms = consents->options.deadline_ms };
}

/* True: it was for the token, and comes again with the next one. */
static bool refused_token(struct consents *consents, enum api_status status)
{
	if (status != API_UNAUTHENTICATED || !consents->options.needs_token)
		return false;
	if (consents->token)
		consents->options.token_refused(consents->token, consents->options.arg);
	consents_token(consents, NULL);
	return true;
}

static bool may_ask(const struct consents *consents)
{
	return consents->plan.wanted && !consents->stopped && consents->options.client &&
	       (!consents->share || consents->epoch) &&
	       (consents->token || !consents->options.needs_token);
}

static mono_ms retry_in(struct consents *consents, enum api_status status)
{
	unsigned doublings = consents->failures < 6 ? consents->failures : 6;
	mono_ms most = (mono_ms)RETRY_FIRST_MS << doublings;

	if (most > RETRY_MAX_MS)
		most = RETRY_MAX_MS;
	if (status == API_PERMISSION_DENIED || status == API_UNIMPLEMENTED)
		most = RETRY_REFUSED_MS;
	consents->failures++;
	return (mono_ms)((0.5 + 0.5 * reg_random(&consents->options.seed)) * (double)most);
}

static void on_acked(enum api_status status, bool done, void *arg)
{
	struct consents *consents = arg;

	if (consents->deaf)
		return;
	(void)refused_token(consents, status);
	done = done && status == API_OK;
	consent_say_acked(&consents->say, status, done);
	pthread_mutex_lock(&consents->lock);
	if (done)
		consents->summary.acks++;
	else
		consents->summary.acks_failed++;
	pthread_mutex_unlock(&consents->lock);
}

/* Not acknowledged, it comes again and finds that all is done. */
static void acknowledge(struct consents *consents, const struct event *event)
{
	struct api_call_options options = call_options(consents);

	if (!event->name[0] || !may_ask(consents))
		return;
	if (consent_ack_send(consents->options.client, event->name, &options, on_acked, consents))
		on_acked(API_UNKNOWN, false, consents);
}

/* ---- events ---- */

static void forget_events(struct consents *consents)
{
	for (size_t i = 0; i < consents->event_count; i++)
		free(consents->events[i].name);
	consents->event_count = 0;
	consents->commit_at = 0;
}

static bool write_events(struct consents *consents, const char **ret_why)
{
	if (consent_store_begin(consents->store, ret_why))
		return false;
	for (size_t i = 0; i < consents->event_count; i++) {
		struct event *event = &consents->events[i];

		event->change.id = event->id;
		event->change.event = event->name;
		if (event->known && !event->tenant)
			consent_store_apply(consents->store, &event->change);
	}
	return commit(consents, ret_why);
}

static void commit_events(struct consents *consents, mono_ms now)
{
	const char *why = "";
	bool done = write_events(consents, &why);

	consent_say_written(&consents->say, done, why);
	if (!done) {
		consents->commit_at = now + COMMIT_RETRY_MS;
		return;
	}
	for (size_t i = 0; i < consents->event_count; i++)
		acknowledge(consents, &consents->events[i]);
	forget_events(consents);
}

static void note_event(struct consents *consents, const struct consent_event *event)
{
	consent_say_event(&consents->say, event);
	pthread_mutex_lock(&consents->lock);
	consents->summary.events++;
	consents->summary.redeliveries += event->redelivered;
	consents->summary.event_ms = clock_now();
	pthread_mutex_unlock(&consents->lock);
}

static void on_event(const struct consent_event *event, void *arg)
{
	struct consents *consents = arg;
	struct event *kept = &consents->events[consents->event_count];

	if (consents->deaf)
		return;
	note_event(consents, event);
	if (consents->event_count == PENDING_MAX) /* cannot be written: it comes again */
		return;
	*kept = (struct event){ .change = event->change,
				.known = event->known,
				.tenant = event->tenant,
				.name = strdup(event->change.event) };
	if (!kept->name) {
		consent_say_no_memory();
		return;
	}
	snprintf(kept->id, sizeof(kept->id), "%s", event->change.id);
	consents->event_count++;
	if (!consents->commit_at)
		consents->commit_at = clock_now() + COMMIT_MS;
}

/* ---- the stream ---- */

static void set_stream(struct consents *consents, struct api_stream *stream)
{
	consents->stream = stream;
	pthread_mutex_lock(&consents->lock);
	consents->summary.stream_up = stream != NULL;
	pthread_mutex_unlock(&consents->lock);
	consent_say_stream(stream != NULL);
}

static void on_stream_end(enum api_status status, const char *details, void *arg)
{
	struct consents *consents = arg;
	mono_ms now = clock_now(), wait = 0;
	bool sound = now - consents->opened_ms >= STREAM_SOUND_MS;

	if (consents->deaf)
		return;
	set_stream(consents, NULL);
	if (sound)
		consents->failures = 0;
	if (!sound && !refused_token(consents, status))
		wait = retry_in(consents, status);
	consents->open_at = now + wait;
	consent_say_stream_end(&consents->say, status, details, sound, wait);
	consent_list_due(consents->list, now); /* what may have been missed meanwhile */
}

static void open_stream(struct consents *consents, mono_ms now)
{
	static const struct consent_stream_handlers handlers = { on_event, on_stream_end };
	struct api_call_options call = { .token = consents->token };
	char queue[CONSENT_QUEUE_ROOM + 16];
	const struct consent_stream_options options = { queue, consents->plan.max_in_flight,
							&call };
	struct api_stream *stream;

	snprintf(queue, sizeof(queue), "%s-%s", consents->plan.queue,
		 consent_store_name(consents->store));
	if (consent_stream_open(consents->options.client, &options, &handlers, consents, &stream)) {
		consents->open_at = now + retry_in(consents, API_UNKNOWN);
		return;
	}
	consents->opened_ms = now;
	consents->turn_at =
		now + STREAM_LIFE_MS +
		(mono_ms)(reg_random(&consents->options.seed) * (double)STREAM_SOUND_MS);
	set_stream(consents, stream);
}

/* ---- the list ---- */

static void on_listed(const struct consent_listed *listed, void *arg)
{
	struct consents *consents = arg;

	(void)refused_token(consents, listed->status);
	consent_say_listed(&consents->say, listed,
			   consents->stream && clock_now() - consents->opened_ms >= TOLD_MS);
	if (!listed->complete)
		return;
	pthread_mutex_lock(&consents->lock);
	consents->summary.list_ms = clock_now();
	consents->summary.held = listed->verdict.held ? listed->verdict.missing : 0;
	consents->summary.unknown = listed->verdict.unknown;
	pthread_mutex_unlock(&consents->lock);
}

/* The list has been read: what it means is written in one transaction. */
static bool apply_list(struct consent_verdict *ret_verdict, const char **ret_why, void *arg)
{
	struct consents *consents = arg;
	wall_ms keep = (wall_ms)consents->plan.keep_days * 86400000;

	if (consent_store_begin(consents->store, ret_why))
		return false;
	consent_store_list_apply(consents->store, consents->plan.withdraw_at_most, ret_verdict);
	consent_store_forget(consents->store, clock_wall() - keep);
	return commit(consents, ret_why);
}

/* ---- time passes ---- */

/* As many as go at a time. */
static bool note_some(struct consents *consents)
{
	bool done = !consent_deleted_write(&consents->deleted, consents->store, COMMIT_RETRY_MS);

	consent_say_written(&consents->say, done, "the record of what was deleted");
	return done;
}

void consents_note(struct consents *consents)
{
	while (consents->deleted.due && note_some(consents))
		;
}

void consents_run(struct consents *consents, mono_ms now)
{
	struct api_call_options options = call_options(consents);

	if (consents->deleted.due && now >= consents->deleted.due)
		(void)note_some(consents); /* what is left is due again */
	if (consents->commit_at && now >= consents->commit_at)
		commit_events(consents, now);
	if (!may_ask(consents))
		return;
	consent_list_run(consents->list, &options, (mono_ms)consents->plan.list_every_s * 1000,
			 now);
	if (consents->stream && now >= consents->turn_at) {
		consents->turn_at = INT64_MAX;
		api_stream_cancel(consents->stream);
	}
	/* The first list tells what of the core's history is history. */
	if (!consents->stream && now >= consents->open_at && consent_list_tried(consents->list))
		open_stream(consents, now);
}

static void earlier(mono_ms *next, mono_ms at)
{
	if (at < *next)
		*next = at;
}

mono_ms consents_next(const struct consents *consents)
{
	mono_ms next = INT64_MAX;

	if (consents->commit_at)
		earlier(&next, consents->commit_at);
	if (consents->deleted.due)
		earlier(&next, consents->deleted.due);
	if (!may_ask(consents))
		return next;
	earlier(&next, consent_list_next(consents->list));
	if (consents->stream)
		earlier(&next, consents->turn_at);
	else if (consent_list_tried(consents->list))
		earlier(&next, consents->open_at);
	return next;
}

/* ---- wishes ---- */

void consents_token(struct consents *consents, const char *token)
{
	if (consents->token)
		explicit_bzero(consents->token, strlen(consents->token));
	free(consents->token);
	consents->token = token ? strdup(token) : NULL;
}

void consents_deleted(struct consents *consents, uint64_t number)
{
	if (consents->store && consent_deleted_add(&consents->deleted, consents->store, number))
		consent_say_no_memory();
}

static int open_store(struct consents *consents)
{
	int err;

	if (consents->store)
		return 0;
	if (!consents->options.store && !consents->share) {
		log_error("registrar", "consents need a store: the core tells each one once, "
				       "and they must be remembered");
		return -EIO;
	}
	if (consents->share)
		err = consent_store_share(&consents->store, consents->share, on_effect, consents);
	else
		err = consent_store_open(&consents->store, consents->options.store, on_effect,
					 consents);
	if (!err)
		err = consent_list_create(&consents->list, consents->options.client,
					  consents->store, apply_list, on_listed, consents);
	return err;
}

/* Another queue or another number of events in flight is another stream. */
static void take_plan(struct consents *consents, const struct consent_plan *plan, mono_ms now)
{
	bool same_stream = plan->wanted && !strcmp(plan->queue, consents->plan.queue) &&
			   plan->max_in_flight == consents->plan.max_in_flight;

	consents->plan = *plan;
	if (consents->stream && !same_stream) {
		consents->turn_at = INT64_MAX;
		api_stream_cancel(consents->stream);
	}
	if (consents->list)
		consent_list_due(consents->list, now);
	consents->open_at = now;
	consents->failures = 0;
}

int consents_want(struct consents *consents, const struct wanted *configured,
		  struct wanted **ret_all, mono_ms now)
{
	struct consent_joined joined;
	int err = configured->consents.wanted ? open_store(consents) : 0;

	if (!err)
		err = consent_join(configured, consents->store, &joined);
	if (err)
		return err;
	err = consent_set_keep(&consents->set, configured);
	if (err) {
		wanted_destroy(joined.all);
		return err;
	}
	take_plan(consents, &configured->consents, now);
	consent_say_both(joined.both);
	pthread_mutex_lock(&consents->lock);
	consents->summary.wanted = configured->consents.wanted;
	if (configured->consents.wanted)
		consents->summary.count = joined.given;
	pthread_mutex_unlock(&consents->lock);
	consent_say_count(joined.given);
	*ret_all = joined.all;
	return 0;
}

const struct consent_set *consents_configured(const struct consents *consents)
{
	return &consents->set;
}

bool consents_wanted(struct consents *consents, uint64_t number, struct wanted_number *ret_wanted)
{
	if (!consents->plan.wanted || !consents->store ||
	    !consent_store_has(consents->store, number))
		return false;
	*ret_wanted = consent_wanted(&consents->plan, number);
	return true;
}

/* What it had begun is another's now. */
static void lose(struct consents *consents)
{
	forget_events(consents);
	if (!consents->stream)
		return;
	consents->turn_at = INT64_MAX;
	api_stream_cancel(consents->stream);
}

void consents_use(struct consents *consents, const struct consent_source *source, bool anew,
		  mono_ms now)
{
	anew |= consents->options.client != source->client;
	consents->options.client = source->client;
	consents->options.deadline_ms = source->deadline_ms;
	consents->options.needs_token = source->needs_token;
	if (!anew)
		return;
	lose(consents); /* what was not acknowledged comes again */
	consents_token(consents, NULL);
	if (consents->list)
		consent_list_use(consents->list, source->client, now);
	consents->open_at = now;
	consents->failures = 0;
}

bool consents_doubt(struct consents *consents)
{
	return consents->share && consent_share_doubts(consents->share);
}

void consents_lead(struct consents *consents, const struct consent_lead *lead, mono_ms now)
{
	uint64_t epoch = lead->epoch;
	bool elsewhere = !epoch && consents->plan.wanted;

	if (!consents->share || !consents->store)
		return;
	consent_share_lead(consents->share, lead);
	pthread_mutex_lock(&consents->lock);
	consents->summary.elsewhere = elsewhere;
	pthread_mutex_unlock(&consents->lock);
	if (epoch == consents->epoch)
		return;
	consents->epoch = epoch;
	lose(consents); /* also what was led under another epoch */
	consent_list_restart(consents->list, now);
	consents->open_at = now;
	consents->failures = 0;
	consent_say_lead(epoch != 0 && consents->plan.wanted);
}

void consents_hear(struct consents *consents, const struct consent_news *news)
{
	if (!consents->store)
		return;
	consents->effect_count = 0;
	if (consent_store_hear(consents->store, news->name, news->rows, news->count))
		consent_say_no_memory();
	else
		take_effect(consents);
	consents->effect_count = 0;
}

void consents_stop(struct consents *consents)
{
	consents->stopped = true;
	if (consents->stream)
		api_stream_cancel(consents->stream);
}

void consents_go_on(struct consents *consents)
{
	consents->stopped = false;
}

void consents_deafen(struct consents *consents)
{
	consents->deaf = true;
	if (consents->list)
		consent_list_deafen(consents->list);
}

void consents_summary(struct consents *consents, struct registrar_consents *ret_summary)
{
	pthread_mutex_lock(&consents->lock);
	*ret_summary = consents->summary;
	pthread_mutex_unlock(&consents->lock);
}

/* ---- create and destroy ---- */

int consents_create(struct consents **ret_consents, const struct consent_options *options)
{
	struct consents *consents = calloc(1, sizeof(*consents));
	int err = 0;

	if (!consents)
		return -ENOMEM;
	pthread_mutex_init(&consents->lock, NULL);
	consents->options = *options;
	if (options->store)
		consents->options.store = strdup(options->store);
	consents->options.postgres = NULL;
	consents->events = calloc(PENDING_MAX + 1, sizeof(*consents->events));
	if (options->postgres)
		err = consent_share_create(&consents->share, options->postgres);
	if (!err && consents->share) /* heard from the start, wanted or not */
		err = open_store(consents);
	if (err || (options->store && !consents->options.store) || !consents->events) {
		consents_destroy(consents);
		return err ? err : -ENOMEM;
	}
	*ret_consents = consents;
	return 0;
}

struct consents *consents_destroy(struct consents *consents)
{
	if (!consents)
		return NULL;
	if (consents->events)
		forget_events(consents);
	consents_token(consents, NULL);
	consent_list_destroy(consents->list);
	consent_store_close(consents->store);
	consent_share_destroy(consents->share);
	free(consents->events);
	free(consents->effects);
	consent_deleted_done(&consents->deleted);
	consent_set_done(&consents->set);
	free((char *)consents->options.store);
	pthread_mutex_destroy(&consents->lock);
	free(consents);
	return NULL;
}
