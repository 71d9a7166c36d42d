/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/control.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/log.h"
#include "tas/sip/endpoint.h"
#include "tools/core/api.h"
#include "tools/core/grants.h"

enum {
	LINE_MAX_BYTES = 65536,
	WAIT_TICK_MS = 50,
	SEND_TIMEOUT_S = 2 /* a client that does not read is dropped */
};

struct connection {
	struct control *control;
	struct connection *next;
	int fd; /* -1: requests of a file, which nobody waits for */
	char line[LINE_MAX_BYTES];
	size_t length;
	struct timer wait; /* wait-registered */
	json_t *wait_numbers;
	mono_ms wait_until_ms;
};

struct control {
	struct control_options options;
	int listener;
	char *path;
	struct connection *connections;
};

static json_t *problem(const char *text)
{
	return json_pack("{s:b, s:s}", "ok", 0, "error", text);
}

static json_t *fine(void)
{
	return json_pack("{s:b}", "ok", 1);
}

static void connection_close(struct connection *connection)
{
	struct control *control = connection->control;
	struct connection **link = &control->connections;

	trial_forget(control->options.trials, connection);
	timer_cancel(&connection->wait);
	json_decref(connection->wait_numbers);
	sip_loop_unwatch(control->options.loop, connection->fd);
	(void)close(connection->fd);
	while (*link != connection)
		link = &(*link)->next;
	*link = connection->next;
	free(connection);
}

/* A write that fails leaves a dead connection, which reading will close. */
static void reply(const struct connection *connection, json_t *take_answer)
{
	char *text = json_dumps(take_answer, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(take_answer);
	if (!text)
		return;
	size_t length = strlen(text), sent = 0;
	text[length] = '\n'; /* in place of the NUL: it is sent by length */
	while (sent <= length) {
		ssize_t n = send(connection->fd, text + sent, length + 1 - sent, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	free(text);
}

static void on_result(json_t *take_result, void *arg)
{
	reply(arg, take_result);
}

static json_t *do_status(struct connection *connection, json_t *request)
{
	const struct control_options *options = &connection->control->options;
	struct book_counts counts;
	json_int_t legs = 0;

	(void)request;
	book_counts(options->book, &counts);
	for (size_t i = 0; i < ARRAY_SIZE(options->endpoints); i++)
		legs += (json_int_t)sip_endpoint_leg_count(options->endpoints[i]);
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "ok",
			 1, "registrations", (json_int_t)counts.registrations, "upserts",
			 (json_int_t)counts.upserts, "deletes", (json_int_t)counts.deletes,
			 "refused", (json_int_t)counts.refused, "faulted",
			 (json_int_t)counts.faulted, "unauthenticated",
			 (json_int_t)counts.unauthenticated, "tokens_issued",
			 (json_int_t)counts.tokens_issued, "tokens_refused",
			 (json_int_t)counts.tokens_refused, "calls",
			 (json_int_t)sbc_call_count(options->sbc), "leg3_refused",
			 (json_int_t)sbc_refused_count(options->sbc), "legs", legs, "ua_calls",
			 (json_int_t)ua_live_count(options->phones) +
				 (json_int_t)ua_live_count(options->pbx));
}

static void add_registration(const struct book_registration *registration, void *arg)
{
	(void)json_array_append_new(arg,
				    json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "number",
					      registration->number, "route_type",
					      route_type_name(registration->route_type), "sip_uri",
					      registration->sip_uri, "mobile_originating_prefix",
					      registration->prefix_mo, "mobile_terminating_prefix",
					      registration->prefix_mt, "expires_in_ms",
					      (json_int_t)(registration->expires_ms - clock_now()),
					      "upserts", (json_int_t)registration->upserts));
}

static json_t *do_registrations(struct connection *connection, json_t *request)
{
	json_t *list = json_array();

	(void)request;
	book_each(connection->control->options.book, add_registration, list);
	return json_pack("{s:b, s:o}", "ok", 1, "registrations", list);
}

static json_t *do_calls(struct connection *connection, json_t *request)
{
	(void)request;
	return json_pack("{s:b, s:o}", "ok", 1, "calls",
			 sbc_calls_json(connection->control->options.sbc));
}

static json_t *do_parties(struct connection *connection, json_t *request)
{
	const struct control_options *options = &connection->control->options;

	(void)request;
	return json_pack("{s:b, s:o, s:o}", "ok", 1, "phones", ua_parties_json(options->phones),
			 "pbx", ua_parties_json(options->pbx));
}

static int manner_status(const char *word)
{
	static const struct {
		const char *word;
		int status;
	} words[] = {
		{ "answer", 200 }, { "no-answer", 0 }, { "busy", 486 },
		{ "reject", 603 }, { "off", 480 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i].word) == 0)
			return words[i].status;
	char *end;
	long status = strtol(word, &end, 10);
	return !*end && status >= 400 && status <= 699 ? (int)status : -1;
}

