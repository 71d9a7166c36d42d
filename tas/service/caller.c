/* SPDX-License-Identifier: Apache-2.0 */
/* caller.c - see caller.h. */
#include "tas/service/caller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"
#include "tas/service/numbering.h"

/* ---- privacy ---- */

static void read_word(struct privacy *privacy, const char *word, size_t length)
{
	struct {
		const char *word;
		bool *flag;
	} words[] = {
		{ "id", &privacy->id },
		{ "user", &privacy->user },
		{ "header", &privacy->header },
		{ "session", &privacy->session },
		{ "history", &privacy->history },
		{ "none", &privacy->none },
		{ "critical", &privacy->critical },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (length == strlen(words[i].word) &&
		    strncasecmp(word, words[i].word, length) == 0) {
			*words[i].flag = true;
			return;
		}
	}
	privacy->other = true;
}

struct privacy privacy_read(const struct sip_headers *headers)
{
	static const char separators[] = "; ,\t";
	struct privacy privacy = { 0 };

	for (size_t i = 0; i < headers->count; i++) {
		const char *at = headers->items[i].value;

		if (!str_equal_nocase(headers->items[i].name, "Privacy"))
			continue;
		for (at += strspn(at, separators); *at; at += strspn(at, separators)) {
			size_t length = strcspn(at, separators);

			read_word(&privacy, at, length);
			at += length;
		}
	}
	return privacy;
}

/* Doubt hides: "none" beside another word counts for nothing (RFC 3323 section
 * 4.2 forbids it), and an unknown word asks for something. */
bool privacy_hides(const struct privacy *privacy)
{
	return privacy->id || privacy->user || privacy->header || privacy->other;
}

/* ---- who calls ---- */

bool caller_is_anonymous(const char *uri, const char *user)
{
	return str_equal_nocase(user, "anonymous") || strcasestr(uri, "anonymous.invalid");
}

static int set_caller(struct caller *caller, const struct config_identity *identity,
		      const char *user, const char *display)
{
	char number[NUMBER_ROOM];

	number_from_peer(identity, user, number);
	caller_done(caller);
	caller->number = strdup(number);
	caller->display = strdup(display);
	return caller->number && caller->display ? 0 : -ENOMEM;
}

/* A Remote-Party-ID may be about the called one, or be the caller's own claim
 * (draft-ietf-sip-privacy-04 section 4.2). */
static bool remote_party_counts(const struct sip_address *address, bool *ret_hidden)
{
	char word[16];

	if (sip_address_param(address->params, "party", word, sizeof(word)) &&
	    !str_equal_nocase(word, "calling"))
		return false;
	if (sip_address_param(address->params, "screen", word, sizeof(word)) &&
	    str_equal_nocase(word, "no"))
		return false;
	if (sip_address_param(address->params, "privacy", word, sizeof(word)) &&
	    !str_equal_nocase(word, "off"))
		*ret_hidden = true;
	return true;
}

int caller_each_address(const struct sip_headers *headers, const char *name,
			int (*visit)(const struct sip_address *address, void *arg), void *arg)
{
	int err = 0;

	for (size_t i = 0; !err && i < headers->count; i++) {
		const char *list = headers->items[i].value, *item;
		size_t length;

		if (!str_equal_nocase(headers->items[i].name, name))
			continue;
		while (!err && (item = sip_address_next(&list, &length))) {
			struct sip_address address;

			err = sip_address_parse(&address, item, length);
			if (!err) {
				err = visit(&address, arg);
				sip_address_done(&address);
			} else if (err == -EINVAL) {
				err = 0; /* what cannot be read says nothing */
			}
		}
	}
	return err;
}

struct search {
	struct caller *caller;
	const struct config_identity *identity;
	bool remote_party;
};
enum { FOUND = 1 };

/* The first with a user; RFC 3325 section 9.1 allows a sip and a tel URI. */
static int take_address(const struct sip_address *address, void *arg)
{
	const struct search *search = arg;
	int err;

	if (!address->user[0])
		return 0;
	if (search->remote_party && !remote_party_counts(address, &search->caller->hidden))
		return 0;
	err = set_caller(search->caller, search->identity, address->user, address->display);
	return err ? err : FOUND;
}

/* FOUND, 0 or an error. */
static int read_from(struct caller *caller, const struct leg_info *info,
		     const struct config_identity *identity, enum identity_header header)
{
	struct search search = { .caller = caller, .identity = identity };
	int result = 0;

	switch (header) {
	case IDENTITY_ASSERTED:
	case IDENTITY_REMOTE_PARTY:
		search.remote_party = header == IDENTITY_REMOTE_PARTY;
		if (identity->trust)
			result = caller_each_address(info->headers,
						     search.remote_party ? NAME_REMOTE_PARTY
									 : NAME_ASSERTED,
						     take_address, &search);
		caller->asserted = result == FOUND;
		break;
	case IDENTITY_PREFERRED:
		result = caller_each_address(info->headers, NAME_PREFERRED, take_address, &search);
		break;
	case IDENTITY_FROM:
		if (!info->from_user[0] || caller_is_anonymous(info->from_uri, info->from_user))
			break;
		result = set_caller(caller, identity, info->from_user, info->from_display);
		if (!result)
			result = FOUND;
		break;
	}
	return result;
}

int caller_read(struct caller *ret_caller, const struct leg_info *info,
		const struct config_identity *identity)
{
	static enum identity_header usual[] = { IDENTITY_ASSERTED, IDENTITY_REMOTE_PARTY,
						IDENTITY_FROM };
	struct privacy privacy = privacy_read(info->headers);
	struct caller caller = { .hidden = privacy_hides(&privacy) ||
					   caller_is_anonymous(info->from_uri, info->from_user) };
	const enum identity_header *order = usual;
	size_t count = ARRAY_SIZE(usual);
	int result = 0;

	if (identity->caller_from_count) {
		order = identity->caller_from;
		count = identity->caller_from_count;
	}
	for (size_t i = 0; !result && i < count; i++)
		result = read_from(&caller, info, identity, order[i]);
	if (!result)
		result = set_caller(&caller, identity, "", "");
	if (result < 0) {
		caller_done(&caller);
		return result;
	}
	*ret_caller = caller;
	return 0;
}

void caller_done(struct caller *caller)
{
	free(caller->number);
	free(caller->display);
	caller->number = caller->display = NULL;
}
