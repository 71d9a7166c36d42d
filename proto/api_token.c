/* SPDX-License-Identifier: Apache-2.0 */
/* OAuth 2.0 client credentials (RFC 6749 section 4.4) on a thread of their own:
 * one fetch an hour needs no event loop. */
#include "proto/api.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <curl/curl.h>
#include <jansson.h>
#include "base/hash.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/str.h"

#define BODY_MAX           ((size_t)64 * 1024)
#define TOKEN_MAX          ((size_t)7 * 1024) /* gRPC servers take 8 KiB of headers by default */
#define DEFAULT_EXPIRY_S   3600               /* an answer may leave expires_in out */
#define RETRY_FIRST_MS     1000
#define RETRY_MAX_MS       60000
#define STEADY_MS          60000 /* a token that served this long was a good one */
#define ERROR_ROOM         384
#define DEFAULT_TIMEOUT_MS 10000

struct settings {
	char *url, *client_id, *secret_file, *scope, *ca_file, *ca_pem; /* own */
	bool raw_basic;
	long timeout_ms;
	unsigned serial;
};

struct api_token {
	struct settings settings; /* token thread; changed between fetches */
	api_token_fn *on_token;
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	atomic_bool stopping; /* written under the lock; a running fetch looks too */
	atomic_bool outdated; /* dito: what it fetches is of credentials that count no more */
	/* Under the lock: */
	struct settings *pending; /* for the next fetch; NULL: as they are */
	char *current;            /* the newest token, NULL before the first */
	mono_ms current_at;       /* when it came */
	mono_ms fetch_at;         /* when the next fetch is due */
	mono_ms last_fetch;       /* start of the last one, 0: none yet */
	unsigned refused;         /* tokens in a row that the core refused while young */
	/* Token thread only: */
	unsigned failures; /* fetches in a row */
};

struct body {
	char *text;
	size_t length;
	bool too_large;
};

struct grant {
	char *token;
	unsigned expires_in_s;
};

/* ---- the answer ---- */

static bool token_legal(const char *text)
{
	size_t length = 0;

	/* b64token of RFC 6750 section 2.1 and what else a header can carry. */
	for (; text[length]; length++)
		if (text[length] <= ' ' || text[length] > '~')
			return false;
	return length > 0 && length <= TOKEN_MAX;
}

static const char *text_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* A peer's text, short and printable, for a log line. */
static void quote(const char *text, char *ret_quoted, size_t room)
{
	size_t n = 0;

	for (; text && *text && n + 1 < room; text++)
		ret_quoted[n++] = isprint((unsigned char)*text) ? *text : '?';
	ret_quoted[n] = '\0';
}

/* RFC 6749 section 5.2: what the endpoint says, and whose setting it is about. */
static void explain_refusal(long http, const json_t *object, char *error)
{
	char code[48], description[120];
	const char *mend = "check token_url";

	quote(text_member(object, "error"), code, sizeof(code));
	quote(text_member(object, "error_description"), description, sizeof(description));
	if (!strcmp(code, "invalid_scope"))
		mend = "check scope, and that the developer portal grants it to this client";
	else if (!strcmp(code, "unauthorized_client") || !strcmp(code, "unsupported_grant_type"))
		mend = "this client may not use client_credentials: check it in the developer "
		       "portal";
	else if (!strcmp(code, "invalid_client") || http == 401 || http == 403)
		mend = "check client_id and the secret in client_secret_file";
	else if (http == 429 || http >= 500)
		mend = "the trouble is at the token endpoint; it is asked again";
	snprintf(error, ERROR_ROOM, "the token endpoint answered %ld%s%s%s%s: %s", http,
		 code[0] ? " " : "", code, description[0] ? ", " : "", description, mend);
}

static int read_expiry(const json_t *object, unsigned *ret_expires_in_s)
{
	const json_t *value = json_object_get(object, "expires_in");
	json_int_t seconds = DEFAULT_EXPIRY_S;

	if (json_is_string(value))
		seconds = strtoll(json_string_value(value), NULL, 10);
	else if (json_is_number(value))
		seconds = (json_int_t)json_number_value(value);
	if (seconds <= 0)
		return -EINVAL;
	*ret_expires_in_s = seconds > 30 * 86400 ? 30 * 86400 : (unsigned)seconds;
	return 0;
}

