/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/trial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"

enum {
	TICK_MS = 20,
	AUDIO_GRACE_MS = 2000, /* beyond talk_ms until silence is final: ICE and DTLS may be slow */
	GOODBYE_MS = 3000,     /* a BYE has reached the other end by then, or never will */
	REOFFER_MS = 5000,
	TONE_TOLERANCE_HZ = 20
};

/*   DIALLING -> TALKING -> [HOLDING -> RESUMING] -> [KEPT] -> LEAVING -> gone
 *       +------------ refused, cancelled ---------------------^             */
enum state { DIALLING, TALKING, HOLDING, RESUMING, KEPT, LEAVING };

struct end {
	struct ua_call *call; /* a reference; NULL: not known (yet) */
	unsigned expected_hz;
	mono_ms right_since_ms; /* the expected tone arrives; 0: it does not */
	mono_ms audio_ms;       /* from the answer to the first of it; 0 never */
};

struct trial {
	struct trials *trials;
	struct trial *next;
	unsigned id;
	enum state state;
	mono_ms started_ms, until_ms;
	struct timer tick;
	struct trial_request request; /* without pointers: from, to below */
	char to[64];
	struct end caller, callee;
	struct record *record; /* a reference; NULL not known */
	const char *outcome;
	char hold_result[64], verdict[128];

	trial_done_fn *done;
	void *arg;
};

struct trials {
	struct trials_options options;
	struct trial *list;
	unsigned last_id;
};

int trials_create(struct trials **ret_trials, const struct trials_options *options)
{
	struct trials *trials = calloc(1, sizeof(*trials));

	if (!trials)
		return -ENOMEM;
	trials->options = *options;
	*ret_trials = trials;
	return 0;
}

bool trials_set_trunk(struct trials *trials, const char *uri)
{
	char *to = trials->options.tas_trunk;
	size_t room = sizeof(trials->options.tas_trunk);

	if (strlen(uri) >= room)
		return false;
	(void)snprintf(to, room, "%s", uri);
	return true;
}

static void trial_free(struct trial *trial)
{
	struct trial **link = &trial->trials->list;

	while (*link != trial)
		link = &(*link)->next;
	*link = trial->next;
	timer_cancel(&trial->tick);
	ua_call_unref(trial->caller.call);
	ua_call_unref(trial->callee.call);
	record_unref(trial->record);
	free(trial);
}

static struct trial *trial_find(struct trials *trials, unsigned id)
{
	struct trial *trial = trials->list;

	while (trial && trial->id != id)
		trial = trial->next;
	return trial;
}

static void find_record(struct trial *trial)
{
	struct sbc *sbc = trial->trials->options.sbc;
	struct record *record = trial->request.from_pbx
					? sbc_find_ingress(sbc, trial->to, trial->started_ms)
					: sbc_find_leg1(sbc, trial->caller.call->call_id);

	if (record)
		trial->record = record_ref(record);
}

static bool is_leg_of(const struct record *record, unsigned number, const struct ua_call *call)
{
	const struct record_leg *leg = &record->legs[number - 1];

	return leg->present && strcmp(leg->call_id, call->call_id) == 0;
}

/* The phone behind leg 2 or leg 4. */
static struct ua_call *phone_answered(const struct trial *trial)
{
	if (!trial->record)
		return NULL;
	for (struct ua_call *call = ua_calls(trial->trials->options.phones); call;
	     call = call->next)
		if (call->incoming && call->answered_ms &&
		    (is_leg_of(trial->record, 4, call) || is_leg_of(trial->record, 2, call)))
			return call;
	return NULL;
}

/* A PBX sees a dialog of the TAS's making: the Session-ID tells, if it came
 * along; else the caller's number, of the calls that began after ours. Of two
 * phones that have answered, the TAS keeps one. */
static struct ua_call *pbx_answered(const struct trial *trial)
{
	const char *session_id = trial->record ? trial->record->session_id : "";
	struct ua_call *over = NULL;

	for (struct ua_call *call = ua_calls(trial->trials->options.pbx); call; call = call->next) {
		if (!call->incoming || !call->answered_ms || call->started_ms < trial->started_ms)
			continue;
		if (*call->session_id ? strncmp(call->session_id, session_id, 32) == 0
				      : strcmp(call->other, trial->caller.call->party->name) == 0) {
			if (!call->ended)
				return call;
			over = call;
		}
	}
	return over;
}