static json_t *set_manner(struct ua *ua, const char *name, json_t *request)
{
	const char *when_called = "answer", *codec = "";
	int ring_ms = 300, early = 0, reliable = 0;

	if (json_unpack(request, "{s?s, s?i, s?b, s?b, s?s}", "when_called", &when_called,
			"ring_ms", &ring_ms, "early", &early, "reliable", &reliable, "codec",
			&codec) ||
	    manner_status(when_called) < 0 || ring_ms < 0)
		return problem("when_called: answer, no-answer, busy, reject, off or a status from "
			       "400 to 699; ring_ms: a number; early and reliable: true or false; "
			       "codec: a name");
	struct ua_party *party = ua_party_add(ua, name);
	if (!party)
		return problem("out of memory");
	party->manner = (struct ua_manner){ .status = manner_status(when_called),
					    .ring_ms = (unsigned)ring_ms,
					    .early = early,
					    .reliable = reliable };
	record_copy(party->manner.codec, sizeof(party->manner.codec), codec);
	party->called = 0;
	party->stopped[0] = '\0';
	return json_pack("{s:b, s:s, s:i}", "ok", 1, "name", party->name, "tone_hz",
			 (int)party->tone_hz);
}

static json_t *do_phone(struct connection *connection, json_t *request)
{
	const char *number = NULL;

	if (json_unpack(request, "{s:s}", "number", &number) || !*number)
		return problem("number: the phone's number is missing");
	return set_manner(connection->control->options.phones, number, request);
}

static json_t *do_pbx(struct connection *connection, json_t *request)
{
	const char *number = "pbx"; /* whoever has no manner of its own */

	if (json_unpack(request, "{s?s}", "number", &number) || !*number)
		return problem("number: the number of one of the PBX's phones");
	return set_manner(connection->control->options.pbx, number, request);
}

static json_t *do_trunk(struct connection *connection, json_t *request)
{
	const char *uri = "";

	if (json_unpack(request, "{s:s}", "uri", &uri) || strncmp(uri, "sip:", 4) != 0 ||
	    !trials_set_trunk(connection->control->options.trials, uri))
		return problem("uri: where the PBX calls, such as "
			       "\"sip:127.0.0.1:5060;transport=udp\"");
	return fine();
}

static int read_headers(json_t *object, struct sip_headers *headers)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		if (!json_is_string(value) ||
		    sip_headers_add(headers, name, json_string_value(value)))
			return -EINVAL;
	}
	return 0;
}

static enum trial_hangup hangup_of(const char *word)
{
	if (strcmp(word, "callee") == 0)
		return TRIAL_BY_CALLEE;
	return strcmp(word, "keep") == 0 ? TRIAL_KEEP : TRIAL_BY_CALLER;
}

static json_t *start_trial(struct connection *connection, struct trial_request *request)
{
	int err = trial_start(connection->control->options.trials, request, on_result, connection);

	if (err == -EDESTADDRREQ)
		return problem(
			"the PBX does not know where to call: {\"do\":\"trunk\",\"uri\":...}");
	if (err)
		return problem(strerror(-err));
	return NULL; /* the result comes later */
}

static json_t *do_call(struct connection *connection, json_t *request)
{
	struct trial_request trial = { .from = NULL };
	struct sip_headers headers = { 0 };
	json_t *given = NULL;
	const char *hangup = "caller", *at = "phone";
	int talk_ms = 1000, patience_ms = 20000, hold = 0, anonymous = 0, offerless = 0,
	    reliable = 0;
	json_error_t error;

	if (json_unpack_ex(
		    request, &error, 0, "{s:s, s:s, s?s, s?i, s?i, s?s, s?b, s?b, s?b, s?b, s?o}",
		    "from", &trial.from, "to", &trial.to, "at", &at, "talk_ms", &talk_ms,
		    "patience_ms", &patience_ms, "hangup", &hangup, "hold", &hold, "anonymous",
		    &anonymous, "offerless", &offerless, "reliable", &reliable, "headers", &given))
		return problem(error.text);
	if (talk_ms < 0 || patience_ms < 0 || !*trial.from || !*trial.to)
		return problem("from and to are numbers, talk_ms and patience_ms not negative");
	trial.from_pbx = strcmp(at, "pbx") == 0;
	trial.talk_ms = (unsigned)talk_ms;
	trial.patience_ms = (unsigned)patience_ms;
	trial.hangup = hangup_of(hangup);
	trial.hold = hold;
	trial.anonymous = anonymous;
	trial.offerless = offerless;
	trial.reliable = reliable;
	trial.headers = &headers;
	json_t *answer = NULL;
	if (given && read_headers(given, &headers))
		answer = problem("headers: an object of header names and their values");
	else
		answer = start_trial(connection, &trial);
	sip_headers_done(&headers);
	return answer;
}