static int read_grant(const struct api_token *token, const json_t *object, struct grant *ret_grant,
		      char *error)
{
	const char *text = text_member(object, "access_token");
	const char *type = text_member(object, "token_type");
	const char *scope = text_member(object, "scope");
	char granted[160];

	if (!text || !token_legal(text)) {
		snprintf(error, ERROR_ROOM,
			 "the token endpoint's answer has no usable "
			 "access_token: check token_url");
		return -EPROTO;
	}
	if (type && !str_equal_nocase(type, "bearer")) {
		snprintf(error, ERROR_ROOM,
			 "the token endpoint gives tokens of another type than "
			 "bearer: check token_url");
		return -EPROTO;
	}
	if (read_expiry(object, &ret_grant->expires_in_s)) {
		snprintf(error, ERROR_ROOM,
			 "the token endpoint gave a token that has expired "
			 "already: check its clock");
		return -EPROTO;
	}
	if (scope && token->settings.scope && strcmp(scope, token->settings.scope)) {
		quote(scope, granted, sizeof(granted));
		log_notice("token", "granted scope \"%s\" instead of \"%s\"", granted,
			   token->settings.scope);
	}
	ret_grant->token = strdup(text);
	return ret_grant->token ? 0 : -ENOMEM;
}

static int read_answer(const struct api_token *token, long http, const struct body *body,
		       struct grant *ret_grant, char *error)
{
	json_t *object = json_loadb(body->text ? body->text : "", body->length, 0, NULL);
	int err = -EPROTO;

	if (http != 200)
		explain_refusal(http, object, error);
	else if (!json_is_object(object))
		snprintf(error, ERROR_ROOM,
			 "the token endpoint's answer is not JSON: check token_url");
	else
		err = read_grant(token, object, ret_grant, error);
	json_decref(object);
	return err;
}

/* ---- the request ---- */

static int read_secret(const struct api_token *token, char ret_secret[static SECRET_ROOM],
		       char *error)
{
	int err = secret_read(token->settings.secret_file, ret_secret);

	if (err == -E2BIG)
		snprintf(error, ERROR_ROOM, "the first line of client_secret_file %s is too long",
			 token->settings.secret_file);
	else if (err == -ENODATA)
		snprintf(error, ERROR_ROOM,
			 "client_secret_file %s is empty: its first line is the secret",
			 token->settings.secret_file);
	else if (err)
		snprintf(error, ERROR_ROOM, "cannot read client_secret_file %s: %s",
			 token->settings.secret_file, strerror(-err));
	return err;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct body *body = arg;
	size_t length = size * count;
	char *text;

	if (length > BODY_MAX - body->length) {
		body->too_large = true;
		return 0;
	}
	/* Not realloc: it may leave a copy of the token in freed memory. */
	text = malloc(body->length + length + 1);
	if (!text)
		return 0;
	if (body->length)
		memcpy(text, body->text, body->length);
	memcpy(text + body->length, data, length);
	if (body->text)
		explicit_bzero(body->text, body->length);
	free(body->text);
	body->text = text;
	body->length += length;
	body->text[body->length] = '\0';
	return length;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct api_token *token = arg;

	(void)a, (void)b, (void)c, (void)d;
	return atomic_load(&token->stopping) || atomic_load(&token->outdated);
}

static void explain_transfer(CURLcode code, const char *details, const struct body *body,
			     char *error)
{
	char what[160];
	const char *mend = "check token_url";

	quote(details[0] ? details : curl_easy_strerror(code), what, sizeof(what));
	if (body->too_large)
		mend = "its answer is far too large to be a token: check token_url";
	else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
		 code == CURLE_SSL_ISSUER_ERROR)
		mend = "its certificate is not trusted: check ca_file and the host in token_url";
	else if (code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT)
		mend = "check token_url and the firewall";
	snprintf(error, ERROR_ROOM, "cannot ask the token endpoint (%s): %s", what, mend);
}

