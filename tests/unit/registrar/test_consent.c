/* SPDX-License-Identifier: Apache-2.0 */
/* The life of consents with a fake core behind consent_wire.h: events, lists and
 * acknowledgements as the test says, a real store, and a time that is the test's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sqlite3.h>
#include "base/log.h"
#include "registrar/consent.h"
#include "registrar/consent_wire.h"
#include "registrar/keeper.h"
#include "registrar/store.h"
#include "tests/fake/folder.h"

#define START 10000000
#define WALL  1800000000000
#define FIRST 4799000000u

/* ---- the core ---- */

static struct core {
	bool stream, cancelled;
	unsigned opened, lists, acks;
	char queue[64], acked[512];
	enum api_status ack_status, list_status;
	const char *page[8]; /* what the next page names */
	size_t page_count;
	const char *next; /* and the token after it */
	bool list_asked;
	char list_token[32];
	const struct consent_stream_handlers *handlers;
	void *arg, *list_arg;
	consent_page_fn *list_done;
	char used_token[32], refused_token[32];
	struct api_client *client; /* that may be asked */
} core;

/* Only compared. */
static char clients[2];
#define CLIENT(i) ((struct api_client *)(void *)&clients[i])

static char log_text[65536];
static char path[64];

static void on_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)area, (void)arg;
	if (level != LOG_LEVEL_DEBUG && strlen(log_text) + strlen(line) < sizeof(log_text) - 2)
		strcat(strcat(log_text, line), "\n");
}

int consent_stream_open(struct api_client *client, const struct consent_stream_options *options,
			const struct consent_stream_handlers *handlers, void *arg,
			struct api_stream **ret_stream)
{
	assert_ptr_equal(client, core.client);
	assert_false(core.stream);
	core.stream = true;
	core.opened++;
	core.handlers = handlers;
	core.arg = arg;
	snprintf(core.queue, sizeof(core.queue), "%s", options->queue);
	snprintf(core.used_token, sizeof(core.used_token), "%s",
		 options->call->token ? options->call->token : "");
	*ret_stream = (struct api_stream *)&core;
	return 0;
}

void api_stream_cancel(struct api_stream *stream)
{
	assert_ptr_equal(stream, &core);
	core.cancelled = true;
}

int consent_ack_send(struct api_client *client, const char *event,
		     const struct api_call_options *options, consent_ack_fn *done, void *arg)
{
	assert_ptr_equal(client, core.client);
	assert_non_null(options);
	core.acks++;
	strcat(strcat(core.acked, event), " ");
	done(core.ack_status, core.ack_status == API_OK, arg);
	return 0;
}

int consent_list_send(struct api_client *client, const char *page_token,
		      const struct api_call_options *options, consent_page_fn *done, void *arg)
{
	assert_ptr_equal(client, core.client);
	assert_non_null(options);
	assert_false(core.list_asked);
	core.lists++;
	core.list_asked = true;
	core.list_done = done;
	core.list_arg = arg;
	snprintf(core.list_token, sizeof(core.list_token), "%s", page_token);
	return 0;
}

static const char *page_id(const struct consent_page *page, size_t i)
{
	(void)page;
	return core.page[i];
}

static void answer_list(void)
{
	struct consent_page page = { .count = core.page_count,
				     .id = page_id,
				     .next = core.next ? core.next : "" };

	assert_true(core.list_asked);
	core.list_asked = false;
	core.list_done(core.list_status == API_OK ? &page : NULL, core.list_status,
		       "as the test wants it", core.list_arg);
}

static void end_stream(enum api_status status)
{
	assert_true(core.stream);
	core.stream = core.cancelled = false;
	core.handlers->end(status, "reconnect", core.arg);
}

/* ---- us ---- */

struct scene {
	struct consents *consents;
	struct wanted configured;
	struct wanted_number numbers[4];
	unsigned held[100]; /* by number less FIRST: route type */
	unsigned changes;
};

static void on_changed(const struct wanted *some, void *arg)
{
	struct scene *scene = arg;

	assert_string_equal(some->sip_uri, "sips:a");
	scene->changes++;
	for (size_t i = 0; i < some->count; i++)
		scene->held[some->numbers[i].number - FIRST] = some->numbers[i].route_type;
}

static void on_token_refused(const char *token, void *arg)
{
	(void)arg;
	snprintf(core.refused_token, sizeof(core.refused_token), "%s", token);
}