static json_t *do_hangup(struct connection *connection, json_t *request)
{
	const char *by = "caller";
	int id = 0;

	if (json_unpack(request, "{s:i, s?s}", "id", &id, "by", &by) ||
	    trial_hangup(connection->control->options.trials, (unsigned)id, hangup_of(by),
			 on_result, connection))
		return problem("id: no call with this id is kept up");
	return NULL;
}

static json_t *do_listen(struct connection *connection, json_t *request)
{
	int id = 0;
	json_t *result = NULL;

	if (!json_unpack(request, "{s:i}", "id", &id))
		result = trial_listen(connection->control->options.trials, (unsigned)id);
	return result ? result : problem("id: no call with this id is kept up");
}

static json_t *do_fault(struct connection *connection, json_t *request)
{
	struct book_fault fault = { .kind = FAULT_NONE };
	const char *kind = "", *number = "";
	int count = 0, delay_ms = 1000;

	if (json_unpack(request, "{s:s, s?s, s?i, s?i}", "kind", &kind, "number", &number, "count",
			&count, "ms", &delay_ms) ||
	    fault_kind_parse(kind, &fault.kind) || count < 0 || delay_ms < 0 ||
	    (*number && !e164_valid(number)))
		return problem(
			"kind: unavailable, slow, hang, unauthenticated, resource_exhausted, "
			"not_acceptable, token_down or token_refused; number: E.164; count, "
			"ms: not negative");
	(void)snprintf(fault.number, sizeof(fault.number), "%s", number);
	fault.count = (unsigned)count;
	fault.delay_ms = fault.kind == FAULT_SLOW ? (unsigned)delay_ms : 0;
	if (book_fault_add(connection->control->options.book, &fault))
		return problem("too many faults are on: {\"do\":\"clear-faults\"}");
	return fine();
}

/* Registers without the API, for a TAS that is tried for its SIP alone. */
static json_t *do_register(struct connection *connection, json_t *request)
{
	struct book_registration registration = { .expires_ms = INT64_MAX };
	const char *number = "", *type = "", *sip_uri = "", *mo = "", *mt = "", *wrong;

	if (json_unpack(request, "{s:s, s:s, s:s, s?s, s?s}", "number", &number, "route_type",
			&type, "sip_uri", &sip_uri, "mobile_originating_prefix", &mo,
			"mobile_terminating_prefix", &mt) ||
	    route_type_parse(type, &registration.route_type))
		return problem("number, route_type (loop, loop_mo, loop_mt, fork, fallback, "
			       "ingress) and sip_uri are needed");
	if (strlen(number) >= sizeof(registration.number) ||
	    strlen(sip_uri) >= sizeof(registration.sip_uri) ||
	    strlen(mo) >= sizeof(registration.prefix_mo) ||
	    strlen(mt) >= sizeof(registration.prefix_mt))
		return problem("a value is too long");
	(void)snprintf(registration.number, sizeof(registration.number), "%s", number);
	(void)snprintf(registration.sip_uri, sizeof(registration.sip_uri), "%s", sip_uri);
	(void)snprintf(registration.prefix_mo, sizeof(registration.prefix_mo), "%s", mo);
	(void)snprintf(registration.prefix_mt, sizeof(registration.prefix_mt), "%s", mt);
	wrong = api_registration_problem(&registration);
	if (*wrong)
		return problem(wrong);
	return book_upsert(connection->control->options.book, &registration)
		       ? problem("out of memory")
		       : fine();
}

static json_t *do_unregister(struct connection *connection, json_t *request)
{
	struct book *book = connection->control->options.book;
	struct book_registration registration;
	const char *number = "";

	if (json_unpack(request, "{s:s}", "number", &number) ||
	    book_lookup(book, number, &registration) ||
	    book_delete(book, number, registration.sip_uri))
		return problem("number: it is not registered");
	return fine();
}

