/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/fake_media.h"

#undef NDEBUG /* the fakes judge their callers in every build */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct media_session *sessions;
static unsigned created;
static int create_error, offer_error, answer_error;
static int sound_references;
static unsigned recorded_ms;
static const struct media_receipt *told[2];

void fake_media_receipt(enum media_side side, const struct media_receipt *receipt)
{
	told[side] = receipt;
}

void fake_media_create_fails(int err)
{
	create_error = err;
}

void fake_media_offer_fails(int err)
{
	offer_error = err;
}

void fake_media_answer_fails(int err)
{
	answer_error = err;
}

struct media_session *fake_media_last(void)
{
	return sessions;
}

size_t fake_media_count(void)
{
	size_t count = 0;

	for (struct media_session *s = sessions; s; s = s->next)
		count++;
	return count;
}

unsigned fake_media_created(void)
{
	return created;
}

struct media_session *fake_media_nth(size_t nth)
{
	size_t from_last = fake_media_count();
	struct media_session *session = sessions;

	if (nth >= from_last)
		return NULL;
	while (--from_last > nth)
		session = session->next;
	return session;
}

struct media_sound *fake_media_sound(void)
{
	static char sound;

	return media_sound_ref((struct media_sound *)&sound);
}

void fake_media_recorded(unsigned ms)
{
	recorded_ms = ms;
}

void fake_media_reset(void)
{
	told[MEDIA_A] = told[MEDIA_B] = NULL;
	assert(!sessions);
	assert(sound_references == 0);
	created = 0;
	create_error = offer_error = answer_error = 0;
	recorded_ms = 0;
}

void fake_media_event(struct media_session *session, enum media_event_type type,
		      enum media_side side, const char *sdp)
{
	session->on_event(session,
			  &(struct media_event){ .type = type,
						 .side = side,
						 .sdp = sdp,
						 .status = type == MEDIA_EV_REFUSED ? 488 : 0,
						 .reason = "said by the test" },
			  session->arg);
}

void fake_media_refuse(struct media_session *session, enum media_side side, int status)
{
	session->due = false;
	session->on_event(session,
			  &(struct media_event){ .type = MEDIA_EV_REFUSED,
						 .side = side,
						 .status = status,
						 .reason = "no \"common\" codec" },
			  session->arg);
}

bool fake_media_reply(struct media_session *session, const char *sdp)
{
	if (!session || !session->due)
		return false;
	session->due = false;
	fake_media_event(session, session->due_type, session->due_side, sdp);
	return true;
}

static int next(struct media_session *session, enum media_event_type type, enum media_side side)
{
	session->due = true;
	session->due_type = type;
	session->due_side = side;
	return 0;
}

static enum media_side other(enum media_side side)
{
	return side == MEDIA_A ? MEDIA_B : MEDIA_A;
}

/* ---- media.h ---- */

static void keep_recording(struct media_session *session, const struct media_recording *recording)
{
	session->local.recording = NULL;
	if (!recording)
		return;
	session->recording = *recording;
	snprintf(session->folder, sizeof(session->folder), "%s", recording->folder);
	snprintf(session->name, sizeof(session->name), "%s", recording->name);
	snprintf(session->about, sizeof(session->about), "%s", recording->about);
	session->recording.folder = session->folder;
	session->recording.name = session->name;
	session->recording.about = session->about;
}

/* Of two: one of each family. */
unsigned media_engine_address(const struct media_engine *engine, const struct media_codecs *rules)
{
	(void)engine;
	return strchr(rules->near, ':') != NULL;
}

int media_session_create(struct media_session **ret_session, struct media_engine *engine,
			 const struct media_session_options *options)
{
	struct media_session *session;

	(void)engine;
	if (create_error)
		return create_error;
	session = calloc(1, sizeof(*session));
	assert(session);
	session->kind[0] = options->kind[0];
	session->kind[1] = options->kind[1];
	for (unsigned side = 0; side < 2; side++)
		if (options->before[side])
			snprintf(session->before[side], sizeof(session->before[side]), "%s",
				 options->before[side]);
	session->local = options->local;
	keep_recording(session, options->local.recording);
	session->on_event = options->on_event;
	session->arg = options->arg;
	session->next = sessions;
	sessions = session;
	created++;
	*ret_session = session;
	return 0;
}

