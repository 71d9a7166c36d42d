/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/book.h"

#include <errno.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "tools/core/grants.h"

enum { FAULTS_MAX = 64, TOKENS_MAX = 64 };

struct token {
	char text[BOOK_TOKEN_ROOM];
	mono_ms expires_ms;
};

struct book {
	pthread_mutex_t lock;
	struct str_map *registrations;   /* number -> struct book_registration, owned */
	struct token tokens[TOKENS_MAX]; /* a ring: the oldest makes room */
	unsigned token_next;
	struct book_fault faults[FAULTS_MAX];
	unsigned fault_count;
	struct book_counts counts;
	struct grants *grants; /* has a lock of its own */
};

int book_create(struct book **ret_book)
{
	struct book *book = calloc(1, sizeof(*book));

	if (!book)
		return -ENOMEM;
	int err = str_map_create(&book->registrations);
	if (!err)
		err = grants_create(&book->grants);
	if (err) {
		str_map_destroy(book->registrations);
		free(book);
		return err;
	}
	pthread_mutex_init(&book->lock, NULL);
	*ret_book = book;
	return 0;
}

static void free_value(const char *key, void *value, void *arg)
{
	(void)key;
	(void)arg;
	free(value);
}

struct book *book_destroy(struct book *book)
{
	if (!book)
		return NULL;
	str_map_each(book->registrations, free_value, NULL);
	str_map_destroy(book->registrations);
	grants_destroy(book->grants);
	pthread_mutex_destroy(&book->lock);
	free(book);
	return NULL;
}

struct grants *book_grants(struct book *book)
{
	return book->grants;
}

int book_upsert(struct book *book, const struct book_registration *registration)
{
	int err = 0;

	pthread_mutex_lock(&book->lock);
	struct book_registration *known = str_map_find(book->registrations, registration->number);
	if (!known) {
		known = calloc(1, sizeof(*known));
		err = known ? str_map_put(book->registrations, registration->number, known)
			    : -ENOMEM;
		if (err)
			free(known);
	}
	if (!err) {
		uint64_t upserts = known->upserts + 1;
		*known = *registration;
		known->upserts = upserts;
		book->counts.upserts++;
	}
	pthread_mutex_unlock(&book->lock);
	return err;
}

int book_delete(struct book *book, const char *number, const char *sip_uri)
{
	int err = 0;

	pthread_mutex_lock(&book->lock);
	struct book_registration *known = str_map_find(book->registrations, number);
	if (!known)
		err = -ENOENT;
	else if (strcmp(known->sip_uri, sip_uri) != 0)
		err = -EINVAL;
	else {
		free(str_map_remove(book->registrations, number));
		book->counts.deletes++;
	}
	pthread_mutex_unlock(&book->lock);
	return err;
}

int book_lookup(struct book *book, const char *number, struct book_registration *ret_registration)
{
	int err = -ENOENT;

	pthread_mutex_lock(&book->lock);
	const struct book_registration *known = str_map_find(book->registrations, number);
	if (known && known->expires_ms > clock_now()) {
		*ret_registration = *known;
		err = 0;
	}
	pthread_mutex_unlock(&book->lock);
	return err;
}

struct visit {
	void (*visit)(const struct book_registration *registration, void *arg);
	void *arg;
};

static void visit_live(const char *key, void *value, void *arg)
{
	const struct book_registration *registration = value;
	struct visit *visit = arg;

	(void)key;
	if (registration->expires_ms > clock_now())
		visit->visit(registration, visit->arg);
}

void book_each(struct book *book,
	       void (*visit)(const struct book_registration *registration, void *arg), void *arg)
{
	struct visit visitor = { visit, arg };

	pthread_mutex_lock(&book->lock);
	str_map_each(book->registrations, visit_live, &visitor);
	pthread_mutex_unlock(&book->lock);
}

/* Numbers found expired in one round; more wait for the next. */
struct expired {
	char numbers[64][E164_ROOM];
	unsigned count;
};

static void note_expired(const char *key, void *value, void *arg)
{
	const struct book_registration *registration = value;
	struct expired *expired = arg;

	if (registration->expires_ms > clock_now() ||
	    expired->count == ARRAY_SIZE(expired->numbers))
		return;
	memcpy(expired->numbers[expired->count], registration->number, E164_ROOM);
	expired->count++;
	(void)key;
}

unsigned book_sweep(struct book *book)
{
	struct expired expired = { 0 };

	pthread_mutex_lock(&book->lock);
	str_map_each(book->registrations, note_expired, &expired);
	for (unsigned i = 0; i < expired.count; i++)
		free(str_map_remove(book->registrations, expired.numbers[i]));
	pthread_mutex_unlock(&book->lock);
	return expired.count;
}

