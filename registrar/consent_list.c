/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/consent_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GAP_MS           1000  /* between lists, however often one is wanted */
#define SETTLED_MS       35000 /* consent_store.c judges what is older than 30 s */
#define RETRY_FIRST_MS   500
#define RETRY_REFUSED_MS 300000
#define PAGES_MAX        100000 /* a core that turns in circles */

struct consent_list {
	struct api_client *client;
	struct consent_store *store;
	consent_apply_fn *apply;
	consent_listed_fn *listed;
	void *arg;
	mono_ms due_at, ended_at;
	mono_ms every_ms;
	bool reading, asked; /* a list is under way; a page of it has been asked for */
	bool again, tried, deaf;
	bool other;        /* that page is another core's, which is not asked any more */
	unsigned failures; /* in a row */
	unsigned pages;
	size_t unknown; /* as the last complete one said */
	char *next;     /* own; token of the page to ask for; NULL: the first */
};

int consent_list_create(struct consent_list **ret_list, struct api_client *client,
			struct consent_store *store, consent_apply_fn *apply,
			consent_listed_fn *listed, void *arg)
{
	struct consent_list *list = calloc(1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	list->client = client;
	list->store = store;
	list->apply = apply;
	list->listed = listed;
	list->arg = arg;
	list->ended_at = -GAP_MS;
	*ret_list = list;
	return 0;
}

struct consent_list *consent_list_destroy(struct consent_list *list)
{
	if (!list)
		return NULL;
	free(list->next);
	free(list);
	return NULL;
}

void consent_list_deafen(struct consent_list *list)
{
	list->deaf = true;
}

static mono_ms retry_in(struct consent_list *list, enum api_status status)
{
	unsigned doublings = list->failures < 10 ? list->failures : 10;
	mono_ms wait = (mono_ms)RETRY_FIRST_MS << doublings;

	list->failures++;
	if (status == API_PERMISSION_DENIED || status == API_UNIMPLEMENTED)
		wait = RETRY_REFUSED_MS;
	return wait < list->every_ms ? wait : list->every_ms;
}

/* Another list will know more: what came lately, and numbers that events have yet to
 * tell. */
static bool unsettled(struct consent_list *list, const struct consent_verdict *verdict)
{
	bool more = verdict->unknown > list->unknown;

	list->unknown = verdict->unknown;
	return more || verdict->unsettled;
}

static void end(struct consent_list *list, struct consent_listed *listed)
{
	mono_ms now = clock_now();

	if (listed->complete)
		list->failures = 0;
	listed->wait = listed->complete ? list->every_ms : retry_in(list, listed->status);
	if (listed->complete && unsettled(list, &listed->verdict) && SETTLED_MS < listed->wait)
		listed->wait = SETTLED_MS;
	list->reading = list->asked = false;
	list->tried = true;
	list->ended_at = now;
	list->due_at = now + listed->wait;
	if (list->again)
		consent_list_due(list, now);
	list->again = false;
	list->listed(listed, list->arg);
}

static void fail(struct consent_list *list, enum api_status status, const char *why)
{
	struct consent_listed listed = { .status = status, .why = why };

	end(list, &listed);
}

static void complete(struct consent_list *list)
{
	struct consent_listed listed = { .complete = true, .why = "" };

	listed.complete = list->apply(&listed.verdict, &listed.why, list->arg);
	end(list, &listed);
}

static int add_page(struct consent_list *list, const struct consent_page *page)
{
	int err = 0;

	for (size_t i = 0; !err && i < page->count; i++) {
		const char *id = page->id(page, i);
		char cut[CONSENT_ID_ROOM];

		(void)stpncpy(cut, id, sizeof(cut) - 1);
		cut[sizeof(cut) - 1] = '\0';
		if (*cut)
			err = consent_store_list_add(list->store, cut);
	}
	return err;
}

static void on_page(const struct consent_page *page, enum api_status status, const char *details,
		    void *arg)
{
	struct consent_list *list = arg;
	char *next;

	if (list->deaf)
		return;
	list->asked = false;
	if (list->other) {
		list->other = list->reading = list->again = false;
		return;
	}
	list->pages++;
	if (!page) {
		fail(list, status, details);
		return;
	}
	if (add_page(list, page)) {
		fail(list, API_OK, "no memory for it");
		return;
	}
	if (!*page->next) {
		complete(list);
		return;
	}
	if (list->pages == PAGES_MAX || (list->next && !strcmp(list->next, page->next))) {
		fail(list, API_OK, "its pages do not come to an end");
		return;
	}
	next = strdup(page->next);
	if (!next) {
		fail(list, API_OK, "no memory for it");
		return;
	}
	free(list->next);
	list->next = next;
}

void consent_list_due(struct consent_list *list, mono_ms now)
{
	mono_ms at = now > list->ended_at + GAP_MS ? now : list->ended_at + GAP_MS;

	if (list->reading)
		list->again = true;
	else if (at < list->due_at)
		list->due_at = at;
}

void consent_list_restart(struct consent_list *list, mono_ms now)
{
	list->reading = list->asked; /* a page that is out ends it */
	list->again = list->asked;
	list->tried = false;
	list->failures = 0;
	if (!list->asked)
		list->due_at = now;
}

void consent_list_use(struct consent_list *list, struct api_client *client, mono_ms now)
{
	list->client = client;
	list->other = list->asked;
	list->reading = list->asked;
	list->tried = false;
	list->failures = 0;
	list->due_at = now;
}

void consent_list_run(struct consent_list *list, const struct api_call_options *options,
		      mono_ms every_ms, mono_ms now)
{
	list->every_ms = every_ms;
	if (list->asked || (!list->reading && now < list->due_at))
		return;
	if (!list->reading) {
		free(list->next);
		list->next = NULL;
		list->pages = 0;
		list->reading = true;
		if (consent_store_list_begin(list->store, clock_wall())) {
			fail(list, API_OK, "no memory for it");
			return;
		}
	}
	list->asked = true;
	if (consent_list_send(list->client, list->next ? list->next : "", options, on_page, list))
		fail(list, API_OK, "the request cannot be sent");
}

mono_ms consent_list_next(const struct consent_list *list)
{
	if (list->asked)
		return INT64_MAX;
	return list->reading ? 0 : list->due_at;
}

bool consent_list_tried(const struct consent_list *list)
{
	return list->tried;
}