static void find_callee(struct trial *trial)
{
	struct ua_call *call;

	if (trial->callee.call && (!trial->callee.call->ended || trial->caller.call->ended))
		return;
	call = phone_answered(trial);
	if (!call && !trial->request.from_pbx)
		call = pbx_answered(trial);
	if (!call || call == trial->callee.call)
		return;
	ua_call_unref(trial->callee.call);
	trial->callee.call = ua_call_ref(call);
	trial->callee.expected_hz = trial->caller.call->party->tone_hz;
	trial->caller.expected_hz = call->party->tone_hz;
}

static bool sounds_like(unsigned heard_hz, unsigned expected_hz)
{
	return heard_hz && heard_hz + TONE_TOLERANCE_HZ >= expected_hz &&
	       heard_hz <= expected_hz + TONE_TOLERANCE_HZ;
}

static void listen_end(struct end *end, mono_ms answered_ms)
{
	if (!end->call || end->call->ended)
		return;
	ua_call_listen(end->call);
	if (!sounds_like(end->call->heard_hz, end->expected_hz)) {
		end->right_since_ms = 0;
		return;
	}
	if (!end->right_since_ms)
		end->right_since_ms = clock_now();
	if (!end->audio_ms)
		end->audio_ms = clock_now() - answered_ms;
}

static bool both_hear(const struct trial *trial)
{
	return trial->caller.right_since_ms && trial->callee.right_since_ms;
}

static void judge_alone(struct trial *trial)
{
	const struct ua_call *caller = trial->caller.call;

	if (!caller->heard_hz)
		(void)snprintf(trial->verdict, sizeof(trial->verdict), "silence");
	else if (sounds_like(caller->heard_hz, caller->party->tone_hz))
		(void)snprintf(trial->verdict, sizeof(trial->verdict), "echo");
	else
		(void)snprintf(trial->verdict, sizeof(trial->verdict), "tone %u Hz",
			       caller->heard_hz);
}

/* A tone stands out of what is heard or does not: where packets were lost and overtaken it may
 * not, and that is not silence. */
static void judge_end(const char *name, const struct end *end, char *verdict, size_t room)
{
	if (end->call->heard_hz)
		(void)snprintf(verdict, room, "wrong audio: %s hears %u Hz instead of %u", name,
			       end->call->heard_hz, end->expected_hz);
	else if (end->call->receipt.packets_in > 0)
		(void)snprintf(verdict, room, "no tone: none stands out of the %s's %llu packets",
			       name, (unsigned long long)end->call->receipt.packets_in);
	else
		(void)snprintf(verdict, room, "one-way: %s hears nothing", name);
}

static void judge(struct trial *trial)
{
	const struct end *ends[] = { &trial->caller, &trial->callee };
	static const char *const names[] = { "caller", "callee" };
	char *verdict = trial->verdict;
	size_t room = sizeof(trial->verdict);

	if (!trial->callee.call) {
		judge_alone(trial);
		return;
	}
	if (both_hear(trial)) {
		(void)snprintf(verdict, room, "two-way");
		return;
	}
	if (!trial->caller.call->receipt.packets_in && !trial->callee.call->receipt.packets_in) {
		(void)snprintf(verdict, room, "no audio");
		return;
	}
	for (int i = 0; i < 2; i++) {
		if (ends[i]->right_since_ms)
			continue;
		judge_end(names[i], ends[i], verdict, room);
		return;
	}
}

static void add_ms(json_t *object, const char *name, mono_ms since, mono_ms at)
{
	(void)json_object_set_new(object, name, at ? json_integer(at - since) : json_null());
}

static json_t *end_json(const struct end *end)
{
	const struct ua_call *call = end->call;

	if (!call)
		return json_null();
	json_t *object = json_pack(
		"{s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:b, s:b, s:s, s:s, s:s, s:s, s:b, s:s}",
		"party", call->party->name, "call_id", call->call_id, "from", call->from_uri,
		"tone_hz", (int)call->party->tone_hz, "heard_hz", (int)call->heard_hz,
		"expected_hz", (int)end->expected_hz, "packets_in",
		(json_int_t)call->receipt.packets_in, "packets_out",
		(json_int_t)call->receipt.packets_out, "ice", call->receipt.ice_ok, "dtls",
		call->receipt.dtls_ok, "codec", call->receipt.codec, "srtp", call->receipt.profile,
		"media", call->receipt.remote, "media_failure", call->media_failure, "ended",
		call->ended, "end_reason", call->reason);
	(void)json_object_set_new(object, "audio_ms",
				  end->audio_ms ? json_integer(end->audio_ms) : json_null());
	return object;
}

