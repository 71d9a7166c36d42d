/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/access.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/secret.h"
#include "base/str.h"

#define BUCKETS 256 /* of the addresses and tokens that asked last */

struct holder {
	char *name, *path;
	char *secret; /* NULL: not readable, nobody's */
	enum http_role role;
};

/* Fills at `rate` a second up to twice that. */
struct bucket {
	char key[64]; /* "" free */
	double level;
	mono_ms at;
};

struct access {
	pthread_mutex_t lock;
	struct holder *holders;
	size_t holder_count;
	unsigned rate;
	bool unread; /* the secrets of `holders` */
	struct bucket buckets[BUCKETS];
};

/* ---- tokens ---- */

static void free_holders(struct holder *holders, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(holders[i].name);
		free(holders[i].path);
		secret_free(holders[i].secret);
	}
	free(holders);
}

static int copy_holders(const struct config_http *http, struct holder **ret_holders)
{
	struct holder *holders = calloc(http->token_count + 1, sizeof(*holders));

	if (!holders)
		return -ENOMEM;
	for (size_t i = 0; i < http->token_count; i++) {
		holders[i].name = strdup(http->tokens[i].name);
		holders[i].path = strdup(http->tokens[i].file);
		holders[i].role = http->tokens[i].role;
		if (holders[i].name && holders[i].path)
			continue;
		free_holders(holders, http->token_count);
		return -ENOMEM;
	}
	*ret_holders = holders;
	return 0;
}

static void read_holder(struct holder *holder)
{
	char secret[SECRET_ROOM];
	int err = secret_read(holder->path, secret);

	if (!err && strlen(secret) < ACCESS_TOKEN_MIN)
		err = -EINVAL;
	if (!err)
		holder->secret = strdup(secret);
	explicit_bzero(secret, sizeof(secret));
	if (holder->secret)
		return;
	log_error("admin", "token of %s in %s does not count: %s", holder->name, holder->path,
		  err == -EINVAL ? "it is shorter than 16 characters: `openssl rand -hex 32` "
				   "makes one"
				 : strerror(err ? -err : ENOMEM));
}

static void read_holders(struct access *access)
{
	if (!access->unread)
		return;
	for (size_t i = 0; i < access->holder_count; i++)
		read_holder(&access->holders[i]);
	access->unread = false;
}

/* In a time that does not tell how much of it is right. */
static bool same_secret(const char *given, const char *wanted)
{
	size_t length = strlen(wanted), given_length = strlen(given);
	unsigned char differs = length != given_length;

	for (size_t i = 0; i < length; i++)
		differs |= (unsigned char)(wanted[i] ^ given[given_length ? i % given_length : 0]);
	return !differs;
}

static const struct holder *find_holder(const struct access *access, const char *authorization)
{
	const struct holder *found = NULL;

	if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
		return NULL;
	authorization += 7;
	authorization += strspn(authorization, " ");
	for (size_t i = 0; i < access->holder_count; i++)
		if (access->holders[i].secret &&
		    same_secret(authorization, access->holders[i].secret))
			found = &access->holders[i];
	return found;
}

/* ---- rates ---- */

static struct bucket *bucket_of(struct access *access, const char *key, mono_ms now)
{
	struct bucket *oldest = &access->buckets[0];

	for (size_t i = 0; i < BUCKETS; i++) {
		if (!strcmp(access->buckets[i].key, key))
			return &access->buckets[i];
		if (access->buckets[i].at < oldest->at)
			oldest = &access->buckets[i];
	}
	(void)snprintf(oldest->key, sizeof(oldest->key), "%s", key);
	oldest->level = 2.0 * access->rate;
	oldest->at = now;
	return oldest;
}

static bool within_rate(struct access *access, const char *kind, const char *name)
{
	char key[sizeof(((struct bucket *)NULL)->key)];
	mono_ms now = clock_now();
	struct bucket *bucket;

	(void)snprintf(key, sizeof(key), "%s %s", kind, name);
	bucket = bucket_of(access, key, now);
	bucket->level += (double)(now - bucket->at) * access->rate / 1000.0;
	if (bucket->level > 2.0 * access->rate)
		bucket->level = 2.0 * access->rate;
	bucket->at = now;
	if (bucket->level < 1.0)
		return false;
	bucket->level -= 1.0;
	return true;
}

/* ---- browsers ---- */

/* The name before the port of "localhost:8080", "[::1]:8080". */
static bool is_this_machine(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

	for (size_t i = 0; host && i < ARRAY_SIZE(names); i++) {
		size_t length = strlen(names[i]);

		if (!strncasecmp(host, names[i], length) &&
		    (host[length] == '\0' || host[length] == ':'))
			return true;
	}
	return false;
}

static bool is_own_page(const char *origin, const char *host)
{
	const char *authority = strstr(origin, "://");

	return authority && host && !strcasecmp(authority + 3, host);
}

static int check_browser(const struct access_request *request)
{
	if (request->listener != HTTP_LISTEN_TLS && !is_this_machine(request->host))
		return 400;
	if (request->changes && request->origin && !is_own_page(request->origin, request->host))
		return 403;
	return 0;
}

/* ---- the door ---- */

static int check(struct access *access, const struct access_request *request,
		 const struct holder **ret_holder)
{
	const struct holder *holder;

	if (request->listener == HTTP_LISTEN_UNIX)
		return within_rate(access, "socket", "") ? 0 : 429;
	holder = find_holder(access, request->authorization);
	*ret_holder = holder;
	if (!within_rate(access, holder ? "token" : "address",
			 holder ? holder->name : request->peer))
		return 429;
	if (request->needed == HTTP_ROLE_NONE)
		return 0;
	if (!holder)
		return 401;
	return holder->role >= request->needed ? 0 : 403;
}

int access_check(struct access *access, const struct access_request *request, char *ret_who,
		 size_t room)
{
	const struct holder *holder = NULL;
	int status = check_browser(request);

	*ret_who = '\0';
	if (status)
		return status;
	pthread_mutex_lock(&access->lock);
	read_holders(access);
	status = check(access, request, &holder);
	if (holder)
		(void)snprintf(ret_who, room, "%s", holder->name);
	pthread_mutex_unlock(&access->lock);
	return status;
}

int access_reconfigure(struct access *access, const struct config_http *http)
{
	struct holder *fresh = NULL, *old = access->holders;
	size_t old_count = access->holder_count;
	int err = copy_holders(http, &fresh);

	if (err)
		return err;
	pthread_mutex_lock(&access->lock);
	access->holders = fresh;
	access->holder_count = http->token_count;
	access->rate = http->rate;
	access->unread = true;
	pthread_mutex_unlock(&access->lock);
	free_holders(old, old_count);
	return 0;
}

int access_create(struct access **ret_access, const struct config_http *http)
{
	struct access *access = calloc(1, sizeof(*access));
	int err;

	if (!access)
		return -ENOMEM;
	err = pthread_mutex_init(&access->lock, NULL);
	if (err) {
		free(access);
		return -err;
	}
	err = access_reconfigure(access, http);
	if (err)
		(void)access_destroy(access);
	else
		*ret_access = access;
	return err;
}

struct access *access_destroy(struct access *access)
{
	if (!access)
		return NULL;
	free_holders(access->holders, access->holder_count);
	pthread_mutex_destroy(&access->lock);
	free(access);
	return NULL;
}