/* RFC 6749 section 2.3.1: both parts are form-encoded before they go into
 * Basic; some servers take them only as they are. */
static int set_credentials(CURL *curl, const struct api_token *token, const char *secret)
{
	char *id = NULL, *encoded = NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	if (token->settings.raw_basic) {
		id = strdup(token->settings.client_id);
		encoded = strdup(secret);
	} else {
		id = curl_easy_escape(curl, token->settings.client_id, 0);
		encoded = curl_easy_escape(curl, secret, 0);
	}
	if (id && encoded) {
		code = curl_easy_setopt(curl, CURLOPT_USERNAME, id);
		if (code == CURLE_OK)
			code = curl_easy_setopt(curl, CURLOPT_PASSWORD, encoded);
	}
	if (encoded)
		explicit_bzero(encoded, strlen(encoded));
	if (token->settings.raw_basic) {
		free(id);
		free(encoded);
	} else {
		curl_free(id);
		curl_free(encoded);
	}
	return code == CURLE_OK ? 0 : -ENOMEM;
}

static int set_form(CURL *curl, const struct api_token *token)
{
	char *scope = NULL;
	struct str form = { 0 };
	char *text;
	CURLcode code;

	str_add(&form, "grant_type=client_credentials");
	if (token->settings.scope) {
		scope = curl_easy_escape(curl, token->settings.scope, 0);
		str_addf(&form, "&scope=%s", scope ? scope : "");
		curl_free(scope);
	}
	text = str_take(&form);
	if (!text)
		return -ENOMEM;
	code = curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, text);
	free(text);
	return code == CURLE_OK ? 0 : -ENOMEM;
}

static void set_roots(CURL *curl, char *pem)
{
	struct curl_blob blob = { .data = pem, .len = strlen(pem), .flags = CURL_BLOB_NOCOPY };

	curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
}

static void set_transfer(CURL *curl, struct api_token *token, struct body *body, char *details)
{
	curl_easy_setopt(curl, CURLOPT_URL, token->settings.url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "breakout/" BREAKOUT_VERSION);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, token->settings.timeout_ms);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, token->settings.timeout_ms);
	if (token->settings.ca_pem)
		set_roots(curl, token->settings.ca_pem);
	else if (token->settings.ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, token->settings.ca_file);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, details);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, token);
}

static int ask(CURL *curl, struct api_token *token, struct grant *ret_grant, char *error)
{
	char details[CURL_ERROR_SIZE] = "";
	struct body body = { 0 };
	CURLcode code;
	long http = 0;
	int err = -EIO;

	set_transfer(curl, token, &body, details);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
	if (code == CURLE_OK)
		err = read_answer(token, http, &body, ret_grant, error);
	else
		explain_transfer(code, details, &body, error);
	secret_free(body.text);
	return err;
}

static int fetch(struct api_token *token, struct grant *ret_grant, char *error)
{
	char secret[SECRET_ROOM];
	CURL *curl;
	int err;

	snprintf(error, ERROR_ROOM, "out of memory");
	err = read_secret(token, secret, error);
	if (err)
		return err;
	curl = curl_easy_init();
	err = curl ? set_credentials(curl, token, secret) : -ENOMEM;
	explicit_bzero(secret, sizeof(secret));
	if (!err)
		err = set_form(curl, token);
	if (!err)
		err = ask(curl, token, ret_grant, error);
	curl_easy_cleanup(curl);
	return err;
}

/* ---- the thread ---- */

static void settings_done(struct settings *settings)
{
	free(settings->url);
	free(settings->client_id);
	free(settings->secret_file);
	free(settings->scope);
	free(settings->ca_file);
	free(settings->ca_pem);
}

/* `base` with a random part of up to `spread` added. */
static mono_ms jitter(mono_ms base, mono_ms spread)
{
	uint64_t random = hash_u64(clock_now_ns());

	return base + (spread > 0 ? (mono_ms)(random % (uint64_t)spread) : 0);
}