struct media_session *media_session_destroy(struct media_session *session)
{
	struct media_session **link = &sessions;

	if (!session)
		return NULL;
	while (*link != session) {
		assert(*link);
		link = &(*link)->next;
	}
	*link = session->next;
	free(session);
	return NULL;
}

int media_offer(struct media_session *session, enum media_side from, const char *sdp)
{
	int err = offer_error;

	assert(sdp);
	offer_error = 0;
	if (err)
		return err;
	session->offers++;
	if (session->kind[other(from)] == MEDIA_LEG_LOCAL)
		return next(session, MEDIA_EV_ANSWER, from);
	return next(session, MEDIA_EV_OFFER, other(from));
}

int media_answer(struct media_session *session, enum media_side from, const char *sdp)
{
	int err = answer_error;

	assert(sdp);
	answer_error = 0;
	if (err)
		return err;
	session->answers++;
	if (session->kind[other(from)] == MEDIA_LEG_LOCAL)
		return 0;
	return next(session, MEDIA_EV_ANSWER, other(from));
}

int media_start(struct media_session *session, enum media_side to)
{
	session->starts++;
	return next(session, MEDIA_EV_OFFER, to);
}

int media_turn(struct media_session *session, enum media_leg_kind kind,
	       const struct media_local *local, const struct media_codecs *rules, bool settled)
{
	(void)rules;
	session->settled = settled;
	session->turns++;
	session->kind[MEDIA_B] = kind;
	session->local = *local;
	keep_recording(session, local->recording);
	return kind == MEDIA_LEG_LOCAL ? next(session, MEDIA_EV_ANSWER, MEDIA_A)
				       : next(session, MEDIA_EV_OFFER, MEDIA_B);
}

int media_record(struct media_session *session, const struct media_recording *recording)
{
	session->records++;
	keep_recording(session, recording);
	return 0;
}

int media_near(struct media_session *session, enum media_side side, const char *near)
{
	snprintf(session->near[side], sizeof(session->near[side]), "%s", near);
	return 0;
}

void media_established(struct media_session *session)
{
	session->established++;
}

void media_rollback(struct media_session *session)
{
	session->rollbacks++;
	session->due = false;
}

int media_digit(struct media_session *session, enum media_side to, char digit, unsigned ms)
{
	session->digits[to] = digit;
	session->digit_ms = ms;
	return 0;
}

int media_wait(struct media_session *session, enum media_side to, enum media_wait when,
	       struct media_sound *sound)
{
	session->waits[to] = when;
	session->music[to] = sound;
	return 0;
}

void media_receipt(const struct media_session *session, enum media_side side,
		   struct media_receipt *ret_receipt)
{
	(void)session;
	if (told[side]) {
		*ret_receipt = *told[side];
		return;
	}
	memset(ret_receipt, 0, sizeof(*ret_receipt));
	ret_receipt->agreed = ret_receipt->sends = true;
	ret_receipt->last_in_ms = clock_now();
	ret_receipt->packets_out = 99;
	ret_receipt->packets_in = side == MEDIA_A ? 111 : 222;
	ret_receipt->recorded_ms = side == MEDIA_A ? 0 : recorded_ms;
	snprintf(ret_receipt->codec, sizeof(ret_receipt->codec), "PCMA");
}

/* A sound is 2 s long and nothing else. */
struct media_sound *media_sound_ref(struct media_sound *sound)
{
	if (sound)
		sound_references++;
	return sound;
}

struct media_sound *media_sound_unref(struct media_sound *sound)
{
	if (sound)
		sound_references--;
	return NULL;
}

unsigned media_sound_ms(const struct media_sound *sound)
{
	assert(sound);
	return FAKE_SOUND_MS;
}
