/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - see digest.h. */
#include "tas/sip/digest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/str.h"

/* ---- reading a header value ---- */

enum param {
	PARAM_REALM,
	PARAM_NONCE,
	PARAM_OPAQUE,
	PARAM_ALGORITHM,
	PARAM_QOP,
	PARAM_STALE,
	PARAM_USERNAME,
	PARAM_URI,
	PARAM_RESPONSE,
	PARAM_CNONCE,
	PARAM_NC,
	PARAM_COUNT
};

static const char *const param_names[PARAM_COUNT] = {
	[PARAM_REALM] = "realm",         [PARAM_NONCE] = "nonce", [PARAM_OPAQUE] = "opaque",
	[PARAM_ALGORITHM] = "algorithm", [PARAM_QOP] = "qop",     [PARAM_STALE] = "stale",
	[PARAM_USERNAME] = "username",   [PARAM_URI] = "uri",     [PARAM_RESPONSE] = "response",
	[PARAM_CNONCE] = "cnonce",       [PARAM_NC] = "nc",
};

struct params {
	char *storage;
	const char *values[PARAM_COUNT]; /* NULL: absent */
};

static void params_done(struct params *params)
{
	free(params->storage);
	memset(params, 0, sizeof(*params));
}

/* The end of a value that begins at `at`, its quotes cut off; NULL: no end. */
static char *cut_value(char *at, char **ret_value)
{
	if (*at != '"') {
		*ret_value = at;
		return at + strcspn(at, ", \t");
	}
	*ret_value = ++at;
	while (*at && *at != '"')
		at += at[0] == '\\' && at[1] ? 2 : 1;
	if (!*at)
		return NULL;
	*at = '\0';
	return at + 1;
}

static int keep_param(struct params *params, const char *name, const char *value)
{
	for (int i = 0; i < PARAM_COUNT; i++) {
		if (!str_equal_nocase(name, param_names[i]))
			continue;
		if (params->values[i])
			return -EINVAL; /* said twice: who knows which one a peer took */
		params->values[i] = value;
	}
	return 0; /* RFC 7616 section 3.3: others are ignored */
}

/* One `name=value` and the comma after it. */
static int read_param(struct params *params, char **at)
{
	char *name = *at, *value, *end;
	char *equals = name + strcspn(name, "= \t,\"");

	if (*equals != '=' || equals == name)
		return -EINVAL;
	*equals = '\0';
	end = cut_value(equals + 1, &value);
	if (!end)
		return -EINVAL;
	*at = end + strspn(end, " \t");
	if (**at && **at != ',')
		return -EINVAL;
	*at += strspn(*at, ", \t");
	*end = '\0';
	return keep_param(params, name, value);
}

/* -EINVAL, -ENOMEM: there is nothing to end. */
static int params_read(const char *text, struct params *ret_params)
{
	char *storage, *at;
	int err = 0;

	memset(ret_params, 0, sizeof(*ret_params));
	text += strspn(text, " \t");
	if (strncasecmp(text, "Digest", 6) != 0 || (text[6] != ' ' && text[6] != '\t'))
		return -EINVAL;
	storage = strdup(text + 7);
	if (!storage)
		return -ENOMEM;
	at = storage + strspn(storage, ", \t");
	while (!err && *at)
		err = read_param(ret_params, &at);
	if (err)
		free(storage);
	else
		ret_params->storage = storage;
	return err;
}

/* A list such as "auth,auth-int". */
static bool list_has(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (*list) {
		list += strspn(list, ", \t");
		if (strncasecmp(list, word, length) == 0 && strchr(", \t", list[length]))
			return true; /* the list's own end counts */
		list += strcspn(list, ",");
	}
	return false;
}

static bool says_true(const char *value)
{
	return value && str_equal_nocase(value, "true");
}

/* ---- the response ---- */

int digest_response(const struct digest_input *input, char ret_hex[static DIGEST_HEX_ROOM])
{
	const char *a1[] = { input->username, input->realm, input->password };
	const char *a2[] = { input->method, input->uri };
	char secret[DIGEST_HEX_ROOM], request[DIGEST_HEX_ROOM];
	const char *with_qop[] = {
		secret, input->nonce, input->nc, input->cnonce, "auth", request
	};
	const char *without[] = { secret, input->nonce, request };
	int err = digest_hash(input->algorithm, a1, ARRAY_SIZE(a1), secret);

	if (!err)
		err = digest_hash(input->algorithm, a2, ARRAY_SIZE(a2), request);
	if (!err && input->cnonce)
		err = digest_hash(input->algorithm, with_qop, ARRAY_SIZE(with_qop), ret_hex);
	else if (!err)
		err = digest_hash(input->algorithm, without, ARRAY_SIZE(without), ret_hex);
	explicit_bzero(secret, sizeof(secret));
	return err;
}