static mono_ms doubled(mono_ms first, unsigned times)
{
	return times >= 6 || first << times > RETRY_MAX_MS ? RETRY_MAX_MS : first << times;
}

/* Under the lock. Never sooner than a second after the last start. */
static void plan(struct api_token *token, mono_ms at)
{
	mono_ms earliest = token->last_fetch ? token->last_fetch + RETRY_FIRST_MS : 0;

	token->fetch_at = at < earliest ? earliest : at;
	pthread_cond_signal(&token->changed);
}

static void fetch_and_tell(struct api_token *token)
{
	struct grant grant = { 0 };
	char error[ERROR_ROOM], *copy = NULL;
	mono_ms wait;
	int err;

	err = fetch(token, &grant, error);
	if (!err) {
		copy = strdup(grant.token);
		if (!copy)
			err = -ENOMEM;
	}
	pthread_mutex_lock(&token->lock);
	if (token->stopping || token->outdated) {
		pthread_mutex_unlock(&token->lock);
		secret_free(copy);
		secret_free(grant.token);
		return;
	}
	if (!err) {
		mono_ms life = (mono_ms)grant.expires_in_s * 1000;

		token->failures = 0;
		secret_free(token->current);
		token->current = copy;
		token->current_at = clock_now();
		wait = jitter(life * 7 / 10, life / 10);
	} else {
		wait = doubled(RETRY_FIRST_MS, token->failures);
		wait = jitter(wait / 2, wait / 2);
		token->failures++;
	}
	plan(token, clock_now() + wait);
	wait = token->fetch_at - clock_now();
	/* Told under the lock: nothing of other credentials is told after a change. */
	token->on_token(err ? NULL : grant.token, grant.expires_in_s, err ? error : NULL,
			wait > 0 ? (unsigned)wait : 0, token->settings.serial, token->arg);
	pthread_mutex_unlock(&token->lock);
	secret_free(grant.token);
}

/* Under the lock, until the fetch is due, the plan changes or it is over. */
static void wait_for(struct api_token *token, mono_ms ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&token->changed, &token->lock, &until);
}

/* Under the lock, between fetches. */
static void take_pending(struct api_token *token)
{
	if (token->outdated)
		token->failures = 0;
	token->outdated = false;
	if (!token->pending)
		return;
	settings_done(&token->settings);
	token->settings = *token->pending;
	free(token->pending);
	token->pending = NULL;
}

static void *token_thread(void *arg)
{
	struct api_token *token = arg;

	pthread_mutex_lock(&token->lock);
	while (!atomic_load(&token->stopping)) {
		mono_ms left = token->fetch_at - clock_now();

		if (left > 0) {
			/* A suspended machine slept without this clock: look at least
			 * once a minute. */
			wait_for(token, left < 60000 ? left : 60000);
			continue;
		}
		token->last_fetch = clock_now();
		take_pending(token);
		pthread_mutex_unlock(&token->lock);
		fetch_and_tell(token);
		pthread_mutex_lock(&token->lock);
	}
	pthread_mutex_unlock(&token->lock);
	return NULL;
}

void api_token_invalidate(struct api_token *token, const char *refused)
{
	mono_ms now = clock_now(), delay;

	pthread_mutex_lock(&token->lock);
	if (token->current && !strcmp(token->current, refused)) {
		/* A core that refuses every fresh token is asked ever more slowly. */
		if (now - token->current_at > STEADY_MS)
			token->refused = 0;
		delay = token->refused ? doubled(RETRY_FIRST_MS, token->refused - 1) : 0;
		token->refused++;
		secret_free(token->current);
		token->current = NULL;
		plan(token, now + delay);
	}
	pthread_mutex_unlock(&token->lock);
}

/* ---- create and destroy ---- */

static bool loopback(const char *host)
{
	return !strcmp(host, "localhost") || !strcmp(host, "[::1]") ||
	       (str_starts(host, "127.") && strspn(host, "0123456789.") == strlen(host));
}