static const char *answered_by(const struct trial *trial)
{
	if (trial->callee.call)
		return trial->callee.call->ua == trial->trials->options.pbx ? "pbx" : "phone";
	return trial->caller.call->answered_ms ? "tas" : "";
}

static bool looped(const struct record *record)
{
	return record && record->plan != RECORD_NATIVE;
}

static json_t *result(const struct trial *trial)
{
	const struct ua_call *caller = trial->caller.call;
	json_t *object = json_pack(
		"{s:b, s:i, s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:s, s:s, s:b, s:o, s:o, s:o}", "ok",
		1, "id", (int)trial->id, "from", caller->party->name, "to", trial->to, "outcome",
		trial->outcome, "status", caller->status, "reason", caller->reason, "answered_by",
		answered_by(trial), "tas_involved", looped(trial->record), "verdict",
		trial->verdict, "hold", trial->hold_result, "both_ends_hung_up",
		caller->ended && (!trial->callee.call || trial->callee.call->ended), "caller",
		end_json(&trial->caller), "callee", end_json(&trial->callee), "core",
		trial->record ? record_json(trial->record) : json_null());

	add_ms(object, "ring_ms", caller->started_ms, caller->ringing_ms);
	add_ms(object, "early_ms", caller->started_ms, caller->early_ms);
	add_ms(object, "answer_ms", caller->started_ms, caller->answered_ms);
	add_ms(object, "end_ms", caller->started_ms, caller->ended_ms);
	return object;
}

static void report(struct trial *trial)
{
	trial_done_fn *done = trial->done;

	trial->done = NULL;
	if (done)
		done(result(trial), trial->arg);
}

static void leave(struct trial *trial, enum trial_hangup by)
{
	struct ua_call *callee = trial->callee.call;

	if (by == TRIAL_BY_CALLEE && callee)
		ua_call_hangup(callee);
	else
		ua_call_hangup(trial->caller.call);
	trial->state = LEAVING;
	trial->until_ms = clock_now() + GOODBYE_MS;
}

static void on_dialling(struct trial *trial)
{
	struct ua_call *caller = trial->caller.call;

	if (caller->answered_ms) {
		trial->outcome = "answered";
		trial->state = TALKING;
		trial->until_ms = caller->answered_ms + trial->request.talk_ms;
	} else if (caller->ended) {
		trial->outcome = "refused";
		trial->state = LEAVING;
		trial->until_ms = clock_now() + GOODBYE_MS;
	} else if (clock_now() >= trial->until_ms) {
		trial->outcome = "cancelled";
		leave(trial, TRIAL_BY_CALLER);
	}
}

static void talked(struct trial *trial)
{
	if (trial->request.hold) {
		trial->request.hold = false;
		trial->state = HOLDING;
		trial->until_ms = clock_now() + REOFFER_MS;
		if (ua_call_reoffer(trial->caller.call, true))
			trial->caller.call->reoffer_status = 500;
	} else if (trial->request.hangup == TRIAL_KEEP) {
		trial->state = KEPT;
		report(trial);
	} else {
		leave(trial, trial->request.hangup);
	}
}

static void on_talking(struct trial *trial)
{
	mono_ms now = clock_now();
	bool ended = trial->caller.call->ended || (trial->callee.call && trial->callee.call->ended);

	if (!ended && (now < trial->until_ms || (trial->callee.call && !both_hear(trial) &&
						 now < trial->until_ms + AUDIO_GRACE_MS)))
		return;
	judge(trial);
	if (ended) {
		trial->outcome = "dropped";
		leave(trial, TRIAL_BY_CALLER);
	} else {
		talked(trial);
	}
}

static void on_reoffer(struct trial *trial)
{
	struct ua_call *caller = trial->caller.call;
	bool resuming = trial->state == RESUMING;

	if (!caller->reoffer_status && clock_now() < trial->until_ms && !caller->ended)
		return;
	if (caller->reoffer_status < 200 || caller->reoffer_status > 299) {
		(void)snprintf(trial->hold_result, sizeof(trial->hold_result), "%s failed: %d",
			       resuming ? "resume" : "hold", caller->reoffer_status);
		talked(trial);
		return;
	}
	if (!resuming) {
		trial->state = RESUMING;
		trial->until_ms = clock_now() + REOFFER_MS;
		if (ua_call_reoffer(caller, false))
			caller->reoffer_status = 500;
		return;
	}
	/* Heard again for a while after the last change, not left over from before. */
	(void)snprintf(trial->hold_result, sizeof(trial->hold_result), "ok");
	trial->caller.right_since_ms = trial->callee.right_since_ms = 0;
	trial->state = TALKING;
	trial->until_ms = clock_now() + trial->request.talk_ms;
}

