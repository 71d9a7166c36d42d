/* SPDX-License-Identifier: Apache-2.0 */
/* codecs.h - which codecs two sides agree on, and what becomes of each packet
 * between them. Pure functions.
 *
 * What both sides have passes as it is. Only where they share no codec, and only
 * where the rules of the session allow it, is speech converted.
 */
#ifndef BREAKOUT_MEDIA_CODECS_H
#define BREAKOUT_MEDIA_CODECS_H

#include "media/media.h"
#include "media/sdp.h"

#define CODECS_DROP    0xff /* in a type map: not agreed, count and drop */
#define CODECS_CONVERT 0xfe /* the transcoder knows */

/* By inbound payload type: what it is called on the other side. */
typedef uint8_t codecs_map[128];
typedef uint64_t codecs_set[2]; /* of payload types, a bit each */

/* What a session may do; the rules of a side by enum media_side. */
struct codecs_rules {
	bool transcode;
	struct media_codecs side[2];
};

/* Leaves of what a peer named what its side's rules let it use, in their order. */
void codecs_restrict(const struct media_codecs *rules, struct media_desc *desc);
/* Whether any of its speech is among what is left then; true if it has none. */
bool codecs_allow(const struct media_codecs *rules, const struct media_desc *desc);

/* What may be offered on: all but RED, whose payload carries payload type
 * numbers inside (RFC 2198 3) that a relay does not translate; behind it, what
 * `to` may have by conversion. False: nothing that carries speech. */
bool codecs_offer(const struct media_desc *offer, const struct codecs_rules *rules,
		  enum media_side to, struct media_desc *ret_onward);

/* The answer's codecs in the offer's numbers, or the one that it can be converted
 * to; false when neither is there. */
bool codecs_answer(const struct media_desc *offer, const struct media_desc *answer,
		   const struct codecs_rules *rules, enum media_side answerer,
		   struct media_desc *ret_back);

/* The same for an offerer that may send all it has offered, whatever was answered: what
 * can be converted for it comes behind `back`. */
void codecs_keep(const struct media_desc *offer, struct media_desc *back);

/* What `offer` and a side that knows `ours` share, as the offer puts it; false
 * as above. */
bool codecs_common(const struct media_desc *offer, const struct media_desc *ours,
		   struct media_desc *ret_common);

enum codecs_digits {
	CODECS_DIGITS_DROP,
	CODECS_DIGITS_EVENTS, /* RFC 4733 */
	CODECS_DIGITS_TONES,
	CODECS_DIGITS_TELL /* by signalling */
};

/* From one side to the other. */
struct codecs_way {
	codecs_map types;
	bool converts;             /* speech can be; else what follows is empty but for `to` */
	bool lazy;                 /* it is from the first digit on, to put tones into it */
	uint8_t kinds[128];        /* enum voice_kind of what is converted */
	uint32_t event_rates[128]; /* of the telephone-event types; 0: another type */
	codecs_set events;         /* types of telephone-event, as they come */
	struct sdp_codec to;       /* of speech */
	unsigned pcm_rate, frame_ms;
	enum codecs_digits digits;
	bool hear_tones;    /* digits come as tones */
	uint8_t event_type; /* EVENTS */
	uint32_t event_rate;
};

/* What becomes of packets from the offerer and from the answerer (RFC 3264 6.1:
 * each side receives what its own description says; an answerer that sends
 * by its own numbers all the same is understood, and so is one that sends what
 * was offered but not answered, as Chromium does after a re-offer: the offerer
 * may still listen to it, section 7). `back`: by codecs_answer(). */
struct codecs_agreement {
	const struct media_desc *offer, *answer, *back;
	enum media_side offerer;
};
void codecs_ways(const struct codecs_agreement *agreement, const struct codecs_rules *rules,
		 struct codecs_way *ret_from_offerer, struct codecs_way *ret_from_answerer);
static inline bool codecs_set_has(const codecs_set set, uint8_t type)
{
	return set[type / 64 % 2] >> type % 64 & 1;
}

/* Nothing changes from one to the other. */
bool codecs_way_same(const struct codecs_way *a, const struct codecs_way *b);

/* Number and parameters too. */
bool codecs_equal(const struct sdp_codec *a, const struct sdp_codec *b);
/* telephone-event and CN are not speech. */
bool codecs_is_speech(const struct sdp_codec *codec);
const struct sdp_codec *codecs_first_speech(const struct media_desc *desc); /* or NULL */

/* The number behind "name=" in "name=1;other=2". */
unsigned codecs_fmtp_number(const char *fmtp, const char *name, unsigned fallback);

#define CODECS_LIST_ROOM 320 /* 24 usual names; more of them, or longer, end with "..." */

/* "PCMA/8000, opus/48000" */
void codecs_list(const struct media_desc *desc, char *ret_text, size_t room);
/* What codecs_restrict() leaves: "PCMA, opus", or "any". */
void codecs_list_allowed(const struct media_codecs *rules, char *ret_text, size_t room);

#endif
