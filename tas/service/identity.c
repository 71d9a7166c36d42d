/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - see identity.h. */
#include "tas/service/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"
#include "tas/service/numbering.h"
#include "tas/service/uri.h"
#include "tas/sip/diversion.h"

/* RFC 3323 section 4.1.1.3 */
#define ANONYMOUS_URI "sip:anonymous@anonymous.invalid"

/* Headers that say who calls, or who diverted: written by this file only. */
static const char *const identity_names[] = {
	NAME_ASSERTED, NAME_PREFERRED, NAME_REMOTE_PARTY, "Privacy", "Diversion", "History-Info",
};

/* What a user agent says of its user, wherever it is (RFC 3323 section 4.1,
 * RFC 8224 for Identity). */
static const char *const personal_names[] = {
	"Identity",    "Identity-Info", "Subject",           "Call-Info",  "Organization",
	"Reply-To",    "In-Reply-To",   "Referred-By",       "User-Agent", "Server",
	"Geolocation", "User-to-User",  "Warning",           "Error-Info", "P-Access-Network-Info",
	"Contact",     "Alert-Info",    "P-Charging-Vector",
};

static bool listed(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal_nocase(names[i], name))
			return true;
	return false;
}

bool identity_can_hide(const struct leg_info *info, const struct config_identity *identity)
{
	struct privacy privacy = privacy_read(info->headers);

	/* "session" is given: towards a trunk the media goes through us. */
	return !privacy.critical || !privacy.other || identity->trust;
}

/* ---- what would reveal a hidden caller ---- */

/* The digits of a text, those that stand together or with separators between
 * them in one run; runs are parted by a space. */
static char *digit_runs(const char *text)
{
	char *runs = malloc(strlen(text) + 1), *to = runs;
	bool open = false;

	if (!runs)
		return NULL;
	for (; *text; text++) {
		if (*text >= '0' && *text <= '9') {
			*to++ = *text;
			open = true;
		} else if (open && !strchr("-.() /", *text)) {
			*to++ = ' ';
			open = false;
		}
	}
	*to = '\0';
	return runs;
}

struct suspicion {
	char *squeezed; /* the text without blanks: a fold may stand anywhere */
	char *runs;     /* its digits */
	bool revealed;
};

static char *squeeze(const char *text)
{
	char *squeezed = malloc(strlen(text) + 1), *to = squeezed;

	for (; squeezed && *text; text++)
		if (*text != ' ' && *text != '\t')
			*to++ = *text;
	if (squeezed)
		*to = '\0';
	return squeezed;
}

/* Whether a word of the name is in the text; short ones are in many. */
static bool names(const struct suspicion *suspicion, const char *said)
{
	char word[64];

	for (said += strspn(said, " \t"); *said; said += strspn(said, " \t")) {
		size_t length = strcspn(said, " \t");

		snprintf(word, sizeof(word), "%.*s", (int)length, said);
		if (length >= 4 && strcasestr(suspicion->squeezed, word))
			return true;
		said += length;
	}
	return false;
}

/* Whether the text holds this name or number of the caller. Its last eight
 * digits tell a number in every format. */
static void suspect(struct suspicion *suspicion, const char *said)
{
	char *runs = digit_runs(said), *whole = squeeze(said);
	size_t length = runs ? strcspn(runs, " ") : 0;

	if (!runs || !whole || !suspicion->runs || !suspicion->squeezed) {
		suspicion->revealed = true; /* without memory nothing is sure */
	} else {
		runs[length] = '\0'; /* the number; parameters may follow */
		if ((length >= 3 &&
		     strstr(suspicion->runs, runs + (length > 8 ? length - 8 : 0))) ||
		    (strlen(whole) >= 3 && strcasestr(suspicion->squeezed, whole)) ||
		    names(suspicion, said))
			suspicion->revealed = true;
	}
	free(whole);
	free(runs);
}