static void on_leaving(struct trial *trial)
{
	bool quiet = trial->caller.call->ended &&
		     (!trial->callee.call || trial->callee.call->ended) &&
		     (!trial->record || trial->record->over);

	if (!quiet && clock_now() < trial->until_ms)
		return;
	report(trial);
	trial_free(trial);
}

static void on_tick(struct timer *timer, void *arg)
{
	struct trial *trial = arg;

	/* First, because the state's function may free the trial. */
	timer_start(trial->trials->options.wheel, timer, clock_now() + TICK_MS);
	if (!trial->record)
		find_record(trial);
	if (trial->caller.call->answered_ms)
		find_callee(trial);
	if (trial->callee.call) {
		listen_end(&trial->caller, trial->caller.call->answered_ms);
		listen_end(&trial->callee, trial->caller.call->answered_ms);
	} else {
		ua_call_listen(trial->caller.call);
	}
	switch (trial->state) {
	case DIALLING:
		on_dialling(trial);
		break;
	case TALKING:
		on_talking(trial);
		break;
	case HOLDING:
	case RESUMING:
		on_reoffer(trial);
		break;
	case KEPT:
		break;
	case LEAVING:
		on_leaving(trial);
		break;
	}
}

static int place(struct trial *trial)
{
	const struct trials_options *options = &trial->trials->options;
	const struct trial_request *request = &trial->request;
	char uri[384];
	struct ua_dial dial = {
		.request_uri = uri,
		.to = trial->to,
		.headers = request->headers,
		.anonymous = request->anonymous,
		.offerless = request->offerless,
		.reliable = request->reliable,
	};

	if (!request->from_pbx) {
		(void)snprintf(uri, sizeof(uri), "sips:%s@%s", trial->to, options->access);
		return ua_dial(options->phones, request->from, &dial, &trial->caller.call);
	}
	if (!str_starts(options->tas_trunk, "sip:"))
		return -EDESTADDRREQ;
	(void)snprintf(uri, sizeof(uri), "sip:%s@%s", trial->to, options->tas_trunk + 4);
	return ua_dial(options->pbx, request->from, &dial, &trial->caller.call);
}

int trial_start(struct trials *trials, const struct trial_request *request, trial_done_fn *done,
		void *arg)
{
	struct trial *trial = calloc(1, sizeof(*trial));

	if (!trial)
		return -ENOMEM;
	trial->trials = trials;
	trial->request = *request;
	(void)snprintf(trial->to, sizeof(trial->to), "%s", request->to);
	trial->started_ms = clock_now();
	trial->until_ms = clock_now() + request->patience_ms;
	trial->outcome = "";
	int err = place(trial);
	if (err) {
		free(trial);
		return err;
	}
	trial->request.headers = NULL; /* were the asker's, as were from and to */
	trial->request.from = trial->request.to = NULL;
	trial->id = ++trials->last_id;
	trial->done = done;
	trial->arg = arg;
	trial->next = trials->list;
	trials->list = trial;
	timer_init(&trial->tick, on_tick, trial);
	timer_start(trials->options.wheel, &trial->tick, clock_now() + TICK_MS);
	return 0;
}

int trial_hangup(struct trials *trials, unsigned id, enum trial_hangup by, trial_done_fn *done,
		 void *arg)
{
	struct trial *trial = trial_find(trials, id);

	if (!trial || trial->state != KEPT)
		return -ENOENT;
	trial->done = done;
	trial->arg = arg;
	judge(trial);
	leave(trial, by);
	return 0;
}

json_t *trial_listen(struct trials *trials, unsigned id)
{
	struct trial *trial = trial_find(trials, id);

	if (!trial)
		return NULL;
	judge(trial);
	return result(trial);
}

void trial_forget(struct trials *trials, void *arg)
{
	for (struct trial *trial = trials->list; trial; trial = trial->next) {
		if (trial->done && trial->arg == arg) {
			trial->done = NULL;
			leave(trial, TRIAL_BY_CALLER);
		}
	}
}

struct trials *trials_destroy(struct trials *trials)
{
	if (!trials)
		return NULL;
	for (struct trial *each = trials->list, *next; each; each = next) {
		next = each->next;
		trial_free(each);
	}
	free(trials);
	return NULL;
}