static json_t *do_clear_faults(struct connection *connection, json_t *request)
{
	(void)request;
	book_fault_clear(connection->control->options.book);
	return fine();
}

static json_t *do_revoke_tokens(struct connection *connection, json_t *request)
{
	(void)request;
	return json_pack("{s:b, s:i}", "ok", 1, "revoked",
			 (int)book_token_revoke_all(connection->control->options.book));
}

static json_t *change_consent(struct connection *connection, json_t *request, enum grant_kind kind)
{
	const char *number = "";
	int err = json_unpack(request, "{s:s}", "number", &number)
			  ? -EINVAL
			  : grants_change(book_grants(connection->control->options.book), number,
					  kind);

	if (err == -EINVAL)
		return problem("number: one in E.164 form, such as +4799000001");
	if (err == -ENOENT)
		return problem("number: it does not consent");
	return err ? problem("out of memory") : fine();
}

static json_t *do_consent(struct connection *connection, json_t *request)
{
	return change_consent(connection, request, GRANT_ADDED);
}

static json_t *do_revoke_consent(struct connection *connection, json_t *request)
{
	return change_consent(connection, request, GRANT_REVOKED);
}

static void add_number(const char *number, void *arg)
{
	(void)json_array_append_new(arg, json_string(number));
}

static json_t *do_consents(struct connection *connection, json_t *request)
{
	struct grants *grants = book_grants(connection->control->options.book);
	json_t *numbers = json_array();
	struct grants_counts counts;

	(void)request;
	grants_counts(grants, &counts);
	grants_each(grants, add_number, numbers);
	return json_pack("{s:b, s:o, s:I, s:I}", "ok", 1, "numbers", numbers, "events",
			 (json_int_t)counts.events, "waiting", (json_int_t)counts.waiting);
}

static json_t *missing_numbers(const struct connection *connection)
{
	struct book_registration unused;
	json_t *missing = json_array(), *number;
	size_t i;

	json_array_foreach(connection->wait_numbers, i, number)
	{
		if (book_lookup(connection->control->options.book, json_string_value(number),
				&unused))
			(void)json_array_append(missing, number);
	}
	return missing;
}

static void on_wait(struct timer *timer, void *arg)
{
	struct connection *connection = arg;
	json_t *missing = missing_numbers(connection);
	bool all = json_array_size(missing) == 0;

	if (!all && clock_now() < connection->wait_until_ms) {
		json_decref(missing);
		timer_start(sip_loop_wheel(connection->control->options.loop), timer,
			    clock_now() + WAIT_TICK_MS);
		return;
	}
	json_decref(connection->wait_numbers);
	connection->wait_numbers = NULL;
	reply(connection, json_pack("{s:b, s:o}", "ok", all, "missing", missing));
}

static json_t *do_wait_registered(struct connection *connection, json_t *request)
{
	json_t *numbers = NULL, *number;
	int timeout_ms = 10000;
	size_t i;

	if (json_unpack(request, "{s:o, s?i}", "numbers", &numbers, "timeout_ms", &timeout_ms) ||
	    !json_is_array(numbers) || timer_active(&connection->wait))
		return problem("numbers: a list of numbers; one wait at a time");
	json_array_foreach(numbers, i, number)
	{
		if (!json_is_string(number))
			return problem("numbers: a list of texts");
	}
	connection->wait_numbers = json_incref(numbers);
	connection->wait_until_ms = clock_now() + timeout_ms;
	on_wait(&connection->wait, connection);
	return NULL;
}

static json_t *do_stop(struct connection *connection, json_t *request)
{
	(void)request;
	sip_loop_stop(connection->control->options.loop);
	return fine();
}

static const struct {
	const char *name;
	json_t *(*carry_out)(struct connection *connection, json_t *request);
	bool later; /* answered later */
} requests[] = {
	{ "status", do_status, false },
	{ "registrations", do_registrations, false },
	{ "calls", do_calls, false },
	{ "parties", do_parties, false },
	{ "phone", do_phone, false },
	{ "pbx", do_pbx, false },
	{ "trunk", do_trunk, false },
	{ "call", do_call, true },
	{ "hangup", do_hangup, true },
	{ "listen", do_listen, false },
	{ "fault", do_fault, false },
	{ "register", do_register, false },
	{ "unregister", do_unregister, false },
	{ "consent", do_consent, false },
	{ "revoke-consent", do_revoke_consent, false },
	{ "consents", do_consents, false },
	{ "clear-faults", do_clear_faults, false },
	{ "revoke-tokens", do_revoke_tokens, false },
	{ "wait-registered", do_wait_registered, true },
	{ "stop", do_stop, false },
};