static void begin(struct scene *scene, bool needs_token)
{
	const struct consent_options options = { .client = CLIENT(0),
						 .store = path,
						 .needs_token = needs_token,
						 .token_refused = on_token_refused,
						 .changed = on_changed,
						 .arg = scene,
						 .seed = 7 };
	struct wanted *all;

	assert_int_equal(consents_create(&scene->consents, &options), 0);
	assert_int_equal(consents_want(scene->consents, &scene->configured, &all, clock_now()), 0);
	memset(scene->held, 0, sizeof(scene->held));
	for (size_t i = 0; i < all->count; i++)
		scene->held[all->numbers[i].number - FIRST] = all->numbers[i].route_type;
	wanted_destroy(all);
}

static void reconfigure(struct scene *scene)
{
	struct wanted *all;

	assert_int_equal(consents_want(scene->consents, &scene->configured, &all, clock_now()), 0);
	wanted_destroy(all);
}

static void end(struct scene *scene)
{
	consents_deafen(scene->consents);
	if (core.stream)
		end_stream(API_CANCELLED);
	scene->consents = consents_destroy(scene->consents);
	core.list_asked = false;
}

static int ignore_row(const struct store_row *row, void *arg)
{
	(void)row, (void)arg;
	return 0;
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct store *store;

	if (!scene || folder_make())
		return -1;
	snprintf(path, sizeof(path), "%s/store.db", folder);
	memset(&core, 0, sizeof(core));
	core.client = CLIENT(0);
	log_text[0] = '\0';
	log_set_sink(on_log, NULL);
	clock_fake_set(START);
	clock_fake_wall_set(WALL);
	scene->configured = (struct wanted){
		.sip_uri = (char *)"sips:a",
		.prefixes = { { (char *)"00", (char *)"01" } },
		.numbers = scene->numbers,
		.consents = { true, ROUTE_TYPE_LOOP, 0, 0, 50, 900, 2, 365, "breakout" },
	};
	if (store_open(&store, path, ignore_row, NULL))
		return -1;
	store_close(store);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	if (scene->consents)
		end(scene);
	free(scene);
	log_set_sink(NULL, NULL);
	return folder_remove();
}

static void pass(struct scene *scene, mono_ms ms)
{
	mono_ms until = clock_now() + ms;

	for (;;) {
		mono_ms next;

		consents_run(scene->consents, clock_now());
		if (core.cancelled)
			end_stream(API_CANCELLED);
		next = consents_next(scene->consents);
		if (next <= clock_now())
			next = clock_now() + 1;
		if (next > until)
			break;
		clock_fake_advance(next - clock_now());
	}
	clock_fake_advance(until - clock_now());
	consents_run(scene->consents, clock_now());
}

static void name_of(unsigned index, char id[16])
{
	snprintf(id, 16, "sub-%u", index);
}

static void tell(enum consent_kind kind, unsigned index, wall_ms at, const char *name)
{
	char id[16];
	struct consent_event event = { .known = true,
				       .change = { .kind = kind,
						   .number = FIRST + index,
						   .id = id,
						   .event = name,
						   .at = at } };

	name_of(index, id);
	core.handlers->event(&event, core.arg);
}

/* An empty list at the start, then the stream. */
static void begin_and_listen(struct scene *scene)
{
	begin(scene, false);
	pass(scene, 1);
	answer_list();
	pass(scene, 1);
	assert_true(core.stream);
}

static struct registrar_consents summary(struct scene *scene)
{
	struct registrar_consents summary;

	consents_summary(scene->consents, &summary);
	return summary;
}

/* ---- tests ---- */

static void an_event_is_acknowledged_after_it_is_written(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	assert_memory_equal(core.queue, "breakout-", 9);
	assert_int_equal(strlen(core.queue), 9 + 8); /* and the file's own name */
	tell(CONSENT_ADDED, 1, WALL, "e1");
	assert_int_equal(core.acks, 0);
	assert_int_equal(scene->held[1], 0);
	pass(scene, 20);
	assert_int_equal(scene->held[1], ROUTE_TYPE_LOOP);
	assert_string_equal(core.acked, "e1 ");
	tell(CONSENT_REVOKED, 1, WALL + 1, "e2");
	pass(scene, 20);
	assert_int_equal(scene->held[1], ROUTE_TYPE_NONE);
	assert_string_equal(core.acked, "e1 e2 ");
	assert_int_equal(summary(scene).count, 0);
	assert_int_equal(summary(scene).acks, 2);
}

