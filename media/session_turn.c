/* SPDX-License-Identifier: Apache-2.0 */
/* Side B becomes another one; what A was answered stays in force. */
#include "media/session_private.h"
#include <stdlib.h>
#include <string.h>

/* A's offer, of the codecs and extensions it was told. NULL: there is none, or no memory. */
static struct media_desc *agreed_offer(const struct session *session)
{
	const struct exchange *current = &session->current;
	struct media_desc *answer = NULL, *told = NULL, *offer = NULL;
	const struct codecs_rules rules = session_rules(session);
	const char *why;
	bool known = false;

	if (!current->offer || current->offerer != MEDIA_A)
		return NULL;
	if (current->settled)
		return sdp_copy(current->offer);
	told = calloc(1, sizeof(*told));
	if (told && current->answer)
		known = sdp_parse(current->answer, &answer, &why) == 0 &&
			codecs_answer(current->offer, answer, &rules, MEDIA_B, told);
	else if (told && session->setup.local_offer)
		known = codecs_common(current->offer, session->setup.local_offer, told);
	if (known)
		offer = sdp_copy(current->offer);
	if (offer) {
		const struct extensions none = { 0 };

		sdp_copy_codecs(offer, told);
		extensions_restrict(&offer->extensions, answer ? &answer->extensions : &none);
	}
	free(told);
	sdp_free(answer);
	return offer;
}

/* What A may use for good, as if it had offered that. NULL: as above. */
static struct media_desc *settled_offer(const struct session *session)
{
	const struct media_desc *answered = session->legs[MEDIA_A].remote;

	if (session->current.offer && session->current.offerer != MEDIA_A && answered)
		return sdp_copy(answered);
	return agreed_offer(session);
}

/* What was of side B goes, with its reference and description. */
static int replace_b(struct session *session, const struct session_setup *b)
{
	struct session_setup *setup = &session->setup;
	int err;

	session_drop_transcoders(session);
	leg_done(&session->legs[MEDIA_B]);
	media_sound_unref(setup->local.sound);
	setup->kind[MEDIA_B] = b->kind[MEDIA_B];
	setup->port[MEDIA_B] = b->port[MEDIA_B];
	setup->host[MEDIA_B] = b->host[MEDIA_B];
	setup->stays[MEDIA_B] = b->stays[MEDIA_B];
	memcpy(setup->fds[MEDIA_B], b->fds[MEDIA_B], sizeof(setup->fds[MEDIA_B]));
	setup->hub[MEDIA_B] = b->hub[MEDIA_B];
	setup->rules.side[MEDIA_B] = b->rules.side[MEDIA_B];
	setup->settled = b->settled;
	setup->local = b->local;
	setup->recording = b->recording;
	if (b->local_offer) { /* else the last stays: it may be what A was answered by */
		free(setup->local_offer);
		setup->local_offer = b->local_offer;
	}
	session->ends[MEDIA_B].silent = false;
	err = session_start_leg(session, MEDIA_B);
	session_thread_tape(session);
	return err;
}

void session_turn(struct session *session, const struct session_setup *b)
{
	struct media_desc *offer = b->settled ? settled_offer(session) : agreed_offer(session);
	int err = replace_b(session, b);

	timer_cancel(&session->opening);
	exchange_clear(&session->pending);
	if (err || !offer) {
		free(offer);
		session_refuse(session, MEDIA_A, 500, "the other side cannot be exchanged");
		return;
	}
	session->pending.offerer = MEDIA_A;
	session->pending.offer = offer;
	session->pending.settled = b->settled;
	session_serve_offer(session);
}