int book_token_issue(struct book *book, unsigned life_s, char ret_token[static BOOK_TOKEN_ROOM])
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char random[BOOK_TOKEN_ROOM - 1];

	if (RAND_bytes(random, sizeof(random)) != 1)
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		ret_token[i] = letters[random[i] % 64];
	ret_token[43] = '.';
	ret_token[BOOK_TOKEN_ROOM - 1] = '\0';

	pthread_mutex_lock(&book->lock);
	struct token *token = &book->tokens[book->token_next++ % TOKENS_MAX];
	memcpy(token->text, ret_token, BOOK_TOKEN_ROOM);
	token->expires_ms = clock_now() + (mono_ms)life_s * 1000;
	book->counts.tokens_issued++;
	pthread_mutex_unlock(&book->lock);
	return 0;
}

bool book_token_valid(struct book *book, const char *token)
{
	bool valid = false;

	pthread_mutex_lock(&book->lock);
	for (size_t i = 0; i < TOKENS_MAX && !valid; i++)
		valid = book->tokens[i].expires_ms > clock_now() &&
			strcmp(book->tokens[i].text, token) == 0;
	pthread_mutex_unlock(&book->lock);
	return valid;
}

unsigned book_token_revoke_all(struct book *book)
{
	unsigned count = 0;

	pthread_mutex_lock(&book->lock);
	for (size_t i = 0; i < TOKENS_MAX; i++) {
		count += book->tokens[i].expires_ms > clock_now();
		book->tokens[i] = (struct token){ 0 };
	}
	pthread_mutex_unlock(&book->lock);
	return count;
}

static const char *const fault_names[FAULT_COUNT] = {
	[FAULT_NONE] = "none",
	[FAULT_UNAVAILABLE] = "unavailable",
	[FAULT_SLOW] = "slow",
	[FAULT_HANG] = "hang",
	[FAULT_UNAUTHENTICATED] = "unauthenticated",
	[FAULT_RESOURCE_EXHAUSTED] = "resource_exhausted",
	[FAULT_NOT_ACCEPTABLE] = "not_acceptable",
	[FAULT_TOKEN_DOWN] = "token_down",
	[FAULT_TOKEN_REFUSED] = "token_refused",
};

int fault_kind_parse(const char *name, enum fault_kind *ret_kind)
{
	for (int kind = FAULT_NONE + 1; kind < FAULT_COUNT; kind++) {
		if (strcmp(name, fault_names[kind]) == 0) {
			*ret_kind = (enum fault_kind)kind;
			return 0;
		}
	}
	return -EINVAL;
}

int book_fault_add(struct book *book, const struct book_fault *fault)
{
	int err = -ENOSPC;

	pthread_mutex_lock(&book->lock);
	if (book->fault_count < FAULTS_MAX) {
		book->faults[book->fault_count++] = *fault;
		err = 0;
	}
	pthread_mutex_unlock(&book->lock);
	return err;
}

void book_fault_clear(struct book *book)
{
	pthread_mutex_lock(&book->lock);
	book->fault_count = 0;
	pthread_mutex_unlock(&book->lock);
}

static bool for_token(enum fault_kind kind)
{
	return kind == FAULT_TOKEN_DOWN || kind == FAULT_TOKEN_REFUSED;
}

static enum fault_kind take(struct book *book, bool token, const char *number, unsigned *ret_delay)
{
	enum fault_kind kind = FAULT_NONE;

	pthread_mutex_lock(&book->lock);
	for (unsigned i = 0; i < book->fault_count; i++) {
		struct book_fault *fault = &book->faults[i];
		if (for_token(fault->kind) != token ||
		    (*fault->number && strcmp(fault->number, number) != 0))
			continue;
		kind = fault->kind;
		*ret_delay = fault->delay_ms;
		book->counts.faulted++;
		if (fault->count && --fault->count == 0) {
			book->fault_count--;
			memmove(fault, fault + 1, (book->fault_count - i) * sizeof(*fault));
		}
		break;
	}
	pthread_mutex_unlock(&book->lock);
	return kind;
}

enum fault_kind book_fault_take(struct book *book, const char *number, unsigned *ret_delay_ms)
{
	return take(book, false, number, ret_delay_ms);
}

enum fault_kind book_fault_take_token(struct book *book)
{
	unsigned unused;

	return take(book, true, "", &unused);
}

void book_counts(struct book *book, struct book_counts *ret_counts)
{
	pthread_mutex_lock(&book->lock);
	*ret_counts = book->counts;
	ret_counts->registrations = str_map_count(book->registrations);
	pthread_mutex_unlock(&book->lock);
}

void book_count(struct book *book, size_t counter)
{
	pthread_mutex_lock(&book->lock);
	++*(uint64_t *)((char *)&book->counts + counter);
	pthread_mutex_unlock(&book->lock);
}
