/* SPDX-License-Identifier: Apache-2.0 */
/* consent_list.h - reads the core's list of all consents, page by page, and now and
 * then again.
 *
 * Only a list that came to its last page without a fault is complete; one that
 * did not says nothing. Threads: the registrar's.
 */
#ifndef BREAKOUT_REGISTRAR_CONSENT_LIST_H
#define BREAKOUT_REGISTRAR_CONSENT_LIST_H

#include "registrar/consent_store.h"
#include "registrar/consent_wire.h"

struct consent_list; /* opaque */

/* How a list ended. */
struct consent_listed {
	bool complete;
	enum api_status status; /* API_OK and not complete: `why` says it all */
	const char *why;        /* the core's words or ours */
	mono_ms wait;           /* until the next one */
	struct consent_verdict verdict;
};

/* What a complete list means is written: false with the reason why it could not. */
typedef bool consent_apply_fn(struct consent_verdict *ret_verdict, const char **ret_why, void *arg);
typedef void consent_listed_fn(const struct consent_listed *listed, void *arg);

/* client and store are borrowed. The first list is due at once. */
int consent_list_create(struct consent_list **ret_list, struct api_client *client,
			struct consent_store *store, consent_apply_fn *apply,
			consent_listed_fn *listed, void *arg) MUST_CHECK;
/* The client has ended before. */
struct consent_list *consent_list_destroy(struct consent_list *list);
void consent_list_deafen(struct consent_list *list);

/* Another core is asked from now on, from the start: what this one has said of a list that
 * is under way counts no more. */
void consent_list_use(struct consent_list *list, struct api_client *client, mono_ms now);

/* Another one soon, whatever the one under way says. */
void consent_list_due(struct consent_list *list, mono_ms now);
/* Somebody else has read it meanwhile: as if none had been tried. */
void consent_list_restart(struct consent_list *list, mono_ms now);
/* Asks for the next page if it is time; every_ms: from one list to the next. */
void consent_list_run(struct consent_list *list, const struct api_call_options *options,
		      mono_ms every_ms, mono_ms now);
mono_ms consent_list_next(const struct consent_list *list); /* for consent_list_run() */
/* The first list has come to an end, good or bad. */
bool consent_list_tried(const struct consent_list *list);

#endif