static void what_was_given_is_known_after_a_restart(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	tell(CONSENT_ADDED, 1, WALL, "e1");
	tell(CONSENT_ADDED, 2, WALL, "e2");
	tell(CONSENT_REVOKED, 2, WALL + 5, "e3");
	pass(scene, 20);
	end(scene);
	begin(scene, false);
	assert_int_equal(scene->held[1], ROUTE_TYPE_LOOP);
	assert_int_equal(scene->held[2], 0);
	assert_int_equal(summary(scene).count, 1);
}

static int recorded(const char *what)
{
	sqlite3_stmt *statement;
	sqlite3 *db;
	int count;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db,
					    "SELECT count(*) FROM consent_record WHERE what = ?1",
					    -1, &statement, NULL),
			 SQLITE_OK);
	sqlite3_bind_text(statement, 1, what, -1, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	count = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return count;
}

static void what_the_core_has_deleted_goes_on_record_with_the_next_turn(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	for (unsigned i = 1; i <= 3; i++)
		tell(CONSENT_ADDED, i, WALL, "e1");
	pass(scene, 20);
	tell(CONSENT_REVOKED, 1, WALL + 1, "e2");
	tell(CONSENT_REVOKED, 2, WALL + 1, "e3");
	pass(scene, 20);
	for (unsigned i = 1; i <= 4; i++) /* 3 has a consent, 4 never had one */
		consents_deleted(scene->consents, FIRST + i);
	assert_int_equal(recorded("deleted"), 0);
	assert_true(consents_next(scene->consents) <= clock_now());
	consents_run(scene->consents, clock_now());
	assert_int_equal(recorded("deleted"), 2);
	for (unsigned i = 0; i < 3000; i++) /* more than go at a time */
		consents_deleted(scene->consents, FIRST + 1);
	consents_note(scene->consents); /* at the end */
	assert_int_equal(recorded("deleted"), 3002);
	consents_note(scene->consents);
	assert_int_equal(recorded("deleted"), 3002);
}

static void twice_and_out_of_order_does_no_harm(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	tell(CONSENT_REVOKED, 1, WALL + 10, "e2"); /* overtook what it revokes */
	tell(CONSENT_ADDED, 1, WALL, "e1");
	tell(CONSENT_ADDED, 2, WALL, "e3");
	tell(CONSENT_ADDED, 2, WALL, "e3");
	tell(CONSENT_ADDED, 3, WALL, "e4");
	tell(CONSENT_REVOKED, 3, WALL, "e5"); /* of the same moment: the careful one */
	tell(CONSENT_UPDATED, 4, WALL, "e6"); /* its beginning was missed */
	pass(scene, 20);
	assert_int_equal(scene->held[1], 0);
	assert_int_equal(scene->held[2], ROUTE_TYPE_LOOP);
	assert_int_equal(scene->held[3], 0);
	assert_int_equal(scene->held[4], ROUTE_TYPE_LOOP);
	assert_int_equal(summary(scene).count, 2);
	assert_string_equal(core.acked, "e2 e1 e3 e3 e4 e5 e6 ");
}

static void a_subscription_takes_its_consent_to_another_number(void **state)
{
	struct scene *scene = *state;
	struct consent_event moved = { .known = true,
				       .change = { .kind = CONSENT_ADDED,
						   .number = FIRST + 9,
						   .id = "sub-1",
						   .event = "e2",
						   .at = WALL + 1 } };
	struct consent_event gone = {
		.known = true,
		.change = { .kind = CONSENT_REVOKED, .id = "sub-1", .event = "e3", .at = WALL + 2 }
	};

	begin_and_listen(scene);
	tell(CONSENT_ADDED, 1, WALL, "e1");
	pass(scene, 20);
	core.handlers->event(&moved, core.arg);
	pass(scene, 20);
	assert_int_equal(scene->held[1], ROUTE_TYPE_NONE);
	assert_int_equal(scene->held[9], ROUTE_TYPE_LOOP);
	core.handlers->event(&gone, core.arg); /* names the subscription alone */
	pass(scene, 20);
	assert_int_equal(scene->held[9], ROUTE_TYPE_NONE);
	assert_int_equal(summary(scene).count, 0);
}

static void what_is_no_number_is_acknowledged_and_left(void **state)
{
	struct scene *scene = *state;
	struct consent_event tenant = { .known = true,
					.tenant = true,
					.change = { .id = "", .event = "e1", .at = WALL } };
	struct consent_event later = {
		.change = { .number = FIRST + 1, .id = "sub-1", .event = "e2", .at = WALL }
	};

	begin_and_listen(scene);
	core.handlers->event(&tenant, core.arg);
	core.handlers->event(&later, core.arg);
	pass(scene, 20);
	assert_string_equal(core.acked, "e1 e2 ");
	assert_int_equal(scene->changes, 0);
	assert_non_null(strstr(log_text, "is an operator's"));
	assert_non_null(strstr(log_text, "this version does not know"));
}