/* ---- the client ---- */

struct digest_identity {
	unsigned references;
	char *username, *password, *realm;
	bool md5;
};

struct digest_identity *digest_identity_ref(struct digest_identity *identity)
{
	if (identity)
		identity->references++;
	return identity;
}

struct digest_identity *digest_identity_unref(struct digest_identity *identity)
{
	if (!identity || --identity->references > 0)
		return NULL;
	if (identity->password)
		explicit_bzero(identity->password, strlen(identity->password));
	free(identity->password);
	free(identity->username);
	free(identity->realm);
	free(identity);
	return NULL;
}

int digest_identity_create(struct digest_identity **ret_identity,
			   const struct digest_identity_options *options)
{
	struct digest_identity *identity = calloc(1, sizeof(*identity));

	if (!identity)
		return -ENOMEM;
	identity->references = 1;
	identity->username = strdup(options->username);
	identity->password = strdup(options->password);
	identity->realm = str_dup_or_null(options->realm);
	identity->md5 = options->md5;
	if (!identity->username || !identity->password || (options->realm && !identity->realm)) {
		digest_identity_unref(identity);
		return -ENOMEM;
	}
	*ret_identity = identity;
	return 0;
}

/* Whether it may be answered, and with what. RFC 7616 section 3.3: unknown
 * algorithms and protections are for others. */
static bool answerable(const struct digest_identity *identity, const struct params *params,
		       enum digest_algorithm *ret_algorithm, const char **ret_why)
{
	const char *qop = params->values[PARAM_QOP];

	if (!params->values[PARAM_REALM] || !params->values[PARAM_NONCE])
		*ret_why = "the challenge names no realm or nonce";
	else if (identity->realm && strcmp(identity->realm, params->values[PARAM_REALM]) != 0)
		*ret_why = "the challenge is for another realm";
	else if (digest_algorithm_parse(params->values[PARAM_ALGORITHM], ret_algorithm) < 0)
		*ret_why = "the challenge asks for an algorithm we do not speak";
	else if (qop && !list_has(qop, "auth"))
		*ret_why = "the challenge asks for a protection we do not speak";
	else if (*ret_algorithm == DIGEST_MD5 && !identity->md5)
		*ret_why = "the challenge offers nothing better than MD5, which is not allowed";
	else
		return true;
	return false;
}

static int random_text(char ret_hex[33])
{
	uint64_t words[2];

	/* Cannot be short for so few bytes (getrandom(2)). */
	if (getrandom(words, sizeof(words), 0) != sizeof(words))
		return -EIO;
	(void)snprintf(ret_hex, 33, "%016llx%016llx", (unsigned long long)words[0],
		       (unsigned long long)words[1]);
	return 0;
}

static uint32_t count_use(struct digest_session *session, const char *nonce)
{
	uint64_t hashed = hash_bytes(nonce, strlen(nonce));

	if (session->nonce != hashed)
		session->uses = 0;
	session->nonce = hashed;
	session->answered = true;
	return ++session->uses;
}

/* RFC 7616 section 3.4; what is quoted there is quoted here, the rest not. */
static char *write_answer(const struct digest_input *input, const struct params *params,
			  const char *response)
{
	const char *opaque = params->values[PARAM_OPAQUE];
	struct str text = { 0 };

	str_addf(&text,
		 "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\"",
		 input->username, input->realm, input->nonce, input->uri, response);
	if (params->values[PARAM_ALGORITHM])
		str_addf(&text, ", algorithm=%s", digest_algorithm_name(input->algorithm));
	if (input->cnonce)
		str_addf(&text, ", cnonce=\"%s\", qop=auth, nc=%s", input->cnonce, input->nc);
	if (opaque)
		str_addf(&text, ", opaque=\"%s\"", opaque);
	return str_take(&text);
}