static int suspect_address(const struct sip_address *address, void *arg)
{
	suspect(arg, address->user);
	suspect(arg, address->display);
	return 0;
}

static bool reveals(const struct leg_info *info, const char *text)
{
	static const char *const known[] = { NAME_ASSERTED, NAME_PREFERRED, NAME_REMOTE_PARTY };
	struct suspicion suspicion = { .squeezed = squeeze(text), .runs = digit_runs(text) };

	if (!caller_is_anonymous(info->from_uri, info->from_user)) {
		suspect(&suspicion, info->from_user);
		suspect(&suspicion, info->from_display);
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (caller_each_address(info->headers, known[i], suspect_address, &suspicion) < 0)
			suspicion.revealed = true;
	free(suspicion.squeezed);
	free(suspicion.runs);
	return suspicion.revealed;
}

/* ---- towards a trunk ---- */

/* One step being told. */
struct telling {
	struct decision *decision;
	struct call_step *step;
	const struct config_identity *identity; /* of who is told */
	const struct config_identity *said_by;  /* of who called */
	const struct caller *caller;
	struct privacy privacy;
	bool hide; /* who calls, from who is told */
};

static void add(struct telling *telling, const char *name, const char *value)
{
	if (sip_headers_add(&telling->step->headers, name, value) == -ENOMEM)
		telling->decision->failed = true;
}

/* A number under our own name: a peer's host is nobody else's business. */
static char *our_uri(const struct telling *telling, const char *number)
{
	struct uri_view ours = { .rest = telling->decision->config->domain };
	char said[NUMBER_ROOM];

	number_for_peer(telling->identity, number, said);
	return decision_text(telling->decision, uri_with_user(&ours, "sip", said));
}

static void tell_nobody(struct telling *telling)
{
	telling->step->from_uri = decision_text(telling->decision, strdup(ANONYMOUS_URI));
	telling->step->from_display = decision_text(telling->decision, strdup("Anonymous"));
}

static void tell_from(struct telling *telling)
{
	const struct caller *caller = telling->caller;
	struct call_step *step = telling->step;

	/* Also to who may know: phones show From, whatever Privacy says. */
	if (caller->hidden || !caller->number[0]) {
		tell_nobody(telling);
		return;
	}
	step->from_uri = our_uri(telling, caller->number);
	if (caller->display[0])
		step->from_display = decision_text(telling->decision, strdup(caller->display));
}

static void tell_caller(struct telling *telling, const char *name, const char *params)
{
	const struct caller *caller = telling->caller;
	char *uri = our_uri(telling, caller->number);
	struct str value = { 0 };
	char *text;

	if (caller->display[0]) {
		sip_address_quote(&value, caller->display);
		str_add(&value, " ");
	}
	str_addf(&value, "<%s>%s", uri ? uri : "", params);
	free(uri);
	text = decision_text(telling->decision, str_take(&value));
	if (text)
		add(telling, name, text);
	free(text);
}

static void tell_header(struct telling *telling, enum identity_header header)
{
	const struct caller *caller = telling->caller;
	struct str params = { 0 };
	char *text;

	switch (header) {
	case IDENTITY_ASSERTED:
		if (caller->asserted) /* RFC 3325 section 5: what nobody checked is not asserted */
			tell_caller(telling, NAME_ASSERTED, "");
		break;
	case IDENTITY_PREFERRED:
		tell_caller(telling, NAME_PREFERRED, "");
		break;
	case IDENTITY_REMOTE_PARTY:
		str_addf(&params, ";party=calling;screen=%s;privacy=%s",
			 caller->asserted ? "yes" : "no", caller->hidden ? "full" : "off");
		text = decision_text(telling->decision, str_take(&params));
		if (text)
			tell_caller(telling, NAME_REMOTE_PARTY, text);
		free(text);
		break;
	case IDENTITY_FROM: /* always sent */
		break;
	}
}

/* RFC 3325 section 7: the wish goes along with what it is about; where we have
 * fulfilled it, it is done (RFC 3323 section 5.1). A caller may also be hidden
 * by an anonymous From or by its Remote-Party-ID. */
static void tell_privacy(struct telling *telling)
{
	const struct sip_headers *headers = telling->decision->info->headers;

	if (telling->hide)
		return;
	for (size_t i = 0; i < headers->count; i++)
		if (str_equal_nocase(headers->items[i].name, "Privacy"))
			add(telling, "Privacy", headers->items[i].value);
	if (telling->caller->hidden && !privacy_hides(&telling->privacy))
		add(telling, "Privacy", "id");
}

/* ---- diversions ---- */

static void replace(struct telling *telling, char **text, char *take_by)
{
	free(*text);
	*text = decision_text(telling->decision, take_by);
	if (!*text)
		*text = strdup(""); /* the plan fails; nobody is to meet a NULL before */
}

static bool diversion_hides(const struct telling *telling, const struct diversion *item)
{
	const struct privacy *privacy = &telling->privacy;

	if (telling->identity->trust)
		return false;
	if (item->hidden || privacy->history || privacy->header)
		return true;
	return telling->hide && (reveals(telling->decision->info, item->by.user) ||
				 reveals(telling->decision->info, item->by.display));
}

static void tell_diversions(struct telling *telling, const char *target)
{
	struct diversions diversions = { 0 };
	unsigned form = telling->identity->diversion;
	struct decision *decision = telling->decision;
	int err = form ? diversions_read(&diversions, decision->info->headers) : 0;

	for (size_t i = 0; !err && i < diversions.count; i++) {
		struct diversion *item = &diversions.items[i];
		char number[NUMBER_ROOM];

		number_from_peer(telling->said_by, item->by.user, number);
		if (number[0] && !diversion_hides(telling, item)) {
			replace(telling, &item->by.uri, our_uri(telling, number));
		} else { /* a host alone is no number, and not for others to know */
			replace(telling, &item->by.uri, strdup(ANONYMOUS_URI));
			replace(telling, &item->by.display, strdup(""));
		}
	}
	if (!err && form & DIVERSION_FORM_DIVERSION)
		err = diversions_add_diversion(&diversions, &telling->step->headers);
	if (!err && form & DIVERSION_FORM_HISTORY)
		err = diversions_add_history(&diversions, target, &telling->step->headers);
	if (err)
		decision->failed = true;
	diversions_done(&diversions);
}

/* ---- the rest of the headers ---- */

/* Removes by place, for names repeat and their values differ. */
static void drop_header(struct sip_headers *headers, size_t i)
{
	free(headers->items[i].value);
	memmove(&headers->items[i], &headers->items[i + 1],
		(--headers->count - i) * sizeof(headers->items[0]));
}

static void copy_allowed(struct telling *telling, char *const *names, size_t count)
{
	const struct leg_info *info = telling->decision->info;
	struct sip_headers *headers = &telling->step->headers;

	if (sip_headers_copy_allowed(headers, info->headers, (const char *const *)names, count) < 0)
		telling->decision->failed = true;
	for (size_t i = headers->count; i-- > 0;) {
		const struct sip_header *item = &headers->items[i];

		if (listed(identity_names, ARRAY_SIZE(identity_names), item->name) ||
		    (telling->hide &&
		     (listed(personal_names, ARRAY_SIZE(personal_names), item->name) ||
		      reveals(info, item->value))))
			drop_header(headers, i);
	}
}

static const struct config_identity *sender_identity(const struct decision *decision)
{
	const struct config_trunk *sender = decision_trunk(decision);

	return sender ? &sender->identity : &decision->config->core.sbc.identity;
}

void identity_tell_trunk(struct decision *decision, struct call_step *step,
			 const struct config_trunk *trunk)
{
	const struct config_identity *identity = &trunk->identity;
	struct caller caller;
	struct telling telling = { .decision = decision,
				   .step = step,
				   .identity = identity,
				   .said_by = sender_identity(decision),
				   .caller = &caller,
				   .privacy = privacy_read(decision->info->headers) };

	if (caller_read(&caller, decision->info, telling.said_by) < 0) {
		decision->failed = true;
		return;
	}
	telling.hide = caller.hidden && !identity->trust;
	tell_from(&telling);
	copy_allowed(&telling, trunk->allow_headers, trunk->allow_header_count);
	for (size_t i = 0; !telling.hide && caller.number[0] && i < identity->send_count; i++)
		tell_header(&telling, identity->send[i]);
	tell_privacy(&telling);
	if (step->to_uri)
		tell_diversions(&telling, step->to_uri);
	caller_done(&caller);
}

/* ---- towards the core ---- */

static void tell_core_from(struct telling *telling)
{
	const struct caller *caller = telling->caller;
	struct uri_view ours = { .rest = telling->decision->config->domain };
	struct decision *decision = telling->decision;

	char said[NUMBER_ROOM];

	/* The core hides a caller who wants it; one that is trusted is to know who that is. */
	if (caller_is_anonymous(decision->info->from_uri, decision->info->from_user) ||
	    telling->hide || !caller->number[0]) {
		tell_nobody(telling);
		return;
	}
	number_for_peer(telling->identity, caller->number, said);
	telling->step->from_uri = decision_text(decision, uri_with_user(&ours, "sips", said));
	if (caller->display[0])
		telling->step->from_display = decision_text(decision, strdup(caller->display));
}

/* What the trunk only claims is no more than preferred. */
static void tell_core_headers(struct telling *telling, bool trusted)
{
	const struct config_identity *core = telling->identity;

	for (size_t i = 0; i < core->send_count; i++)
		if (trusted || core->send[i] != IDENTITY_ASSERTED)
			tell_header(telling, core->send[i]);
}

void identity_tell_core(struct decision *decision, struct call_step *step,
			const struct config_trunk *trunk)
{
	const struct config_sbc *core = &decision->config->core.sbc;
	struct caller caller;
	struct telling telling = { .decision = decision,
				   .step = step,
				   .identity = &core->identity,
				   .said_by = &trunk->identity,
				   .caller = &caller,
				   .privacy = privacy_read(decision->info->headers) };

	if (caller_read(&caller, decision->info, &trunk->identity) < 0) {
		decision->failed = true;
		return;
	}
	telling.hide = caller.hidden && !core->identity.trust;
	tell_core_from(&telling);
	copy_allowed(&telling, core->allow_headers, core->allow_header_count);
	/* A trunk may ask to hide its caller; only a trusted one may assert who
	 * that is, or who diverted the call. */
	tell_privacy(&telling);
	if (!telling.hide && caller.number[0])
		tell_core_headers(&telling, trunk->identity.trust);
	if (trunk->identity.trust && step->to_uri)
		tell_diversions(&telling, step->to_uri);
	caller_done(&caller);
}

/* ---- responses ---- */

void identity_allow_responses(struct call_step *step, const struct config_trunk *trunk,
			      bool from_trunk)
{
	/* Warning names the machine that wrote it. */
	static const char *const all[] = { "Reason", "Warning", NAME_ASSERTED, "Privacy" };
	static const char *const to_core[] = { "Reason", "Warning" };
	static const char *const to_trunk[] = { "Reason" };

	if (trunk->identity.trust) {
		step->tell_headers = all;
		step->tell_count = ARRAY_SIZE(all);
	} else if (from_trunk) {
		step->tell_headers = to_core;
		step->tell_count = ARRAY_SIZE(to_core);
	} else {
		step->tell_headers = to_trunk;
		step->tell_count = ARRAY_SIZE(to_trunk);
	}
}