static void the_configuration_wins(void **state)
{
	struct scene *scene = *state;

	scene->numbers[0] =
		(struct wanted_number){ .number = FIRST + 1, .route_type = ROUTE_TYPE_FORK };
	scene->configured.count = 1;
	begin_and_listen(scene);
	tell(CONSENT_ADDED, 1, WALL, "e1");
	pass(scene, 20);
	assert_int_equal(scene->changes, 0);
	assert_non_null(strstr(log_text, "it is configured too, and the configuration holds"));
	end(scene);
	begin(scene, false);
	assert_int_equal(scene->held[1], ROUTE_TYPE_FORK);
	assert_non_null(strstr(log_text, "1 numbers are configured and consented"));
	pass(scene, 1);
	answer_list();
	pass(scene, 1);
	tell(CONSENT_REVOKED, 1, WALL + 1, "e2");
	pass(scene, 20);
	assert_int_equal(scene->changes, 0);
	assert_non_null(strstr(log_text, "stays registered, because the configuration names it"));
}

static void a_complete_list_takes_what_it_does_not_name(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	for (unsigned i = 1; i <= 3; i++)
		tell(CONSENT_ADDED, i, WALL, "e");
	pass(scene, 20);
	pass(scene, 890000);
	/* The next list, in two pages. */
	core.page[0] = "sub-1";
	core.page_count = 1;
	core.next = "second";
	pass(scene, 20000);
	answer_list();
	pass(scene, 1);
	assert_int_equal(scene->held[2], ROUTE_TYPE_LOOP); /* it may come yet */
	assert_string_equal(core.list_token, "second");
	core.page[0] = "sub-3";
	core.next = NULL;
	answer_list();
	assert_int_equal(scene->held[1], ROUTE_TYPE_LOOP);
	assert_int_equal(scene->held[2], ROUTE_TYPE_NONE);
	assert_int_equal(scene->held[3], ROUTE_TYPE_LOOP);
	/* It names it again: the event of that was missed. */
	core.page[0] = "sub-2", core.page[1] = "sub-1", core.page[2] = "sub-3";
	core.page_count = 3;
	pass(scene, 930000);
	answer_list();
	assert_int_equal(scene->held[2], ROUTE_TYPE_LOOP);
}

static void a_fresh_consent_waits_for_a_later_list(void **state)
{
	struct scene *scene = *state;
	unsigned lists;

	begin_and_listen(scene);
	pass(scene, 890000);
	tell(CONSENT_ADDED, 1, WALL, "e1");
	pass(scene, 15000); /* and now it lists, perhaps from before */
	answer_list();
	assert_int_equal(scene->held[1], ROUTE_TYPE_LOOP);
	lists = core.lists;
	pass(scene, 36000); /* soon, to see */
	assert_int_equal(core.lists, lists + 1);
	answer_list();
	assert_int_equal(scene->held[1], ROUTE_TYPE_NONE);
}

static void a_list_that_fails_takes_nothing(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	tell(CONSENT_ADDED, 1, WALL, "e1");
	pass(scene, 20);
	pass(scene, 900000);
	core.next = "second"; /* the first page is well, the second is not */
	answer_list();
	core.list_status = API_INTERNAL;
	pass(scene, 1);
	answer_list();
	pass(scene, 1);
	assert_int_equal(scene->held[1], ROUTE_TYPE_LOOP);
	assert_non_null(strstr(log_text, "nothing is withdrawn by it"));
	core.list_status = API_OK;
	pass(scene, 3000);
	answer_list(); /* and the second page is the second page again */
	pass(scene, 1);
	answer_list();
	assert_int_equal(scene->held[1], ROUTE_TYPE_LOOP);
	assert_true(core.stream);
}

static void a_list_that_lacks_too_many_is_held(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	for (unsigned i = 1; i <= 3; i++) /* withdraw_at_most is 2 */
		tell(CONSENT_ADDED, i, WALL, "e");
	pass(scene, 900000);
	answer_list();
	assert_int_equal(scene->held[1], ROUTE_TYPE_LOOP);
	assert_int_equal(summary(scene).held, 3);
	assert_non_null(strstr(log_text, "set withdraw_at_most to 3 or more"));
	scene->configured.consents.withdraw_at_most = 3;
	reconfigure(scene);
	pass(scene, 2000);
	answer_list();
	assert_int_equal(scene->held[1], ROUTE_TYPE_NONE);
	assert_int_equal(scene->held[3], ROUTE_TYPE_NONE);
	assert_int_equal(summary(scene).held, 0);
}

