/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/sbc.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "tools/core/bridge.h"

enum { RECORDS_KEPT = 100 };

/* What a TAS leaves behind after leg 2 has ended is cleared after this long. */
enum { LEFTOVER_MS = 5000 };

#define NO_ANSWER "SIP;cause=408;text=\"No answer\""

struct sbc_call {
	struct sbc *sbc;
	struct sbc_call *next, **link;
	struct record *record;
	struct bridge *first;                  /* leg 1, or leg 3 of INGRESS; NULL once over */
	struct bridge *second;                 /* leg 3 and leg 4 of LOOP; NULL before and after */
	struct book_registration registration; /* the one that made the plan */
	struct sip_headers headers;            /* of the first leg, with identity */
	struct timer timer;                    /* no answer; leftovers */
	bool tas_tried;
};

struct sbc {
	struct sbc_options options;
	struct sbc_call *calls;
	size_t call_count;
	struct record *records[RECORDS_KEPT]; /* a ring */
	unsigned record_next;
	uint64_t refused;
};

int sbc_create(struct sbc **ret_sbc, const struct sbc_options *options)
{
	struct sbc *sbc = calloc(1, sizeof(*sbc));

	if (!sbc)
		return -ENOMEM;
	sbc->options = *options;
	*ret_sbc = sbc;
	return 0;
}

static void call_free_if_over(struct sbc_call *call)
{
	if (call->first || call->second)
		return;
	call->record->over = true;
	log_info("sbc", "call=%u over plan=%s", call->record->id,
		 record_plan_name(call->record->plan));
	timer_cancel(&call->timer);
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	call->sbc->call_count--;
	record_unref(call->record);
	sip_headers_done(&call->headers);
	free(call);
}

static void on_second_ended(struct bridge *bridge, void *arg)
{
	struct sbc_call *call = arg;

	(void)bridge;
	call->second = NULL;
	call_free_if_over(call);
}

static bool on_second_failed(struct bridge *bridge, int status, void *arg)
{
	(void)bridge;
	(void)status;
	(void)arg;
	return false;
}

static void on_leftover(struct timer *timer, void *arg)
{
	struct sbc_call *call = arg;

	(void)timer;
	log_notice("sbc", "call=%u leg 3 outlived leg 2 by %d ms: ended", call->record->id,
		   LEFTOVER_MS);
	record_note(call->record, "the TAS left leg 3 up after leg 2 had ended");
	bridge_end(call->second, 480, NULL);
}

static void on_first_ended(struct bridge *bridge, void *arg)
{
	struct sbc_call *call = arg;

	(void)bridge;
	call->first = NULL;
	timer_cancel(&call->timer);
	if (call->second) {
		timer_init(&call->timer, on_leftover, call);
		timer_start(call->sbc->options.wheel, &call->timer, clock_now() + LEFTOVER_MS);
	}
	call_free_if_over(call);
}

/* sips:host[:port] -> "host[:port]". */
static const char *host_of(const struct book_registration *registration)
{
	return registration->sip_uri + strlen("sips:");
}

/* The prefix goes after the plus; short codes have none. */
static void tas_uri(const struct sbc_call *call, const char *prefix, char *ret_uri, size_t room)
{
	const char *number = call->record->called;
	bool plus = *number == '+';

	(void)snprintf(ret_uri, room, "sip:%s%s%s@%s", plus ? "+" : "", prefix, number + plus,
		       host_of(&call->registration));
}

static int dial_tas(struct sbc_call *call, unsigned leg_number, const char *prefix)
{
	char uri[BOOK_URI_ROOM + 128];
	struct bridge_target target = {
		.leg_number = leg_number,
		.right = "tas",
		.endpoint = call->sbc->options.peering,
		.request_uri = uri,
		.next_hop = call->registration.sip_uri,
		.headers = &call->headers,
	};

	tas_uri(call, prefix, uri, sizeof(uri));
	call->tas_tried = true;
	return bridge_dial(call->first, &target);
}

static int dial_phone(struct sbc *sbc, struct bridge *bridge, unsigned leg_number,
		      const char *number, const struct sip_headers *headers)
{
	char uri[256];
	struct bridge_target target = {
		.leg_number = leg_number,
		.right = "callee",
		.endpoint = sbc->options.access,
		.request_uri = uri,
		.headers = headers,
	};

	(void)snprintf(uri, sizeof(uri), "sips:%s@%s", number, sbc->options.phones);
	return bridge_dial(bridge, &target);
}