static int answer_one(const struct digest_identity *identity, struct digest_session *session,
		      const struct params *params, const struct digest_input *request,
		      char **ret_text)
{
	char response[DIGEST_HEX_ROOM], cnonce[33], nc[16];
	struct digest_input input = *request;
	int err;

	input.username = identity->username;
	input.password = identity->password;
	input.realm = params->values[PARAM_REALM];
	input.nonce = params->values[PARAM_NONCE];
	(void)snprintf(nc, sizeof(nc), "%08x", count_use(session, input.nonce));
	if (params->values[PARAM_QOP]) {
		err = random_text(cnonce);
		if (err)
			return err;
		input.nc = nc;
		input.cnonce = cnonce;
	}
	err = digest_response(&input, response);
	if (err)
		return err;
	*ret_text = write_answer(&input, params, response);
	return *ret_text ? 0 : -ENOMEM;
}

/* The strongest of them, or -EACCES with the reason the last one gave. */
static int choose(const struct digest_identity *identity, const char *const *challenges,
		  size_t count, struct params *ret_best, enum digest_algorithm *ret_algorithm,
		  const char **ret_why)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		enum digest_algorithm algorithm = DIGEST_MD5;
		struct params params;
		int err = params_read(challenges[i], &params);

		if (err == -ENOMEM) {
			if (found)
				params_done(ret_best);
			return err;
		}
		if (err)
			continue;
		if (!answerable(identity, &params, &algorithm, ret_why) ||
		    (found && algorithm <= *ret_algorithm)) {
			params_done(&params);
			continue;
		}
		if (found)
			params_done(ret_best);
		*ret_best = params;
		*ret_algorithm = algorithm;
		found = true;
	}
	return found ? 0 : -EACCES;
}

int digest_answer(const struct digest_identity *identity, struct digest_session *session,
		  const char *method, const char *uri, const char *const *challenges, size_t count,
		  struct digest_answer *ret_answer)
{
	struct digest_input input = { .method = method, .uri = uri };
	struct params params = { 0 };
	int err;

	*ret_answer = (struct digest_answer){ .why = "there is no digest challenge" };
	err = choose(identity, challenges, count, &params, &input.algorithm, &ret_answer->why);
	if (err)
		return err;
	if (session->answered && !says_true(params.values[PARAM_STALE])) {
		ret_answer->why = "user name or password are refused";
		err = -EACCES;
	} else {
		err = answer_one(identity, session, &params, &input, &ret_answer->text);
	}
	params_done(&params);
	return err;
}

/* ---- the server ---- */

#define WINDOW     65536 /* the nonces given last that can still be answered */
#define NONCE_ROOM 52    /* 8 hex digits of time, 8 of number, 32 of HMAC */
#define MAC_DIGITS 32

struct digest_guard {
	unsigned char key[DIGEST_KEY_SIZE];
	unsigned nonce_s;
	uint32_t next;               /* number of the next nonce */
	uint64_t spent[WINDOW / 64]; /* bits by number */
};

int digest_guard_create(struct digest_guard **ret_guard, unsigned nonce_s)
{
	struct digest_guard *guard = calloc(1, sizeof(*guard));

	if (!guard)
		return -ENOMEM;
	guard->nonce_s = nonce_s;
	if (getrandom(guard->key, sizeof(guard->key), 0) != sizeof(guard->key)) {
		free(guard);
		return -EIO;
	}
	*ret_guard = guard;
	return 0;
}

struct digest_guard *digest_guard_destroy(struct digest_guard *guard)
{
	if (guard)
		explicit_bzero(guard->key, sizeof(guard->key));
	free(guard);
	return NULL;
}

static uint64_t *spent_word(struct digest_guard *guard, uint32_t number, uint64_t *ret_bit)
{
	*ret_bit = 1ull << (number % 64);
	return &guard->spent[number % WINDOW / 64];
}

/* Time and number are readable; the rest proves that they are ours, and for
 * whom they were meant. */
static int seal(const struct digest_guard *guard, uint32_t time_s, uint32_t number,
		const char *realm, const char *source, char ret_nonce[NONCE_ROOM])
{
	char text[512], mac[DIGEST_HEX_ROOM];
	int err;

	(void)snprintf(text, sizeof(text), "%08x%08x %s %s", time_s, number, source, realm);
	err = digest_mac(guard->key, text, mac);
	if (err)
		return err;
	(void)snprintf(ret_nonce, NONCE_ROOM, "%08x%08x%.*s", time_s, number, MAC_DIGITS, mac);
	return 0;
}

static int new_nonce(struct digest_guard *guard, const char *realm, const char *source,
		     char ret_nonce[NONCE_ROOM])
{
	uint32_t number = guard->next++;
	uint64_t bit, *word = spent_word(guard, number, &bit);

	*word &= ~bit;
	return seal(guard, (uint32_t)(clock_now() / 1000), number, realm, source, ret_nonce);
}