/* The secret travels in the request: TLS, or not beyond this machine. */
static int check_url(const char *url)
{
	CURLU *parsed = curl_url();
	char *scheme = NULL, *host = NULL;
	int err = -EINVAL;

	if (!parsed)
		return -ENOMEM;
	if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    (!strcmp(scheme, "https") || (!strcmp(scheme, "http") && loopback(host))))
		err = 0;
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parsed);
	return err;
}

static bool copy(char **to, const char *from)
{
	*to = str_dup_or_null(from);
	return *to || !from;
}

/* NULL: no memory. */
static struct settings *settings_create(const struct api_token_options *options)
{
	struct settings *settings = calloc(1, sizeof(*settings));

	if (!settings)
		return NULL;
	settings->raw_basic = options->raw_basic;
	settings->serial = options->serial;
	settings->timeout_ms = options->timeout_ms ? (long)options->timeout_ms : DEFAULT_TIMEOUT_MS;
	if (copy(&settings->url, options->url) && copy(&settings->client_id, options->client_id) &&
	    copy(&settings->secret_file, options->client_secret_file) &&
	    copy(&settings->scope, options->scope) && copy(&settings->ca_file, options->ca_file) &&
	    copy(&settings->ca_pem, options->ca_pem))
		return settings;
	settings_done(settings);
	free(settings);
	return NULL;
}

static void token_free(struct api_token *token)
{
	secret_free(token->current);
	settings_done(&token->settings);
	if (token->pending)
		settings_done(token->pending);
	free(token->pending);
	pthread_cond_destroy(&token->changed);
	pthread_mutex_destroy(&token->lock);
	free(token);
}

static struct api_token *token_create(const struct api_token_options *options,
				      api_token_fn *on_token, void *arg)
{
	struct api_token *token = calloc(1, sizeof(*token));
	pthread_condattr_t attributes;

	if (!token)
		return NULL;
	pthread_mutex_init(&token->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&token->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	token->on_token = on_token;
	token->arg = arg;
	token->pending = settings_create(options);
	if (!token->pending) {
		token_free(token);
		return NULL;
	}
	return token;
}

static int check_options(const struct api_token_options *options)
{
	if (!options->url || !options->client_id || !options->client_secret_file)
		return -EINVAL;
	return check_url(options->url);
}

int api_token_create(struct api_token **ret_token, const struct api_token_options *options,
		     api_token_fn *on_token, void *arg)
{
	struct api_token *token;
	sigset_t all, before;
	int err;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	err = check_options(options);
	token = err ? NULL : token_create(options, on_token, arg);
	if (!token) {
		curl_global_cleanup();
		return err ? err : -ENOMEM;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&token->thread, NULL, token_thread, token);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		token_free(token);
		curl_global_cleanup();
		return -err;
	}
	*ret_token = token;
	return 0;
}

int api_token_change(struct api_token *token, const struct api_token_options *options, bool anew)
{
	int err = check_options(options);
	struct settings *settings = err ? NULL : settings_create(options);

	if (!settings)
		return err ? err : -ENOMEM;
	pthread_mutex_lock(&token->lock);
	if (token->pending)
		settings_done(token->pending);
	free(token->pending);
	token->pending = settings;
	if (anew) {
		token->outdated = true;
		secret_free(token->current);
		token->current = NULL;
		token->refused = 0;
		token->last_fetch = 0; /* whom it kept from being asked too often is another */
		plan(token, clock_now());
	}
	pthread_mutex_unlock(&token->lock);
	return 0;
}

void api_token_quit(struct api_token *token)
{
	pthread_mutex_lock(&token->lock);
	token->stopping = true;
	pthread_cond_signal(&token->changed);
	pthread_mutex_unlock(&token->lock);
}

struct api_token *api_token_destroy(struct api_token *token)
{
	if (!token)
		return NULL;
	api_token_quit(token);
	pthread_join(token->thread, NULL);
	token_free(token);
	curl_global_cleanup();
	return NULL;
}