static void on_no_answer(struct timer *timer, void *arg)
{
	struct sbc_call *call = arg;

	(void)timer;
	if (!bridge_answered(call->first))
		bridge_give_up(call->first, 2, 408, NO_ANSWER);
}

static bool on_first_failed(struct bridge *bridge, int status, void *arg)
{
	struct sbc_call *call = arg;
	struct sbc *sbc = call->sbc;

	timer_cancel(&call->timer);
	if (call->record->plan == RECORD_FALLBACK && !call->tas_tried &&
	    (status == 486 || status == 480 || status == 408))
		return dial_tas(call, 3, call->registration.prefix_mt) == 0;
	if (call->record->plan == RECORD_LOOP && sbc->options.native_when_tas_fails &&
	    call->tas_tried && (status == 408 || (status >= 500 && status < 600))) {
		record_note(call->record, "the TAS failed: the call goes on natively");
		call->tas_tried = false; /* once only */
		return dial_phone(sbc, bridge, 4, call->record->called, &call->headers) == 0;
	}
	return false;
}

static int start_plan(struct sbc_call *call)
{
	const struct book_registration *registration = &call->registration;
	struct sbc *sbc = call->sbc;
	const char *called = call->record->called;
	const char *prefix = strcmp(call->record->direction, "mo") == 0 ? registration->prefix_mo
									: registration->prefix_mt;
	int err = 0;

	switch (call->record->plan) {
	case RECORD_LOOP:
		return dial_tas(call, 2, prefix);
	case RECORD_FORK:
		err = dial_phone(sbc, call->first, 2, called, &call->headers);
		return err ? err : dial_tas(call, 3, prefix);
	case RECORD_FALLBACK:
		timer_init(&call->timer, on_no_answer, call);
		timer_start(sbc->options.wheel, &call->timer,
			    clock_now() + sbc->options.no_answer_ms);
		return dial_phone(sbc, call->first, 2, called, &call->headers);
	case RECORD_NATIVE:
	case RECORD_INGRESS:
		return dial_phone(sbc, call->first, 4, called, &call->headers);
	}
	return -EINVAL;
}

static bool loops(const struct book_registration *registration, enum route_type direction)
{
	return registration->route_type == ROUTE_TYPE_LOOP || registration->route_type == direction;
}

/* The caller's registration comes first: if both are registered only the
 * mobile_originating_prefix is used. */
static enum record_plan plan_of(struct sbc_call *call)
{
	struct book *book = call->sbc->options.book;
	struct book_registration *registration = &call->registration;

	call->record->direction = "mo";
	if (!book_lookup(book, call->record->caller, registration) &&
	    loops(registration, ROUTE_TYPE_LOOP_MO))
		return RECORD_LOOP;
	call->record->direction = "mt";
	if (!book_lookup(book, call->record->called, registration)) {
		if (loops(registration, ROUTE_TYPE_LOOP_MT))
			return RECORD_LOOP;
		if (registration->route_type == ROUTE_TYPE_FORK)
			return RECORD_FORK;
		if (registration->route_type == ROUTE_TYPE_FALLBACK)
			return RECORD_FALLBACK;
	}
	call->record->direction = "";
	return RECORD_NATIVE;
}

