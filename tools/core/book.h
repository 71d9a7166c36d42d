/* SPDX-License-Identifier: Apache-2.0 */
/* book.h - what the simulated core knows: registrations, tokens, consents, and which
 * faults are switched on.
 *
 * Threads: any; one lock inside, nothing is called while it is held but the
 * visitor of book_each().
 */
#ifndef BREAKOUT_TOOLS_CORE_BOOK_H
#define BREAKOUT_TOOLS_CORE_BOOK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/e164.h"
#include "base/macros.h"
#include "config/config.h"

struct book;   /* opaque */
struct grants; /* grants.h */

int book_create(struct book **ret_book) MUST_CHECK;
struct book *book_destroy(struct book *book);

enum { BOOK_PREFIX_ROOM = 16, BOOK_URI_ROOM = 256, BOOK_TOKEN_ROOM = 88 };

struct book_registration {
	char number[E164_ROOM];
	char sip_uri[BOOK_URI_ROOM];
	char prefix_mo[BOOK_PREFIX_ROOM], prefix_mt[BOOK_PREFIX_ROOM]; /* "": none */
	enum route_type route_type;
	mono_ms expires_ms; /* clock_now() time */
	uint64_t upserts;   /* how often it was registered since it began */
};

/* Adds, replaces or refreshes; `upserts` is counted by the book. */
int book_upsert(struct book *book, const struct book_registration *registration) MUST_CHECK;
/* 0, -ENOENT (no such number), -EINVAL (another sip_uri is registered). */
int book_delete(struct book *book, const char *number, const char *sip_uri) MUST_CHECK;
/* Copies out; 0 or -ENOENT (unknown or expired). */
int book_lookup(struct book *book, const char *number,
		struct book_registration *ret_registration) MUST_CHECK;
void book_each(struct book *book,
	       void (*visit)(const struct book_registration *registration, void *arg), void *arg);
/* Removes what has expired; returns how many. */
unsigned book_sweep(struct book *book);

/* Who consents; borrowed. */
struct grants *book_grants(struct book *book);

/* Tokens are opaque texts of 87 characters, as the real ones. */
int book_token_issue(struct book *book, unsigned life_s,
		     char ret_token[static BOOK_TOKEN_ROOM]) MUST_CHECK;
bool book_token_valid(struct book *book, const char *token);
unsigned book_token_revoke_all(struct book *book); /* returns how many */

enum fault_kind {
	FAULT_NONE,
	FAULT_UNAVAILABLE,        /* gRPC 14 */
	FAULT_SLOW,               /* answers properly, `delay_ms` late */
	FAULT_HANG,               /* never answers */
	FAULT_UNAUTHENTICATED,    /* gRPC 16 whatever the token */
	FAULT_RESOURCE_EXHAUSTED, /* gRPC 8 */
	FAULT_NOT_ACCEPTABLE,     /* gRPC 0 with status code NOT_ACCEPTABLE inside */
	FAULT_TOKEN_DOWN,         /* the token endpoint answers 503 */
	FAULT_TOKEN_REFUSED,      /* the token endpoint answers 401 invalid_client */
	FAULT_COUNT
};
int fault_kind_parse(const char *name, enum fault_kind *ret_kind) MUST_CHECK;

struct book_fault {
	enum fault_kind kind;
	char number[E164_ROOM]; /* "": every number */
	unsigned count;         /* requests left; 0: until cleared */
	unsigned delay_ms;      /* FAULT_SLOW */
};
/* -ENOSPC after 64 of them. */
int book_fault_add(struct book *book, const struct book_fault *fault) MUST_CHECK;
void book_fault_clear(struct book *book);
/* The first API fault that holds for this request; counts it. The token
 * endpoint's faults have their own. */
enum fault_kind book_fault_take(struct book *book, const char *number, unsigned *ret_delay_ms);
enum fault_kind book_fault_take_token(struct book *book);

struct book_counts {
	uint64_t upserts, deletes, refused, faulted, unauthenticated;
	uint64_t tokens_issued, tokens_refused;
	size_t registrations;
};
void book_counts(struct book *book, struct book_counts *ret_counts);
/* Moves one of the counters above: book_count(book, offsetof(struct book_counts, refused)). */
void book_count(struct book *book, size_t counter);

#endif