static void history_that_is_over_registers_nobody(void **state)
{
	struct scene *scene = *state;

	begin(scene, false);
	core.page[0] = "sub-2";
	core.page_count = 1;
	pass(scene, 1);
	assert_false(core.stream); /* the list comes first */
	answer_list();
	pass(scene, 1);
	tell(CONSENT_ADDED, 1, WALL - 86400000, "e1"); /* not in the list any more */
	tell(CONSENT_ADDED, 2, WALL - 86400000, "e2");
	pass(scene, 20);
	assert_int_equal(scene->held[1], 0);
	assert_int_equal(scene->held[2], ROUTE_TYPE_LOOP);
	assert_string_equal(core.acked, "e1 e2 ");
}

static void consents_whose_numbers_nobody_tells_are_said(void **state)
{
	struct scene *scene = *state;

	begin(scene, false);
	core.page[0] = "sub-1", core.page[1] = "+4799000002";
	core.page_count = 2;
	pass(scene, 1);
	answer_list();
	assert_int_equal(scene->held[2], ROUTE_TYPE_LOOP); /* that is its name and number */
	assert_int_equal(summary(scene).unknown, 1);
	assert_null(strstr(log_text, "no event has told")); /* the stream may yet */
	pass(scene, 36000);
	answer_list();
	assert_non_null(strstr(log_text, "no event has told the numbers of 1"));
}

static void a_stream_that_ends_is_opened_again_and_a_list_read(void **state)
{
	struct scene *scene = *state;
	unsigned lists = 1;

	begin_and_listen(scene);
	pass(scene, 120000);
	end_stream(API_UNAVAILABLE); /* having lived: at once */
	pass(scene, 1);
	assert_int_equal(core.opened, 2);
	assert_int_equal(core.lists, ++lists);
	answer_list();
	end_stream(API_UNAVAILABLE); /* not having lived: after a while */
	pass(scene, 200);
	assert_int_equal(core.opened, 2);
	pass(scene, 2000);
	assert_int_equal(core.opened, 3);
	for (int i = 0; i < 12; i++) {
		end_stream(API_UNAVAILABLE);
		pass(scene, 31000);
		assert_true(core.stream);
		if (core.list_asked)
			answer_list();
	}
	assert_int_equal(core.opened, 15);
}

static void a_stream_is_turned_before_its_hour_is_over(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	for (int i = 0; i < 56; i++) {
		if (core.list_asked)
			answer_list();
		pass(scene, 60000);
	}
	assert_int_equal(core.opened, 2);
	assert_true(core.stream);
}

static void a_refused_token_is_replaced(void **state)
{
	struct scene *scene = *state;

	begin(scene, true);
	pass(scene, 1000);
	assert_int_equal(core.lists, 0); /* without one it is of no use to ask */
	consents_token(scene->consents, "first");
	pass(scene, 1);
	answer_list();
	pass(scene, 1);
	assert_string_equal(core.used_token, "first");
	end_stream(API_UNAUTHENTICATED);
	assert_string_equal(core.refused_token, "first");
	pass(scene, 60000);
	assert_false(core.stream);
	consents_token(scene->consents, "second");
	pass(scene, 1);
	assert_true(core.stream);
	assert_string_equal(core.used_token, "second");
}

static void an_acknowledgement_that_fails_is_counted_and_the_event_comes_again(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	core.ack_status = API_UNAVAILABLE;
	tell(CONSENT_ADDED, 1, WALL, "e1");
	pass(scene, 20);
	assert_int_equal(summary(scene).acks_failed, 1);
	core.ack_status = API_OK;
	tell(CONSENT_ADDED, 1, WALL, "e1");
	pass(scene, 20);
	assert_int_equal(summary(scene).acks, 1);
	assert_int_equal(scene->changes, 1);
}

static void nothing_is_asked_when_the_configuration_wants_none(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	tell(CONSENT_ADDED, 1, WALL, "e1");
	pass(scene, 20);
	scene->configured.consents = (struct consent_plan){ .wanted = false };
	reconfigure(scene);
	pass(scene, 1000);
	assert_false(core.stream);
	pass(scene, 4000000);
	assert_int_equal(core.opened, 1);
	assert_false(summary(scene).wanted);
}