/* The answer, or NULL if it comes later. */
static json_t *carry_out(struct connection *connection, const char *line)
{
	json_error_t error;
	const char *name = "";
	json_t *request = json_loads(line, 0, &error), *answer;

	if (!request)
		return problem(error.text);
	if (json_unpack(request, "{s:s}", "do", &name)) {
		json_decref(request);
		return problem("do: what to do is missing");
	}
	answer = problem("do: not a request this simulator knows");
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		if (strcmp(requests[i].name, name) != 0)
			continue;
		json_decref(answer);
		if (connection->fd < 0 && requests[i].later)
			answer = problem("do: needs somebody who waits for the answer");
		else
			answer = requests[i].carry_out(connection, request);
		break;
	}
	json_decref(request);
	return answer;
}

static void take_lines(struct connection *connection)
{
	char *start = connection->line, *end;

	while ((end = memchr(start, '\n',
			     connection->length - (size_t)(start - connection->line)))) {
		*end = '\0';
		json_t *answer = carry_out(connection, start);
		if (answer)
			reply(connection, answer);
		start = end + 1;
	}
	connection->length -= (size_t)(start - connection->line);
	memmove(connection->line, start, connection->length);
}

static void on_readable(int fd, void *arg)
{
	struct connection *connection = arg;
	size_t room = sizeof(connection->line) - connection->length;
	ssize_t n = recv(fd, connection->line + connection->length, room, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		connection->length += (size_t)n;
		take_lines(connection);
	}
	if (n <= 0 || connection->length == sizeof(connection->line))
		connection_close(connection); /* gone, or a line without an end */
}

static void on_connection(int listener, void *arg)
{
	struct control *control = arg;
	struct timeval timeout = { .tv_sec = SEND_TIMEOUT_S };
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct connection *connection = fd < 0 ? NULL : calloc(1, sizeof(*connection));

	if (!connection) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	connection->control = control;
	connection->fd = fd;
	timer_init(&connection->wait, on_wait, connection);
	if (sip_loop_watch(control->options.loop, fd, on_readable, connection)) {
		(void)close(fd);
		free(connection);
		return;
	}
	connection->next = control->connections;
	control->connections = connection;
}

static int open_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		(void)close(fd);
		return -EADDRINUSE; /* somebody answers there */
	}
	(void)unlink(path); /* a leftover, if there was one */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, SOMAXCONN) < 0) {
		int err = -errno;
		(void)close(fd);
		return err;
	}
	return fd;
}

int control_create(struct control **ret_control, const struct control_options *options)
{
	struct control *control = calloc(1, sizeof(*control));
	int err;

	if (!control)
		return -ENOMEM;
	control->options = *options;
	control->listener = open_socket(options->socket_path);
	if (control->listener < 0) {
		err = control->listener;
		free(control);
		return err;
	}
	control->path = strdup(options->socket_path);
	err = control->path
		      ? sip_loop_watch(options->loop, control->listener, on_connection, control)
		      : -ENOMEM;
	if (err) {
		(void)close(control->listener);
		free(control->path);
		free(control);
		return err;
	}
	*ret_control = control;
	return 0;
}

int control_run_file(struct control *control, const char *path, char *error, size_t error_room)
{
	struct connection nobody = { .control = control, .fd = -1 };
	FILE *file = fopen(path, "re");
	unsigned number = 0;
	int err = 0;

	if (!file) {
		err = -errno;
		(void)snprintf(error, error_room, "%s: %s", path, strerror(-err));
		return err;
	}
	while (!err && fgets(nobody.line, sizeof(nobody.line), file)) {
		number++;
		if (strspn(nobody.line, " \t\r\n") == strlen(nobody.line) || *nobody.line == '#')
			continue;
		json_t *answer = carry_out(&nobody, nobody.line);
		if (!json_is_true(json_object_get(answer, "ok"))) {
			(void)snprintf(error, error_room, "%s:%u: %s", path, number,
				       json_string_value(json_object_get(answer, "error")));
			err = -EINVAL;
		}
		json_decref(answer);
	}
	(void)fclose(file); /* was only read */
	return err;
}

struct control *control_destroy(struct control *control)
{
	if (!control)
		return NULL;
	for (struct connection *each = control->connections, *next; each; each = next) {
		next = each->next;
		connection_close(each);
	}
	sip_loop_unwatch(control->options.loop, control->listener);
	(void)close(control->listener);
	(void)unlink(control->path);
	free(control->path);
	free(control);
	return NULL;
}