/* RFC 7989 section 5: this side's UUID, and a nil one for the side not known yet. */
static void new_session_id(char *ret_id, size_t room)
{
	unsigned char random[16];
	size_t at = 0;

	if (RAND_bytes(random, sizeof(random)) != 1)
		abort(); /* without randomness OpenSSL is of no use to anybody here */
	random[6] = (unsigned char)((random[6] & 0x0f) | 0x40);
	random[8] = (unsigned char)((random[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(random); i++)
		at += (size_t)snprintf(ret_id + at, room - at, "%02x", random[i]);
	(void)snprintf(ret_id + at, room - at, ";remote=00000000000000000000000000000000");
}

/* "sip:+47...@host" in "<...>" -> the user; "" if there is none. */
static void user_of(const char *value, char *ret_user, size_t room)
{
	const char *start = value ? strstr(value, "sip:") : NULL;

	if (value && !start)
		start = strstr(value, "tel:");
	(void)snprintf(ret_user, room, "%.*s", start ? (int)strcspn(start + 4, "@;>") : 0,
		       start ? start + 4 : "");
}

/* RFC 3325: the network replaces what the phone prefers by what it asserts. */
static int assert_identity(struct sbc_call *call, const struct leg_info *info)
{
	char value[192];
	int err = sip_headers_copy_transparent(&call->headers, info->headers);

	if (err)
		return err;
	sip_headers_remove(&call->headers, "P-Preferred-Identity");
	if (!*call->record->session_id)
		new_session_id(call->record->session_id, sizeof(call->record->session_id));
	err = sip_headers_set(&call->headers, "Session-ID", call->record->session_id);
	if (!err && !sip_headers_find(&call->headers, "P-Asserted-Identity") &&
	    *call->record->caller) {
		(void)snprintf(value, sizeof(value), "<sip:%s@%s>", call->record->caller,
			       call->sbc->options.domain);
		err = sip_headers_set(&call->headers, "P-Asserted-Identity", value);
	}
	return err;
}

static void keep_record(struct sbc *sbc, struct record *record)
{
	struct record **slot = &sbc->records[sbc->record_next++ % RECORDS_KEPT];

	record_unref(*slot);
	*slot = record_ref(record);
}

static int call_create(struct sbc_call **ret_call, struct sbc *sbc, const char *caller,
		       const struct leg_info *info)
{
	struct sbc_call *call = calloc(1, sizeof(*call));

	if (!call)
		return -ENOMEM;
	int err = record_create(&call->record, caller, info->request_user);
	if (err) {
		free(call);
		return err;
	}
	call->sbc = sbc;
	record_copy(call->record->session_id, sizeof(call->record->session_id), info->session_id);
	timer_init(&call->timer, on_no_answer, call);
	call->next = sbc->calls;
	call->link = &sbc->calls;
	if (call->next)
		call->next->link = &call->next;
	sbc->calls = call;
	sbc->call_count++;
	keep_record(sbc, call->record);
	*ret_call = call;
	return 0;
}

static void refuse(struct leg *take_leg, int status, const char *phrase)
{
	leg_release(take_leg, &(struct leg_farewell){ .status = status, .phrase = phrase });
}

/* Takes the leg; from here the bridge's callbacks own the call. */
static void call_begin(struct sbc_call *call, unsigned leg_number, const char *left,
		       struct leg *take_leg)
{
	struct bridge_handlers handlers = { on_first_failed, on_first_ended, call };

	record_leg(call->record, leg_number, left, "core", true, leg_info(take_leg));
	if (bridge_create(&call->first, call->record, leg_number, take_leg, &handlers)) {
		call_free_if_over(call);
		return;
	}
	log_info("sbc", "call=%u begins plan=%s direction=%s", call->record->id,
		 record_plan_name(call->record->plan), call->record->direction);
	int err = start_plan(call);
	if (err)
		bridge_end(call->first, err == -ELOOP ? 483 : 500, NULL);
}

void sbc_access_invite(struct sbc *sbc, struct leg *take_leg)
{
	const struct leg_info *info = leg_info(take_leg);
	struct sbc_call *call;
	char caller[64];

	user_of(sip_headers_find(info->headers, "P-Preferred-Identity"), caller, sizeof(caller));
	if (call_create(&call, sbc, *caller ? caller : info->from_user, info)) {
		refuse(take_leg, 500, NULL);
		return;
	}
	call->record->plan = plan_of(call);
	if (assert_identity(call, info)) {
		refuse(take_leg, 500, NULL);
		call_free_if_over(call);
		return;
	}
	call_begin(call, 1, "caller", take_leg);
}

static struct sbc_call *find_loop(struct sbc *sbc, const char *session_id)
{
	for (struct sbc_call *call = sbc->calls; call; call = call->next)
		if (call->first && call->record->plan == RECORD_LOOP && *session_id &&
		    strcmp(call->record->session_id, session_id) == 0)
			return call;
	return NULL;
}

/* A number one can dial: E.164, or a short code without a plus and prefix. */
static bool dialable(const struct sbc_call *loop, const char *user)
{
	char with_prefix[128];

	if (loop) {
		const struct book_registration *r = &loop->registration;
		const char *prefix =
			strcmp(loop->record->direction, "mo") == 0 ? r->prefix_mo : r->prefix_mt;
		bool plus = *loop->record->called == '+';
		(void)snprintf(with_prefix, sizeof(with_prefix), "%s%s%s", plus ? "+" : "", prefix,
			       loop->record->called + plus);
		if (*prefix && strcmp(user, with_prefix) == 0)
			return false;
	}
	size_t length = strlen(user);
	return e164_valid(user) ||
	       (length >= 2 && length <= 15 && strspn(user, "0123456789*#") == length);
}

static void join_leg3(struct sbc_call *call, struct leg *take_leg)
{
	struct bridge_handlers handlers = { on_second_failed, on_second_ended, call };
	struct sip_headers headers = { 0 };
	char number[64];

	(void)snprintf(number, sizeof(number), "%s", leg_info(take_leg)->request_user);
	record_leg(call->record, 3, "tas", "core", true, leg_info(take_leg));
	int err = sip_headers_copy_transparent(&headers, leg_info(take_leg)->headers);
	if (err)
		refuse(take_leg, 500, NULL);
	else
		err = bridge_create(&call->second, call->record, 3, take_leg, &handlers);
	if (!err)
		err = dial_phone(call->sbc, call->second, 4, number, &headers);
	sip_headers_done(&headers);
	if (err && call->second)
		bridge_end(call->second, err == -ELOOP ? 483 : 500, NULL);
}

/* Whether the TAS that a registration names is who sent this. A sip_uri with a
 * host name proves nothing about addresses and passes. */
static bool comes_from(const struct book_registration *registration, const char *source)
{
	const char *host = host_of(registration);
	size_t length = strcspn(host, ":");
	bool literal = strspn(host, "0123456789.") == length;

	return !literal || (strncmp(source, host, length) == 0 && source[length] == ':');
}

static void ingress(struct sbc *sbc, struct leg *take_leg)
{
	const struct leg_info *info = leg_info(take_leg);
	struct book_registration registration;
	struct sbc_call *call;

	if (book_lookup(sbc->options.book, info->request_user, &registration) ||
	    registration.route_type != ROUTE_TYPE_INGRESS ||
	    !comes_from(&registration, info->source)) {
		sbc->refused++;
		log_notice("sbc", "leg 3 refused from=%s session_id=%s: no call waits for it",
			   info->source, *info->session_id ? info->session_id : "(none)");
		refuse(take_leg, 403, "No call with this Session-ID");
		return;
	}
	if (call_create(&call, sbc, *info->asserted_user ? info->asserted_user : info->from_user,
			info)) {
		refuse(take_leg, 500, NULL);
		return;
	}
	call->registration = registration;
	call->record->plan = RECORD_INGRESS;
	if (assert_identity(call, info)) {
		refuse(take_leg, 500, NULL);
		call_free_if_over(call);
		return;
	}
	call_begin(call, 3, "tas", take_leg);
}

void sbc_peering_invite(struct sbc *sbc, struct leg *take_leg)
{
	const struct leg_info *info = leg_info(take_leg);
	struct sbc_call *call = find_loop(sbc, info->session_id);

	if (!dialable(call, info->request_user))
		refuse(take_leg, 404, "Not a number to dial");
	else if (!call)
		ingress(sbc, take_leg);
	else if (call->second)
		refuse(take_leg, 482, "This call has a leg 3 already");
	else
		join_leg3(call, take_leg);
}

struct record *sbc_find_leg1(struct sbc *sbc, const char *call_id)
{
	for (size_t i = 0; i < RECORDS_KEPT; i++) {
		struct record *record = sbc->records[i];
		if (record && record->legs[0].present &&
		    strcmp(record->legs[0].call_id, call_id) == 0)
			return record;
	}
	return NULL;
}

struct record *sbc_find_ingress(struct sbc *sbc, const char *called, mono_ms since_ms)
{
	for (size_t i = 0; i < RECORDS_KEPT; i++) {
		struct record *record = sbc->records[i];
		if (record && record->plan == RECORD_INGRESS && record->started_ms >= since_ms &&
		    strcmp(record->called, called) == 0)
			return record;
	}
	return NULL;
}

size_t sbc_call_count(const struct sbc *sbc)
{
	return sbc->call_count;
}

uint64_t sbc_refused_count(const struct sbc *sbc)
{
	return sbc->refused;
}

json_t *sbc_calls_json(const struct sbc *sbc)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < RECORDS_KEPT; i++) {
		const struct record *record = sbc->records[(sbc->record_next + i) % RECORDS_KEPT];
		if (record)
			(void)json_array_append_new(list, record_json(record));
	}
	return list;
}

struct sbc *sbc_destroy(struct sbc *sbc)
{
	if (!sbc)
		return NULL;
	for (struct sbc_call *call = sbc->calls; call; call = sbc->calls) {
		/* The last bridge to end frees the call. */
		if (call->second && call->first)
			bridge_end(call->second, 503, NULL);
		bridge_end(call->first ? call->first : call->second, 503, NULL);
	}
	for (size_t i = 0; i < RECORDS_KEPT; i++)
		record_unref(sbc->records[i]);
	free(sbc);
	return NULL;
}