static void a_store_that_cannot_be_read_is_said(void **state)
{
	struct scene *scene = *state;
	const struct consent_options options = { .store = "/nonexistent/store.db" };
	struct wanted *all;

	assert_int_equal(consents_create(&scene->consents, &options), 0);
	assert_int_equal(consents_want(scene->consents, &scene->configured, &all, START), -EIO);
	assert_non_null(strstr(log_text, "nothing is done without them"));
}

/* ---- another core ---- */

static void use(struct scene *scene, unsigned client, bool needs_token, bool anew)
{
	struct consent_source source = { .client = CLIENT(client), .needs_token = needs_token };

	core.client = CLIENT(client);
	consents_use(scene->consents, &source, anew, clock_now());
}

static void another_core_is_asked_from_the_start(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	tell(CONSENT_ADDED, 1, WALL, "e1"); /* neither written nor acknowledged yet */
	use(scene, 1, false, false);
	pass(scene, 2000);
	assert_int_equal(core.acks, 0);
	assert_int_equal(scene->held[1], 0);
	assert_true(core.list_asked && core.lists == 2 && core.opened == 1);
	answer_list();
	pass(scene, 1000);
	assert_int_equal(core.opened, 2);
	tell(CONSENT_ADDED, 2, WALL, "e2");
	pass(scene, 20);
	assert_int_equal(core.acks, 1);
	assert_int_equal(scene->held[2], ROUTE_TYPE_LOOP);
	use(scene, 1, false, false); /* the same: nothing happens */
	pass(scene, 1000);
	assert_int_equal(core.opened, 2);
}

static void a_list_of_the_core_of_before_counts_no_more(void **state)
{
	struct scene *scene = *state;

	begin_and_listen(scene);
	tell(CONSENT_ADDED, 1, WALL, "e1");
	pass(scene, 40000);
	reconfigure(scene);
	pass(scene, 1000);
	assert_true(core.list_asked);
	use(scene, 1, false, false);
	answer_list(); /* of the first core, which names nobody */
	assert_int_equal(scene->held[1], ROUTE_TYPE_LOOP);
	pass(scene, 2000);
	assert_true(core.list_asked);
	answer_list(); /* the second one's, which names nobody either */
	assert_int_equal(scene->held[1], 0);
}

static void without_a_core_nobody_is_asked_and_who_consented_stays(void **state)
{
	const struct consent_source none = { .client = NULL };
	struct scene *scene = *state;

	begin_and_listen(scene);
	tell(CONSENT_ADDED, 1, WALL, "e1");
	pass(scene, 20);
	consents_use(scene->consents, &none, true, clock_now());
	pass(scene, 3600000);
	assert_int_equal(core.opened, 1);
	assert_int_equal(scene->held[1], ROUTE_TYPE_LOOP);
	use(scene, 0, true, true); /* with a token to come */
	pass(scene, 1000);
	assert_false(core.list_asked);
	consents_token(scene->consents, "new");
	pass(scene, 1000);
	assert_true(core.list_asked);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_event_is_acknowledged_after_it_is_written),
		TEST(what_was_given_is_known_after_a_restart),
		TEST(what_the_core_has_deleted_goes_on_record_with_the_next_turn),
		TEST(twice_and_out_of_order_does_no_harm),
		TEST(a_subscription_takes_its_consent_to_another_number),
		TEST(what_is_no_number_is_acknowledged_and_left),
		TEST(the_configuration_wins),
		TEST(a_complete_list_takes_what_it_does_not_name),
		TEST(a_fresh_consent_waits_for_a_later_list),
		TEST(a_list_that_fails_takes_nothing),
		TEST(a_list_that_lacks_too_many_is_held),
		TEST(history_that_is_over_registers_nobody),
		TEST(consents_whose_numbers_nobody_tells_are_said),
		TEST(a_stream_that_ends_is_opened_again_and_a_list_read),
		TEST(a_stream_is_turned_before_its_hour_is_over),
		TEST(a_refused_token_is_replaced),
		TEST(an_acknowledgement_that_fails_is_counted_and_the_event_comes_again),
		TEST(nothing_is_asked_when_the_configuration_wants_none),
		TEST(a_store_that_cannot_be_read_is_said),
		TEST(another_core_is_asked_from_the_start),
		TEST(a_list_of_the_core_of_before_counts_no_more),
		TEST(without_a_core_nobody_is_asked_and_who_consented_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