size_t digest_challenge(struct digest_guard *guard, const struct digest_challenge *challenge,
			char *ret_values[static DIGEST_ALGORITHM_COUNT])
{
	static const enum digest_algorithm order[] = { DIGEST_SHA512_256, DIGEST_SHA256,
						       DIGEST_MD5 };
	char nonce[NONCE_ROOM];
	size_t count = 0;

	if (new_nonce(guard, challenge->realm, challenge->source, nonce) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct str text = { 0 };

		if (order[i] == DIGEST_MD5 && !challenge->md5)
			continue;
		str_addf(&text, "Digest realm=\"%s\", nonce=\"%s\", algorithm=%s, qop=\"auth\"",
			 challenge->realm, nonce, digest_algorithm_name(order[i]));
		if (challenge->stale)
			str_add(&text, ", stale=true");
		ret_values[count] = str_take(&text);
		if (!ret_values[count])
			break;
		count++;
	}
	return count;
}

static bool is_for_realm(const struct params *params, const char *realm)
{
	const char *const *values = params->values;

	return values[PARAM_REALM] && strcmp(values[PARAM_REALM], realm) == 0 &&
	       values[PARAM_USERNAME] && values[PARAM_NONCE] && values[PARAM_URI] &&
	       values[PARAM_RESPONSE];
}

int digest_username(const char *authorization, const char *realm, char *ret_username, size_t room)
{
	struct params params;
	int err = params_read(authorization, &params);
	size_t length;

	if (err)
		return err;
	length = is_for_realm(&params, realm) ? strlen(params.values[PARAM_USERNAME]) : room;
	if (length < room)
		memcpy(ret_username, params.values[PARAM_USERNAME], length + 1);
	params_done(&params);
	return length < room ? 0 : -EINVAL;
}

/* Ours, for this source, not too old and not spent; spends it. */
static bool spend(struct digest_guard *guard, const struct digest_check *check, const char *nonce)
{
	uint32_t now_s = (uint32_t)(clock_now() / 1000);
	char expected[NONCE_ROOM], head[17];
	uint32_t time_s, number;
	uint64_t bit, *word;

	(void)snprintf(head, sizeof(head), "%s", nonce); /* the readable part */
	number = (uint32_t)strtoull(head, NULL, 16);
	time_s = (uint32_t)(strtoull(head, NULL, 16) >> 32);
	if (seal(guard, time_s, number, check->realm, check->source, expected) < 0 ||
	    !digest_equal(nonce, expected))
		return false;
	if (now_s - time_s > guard->nonce_s || guard->next - number > WINDOW)
		return false;
	word = spent_word(guard, number, &bit);
	if (*word & bit)
		return false;
	*word |= bit;
	return true;
}

/* Without qop an answer could be used for every request: RFC 7616 section 3.4
 * has it mandatory, and so do we. */
static bool response_is_right(const struct params *params, const struct digest_check *check)
{
	struct digest_input input = {
		.username = params->values[PARAM_USERNAME],
		.realm = check->realm,
		.password = check->password ? check->password : "",
		.method = check->method,
		.uri = params->values[PARAM_URI],
		.nonce = params->values[PARAM_NONCE],
		.nc = params->values[PARAM_NC],
		.cnonce = params->values[PARAM_CNONCE],
	};
	char expected[DIGEST_HEX_ROOM];

	if (!params->values[PARAM_QOP] || !str_equal_nocase(params->values[PARAM_QOP], "auth") ||
	    !input.nc || !input.cnonce)
		return false;
	if (digest_algorithm_parse(params->values[PARAM_ALGORITHM], &input.algorithm) < 0 ||
	    (input.algorithm == DIGEST_MD5 && !check->md5))
		return false;
	/* Nobody's password is computed with too, so that the time tells nothing. */
	return digest_response(&input, expected) == 0 &&
	       digest_equal(params->values[PARAM_RESPONSE], expected) && check->password;
}

enum digest_verdict digest_verify(struct digest_guard *guard, const struct digest_check *check)
{
	enum digest_verdict verdict = DIGEST_REFUSED;
	struct params params;

	if (params_read(check->authorization, &params) < 0)
		return DIGEST_REFUSED;
	if (is_for_realm(&params, check->realm) && response_is_right(&params, check))
		verdict = spend(guard, check, params.values[PARAM_NONCE]) ? DIGEST_ACCEPTED
									  : DIGEST_STALE;
	params_done(&params);
	return verdict;
}
