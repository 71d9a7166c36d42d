/* SPDX-License-Identifier: Apache-2.0 */
/* fake_media.h - media sessions without packets.
 *
 * Remembers what the owner asked for. Nothing is answered on its own: the test
 * says what the media room says, with fake_media_event() or, for the answer
 * that is due, fake_media_reply().
 */
#ifndef BREAKOUT_TESTS_FAKE_FAKE_MEDIA_H
#define BREAKOUT_TESTS_FAKE_FAKE_MEDIA_H

#include "media/media.h"

struct media_session {
	struct media_session *next;
	enum media_leg_kind kind[2];
	struct media_local local; /* but for its recording: */
	struct media_recording recording;
	char folder[64], name[64], about[512];
	media_event_fn *on_event;
	void *arg;

	unsigned offers, answers, starts, rollbacks, turns, records, established;
	bool settled; /* the last turn was */
	char near[2][64];
	char before[2][64]; /* "": none */
	char digits[2];     /* last given to each side */
	unsigned digit_ms;
	enum media_wait waits[2];     /* each side, */
	struct media_sound *music[2]; /* with this: borrowed */
	/* What the door says comes next. */
	bool due;
	enum media_event_type due_type;
	enum media_side due_side;
};

void fake_media_create_fails(int err);            /* every create from here on; 0: works again */
void fake_media_offer_fails(int err);             /* the next media_offer() */
void fake_media_answer_fails(int err);            /* the next media_answer() */
struct media_session *fake_media_last(void);      /* newest living, or NULL */
struct media_session *fake_media_nth(size_t nth); /* of those living, the oldest first */
size_t fake_media_count(void);                    /* living */
unsigned fake_media_created(void);                /* since reset */
void fake_media_recorded(unsigned ms);            /* receipts say so from here on */
/* What receipts of a side say from here on; NULL: that all is well. */
void fake_media_receipt(enum media_side side, const struct media_receipt *receipt);
#define FAKE_SOUND_MS 2000
struct media_sound *fake_media_sound(void); /* with a reference */
void fake_media_reset(void);                /* asserts that nothing lives */

void fake_media_event(struct media_session *session, enum media_event_type type,
		      enum media_side side, const char *sdp);
void fake_media_refuse(struct media_session *session, enum media_side side, int status);
/* Says what is due, with this text. False: nothing was. */
bool fake_media_reply(struct media_session *session, const char *sdp);

#endif
